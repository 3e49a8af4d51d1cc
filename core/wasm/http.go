package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Limits of a plugin's HTTP requests.
const (
	maxOpen       = 64       // answers held at the same time in one call
	maxStarted    = 256      // requests of one call
	maxInFlight   = 512      // requests of a plugin under way
	maxHeld       = 16 << 20 // bytes of answers held in one call
	maxAnswer     = 8 << 20  // bytes of one answer's body
	usualAnswer   = 1 << 20  // the same, if the plugin does not say
	maxUpload     = 8 << 20  // bytes of a request's body
	maxHeaders    = 64       // of a request
	maxHeaderSize = 32 << 10 // bytes of a request's header
	maxURL        = 8 << 10
	maxRedirects  = 10
	someRedirects = 3 // if the plugin does not say
	dialTimeout   = 10 * time.Second
)

// web is a plugin's way to the network. It is made only for plugins with a grant.
type web struct {
	rights   *rights
	client   http.Client
	stats    *stats
	inFlight atomic.Int64
}

// newWeb makes the client. No proxy is used, whatever the environment says: behind one, nobody could check which
// address a request goes to. A nil transport is the network, a nil resolver the system's.
func newWeb(r *rights, s *stats, transport http.RoundTripper, resolver *net.Resolver) *web {
	w := &web{rights: r, stats: s}
	if transport == nil {
		dialer := &net.Dialer{Timeout: dialTimeout, Resolver: resolver, ControlContext: w.control}
		transport = &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dialer.DialContext(context.WithValue(ctx, dialKey{}, address), network, address)
			},
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout,
			MaxIdleConns: 64, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	w.client = http.Client{Transport: transport, CheckRedirect: w.redirect}
	return w
}

func (w *web) close() {
	if w != nil {
		w.client.CloseIdleConnections()
	}
}

// fetchKey finds the fetch in the context of its request, dialKey the host and port in the context of a connection.
type (
	fetchKey struct{}
	dialKey  struct{}
)

// control looks at the address that is about to be dialled, after names are resolved: a name that stood for a public
// address a moment ago may stand for another now.
func (w *web) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &forbiddenError{"the address that the name stands for cannot be read"}
	}
	var extra []netip.Prefix
	if name, ok := ctx.Value(dialKey{}).(string); ok {
		if host, _, err := net.SplitHostPort(name); err == nil {
			extra = explicit(host)
		}
	}
	return w.rights.addresses.check(to.Addr(), extra)
}

// explicit returns the addresses that a granted host grants by being what it is.
func explicit(host string) []netip.Prefix {
	if host == "localhost" {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return nil
	}
	a = a.Unmap().WithZone("")
	return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
}

// permit reports whether the plugin may send a request to u.
func (w *web) permit(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return &forbiddenError{fmt.Sprintf("the scheme %q is not http or https", clean([]byte(u.Scheme)))}
	}
	o := originOf(u)
	if u.User != nil || !plainHost(o.host) {
		return &forbiddenError{"a URL must not hold a user, and its host must be a plain name or address"}
	}
	o.path = u.EscapedPath()
	place := o.scheme + "://" + u.Host
	if !covered(w.rights.granted, &o) {
		return &forbiddenError{place + " is not granted: add it to grants.http"}
	}
	if w.rights.asked != nil && !covered(w.rights.asked, &o) {
		return &forbiddenError{place + " is not among the hosts that the plugin's manifest names"}
	}
	return nil
}

// redirect decides whether a redirect is followed. Headers of the plugin's, which may hold a key, go to the host they
// were meant for and to no other.
func (w *web) redirect(next *http.Request, via []*http.Request) error {
	f, ok := next.Context().Value(fetchKey{}).(*fetch)
	if !ok || len(via) > f.redirects {
		return http.ErrUseLastResponse
	}
	if err := w.permit(next.URL); err != nil {
		return fmt.Errorf("redirect: %w", err)
	}
	next.Header.Del("Referer")
	first, now := originOf(via[0].URL), originOf(next.URL)
	if first != now {
		for name := range next.Header {
			switch name {
			case "Accept", "Accept-Language", "Content-Type", "User-Agent":
			default:
				next.Header.Del(name)
			}
		}
	}
	f.at.Store(next.URL)
	return nil
}

