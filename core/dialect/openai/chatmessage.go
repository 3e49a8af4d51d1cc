package openai

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
)

// Role says whose a message is.
type Role uint8

// The roles. A developer message is a system message.
const (
	RoleSystem Role = iota
	RoleUser
	RoleAssistant
	RoleTool
)

// ChatMessage is one message of a request.
type ChatMessage struct {
	Role  Role
	Index int
	Parts []Part // the content; that of a message whose content is a string has one part
	Plain bool   // the content is a string, or absent
	Calls []ToolCall
	Name  []byte // name, quoted

	CallID []byte // of a tool's result: the id of the call, quoted
	Tool   []byte // of a tool's result: the tool that was called, by the call's id; else Name; nil if neither is known
	Failed bool   // of a tool's result: is_error

	Cache     []byte // cache_control
	Refusal   []byte // quoted
	Reasoning []byte // reasoning_content, or reasoning, quoted
	Thinking  []byte // thinking_blocks: a list
	Specific  []byte // provider_specific_fields: an object
	Images    []byte // images: a list
	Audio     []byte // audio: what was spoken, an object; only if ChatRequest.Free is set
}

// At is the place of the message, or of something in it, for errors.
func (m *ChatMessage) At(more string) string { return noted("messages[", m.Index, "]") + more }

// Text returns the text of the message as one JSON string: its text parts, joined without anything in between. ok is
// false if there are parts that are no text. Without a text it is "" in quotes. The result of a tool that failed says so
// in front of its text, as most APIs have no other place for it.
func (m *ChatMessage) Text() (quoted []byte, ok bool) {
	if len(m.Parts) == 1 && m.Parts[0].Kind == PartText && !m.Failed {
		return m.Parts[0].Text, true
	}
	out := []byte{'"'}
	if m.Failed {
		out = append(out, "Error: "...)
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != PartText {
			return nil, false
		}
		out = append(out, p.Text[1:len(p.Text)-1]...)
	}
	return append(out, '"'), true
}

// Side reports whether two roles belong to the same side of a conversation: the assistant is one, users and tools are
// the other, and system messages belong to none.
func (r Role) Side(other Role) bool {
	if r == RoleSystem || other == RoleSystem {
		return r == other
	}
	return (r == RoleAssistant) == (other == RoleAssistant)
}

// Turn returns the end of the turn that begins with message i: the first message behind it of another side. It is for
// APIs whose turns must alternate. If split is set, system messages are elsewhere, and do not end a turn: whoever goes
// through it passes over them.
func (r *ChatRequest) Turn(i int, split bool) int {
	role := r.Messages[i].Role
	for i++; i < len(r.Messages); i++ {
		next := r.Messages[i].Role
		if split && next == RoleSystem {
			continue
		}
		if !role.Side(next) {
			break
		}
	}
	return i
}

// Systems goes through the parts of all system messages, for APIs that have them apart.
func (r *ChatRequest) Systems(yield func(*ChatMessage, *Part) bool) {
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Role != RoleSystem {
			continue
		}
		for j := range m.Parts {
			if !yield(m, &m.Parts[j]) {
				return
			}
		}
	}
}

// System returns the texts of all system messages, joined by a line break, as one JSON string. It is nil without any.
func (r *ChatRequest) System() ([]byte, error) {
	var out []byte
	for m, p := range r.Systems {
		if p.Kind != PartText {
			return nil, r.BadPart(m, p)
		}
		if len(p.Text) < 3 {
			continue
		}
		if out == nil {
			out = append(out, '"')
		} else {
			out = append(out, `\n`...)
		}
		out = append(out, p.Text[1:len(p.Text)-1]...)
	}
	if out == nil {
		return nil, nil
	}
	return append(out, '"'), nil
}

func (r *ChatRequest) readMessages(v []byte) error {
	if len(v) == 0 || v[0] != '[' {
		return r.Bad("messages", "must be a list")
	}
	for c := dialect.Array(v); c.Next(); {
		m := ChatMessage{Index: len(r.Messages), Plain: true}
		if c.First() != '{' {
			return r.Bad(m.At(""), "must be an object")
		}
		if err := r.readMessage(&m, c.Value()); err != nil {
			return err
		}
		r.Messages = append(r.Messages, m)
	}
	if len(r.Messages) == 0 {
		return r.Bad("messages", "is empty")
	}
	return nil
}

