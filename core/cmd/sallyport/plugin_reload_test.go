package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// underWay is a streamed answer that passes a plugin.
type underWay struct {
	t       *testing.T
	vendor  *ut.Stream
	lines   *bufio.Scanner
	version int
}

// open begins a streamed answer and reads the version of the plugin in its first chunk.
func (p *process) open(v *ut.Vendor, version int) *underWay {
	p.t.Helper()
	u := &underWay{t: p.t, vendor: ut.NewStream(), version: version}
	v.Script(u.vendor.Answer)
	go func() {
		<-u.vendor.Started()
		u.vendor.Begin()
		u.vendor.Send(ut.ContentChunk("x", "which"))
	}()
	req, _ := http.NewRequestWithContext(p.t.Context(), "POST", p.url+"/v1/chat/completions", strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"go on"}]}`))
	req.Header.Set("Authorization", "Bearer sk-1234")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { resp.Body.Close() })
	u.lines = bufio.NewScanner(resp.Body)
	u.reads()
	return u
}

// reads waits for a chunk that the plugin wrote.
func (u *underWay) reads() {
	u.t.Helper()
	for u.lines.Scan() {
		if text := u.lines.Text(); strings.Contains(text, "version") {
			if !strings.Contains(text, fmt.Sprintf("this is version %d", u.version)) {
				u.t.Errorf("begun with version %d, got %s", u.version, text)
			}
			return
		}
	}
	u.t.Fatalf("the stream begun with version %d broke off: %v", u.version, u.lines.Err())
}

// goesOn says more, and ends reads the end.
func (u *underWay) goesOn() {
	u.t.Helper()
	u.vendor.Send(ut.ContentChunk("x", "and which"))
	u.reads()
}

func (u *underWay) ends() {
	u.t.Helper()
	u.goesOn()
	u.vendor.Send(ut.FinishChunk("x", "stop"))
	u.vendor.Done()
	last := ""
	for u.lines.Scan() {
		if u.lines.Text() != "" {
			last = u.lines.Text()
		}
	}
	if last != "data: [DONE]" {
		u.t.Errorf("the stream begun with version %d ended with %q", u.version, last)
	}
}

// TestPluginReload puts another version of a plugin in place while streams run: noticed by the change of its file, told by
// SIGHUP, and told by an administrator. New requests see the new version, streams end whole in the version that they
// began in, and a version that does not load leaves the one before in use.
func TestPluginReload(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile(plugintest.Build(t, "../../wasm/testdata/version"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(module, []byte("this is version 1")); n != 1 {
		t.Fatalf("the version is %d times in the module", n)
	}
	dir, other := t.TempDir(), t.TempDir()
	file, target := filepath.Join(dir, "version.wasm"), filepath.Join(other, "version.wasm")
	put := func(path string, content []byte) {
		t.Helper()
		write(t, path+".new", string(content))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	numbered := func(n int) []byte {
		return bytes.Replace(module, []byte("this is version 1"), fmt.Appendf(nil, "this is version %d", n), 1)
	}
	put(file, module)
	v := ut.New(t)
	cfg := write(t, filepath.Join(t.TempDir(), "config.yaml"), fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: sk-u, api_base: "%s/v1"}}]
general_settings: {master_key: sk-1234}
guardrails:
  - guardrail_name: v
    litellm_params: {guardrail: '%s', mode: [pre_call, post_call], default_on: true, limits: {cpu_ms: 20000, wall_ms: 60000}}
`, v.URL, file))
	p := start(t, nil, "--config", cfg, "--host", "127.0.0.1", "--port", freePort(t))
	is := func(n int) bool {
		_, body := p.do("POST", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"which"}]}`)
		return strings.Contains(body, fmt.Sprintf("this is version %d", n))
	}
	var streams []*underWay
	begin := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("version %d", n), func() bool { return is(n) })
		for _, s := range streams {
			s.goesOn()
		}
		streams = append(streams, p.open(v, n))
	}
	begin(1)
	put(file, numbered(2)) // noticed
	begin(2)

	// What a link points to is in a folder that nobody watches.
	put(target, numbered(3))
	if err := os.Symlink(target, file+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	begin(3)
	put(target, numbered(4))
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	begin(4)
	put(target, numbered(5))
	if status, body := p.do("POST", "/plugins/reload", ""); status != 200 || !is(5) {
		t.Fatalf("reload by an administrator: %d %s", status, body)
	}
	begin(5)

	put(target, []byte("no module"))
	if status, body := p.do("POST", "/plugins/reload", ""); status != 400 || !strings.Contains(body, "not a WebAssembly module") || !is(5) {
		t.Fatalf("a version that does not load: %d %s", status, body)
	}
	put(file, numbered(6)[:1000])
	eventually(t, "an error about the file", func() bool { return strings.Contains(p.stderr.String(), "the former one stays in force") })
	if !is(5) {
		t.Error("a version that does not load took the place of the one before")
	}
	for _, s := range streams {
		s.ends()
	}
	if strings.Contains(p.stderr.String(), "did not close") {
		t.Errorf("a replaced version was not freed: %s", p.stderr)
	}
}
