package bedrock

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// messages writes the conversation. Turns must alternate, so messages of one side become one. The blocks are those of
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html.
func (w *writer) messages() error {
	w.b.Key("messages").Open('[')
	for i := range w.r.Messages {
		m := &w.r.Messages[i]
		var err error
		switch m.Role {
		case openai.RoleUser:
			err = w.user(m)
		case openai.RoleAssistant:
			err = w.assistant(m)
		case openai.RoleTool:
			err = w.result(m)
		}
		if err != nil {
			return err
		}
	}
	w.end()
	w.b.Close(']')
	return nil
}

// turn makes the message under way one of role. A message is begun with its first block, since none may be empty.
func (w *writer) turn(role string) {
	if w.role == role {
		return
	}
	w.end()
	w.role = role
	w.b.Open('{').Key("role").Quote(role).Key("content").Open('[')
}

func (w *writer) end() {
	if w.role != "" {
		w.b.Close(']').Close('}')
		w.role = ""
	}
}

// cache writes a cache point (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html) behind what is to
// be kept. Five minutes are the default; only the hour is named, as not every model takes a time.
func (w *writer) cache(control []byte) {
	if dialect.Null(control) {
		return
	}
	w.b.Open('{').Key("cachePoint").Open('{').Key("type").Lit(`"default"`)
	if ttl := dialect.Get(control, "ttl"); string(ttl) == `"1h"` {
		w.b.Member("ttl", ttl)
	}
	w.b.Close('}').Close('}')
}

func (w *writer) user(m *openai.ChatMessage) error {
	if err := w.parts(m, "user"); err != nil {
		return err
	}
	if m.Cache != nil {
		w.turn("user")
		w.cache(m.Cache)
	}
	return nil
}

func (w *writer) assistant(m *openai.ChatMessage) error {
	if err := w.thoughts(m); err != nil {
		return err
	}
	if err := w.parts(m, "assistant"); err != nil {
		return err
	}
	if len(m.Refusal) > 2 {
		w.turn("assistant")
		w.b.Open('{').Key("text").Raw(m.Refusal).Close('}')
	}
	for i := range m.Calls {
		c := &m.Calls[i]
		input, ok := c.Object()
		if !ok {
			return w.r.Bad(m.At(".tool_calls["+strconv.Itoa(i)+"].function.arguments"), "must be a JSON object, written as a string")
		}
		w.turn("assistant")
		w.b.Open('{').Key("toolUse").Open('{').Key("toolUseId").Quote(callID(c.ID)).Key("name").Raw(c.Name).Key("input").Raw(input)
		w.b.Close('}').Close('}')
		w.cache(c.Cache)
	}
	if m.Cache != nil && w.role == "assistant" {
		w.cache(m.Cache)
	}
	return nil
}

// callID is the id of a call in the form that the API takes: letters, digits, _ and -, not more than 64
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html). The ids of other vendors, which
// a conversation may bring along, can hold more. Call and result get the same one.
func callID(quoted []byte) string {
	id, _ := llm.Text(quoted)
	out := bytes.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			return c
		}
		return '_'
	}, id)
	return string(out[:min(len(out), 64)])
}

// result writes what a tool gave.
func (w *writer) result(m *openai.ChatMessage) error {
	w.turn("user")
	w.b.Open('{').Key("toolResult").Open('{').Key("toolUseId").Quote(callID(m.CallID)).Key("content").Open('[')
	cache := m.Cache
	for i := range m.Parts {
		p := &m.Parts[i]
		if err := w.part(m, p, true); err != nil {
			return err
		}
		if p.Cache != nil {
			cache = p.Cache // no cache point may stand within a result
		}
	}
	w.b.Close(']')
	if m.Failed {
		w.b.Key("status").Lit(`"error"`)
	}
	w.b.Close('}').Close('}')
	w.cache(cache)
	return nil
}

// parts writes the content of a message. The API takes no text without a character to see.
func (w *writer) parts(m *openai.ChatMessage, role string) error {
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind == openai.PartText && blank(p.Text) {
			continue
		}
		w.turn(role)
		if err := w.part(m, p, false); err != nil {
			return err
		}
		w.cache(p.Cache)
	}
	return nil
}

// blank reports whether a JSON string holds white space only.
func blank(quoted []byte) bool {
	s, ok := llm.Text(quoted)
	return ok && len(bytes.TrimSpace(s)) == 0
}

