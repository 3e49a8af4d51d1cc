package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// hooks loads testdata/hooks and returns what it logs.
func hooks(t testing.TB, change ...func(*wasm.Settings)) (*plugintest.Plugin, func() string) {
	t.Helper()
	var mu sync.Mutex
	var log bytes.Buffer
	s := wasm.Settings{Path: plugintest.Build(t, "testdata/hooks"), Config: map[string]any{"say": true}}
	s.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	for _, c := range change {
		c(&s)
	}
	p := plugintest.Load(t, s)
	return p, func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}

func named(name string) func(*wasm.Settings) { return func(s *wasm.Settings) { s.Name = name } }

func failOpen(s *wasm.Settings) { s.OnError = wasm.FailOpen }

// records makes one record of each model.
func records(models ...string) (list []callback.Record) {
	for i, m := range models {
		list = append(list, callback.Record{ID: fmt.Sprint(i), ModelGroup: m, Status: 200, Start: time.Unix(1700000000, 0), End: time.Unix(1700000002, 0)})
	}
	return list
}

func TestLogSees(t *testing.T) {
	t.Parallel()
	rec := records("m")[0]
	rec.ID, rec.CallType, rec.Route, rec.Remote, rec.UserAgent = "id", "acompletion", "/chat/completions", "10.0.0.1", "curl"
	rec.Stream, rec.FirstToken, rec.Cost, rec.CostKnown = true, rec.Start.Add(time.Second), 0.25, true
	rec.Deployment = &llm.Deployment{ID: "d", Provider: "openai", Model: "gpt", Base: "https://h/v1", APIKey: "sk-1234567890"}
	rec.Usage = llm.Usage{Prompt: 1, Completion: 2, Total: 3, Cached: 4, Reasoning: 5}
	rec.Status, rec.Error = 429, &callback.Error{Kind: llm.KindRateLimit, Message: "slow down sk-1234567890abcdef"}
	rec.Principal = &llm.Principal{TeamID: "team", Metadata: map[string]any{"tier": 2, "secret": "hunter2"}}
	rec.EndUser, rec.Tags, rec.Guards, rec.Retries, rec.Fallbacks = "eu", "a, b", []string{"pii"}, 1, 2
	rec.Metadata = []byte(`{"n": 1, "f": 1.5, "api_key": "hunter2", "tags": ["c"]}`)
	rec.Messages, rec.Response = []byte(`[{"role":"user"}]`), []byte(`{"id":"x"}`)
	f := func(content bool, want string) {
		t.Helper()
		p, log := hooks(t, func(s *wasm.Settings) { s.Grants.Prompts = content })
		if err := p.Sink(wasm.SinkOptions{}).Write(t.Context(), []callback.Record{rec}); err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(log(), `\"`, `"`)
		if !strings.Contains(got, want) || strings.Contains(got, "hunter2") || strings.Contains(got, "567890") {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	head := `record id acompletion /chat/completions 10.0.0.1 curl team true false | m gpt openai d https://h/v1 | 1700000000 2s 1s | ` +
		`1 2 3 4 5 0.25 true | 429  RateLimitError "slow down sk-****" | [a b c] [pii] 1 2 | `
	tail := ` | map[api_key:**** f:1.5 n:1 tags:[c]] map[secret:**** tier:2] eu`
	f(false, head+" "+tail)
	f(true, head+`[{"role":"user"}] {"id":"x"}`+tail)
}

func TestLogRetries(t *testing.T) {
	t.Parallel()
	f := func(o wasm.SinkOptions, lost int, why string, models ...string) {
		t.Helper()
		p, log := hooks(t, func(s *wasm.Settings) {
			s.Limits.BackgroundCPU, s.Limits.BackgroundWall = 100*time.Millisecond, 30*time.Second
		})
		o.Pause = time.Microsecond
		err := p.Sink(o).Write(t.Context(), records(models...))
		got, text := 0, ""
		if l := (*callback.LostError)(nil); errors.As(err, &l) {
			got, text = l.Lost, err.Error()
		} else if err != nil {
			t.Fatal(err)
		}
		if got != lost || !strings.Contains(text, why) || why == "" && text != "" {
			t.Errorf("%v: %d were lost: %s\n%s", models, got, text, log())
		}
	}
	f(wasm.SinkOptions{}, 0, "", "m", "n")
	f(wasm.SinkOptions{}, 0, "", "m", "once", "m")
	f(wasm.SinkOptions{Attempts: 1}, 1, "did not take", "m", "once", "m")
	f(wasm.SinkOptions{}, 2, "did not take", "again", "m", "again")
	f(wasm.SinkOptions{Attempts: 2}, 2, "the disk is full", "fail", "m")
	f(wasm.SinkOptions{Attempts: 2}, 1, "crashed", "panic")
	f(wasm.SinkOptions{Attempts: 2}, 1, "CPU time", "spin")
	f(wasm.SinkOptions{Attempts: 1}, 1, "can be named once", "twice")
	f(wasm.SinkOptions{Failure: true}, 0, "", "fail", "panic")
	f(wasm.SinkOptions{Success: true, Attempts: 1}, 1, "the disk is full", "fail")
	f(wasm.SinkOptions{Wants: func(r *callback.Record) bool { return r.ModelGroup != "fail" }}, 0, "", "fail", "m")
}

// A batch that does not fit is split, and one record that never fits is left out.
func TestLogSplits(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t, func(s *wasm.Settings) { s.Grants.Prompts, s.Config = true, nil })
	list := records(strings.Split(strings.Repeat("m ", 20)+"m", " ")...)
	for i := range list {
		list[i].Messages = make([]byte, 1<<20)
	}
	list[3].Messages = make([]byte, 9<<20)
	err := p.Sink(wasm.SinkOptions{}).Write(t.Context(), list)
	var lost *callback.LostError
	if !errors.As(err, &lost) || lost.Lost != 1 || !errors.Is(err, wasm.ErrSize) || !strings.Contains(err.Error(), "a record of 3") {
		t.Errorf("got %v", err)
	}
}

func TestLogEnds(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sink := p.Sink(wasm.SinkOptions{})
	if err := sink.Write(ctx, records("again")); err == nil {
		t.Error("no error after the end of the context")
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := sink.Write(t.Context(), records("m")); !errors.Is(err, wasm.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestTick(t *testing.T) {
	t.Parallel()
	p, log := hooks(t)
	for range 2 {
		if err := p.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(log(), "tick 2") {
		t.Errorf("logged %s", log())
	}
	p, _ = hooks(t, named("fails"))
	if err := p.Tick(t.Context()); !errors.Is(err, wasm.ErrVerdict) || !strings.Contains(err.Error(), "no clock") {
		t.Errorf("got %v", err)
	}
	if err := p.StartTicks(time.Millisecond); err == nil || !strings.Contains(err.Error(), "at least 1") {
		t.Errorf("got %v", err)
	}
	if err := p.StartTicks(0); err != nil {
		t.Error(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Tick(t.Context()); !errors.Is(err, wasm.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := probe(t).StartTicks(time.Second); err == nil || !strings.Contains(err.Error(), "no tick hook") {
		t.Errorf("got %v", err)
	}
}

// The loop ticks at its interval, changes it, and ends with the plugin.
func TestTicks(t *testing.T) {
	t.Parallel()
	p, log := hooks(t)
	f := func(wait time.Duration, want int) {
		t.Helper()
		time.Sleep(wait)
		synctest.Wait()
		if got := strings.Count(log(), "msg=\"tick "); got != want {
			t.Errorf("%d ticks, want %d", got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		if err := p.StartTicks(0); err != nil {
			t.Fatal(err)
		}
		f(59*time.Second, 0)
		f(time.Second, 1)
		f(2*time.Minute, 3)
		if err := errors.Join(p.StartTicks(60*time.Second), p.StartTicks(10*time.Second)); err != nil {
			t.Fatal(err)
		}
		f(10*time.Second, 4)
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(time.Hour, 4)
	})
}

func candidates() []router.Candidate {
	return []router.Candidate{
		{Deployment: &llm.Deployment{ID: "a", Group: "m", Model: "gpt", Provider: "openai", Base: "https://h", Tags: []string{"eu"}, Weight: 2, RPM: 3, TPM: 4, Info: map[string]any{"mode": "chat"}}, Counts: router.Counts{InFlight: 5}},
		{Deployment: &llm.Deployment{ID: "b", Group: "m", Model: "gpt", Provider: "groq"}},
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	reads := func(s *wasm.Settings) { s.Grants.Prompts = true }
	p, log := hooks(t, reads)
	open, _ := hooks(t, failOpen, reads)
	ask := func(p *plugintest.Plugin, text string) (string, error) {
		x := plugintest.Exchange(t, llm.OpChat, []byte(`{"model":"m","messages":[{"role":"user","content":"`+text+`"}]}`))
		x.Principal = &llm.Principal{TeamID: "team", Metadata: map[string]any{"tier": 2}}
		x.Header = append(x.Header, llm.Field{Name: []byte("x-litellm-tags"), Value: []byte("red, green")})
		keep, ordered, err := p.RouteFilter().Filter(&x.Life, x, candidates())
		return fmt.Sprint(keep, keep == nil, ordered), err
	}
	f := func(text, want string) {
		t.Helper()
		if got, err := ask(p, text); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	f("hi", "[] true false")
	f("only b", "[1] false false")
	f("only", "[] false false")
	f("order b a", "[1 0] false true")
	f("free", "[1] false false")
	f("describe", "[] true false")
	want := []string{
		"deployment a m gpt openai https://h [eu] 2 3 4 5 map[mode:chat]", "deployment b m gpt groq  [] 0 0 0 0 map[]",
		"request acompletion m false team [red green] 0 map[tier:2]",
	}
	for _, w := range want {
		if !strings.Contains(log(), w) {
			t.Errorf("want %s in %s", w, log())
		}
	}
	for _, text := range []string{"fail", "panic", "only c", "only a a"} {
		_, err := ask(p, text)
		if e := llm.AsError(err); e == nil || e.Kind != llm.KindInternal || e.Message != "Plugin hooks failed, so no deployment was chosen." {
			t.Errorf("%s: got %v", text, err)
		}
		if got, err := ask(open, text); err != nil || got != "[] true false" {
			t.Errorf("%s, fail open: got %s, %v", text, got, err)
		}
	}
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t)
	open, _ := hooks(t, failOpen)
	run := func(p *plugintest.Plugin, body string) (*llm.Exchange, error) {
		list := map[string]wasm.Prompt{}
		for _, id := range []string{"greet", "json", "bad", "stream", "describe", "broken"} {
			list["p-"+id] = wasm.Prompt{Plugin: p.Plugin, ID: id}
		}
		x := plugintest.Exchange(t, llm.OpChat, []byte(body))
		x.Controls.Given = true
		x.Principal = &llm.Principal{TeamID: "team"}
		_, err := wasm.Prompts(list).Before(&x.Life, x)
		return x, err
	}
	f := func(body, want, model string) {
		t.Helper()
		x, err := run(p, body)
		if err != nil || string(x.Body.Raw()) != want || x.Model != model {
			t.Errorf("%s:\ngot  %s %s, %v\nwant %s", body, x.Body.Raw(), x.Model, err, want)
		}
	}
	f(`{"model":"m"}`, `{"model":"m"}`, "m")
	f(`{"model":"m","prompt_id":null}`, `{"model":"m","prompt_id":null}`, "m")
	f(`{"model":"m","prompt_id":"p-greet","prompt_variables":{"name":"Ada \"A\""},"prompt_label":"prod","prompt_version":3,"messages":[{"role":"user","content":"hi"}],"temperature":1}`,
		`{"model":"m","prompt_id":"p-greet","prompt_variables":{"name":"Ada \"A\""},"prompt_label":"prod","prompt_version":3,"messages":[{"role":"system","content":"Greet Ada \"A\" (prod/3)."},{"role":"user","content":"hi"}],"temperature":0.5,"stop":["\n"]}`, "m")
	f(`{"model":"m","prompt_id":"p-greet","prompt_variables":{"name":"A"}}`,
		`{"model":"m","prompt_id":"p-greet","prompt_variables":{"name":"A"},"messages":[{"role":"system","content":"Greet A (/)."}],"stop":["\n"],"temperature":0.5}`, "m")
	f(`{"messages":[{"role":"user","content":"hi"}],"prompt_id":"p-json","model":"m"}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"prompt_id":"p-json","model":"other"}`, "other")
	refused := func(body string, status int, want string) {
		t.Helper()
		_, err := run(p, body)
		if e := llm.AsError(err); e == nil || e.HTTPStatus() != status || !strings.Contains(e.Message, want) {
			t.Errorf("%s: got %v, want %d %s", body, err, status, want)
		}
	}
	refused(`{"prompt_id":"nobody"}`, 400, "`prompt_id` names no prompt of this gateway: \"nobody\" is not in the section prompts.")
	refused(`{"prompt_id":3}`, 400, "must be a string")
	refused(`{"prompt_id":"p-greet","prompt_variables":[1]}`, 400, "`prompt_variables` must be an object")
	refused(`{"prompt_id":"p-greet","prompt_label":{}}`, 400, "`prompt_label` must be")
	refused(`{"prompt_id":"p-greet"}`, 422, "The prompt greet needs the variable name.")
	refused(`{"model":"m","prompt_id":"p-describe","prompt_variables":{"n":1,"l":[true]},"messages":[{"role":"user","content":"hi"}]}`,
		400, "macompletionfalseteammap[l:[true] n:1] [{user 0 hi <nil>  false false}]")
	for _, id := range []string{"bad", "stream", "broken"} {
		body := `{"model":"m","prompt_id":"p-` + id + `"}`
		refused(body, 500, "Plugin hooks failed, so the prompt was not found.")
		if x, err := run(open, body); err != nil || string(x.Body.Raw()) != body {
			t.Errorf("%s, fail open: %s %v", id, x.Body.Raw(), err)
		}
	}
}

func TestKeyGenerate(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t)
	open, _ := hooks(t, failOpen)
	ask := func(p *plugintest.Plugin, params map[string]any) (map[string]any, error) {
		x := plugintest.Exchange(t, llm.OpNone, nil)
		x.Principal = &llm.Principal{UserID: "admin"}
		return p.KeyGenerate(&x.Life, x, params)
	}
	f := func(params map[string]any, want string) {
		t.Helper()
		got, err := ask(p, params)
		if e := llm.AsError(err); err != nil {
			if want != fmt.Sprint(e.HTTPStatus(), " ", e.Message) {
				t.Errorf("%v: got %v, want %s", params, err, want)
			}
			return
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%v: got %v, want %s", params, got, want)
		}
	}
	f(map[string]any{"team_id": "t", "max_budget": 9}, "map[max_budget:9 team_id:t]")
	f(map[string]any{"team_id": "small", "max_budget": 9}, "map[max_budget:1.5 models:[m] team_id:small]")
	f(nil, "403 Keys need a team_id.")
	f(map[string]any{"team_id": "who"}, "403 admin 127.0.0.1")
	f(map[string]any{"team_id": "fail"}, "500 Plugin hooks failed, so no key was made.")
	f(map[string]any{"team_id": func() {}}, "400 Invalid request: abi: the value of team_id is neither text, number, boolean, list nor map with text keys.")
	if got, err := ask(open, map[string]any{"team_id": "fail"}); err != nil || got["team_id"] != "fail" {
		t.Errorf("fail open: %v %v", got, err)
	}
}

func TestSSO(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t, failOpen)
	show := func(a wasm.SSOAnswer, err error) string {
		if e := llm.AsError(err); e != nil {
			return fmt.Sprint(e.HTTPStatus(), " ", e.Message)
		}
		if u := a.User; u != nil {
			budget := "none"
			if u.MaxBudget != nil {
				budget = fmt.Sprint(*u.MaxBudget)
			}
			return fmt.Sprint("user ", u.UserID, " ", u.Email, " ", u.Role, " ", u.TeamID, u.Models, u.Metadata, budget, u.BudgetDuration)
		}
		return "redirect " + a.Redirect
	}
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	begin := func(query string, header ...string) string {
		x := plugintest.Exchange(t, llm.OpNone, nil)
		x.Path, x.Query = "/sso/key/generate", []byte(query)
		for _, h := range header {
			x.Header = append(x.Header, llm.Field{Name: []byte(h), Value: []byte("ada@example.com")})
		}
		return show(p.SSOBegin(&x.Life, x))
	}
	f(begin(""), "redirect ")
	f(begin("", "X-Other"), "redirect ")
	f(begin("away"), "redirect https://id.example.com/?from=/sso/key/generate")
	f(begin("out"), "403 Authentication Error, Not from here.")
	f(begin("", "X-Forwarded-Email"), "user ada@example.com ada@example.com internal_user [] map[]none")
	back := func(claims map[string]any) string {
		x := plugintest.Exchange(t, llm.OpNone, nil)
		return show(p.SSOCallback(&x.Life, x, claims))
	}
	f(back(map[string]any{"sub": "1", "email": "ada@example.com", "groups": []any{"g"}}), "user 1 ada@example.com internal_user t[m] map[groups:[g]]130d")
	f(back(map[string]any{"email": "eve@evil.test"}), "401 Authentication Error, Only people of example.com.")
	f(back(map[string]any{"email": "k@king.example.com"}), "500 Authentication Error, plugin hooks failed.")
	f(back(map[string]any{}), "500 Authentication Error, plugin hooks failed.")
	f(back(map[string]any{"email": "nobody@example.com"}), "500 Authentication Error, plugin hooks failed.")
}
