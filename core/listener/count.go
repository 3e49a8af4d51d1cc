package listener

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// count answers how many tokens a request of a dialect has, without calling a model. within returns the request that the
// body asks about, answer the body of the answer.
func (c *session) count(
	ctx *fasthttp.RequestCtx, model string, within func(body *llm.Object) []byte, answer func(dst []byte, tokens int) []byte,
) {
	n, err := c.tokens(ctx, model, within)
	if err != nil {
		c.fail(ctx, err)
		return
	}
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(answer(nil, n))
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(fasthttp.StatusOK, nil)
	c.release()
}

func (c *session) tokens(ctx *fasthttp.RequestCtx, model string, within func(*llm.Object) []byte) (int, error) {
	x := &c.x
	if c.s.Settings.Count == nil {
		return 0, &llm.Error{Op: "listener.count", Kind: llm.KindNotFound, Message: "Tokens are not counted here."}
	}
	if err := c.decodeNative(ctx, model); err != nil {
		return 0, err
	}
	if err := c.s.Gateway.Authenticate(&x.Life, x); err != nil {
		return 0, err
	}
	if inner := within(&x.Native); inner != nil {
		if err := x.Native.Parse(inner); err != nil {
			return 0, invalidJSON(err)
		}
	}
	if err := x.Chat(); err != nil {
		return 0, err
	}
	n, err := c.s.Settings.Count(x)
	if err != nil {
		return 0, &llm.Error{
			Op: "listener.count", Kind: llm.KindInvalid, Err: err, Type: "invalid_request_error",
			Message: "The tokens cannot be counted: " + err.Error() + ".",
		}
	}
	return n, nil
}
