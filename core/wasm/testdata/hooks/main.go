// Hooks has every hook that is not about the texts of a request. What it does, its input says.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, construct)

func main() {}

var (
	ticks int
	calls int
)

func construct(c *sallyport.Config) (sallyport.Hooks, error) {
	say := c.Bool("say", false)
	return sallyport.Hooks{
		Log: func(b *sallyport.LogBatch) error { return log(b, say) },
		Tick: func() error {
			ticks++
			sallyport.Log(abi.LogInfo, fmt.Sprint("tick ", ticks))
			if c.Name() == "fails" {
				return errors.New("no clock")
			}
			return nil
		},
		Route: route, Prompt: prompt, Provider: sallyport.Provider{Encode: encode, Decode: decode},
		KeyGenerate: key, SSOBegin: begin, SSOCallback: callback,
	}, nil
}

// log prints each record, and obeys the model's name.
func log(b *sallyport.LogBatch, say bool) error {
	calls++
	for i := range b.Records {
		r := &b.Records[i]
		switch r.Model {
		case "again":
			b.Retry(i)
			continue
		case "fail":
			return errors.New("the disk is full")
		case "panic":
			panic("on demand")
		case "spin":
			for {
			}
		case "twice":
			b.Retry(i)
			b.Retry(i)
			continue
		case "once":
			if calls == 1 {
				b.Retry(i)
				continue
			}
		}
		if say {
			metadata, _ := r.Metadata()
			key, _ := r.KeyMetadata()
			fmt.Printf("record %s %s %s %s %s %s %v %v | %s %s %s %s %s | %v %v %v | %d %d %d %d %d %v %v | %d %s %s %q | %v %v %d %d | %s %s | %v %v %s\n",
				r.ID, r.CallType, r.Path, r.ClientIP, r.Agent, r.Caller.TeamID, r.Stream, r.CacheHit,
				r.Model, r.VendorModel, r.Provider, r.DeploymentID, r.Base, r.Start.Unix(), r.End.Sub(r.Start), r.FirstToken.Sub(r.Start),
				r.PromptTokens, r.CompletionTokens, r.TotalTokens, r.CachedTokens, r.ReasoningTokens, r.Cost, r.CostKnown,
				r.Status, r.Finish, r.ErrorClass, r.Error, r.Tags, r.Guardrails, r.Retries, r.Fallbacks,
				r.Messages, r.Answer, metadata, key, r.Caller.EndUser)
		}
	}
	return nil
}

// route obeys the text of the first message.
func route(r *sallyport.RouteRequest) sallyport.RouteVerdict {
	what, _ := r.Value("messages.0.content")
	what, arg, _ := strings.Cut(what, " ")
	switch what {
	case "only":
		return sallyport.Only(strings.Fields(arg)...)
	case "order":
		return sallyport.InOrder(strings.Fields(arg)...)
	case "fail":
		return sallyport.FailRoute(errors.New("no map"))
	case "panic":
		panic("on demand")
	case "describe":
		for _, d := range r.Deployments {
			info, _ := d.Info()
			fmt.Printf("deployment %s %s %s %s %s %v %v %v %v %d %v\n", d.ID, d.Group, d.Model, d.Provider, d.Base, d.Tags, d.Weight, d.RPM, d.TPM, d.InFlight, info)
		}
		metadata, _ := r.Metadata()
		fmt.Println("request", r.CallType, r.Model, r.Stream, r.Caller.TeamID, r.Tags, r.Retries, metadata)
	case "free":
		var ids []string
		for _, d := range r.Deployments {
			if d.InFlight == 0 {
				ids = append(ids, d.ID)
			}
		}
		return sallyport.Only(ids...)
	}
	return sallyport.AnyDeployment()
}

func prompt(r *sallyport.PromptRequest) sallyport.PromptVerdict {
	name, _ := r.Variables["name"].(string)
	switch r.PromptID {
	case "greet":
		if name == "" {
			return sallyport.NoPrompt(422, "The prompt greet needs the variable name.")
		}
		p := &sallyport.Prompt{Messages: []sallyport.Message{{Role: "system", Text: "Greet " + name + " (" + r.Label + "/" + r.Version + ")."}}}
		p.Params = map[string]any{"temperature": 0.5, "stop": []string{"\n"}}
		return sallyport.UsePrompt(p)
	case "json":
		return sallyport.UsePrompt(&sallyport.Prompt{JSON: `[{"role":"user","content":[{"type":"text","text":"hi"}]}]`, Replace: true, Model: "other"})
	case "bad":
		return sallyport.UsePrompt(&sallyport.Prompt{JSON: `{"role":"user"}`})
	case "stream":
		return sallyport.UsePrompt(&sallyport.Prompt{Params: map[string]any{"stream": true}})
	case "describe":
		return sallyport.NoPrompt(400, fmt.Sprint(r.Model, r.CallType, r.Stream, r.Caller.TeamID, r.Variables, r.Texts))
	}
	return sallyport.FailPrompt(errors.New("no store"))
}

