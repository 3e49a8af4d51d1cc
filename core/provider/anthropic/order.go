package anthropic

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
)

// inOrder writes an answer of an earlier turn whose blocks came in another order than thinking, blocks of other kinds,
// text and calls. Blocks that the order does not name follow.
func (n *encoder) inOrder(m *message) error {
	a := ordered{n: n, m: m}
	for i, list := range [...][]byte{m.thinking, m.blocks, m.content, m.calls} {
		a.lists[i] = dialect.Array(list)
	}
	for c := dialect.Array(m.order); c.Next(); {
		i := placeOf(c.Value())
		if _, err := a.next(i); err != nil {
			return err
		}
	}
	for i := range a.lists {
		for {
			if more, err := a.next(i); err != nil || !more {
				if err != nil {
					return err
				}
				break
			}
		}
	}
	if m.refusal != nil && !blank(m.refusal) {
		n.text(m.refusal, nil)
	}
	return nil
}

// ordered walks the lists that the blocks of an answer are sorted into.
type ordered struct {
	n      *encoder
	m      *message
	lists  [4]dialect.Cursor
	place  [4]int
	single bool // a content that is one string was written
}

// placeOf is the list of a kind in an order.
func placeOf(v []byte) int {
	switch string(v) {
	case `"thinking"`:
		return 0
	case `"text"`:
		return 2
	case `"tool_use"`:
		return 3
	}
	return 1
}

// next writes the next block of a list, if there is one.
func (a *ordered) next(i int) (more bool, err error) {
	if i == 2 && len(a.m.content) > 0 && a.m.content[0] == '"' {
		if !a.single {
			a.n.text(a.m.content, a.m.cache)
		}
		more, a.single = !a.single, true
		return more, nil
	}
	if !a.lists[i].Next() {
		return false, nil
	}
	raw, at := a.lists[i].Value(), "["+number(a.place[i])+"]"
	a.place[i]++
	switch i {
	case 2:
		return true, a.n.part(a.m, raw, ".content"+at, assistantParts, nil)
	case 3:
		return true, a.n.toolCall(a.m, raw, ".tool_calls"+at)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return false, a.m.bad(".thinking_blocks", "must be a list of objects")
	}
	text, signature := pieceOf(raw)
	if a.n.foreign(text, signature) {
		return true, nil
	}
	if text != nil && signature == nil {
		return false, a.m.bad(".thinking_blocks", unsigned)
	}
	a.n.comma()
	a.n.raw(raw)
	return true, nil
}

// kindName is how an order names a block.
func kindName(k anthropic.BlockKind) string {
	switch k {
	case anthropic.Thinking, anthropic.RedactedThinking:
		return "thinking"
	case anthropic.TextBlock:
		return "text"
	case anthropic.ToolUse:
		return "tool_use"
	}
	return "blocks"
}

// appendOrder writes the order of the blocks where they do not come sorted.
func appendOrder(o []byte, start int, blocks []anthropic.Block) []byte {
	sorted, last := true, 0
	for i := range blocks {
		p := placeOf([]byte(`"` + kindName(blocks[i].Kind) + `"`))
		sorted = sorted && p >= last
		last = p
	}
	if sorted {
		return o
	}
	names := make([]string, len(blocks))
	for i := range blocks {
		names[i] = kindName(blocks[i].Kind)
	}
	o = append(appendKey(o, start, "order"), `["`...)
	return append(append(o, strings.Join(names, `","`)...), `"]`...)
}
