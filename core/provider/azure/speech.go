package azure

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// speechPrefix is what the reference has before the name of a model of the speech service: azure/speech/azure-tts.
const speechPrefix = "speech/"

// Speaks reports whether a deployment is of the speech service, which Speech speaks, and not of Azure OpenAI.
func Speaks(d *llm.Deployment) bool { return strings.HasPrefix(d.Model, speechPrefix) }

// Speech makes the provider of Azure's speech service, which turns text into sound
// (https://learn.microsoft.com/en-us/azure/ai-services/speech-service/rest-text-to-speech). Names of voices and formats are
// as in the reference (litellm/llms/azure/text_to_speech/transformation.py).
func Speech(s OwnSettings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, KeyHeader: "Ocp-Apim-Subscription-Key", KeyVars: []string{"AZURE_API_KEY"}, BaseVars: []string{"AZURE_API_BASE"},
		Locate: locateSpeech,
		Bind: func(site *provider.Site) (err error) {
			site.Header("Accept", "*/*")
			if site.Deployment.APIKey == "" && s.Identity != nil {
				site.Signer, err = s.Identity(site.Deployment)
				site.Keyless = site.Signer != nil
			}
			return err
		},
		Forms: map[llm.Operation]*provider.Form{llm.OpSpeech: {
			Path: "/cognitiveservices/v1", Params: []string{"voice", "response_format", "speed"}, Request: spoken,
			Typed: true, Verbatim: true,
			Settle: provider.Spoken,
		}},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// locateSpeech is the address that speaks in the region of a resource whose address is given.
func locateSpeech(site *provider.Site) (string, error) {
	base, _, _ := strings.Cut(strings.TrimSpace(site.Deployment.Base), "?")
	base = strings.TrimSuffix(strings.TrimRight(base, "/"), "/cognitiveservices/v1")
	if front, ok := strings.CutSuffix(base, ".api.cognitive.microsoft.com"); ok {
		base = front + ".tts.speech.microsoft.com"
	}
	return base, nil
}

// spoken writes the request: the text in SSML, and the format as a header line.
func spoken(t *provider.Turn, dst []byte) ([]byte, error) {
	input := t.Params.Get("input")
	if dialect.Blank(input) {
		return nil, t.Refuse("input", "must be a text")
	}
	text, _ := llm.Text(input)
	format, err := t.Params.Text("response_format")
	if err != nil {
		return nil, err
	}
	t.AddHeader("Content-Type", "application/ssml+xml")
	t.AddHeader("X-Microsoft-OutputFormat", speechFormat(format))
	voice, err := t.Params.Text("voice")
	if err != nil {
		return nil, err
	}
	rate, err := rateOf(t)
	if err != nil {
		return nil, err
	}
	m := markup{text: string(text), voice: speechVoice(voice), rate: rate}
	for name, value := range map[string]*string{"style": &m.style, "styledegree": &m.degree, "role": &m.role, "lang": &m.lang} {
		v := t.Params.Get(name)
		if s, ok := llm.Text(v); ok {
			*value = string(s)
		} else {
			*value = string(v)
		}
	}
	for name := range t.Params.Rest {
		return nil, t.Refuse(name, "is unknown to Azure's speech service")
	}
	if strings.Contains(m.text, "<speak>") || strings.Contains(m.text, "<speak ") {
		return append(dst, m.text...), nil
	}
	return m.append(dst), nil
}

// speechVoice is the voice for one of OpenAI's names; other names are Azure's.
func speechVoice(name string) string {
	switch name {
	case "alloy":
		return "en-US-JennyNeural"
	case "echo":
		return "en-US-GuyNeural"
	case "fable":
		return "en-GB-RyanNeural"
	case "onyx":
		return "en-US-DavisNeural"
	case "nova":
		return "en-US-AmberNeural"
	case "shimmer", "":
		return "en-US-AriaNeural"
	}
	return name
}

// speechFormat is the format for one of OpenAI's; other names are Azure's. It has neither AAC nor FLAC.
func speechFormat(name string) string {
	switch name {
	case "", "mp3", "aac", "flac":
		return "audio-24khz-48kbitrate-mono-mp3"
	case "opus":
		return "ogg-48khz-16bit-mono-opus"
	case "wav":
		return "riff-24khz-16bit-mono-pcm"
	case "pcm":
		return "raw-24khz-16bit-mono-pcm"
	}
	return name
}

// rateOf is the speed as a change in percent.
func rateOf(t *provider.Turn) (string, error) {
	v := t.Params.Get("speed")
	if dialect.Null(v) {
		return "0%", nil
	}
	speed := openai.Float(v)
	if v[0] == '"' || speed <= 0 || speed > 100 {
		return "", t.Refuse("speed", "must be a number like 1.5")
	}
	percent := int(math.Round((speed - 1) * 100))
	if percent < 0 {
		return strconv.Itoa(percent) + "%", nil
	}
	return "+" + strconv.Itoa(percent) + "%", nil
}

// markup is SSML to be
// (https://learn.microsoft.com/en-us/azure/ai-services/speech-service/speech-synthesis-markup-voice).
type markup struct{ text, voice, rate, style, degree, role, lang string }

func (m *markup) append(dst []byte) []byte {
	var b strings.Builder
	attribute := func(name, value string) {
		if value != "" {
			b.WriteString(" " + name + "='")
			_ = xml.EscapeText(&b, []byte(value)) // a strings.Builder takes everything
			b.WriteString("'")
		}
	}
	expressed := m.style != "" || m.degree != "" || m.role != ""
	b.WriteString("<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis'")
	if expressed {
		b.WriteString(" xmlns:mstts='https://www.w3.org/2001/mstts'")
	}
	b.WriteString(" xml:lang='en-US'><voice")
	attribute("name", m.voice)
	attribute("xml:lang", m.lang)
	b.WriteString(">")
	if expressed {
		b.WriteString("<mstts:express-as")
		attribute("style", m.style)
		attribute("styledegree", m.degree)
		attribute("role", m.role)
		b.WriteString(">")
	}
	b.WriteString("<prosody rate='" + m.rate + "'>")
	_ = xml.EscapeText(&b, []byte(m.text)) // likewise
	b.WriteString("</prosody>")
	if expressed {
		b.WriteString("</mstts:express-as>")
	}
	b.WriteString("</voice></speak>")
	return append(dst, b.String()...)
}
