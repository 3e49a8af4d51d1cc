package admin_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// comparison is a route of testdata/fields.txt.
type comparison struct {
	method, path, as string
	setups           [][4]string // name=member, method, path, body
	base             string
	look             string
	read             [2]string // method and path
	cases            [][]input
	refused, idle    []input
	queries          []input
	out              *kind
}

// input is a member of a request or a parameter of the query.
type input struct{ name, value, where, want, status string }

// TestFields calls each route of the management API as the reference's clients do: every member of its requests changes
// something, or is refused for the reason that the table gives, and every member of its answers is there.
func TestFields(t *testing.T) {
	t.Parallel()
	routes, models := readFields(t)
	f := newFixture(t)
	for _, r := range routes {
		t.Run(strings.ReplaceAll(r.method+r.path, "/", "_"), func(t *testing.T) {
			f.compare(t, r, models)
		})
	}
}

func readFields(t *testing.T) (routes []*comparison, models map[string]kind) {
	t.Helper()
	raw, err := os.ReadFile("testdata/fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	models = map[string]kind{}
	var r *comparison
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "" || word[0] == '#':
		case word == "model":
			name, members, _ := strings.Cut(rest, " ")
			if models[name], err = parseKind("{" + members + "}"); err != nil {
				t.Fatal(err)
			}
		case line[0] != ' ':
			path, _, _ := strings.Cut(rest, " ")
			r = &comparison{method: word, path: path, cases: [][]input{nil}}
			routes = append(routes, r)
		default:
			if err := r.line(word, rest); err != nil {
				t.Fatalf("%s %s: %q: %v", r.method, r.path, line, err)
			}
		}
	}
	return routes, models
}

func (r *comparison) line(word, rest string) error {
	first, second, _ := strings.Cut(rest, " ")
	switch word {
	case "setup":
		method, more, _ := strings.Cut(second, " ")
		path, body, _ := strings.Cut(more, " ")
		r.setups = append(r.setups, [4]string{first, method, path, body})
	case "as":
		r.as = first
	case "base":
		r.base = rest
	case "look":
		r.look = first + "."
	case "read":
		r.read = [2]string{first, second}
	case "case":
		r.cases = append(r.cases, nil)
	case "in":
		value, where, ok := strings.Cut(second, " -> ")
		in := input{name: first, value: value, where: r.look + first, want: value}
		if ok {
			path, want, given := strings.Cut(where, " ")
			in.where, in.want = r.look+path, want
			if !given {
				in.want = ""
			}
		}
		last := len(r.cases) - 1
		r.cases[last] = append(r.cases[last], in)
	case "no":
		parts := strings.SplitN(rest, " ", 4)
		if len(parts) < 4 {
			return fmt.Errorf("want a member, a value, a status and why")
		}
		r.refused = append(r.refused, input{name: parts[0], value: parts[1], status: parts[2], want: parts[3]})
	case "idle":
		if !strings.Contains(second, " ") {
			return fmt.Errorf("want a member, a value and why")
		}
		value, _, _ := strings.Cut(second, " ")
		r.idle = append(r.idle, input{name: first, value: value})
	case "query":
		r.queries = append(r.queries, input{name: first, value: second})
	case "out":
		k, err := parseKind(rest)
		r.out = &k
		return err
	default:
		return fmt.Errorf("there is no %s", word)
	}
	return nil
}

// fixture is a gateway with something of everything in its database.
type fixture struct {
	s    *apptest.Server
	vars map[string]string
	n    int
}

// do sends a request with the names in it replaced, and reads the answer.
func (f *fixture) do(t *testing.T, vars map[string]string, method, path, body string) (status int, answer any, raw string) {
	t.Helper()
	expand := func(s string) string {
		for range 2 {
			s = os.Expand(s, func(name string) string {
				if v, ok := vars[name]; ok {
					return v
				}
				return "$" + name
			})
		}
		return s
	}
	key := vars["caller"]
	r := f.s.Do(method, expand(path), expand(body), "Authorization: Bearer "+key)
	if err := json.Unmarshal([]byte(r.Body), &answer); err != nil {
		t.Fatalf("%s %s: %d %s: %v", method, path, r.Status, r.Body, err)
	}
	return r.Status, answer, r.Body
}

