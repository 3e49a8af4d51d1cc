package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// resume is the stream of a reply that others can continue when it breaks off: another deployment of the group, or a
// fallback. It lies below the hooks, which see one stream. README.md says what can be continued, and how.
type resume struct {
	t     *turn // nil while it is not in use
	inner llm.Stream
	seen  []byte // what the leg under way said: its parts, with llm.KeptMark between them
	long  bool   // it said more than is kept
	on    *leg   // on which it was continued; nil before

	text  []byte    // what was said on the legs that broke off
	id    []byte    // of the answer, as JSON
	prior llm.Usage // of the legs that broke off
}

// Limits of what is kept of a stream, to have it continued.
const (
	maxSeen     = 1 << 20
	maxKeptSeen = 64 << 10 // of the buffer, for the next exchange
)

// midStream is the name of the setting, and what records call a leg that broke off.
const midStream = "mid_stream_fallbacks"

// goOn is what a model is asked after what was said so far. It comes from the user, since not every vendor takes a
// conversation that ends in words of the assistant.
const goOn = "Your previous message was cut off. Continue it from exactly where it stopped, without repeating any of it and " +
	"without a word about the interruption."

// watchStream has the stream that began continued by others should it break off, if the configuration wants that and
// there is anybody. Keeping what is said costs a copy, and allocates nothing once the buffer has grown.
func (t *turn) watchStream() {
	t.x.Deadline = time.Time{} // it was for the beginning
	r := &t.reply
	if !t.Resume || !r.Streamed || r.Rest == nil || r.Verbatim || r.Dialect != llm.DialectOpenAI || t.x.Op != llm.OpChat || !t.plan.Elsewhere() {
		return
	}
	t.resume.t, t.resume.inner = t, r.Rest
	t.resume.keep(r.First.Data)
	r.Rest = &t.resume
}

// empty is the resume for another exchange, with the buffer of this one.
func (r *resume) empty() resume {
	if cap(r.seen) > maxKeptSeen {
		return resume{}
	}
	return resume{seen: r.seen[:0]}
}

func (r *resume) keep(data []byte) {
	if r.long || len(data) == 0 {
		return
	}
	if len(r.seen)+len(data) > maxSeen {
		r.long = true
		return
	}
	if len(r.seen) > 0 {
		r.seen = append(r.seen, llm.KeptMark)
	}
	r.seen = append(r.seen, data...)
}

// Next implements llm.Stream.
func (r *resume) Next(p *llm.Part) error {
	for {
		err := r.inner.Next(p)
		if err == nil {
			r.keep(p.Data)
			if r.on != nil {
				r.follow()
				if !r.adapt(p) {
					continue
				}
			}
			return nil
		}
		if r.on != nil {
			r.follow()
		}
		if err == io.EOF || !r.again(err) { //nolint:errorlint // a stream returns it bare
			return err
		}
		if *p = r.on.reply.First; r.adapt(p) {
			return nil
		}
	}
}

// Close implements llm.Stream.
func (r *resume) Close() error { return r.inner.Close() }

// follow takes over what the leg under way has told.
func (r *resume) follow() {
	to, from := &r.t.reply, &r.on.reply
	to.Deployment, to.Usage, to.Finish, to.Estimated = from.Deployment, from.Usage, from.Finish, from.Estimated
}

// measure estimates the usage of a leg that told none.
func (r *resume) measure() {
	if r.on == nil {
		return
	}
	r.follow()
	if r.t.reply.Usage.Known() {
		return
	}
	r.estimate(&r.t.reply)
}

// estimate counts what was said on a leg. The prompt of a later one held what was said before.
func (r *resume) estimate(reply *llm.Reply) {
	known := reply.Usage.Known()
	r.t.measureOf(reply, r.seen)
	if !known && reply.Usage.Known() {
		reply.Usage.Prompt += r.prior.Completion
		reply.Usage.Total += r.prior.Completion
	}
}

