package compat

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Edit returns what is done to a chat before it goes to the vendor, for provider.Rewrite: what the vendor does not know
// in messages, in the choice of tools and in the format of the answer is said in other words, left out if parameters may
// be dropped, or refused by name.
func (v Vendor) Edit() func(d *llm.Deployment, x *llm.Exchange) ([]byte, error) {
	return func(d *llm.Deployment, x *llm.Exchange) ([]byte, error) {
		if x.Op != llm.OpChat {
			return nil, nil
		}
		e := editor{v: &v, d: d, drop: d.DropParams || x.Controls.DropParams == 1}
		return e.body(x)
	}
}

type editor struct {
	v       *Vendor
	d       *llm.Deployment
	drop    bool
	changed bool

	roles, names, plain bool // what there is to do in messages
}

// hasDeveloper reports whether a message is of the developer role. Stepping over long texts is several times faster than
// searching them for the word, and this is done for every chat.
func hasDeveloper(messages []byte) bool {
	if len(messages) == 0 || messages[0] != '[' {
		return false
	}
	for c := dialect.Array(messages); c.Next(); {
		if string(dialect.Get(c.Value(), "role")) == `"developer"` {
			return true
		}
	}
	return false
}

// body returns the edited body, or nil if there is nothing to edit.
func (e *editor) body(x *llm.Exchange) ([]byte, error) {
	messages := x.Body.Get("messages")
	e.roles = e.system() && hasDeveloper(messages)
	e.names = e.v.NoNames && e.drop && bytes.Contains(messages, []byte(`"name"`))
	e.plain = e.v.Plain && bytes.Contains(messages, []byte(`[`))
	choice, err := e.choice(x.Body.Get("tool_choice"))
	if err != nil {
		return nil, err
	}
	format, err := e.format(x.Body.Get("response_format"))
	if err != nil {
		return nil, err
	}
	thinking := e.thinking(x)
	if !e.roles && !e.names && !e.plain && choice == asIs && format == asIs && thinking == asIs {
		return nil, nil
	}
	raw := x.Body.Raw()
	b := dialect.Build(make([]byte, 0, len(raw)+64))
	b.Open('{')
	for c := dialect.Object(raw); c.Next(); {
		switch key := string(c.Key()); {
		case key == "tool_choice" && choice != asIs, key == "response_format" && format == asNothing:
			e.changed = true
		case key == "reasoning_effort" && thinking != asIs:
			e.changed = true
			if thinking == asRequest {
				b.Key("thinking").Open('{').Key("type").Quote(thinks(string(c.Value()), e.d.Model)).Close('}')
			}
		case key == "messages" && c.First() == '[':
			b.Key(key)
			e.messages(&b, c.Value(), choice == asRequest)
		default:
			b.Key(key).Raw(c.Value())
		}
	}
	b.Close('}')
	if !e.changed {
		return nil, nil
	}
	return b.Bytes(), nil
}