// must is do for a request that has to succeed; it returns a member of the answer as text.
func (f *fixture) must(t *testing.T, vars map[string]string, method, path, body, member string) string {
	t.Helper()
	status, answer, raw := f.do(t, vars, method, path, body)
	if status != 200 {
		t.Fatalf("%s %s %s: %d %s", method, path, body, status, raw)
	}
	if member == "" {
		return raw
	}
	v, ok := within(answer, member)
	if !ok {
		t.Fatalf("%s %s: no %s in %s", method, path, member, raw)
	}
	return fmt.Sprint(v)
}

// within returns the member at a path such as keys.0.token; "." is the value itself.
func within(v any, path string) (any, bool) {
	if path == "." {
		return v, true
	}
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[part]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

const fieldsConfig = `
model_list:
- {model_name: m, litellm_params: {model: openai/gpt-4o, api_key: k, mock_response: hello}}
- {model_name: n, litellm_params: {model: openai/gpt-4, api_key: k, mock_response: hello}}
general_settings: {master_key: sk-master, store_model_in_db: true, store_prompts_in_spend_logs: true, proxy_batch_write_at: 1}
litellm_settings: {default_internal_user_params: {available_teams: [open]}}
router_settings: {provider_budget_config: {openai: {budget_limit: 100, time_period: 1d}}}
`

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		s: apptest.Start(t, fieldsConfig, apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"), "LITELLM_SALT_KEY=salt")),
		vars: map[string]string{
			"caller": "sk-master", "user": "ann", "org": "acme-org", "team": "core-team", "budget": "shared", "other": "other", "session": "talk",
			"span": "start_date=" + time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly) + "&end_date=" + time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly),
		},
	}
	post := func(path, body, member string) string {
		t.Helper()
		return f.must(t, f.vars, "POST", path, body, member)
	}
	post("/user/new", `{"user_id":"ann","user_email":"ann@x.org","auto_create_key":false,"user_role":"internal_user"}`, "")
	post("/user/new", `{"user_id":"bob","user_email":"bob@x.org","auto_create_key":false,"user_role":"internal_user"}`, "")
	post("/organization/new", `{"organization_id":"acme-org","organization_alias":"acme","max_budget":9}`, "")
	post("/organization/member_add", `{"organization_id":"acme-org","member":{"role":"internal_user","user_id":"ann"}}`, "")
	post("/organization/new", `{"organization_alias":"other"}`, "")
	post("/team/new", `{"team_id":"core-team","team_alias":"core","organization_id":"acme-org","team_member_budget":5,"members_with_roles":[{"role":"admin","user_id":"ann"}]}`, "")
	post("/team/new", `{"team_id":"zoo","team_alias":"apes"}`, "")
	post("/team/new", `{"team_id":"open"}`, "")
	post("/team/member_delete", `{"team_id":"open","user_id":"default_user_id"}`, "")
	post("/team/new", `{"team_id":"over"}`, "")
	post("/team/delete", `{"team_ids":["over"]}`, "")
	post("/budget/new", `{"budget_id":"shared","max_budget":50}`, "")
	post("/customer/new", `{"user_id":"cust","max_budget":50}`, "")
	post("/customer/new", `{"user_id":"other"}`, "")
	post("/tag/new", `{"name":"job"}`, "")
	made := post("/key/generate", `{"key_alias":"main","user_id":"ann","team_id":"core-team","spend":1}`, "")
	for name, member := range map[string]string{"key": "key", "token": "token"} {
		var v any
		if err := json.Unmarshal([]byte(made), &v); err != nil {
			t.Fatal(err)
		}
		got, _ := within(v, member)
		f.vars[name] = fmt.Sprint(got)
	}
	post("/key/generate", `{"key_alias":"teammate","user_id":"bob","team_id":"core-team"}`, "")
	own := maps.Clone(f.vars)
	own["caller"] = post("/key/generate", `{"user_id":"ann"}`, "key")
	f.vars["ann"] = own["caller"]
	created := f.must(t, own, "POST", "/key/generate", `{}`, "key")
	post("/key/update", `{"key":"`+created+`","user_id":"bob"}`, "")
	post("/key/generate", `{"organization_id":"acme-org"}`, "")
	post("/key/delete", `{"keys":["`+post("/key/generate", `{}`, "key")+`"]}`, "")
	f.vars["model"] = post("/model/new", `{"model_name":"two","litellm_params":{"model":"openai/x","api_key":"sk-of-vendor","mock_response":"hi"}}`, "model_id")
	post("/model/new", `{"model_name":"three","litellm_params":{"model":"openai/x","api_key":"k"},"model_info":{"access_groups":["grouped"]}}`, "")
	post("/credentials", `{"credential_name":"cred","credential_info":{},"credential_values":{"api_key":"k"}}`, "")
	f.vars["group"] = post("/v1/access_group", `{"access_group_name":"group"}`, "access_group_id")
	f.vars["invitation"] = post("/invitation/new", `{"user_id":"ann"}`, "id")
	f.calls(t)
	return f
}

