package openai

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// PartKind says what a part of a message is.
type PartKind uint8

// The kinds.
const (
	PartText  PartKind = iota // Text; an empty refusal or text is a part too
	PartImage                 // Media
	PartAudio                 // Media
	PartVideo                 // Media
	PartFile                  // Media
	PartOther                 // Raw, such as a thinking block
)

// Part is one part of a message's content.
type Part struct {
	Kind  PartKind
	Index int
	Text  []byte // quoted
	Media Media
	Cache []byte // cache_control
	Type  []byte // "type", quoted
	Raw   []byte // as written; for a content that is a string, the string
}

// Media is an image, a sound, a film or a document: at an address, in the request, or uploaded before. One of URL, Data
// and ID is set. All but Name are without quotes.
type Media struct {
	URL    []byte // the address
	Data   []byte // the content, in base64 of the standard alphabet
	ID     []byte // the id of an uploaded file
	Type   []byte // media type, such as image/png; nil if nothing tells it
	Name   []byte // file name, quoted; nil if there is none
	Detail []byte // detail of an image, such as low; nil if it is not given
	Plain  []byte // of a document that is given as text, in place of Data: the text, quoted
}

// BadPart is the error for a part that the vendor has nothing for in this place.
func (r *ChatRequest) BadPart(m *ChatMessage, p *Part) *llm.Error {
	kind, _ := llm.Text(p.Type)
	if kind == nil {
		kind = []byte("text")
	}
	e := r.Bad(m.At(noted(".content[", p.Index, "]")), "is of the type "+string(kind[:min(len(kind), 64)])+
		", which cannot be sent to "+r.Vendor+" in this place")
	return e
}

// BadMedia is the error for a part whose media cannot be sent. problem follows the place in the sentence.
func (r *ChatRequest) BadMedia(m *ChatMessage, p *Part, problem string) *llm.Error {
	return r.Bad(m.At(noted(".content[", p.Index, "]")), problem)
}

func (r *ChatRequest) readContent(m *ChatMessage, v []byte) error {
	start := len(r.parts)
	switch v[0] {
	case '"':
		r.parts = append(r.parts, Part{Text: v, Raw: v})
	case '[':
		m.Plain = false
		for c := dialect.Array(v); c.Next(); {
			p := Part{Index: len(r.parts) - start, Raw: c.Value()}
			if err := r.readPart(m, &p); err != nil {
				return err
			}
			r.parts = append(r.parts, p)
		}
	default:
		return r.Bad(m.At(".content"), "must be a string or a list of parts")
	}
	m.Parts = r.parts[start:len(r.parts):len(r.parts)]
	return nil
}

func (r *ChatRequest) readPart(m *ChatMessage, p *Part) error {
	if len(p.Raw) > 0 && p.Raw[0] == '"' {
		p.Text = p.Raw
		return nil
	}
	at := m.At(noted(".content[", p.Index, "]"))
	if len(p.Raw) == 0 || p.Raw[0] != '{' {
		return r.Bad(at, "must be a string or an object")
	}
	p.Type, p.Cache = dialect.Get(p.Raw, "type"), given(dialect.Get(p.Raw, "cache_control"))
	switch string(p.Type) {
	case `"text"`, `"input_text"`, `"output_text"`:
		p.Text = dialect.Get(p.Raw, "text")
		return r.mustBeText(p, at+".text")
	case `"refusal"`:
		p.Text = dialect.Get(p.Raw, "refusal")
		return r.mustBeText(p, at+".refusal")
	case `"image_url"`:
		p.Kind = PartImage
		return r.readURL(p, "image_url", at)
	case `"video_url"`:
		p.Kind = PartVideo
		return r.readURL(p, "video_url", at)
	case `"audio_url"`:
		p.Kind = PartAudio
		return r.readURL(p, "audio_url", at)
	case `"input_audio"`:
		p.Kind = PartAudio
		return r.readAudio(p, at+".input_audio")
	case `"file"`:
		p.Kind = PartFile
		return r.readFile(p, at+".file")
	case `"image"`:
		return r.readSource(p, PartImage, at+".source")
	case `"document"`:
		return r.readSource(p, PartFile, at+".source")
	}
	p.Kind = PartOther
	return nil
}

func (r *ChatRequest) mustBeText(p *Part, at string) error {
	if len(p.Text) < 2 || p.Text[0] != '"' {
		return r.Bad(at, "must be a string")
	}
	return nil
}

