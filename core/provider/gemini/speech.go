package gemini

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// speech is generateContent with a model that answers in sound (https://ai.google.dev/gemini-api/docs/speech-generation).
// The samples come bare; they go out as a WAV file, as in the reference, or bare if pcm was asked for. On Vertex AI other
// models are those of Text-to-Speech.
func speech(vertex bool) *provider.Form {
	f := &provider.Form{
		Params: []string{"response_format", "voice"}, Request: speechRequest, Answer: speechAnswer,
		Route: func(t *provider.Turn, dst []byte) []byte { return ownOf(t).route(dst, "generateContent", false) },
	}
	if vertex {
		f.Params, f.Route = append(f.Params, "speed"), sayRoute
		f.Request = func(t *provider.Turn, dst []byte) ([]byte, error) {
			if !speaks(t) {
				return say(t, dst)
			}
			if v := t.Params.Get("speed"); v != nil && !t.Drop && !openai.Neutral("speed", v) {
				return nil, provider.UnsupportedParams(Vertex, t.Site.Deployment.Model, []string{"speed"})
			}
			return speechRequest(t, dst)
		}
		f.Answer = func(t *provider.Turn, body, dst []byte) ([]byte, error) {
			if !speaks(t) {
				return said(t, body, dst)
			}
			return speechAnswer(t, body, dst)
		}
	}
	return f
}

func speechRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	if !speaks(t) {
		return nil, t.Refuse("model", "must be a Gemini model that makes speech")
	}
	input := t.Params.Get("input")
	if len(input) < 3 || input[0] != '"' {
		return nil, t.Refuse("input", "must be a text")
	}
	format, err := t.Params.Text("response_format")
	if err != nil {
		return nil, err
	}
	if format != "" && format != "wav" && format != "pcm" && !t.Drop {
		return nil, t.Refuse("response_format", "must be wav or pcm, the formats that "+t.Params.Vendor+" has")
	}
	voice, config := t.Params.Get("voice"), option(t, "speech_config", "speechConfig")
	b := dialect.Build(dst)
	b.Open('{').Key("contents").Open('[').Open('{').Key("role").Lit(`"user"`).Key("parts").Open('[')
	b.Open('{').Key("text").Raw(input).Close('}').Close(']').Close('}').Close(']')
	b.Key("generationConfig").Open('{').Key("responseModalities").Lit(`["AUDIO"]`)
	switch {
	case config != nil:
		b.Key("speechConfig").Raw(config)
	case len(voice) > 2 && voice[0] == '"':
		b.Key("speechConfig").Open('{').Key("voiceConfig").Open('{').Key("prebuiltVoiceConfig").Open('{').
			Key("voiceName").Raw(voice).Close('}').Close('}').Close('}')
	case len(voice) > 2:
		return nil, t.Refuse("voice", "must be the name of a voice")
	}
	b.Member("temperature", t.Params.Get("temperature"))
	b.Close('}')
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

const wavHeader = 44

func speechAnswer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	var a gemini.Answer
	gemini.ScanAnswer(body, &a)
	start, rate := len(dst), 24000
	dst = append(dst, make([]byte, wavHeader)...)
	for c := dialect.Array(a.Candidates); c.Next(); {
		var g gemini.Candidate
		gemini.ScanCandidate(c.Value(), &g)
		for parts := dialect.Array(g.Parts); parts.Next(); {
			var p gemini.Part
			if gemini.ScanPart(parts.Value(), &p); p.Kind != gemini.InlineData {
				continue
			}
			var err error
			if dst, err = base64.StdEncoding.AppendDecode(dst, []byte(t.Text(dialect.Get(p.Value, "data")))); err != nil {
				return nil, t.Garbled("holds a sound that is not in base64")
			}
			kind := t.Text(dialect.Get(p.Value, "mimeType"))
			if !bare(kind) {
				t.Type, t.Usage = strings.Clone(kind), tokens(&a)
				return append(dst[:start], dst[start+wavHeader:]...), nil
			}
			if _, said, ok := strings.Cut(kind, "rate="); ok {
				said, _, _ = strings.Cut(said, ";")
				if n, err := strconv.Atoi(strings.TrimSpace(said)); err == nil && n > 0 {
					rate = n
				}
			}
		}
	}
	size := len(dst) - start - wavHeader
	if size == 0 {
		return dst[:start], refusedMedia(t, &a, body, "speech")
	}
	t.Usage = tokens(&a)
	if pcm(t) {
		t.Type = "audio/pcm"
		return append(dst[:start], dst[start+wavHeader:]...), nil
	}
	t.Type = "audio/wav"
	putWAV(dst[start:start], rate, size)
	return dst, nil
}

// bare reports whether a sound is samples alone.
func bare(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	return kind == "" || kind == "audio/l16" || kind == "audio/pcm"
}

// pcm reports whether the samples were asked for as they are.
func pcm(t *provider.Turn) bool {
	v := t.Exchange.Body.Get("response_format")
	for i := range t.Site.Deployment.Defaults {
		if p := &t.Site.Deployment.Defaults[i]; v == nil && p.Name == "response_format" {
			v = []byte(p.Value)
		}
	}
	return string(v) == `"pcm"`
}

// putWAV writes the header of a WAV file with one channel of 16 bits a sample.
func putWAV(dst []byte, rate, size int) {
	le := binary.LittleEndian
	dst = le.AppendUint32(append(dst, "RIFF"...), uint32(wavHeader-8+size)) //nolint:gosec // an answer is far smaller
	dst = le.AppendUint32(append(dst, "WAVEfmt "...), 16)
	dst = le.AppendUint16(le.AppendUint16(dst, 1), 1)                         // PCM, one channel
	dst = le.AppendUint32(le.AppendUint32(dst, uint32(rate)), uint32(2*rate)) //nolint:gosec // likewise
	dst = le.AppendUint16(le.AppendUint16(dst, 2), 16)
	_ = le.AppendUint32(append(dst, "data"...), uint32(size)) //nolint:gosec // likewise
}
