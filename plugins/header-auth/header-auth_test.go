package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

func config(t testing.TB) map[string]any {
	t.Helper()
	text, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeys(t *testing.T) {
	t.Parallel()
	hooks, err := sallyport.Build(config(t), New)
	if err != nil {
		t.Fatal(err)
	}
	asks := func(key, wantUser string, wantStatus int) {
		t.Helper()
		v := hooks.Auth(&sallyport.AuthRequest{Credential: key})
		user := ""
		if p := v.Principal(); p != nil {
			user = p.UserID
		}
		if status, _ := v.Refused(); user != wantUser || status != wantStatus {
			t.Errorf("key %q: user %q status %d, want %q %d", key, user, status, wantUser, wantStatus)
		}
	}
	asks("team-blue-key", "u1", 0)
	asks("old-key", "", 403)
	asks("another", "", 0)
	asks("", "", 0)
}

func TestHeaderAndRefusal(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("k"))
	hooks, err := sallyport.Build(map[string]any{
		"header": "X-Team-Key", "refuse_unknown": true,
		"keys": []any{map[string]any{"key_sha256": hex.EncodeToString(sum[:]), "user_id": "u"}},
	}, New)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(key string) sallyport.AuthVerdict {
		a := &sallyport.AuthRequest{Credential: "not looked at"}
		return hooks.Auth(a.With(sallyport.More{Headers: map[string]string{"x-team-key": key}}))
	}
	if p := ask("k").Principal(); p == nil || p.UserID != "u" || p.Role != "internal_user" {
		t.Errorf("got %+v", p)
	}
	if status, message := ask("other").Refused(); status != 401 || message != "the key is not known." {
		t.Errorf("got %d %q", status, message)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(want string, key map[string]any) {
		t.Helper()
		c := map[string]any{}
		if key != nil {
			c["keys"] = []any{key}
		}
		if _, err := sallyport.Build(c, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", key, err, want)
		}
	}
	mistake(`"keys" is empty`, nil)
	mistake(`"keys[0].key": give either`, map[string]any{"user_id": "u"})
	mistake(`"keys[0].key": give either`, map[string]any{"key": "a", "key_sha256": "b"})
	mistake(`"keys[0].key_sha256" must be 64`, map[string]any{"key_sha256": "b"})
	mistake(`unknown setting "keys[0].usr"`, map[string]any{"key": "a", "usr": "b"})
	mistake(`"keys[0].limits" is wrong: limit "rpm" is not known`, map[string]any{"key": "a", "limits": map[string]any{"rpm": 1}})
	mistake(`"keys[0].limits" is wrong: limit "max_budget" must be`, map[string]any{"key": "a", "limits": map[string]any{"max_budget": -1}})
	for _, name := range []string{"user_rpm_limit", "team_rpm_limit", "team_member_rpm_limit", "organization_rpm_limit"} {
		mistake(`need its user_id, team_id or org_id`, map[string]any{"key": "a", "limits": map[string]any{name: 1}})
	}
	mistake(`"keys[0].expires" is no time`, map[string]any{"key": "a", "expires": "soon"})
	mistake(`"keys[0].aliases" must name a model`, map[string]any{"key": "a", "aliases": map[string]any{"x": 1}})
	mistake(`it is one of proxy_admin`, map[string]any{"key": "a", "role": "king"})
}

// TestModule runs the finished module in the gateway's host.
func TestModule(t *testing.T) {
	t.Parallel()
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "."), Config: config(t)})

	got, err := p.Auth(t, wasm.ModeOn, "team-blue-key")
	sum := sha256.Sum256([]byte("team-blue-key"))
	if got == nil || len(got.CountAs) != 64 || got.CountAs == hex.EncodeToString(sum[:]) {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := &llm.Principal{
		KeyHash: hex.EncodeToString(sum[:]), KeyAlias: "blue", UserID: "u1", Email: "u1@example.com", TeamID: "blue",
		TeamName: "Blue", OrgID: "o1", Role: llm.RoleInternalUser, Models: []string{"gpt-4o", "claude-*"},
		Metadata: map[string]any{"tier": 2.0, "tags": []any{"a", "b"}}, TeamMetadata: map[string]any{"region": "eu"},
		EndUser: "e1", TeamModels: []string{"gpt-4o"}, AllowedRoutes: []string{"llm_api_routes"}, Tags: []string{"t"},
		Guardrails: []string{"g"}, Aliases: map[string]string{"best": "gpt-4o"}, Expires: time.Date(2999, 1, 31, 0, 0, 0, 0, time.UTC),
		CountAs: got.CountAs,
		Allowances: []llm.Allowance{
			{Kind: llm.ScopeKey, Limits: llm.Limits{RPM: 2}, Budget: llm.Budget{Limited: true, Max: 1.5, Duration: "30d"}},
			{Kind: llm.ScopeTeam, Limits: llm.Limits{TPM: 1000}},
			{Kind: llm.ScopeModelPerKey, Model: "gpt-4o", Limits: llm.Limits{RPM: llm.Nothing}},
		},
	}
	want.Metadata["guardrails"] = []any{"g"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, -want +got\n%s", err, diff)
	}
	refused := func(mode wasm.AuthMode, key string, status int) {
		t.Helper()
		var e *llm.Error
		if _, err := p.Auth(t, mode, key); !errors.As(err, &e) || e.Kind != llm.KindAuth || e.HTTPStatus() != status {
			t.Errorf("%s %q: got %v, want status %d", mode, key, err, status)
		}
	}
	refused(wasm.ModeOn, "old-key", 403)
	refused(wasm.ModeAuto, "old-key", 403)
	refused(wasm.ModeOn, "another", 401)
	refused(wasm.ModeOn, "", 401)
	if got, err := p.Auth(t, wasm.ModeAuto, "another"); got != nil || err != nil {
		t.Errorf("mode auto, unknown key: got %v, %v, want no opinion", got, err)
	}
}

// BenchmarkAuth measures a known key, through the gateway's host.
func BenchmarkAuth(b *testing.B) {
	p := plugintest.Load(b, wasm.Settings{Path: plugintest.Build(b, "."), Config: config(b)})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Auth(b, wasm.ModeOn, "team-blue-key"); err != nil {
			b.Fatal(err)
		}
	}
}
