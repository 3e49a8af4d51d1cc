package listener

import (
	"io"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// front is an API that callers speak besides OpenAI's. The request goes through the gateway as it came, with a way to
// say it as chat completions; the answer comes back as one, or in the caller's own dialect. A front is immutable.
//
// Chat completions itself is no front: its requests and answers pass as they are, and cost nothing here.
type front interface {
	// decode reads what the gateway must know from x.Native, which was parsed: model, stream and controls. It calls
	// x.Speak. A member of the wrong type is an *llm.Error of kind llm.KindInvalid.
	decode(x *llm.Exchange) error
	// voice returns what writes the answer to x. r has begun: r.First and what is known of r.Usage are there.
	voice(x *llm.Exchange, r *llm.Reply) voice
	// failure appends the body of an error.
	failure(dst []byte, e *llm.Error) []byte
	// head appends header lines of the dialect, each ending in CR LF, to an answer or an error (then r is nil).
	head(dst []byte, x *llm.Exchange, r *llm.Reply) []byte
	// streamType is the content type of a stream.
	streamType() []byte
}

// voice writes one answer in the caller's dialect. Its calls come in order, on one goroutine; Release is the last.
type voice interface {
	// Whole appends the answer that a chat completion says.
	Whole(dst, chat []byte) ([]byte, error)
	// Part appends what goes out for the next part of a stream, framed; that may be nothing. native tells that the part
	// is in the caller's dialect already.
	Part(dst []byte, p *llm.Part, native bool) ([]byte, error)
	// End appends what a complete stream closes with.
	End(dst []byte, native bool) ([]byte, error)
	// Fail appends what a stream closes with that broke off. message is the error's text for the caller.
	Fail(dst []byte, e *llm.Error, message string) []byte
	// Release gives the voice's buffers back.
	Release()
}

// ask returns the handler of a path whose requests come in the dialect of f.
func (s *Server) ask(f front, path string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		c := s.open(ctx, llm.OpChat, path)
		c.front = f
		if err := c.decodeNative(ctx, ""); err != nil {
			c.fail(ctx, err)
			return
		}
		c.serve(ctx)
	}
}

// decodeNative reads the body into the exchange. model is set when the path names it.
func (c *session) decodeNative(ctx *fasthttp.RequestCtx, model string) error {
	x := &c.x
	body := ctx.Request.Body()
	if len(body) == 0 {
		body = emptyObject
	}
	if err := x.Native.Parse(body); err != nil {
		return invalidJSON(err)
	}
	if err := c.front.decode(x); err != nil {
		return err
	}
	if x.Dialect == llm.DialectResponses {
		alsoAdmit(x, c.s.chats)
	}
	if err := openai.ApplyHeaders(x); err != nil {
		return err
	}
	c.chooseModel(model)
	return nil
}

// speak prepares an answer in the dialect of the caller. It returns the size of a whole one.
func (c *session) speak() (size int, err error) {
	r := c.reply
	if r.Verbatim {
		return 0, nil
	}
	c.voice = c.front.voice(&c.x, r)
	c.native = r.Dialect == c.x.Dialect
	if r.Streamed || c.native {
		return len(r.First.Data), nil
	}
	if c.out, err = c.voice.Whole(c.out[:0], r.First.Data); err != nil {
		return 0, err
	}
	r.First.Data = c.out
	return len(c.out), nil
}

// tell writes a stream in the caller's dialect. Like WriteTo, it holds nothing back for what may come.
func (c *session) tell(w io.Writer) (n int64, err error) {
	part, costs := c.reply.First, c.tellsCost()
	for {
		at := len(c.out)
		if c.out, err = c.voice.Part(c.out, &part, c.native); err != nil {
			return c.broke(w, err)
		}
		if costs {
			c.out = c.costInEvents(c.out, at)
		}
		if !part.More || len(c.out) >= blockSize {
			if err = c.flush(w); err != nil {
				return c.bytes, err
			}
		}
		err = c.reply.Rest.Next(&part)
		if err == nil {
			continue
		}
		if err == io.EOF { //nolint:errorlint // a stream returns it bare
			at = len(c.out)
			if c.out, err = c.voice.End(c.out, c.native); err == nil && costs {
				c.out = c.costInEvents(c.out, at)
			}
		}
		if err != nil {
			return c.broke(w, err)
		}
		return c.close(w)
	}
}

// broke ends a stream with an error.
func (c *session) broke(w io.Writer, err error) (int64, error) {
	c.err = err
	e := llm.AsError(err)
	c.out = c.voice.Fail(c.out, e, openai.Message(e))
	return c.close(w)
}

func (c *session) close(w io.Writer) (int64, error) {
	if c.conn != nil {
		// fasthttp writes the end of the chunked encoding right after this block.
		c.conn.holdNext()
	}
	return c.bytes, c.flush(w)
}
