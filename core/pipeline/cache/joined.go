package cache

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
)

// joined makes one answer of Google's generateContent of the chunks of a stream, each of which is such an answer
// (https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse). Texts that follow each other are one text, as
// they are in an answer that was not streamed.
type joined struct {
	candidates []candidate
	members    []piece // of the answer, but for the candidates
	lost       bool    // what the chunks say cannot be said in one
}

// piece is a member of an object; its bytes are borrowed.
type piece struct{ key, value []byte }

type candidate struct {
	index   int64
	parts   []chunkPart
	members []piece // but for parts
	content []piece // members of the content, but for parts
}

// chunkPart is a part as it came, or, if it is nothing but text, the text of several.
type chunkPart struct {
	raw     []byte
	text    []byte // JSON without its quotes; nil if there is more to the part
	thought bool
}

// joinAnswers appends the answer that the parts of an entry make. ok is false if they are no such chunks, did not come to an
// end, or say something of which only the last could be kept.
func joinAnswers(dst, parts []byte) (_ []byte, ok bool) {
	var j joined
	for len(parts) > 0 {
		_, data, rest, ok := nextPart(parts)
		if !ok || !j.add(data) {
			return dst, false
		}
		parts = rest
	}
	if j.lost || !j.ended() {
		return dst, false
	}
	return j.append(dst), true
}

func (j *joined) add(chunk []byte) bool {
	c := dialect.Object(chunk)
	for c.Next() {
		if string(c.Key()) != "candidates" {
			j.members = keepLast(j.members, c.Key(), c.Value())
			continue
		}
		list := dialect.Array(c.Value())
		for n := int64(0); list.Next(); n++ {
			j.candidate(list.Value(), n)
		}
		if list.Broken() {
			return false
		}
	}
	return !c.Broken()
}

// keepLast sets a member: what a later chunk says takes the place of what an earlier one said, as with usage.
func keepLast(list []piece, key, value []byte) []piece {
	for i := range list {
		if bytes.Equal(list[i].key, key) {
			list[i].value = value
			return list
		}
	}
	return append(list, piece{key, value})
}

func (j *joined) candidate(b []byte, n int64) {
	if i := dialect.Get(b, "index"); !dialect.Null(i) {
		n = dialect.Int(i)
	}
	var to *candidate
	for i := range j.candidates {
		if j.candidates[i].index == n {
			to = &j.candidates[i]
		}
	}
	if to == nil {
		j.candidates = append(j.candidates, candidate{index: n})
		to = &j.candidates[len(j.candidates)-1]
	}
	c := dialect.Object(b)
	for c.Next() {
		switch key := string(c.Key()); key {
		case "content":
			j.content(to, c.Value())
		case "citationMetadata", "logprobsResult", "groundingMetadata", "urlContextMetadata":
			// Each chunk may tell some of it, and places in it are counted from where the chunk begins.
			had := len(to.members)
			if to.members = keepLast(to.members, c.Key(), c.Value()); len(to.members) == had {
				j.lost = true
			}
		default:
			to.members = keepLast(to.members, c.Key(), c.Value())
		}
	}
	j.lost = j.lost || c.Broken()
}

func (j *joined) content(to *candidate, b []byte) {
	c := dialect.Object(b)
	for c.Next() {
		if string(c.Key()) != "parts" {
			to.content = keepLast(to.content, c.Key(), c.Value())
			continue
		}
		list := dialect.Array(c.Value())
		for list.Next() {
			to.part(list.Value())
		}
		j.lost = j.lost || list.Broken()
	}
	j.lost = j.lost || c.Broken()
}

// part adds a part, to the one before if both are text of the same kind.
func (to *candidate) part(b []byte) {
	p := chunkPart{raw: b}
	plain := true
	c := dialect.Object(b)
	for c.Next() {
		switch v := c.Value(); string(c.Key()) {
		case "text":
			if len(v) >= 2 && v[0] == '"' {
				p.text = v[1 : len(v)-1]
			}
		case "thought":
			p.thought = string(v) == "true"
		default:
			plain = false
		}
	}
	if !plain {
		p.text = nil
	}
	if n := len(to.parts); n > 0 && p.text != nil && to.parts[n-1].text != nil && to.parts[n-1].thought == p.thought {
		last := &to.parts[n-1]
		last.text = append(last.text[:len(last.text):len(last.text)], p.text...)
		last.raw = nil
		return
	}
	to.parts = append(to.parts, p)
}

// ended reports whether every candidate says why it ended, or the prompt was refused.
func (j *joined) ended() bool {
	for i := range j.candidates {
		done := false
		for _, m := range j.candidates[i].members {
			done = done || string(m.key) == "finishReason" && !dialect.Null(m.value)
		}
		if !done {
			return false
		}
	}
	return len(j.candidates) > 0
}

func (j *joined) append(dst []byte) []byte {
	b := dialect.Build(dst)
	b.Open('{').Key("candidates").Open('[')
	for i := range j.candidates {
		c := &j.candidates[i]
		b.Open('{')
		if c.content != nil || c.parts != nil {
			b.Key("content").Open('{').Key("parts").Open('[')
			for _, p := range c.parts {
				p.append(&b)
			}
			members(b.Close(']'), c.content)
			b.Close('}')
		}
		members(&b, c.members)
		b.Close('}')
	}
	members(b.Close(']'), j.members)
	return b.Close('}').Bytes()
}

func (p *chunkPart) append(b *dialect.Builder) {
	if p.raw != nil {
		b.Raw(p.raw)
		return
	}
	b.Open('{').Key("text").Raw(append(append([]byte{'"'}, p.text...), '"'))
	if p.thought {
		b.Key("thought").Lit("true")
	}
	b.Close('}')
}

func members(b *dialect.Builder, list []piece) {
	for _, m := range list {
		b.Key(string(m.key)).Raw(m.value)
	}
}
