package credential

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		audience := r.URL.Query().Get("audience")
		switch {
		case r.URL.Path == "/github" && r.Header.Get("Authorization") == "Bearer t1" && r.URL.Query().Get("x") == "1":
			_, _ = w.Write([]byte(`{"value":"gh.` + audience + `"}`))
		case r.URL.Path == "/computeMetadata/v1/instance/service-accounts/default/identity" && r.Header.Get("Metadata-Flavor") == "Google":
			_, _ = w.Write([]byte("google." + audience + "\n"))
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(platform.Close)
	file := filepath.Join(t.TempDir(), "token")
	empty := filepath.Join(t.TempDir(), "empty")
	for name, text := range map[string]string{file: " a.b.c\n", empty: "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": platform.URL + "/github?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t1",
		"GCE_METADATA_HOST": strings.TrimPrefix(platform.URL, "http://"), "AZURE_FEDERATED_TOKEN_FILE": file,
		"CIRCLE_OIDC_TOKEN": "c1", "CIRCLE_OIDC_TOKEN_V2": "c2", "FILE": file, "GONE": "/nonexistent/token", "SECRET": "s1",
	}
	i := &Identity{Env: func(name string) string { return env[name] }}
	f := func(ref, want string) {
		t.Helper()
		if got, err := i.Token(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", ref, got, err, want)
		}
	}
	f("oidc/github/aud1", "gh.aud1")
	f("oidc/google/https://x/y?z", "google.https://x/y?z")
	f("oidc/azure/any", "a.b.c")
	f("oidc/circleci/x", "c1")
	f("oidc/circleci_v2/x", "c2")
	f("oidc/env/SECRET", "s1")
	f("oidc/env_path/FILE", "a.b.c")
	f("oidc/file/"+file, "a.b.c")
	f(file, "a.b.c")
	f("x.y.z", "x.y.z")

	fails := func(ref, word string) {
		t.Helper()
		if got, err := i.Token(t.Context(), ref); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %q, %v, want an error with %q", ref, got, err, word)
		}
	}
	fails("oidc/github", "oidc/github/<audience>")
	fails("oidc/gitlab/x", "must be one of github")
	fails("oidc/env/NONE", "NONE is not set")
	fails("oidc/env_path/GONE", "GONE: the token file cannot be read")
	fails("oidc/file/"+empty, "is empty")
	fails("/nonexistent/token", "neither a file")
	env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "wrong"
	fails("oidc/github/aud1", "status 403")
	env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = ""
	fails("oidc/github/aud1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set")
}