// again has somebody else continue, and reports whether somebody does. The leg that broke off is charged.
func (r *resume) again(failure error) bool {
	t, e := r.t, llm.AsError(failure)
	if !e.Kind.Vendor() || t.ctx.Err() != nil || r.long || !t.plan.Elsewhere() || !r.plain() || !t.continuable() {
		return false
	}
	broken := llm.Reply{Deployment: t.reply.Deployment, Usage: t.reply.Usage, Parts: t.reply.Parts}
	r.estimate(&broken)
	_ = r.inner.Close()
	r.inner = ended{}
	if len(broken.Deployment.Scopes) > 0 {
		t.Pipeline.Leave(t.x, broken.Deployment)
	}
	t.Pipeline.Aside(t.x, midStream, broken.Deployment, broken.Usage)
	t.failed(broken.Deployment, failure)
	t.told = true
	if !r.elsewhere(failure) {
		// Then it is the reply after all, and charged as that.
		t.x.Earlier = t.x.Earlier[:len(t.x.Earlier)-1]
		t.reply.Deployment, t.reply.Usage, t.reply.Estimated = broken.Deployment, broken.Usage, broken.Estimated
		r.on = nil
		return false
	}
	t.told = false
	r.prior = r.prior.Plus(broken.Usage)
	r.follow()
	return true
}

// elsewhere asks the router for deployments until one continues.
func (r *resume) elsewhere(failure error) bool {
	t := r.t
	for {
		d, err := t.plan.Next(t.ctx, failure)
		if err != nil {
			return false
		}
		t.x.Overrides = t.plan.Params()
		if t.unseen() != nil || !r.ask() {
			t.plan.Done(errSlower) // nothing was asked of it
			return false
		}
		l := &leg{x: t.x}
		if failure = t.attempt(t.ctx, l, d); failure != nil {
			continue
		}
		if l.reply.Streamed && !l.reply.Verbatim && l.reply.Dialect == llm.DialectOpenAI {
			t.plan.Began(t.x.Answered)
			r.on, r.inner = l, l.reply.Rest
			r.seen, r.long = r.seen[:0], false
			r.keep(l.reply.First.Data)
			return true
		}
		_ = l.reply.Rest.Close()
		t.Pipeline.Leave(t.x, d)
		failure = &llm.Error{Op: "gateway.resume", Kind: llm.KindBadGateway, Message: "The model does not stream."}
	}
}

// continuable reports whether words can be put behind what the caller asked for: it wants one answer, in words.
func (t *turn) continuable() bool {
	if t.x.Chat() != nil {
		return false
	}
	if n := t.x.Body.Get("n"); n != nil && string(n) != "1" && string(n) != "null" {
		return false
	}
	var format struct{ Type string }
	if f := t.x.Body.Get("response_format"); f != nil && json.Unmarshal(f, &format) == nil && format.Type != "" && format.Type != "text" {
		return false // the rest of a document, from somebody who did not begin it
	}
	return true
}

// delta is what a part of a stream may hold.
type delta struct {
	ID      json.RawMessage `json:"id"`
	Choices []struct {
		Index  int                        `json:"index"`
		Finish *string                    `json:"finish_reason"`
		Delta  map[string]json.RawMessage `json:"delta"`
	} `json:"choices"`
}

// plain adds what was said on the leg to the text so far. It reports false if that was something else than words, or if it
// was all.
func (r *resume) plain() bool {
	said := r.text[:len(r.text):len(r.text)]
	for part := range bytes.SplitSeq(r.seen, []byte{llm.KeptMark}) {
		var d delta
		if len(part) == 0 {
			continue
		}
		if json.Unmarshal(part, &d) != nil {
			return false
		}
		if r.id == nil && len(d.ID) > 0 {
			r.id = d.ID
		}
		for _, c := range d.Choices {
			if c.Index != 0 || c.Finish != nil {
				return false
			}
			for name, v := range c.Delta {
				switch name {
				case "tool_calls", "function_call", "audio", "images", "refusal":
					if s := string(v); s != "null" && s != "[]" && s != `""` {
						return false
					}
				}
			}
			var words string
			if v := c.Delta["content"]; v != nil && json.Unmarshal(v, &words) != nil {
				return false
			}
			said = append(said, words...)
		}
	}
	r.text = said
	return true
}