func (w *writer) part(m *openai.ChatMessage, p *openai.Part, result bool) error {
	switch p.Kind {
	case openai.PartText:
		w.b.Open('{').Key("text").Raw(p.Text).Close('}')
		return nil
	case openai.PartImage:
		return w.media(m, p, "image", imageFormat(p.Media.Type))
	case openai.PartVideo:
		return w.media(m, p, "video", videoFormat(p.Media.Type))
	case openai.PartFile:
		return w.file(m, p)
	case openai.PartAudio:
		if !result {
			return w.media(m, p, "audio", audioFormat(p.Media.Type))
		}
	case openai.PartOther:
		if w.other(p, result) {
			return nil
		}
	}
	return w.r.BadPart(m, p)
}

// other writes blocks that OpenAI's API does not have: text for a guardrail to look at, in the reference's form, thinking
// as Anthropic's API writes it, and blocks of Converse itself.
func (w *writer) other(p *openai.Part, result bool) bool {
	switch kind := string(p.Type); {
	case kind == `"guarded_text"` && !result:
		text := dialect.Get(p.Raw, "text")
		if len(text) < 2 || text[0] != '"' {
			return false
		}
		w.b.Open('{').Key("guardContent").Open('{').Key("text").Open('{').Key("text").Raw(text)
		w.b.Member("qualifiers", dialect.Get(p.Raw, "qualifiers")).Close('}').Close('}').Close('}')
		return true
	case (kind == `"thinking"` || kind == `"redacted_thinking"`) && !result:
		text, signature, data := pieceOf(p.Raw)
		w.thought(text, signature, data)
		return text != nil || data != nil
	}
	if string(p.Type) == `"search_result"` {
		return w.searchResult(p.Raw)
	}
	blocks := []string{"cachePoint", "guardContent", "searchResult", "citationsContent"}
	if result {
		blocks = []string{"json", "searchResult"}
	}
	for _, key := range blocks {
		if v := dialect.Get(p.Raw, key); p.Type == nil && len(v) > 0 && v[0] == '{' {
			w.b.Raw(p.Raw)
			return true
		}
	}
	return false
}

// searchResult writes a result of a search that the caller made, as Anthropic's API has it
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_SearchResultBlock.html).
func (w *writer) searchResult(raw []byte) bool {
	source, title, content := dialect.Get(raw, "source"), dialect.Get(raw, "title"), dialect.Get(raw, "content")
	if len(source) < 2 || source[0] != '"' || len(title) < 2 || title[0] != '"' || len(content) == 0 || content[0] != '[' {
		return false
	}
	for c := dialect.Array(content); c.Next(); {
		if text := dialect.Get(c.Value(), "text"); len(text) < 2 || text[0] != '"' {
			return false
		}
	}
	w.b.Open('{').Key("searchResult").Open('{').Key("source").Raw(source).Key("title").Raw(title).Key("content").Open('[')
	for c := dialect.Array(content); c.Next(); {
		w.b.Open('{').Key("text").Raw(dialect.Get(c.Value(), "text")).Close('}')
	}
	w.b.Close(']')
	if cited := dialect.Get(raw, "citations"); len(cited) > 0 && cited[0] == '{' {
		w.b.Member("citations", cited)
	}
	w.b.Close('}').Close('}')
	return true
}

func imageFormat(media []byte) string {
	switch strings.ToLower(string(media)) {
	case "image/png":
		return "png"
	case "image/jpeg", "image/jpg":
		return "jpeg"
	case "image/gif":
		return "gif"
	case "image/webp":
		return "webp"
	}
	return ""
}

// videoFormat follows https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_VideoBlock.html.
func videoFormat(media []byte) string {
	switch strings.ToLower(string(media)) {
	case "video/mp4":
		return "mp4"
	case "video/quicktime", "video/mov":
		return "mov"
	case "video/x-matroska", "video/mkv":
		return "mkv"
	case "video/webm":
		return "webm"
	case "video/x-flv", "video/flv":
		return "flv"
	case "video/mpeg":
		return "mpeg"
	case "video/mpg":
		return "mpg"
	case "video/x-ms-wmv", "video/wmv":
		return "wmv"
	case "video/3gpp":
		return "three_gp"
	}
	return ""
}

// audioFormat follows https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_AudioBlock.html.
func audioFormat(media []byte) string {
	kind, _ := strings.CutPrefix(strings.ToLower(string(media)), "audio/")
	switch kind {
	case "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm":
		return kind
	case "x-wav", "wave":
		return "wav"
	}
	return ""
}

