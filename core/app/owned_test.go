package app_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// shelf is a vendor that stores things of any kind, as OpenAI does: POST makes one, GET tells of it or lists all, newest
// first, and DELETE forgets it.
type shelf struct {
	*ut.Vendor
	mu  sync.Mutex
	n   int
	ids map[string][]string // by kind
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{ids: map[string][]string{}}
	s.Vendor = ut.New(t, func(c *ut.Conn) { s.answer(c.Request)(c) })
	return s
}

// thing is what is told of something.
func thing(kind, id string) string {
	more := ""
	if kind == "batches" {
		more = `,"status":"completed","output_file_id":"file-out-` + id + `"`
	}
	return `{"id":"` + id + `","object":"thing"` + more + `}`
}

func (s *shelf) answer(q ut.Request) func(*ut.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, _ := url.Parse(q.Path)
	kind, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/v1/"), "/")
	if kind == "fine_tuning" {
		rest = strings.TrimPrefix(rest, "jobs")
	}
	id, more, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch {
	case q.Method == "POST" && kind == "threads" && id == "runs":
		s.n++
		thread := "thread_" + strconv.Itoa(s.n)
		return ut.SSERaw("event: thread.created\ndata: {\"id\":\"" + thread + "\",\"object\":\"thread\"}\n\nevent: done\ndata: [DONE]\n\n")
	case q.Method == "POST" && id == "":
		s.n++
		id = fmt.Sprintf("%s_%d", kind, s.n)
		s.ids[kind] = slices.Insert(s.ids[kind], 0, id)
		return ut.JSON(200, thing(kind, id))
	case q.Method == "DELETE" && more == "":
		s.ids[kind] = slices.DeleteFunc(s.ids[kind], func(other string) bool { return other == id })
		return ut.JSON(200, `{"id":"`+id+`","deleted":true}`)
	case id == "":
		return s.list(kind, u.Query())
	}
	return ut.JSON(200, thing(kind, id))
}

// list is one page of at most two.
func (s *shelf) list(kind string, q url.Values) func(*ut.Conn) {
	all := s.ids[kind]
	if i := slices.Index(all, q.Get("after")); i >= 0 {
		all = all[i+1:]
	}
	page := all[:min(2, len(all))]
	var data []string
	for _, id := range page {
		data = append(data, thing(kind, id))
	}
	return ut.JSON(200, fmt.Sprintf(`{"object":"list","data":[%s],"has_more":%v}`, strings.Join(data, ","), len(page) < len(all)))
}

// owners is a gateway in front of a shelf, with keys of two teams.
type owners struct {
	desk
	shelf                 *shelf
	ann, bob, mate, alone string // mate is of ann's team; alone has neither user nor team
}

