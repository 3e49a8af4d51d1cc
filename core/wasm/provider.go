package wasm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// ProviderSettings describe a vendor that a plugin speaks for.
type ProviderSettings struct {
	Name        string            // of the vendor, in errors and logs
	Shape       provider.Provider // makes the OpenAI form of a request, with what the deployment adds to it; only its Encode is used
	Hosts       []string          // where calls may go besides the deployment's api_base, as in Grants.HTTP
	MaxResponse int64             // bytes of an answer, a stream's in sum; 0 is 64 MB
}

const (
	defaultMaxResponse = 64 << 20
	maxRefusal         = 64 << 10 // how much of a refusal is read
	maxTargets         = 256      // servers whose connections are kept
)

// Provider presents the plugin's provider hook as a provider. The plugin makes a call of a request, the gateway's
// transport sends it, and the plugin reads the answer, whole or event by event. It is asked about each on any of its
// instances. Calls go to the deployment's api_base and to Hosts only, and with what the plugin sets besides the
// deployment's extra_headers. When the plugin fails, that is a failure of the vendor: the router may try another.
func (p *Plugin) Provider(s ProviderSettings) (provider.Provider, error) {
	if s.MaxResponse <= 0 {
		s.MaxResponse = defaultMaxResponse
	}
	hosts, err := parseOrigins(s.Hosts)
	if err != nil {
		return nil, err
	}
	return &guestProvider{p: p, s: s, hosts: hosts, needs: p.manifest.needs(), targets: map[string]*llm.Target{}}, nil
}

type guestProvider struct {
	p     *Plugin
	s     ProviderSettings
	hosts []origin
	needs needs

	mu      sync.Mutex
	targets map[string]*llm.Target
}

// Bind implements provider.Provider.
func (g *guestProvider) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	e := &guestEndpoint{g: g, d: d, base: strings.TrimRight(d.Base, "/")}
	if d.Base != "" {
		o, err := parseOrigin(d.Base)
		if err != nil {
			return nil, errors.New("model_name " + d.Group + ": litellm_params.api_base: " + err.Error())
		}
		o.path = ""
		e.own = &o
	}
	plain := *d
	plain.Base, plain.APIKey, plain.ExtraHeaders, plain.Organization = "http://"+abi.HostModule+".invalid", "none", nil, ""
	var err error
	e.shape, err = g.s.Shape.Bind(&plain)
	return e, err
}

// guestEndpoint is a deployment of a vendor that a plugin speaks for. It is immutable.
type guestEndpoint struct {
	g     *guestProvider
	d     *llm.Deployment
	base  string
	own   *origin // of api_base; nil if there is none
	shape provider.Endpoint
}

// Encode implements provider.Endpoint.
func (e *guestEndpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	var shaped llm.Call
	if err := e.shape.Encode(x, &shaped); err != nil {
		return err
	}
	var doc llm.Object
	if err := doc.Parse(bytes.Join(shaped.Body, nil)); err != nil {
		return invalid(err.Error())
	}
	err := e.g.p.use(&x.Life, func(in *instance) (err error) {
		if in.view, err = e.encodeView(in.view[:0], x, &doc); err != nil {
			return err
		}
		if len(in.view) > e.g.p.limits.maxView() {
			return ErrSize
		}
		in.doc = &doc
		out, err := in.call(abi.HookProvider, in.view, x)
		if err != nil {
			return err
		}
		return e.readCall(out, c)
	})
	return e.failed(x, err)
}

func (e *guestEndpoint) encodeView(dst []byte, x *llm.Exchange, doc *llm.Object) (_ []byte, err error) {
	dst = abi.AppendNumber(dst, abi.TagPhase, uint64(abi.PhaseEncode))
	if dst, err = appendRequest(dst, x, &e.g.needs); err != nil {
		return dst, err
	}
	dst = appendText(dst, abi.TagVendorModel, e.d.Model)
	dst = appendText(dst, abi.TagBase, e.base)
	if e.g.needs.apiKey {
		dst = appendText(dst, abi.TagCredential, e.d.APIKey)
	}
	if e.g.needs.texts {
		return appendBodyTexts(dst, doc)
	}
	return dst, nil
}

// failed says what became of a call that the plugin did not make, or of an answer that it did not read.
func (e *guestEndpoint) failed(x *llm.Exchange, err error) error {
	if err == nil || isRefusal(err) {
		return err
	}
	if x.Life.Err() != nil && errors.Is(err, x.Life.Err()) {
		return llm.AsError(err)
	}
	f := e.g.p.internal("wasm.Provider", "Plugin "+e.g.p.name+" failed.", err)
	f.Provider = e.g.s.Name
	return f
}

