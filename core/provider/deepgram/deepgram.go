// Package deepgram is the provider for transcriptions and speech with Deepgram:
// https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded.
package deepgram

import (
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "deepgram"

// Settings are what can be set about the provider. The zero value is Deepgram itself.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.deepgram.com/v1", KeyVars: []string{"DEEPGRAM_API_KEY"}, KeyScheme: "Token ",
		BaseVars: []string{"DEEPGRAM_API_BASE"}, Classify: classify,
		Forms: map[llm.Operation]*provider.Form{
			llm.OpSpeech: speech(),
			llm.OpTranscription: {
				Route: route, Typed: true, Request: request, Answer: answer,
				Params: []string{"language", "response_format", "timestamp_granularities", "timestamp_granularities[]"},
			},
		},
		MaxResponse: s.MaxResponse,
	})
}

// route writes the query: the model, the language, and Deepgram's own parameters under their names.
func route(t *provider.Turn, dst []byte) []byte {
	q := url.Values{"model": {t.Site.Deployment.Model}}
	for _, p := range t.Params.Params {
		switch p.Name {
		case "response_format", "timestamp_granularities", "timestamp_granularities[]", "file":
			continue
		}
		if c := dialect.Array(p.Value); len(p.Value) > 0 && p.Value[0] == '[' {
			for c.Next() {
				q.Add(p.Name, plain(c.Value()))
			}
			continue
		}
		q.Set(p.Name, plain(p.Value))
	}
	return append(append(dst, "/listen?"...), q.Encode()...)
}

func plain(v []byte) string {
	if s, ok := llm.Text(v); ok {
		return string(s)
	}
	return string(v)
}

func request(t *provider.Turn, _ []byte) ([]byte, error) {
	if err := t.WantsTranscript(); err != nil {
		return nil, err
	}
	_, kind, content, err := t.Sound()
	if err != nil {
		return nil, err
	}
	if len(kind) == 0 || provider.BadHeader([]byte("content-type"), kind) != "" {
		kind = []byte("application/octet-stream")
	}
	t.Call.Header = append(t.Call.Header, llm.Field{Name: []byte("Content-Type"), Value: kind})
	t.Call.Body = append(t.Call.Body, content)
	return nil, nil
}

func answer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	channel, ok := first(dialect.Get(dialect.Get(body, "results"), "channels"))
	best, some := first(dialect.Get(channel, "alternatives"))
	text := dialect.Get(best, "transcript")
	if !ok || !some || len(text) < 2 || text[0] != '"' {
		if dialect.Get(body, "err_code") != nil {
			return nil, t.Fail(400, body)
		}
		return nil, t.Garbled("has no transcript")
	}
	s := provider.Transcript{
		Text: text, Language: dialect.Get(channel, "detected_language"),
		Seconds: dialect.Get(dialect.Get(body, "metadata"), "duration"),
	}
	if s.Language == nil {
		s.Language = t.Exchange.Body.Get("language")
	}
	for c := dialect.Array(dialect.Get(best, "words")); c.Next(); {
		word := dialect.Get(c.Value(), "punctuated_word")
		if word == nil {
			word = dialect.Get(c.Value(), "word")
		}
		if len(word) > 1 && word[0] == '"' {
			s.Words = append(s.Words, provider.Word{Text: word, Start: dialect.Get(c.Value(), "start"), End: dialect.Get(c.Value(), "end")})
		}
	}
	return t.Transcribed(dst, &s), nil
}

func first(list []byte) ([]byte, bool) {
	c := dialect.Array(list)
	if !c.Next() {
		return nil, false
	}
	return c.Value(), true
}

// classify reads {"err_code","err_msg"}, and {"category","message"}: https://developers.deepgram.com/reference/errors.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	code, _ := llm.Text(dialect.Get(body, "err_code"))
	if message, ok := llm.Text(dialect.Get(body, "err_msg")); ok {
		e.Message = strings.ToValidUTF8(string(message[:min(len(message), 2048)]), "")
		e.Code = string(code[:min(len(code), 128)])
	}
	if category, ok := llm.Text(dialect.Get(body, "category")); ok && e.Code == "" {
		e.Code = string(category[:min(len(category), 128)])
	}
	switch string(code) {
	case "INVALID_AUTH":
		e.Kind, e.Status = llm.KindAuthentication, 0
	case "INSUFFICIENT_PERMISSIONS":
		e.Kind, e.Status = llm.KindPermission, 0
	case "TOO_MANY_REQUESTS", "ASR_PAYMENT_REQUIRED":
		e.Kind, e.Status = llm.KindRateLimit, 0
	}
}
