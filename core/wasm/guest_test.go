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
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// probe loads testdata/probe.
func probe(t testing.TB, change ...func(*wasm.Settings)) *plugintest.Plugin {
	t.Helper()
	s := wasm.Settings{Path: plugintest.Build(t, "testdata/probe")}
	for _, c := range change {
		c(&s)
	}
	return plugintest.Load(t, s)
}

func one(s *wasm.Settings) { s.Limits.Instances = 1 }

// reply returns what the guest answered.
func reply(o plugintest.Outcome) string {
	if o.Err != nil {
		return o.Err.Error()
	}
	if o.Reply == nil {
		return "no reply"
	}
	text, _ := llm.Text(o.Reply.First.Data)
	return string(text)
}

func TestGuestSees(t *testing.T) {
	t.Parallel()
	p := probe(t, one)
	prepare := func(x *llm.Exchange) {
		x.Header = llm.Header{
			{Name: []byte("X-Team"), Value: []byte("blue")}, {Name: []byte("Authorization"), Value: []byte("Bearer sk-1")},
			{Name: []byte("x-own-key"), Value: []byte("sk-2")},
		}
		x.Streamed = true
		x.Principal = &llm.Principal{KeyAlias: "alias", UserID: "u", TeamID: "t", Role: llm.RoleCustomer, Metadata: map[string]any{"tier": 2}}
	}
	says := func(ask, want string) {
		t.Helper()
		body := []byte(`{"model":"m","metadata":{"tags":["a\n","b"],"n":1.0},"messages":[{"role":"user","content":"` + ask + `"}]}`)
		if got := reply(p.Request(t, llm.OpChat, body, prepare)); got != want {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
	says("header x-team", "blue true")
	says("header x-none", " false")
	says("header authorization", " false")
	says("value metadata.tags.0", "a\n true")
	says("json metadata.tags.0", `"a\n" true`)
	says("value metadata.n", "1.0 true")
	says("value metadata.none", " false")
	says("system", "true true 0 0 true")
	says("nap", "awake")
	says("request", `acompletion POST /chat/completions 127.0.0.1 m true {KeyHash: KeyAlias:alias UserID:u UserEmail: TeamID:t `+
		`TeamAlias: OrgID: EndUser: Role:customer} map[tier:2] <nil> [{Role:user Message:0 Text:request Argument:<nil> Kind: Sealed:false edited:false}]`)
	long := strings.Repeat("y", 3000)
	says("body "+long, `{"model":"m","metadata":{"tags":["a\n","b"],"n":1.0},"messages":[{"role":"user","content":"body `+long+`"}]}`)
}

func TestSecretHeaders(t *testing.T) {
	t.Parallel()
	p := probe(t, func(s *wasm.Settings) { s.Secrets = []string{"X-Own-Key"} })
	o := p.Request(t, llm.OpChat, []byte(`{"messages":[{"role":"user","content":"header x-own-key"}]}`), func(x *llm.Exchange) {
		x.Header = llm.Header{{Name: []byte("x-own-key"), Value: []byte("sk-2")}}
	})
	if got := reply(o); got != " false" {
		t.Errorf("got %q", got)
	}
	_, err := p.Auth(t, wasm.ModeOn, "describe", func(x *llm.Exchange) {
		for _, h := range []string{"X-Wanted", "X-Other", "Cookie"} {
			x.Header = append(x.Header, llm.Field{Name: []byte(h), Value: []byte("<" + h + ">")})
		}
	})
	want := "Authentication Error, POST /chat/completions 127.0.0.1 raw=Bearer describe <X-Wanted> <X-Other> <Cookie>"
	var e *llm.Error
	if !errors.As(err, &e) || e.HTTPStatus() != 403 || e.Message != want {
		t.Errorf("got %v", err)
	}
}

func TestGuestEdits(t *testing.T) {
	t.Parallel()
	p := probe(t)
	o := p.Chat(t, "m", "edit", "two \"quoted\"", "три")
	if got := strings.Join(o.Texts(), "|"); got != `EDIT|TWO "QUOTED"|ТРИ` || o.Exchange.Model != "other" || o.Err != nil {
		t.Errorf("got %s, model %s, error %v", got, o.Exchange.Model, o.Err)
	}
}

// TestGoGuestDies has a standard Go guest end in every way, and answer the next call in a fresh instance.
func TestGoGuestDies(t *testing.T) {
	t.Parallel()
	p := probe(t, one, func(s *wasm.Settings) {
		s.Limits.CPU, s.Limits.Wall = 100*time.Millisecond, 3*time.Second
	})
	dies := func(ask string, want ...error) {
		t.Helper()
		o := p.Chat(t, "m", ask)
		var known bool
		for _, w := range want {
			known = known || errors.Is(o.Err, w)
		}
		if !known || strings.Contains(o.Err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want one of %v", ask, o.Err, want)
		}
		if got := reply(p.Chat(t, "m", "calls")); got != "1" {
			t.Errorf("after %s: the next call is call %s of its instance", ask, got)
		}
	}
	dies("panic hunter2", wasm.ErrTrap)
	dies("exit", wasm.ErrTrap)
	dies("spin", wasm.ErrCPU, wasm.ErrWall)
	dies("sleep", wasm.ErrWall)
	dies("deadlock", wasm.ErrTrap)
	dies("recurse", wasm.ErrDepth, wasm.ErrTrap)
	dies("hog", wasm.ErrTrap, wasm.ErrCPU, wasm.ErrWall)
	dies("random", wasm.ErrCPU, wasm.ErrWall)
	dies("ask", wasm.ErrCPU, wasm.ErrWall)
}

func TestFailVerdictKeepsInstance(t *testing.T) {
	t.Parallel()
	p := probe(t, one)
	if o := p.Chat(t, "m", "fail"); !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), "no model file") {
		t.Errorf("got %v", o.Err)
	}
	if got := reply(p.Chat(t, "m", "calls")); got != "2" {
		t.Errorf("the instance was replaced: call %s", got)
	}
}

