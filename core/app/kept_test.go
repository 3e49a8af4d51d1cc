package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// keeping is a configuration with a model that answers in chat completions and one that has the Responses API.
func keeping(v *ut.Vendor, more string) string {
	return fmt.Sprintf(`
model_list:
  - model_name: chat
    litellm_params: {model: groq/llama, api_base: "%[1]s/v1", api_key: k}
  - model_name: native
    litellm_params: {model: openai/gpt-5, api_base: "%[1]s/n", api_key: k}
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234%[2]s}
`, v.URL, more)
}

// asked asks for a response and returns its id.
func asked(t *testing.T, s *apptest.Server, body string, header ...string) string {
	t.Helper()
	r := s.Post(respond, body, header...)
	wantStatus(t, r, 200, `"id":"resp_`)
	return member(t, r, "id")
}

// Responses outlive the process that told them, and every replica has them: in PostgreSQL, in SQLite and in Redis.
func TestResponsesAreKept(t *testing.T) {
	t.Parallel()
	postgres := storetest.StartPostgres(t).Database(t)
	redis := storetest.Redis(t)
	file := "sqlite://" + filepath.Join(t.TempDir(), "s.db")
	for name, env := range map[string][]string{
		"postgres":         {"DATABASE_URL=" + postgres},
		"sqlite":           {"DATABASE_URL=" + file},
		"redis":            {"REDIS_URL=" + redis.URL(), "REDIS_SOCKET_TIMEOUT=5"},
		"redis and sqlite": {"REDIS_URL=" + redis.URL(), "REDIS_SOCKET_TIMEOUT=5", "DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "o.db")},
	} {
		t.Run(name, func(t *testing.T) {
			v := ut.New(t, ut.JSON(200, ut.Completion("llama", "a secret answer", 3, 2)))
			yaml := keeping(v, "")
			first := apptest.Start(t, yaml, apptest.Env(env...))
			one := asked(t, first, `{"model":"chat","input":"first question"}`)
			two := asked(t, first, `{"model":"chat","input":"second","previous_response_id":"`+one+`"}`)
			if err := first.App.Stop(); err != nil {
				t.Fatal(err)
			}
			next := apptest.Start(t, yaml, apptest.Env(env...))
			wantStatus(t, next.Get(respond+"/"+two), 200, "a secret answer")
			wantStatus(t, next.Get(respond+"/"+two+"/input_items"), 200, `"second"`)
			asked(t, next, `{"model":"chat","input":"third","previous_response_id":"`+two+`"}`)
			last := v.Requests()[2].Body
			for _, part := range []string{"first question", "a secret answer", "second", "third"} {
				if !strings.Contains(string(last), part) {
					t.Errorf("%q is missing in %s", part, last)
				}
			}
			wantStatus(t, next.Do("DELETE", respond+"/"+two, ""), 200, `"deleted":true`)
			wantStatus(t, next.Get(respond+"/"+two), 404, "not found")
			wantStatus(t, next.Get(respond+"/"+one), 200, "a secret answer")
		})
	}
}

// Who may use an id: its user, its team, its key if there is neither, and administrators.
func TestResponsesBelongToCallers(t *testing.T) {
	t.Parallel()
	native := `{"id":"resp_vendor","object":"response","status":"completed","model":"gpt-5","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`
	v := ut.New(t, ut.Answer(func(c *ut.Conn) {
		if strings.HasPrefix(c.Request.Path, "/n/") {
			ut.JSON(200, native)(c)
			return
		}
		ut.JSON(200, ut.Completion("llama", "hello", 3, 2))(c)
	}))
	database := "DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "s.db")
	d := desk{t, apptest.Start(t, keeping(v, ""), apptest.Env(database))}
	ann, bob := d.userKey(`{"user_id":"ann;a%"}`), d.userKey(`{"user_id":"bob"}`)
	annToo := d.key(`{"user_id":"ann;a%"}`)
	alone, other := d.key(`{}`), d.key(`{}`)
	wantStatus(t, d.Post("/team/new", `{"team_id":"red"}`), 200, "red")
	red, redToo := d.key(`{"team_id":"red"}`), d.key(`{"team_id":"red"}`)
	f := func(model, maker, good, bad string) {
		t.Helper()
		id := asked(t, d.Server, `{"model":"`+model+`","input":"x"}`, as(maker))
		if strings.Contains(id, "vendor") {
			t.Errorf("%s: the vendor's id is in %s", model, id)
		}
		got := d.Get(respond+"/"+id, as(good))
		wantStatus(t, got, 200, `"id":"`+id+`"`)
		wantStatus(t, d.Get(respond+"/"+id), 200, `"id":"`+id+`"`) // the administrator
		wantStatus(t, d.Get(respond+"/"+id, as(bad)), 403, "Forbidden. The response id is not associated with the ")
		wantStatus(t, d.Do("DELETE", respond+"/"+id, "", as(bad)), 403, "Forbidden")
		next := `{"model":"` + model + `","input":"y","previous_response_id":"` + id + `"}`
		wantStatus(t, d.Post(respond, next, as(bad)), 403, "Forbidden")
		wantStatus(t, d.Post(respond, next, as(good)), 200, `"completed"`)
	}
	for _, model := range []string{"chat", "native"} {
		f(model, ann, annToo, bob)
		f(model, red, redToo, alone)
		f(model, alone, alone, other)
	}
	all := v.Requests()
	if last := all[len(all)-1]; !strings.Contains(string(last.Body), `"previous_response_id":"resp_vendor"`) {
		t.Errorf("the vendor got %s", last.Body)
	}

	open := apptest.Start(t, keeping(v, ", disable_responses_id_security: true"), apptest.Env(database))
	id := asked(t, d.Server, `{"model":"native","input":"x"}`, as(ann))
	wantStatus(t, open.Get(respond+"/"+id, as(bob)), 200, `"id":"`+id+`"`)
	if id := asked(t, open, `{"model":"native","input":"x"}`, as(ann)); !strings.HasPrefix(id, "resp_bGl0ZWxsbTpj") {
		t.Errorf("an id that is not bound: %s", id)
	}
}

// A response in the background is there at once, and done later.
func TestBackgroundResponses(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	v := ut.New(t, func(c *ut.Conn) {
		select {
		case <-release:
			ut.JSON(200, ut.Completion("llama", "late answer", 3, 2))(c)
		case <-c.Left():
		}
	})
	database := apptest.Env("DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "s.db"))
	s := apptest.Start(t, keeping(v, ""), database)
	replica := apptest.Start(t, keeping(v, ""), database)
	status := func(s *apptest.Server, id string) string {
		t.Helper()
		var r struct {
			Status     string
			Background bool
		}
		if err := json.Unmarshal([]byte(s.Get(respond+"/"+id).Body), &r); err != nil || !r.Background {
			t.Fatalf("%v %+v", err, r)
		}
		return r.Status
	}
	wait := func(s *apptest.Server, id, want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); status(s, id) != want; {
			if time.Now().After(end) {
				t.Fatalf("%s is %s, not %s", id, status(s, id), want)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	ask := `{"model":"chat","input":"slow","background":true}`
	id := asked(t, s, ask)
	if got := status(replica, id); got != "in_progress" {
		t.Errorf("at first it is %s", got)
	}
	wantStatus(t, s.Post(respond, `{"model":"chat","input":"x","previous_response_id":"`+id+`"}`), 400, "is not completed")

	gone := asked(t, s, ask)
	wantStatus(t, s.Post(respond+"/"+gone+"/cancel", ""), 200, `"status":"cancelled"`)
	far := asked(t, s, ask)
	wantStatus(t, replica.Post(respond+"/"+far+"/cancel", ""), 200, `"status":"cancelled"`)
	deleted := asked(t, s, ask)
	wantStatus(t, s.Do("DELETE", respond+"/"+deleted, ""), 200, `"deleted":true`)

	close(release)
	wait(replica, id, "completed")
	wantStatus(t, replica.Get(respond+"/"+id), 200, "late answer")
	wait(s, gone, "cancelled")
	wait(s, far, "cancelled")
	wantStatus(t, s.Get(respond+"/"+deleted), 404, "not found")
	if got := asked(t, s, `{"model":"chat","input":"go on","previous_response_id":"`+id+`"}`); got == "" {
		t.Error("no answer")
	}
	all := v.Requests()
	if last := string(all[len(all)-1].Body); !strings.Contains(last, "slow") || !strings.Contains(last, "late answer") || !strings.Contains(last, "go on") {
		t.Errorf("sent %s", last)
	}
	for body, text := range map[string]string{
		`{"model":"chat","input":"x","background":true,"stream":true}`: "stream",
		`{"model":"chat","input":"x","background":true,"store":false}`: "store",
		`{"model":"none","input":"x","background":true}`:               "none",
		`{"model":"chat","input":7,"background":true}`:                 "input",
	} {
		wantStatus(t, s.Post(respond, body), 400, text)
	}
	sync := asked(t, s, `{"model":"chat","input":"x"}`)
	wantStatus(t, s.Post(respond+"/"+sync+"/cancel", ""), 400, "Cannot cancel a synchronous response")
}

// A failure is told with the response, and so is a gateway that stops.
func TestBackgroundFailures(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.RateLimited("1"))
	file := "DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "s.db")
	s := apptest.Start(t, keeping(v, ""), apptest.Env(file))
	id := asked(t, s, `{"model":"chat","input":"x","background":true}`)
	for end := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		r := s.Get(respond + "/" + id)
		if strings.Contains(r.Body, `"status":"failed"`) {
			wantStatus(t, r, 200, `"code":"rate_limit_exceeded"`)
			break
		}
		if time.Now().After(end) {
			t.Fatal(r.Body)
		}
	}
	hangs := ut.New(t, ut.Hang())
	stops := apptest.Start(t, keeping(hangs, ""), apptest.Env(file), apptest.Grace(50*time.Millisecond))
	cut := asked(t, stops, `{"model":"chat","input":"x","background":true}`)
	_ = stops.App.Stop() // that it took longer than it may is not what is tested
	wantStatus(t, s.Get(respond+"/"+cut), 200, "The gateway stopped while it worked on the response.")
}
