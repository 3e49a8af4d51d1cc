// Package passthrough forwards requests to a server of the operator's choice as they are: the pass_through_endpoints of
// the configuration. Method, query and body go through untouched, and so do status, header and body of the answer,
// except for the lines that belong to one connection. The gateway adds the headers the operator configured, in which the
// server's own credentials travel.
package passthrough

import (
	"fmt"
	"net/url"
	"strings"

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
}

type endpoint struct {
	Settings
	target *llm.Target
	path   string
	query  url.Values
	head   []byte
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
		if !connection(h.Name) {
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
	return false
}

// Encode implements provider.Endpoint.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	c.Target, c.Method, c.Head = e.target, x.Method, e.head
	path := e.path
	if x.Tail != "" {
		path = strings.TrimSuffix(path, "/") + "/" + strings.TrimPrefix(x.Tail, "/")
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
	if len(x.Raw) > 0 {
		c.Body = append(c.Body, x.Raw)
	}
	return nil
}

// passes reports whether a header line of the caller goes on to the target.
func (e *endpoint) passes(name string) bool {
	if connection(name) || e.configured(name) {
		return false
	}
	if strings.EqualFold(name, "Content-Type") || strings.EqualFold(name, "Accept") {
		return true
	}
	return e.Forward && !e.credential(name)
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
func (e *endpoint) Decode(_ *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	return provider.Relay(a, r, e.MaxResponse, nil)
}
