package listener

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// rawRequest is the answer of POST /utils/transform_request (litellm/types/utils.py, RawRequestTypedDict).
type rawRequest struct {
	Base    string            `json:"raw_request_api_base,omitempty"`
	Body    json.RawMessage   `json:"raw_request_body,omitempty"`
	Headers map[string]string `json:"raw_request_headers,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// transform serves POST /utils/transform_request: what a request would look like when it goes out. Nothing is sent.
func (s *Server) transform(ctx *fasthttp.RequestCtx) {
	c := s.open(ctx, llm.OpNone, "/utils/transform_request")
	if err := c.decodeTransform(ctx); err != nil {
		c.fail(ctx, err)
		return
	}
	var out rawRequest
	err := s.Gateway.Preview(&c.x.Life, &c.x, func(_ *llm.Deployment, call *llm.Call) { out = shown(call) })
	if e := llm.AsError(err); e != nil {
		if !e.Kind.Vendor() {
			c.fail(ctx, err)
			return
		}
		out = rawRequest{Error: openai.Message(e)}
	}
	answerJSON(ctx, out)
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(fasthttp.StatusOK, nil)
	c.release()
}

// decodeTransform makes the exchange the one that the body describes: {"call_type": ..., "request_body": {...}}.
func (c *session) decodeTransform(ctx *fasthttp.RequestCtx) error {
	x := &c.x
	var outer llm.Object
	if err := outer.Parse(ctx.Request.Body()); err != nil {
		return invalidJSON(err)
	}
	kind, _ := llm.Text(outer.Get("call_type"))
	if x.Op = operationOf(string(kind)); x.Op == llm.OpNone {
		return &llm.Error{
			Op: "listener.transform", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "call_type",
			Message: "Invalid request: `call_type` must be completion, text_completion, embedding, moderation, image_generation, speech or rerank.",
		}
	}
	body := outer.Get("request_body")
	if body == nil {
		body = emptyObject
	}
	if err := x.Body.Parse(body); err != nil {
		return invalidJSON(err)
	}
	if err := openai.Decode(x); err != nil {
		return err
	}
	c.chooseModel("")
	return nil
}

// operationOf is the operation with a JSON body that the reference calls so, with or without the a of its asynchronous
// functions.
func operationOf(callType string) llm.Operation {
	callType = strings.TrimPrefix(callType, "a")
	for _, op := range []llm.Operation{llm.OpChat, llm.OpCompletion, llm.OpEmbedding, llm.OpModeration, llm.OpImage, llm.OpSpeech, llm.OpRerank} {
		if strings.TrimPrefix(op.CallType(), "a") == callType {
			return op
		}
	}
	return llm.OpNone
}

// shown is a call without its secrets.
func shown(call *llm.Call) rawRequest {
	out := rawRequest{Headers: map[string]string{}}
	if call.Local != nil || call.Target == nil {
		out.Error = "The request is answered by the gateway itself."
		return out
	}
	out.Base = telemetry.Mask(call.Target.Scheme + "://" + call.Target.Host + string(call.Path))
	for line := range bytes.SplitSeq(call.Head, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			out.Headers[string(name)] = masked(string(name), strings.TrimSpace(string(value)))
		}
	}
	for _, f := range call.Header {
		out.Headers[string(f.Name)] = masked(string(f.Name), string(f.Value))
	}
	if body := bytes.Join(call.Body, nil); json.Valid(body) {
		out.Body = body
	}
	return out
}

// masked hides a header's value unless it is one of those that say what the body is: operators may put a credential into
// any other.
func masked(name, value string) string {
	switch strings.ToLower(name) {
	case "content-type", "accept", "user-agent", "anthropic-version", "openai-beta", "anthropic-beta":
		return telemetry.Mask(value)
	}
	return "*****"
}
