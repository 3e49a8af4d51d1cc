package app_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Fallbacks that are set by the API serve requests from then on, and no more when they are deleted. Statuses and texts
// are those of litellm/proxy/management_endpoints/fallback_management_endpoints.py.
func TestFallbackRoutes(t *testing.T) {
	t.Parallel()
	bad, good := ut.New(t, ut.ServerError()), ut.New(t, okay())
	d := withDatabase(t, entry("bad", "bad", bad, "", "")+entry("good", "good", good, "", "")+
		"router_settings: {num_retries: 0, fallbacks: [{other: [m]}]}\ngeneral_settings: {master_key: sk-1234, store_model_in_db: true}\n")
	asks := func(status int) {
		t.Helper()
		wantStatus(t, d.Post(chat, `{"model":"bad","messages":[{"role":"user","content":"hi"}]}`), status, "")
	}
	asks(500)
	wantStatus(t, d.Post("/fallback", `{"model":"bad","fallback_models":["good"]}`), 200, "Fallback configuration created successfully")
	asks(200)
	wantStatus(t, d.Get("/fallback/bad"), 200, `"good"`)
	wantStatus(t, d.Get("/fallback/other"), 200, `"m"`) // the file's are still there
	wantStatus(t, d.Post("/fallback", `{"model":"bad","fallback_models":["m"]}`), 200, "Fallback configuration updated successfully")
	wantStatus(t, d.Get("/fallback/bad"), 200, `"m"`)
	wantStatus(t, d.Post("/fallback", `{"model":"bad","fallback_models":["good"],"fallback_type":"content_policy"}`), 200, "created")
	wantStatus(t, d.Get("/fallback/bad?fallback_type=content_policy"), 200, `"good"`)
	wantStatus(t, d.Get("/fallback/bad?fallback_type=context_window"), 404, "No context_window fallbacks configured for model 'bad'")
	wantStatus(t, d.Get("/fallback/bad?fallback_type=x"), 400, "fallback_type")
	wantStatus(t, d.Post("/fallback", `{"model":"nobody","fallback_models":["good"]}`), 404, "Model 'nobody' not found in router")
	wantStatus(t, d.Post("/fallback", `{"model":"bad","fallback_models":["nobody"]}`), 400, "Invalid fallback models: 'nobody'")
	wantStatus(t, d.Post("/fallback", `{"model":"bad","fallback_models":["bad"]}`), 400, "cannot be its own fallback")
	wantStatus(t, d.Do("DELETE", "/fallback/bad", "", as(apptest.MasterKey)), 200, "Fallback configuration deleted successfully")
	asks(500)
	wantStatus(t, d.Do("DELETE", "/fallback/bad", "", as(apptest.MasterKey)), 404, "No general fallbacks configured for model 'bad'")
	wantStatus(t, d.Get("/fallback/bad?fallback_type=content_policy"), 200, `"good"`)
	if r := d.Post("/fallback", `{"model":"bad","fallback_models":["good"]}`, as(d.key(`{}`))); r.Status < 400 {
		t.Errorf("anybody may set fallbacks: %d", r.Status)
	}
}

// A caller's own fallbacks are models that the caller may use; their members replace those of the request.
func TestClientFallbacks(t *testing.T) {
	t.Parallel()
	bad, good := ut.New(t, ut.ServerError()), ut.New(t, okay())
	d := withDatabase(t, entry("bad", "bad", bad, "", "")+entry("good", "good", good, "", "")+
		"router_settings: {num_retries: 0, fallbacks: [{bad: [m]}], max_fallbacks: 1}\ngeneral_settings: {master_key: sk-1234}\n")
	key := d.key(`{"models":["bad","good"]}`)
	asks := func(more string) *apptest.Response {
		return d.Post(chat, `{"model":"bad","messages":[{"role":"user","content":"hi"}]`+more+`}`, as(key))
	}
	wantStatus(t, asks(`,"fallbacks":["good"]`), 200, "ok")
	wantStatus(t, asks(`,"fallbacks":[{"model":"good","temperature":0.25}]`), 200, "ok")
	if b := string(good.Last().Body); !strings.Contains(b, `"temperature":0.25`) || strings.Contains(b, "fallbacks") {
		t.Errorf("sent %s", b)
	}
	before := len(bad.Requests())
	wantStatus(t, asks(`,"fallbacks":["other"]`), 401, "Tried to access other")
	wantStatus(t, asks(`,"fallbacks":["good",{"model":"other"}]`), 401, "Tried to access other")
	wantStatus(t, asks(`,"fallbacks":["nobody"]`), 401, "nobody")
	wantStatus(t, asks(`,"fallbacks":"good"`), 400, "fallbacks")
	if n := len(bad.Requests()) - before; n != 0 {
		t.Errorf("%d calls before the refusal", n)
	}
	wantStatus(t, asks(`,"fallbacks":["good"],"disable_fallbacks":true`), 500, "Available Model Group Fallbacks=None")
	wantStatus(t, asks(``), 200, "hello") // the operator's list is not checked against the key
	wantStatus(t, asks(`,"fallbacks":[]`), 500, "")
}

// Reasoning that a vendor encrypted goes back to the deployment that gave it out.
func TestEncryptedContentAffinity(t *testing.T) {
	t.Parallel()
	answer := func(secret string) ut.Answer {
		return ut.JSON(200, `{"id":"resp_1","object":"response","status":"completed","model":"x","output":[{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"`+
			secret+`"},{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"ok","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`)
	}
	v := vendors(t, answer("gAAAAzero"), answer("gAAAAone"))
	s := apptest.Start(t, fleet("optional_pre_call_checks: [encrypted_content_affinity], num_retries: 0", v))
	for range 4 {
		wantStatus(t, s.Post("/v1/responses", `{"model":"m","input":"hi","store":false,"include":["reasoning.encrypted_content"]}`), 200, "encrypted_content")
	}
	for i, secret := range []string{"gAAAAzero", "gAAAAone"} {
		if len(v[i].Requests()) == 0 {
			continue
		}
		before := len(v[1-i].Requests())
		for range 12 {
			r := s.Post("/v1/responses", `{"model":"m","input":[{"role":"user","content":"hi"},{"type":"reasoning","summary":[],"encrypted_content":"`+secret+`"}],"store":false}`)
			wantStatus(t, r, 200, "ok")
		}
		if n := len(v[1-i].Requests()) - before; n != 0 {
			t.Errorf("%d of 12 went to another deployment than the one that made it", n)
		}
	}
}
