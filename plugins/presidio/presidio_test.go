package main

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

type object = map[string]any

// analyzer answers POST /analyze as https://microsoft.github.io/presidio/api-docs/api-docs.html shows: it knows names,
// addresses and numbers of this test.
func analyzer(t *testing.T) func(plugintest.Received) (int, string) {
	kinds := map[string]*regexp.Regexp{
		"PERSON": regexp.MustCompile(`Jörg|Ann Lee`), "EMAIL_ADDRESS": regexp.MustCompile(`\S+@\S+`),
		"CREDIT_CARD": regexp.MustCompile(`\d{16}`), "URL": regexp.MustCompile(`example\.com/\S*`),
	}
	return func(r plugintest.Received) (int, string) {
		if r.Method != "POST" || r.Path != "/analyze" {
			return 404, `{"error":"not found"}`
		}
		var q struct {
			Text, Language string
			Entities       []string
			ScoreThreshold float64 `json:"score_threshold"`
		}
		if err := json.Unmarshal(r.Body, &q); err != nil {
			t.Error(err)
		}
		if q.Language != "en" && q.Language != "de" {
			return 500, `{"error":"No matching recognizers were found to serve the request."}`
		}
		runes := func(bytes int) int { return len([]rune(q.Text[:bytes])) }
		found := []object{}
		for name, kind := range kinds {
			for _, at := range kind.FindAllStringIndex(q.Text, -1) {
				score := 0.85
				if name == "URL" {
					score = 0.5
				}
				if (len(q.Entities) == 0 || slices.Contains(q.Entities, name)) && score >= q.ScoreThreshold {
					found = append(found, object{
						"entity_type": name, "start": runes(at[0]), "end": runes(at[1]), "score": score,
						"analysis_explanation": nil, "recognition_metadata": object{"recognizer_name": name},
					})
				}
			}
		}
		b, _ := json.Marshal(found)
		return 200, string(b)
	}
}

// anonymizer answers POST /anonymize: it replaces each result by <ENTITY_TYPE>, or as an operator says.
func anonymizer(t *testing.T) func(plugintest.Received) (int, string) {
	return func(r plugintest.Received) (int, string) {
		if r.Method != "POST" || r.Path != "/anonymize" {
			return 404, `{"error":"not found"}`
		}
		var q struct {
			Text        string
			Results     []found `json:"analyzer_results"`
			Anonymizers map[string]struct {
				Type     string
				NewValue string `json:"new_value"`
			}
		}
		if err := json.Unmarshal(r.Body, &q); err != nil {
			t.Error(err)
		}
		text, items := []rune(q.Text), []object{}
		slices.SortFunc(q.Results, func(a, b found) int { return b.Start - a.Start })
		for _, f := range q.Results {
			with := "<" + f.EntityType + ">"
			if o, ok := q.Anonymizers[f.EntityType]; ok && o.Type == "replace" {
				with = o.NewValue
			}
			text = slices.Replace(text, f.Start, f.End, []rune(with)...)
			items = append(items, object{"operator": "replace", "entity_type": f.EntityType, "text": with})
		}
		b, _ := json.Marshal(object{"text": string(text), "items": items})
		return 200, string(b)
	}
}

type pair struct{ analyzer, anonymizer *plugintest.Service }

func serve(t *testing.T) pair {
	return pair{plugintest.Serve(t, analyzer(t)), plugintest.Serve(t, anonymizer(t))}
}

func (s pair) load(t *testing.T, config object) *plugintest.Plugin {
	t.Helper()
	all := object{"analyzer": s.analyzer.URL + "/"}
	for k, v := range config {
		all[k] = v
	}
	// The anonymizer comes from the variable, without a scheme.
	secrets := map[string]string{"PRESIDIO_ANONYMIZER_API_BASE": strings.TrimPrefix(s.anonymizer.URL, "http://")}
	return plugintest.LoadCaller(t, plugintest.Build(t, "."), all, secrets, s.analyzer, s.anonymizer)
}

