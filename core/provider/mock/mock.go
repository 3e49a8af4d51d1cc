// Package mock answers in place of a model, with what mock_response says: the one of the request, else the one of the
// deployment. It follows the reference (litellm/main.py, mock_completion), down to the errors that can be asked for. A
// request that is mocked never reaches a vendor.
package mock

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Provider puts mocks in front of another provider.
type Provider struct{ next provider.Provider }

var _ provider.Provider = (*Provider)(nil)

// New returns a provider whose endpoints answer what is mocked and leave everything else to those of next. Next may be
// nil; then only deployments with a mock_response can be bound.
func New(next provider.Provider) *Provider { return &Provider{next} }

// Bind implements provider.Provider. A deployment with a mock_response is never called, so it is not bound to the next
// provider and needs neither an address nor a key.
func (p *Provider) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	e := &endpoint{d: d}
	if d.Mock != "" {
		return e, nil
	}
	if p.next == nil {
		return nil, &llm.Error{
			Op: "mock.Bind", Kind: llm.KindInternal,
			Message: "model_name " + d.Group + ": litellm_params.mock_response is missing",
		}
	}
	next, err := p.next.Bind(d)
	if err != nil {
		return nil, err
	}
	e.next = next
	return e, nil
}

type endpoint struct {
	d    *llm.Deployment
	next provider.Endpoint // nil if the deployment is a mock itself
}

// mocked reports whether the exchange is answered here. It costs nothing for requests without controls.
func (e *endpoint) mocked(x *llm.Exchange) bool {
	return e.next == nil || x.Controls.Mock != nil || x.Controls.Given && string(x.Body.Get("mock_timeout")) == "true"
}

// Encode implements provider.Endpoint.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	if !e.mocked(x) {
		return e.next.Encode(x, c)
	}
	// What is mocked is said in the form of the OpenAI API, whatever the vendor speaks.
	x.AsNative = false
	if err := x.Chat(); err != nil {
		return err
	}
	delay, err := seconds(x, "mock_delay")
	if err != nil {
		return err
	}
	c.Local = func(ctx context.Context, a *llm.Answer) error {
		if string(x.Body.Get("mock_timeout")) == "true" {
			if err := wait(ctx, e.timeout(x)); err != nil {
				return err
			}
			return e.failure(llm.KindTimeout, 0, "litellm.Timeout: This is a mock timeout error")
		}
		if err := e.scripted(e.text(x)); err != nil && !(x.Streamed && midStream(e.text(x))) {
			return err
		}
		if err := wait(ctx, delay); err != nil {
			return err
		}
		now := time.Now()
		*a = llm.Answer{Status: http.StatusOK, Body: http.NoBody, Header: a.Header[:0], Began: now, FirstByte: now}
		return nil
	}
	return nil
}

// Speaks implements provider.Speaker.
func (e *endpoint) Speaks(d llm.Dialect) bool {
	s, ok := e.next.(provider.Speaker)
	return ok && s.Speaks(d)
}

// Takes implements provider.Picky.
func (e *endpoint) Takes(x *llm.Exchange) bool { return provider.Natively(e.next, x) }

// timeout is how long a mocked timeout takes.
func (e *endpoint) timeout(x *llm.Exchange) time.Duration {
	if x.Controls.Timeout > 0 {
		return x.Controls.Timeout
	}
	return e.d.Timeout
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return llm.AsError(context.Cause(ctx))
	}
}

func seconds(x *llm.Exchange, name string) (time.Duration, error) {
	raw := x.Body.Get(name)
	if dialect.Null(raw) {
		return 0, nil
	}
	const longest = 3600
	var f float64
	if err := json.Unmarshal(raw, &f); err != nil || f < 0 || f > longest {
		return 0, &llm.Error{
			Op: "mock.Encode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
			Message: "Invalid request: `" + name + "` must be a number of seconds from 0 to 3600.",
		}
	}
	return time.Duration(f * float64(time.Second)), nil
}

// raw is the mock_response in JSON.
func (e *endpoint) raw(x *llm.Exchange) []byte {
	if x.Controls.Mock != nil {
		return x.Controls.Mock
	}
	if m := strings.TrimSpace(e.d.Mock); m != "" && (m[0] == '[' || m[0] == '{') && json.Valid([]byte(m)) {
		return []byte(m)
	}
	return llm.AppendQuoted(nil, e.d.Mock)
}

