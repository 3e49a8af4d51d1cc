package gemini

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// native sends chats that came in Google's dialect as they came. Parameters that the operator set are those of chat
// completions, so a deployment with some has its requests translated.
func native() *provider.Native {
	return &provider.Native{
		Dialect: llm.DialectGoogle, Speaks: func(s *provider.Site) bool { return !s.Own.(*own).fixed },
		Route: nativeRoute, Request: nativeRequest, Whole: nativeWhole, Events: nativeEvents, Counts: true,
	}
}

func nativeRoute(t *provider.Turn, dst []byte) []byte {
	if t.Exchange.Call == provider.CountTokens {
		return ownOf(t).route(dst, "countTokens", false)
	}
	return generate(t, dst)
}

// nativeRequest appends the request without what is for the gateway. One that holds nothing of it goes out byte for byte.
func nativeRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	if t.Exchange.Call == provider.CountTokens {
		return ownOf(t).counted(&t.Exchange.Native, dst), nil
	}
	o, raw := &t.Exchange.Native, t.Exchange.Native.Raw()
	safety := ownOf(t).safety
	if o.Index("safetySettings") >= 0 || o.Index("safety_settings") >= 0 {
		safety = nil
	}
	same := safety == nil && t.Exchange.Controls.ExtraBody == nil
	for _, m := range o.Members() {
		same = same && !gateways(o.Key(m))
	}
	if same {
		return append(dst, raw...), nil
	}
	b := dialect.Build(dst)
	b.Open('{')
	for _, m := range o.Members() {
		if !gateways(o.Key(m)) {
			b.Key(string(o.Key(m))).Raw(o.Value(m))
		}
	}
	b.Member("safetySettings", safety)
	if t.Exchange.Controls.ExtraBody != nil {
		var extra llm.Object
		if err := provider.ExtraBody(t.Exchange, &extra); err != nil {
			return nil, err
		}
		for _, m := range extra.Members() {
			if o.Index(string(extra.Key(m))) < 0 {
				b.Key(string(extra.Key(m))).Raw(extra.Value(m))
			}
		}
	}
	b.Close('}')
	return b.Bytes(), nil
}

// gateways reports whether a member of a request is for the gateway. The path names the model, and tells a stream.
func gateways(key []byte) bool {
	return string(key) == "model" || string(key) == "stream" || openai.Control(key)
}

// nativeWhole passes a whole answer on.
func nativeWhole(t *provider.Turn, body, dst []byte, r *llm.Reply) ([]byte, error) {
	var n noter
	if err := n.note(t, body, r); err != nil {
		return dst, err
	}
	return append(dst, body...), nil
}

// nativeEvents passes the events of a stream on.
func nativeEvents(t *provider.Turn, r *llm.Reply) func(*provider.Event, *llm.Part) error {
	n := new(noter)
	return func(e *provider.Event, p *llm.Part) error {
		if err := n.note(t, e.Data, r); err != nil {
			return err
		}
		p.Data = e.Data
		return nil
	}
}

// noter notes usage and finish reason of an answer that passes.
type noter struct {
	usage gemini.Usage
	calls bool

	web, maps int64 // questions asked so far
}

func (n *noter) note(t *provider.Turn, body []byte, r *llm.Reply) error {
	var a gemini.Answer
	if !gemini.ScanAnswer(body, &a) {
		return t.Garbled("is not a JSON object")
	}
	if a.Error != nil {
		return t.Fail(int(dialect.Int(dialect.Get(a.Error, "code"))), body)
	}
	if a.Counts != nil {
		n.usage.Scan(a.Counts)
		r.Usage = n.usage.Tokens()
	}
	defer func() { r.Usage.Searches, r.Usage.Maps = n.web, n.maps }()
	if a.Block() != nil {
		r.Finish = "content_filter"
	}
	c := dialect.Array(a.Candidates)
	if !c.Next() {
		return nil
	}
	var g gemini.Candidate
	gemini.ScanCandidate(c.Value(), &g)
	if g.Grounding != nil {
		web, maps := gemini.Asked(g.Grounding)
		n.web, n.maps = n.web+web, max(n.maps, maps)
	}
	for parts := dialect.Array(g.Parts); parts.Next() && !n.calls; {
		n.calls = dialect.Get(parts.Value(), "functionCall") != nil
	}
	if finish := gemini.Finish(g.Finish); finish != "" {
		if finish == "stop" && n.calls {
			finish = "tool_calls"
		}
		r.Finish = finish
	}
	return nil
}