// documentFormat follows https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html. What the
// media type does not say, the end of the file's name does.
func documentFormat(media []byte, name string) string {
	switch kind, _, _ := strings.Cut(strings.ToLower(string(media)), ";"); kind {
	case "application/pdf":
		return "pdf"
	case "text/csv":
		return "csv"
	case "application/msword":
		return "doc"
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return "docx"
	case "application/vnd.ms-excel":
		return "xls"
	case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return "xlsx"
	case "text/html":
		return "html"
	case "text/plain":
		return "txt"
	case "text/markdown", "text/x-markdown":
		return "md"
	}
	_, end, _ := strings.Cut(name, ".")
	switch end = strings.ToLower(end[strings.LastIndexByte(end, '.')+1:]); end {
	case "pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md":
		return end
	}
	return ""
}

// media writes an image, a sound or a film.
func (w *writer) media(m *openai.ChatMessage, p *openai.Part, kind, format string) error {
	if format == "" && p.Media.Type == nil && bucket(p.Media.ID) {
		id := string(p.Media.ID)
		format = id[strings.LastIndexByte(id, '.')+1:]
	}
	if len(p.Media.URL) > 0 {
		return w.source(m, p) // which refuses it
	}
	if format == "" {
		return w.r.BadMedia(m, p, "is of a type that Bedrock does not take as "+kind+": "+string(p.Media.Type[:min(len(p.Media.Type), 64)]))
	}
	w.b.Open('{').Key(kind).Open('{').Key("format").Quote(format)
	if err := w.source(m, p); err != nil {
		return err
	}
	w.b.Close('}').Close('}')
	return nil
}

// source writes where the content is: in the request, or in a bucket of the customer's.
func (w *writer) source(m *openai.ChatMessage, p *openai.Part) error {
	w.b.Key("source").Open('{')
	switch {
	case len(p.Media.Data) > 0:
		w.b.Key("bytes").QuoteBytes(p.Media.Data)
	case p.Media.Plain != nil:
		text, _ := llm.Text(p.Media.Plain)
		w.b.Key("bytes").Quote(base64.StdEncoding.EncodeToString(text))
	case bucket(p.Media.ID):
		w.b.Key("s3Location").Open('{').Key("uri").QuoteBytes(p.Media.ID).Close('}')
	case len(p.Media.URL) > 0:
		return w.r.BadMedia(m, p, "is at an address, which Bedrock does not fetch: send it as a data URL with base64, or name it as s3://bucket/key")
	default:
		return w.r.BadMedia(m, p, "is an uploaded file, which Bedrock does not know: send it as a data URL with base64, or name it as s3://bucket/key")
	}
	w.b.Close('}')
	return nil
}

func bucket(id []byte) bool { return bytes.HasPrefix(id, []byte("s3://")) }

// file writes a document, or an image that came as a file.
func (w *writer) file(m *openai.ChatMessage, p *openai.Part) error {
	if format := imageFormat(p.Media.Type); format != "" {
		return w.media(m, p, "image", format)
	}
	if format := videoFormat(p.Media.Type); format != "" {
		return w.media(m, p, "video", format)
	}
	name, _ := llm.Text(p.Media.Name)
	if name == nil && bucket(p.Media.ID) {
		name = p.Media.ID[bytes.LastIndexByte(p.Media.ID, '/')+1:]
	}
	if len(p.Media.URL) > 0 {
		return w.source(m, p) // which refuses it
	}
	format := documentFormat(p.Media.Type, string(name))
	if p.Media.Plain != nil && format == "" {
		format = "txt"
	}
	if len(p.Media.URL) > 0 {
		return w.source(m, p) // which refuses it
	}
	if format == "" {
		return w.r.BadMedia(m, p, "is of a type that Bedrock does not take as document: write its media type as `format`, or a filename that ends in pdf, csv, doc, docx, xls, xlsx, html, txt or md")
	}
	w.documents++
	w.b.Open('{').Key("document").Open('{').Key("format").Quote(format).Key("name").Quote(documentName(string(name), w.documents))
	if err := w.source(m, p); err != nil {
		return err
	}
	if cited := dialect.Get(p.Raw, "citations"); len(cited) > 0 && cited[0] == '{' {
		w.b.Member("citations", cited)
	}
	w.b.Member("context", dialect.Get(p.Raw, "context"))
	w.b.Close('}').Close('}')
	return nil
}

// documentName is a name that the API takes: letters, digits, single spaces, hyphens, parentheses and brackets, and a
// different one for each document of a request.
func documentName(name string, number int) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	name = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-()[]", c) {
			return c
		}
		return ' '
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if name == "" {
		name = "document"
	}
	name = name[:min(len(name), 180)]
	if number > 1 {
		name += " " + strconv.Itoa(number)
	}
	return name
}
