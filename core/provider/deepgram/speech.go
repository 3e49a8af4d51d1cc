package deepgram

import (
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// speech is https://developers.deepgram.com/reference/text-to-speech/speak-request.
func speech() *provider.Form {
	return &provider.Form{
		Route: speechPath, Params: []string{"response_format", "voice"}, Request: speak, Verbatim: true, Settle: provider.Spoken,
	}
}

// speaker is the model to call: Deepgram's voices are models. A voice in Deepgram's words counts; a model without a voice,
// such as aura-2, gets the voice that was asked for; the voice of a whole name is the one in it.
func speaker(t *provider.Turn) string {
	model := t.Site.Deployment.Model
	voice, _ := llm.Text(t.Params.Get("voice"))
	switch word := strings.ToLower(string(voice)); {
	case strings.HasPrefix(word, "aura-"):
		return word
	case word != "" && (model == "aura" || model == "aura-2"):
		return model + "-" + word + "-en"
	}
	return model
}

func speechPath(t *provider.Turn, dst []byte) []byte {
	q := url.Values{"model": {speaker(t)}}
	format, _ := llm.Text(t.Params.Get("response_format"))
	switch string(format) {
	case "":
		q.Set("encoding", "mp3") // OpenAI's default
	case "wav":
		q.Set("encoding", "linear16")
		q.Set("container", "wav")
	case "pcm":
		q.Set("encoding", "linear16")
		q.Set("container", "none")
		q.Set("sample_rate", "24000") // as OpenAI's
	default: // mp3, opus, aac and flac, and Deepgram's own mulaw and alaw, have the same names
		q.Set("encoding", string(format))
	}
	for name, v := range t.Params.Rest {
		if name != "input" {
			q.Set(name, plain(v))
		}
	}
	return append(append(dst, "/speak?"...), q.Encode()...)
}

func speak(t *provider.Turn, dst []byte) ([]byte, error) {
	input := t.Params.Get("input")
	if len(input) < 2 || input[0] != '"' {
		return nil, t.Refuse("input", "must be a text")
	}
	b := dialect.Build(dst)
	return b.Open('{').Key("text").Raw(input).Close('}').Bytes(), nil
}
