package listener

import (
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// fields returns the members of the request: the body itself, or what its text fields say if it is a form.
func (c *session) fields(ctx *fasthttp.RequestCtx) ([]byte, error) {
	x := &c.x
	body, contentType := ctx.Request.Body(), ctx.Request.Header.ContentType()
	if !takesForm(x.Op) {
		return body, nil
	}
	if !llm.IsForm(contentType) {
		if needsForm(x.Op) {
			return nil, badForm("The request must be a form: send the file and the other parameters as multipart/form-data.", nil)
		}
		return body, nil
	}
	if err := x.Form.Parse(contentType, body); err != nil {
		var e *llm.FormError
		message := "The form cannot be read."
		if errors.As(err, &e) {
			message = "Invalid multipart/form-data: " + e.Msg + "."
		}
		return nil, badForm(message, err)
	}
	return openai.FormBody(&x.Form)
}

func badForm(message string, err error) error {
	return &llm.Error{
		Op: "listener.decode", Kind: llm.KindInvalid, Err: err, Type: "invalid_request_error", Param: "request_body", Message: message,
	}
}

// needsForm reports whether the operation's requests hold a file, so that they can be nothing but a form.
func needsForm(op llm.Operation) bool {
	return op == llm.OpTranscription || op == llm.OpTranslation || op == llm.OpImageVariation
}

// takesForm reports whether the operation's requests may be a form. Edits of images can also name their images by
// address, in JSON.
func takesForm(op llm.Operation) bool {
	return needsForm(op) || op == llm.OpImageEdit || op == llm.OpResource
}

// media writes the header lines that say what a body is that goes out as the vendor sent it: audio, text, a file, or a
// stream of other events than those of chats.
func (c *session) media(h *fasthttp.ResponseHeader) {
	for _, name := range []string{"Content-Type", "Content-Disposition"} {
		if v := c.reply.Header.Get(name); len(v) > 0 {
			h.SetBytesV(name, v)
		}
	}
	if c.reply.Streamed {
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no")
	}
}
