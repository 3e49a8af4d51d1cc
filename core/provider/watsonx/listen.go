package watsonx

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// listen writes a request for a transcription: OpenAI's form, with whose call it is
// (https://ibm.github.io/watsonx-ai-python-sdk/fm_audio_model_inference.html,
// litellm/llms/watsonx/audio_transcription/transformation.py).
func listen(t *provider.Turn, _ []byte) ([]byte, error) {
	if err := t.WantsTranscript(); err != nil {
		return nil, err
	}
	name, kind, content, err := t.Sound()
	if err != nil {
		return nil, err
	}
	d := t.Site.Deployment
	fields := []llm.Pair{{Name: "model", Value: d.Model}}
	if project := first(d, "project_id", "watsonx_project"); project != "" {
		fields = append(fields, llm.Pair{Name: "project_id", Value: project})
	} else if space := first(d, "space_id"); space != "" {
		fields = append(fields, llm.Pair{Name: "space_id", Value: space})
	}
	fields = append(fields, asked(t)...)
	for _, p := range t.Params.Params {
		switch p.Name {
		case "file", "response_format":
			continue
		case "timestamp_granularities", "timestamp_granularities[]":
			if subtitles(t) {
				continue
			}
		}
		list := [][]byte{p.Value}
		if len(p.Value) > 0 && p.Value[0] == '[' {
			list = nil
			for c := dialect.Array(p.Value); c.Next(); {
				list = append(list, c.Value())
			}
		}
		for _, v := range list {
			value := string(v)
			if s, ok := llm.Text(v); ok {
				value = string(s)
			}
			fields = append(fields, llm.Pair{Name: p.Name, Value: value})
		}
	}
	t.SendForm(fields, []provider.FormFile{{Name: "file", File: name, Type: string(kind), Content: content}})
	return nil, nil
}

// asked is the format to ask for: texts and subtitles are made here, out of JSON.
func asked(t *provider.Turn) []llm.Pair {
	format, _ := llm.Text(t.Params.Get("response_format"))
	switch {
	case subtitles(t):
		return []llm.Pair{{Name: "response_format", Value: "verbose_json"}, {Name: "timestamp_granularities[]", Value: "word"}}
	case string(format) == "text":
		return []llm.Pair{{Name: "response_format", Value: "json"}}
	case len(format) > 0:
		return []llm.Pair{{Name: "response_format", Value: string(format)}}
	}
	return nil
}

func subtitles(t *provider.Turn) bool {
	format := string(t.Exchange.Body.Get("response_format"))
	return format == `"srt"` || format == `"vtt"`
}

// heard passes JSON on, which has OpenAI's form, and makes the other formats of it.
func heard(t *provider.Turn, body, dst []byte) ([]byte, error) {
	text := dialect.Get(body, "text")
	switch {
	case dialect.Get(body, "errors") != nil:
		return nil, t.Fail(400, body)
	case len(text) < 2 || text[0] != '"':
		return nil, t.Garbled("has no text")
	}
	s := provider.Transcript{Text: text, Language: dialect.Get(body, "language"), Seconds: dialect.Get(body, "duration")}
	for c := dialect.Array(dialect.Get(body, "words")); c.Next(); {
		w := provider.Word{Text: dialect.Get(c.Value(), "word"), Start: dialect.Get(c.Value(), "start"), End: dialect.Get(c.Value(), "end")}
		if len(w.Text) > 1 && w.Text[0] == '"' {
			s.Words = append(s.Words, w)
		}
	}
	format, _ := llm.Text(t.Exchange.Body.Get("response_format"))
	switch {
	case subtitles(t) && len(s.Words) == 0:
		return nil, t.Garbled("has no words with times, of which subtitles are made")
	case subtitles(t), string(format) == "text":
		return t.Transcribed(dst, &s), nil
	}
	provider.ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	t.Usage.Seconds = openai.Float(s.Seconds)
	return append(dst, body...), nil
}
