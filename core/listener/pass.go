package listener

import (
	"bytes"
	"slices"
	"strings"

	"github.com/fasthttp/websocket"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// pass serves the endpoints of the operator's own. The gateway's routes come first, so none of them can be taken over.
// It reports whether there is an endpoint for the path.
func (s *Server) pass(ctx *fasthttp.RequestCtx, path []byte) bool {
	p, tail := match(s.Gateway.Edge().Pass, string(path), string(ctx.Method()))
	if p == nil {
		return false
	}
	c := s.open(ctx, llm.OpPassThrough, string(path))
	c.x.Pinned, c.x.Tail, c.x.Model = p.Deployment, tail, p.Deployment.Model
	c.x.Raw = ctx.Request.Body()
	if p.Vendor != "" {
		c.x.Model = ""
		if err := c.toVendor(ctx, p.Vendor); err != nil {
			c.fail(ctx, err)
			return true
		}
		if d := p.ByModel[c.x.Model]; d != nil {
			c.x.Pinned = d
		}
		c.x.Wanted = c.x.Model
		if p.Vendor == "openai" || p.Vendor == "azure" {
			c.x.Admit = s.admitPath
		}
	}
	if websocket.FastHTTPIsWebSocketUpgrade(ctx) {
		c.passSocket(ctx, p)
		return true
	}
	if p.Guards != nil {
		if err := c.guarded(p.Guards); err != nil {
			c.fail(ctx, err)
			return true
		}
	}
	c.serve(ctx)
	return true
}

// passSocket holds a conversation with the server behind an endpoint. Guardrails do not listen to it, so an endpoint that
// has some holds none.
func (c *session) passSocket(ctx *fasthttp.RequestCtx, p *gateway.Pass) {
	x := &c.x
	if p.Guards != nil {
		c.fail(ctx, &llm.Error{
			Op: "listener.passSocket", Kind: llm.KindInvalid, Type: "invalid_request_error",
			Message: "This path has guardrails, which cannot look at a conversation over a WebSocket.",
		})
		return
	}
	x.Op, x.Streamed = llm.OpRealtime, true
	if p.Vendor == "vertex_ai" && x.Tail == "/live" {
		if location := ctx.QueryArgs().Peek("vertex_location"); len(location) > 0 {
			x.Tail += "/" + string(location)
		}
	}
	if model := ctx.QueryArgs().Peek("model"); x.Model == "" && len(model) > 0 {
		x.Model = string(model)
		x.Wanted = x.Model
	}
	x.Header, x.Query, x.Raw = x.Header.Clone(), bytes.Clone(x.Query), nil
	if err := x.Body.Parse(emptyObject); err != nil {
		c.fail(ctx, err)
		return
	}
	c.converse(ctx)
}

// match finds the endpoint for a canonical path. tail is what follows the endpoint's own path.
func match(all []gateway.Pass, path, method string) (p *gateway.Pass, tail string) {
	for i := range all {
		p := &all[i]
		tail, ok := strings.CutPrefix(path, p.Path)
		if !ok || tail != "" && (!p.Subpaths || tail[0] != '/') {
			continue
		}
		if len(p.Methods) == 0 || slices.Contains(p.Methods, method) {
			return p, tail
		}
	}
	return nil, ""
}
