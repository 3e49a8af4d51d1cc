package wasm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// change is one thing that a request hook wants otherwise, besides texts: a place in the body, or a header.
type change struct {
	tag   abi.Tag // abi.TagSetJSON, abi.TagRemove or abi.TagSetHeader
	name  string  // path or header
	value string  // JSON or text
}

// Bounds of one result.
const (
	maxChanges = 256
	maxAsk     = 16       // messages of a retry
	maxAskSize = 64 << 10 // bytes of one of them
)

func (res *result) changesRequest() bool {
	return res.model != "" || len(res.changes) > 0 || len(res.tags) > 0 || len(res.metadata) > 0
}

// read takes a record of what a guardrail's hook may return besides the usual ones, and reports whether it is one.
func (res *result) read(r *abi.Reader) (known bool, err error) {
	switch r.Tag {
	case abi.TagState:
		if len(r.Value) > llm.MaxState {
			return true, broken("a state of %d bytes, at most %d are kept", len(r.Value), llm.MaxState)
		}
		res.state, res.keeps = append(res.state[:0], r.Value...), true
	case abi.TagFinish:
		res.finish = string(r.Value)
		if res.finish != "stop" && res.finish != "content_filter" {
			return true, broken("the finish reason %q, it must be stop or content_filter", clean(r.Value))
		}
	case abi.TagAsk:
		if len(res.ask) == maxAsk || len(r.Value) > maxAskSize {
			return true, broken("what is asked again has more than %d messages or %d bytes", maxAsk, maxAskSize)
		}
		res.ask = append(res.ask, string(r.Value))
	case abi.TagChoice:
		res.choice = int(min(r.Number(), 1<<20))
	case abi.TagErrorType:
		res.errType = clean(r.Value)
	case abi.TagSetJSON, abi.TagSetHeader, abi.TagRemove:
		return true, res.readChange(r)
	case abi.TagTag:
		if strings.ContainsAny(string(r.Value), ",\r\n") || len(r.Value) == 0 || !isText(r.Value) {
			return true, broken("the tag %q: a tag is UTF-8 text, not empty, and has no comma or line break", clean(r.Value))
		}
		res.tags = append(res.tags, string(r.Value))
	case abi.TagCallerMetadata:
		if res.metadata, err = abi.Map(r.Value); err != nil {
			return true, broken("metadata of the request: %v", err)
		}
	default:
		return false, nil
	}
	return true, nil
}

func (res *result) readChange(r *abi.Reader) error {
	if len(res.changes) == maxChanges {
		return broken("more than %d changes", maxChanges)
	}
	c := change{tag: r.Tag}
	if r.Tag == abi.TagRemove {
		c.name = string(r.Value)
		res.changes = append(res.changes, c)
		return nil
	}
	has := false
	in := r.Inside()
	for in.Next() {
		switch in.Tag {
		case abi.TagKey:
			c.name = string(in.Value)
		case abi.TagText:
			c.value, has = string(in.Value), true
		default:
			in.Unknown()
		}
	}
	if in.Err != nil || !has || c.name == "" {
		return broken("a change without name or value")
	}
	res.changes = append(res.changes, c)
	return nil
}

// change applies what a request hook returned: edits of texts and the model first, then the changes in their order.
func (g *Guardrail) change(in *instance, x *llm.Exchange, res *result) error {
	if x.Body.Raw() == nil && (len(res.edits) > 0 || len(res.changes) > 0 || len(res.metadata) > 0) {
		return broken("the plugin edits a request that has no JSON body")
	}
	for _, e := range res.edits {
		if in.segments[e.Index].Sealed && !g.records {
			return g.sealed(in.segments[e.Index].Kind)
		}
	}
	for _, c := range res.changes {
		if c.tag == abi.TagSetHeader {
			if err := g.setHeader(x, c.name, c.value); err != nil {
				return err
			}
		}
	}
	body := edited(&x.Body, in.segments, res)
	members, err := g.setMembers(body, x, res)
	if err != nil {
		return err
	}
	addTags(x, res.tags)
	if members == nil && len(res.edits) == 0 && res.model == "" {
		return nil
	}
	if members != nil {
		body = members
	}
	if err := x.Body.Parse(body); err != nil {
		return broken("the request that the plugin made: %v", err)
	}
	if members != nil {
		if err := redecode(x); err != nil {
			return broken("the request that the plugin made: %v", err)
		}
	}
	x.Model = otherwise(res.model, x.Model)
	return nil
}

// sealed refuses a request in which a guardrail would change what cannot be changed. To send it unchanged would let through
// what the guardrail meant to take out.
func (g *Guardrail) sealed(kind openai.TextKind) error {
	what := "names and values in the definitions of tools"
	if kind == openai.Reasoning || kind == openai.Refusal {
		what = "thinking with a signature, which the vendor would refuse if it was changed"
	}
	return g.rejection(&result{status: 400, reason: "Guardrail " + g.name + " would change a part of this request that cannot be changed: " +
		what + ". Send the request without it."})
}

