package anthropic

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// messages writes the system blocks and the messages.
func (t *translator) messages(v []byte) error {
	t.b.Key("messages").Open('[')
	if system := t.o.Get("system"); !dialect.Null(system) && string(system) != "[]" && string(system) != `""` {
		t.b.Open('{').Key("role").Lit(`"system"`).Key("content")
		if err := t.parts(system, "system"); err != nil {
			return err
		}
		t.b.Close('}')
	}
	if len(v) > 0 && v[0] != '[' {
		return invalid("messages", "must be a list")
	}
	i := 0
	for c := dialect.Array(v); c.Next(); i++ {
		at := item("messages", i)
		if err := parse(&t.message, c.Value(), at); err != nil {
			return err
		}
		if err := t.turn(at); err != nil {
			return err
		}
	}
	t.b.Close(']')
	return nil
}

// turn writes a message. The results of tools become messages of their own, before what else the user says, as chat
// completions wants them right behind the calls.
func (t *translator) turn(at string) error {
	role, content := t.message.Get("role"), t.message.Get("content")
	if dialect.Null(content) {
		return invalid(at+".content", "is missing")
	}
	for _, m := range t.message.Members() {
		if key := string(t.message.Key(m)); key != "role" && key != "content" && t.lost == nil {
			t.lost = invalid(at+"."+key, "has no counterpart in chat completions")
		}
	}
	switch string(role) {
	case `"assistant"`:
		return t.assistant(content, at)
	case `"user"`, `"system"`:
	default:
		return invalid(at+".role", "must be user, assistant or system")
	}
	rest := true
	if content[0] == '[' {
		var err error
		if rest, err = t.toolResults(content, at+".content"); err != nil {
			return err
		}
	}
	if !rest {
		return nil
	}
	t.b.Open('{').Key("role").Raw(role).Key("content")
	if err := t.parts(content, at+".content"); err != nil {
		return err
	}
	t.b.Close('}')
	return nil
}

// toolResults writes the results of tools among the blocks, and reports whether there is anything else.
func (t *translator) toolResults(content []byte, at string) (rest bool, err error) {
	i, results := 0, 0
	for c := dialect.Array(content); c.Next(); i++ {
		if err := parse(&t.block, c.Value(), item(at, i)); err != nil {
			return false, err
		}
		if string(t.block.Get("type")) != `"tool_result"` {
			rest = true
			continue
		}
		results++
		if err := t.toolResult(item(at, i)); err != nil {
			return false, err
		}
	}
	return rest || results == 0, nil
}

func (t *translator) toolResult(at string) error {
	id, content := t.block.Get("tool_use_id"), t.block.Get("content")
	if len(id) < 3 || id[0] != '"' {
		return invalid(at+".tool_use_id", "is missing: it says which call the result is of")
	}
	failed, cache := t.block.Get("is_error"), t.block.Get("cache_control")
	t.b.Open('{').Key("role").Lit(`"tool"`).Key("tool_call_id").Raw(id).Key("content")
	if dialect.Null(content) {
		t.b.Lit(`""`)
	} else if err := t.partsOf(&t.inner, content, at+".content"); err != nil {
		return err
	}
	if string(failed) == "true" {
		t.b.Key("is_error").Lit("true")
	}
	if !dialect.Null(cache) {
		t.b.Key("cache_control").Raw(cache)
	}
	t.b.Close('}')
	return nil
}

// parts writes a content of text, images and documents.
func (t *translator) parts(content []byte, at string) error { return t.partsOf(&t.block, content, at) }

func (t *translator) partsOf(block *llm.Object, content []byte, at string) error {
	switch content[0] {
	case '"':
		t.b.Raw(content)
		return nil
	case '[':
	default:
		return invalid(at, "must be a string or a list of blocks")
	}
	t.b.Open('[')
	i := 0
	for c := dialect.Array(content); c.Next(); i++ {
		if err := parse(block, c.Value(), item(at, i)); err != nil {
			return err
		}
		if err := t.part(block, item(at, i)); err != nil {
			return err
		}
	}
	t.b.Close(']')
	return nil
}

// part writes a block. One that chat completions has nothing for stays as it is.
func (t *translator) part(block *llm.Object, at string) error {
	switch string(block.Get("type")) {
	case `"text"`:
		if v := block.Get("text"); len(v) == 0 || v[0] != '"' {
			return invalid(at+".text", "must be a string")
		}
		t.b.Raw(block.Raw())
		return nil
	case `"image"`:
		return t.image(block, at)
	case `"document"`:
		return t.document(block, at)
	case `"tool_result"`:
		return nil // was written before
	case "", "null":
		return invalid(at+".type", "is missing")
	case `"tool_use"`, `"thinking"`, `"redacted_thinking"`:
		return invalid(at+".type", "is one that only messages of the assistant have")
	}
	t.b.Raw(block.Raw())
	return nil
}

