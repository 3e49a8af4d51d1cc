package openai

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// encodeForm writes a form for the vendor. Its fields obey the rules that members of a JSON body do; files go out as
// they came.
func (e *endpoint) encodeForm(x *llm.Exchange, c *llm.Call) error {
	c.Head = e.bare
	c.Header = append(c.Header, llm.Field{Name: borrow("Content-Type"), Value: x.Header.Get("Content-Type")})
	p := patch{e: e, x: x, body: &x.Body}
	if err := p.controls(); err != nil {
		return err
	}
	w := formWriter{e: e, x: x, p: &p, dst: c.Body}
	if err := w.run(); err != nil {
		return err
	}
	c.Body = w.dst
	return nil
}

// formWriter writes a form: what is kept goes out as it is.
type formWriter struct {
	e   *endpoint
	x   *llm.Exchange
	p   *patch
	dst [][]byte
	pos int
	err error
}

func (w *formWriter) copyTo(at int) {
	if at > w.pos {
		w.dst = append(w.dst, w.x.Form.Raw()[w.pos:at])
		w.pos = at
	}
}

// put writes piece in place of the span; nil leaves it out.
func (w *formWriter) put(at llm.Span, piece []byte) {
	w.copyTo(at.Start)
	if piece != nil {
		w.dst = append(w.dst, piece)
	}
	w.pos = at.End
}

// field is a part with a text. JSON strings lose their quotes, as forms have no types.
func (w *formWriter) field(name string, value []byte) []byte {
	if s, ok := llm.Text(value); ok {
		value = s
	}
	b, ok := w.x.Form.Field(name, value)
	if !ok && w.err == nil {
		if name == "" {
			name = "extra_body" // which has a member without a name
		}
		w.err = provider.BadControl(name, "cannot be written into the form")
	}
	return b
}

func (w *formWriter) run() error {
	hasModel := false
	for _, part := range w.x.Form.Parts() {
		if part.File {
			continue
		}
		name := strings.TrimSuffix(part.Name, "[]")
		if name == "model" {
			hasModel = true
			w.set(part, w.e.model)
			continue
		}
		do, value, err := w.decide(name, part)
		if err != nil {
			return err
		}
		switch do {
		case drop:
			w.put(part.Whole, nil)
		case replace:
			w.set(part, value)
		case rename:
			w.put(part.Whole, w.field(string(value), w.x.Form.Value(part)))
		}
	}
	w.add(hasModel)
	w.copyTo(len(w.x.Form.Raw()))
	return w.err
}

// set gives a field another value, which is JSON, unless it has it.
func (w *formWriter) set(part llm.FormPart, value []byte) {
	text := value
	if s, ok := llm.Text(value); ok {
		text = s
	}
	if string(text) != string(w.x.Form.Value(part)) {
		w.put(part.Whole, w.field(part.Name, text))
	}
}

// decide says what happens to a field, as patch.decide does for a member.
func (w *formWriter) decide(name string, part llm.FormPart) (action, []byte, error) {
	key := borrow(name)
	if name == "stream" {
		return keep, nil, nil
	}
	if set := override(w.x.Overrides, key); set != nil {
		return replace, set, nil
	}
	if openai.Control(key) {
		if name == "metadata" && (w.e.metadata || provider.Lists(w.x.Controls.AllowedParams, "metadata")) {
			return keep, nil, nil
		}
		return drop, nil, nil
	}
	if w.x.Controls.AdditionalDrop != nil && provider.Lists(w.x.Controls.AdditionalDrop, name) {
		return drop, nil, nil
	}
	if w.p.extra != nil && !w.p.forced(key) {
		if set := w.p.extra.Get(name); set != nil {
			return replace, set, nil
		}
	}
	if do, piece, err := w.p.apply(key, borrow(`""`)); do != keep || err != nil {
		return do, piece, err
	}
	return w.edited(part)
}

// edited tells what a hook did to the field: it sees the fields as members of the body.
func (w *formWriter) edited(part llm.FormPart) (action, []byte, error) {
	now := w.x.Body.Get(part.Name)
	switch {
	case now == nil:
		return drop, nil, nil
	case now[0] == '"':
		return replace, now, nil
	}
	return keep, nil, nil // numbers and lists say what they said
}

// add writes the fields that the form lacks behind its last part.
func (w *formWriter) add(hasModel bool) {
	end := llm.Span{Start: w.x.Form.End(), End: w.x.Form.End()}
	if !hasModel {
		w.put(end, w.field("model", w.e.model))
	}
	body := &w.x.Body
	for i := range w.e.forced {
		if m := &w.e.forced[i]; body.Index(m.name) < 0 {
			w.put(end, w.field(m.name, m.value))
		}
	}
	for _, o := range w.x.Overrides {
		if !managed(borrow(o.Name)) && !openai.Control(borrow(o.Name)) && body.Index(o.Name) < 0 {
			w.put(end, w.field(o.Name, borrow(o.Value)))
		}
	}
	if w.p.extra != nil {
		for _, m := range w.p.extra.Members() {
			if key := w.p.extra.Key(m); !w.p.forced(key) && body.Index(borrowed(key)) < 0 && !dialect.Null(w.p.extra.Value(m)) {
				w.put(end, w.field(string(key), w.p.extra.Value(m)))
			}
		}
	}
	for i := range w.e.defaults {
		if d := &w.e.defaults[i]; !w.p.given(d.name) {
			w.put(end, w.field(d.name, d.value))
		}
	}
}
