package openai

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Plain makes a chat that came in another dialect a request that vendors of this API take: the extensions that carry
// what only the other dialect has are told in the API's own words where it has any. Hints, such as cache_control and
// the signatures of thinking, are left out; they change nothing about the answer. What would change it is refused by
// name, or left out if Drop is set.
type Plain struct {
	Vendor    string // in errors
	Drop      bool
	Reasoning bool // the vendor wants to have its reasoning_content back
	Cache     bool // the vendor knows cache_control
	NewLimit  bool // max_tokens is to be called max_completion_tokens

	b      dialect.Builder
	images [][]byte // results of tools that are no text, until a message can hold them
}

// Append appends the request that says what o says. An error is an *llm.Error of kind llm.KindBadRequest.
func (p *Plain) Append(dst []byte, o *llm.Object) ([]byte, error) {
	p.b, p.images = dialect.Build(dst), nil
	p.b.Open('{')
	for _, m := range o.Members() {
		if err := p.member(o, string(o.Key(m)), o.Value(m)); err != nil {
			return dst, err
		}
	}
	return p.b.Close('}').Bytes(), nil
}

func (p *Plain) member(o *llm.Object, key string, v []byte) error {
	switch key {
	case "messages":
		return p.messages(v)
	case "tools":
		return p.tools(o, v)
	case "thinking", "output_config", "output_format", "context_management", "cache_control", "speed":
		return nil // told by reasoning_effort and response_format, or hints
	case "previous_response_id":
		return p.refuse(key, "names a response that the gateway does not keep")
	case "mcp_servers", "container", "inference_geo",
		"generation_config", "tool_config", "safety_settings", "cached_content", "model_armor_config":
		if dialect.Null(v) || string(v) == "[]" {
			return nil
		}
		return p.refuse(key, "has no counterpart in the API of "+p.Vendor)
	case "tool_choice":
		if f := dialect.Get(v, "function"); f != nil {
			p.b.Key(key).Open('{').Key("type").Lit(`"function"`).Key("function")
			p.named(f)
			p.b.Close('}')
			return nil
		}
	case "max_tokens":
		if p.NewLimit && o.Index("max_completion_tokens") < 0 {
			key = "max_completion_tokens"
		}
	}
	p.b.Key(key).Raw(v)
	return nil
}

// refuse is the error for what cannot be carried; nil if it may be left out.
func (p *Plain) refuse(at, problem string) error {
	if p.Drop {
		return nil
	}
	return &llm.Error{
		Op: "openai.Plain", Kind: llm.KindBadRequest, Provider: p.Vendor, Type: "invalid_request_error", Param: at,
		Message: "`" + at + "` " + problem + ": remove it or set drop_params.",
	}
}

// tools writes the functions. A search on the web becomes web_search_options; other tools that a vendor defines exist
// at this vendor only.
func (p *Plain) tools(o *llm.Object, v []byte) error {
	n := p.b.Len()
	p.b.Key("tools").Open('[')
	i, count := 0, 0
	var search []byte
	for c := dialect.Array(v); c.Next(); i++ {
		raw := c.Value()
		kind, _ := llm.Text(dialect.Get(raw, "type"))
		function := dialect.Get(raw, "function")
		switch {
		case len(function) > 0 && function[0] == '{':
			count++
			p.b.Open('{').Key("type").Lit(`"function"`).Key("function")
			p.named(function)
			if p.Cache {
				p.b.Member("cache_control", dialect.Get(raw, "cache_control"))
			}
			p.b.Close('}')
		case string(kind) == "custom":
			count++
			p.b.Raw(raw)
		case bytes.HasPrefix(kind, []byte("web_search")):
			search = raw
		default:
			at := "tools[" + strconv.Itoa(i) + "]"
			if c := dialect.Object(raw); len(kind) == 0 && c.Next() { // {"codeExecution":{}}
				kind = c.Key()
			}
			if err := p.refuse(at, "is the tool "+clipped(kind)+", which "+p.Vendor+" does not have"); err != nil {
				return err
			}
		}
	}
	p.b.Close(']')
	if count == 0 {
		p.b.Cut(n)
	}
	if search == nil || o.Index("web_search_options") >= 0 {
		return nil
	}
	return p.search(search)
}

func clipped(b []byte) string { return string(b[:min(len(b), 64)]) }

// named writes an object with a name that the vendor takes.
func (p *Plain) named(object []byte) {
	if len(object) == 0 || object[0] != '{' || len(dialect.ShortToolName(dialect.Get(object, "name"))) == len(dialect.Get(object, "name")) {
		p.b.Raw(object)
		return
	}
	p.b.Open('{')
	for c := dialect.Object(object); c.Next(); {
		v := c.Value()
		if string(c.Key()) == "name" {
			v = dialect.ShortToolName(v)
		}
		p.b.Key(string(c.Key())).Raw(v)
	}
	p.b.Close('}')
}

