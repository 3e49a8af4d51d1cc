package wasm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Prompt is a stored prompt: the plugin that supplies it, and the id it has there.
type Prompt struct {
	Plugin *Plugin
	ID     string
}

// Prompts presents plugins with a prompt hook as a hook of the pipeline, by the prompt_id that callers name. It belongs
// in front of the guardrails, so that they see what the plugin supplied. A request without prompt_id costs nothing. One
// with an id that nobody has is refused with status 400.
//
// The plugin's messages come before the caller's own, or take their place. Its parameters win over the caller's, as in
// the reference; those that decide what the gateway does cannot be set. When a plugin failed, the request is refused,
// unless Settings.OnError is FailOpen: then it goes on as the caller sent it.
func Prompts(byID map[string]Prompt) pipeline.Before { return prompts(maps.Clone(byID)) }

type prompts map[string]Prompt

// Before implements pipeline.Before.
func (l prompts) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	if !x.Controls.Given {
		return nil, nil //nolint:nilnil // the contract's "go on"
	}
	raw := x.Body.Get("prompt_id")
	if dialect.Null(raw) {
		return nil, nil //nolint:nilnil // likewise
	}
	id, ok := llm.Text(raw)
	if !ok {
		return nil, badPrompt("prompt_id", "must be a string")
	}
	prompt, ok := l[string(id)]
	if !ok {
		return nil, badPrompt("prompt_id", "names no prompt of this gateway: \""+clean(id[:min(len(id), 64)])+"\" is not in the section prompts")
	}
	if x.Op != llm.OpChat {
		return nil, badPrompt("prompt_id", "is for chat completions")
	}
	return nil, prompt.apply(ctx, x)
}

func badPrompt(param, problem string) error {
	return &llm.Error{
		Op: "wasm.Prompts", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: param,
		Message: "Invalid request: `" + param + "` " + problem + ".",
	}
}

func (pr Prompt) apply(ctx context.Context, x *llm.Exchange) error {
	p := pr.Plugin
	var got *supplied
	err := p.use(ctx, func(in *instance) (err error) {
		if in.view, err = pr.view(in, x); err != nil {
			return err
		}
		if len(in.view) > p.limits.maxView() {
			return ErrSize
		}
		out, err := in.call(abi.HookPrompt, in.view, x)
		if err == nil {
			got, err = readPrompt(out)
		}
		return err
	})
	if err == nil {
		err = got.put(x)
	}
	switch {
	case err == nil || isRefusal(err):
		return err
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return llm.AsError(err)
	case p.onError == FailOpen:
		p.log.Warn("the prompt hook failed and the request went on without its prompt (on_error is fail_open)", "error", err)
		return nil
	}
	return p.internal("wasm.Prompts", "Plugin "+p.name+" failed, so the prompt was not found.", err)
}

func (pr Prompt) view(in *instance, x *llm.Exchange) (_ []byte, err error) {
	n := pr.Plugin.manifest.needs()
	dst := abi.AppendText(in.view[:0], abi.TagPromptID, pr.ID)
	if dst, err = appendRequest(dst, x, &n); err != nil {
		return dst, err
	}
	if dst, err = appendVariables(dst, x.Body.Get("prompt_variables")); err != nil {
		return dst, err
	}
	for _, f := range []struct {
		name string
		tag  abi.Tag
	}{{"prompt_label", abi.TagLabel}, {"prompt_version", abi.TagRevision}} {
		raw := x.Body.Get(f.name)
		if s, ok := llm.Text(raw); ok {
			raw = s
		} else if !dialect.Null(raw) && (raw[0] < '0' || raw[0] > '9') {
			return dst, badPrompt(f.name, "must be a string or a number")
		}
		if !dialect.Null(raw) {
			dst = abi.AppendText(dst, f.tag, raw)
		}
	}
	if !n.texts {
		return dst, nil
	}
	return appendBodyTexts(dst, &x.Body)
}

func appendVariables(dst []byte, raw []byte) ([]byte, error) {
	if dialect.Null(raw) {
		return dst, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return dst, badPrompt("prompt_variables", "must be an object")
	}
	plain(m)
	out, err := abi.AppendMap(dst, abi.TagVariables, m)
	if err != nil {
		return dst, badPrompt("prompt_variables", "is nested too deep")
	}
	return out, nil
}

// supplied is the prompt that a plugin returned.
type supplied struct {
	messages []byte // the items of a JSON list, without its brackets
	replace  bool
	model    string
	params   map[string]any
}

