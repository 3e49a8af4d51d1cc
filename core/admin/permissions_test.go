package admin_test

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/llm"
)

//repocheck:constant a flag of the test binary
var update = flag.Bool("update", false, "write testdata/permissions.txt anew")

var wildcard = regexp.MustCompile(`\{[a-z_]+(\.\.\.)?\}`)

// Every route by every role: who is let in at all. What a caller may do with somebody else's things is decided behind
// that, and tested with each route.
func TestPermissions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{StoreModels: true})
	d.master().post("/user/new", `{"user_id":"lead","auto_create_key":false}`).ok()
	d.master().post("/organization/new", `{"organization_id":"o","organization_alias":"o"}`).ok()
	d.master().post("/organization/member_add", `{"organization_id":"o","member":{"role":"org_admin","user_id":"lead"}}`).ok()
	callers := []struct {
		name string
		llm.Principal
	}{
		{"admin", llm.Principal{UserID: "a", Role: llm.RoleProxyAdmin}},
		{"viewer", llm.Principal{UserID: "v", Role: llm.RoleProxyAdminViewer}},
		{"org", llm.Principal{UserID: "lead", Role: llm.RoleInternalUser}},
		{"user", llm.Principal{UserID: "u", Role: llm.RoleInternalUser}},
		{"reader", llm.Principal{UserID: "r", Role: llm.RoleInternalViewer}},
		{"key", llm.Principal{TeamID: "t", KeyHash: "h"}},
	}
	var b strings.Builder
	for _, route := range d.api.Routes() {
		method, path, _ := strings.Cut(route, " ")
		var in []string
		for _, c := range callers {
			r := person{d, c.Principal}.call(method, wildcard.ReplaceAllString(path, "x"), nil)
			if r.status >= 500 {
				t.Errorf("%s as %s: %d %s", route, c.name, r.status, r.raw)
			}
			if !strings.Contains(r.raw, "Only proxy admin can be used") && !strings.Contains(r.raw, "user not allowed to access this route") {
				in = append(in, c.name)
			}
		}
		fmt.Fprintf(&b, "%-6s %-45s %s\n", method, path, strings.Join(in, " "))
	}
	const file = "testdata/permissions.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Split(b.String(), "\n")
	for line := range strings.SplitSeq(string(want), "\n") {
		if !slices.Contains(have, line) {
			t.Errorf("the table has %q, the API does not", line)
		}
	}
	for _, line := range have {
		if !strings.Contains(string(want), line) {
			t.Errorf("not in the table: %q", line)
		}
	}
}

// Whatever is sent, nothing breaks: no answer is a fault of the gateway, and each is JSON.
func FuzzAPI(f *testing.F) {
	d := newDesk(f, admin.Policy{StoreModels: true})
	d.master().post("/user/new", `{"user_id":"u","auto_create_key":false}`).ok()
	d.master().post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"admin","user_id":"u"}]}`).ok()
	d.master().post("/budget/new", `{"budget_id":"b","max_budget":1}`).ok()
	for i := range d.api.Routes() {
		f.Add(uint8(i), uint8(0), "t", `{"team_id":"t","user_id":"u","key":"sk-12345678","member":{"user_id":"u","role":"user"}}`, "user_id=u")
	}
	f.Add(uint8(0), uint8(0), "", `{"metadata":null,"models":null,"duration":"1mo","tags":["a"]}`, "")
	f.Add(uint8(5), uint8(1), "x", `[]`, "page=-1&start_date=x")
	f.Fuzz(func(t *testing.T, route, who uint8, part, body, query string) {
		routes := d.api.Routes()
		method, path, _ := strings.Cut(routes[int(route)%len(routes)], " ")
		path = wildcard.ReplaceAllString(path, strings.ReplaceAll(url.PathEscape(part)+"x", "%2F", "/"))
		if q, err := url.ParseQuery(query); err == nil {
			path += "?" + q.Encode()
		}
		callers := []llm.Principal{
			{UserID: "a", Role: llm.RoleProxyAdmin}, {UserID: "u", Role: llm.RoleInternalUser}, {TeamID: "t", KeyHash: "h"},
		}
		r := person{&desk{t, d.api, d.store}, callers[int(who)%len(callers)]}.call(method, path, body)
		if r.status >= 500 {
			t.Fatalf("%s %s with %q: %d %s", method, path, body, r.status, r.raw)
		}
	})
}
