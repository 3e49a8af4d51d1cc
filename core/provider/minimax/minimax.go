// Package minimax is the provider for speech with MiniMax, whose chats are those of OpenAI's API
// (https://platform.minimax.io/docs/api-reference/speech-t2a-http).
package minimax

import (
	"encoding/hex"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "minimax"

const base = "https://api.minimax.io"

// Settings are what can be set about the provider.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: base, Locate: locate, KeyVars: []string{"MINIMAX_API_KEY"}, BaseVars: []string{"MINIMAX_API_BASE"},
		Classify: classify,
		Forms: map[llm.Operation]*provider.Form{
			llm.OpSpeech: {Path: "/v1/t2a_v2", Params: []string{"voice", "response_format", "speed"}, Request: speak, Answer: spoken},
		},
		MaxResponse: s.MaxResponse,
	})
}

func locate(s *provider.Site) (string, error) {
	if own := strings.TrimSuffix(strings.TrimRight(s.Deployment.Base, "/"), "/v1"); own != "" {
		return own, nil
	}
	return base, nil
}

// voice is the vendor's for one of OpenAI's names, as in the reference
// (litellm/llms/minimax/text_to_speech/transformation.py). Others are the vendor's own.
func voice(name string) string {
	switch strings.ToLower(name) {
	case "alloy", "":
		return "male-qn-qingse"
	case "echo":
		return "male-qn-jingying"
	case "fable":
		return "female-shaonv"
	case "onyx":
		return "male-qn-badao"
	case "nova":
		return "female-yujie"
	case "shimmer":
		return "female-tianmei"
	}
	return name
}

func speak(t *provider.Turn, dst []byte) ([]byte, error) {
	input := t.Params.Get("input")
	if len(input) < 2 || input[0] != '"' {
		return nil, t.Refuse("input", "must be a text")
	}
	name, err := t.Params.Text("voice")
	if err != nil {
		return nil, err
	}
	format, err := formatOf(t)
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("text").Raw(input).Key("stream").Bool(false).Key("output_format").Lit(`"hex"`)
	b.Key("voice_setting").Open('{').Key("voice_id").Quote(voice(name)).Member("speed", t.Params.Get("speed"))
	b.Member("vol", t.Params.Get("vol")).Member("pitch", t.Params.Get("pitch")).Member("emotion", t.Params.Get("emotion")).Close('}')
	b.Key("audio_setting").Open('{').Key("format").Quote(format).Member("sample_rate", t.Params.Get("sample_rate"))
	b.Member("bitrate", t.Params.Get("bitrate")).Member("channel", t.Params.Get("channel")).Close('}')
	for name, v := range t.Params.Rest {
		if name != "stream" && name != "output_format" {
			b.Member(name, v)
		}
	}
	b.Close('}')
	return b.Bytes(), nil
}

// formatOf is the format of the sound: OpenAI's default is the vendor's too.
func formatOf(t *provider.Turn) (string, error) {
	format, err := t.Params.Text("response_format")
	if err != nil {
		return "", err
	}
	switch format {
	case "":
		return "mp3", nil
	case "mp3", "pcm", "wav", "flac":
		return format, nil
	}
	if t.Drop {
		return "mp3", nil
	}
	return "", t.Refuse("response_format", "must be mp3, pcm, wav or flac for "+Name)
}

// spoken reads the sound, which comes in hexadecimal digits. A refusal comes with the status of a success.
func spoken(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if code := dialect.Get(dialect.Get(body, "base_resp"), "status_code"); code != nil && string(code) != "0" {
		return nil, t.Fail(400, body)
	}
	digits, _ := llm.Text(dialect.Get(dialect.Get(body, "data"), "audio"))
	start := len(dst)
	dst, err := hex.AppendDecode(dst, digits)
	if err != nil || len(dst) == start {
		return nil, t.Garbled("has no sound")
	}
	extra := dialect.Get(body, "extra_info")
	t.Usage.Characters = dialect.Int(dialect.Get(extra, "usage_characters"))
	if t.Usage.Characters <= 0 {
		provider.Spoken(t.Exchange, &t.Usage)
	}
	switch format, _ := llm.Text(dialect.Get(extra, "audio_format")); string(format) {
	case "wav", "flac", "pcm":
		t.Type = "audio/" + string(format)
	default:
		t.Type = "audio/mpeg"
	}
	return dst, nil
}

// classify reads {"base_resp":{"status_code","status_msg"}}: https://platform.minimax.io/docs/api-reference/errorcode.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	said := dialect.Get(body, "base_resp")
	if s := provider.Excerpt(dialect.Get(said, "status_msg")); s != "" {
		e.Message = s
	}
	code := dialect.Int(dialect.Get(said, "status_code"))
	switch code {
	case 1001:
		e.Kind, e.Status = llm.KindTimeout, 0
	case 1002, 1039, 1041, 2045, 2056:
		e.Kind, e.Status = llm.KindRateLimit, 0
	case 1004, 2049:
		e.Kind, e.Status = llm.KindAuthentication, 0
	case 1000, 1013, 1024, 1033:
		e.Kind, e.Status = llm.KindInternal, 0
	case 1026, 1027:
		e.Kind, e.Status = llm.KindContentPolicy, 0
	}
}