// text is the mock_response if it is a text, and empty otherwise.
func (e *endpoint) text(x *llm.Exchange) string {
	s, _ := llm.Text(e.raw(x))
	return string(s)
}

// scripted is the error that a mock_response asks for, or nil.
func (e *endpoint) scripted(text string) error {
	switch text {
	case "litellm.RateLimitError":
		return e.failure(llm.KindRateLimit, 0, "litellm.RateLimitError: this is a mock rate limit error")
	case "litellm.ContextWindowExceededError":
		return e.failure(llm.KindContextWindow, 0,
			"litellm.ContextWindowExceededError: litellm.BadRequestError: this is a mock context window exceeded error")
	case "litellm.InternalServerError":
		return e.failure(llm.KindInternal, 0, "litellm.InternalServerError: this is a mock internal server error")
	}
	switch {
	case strings.HasPrefix(text, "Exception: content_filter_policy"):
		return e.failure(llm.KindContentPolicy, 0, text)
	case midStream(text):
		const overloaded = 529
		return e.failure(llm.KindInternal, overloaded, "This is a mock error raised mid-stream")
	}
	return nil
}

func midStream(text string) bool { return strings.HasPrefix(text, "Exception: mock_streaming_error") }

func (e *endpoint) failure(k llm.Kind, status int, msg string) error {
	name := e.d.Provider
	if name == "" {
		name = "openai"
	}
	return &llm.Error{Op: "mock.Do", Kind: k, Status: status, Provider: name, Message: msg}
}

// Decode implements provider.Endpoint.
func (e *endpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if !e.mocked(x) {
		return e.next.Decode(x, a, r)
	}
	if err := a.Body.Close(); err != nil {
		return llm.AsError(err)
	}
	answer, err := e.answer(x)
	if err != nil {
		return err
	}
	*r = *answer
	r.Deployment, r.Began = e.d, a.FirstByte
	return nil
}

func (e *endpoint) answer(x *llm.Exchange) (*llm.Reply, error) {
	raw := e.raw(x)
	switch {
	case media(x.Op):
		return mediaAnswer(x, raw)
	case x.Op == llm.OpEmbedding:
		return openai.EmbeddingReply(x, raw)
	case len(raw) > 0 && raw[0] == '{':
		return openai.RawReply(x, raw)
	}
	text, ok := llm.Text(raw)
	if !ok {
		return nil, &llm.Error{
			Op: "mock.Decode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "mock_response",
			Message: "Invalid request: `mock_response` must be a text, an answer or, for embeddings, a list of numbers.",
		}
	}
	if failure := e.scripted(string(text)); failure != nil {
		return e.breakOff(x, failure)
	}
	if calls := x.Body.Get("mock_tool_calls"); x.Controls.Given && !dialect.Null(calls) {
		return withCalls(x, string(text), calls)
	}
	return openai.TextReply(x, string(text))
}

// breakOff is a stream that begins well and then fails.
func (e *endpoint) breakOff(x *llm.Exchange, failure error) (*llm.Reply, error) {
	r, err := openai.TextReply(x, "")
	if err != nil {
		return nil, err
	}
	if !r.Streamed {
		return nil, failure
	}
	r.First.More = false
	r.Rest = broken{failure}
	return r, nil
}

// broken is the rest of a stream that breaks off.
type broken struct{ failure error }

// Next implements llm.Stream.
func (b broken) Next(*llm.Part) error { return b.failure }

// Close implements llm.Stream.
func (b broken) Close() error { return nil }

// withCalls answers with tool calls besides the text.
func withCalls(x *llm.Exchange, text string, calls []byte) (*llm.Reply, error) {
	if calls[0] != '[' || x.Op != llm.OpChat {
		return nil, &llm.Error{
			Op: "mock.Decode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "mock_tool_calls",
			Message: "Invalid request: `mock_tool_calls` must be a list, in a request for chat completions.",
		}
	}
	streamed := x.Streamed
	x.Streamed = false
	r, err := openai.TextReply(x, text)
	x.Streamed = streamed
	if err != nil {
		return nil, err
	}
	var answer map[string]any
	if err := json.Unmarshal(r.First.Data, &answer); err != nil {
		return nil, llm.AsError(err)
	}
	for _, c := range answer["choices"].([]any) {
		c.(map[string]any)["message"].(map[string]any)["tool_calls"] = json.RawMessage(calls)
	}
	whole, err := json.Marshal(answer)
	if err != nil {
		return nil, llm.AsError(err)
	}
	return openai.RawReply(x, whole)
}