// calls makes calls of the fixture's key, and waits until they are in the reports.
func (f *fixture) calls(t *testing.T) {
	t.Helper()
	other := f.must(t, f.vars, "POST", "/key/generate", `{"user_id":"ann"}`, "key")
	for i, model := range []string{"m", "n", "m"} {
		for now := time.Now().UnixMilli(); time.Now().UnixMilli() == now; { // no two begin in the same millisecond
		}
		body := fmt.Sprintf(`{"model":%q,"user":"cust","messages":[{"role":"user","content":"hi"}],"metadata":{"tags":["job"]},"litellm_session_id":"talk","seed":%d}`, model, i)
		if r := f.s.Post("/v1/chat/completions", body, "Authorization: Bearer "+[]string{f.vars["key"], other}[i/2]); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, answer, raw := f.do(t, f.vars, "GET", "/spend/logs/ui?$span", "")
		rows, _ := within(answer, "data")
		list, _ := rows.([]any)
		if len(list) == 3 {
			id, _ := within(answer, "data.0.request_id")
			f.vars["call"] = fmt.Sprint(id)
			start, _ := within(answer, "data.0.startTime")
			at, err := time.Parse(time.RFC3339, fmt.Sprint(start))
			if err != nil {
				t.Fatal(err)
			}
			f.vars["before"] = at.UTC().AddDate(0, 0, -1).Format(time.DateOnly)
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the calls are not in the reports: %s", raw)
		}
	}
}

// fresh are the variables of one request: a number of its own, and what its setups made.
func (f *fixture) fresh(t *testing.T, r *comparison) map[string]string {
	t.Helper()
	f.n++
	vars := maps.Clone(f.vars)
	vars["n"] = strconv.Itoa(f.n)
	for _, s := range r.setups {
		name, member, _ := strings.Cut(s[0], "=")
		vars[name] = f.must(t, vars, s[1], s[2], s[3], member)
	}
	if r.as != "" {
		vars["caller"] = vars[strings.TrimPrefix(r.as, "$")]
	}
	return vars
}

