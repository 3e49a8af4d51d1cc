package openai

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// maxCacheMarks is how many marks the vendors with the most allow in one request
// (https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching).
const maxCacheMarks = 4

// CachePoints reads a list of cache_control_injection_points: where requests are marked for the vendor's prompt cache. An
// entry names messages by role or by index, from the end if it is negative, or, with the location tool_config, the tools.
func CachePoints(raw []byte) ([]llm.CachePoint, error) {
	if dialect.Null(raw) {
		return nil, nil
	}
	if raw[0] != '[' {
		return nil, fmt.Errorf("cache_control_injection_points must be a list")
	}
	var points []llm.CachePoint
	c := dialect.Array(raw)
	for n := 0; c.Next(); n++ {
		p, err := cachePoint(c.Value())
		if err != nil {
			return nil, fmt.Errorf("cache_control_injection_points[%d]: %w", n, err)
		}
		points = append(points, p)
	}
	if c.Broken() {
		return nil, fmt.Errorf("cache_control_injection_points is no valid JSON")
	}
	return points, nil
}

func cachePoint(raw []byte) (p llm.CachePoint, err error) {
	var o llm.Object
	if o.Parse(raw) != nil {
		return p, fmt.Errorf("must be an object with location and role or index")
	}
	p.Control = `{"type":"ephemeral"}`
	if control := o.Get("control"); !dialect.Null(control) {
		if control[0] != '{' {
			return p, fmt.Errorf(`control must be an object, such as {"type": "ephemeral", "ttl": "1h"}`)
		}
		p.Control = string(control)
	}
	switch where, _ := llm.Text(o.Get("location")); string(where) {
	case "tool_config":
		p.Tools = true
		return p, nil
	case "message":
	default:
		return p, fmt.Errorf("location must be message or tool_config")
	}
	if index := o.Get("index"); !dialect.Null(index) {
		text, ok := llm.Text(index)
		if !ok {
			text = index
		}
		if p.Index, err = strconv.Atoi(string(text)); err != nil {
			return p, fmt.Errorf("index must be a whole number")
		}
		p.ByIndex = true
		return p, nil
	}
	role, ok := llm.Text(o.Get("role"))
	if !ok || len(role) == 0 {
		return p, fmt.Errorf("a message needs a role or an index")
	}
	p.Role = string(role)
	return p, nil
}

// MarkCache returns messages and tools with the marks of points, each nil if nothing of it is marked. What carries a mark
// of its own keeps it, and a request never gets more marks than vendors take: earlier points come first. This is what
// litellm/integrations/anthropic_cache_control_hook.py does.
func MarkCache(messages, tools []byte, points []llm.CachePoint) (markedMessages, markedTools []byte) {
	list := values(messages)
	left := maxCacheMarks
	for _, m := range list {
		left -= marks(m)
	}
	if at := slices.IndexFunc(points, func(p llm.CachePoint) bool { return p.Tools }); at >= 0 {
		if all := values(tools); len(all) > 0 && left > 0 {
			left--
			if last := len(all) - 1; dialect.Null(dialect.Get(all[last], "cache_control")) {
				all[last] = withMember(all[last], points[at].Control)
				markedTools = listed(all)
			}
		}
	}
	changed := false
	for i := range points {
		for _, at := range pointed(&points[i], list) {
			if left <= 0 {
				break
			}
			if marks(list[at]) > 0 {
				continue
			}
			if m := marked(list[at], points[i].Control); m != nil {
				list[at], changed = m, true
				left--
			}
		}
	}
	if changed {
		markedMessages = listed(list)
	}
	return markedMessages, markedTools
}

// pointed are the places of the messages that a point names.
func pointed(p *llm.CachePoint, messages [][]byte) (at []int) {
	if p.Tools {
		return nil
	}
	if p.ByIndex {
		i := p.Index
		if i < 0 {
			i += len(messages)
		}
		if i >= 0 && i < len(messages) {
			at = append(at, i)
		}
		return at
	}
	for i, m := range messages {
		if role, ok := llm.Text(dialect.Get(m, "role")); ok && string(role) == p.Role {
			at = append(at, i)
		}
	}
	return at
}

// marks counts the marks of a message.
func marks(message []byte) (n int) {
	if !dialect.Null(dialect.Get(message, "cache_control")) {
		n++
	}
	for _, block := range values(dialect.Get(message, "content")) {
		if !dialect.Null(dialect.Get(block, "cache_control")) {
			n++
		}
	}
	return n
}

// marked is the message with a mark on it, or on its last block; nil if it has nothing that can be marked.
func marked(message []byte, control string) []byte {
	var o llm.Object
	if o.Parse(message) != nil {
		return nil
	}
	i := o.Index("content")
	if i < 0 {
		return nil
	}
	at := o.Members()[i].Value
	content := message[at.Start:at.End]
	if content[0] == '"' {
		return withMember(message, control)
	}
	blocks := values(content)
	if len(blocks) == 0 || blocks[len(blocks)-1][0] != '{' {
		return nil
	}
	blocks[len(blocks)-1] = withMember(blocks[len(blocks)-1], control)
	return slices.Concat(message[:at.Start], listed(blocks), message[at.End:])
}

// withMember is a JSON object with a cache_control.
func withMember(object []byte, control string) []byte {
	end := bytes.LastIndexByte(object, '}')
	if end < 0 {
		return object
	}
	b := append([]byte(nil), object[:end]...)
	if c := dialect.Object(object); c.Next() {
		b = append(b, ',')
	}
	b = append(append(b, `"cache_control":`...), control...)
	return append(b, object[end:]...)
}

// values are the elements of a JSON list; nil of anything else.
func values(raw []byte) (list [][]byte) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	c := dialect.Array(raw)
	for c.Next() {
		list = append(list, c.Value())
	}
	if c.Broken() {
		return nil
	}
	return list
}

func listed(list [][]byte) []byte {
	return slices.Concat([]byte{'['}, bytes.Join(list, []byte{','}), []byte{']'})
}
