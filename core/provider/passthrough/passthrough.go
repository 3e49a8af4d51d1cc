// Package passthrough forwards requests to a server as they are: to those of the pass_through_endpoints of the
// configuration, and to the vendors' own under paths such as /anthropic. Method, query and body go through untouched, and so do status, header and body of the answer,
// except for the lines that belong to one connection. The gateway adds the headers the operator configured, in which the
// server's own credentials travel.
package passthrough

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Settings describe one endpoint.
type Settings struct {
	Target       string     // URL the requests go to
	Headers      []llm.Pair // sent with every request; they win over the caller's
	Forward      bool       // pass the caller's own headers on too
	Hide         []string   // headers of the caller that are never passed on, beside the credentials
	MergeQuery   bool       // join the target's query with the caller's; otherwise the caller's replaces it
	DefaultQuery []llm.Pair // query parameters for requests that lack them
	MaxResponse  int64      // bytes of an answer; 0 is no limit

	// Place says where a request goes whose server depends on its path: scheme and host, and the path there. It may
	// also only change the path, and then returns no server. Nil takes Target and joins the paths. tail begins with a
	// slash, or is empty. The error is for the caller.
	Place func(tail string) (server, path string, err error)

	Signer    llm.Signer // completes each call; nil for none
	DropQuery []string   // query parameters of the caller that are not passed on, such as its key
	Client    bool       // the caller's credentials for the server are passed on, in place of any others

	// Group is the name under which callers know the model, and Model the server's own: it is put into the path and
	// the body in place of the other. Both may be empty.
	Group, Model string

	// Guarded says that x.Body holds the texts of the request as guardrails left them, see dialect.Strings: those of
	// Fields.
	Guarded bool
	Fields  []string

	// Priced returns the deployment that an answer of the model is accounted to; "" is an unknown one. Nil leaves it at
	// the endpoint's own.
	Priced func(model string) *llm.Deployment
}

type endpoint struct {
	Settings
	target *llm.Target
	path   string
	query  url.Values
	head   []byte
	places sync.Map // of *llm.Target by server
	count  atomic.Int32
}

var _ provider.Endpoint = (*endpoint)(nil)

// New prepares an endpoint. The error names the setting that is wrong.
func New(s Settings) (provider.Endpoint, error) {
	u, err := url.Parse(s.Target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("target: %q is not an http or https URL", s.Target)
	}
	addr := u.Host
	if u.Port() == "" {
		addr += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	}
	e := &endpoint{
		Settings: s, path: u.EscapedPath(), query: u.Query(),
		target: &llm.Target{Scheme: u.Scheme, Host: u.Host, Addr: addr},
	}
	for _, h := range s.Headers {
		if !token(h.Name) || strings.ContainsAny(h.Value, "\r\n\x00") {
			return nil, fmt.Errorf("headers: %q is not a header line", h.Name)
		}
		if !connection(h.Name) && !s.Client {
			e.head = append(append(append(append(e.head, h.Name...), ": "...), h.Value...), "\r\n"...)
		}
	}
	return e, nil
}

func token(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return name != ""
}

// connection reports whether a header line belongs to one connection, so that it is never passed on.
func connection(name string) bool {
	switch strings.ToLower(name) {
	case "host", "content-length", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade",
		"proxy-authorization", "proxy-authenticate", "proxy-connection", "expect", "accept-encoding":
		return true
	}
	return false
}

// credential reports whether a header of the caller holds a key of this gateway, which no other server may see.
func (e *endpoint) credential(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "x-litellm-api-key", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key", "cookie":
		return true
	}
	for _, h := range e.Hide {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	return len(name) > 10 && strings.EqualFold(name[:10], "x-litellm-")
}

// Encode implements provider.Endpoint.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	c.Target, c.Method, c.Head, c.Signer = e.target, x.Method, e.head, e.Signer
	c.Socket = x.Op == llm.OpRealtime
	if e.Client {
		c.Signer = nil
	}
	tail := x.Tail
	if e.renames(x) {
		tail = rename(tail, e.Group, e.Model)
	}
	path := e.path
	if e.Place != nil {
		server, own, err := e.Place(tail)
		if err != nil {
			return &llm.Error{Op: "passthrough.Encode", Kind: llm.KindInvalid, Type: "invalid_request_error", Message: err.Error()}
		}
		if server != "" {
			if c.Target, err = e.at(server); err != nil {
				return llm.AsError(err)
			}
			path = ""
		}
		tail = own
	}
	if tail != "" {
		path = strings.TrimSuffix(path, "/") + "/" + strings.TrimPrefix(tail, "/")
	}
	if path == "" {
		path = "/"
	}
	if q := e.queryOf(x); q != "" {
		path += "?" + q
	}
	c.Path = []byte(path)
	for _, f := range x.Header {
		name := string(f.Name)
		if e.passes(name) {
			c.Header = append(c.Header, f)
		}
	}
	e.body(x, c)
	return nil
}

// maxPlaces is how many servers an endpoint keeps connections to.
const maxPlaces = 256

