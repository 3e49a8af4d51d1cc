package listener

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
	"github.com/valyala/fasthttp"
)

// Names of response headers, in the lower case that the reference sends.
const (
	hCallID     = "x-litellm-call-id"
	hModelID    = "x-litellm-model-id"
	hModelBase  = "x-litellm-model-api-base"
	hModelGroup = "x-litellm-model-group"
	hVersion    = "x-litellm-version"
	hDuration   = "x-litellm-response-duration-ms"
	hOverhead   = "x-litellm-overhead-duration-ms"
	hRetries    = "x-litellm-attempted-retries"
	hMaxRetries = "x-litellm-max-retries"
	hFallbacks  = "x-litellm-attempted-fallbacks"
	hGuardrails = "x-litellm-applied-guardrails"
	hAskedAgain = "x-sallyport-asked-again"
	hVendor     = "llm_provider-"
	hCacheKey   = "x-litellm-cache-key"
	hSimilarity = "x-litellm-semantic-similarity"

	hCost         = "x-litellm-response-cost"
	hCostOriginal = "x-litellm-response-cost-original"
	hDiscount     = "x-litellm-response-cost-discount-amount"
	hMargin       = "x-litellm-response-cost-margin-amount"
	hMarginShare  = "x-litellm-response-cost-margin-percent"
)

// Values that never change. They are never written to.
var (
	hContentType = []byte("Content-Type")
	typeJSON     = []byte("application/json")
	typeStream   = []byte("text/event-stream; charset=utf-8")
)

// headers writes the header of a reply.
func (c *session) headers(ctx *fasthttp.RequestCtx) {
	h, r := &ctx.Response.Header, c.reply
	ctx.Response.SetStatusCode(r.Status)
	b := c.buf[:0]
	switch {
	case r.Verbatim && c.x.Op != llm.OpPassThrough:
		c.media(h)
	case r.Verbatim:
		b = c.limitLines(b)
		for _, f := range r.Header {
			if forwardable(f.Name) {
				h.AddBytesKV(f.Name, f.Value)
			}
		}
		c.finish(h, b)
		return
	case r.Streamed:
		h.SetCanonical(hContentType, c.streamType())
		b = append(b, "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"...)
	default:
		h.SetCanonical(hContentType, typeJSON)
	}
	if d := r.Deployment; d != nil {
		b = line(b, hModelID, d.ID)
		if d.Base != "" {
			b = line(b, hModelBase, d.Base)
		}
		b = line(b, hModelGroup, d.Group)
		b = c.cost(b, d)
	}
	b = c.cached(b)
	b = c.limitLines(b)
	total := c.elapsed()
	b = milliseconds(b, hDuration, total)
	b = milliseconds(b, hOverhead, max(0, total-c.x.Upstream))
	b = number(b, hRetries, c.x.Retries)
	b = number(b, hFallbacks, c.x.Fallbacks)
	if c.x.Retries > 0 {
		b = number(b, hMaxRetries, c.x.MaxRetries)
	}
	b = vendorLines(b, r.Header)
	if c.front != nil {
		b = c.front.head(b, &c.x, r)
	}
	c.finish(h, b)
}

// cached writes which entry of the cache the answer is, and that it is free.
func (c *session) cached(b []byte) []byte {
	u := &c.x.Cached
	if !u.Hit {
		return b
	}
	b = line(b, hModelGroup, c.x.Model)
	b = line(b, hCacheKey, u.Key)
	if u.Similarity > 0 {
		b = append(append(b, hSimilarity...), ": "...)
		b = append(strconv.AppendFloat(b, u.Similarity, 'g', 6, 64), "\r\n"...)
	}
	return dollars(b, hCost, 0)
}

func (c *session) streamType() []byte {
	if c.front != nil {
		return c.front.streamType()
	}
	return typeStream
}

