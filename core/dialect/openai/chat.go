package openai

import (
	"strconv"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Param is a member of a request as it counts in the end. Both fields are borrowed; Value is JSON as written.
type Param struct {
	Name  string
	Value []byte
	taken bool
}

// ChatRequest is a request for a chat, taken apart for a vendor whose API has another form. Values are borrowed from
// the request and are JSON as written, so a string goes over with its quotes and escapes; what is absent or null is
// nil. What is said otherwise is said at the field.
//
// The members are those of https://platform.openai.com/docs/api-reference/chat/create with the reference's extensions:
// cache_control, thinking_blocks, reasoning_content, provider_specific_fields and is_error in messages. The deprecated
// functions and function_call become tools and calls.
type ChatRequest struct {
	Vendor string // who the request is for, in errors
	Drop   bool   // leave out what cannot be carried; else it is refused by name
	Names  bool   // the vendor has names of participants; else a name is refused, or left out
	Allows bool   // the vendor can be told which tools may be called; else tool_choice of the type allowed_tools is refused
	Free   bool   // the vendor takes tools whose input is text, and answers that were spoken; else both are refused

	Messages []ChatMessage
	Tools    []Tool
	Choice   ToolChoice
	Parallel int8 // parallel_tool_calls: 1 true, 0 false, -1 not given
	Format   Format
	Params   []Param // the other members

	parts []Part
	calls []ToolCall
}

// keepList is how many entries of a list are kept for the next request.
const keepList = 1 << 10

// Reset forgets the request and keeps lists for the next.
func (r *ChatRequest) Reset() {
	*r = ChatRequest{
		Messages: emptied(r.Messages), Tools: emptied(r.Tools), Params: emptied(r.Params),
		parts: emptied(r.parts), calls: emptied(r.calls), Parallel: -1,
	}
}

func emptied[T any](list []T) []T {
	if cap(list) > keepList {
		return nil
	}
	clear(list[:cap(list)])
	return list[:0]
}

// Parse takes apart the members of a request. Vendor, Drop and Names are set before. An error is an *llm.Error that
// names the member.
func (r *ChatRequest) Parse(members []Param) error {
	var messages, functions []byte
	r.Parallel = -1
	for _, m := range members {
		if dialect.Null(m.Value) {
			continue
		}
		var err error
		switch m.Name {
		case "messages":
			messages = m.Value
		case "tools":
			err = r.readTools(m.Value)
		case "functions":
			functions = m.Value
		case "tool_choice", "function_call":
			err = r.readChoice(m.Name, m.Value)
		case "parallel_tool_calls":
			err = r.readParallel(m.Value)
		case "response_format":
			err = r.readFormat(m.Value)
		default:
			r.Params = append(r.Params, m)
		}
		if err != nil {
			return err
		}
	}
	if functions != nil {
		if err := r.readFunctions(functions); err != nil {
			return err
		}
	}
	return r.readMessages(messages)
}

// Get returns the value of one of Params, and takes it, so that Rest leaves it out.
func (r *ChatRequest) Get(name string) []byte {
	for i := range r.Params {
		if p := &r.Params[i]; p.Name == name {
			p.taken = true
			return p.Value
		}
	}
	return nil
}

// Text is Get for a string, without its quotes. Another type is an error that names the member.
func (r *ChatRequest) Text(name string) (string, error) {
	v := r.Get(name)
	if v == nil {
		return "", nil
	}
	s, ok := llm.Text(v)
	if !ok {
		return "", r.Bad(name, "must be a string")
	}
	return string(s), nil
}

// Rest goes through what nobody took, in order.
func (r *ChatRequest) Rest(yield func(name string, value []byte) bool) {
	for _, p := range r.Params {
		if !p.taken && !yield(p.Name, p.Value) {
			return
		}
	}
}

// MaxTokens returns max_completion_tokens, or else max_tokens, and takes both.
func (r *ChatRequest) MaxTokens() []byte {
	older := r.Get("max_tokens")
	if v := r.Get("max_completion_tokens"); v != nil {
		return v
	}
	return older
}

// Stop returns stop as a list in JSON, whether it is a string or a list, and takes it.
func (r *ChatRequest) Stop() ([]byte, error) {
	v := r.Get("stop")
	if len(v) == 0 || v[0] == '[' {
		return v, nil
	}
	if v[0] != '"' {
		return nil, r.Bad("stop", "must be a string or a list of strings")
	}
	return append(append([]byte{'['}, v...), ']'), nil
}

// Effort returns reasoning_effort, or the effort of a reasoning object, without quotes, and takes both.
func (r *ChatRequest) Effort() (string, error) {
	if v := r.Get("reasoning"); v != nil {
		if s, ok := llm.Text(dialect.Get(v, "effort")); ok {
			return string(s), nil
		}
	}
	return r.Text("reasoning_effort")
}

// Bad is the error for a member that cannot be used.
func (r *ChatRequest) Bad(param, problem string) *llm.Error {
	return &llm.Error{
		Op: "openai.ChatRequest", Kind: llm.KindBadRequest, Provider: r.Vendor, Type: "invalid_request_error", Param: param,
		Message: "`" + param + "` " + problem + ".",
	}
}

// Unknown is the error for a member that the vendor has nothing for.
func (r *ChatRequest) Unknown(param string) *llm.Error {
	return r.Bad(param, "has no counterpart in the API of "+r.Vendor+": remove it or set drop_params")
}

// noted appends number and more to a place: noted("messages[", 3, "].role").
func noted(before string, n int, after string) string { return before + strconv.Itoa(n) + after }

// borrowedText returns b as a string for as long as the request is there.
func borrowedText(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
