package listener

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// fail answers with the error envelope, for a request that never became an exchange.
func (s *Server) fail(ctx *fasthttp.RequestCtx, e *llm.Error) {
	s.envelope(ctx, e, openai.AppendError)
	ctx.Response.Header.SetCanonical([]byte(hVersion), s.version)
}

// envelope makes the response an error, in the words of a dialect. Whatever an earlier step put into it is dropped.
func (s *Server) envelope(ctx *fasthttp.RequestCtx, e *llm.Error, body func([]byte, *llm.Error) []byte) {
	shut := ctx.Response.ConnectionClose()
	ctx.Response.Reset()
	if shut {
		ctx.Response.SetConnectionClose()
	}
	h := &ctx.Response.Header
	allowOrigin(ctx)
	ctx.Response.SetStatusCode(e.HTTPStatus())
	h.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(body(nil, e))
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
}

// refuse answers a request that fasthttp could not read.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, err error) {
	e := &llm.Error{Op: "listener.read", Kind: llm.KindInvalid, Err: err, Type: "invalid_request_error"}
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e.Kind = llm.KindTooLarge
		e.Message = "Request size is too large. Max size is " + megabytes(s.maxRequest())
	case errors.As(err, &small):
		e.Status = fasthttp.StatusRequestHeaderFieldsTooLarge
		e.Message = "The request's header is larger than " + strconv.Itoa(maxHeader>>10) + " KB."
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Kind, e.Status = llm.KindTimeout, fasthttp.StatusRequestTimeout
		e.Message = "The request did not arrive in time."
	default:
		e.Message = "The request is not valid HTTP."
	}
	if c := connOf(ctx.Conn()); c != nil {
		c.linger = true
	}
	ctx.Response.SetConnectionClose()
	s.fail(ctx, e)
	s.Logger.Debug("request refused", "status", e.HTTPStatus(), "error", e.Message)
}

// panicked answers for a fault of the gateway.
func (s *Server) panicked(ctx *fasthttp.RequestCtx, v any) {
	s.Logger.Error("panic while serving a request; this is a bug", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	ctx.Response.SetConnectionClose()
	s.fail(ctx, &llm.Error{Op: "listener.handle", Kind: llm.KindInternal, Message: "Internal server error."})
}
