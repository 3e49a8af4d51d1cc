package listener

import (
	"bytes"
	"context"
	"net/http"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// Manager serves the routes by which the gateway is managed. They are few and slow beside the calls of models, so they
// are written for the standard library.
type Manager interface {
	// ServeHTTP answers a request whose path is canonical. Its context carries the principal, see llm.PrincipalFrom; it
	// is nil on an open path.
	http.Handler
	// Serves reports whether the path is one of the manager's, and whether it is open to callers without a key.
	Serves(path string) (ok, open bool)
}

// manage lets the manager answer. It reports whether the path is one of the manager's.
func (s *Server) manage(ctx *fasthttp.RequestCtx, path []byte) bool {
	if s.Settings.Manager == nil {
		return false
	}
	ok, open := s.Settings.Manager.Serves(view(path))
	if !ok {
		return false
	}
	c := s.open(ctx, llm.OpNone, string(path))
	if !open {
		if err := s.Gateway.Authenticate(&c.x.Life, &c.x); err != nil {
			c.fail(ctx, err)
			return true
		}
	}
	var r http.Request
	if err := fasthttpadaptor.ConvertRequest(ctx, &r, false); err != nil {
		c.fail(ctx, &llm.Error{Op: "listener.manage", Kind: llm.KindInvalid, Err: err, Message: "The request's URL is not valid."})
		return true
	}
	r.URL.Path, r.URL.RawPath, r.RemoteAddr = c.x.Path, "", c.x.Remote
	// The context of its own ends with the request, whoever still holds it: the exchange is used again.
	life, cancel := context.WithCancel(&c.x.Life)
	defer cancel()
	w := &answer{header: make(http.Header)}
	s.Settings.Manager.ServeHTTP(w, r.WithContext(llm.WithPrincipal(life, c.x.Principal)))
	w.copyTo(ctx)
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(ctx.Response.StatusCode(), nil)
	c.release()
	return true
}

// answer collects what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

func (a *answer) copyTo(ctx *fasthttp.RequestCtx) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	ctx.Response.SetStatusCode(a.status)
	for name, values := range a.header {
		for _, v := range values {
			ctx.Response.Header.Add(name, v)
		}
	}
	ctx.Response.SetBodyRaw(a.body.Bytes())
}
