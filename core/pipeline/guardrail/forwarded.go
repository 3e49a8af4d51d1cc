package guardrail

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// forwarded reports whether the request goes out as it came, so that what it says is in Raw and in no form that guardrails
// know: requests to vendors' own APIs, to what vendors store, and events of a conversation. A pass-through endpoint whose
// guardrails are configured has its texts in Body already.
func forwarded(x *llm.Exchange) bool {
	if len(x.Raw) == 0 && x.Hidden == "" {
		return false
	}
	switch x.Op {
	case llm.OpPassThrough:
		return x.Body.Raw() == nil
	case llm.OpResource, llm.OpRealtime:
		return true
	}
	return false
}

// shown are the texts of a request or an answer that is forwarded, as guardrails are shown them.
type shown struct {
	raw   []byte
	texts []text
	rest  []llm.FormPart // files of a form that are no texts
}

// text is one of them.
type text struct {
	value []byte     // as JSON
	at    []llm.Span // the JSON strings in raw that make it up, one behind the other; nil if it cannot be changed
}

// ofRequest finds the texts of a request: all strings of a JSON document, or the fields of a form and what its files hold.
// hidden says what of it cannot be read.
func ofRequest(x *llm.Exchange) (s shown, hidden string) {
	if x.Hidden != "" {
		return s, x.Hidden
	}
	s.raw = x.Raw
	if x.Form.Raw() == nil {
		return s, s.document("the body")
	}
	for _, p := range x.Form.Parts() {
		value := x.Form.Value(p)
		if !utf8.Valid(value) {
			hidden, s.rest = "a file", append(s.rest, p)
			continue
		}
		if !p.File {
			s.texts = append(s.texts, text{value: quoted(value)})
			continue
		}
		lines := shown{raw: value}
		if lines.document("a file") != "" || len(s.texts)+len(lines.texts) > dialect.MaxSelected {
			hidden, s.rest = "a file", append(s.rest, p)
			continue
		}
		for _, t := range lines.texts {
			s.texts = append(s.texts, text{value: t.value}) // in a form nothing is changed
		}
	}
	return s, hidden
}

// document finds the texts of raw, which is JSON, JSON line by line, or plain text. It returns what is hidden, the name of
// the whole, or "".
func (s *shown) document(name string) (hidden string) {
	if len(s.raw) == 0 {
		return ""
	}
	if places, ok := dialect.Strings(s.raw, nil); ok {
		s.strings(places)
		return ""
	}
	if s.lines() {
		return ""
	}
	s.texts = s.texts[:0]
	if !plain(s.raw) {
		return name
	}
	s.texts = append(s.texts, text{value: quoted(s.raw)})
	return ""
}

func (s *shown) strings(places []llm.Span) {
	for _, p := range places {
		s.texts = append(s.texts, text{value: s.raw[p.Start:p.End], at: []llm.Span{p}})
	}
}

// plain reports whether bytes are text that is not JSON cut short or with too much in it.
func plain(b []byte) bool {
	if !utf8.Valid(b) || len(b) > maxPlain {
		return false
	}
	for _, c := range b {
		if c == 0 {
			return false
		}
	}
	return true
}

const maxPlain = 1 << 20

func quoted(b []byte) []byte { return llm.AppendQuoted(nil, string(b)) }

// whole is the request if it may be JSON. It is never nil.
func (s *shown) whole() []byte {
	if len(s.raw) > 0 && s.raw[0] == '{' {
		return s.raw
	}
	return []byte{}
}

// body is the texts as the input of an embedding has them.
func (s *shown) body() []byte {
	b := []byte(`{"input":[`)
	for i := range s.texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s.texts[i].value...)
	}
	return append(b, `]}`...)
}