// edited returns a copy of the body with the texts and the model replaced.
func edited(o *llm.Object, texts []openai.Text, res *result) []byte {
	size := len(o.Raw()) + len(res.model)
	for _, e := range res.edits {
		size += len(e.Text) + len(e.Text)/8 + 2
	}
	var model llm.Span
	if i := o.Index("model"); i >= 0 {
		model = o.Members()[i].Value
	}
	at := func(i int) (llm.Span, openai.Form) { return texts[i].Text, texts[i].Form }
	slices.SortFunc(res.edits, func(a, b openai.Edit) int { // definitions come first, wherever they stand
		return texts[a.Index].Text.Start - texts[b.Index].Text.Start
	})
	return openai.AppendEdited(make([]byte, 0, size), o.Raw(), res.edits, at, model, res.model)
}

// setMembers returns the body with paths set and removed, or nil if none are.
func (g *Guardrail) setMembers(body []byte, x *llm.Exchange, res *result) (out []byte, err error) {
	for _, c := range res.changes {
		if c.tag == abi.TagSetHeader {
			continue
		}
		if err := settable(c.name); err != nil {
			return nil, err
		}
		switch {
		case c.tag == abi.TagRemove:
			out, err = dialect.Remove(nil, body, c.name)
		case !json.Valid([]byte(c.value)):
			err = fmt.Errorf("the value is not JSON")
		default:
			out, err = dialect.Set(nil, body, c.name, []byte(c.value))
		}
		if err != nil {
			return nil, broken("change of %q: %v", clean([]byte(c.name)), err)
		}
		body = out
	}
	if len(res.metadata) == 0 {
		return out, nil
	}
	at := "metadata."
	if x.Body.Get("metadata") == nil && x.Body.Get("litellm_metadata") != nil {
		at = "litellm_metadata."
	}
	escape := strings.NewReplacer(`\`, `\\`, `.`, `\.`)
	for key, value := range res.metadata {
		v, err := json.Marshal(value)
		if err == nil {
			out, err = dialect.Set(nil, body, at+escape.Replace(key), v)
		}
		if err != nil {
			return nil, broken("metadata %q of the request: %v", clean([]byte(key)), err)
		}
		body = out
	}
	return out, nil
}

// settable refuses what a path must not change, because the gateway has acted on it already or has a way of its own.
func settable(path string) error {
	switch first, _, _ := strings.Cut(path, "."); strings.ReplaceAll(first, `\`, "") {
	case "model":
		return broken("the path model: a hook sets the model by its own record")
	case "stream", "stream_options", "guardrails", "":
		return broken("the path %q: a hook cannot change it", clean([]byte(path)))
	}
	return nil
}

// redecode reads the controls anew, because they borrowed the former body.
func redecode(x *llm.Exchange) error {
	model, streamed, usage := x.Model, x.Streamed, x.WantUsage
	x.Controls = llm.Controls{Retries: -1, DropParams: -1}
	err := openai.Decode(x)
	if err == nil {
		err = openai.ApplyHeaders(x)
	}
	x.Model, x.Streamed, x.WantUsage = model, streamed, usage
	return err
}

// addTags adds tags to those the request has. They are put where a header has them, which all who read tags look at
// first.
func addTags(x *llm.Exchange, tags []string) {
	if len(tags) == 0 {
		return
	}
	all := openai.Tags(x)
	for _, tag := range tags {
		if !slices.Contains(all, tag) {
			all = append(all, tag)
		}
	}
	replaceHeader(x, "x-litellm-tags", strings.Join(all, ","))
}

// setHeader sets a header of the request that later hooks, vendors, and pass-through endpoints that forward headers see.
// Only names that begin with x- can be set, and none that the gateway takes for a credential or a control of its own.
func (g *Guardrail) setHeader(x *llm.Exchange, name, value string) error {
	name = strings.ToLower(name)
	switch {
	case !strings.HasPrefix(name, "x-") || strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}):
		return broken("the header %q: a hook sets headers that begin with x-", clean([]byte(name)))
	case strings.HasPrefix(name, "x-litellm-"), strings.HasPrefix(name, "x-forwarded-"), g.p.secretHeader(name):
		return broken("the header %q is the gateway's own", name)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return broken("the value of the header %q holds a control character", name)
	}
	replaceHeader(x, name, value)
	x.Added = slices.DeleteFunc(x.Added, func(f llm.Field) bool { return llm.EqualFold(f.Name, name) })
	x.Added = append(x.Added, x.Header[len(x.Header)-1])
	return nil
}

func replaceHeader(x *llm.Exchange, name, value string) {
	x.Header = slices.DeleteFunc(x.Header, func(f llm.Field) bool { return llm.EqualFold(f.Name, name) })
	x.Header = append(x.Header, llm.Field{Name: []byte(name), Value: []byte(value)})
}
