package anthropic

import (
	"bytes"
	"encoding/base64"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// parts says which parts a content may have.
type parts uint8

const (
	textOnly parts = iota
	assistantParts
	userParts
)

// content writes the content of a message as blocks. Empty texts, which the API does not take, are left out. A
// cache_control of the message marks its last block.
func (n *encoder) content(m *message, allow parts) error {
	switch {
	case m.content == nil:
		return nil
	case m.content[0] == '"':
		n.text(m.content, m.cache)
		return nil
	case m.content[0] != '[':
		return m.bad(".content", "must be a string or a list of parts")
	}
	last := -1
	if m.cache != nil {
		for c := dialect.Array(m.content); c.Next(); {
			last++
		}
	}
	i := 0
	for c := dialect.Array(m.content); c.Next(); i++ {
		var cache []byte
		if i == last {
			cache = m.cache
		}
		if err := n.part(m, c.Value(), ".content["+number(i)+"]", allow, cache); err != nil {
			return err
		}
	}
	return nil
}

func (n *encoder) text(v, cache []byte) {
	if blank(v) {
		return
	}
	n.comma()
	n.put(`{"type":"text","text":`)
	n.raw(v)
	n.cacheControl(cache)
	n.put("}")
}

// part writes one part. Parts in the API's own form go out as they are.
func (n *encoder) part(m *message, raw []byte, at string, allow parts, cache []byte) error {
	if raw[0] == '"' {
		n.text(raw, cache)
		return nil
	}
	kind := dialect.Get(raw, "type")
	if own := dialect.Get(raw, "cache_control"); !dialect.Null(own) {
		cache = own
	}
	switch string(kind) {
	case `"text"`, `"input_text"`, `"output_text"`, `"refusal"`:
		return n.textPart(m, raw, at, cache)
	}
	if allow != textOnly && n.native(kind, raw, allow) {
		if string(kind) == `"container_upload"` || string(dialect.Get(dialect.Get(raw, "source"), "type")) == `"file"` {
			n.use(betaFiles)
		}
		n.comma()
		n.raw(raw)
		return nil
	}
	if allow == userParts {
		switch string(kind) {
		case `"image_url"`:
			return n.image(m, raw, at, cache)
		case `"file"`:
			return n.file(m, dialect.Get(raw, "file"), at, cache)
		}
	}
	word, _ := llm.Text(kind)
	return m.bad(at, "is of the type "+string(word[:min(len(word), 64)])+", which cannot be sent to "+Name+" in this place")
}

func (n *encoder) textPart(m *message, raw []byte, at string, cache []byte) error {
	v := dialect.Get(raw, "text")
	if v == nil {
		v = dialect.Get(raw, "refusal")
	}
	if len(v) == 0 || v[0] != '"' {
		return m.bad(at+".text", "must be a string")
	}
	if cited := dialect.Get(raw, "citations"); !dialect.Null(cited) && !blank(v) {
		n.comma()
		n.put(`{"type":"text","text":`)
		n.raw(v)
		n.put(`,"citations":`)
		n.raw(cited)
		n.cacheControl(cache)
		n.put("}")
		return nil
	}
	n.text(v, cache)
	return nil
}

// native reports whether a part is a content block of the API. A caller who speaks the API may send kinds that are not
// known here.
func (n *encoder) native(kind, raw []byte, allow parts) bool {
	switch string(kind) {
	case `"thinking"`, `"redacted_thinking"`, `"tool_use"`, `"server_tool_use"`, `"mcp_tool_use"`:
		return allow == assistantParts
	case `"tool_result"`, `"search_result"`, `"container_upload"`, `"mcp_tool_result"`, `"web_search_tool_result"`,
		`"web_fetch_tool_result"`, `"code_execution_tool_result"`:
		return true
	case `"image"`, `"document"`:
		return dialect.Get(raw, "source") != nil
	case `"image_url"`, `"file"`, `"input_audio"`, "":
		return false
	}
	return n.x.Dialect == llm.DialectMessages
}

// image writes an image_url, which is an address or holds the image. Its detail has no counterpart and is a hint.
// https://platform.claude.com/docs/en/build-with-claude/vision
func (n *encoder) image(m *message, raw []byte, at string, cache []byte) error {
	v, format := dialect.Get(raw, "image_url"), []byte(nil)
	if len(v) > 0 && v[0] == '{' {
		format = dialect.Get(v, "format")
		v = dialect.Get(v, "url")
	}
	url, ok := llm.Text(v)
	if !ok || len(url) == 0 {
		return m.bad(at+".image_url.url", "must be an address or a data URL")
	}
	return n.source(m, url, format, file{}, at+".image_url.url", "image", cache)
}

// file writes a file: one that is uploaded, one at an address, or one that the request holds.
// https://platform.claude.com/docs/en/build-with-claude/pdf-support, https://platform.claude.com/docs/en/build-with-claude/files
func (n *encoder) file(m *message, f []byte, at string, cache []byte) error {
	format := dialect.Get(f, "format")
	about := file{dialect.Get(f, "filename"), dialect.Get(f, "context"), dialect.Get(f, "citations")}
	if data, ok := llm.Text(dialect.Get(f, "file_data")); ok {
		return n.source(m, data, format, about, at+".file.file_data", "document", cache)
	}
	id, ok := llm.Text(dialect.Get(f, "file_id"))
	if !ok || len(id) == 0 {
		return m.bad(at+".file", "must have file_data or file_id")
	}
	if address(id) {
		return n.source(m, id, format, about, at+".file.file_id", "document", cache)
	}
	kind, _ := llm.Text(format)
	n.use(betaFiles)
	n.openSource(blockOf(kind, "document"), `"file","file_id":`)
	n.quoted(id)
	n.closeSource(blockOf(kind, "document"), about, cache)
	return nil
}

func address(s []byte) bool {
	return bytes.HasPrefix(s, []byte("https://")) || bytes.HasPrefix(s, []byte("http://"))
}

// source writes an image or a document from an address or a data URL. What it is, is said by the type in the data URL,
// or by format, and else it is an other.
func (n *encoder) source(m *message, url, format []byte, about file, at, other string, cache []byte) error {
	kind, _ := llm.Text(format)
	if address(url) {
		n.openSource(blockOf(kind, other), `"url","url":`)
		n.quoted(url)
		n.closeSource(blockOf(kind, other), about, cache)
		return nil
	}
	media, data, ok := dataURL(url)
	if !ok {
		return m.bad(at, "must be an address that begins with https:// or a data URL with base64")
	}
	if len(kind) == 0 {
		kind = media
	}
	if string(kind) == "text/plain" {
		return n.plain(m, data, about, at, cache)
	}
	if !bytes.HasPrefix(kind, []byte("image/")) && string(kind) != "application/pdf" {
		return m.bad(at, "is of the type "+string(kind[:min(len(kind), 64)])+": "+Name+" takes images, application/pdf and text/plain")
	}
	n.openSource(blockOf(kind, other), `"base64","media_type":`)
	n.quoted(kind)
	n.put(`,"data":`)
	n.quoted(data)
	n.closeSource(blockOf(kind, other), about, cache)
	return nil
}

func blockOf(kind []byte, other string) string {
	switch {
	case bytes.HasPrefix(kind, []byte("image/")):
		return "image"
	case len(kind) > 0:
		return "document"
	}
	return other
}

func (n *encoder) openSource(block, source string) {
	n.comma()
	n.put(`{"type":"` + block + `","source":{"type":` + source)
}

// file is what is said of a document besides its source. The values are JSON as written, or nil.
type file struct{ name, context, citations []byte }

// closeSource ends a source and its block. The file's name becomes the title of a document.
func (n *encoder) closeSource(block string, f file, cache []byte) {
	n.put("}")
	if block == "document" {
		if len(f.name) > 2 && f.name[0] == '"' {
			n.put(`,"title":`)
			n.raw(f.name)
		}
		if !dialect.Null(f.context) {
			n.put(`,"context":`)
			n.raw(f.context)
		}
		if !dialect.Null(f.citations) {
			n.put(`,"citations":`)
			n.raw(f.citations)
		}
	}
	n.cacheControl(cache)
	n.put("}")
}

// plain writes a document that is plain text.
func (n *encoder) plain(m *message, data []byte, about file, at string, cache []byte) error {
	text, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		return m.bad(at, "is not base64")
	}
	n.openSource("document", `"text","media_type":"text/plain","data":`)
	n.quoted(text)
	n.closeSource("document", about, cache)
	return nil
}

// dataURL takes apart data:image/png;base64,...
func dataURL(url []byte) (media, data []byte, ok bool) {
	rest, ok := bytes.CutPrefix(url, []byte("data:"))
	if !ok {
		return nil, nil, false
	}
	head, data, ok := bytes.Cut(rest, []byte(","))
	if !ok || !bytes.HasSuffix(head, []byte(";base64")) {
		return nil, nil, false
	}
	media, _, _ = bytes.Cut(head, []byte(";"))
	return media, data, len(media) > 0
}
