package guardrail

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
)

// maxAnswer is how many bytes of a forwarded answer are collected.
const maxAnswer = 32 << 20

// relayed reports whether an answer goes out as the vendor sent it and may say something: one of a vendor's own API, of
// what vendors store, or the text of speech. Audio and images that were asked for as such are not looked at, nor are
// refusals of the vendor.
func relayed(x *llm.Exchange, r *llm.Reply) bool {
	if !r.Verbatim || r.Status >= 400 || r.Socket != nil {
		return false
	}
	switch x.Op {
	case llm.OpPassThrough, llm.OpResource, llm.OpTranscription, llm.OpTranslation, llm.OpRealtime:
		return true
	}
	return false
}

// answer collects a forwarded answer, shows its texts to the hook as those of a whole answer, one choice each, and puts
// back what it changed. A stream is not sent before it has ended.
func (g *Guardrail) answer(ctx context.Context, x *llm.Exchange, r *llm.Reply, inner pipeline.After) error {
	if err := collect(r); err != nil {
		return err
	}
	s := shown{raw: r.First.Data}
	hidden := s.ofAnswer(r.Header)
	if hidden != "" {
		if g.PassHidden {
			return nil
		}
		return g.refuses(x, PostCall, hidden, "answer was withheld")
	}
	if len(s.texts) == 0 {
		return nil
	}
	whole := llm.Reply{Status: r.Status, Deployment: r.Deployment, Usage: r.Usage, Finish: r.Finish, First: llm.Part{Data: s.choices()}}
	if err := inner.After(ctx, x, &whole); err != nil {
		return err
	}
	now := dialect.Array(dialect.Get(whole.First.Data, "choices"))
	raw, err := s.changed(func(int) []byte {
		if !now.Next() {
			return nil
		}
		return dialect.Get(dialect.Get(now.Value(), "message"), "content")
	})
	if err != nil {
		return g.failed(err, "answer was withheld")
	}
	if raw != nil {
		r.First.Data = raw
	}
	return nil
}

// collect reads an answer to its end and makes one part of it.
func collect(r *llm.Reply) error {
	if _, done := r.Rest.(collected); done || r.Rest == nil {
		return nil
	}
	all := bytes.Clone(r.First.Data)
	for p := (llm.Part{}); ; {
		err := r.Rest.Next(&p)
		if err == io.EOF { //nolint:errorlint // a stream ends with io.EOF bare
			break
		}
		if err != nil {
			return err
		}
		if len(all)+len(p.Data) > maxAnswer {
			return &llm.Error{Op: "guardrail.answer", Kind: llm.KindTooLarge, Message: "The answer is too large to be checked before it is sent."}
		}
		all = append(all, p.Data...)
	}
	r.First, r.Rest = llm.Part{Data: all}, collected{r.Rest}
	return nil
}

// collected is a stream that was read to its end.
type collected struct{ llm.Stream }

// Next implements llm.Stream.
func (collected) Next(*llm.Part) error { return io.EOF }

// ofAnswer finds the texts of an answer.
func (s *shown) ofAnswer(h llm.Header) (hidden string) {
	if c := h.Get("Content-Encoding"); len(c) > 0 && !bytes.EqualFold(c, []byte("identity")) {
		return "a compressed answer"
	}
	kind, _, _ := bytes.Cut(bytes.ToLower(h.Get("Content-Type")), []byte(";"))
	var ok bool
	switch trimmed := bytes.TrimSpace(s.raw); {
	case string(bytes.TrimSpace(kind)) == "text/event-stream":
		ok = s.events()
	case len(trimmed) > 0 && trimmed[0] == '[':
		ok = s.elements() // a stream of Google's, as a list
	default:
		return s.document("this answer")
	}
	if !ok {
		return "this answer"
	}
	return ""
}

