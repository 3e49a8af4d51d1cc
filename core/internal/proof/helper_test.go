package proof

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

const (
	chatPath = "/v1/chat/completions"
	master   = apptest.MasterKey
)

// Each answer of the vendor has 10 tokens of a prompt and 20 of an answer, at 0.0001 and 0.00045 dollars each: a cent.
const callCost = 10*0.0001 + 20*0.00045

// vendor answers with tokens that cost callCost.
func vendor(t testing.TB) *ut.Vendor {
	t.Helper()
	return ut.New(t, ut.JSON(200, ut.Completion("m", "hello", 10, 20)))
}

// settings is a configuration with the model m at the vendor and the free model f. general, lite and router are further
// lines of these sections.
func settings(v *ut.Vendor, general, lite, router string) string {
	return fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params: {model: openai/gpt-4o-mini, api_base: %[1]s/v1, api_key: sk-up, input_cost_per_token: 0.0001, output_cost_per_token: 0.00045}
    model_info: {access_groups: [beta]}
  - model_name: other
    litellm_params: {model: openai/gpt-4o, api_base: %[1]s/v1, api_key: sk-up, input_cost_per_token: 0.0001, output_cost_per_token: 0.00045}
  - model_name: f
    litellm_params: {model: openai/local, api_base: %[1]s/v1, api_key: sk-up, input_cost_per_token: 0, output_cost_per_token: 0}
general_settings: {master_key: %[2]s, %[3]s}
litellm_settings: {%[4]s}
router_settings: {%[5]s}
`, v.URL, master, general, lite, router)
}

type object = map[string]any

// call asks a management route and fails the test unless the status is 200.
func call(t testing.TB, s *apptest.Server, method, path string, body object) object {
	t.Helper()
	var b []byte
	if body != nil {
		b, _ = json.Marshal(body)
	}
	r := s.Do(method, path, string(b))
	if r.Status != 200 {
		t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
	var out object
	if err := json.Unmarshal([]byte(r.Body), &out); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, r.Body)
	}
	return out
}

func post(t testing.TB, s *apptest.Server, path string, body object) object {
	t.Helper()
	return call(t, s, "POST", path, body)
}

// key makes a virtual key.
func key(t testing.TB, s *apptest.Server, params object) string {
	t.Helper()
	k, _ := post(t, s, "/key/generate", params)["key"].(string)
	if !strings.HasPrefix(k, "sk-") {
		t.Fatalf("key %q", k)
	}
	return k
}

func body(model, more string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}],"max_tokens":20` + more + `}`
}

// chat calls the model m with a key.
func chat(s *apptest.Server, k, more string, header ...string) *apptest.Response {
	return s.Post(chatPath, body("m", more), append([]string{"Authorization: Bearer " + k}, header...)...)
}

// refused checks status, type, code and part of the message of an error.
func refused(t testing.TB, r *apptest.Response, status int, kind, message string) {
	t.Helper()
	var e struct {
		Error struct {
			Message string
			Type    *string
			Code    string
		}
	}
	if err := json.Unmarshal([]byte(r.Body), &e); err != nil {
		t.Errorf("status %d: %v: %s", r.Status, err, r.Body)
		return
	}
	got := ""
	if e.Error.Type != nil {
		got = *e.Error.Type
	}
	if r.Status != status || got != kind || e.Error.Code != fmt.Sprint(status) || !strings.Contains(e.Error.Message, message) {
		t.Errorf("got %d %s, want %d %s %q", r.Status, r.Body, status, kind, message)
	}
}

func ok(t testing.TB, r *apptest.Response) {
	t.Helper()
	if r.Status != 200 {
		t.Errorf("status %d: %s", r.Status, r.Body)
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it did not happen in time: %s", what)
}

// spent is what the database has as the spend of a key.
func spent(t testing.TB, s *apptest.Server, k string) float64 {
	t.Helper()
	info, _ := call(t, s, "GET", "/key/info?key="+k, nil)["info"].(object)
	f, _ := info["spend"].(float64)
	return f
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
