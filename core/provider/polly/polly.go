// Package polly is the provider for Amazon Polly, which turns text into sound
// (https://docs.aws.amazon.com/polly/latest/dg/API_SynthesizeSpeech.html). A model is an engine: aws_polly/neural,
// standard, long-form or generative. Names of voices and formats are as in the reference
// (litellm/llms/aws_polly/text_to_speech/transformation.py).
package polly

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "aws_polly"

// Settings are what the provider needs from outside.
type Settings struct {
	// Account says in which region a deployment is, and who signs its calls to a service, by the service's signing name.
	// named is a region that is known otherwise, or "". An error names the setting that is wrong.
	Account func(d *llm.Deployment, service, named string) (region string, sign llm.Signer, err error)

	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, KeyOptional: true, Classify: classify,
		Locate: func(t *provider.Site) (string, error) {
			d := t.Deployment
			if engine(d.Model) == "" {
				return "", t.Problem("model", "must be an engine: aws_polly/standard, neural, long-form or generative")
			}
			region, sign, err := s.Account(d, "polly", "")
			if err != nil {
				return "", err
			}
			t.Signer = sign
			if d.Base != "" {
				return d.Base, nil
			}
			domain := ".amazonaws.com"
			if strings.HasPrefix(region, "cn-") {
				domain += ".cn"
			}
			return "https://polly." + region + domain, nil
		},
		Bind: func(t *provider.Site) error {
			t.Keyless = true
			t.Header("Accept", "*/*")
			return nil
		},
		Forms: map[llm.Operation]*provider.Form{llm.OpSpeech: {
			Path: "/v1/speech", Params: []string{"voice", "response_format"}, Request: request, Verbatim: true,
			Settle: provider.Spoken,
		}},
		MaxResponse: s.MaxResponse,
	})
}

// engine is the engine that a model names.
func engine(model string) string {
	switch model = strings.ToLower(model); model {
	case "standard", "neural", "long-form", "generative":
		return model
	}
	return ""
}

// classify knows a call that comes too early, which has the status of a bad request
// (https://docs.aws.amazon.com/polly/latest/dg/CommonErrors.html).
func classify(_ *provider.Site, e *llm.Error, _ []byte) {
	if said := strings.ToLower(e.Message); strings.Contains(said, "rate exceeded") || strings.Contains(said, "throttling") {
		e.Kind, e.Status = llm.KindRateLimit, 0
	}
}

func request(t *provider.Turn, dst []byte) ([]byte, error) {
	input := t.Params.Get("input")
	if dialect.Blank(input) {
		return nil, t.Refuse("input", "must be a text")
	}
	format, err := t.Params.Text("response_format")
	if err != nil {
		return nil, err
	}
	name, err := t.Params.Text("voice")
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("Engine").Quote(engine(t.Site.Deployment.Model)).Key("OutputFormat").Quote(formatOf(format))
	b.Key("Text").Raw(input).Key("TextType")
	if text, _ := llm.Text(input); strings.Contains(string(text), "<speak>") || strings.Contains(string(text), "<speak ") {
		b.Lit(`"ssml"`)
	} else {
		b.Lit(`"text"`)
	}
	b.Key("VoiceId").Quote(voice(name))
	for _, p := range [...][2]string{{"language_code", "LanguageCode"}, {"lexicon_names", "LexiconNames"}, {"sample_rate", "SampleRate"}} {
		b.Member(p[1], t.Params.Get(p[0]))
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// voice is the voice for one of OpenAI's names; other names are Polly's.
func voice(name string) string {
	switch name {
	case "", "alloy":
		return "Joanna"
	case "echo":
		return "Matthew"
	case "fable":
		return "Amy"
	case "onyx":
		return "Brian"
	case "nova":
		return "Ivy"
	case "shimmer":
		return "Kendra"
	}
	return name
}

// formatOf is the format for one of OpenAI's; other names are Polly's. It has neither AAC nor FLAC, and samples bare.
func formatOf(name string) string {
	switch name {
	case "", "aac", "flac":
		return "mp3"
	case "opus":
		return "ogg_vorbis"
	case "wav":
		return "pcm"
	}
	return name
}