func (r *ChatRequest) readMessage(m *ChatMessage, raw []byte) error {
	var role, content, calls, called, name []byte
	for c := dialect.Object(raw); c.Next(); {
		v := given(c.Value())
		switch string(c.Key()) {
		case "role":
			role = v
		case "content":
			content = v
		case "tool_calls":
			calls = v
		case "function_call":
			called = v
		case "name":
			name = v
		default:
			if r.Free && string(c.Key()) == "audio" {
				m.Audio = v
			} else if v != nil && !m.take(c.Key(), v) && !r.Drop {
				return r.Unknown(m.At("." + string(c.Key())))
			}
		}
	}
	m.Name = name
	if err := r.readRole(m, role); err != nil {
		return err
	}
	if content != nil {
		if err := r.readContent(m, content); err != nil {
			return err
		}
	}
	if calls != nil {
		if err := r.readCalls(m, calls); err != nil {
			return err
		}
	}
	if called != nil {
		return r.readOldCall(m, called)
	}
	return nil
}

// take keeps a member that needs no further look. Members that an answer has, and that callers send back with it, are
// taken though nobody wants them. It returns false for a member that is not known.
func (m *ChatMessage) take(key, v []byte) bool {
	switch string(key) {
	case "cache_control":
		m.Cache = v
	case "refusal":
		m.Refusal = v
	case "tool_call_id":
		m.CallID = v
	case "is_error":
		m.Failed = string(v) == "true"
	case "reasoning_content":
		m.Reasoning = v
	case "reasoning":
		if m.Reasoning == nil && v[0] == '"' {
			m.Reasoning = v
		}
	case "thinking_blocks":
		m.Thinking = v
	case "provider_specific_fields":
		m.Specific = v
	case "images":
		m.Images = v
	case "annotations", "index", "id", "status", "reasoning_details", "prefix", "partial":
	default:
		return false
	}
	return true
}

func (r *ChatRequest) readRole(m *ChatMessage, role []byte) error {
	switch string(role) {
	case `"system"`, `"developer"`:
		m.Role = RoleSystem
	case `"user"`:
		m.Role = RoleUser
	case `"assistant"`:
		m.Role = RoleAssistant
	case `"tool"`, `"function"`:
		m.Role = RoleTool
		return r.readResult(m)
	case "":
		return r.Bad(m.At(".role"), "is missing")
	default:
		return r.Bad(m.At(".role"), "must be system, developer, user, assistant or tool")
	}
	if m.Name != nil && !r.Names && !r.Drop {
		return r.Unknown(m.At(".name"))
	}
	return nil
}

// readResult finds the call that the result of a tool belongs to. One of the deprecated form has a name only: it is of
// the last call of that function.
func (r *ChatRequest) readResult(m *ChatMessage) error {
	for i := len(r.calls) - 1; i >= 0; i-- {
		c := &r.calls[i]
		if m.CallID == nil && string(c.Name) == string(m.Name) {
			m.CallID = c.ID
		}
		if string(c.ID) == string(m.CallID) {
			m.Tool = c.Name
			break
		}
	}
	if m.Tool == nil {
		m.Tool = m.Name
	}
	if len(m.CallID) < 3 || m.CallID[0] != '"' {
		return r.Bad(m.At(".tool_call_id"), "is missing: it says which call the result is of")
	}
	return nil
}

// readOldCall takes the deprecated form of a call, which has no id, and gives it one.
func (r *ChatRequest) readOldCall(m *ChatMessage, v []byte) error {
	call := ToolCall{ID: []byte(`"` + noted("call_", m.Index, "") + `"`), Raw: v}
	if err := r.readCalled(&call, v, m.At(".function_call")); err != nil {
		return err
	}
	r.calls = append(r.calls, call)
	m.Calls = append(m.Calls, call)
	return nil
}

// Thoughts joins the texts of thinking_blocks to one JSON string. It is nil without any.
func Thoughts(blocks []byte) []byte {
	var out []byte
	for c := dialect.Array(blocks); c.Next(); {
		if v := dialect.Get(c.Value(), "thinking"); len(v) > 2 && v[0] == '"' {
			if out == nil {
				out = append(out, '"')
			}
			out = append(out, v[1:len(v)-1]...)
		}
	}
	if out == nil {
		return nil
	}
	return append(out, '"')
}