// readCall reads the call that the plugin made. Everything is copied.
func (e *guestEndpoint) readCall(out []byte, c *llm.Call) error {
	var (
		h       head
		said    reading
		method  string
		address string
		body    []byte
	)
	r := abi.Reader{Rest: out}
	for r.Next() {
		switch r.Tag {
		case abi.TagMethod:
			method = string(r.Value)
		case abi.TagURL:
			address = string(r.Value)
		case abi.TagBody:
			body = bytes.Clone(r.Value)
		case abi.TagHeader:
			name, value := readHeader(r.Inside())
			if !allowedHeader(name, value) {
				return broken("the header %q of a call", clean([]byte(name)))
			}
			c.Header = append(c.Header, llm.Field{Name: []byte(name), Value: []byte(value)})
		default:
			if err := said.read(&r, &h); err != nil {
				return err
			}
		}
	}
	verdict, err := h.end(&r)
	switch {
	case err != nil:
		return err
	case verdict == abi.VerdictReject:
		return e.refusal(&h)
	case verdict == abi.VerdictRespond:
		c.Local = func(_ context.Context, a *llm.Answer) error {
			now := time.Now()
			*a = llm.Answer{Status: 200, Header: a.Header[:0], Began: now, FirstByte: now, Body: &localBody{ReadCloser: http.NoBody, said: said}}
			return nil
		}
		return nil
	case verdict != abi.VerdictEdit:
		return broken("verdict %d of the provider hook", verdict)
	}
	c.Body = append(c.Body, body)
	return e.target(c, method, address)
}

func (e *guestEndpoint) refusal(h *head) error {
	if h.status < 400 || h.status > 499 {
		return broken("a refusal with status %d, it must be 400 to 499", h.status)
	}
	return &llm.Error{
		Op: "wasm.Provider", Kind: llm.KindBadRequest, Status: h.status, Provider: e.g.s.Name,
		Message: otherwise(h.reason, "The plugin "+e.g.p.name+" refused the request."),
	}
}

// target checks where a call goes, and fills in what the transport needs.
func (e *guestEndpoint) target(c *llm.Call, method, address string) error {
	if !allowedMethod(method) {
		return broken("the method %q of a call", clean([]byte(method)))
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return broken("the address of a call is not of the form https://host/path")
	}
	o := originOf(u)
	o.path = u.EscapedPath()
	if !plainHost(o.host) || !(e.own != nil && e.own.covers(&o)) && !covered(e.g.hosts, &o) {
		return broken("a call to %s://%s, which is neither api_base nor granted (grants.http)", u.Scheme, clean([]byte(u.Host)))
	}
	for _, h := range e.d.ExtraHeaders {
		if !c.Header.Has(h.Name) {
			c.Header = append(c.Header, llm.Field{Name: []byte(h.Name), Value: []byte(h.Value)})
		}
	}
	c.Target, c.Method, c.Path = e.g.server(u, &o), method, []byte(u.RequestURI())
	return nil
}

// server returns the target for an address. Calls of a server share one, and its connections.
func (g *guestProvider) server(u *url.URL, o *origin) *llm.Target {
	key := u.Scheme + "://" + u.Host
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.targets[key]
	if t == nil {
		t = &llm.Target{Scheme: u.Scheme, Host: u.Host, Addr: net.JoinHostPort(o.host, o.port)}
		if len(g.targets) < maxTargets {
			g.targets[key] = t
		}
	}
	return t
}

// localBody is the answer of a plugin that makes no call.
type localBody struct {
	io.ReadCloser
	said reading
}

// reading is what the plugin read in an answer, or in an event of one.
type reading struct {
	said  openai.Said
	json  []byte
	state []byte
}

// read takes a record of a result.
func (s *reading) read(r *abi.Reader, h *head) (err error) {
	switch r.Tag {
	case abi.TagAnswer:
		s.json = bytes.Clone(r.Value)
	case abi.TagState:
		if len(r.Value) > abi.MaxState {
			return broken("a state of %d bytes, at most %d are kept", len(r.Value), abi.MaxState)
		}
		s.state = bytes.Clone(r.Value)
	case abi.TagPart:
		err = s.part(r.Inside())
	default:
		h.read(r)
	}
	return err
}

func (s *reading) part(r abi.Reader) error {
	count := func(n *int64) { *n = int64(min(r.Number(), 1<<53)) }
	for r.Next() {
		switch r.Tag {
		case abi.TagText:
			s.said.Text = string(r.Value)
		case abi.TagReasoning:
			s.said.Reasoning = string(r.Value)
		case abi.TagFinish:
			s.said.Finish = string(r.Value)
		case abi.TagPromptTokens:
			count(&s.said.Usage.Prompt)
		case abi.TagCompletionTokens:
			count(&s.said.Usage.Completion)
		case abi.TagTotalTokens:
			count(&s.said.Usage.Total)
		case abi.TagCachedTokens:
			count(&s.said.Usage.Cached)
		case abi.TagReasoningTokens:
			count(&s.said.Usage.Reasoning)
		case abi.TagToolCall:
			if err := s.call(r.Inside()); err != nil {
				return err
			}
		default:
			r.Unknown()
		}
	}
	if r.Err != nil {
		return broken("part: %v", r.Err)
	}
	return nil
}

func (s *reading) call(r abi.Reader) error {
	var c openai.SaidCall
	for r.Next() {
		switch r.Tag {
		case abi.TagIndex:
			c.Index = int(min(r.Number(), 1<<16))
		case abi.TagCallID:
			c.ID = string(r.Value)
		case abi.TagKey:
			c.Name = string(r.Value)
		case abi.TagText:
			c.Arguments = string(r.Value)
		default:
			r.Unknown()
		}
	}
	if r.Err != nil {
		return broken("tool call: %v", r.Err)
	}
	s.said.Calls = append(s.said.Calls, c)
	return nil
}
