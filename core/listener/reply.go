package listener

import (
	"context"
	"log/slog"
	"strconv"
	"time"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// Names of response headers, in the lower case that the reference sends.
var (
	hContentType  = []byte("Content-Type")
	hCallID       = []byte("x-litellm-call-id")
	hModelID      = []byte("x-litellm-model-id")
	hModelBase    = []byte("x-litellm-model-api-base")
	hModelGroup   = []byte("x-litellm-model-group")
	hVersion      = []byte("x-litellm-version")
	hDuration     = []byte("x-litellm-response-duration-ms")
	hOverhead     = []byte("x-litellm-overhead-duration-ms")
	hRetries      = []byte("x-litellm-attempted-retries")
	hMaxRetries   = []byte("x-litellm-max-retries")
	hFallbacks    = []byte("x-litellm-attempted-fallbacks")
	hGuardrails   = []byte("x-litellm-applied-guardrails")
	hCacheControl = []byte("Cache-Control")
	hBuffering    = []byte("X-Accel-Buffering")

	typeJSON   = []byte("application/json")
	typeStream = []byte("text/event-stream; charset=utf-8")
	noCache    = []byte("no-cache")
	no         = []byte("no")
)

// headers writes the header of a reply.
func (c *session) headers(ctx *fasthttp.RequestCtx) {
	h, r := &ctx.Response.Header, c.reply
	ctx.Response.SetStatusCode(r.Status)
	if r.Verbatim {
		c.verbatim(ctx)
		return
	}
	if r.Streamed {
		h.SetCanonical(hContentType, typeStream)
		h.SetCanonical(hCacheControl, noCache)
		h.SetCanonical(hBuffering, no)
	} else {
		h.SetCanonical(hContentType, typeJSON)
	}
	c.common(ctx)
	if d := r.Deployment; d != nil {
		h.SetCanonical(hModelID, viewBytes(d.ID))
		if d.Base != "" {
			h.SetCanonical(hModelBase, viewBytes(d.Base))
		}
		h.SetCanonical(hModelGroup, viewBytes(d.Group))
	}
	total := c.elapsed()
	c.milliseconds(h, hDuration, total)
	c.milliseconds(h, hOverhead, max(0, total-c.x.Upstream))
	c.number(h, hRetries, c.x.Retries)
	c.number(h, hMaxRetries, c.x.MaxRetries)
	c.number(h, hFallbacks, c.x.Fallbacks)
	c.vendor(h, r.Header)
}

// verbatim passes the vendor's header on as it is, and adds only who answered.
func (c *session) verbatim(ctx *fasthttp.RequestCtx) {
	for _, f := range c.reply.Header {
		if forwardable(f.Name) {
			ctx.Response.Header.AddBytesKV(f.Name, f.Value)
		}
	}
	c.common(ctx)
}

// common writes the headers of replies and errors alike.
func (c *session) common(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.SetCanonical(hCallID, c.x.ID[:])
	h.SetCanonical(hVersion, c.s.version)
	if len(c.x.Applied) > 0 {
		c.buf = c.buf[:0]
		for i, name := range c.x.Applied {
			if i > 0 {
				c.buf = append(c.buf, ',')
			}
			c.buf = append(c.buf, name...)
		}
		h.SetCanonical(hGuardrails, c.buf)
	}
}

func (c *session) number(h *fasthttp.ResponseHeader, name []byte, n int) {
	c.buf = strconv.AppendInt(c.buf[:0], int64(n), 10)
	h.SetCanonical(name, c.buf)
}

// milliseconds writes a duration with microsecond digits.
func (c *session) milliseconds(h *fasthttp.ResponseHeader, name []byte, d time.Duration) {
	us := d.Microseconds()
	b := strconv.AppendInt(c.buf[:0], us/1000, 10)
	b = append(b, '.', byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10))
	c.buf = b
	h.SetCanonical(name, b)
}

// vendor passes the vendor's headers on under the reference's prefix.
func (c *session) vendor(h *fasthttp.ResponseHeader, from llm.Header) {
	c.buf = appendVendor(c.buf, h, from)
}

func appendVendor(buf []byte, h *fasthttp.ResponseHeader, from llm.Header) []byte {
	for i := range from {
		name := from[i].Name
		if !forwardable(name) {
			continue
		}
		buf = append(buf[:0], "llm_provider-"...)
		for _, b := range name {
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			buf = append(buf, b)
		}
		h.SetCanonical(buf, from[i].Value)
	}
	return buf
}

// forwardable leaves out what describes the connection to the vendor or would act on the caller's.
func forwardable(name []byte) bool {
	for _, skip := range [...]string{
		"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Set-Cookie", "Trailer", "Upgrade",
		"Proxy-Authenticate", "Date",
	} {
		if llm.EqualFold(name, skip) {
			return false
		}
	}
	return len(name) > 0
}

// viewBytes returns the bytes of s without copying. They must not be written to.
func viewBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// log writes the one line of a request. It is built only when debug lines are on.
func (c *session) log(status int, err error) {
	l := c.s.Logger
	if !l.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("call_id", c.x.ID.String()), slog.String("method", c.x.Method), slog.String("path", c.x.Path),
		slog.Int("status", status), slog.String("model", c.x.Model),
		slog.Float64("ms", float64(c.elapsed().Microseconds())/1000), slog.Int("retries", c.x.Retries),
		slog.Int("fallbacks", c.x.Fallbacks), slog.String("remote", c.x.Remote))
	if r := c.reply; r != nil {
		attrs = append(attrs, slog.Bool("stream", r.Streamed), slog.Int64("bytes", c.bytes),
			slog.Int64("prompt_tokens", r.Usage.Prompt), slog.Int64("completion_tokens", r.Usage.Completion))
		if d := r.Deployment; d != nil {
			attrs = append(attrs, slog.String("deployment", d.ID), slog.String("provider", d.Provider))
		}
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	l.LogAttrs(context.Background(), slog.LevelDebug, "request", attrs...)
}
