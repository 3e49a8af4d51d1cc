package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// moderations answers in the form of https://platform.openai.com/docs/api-reference/moderations/object: texts with "kill"
// are flagged, texts with "meh" have a score that the service itself lets pass.
func moderations(r plugintest.Received) (int, string) {
	switch {
	case r.Path != "/v1/moderations" || r.Method != "POST":
		return 404, `{"error":{"message":"Unknown request URL","type":"invalid_request_error"}}`
	case r.Header.Get("Authorization") != "Bearer sk-test-123":
		return 401, `{"error":{"message":"Incorrect API key provided: sk-te***123","type":"invalid_request_error"}}`
	}
	var q question
	if err := json.Unmarshal(r.Body, &q); err != nil || q.Model != "omni-moderation-latest" {
		return 400, `{"error":{"message":"bad request"}}`
	}
	type object = map[string]any
	results := []object{}
	for _, text := range q.Input {
		violent, score := strings.Contains(text, "kill"), 0.001
		if violent {
			score = 0.93
		}
		if strings.Contains(text, "meh") {
			score = 0.4
		}
		results = append(results, object{
			"flagged": violent, "categories": object{"violence": violent, "hate/threatening": violent, "sexual": false},
			"category_scores":              object{"violence": score, "hate/threatening": score, "sexual": 0.0001},
			"category_applied_input_types": object{"violence": []string{"text"}},
		})
	}
	b, _ := json.Marshal(object{"id": "modr-1", "model": "omni-moderation-latest", "results": results})
	return 200, string(b)
}

func load(t testing.TB, s *plugintest.Service, config map[string]any) *plugintest.Plugin {
	t.Helper()
	all := map[string]any{"api_base": s.URL + "/v1/"}
	for k, v := range config {
		all[k] = v
	}
	return plugintest.LoadCaller(t, plugintest.Build(t, "."), all, map[string]string{"OPENAI_API_KEY": "sk-test-123"}, s)
}

func TestFlagged(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, moderations)
	p := load(t, s, nil)
	says := func(want string, texts ...string) {
		t.Helper()
		o := p.Chat(t, "m", texts...)
		if status, message := o.Refusal(); message != want || (want != "") != (status == 400) || o.Err != nil && want == "" {
			t.Errorf("%q: got %d %q, error %v", texts, status, message, o.Err)
		}
	}
	says("", "hello", "meh")
	says("Violated OpenAI moderation policy: hate/threatening, violence.", "hello", "kill \"them\" <all>")
	got := s.Got()
	if len(got) != 2 || string(got[1].Body) != `{"model":"omni-moderation-latest","input":["hello","kill \"them\" <all>"]}` {
		t.Errorf("the service got %d requests, %s", len(got), got[1].Body)
	}
	says("", " ", "\n")
	many := make([]string, 70)
	for i := range many {
		many[i] = "hello"
	}
	says("", many...)
	many[69] = "kill"
	says("Violated OpenAI moderation policy: hate/threatening, violence.", many...)
	if n := len(s.Got()); n != 6 {
		t.Errorf("70 texts twice took %d calls, want 6: and white space takes none", n)
	}
	if _, err := p.Answer(t, plugintest.Asked(t, "m", "hello"), "I kill"); !strings.Contains(err.Error(), "violence") {
		t.Errorf("an answer: %v", err)
	}
	if text, err := p.Answer(t, plugintest.Asked(t, "m", "kill"), "no"); text != "no" || err != nil {
		t.Errorf("an answer: %q, %v", text, err)
	}
	if status, _ := p.During(t, "m", "kill").Refusal(); status != 400 {
		t.Errorf("during the call: status %d", status)
	}
}

func TestThresholds(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, moderations)
	p := load(t, s, map[string]any{
		"thresholds": map[string]any{"violence": 0.4}, "block_on_flagged": false, "status": 403, "message": "no {categories}",
	})
	if status, message := p.Chat(t, "m", "meh").Refusal(); status != 403 || message != "no violence" {
		t.Errorf("got %d %q", status, message)
	}
	if o := p.Chat(t, "m", "hello"); o.Err != nil {
		t.Error(o.Err)
	}
	p = load(t, s, map[string]any{"thresholds": map[string]any{"malice": 0.4}})
	if o := p.Chat(t, "m", "hello"); !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), "no score for the category malice") {
		t.Errorf("a category that does not exist: %v", o.Err)
	}
}