func TestMask(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.load(t, nil)
	becomes := func(want string, texts ...string) {
		t.Helper()
		if o := p.Chat(t, "m", texts...); o.Err != nil || strings.Join(o.Texts(), "|") != want {
			t.Errorf("%q: got %q, error %v", texts, o.Texts(), o.Err)
		}
	}
	becomes("nothing here| ", "nothing here", " ")
	becomes("世界 <PERSON> <EMAIL_ADDRESS>|<EMAIL_ADDRESS> \"x\"", "世界 Jörg a@b.example", "c@d.example \"x\"")
	s.analyzer.Got()
	s.anonymizer.Got()
	becomes("I am <PERSON>|ok|I am <PERSON>", "I am Jörg", "ok", "I am Jörg")
	asked := s.analyzer.Got()
	if len(asked) != 2 || string(asked[0].Body) != `{"text":"I am Jörg","language":"en"}` && string(asked[1].Body) != `{"text":"I am Jörg","language":"en"}` {
		t.Errorf("the analyzer got %d requests, %s", len(asked), asked[0].Body)
	}
	told := s.anonymizer.Got()
	want := object{"text": "I am Jörg", "analyzer_results": []any{object{"start": 5., "end": 9., "score": 0.85, "entity_type": "PERSON"}}}
	if len(told) != 1 {
		t.Fatalf("the anonymizer got %d requests", len(told))
	}
	if diff := cmp.Diff(want, told[0].JSON()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// What overlaps is masked as a whole.
	becomes("see <EMAIL_ADDRESS>", "see a@example.com/secret")
}

func TestEntities(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.load(t, object{
		"pii_entities_config": object{"PERSON": "MASK", "CREDIT_CARD": "BLOCK", "EMAIL_ADDRESS": "mask", "URL": "MASK"},
		"score_thresholds":    object{"URL": 0.6}, "score_threshold": 0.4, "language": "de", "status": 422,
		"ad_hoc_recognizers": []any{object{"name": "zip", "supported_language": "de", "supported_entity": "ZIP"}},
		"anonymizers":        object{"PERSON": object{"type": "replace", "new_value": "somebody"}},
	})
	o := p.Chat(t, "m", "Jörg: example.com/x")
	if got := o.Texts(); o.Err != nil || got[0] != "somebody: example.com/x" {
		t.Errorf("got %q, %v", got, o.Err)
	}
	want := object{
		"text": "Jörg: example.com/x", "language": "de", "score_threshold": 0.4,
		"entities":           []any{"CREDIT_CARD", "EMAIL_ADDRESS", "PERSON", "URL"},
		"ad_hoc_recognizers": []any{object{"name": "zip", "supported_language": "de", "supported_entity": "ZIP"}},
	}
	asked := s.analyzer.Got()
	if diff := cmp.Diff(want, asked[0].JSON()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	status, message := p.Chat(t, "m", "4111111111111111 of Jörg").Refusal()
	if status != 422 || message != "Blocked PII entity detected: CREDIT_CARD." {
		t.Errorf("got %d %q", status, message)
	}
	if n := len(s.anonymizer.Got()); n != 1 {
		t.Errorf("the anonymizer got %d requests: a refused request needs none", n)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.load(t, object{"output_parse_pii": true})
	x := plugintest.Asked(t, "m", "I am Jörg, not <PERSON_2> or Ann Lee", "Jörg: a@b.example")
	o := p.Before(t, x)
	if got := strings.Join(o.Texts(), "|"); o.Err != nil || got != "I am <PERSON_1>, not <PERSON_2> or <PERSON_3>|<PERSON_1>: <EMAIL_ADDRESS_1>" {
		t.Fatalf("got %q, %v", got, o.Err)
	}
	answer, err := p.Answer(t, x, "Dear <PERSON_1>, <PERSON_2> and <PERSON_3> write to <EMAIL_ADDRESS_1>, <PERSON_10>")
	if err != nil || answer != "Dear Jörg, <PERSON_2> and Ann Lee write to a@b.example, <PERSON_10>" {
		t.Errorf("got %q, %v", answer, err)
	}
	other := plugintest.Asked(t, "m", "hello")
	if o := p.Before(t, other); o.Err != nil {
		t.Fatal(o.Err)
	}
	if answer, err := p.Answer(t, other, "Dear <PERSON_1>"); err != nil || answer != "Dear <PERSON_1>" {
		t.Errorf("another request: got %q, %v", answer, err)
	}
	var many strings.Builder
	for i := range 2000 {
		many.WriteString(strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + "@b.example ")
	}
	if o := p.Chat(t, "m", many.String()); !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), "16 KB") {
		t.Errorf("more than can be kept: %v", o.Err)
	}
}

func TestAnswersAreMasked(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.load(t, object{"apply_to_output": true, "pii_entities_config": object{"PERSON": "MASK", "CREDIT_CARD": "BLOCK"}})
	x := plugintest.Asked(t, "m", "hello")
	if answer, err := p.Answer(t, x, "I am Jörg"); err != nil || answer != "I am <PERSON>" {
		t.Errorf("got %q, %v", answer, err)
	}
	if _, err := p.Answer(t, x, "4111111111111111"); err == nil || llm.AsError(err).HTTPStatus() != 400 {
		t.Errorf("got %v", err)
	}
}

// TestFailsClosed has the two services answer in every way that is no answer.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	good := serve(t)
	fails := func(s pair, want string) {
		t.Helper()
		config := object{}
		if strings.Contains(want, "timeout") { // a service that never answers
			config["timeout_ms"] = 200
		}
		o := s.load(t, config).Chat(t, "m", "I am Jörg")
		if got, _ := o.Refusal(); got != 500 || !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), want) || strings.Contains(o.Err.Error(), "Jörg") {
			t.Errorf("got %d, %v, want %q", got, o.Err, want)
		}
	}
	says := func(status int, body string) *plugintest.Service {
		return plugintest.Serve(t, func(plugintest.Received) (int, string) { return status, body })
	}
	analyzes := func(want string, status int, body string) {
		t.Helper()
		fails(pair{says(status, body), good.anonymizer}, want)
	}
	analyzes("presidio analyzer: status 500", 500, `{"error":"Jörg"}`)
	analyzes("presidio analyzer: http: timeout", 0, ``)
	analyzes("not JSON", 200, `Jörg`)
	analyzes("not a list", 200, `null`)
	analyzes("another form", 200, `{"text":"Jörg"}`)
	analyzes("without entity_type", 200, `[{}]`)
	analyzes("without entity_type", 200, `[null]`)
	analyzes("outside of the text", 200, `[{"entity_type":"A","start":5,"end":10,"score":1}]`)
	analyzes("outside of the text", 200, `[{"entity_type":"A","start":-1,"end":2,"score":1}]`)
	analyzes("outside of the text", 200, `[{"entity_type":"A","start":2,"end":2,"score":1}]`)
	analyzes("another form", 200, `[{"entity_type":"A","start":"2","end":3,"score":1}]`)
	anonymizes := func(want string, status int, body string) {
		t.Helper()
		fails(pair{good.analyzer, says(status, body)}, want)
	}
	anonymizes("presidio anonymizer: status 422", 422, `{"error":"Jörg"}`)
	anonymizes("has no text", 200, `{"items":[]}`)
	anonymizes("has no text", 200, `null`)
	anonymizes("not JSON", 200, ``)
	anonymizes("is the text as it was", 200, `{"text":"I am Jörg","items":[]}`)
}