// fetch is one request of a plugin.
type fetch struct {
	request   *http.Request
	at        atomic.Pointer[url.URL] // after redirects
	timeout   time.Duration
	most      int // bytes of the answer's body
	redirects int

	// Written before done is closed, and read after.
	done   chan struct{}
	cancel context.CancelFunc
	status int32  // of the answer, or ErrFailed
	held   int64  // what of fetches.held is the answer's
	blob   []byte // the answer's records
}

// fetches are the requests of one call of a hook.
type fetches struct {
	ctx     context.Context
	cancel  context.CancelFunc
	open    map[int32]*fetch
	started int
	held    atomic.Int64
}

// hostHTTPStart is http_start(ptr, len) -> handle or error.
func hostHTTPStart(in *instance, stack []uint64) {
	code, why := in.startFetch(uint32(stack[0]), uint32(stack[1]))
	if why != "" {
		in.p.line(slog.LevelWarn, []byte("http_start: "+why))
	}
	stack[0] = uint64(uint32(code))
}

func (in *instance) startFetch(ptr, n uint32) (code int32, why string) {
	w := in.p.web
	switch {
	case w == nil:
		return abi.ErrForbidden, "the plugin has no HTTP: its manifest must ask for caps.http and the configuration grant it with grants.http"
	case in.hook == 0:
		return abi.ErrForbidden, "a plugin cannot send requests while it is configured"
	}
	raw, ok := in.mem.Read(ptr, n)
	if !ok || n > maxUpload+maxHeaderSize+maxURL {
		return abi.ErrArgument, "the request is outside of memory or too large"
	}
	f, code, why := readFetch(raw)
	if code != 0 {
		return code, why
	}
	if err := w.permit(f.request.URL); err != nil {
		return abi.ErrForbidden, err.Error()
	}
	if in.fetches == nil {
		in.fetches = &fetches{open: map[int32]*fetch{}}
		in.fetches.ctx, in.fetches.cancel = context.WithCancel(context.Background())
	}
	s := in.fetches
	if len(s.open) >= maxOpen || s.started >= maxStarted {
		return abi.ErrLimit, fmt.Sprintf("at most %d answers can be open, and %d requests be made, in one call", maxOpen, maxStarted)
	}
	if !s.hold(f, int(n)) {
		return abi.ErrLimit, fmt.Sprintf("requests and answers of one call can hold %d bytes", maxHeld)
	}
	if w.inFlight.Add(1) > maxInFlight {
		w.inFlight.Add(-1)
		return abi.ErrLimit, "too many requests of the plugin are under way"
	}
	s.started++
	in.handle = max(1, in.handle+1)
	s.open[in.handle] = f
	f.begin(w, s, in.clock.left())
	return in.handle, ""
}

// begin sends the request from a goroutine of its own, which the end of the call cancels.
func (f *fetch) begin(w *web, s *fetches, left time.Duration) {
	if f.timeout > 0 {
		left = min(left, f.timeout)
	}
	f.done = make(chan struct{})
	f.at.Store(f.request.URL)
	ctx, cancel := context.WithTimeout(context.WithValue(s.ctx, fetchKey{}, f), left)
	f.cancel, f.request = cancel, f.request.WithContext(ctx)
	go func() {
		defer w.inFlight.Add(-1)
		defer cancel()
		defer close(f.done)
		outcome := outcomeAnswered
		if err := f.do(w, s); err != nil {
			f.status = abi.ErrFailed
			f.blob, outcome = describe(err)
		}
		w.stats.requests[outcome].Add(1)
	}()
}

func (f *fetch) do(w *web, s *fetches) error {
	res, err := w.client.Do(f.request)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b := abi.AppendNumber(nil, abi.TagStatus, uint64(res.StatusCode))
	b = abi.AppendText(b, abi.TagURL, f.at.Load().String())
	for name, values := range res.Header {
		for _, v := range values {
			var mark int
			b, mark = abi.Open(b, abi.TagHeader)
			b = abi.Close(abi.AppendText(abi.AppendText(b, abi.TagKey, name), abi.TagText, v), mark)
		}
	}
	if !s.hold(f, len(b)) {
		return errTooLarge
	}
	b, mark := abi.Open(b, abi.TagBody)
	b[mark-6] = 0 // no records inside
	if b, err = f.readBody(b, res.Body, s); err != nil {
		return err
	}
	f.status, f.blob = int32(min(max(res.StatusCode, 0), 999)), abi.Close(b, mark)
	return nil
}

// errTooLarge: the answer is larger than the plugin, or the gateway, allows.
var errTooLarge = errors.New("the answer is too large")