func (f *fixture) compare(t *testing.T, r *comparison, models map[string]kind) {
	if r.method == "GET" {
		f.compareQuery(t, r, models)
		return
	}
	_, before := f.ask(t, f.fresh(t, r), r, nil)
	for _, members := range r.cases {
		vars := f.fresh(t, r)
		status, after := f.ask(t, vars, r, members)
		if status != 200 {
			t.Errorf("%v: %d %v", members, status, after)
			continue
		}
		for _, in := range members {
			f.changed(t, in, vars, before, after)
		}
		if r.out != nil {
			for _, w := range r.out.wrong(models, "answer", after) {
				t.Error(w)
			}
		}
	}
	for _, in := range r.refused {
		status, answer := f.ask(t, f.fresh(t, r), r, []input{in})
		if fmt.Sprint(status) != in.status {
			t.Errorf("%s: got %d %v, want %s because %s", in.name, status, answer, in.status, in.want)
		}
	}
	for _, in := range r.idle {
		if status, answer := f.ask(t, f.fresh(t, r), r, []input{in}); status != 200 {
			t.Errorf("%s: %d %v", in.name, status, answer)
		}
	}
}

// ask sends a request with some members, and returns what there is to look at.
func (f *fixture) ask(t *testing.T, vars map[string]string, r *comparison, members []input) (status int, answer any) {
	t.Helper()
	body := map[string]json.RawMessage{"no_such_member": json.RawMessage(`{"a":1}`)} // the reference takes it, and leaves it alone
	if r.base != "" {
		if err := json.Unmarshal([]byte(r.base), &body); err != nil {
			t.Fatalf("base: %v", err)
		}
	}
	for _, in := range members {
		body[in.name] = json.RawMessage(strings.ReplaceAll(in.value, "$n", vars["n"]))
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatalf("%v: %v", members, err)
	}
	status, answer, _ = f.do(t, vars, r.method, r.path, string(raw))
	if r.read[0] != "" && status == 200 {
		status, answer, _ = f.do(t, vars, r.read[0], r.read[1], "")
	}
	return status, answer
}

// changed fails the test unless a member had its effect.
func (f *fixture) changed(t *testing.T, in input, vars map[string]string, before, after any) {
	t.Helper()
	in.where = strings.ReplaceAll(in.where, "$n", vars["n"])
	was, _ := within(before, in.where)
	is, ok := within(after, in.where)
	want := os.Expand(in.want, func(name string) string { return vars[name] })
	switch {
	case !ok:
		t.Errorf("%s: there is no %s in %v", in.name, in.where, after)
	case want == "" && in.where != ".":
		if reflect.DeepEqual(was, is) || is == nil {
			t.Errorf("%s: %s is %v with and without it", in.name, in.where, is)
		}
	case want != "":
		var v any
		if err := json.Unmarshal([]byte(want), &v); err != nil {
			t.Fatalf("%s: %q: %v", in.name, want, err)
		}
		if !reflect.DeepEqual(is, v) {
			t.Errorf("%s: %s is %v, want %v", in.name, in.where, is, v)
		}
		if _, had := within(before, in.where); had && reflect.DeepEqual(was, v) {
			t.Errorf("%s: %s is %v without it too", in.name, in.where, was)
		}
	}
}

func (f *fixture) compareQuery(t *testing.T, r *comparison, models map[string]kind) {
	path := r.path
	if r.base != "" {
		path += "?" + r.base
	}
	vars := f.fresh(t, r)
	status, answer, raw := f.do(t, vars, r.method, path, "")
	if status != 200 {
		t.Fatalf("%d %s", status, raw)
	}
	if r.out != nil {
		for _, w := range r.out.wrong(models, "answer", answer) {
			t.Error(w)
		}
		if l, ok := answer.([]any); ok && len(l) == 0 && !slices.Contains(r.empty(), r.path) {
			t.Error("the answer is an empty list: there is nothing to compare")
		}
	}
	for _, in := range r.queries {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		_, other, rawOther := f.do(t, vars, r.method, path+sep+in.name+"="+in.value, "")
		if reflect.DeepEqual(answer, other) {
			t.Errorf("%s=%s changes nothing: %.300s", in.name, in.value, rawOther)
		}
	}
}

// empty are the routes with nothing to list here.
func (r *comparison) empty() []string {
	return []string{"/global/activity/exceptions/deployment?$span&model_group=m"}
}