func key(r *sallyport.KeyRequest) sallyport.KeyVerdict {
	team, _ := r.Params["team_id"].(string)
	switch team {
	case "":
		return sallyport.RefuseKey("Keys need a team_id.")
	case "small":
		return sallyport.EditKey(map[string]any{"max_budget": 1.5, "models": []string{"m"}})
	case "fail":
		return sallyport.FailKey(errors.New("no directory"))
	case "who":
		return sallyport.RefuseKey(r.Caller.UserID + " " + r.ClientIP)
	}
	return sallyport.AllowKey()
}

func begin(r *sallyport.SSORequest) sallyport.SSOVerdict {
	email, ok := r.Header("x-forwarded-email")
	switch {
	case ok:
		return sallyport.SignIn(&sallyport.User{ID: email, Email: email, Role: "internal_user"})
	case r.Query == "away":
		return sallyport.Redirect("https://id.example.com/?from=" + r.Path)
	case r.Query == "out":
		return sallyport.RefuseSSO(403, "Not from here.")
	}
	return sallyport.SSODefault()
}

func callback(r *sallyport.SSORequest) sallyport.SSOVerdict {
	_, domain, _ := strings.Cut(r.Claim("email"), "@")
	budget := 1.0
	switch domain {
	case "example.com":
		return sallyport.SignIn(&sallyport.User{
			ID: r.Claim("sub"), Email: r.Claim("email"), Role: "internal_user", TeamID: "t", Models: []string{"m"},
			MaxBudget: &budget, BudgetDuration: "30d", Metadata: map[string]any{"groups": r.Claims["groups"]},
		})
	case "king.example.com":
		return sallyport.SignIn(&sallyport.User{ID: "k", Role: "king"})
	case "":
		return sallyport.FailSSO(errors.New("no email"))
	}
	return sallyport.RefuseSSO(401, "Only people of example.com.")
}

// encode makes a call in the form of a vendor that takes {"prompt": "..."}.
func encode(r *sallyport.ProviderRequest) sallyport.Outgoing {
	if r.CallType == "aembedding" {
		return sallyport.AnswerWith(sallyport.Reading{JSON: `{"object":"list","model":"x","data":[{"object":"embedding","index":0,"embedding":[1,0]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`})
	}
	if len(r.Texts) == 0 {
		return sallyport.RefuseCall(400, "This vendor needs a text.")
	}
	what, arg, _ := strings.Cut(r.Texts[0].Text, " ")
	switch what {
	case "local":
		return sallyport.AnswerWith(sallyport.Reading{Text: arg, Finish: "stop", Usage: &sallyport.Usage{Prompt: 1, Completion: 2, Total: 3}})
	case "elsewhere":
		return sallyport.Call("GET", "https://elsewhere.example.com/", nil)
	case "file":
		return sallyport.Call("GET", "file:///etc/passwd", nil)
	case "smuggle":
		return sallyport.Call("POST", r.Base+"/x", nil).Header("X-A", "a\r\nX-B: b")
	case "fail":
		return sallyport.FailCall(errors.New("no key"))
	case "panic":
		panic("on demand")
	}
	body := append([]byte(`{"prompt":`), sallyport.AppendJSON(nil, r.Texts[len(r.Texts)-1].Text)...)
	if t, ok := r.JSON("temperature"); ok {
		body = append(body, `,"heat":`+t...)
	}
	if r.Stream {
		body = append(body, `,"stream":true`...)
	}
	return sallyport.Call("POST", r.Base+"/generate?model="+r.Model, append(body, '}')).Header("X-Key", r.APIKey).Header("Content-Type", "application/json")
}

// decode reads {"text": "...", "stop": "..."}. In a stream it counts the events.
func decode(a *sallyport.ProviderAnswer) sallyport.Reading {
	if a.Status >= 400 {
		if why, ok := a.Value("why"); ok {
			return sallyport.VendorError(a.Status, why)
		}
		return sallyport.Reading{}
	}
	if a.Phase == abi.PhaseEnd {
		return sallyport.Reading{Usage: &sallyport.Usage{Prompt: 3, Completion: int64(len(a.State)), Total: 3 + int64(len(a.State))}}
	}
	var r sallyport.Reading
	r.Text, _ = a.Value("text")
	r.Finish, _ = a.Value("stop")
	r.Reasoning, _ = a.Value("thought")
	if name, ok := a.Value("tool"); ok {
		args, _ := a.JSON("args")
		r.ToolCalls = []sallyport.ToolCall{{ID: "call_1", Name: name, Arguments: args}}
	}
	if a.Phase == abi.PhaseEvent {
		if len(a.State) == 0 {
			kind, _ := a.Header("content-type")
			_ = kind
		}
		r.State = append(append([]byte{}, a.State...), '.')
		if why, ok := a.Value("why"); ok {
			return sallyport.VendorError(529, why)
		}
		return r
	}
	if r.Text == "" && len(r.ToolCalls) == 0 {
		return sallyport.FailReading(errors.New("an answer without text"))
	}
	r.Usage = &sallyport.Usage{Prompt: 5, Completion: 7, Total: 12, Cached: 1}
	return r
}
