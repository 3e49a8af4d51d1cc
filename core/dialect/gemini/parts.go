package gemini

import (
	"bytes"
	"path"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// content writes the content of a message: one plain text as a string, everything else as a list of parts.
func (w *asker) content(list []piece) error {
	if len(list) == 1 && list[0].kind == TextPart && len(list[0].rest) == 0 {
		w.dst = append(w.dst, list[0].v...)
		return nil
	}
	w.put("[")
	for i := range list {
		if i > 0 {
			w.put(",")
		}
		if err := w.media(&list[i]); err != nil {
			return err
		}
	}
	w.put("]")
	return nil
}

// media writes a part of a content.
func (w *asker) media(p *piece) error {
	switch p.kind {
	case TextPart:
		w.put(`{"type":"text","text":`)
		w.dst = append(w.dst, p.v...)
	case InlineData, FileData:
		if err := w.blob(p); err != nil {
			return err
		}
	case OtherPart:
		w.put(`{"type":"` + PartKey + `","text":`)
		w.dst = llm.AppendQuoted(w.dst, string(p.raw))
		w.put("}")
		return nil
	default:
		return refuse(p.at, "cannot be in this place")
	}
	if len(p.rest) > 0 {
		w.put(`,"` + PartKey + `":{`)
		w.dst = append(append(w.dst, p.rest...), '}')
	}
	w.put("}")
	return nil
}

// blob writes media without the closing brace: images and sound in OpenAI's form for them, everything else as a file.
// An address is a file_id with a format, as callers of the reference write it
// (https://docs.litellm.ai/docs/completion/document_understanding).
func (w *asker) blob(p *piece) error {
	var d Blob
	name := ".inlineData"
	if p.kind == FileData {
		name = ".fileData"
	}
	if err := members(p.v, p.at+name, func(string, []byte) error { return nil }); err != nil {
		return err
	}
	ScanBlob(p.v, &d)
	if d.Strange != nil {
		return refuse(p.at+name+"."+camel(d.Strange), "is not known")
	}
	mime := []byte(plain(d.Type))
	switch {
	case p.kind == FileData && dialect.Blank(d.URI):
		return refuse(p.at+".fileData.fileUri", "is missing")
	case p.kind == FileData:
		w.address(&d, mime)
		return nil
	case dialect.Blank(d.Type):
		return refuse(p.at+".inlineData.mimeType", "is missing")
	case d.Data == nil:
		return refuse(p.at+".inlineData.data", "is missing")
	}
	// Google takes base64 in either alphabet, with or without padding; others do not.
	data := base64(d.Data[1 : len(d.Data)-1])
	if format := soundFormat(mime); format != "" {
		w.put(`{"type":"input_audio","input_audio":{"data":"`)
		w.dst = append(w.dst, data...)
		w.put(`","format":"` + format + `"}`)
		return nil
	}
	image := bytes.HasPrefix(mime, []byte("image/"))
	if image {
		w.put(`{"type":"image_url","image_url":{"url":"data:`)
	} else {
		w.put(`{"type":"file","file":{"file_data":"data:`)
	}
	w.dst = append(w.dst, d.Type[1:len(d.Type)-1]...)
	w.put(";base64,")
	w.dst = append(w.dst, data...)
	w.put(`"`)
	if !image && !dialect.Blank(d.Name) {
		w.put(`,"filename":`)
		w.dst = append(w.dst, d.Name...)
	}
	w.put("}")
	return nil
}

// address writes what lies at an address, without the closing brace.
func (w *asker) address(d *Blob, mime []byte) {
	if bytes.HasPrefix(mime, []byte("image/")) {
		w.put(`{"type":"image_url","image_url":{"url":`)
	} else {
		w.put(`{"type":"file","file":{"file_id":`)
	}
	w.dst = append(w.dst, d.URI...)
	if len(mime) > 0 && TypeOf(plain(d.URI)) != string(mime) {
		w.put(`,"format":`)
		w.dst = append(w.dst, d.Type...)
	}
	if !dialect.Blank(d.Name) {
		w.put(`,"filename":`)
		w.dst = append(w.dst, d.Name...)
	}
	w.put("}")
}

// TypeOf is the media type that the end of an address tells, or "". The types are those that Gemini takes
// (https://ai.google.dev/gemini-api/docs/file-input-methods).
func TypeOf(address string) string {
	address, _, _ = strings.Cut(address, "?")
	switch strings.ToLower(path.Ext(address)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".webp":
		return "image/webp"
	case ".gif":
		return "image/gif"
	case ".heic":
		return "image/heic"
	case ".pdf":
		return "application/pdf"
	case ".txt":
		return "text/plain"
	case ".mp3":
		return "audio/mp3"
	case ".wav":
		return "audio/wav"
	case ".flac":
		return "audio/flac"
	case ".ogg":
		return "audio/ogg"
	case ".aac":
		return "audio/aac"
	case ".mp4":
		return "video/mp4"
	case ".mov":
		return "video/mov"
	case ".mpeg", ".mpg":
		return "video/mpeg"
	case ".webm":
		return "video/webm"
	case ".avi":
		return "video/avi"
	case ".wmv":
		return "video/wmv"
	case ".flv":
		return "video/flv"
	}
	return ""
}

// soundFormat is the format of input_audio for a media type
// (https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages).
func soundFormat(mime []byte) string {
	switch string(mime) {
	case "audio/wav", "audio/x-wav", "audio/wave":
		return "wav"
	case "audio/mp3", "audio/mpeg":
		return "mp3"
	}
	return ""
}

// base64 brings base64 into the alphabet that everybody takes.
func base64(s []byte) []byte {
	if bytes.IndexByte(s, '-') < 0 && bytes.IndexByte(s, '_') < 0 && bytes.IndexByte(s, '\\') < 0 && len(s)%4 == 0 {
		return s
	}
	out := make([]byte, 0, len(s)+3)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '-':
			out = append(out, '+')
		case '_':
			out = append(out, '/')
		case '\\':
			if i+1 < len(s) && s[i+1] == '/' { // an escaped slash
				continue
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	for len(out)%4 != 0 && len(out)%4 != 1 {
		out = append(out, '=')
	}
	return out
}
