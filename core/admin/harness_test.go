package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/sqlite"
)

// desk is an API over a database of its own.
type desk struct {
	testing.TB
	api   *admin.API
	store store.Store
}

func newDesk(t testing.TB, p admin.Policy) *desk {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: filepath.Join(t.TempDir(), "test.db"), Options: sqlstore.Options{Vault: store.NewVault("salt")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &desk{t, admin.New(admin.Settings{Store: s, Policy: p}), s}
}

// person is somebody who calls.
type person struct {
	*desk
	llm.Principal
}

func (d *desk) master() person {
	return person{d, llm.Principal{UserID: "default_user_id", Role: llm.RoleProxyAdmin, KeyHash: "master"}}
}

func (d *desk) user(id string) person {
	return person{d, llm.Principal{UserID: id, Role: llm.RoleInternalUser, KeyHash: "key-of-" + id}}
}

// reply is an answer.
type reply struct {
	testing.TB
	status int
	raw    string
	value  any
}

// call sends a request. A body that is no string is sent as JSON.
func (p person) call(method, path string, body any) reply {
	p.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		if raw, err = json.Marshal(b); err != nil {
			p.Fatal(err)
		}
	}
	r := httptest.NewRequestWithContext(llm.WithPrincipal(context.Background(), &p.Principal), method, path, bytes.NewReader(raw))
	w := httptest.NewRecorder()
	p.api.ServeHTTP(w, r)
	out := reply{TB: p.TB, status: w.Code, raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &out.value); err != nil && w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		p.Fatalf("%s %s: %d %s: %v", method, path, w.Code, w.Body, err)
	}
	return out
}

func (p person) get(path string) reply            { p.Helper(); return p.call("GET", path, nil) }
func (p person) post(path string, body any) reply { p.Helper(); return p.call("POST", path, body) }

// ok fails the test unless the call succeeded.
func (r reply) ok() reply {
	r.Helper()
	if r.status != http.StatusOK {
		r.Fatalf("status %d: %s", r.status, r.raw)
	}
	return r
}

// at returns the member at a path such as "info.models.0".
func (r reply) at(path string) any {
	r.Helper()
	v := r.value
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[part]; !ok {
				r.Fatalf("there is no %q in %s", path, r.raw)
			}
		case []any:
			i := int(part[0] - '0')
			if i >= len(x) {
				r.Fatalf("there is no %q in %s", path, r.raw)
			}
			v = x[i]
		default:
			r.Fatalf("there is no %q in %s", path, r.raw)
		}
	}
	return v
}

func (r reply) text(path string) string {
	r.Helper()
	s, ok := r.at(path).(string)
	if !ok {
		r.Fatalf("%q is no text in %s", path, r.raw)
	}
	return s
}

// want compares members with values.
func (r reply) want(pairs ...any) reply {
	r.Helper()
	for i := 0; i < len(pairs); i += 2 {
		got, err := json.Marshal(r.at(pairs[i].(string)))
		if err != nil {
			r.Fatal(err)
		}
		want, err := json.Marshal(pairs[i+1])
		if err != nil {
			r.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			r.Errorf("%s is %s, want %s", pairs[i], got, want)
		}
	}
	return r
}

// refused fails the test unless the call was refused with the status, a type and a message that holds the text. An error
// that is only a detail has no type but that of its status.
func (r reply) refused(status int, kind, text string) {
	r.Helper()
	got, is := "", ""
	if body, _ := r.value.(map[string]any); body["detail"] != nil {
		got = map[int]string{400: "bad_request_error", 401: "auth_error", 403: "auth_error", 404: "not_found_error"}[r.status]
		if is, _ = body["detail"].(string); is == "" {
			is = r.text("detail.error")
		}
	} else {
		got, is = r.text("error.type"), r.text("error.message")
	}
	if r.status != status || got != kind || !strings.Contains(is, text) {
		r.Errorf("got %d %s, want %d of type %s about %q", r.status, r.raw, status, kind, text)
	}
}

// eventually waits for what comes by itself.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}