// choices is a whole answer with a choice for each text.
func (s *shown) choices() []byte {
	b := []byte(`{"object":"chat.completion","choices":[`)
	for i := range s.texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"index":`...), int64(i), 10)
		b = append(append(b, `,"message":{"role":"assistant","content":`...), s.texts[i].value...)
		b = append(b, `}}`...)
	}
	return append(b, `]}`...)
}

// lines finds the strings of JSON documents that stand one on each line.
func (s *shown) lines() bool {
	return s.eachLine(func(at llm.Span) bool {
		places, ok := dialect.Strings(s.raw[at.Start:at.End], nil)
		for _, p := range places {
			p.Start, p.End = p.Start+at.Start, p.End+at.Start
			s.texts = append(s.texts, text{value: s.raw[p.Start:p.End], at: []llm.Span{p}})
		}
		return ok && len(s.texts) <= dialect.MaxSelected
	})
}

func (s *shown) eachLine(f func(at llm.Span) bool) bool {
	from := 0
	for line := range bytes.Lines(s.raw) {
		trimmed := bytes.TrimRight(line, "\r\n")
		if len(trimmed) > 0 && !f(llm.Span{Start: from, End: from + len(trimmed)}) {
			return false
		}
		from += len(line)
	}
	return true
}

// events finds the texts of server-sent events. What events say at the same place belongs together, so that a pattern is
// found however the vendor cuts it.
func (s *shown) events() bool {
	g := grouped{s: s}
	return s.eachLine(func(at llm.Span) bool {
		data, ok := bytes.CutPrefix(s.raw[at.Start:at.End], []byte("data:"))
		data = bytes.TrimLeft(data, " ")
		if !ok || len(data) == 0 || string(data) == "[DONE]" {
			return true
		}
		at.Start = at.End - len(data)
		if data[0] != '{' && data[0] != '[' {
			s.texts = append(s.texts, text{value: quoted(data)})
			return len(s.texts) <= dialect.MaxSelected
		}
		return g.document(at)
	}) && g.close()
}

// elements finds the texts of the elements of a list, in the same way.
func (s *shown) elements() bool {
	g := grouped{s: s}
	c := dialect.Array(s.raw)
	for c.Next() {
		if !g.document(c.Span()) {
			return false
		}
	}
	return !c.Broken() && g.close()
}

// grouped joins the strings that stand at the same place of several documents.
type grouped struct {
	s      *shown
	groups []group
	path   []byte
}

type group struct {
	path   string
	places []llm.Span
}

func (g *grouped) document(at llm.Span) bool {
	if at.Start >= at.End {
		return false // a value that has no end
	}
	b := g.s.raw[at.Start:at.End]
	c := dialect.Object(b)
	if b[0] == '[' {
		c = dialect.Array(b)
	}
	g.path = g.path[:0]
	return g.walk(&c, at.Start, 0) && !c.Broken()
}

const maxDeep = 64

func (g *grouped) walk(c *dialect.Cursor, base, depth int) bool {
	if depth > maxDeep {
		return false
	}
	length := len(g.path)
	for n := 0; c.Next(); n++ {
		key := c.Key()
		g.path = append(g.path[:length], '.')
		if len(key) > 0 {
			g.path = append(g.path, key...)
		} else {
			g.path = strconv.AppendInt(g.path, int64(n), 10)
		}
		switch c.First() {
		case '"':
			if len(key) > 0 && !textual(string(key)) {
				continue
			}
			at := c.Span()
			if at.End < at.Start+2 {
				return false
			}
			at.Start, at.End = at.Start+base, at.End+base
			if !g.add(at) {
				return false
			}
		case '{', '[':
			inner := c.Enter()
			if !g.walk(&inner, base, depth+1) {
				return false
			}
			c.Leave(&inner)
		}
	}
	g.path = g.path[:length]
	return !c.Broken()
}

// textual reports whether a member of an event says something, and not what the event is. The names are those of the
// streams of OpenAI, Anthropic, Google, Amazon, Cohere and Mistral.
func textual(key string) bool {
	switch key {
	case "text", "content", "reasoning", "reasoning_content", "thinking", "refusal", "completion", "delta", "output_text",
		"partial_json", "arguments", "transcript", "generated_text", "outputText", "generation", "summary", "output", "response", "message":
		return true
	}
	return false
}

func (g *grouped) add(at llm.Span) bool {
	i := slices.IndexFunc(g.groups, func(have group) bool { return have.path == string(g.path) })
	if i < 0 {
		i = len(g.groups)
		g.groups = append(g.groups, group{path: string(g.path)})
	}
	g.groups[i].places = append(g.groups[i].places, at)
	return len(g.groups) <= 256
}

// close makes a text of each group.
func (g *grouped) close() bool {
	for _, group := range g.groups {
		var all []byte
		for _, p := range group.places {
			var ok bool
			if all, ok = llm.AppendUnescaped(all, g.s.raw[p.Start+1:p.End-1]); !ok {
				return false
			}
		}
		if len(all) > 0 {
			g.s.texts = append(g.s.texts, text{value: quoted(all), at: group.places})
		}
	}
	return len(g.s.texts) <= dialect.MaxSelected
}

type edit struct {
	at  llm.Span
	now []byte
}

// applied returns raw with edits made, or nil if there are none.
func applied(raw []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return nil
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.at.Start - b.at.Start })
	out := make([]byte, 0, len(raw))
	from := 0
	for _, e := range edits {
		out = append(append(out, raw[from:e.at.Start]...), e.now...)
		from = e.at.End
	}
	return append(out, raw[from:]...)
}
