package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	check := func(address, want string, networks ...string) {
		t.Helper()
		c, err := newAddressCheck(networks)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := c.check(netip.MustParseAddr(address), nil); err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
	const own, private, link, multi, cloud, odd = "this machine's own", "private", "link-local", "multicast", "metadata", "reserved"
	check("93.184.216.34", "")
	check("2606:4700::1111", "")
	check("127.0.0.1", own)
	check("127.9.9.9", own)
	check("::1", own)
	check("0.0.0.0", own)
	check("::", own)
	check("0.1.2.3", odd)
	check("10.0.0.1", private)
	check("172.31.0.1", private)
	check("172.32.0.1", "")
	check("192.168.1.1", private)
	check("fd12::1", private)
	check("169.254.1.1", link)
	check("fe80::1%eth0", link)
	check("224.0.0.1", multi)
	check("ff02::1", multi)
	check("255.255.255.255", odd)
	check("100.64.0.1", odd)
	check("198.18.0.1", odd)
	check("169.254.169.254", cloud)
	check("100.100.100.200", cloud)
	check("168.63.129.16", cloud)
	check("fd00:ec2::254", cloud)
	check("::ffff:127.0.0.1", own)
	check("::ffff:10.0.0.1", private)
	check("::7f00:1", own)
	check("64:ff9b::a9fe:a9fe", cloud)
	check("64:ff9b::5db8:d822", "")
	check("2002:7f00:1::1", own)
	check("2001:0:1::1", odd)

	check("10.0.0.1", "", "10.0.0.0/8")
	check("10.0.0.1", "", "10.0.0.1")
	check("10.0.0.2", private, "10.0.0.1")
	check("127.0.0.1", "", "127.0.0.0/8")
	check("169.254.1.1", "", "169.254.0.0/16")
	check("169.254.169.254", cloud, "169.254.0.0/16", "0.0.0.0/0")
	check("169.254.169.254", "", "169.254.169.254")
	check("0.0.0.0", own, "0.0.0.0/0")
	if _, err := newAddressCheck([]string{"10.0.0.0/8", "intern"}); err == nil || !strings.Contains(err.Error(), `grants.networks[1]: "intern"`) {
		t.Errorf("got %v", err)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	covers := func(grant, u string, want bool) {
		t.Helper()
		o, err := parseOrigin(grant)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		asked := originOf(parsed)
		asked.path = parsed.EscapedPath()
		if got := o.covers(&asked); got != want {
			t.Errorf("%s covers %s: got %v", grant, u, got)
		}
	}
	covers("https://api.x.com", "https://api.x.com/v1?q", true)
	covers("https://api.x.com", "https://API.X.com.:443", true)
	covers("https://api.x.com", "http://api.x.com", false)
	covers("https://api.x.com", "https://api.x.com:8443", false)
	covers("https://api.x.com", "https://api.x.com.evil.com", false)
	covers("https://api.x.com", "https://x.com", false)
	covers("https://*.x.com", "https://a.b.x.com", true)
	covers("https://*.x.com", "https://x.com", false)
	covers("https://*.x.com", "https://evilx.com", false)
	covers("http://[::1]:80", "http://[0:0:0:0:0:0:0:1]/", true)
	covers("https://x.com/v1/", "https://x.com/v1", true)
	covers("https://x.com/v1", "https://x.com/v1/a", true)
	covers("https://x.com/v1", "https://x.com/v10", false)
	for _, path := range []string{"/v1/../admin", "/v1/%2e%2e/admin", "/v1//../x", "/v1/%2F..", "/v1/./x", "/v1;x"} {
		covers("https://x.com/v1", "https://x.com"+path, false)
		covers("https://x.com", "https://x.com"+path, true)
	}
	for _, bad := range []string{"", "x.com", "ftp://x.com", "https://", "https://*", "https://*.com", "https://a.*.com", "https://u@x.com", "https://x.com?q", "https://ｘ.com"} {
		if o, err := parseOrigin(bad); err == nil {
			t.Errorf("%q: got %+v", bad, o)
		}
	}
}

// nameserver answers every question for an A record with the next of its addresses, and keeps the last.
func nameserver(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12
			for buf[end] != 0 {
				end += int(buf[end]) + 1
			}
			question := buf[12 : end+5]
			reply := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 && n > 12 {
				reply[7] = 1
				a := netip.MustParseAddr(answers[min(int(asked.Add(1)), len(answers))-1]).As4()
				reply = append(append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), a[:]...)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A granted name that stands for an address of this machine or of a private network, at once or after a while, leads
// nowhere: what is checked is the address that is dialled.
func TestRebinding(t *testing.T) {
	t.Parallel()
	reached := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	call := func(want string, networks []string, answers ...string) {
		t.Helper()
		place := "http://inner.example.com:" + port
		granted, err := parseOrigins([]string{place})
		if err != nil {
			t.Fatal(err)
		}
		r := &rights{granted: granted}
		if r.addresses, err = newAddressCheck(networks); err != nil {
			t.Fatal(err)
		}
		w := newWeb(r, &stats{}, nil, nameserver(t, answers...))
		defer w.close()
		for i := range answers {
			sent := &fetches{ctx: t.Context(), open: map[int32]*fetch{}}
			f, code, why := readFetch((records(textRecord(201, place+"/"))))
			if code != 0 {
				t.Fatal(why)
			}
			f.begin(w, sent, 10*time.Second)
			<-f.done
			w.close()
			if i == len(answers)-1 && !strings.Contains(string(f.blob), want) {
				t.Errorf("%v: got %q, want %q", answers, f.blob, want)
			}
		}
	}
	call("127.0.0.1 is this machine's own address", nil, "127.0.0.1")
	call("10.1.2.3 is a private address", nil, "10.1.2.3")
	call("169.254.169.254 is a cloud's metadata service", []string{"169.254.0.0/16"}, "169.254.169.254")
	if reached != 0 {
		t.Fatalf("%d requests came through", reached)
	}
	networks := []string{"127.0.0.1"}
	call("inner.example.com", networks, "127.0.0.1")
	call("127.0.0.2 is this machine's own address", networks, "127.0.0.1", "127.0.0.2")
	if reached != 2 {
		t.Errorf("%d requests came through, want 2", reached)
	}
}

// A host function that is given nonsense answers with an error and touches nothing.
func TestHostCallArguments(t *testing.T) {
	t.Parallel()
	p := hand{pages: 100}.load(t, func(s *Settings) { s.Grants.HTTP = []string{"http://127.0.0.1:9"} })
	p.rights.http, p.rights.granted = true, []origin{{scheme: "http", host: "127.0.0.1", port: "9"}}
	p.web = newWeb(&p.rights, p.stats, nil, nil)
	in, err := p.pool.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.pool.put(in)
	defer in.closeBlobs()
	in.clock.reset(time.Hour, time.Hour)
	in.hook = 5
	const far = 0xffff_fff0
	call := func(f func(*instance, []uint64), want int32, args ...uint64) {
		t.Helper()
		stack := append(args, 0, 0, 0, 0)
		f(in, stack)
		if got := int32(uint32(stack[0])); got != want {
			t.Errorf("%v: got %d, want %d", args, got, want)
		}
	}
	call(hostHTTPStart, -3, far, 100)
	call(hostHTTPStart, -3, 0, far)
	call(hostHTTPStart, -3, 0, 16)
	for _, f := range []func(*instance, []uint64){hostBlobWait, hostBlobLen, hostBlobRead, hostBlobClose} {
		call(f, -1, 1)
		call(f, -1, far)
	}
	request := textRecord(201, "http://127.0.0.1:9/")
	in.mem.Write(bufferAt, request)
	call(hostHTTPStart, 1, bufferAt, uint64(len(request)))
	<-in.fetches.open[1].done
	call(hostBlobWait, -6, 1, 0)
	n := int32(len(in.fetches.open[1].blob))
	call(hostBlobLen, n, 1)
	call(hostBlobRead, -3, 1, 0, far, 1<<20)
	call(hostBlobRead, -3, 1, far, 0, 10)
	call(hostBlobRead, 0, 1, uint64(n), bufferAt, 10)
	call(hostBlobRead, 3, 1, uint64(n-3), bufferAt, far)
	call(hostBlobClose, 0, 1)
	call(hostBlobClose, -1, 1)
	large := records(request, textRecord(202, strings.Repeat("x", 4<<20)))
	in.mem.Write(bufferAt, large)
	for _, want := range []int32{2, 3, 4, -4} {
		call(hostHTTPStart, want, bufferAt, uint64(len(large)))
	}
	call(hostSecret, -2, bufferAt, 4, bufferAt, 4)
	call(hostSecret, -3, far, 100, bufferAt, 4)
	call(hostSecret, -3, bufferAt, 2000, bufferAt, 4)
}

func TestGrants(t *testing.T) {
	t.Parallel()
	manifest := func(caps string) hand {
		return hand{manifest: strings.Replace(handManifest, `"version"`, `"caps": `+caps+`, "version"`, 1)}
	}
	refused := func(want, caps string, change ...func(*Settings)) {
		t.Helper()
		s := Settings{Path: manifest(caps).file(t), NoCache: true}
		for _, c := range change {
			c(&s)
		}
		p, err := Load(t.Context(), s)
		if err == nil {
			t.Errorf("%s: loaded, want %q", caps, want)
			p.Close(t.Context())
			return
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", caps, err, want)
		}
	}
	grants := func(g Grants) func(*Settings) { return func(s *Settings) { s.Grants = g } }
	refused("write\n  grants:\n    http: [\"https://a.com\"]\n    kv: true", `{"http": ["https://a.com"], "kv": true}`)
	refused(`http: ["https://b.com", "https://a.com"]`, `{"http": ["https://a.com"]}`, grants(Grants{HTTP: []string{"https://b.com"}}))
	refused(`http: ["https://THE-SERVICE"]`, `{"http": ["*"]}`)
	refused("secrets: [B, A_KEY]", `{"secrets": ["A_KEY"]}`, grants(Grants{Secrets: []string{"B"}}))
	refused("metrics: true", `{"metrics": true}`)
	refused("prompts: true", `{"prompts": true}`)
	refused("the environment variable A_KEY is not set", `{"secrets": ["A_KEY"]}`, grants(Grants{Secrets: []string{"A_KEY"}}))
	refused(`caps.http: "a.com"`, `{"http": ["a.com"]}`)
	refused(`unknown field "https"`, `{"https": ["a.com"]}`)
	refused(`grants.http[0]: "a.com"`, `{}`, grants(Grants{HTTP: []string{"a.com"}}))
	value := grants(Grants{Secrets: []string{"sk-12345"}})
	refused("grants.secrets[0] is not the name", `{}`, value)
	_, err := Load(t.Context(), Settings{Path: manifest(`{}`).file(t), NoCache: true, Grants: Grants{Secrets: []string{"sk-12345"}}})
	if err == nil || strings.Contains(err.Error(), "sk-12345") {
		t.Errorf("a value is shown: %v", err)
	}
	p := manifest(`{"http": ["https://api.a.com"]}`).load(t, grants(Grants{HTTP: []string{"https://*.a.com"}}))
	ask := func(u string) error { parsed, _ := url.Parse(u); return p.web.permit(parsed) }
	var forbidden *forbiddenError
	if ask("https://api.a.com/x") != nil || !errors.As(ask("https://b.a.com/"), &forbidden) || p.limits.Instances != 64 || p.limits.Wall != 5*time.Second {
		t.Errorf("got %v, %v, limits %+v", ask("https://api.a.com/x"), ask("https://b.a.com/"), p.limits)
	}
}

// FuzzReadFetch gives the host foreign requests. What it accepts is a request that net/http takes.
func FuzzReadFetch(f *testing.F) {
	f.Add(records(textRecord(201, "https://a.com/x?y"), textRecord(200, "POST"), textRecord(202, "body"), number(203, 5), number(204, 1<<40), number(205, 99)))
	f.Add(records(textRecord(201, "http://a\r\nb/"), nested(36, textRecord(96, "host"), textRecord(49, "b"))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, code, _ := readFetch(raw)
		if code < 0 {
			return
		}
		if r.most > maxAnswer || r.redirects > maxRedirects || r.request.URL.Host == "" || !allowedMethod(r.request.Method) || r.request.Host != r.request.URL.Host {
			t.Errorf("got %+v, %+v", r, r.request)
		}
		w := newWeb(&rights{}, &stats{}, nil, nil)
		if w.permit(r.request.URL) == nil {
			t.Errorf("%s is permitted", r.request.URL)
		}
		for name := range r.request.Header {
			if strings.EqualFold(name, "host") || strings.HasPrefix(strings.ToLower(name), "proxy-") {
				t.Errorf("header %s", name)
			}
		}
	})
}