func readPrompt(out []byte) (*supplied, error) {
	var (
		h    head
		s    supplied
		own  []byte
		bare bool // the last message in own has no text yet
	)
	r := abi.Reader{Rest: out}
	for r.Next() {
		switch r.Tag {
		case abi.TagMessage:
			if len(own) > 0 {
				own = append(own, ',')
			}
			own = append(own, `{"role":`...)
			own = append(llm.AppendQuoted(own, string(r.Value)), `,"content":""}`...)
			bare = true
		case abi.TagText:
			if !bare {
				return nil, broken("a text of a prompt without its message, or a second one")
			}
			bare = false
			own = append(llm.AppendQuoted(own[:len(own)-3], string(r.Value)), '}')
		case abi.TagMessages:
			var list []map[string]json.RawMessage
			if err := json.Unmarshal(r.Value, &list); err != nil {
				return nil, broken("the messages of a prompt are not a list of objects in JSON")
			}
			text := bytes.TrimSpace(r.Value)
			s.messages = slices.Clone(bytes.TrimSpace(text[1 : len(text)-1]))
		case abi.TagModel:
			s.model = string(r.Value)
		case abi.TagReplace:
			s.replace = r.Number() == 1
		case abi.TagParams:
			m, err := abi.Map(r.Value)
			if err != nil {
				return nil, broken("parameters of a prompt: %v", err)
			}
			s.params = m
		default:
			h.read(&r)
		}
	}
	verdict, err := h.end(&r)
	switch {
	case err != nil:
		return nil, err
	case verdict == abi.VerdictReject:
		h.reason = otherwise(h.reason, "The prompt cannot be used.")
		return nil, h.refused("wasm.Prompts", 400, 499)
	case verdict != abi.VerdictEdit:
		return nil, broken("verdict %d of the prompt hook", verdict)
	}
	if s.messages == nil {
		s.messages = own
	}
	return &s, s.check()
}

// check refuses parameters that would make the request another one than the gateway thinks it is.
func (s *supplied) check() error {
	for name := range s.params {
		switch name {
		case "model", "messages", "stream", "stream_options", "prompt", "input", "user":
			return broken("a prompt sets the parameter %s, which belongs to the caller and the gateway", name)
		}
		if openai.Control([]byte(name)) {
			return broken("a prompt sets the parameter %s, which is a control of the gateway", clean([]byte(name)))
		}
	}
	return nil
}

// put changes the request.
func (s *supplied) put(x *llm.Exchange) error {
	set := []llm.Pair{{Name: "messages", Value: s.list(x.Body.Get("messages"))}}
	for _, name := range slices.Sorted(maps.Keys(s.params)) {
		value, err := json.Marshal(s.params[name])
		if err != nil {
			return broken("parameter %s of a prompt: %v", clean([]byte(name)), err)
		}
		set = append(set, llm.Pair{Name: name, Value: string(value)})
	}
	if s.model != "" {
		set = append(set, llm.Pair{Name: "model", Value: string(llm.AppendQuoted(nil, s.model))})
	}
	if err := x.Body.Parse(setMembers(&x.Body, set)); err != nil {
		return broken("the request with its prompt: %v", err)
	}
	x.Model = otherwise(s.model, x.Model)
	return nil
}

// list is the value of messages.
func (s *supplied) list(callers []byte) string {
	items := s.messages
	callers = bytes.TrimSpace(callers)
	if own := len(callers) > 1 && callers[0] == '['; own && !s.replace {
		theirs := bytes.TrimSpace(callers[1 : len(callers)-1])
		if len(theirs) > 0 && len(items) > 0 {
			items = append(items, ',')
		}
		items = append(items, theirs...)
	}
	return "[" + string(items) + "]"
}

// setMembers returns a copy of an object in which some members have other values; those it lacks are added.
func setMembers(o *llm.Object, set []llm.Pair) []byte {
	raw, from := o.Raw(), 0
	var out []byte
	for _, m := range o.Members() {
		i := slices.IndexFunc(set, func(p llm.Pair) bool { return p.Name == string(o.Key(m)) })
		if i >= 0 {
			out = append(append(out, raw[from:m.Value.Start]...), set[i].Value...)
			from = m.Value.End
		}
	}
	out = append(out, raw[from:]...)
	out = bytes.TrimSuffix(bytes.TrimRight(out, " \t\r\n"), []byte("}"))
	comma := len(o.Members()) > 0
	for _, p := range set {
		if o.Index(p.Name) >= 0 {
			continue
		}
		if comma {
			out = append(out, ',')
		}
		comma = true
		out = append(llm.AppendQuoted(out, p.Name), ':')
		out = append(out, p.Value...)
	}
	return append(out, '}')
}
