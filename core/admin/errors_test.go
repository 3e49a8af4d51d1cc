package admin_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
)

// unknown is a body that names what there is not, for whatever route.
const unknown = `{"key":"sk-nope","keys":["sk-nope"],"team_id":"nope","team_ids":["nope"],"user_id":"nope","user_ids":["nope"],` +
	`"end_user_id":"nope","organization_id":"nope","organization_ids":["nope"],"organizations":["nope"],"budget_id":"nope",` +
	`"budgets":["nope"],"id":"nope","name":"nope","names":["nope"],"model_id":"nope","model_name":"nope","models":["nope"],` +
	`"member":{"role":"user","user_id":"nobody"},"members":[{"role":"user","user_id":"nobody"}],"invitation_id":"nope",` +
	`"credential_name":"nope","field_name":"nope","config_type":"general_settings","access_group":"nope","model_names":["nope"]}`

// made are what differs from run to run.
var made = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|\d{4}-\d\d-\d\dT[0-9:.+Z]+`)

// TestErrors compares the errors of every route with testdata/errors.txt: for a body that is no JSON, an empty one, and names of
// what there is not. A route that is not in it fails (-update writes it anew).
func TestErrors(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	d := newDesk(t, admin.Policy{StoreModels: true})
	for _, route := range d.api.Routes() {
		method, path, _ := strings.Cut(route, " ")
		path = wildcard.ReplaceAllString(path, "nope")
		reads := method == "GET" || method == "DELETE" && !strings.HasSuffix(path, "/delete")
		if !reads {
			d = newDesk(t, admin.Policy{StoreModels: true}) // it may make what others take for unknown
		}
		f := func(what, path string, body any) {
			r := d.master().call(method, path, body)
			if r.status >= 500 {
				t.Errorf("%s, %s: %d %s", route, what, r.status, r.raw)
			}
			if r.status != http.StatusOK {
				fmt.Fprintf(&b, "%s: %s: %d %s\n", route, what, r.status, made.ReplaceAllString(strings.TrimSpace(r.raw), "*"))
			}
		}
		if reads {
			f("nothing", path, nil)
			f("unknown", path+"?key=sk-nope&team_id=nope&user_id=nope&end_user_id=nope&organization_id=nope&budget_id=nope&invitation_id=nope&field_name=nope&endpoint_id=nope", nil)
			continue
		}
		f("no JSON", path, "{")
		f("empty", path, "{}")
		f("unknown", path, unknown)
	}
	const file = "testdata/errors.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("errors are others than those of %s; differences by line:\n%s", file, differences(string(want), got))
	}
}

func differences(want, got string) string {
	var b strings.Builder
	have := map[string]bool{}
	for line := range strings.Lines(got) {
		have[line] = true
	}
	for line := range strings.Lines(want) {
		if !have[line] {
			b.WriteString("- " + line)
		}
		delete(have, line)
	}
	for line := range strings.Lines(got) {
		if have[line] {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}
