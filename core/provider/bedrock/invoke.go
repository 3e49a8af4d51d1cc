package bedrock

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
)

// AnthropicVersion is the version of the Messages API that Claude speaks here, that of
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html.
const AnthropicVersion = "bedrock-2023-05-31"

// messages sends a request of the Messages API to Claude as it came, through InvokeModel, and the answer back as the model
// gave it. It also counts tokens.
func messages() *provider.Native {
	invoke := route("/invoke", "/invoke-with-response-stream")
	return &provider.Native{
		Dialect: llm.DialectMessages,
		Speaks:  func(s *provider.Site) bool { m := s.Own.(*site); return m.family == familyClaude && m.plain },
		Route: func(t *provider.Turn, dst []byte) []byte {
			if counts(t) {
				return append(append(append(dst, "/model/"...), own(t).bare...), "/count-tokens"...)
			}
			return invoke(t, dst)
		},
		Request: native, Whole: nativeWhole, Events: nativeEvents, Counts: true,
		Frames: provider.Frames{Types: []string{eventstream.ContentType}, New: newFrames(true)},
	}
}

// counts reports whether the tokens of a request are to be counted
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html).
func counts(t *provider.Turn) bool { return t.Exchange.Call == provider.CountTokens }

// bindInvoke prepares header lines for what a deployment sets for Converse in the body
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html). A deployment that sets anything
// else is called through Converse only.
func (m *site) bindInvoke(d *llm.Deployment) {
	m.plain = true
	add := func(name string, value []byte) {
		if s, ok := llm.Text(value); ok && len(s) > 0 {
			m.guard = append(m.guard, llm.Field{Name: []byte(name), Value: []byte(string(s))})
		}
	}
	for _, p := range slices.Concat(d.ExtraBody, d.Defaults) {
		v := []byte(p.Value)
		switch p.Name {
		case "guardrailConfig":
			add("X-Amzn-Bedrock-GuardrailIdentifier", dialect.Get(v, "guardrailIdentifier"))
			add("X-Amzn-Bedrock-GuardrailVersion", dialect.Get(v, "guardrailVersion"))
			if string(dialect.Get(v, "trace")) == `"enabled"` {
				add("X-Amzn-Bedrock-Trace", []byte(`"ENABLED"`))
			}
		case "performanceConfig":
			add("X-Amzn-Bedrock-PerformanceConfig-Latency", dialect.Get(v, "latency"))
		case "serviceTier":
			add("X-Amzn-Bedrock-Service-Tier", dialect.Get(v, "type"))
		default:
			m.plain = false
		}
	}
}

// native writes the body: the caller's, without the model and the stream, which are in the path, without what is meant for
// the gateway, and with the version and the betas, which are header lines elsewhere.
func native(t *provider.Turn, dst []byte) ([]byte, error) {
	x, d := t.Exchange, t.Site.Deployment
	b := dialect.Build(dst)
	b.Open('{').Key("anthropic_version").Quote(AnthropicVersion)
	for _, m := range x.Native.Members() {
		switch key := string(x.Native.Key(m)); {
		case key == "model", key == "stream", key == "anthropic_version":
		case key != "metadata" && openai.Control(x.Native.Key(m)), slices.Contains(d.AdditionalDrop, key), provider.Lists(x.Controls.AdditionalDrop, key):
		default:
			b.Key(key).Raw(x.Native.Value(m))
		}
	}
	if list := betas(x.Header); len(list) > 0 && x.Native.Index("anthropic_beta") < 0 {
		b.Key("anthropic_beta").Open('[')
		for _, name := range list {
			b.Quote(name)
		}
		b.Close(']')
	}
	if !counts(t) {
		t.Call.Header = append(t.Call.Header, own(t).guard...)
		b.Close('}')
		return b.Bytes(), nil
	}
	if x.Native.Index("max_tokens") < 0 { // the body must be complete, though none is made
		b.Key("max_tokens").Int(1)
	}
	b.Close('}')
	out := dialect.Build(nil)
	out.Open('{').Key("input").Open('{').Key("invokeModel").Open('{').Key("body").Quote(base64.StdEncoding.EncodeToString(b.Bytes()))
	out.Close('}').Close('}').Close('}')
	return out.Bytes(), nil
}

