package gateway

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Forward says which header lines of callers go on to vendors. The zero value lets none pass but those that hooks add.
type Forward struct {
	Headers   bool            // those that begin with x-, and anthropic-beta
	Groups    map[string]bool // the same, for these model groups only
	Org       bool            // OpenAI-Organization, to OpenAI; it counts more than the deployment's own
	KeyHeader string          // the header that carries the caller's key, which never passes
}

// add adds the caller's lines to the call, and those of hooks, which count more. What the provider sets stays as it is.
func (f *Forward) add(x *llm.Exchange, d *llm.Deployment, c *llm.Call) {
	if len(x.Added) > 0 && x.Op != llm.OpPassThrough && c.Local == nil {
		for i := range x.Added {
			if h := &x.Added[i]; f.passes(h.Name) && !holds(c.Head, h.Name) && !c.Header.Has(string(h.Name)) {
				c.Header = append(c.Header, *h)
			}
		}
	}
	headers := f.Headers || f.Groups[d.Group]
	if !headers && !f.Org || x.Op == llm.OpPassThrough || c.Local != nil {
		return
	}
	for i := range x.Header {
		h := &x.Header[i]
		switch {
		case f.Org && d.Provider == "openai" && llm.EqualFold(h.Name, "OpenAI-Organization"):
			c.Head = without(c.Head, "OpenAI-Organization")
			c.Header = append(c.Header, *h)
		case headers && f.passes(h.Name) && !holds(c.Head, h.Name) && !c.Header.Has(string(h.Name)):
			c.Header = append(c.Header, *h)
		}
	}
}

// passes reports whether a line of the caller may go on. What can carry the gateway's own key stays back, as in the
// reference (litellm/proxy/litellm_pre_call_utils.py), and so does what belongs to another signature or SDK.
func (f *Forward) passes(name []byte) bool {
	if llm.EqualFold(name, "anthropic-beta") {
		return true
	}
	if len(name) < 3 || name[0]|0x20 != 'x' || name[1] != '-' || f.KeyHeader != "" && llm.EqualFold(name, f.KeyHeader) {
		return false
	}
	if llm.EqualFold(name, "x-api-key") {
		return false
	}
	for _, prefix := range [...]string{"x-stainless-", "x-litellm-", "x-goog-", "x-amz-", "x-mcp-"} {
		if len(name) >= len(prefix) && llm.EqualFold(name[:len(prefix)], prefix) {
			return false
		}
	}
	return true
}

// holds reports whether the prepared lines have one of the name.
func holds(head, name []byte) bool {
	for line := range bytes.Lines(head) {
		if n, _, ok := bytes.Cut(line, []byte(":")); ok && len(n) == len(name) && bytes.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// without copies the prepared lines but those of the name. They are shared by all calls, so they are never changed.
func without(head []byte, name string) []byte {
	if !holds(head, []byte(name)) {
		return head
	}
	var out []byte
	for line := range bytes.Lines(head) {
		if n, _, _ := bytes.Cut(line, []byte(":")); !llm.EqualFold(n, name) {
			out = append(out, line...)
		}
	}
	return out
}