// search writes web_search_options (https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat).
func (p *Plain) search(tool []byte) error {
	for _, key := range []string{"allowed_domains", "blocked_domains"} {
		if list := dialect.Get(tool, key); !dialect.Null(list) && string(list) != "[]" {
			if err := p.refuse("tools.web_search."+key, "has no counterpart in the API of "+p.Vendor); err != nil {
				return err
			}
		}
	}
	p.b.Key("web_search_options").Open('{')
	if size := dialect.Get(tool, "search_context_size"); !dialect.Null(size) {
		p.b.Key("search_context_size").Raw(size)
	}
	if place := dialect.Get(tool, "user_location"); len(place) > 0 && place[0] == '{' {
		p.b.Key("user_location").Open('{').Key("type").Lit(`"approximate"`).Key("approximate").Open('{')
		for c := dialect.Object(place); c.Next(); {
			if key := string(c.Key()); key != "type" && key != "approximate" {
				p.b.Member(key, c.Value())
			}
		}
		p.b.Close('}').Close('}')
	}
	p.b.Close('}')
	return nil
}

// messages writes the messages. Images that tools gave follow the results in a message of the user, as results are text.
func (p *Plain) messages(v []byte) error {
	p.b.Key("messages").Open('[')
	i := 0
	for c := dialect.Array(v); c.Next(); i++ {
		role := dialect.Get(c.Value(), "role")
		if string(role) != `"tool"` {
			p.shown()
		}
		if err := p.message(c.Value(), role, "messages["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	p.shown()
	p.b.Close(']')
	return nil
}

// shown writes the images that tools gave.
func (p *Plain) shown() {
	if len(p.images) == 0 {
		return
	}
	p.b.Open('{').Key("role").Lit(`"user"`).Key("content").Open('[')
	for _, part := range p.images {
		p.b.Raw(part)
	}
	p.b.Close(']').Close('}')
	p.images = nil
}

func (p *Plain) message(raw, role []byte, at string) error {
	tool := string(role) == `"tool"`
	failed := string(dialect.Get(raw, "is_error")) == "true"
	p.b.Open('{')
	for c := dialect.Object(raw); c.Next(); {
		v := c.Value()
		switch key := string(c.Key()); key {
		case "content":
			p.b.Key(key)
			if err := p.content(v, at+".content", tool, failed); err != nil {
				return err
			}
		case "cache_control":
			if p.Cache {
				p.b.Key(key).Raw(v)
			}
		case "reasoning_content":
			if p.Reasoning {
				p.b.Key(key).Raw(v)
			}
		case "thinking_blocks":
			p.reasoning(raw, v)
		case "provider_specific_fields":
			if blocks := dialect.Get(v, "blocks"); len(blocks) > 2 {
				kind, _ := llm.Text(dialect.Get(first(blocks), "type"))
				if err := p.refuse(at, "holds a block of the type "+clipped(kind)+", which cannot be sent to "+p.Vendor); err != nil {
					return err
				}
			}
		case "is_error":
		case "tool_calls":
			p.calls(v)
		default:
			p.b.Key(key).Raw(v)
		}
	}
	p.b.Close('}')
	return nil
}

func first(list []byte) []byte {
	c := dialect.Array(list)
	if c.Next() {
		return c.Value()
	}
	return nil
}

// reasoning writes what the model thought for vendors that want it back.
func (p *Plain) reasoning(message, blocks []byte) {
	if !p.Reasoning || dialect.Get(message, "reasoning_content") != nil {
		return
	}
	var all []byte
	for c := dialect.Array(blocks); c.Next(); {
		if s := dialect.Get(c.Value(), "thinking"); len(s) > 2 && s[0] == '"' {
			all = append(all, s[1:len(s)-1]...)
		}
	}
	if all != nil {
		p.b.Key("reasoning_content").Lit(`"` + string(all) + `"`)
	}
}

func (p *Plain) calls(v []byte) {
	p.b.Key("tool_calls").Open('[')
	for c := dialect.Array(v); c.Next(); {
		p.b.Open('{')
		for in := dialect.Object(c.Value()); in.Next(); {
			switch key := string(in.Key()); key {
			case "cache_control", "caller", "provider_specific_fields":
			case "function":
				p.b.Key(key)
				p.named(in.Value())
			default:
				p.b.Key(key).Raw(in.Value())
			}
		}
		p.b.Close('}')
	}
	p.b.Close(']')
}

// content writes a content. That of a tool's result is text; a failed one says so in front of it.
func (p *Plain) content(v []byte, at string, tool, failed bool) error {
	const mark = "Error: "
	if len(v) == 0 || v[0] != '[' {
		if failed && len(v) > 1 && v[0] == '"' {
			p.b.Lit(`"` + mark + string(v[1:]))
			return nil
		}
		p.b.Raw(v)
		return nil
	}
	p.b.Open('[')
	if failed {
		p.b.Open('{').Key("type").Lit(`"text"`).Key("text").Quote(mark).Close('}')
	}
	n, i, shown := p.b.Len(), 0, len(p.images)
	for c := dialect.Array(v); c.Next(); i++ {
		if err := p.part(c.Value(), at+"["+strconv.Itoa(i)+"]", tool); err != nil {
			return err
		}
	}
	if tool && len(p.images) > shown {
		p.b.Open('{').Key("type").Lit(`"text"`).Key("text").Quote("(The images follow in the next message.)").Close('}')
	}
	if p.b.Len() == n && !failed { // nothing is left, and an empty list is refused
		p.b.Open('{').Key("type").Lit(`"text"`).Key("text").Lit(`""`).Close('}')
	}
	p.b.Close(']')
	return nil
}

func (p *Plain) part(raw []byte, at string, tool bool) error {
	kind, _ := llm.Text(dialect.Get(raw, "type"))
	if dialect.Get(raw, "google_part") != nil {
		if err := p.refuse(at+".google_part", "has no counterpart in the API of "+p.Vendor); err != nil {
			return err
		}
	}
	if tool && (string(kind) == "image_url" || string(kind) == "file" && !textFile(raw)) {
		n := p.b.Len()
		if err := p.part(raw, at, false); err != nil {
			return err
		}
		p.images = append(p.images, bytes.Clone(bytes.TrimPrefix(p.b.Bytes()[n:], []byte(","))))
		p.b.Cut(n)
		return nil
	}
	switch string(kind) {
	case "text":
		p.b.Open('{').Key("type").Lit(`"text"`).Member("text", dialect.Get(raw, "text"))
		p.cache(raw)
		p.b.Close('}')
		return nil
	case "image_url":
		p.b.Open('{').Key("type").Lit(`"image_url"`).Member("image_url", dialect.Get(raw, "image_url"))
		p.cache(raw)
		p.b.Close('}')
		return nil
	case "file":
		return p.file(raw, at)
	case "document":
		if source := dialect.Get(raw, "source"); string(dialect.Get(source, "type")) == `"text"` {
			text, _ := llm.Text(dialect.Get(source, "data"))
			p.document(dialect.Get(raw, "title"), string(text))
			return nil
		}
		return p.texts(raw, dialect.Get(dialect.Get(raw, "source"), "content"), at)
	case "search_result":
		return p.texts(raw, dialect.Get(raw, "content"), at)
	case "refusal", "input_audio", "video_url", "audio_url":
		p.b.Raw(raw)
		return nil
	}
	return p.refuse(at, "is of the type "+clipped(kind)+", which cannot be sent to "+p.Vendor)
}

func (p *Plain) cache(raw []byte) {
	if p.Cache {
		p.b.Member("cache_control", dialect.Get(raw, "cache_control"))
	}
}

// textFile reports whether a file is plain text that the request holds.
func textFile(raw []byte) bool {
	return bytes.HasPrefix(dialect.Get(dialect.Get(raw, "file"), "file_data"), []byte(`"data:text/plain`))
}

// file writes a file. Plain text becomes a text, as the API takes other formats only
// (https://platform.openai.com/docs/guides/pdf-files).
func (p *Plain) file(raw []byte, at string) error {
	f := dialect.Get(raw, "file")
	name, data := dialect.Get(f, "filename"), dialect.Get(f, "file_data")
	if textFile(raw) {
		url, _ := llm.Text(data)
		_, payload, ok := DataURL(url)
		text, err := base64.StdEncoding.DecodeString(string(payload))
		if !ok || err != nil {
			return p.refuse(at+".file.file_data", "is not base64")
		}
		p.document(name, string(text))
		return nil
	}
	if id, ok := llm.Text(dialect.Get(f, "file_id")); ok && (bytes.HasPrefix(id, []byte("https://")) || bytes.HasPrefix(id, []byte("http://"))) {
		return p.refuse(at+".file.file_id", "is an address, and "+p.Vendor+" takes no files from addresses")
	}
	p.b.Open('{').Key("type").Lit(`"file"`).Key("file").Open('{')
	for _, key := range [...]string{"file_id", "file_data"} {
		p.b.Member(key, dialect.Get(f, key))
	}
	switch {
	case !dialect.Null(name):
		p.b.Key("filename").Raw(name)
	case data != nil:
		p.b.Key("filename").Lit(`"document.pdf"`)
	}
	p.b.Close('}').Close('}')
	return nil
}

// document writes a text with a title.
func (p *Plain) document(title []byte, text string) {
	if s, ok := llm.Text(title); ok && len(s) > 0 {
		text = string(s) + "\n\n" + text
	}
	p.b.Open('{').Key("type").Lit(`"text"`).Key("text").Quote(text).Close('}')
}

// texts writes a document that consists of texts as one.
func (p *Plain) texts(raw, content []byte, at string) error {
	var all strings.Builder
	if s, ok := llm.Text(dialect.Get(raw, "source")); ok {
		all.WriteString(string(s) + "\n\n")
	}
	if s, ok := llm.Text(content); ok {
		all.Write(s)
	}
	for c := dialect.Array(content); c.Next(); {
		s, ok := llm.Text(dialect.Get(c.Value(), "text"))
		if !ok {
			if err := p.refuse(at, "holds something else than text, which cannot be sent to "+p.Vendor); err != nil {
				return err
			}
			continue
		}
		all.Write(s)
		all.WriteString("\n")
	}
	p.document(dialect.Get(raw, "title"), all.String())
	return nil
}