// ask puts what was said so far, and the request to go on, behind the conversation. Where nothing was said, the same is
// asked again.
func (r *resume) ask() bool {
	x := r.t.x
	if len(r.text) == 0 {
		return true
	}
	messages, at := x.Body.Get("messages"), -1
	for i := range x.Overrides {
		if x.Overrides[i].Name == "messages" {
			messages, at = []byte(x.Overrides[i].Value), i
		}
	}
	messages = bytes.TrimSpace(messages)
	if len(messages) < 2 || messages[len(messages)-1] != ']' {
		return false
	}
	b := append([]byte(nil), bytes.TrimRight(messages[:len(messages)-1], " \t\r\n")...)
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	b = append(b, `{"role":"assistant","content":`...)
	b = append(llm.AppendQuoted(b, string(r.text)), `},{"role":"user","content":`...)
	b = append(llm.AppendQuoted(b, goOn), `}]`...)
	next := append([]llm.Pair(nil), x.Overrides...)
	if at >= 0 {
		next[at].Value = string(b)
	} else {
		next = append(next, llm.Pair{Name: "messages", Value: string(b)})
	}
	x.Overrides = next
	return true
}

// adapt makes a part of a later leg one of the answer that the caller reads: it has the answer's id, does not begin a
// message, and usage is that of all legs. It reports false if nothing is left of the part.
func (r *resume) adapt(p *llm.Part) bool {
	var part map[string]json.RawMessage
	if json.Unmarshal(p.Data, &part) != nil {
		return true
	}
	if r.id != nil {
		part["id"] = r.id
	}
	usage := bytes.TrimSpace(part["usage"])
	told := len(usage) > 0 && usage[0] == '{'
	if told {
		part["usage"] = r.added(usage)
	}
	var choices []map[string]json.RawMessage
	if json.Unmarshal(part["choices"], &choices) == nil && len(choices) > 0 {
		left := told
		for _, c := range choices {
			left = tail(c) || left
		}
		if !left {
			return false
		}
		part["choices"], _ = json.Marshal(choices) // of what was just decoded
	}
	data, err := json.Marshal(part)
	if err == nil {
		p.Data = data
	}
	return true
}

// tail takes the role out of a choice, and reports whether anything is left to say.
func tail(choice map[string]json.RawMessage) bool {
	finish := string(choice["finish_reason"])
	left := finish != "" && finish != "null"
	var d map[string]json.RawMessage
	if json.Unmarshal(choice["delta"], &d) != nil {
		return true
	}
	delete(d, "role")
	for _, v := range d {
		if s := string(v); s != "null" && s != `""` {
			left = true
		}
	}
	choice["delta"], _ = json.Marshal(d) // of what was just decoded
	return left
}

// added is the usage of all legs. The details are those of the last one.
func (r *resume) added(usage []byte) json.RawMessage {
	var u map[string]json.RawMessage
	if json.Unmarshal(usage, &u) != nil {
		return usage
	}
	add := func(name string, n int64) {
		var have int64
		if json.Unmarshal(u[name], &have) == nil {
			u[name], _ = json.Marshal(have + n) // a number
		}
	}
	add("prompt_tokens", r.prior.Prompt)
	add("completion_tokens", r.prior.Completion)
	add("total_tokens", max(r.prior.Total, r.prior.Prompt+r.prior.Completion))
	b, err := json.Marshal(u)
	if err != nil {
		return usage
	}
	return b
}

// ended is a stream that is closed already.
type ended struct{}

func (ended) Next(*llm.Part) error { return io.EOF }
func (ended) Close() error         { return nil }
