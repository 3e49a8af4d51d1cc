package mock

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// media reports whether the operation has answers of its own shape.
func media(op llm.Operation) bool { return op > llm.OpPassThrough }

// mediaAnswer answers the operations beside chats, completions and embeddings. An object is the answer itself. Otherwise
// a text is the text of a transcription, the address or base64 of an image, or the bytes of speech; a list holds the
// images, or the scores of documents in their order; and moderations flag nothing, or what true says.
func mediaAnswer(x *llm.Exchange, raw []byte) (*llm.Reply, error) {
	if len(raw) > 0 && raw[0] == '{' {
		return wholeJSON(x, raw), nil
	}
	text, isText := llm.Text(raw)
	switch {
	case x.Op == llm.OpModeration:
		return wholeJSON(x, moderation(x, string(raw) == "true" || string(text) == "true")), nil
	case isText && (x.Op == llm.OpTranscription || x.Op == llm.OpTranslation):
		return transcript(x, text), nil
	case isText && x.Op == llm.OpSpeech:
		return verbatim("audio/mpeg", text), nil
	case x.Op == llm.OpImage || x.Op == llm.OpImageEdit || x.Op == llm.OpImageVariation:
		if answer, ok := images(raw, text, isText); ok {
			return wholeJSON(x, answer), nil
		}
	case x.Op == llm.OpRerank:
		if answer, ok := ranking(x, raw); ok {
			return wholeJSON(x, answer), nil
		}
	}
	return nil, &llm.Error{
		Op: "mock.Decode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "mock_response",
		Message: "Invalid request: `mock_response` cannot answer a request for " + x.Op.String() + ": give the answer as an object.",
	}
}

func wholeJSON(x *llm.Exchange, answer []byte) *llm.Reply {
	var f usage.Found
	f.Add(answer)
	r := &llm.Reply{Status: http.StatusOK, First: llm.Part{Data: answer}, Rest: ended{}, Usage: f.Usage()}
	if x.Op == llm.OpImage || x.Op == llm.OpImageEdit || x.Op == llm.OpImageVariation {
		r.Usage.Images = int64(f.Items)
	}
	return r
}

// verbatim is an answer that is no JSON.
func verbatim(contentType string, body []byte) *llm.Reply {
	return &llm.Reply{
		Status: http.StatusOK, Verbatim: true, First: llm.Part{Data: body}, Rest: ended{},
		Header: llm.Header{{Name: []byte("Content-Type"), Value: []byte(contentType)}},
	}
}

// ended is the rest of a reply that has none.
type ended struct{}

// Next implements llm.Stream.
func (ended) Next(*llm.Part) error { return io.EOF }

// Close implements llm.Stream.
func (ended) Close() error { return nil }

func transcript(x *llm.Exchange, text []byte) *llm.Reply {
	switch format, _ := llm.Text(x.Body.Get("response_format")); string(format) {
	case "text", "srt", "vtt":
		return verbatim("text/plain; charset=utf-8", append(bytes.Clone(text), '\n'))
	}
	return wholeJSON(x, append(llm.AppendQuoted([]byte(`{"text":`), string(text)), '}'))
}

func moderation(x *llm.Exchange, flagged bool) []byte {
	b := llm.AppendQuoted([]byte(`{"id":`), "modr-"+x.ID.String())
	b = llm.AppendQuoted(append(b, `,"model":`...), x.Model)
	b = append(b, `,"results":[`...)
	n := 0
	for list := dialect.Array(x.Body.Get("input")); list.Next(); n++ {
	}
	for i := range max(n, 1) {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendBool(append(b, `{"flagged":`...), flagged)
		b = append(b, `,"categories":{},"category_scores":{}}`...)
	}
	return append(b, `]}`...)
}

func images(raw, text []byte, isText bool) ([]byte, bool) {
	b := strconv.AppendInt([]byte(`{"created":`), time.Now().Unix(), 10)
	b = append(b, `,"data":`...)
	switch {
	case isText && (strings.HasPrefix(string(text), "http://") || strings.HasPrefix(string(text), "https://")):
		b = append(llm.AppendQuoted(append(b, `[{"url":`...), string(text)), `}]`...)
	case isText:
		b = append(llm.AppendQuoted(append(b, `[{"b64_json":`...), string(text)), `}]`...)
	case len(raw) > 0 && raw[0] == '[':
		b = append(b, raw...)
	default:
		return nil, false
	}
	return append(b, '}'), true
}

func ranking(x *llm.Exchange, raw []byte) ([]byte, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	b := llm.AppendQuoted([]byte(`{"id":`), x.ID.String())
	b = append(b, `,"results":[`...)
	i := 0
	for list := dialect.Array(raw); list.Next(); i++ {
		if _, err := strconv.ParseFloat(string(list.Value()), 64); err != nil {
			return nil, false
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"index":`...), int64(i), 10)
		b = append(append(b, `,"relevance_score":`...), list.Value()...)
		b = append(b, '}')
	}
	return append(b, `],"meta":{"billed_units":{"search_units":1}}}`...), true
}
