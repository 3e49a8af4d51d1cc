package openai

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// MediaPart is something in a message that is no text: an image, a sound, a video or a file.
type MediaPart struct {
	Message int    // index of the message, prompt or input; of an answer: the choice's index, or its place
	Role    string // of the message
	Type    string // "image", "audio", "video" or "file"; of a part that is neither text nor known, what it says its type is
	MIME    string // as the caller says; empty if he does not
	URL     string // where it is, if it is elsewhere
	ID      string // of an uploaded file, or of a sound that the vendor keeps
	Name    string // of a file
	Path    string // of the part in the body: names and indexes, joined by dots; empty of a file in a form
	Field   string // of a file in a form: the name of its field

	file []byte // of a file in a form; borrows it
	data []byte // base64 as written, without quotes; borrows the body
	own  bool   // the message has it: data may be empty
}

// Bytes appends what the message holds of the media. Data that is not base64 comes as it is written. It is nothing if the
// media is elsewhere.
func (m *MediaPart) Bytes(dst []byte) []byte {
	if m.Field != "" {
		return append(dst, m.file...)
	}
	text, ok := llm.AppendUnescaped(nil, m.data)
	if !ok {
		return append(dst, m.data...)
	}
	for _, e := range [...]*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if out, err := e.AppendDecode(dst, text); err == nil {
			return out
		}
	}
	return append(dst, text...)
}

// Size is how many bytes the message holds of the media. ok is false if the media is elsewhere.
func (m *MediaPart) Size() (size int, ok bool) {
	if !m.own {
		return 0, false
	}
	if m.Field != "" {
		return len(m.file), true
	}
	trimmed := bytes.TrimRight(m.data, "=")
	for _, c := range trimmed {
		if !wordByte(c) && c != '+' && c != '/' && c != '-' && c != '_' {
			return len(m.Bytes(nil)), true // escapes, line breaks, or what is not base64
		}
	}
	if len(trimmed)%4 == 1 || len(trimmed) < len(m.data) && len(m.data)%4 != 0 {
		return len(m.Bytes(nil)), true
	}
	return len(trimmed) * 3 / 4, true
}

// maxMedia is how many media a request or an answer may hold for whoever looks at them.
const maxMedia = 4096

// AppendMedia lists what is no text in a request: in its messages, prompts, inputs and documents, and in the members that
// hold a picture or a file to work on. Parts that are not known are listed too. It refuses what AppendTexts refuses.
func AppendMedia(dst []MediaPart, o *llm.Object) ([]MediaPart, error) {
	w := mediaWalk{list: dst}
	for _, m := range o.Members() {
		switch key := string(o.Key(m)); {
		case key == "messages" || key == "prompt" || key == "input" || key == "query" || key == "documents":
			w.messages(o.Value(m), key)
		case worked(key):
			w.worked(key, o.Value(m))
		}
	}
	return w.list, w.err
}

// worked reports whether a member of a request is something that is no text to work on: the pictures of an edit, the
// document of OCR, the picture that a video begins with.
func worked(key string) bool {
	switch key {
	case "image", "images", "mask", "document", "input_reference":
		return true
	}
	return false
}

// worked walks such a member: an address, an object with one, or a list of them.
func (w *mediaWalk) worked(key string, v []byte) {
	w.message, w.role = 0, ""
	kind := "image"
	if key == "document" {
		kind = "file"
	}
	one := func(v []byte, path string) {
		switch {
		case len(v) < 2:
		case v[0] == '"':
			w.described(kind, v, path)
		case v[0] == '{':
			before := len(w.list)
			w.part(v, path, 0)
			if n := len(w.list); n == before || n == before+1 && w.list[before].nowhere() {
				w.list = w.list[:before]
				w.described(kind, v, path)
			}
		}
	}
	if len(v) == 0 || v[0] != '[' {
		one(v, key)
		return
	}
	for c := dialect.Array(v); w.err == nil && c.Next(); w.message++ {
		one(c.Value(), key+"."+strconv.Itoa(w.message))
	}
}

// nowhere reports whether nobody says where the media is: it is a part that is not known.
func (m *MediaPart) nowhere() bool { return !m.own && m.URL == "" && m.ID == "" }

// AppendFormMedia lists the files of a form.
func AppendFormMedia(dst []MediaPart, f *llm.Form) ([]MediaPart, error) {
	w := mediaWalk{list: dst}
	for _, p := range f.Parts() {
		if !p.File {
			continue
		}
		m := MediaPart{Type: "file", Field: p.Name, Name: p.Filename, own: true, file: f.Value(p)}
		mime, _, _ := bytes.Cut(p.Type, []byte(";"))
		m.MIME = strings.ToLower(string(bytes.TrimSpace(mime)))
		switch strings.TrimSuffix(p.Name, "[]") {
		case "image", "images", "mask", "input_reference":
			m.Type = "image"
		}
		w.add(m)
	}
	return w.list, w.err
}

