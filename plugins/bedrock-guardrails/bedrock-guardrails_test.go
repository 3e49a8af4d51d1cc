package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

type object = map[string]any

const arn = "arn:aws:bedrock:eu-central-1:123456789012:guardrail/abc123"

func secrets() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_SESSION_TOKEN": "token==", "AWS_REGION": "eu-central-1",
	}
}

func load(t testing.TB, s *plugintest.Service, config object) *plugintest.Plugin {
	t.Helper()
	all := object{"aws_bedrock_runtime_endpoint": s.URL, "guardrailIdentifier": arn, "guardrailVersion": "2"}
	for k, v := range config {
		all[k] = v
	}
	return plugintest.LoadCaller(t, plugintest.Build(t, "."), all, secrets(), s)
}

// accepted checks a signature as the service does: over what arrived.
func accepted(r plugintest.Received) bool {
	at, err := time.Parse(timeFormat, r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 5*time.Minute {
		return false
	}
	c := &credentials{id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI", region: "eu-central-1", service: "bedrock"}
	s := &signed{method: r.Method, path: r.Path, body: r.Body}
	for _, name := range []string{"content-type", "host", "x-amz-date", "x-amz-security-token"} {
		s.headers = append(s.headers, [2]string{name, r.Header.Get(name)})
	}
	return r.Header.Get("Authorization") == c.authorization(s, at) && r.Header.Get("X-Amz-Security-Token") == "token=="
}

// guardrail answers in the form of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html:
// it anonymizes the address a@b.example, and blocks the topic "stocks" and the word "darn".
func guardrail(r plugintest.Received) (int, string) {
	if r.Path != "/guardrail/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Aguardrail%2Fabc123/version/2/apply" {
		return 404, `{"message":"not found"}`
	}
	if !accepted(r) {
		return 403, `{"message":"The request signature we calculated does not match the signature you provided."}`
	}
	var q question
	if err := json.Unmarshal(r.Body, &q); err != nil || q.Source != "INPUT" && q.Source != "OUTPUT" {
		return 400, `{"message":"malformed"}`
	}
	outputs, blocked, masked := []object{}, false, false
	assessment := object{"invocationMetrics": object{"guardrailProcessingLatency": 100}}
	for _, b := range q.Content {
		text := strings.ReplaceAll(b.Text.Text, "a@b.example", "{EMAIL}")
		masked = masked || text != b.Text.Text
		outputs = append(outputs, object{"text": text})
		if strings.Contains(text, "stocks") {
			blocked = true
			assessment["topicPolicy"] = object{"topics": []object{{"name": "Investments", "type": "DENY", "action": "BLOCKED"}}}
		}
		if strings.Contains(text, "darn") {
			blocked = true
			assessment["wordPolicy"] = object{"customWords": []object{{"match": "darn", "action": "BLOCKED"}}, "managedWordLists": []object{}}
		}
	}
	if masked {
		assessment["sensitiveInformationPolicy"] = object{
			"piiEntities": []object{{"type": "EMAIL", "match": "a@b.example", "action": "ANONYMIZED"}}, "regexes": []object{},
		}
	}
	answer := object{"action": "NONE", "outputs": []object{}, "assessments": []object{assessment}, "usage": object{"topicPolicyUnits": 1}}
	if masked || blocked {
		answer["action"], answer["outputs"] = "GUARDRAIL_INTERVENED", outputs
	}
	if blocked {
		answer["outputs"] = []object{{"text": "I cannot talk about that."}}
	}
	b, _ := json.Marshal(answer)
	return 200, string(b)
}

func TestApply(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, guardrail)
	p := load(t, s, nil)
	becomes := func(want string, texts ...string) {
		t.Helper()
		if o := p.Chat(t, "m", texts...); o.Err != nil || strings.Join(o.Texts(), "|") != want {
			t.Errorf("%q: got %q, %v", texts, o.Texts(), o.Err)
		}
	}
	becomes("hello|é <x>", "hello", "é <x>")
	got := s.Got()
	if string(got[0].Body) != `{"source":"INPUT","content":[{"text":{"text":"hello"}},{"text":{"text":"é <x>"}}]}` {
		t.Errorf("the service got %s", got[0].Body)
	}
	becomes("| I am {EMAIL}|ok", "", " I am a@b.example", "ok")
	refuses := func(want string, texts ...string) {
		t.Helper()
		if status, message := p.Chat(t, "m", texts...).Refusal(); status != 400 || message != want {
			t.Errorf("%q: got %d %q", texts, status, message)
		}
	}
	refuses("I cannot talk about that.", "hello", "stocks?")
	refuses("Violated guardrail policy: EMAIL, Investments.", "a@b.example", "stocks?")
	refuses("I cannot talk about that.", "darn")
	if status, _ := p.During(t, "m", "a@b.example").Refusal(); status != 400 {
		t.Errorf("during the call nothing can be masked: status %d", status)
	}
	s.Got()
	x := plugintest.Asked(t, "m", "hello")
	if text, err := p.Answer(t, x, "it is a@b.example"); text != "it is {EMAIL}" || err != nil {
		t.Errorf("an answer: %q, %v", text, err)
	}
	if got := s.Got(); !strings.Contains(string(got[0].Body), `"source":"OUTPUT"`) {
		t.Errorf("the service got %s", got[0].Body)
	}
	if _, err := p.Answer(t, x, "buy stocks"); err == nil || llm.AsError(err).HTTPStatus() != 400 {
		t.Errorf("an answer: %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, guardrail)
	p := load(t, s, object{"mask_request_content": false, "message": "no {policies}", "status": 422})
	if status, message := p.Chat(t, "m", "a@b.example").Refusal(); status != 422 || message != "no EMAIL" {
		t.Errorf("got %d %q", status, message)
	}
	s = plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		if r.Header.Get("Authorization") != "Bearer bedrock-key" || r.Header.Get("X-Amz-Date") != "" {
			return 403, `{}`
		}
		return 200, `{"action":"NONE"}`
	})
	if o := load(t, s, object{"aws_bearer_token": "bedrock-key"}).Chat(t, "m", "hi"); o.Err != nil {
		t.Error(o.Err)
	}
}

// TestMaskOnlyWhatIsSure has the service intervene in ways that are no plain masking.
func TestMaskOnlyWhatIsSure(t *testing.T) {
	t.Parallel()
	refuses := func(answer string) {
		t.Helper()
		s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return 200, answer })
		status, message := load(t, s, nil).Chat(t, "m", "hunter2").Refusal()
		if status != 400 || !strings.HasPrefix(message, "Violated guardrail policy") {
			t.Errorf("%s: got %d %q", answer, status, message)
		}
	}
	masked := `"assessments":[{"sensitiveInformationPolicy":{"piiEntities":[{"type":"NAME","match":"hunter2","action":"ANONYMIZED"}]}}]`
	refuses(`{"action":"GUARDRAIL_INTERVENED"}`)
	refuses(`{"action":"GUARDRAIL_INTERVENED","outputs":[{"text":"{NAME}"}]}`)
	refuses(`{"action":"GUARDRAIL_INTERVENED","outputs":[],` + masked + `}`)
	refuses(`{"action":"GUARDRAIL_INTERVENED","outputs":[{}],` + masked + `}`)
	refuses(`{"action":"GUARDRAIL_INTERVENED","outputs":[{"text":"a"},{"text":"b"}],` + masked + `}`)
	refuses(`{"action":"GUARDRAIL_INTERVENED","outputs":[],"assessments":[{"futurePolicy":{"things":[{"type":"NEW","action":"REWRITTEN"}]}}]}`)
}

