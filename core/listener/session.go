package listener

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// session is one request on its connection: the exchange, and the body of the response that carries its reply. It is
// pooled and released when the response is written or the connection broke. fasthttp runs handler, body and Close on
// the connection's own goroutine, and keeps the request's bytes until then, which is why the exchange can borrow them.
type session struct {
	x     llm.Exchange
	s     *Server
	conn  *conn
	reply *llm.Reply
	out   []byte    // block of events about to be written
	buf   []byte    // scratch for header values
	err   error     // why the reply broke off
	bytes int64     // sent to the caller
	w     io.Writer // of a stream, where its body goes

	front  front // nil for callers who speak OpenAI's dialect
	voice  voice // writes the reply in the dialect of front; nil before there is one
	native bool  // the vendor's answer is in that dialect already
	single bool  // it is not used again
	seek   *seek // of what the stream under way has made; nil for most
}

var sessions = sync.Pool{New: func() any {
	c := new(session)
	c.x.Reset()
	return c
}}

// Blocks and scratch over these sizes are not kept for reuse.
const (
	maxKeptBlock = 64 << 10
	blockSize    = 16 << 10 // a block this full is sent although more is at hand
)

// call returns the handler of one operation. model is set when the path names it.
func (s *Server) call(op llm.Operation, path, model string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		c := s.open(ctx, op, path)
		if err := c.decode(ctx, model); err != nil {
			c.fail(ctx, err)
			return
		}
		c.serve(ctx)
	}
}

// serve lets the gateway answer the exchange and makes the session the body of the response.
func (c *session) serve(ctx *fasthttp.RequestCtx) {
	reply, err := c.s.Gateway.Serve(&c.x.Life, &c.x)
	if err != nil {
		c.fail(ctx, err)
		return
	}
	c.reply = reply
	size := len(reply.First.Data)
	if c.front != nil {
		if size, err = c.speak(); err != nil {
			_ = reply.Rest.Close()
			c.fail(ctx, err)
			return
		}
	}
	c.headers(ctx)
	if reply.Streamed || reply.Verbatim {
		size = -1
	}
	ctx.Response.SetBodyStream(c, size)
}

// open begins a session for the request.
func (s *Server) open(ctx *fasthttp.RequestCtx, op llm.Operation, path string) *session {
	return s.openIn(sessions.Get().(*session), ctx, op, path)
}

func (s *Server) openIn(c *session, ctx *fasthttp.RequestCtx, op llm.Operation, path string) *session {
	c.s = s
	x := &c.x
	x.Start = ctx.Time()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Path = op, path
	x.Method = methodName(ctx.Method())
	x.Query = ctx.URI().QueryString()
	for k, v := range ctx.Request.Header.All() {
		x.Header = append(x.Header, llm.Field{Name: k, Value: v})
	}
	if id := x.Header.Get("X-Litellm-Call-Id"); len(id) == len(x.ID) && plain(id) {
		copy(x.ID[:], id)
	}
	s.active.Add(1)
	if c.conn = connOf(ctx.Conn()); c.conn != nil {
		x.Remote = c.conn.remote
		c.conn.begin(&x.Life)
	}
	if s.Gateway.Edge().TrustForwarded {
		if a := forwarded(x.Header); a != "" {
			x.Remote = a
		}
	}
	return c
}

// methodName avoids a copy for the methods there are routes for.
func methodName(m []byte) string {
	switch string(m) {
	case fasthttp.MethodPost:
		return fasthttp.MethodPost
	case fasthttp.MethodGet:
		return fasthttp.MethodGet
	}
	return string(m)
}

func plain(id []byte) bool {
	for _, c := range id {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

// forwarded is the last address of X-Forwarded-For: the one that the nearest proxy saw. Those before it are whatever
// the caller claimed.
func forwarded(h llm.Header) string {
	var last []byte
	for _, f := range h {
		if llm.EqualFold(f.Name, "X-Forwarded-For") {
			last = f.Value
		}
	}
	if i := lastComma(last); i >= 0 {
		last = last[i+1:]
	}
	s := string(trim(last))
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().String()
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().String()
	}
	return ""
}

func lastComma(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == ',' {
			return i
		}
	}
	return -1
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// decode reads the body into the exchange.
func (c *session) decode(ctx *fasthttp.RequestCtx, model string) error {
	x := &c.x
	body, err := c.fields(ctx)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		// As in the reference, no body is an empty object: the caller learns first that it has no key, or no model.
		body = emptyObject
	}
	if err := x.Body.Parse(body); err != nil {
		return invalidJSON(err)
	}
	if err := openai.Decode(x); err != nil {
		return err
	}
	if err := openai.ApplyHeaders(x); err != nil {
		return err
	}
	if x.Op == llm.OpChat || x.Op == llm.OpImageEdit {
		alsoAdmit(x, c.s.chats)
	}
	c.chooseModel(model)
	return c.checkFiles()
}

// chooseModel takes the model of the path, or the operator's, where they count more than the one in the body.
func (c *session) chooseModel(model string) {
	x, edge := &c.x, c.s.Gateway.Edge()
	if model != "" {
		x.Model = model
	}
	if forced := edge.ForceModel[x.Op]; forced != "" && (model == "" || x.Op == llm.OpEmbedding) {
		x.Model = forced
	}
	if x.Model == "" {
		x.Model = edge.DefaultModel[x.Op]
	}
}

var emptyObject = []byte("{}")

func invalidJSON(err error) error {
	e := &llm.Error{
		Op: "listener.decode", Kind: llm.KindInvalid, Err: err, Type: "invalid_request_error", Param: "request_body",
	}
	var at *llm.SyntaxError
	if errors.As(err, &at) {
		e.Message = "Invalid JSON payload: " + at.Error()
	}
	return e
}