func TestRecycling(t *testing.T) {
	t.Parallel()
	p := probe(t, one, func(s *wasm.Settings) { s.Limits.Calls, s.Limits.RecycleMB = 3, 12 })
	says := func(ask, want string) {
		t.Helper()
		if got := reply(p.Chat(t, "m", ask)); got != want {
			t.Errorf("%s: got %s, want %s", ask, got, want)
		}
	}
	says("calls", "1")
	says("calls", "2")
	says("calls", "3")
	says("calls", "1")
	says("grow", "grown")
	says("calls", "1")
}

func TestLogging(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var log bytes.Buffer
	p := probe(t, func(s *wasm.Settings) {
		s.LogPerSec, s.Limits.CPU = 5, time.Second
		s.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	})
	p.Chat(t, "m", "print text")
	mu.Lock()
	defer mu.Unlock()
	lines := strings.Count(log.String(), "msg=\"line text\"")
	if lines < 1 || lines > 20 || !strings.Contains(log.String(), "plugin=probe") {
		t.Errorf("%d of 1000 lines at 5 a second:\n%s", lines, log.String())
	}
}

// The message of a panic may quote what callers wrote: the log has the kind and the place, and never the message.
func TestPanicsAreNotQuoted(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, "testdata/probe")
	f := func(stderr bool, ask string, want, wantNot string) {
		t.Helper()
		var log bytes.Buffer
		p, err := wasm.Load(t.Context(), wasm.Settings{
			Path: path, Stderr: stderr, LogPerSec: 1 << 20, Limits: wasm.Limits{CPU: time.Minute, Wall: time.Minute},
			Logger: slog.New(slog.NewTextHandler(lockedWriter{new(sync.Mutex), &log}, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		o := plugintest.Wrap(p).Chat(t, "m", ask)
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := log.String() + fmt.Sprint(o.Err)
		if !strings.Contains(got, want) || wantNot != "" && strings.Contains(got, wantNot) {
			t.Errorf("%.20q: want %q and no %q:\n%s", ask, want, wantNot, got)
		}
	}
	f(false, "panic hush", "kind=panic at=\"main.go:", "hush")
	f(false, "panic a\nhush\ngoroutine 1 [running]:\n\t/hush.go:12 +0x1", "kind=panic at=\"main.go:", "hush")
	f(false, "panic error hush", "kind=panic at=\"main.go:", "hush")
	f(false, "index hush", `kind="slice bounds out of range" at="main.go:`, "hush")
	f(false, "convert hush", `kind="interface conversion" at="main.go:`, "hush")
	f(false, "print hush", "writes to standard error, which is not logged", "to stderr")
	f(true, "print hush", `msg="to stderr"`, "")
	f(true, "panic hush", "prompt: hush", "")
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, "testdata/probe")
	_, err := wasm.Load(t.Context(), wasm.Settings{Path: path, Config: map[string]any{"fail": "needs a \"dictionary\""}})
	if err == nil || !strings.Contains(err.Error(), `the plugin refuses its config: needs a "dictionary"`) {
		t.Errorf("got %v", err)
	}
	_, err = wasm.Load(t.Context(), wasm.Settings{Path: path, Config: map[string]any{"colour": 3}})
	if err == nil || !strings.Contains(err.Error(), `unknown setting "colour": the settings are fail, values`) {
		t.Errorf("got %v", err)
	}
	values := map[string]any{"values": map[string]any{"a": []any{1, 2.5, nil, true, "x", map[string]any{}}}}
	plugintest.Load(t, wasm.Settings{Path: path, Config: values})
}

// TestParallel has many callers share few instances while some calls crash, and closes the plugin under them.
func TestParallel(t *testing.T) {
	t.Parallel()
	p, err := wasm.Load(t.Context(), wasm.Settings{
		Path: plugintest.Build(t, "testdata/probe"), Limits: wasm.Limits{Instances: 3, Wait: time.Minute, CPU: time.Minute, Wall: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	tp := &plugintest.Plugin{Plugin: p, Respond: func(_ *llm.Exchange, text, _ string) (*llm.Reply, error) {
		return &llm.Reply{First: llm.Part{Data: llm.AppendQuoted(nil, text)}}, nil
	}}
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			for j := range 12 {
				if i%6 == 0 && j%5 == 0 {
					if o := tp.Chat(t, "m", "panic"); !errors.Is(o.Err, wasm.ErrTrap) && !errors.Is(o.Err, wasm.ErrClosed) {
						t.Errorf("panic: %v", o.Err)
					}
					continue
				}
				text := fmt.Sprint("edit ", i, " ", j)
				o := tp.Chat(t, "m", text)
				if errors.Is(o.Err, wasm.ErrClosed) {
					return
				}
				if o.Err != nil || o.Texts()[0] != strings.ToUpper(text) {
					t.Errorf("%s: got %v, error %v", text, o.Texts(), o.Err)
				}
			}
		})
	}
	wg.Go(func() {
		tp.Chat(t, "m", "nap")
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	wg.Wait()
}

func BenchmarkStart(b *testing.B) {
	path := plugintest.Build(b, "testdata/probe")
	p := plugintest.Load(b, wasm.Settings{Path: path, Limits: wasm.Limits{Calls: 1, Instances: 1}})
	for b.Loop() {
		p.Chat(b, "m", "continue")
	}
}
