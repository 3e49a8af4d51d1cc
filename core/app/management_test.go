package app_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

const mockConfig = `
model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: k, mock_response: hello}}]
general_settings: {master_key: sk-master, store_model_in_db: true}
`

// member reads a member of a JSON object.
func member(t *testing.T, r *apptest.Response, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
		t.Fatalf("%d %s: %v", r.Status, r.Body, err)
	}
	s, ok := m[name].(string)
	if !ok {
		t.Fatalf("there is no text %q in %s", name, r.Body)
	}
	return s
}

func wantStatus(t *testing.T, r *apptest.Response, status int, text string) {
	t.Helper()
	if r.Status != status || !strings.Contains(r.Body, text) {
		t.Fatalf("got %d %s, want %d with %q", r.Status, r.Body, status, text)
	}
}

func chatWith(s *apptest.Server, model, key string) *apptest.Response {
	return s.Post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`, "Authorization: Bearer "+key)
}

// A key that was made works at once, one that was deleted no more, and what a gateway was told outlives it.
func TestManagement(t *testing.T) {
	t.Parallel()
	db := apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"), "LITELLM_SALT_KEY=salt")
	s := apptest.Start(t, mockConfig, db)
	admin := []string{"Authorization: Bearer sk-master"}
	wantStatus(t, s.Post("/key/generate", `{}`, "Authorization: Bearer sk-nobody1"), http.StatusUnauthorized, "token_not_found_in_db")
	made := s.Post("/key/generate", `{"models":["m"]}`, admin...)
	wantStatus(t, made, 200, `"key":"sk-`)
	key := member(t, made, "key")
	wantStatus(t, chatWith(s, "m", key), 200, "hello")
	wantStatus(t, chatWith(s, "other", key), 401, "key_model_access_denied")
	wantStatus(t, s.Post("/key/generate", `{}`, "Authorization: Bearer "+key), 401, "auth_error")
	wantStatus(t, s.Post("/key/block", `{"key":"`+key+`"}`, admin...), 200, `"blocked":true`)
	wantStatus(t, chatWith(s, "m", key), 401, "blocked")
	wantStatus(t, s.Post("/key/unblock", `{"key":"`+key+`"}`, admin...), 200, `"blocked":false`)

	// A model is there as soon as the answer is.
	wantStatus(t, s.Post("/model/new", `{"model_name":"n","litellm_params":{"model":"openai/y","api_key":"k","mock_response":"fresh"}}`, admin...), 200, `"model_name":"n"`)
	wantStatus(t, chatWith(s, "n", "sk-master"), 200, "fresh")
	wantStatus(t, s.Post("/model/new", `{"model_name":"p","litellm_params":{"model":"openai/y","num_retries":"many"}}`, admin...), 400, "num_retries")
	wantStatus(t, s.Post("/config/update", `{"router_settings":{"num_retries":4}}`, admin...), 200, "updated")
	wantStatus(t, s.Post("/config/update", `{"router_settings":{"num_retries":"x"}}`, admin...), 400, "num_retries")
	wantStatus(t, s.Get("/router/settings", admin...), 200, `"num_retries":4`)

	// Another gateway on the same database knows all of it, and learns what changes.
	again := apptest.Start(t, mockConfig, db)
	wantStatus(t, chatWith(again, "n", "sk-master"), 200, "fresh")
	wantStatus(t, chatWith(again, "m", key), 200, "hello")
	wantStatus(t, s.Post("/key/delete", `{"keys":["`+key+`"]}`, admin...), 200, "deleted_keys")
	wantStatus(t, chatWith(s, "m", key), 401, "token_not_found_in_db")
	eventually(t, func() bool { return chatWith(again, "m", key).Status == 401 })
	wantStatus(t, s.Post("/model/new", `{"model_name":"q","litellm_params":{"model":"openai/z","api_key":"k","mock_response":"later"}}`, admin...), 200, "q")
	eventually(t, func() bool { return chatWith(again, "q", "sk-master").Status == 200 })
}

// eventually waits for what another replica notices by asking.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