// at is the target of a server, which keeps its connections.
func (e *endpoint) at(server string) (*llm.Target, error) {
	if t, ok := e.places.Load(server); ok {
		return t.(*llm.Target), nil
	}
	t := new(llm.Target)
	if _, _, problem := provider.Target(server, t); problem != "" {
		return nil, fmt.Errorf("the server %q %s", server, problem)
	}
	if e.count.Add(1) > maxPlaces {
		return t, nil
	}
	kept, _ := e.places.LoadOrStore(server, t)
	return kept.(*llm.Target), nil
}

// renames reports whether the request names the model as callers know it, and the server knows it otherwise.
func (e *endpoint) renames(x *llm.Exchange) bool {
	return e.Model != "" && e.Group != e.Model && x.Model == e.Group
}

// rename puts the server's name for a model into the segment of the path that holds the caller's. A colon in the segment
// begins what is asked of the model.
func rename(tail, group, model string) string {
	segments := strings.Split(tail, "/")
	for i, s := range segments {
		name, verb, asks := strings.Cut(s, ":")
		if plain, err := url.PathUnescape(name); err == nil && plain == group {
			segments[i] = url.PathEscape(model)
			if asks {
				segments[i] += ":" + verb
			}
			return strings.Join(segments, "/")
		}
	}
	// A name with slashes of its own spans several segments.
	return strings.Replace(tail, "/"+group+"/", "/"+url.PathEscape(model)+"/", 1)
}

// body writes the body as it came, but for the model's name and what a guardrail changed.
func (e *endpoint) body(x *llm.Exchange, c *llm.Call) {
	if len(x.Raw) == 0 {
		return
	}
	var o llm.Object
	if e.renames(x) && o.Parse(x.Raw) == nil {
		if i := o.Index("model"); i >= 0 {
			at := o.Members()[i].Value
			if name, ok := llm.Text(x.Raw[at.Start:at.End]); ok && string(name) == e.Group {
				c.Body = append(c.Body, x.Raw[:at.Start], llm.AppendQuoted(nil, e.Model), x.Raw[at.End:])
				return
			}
		}
	}
	if e.Guarded {
		e.guarded(x, c)
		return
	}
	c.Body = append(c.Body, x.Raw)
}

// guarded writes the body with the texts that guardrails changed.
func (e *endpoint) guarded(x *llm.Exchange, c *llm.Call) {
	places, _ := dialect.Strings(x.Raw, e.Fields)
	now := dialect.Array(x.Body.Get("input"))
	at := 0
	for _, p := range places {
		if !now.Next() {
			break
		}
		if p.Start >= at && string(now.Value()) != string(x.Raw[p.Start:p.End]) {
			c.Body = append(c.Body, x.Raw[at:p.Start], now.Value())
			at = p.End
		}
	}
	c.Body = append(c.Body, x.Raw[at:])
}

// passes reports whether a header line of the caller goes on to the target.
func (e *endpoint) passes(name string) bool {
	if connection(name) || !e.Client && e.configured(name) {
		return false
	}
	if strings.EqualFold(name, "Content-Type") || strings.EqualFold(name, "Accept") {
		return true
	}
	if e.Client && clients(name) {
		return true
	}
	return e.Forward && !e.credential(name)
}

// clients reports whether a header may hold the caller's credential for a vendor.
func clients(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "api-key", "x-api-key", "x-goog-api-key", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256":
		return true
	}
	return false
}

func (e *endpoint) configured(name string) bool {
	for _, h := range e.Headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

func (e *endpoint) queryOf(x *llm.Exchange) string {
	q := e.wholeQuery(x)
	for _, name := range e.DropQuery {
		if !strings.Contains(q, name+"=") {
			continue
		}
		pairs := slices.DeleteFunc(strings.Split(q, "&"), func(pair string) bool {
			key, _, _ := strings.Cut(pair, "=")
			plain, err := url.QueryUnescape(key)
			return err != nil || plain == name
		})
		q = strings.Join(pairs, "&")
	}
	return q
}

func (e *endpoint) wholeQuery(x *llm.Exchange) string {
	if len(e.DefaultQuery) == 0 && (len(e.query) == 0 || len(x.Query) > 0 && !e.MergeQuery) {
		return string(x.Query)
	}
	asked, _ := url.ParseQuery(string(x.Query))
	q := url.Values{}
	if e.MergeQuery || len(asked) == 0 {
		for k, v := range e.query {
			q[k] = v
		}
	}
	for k, v := range asked {
		q[k] = v
	}
	for _, d := range e.DefaultQuery {
		if !q.Has(d.Name) {
			q.Set(d.Name, d.Value)
		}
	}
	return q.Encode()
}

// Decode implements provider.Endpoint. Every status is an answer here, also a refusal.
func (e *endpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if a.Socket != nil {
		if e.Priced != nil && x.Model != "" {
			r.Deployment = e.Priced(x.Model)
		}
		r.Socket, r.Rest = a.Socket, provider.Conversation{Socket: a.Socket}
		return nil
	}
	if e.Priced == nil {
		return provider.Relay(a, r, e.MaxResponse, nil)
	}
	model := x.Model
	if e.renames(x) {
		model = e.Model
	}
	return provider.Relay(a, r, e.MaxResponse, func(r *llm.Reply, f *usage.Found) {
		if model == "" {
			model = f.Model
		}
		r.Deployment = e.Priced(model)
		if f.Film > 0 && x.Method == "POST" { // others only tell of one that was paid for
			r.Usage.Seconds = f.Film
		}
	})
}
