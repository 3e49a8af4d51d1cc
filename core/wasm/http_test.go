package wasm_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// fetcher loads testdata/fetcher with grants.
func fetcher(t testing.TB, change ...func(*wasm.Settings)) *plugintest.Plugin {
	t.Helper()
	s := wasm.Settings{Path: plugintest.Build(t, "testdata/fetcher")}
	s.Limits.CPU = 2 * time.Second // the race detector and other tests take their share
	for _, c := range change {
		c(&s)
	}
	return plugintest.Load(t, s)
}

func granted(hosts ...string) func(*wasm.Settings) {
	return func(s *wasm.Settings) { s.Grants.HTTP = append(s.Grants.HTTP, hosts...) }
}

// service is a server that guests call.
func service(t testing.TB) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var calls atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Answer", r.Method+" "+r.Header.Get("X-Api-Key")+r.Header.Get("User-Agent"))
		fmt.Fprint(w, "hello ", r.URL.RawQuery)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		w.WriteHeader(201)
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("X-Api-Key"), r.Header.Get("Content-Type"), b.String())
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			if _, err := w.Write(make([]byte, 256<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 64 {
			_, _ = z.Write(make([]byte, 1<<20))
		}
		_ = z.Close()
	})
	mux.HandleFunc("/lie", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "short")
	})
	mux.HandleFunc("/header", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 200<<10))
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				fmt.Fprint(w, ".")
				w.(http.Flusher).Flush()
			}
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Second):
			fmt.Fprint(w, "at last")
		}
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s, &calls
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	other, otherCalls := service(t)
	p := fetcher(t, granted(s.URL), func(s *wasm.Settings) { s.Limits.Instances = 2 })
	says := func(ask, want string) {
		t.Helper()
		if got := reply(p.Chat(t, "m", ask)); got != want {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
	begins := func(ask, want string) {
		t.Helper()
		if got := reply(p.Chat(t, "m", ask)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
	says("get "+s.URL+"/hello?a=b", "200 GET sallyport 9 hello a=b")
	says("get "+s.URL+"/none", "404  19 404 page not found\n")
	says("post "+s.URL+"/echo x-api-key the body", "201  21 v text/plain the body")
	says("method HEAD "+s.URL+"/hello", "200 HEAD sallyport 0 ")
	says("method CONNECT "+s.URL+"/hello", "http: argument: the URL, the method or a header is malformed")
	says("all "+s.URL+"/hello?1 "+other.URL+"/hello "+s.URL+"/hello?2",
		"hello 1|http: forbidden: the host is not granted, or the manifest does not ask for it (caps.http)|hello 2")

	// Redirects are followed only to what is granted, a few times, and not at all if the plugin says so.
	says("get "+s.URL+"/to?url=/hello", "200 GET sallyport 6 hello ")
	begins("get "+s.URL+"/to?url="+url.QueryEscape(other.URL+"/hello"), "http: forbidden: http://127.0.0.1:")
	begins("get "+s.URL+"/to?url="+url.QueryEscape("http://169.254.169.254/latest/meta-data"), "http: forbidden: http://169.254.169.254 is not granted")
	begins("get "+s.URL+"/to?url="+url.QueryEscape("file:///etc/passwd"), "http: forbidden")
	begins("get "+s.URL+"/loop", "302 ")
	begins("direct "+s.URL+"/to?url=/hello", "307 ")
	if n := otherCalls.Load(); n != 0 {
		t.Errorf("%d calls of a host that is not granted", n)
	}

	// What a URL or a header may not do.
	malformed := "http: argument: the URL, the method or a header is malformed"
	refused := "http: forbidden: the host is not granted, or the manifest does not ask for it (caps.http)"
	says("get /hello", malformed)
	says("get http://", malformed)
	says("get http://%zz/", malformed)
	says("get file:///etc/passwd", malformed)
	says("get ftp://127.0.0.1/", refused)
	says("get "+strings.Replace(s.URL, "http://", "http://user:pass@", 1)+"/hello", refused)
	says("get "+strings.Replace(s.URL, "127.0.0.1", "2130706433", 1)+"/hello", refused)
	says("get "+strings.Replace(s.URL, "127.0.0.1", "①27.0.0.1", 1)+"/hello", refused)
	for _, h := range []string{"Host", "content-length", "Transfer-Encoding", "Proxy-Authorization", "a:b", "Connection"} {
		says("post "+s.URL+"/echo "+h+" x", malformed)
	}

	// Answers that are too large, too slow, or cut off.
	says("get "+s.URL+"/big", "http: too_large: the answer is too large")
	says("limited "+s.URL+"/big 100000000 0", "http: too_large: the answer is too large")
	says("get "+s.URL+"/bomb", "http: too_large: the answer is too large")
	says("limited "+s.URL+"/hello?abc 9 0", "200 GET sallyport 9 hello abc")
	says("limited "+s.URL+"/hello?abcd 9 0", "http: too_large: the answer is too large")
	says("limited "+s.URL+"/drip 1000 50", "http: timeout: no whole answer in time")
	says("limited "+s.URL+"/hang 1000 50", "http: timeout: no whole answer in time")
	says("get "+s.URL+"/lie", "http: connection: unexpected EOF")
	begins("get "+s.URL+"/header", "http: connection: ")
}

// Headers of the plugin's, which may hold a key, do not follow a redirect to another host.
func TestRedirectDropsHeaders(t *testing.T) {
	t.Parallel()
	from, _ := service(t)
	to, _ := service(t)
	p := fetcher(t, granted(from.URL, to.URL))
	got := reply(p.Chat(t, "m", "post "+from.URL+"/to?url="+url.QueryEscape(to.URL+"/echo")+" x-api-key b"))
	if got != "201  13  text/plain b" {
		t.Errorf("got %q", got)
	}
	got = reply(p.Chat(t, "m", "post "+from.URL+"/to?url=/echo x-api-key b"))
	if got != "201  14 v text/plain b" {
		t.Errorf("the same host: got %q", got)
	}
}

// An address is reached under the name it is granted by, and no other.
func TestAddressesAreGranted(t *testing.T) {
	t.Parallel()
	s, calls := service(t)
	named := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	says := func(want, ask string, change ...func(*wasm.Settings)) {
		t.Helper()
		p := fetcher(t, change...)
		if got := reply(p.Chat(t, "m", ask)); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
	says("hello", "get "+named+"/hello", granted(named))
	says("hello", "get "+s.URL+"/hello", granted(s.URL))
	says("not granted", "get "+s.URL+"/hello", granted(named))
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// A caller that leaves, or the call's time, ends the wait; the CPU clock stands still meanwhile.
func TestHTTPEnds(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	p := fetcher(t, granted(s.URL), func(s *wasm.Settings) { s.Limits.Wall = 150 * time.Millisecond })
	if o := p.Chat(t, "m", "get "+s.URL+"/hang"); !errors.Is(o.Err, wasm.ErrWall) && !strings.Contains(reply(o), "timeout") {
		t.Errorf("got %v", o.Err)
	}
	p = fetcher(t, granted(s.URL), func(s *wasm.Settings) { s.Limits.Wall = time.Hour })
	o := p.Request(t, llm.OpChat, []byte(`{"messages":[{"role":"user","content":"get `+s.URL+`/hang"}]}`), func(x *llm.Exchange) {
		time.AfterFunc(50*time.Millisecond, func() { x.Life.Cancel(context.Canceled) })
	})
	if !errors.Is(o.Err, context.Canceled) {
		t.Errorf("got %v, want the caller's cause", o.Err)
	}
	if got := reply(p.Chat(t, "m", "get "+s.URL+"/hello")); !strings.HasPrefix(got, "200 ") {
		t.Errorf("afterwards: got %q", got)
	}
}

// meeting is a server that answers nobody until n requests are there.
func meeting(t testing.TB, n int64) *httptest.Server {
	t.Helper()
	var there atomic.Int64
	all := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if there.Add(1) == n {
			close(all)
		}
		select {
		case <-all:
			fmt.Fprint(w, "met")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// Requests of one hook run at the same time, and so do hooks that wait: with the usual limits 40 callers of a plugin
// with a grant do not wait for one another.
func TestRequestsRunTogether(t *testing.T) {
	t.Parallel()
	s := meeting(t, 20)
	patient := func(s *wasm.Settings) { s.Limits.Wall = time.Minute }
	p := fetcher(t, granted(s.URL), patient)
	if got := reply(p.Chat(t, "m", "all"+strings.Repeat(" "+s.URL, 20))); got != strings.Repeat("met|", 19)+"met" {
		t.Errorf("got %q", got)
	}
	s = meeting(t, 40)
	p = fetcher(t, granted(s.URL), patient)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if got := reply(p.Chat(t, "m", "get "+s.URL)); got != "200  3 met" {
				t.Errorf("got %q", got)
			}
		})
	}
	all.Wait()
}

// Waiting for an answer is not computing.
func TestWaitingCostsNoCPU(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	p := fetcher(t, granted(s.URL), func(s *wasm.Settings) { s.Limits.CPU, s.Limits.Wall = 500*time.Millisecond, time.Minute })
	if got := reply(p.Chat(t, "m", "get "+s.URL+"/slow")); got != "200  7 at last" {
		t.Errorf("got %q", got)
	}
}

// Thousands of requests of one call are refused beyond a limit, and all of them end with it.
func TestHandles(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	p := fetcher(t, granted(s.URL))
	if got := reply(p.Chat(t, "m", "flood "+s.URL+"/hang")); got != "64 http: limit: the request is too large, or too many are open" {
		t.Errorf("got %q", got)
	}
	for range 40 { // more than a plugin may have under way, if they did not end
		if got := reply(p.Chat(t, "m", "leave "+s.URL+"/hang")); got != "left" {
			t.Errorf("got %q", got)
		}
	}
	for ask := "get " + s.URL + "/hello"; !strings.HasPrefix(reply(p.Chat(t, "m", ask)), "200 "); {
		if t.Context().Err() != nil {
			t.Fatal("the requests of calls that are over did not end")
		}
	}
}

// Without a grant, and while the plugin is configured, there is no network.
func TestHTTPNeedsAGrant(t *testing.T) {
	t.Parallel()
	s, calls := service(t)
	var log bytes.Buffer
	p := fetcher(t, func(s *wasm.Settings) { s.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	if got := reply(p.Chat(t, "m", "get "+s.URL+"/hello")); !strings.HasPrefix(got, "http: forbidden") {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(log.String(), "grants.http") {
		t.Errorf("the log does not say what to write: %s", log.String())
	}
	_, err := wasm.Load(t.Context(), wasm.Settings{
		Path: plugintest.Build(t, "testdata/fetcher"), Config: map[string]any{"at_start": s.URL}, Grants: wasm.Grants{HTTP: []string{s.URL}},
	})
	if err == nil || !strings.Contains(err.Error(), "at start: http: forbidden") {
		t.Errorf("got %v", err)
	}
	if calls.Load() != 0 {
		t.Error("a request was sent")
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := fetcher(t, func(s *wasm.Settings) {
		s.Grants.Secrets = []string{"FETCHER_KEY", "NOT_ASKED"}
		s.Secret = func(name string) (string, bool) { return "value of " + name + strings.Repeat("x", 300), true }
		s.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	secret := "value of FETCHER_KEY" + strings.Repeat("x", 300)
	says := func(ask, want string) {
		t.Helper()
		if got := reply(p.Chat(t, "m", ask)); got != want {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
	says("secret FETCHER_KEY", secret+" true")
	says("secret FETCHER_OTHER", " false")
	says("secret NOT_ASKED", " false")
	says("secret PATH", " false")
	o := p.Chat(t, "m", "tell FETCHER_KEY")
	if !errors.Is(o.Err, wasm.ErrVerdict) || strings.Contains(o.Err.Error(), secret) {
		t.Errorf("got %v", o.Err)
	}
	if text := log.String(); strings.Contains(text, secret) || strings.Count(text, "<****>") != 2 {
		t.Errorf("the log: %s", text)
	}
}

// The auth hook does not see what callers write unless that is granted.
func TestAuthSeesNoPrompts(t *testing.T) {
	t.Parallel()
	ask := func(p *plugintest.Plugin) string {
		_, err := p.Auth(t, wasm.ModeOn, "k", func(x *llm.Exchange) {
			if err := x.Body.Parse([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`)); err != nil {
				t.Fatal(err)
			}
		})
		return llm.AsError(err).Message
	}
	if got := ask(fetcher(t)); got != "Authentication Error, false m" && got != "Authentication Error, falsem" {
		t.Errorf("got %q", got)
	}
	got := ask(fetcher(t, func(s *wasm.Settings) { s.Grants.Prompts = true }))
	if !strings.Contains(got, "hi") {
		t.Errorf("granted: got %q", got)
	}
}