// betas are the names in anthropic-beta lines that Bedrock takes, once each. The others would have it refuse the request;
// a client sends them along without knowing who answers. The names follow the page above and the reference
// (litellm/anthropic_beta_headers_config.json).
func betas(h llm.Header) (list []string) {
	for i := range h {
		if !llm.EqualFold(h[i].Name, "anthropic-beta") {
			continue
		}
		for name := range strings.SplitSeq(string(h[i].Value), ",") {
			name = strings.TrimSpace(name)
			if name == "advanced-tool-use-2025-11-20" {
				name = "tool-search-tool-2025-10-19"
			}
			if beta(name) && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

func beta(name string) bool {
	switch name {
	case "computer-use-2024-10-22", "computer-use-2025-01-24", "computer-use-2025-11-24", "token-efficient-tools-2025-02-19",
		"interleaved-thinking-2025-05-14", "output-128k-2025-02-19", "dev-full-thinking-2025-05-14", "context-1m-2025-08-07",
		"context-management-2025-06-27", "effort-2025-11-24", "tool-search-tool-2025-10-19", "tool-examples-2025-10-29",
		"fine-grained-tool-streaming-2025-05-14", "compact-2026-01-12":
		return true
	}
	return false
}

// nativeWhole hands an answer on. The model in it becomes the name that the caller asked for.
func nativeWhole(t *provider.Turn, body, dst []byte, r *llm.Reply) ([]byte, error) {
	if counts(t) {
		n := dialect.Get(body, "inputTokens")
		if n == nil {
			return nil, t.Garbled("holds no inputTokens")
		}
		b := dialect.Build(dst)
		b.Open('{').Member("input_tokens", n).Close('}')
		return b.Bytes(), nil
	}
	var m anthropic.Message
	if !anthropic.ScanMessage(body, &m) {
		return nil, t.Garbled("is not a message")
	}
	if m.Error != nil {
		return nil, t.Fail(200, body)
	}
	r.Usage, r.Finish = tokens(&m.Usage), anthropic.Finish(m.StopReason)
	return renamed(t, dst, body, span(body, "model")), nil
}

// tokens are the counts, with what is in the details.
func tokens(u *anthropic.Usage) llm.Usage {
	out := u.Tokens()
	out.CacheWrite = u.CacheCreation
	out.CacheWriteHour = dialect.Int(dialect.Get(u.Creation, "ephemeral_1h_input_tokens"))
	return out
}

// span is the place of a member's value.
func span(object []byte, key string) llm.Span {
	for c := dialect.Object(object); c.Next(); {
		if string(c.Key()) == key {
			return c.Span()
		}
	}
	return llm.Span{}
}

// renamed copies b with another model at the place at, unless a fallback answers: then the caller sees who did.
func renamed(t *provider.Turn, dst, b []byte, at llm.Span) []byte {
	if at.End == 0 || t.Exchange.Fallbacks > 0 || t.Exchange.Model == "" {
		return append(dst, b...)
	}
	return append(llm.AppendQuoted(append(dst, b[:at.Start]...), t.Exchange.Model), b[at.End:]...)
}

// nativeEvents hands the model's events on, under their names.
func nativeEvents(t *provider.Turn, r *llm.Reply) func(*provider.Event, *llm.Part) error {
	var (
		ev    anthropic.Event
		usage anthropic.Usage
		out   []byte
		name  []byte
	)
	count := func(v []byte) {
		usage.Scan(v)
		usage.Creation = slices.Clone(usage.Creation)
		r.Usage = tokens(&usage)
	}
	return func(e *provider.Event, p *llm.Part) error {
		if kind, ok := strings.CutPrefix(string(e.Name), failed); ok {
			return t.Fail(statusOf(kind), e.Data)
		}
		if string(e.Name) != "chunk" {
			return nil
		}
		if !anthropic.ScanEvent(e.Data, &ev) {
			return t.Garbled("holds an event that is not a JSON object")
		}
		kind, _ := llm.Text(dialect.Get(e.Data, "type"))
		if len(kind) == 0 {
			return t.Garbled("holds an event without a type")
		}
		p.Data = e.Data
		switch ev.Kind {
		case anthropic.MessageStart:
			count(dialect.Get(ev.Value, "usage"))
			at := span(e.Data, "message")
			if model := span(ev.Value, "model"); at.End > 0 && model.End > 0 {
				model.Start, model.End = model.Start+at.Start, model.End+at.Start
				out = renamed(t, out[:0], e.Data, model)
				p.Data = out
			}
		case anthropic.MessageDelta:
			if ev.Usage != nil {
				count(ev.Usage)
			}
			if f := anthropic.Finish(ev.StopReason); f != "" {
				r.Finish = f
			}
		case anthropic.MessageStop:
			t.Ended = true
		case anthropic.Failure:
			return t.Fail(200, e.Data)
		}
		name = append(name[:0], kind...)
		p.Event = name
		return nil
	}
}
