package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// What a chat costs besides its texts, as OpenAI's cookbook has it
// (https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb) and the
// reference counts it (litellm/litellm_core_utils/token_counter.py).
const (
	perMessage   = 3
	perName      = 1
	perReply     = 3 // every answer is primed
	perTools     = 9
	toolsSystem  = -4 // a system message beside tools
	choiceNone   = 1
	choiceNamed  = 7
	maxDepth     = 16 // of tool parameters, and of blocks in blocks
	thinkingName = "thinking"
)

// CountChat returns the number of tokens of the prompt of a request: messages with tools and tool_choice, or a prompt, or
// an input, which may be texts or lists of them. It takes a whole request body, in the form of OpenAI's or Anthropic's
// chats. An *llm.SyntaxError or another error says why the body is no such request; what a message has that is no text,
// no image and no tool call counts nothing.
func (c *Counter) CountChat(model string, body []byte) (int, error) {
	var o llm.Object
	if err := o.Parse(body); err != nil {
		return 0, err
	}
	w := chat{c: c, e: EncodingOf(model)}
	if messages := o.Get("messages"); messages != nil {
		if err := w.messages(messages); err != nil {
			return 0, err
		}
		if system := o.Get("system"); system != nil { // Anthropic's place for it
			w.system = true
			w.n += perMessage
			w.content(system, 0)
		}
		w.extras(&o)
		return w.n, nil
	}
	for _, name := range []string{"prompt", "input", "contents"} {
		if text := o.Get(name); text != nil {
			w.content(text, 0)
			return w.n, nil
		}
	}
	return 0, errors.New("messages, prompt or input is missing")
}

// chat adds up the tokens of one request.
type chat struct {
	c      *Counter
	e      Encoding
	n      int
	system bool
}

func (w *chat) text(s string) { w.n += w.c.count(w.e, s) }

func (w *chat) messages(raw []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return errors.New("messages: want a list")
	}
	for i, m := range list {
		var o llm.Object
		if err := o.Parse(m); err != nil {
			return fmt.Errorf("messages[%d]: want an object", i)
		}
		w.n += perMessage
		for _, member := range o.Members() {
			w.member(string(o.Key(member)), o.Value(member))
		}
	}
	return nil
}

// member counts one member of a message: every text, the parts of the content, and the arguments of tool calls.
func (w *chat) member(key string, value []byte) {
	switch key {
	case "tool_calls":
		var calls []struct {
			Function struct {
				Arguments string `json:"arguments"`
			} `json:"function"`
		}
		if json.Unmarshal(value, &calls) == nil {
			for _, call := range calls {
				w.text(call.Function.Arguments)
			}
		}
	case "content":
		w.content(value, 0)
	default:
		text, ok := llm.Text(value)
		if !ok {
			return
		}
		w.text(string(text))
		if key == "name" {
			w.n += perName
		}
		if key == "role" && string(text) == "system" {
			w.system = true
		}
	}
}

// block is a part of a message's content, in OpenAI's form or Anthropic's, or of Google's contents.
type block struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	Thinking string          `json:"thinking"`
	Name     string          `json:"name"`
	ImageURL json.RawMessage `json:"image_url"`
	Detail   string          `json:"detail"`
	Source   *source         `json:"source"`
	Input    json.RawMessage `json:"input"`
	Content  json.RawMessage `json:"content"`
	Parts    json.RawMessage `json:"parts"`
}

// source is an image in Anthropic's form.
type source struct {
	Data string `json:"data"`
}

// content counts a text, or a list of texts and blocks.
func (w *chat) content(raw []byte, depth int) {
	if text, ok := llm.Text(raw); ok {
		w.text(string(text))
		return
	}
	if depth > maxDepth {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return
	}
	for _, item := range list {
		if text, ok := llm.Text(item); ok {
			w.text(string(text))
			continue
		}
		var b block
		if len(item) > 0 && item[0] == '[' {
			w.content(item, depth+1)
		} else if json.Unmarshal(item, &b) == nil {
			w.block(&b, depth)
		}
	}
}

func (w *chat) block(b *block, depth int) {
	switch b.Type {
	case "image_url", "input_image":
		w.n += imageTokens(b.ImageURL, b.Detail)
	case "image":
		if b.Source != nil {
			w.n += baseTokens
		}
	case thinkingName:
		w.text(b.Thinking)
	case "tool_use":
		w.text(b.Name)
		w.text(compact(b.Input))
	case "tool_result":
		w.content(b.Content, depth+1)
	default:
		w.text(b.Text)
		if b.Parts != nil {
			w.content(b.Parts, depth+1)
		}
	}
}