// Read is never called: fasthttp uses WriteTo.
func (c *session) Read([]byte) (int, error) { return 0, io.EOF }

// SupportsBodyWriteTo makes fasthttp use WriteTo, on this goroutine and without a copy.
func (c *session) SupportsBodyWriteTo() bool { return true }

// WriteTo sends the reply. For a stream, w makes one chunk of each Write and sends it at once; so events that are at
// hand together are written together, and an event is never held for one that may come.
func (c *session) WriteTo(w io.Writer) (int64, error) {
	if c.reply.Verbatim {
		return c.relay(w)
	}
	if !c.reply.Streamed {
		n, err := w.Write(c.reply.First.Data)
		c.bytes = int64(n)
		return c.bytes, err
	}
	c.w = w
	c.x.Life.OnIdle(c)
	if c.voice != nil {
		return c.tell(w)
	}
	part, costs := c.reply.First, c.tellsCost()
	for {
		if costs {
			part.Data = c.withCost(part.Data)
		}
		c.out = appendEvent(c.out, &part)
		if !part.More || len(c.out) >= blockSize {
			if err := c.flush(w); err != nil {
				return c.bytes, err
			}
		}
		if err := c.reply.Rest.Next(&part); err != nil {
			c.out = c.ending(c.out, err)
			if c.conn != nil {
				// fasthttp writes the end of the chunked encoding right after this block.
				c.conn.holdNext()
			}
			return c.bytes, c.flush(w)
		}
	}
}

// Idle implements llm.Waiter: it sends what a guardrail lets out although the vendor has said nothing more. It runs inside
// of WriteTo, while that waits in Next. An error is told when Next returns it.
func (c *session) Idle() (goOn bool) {
	for {
		var part llm.Part
		ok, err := llm.Idle(c.reply.Rest, &part)
		if err != nil {
			return false
		}
		if !ok {
			return c.flush(c.w) == nil
		}
		if c.voice == nil {
			c.out = appendEvent(c.out, &part)
		} else if c.out, err = c.voice.Part(c.out, &part, c.native); err != nil {
			return false
		}
	}
}

// relay sends the pieces of an answer that goes out as it came. One that breaks off is cut, so that the caller sees an
// incomplete body and not a short one.
func (c *session) relay(w io.Writer) (int64, error) {
	part := c.reply.First
	for {
		if len(part.Data) > 0 {
			c.seek.see(c, part.Data)
			n, err := w.Write(part.Data)
			c.bytes += int64(n)
			if err != nil {
				return c.bytes, err
			}
		}
		if err := c.reply.Rest.Next(&part); err == io.EOF {
			return c.bytes, nil
		} else if err != nil {
			c.err = err
			return c.bytes, err
		}
	}
}

func (c *session) flush(w io.Writer) error {
	if len(c.out) == 0 {
		return nil // an empty chunk would end the response
	}
	n, err := w.Write(c.out)
	c.bytes += int64(n)
	c.out = c.out[:0]
	return err
}

func appendEvent(dst []byte, p *llm.Part) []byte {
	if p.Data == nil {
		return dst
	}
	if p.Event != nil {
		dst = append(append(append(dst, "event: "...), p.Event...), '\n')
	}
	dst = append(append(dst, "data: "...), p.Data...)
	return append(dst, '\n', '\n')
}

// ending is what a stream closes with: the marker of a complete one, or the error that broke it off.
func (c *session) ending(dst []byte, err error) []byte {
	if err == io.EOF {
		return append(dst, "data: [DONE]\n\n"...)
	}
	c.err = err
	dst = append(dst, "data: "...)
	dst = openai.AppendError(dst, llm.AsError(err))
	return append(dst, '\n', '\n')
}

// Close ends the session. fasthttp calls it when the response is written or could not be.
func (c *session) Close() error {
	if c.s == nil {
		return nil
	}
	c.log(c.reply.Status, c.err)
	err := c.reply.Rest.Close()
	c.release()
	return err
}

// fail answers with an error and ends the session.
func (c *session) fail(ctx *fasthttp.RequestCtx, err error) {
	e := llm.AsError(err)
	if e.Kind == llm.KindInternal {
		// Nobody but the operator can do anything about it.
		c.s.Logger.Error("a request failed", "call_id", c.x.ID.String(), "path", c.x.Path, "model", c.x.Model, "error", e.Error())
	}
	b := ownLines(vendorLines(c.buf[:0], e.Header), e)
	if c.front != nil {
		c.s.envelope(ctx, e, c.front.failure)
		b = c.front.head(b, &c.x, nil)
	} else {
		c.s.envelope(ctx, e, openai.AppendError)
	}
	c.finish(&ctx.Response.Header, b)
	c.log(e.HTTPStatus(), err)
	c.release()
}

func (c *session) release() {
	if c.conn != nil {
		c.conn.end()
	}
	if c.voice != nil {
		c.voice.Release()
	}
	c.s.active.Add(-1)
	out, buf := c.out[:0], c.buf[:0]
	if cap(out) > maxKeptBlock {
		out = nil
	}
	c.s, c.conn, c.reply, c.err, c.bytes, c.out, c.buf = nil, nil, nil, nil, 0, out, buf
	c.front, c.voice, c.native, c.w, c.seek = nil, nil, false, nil, nil
	c.x.Reset()
	if !c.single {
		sessions.Put(c)
	}
}

// elapsed is the time since the request was read, up to the answer if there is one.
func (c *session) elapsed() time.Duration {
	if c.x.Answered.IsZero() {
		return time.Since(c.x.Start)
	}
	return c.x.Answered.Sub(c.x.Start)
}
