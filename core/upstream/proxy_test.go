package upstream_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// via is a Proxy setting that sends everything through one proxy, with a user name and password.
func via(t testing.TB, proxy string) func(*url.URL) (*url.URL, error) {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("joe", "hunter2")
	return func(*url.URL) (*url.URL, error) { return u, nil }
}

const joe = "Basic am9lOmh1bnRlcjI=" // joe:hunter2

func TestProxyTunnel(t *testing.T) {
	t.Parallel()
	v := upstreamtest.NewTLS(t, upstreamtest.JSON(200, `{}`))
	proxy := upstreamtest.NewProxy(t)
	c := newClient(t, upstream.Settings{TLS: v.TLS, Proxy: via(t, proxy.URL)})
	target := v.Target()
	for range 3 {
		ok(t, c, post(target))
	}
	seen := proxy.Seen()
	if len(seen) != 1 || seen[0].Method != "CONNECT" || seen[0].Path != v.Addr() || seen[0].Header.Get("Proxy-Authorization") != joe {
		t.Errorf("the proxy got %+v, want one CONNECT to %s from joe", seen, v.Addr())
	}
	if got := v.Last(); got.Path != "/v1/chat/completions" || got.Header.Get("Proxy-Authorization") != "" {
		t.Errorf("the vendor got %+v", got)
	}
}

func TestProxyForward(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, `{}`))
	proxy := upstreamtest.NewProxy(t)
	c := newClient(t, upstream.Settings{Proxy: via(t, proxy.URL)})
	ok(t, c, post(v.Target()))
	seen := proxy.Seen()
	want := "http://" + v.Addr() + "/v1/chat/completions"
	if len(seen) != 1 || seen[0].Method != "POST" || seen[0].Path != want || seen[0].Header.Get("Proxy-Authorization") != joe {
		t.Errorf("the proxy got %+v, want one POST %s from joe", seen, want)
	}
}

// front accepts TLS connections and passes on what is in them.
func front(t *testing.T, config *tls.Config, to string) (addr string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			go func() {
				io.Copy(server, client)
				server.Close()
			}()
			go func() {
				io.Copy(client, server)
				client.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// A proxy that is itself reached over TLS; its connections have no descriptor to look at.
func TestProxyOverTLS(t *testing.T) {
	t.Parallel()
	v := upstreamtest.NewTLS(t, upstreamtest.JSON(200, `{}`))
	proxy := upstreamtest.NewProxy(t)
	clock := newClock()
	c := newClient(t, upstream.Settings{
		TLS: v.TLS, Now: clock.Now, Proxy: via(t, "https://"+front(t, v.Config(), strings.TrimPrefix(proxy.URL, "http://"))),
	})
	target := v.Target()
	for range 3 {
		ok(t, c, post(target))
		clock.Add(time.Minute)
	}
	if got := len(proxy.Seen()); got != 1 || v.Conns() != 1 {
		t.Errorf("three calls took %d tunnels and %d connections, want 1", got, v.Conns())
	}
	c = newClient(t, upstream.Settings{TLS: v.TLS, Proxy: via(t, "https://"+strings.TrimPrefix(proxy.URL, "http://"))})
	_, _, err := fetch(t.Context(), c, post(target))
	wantMessage(t, wantError(t, err, "upstream.Do", llm.KindConnection), "no secure connection")
}

func TestProxySocks(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, `{}`))
	proxy := upstreamtest.NewSocks(t, "joe", "hunter2")
	c := newClient(t, upstream.Settings{Proxy: via(t, proxy.URL)})
	ok(t, c, post(v.Target()))
	if got := v.Last(); got.Path != "/v1/chat/completions" {
		t.Errorf("the vendor got %+v", got)
	}
	if seen := proxy.Seen(); len(seen) != 1 || seen[0].Path != v.Addr() {
		t.Errorf("the proxy got %+v, want one connection to %s", seen, v.Addr())
	}
}

func TestProxyFaults(t *testing.T) {
	t.Parallel()
	v := upstreamtest.NewTLS(t, upstreamtest.JSON(200, `{}`))
	f := func(proxy string, ctx context.Context, kind llm.Kind, part string) {
		t.Helper()
		c := newClient(t, upstream.Settings{TLS: v.TLS, Proxy: via(t, proxy)})
		_, _, err := fetch(ctx, c, post(v.Target()))
		e := wantError(t, err, "upstream.Do", kind)
		if !strings.Contains(e.Error(), part) {
			t.Errorf("got %q, want %q in it", e.Error(), part)
		}
	}
	refusing := upstreamtest.NewProxy(t)
	refusing.Refuse(407)
	f(refusing.URL, t.Context(), llm.KindConnection, "refused with status 407")
	f("http://"+upstreamtest.ClosedPort(t), t.Context(), llm.KindConnection, "proxy: dial tcp")
	f("socks5://"+upstreamtest.ClosedPort(t), t.Context(), llm.KindConnection, "proxy: ")
	f(upstreamtest.New(t, upstreamtest.Garbage()).URL, t.Context(), llm.KindConnection, "the answer to CONNECT is not HTTP")
	f(upstreamtest.New(t, upstreamtest.Drop()).URL, t.Context(), llm.KindConnection, "proxy: EOF")
	f(upstreamtest.New(t, upstreamtest.Raw(upstreamtest.Head(200)+"early")).URL, t.Context(), llm.KindConnection, "data came before")
	f("ftp://127.0.0.1:1", t.Context(), llm.KindInvalid, `The proxy scheme "ftp" is not known`)

	gate := upstreamtest.NewGate()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-gate.Reached()
		cancel()
	}()
	f(upstreamtest.New(t, gate.Before(upstreamtest.Drop())).URL, ctx, llm.KindCanceled, "")
	<-gate.Left()
}

func TestProxyFromTheEnvironment(t *testing.T) {
	// f makes a call to vendor.test and tells what was dialled for it.
	f := func(scheme, httpProxy, httpsProxy, noProxy, want string) {
		t.Helper()
		t.Setenv("HTTP_PROXY", httpProxy)
		t.Setenv("HTTPS_PROXY", httpsProxy)
		t.Setenv("NO_PROXY", noProxy)
		t.Setenv("REQUEST_METHOD", "")
		var dialled string
		c := upstream.New(upstream.Settings{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled = addr
			return nil, errors.New("not today")
		}})
		_, _, err := fetch(t.Context(), c, post(&llm.Target{Scheme: scheme, Host: "vendor.test", Addr: "vendor.test:99"}))
		kind := llm.KindConnection
		if want == "" {
			kind = llm.KindInvalid
		}
		wantError(t, err, "upstream.Do", kind)
		if dialled != want {
			t.Errorf("%s with %q, %q and not for %q: dialled %q, want %q", scheme, httpProxy, httpsProxy, noProxy, dialled, want)
		}
	}
	f("http", "", "", "", "vendor.test:99")
	f("http", "http://a.test", "http://b.test", "", "a.test:80")
	f("https", "http://a.test", "https://b.test", "", "b.test:443")
	f("https", "http://a.test", "", "", "vendor.test:99")
	f("http", "a.test:3128", "", "", "a.test:3128")
	f("http", "socks5://a.test", "", "", "a.test:1080")
	f("http", "http://a.test", "", "vendor.test", "vendor.test:99")
	f("http", "http://a.test", "", ".test", "vendor.test:99")
	f("http", "http://joe:hunter2@%zz", "", "", "")
	f("https", "", "http://", "", "")
}
