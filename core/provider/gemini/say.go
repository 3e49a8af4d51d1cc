package gemini

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// sayRoute is the path of text:synthesize, for what is no Gemini model.
func sayRoute(t *provider.Turn, dst []byte) []byte {
	o := ownOf(t)
	if speaks(t) {
		return o.route(dst, "generateContent", false)
	}
	t.Call.Target = &o.speaking
	return append(dst[:0], "/v1/text:synthesize"...)
}

// say writes a request for Text-to-Speech
// (https://docs.cloud.google.com/text-to-speech/docs/reference/rest/v1/text/synthesize). Names of voices and formats, and
// what is spoken if nothing is said, are as in the reference (litellm/llms/vertex_ai/text_to_speech/transformation.py).
func say(t *provider.Turn, dst []byte) ([]byte, error) {
	o := ownOf(t)
	if o.project == "" {
		return nil, t.Refuse("model", "is spoken with in a project only: set vertex_project, and no address of a model")
	}
	input := t.Params.Get("input")
	if dialect.Blank(input) {
		return nil, t.Refuse("input", "must be a text")
	}
	format, err := t.Params.Text("response_format")
	if err != nil {
		return nil, err
	}
	t.AddHeader("x-goog-user-project", o.project)
	b := dialect.Build(dst)
	b.Open('{').Key("input").Open('{')
	if text, _ := llm.Text(input); string(t.Params.Get("use_ssml")) == "true" || bytes.Contains(text, []byte("<speak>")) {
		b.Key("ssml")
	} else {
		b.Key("text")
	}
	b.Raw(input).Close('}').Key("voice")
	if err := voiceOf(t, &b); err != nil {
		return nil, err
	}
	config, speed := option(t, "audio_config", "audioConfig"), t.Params.Get("speed")
	b.Key("audioConfig")
	if len(config) > 0 && config[0] == '{' {
		b.Raw(config)
	} else {
		b.Open('{').Key("audioEncoding").Quote(encodingOf(format)).Member("speakingRate", speed).Close('}')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// voiceOf writes the voice: an object of the API's own, or a name, which begins with the language.
func voiceOf(t *provider.Turn, b *dialect.Builder) error {
	v := t.Params.Get("voice")
	if len(v) > 0 && v[0] == '{' {
		b.Raw(v)
		return nil
	}
	name, err := t.Params.Text("voice")
	if err != nil {
		return err
	}
	switch name {
	case "", "alloy", "nova":
		name = "en-US-Studio-O"
	case "echo":
		name = "en-US-Studio-M"
	case "fable":
		name = "en-GB-Studio-B"
	case "onyx":
		name = "en-US-Wavenet-D"
	case "shimmer":
		name = "en-US-Wavenet-F"
	}
	language := "en-US"
	if parts := strings.SplitN(name, "-", 3); len(parts) > 1 {
		language = parts[0] + "-" + parts[1]
	}
	b.Open('{').Key("languageCode").Quote(language).Key("name").Quote(name).Close('}')
	return nil
}

// encodingOf is the encoding for one of OpenAI's formats; other names are Google's. It has no AAC.
func encodingOf(format string) string {
	switch format {
	case "mp3", "aac":
		return "MP3"
	case "opus":
		return "OGG_OPUS"
	case "flac":
		return "FLAC"
	case "", "wav", "pcm":
		return "LINEAR16"
	}
	return format
}

// said reads the answer. Samples come as a WAV file; they go out bare if pcm was asked for.
func said(t *provider.Turn, body, dst []byte) ([]byte, error) {
	content, ok := llm.Text(dialect.Get(body, "audioContent"))
	if !ok || len(content) == 0 {
		return nil, t.Garbled("holds no sound")
	}
	start := len(dst)
	dst, err := base64.StdEncoding.AppendDecode(dst, content)
	if err != nil {
		return nil, t.Garbled("holds a sound that is not in base64")
	}
	sound := dst[start:]
	switch {
	case bytes.HasPrefix(sound, []byte("RIFF")) && pcm(t) && len(sound) >= wavHeader:
		t.Type = "audio/pcm"
		dst = append(dst[:start], sound[wavHeader:]...)
	case bytes.HasPrefix(sound, []byte("RIFF")):
		t.Type = "audio/wav"
	case bytes.HasPrefix(sound, []byte("OggS")):
		t.Type = "audio/ogg"
	case bytes.HasPrefix(sound, []byte("fLaC")):
		t.Type = "audio/flac"
	default:
		t.Type = "audio/mpeg"
	}
	provider.Spoken(t.Exchange, &t.Usage)
	return dst, nil
}