// cost writes what a whole reply costs, if that is known. What a stream costs is known at its end only, and recorded.
// Discount and margin have lines of their own where they are configured.
func (c *session) cost(b []byte, d *llm.Deployment) []byte {
	if c.reply.Streamed || d.Price == nil {
		return b
	}
	cost, known := price.Of(d.Price, c.reply.Usage, price.CallOf(&c.x, c.reply.Usage))
	if !known {
		return b
	}
	c.x.Charged = cost.Total
	b = dollars(b, hCost, cost.Total+c.x.SpentBefore())
	if p := d.Price; p.Discount != 0 || p.Margin != 0 || p.MarginRequest != 0 {
		b = dollars(b, hCostOriginal, cost.Original)
		if p.Discount != 0 {
			b = dollars(b, hDiscount, cost.Discount)
		}
		if p.Margin != 0 || p.MarginRequest != 0 {
			b = dollars(b, hMargin, cost.Margin)
			b = dollars(b, hMarginShare, p.Margin)
		}
	}
	return b
}

// dollars writes an amount as the reference does: 0.0 for nothing, and an exponent for less than 0.0001.
func dollars(b []byte, name string, f float64) []byte {
	b = append(append(b, name...), ": "...)
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return append(strconv.AppendFloat(b, f, 'f', 1, 64), "\r\n"...)
	}
	return append(strconv.AppendFloat(b, f, 'g', -1, 64), "\r\n"...)
}

// finish adds the lines that replies and errors have in common to those in b, and puts all of them into the header.
//
// fasthttp keeps a list of lines, and searches and copies it for each one that is set. With some fifteen lines that is
// a microsecond a request, so all go in as the name of one last line, whose name and value end the block. Every value
// has been through clean, so that none can break out of its line.
func (c *session) finish(h *fasthttp.ResponseHeader, b []byte) {
	b = line(b, hCallID, view(c.x.ID[:]))
	if len(c.x.Applied) > 0 {
		b = append(append(b, hGuardrails...), ": "...)
		for i, name := range c.x.Applied {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, clean(name)...)
		}
		b = append(b, "\r\n"...)
	}
	if n := c.x.AskedAnew(); n > 0 {
		b = number(b, hAskedAgain, n)
	}
	if c.x.Fastest {
		b = append(b, "x-litellm-fastest_response_batch_completion: True\r\n"...)
	}
	b = append(b, hVersion...)
	h.SetCanonical(b, c.s.version)
	c.buf = b
}

func line(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, clean(value)...), "\r\n"...)
}

// clean returns a value without line breaks.
func clean(s string) string {
	if strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(s)
}

func number(b []byte, name string, n int) []byte {
	b = append(append(b, name...), ": "...)
	return append(strconv.AppendInt(b, int64(n), 10), "\r\n"...)
}

// milliseconds writes a duration with microsecond digits.
func milliseconds(b []byte, name string, d time.Duration) []byte {
	us := d.Microseconds()
	b = append(append(b, name...), ": "...)
	b = strconv.AppendInt(b, us/1000, 10)
	return append(b, '.', byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10), '\r', '\n')
}

// vendorLines passes the vendor's headers on under the reference's prefix.
func vendorLines(b []byte, from llm.Header) []byte {
	for i := range from {
		name := from[i].Name
		if !forwardable(name) {
			continue
		}
		b = append(b, hVendor...)
		for _, c := range name {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c)
		}
		b = append(append(append(b, ": "...), clean(view(from[i].Value))...), "\r\n"...)
	}
	return b
}

// forwardable leaves out what describes the connection to the vendor or would act on the caller's.
func forwardable(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	switch name[0] | 0x20 {
	case 'c':
		return !llm.EqualFold(name, "Connection") && !llm.EqualFold(name, "Content-Length")
	case 'd':
		return !llm.EqualFold(name, "Date")
	case 'k':
		return !llm.EqualFold(name, "Keep-Alive")
	case 'p':
		return !llm.EqualFold(name, "Proxy-Authenticate")
	case 's':
		return !llm.EqualFold(name, "Set-Cookie")
	case 't':
		return !llm.EqualFold(name, "Transfer-Encoding") && !llm.EqualFold(name, "Trailer")
	case 'u':
		return !llm.EqualFold(name, "Upgrade")
	}
	return true
}

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