// readURL takes {"url":...,"detail":...,"format":...}, or the address alone.
func (r *ChatRequest) readURL(p *Part, key, at string) error {
	v := dialect.Get(p.Raw, key)
	if len(v) > 0 && v[0] == '{' {
		p.Media.Type, _ = llm.Text(dialect.Get(v, "format"))
		p.Media.Detail, _ = llm.Text(dialect.Get(v, "detail"))
		v = dialect.Get(v, "url")
	}
	url, ok := llm.Text(v)
	if !ok || !p.Media.locate(url) {
		return r.Bad(at+"."+key+".url", "must be an address that begins with https:// or a data URL with base64")
	}
	return nil
}

// readAudio takes {"data":...,"format":"wav"}.
func (r *ChatRequest) readAudio(p *Part, at string) error {
	v := dialect.Get(p.Raw, "input_audio")
	data, ok := llm.Text(dialect.Get(v, "data"))
	if !ok || len(data) == 0 {
		return r.Bad(at+".data", "is missing")
	}
	if format, _ := llm.Text(dialect.Get(v, "format")); len(format) > 0 {
		p.Media.Type = append([]byte("audio/"), format...)
	}
	if !p.Media.locate(data) {
		p.Media.Data = data
	}
	return nil
}

// readFile takes {"file_data":...,"filename":...} and {"file_id":...}.
func (r *ChatRequest) readFile(p *Part, at string) error {
	v := dialect.Get(p.Raw, "file")
	p.Media.Type, _ = llm.Text(dialect.Get(v, "format"))
	p.Media.Name = given(dialect.Get(v, "filename"))
	if data, ok := llm.Text(dialect.Get(v, "file_data")); ok && len(data) > 0 {
		if !p.Media.locate(data) {
			p.Media.Data = data
		}
		return nil
	}
	if url, ok := llm.Text(dialect.Get(v, "file_url")); ok && p.Media.locate(url) {
		return nil
	}
	id, ok := llm.Text(dialect.Get(v, "file_id"))
	if !ok || len(id) == 0 {
		return r.Bad(at, "must have file_data or file_id")
	}
	if !p.Media.locate(id) {
		p.Media.ID = id
	}
	return nil
}

// readSource takes an image or a document as Anthropic's Messages API writes them
// (https://platform.claude.com/docs/en/api/messages/create).
func (r *ChatRequest) readSource(p *Part, kind PartKind, at string) error {
	v := dialect.Get(p.Raw, "source")
	p.Kind = kind
	p.Media.Name = given(dialect.Get(p.Raw, "title"))
	p.Media.Type, _ = llm.Text(dialect.Get(v, "media_type"))
	switch string(dialect.Get(v, "type")) {
	case `"base64"`:
		p.Media.Data, _ = llm.Text(dialect.Get(v, "data"))
	case `"url"`:
		p.Media.URL, _ = llm.Text(dialect.Get(v, "url"))
	case `"file"`:
		p.Media.ID, _ = llm.Text(dialect.Get(v, "file_id"))
	case `"text"`:
		p.Media.Plain = dialect.Get(v, "data")
		if len(p.Media.Plain) < 2 || p.Media.Plain[0] != '"' {
			return r.Bad(at+".data", "must be a string")
		}
		return nil
	default:
		p.Kind = PartOther
		return nil
	}
	if len(p.Media.Data)+len(p.Media.URL)+len(p.Media.ID) == 0 {
		return r.Bad(at, "is empty")
	}
	return nil
}

// locate takes an address or a data URL. The type that the data URL says does not replace one that is known. It
// returns false if the text is neither.
func (m *Media) locate(text []byte) bool {
	if bytes.HasPrefix(text, []byte("https://")) || bytes.HasPrefix(text, []byte("http://")) || bytes.HasPrefix(text, []byte("gs://")) {
		m.URL = text
		return true
	}
	kind, data, ok := DataURL(text)
	if !ok {
		return false
	}
	m.Data = data
	if len(m.Type) == 0 {
		m.Type = kind
	}
	return true
}

// DataURL takes apart data:image/png;base64,... into the media type and the base64. Both borrow from url.
func DataURL(url []byte) (media, data []byte, ok bool) {
	rest, ok := bytes.CutPrefix(url, []byte("data:"))
	if !ok {
		return nil, nil, false
	}
	head, data, ok := bytes.Cut(rest, []byte(","))
	if !ok || !bytes.HasSuffix(head, []byte(";base64")) || len(data) == 0 {
		return nil, nil, false
	}
	media, _, _ = bytes.Cut(head, []byte(";"))
	return media, data, len(media) > 0
}