func compact(raw []byte) string {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return ""
	}
	return b.String()
}

// extras counts the priming of the answer, tools and tool_choice.
func (w *chat) extras(o *llm.Object) {
	w.n += perReply
	var tools []json.RawMessage
	if raw := o.Get("tools"); raw != nil && json.Unmarshal(raw, &tools) == nil && len(tools) > 0 {
		w.text(definitions(tools))
		w.n += perTools
		if w.system {
			w.n += toolsSystem
		}
	}
	choice := o.Get("tool_choice")
	if word, ok := llm.Text(choice); ok {
		if string(word) == "none" {
			w.n += choiceNone
		}
		return
	}
	var named struct {
		Name     string `json:"name"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if choice != nil && json.Unmarshal(choice, &named) == nil && named.Name+named.Function.Name != "" {
		w.n += choiceNamed
		w.text(named.Name + named.Function.Name)
	}
}

// definitions writes tools as OpenAI shows them to a model: as declarations in TypeScript.
func definitions(tools []json.RawMessage) string {
	var b strings.Builder
	b.WriteString("namespace functions {\n\n")
	for _, raw := range tools {
		var tool struct {
			Function *function `json:"function"`
			function           // Anthropic's form has it one level higher
		}
		if json.Unmarshal(raw, &tool) != nil {
			continue
		}
		f := tool.Function
		if f == nil {
			f = &tool.function
		}
		if f.Parameters == nil {
			f.Parameters = f.InputSchema
		}
		f.write(&b)
	}
	b.WriteString("} // namespace functions")
	return b.String()
}

type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	InputSchema json.RawMessage `json:"input_schema"`
}

func (f *function) write(b *strings.Builder) {
	if f.Description != "" {
		b.WriteString("// " + f.Description + "\n")
	}
	s := schema(f.Parameters)
	if properties := s.properties(); len(properties) > 0 {
		b.WriteString("type " + f.Name + " = (_: {\n")
		s.writeProperties(b, properties, 0, 0)
		b.WriteString("\n}) => any;\n\n")
		return
	}
	b.WriteString("type " + f.Name + " = () => any;\n\n")
}

// schema is a JSON schema.
type schema []byte

// property is one member of a schema's properties, in the order they were written.
type property struct {
	name string
	schema
}

func (s schema) properties() []property {
	var o, p llm.Object
	if len(s) == 0 || o.Parse(s) != nil || p.Parse(o.Get("properties")) != nil {
		return nil
	}
	var out []property
	for _, m := range p.Members() {
		out = append(out, property{string(p.Key(m)), schema(p.Value(m))})
	}
	return out
}

func (s schema) writeProperties(b *strings.Builder, properties []property, indent, depth int) {
	var of struct {
		Required []string `json:"required"`
	}
	_ = json.Unmarshal(s, &of) // without a list nothing is required
	space := strings.Repeat(" ", indent)
	for i, p := range properties {
		if i > 0 {
			b.WriteByte('\n')
		}
		var about struct {
			Description string `json:"description"`
		}
		if json.Unmarshal(p.schema, &about) == nil && about.Description != "" {
			b.WriteString(space + "// " + about.Description + "\n")
		}
		question := "?"
		for _, r := range of.Required {
			if r == p.name {
				question = ""
			}
		}
		b.WriteString(space + p.name + question + ": ")
		p.writeType(b, indent, depth)
		b.WriteByte(',')
	}
}

func (s schema) writeType(b *strings.Builder, indent, depth int) {
	var t struct {
		Type  any   `json:"type"`
		Enum  []any `json:"enum"`
		Items json.RawMessage
	}
	_ = json.Unmarshal(s, &t) // what is no schema is any
	name, _ := t.Type.(string)
	switch {
	case depth > maxDepth:
		b.WriteString("any")
	case name == "string" && t.Enum != nil, (name == "integer" || name == "number") && t.Enum != nil:
		for i, v := range t.Enum {
			if i > 0 {
				b.WriteString(" | ")
			}
			fmt.Fprintf(b, `"%v"`, v)
		}
	case name == "integer" || name == "number":
		b.WriteString("number")
	case name == "array":
		schema(t.Items).writeType(b, indent, depth+1)
		b.WriteString("[]")
	case name == "object":
		b.WriteString("{\n")
		s.writeProperties(b, s.properties(), indent+2, depth+1)
		b.WriteString("\n}")
	case name == "string" || name == "boolean" || name == "null":
		b.WriteString(name)
	default:
		b.WriteString("any")
	}
}
