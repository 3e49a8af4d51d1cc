package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Joiner makes one whole answer of the chunks of a streamed one, for a vendor that streams although nobody asked. It
// decodes, so it is not for the usual path. The zero value is ready.
type Joiner struct {
	whole   map[string]any
	choices []any
}

// Add takes the next chunk. A string in a delta goes on where the last one ended, lists whose items have an index are
// joined item by item, and anything else replaces what was there.
func (j *Joiner) Add(chunk []byte) error {
	m, err := decodeMap(chunk)
	if err != nil {
		return err
	}
	if j.whole == nil {
		j.whole = map[string]any{}
	}
	choices, _ := m["choices"].([]any)
	delete(m, "choices")
	for k, v := range m {
		if v != nil || j.whole[k] == nil {
			j.whole[k] = v
		}
	}
	j.choices = joinList(j.choices, choices)
	return nil
}

// Append appends the whole answer to dst. Without a chunk that held a choice there is none.
func (j *Joiner) Append(dst []byte) ([]byte, error) {
	if len(j.choices) == 0 {
		return dst, errors.New("the stream holds no choice")
	}
	for _, c := range j.choices {
		c, ok := c.(map[string]any)
		if !ok {
			return dst, errors.New("a choice is not an object")
		}
		if delta, ok := c["delta"].(map[string]any); ok {
			delete(c, "delta")
			eachCall(delta, func(_ int, call map[string]any) { delete(call, "index") })
			if _, ok := delta["content"]; !ok {
				delta["content"] = nil
			}
			c["message"] = delta
		}
	}
	j.whole["choices"] = j.choices
	if j.whole["object"] == "chat.completion.chunk" {
		j.whole["object"] = "chat.completion"
	}
	return appendJSON(dst, j.whole)
}

// Split makes a stream of a whole answer, for a vendor that does not stream although it was asked to: a chunk with all
// that was said, and one with the usage if there is any and it is wanted. It decodes, so it is not for the usual path.
func Split(whole []byte, wantUsage bool) ([][]byte, error) {
	m, err := decodeMap(whole)
	if err != nil {
		return nil, err
	}
	usage := m["usage"]
	delete(m, "usage")
	choices, _ := m["choices"].([]any)
	for _, c := range choices {
		c, ok := c.(map[string]any)
		if !ok {
			return nil, errors.New("a choice is not an object")
		}
		if message, ok := c["message"].(map[string]any); ok {
			delete(c, "message")
			eachCall(message, func(i int, call map[string]any) { call["index"] = i })
			c["delta"] = message
		}
	}
	if m["object"] == "chat.completion" {
		m["object"] = "chat.completion.chunk"
	}
	first, err := appendJSON(nil, m)
	if err != nil || usage == nil || !wantUsage {
		return [][]byte{first}, err
	}
	m["choices"], m["usage"] = []any{}, usage
	last, err := appendJSON(nil, m)
	return [][]byte{first, last}, err
}

func eachCall(message map[string]any, f func(i int, call map[string]any)) {
	calls, _ := message["tool_calls"].([]any)
	for i, c := range calls {
		if call, ok := c.(map[string]any); ok {
			f(i, call)
		}
	}
}

func join(old, v any, key string) any {
	switch v := v.(type) {
	case nil:
		return old
	case string:
		s, ok := old.(string)
		switch key {
		case "id", "type", "role", "object", "finish_reason":
			if v == "" {
				return old
			}
			return v
		}
		if ok {
			return s + v
		}
	case map[string]any:
		if m, ok := old.(map[string]any); ok {
			for k := range v {
				m[k] = join(m[k], v[k], k)
			}
			return m
		}
	case []any:
		if list, ok := old.([]any); ok {
			return joinList(list, v)
		}
		return joinList(nil, v)
	}
	return v
}

// joinList joins items by their index, and appends those that have none.
func joinList(list, items []any) []any {
	for _, item := range items {
		i := place(list, item)
		if i < 0 {
			list = append(list, item)
			continue
		}
		list[i] = join(list[i], item, "")
	}
	return list
}

func place(list []any, item any) int {
	m, ok := item.(map[string]any)
	if !ok || m["index"] == nil {
		return -1
	}
	for i := range list {
		if have, ok := list[i].(map[string]any); ok && have["index"] == m["index"] {
			return i
		}
	}
	return -1
}

func decodeMap(b []byte) (m map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err = d.Decode(&m); err != nil {
		return nil, fmt.Errorf("decode the answer: %w", err)
	}
	if m == nil {
		return nil, errors.New("the answer is not an object")
	}
	return m, nil
}

func appendJSON(dst []byte, v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return dst, fmt.Errorf("encode the answer: %w", err)
	}
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...), nil
}
