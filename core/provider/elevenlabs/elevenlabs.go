// Package elevenlabs is the provider for speech and transcriptions with ElevenLabs:
// https://elevenlabs.io/docs/api-reference/text-to-speech/convert and
// https://elevenlabs.io/docs/api-reference/speech-to-text/convert.
package elevenlabs

import (
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "elevenlabs"

// Settings are what can be set about the provider. The zero value is ElevenLabs itself.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.elevenlabs.io", KeyVars: []string{"ELEVENLABS_API_KEY"}, KeyHeader: "xi-api-key",
		BaseVars: []string{"ELEVENLABS_API_BASE"}, Locate: locate, Classify: classify,
		Forms: map[llm.Operation]*provider.Form{
			llm.OpSpeech: {
				Route: speechPath, Params: []string{"response_format", "speed", "voice"}, Request: speak, Verbatim: true, Settle: provider.Spoken,
			},
			llm.OpTranscription: {
				Path: "/v1/speech-to-text", Typed: true, Request: listen, Answer: heard,
				Params: []string{"language", "response_format", "temperature", "timestamp_granularities", "timestamp_granularities[]"},
			},
		},
		MaxResponse: s.MaxResponse,
	})
}

// locate takes the base with and without the version.
func locate(s *provider.Site) (string, error) {
	b := strings.TrimSuffix(strings.TrimRight(s.Deployment.Base, "/"), "/v1")
	if b == "" {
		b = "https://api.elevenlabs.io"
	}
	return b, nil
}

// classify corrects what the status says otherwise: a quota that is used up comes as a wrong key would. The reason is in
// detail.code, formerly in detail.status: https://elevenlabs.io/docs/eleven-api/resources/errors.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	detail := dialect.Get(body, "detail")
	for _, name := range [...]string{"code", "status"} {
		word, ok := llm.Text(dialect.Get(detail, name))
		if !ok {
			continue
		}
		switch string(word) {
		case "quota_exceeded", "too_many_concurrent_requests", "concurrent_limit_exceeded", "system_busy":
			e.Kind, e.Status = llm.KindRateLimit, 0
		case "max_character_limit_exceeded", "text_too_long":
			e.Kind, e.Status = llm.KindContextWindow, 0
		}
	}
}

// voice is the id of a voice. The names of OpenAI's voices stand for those that the reference puts in their place
// (litellm/llms/elevenlabs/text_to_speech/transformation.py).
func voice(name string) string {
	switch strings.ToLower(name) {
	case "alloy":
		return "21m00Tcm4TlvDq8ikWAM"
	case "amber":
		return "5Q0t7uMcjvnagumLfvZi"
	case "ash":
		return "AZnzlk1XvdvUeBnXmlld"
	case "august":
		return "D38z5RcWu1voky8WS1ja"
	case "blue":
		return "2EiwWnXFnvU5JabPnv8n"
	case "coral":
		return "9BWtsMINqrJLrRacOk9x"
	case "lily":
		return "EXAVITQu4vr4xnSDxMaL"
	case "onyx":
		return "29vD33N1CtxCmqQRPOHJ"
	case "sage":
		return "CwhRBWXzGAHq8TQ4Fs17"
	case "verse":
		return "CYw3kZ02Hs0563khs1Fj"
	}
	return name
}

// format is the output_format for a response_format; the vendor's own words pass.
func format(name string) string {
	switch name {
	case "mp3":
		return "mp3_44100_128"
	case "pcm":
		return "pcm_44100"
	case "opus":
		return "opus_48000_128"
	case "wav":
		return "wav_44100"
	}
	return name
}

func text(v []byte) string {
	s, _ := llm.Text(v)
	return string(s)
}

func speechPath(t *provider.Turn, dst []byte) []byte {
	id := text(t.Params.Get("voice"))
	if id == "" {
		id = text(t.Params.Get("voice_id"))
	}
	dst = append(append(dst, "/v1/text-to-speech/"...), url.PathEscape(voice(id))...)
	form := text(t.Params.Get("response_format"))
	if form == "" {
		form = "mp3" // OpenAI's own; ElevenLabs' is the same
	}
	return append(append(dst, "?output_format="...), url.QueryEscape(format(form))...)
}

func speak(t *provider.Turn, dst []byte) ([]byte, error) {
	if text(t.Params.Get("voice")) == "" && text(t.Params.Get("voice_id")) == "" {
		return nil, t.Refuse("voice", "is missing")
	}
	switch text(t.Params.Get("response_format")) {
	case "aac", "flac":
		return nil, t.Refuse("response_format", "must be mp3, opus, pcm, wav or a format of "+Name+"'s own")
	}
	input := t.Params.Get("input")
	if len(input) < 2 || input[0] != '"' {
		return nil, t.Refuse("input", "must be a text")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("text").Raw(input).Key("model_id").Raw(t.Site.Model)
	if speed := t.Params.Get("speed"); speed != nil {
		given := t.Params.Get("voice_settings")
		b.Key("voice_settings").Open('{')
		for c := dialect.Object(given); c.Next(); {
			if string(c.Key()) != "speed" {
				b.Member(string(c.Key()), c.Value())
			}
		}
		b.Member("speed", speed).Close('}')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func listen(t *provider.Turn, _ []byte) ([]byte, error) {
	if err := t.WantsTranscript(); err != nil {
		return nil, err
	}
	name, kind, content, err := t.Sound()
	if err != nil {
		return nil, err
	}
	fields := []llm.Pair{{Name: "model_id", Value: t.Site.Deployment.Model}}
	for member, v := range t.Params.Rest {
		switch member {
		case "timestamp_granularities", "timestamp_granularities[]":
			continue
		case "language":
			member = "language_code"
		}
		value := string(v)
		if s, ok := llm.Text(v); ok {
			value = string(s)
		}
		fields = append(fields, llm.Pair{Name: member, Value: value})
	}
	t.SendForm(fields, []provider.FormFile{{Name: "file", File: name, Type: string(kind), Content: content}})
	return nil, nil
}

func heard(t *provider.Turn, body, dst []byte) ([]byte, error) {
	s := provider.Transcript{Text: dialect.Get(body, "text"), Language: dialect.Get(body, "language_code"), Seconds: dialect.Get(body, "audio_duration_secs")}
	if len(s.Text) < 2 || s.Text[0] != '"' {
		if dialect.Get(body, "detail") != nil {
			return nil, t.Fail(400, body)
		}
		return nil, t.Garbled("has no text")
	}
	for c := dialect.Array(dialect.Get(body, "words")); c.Next(); {
		w := c.Value()
		if word := dialect.Get(w, "text"); string(dialect.Get(w, "type")) == `"word"` && len(word) > 1 {
			s.Words = append(s.Words, provider.Word{Text: word, Start: dialect.Get(w, "start"), End: dialect.Get(w, "end")})
		}
	}
	return t.Transcribed(dst, &s), nil
}