// readBody appends the body to b. What it takes counts against what the call may hold.
func (f *fetch) readBody(b []byte, body io.Reader, s *fetches) ([]byte, error) {
	const step = 16 << 10
	for start, room := len(b), 0; ; {
		if room == 0 {
			if room = step; !s.hold(f, step) {
				return nil, errTooLarge
			}
		}
		b = slices.Grow(b, step)
		n, err := body.Read(b[len(b) : len(b)+room])
		b, room = b[:len(b)+n], room-n
		switch {
		case len(b)-start > f.most:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}

// hold counts n bytes of an answer and reports whether there is room for them.
func (s *fetches) hold(f *fetch, n int) bool {
	f.held += int64(n)
	return s.held.Add(int64(n)) <= maxHeld
}

// describe puts an error into records for the plugin.
func describe(err error) (records []byte, outcome int) {
	cause, outcome := abi.CauseConnection, outcomeFailed
	var forbidden *forbiddenError
	switch {
	case errors.As(err, &forbidden):
		cause, outcome, err = abi.CauseForbidden, outcomeForbidden, forbidden
	case errors.Is(err, context.DeadlineExceeded):
		cause, outcome, err = abi.CauseTimeout, outcomeTimeout, errors.New("no whole answer in time")
	case errors.Is(err, errTooLarge):
		cause = abi.CauseTooLarge
	}
	var inURL *url.Error // repeats the URL, whose query may hold a key
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	b := abi.AppendText(nil, abi.TagCause, cause)
	return abi.AppendText(b, abi.TagReason, clean([]byte(err.Error()))), outcome
}

// readFetch reads the records of a request.
func readFetch(raw []byte) (f *fetch, code int32, why string) {
	f = &fetch{most: usualAnswer, redirects: someRedirects}
	method, address, header := http.MethodGet, "", http.Header{}
	var body []byte
	size, fields := 0, 0
	r := abi.Reader{Rest: raw}
	for r.Next() {
		switch r.Tag {
		case abi.TagHTTPMethod:
			method = string(r.Value)
		case abi.TagURL:
			address = string(r.Value)
		case abi.TagHeader:
			name, value := readHeader(r.Inside())
			if !allowedHeader(name, value) {
				return nil, abi.ErrArgument, "the header " + clean([]byte(name)) + " is malformed or not the plugin's to set"
			}
			header.Add(name, value)
			size, fields = size+len(name)+len(value), fields+1
		case abi.TagBody:
			body = bytes.Clone(r.Value)
		case abi.TagTimeout:
			f.timeout = time.Duration(min(r.Number(), 1<<31)) * time.Millisecond
		case abi.TagMaxBytes:
			f.most = int(min(r.Number(), maxAnswer))
		case abi.TagRedirects:
			f.redirects = int(min(r.Number(), maxRedirects))
		default:
			r.Unknown()
		}
	}
	switch {
	case r.Err != nil:
		return nil, abi.ErrArgument, r.Err.Error()
	case size > maxHeaderSize, fields > maxHeaders, len(address) > maxURL, len(body) > maxUpload:
		return nil, abi.ErrLimit, "the request is too large"
	case !allowedMethod(method):
		return nil, abi.ErrArgument, "the method is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	}
	return f.make(method, address, header, body)
}

func (f *fetch) make(method, address string, header http.Header, body []byte) (_ *fetch, code int32, why string) {
	var content io.Reader
	if len(body) > 0 {
		content = bytes.NewReader(body)
	}
	var err error
	f.request, err = http.NewRequestWithContext(context.Background(), method, address, content)
	if err != nil || f.request.URL.Host == "" {
		return nil, abi.ErrArgument, "the URL is malformed or not absolute"
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "sallyport")
	}
	f.request.Header = header
	return f, 0, ""
}

func readHeader(in abi.Reader) (name, value string) {
	for in.Next() {
		switch in.Tag {
		case abi.TagKey:
			name = string(in.Value)
		case abi.TagText:
			value = string(in.Value)
		}
	}
	return name, value
}

// allowedHeader refuses headers that decide how a message is framed or where it goes.
func allowedHeader(name, value string) bool {
	if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return false
	}
	switch lower := strings.ToLower(name); lower {
	case "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive", "expect",
		"accept-encoding", "http2-settings":
		return false
	default:
		return !strings.HasPrefix(lower, "proxy-")
	}
}

func allowedMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return true
	}
	return false
}
