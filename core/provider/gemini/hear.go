package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// ear is the API that hears for a model.
type ear uint8

const (
	earChat         ear = iota // a Gemini model is asked to write down what it hears (https://ai.google.dev/gemini-api/docs/audio)
	earInteractions            // the Gemini API's models for transcriptions (https://ai.google.dev/gemini-api/docs/transcribe)
	earGenerate                // the same models on Vertex AI (https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/gemini/3-5-transcribe)
	earSpeech                  // Chirp and others, by Speech-to-Text (https://docs.cloud.google.com/speech-to-text/docs/reference/rest/v2/projects.locations.recognizers/recognize)
)

// revision is that of the Interactions API that answers as is read here; see the reference
// (litellm/llms/gemini/audio_transcription/transformation.py).
const revision = "2026-05-20"

func earOf(t *provider.Turn) ear {
	o := ownOf(t)
	switch {
	case !speaks(t) && o.vertex:
		return earSpeech
	case !strings.Contains(o.model, "transcribe"):
		return earChat
	case o.vertex:
		return earGenerate
	}
	return earInteractions
}

// transcriptions are what was said in a sound.
func transcriptions() *provider.Form {
	return &provider.Form{
		Params: []string{"language", "prompt", "response_format", "temperature", "timestamp_granularities", "timestamp_granularities[]"},
		Route:  hearRoute, Request: hearRequest, Answer: hearAnswer,
	}
}

func hearRoute(t *provider.Turn, dst []byte) []byte {
	o := ownOf(t)
	switch earOf(t) {
	case earInteractions:
		return append(dst, "/interactions"...)
	case earSpeech:
		t.Call.Target = &o.hearing
		return append(dst[:0], o.hearPath...)
	}
	return o.route(dst, "generateContent", false)
}

func hearRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	kind := earOf(t)
	if kind == earSpeech && ownOf(t).hearPath == "" {
		return nil, t.Refuse("model", "is heard with in a project only: set vertex_project, and no address of a model")
	}
	if err := hearFormat(t, kind); err != nil {
		return nil, err
	}
	name, media, content, err := t.Sound()
	if err != nil {
		return nil, err
	}
	if len(media) == 0 || string(media) == "application/octet-stream" {
		if media = []byte(gemini.TypeOf(name)); len(media) == 0 {
			media = []byte("audio/wav")
		}
	}
	language, err := t.Params.Text("language")
	if err != nil {
		return nil, err
	}
	if kind != earChat {
		for _, param := range [...]string{"prompt", "temperature"} {
			if v := t.Params.Get(param); v != nil && !t.Drop && string(v) != `""` {
				return nil, t.Refuse(param, "cannot be sent: the model takes none")
			}
		}
	}
	b := dialect.Build(dst)
	data := base64.StdEncoding.AppendEncode(nil, content)
	b.Open('{')
	switch kind {
	case earSpeech:
		recognize(t, &b, data, language)
	case earInteractions:
		t.AddHeader("Api-Revision", revision)
		interact(t, &b, data, media, language)
	default:
		if err := listen(t, &b, data, media, language, kind); err != nil {
			return nil, err
		}
	}
	for name, v := range t.Params.Rest {
		b.Member(name, t.Typed(v))
	}
	b.Close('}')
	return b.Bytes(), nil
}

// hearFormat refuses subtitles by models that tell no times.
func hearFormat(t *provider.Turn, kind ear) error {
	if err := t.WantsTranscript(); err != nil {
		return err
	}
	timed := kind == earSpeech || kind == earInteractions
	switch v, _ := llm.Text(t.Params.Get("response_format")); string(v) {
	case "srt", "vtt":
		if !timed && !t.Drop {
			return t.Refuse("response_format", "must be json or text for this model, which tells no times")
		}
	}
	if wordy(t) && !timed && !t.Drop {
		return t.Refuse("timestamp_granularities", "cannot be sent: the model tells no times")
	}
	return nil
}

// wordy reports whether the times of words are wanted.
func wordy(t *provider.Turn) bool {
	for _, name := range [...]string{"timestamp_granularities", "timestamp_granularities[]"} {
		if v := t.Params.Get(name); strings.Contains(string(v), `"word"`) {
			return true
		}
	}
	return false
}

// timed reports whether the times of words are needed, for themselves or for subtitles.
func timed(t *provider.Turn) bool {
	format, _ := llm.Text(t.Params.Get("response_format"))
	return wordy(t) || string(format) == "srt" || string(format) == "vtt"
}