// AppendAnswerMedia lists what is no text in an answer: parts of the content, images, and a sound of the choices, and the
// images that a model for images made.
func AppendAnswerMedia(dst []MediaPart, answer []byte) ([]MediaPart, error) {
	w := mediaWalk{list: dst}
	w.choices(answer, "message")
	mime := pictureMIME(answer)
	n := 0
	for c := dialect.Array(dialect.Get(answer, "data")); w.err == nil && c.Next(); n++ {
		if w.message, w.role = n, ""; c.First() == '{' {
			w.picture(c.Value(), "data."+strconv.Itoa(n), mime)
		}
	}
	return w.list, w.err
}

// AppendChunkMedia lists what is no text in a chunk of a stream: images and sounds in what choices add, and in events of
// images and speech.
func AppendChunkMedia(dst []MediaPart, chunk []byte) ([]MediaPart, error) {
	w := mediaWalk{list: dst}
	w.choices(chunk, "delta")
	w.message, w.role = 0, ""
	w.picture(chunk, "", pictureMIME(chunk))
	if sound := dialect.Get(chunk, "audio"); len(sound) > 2 && sound[0] == '"' { // speech.audio.delta
		w.add(MediaPart{Type: "audio", Path: "audio", own: true, data: dialect.Inside(sound)})
	}
	for i := len(w.list) - 1; i >= len(dst); i-- {
		if m := &w.list[i]; m.Type == "audio" && !m.own && m.URL == "" {
			w.list = slices.Delete(w.list, i, i+1) // its transcript, or its end
		}
	}
	return w.list, w.err
}

func (w *mediaWalk) choices(v []byte, member string) {
	n := 0
	for c := dialect.Array(dialect.Get(v, "choices")); w.err == nil && c.Next(); n++ {
		w.message, w.role = n, ""
		if i := dialect.Get(c.Value(), "index"); len(i) > 0 {
			w.message = int(min(dialect.Int(i), 1<<20))
		}
		w.speaker(dialect.Get(c.Value(), member), "choices."+strconv.Itoa(n)+"."+member)
	}
}

// picture takes what a model for images made: base64, or an address.
func (w *mediaWalk) picture(v []byte, path, mime string) {
	at := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	if b := dialect.Get(v, "b64_json"); len(b) > 2 && b[0] == '"' {
		w.add(MediaPart{Type: "image", MIME: mime, Path: at("b64_json"), own: true, data: dialect.Inside(b)})
	}
	if u := dialect.Get(v, "url"); len(u) > 2 && u[0] == '"' {
		m := MediaPart{Type: "image", Path: at("url")}
		m.address(u)
		w.add(m)
	}
}

func pictureMIME(v []byte) string { return mimeOf("image", plainText(dialect.Get(v, "output_format"))) }

type mediaWalk struct {
	list    []MediaPart
	message int
	role    string
	err     error
}

func (w *mediaWalk) messages(v []byte, path string) {
	w.message, w.role = 0, ""
	if len(v) == 0 || v[0] != '[' {
		w.part(v, path, 0)
		return
	}
	for c := dialect.Array(v); w.err == nil && c.Next(); w.message++ {
		at := path + "." + strconv.Itoa(w.message)
		switch {
		case c.First() != '{':
			w.contents(c.Value(), at, 0)
		case path == "messages":
			w.speaker(c.Value(), at)
		default:
			w.part(c.Value(), at, 0)
		}
	}
}

// speaker walks a message.
func (w *mediaWalk) speaker(v []byte, path string) {
	w.role = plainText(dialect.Get(v, "role"))
	for c := dialect.Object(v); w.err == nil && c.Next(); {
		switch key := string(c.Key()); {
		case key == "content":
			w.contents(c.Value(), path+".content", 0)
		case key == "images":
			w.contents(c.Value(), path+".images", 0)
		case key == "audio" && c.First() == '{':
			w.described("audio", c.Value(), path+".audio")
		}
	}
}

func (w *mediaWalk) contents(v []byte, path string, depth int) {
	if depth > maxNesting {
		w.err = errNesting
		return
	}
	switch {
	case len(v) == 0:
	case v[0] == '[':
		i := 0
		for c := dialect.Array(v); w.err == nil && c.Next(); i++ {
			w.contents(c.Value(), path+"."+strconv.Itoa(i), depth+1)
		}
	case v[0] == '{':
		w.part(v, path, depth+1)
	}
}