// system reports whether messages of developers become system messages. They do for all but OpenAI itself and those
// that know the role, as in the reference (litellm/llms/openai/chat/gpt_transformation.py,
// translate_developer_role_for_openai_compatible_endpoint): a server behind openai/ that is not OpenAI's is one of the
// others.
func (e *editor) system() bool {
	if !e.v.Developer || e.v.Name != "openai" || e.d.Base == "" || e.d.Base == e.v.Base {
		return !e.v.Developer
	}
	// By hand, since this is done for every chat.
	_, host, _ := strings.Cut(e.d.Base, "://")
	host, _, _ = strings.Cut(host, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	host, _, _ = strings.Cut(host, ":")
	return host != "openai.com" && !strings.HasSuffix(host, ".openai.com")
}

// outcome is what becomes of a member.
type outcome uint8

const (
	asIs      outcome = iota
	asNothing         // it is left out
	asRequest         // it is said by a message
)

// choice decides about tool_choice.
func (e *editor) choice(raw []byte) (outcome, error) {
	if dialect.Null(raw) {
		return asIs, nil
	}
	word := "a tool by name"
	if s, ok := llm.Text(raw); ok {
		word = string(s)
	}
	switch {
	case e.v.Unforced && word == "required":
		return asRequest, nil
	case e.v.Choices == nil || slices.Contains(e.v.Choices, word):
		return asIs, nil
	case e.drop:
		return asNothing, nil
	}
	return asIs, e.refuse("tool_choice", word, e.v.Choices)
}

// format decides about response_format.
func (e *editor) format(raw []byte) (outcome, error) {
	kind, ok := llm.Text(dialect.Get(raw, "type"))
	switch {
	case e.v.Formats == nil || !ok || string(kind) == "text" || slices.Contains(e.v.Formats, string(kind)):
		return asIs, nil
	case e.drop:
		return asNothing, nil
	}
	return asIs, e.refuse("response_format", string(kind), e.v.Formats)
}

// thinking decides about reasoning_effort. What the caller says by thinking counts more.
func (e *editor) thinking(x *llm.Exchange) outcome {
	if e.v.Thinks == ThinksByEffort {
		return asIs
	}
	effort := x.Body.Get("reasoning_effort")
	switch {
	case dialect.Null(effort), e.v.Thinks == ThinksUnlessOff && string(effort) != `"none"`:
		return asIs
	case !dialect.Null(x.Body.Get("thinking")):
		return asNothing
	}
	return asRequest
}

// thinks is the type of thinking for an effort. MiniMax's models decide themselves how much they think, wherever they run
// (https://www.tencentcloud.com/document/product/1300/82345).
func thinks(effort, model string) string {
	switch {
	case effort == `"none"`:
		return "disabled"
	case strings.HasPrefix(strings.ToLower(model), "minimax"):
		return "adaptive"
	}
	return "enabled"
}

func (e *editor) refuse(param, word string, known []string) error {
	const longest = 40
	word = strconv.Quote(word[:min(len(word), longest)])
	return &llm.Error{
		Op: "compat.Edit", Kind: llm.KindBadRequest, Provider: e.v.Name, Type: "invalid_request_error", Param: param,
		Message: "`" + param + "`: " + e.v.Name + " does not know " + word + ", but " + strings.Join(known, ", ") +
			": change it or set drop_params.",
	}
}

// messages writes the list. A model that cannot be told to call a tool is asked to
// (https://platform.moonshot.ai/docs/guide/migrating-from-openai-to-kimi#about-tool_choice).
func (e *editor) messages(b *dialect.Builder, raw []byte, ask bool) {
	b.Open('[')
	for c := dialect.Array(raw); c.Next(); {
		e.message(b, c.Value())
	}
	if ask {
		b.Open('{').Key("role").Lit(`"user"`).Key("content").Lit(`"Answer by calling one of the tools."`).Close('}')
		e.changed = true
	}
	b.Close(']')
}

func (e *editor) message(b *dialect.Builder, raw []byte) {
	if len(raw) == 0 || raw[0] != '{' {
		b.Raw(raw)
		return
	}
	b.Open('{')
	for c := dialect.Object(raw); c.Next(); {
		key, value := string(c.Key()), c.Value()
		switch {
		case e.names && key == "name":
			e.changed = true
			continue
		case e.roles && key == "role" && string(value) == `"developer"`:
			value, e.changed = []byte(`"system"`), true
		case e.plain && key == "content" && len(value) > 0 && value[0] == '[':
			if text := joined(value); text != nil {
				value, e.changed = text, true
			}
		}
		b.Key(key).Raw(value)
	}
	b.Close('}')
}

// joined is a content of texts as one string in JSON, or nil if it holds something else.
func joined(content []byte) []byte {
	out := []byte{'"'}
	for c := dialect.Array(content); c.Next(); {
		text := dialect.Get(c.Value(), "text")
		if string(dialect.Get(c.Value(), "type")) != `"text"` || len(text) < 2 || text[0] != '"' {
			return nil
		}
		out = append(out, text[1:len(text)-1]...)
	}
	return append(out, '"')
}