// recognize writes a request for Speech-to-Text.
func recognize(t *provider.Turn, b *dialect.Builder, data []byte, language string) {
	if language == "" {
		language = "auto"
	}
	b.Key("config").Open('{').Key("model").Quote(ownOf(t).model).Key("languageCodes").Open('[').Quote(tag(language)).Close(']')
	b.Key("features").Open('{').Key("enableAutomaticPunctuation").Bool(true)
	if timed(t) {
		b.Key("enableWordTimeOffsets").Bool(true)
	}
	b.Close('}').Key("autoDecodingConfig").Open('{').Close('}').Close('}')
	b.Key("content").QuoteBytes(data)
}

// interact writes a request for the Interactions API.
func interact(t *provider.Turn, b *dialect.Builder, data, media []byte, language string) {
	b.Key("model").Quote(ownOf(t).model).Key("input").Open('[').Open('{').Key("type").Lit(`"audio"`)
	b.Key("data").QuoteBytes(data).Key("mime_type").QuoteBytes(media).Close('}').Close(']')
	if language == "" && !timed(t) {
		return
	}
	b.Key("generation_config").Open('{').Key("transcription_config").Open('{')
	if language != "" {
		b.Key("language_codes").Open('[').Quote(tag(language)).Close(']')
	}
	if timed(t) {
		b.Key("mode").Lit(`{"type":"verbatim","timestamp_granularities":["word"],"diarization_mode":"speaker"}`)
	}
	b.Close('}').Close('}')
}

// listen writes a request for generateContent.
func listen(t *provider.Turn, b *dialect.Builder, data, media []byte, language string, kind ear) error {
	b.Key("contents").Open('[').Open('{').Key("role").Lit(`"user"`).Key("parts").Open('[')
	if kind == earChat {
		words := "Generate a transcript of the speech. Answer with its words only."
		if language != "" {
			words += " The language is " + language + "."
		}
		hint, err := t.Params.Text("prompt")
		if err != nil {
			return err
		}
		if hint != "" {
			words += " This came before it, or says how it is spelled: " + hint
		}
		b.Open('{').Key("text").Quote(words).Close('}')
	}
	b.Open('{').Key("inlineData").Open('{').Key("mimeType").QuoteBytes(media).Key("data").QuoteBytes(data).Close('}').Close('}')
	b.Close(']').Close('}').Close(']').Key("generationConfig").Open('{')
	if kind == earGenerate {
		b.Key("audioTranscriptionConfig").Open('{')
		if language != "" {
			b.Key("languageCodes").Open('[').Quote(tag(language)).Close(']')
		}
		b.Close('}')
	}
	b.Member("temperature", t.Typed(t.Params.Get("temperature"))).Close('}')
	return nil
}

// tag is a language as Google wants it, with a region (https://www.rfc-editor.org/info/bcp47), for one that is named by its
// two letters alone as in OpenAI's API.
func tag(language string) string {
	switch strings.ToLower(language) {
	case "en":
		return "en-US"
	case "pt":
		return "pt-BR"
	case "zh":
		return "cmn-Hans-CN"
	case "ja":
		return "ja-JP"
	case "ko":
		return "ko-KR"
	case "hi":
		return "hi-IN"
	case "sv":
		return "sv-SE"
	case "da":
		return "da-DK"
	case "uk":
		return "uk-UA"
	case "cs":
		return "cs-CZ"
	case "el":
		return "el-GR"
	case "vi":
		return "vi-VN"
	case "ar":
		return "ar-EG"
	case "he":
		return "iw-IL"
	case "de", "fr", "es", "it", "nl", "pl", "ru", "tr", "fi", "hu", "ro", "id", "th":
		language = strings.ToLower(language)
		return language + "-" + strings.ToUpper(language)
	}
	return language
}

func hearAnswer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	var h heard
	switch earOf(t) {
	case earSpeech:
		h.recognized(t, body)
	case earInteractions:
		if status := dialect.Get(body, "status"); string(status) != `"completed"` {
			if dialect.Get(body, "error") != nil {
				return nil, t.Fail(400, body)
			}
			return nil, t.Garbled("is of an interaction that was not completed")
		}
		h.interacted(t, body)
	default:
		if err := h.generated(t, body); err != nil {
			return nil, err
		}
	}
	if !h.found {
		return nil, t.Garbled("has no transcript")
	}
	s := provider.Transcript{Text: llm.AppendQuoted(nil, strings.Join(h.texts, " ")), Language: h.language, Seconds: h.seconds, Words: h.words}
	if s.Language == nil {
		s.Language = t.Exchange.Body.Get("language")
	}
	used := t.Usage
	out := t.Transcribed(dst, &s)
	if used.Known() { // tokens are what is paid for
		t.Usage.Seconds = 0
	}
	return out, nil
}