// part walks a part of a content. Members count, not the type that it claims: what one vendor skips, another reads.
func (w *mediaWalk) part(v []byte, path string, depth int) {
	known, kind := false, ""
	for c := dialect.Object(v); w.err == nil && c.Next(); {
		switch key := string(c.Key()); key {
		case "type":
			kind = plainText(c.Value())
		case "text", "thinking", "refusal", "summary", "data", "tool_use_id":
			known = true
		case "content":
			known = true
			w.contents(c.Value(), path+".content", depth)
		case "image_url", "input_audio", "audio_url", "video_url", "file", "source", "image", "audio", "video", "document_url":
			if first := c.First(); first == '{' || first == '"' {
				known = true
				w.described(typeOf(key, v), c.Value(), path)
			}
		}
	}
	if !known && kind != "" && !wordy(kind) {
		w.add(MediaPart{Type: kind, Path: path})
	}
}

// typeOf is what a member of a part holds.
func typeOf(member string, part []byte) string {
	switch member {
	case "image_url", "image":
		return "image"
	case "input_audio", "audio_url", "audio":
		return "audio"
	case "video_url", "video":
		return "video"
	case "source":
		if kind := plainText(dialect.Get(part, "type")); kind == "image" || kind == "audio" || kind == "video" {
			return kind
		}
	}
	return "file"
}

// wordy reports whether a part of this type is no media although it has no text: calls of tools and the like.
func wordy(kind string) bool {
	switch kind {
	case "text", "input_text", "output_text", "summary_text", "refusal", "thinking", "redacted_thinking", "reasoning",
		"tool_use", "server_tool_use", "mcp_tool_use", "tool_result", "tool_reference":
		return true
	}
	return false
}

// described takes the media that a value describes: an address, or an object with one or with the data. Whatever of its
// members is there counts.
func (w *mediaWalk) described(kind string, v []byte, path string) {
	m := MediaPart{Type: kind, Path: path}
	if v[0] == '"' {
		m.address(v)
		w.add(m)
		return
	}
	plain := false
	for c := dialect.Object(v); c.Next(); {
		value := c.Value()
		switch string(c.Key()) {
		case "url", "file_data", "uri", "file_uri":
			m.address(value)
		case "data":
			if m.data = dialect.Inside(value); len(value) > 1 && value[0] == '"' {
				m.own = true
			}
		case "format":
			m.MIME = mimeOf(kind, plainText(value))
		case "media_type", "mime_type":
			m.MIME = plainText(value)
		case "file_id", "id":
			m.ID = plainText(value)
		case "filename", "name":
			m.Name = plainText(value)
		case "type":
			t := plainText(value)
			plain = t == "text" || t == "content" // of a document: its text is among the texts
		case "content":
			w.contents(value, path+".content", 1)
		}
	}
	if !plain {
		w.add(m)
	}
}

// mimeOf is the MIME type of a format: "wav" of a sound is "audio/wav".
func mimeOf(kind, format string) string {
	switch {
	case format == "" || strings.Contains(format, "/"):
		return format
	case kind == "audio" && format == "mp3":
		return "audio/mpeg"
	case kind == "file":
		return "application/" + format
	}
	return kind + "/" + format
}

// address takes an address, or data in the form of one (RFC 2397).
func (m *MediaPart) address(v []byte) {
	inside := dialect.Inside(v)
	if len(inside) < 5 || !bytes.EqualFold(inside[:5], []byte("data:")) {
		if text := plainText(v); text != "" {
			m.URL = text
		}
		return
	}
	m.own = true
	head, data, ok := bytes.Cut(inside[5:], []byte(","))
	if !ok {
		m.data = inside
		return
	}
	m.data = data
	mime, _, _ := bytes.Cut(head, []byte(";"))
	if text, ok := llm.AppendUnescaped(nil, mime); ok && len(text) > 0 {
		m.MIME = strings.ToLower(string(text))
	}
}

func (w *mediaWalk) add(m MediaPart) {
	if len(w.list) == maxMedia {
		w.err = errTexts
		return
	}
	m.Message, m.Role = w.message, w.role
	for _, kind := range [...]string{"image", "audio", "video"} {
		if strings.HasPrefix(m.MIME, kind+"/") {
			m.Type = kind
		}
	}
	w.list = append(w.list, m)
}

// plainText is the text of a JSON string; "" for anything else.
func plainText(v []byte) string {
	text, ok := llm.Text(v)
	if !ok {
		return ""
	}
	return string(text)
}
