package sallyport

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Argument says where a text stands in the arguments of a call of a tool. Each string, name of a member and number of seven
// digits or more in them is a text of its own; one that a hook replaces is written as JSON again. Arguments that are no JSON
// are one text.
type Argument struct {
	Call int    // number of the call in its message or choice
	Key  string // name of the member that has the text as its value; empty for names and what is in no member
}

// Member is Key, and "" for nil, which stands for texts that are no arguments.
func (a *Argument) Member() string {
	if a == nil {
		return ""
	}
	return a.Key
}

// Media is something in a request or an answer that is no text.
type Media struct {
	Message int    // index of the message, prompt or input; of an answer: of the choice
	Role    string // of the message
	Type    string // "image", "audio", "video", "file", or another type that a part says it has
	MIME    string // as the caller says; empty if he does not
	Inline  bool   // the message holds it; else it is elsewhere
	Size    int    // bytes of what the message holds, without base64
	URL     string // where it is, if it is elsewhere
	ID      string // of an uploaded file
	Name    string // of a file
	Path    string // of the part, for Request.Remove and Request.JSON; empty of a file in a form
	Field   string // of a file in a form: the name of its field. Since minor version 4
}

func (m *Media) decode(in abi.Reader) error {
	for in.Next() {
		switch in.Tag {
		case abi.TagIndex:
			m.Message = int(in.Number())
		case abi.TagMessage:
			m.Role = text(in.Value)
		case abi.TagMediaType:
			m.Type = text(in.Value)
		case abi.TagMIME:
			m.MIME = text(in.Value)
		case abi.TagSize:
			m.Size, m.Inline = int(in.Number()), true
		case abi.TagURL:
			m.URL = text(in.Value)
		case abi.TagCallID:
			m.ID = text(in.Value)
		case abi.TagKey:
			m.Name = text(in.Value)
		case abi.TagAt:
			m.Path = text(in.Value)
		case abi.TagFormField:
			m.Field = text(in.Value)
		default:
			in.Unknown()
		}
	}
	return in.Err
}

// media reads the bytes of one, if there are not more of them than the hook wants.
func (m More) media(list []Media, i, limit int) ([]byte, bool) {
	if i < 0 || i >= len(list) || !list[i].Inline || list[i].Size > limit {
		return nil, false
	}
	return m.field(abi.FieldMedia, strconv.Itoa(i))
}

// MediaBytes asks the gateway for the bytes of a media, by its place in Media. ok is false if there are more than limit of
// them, or if the request does not hold them.
func (r *Request) MediaBytes(i, limit int) (data []byte, ok bool) {
	return r.more.media(r.Media, i, limit)
}

// MediaSHA256 asks the gateway for the SHA-256 of a media, in hex, by its place in Media; "" if the request does not hold it.
func (r *Request) MediaSHA256(i int) string { return r.more.mediaSum(i) }

// MediaSHA256 is Request.MediaSHA256 for an answer.
func (r *Response) MediaSHA256(i int) string { return r.more.mediaSum(i) }

func (m More) mediaSum(i int) string {
	b, _ := m.field(abi.FieldMediaSum, strconv.Itoa(i))
	return text(b)
}

// MediaBytes is Request.MediaBytes for a window.
func (w *Window) MediaBytes(i, limit int) (data []byte, ok bool) {
	return w.more.media(w.Media, i, limit)
}

// MediaSHA256 is Request.MediaSHA256 for a window.
func (w *Window) MediaSHA256(i int) string { return w.more.mediaSum(i) }

// MediaBytes is Request.MediaBytes for an answer.
func (r *Response) MediaBytes(i, limit int) (data []byte, ok bool) {
	return r.more.media(r.Media, i, limit)
}