// heard is what an answer says.
type heard struct {
	found    bool
	texts    []string
	language []byte
	seconds  []byte
	words    []provider.Word
}

func (h *heard) add(raw []byte) {
	if s, ok := llm.Text(raw); ok && len(s) > 0 {
		h.texts = append(h.texts, string(s))
	}
}

// recognized reads an answer of Speech-to-Text. One without results is of a sound in which nobody speaks.
func (h *heard) recognized(t *provider.Turn, body []byte) {
	meta := dialect.Get(body, "metadata")
	h.found = dialect.Get(body, "results") != nil || meta != nil
	h.seconds = seconds(dialect.Get(meta, "totalBilledDuration"))
	for c := dialect.Array(dialect.Get(body, "results")); c.Next(); {
		if code := dialect.Get(c.Value(), "languageCode"); h.language == nil && !dialect.Blank(code) {
			h.language = code
		}
		best := dialect.Array(dialect.Get(c.Value(), "alternatives"))
		if !best.Next() {
			continue
		}
		h.add(dialect.Get(best.Value(), "transcript"))
		for w := dialect.Array(dialect.Get(best.Value(), "words")); w.Next(); {
			h.word(w.Value(), "word", "startOffset", "endOffset")
		}
	}
	if !h.found {
		t.Usage = llm.Usage{}
	}
}

// word adds a word with its times; one that begins at once has no start.
func (h *heard) word(raw []byte, text, start, end string) {
	word, from, to := dialect.Get(raw, text), seconds(dialect.Get(raw, start)), seconds(dialect.Get(raw, end))
	if dialect.Blank(word) || to == nil {
		return
	}
	if from == nil {
		from = []byte("0")
	}
	h.words = append(h.words, provider.Word{Text: word, Start: from, End: to})
}

// seconds reads a duration such as "1.200s" (https://protobuf.dev/reference/protobuf/google.protobuf/#duration).
func seconds(raw []byte) []byte {
	s, ok := llm.Text(raw)
	number, unit := strings.CutSuffix(string(s), "s")
	if !ok || !unit || openai.Float([]byte(number)) == 0 || strings.Trim(number, "0123456789.") != "" ||
		strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
		return nil
	}
	if strings.HasPrefix(number, "0") && !strings.HasPrefix(number, "0.") {
		return nil
	}
	return []byte(number)
}

// interacted reads an answer of the Interactions API.
func (h *heard) interacted(t *provider.Turn, body []byte) {
	for step := dialect.Array(dialect.Get(body, "steps")); step.Next(); {
		for c := dialect.Array(dialect.Get(step.Value(), "content")); c.Next(); {
			if string(dialect.Get(c.Value(), "type")) != `"text"` {
				continue
			}
			h.found = true
			h.add(dialect.Get(c.Value(), "text"))
			for w := dialect.Array(dialect.Get(c.Value(), "annotations")); w.Next(); {
				if string(dialect.Get(w.Value(), "type")) == `"word_info"` {
					h.word(w.Value(), "text", "start_offset", "end_offset")
				}
			}
		}
	}
	usage := dialect.Get(body, "usage")
	t.Usage = llm.Usage{
		Prompt:     dialect.Int(dialect.Get(usage, "total_input_tokens")),
		Completion: dialect.Int(dialect.Get(usage, "total_output_tokens")),
		Total:      dialect.Int(dialect.Get(usage, "total_tokens")),
	}
	for c := dialect.Array(dialect.Get(usage, "input_tokens_by_modality")); c.Next(); {
		if string(dialect.Get(c.Value(), "modality")) == `"audio"` {
			t.Usage.AudioPrompt += dialect.Int(dialect.Get(c.Value(), "tokens"))
		}
	}
}

// generated reads an answer of generateContent.
func (h *heard) generated(t *provider.Turn, body []byte) error {
	var a gemini.Answer
	gemini.ScanAnswer(body, &a)
	t.Usage = tokens(&a)
	stopped := false
	for c := dialect.Array(a.Candidates); c.Next(); {
		h.found = true
		var g gemini.Candidate
		gemini.ScanCandidate(c.Value(), &g)
		stopped = stopped || len(g.Finish) == 0 || string(g.Finish) == `"STOP"`
		for parts := dialect.Array(g.Parts); parts.Next(); {
			var p gemini.Part
			if gemini.ScanPart(parts.Value(), &p); p.Kind == gemini.TextPart && !p.Thought {
				h.add(p.Text)
			}
		}
	}
	if len(h.texts) == 0 && (len(a.Block()) > 0 || h.found && !stopped) {
		return refusedMedia(t, &a, body, "transcript")
	}
	return nil
}
