// Guard has every hook of a guardrail and does what the texts and its config say, to test the host from inside a real
// guest.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, construct)

func main() {}

// end is what the stream_end hook says, by config.
var end string

func construct(c *sallyport.Config) (sallyport.Hooks, error) {
	end = c.String("end", "")
	return sallyport.Hooks{
		Request: request, Moderation: moderation, Response: response, Stream: stream, StreamEnd: streamEnd, Failure: failure,
	}, nil
}

func request(r *sallyport.Request) sallyport.Verdict {
	if len(r.Texts) == 0 {
		return sallyport.Continue()
	}
	what, arg, _ := strings.Cut(r.Texts[0].Text, " ")
	first, second, _ := strings.Cut(arg, " ")
	switch what {
	case "panic":
		panic("on demand")
	case "keep":
		r.SetState([]byte(arg))
	case "set":
		r.SetJSON(first, second)
	case "text":
		r.SetValue(first, second)
	case "remove":
		r.Remove(arg)
	case "header":
		r.SetHeader(first, second)
	case "tag":
		r.AddTag(arg)
	case "metadata":
		r.SetMetadata(first, second)
	case "all":
		r.Texts[0].Replace("edited")
		r.SetModel("other")
		r.SetJSON("temperature", "0.5")
		r.Remove("user")
		r.SetMetadata("seen.by", []any{"guard"})
		r.AddTag("checked")
		r.SetHeader("X-Guard", "yes")
		r.SetState([]byte{0, 1})
	case "filtered":
		return sallyport.RespondFiltered("cannot help")
	case "instead":
		return sallyport.Respond(arg)
	case "media":
		var all []string
		for i, m := range r.Media {
			data, ok := r.MediaBytes(i, 4)
			all = append(all, fmt.Sprintf("%d %s %s %s %s %v %d [%s %v] %s", m.Message, m.Role, m.Type, m.MIME, m.URL, m.Inline, m.Size, data, ok, r.MediaSHA256(i)))
		}
		_, beyond := r.MediaBytes(len(r.Media), 100)
		return sallyport.Respond(fmt.Sprint(strings.Join(all, "; "), beyond))
	case "params":
		params, err1 := r.Params()
		meta, err2 := r.RequestMetadata()
		team, err3 := r.TeamMetadata()
		return sallyport.Respond(fmt.Sprint(params, meta, team, r.Tags, errors.Join(err1, err2, err3)))
	}
	return sallyport.Continue()
}

func moderation(r *sallyport.Request) sallyport.Verdict {
	for i := range r.Texts {
		switch r.Texts[i].Text {
		case "slow illegal":
			time.Sleep(100 * time.Millisecond)
			return sallyport.Reject(451, "not after all")
		case "illegal":
			return sallyport.Reject(451, "not "+string(r.State))
		case "edit":
			r.Texts[i].Replace("x")
		case "keep":
			r.SetState([]byte("x"))
		case "panic":
			panic("on demand")
		}
	}
	return sallyport.Continue()
}

func response(r *sallyport.Response) sallyport.Verdict {
	for i := range r.Texts {
		a := &r.Texts[i]
		switch {
		case strings.HasPrefix(a.Text, "unfit"):
			return sallyport.Retry(422, fmt.Sprintf("not fit after %d, %d left", r.Asked, r.Retries), a.Choice, "say it right")
		case strings.HasPrefix(a.Text, "once more"):
			return sallyport.Retry(422, "unfit", 0, "")
		case a.Text == "reject":
			return sallyport.Reject(422, "unfit")
		case a.Text == "panic":
			panic("on demand")
		case a.Text == "describe":
			name, ok := r.AnswerValue("choices.0.message.tool_calls.0.function.name")
			whole := r.Answer()
			a.Replace(fmt.Sprintf("%s %d %s %s %s %d/%d/%d %s %s state=%q partial=%v tool=%s %v %d",
				a.Role, a.Choice, a.Kind, r.Model, r.Finish, r.PromptTokens, r.CompletionTokens, r.TotalTokens, r.Deployment, r.Provider,
				r.State, r.Partial, name, ok, len(whole)))
		case strings.Contains(a.Text, "secret"):
			a.Replace(strings.ReplaceAll(a.Text, "secret", "***"))
		}
	}
	return sallyport.Continue()
}

func stream(w *sallyport.Window) sallyport.Verdict {
	switch {
	case strings.Contains(w.Text, "abort"):
		return sallyport.Reject(400, "stopped")
	case strings.Contains(w.Text, "panic"):
		panic("on demand")
	case strings.Contains(w.Text, "hold") && !w.Final:
		return sallyport.Hold()
	case strings.Contains(w.Text, "drop"):
		return sallyport.Drop()
	case strings.Contains(w.Text, "secret"):
		w.Replace(strings.ReplaceAll(w.Text, "secret", "***"))
	case strings.Contains(w.Text, "count"):
		w.SetState(append(w.State, '+'))
		w.Replace(strings.ReplaceAll(w.Text, "count", fmt.Sprint(len(w.State))))
	}
	return sallyport.Continue()
}

func streamEnd(s *sallyport.StreamEnd) sallyport.Verdict {
	sallyport.Log(0, fmt.Sprintf("end left=%v finish=%s tokens=%d state=%q", s.Left, s.Finish, s.TotalTokens, s.State))
	switch end {
	case "":
		return sallyport.Continue()
	case "panic":
		panic("on demand")
	}
	return sallyport.Reject(400, end)
}

func failure(f *sallyport.Failure) sallyport.Verdict {
	switch {
	case f.Message == "keep me", strings.HasPrefix(f.Message, "not "):
	case f.Message == "panic":
		panic("on demand")
	default:
		f.SetType("odd")
		f.Rewrite(503, fmt.Sprintf("%s %d %s %s %s %s", f.Kind, f.Status, f.Message, f.Model, f.Deployment, f.Provider))
	}
	return sallyport.Continue()
}