// changed returns raw with what the texts are now, given one after another by next, or nil if nothing changed.
func (s *shown) changed(next func(i int) []byte) ([]byte, error) {
	var edits []edit
	for i := range s.texts {
		t := &s.texts[i]
		now := next(i)
		if now == nil || string(now) == string(t.value) {
			continue
		}
		if len(t.at) == 0 {
			return nil, fmt.Errorf("a text was changed that cannot be: it is in a form, or no JSON")
		}
		for n, at := range t.at {
			edits = append(edits, edit{at, now})
			if n == 0 {
				now = []byte(`""`) // all of it stands in the first place
			}
		}
	}
	return applied(s.raw, edits), nil
}

// before shows a forwarded request to the hook and puts back what it changed.
func (h before) forwarded(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	s, hidden := ofRequest(x)
	if hidden != "" && !h.g.PassHidden {
		return nil, h.g.refuses(x, PreCall, hidden, "request was refused")
	}
	body, form := x.Body, x.Form
	x.Body, x.Form, x.Whole = llm.Object{}, form.Of(s.rest), s.whole()
	err := x.Body.Parse(s.body())
	var reply *llm.Reply
	if err == nil {
		reply, err = h.inner.Before(ctx, x)
	}
	var seen llm.Object
	seen, x.Body, x.Form, x.Whole = x.Body, body, form, nil
	if err != nil {
		return nil, err
	}
	if reply != nil {
		if reply.Rest != nil {
			_ = reply.Rest.Close()
		}
		return nil, h.g.rejects("Guardrail " + h.g.Name + " answers this request itself, which is not possible here.")
	}
	now := dialect.Array(seen.Get("input"))
	raw, err := s.changed(func(int) []byte {
		if !now.Next() {
			return nil
		}
		return now.Value()
	})
	if err != nil {
		return nil, h.g.failed(err, "request was refused")
	}
	if raw == nil {
		return nil, nil //nolint:nilnil // the contract's "go on"
	}
	parsed := x.Body.Raw() != nil
	x.Raw = raw
	if parsed {
		if err := x.Body.Parse(raw); err != nil {
			return nil, h.g.failed(err, "request was refused")
		}
	}
	return nil, nil //nolint:nilnil // likewise
}

// forwarded shows a forwarded request to the hook, which changes nothing. Others read the exchange meanwhile, so the hook
// gets one of its own.
func (h during) forwarded(ctx context.Context, x *llm.Exchange) (bool, error) {
	s, hidden := ofRequest(x)
	if hidden != "" && !h.g.PassHidden {
		return true, h.g.rejects(h.g.because(hidden, "request was refused"))
	}
	y := &llm.Exchange{
		ID: x.ID, Start: x.Start, Op: x.Op, Call: x.Call, Method: x.Method, Path: x.Path, Remote: x.Remote, Header: x.Header,
		Query: x.Query, Model: x.Model, Principal: x.Principal, Streamed: x.Streamed, Controls: x.Controls, EndUser: x.EndUser, Tags: x.Tags,
	}
	y.Form, y.Whole = x.Form.Of(s.rest), s.whole()
	y.SetState(h.g.Name, x.State(h.g.Name))
	if err := y.Body.Parse(s.body()); err != nil {
		return false, h.g.failed(err, "request was refused")
	}
	return h.inner.During(ctx, y)
}

// because says what is not readable, and what came of it.
func (g *Guardrail) because(hidden, what string) string {
	return "Guardrail " + g.Name + " cannot look at " + hidden + ", so the " + what + ". The operator can let such through with on_unreadable: pass."
}

// refuses notes a refusal of what cannot be looked at.
func (g *Guardrail) refuses(x *llm.Exchange, mode, hidden, what string) error {
	x.Guarded(llm.GuardRun{Name: g.Name, Mode: mode, Status: llm.GuardIntervened, Start: x.Start})
	return g.rejects(g.because(hidden, what))
}

func (g *Guardrail) rejects(message string) error {
	return &llm.Error{
		Op: "guardrail.forwarded", Kind: llm.KindRejected, Status: 400, Type: "None", Param: "None", Message: message,
	}
}

func (g *Guardrail) failed(err error, what string) error {
	return &llm.Error{
		Op: "guardrail.forwarded", Kind: llm.KindInternal, Err: err, Message: "Guardrail " + g.Name + " failed, so the " + what + ".",
	}
}
