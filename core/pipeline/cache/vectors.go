package cache

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// inputs are those of an embeddings request, each of which is kept for itself.
type inputs struct {
	on     bool
	body   []byte   // the request as it was
	values [][]byte // of the request, borrowed
	sums   [][32]byte
	keys   []string
	found  [][]byte // entries; nil where there is none
	asked  []int    // which of them a model is asked for
}

// maxInputs is how many inputs are looked up one by one.
const maxInputs = 4096

func (l *inputs) reset() {
	clear(l.values[:cap(l.values)])
	clear(l.found[:cap(l.found)])
	clear(l.keys[:cap(l.keys)])
	*l = inputs{values: l.values[:0], sums: l.sums[:0], keys: l.keys[:0], found: l.found[:0], asked: l.asked[:0]}
}

// embedding splits the request into its inputs: texts, or lists of tokens.
func (u *use) embedding(x *llm.Exchange) bool {
	l := &u.list
	input := x.Body.Get("input")
	if len(input) == 0 {
		return false
	}
	switch input[0] {
	case '"':
		l.values = append(l.values, input)
	case '[':
		for c := dialect.Array(input); c.Next(); {
			if first := c.First(); first != '"' && first != '[' {
				l.values = append(l.values[:0], input) // tokens of one text
				break
			}
			l.values = append(l.values, c.Value())
		}
	}
	if len(l.values) == 0 || len(l.values) > maxInputs {
		return false
	}
	l.on, l.body = true, x.Body.Raw()
	u.inputKeys(x)
	return true
}

// inputKeys makes the key of each input: what all have in common, and the input.
func (u *use) inputKeys(x *llm.Exchange) {
	k := u.h.keyers.Get().(*keyer)
	defer u.h.keyers.Put(k)
	k.reset()
	k.write(u.h, x, func(key []byte) bool { return string(key) == "input" })
	k.field("input")
	common := len(k.out)
	l := &u.list
	for _, v := range l.values {
		k.out = k.out[:common]
		k.value(v)
		sum := sha256.Sum256(k.out)
		l.sums = append(l.sums, sum)
		l.keys = append(l.keys, keyOf(u.namespace, &sum))
	}
}

// vectors answers with what is there, or lets a model be asked for what is not.
func (u *use) vectors(ctx context.Context, x *llm.Exchange) *llm.Reply {
	l := &u.list
	l.found = append(l.found, make([][]byte, len(l.keys))...)
	if !u.ctl.noCache {
		u.findVectors(ctx)
	}
	l.asked = l.asked[:0]
	for i, raw := range l.found {
		if raw == nil || !u.isVector(raw, i) {
			l.found[i] = nil
			l.asked = append(l.asked, i)
		}
	}
	if len(l.asked) == 0 {
		if r := u.allVectors(x); r != nil {
			u.h.s.Count(EventHit)
			return r
		}
	}
	if !u.ctl.noCache {
		if r := u.join(ctx, x); r != nil {
			return r
		}
	}
	u.h.s.Count(EventMiss)
	if n := len(l.asked); n > 0 && n < len(l.values) {
		u.askFor(x)
	}
	return nil
}

func (u *use) findVectors(ctx context.Context) {
	l, h := &u.list, u.h
	if h.viewer != nil && h.viewer.ViewsAll() {
		for i, key := range l.keys {
			l.found[i], _ = h.viewer.View(key)
		}
		return
	}
	if m, ok := h.s.Store.(Many); ok {
		values, err := m.GetMany(ctx, l.keys)
		if err != nil {
			h.failed(ctx, err)
			return
		}
		copy(l.found, values)
		return
	}
	for i, key := range l.keys {
		raw, err := h.s.Store.Get(ctx, key, nil)
		if err == nil {
			l.found[i] = raw
			continue
		}
		h.failed(ctx, err)
		if ctx.Err() != nil {
			return
		}
	}
}

// isVector reports whether an entry is one for the input, and young enough.
func (u *use) isVector(raw []byte, i int) bool {
	if u.e.read(raw) != nil || u.e.sum != u.list.sums[i] || u.e.kind != kindItem {
		u.h.s.Count(EventInvalid)
		return false
	}
	return u.timely(time.Now())
}

// allVectors makes the answer of entries alone.
func (u *use) allVectors(x *llm.Exchange) *llm.Reply {
	var usage llm.Usage
	var saved float64
	var model []byte
	b := dialect.Build(u.made[:0])
	b.Open('{').Key("object").Lit(`"list"`).Key("data").Open('[')
	for i, raw := range u.list.found {
		if u.e.read(raw) != nil {
			return nil
		}
		appendVector(&b, i, u.e.data())
		usage.Prompt += u.e.usage.Prompt
		saved += u.e.saved
		model = u.e.label
	}
	endVectors(&b, model, usage.Prompt)
	u.made = b.Bytes()
	usage.Total = usage.Prompt
	u.e.saved = saved
	u.reply = llm.Reply{Status: 200, Usage: usage, First: llm.Part{Data: u.made}}
	return u.hit(x)
}

