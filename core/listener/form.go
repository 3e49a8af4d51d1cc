package listener

import (
	"errors"
	"fmt"
	"math"
	"strconv"

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

// maxFileSize is the setting of a deployment for the largest file in megabytes.
const maxFileSize = "max_file_size_mb"

// checkFiles refuses audio that is larger than a deployment of the model takes, before it is sent anywhere. The words are
// those of the reference (litellm/proxy/common_utils/http_parsing_utils.py, check_file_size_under_limit).
func (c *session) checkFiles() error {
	x := &c.x
	if x.Op != llm.OpTranscription && x.Op != llm.OpTranslation {
		return nil
	}
	most := math.Inf(1)
	for _, d := range c.s.Gateway.Members(x.Model) {
		if mb, err := strconv.ParseFloat(d.Setting(maxFileSize), 64); err == nil {
			most = min(most, mb)
		}
	}
	for _, part := range x.Form.Parts() {
		if size := float64(len(x.Form.Value(part))) / (1 << 20); part.File && size > most {
			return &llm.Error{
				Op: "listener.checkFiles", Kind: llm.KindInvalid, Type: "bad_request", Param: "file",
				Message: fmt.Sprintf("File size is too large. Please check your file size. Passed file size: %.4g MB. Max file size: %.4g MB", size, most),
			}
		}
	}
	return nil
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
