package plugintool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/telemetry"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// Scripted is what a service answers to a request of the plugin's. Each answers once, in the order of the list, but for
// the last that fits, which answers as often as it is asked.
type Scripted struct {
	Method  string            `json:"method"` // empty is any
	URL     string            `json:"url"`    // one that ends in * stands for all that begin like it
	Status  int               `json:"status"` // 200 unless it is said
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`  // a text, or JSON
	Error   string            `json:"error"` // in place of an answer: timeout or connection
}

func (s *Scripted) check() error {
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("url: it is absolute, such as https://api.example.com/check")
	case s.Error != "" && s.Error != "timeout" && s.Error != "connection":
		return fmt.Errorf("error %q: it is timeout or connection", s.Error)
	}
	return nil
}

func (s *Scripted) fits(method, address string) bool {
	if s.Method != "" && !strings.EqualFold(s.Method, method) {
		return false
	}
	if begin, ok := strings.CutSuffix(s.URL, "*"); ok {
		return strings.HasPrefix(address, begin)
	}
	return s.URL == address
}

// origin is what a grant for the URL says.
func (s *Scripted) origin() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.TrimSuffix(u.Host, "*")
}

// host stands in for what the gateway does for a plugin: services, secrets, the key-value store and metrics. It writes
// down what the plugin asked of it.
type host struct {
	*wasm.MemoryStore
	script  []Scripted
	kv      map[string]string
	metrics *telemetry.Metrics

	mu    sync.Mutex
	used  []bool
	full  bool // kv is in the store
	quiet bool // calls are not written down: there will be many
	calls []string
}

func newHost(in *Input) *host {
	return &host{
		MemoryStore: wasm.NewMemoryStore(), script: in.HTTP, kv: in.KV, used: make([]bool, len(in.HTTP)), metrics: telemetry.NewMetrics(),
	}
}

func (h *host) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.quiet {
		h.calls = append(h.calls, fmt.Sprintf(format, args...))
	}
}

// reset begins the script anew.
func (h *host) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.used)
	h.calls = nil
}

// RoundTrip implements http.RoundTripper.
func (h *host) RoundTrip(r *http.Request) (*http.Response, error) {
	address := r.URL.String()
	sent := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		_ = r.Body.Close() // it was read to its end
		if err != nil {
			return nil, err
		}
		sent = string(b)
	}
	s := h.next(r.Method, address)
	shown := strings.TrimSpace("http " + r.Method + " " + address + " " + oneLine(sent))
	switch {
	case s == nil:
		h.note("%s: not scripted", shown)
		return nil, errors.New("no answer to it is scripted")
	case s.Error == "timeout":
		h.note("%s: timeout", shown)
		return nil, context.DeadlineExceeded
	case s.Error != "":
		h.note("%s: %s", shown, s.Error)
		return nil, errors.New("the connection broke, as scripted")
	}
	body, isText := text(s.Body)
	header := canonical(s.Headers)
	if !isText && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	status := s.Status
	if status == 0 {
		status = http.StatusOK
	}
	h.note("%s: %d", shown, status)
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func (h *host) next(method, address string) *Scripted {
	h.mu.Lock()
	defer h.mu.Unlock()
	var last *Scripted
	for i := range h.script {
		s := &h.script[i]
		if !s.fits(method, address) {
			continue
		}
		if last = s; !h.used[i] {
			h.used[i] = true
			break
		}
	}
	return last
}

// fill puts what the input holds into the store, once the namespace is known.
func (h *host) fill(ctx context.Context, namespace string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full {
		return nil
	}
	h.full = true
	for key, value := range h.kv {
		if err := h.MemoryStore.Set(ctx, namespace, key, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

// Get implements wasm.Store.
func (h *host) Get(ctx context.Context, namespace, key string) ([]byte, error) {
	if err := h.fill(ctx, namespace); err != nil {
		return nil, err
	}
	v, err := h.MemoryStore.Get(ctx, namespace, key)
	if err == nil && v == nil {
		h.note("kv get %s: nothing", key)
	} else {
		h.note("kv get %s: %s", key, said(v, err))
	}
	return v, err
}

// Set implements wasm.Store.
func (h *host) Set(ctx context.Context, namespace, key string, value []byte, ttl time.Duration) error {
	if err := h.fill(ctx, namespace); err != nil {
		return err
	}
	err := h.MemoryStore.Set(ctx, namespace, key, value, ttl)
	h.note("kv set %s: %s%s", key, said(value, err), lasting(ttl))
	return err
}

// Add implements wasm.Store.
func (h *host) Add(ctx context.Context, namespace, key string, delta int64, ttl time.Duration) (int64, error) {
	if err := h.fill(ctx, namespace); err != nil {
		return 0, err
	}
	sum, err := h.MemoryStore.Add(ctx, namespace, key, delta, ttl)
	h.note("kv add %s %+d: %s%s", key, delta, said(fmt.Append(nil, sum), err), lasting(ttl))
	return sum, err
}

// Delete implements wasm.Store.
func (h *host) Delete(ctx context.Context, namespace, key string) (bool, error) {
	if err := h.fill(ctx, namespace); err != nil {
		return false, err
	}
	there, err := h.MemoryStore.Delete(ctx, namespace, key)
	h.note("kv delete %s: %s", key, said(fmt.Append(nil, there), err))
	return there, err
}

func said(value []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return oneLine(string(value))
}

// oneLine shortens and quotes what would take more than a line.
func oneLine(s string) string {
	const most = 500
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	if strings.ContainsAny(s, "\r\n") {
		return quoted(s)
	}
	return s
}

func lasting(ttl time.Duration) string {
	if ttl <= 0 {
		return ""
	}
	return " for " + ttl.String()
}

// counted returns what the plugin wrote to the gateway's metrics, one line a series.
func (h *host) counted() ([]string, error) {
	b, _, err := h.metrics.Text()
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range bytes.Lines(b) {
		if name, ok := strings.CutPrefix(string(bytes.TrimSpace(line)), "sallyport_guest_"); ok && !strings.Contains(name, "_bucket{") {
			list = append(list, name)
		}
	}
	return list, nil
}

// load loads the plugin beside the host. Everything that the manifest asks for is granted: without t.Network HTTP requests
// end in the script, and secrets are the input's.
func (t *Trial) load(ctx context.Context) (*wasm.Plugin, *host, error) {
	module, err := readModule(t.Settings.Path)
	if err != nil {
		return nil, nil, err
	}
	if err := wasm.Check(module); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", t.Settings.Path, err)
	}
	m, err := wasm.ReadManifest(module)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", t.Settings.Path, err)
	}
	h, s := newHost(&t.Input), t.Settings
	if s.Config == nil {
		s.Config = t.Input.Config
	}
	for _, c := range []wasm.Caps{m.Caps, m.Optional} {
		s.Grants.HTTP = append(s.Grants.HTTP, slices.DeleteFunc(slices.Clone(c.HTTP), func(h string) bool { return h == "*" })...)
		s.Grants.Secrets = append(s.Grants.Secrets, c.Secrets...)
		s.Grants.KV = s.Grants.KV || c.KV
		s.Grants.Metrics = s.Grants.Metrics || c.Metrics
		s.Grants.Prompts = s.Grants.Prompts || c.Prompts
	}
	s.Grants.HTTP = append(s.Grants.HTTP, t.Hosts...)
	for i := range h.script {
		if o := h.script[i].origin(); !slices.Contains(s.Grants.HTTP, o) {
			s.Grants.HTTP = append(s.Grants.HTTP, o)
		}
	}
	s.Secret = func(name string) (string, bool) {
		if v, ok := t.Input.Secrets[name]; ok {
			return v, true
		}
		if !t.Network {
			return "", false
		}
		return os.LookupEnv(name)
	}
	if !t.Network {
		s.Transport = h
	}
	running, err := wasm.NewHost(h, h.metrics)
	if err != nil {
		return nil, nil, err
	}
	p, err := running.Load(ctx, s)
	return p, h, err
}