// only reports whether the object has no members besides those named.
func only(o *llm.Object, names ...string) bool {
	for _, m := range o.Members() {
		known := false
		for _, name := range names {
			known = known || string(o.Key(m)) == name
		}
		if !known {
			return false
		}
	}
	return true
}

// image writes an image as an address or a data URL.
// https://platform.claude.com/docs/en/build-with-claude/vision
func (t *translator) image(block *llm.Object, at string) error {
	if err := parse(&t.source, block.Get("source"), at+".source"); err != nil {
		return err
	}
	if !only(block, "type", "source", "cache_control") {
		t.b.Raw(block.Raw())
		return nil
	}
	switch string(t.source.Get("type")) {
	case `"base64"`, `"url"`:
		t.b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{').Key("url")
		if err := t.address(at + ".source"); err != nil {
			return err
		}
		t.b.Close('}')
	case `"file"`:
		id, err := t.fileID(at)
		if err != nil {
			return err
		}
		t.b.Open('{').Key("type").Lit(`"file"`).Key("file").Open('{').Key("file_id").Raw(id)
		t.b.Key("format").Lit(`"image/*"`).Close('}')
	default:
		t.b.Raw(block.Raw())
		return nil
	}
	t.cacheControl(block)
	t.b.Close('}')
	return nil
}

func (t *translator) cacheControl(block *llm.Object) {
	if v := block.Get("cache_control"); !dialect.Null(v) {
		t.b.Key("cache_control").Raw(v)
	}
}

// fileID is the id of an uploaded file.
func (t *translator) fileID(at string) ([]byte, error) {
	id := t.source.Get("file_id")
	if len(id) < 3 || id[0] != '"' {
		return nil, invalid(at+".source.file_id", "must be the id of a file")
	}
	return id, nil
}

// address writes the source as an address or a data URL.
func (t *translator) address(at string) error {
	if string(t.source.Get("type")) == `"url"` {
		url := t.source.Get("url")
		if len(url) < 3 || url[0] != '"' {
			return invalid(at+".url", "must be a string")
		}
		t.b.Raw(url)
		return nil
	}
	media, data := t.source.Get("media_type"), t.source.Get("data")
	if len(media) < 3 || media[0] != '"' || len(data) < 2 || data[0] != '"' {
		return invalid(at, "must have media_type and data")
	}
	t.b.Lit(`"data:`)
	t.add(media[1:len(media)-1], []byte(";base64,"), data[1:])
	return nil
}

// document writes a document as a file. One that is text, or made of blocks, stays as it is.
// https://platform.claude.com/docs/en/build-with-claude/pdf-support
func (t *translator) document(block *llm.Object, at string) error {
	if err := parse(&t.source, block.Get("source"), at+".source"); err != nil {
		return err
	}
	kind := string(t.source.Get("type"))
	switch kind {
	case `"base64"`, `"url"`, `"file"`:
	default:
		t.b.Raw(block.Raw())
		return nil
	}
	if !only(block, "type", "source", "cache_control", "title", "context", "citations") {
		t.b.Raw(block.Raw())
		return nil
	}
	t.b.Open('{').Key("type").Lit(`"file"`).Key("file").Open('{')
	var err error
	switch kind {
	case `"base64"`:
		t.b.Key("file_data")
		err = t.address(at + ".source")
	case `"url"`:
		t.b.Key("file_id")
		err = t.address(at + ".source")
	case `"file"`:
		var id []byte
		if id, err = t.fileID(at); err == nil {
			t.b.Key("file_id").Raw(id)
		}
	}
	if err != nil {
		return err
	}
	for _, m := range [...]struct{ name, as string }{{"title", "filename"}, {"context", "context"}, {"citations", "citations"}} {
		if v := block.Get(m.name); !dialect.Null(v) {
			t.b.Key(m.as).Raw(v)
		}
	}
	t.b.Close('}')
	t.cacheControl(block)
	t.b.Close('}')
	return nil
}

// kind of a block of the assistant, in the order that the provider writes them in when nothing else is said.
type kind uint8

const (
	kThinking kind = iota
	kOther
	kText
	kCall
)

func kindOf(v []byte) kind {
	switch string(v) {
	case `"thinking"`, `"redacted_thinking"`:
		return kThinking
	case `"text"`:
		return kText
	case `"tool_use"`:
		return kCall
	}
	return kOther
}

func (k kind) String() string { return [...]string{"thinking", "blocks", "text", "tool_use"}[k] }

// assistant writes an answer of an earlier turn. Its blocks are sorted into the members that a chat completion has for
// them; where that would change their order, it is told in provider_specific_fields.order.
func (t *translator) assistant(content []byte, at string) error {
	at += ".content"
	t.b.Open('{').Key("role").Lit(`"assistant"`)
	if content[0] == '"' {
		t.b.Key("content").Raw(content).Close('}')
		return nil
	}
	if content[0] != '[' {
		return invalid(at, "must be a string or a list of blocks")
	}
	var count [4]int
	t.order = t.order[:0]
	sorted, plain := true, true
	var single []byte
	i := 0
	for c := dialect.Array(content); c.Next(); i++ {
		if err := t.checkAnswered(c.Value(), item(at, i)); err != nil {
			return err
		}
		k := kindOf(t.block.Get("type"))
		sorted = sorted && (len(t.order) == 0 || t.order[len(t.order)-1] <= k)
		t.order = append(t.order, k)
		count[k]++
		if k == kText {
			plain, single = plain && only(&t.block, "type", "text"), t.block.Get("text")
		}
	}
	t.b.Key("content")
	switch {
	case count[kText] == 0:
		t.b.Lit("null")
	case count[kText] == 1 && plain:
		t.b.Raw(single)
	default:
		t.b.Open('[')
		t.each(content, kText, func(raw []byte) { t.b.Raw(raw) })
		t.b.Close(']')
	}
	if count[kThinking] > 0 {
		t.b.Key("thinking_blocks").Open('[')
		t.each(content, kThinking, func(raw []byte) { t.b.Raw(raw) })
		t.b.Close(']')
	}
	if count[kCall] > 0 {
		t.b.Key("tool_calls").Open('[')
		t.each(content, kCall, t.call)
		t.b.Close(']')
	}
	if !sorted || count[kOther] > 0 {
		t.specific(content, !sorted, count[kOther] > 0)
	}
	t.b.Close('}')
	return nil
}

// each calls f with the blocks of a kind. t.block holds the block.
func (t *translator) each(content []byte, k kind, f func([]byte)) {
	i := 0
	for c := dialect.Array(content); c.Next(); i++ {
		if t.order[i] == k {
			_ = t.block.Parse(c.Value()) // it was read before
			f(c.Value())
		}
	}
}

// checkAnswered reads a block of the assistant into t.block.
func (t *translator) checkAnswered(raw []byte, at string) error {
	if err := parse(&t.block, raw, at); err != nil {
		return err
	}
	must := func(names ...string) error {
		for _, name := range names {
			if v := t.block.Get(name); len(v) == 0 || v[0] != '"' {
				return invalid(at+"."+name, "must be a string")
			}
		}
		return nil
	}
	switch string(t.block.Get("type")) {
	case "", "null":
		return invalid(at+".type", "is missing")
	case `"text"`:
		return must("text")
	case `"thinking"`:
		return must("thinking")
	case `"tool_use"`:
		if v := t.block.Get("input"); len(v) > 0 && v[0] != '{' {
			return invalid(at+".input", "must be an object")
		}
		return must("id", "name")
	case `"tool_result"`, `"image"`, `"document"`:
		return invalid(at+".type", "is one that only messages of the user have")
	}
	return nil
}

// call writes the call of a tool in t.block. Its input becomes a string that holds JSON.
func (t *translator) call([]byte) {
	input := bytes.TrimSpace(t.block.Get("input"))
	if len(input) == 0 {
		input = []byte("{}")
	}
	t.b.Open('{').Key("id").Raw(t.block.Get("id")).Key("type").Lit(`"function"`)
	t.b.Key("function").Open('{').Key("name").Raw(t.block.Get("name")).Key("arguments").Quote(string(input)).Close('}')
	for _, m := range t.block.Members() {
		switch key := string(t.block.Key(m)); key {
		case "type", "id", "name", "input":
		default: // cache_control, and what only this API knows of calls
			t.b.Key(key).Raw(t.block.Value(m))
		}
	}
	t.b.Close('}')
}

// specific writes the blocks that chat completions has nothing for, and the order of all.
func (t *translator) specific(content []byte, order, blocks bool) {
	t.b.Key("provider_specific_fields").Open('{')
	if blocks {
		t.b.Key("blocks").Open('[')
		t.each(content, kOther, func(raw []byte) { t.b.Raw(raw) })
		t.b.Close(']')
	}
	if order {
		t.b.Key("order").Open('[')
		for _, k := range t.order {
			t.b.Quote(k.String())
		}
		t.b.Close(']')
	}
	t.b.Close('}')
}
