package provider

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Sound returns the file of a request for a transcription: its name, its content type, which is empty if nobody told it,
// and its content, which is borrowed.
func (t *Turn) Sound() (name string, kind, content []byte, err error) {
	f := &t.Exchange.Form
	for _, p := range f.Parts() {
		if p.Name == "file" && p.File {
			return p.Filename, p.Type, f.Value(p), nil
		}
	}
	return "", nil, nil, t.Refuse("file", "is missing: send it as a file of a form")
}

// Transcript is what was heard, for a vendor whose answers have another form.
type Transcript struct {
	Text     []byte // quoted
	Language []byte // quoted; nil if it is not told
	Seconds  []byte // a number; nil if it is not told
	Words    []Word
}

// Word is one word, with the seconds when it begins and ends.
type Word struct{ Text, Start, End []byte }

// Transcribed appends a transcript in the format that it was asked for, and counts its length. JSON comes with all details
// (https://platform.openai.com/docs/api-reference/audio/verbose-json-object), as in the reference; text and subtitles are
// made here.
func (t *Turn) Transcribed(dst []byte, s *Transcript) []byte {
	t.Usage.Seconds = openai.Float(s.Seconds)
	if n := len(s.Words); t.Usage.Seconds == 0 && n > 0 {
		t.Usage.Seconds = openai.Float(s.Words[n-1].End)
	}
	switch format := t.transcriptFormat(); format {
	case "text":
		t.Type = "text/plain; charset=utf-8"
		text, _ := llm.Text(s.Text)
		return append(append(dst, text...), '\n')
	case "srt", "vtt":
		t.Type = "text/plain; charset=utf-8"
		return s.subtitles(dst, format == "vtt")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("text").Raw(s.Text).Key("task").Lit(`"transcribe"`)
	b.Member("language", s.Language).Member("duration", s.Seconds)
	if len(s.Words) > 0 {
		b.Key("words").Open('[')
		for i := range s.Words {
			w := &s.Words[i]
			b.Open('{').Key("word").Raw(w.Text).Member("start", w.Start).Member("end", w.End).Close('}')
		}
		b.Close(']')
	}
	return b.Close('}').Bytes()
}

// WantsTranscript checks the format that a transcription is wanted in.
func (t *Turn) WantsTranscript() error {
	switch v, _ := llm.Text(t.Params.Get("response_format")); string(v) {
	case "", "json", "verbose_json", "text", "srt", "vtt":
		return nil
	}
	return t.Refuse("response_format", "must be json, verbose_json, text, srt or vtt for "+t.Site.v.Name)
}

// formName escapes what would end a name (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data).
func formName(s string) string {
	var out []byte
	for _, c := range []byte(s) {
		switch c {
		case '"':
			out = append(out, "%22"...)
		case '\r':
			out = append(out, "%0D"...)
		case '\n':
			out = append(out, "%0A"...)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