func newOwners(t *testing.T, env ...string) *owners {
	t.Helper()
	o := &owners{shelf: newShelf(t)}
	base := "OPENAI_BASE_URL=" + o.shelf.URL + "/v1"
	env = append([]string{"OPENAI_API_KEY=sk-vendor", base, "DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "s.db")}, env...)
	yaml := fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/gpt-4o-mini, api_base: "%s/v1", api_key: k}}
general_settings: {master_key: sk-1234}
`, o.shelf.URL)
	o.desk = desk{t, apptest.Start(t, yaml, apptest.Env(env...))}
	o.team("red")
	o.team("blue")
	o.ann, o.bob = o.userKey(`{"user_id":"ann","team_id":"red"}`), o.userKey(`{"user_id":"bob","team_id":"blue"}`)
	o.mate, o.alone = o.userKey(`{"user_id":"mate","team_id":"red"}`), o.key(`{}`)
	return o
}

func (o *owners) team(id string) {
	o.Helper()
	wantStatus(o.T, o.Post("/team/new", `{"team_id":"`+id+`"}`), 200, id)
}

// make has a thing made for a key and returns its id.
func (o *owners) make(kind, key string) string {
	o.Helper()
	r := o.Post("/v1/"+kind, `{"model":"x"}`, as(key))
	wantStatus(o.T, r, 200, `"id"`)
	return member(o.T, r, "id")
}

// upload has a file made.
func (o *owners) upload(key string) string {
	o.Helper()
	body, contentType := formOf(o.T, []byte("{}\n"), "purpose=batch")
	r := o.Post("/v1/files", body, contentType, as(key))
	wantStatus(o.T, r, 200, `"id"`)
	return member(o.T, r, "id")
}

// What somebody has made may be used by its user and team, and by administrators; others are refused, and do not see it
// in lists.
func TestStoredThingsHaveOwners(t *testing.T) {
	t.Parallel()
	o := newOwners(t)
	f := func(kind string) {
		t.Helper()
		made := func(key string) string {
			if kind == "files" {
				return o.upload(key)
			}
			return o.make(kind, key)
		}
		his, hers := made(o.bob), made(o.ann)
		all, third := made("sk-1234"), made(o.alone)
		path := "/v1/" + kind + "/"
		o.want(o.Get(path+hers, as(o.ann)), 200, hers)
		o.want(o.Get(path+hers, as(o.mate)), 200, hers)
		o.want(o.Get(path+hers, as("sk-1234")), 200, hers)
		before := len(o.shelf.Requests())
		for _, key := range []string{o.bob, o.alone} {
			o.want(o.Get(path+hers, as(key)), 403, "access")
			o.want(o.Get("/"+kind+"/"+hers, as(key)), 403, hers)
		}
		o.want(o.Get(path+hers, as("sk-unknown-key")), 401, "")
		o.want(o.Get(path+third, as(o.ann)), 403, third)
		if n := len(o.shelf.Requests()); n != before {
			t.Errorf("%s: %d requests for what is somebody else's reached the vendor", kind, n-before)
		}
		o.want(o.Get(path+third, as(o.alone)), 200, third)
		// What the master key made, or nobody here, is everybody's.
		o.want(o.Get(path+all, as(o.bob)), 200, all)
		o.want(o.Get(path+"elsewhere_1", as(o.bob)), 200, "elsewhere_1")
		if kind == "threads" {
			return // they cannot be listed, nor uploads
		}
		list := "/v1/" + kind
		o.want(o.Get(list+"?limit=10", as(o.bob)), 200, `"data":[`+thing(kind, his)+`],"first_id":"`+his+`","last_id":"`+his+`","has_more":false}`)
		o.want(o.Get(list, as(o.mate)), 200, `"data":[`+thing(kind, hers)+`]`)
		whole := o.Get(list, as("sk-1234"))
		o.want(whole, 200, third)
		o.want(o.Get(list+"?after="+hers, as(o.ann)), 200, `"data":[],"first_id":null`)
	}
	for _, kind := range []string{"files", "batches", "fine_tuning/jobs", "assistants", "threads", "vector_stores", "containers", "videos"} {
		f(strings.TrimSuffix(kind, ""))
	}
	o.want(o.Get("/v1/files/"+o.upload(o.ann), as(o.bob)), 403, "User bob does not have access to the file files_")
	o.want(o.Get("/v1/vector_stores/"+o.make("vector_stores", o.ann), as(o.bob)), 403, "Access denied: You do not have permission to access this vector store")
}

// Whatever is asked of a thing, and however it is named, its owner counts.
func TestOwnersCountEverywhere(t *testing.T) {
	t.Parallel()
	o := newOwners(t, "SALLYPORT_UNKNOWN_IDS=deny")
	file, store, thread := o.upload(o.ann), o.make("vector_stores", o.ann), o.make("threads", o.ann)
	assistant, batch := o.make("assistants", o.ann), o.make("batches", o.ann)
	f := func(method, path, body string, header ...string) {
		t.Helper()
		before := len(o.shelf.Requests())
		o.want(o.Do(method, path, body, append(header, as(o.bob))...), 403, "access")
		if len(o.shelf.Requests()) != before {
			t.Errorf("%s %s reached the vendor", method, path)
		}
		r := o.Do(method, path, body, append(header, as(o.mate))...)
		if r.Status == 403 {
			t.Errorf("%s %s: a member of the owner's team is refused: %s", method, path, r.Body)
		}
	}
	f("GET", "/v1/files/"+file+"/content", "")
	f("GET", "/v1/files/"+file+"?model=m", "")
	f("GET", "/openai/v1/files/"+file, "")
	f("GET", "/openai_passthrough/v1/files/"+file, "")
	f("POST", "/v1/batches", `{"input_file_id":"`+file+`"}`)
	f("POST", "/v1/batches/"+batch+"/cancel", "")
	f("POST", "/v1/vector_stores/"+store+"/search", `{"query":"q"}`)
	f("POST", "/v1/vector_stores", `{"file_ids":["`+file+`"]}`)
	f("POST", "/v1/fine_tuning/jobs", `{"training_file":"`+file+`"}`)
	f("GET", "/v1/threads/"+thread+"/messages", "")
	f("POST", "/v1/threads/runs", `{"assistant_id":"`+assistant+`","stream":true}`)
	f("POST", "/v1/threads/runs", `{"assistant_id":"\u0061`+assistant[1:]+`","stream":true}`)
	// What a batch put out is its owner's.
	o.want(o.Get("/v1/batches/"+batch, as(o.ann)), 200, "file-out-"+batch)
	f("GET", "/v1/files/file-out-"+batch+"/content", "")
	chat := `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-out-` + batch + `"}}]}]}`
	f("POST", "/v1/chat/completions", chat)
	f("POST", "/v1/chat/completions", strings.Replace(chat, "file-out", `\u0066ile-out`, 1))
	f("POST", "/v1/responses", `{"model":"m","input":[{"role":"user","content":[{"type":"input_file","file_id":"file-out-`+batch+`"}]}]}`)
	// A run that makes its thread tells of it in the stream.
	run := o.Post("/v1/threads/runs", `{"assistant_id":"x","stream":true}`, as(o.ann))
	o.want(run, 200, "thread.created")
	_, rest, _ := strings.Cut(run.Body, `"id":"`)
	made, _, _ := strings.Cut(rest, `"`)
	f("GET", "/v1/threads/"+made, "")
	// With SALLYPORT_UNKNOWN_IDS=deny, what nobody made here is the administrator's.
	o.want(o.Get("/v1/files/elsewhere_1", as(o.ann)), 403, "User ann does not have access to the file elsewhere_1")
	o.want(o.Get("/v1/files/elsewhere_1", as("sk-1234")), 200, "elsewhere_1")
	o.want(o.Do("DELETE", "/v1/vector_stores/"+store, "", as(o.bob)), 403, "Access denied")
	o.want(o.Do("DELETE", "/v1/vector_stores/"+store, "", as(o.ann)), 200, "deleted")
	o.want(o.Get("/v1/vector_stores/"+store, as(o.ann)), 403, "Access denied")
}

// Owners are known to every replica, and after a restart.
func TestOwnersOutliveTheProcess(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	env := apptest.Env("OPENAI_API_KEY=k", "OPENAI_BASE_URL="+s.URL+"/v1", "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"))
	const yaml = "general_settings: {master_key: sk-1234}\n"
	one := desk{t, apptest.Start(t, yaml, env)}
	ann, bob := one.userKey(`{"user_id":"ann"}`), one.userKey(`{"user_id":"bob"}`)
	id := member(t, one.Post("/v1/assistants", `{}`, as(ann)), "id")
	two := desk{t, apptest.Start(t, yaml, env)}
	two.want(two.Get("/v1/assistants/"+id, as(bob)), 403, "User bob does not have access to the object "+id)
	two.want(two.Get("/v1/assistants/"+id, as(ann)), 200, id)
}