func appendVector(b *dialect.Builder, i int, vector []byte) {
	b.Open('{').Key("object").Lit(`"embedding"`).Key("index").Int(int64(i)).Key("embedding").Raw(vector).Close('}')
}

func endVectors(b *dialect.Builder, model []byte, prompt int64) {
	b.Close(']').Key("model").Raw(model).Key("usage").Open('{')
	b.Key("prompt_tokens").Int(prompt).Key("total_tokens").Int(prompt).Close('}').Close('}')
}

// askFor leaves in the request only the inputs that are to be asked for.
func (u *use) askFor(x *llm.Exchange) {
	list := dialect.Build(nil)
	list.Open('[')
	for _, i := range u.list.asked {
		list.Raw(u.list.values[i])
	}
	body, err := dialect.Set(nil, u.list.body, "input", list.Close(']').Bytes())
	if err == nil {
		err = x.Body.Parse(body)
	}
	if err != nil {
		u.askForAll(x)
	}
}

// askForAll has the request as it came.
func (u *use) askForAll(x *llm.Exchange) {
	l := &u.list
	_ = x.Body.Parse(l.body) // it was parsed before
	l.asked = l.asked[:0]
	for i := range l.values {
		l.asked = append(l.asked, i)
	}
}

// keepVectors keeps each vector of an answer, and adds those that were there before. An answer that is not understood goes
// out as it is, unless something is missing in it.
func (u *use) keepVectors(x *llm.Exchange, r *llm.Reply) {
	l := &u.list
	partial := len(l.asked) < len(l.values)
	if len(l.asked) == 0 { // every entry was there, but could not be read
		return
	}
	vectors, model := u.vectorsOf(r.First.Data)
	if vectors == nil {
		return
	}
	p := u.put(x, r)
	whole := p.entry
	prompt := whole.usage.Prompt
	for n, i := range l.asked {
		e := whole
		e.sum, e.kind, e.label = l.sums[i], kindItem, model
		share := prompt / int64(len(l.asked)-n) // so that the shares add up
		prompt -= share
		e.usage = llm.Usage{Prompt: share, Total: share}
		e.saved = whole.saved / float64(len(l.asked))
		e.parts = appendPart(nil, nil, vectors[n])
		l.found[i] = p.write(l.keys[i], &e)
		if l.found[i] == nil { // too long to be kept, and yet part of this answer
			l.found[i] = e.append(nil)
		}
	}
	if partial {
		_ = x.Body.Parse(l.body)
		if b, ok := u.merged(model); ok {
			r.First.Data = b
		}
	}
	u.landVectors(p, r)
}

// landVectors gives the whole answer to those who wait for it.
func (u *use) landVectors(p *putting, r *llm.Reply) {
	if u.flight == nil {
		return
	}
	e := p.entry
	e.kind, e.parts = kindWhole, appendPart(nil, nil, r.First.Data)
	u.h.flights.land(u.key, u.flight, e.append(nil))
	u.flight = nil
}

// merged is the answer with all inputs.
func (u *use) merged(model []byte) ([]byte, bool) {
	b := dialect.Build(u.made[:0])
	b.Open('{').Key("object").Lit(`"list"`).Key("data").Open('[')
	var prompt int64
	for i, raw := range u.list.found {
		var e entry
		if e.read(raw) != nil {
			return nil, false
		}
		appendVector(&b, i, e.data())
		prompt += e.usage.Prompt
	}
	endVectors(&b, model, prompt)
	u.made = b.Bytes()
	return u.made, true
}

// vectorsOf reads the vectors of an answer in the order of what was asked for; nil if they are not exactly those.
func (u *use) vectorsOf(answer []byte) (vectors [][]byte, model []byte) {
	n := len(u.list.asked)
	vectors = make([][]byte, n)
	count := 0
	c := dialect.Array(dialect.Get(answer, "data"))
	for ; c.Next(); count++ {
		v := dialect.Get(c.Value(), "embedding")
		at := dialect.Int(dialect.Get(c.Value(), "index"))
		if dialect.Null(v) || at < 0 || at >= int64(n) || vectors[at] != nil {
			return nil, nil
		}
		vectors[at] = v
	}
	model = dialect.Get(answer, "model")
	if c.Broken() || count != n || len(model) == 0 {
		return nil, nil
	}
	return vectors, model
}