func TestConfigMistakes(t *testing.T) {
	mistake := func(want string, config object) {
		t.Helper()
		if config["analyzer"] == nil {
			config["analyzer"], config["anonymizer"] = "a", "b"
		}
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake("grant the secret PRESIDIO_ANONYMIZER_API_BASE", object{"analyzer": "a"})
	mistake(`"pii_entities_config.PERSON" must be "MASK" or "BLOCK"`, object{"pii_entities_config": object{"PERSON": "HIDE"}})
	mistake(`"pii_entities_config" is empty`, object{"pii_entities_config": object{}})
	mistake(`"score_thresholds.PERSON"`, object{"score_thresholds": object{"PERSON": "high"}})
	mistake(`"score_threshold" must be`, object{"score_threshold": 1.5})
	mistake(`"anonymizers.PERSON"`, object{"anonymizers": object{"PERSON": "mask"}})
	mistake("needs placeholders", object{"output_parse_pii": true, "anonymizers": object{"DEFAULT": object{"type": "redact"}}})
	mistake("choose one", object{"output_parse_pii": true, "apply_to_output": true})
	mistake(`"ad_hoc_recognizers[0]" must be an object`, object{"ad_hoc_recognizers": []any{"x"}})
}

// FuzzJudge gives the plugin foreign findings: what is masked is in order, without overlaps, and within the text.
func FuzzJudge(f *testing.F) {
	f.Add("Jörg \xff a@b.example", []byte(`[{"entity_type":"A","start":0,"end":4,"score":1},{"entity_type":"B","start":2,"end":9,"score":0.5}]`))
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		var findings []finding
		if json.Unmarshal(raw, &findings) != nil {
			return
		}
		p := &plugin{analyzer: &jsonapi.Service{Name: "analyzer"}}
		list, err := p.judge(text, findings, map[string]bool{})
		if err != nil {
			return
		}
		last := 0
		for _, f := range list {
			if f.Start < last || f.End <= f.Start || f.End > len([]rune(text)) {
				t.Fatalf("%q: %v", text, list)
			}
			last = f.End
		}
		newNames(true, []string{text}).number(text, list)
	})
}

func TestExample(t *testing.T) {
	t.Parallel()
	plugintest.LoadExample(t, plugintest.Build(t, "."), "README.md")
}

// TestRestoreInStream has a model stream placeholders cut in two.
func TestRestoreInStream(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.load(t, object{"output_parse_pii": true})
	x := plugintest.Asked(t, "m", "I am Jörg: a@b.example")
	if o := p.Before(t, x); o.Err != nil {
		t.Fatal(o.Err)
	}
	var chunks []string
	for piece := range strings.SplitAfterSeq("Dear <PER|SON_|1>|, I wrote to <EMAIL_ADDRESS_1|> and <", "|") {
		content, _ := json.Marshal(strings.TrimSuffix(piece, "|"))
		chunks = append(chunks, `{"choices":[{"index":0,"delta":{"content":`+string(content)+`}}]}`)
	}
	o := p.StreamChunks(t, wasm.GuardSettings{}, chunks, plugintest.Reading{Change: func(y *llm.Exchange) {
		y.SetState(p.Name(), x.State(p.Name()))
	}})
	if got := o.Text(); o.Err != nil || got != "Dear Jörg, I wrote to a@b.example and <" {
		t.Errorf("got %q, %v", got, o.Err)
	}
}

// What is no text cannot be looked at, and is refused if the operator says so.
func TestRefusesMedia(t *testing.T) {
	t.Parallel()
	s := serve(t)
	with := func(config map[string]any) *plugintest.Plugin { return s.load(t, config) }
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookResponse)
}