// patience is a setting that ends the wait for a service that never answers, and no other.
func patience(status int) map[string]any {
	if status == 0 {
		return map[string]any{"timeout_ms": 200}
	}
	return nil
}

// TestFailsClosed has the service answer in every way that is no answer: nothing gets past, and no prompt or key gets into
// the error.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	fails := func(status int, body, want string) {
		t.Helper()
		s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return status, body })
		o := load(t, s, patience(status)).Chat(t, "m", "hunter2")
		if got, _ := o.Refusal(); got != 500 || !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), want) {
			t.Errorf("%d %s: got %d, %v", status, body, got, o.Err)
		}
		if o.Err != nil && (strings.Contains(o.Err.Error(), "hunter2") || strings.Contains(o.Err.Error(), "sk-test")) {
			t.Errorf("%d %s: the error tells too much: %v", status, body, o.Err)
		}
	}
	fails(401, `{"error":{"message":"Incorrect API key provided: sk-test-123"}}`, "does not accept the credentials")
	fails(429, ``, "too many requests")
	fails(500, `hunter2`, "status 500")
	fails(302, ``, "status 302")
	fails(204, ``, "status 204")
	fails(200, ``, "not JSON")
	fails(200, `<html>hunter2`, "not JSON")
	fails(200, `{}`, "0 results for 1 texts")
	fails(200, `null`, "0 results for 1 texts")
	fails(200, `[]`, "another form than expected at its root")
	fails(200, `{"results":[]}`, "0 results for 1 texts")
	fails(200, `{"results":[{}]}`, "without flagged")
	fails(200, `{"results":[null]}`, "without flagged")
	fails(200, `{"results":[{"flagged":"hunter2"}]}`, `another form than expected at "results.flagged"`)
	fails(200, `{"results":[{"flagged":false},{"flagged":false}]}`, "2 results for 1 texts")
	fails(200, `{"results":[{"flagged":false}]} x`, "not JSON")
	fails(0, ``, "http: timeout")
}

func TestConfigMistakes(t *testing.T) {
	mistake := func(want string, config map[string]any) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake("grant the secret OPENAI_API_KEY", map[string]any{})
	mistake("line break", map[string]any{"api_key": "a\r\nb"})
	mistake(`"api_base" must be an address`, map[string]any{"api_key": "k", "api_base": "ftp://x"})
	mistake(`"timeout_ms" must be above 0`, map[string]any{"api_key": "k", "timeout_ms": 0})
	mistake(`"thresholds.hate"`, map[string]any{"api_key": "k", "thresholds": map[string]any{"hate": 2}})
	mistake("nothing would ever", map[string]any{"api_key": "k", "block_on_flagged": false})
	mistake("400 to 499", map[string]any{"api_key": "k", "status": 200})
	mistake(`unknown setting "thresold"`, map[string]any{"api_key": "k", "thresold": 1})
}

func TestExample(t *testing.T) {
	t.Parallel()
	plugintest.LoadExample(t, plugintest.Build(t, "."), "README.md")
}

// TestStream has the moderation stop a stream.
func TestStream(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, moderations)
	p := load(t, s, nil)
	chunk := func(text string) string { return `{"choices":[{"index":0,"delta":{"content":"` + text + `"}}]}` }
	o := p.StreamChunks(t, wasm.GuardSettings{}, []string{chunk("I am "), chunk("kind")})
	if o.Err != nil || o.Text() != "I am kind" {
		t.Errorf("got %q, %v", o.Text(), o.Err)
	}
	o = p.StreamChunks(t, wasm.GuardSettings{}, []string{chunk("I will ki"), chunk("ll it")})
	if o.Err == nil || !strings.Contains(o.Err.Error(), "violence") || o.Text() != "" {
		t.Errorf("got %q, %v", o.Text(), o.Err)
	}
}

// What is no text cannot be looked at, and is refused if the operator says so.
func TestRefusesMedia(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return 500, "" })
	with := func(config map[string]any) *plugintest.Plugin { return load(t, s, config) }
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookModeration, abi.HookResponse)
}

// BenchmarkGuard measures a request of 2 KB in ten messages, the call of a service on this machine included.
func BenchmarkGuard(b *testing.B) {
	s := plugintest.Serve(b, moderations)
	p := load(b, s, nil)
	var texts []string
	for range 10 {
		texts = append(texts, strings.Repeat("all is well ", 17))
	}
	x := plugintest.Asked(b, "m", texts...)
	plugintest.Bench(b, p.Guard("moderation", nil), x)
}