// patience is a setting that ends the wait for a service that never answers, and no other.
func patience(status int) object {
	if status == 0 {
		return object{"timeout_ms": 200}
	}
	return nil
}

// TestFailsClosed has the service answer in every way that is no answer.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	fails := func(status int, body, want string) {
		t.Helper()
		s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return status, body })
		o := load(t, s, patience(status)).Chat(t, "m", "hunter2")
		if got, _ := o.Refusal(); got != 500 || !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), want) || strings.Contains(o.Err.Error(), "hunter2") {
			t.Errorf("%d %s: got %d, %v", status, body, got, o.Err)
		}
	}
	fails(403, `{"message":"The security token included in the request is invalid."}`, "credentials")
	fails(424, `hunter2`, "status 424")
	fails(200, `hunter2`, "not JSON")
	fails(200, `{}`, "neither NONE nor GUARDRAIL_INTERVENED")
	fails(200, `null`, "neither NONE nor GUARDRAIL_INTERVENED")
	fails(200, `{"action":"hunter2"}`, "neither NONE nor GUARDRAIL_INTERVENED")
	fails(200, `{"action":"NONE","outputs":{}}`, `"outputs"`)
	fails(0, ``, "timeout")
}

func TestConfigMistakes(t *testing.T) {
	mistake := func(want string, config object) {
		t.Helper()
		for k, v := range (object{"guardrailIdentifier": "abc", "aws_region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}) {
			if _, ok := config[k]; !ok {
				config[k] = v
			}
		}
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake(`"guardrailIdentifier"`, object{"guardrailIdentifier": "ABC/../x"})
	mistake(`"guardrailVersion"`, object{"guardrailVersion": "latest"})
	mistake(`"aws_region_name"`, object{"aws_region_name": "evil.example/"})
	mistake("without a path", object{"aws_bedrock_runtime_endpoint": "https://h/p"})
	mistake("credentials are missing", object{"aws_secret_access_key": ""})
	mistake("line break", object{"aws_session_token": "a\nb"})
	mistake("400 to 499", object{"status": 500})
	if hooks, err := sallyport.Build(object{"guardrailIdentifier": "abc", "aws_region_name": "us-gov-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}, New); err != nil || hooks.Request == nil {
		t.Errorf("a plain configuration: %v", err)
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	plugintest.LoadExample(t, plugintest.Build(t, "."), "README.md")
}

// What is no text cannot be looked at, and is refused if the operator says so.
func TestRefusesMedia(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return 500, "" })
	with := func(config map[string]any) *plugintest.Plugin { return load(t, s, config) }
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookModeration, abi.HookResponse)
}
