package google

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// iam makes tokens of a service account: a1, a2 and so on, each for an hour.
type iam struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string // path, who asks, and for what
	refused bool
}

func newIAM(t *testing.T, now func() time.Time) *iam {
	s := &iam{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("Authorization"), string(b)}, " "))
		if s.refused {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied","status":"PERMISSION_DENIED"}}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"accessToken": fmt.Sprint("a", len(s.asked)), "expireTime": now().Add(time.Hour).UTC().Format(time.RFC3339),
		})
	}))
	t.Cleanup(s.Close)
	return s
}

// A service account's token is made on behalf of the environment's credentials, and again when it has expired.
func TestAccountToken(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	api := newIAM(t, clock)
	s := New(Settings{Env: variables(t, map[string]string{
		"GOOGLE_APPLICATION_CREDENTIALS": account(t, c), iamVariable: api.URL + "/",
	}), Now: clock})
	token, err := s.AccountToken("projects/-/serviceAccounts/cache@p.iam.gserviceaccount.com")
	if err != nil {
		t.Fatal(err)
	}
	want := func(text string) {
		t.Helper()
		if got, err := token(t.Context()); err != nil || got != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	want("a1")
	want("a1")
	api.mu.Lock()
	const asked = `POST /v1/projects/-/serviceAccounts/cache@p.iam.gserviceaccount.com:generateAccessToken Bearer t1 {"scope":["https://www.googleapis.com/auth/cloud-platform"]}`
	if len(api.asked) != 1 || api.asked[0] != asked {
		t.Errorf("asked %q", api.asked)
	}
	api.mu.Unlock()
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	want("a2")
	api.mu.Lock()
	api.refused = true
	api.mu.Unlock()
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	if _, err := token(t.Context()); err == nil || !strings.Contains(err.Error(), "status 403: Permission") {
		t.Errorf("a refusal: %v", err)
	}
	for _, bad := range []string{"", "projects/-/serviceAccounts/", "name", "a@b/c", "projects/p/serviceAccounts/a@b"} {
		if _, err := s.AccountToken(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
