package upstream_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

func direct(s upstream.Settings) upstream.Settings {
	if s.Proxy == nil {
		s.Proxy = noProxy
	}
	return s
}

func newClient(t testing.TB, s upstream.Settings) *upstream.Client {
	t.Helper()
	c := upstream.New(direct(s))
	t.Cleanup(c.Close)
	return c
}

// post is a call with a small body.
func post(target *llm.Target) *llm.Call {
	return &llm.Call{
		Target: target, Method: "POST", Path: []byte("/v1/chat/completions"),
		Head: []byte("Authorization: Bearer sk-test\r\nContent-Type: application/json\r\n"),
		Body: [][]byte{[]byte(`{"model":`), []byte(`"gpt-4o"`), []byte(`}`)},
	}
}

// fetch makes a call and reads the answer to its end.
func fetch(t testing.TB, c *upstream.Client, ctx context.Context, call *llm.Call) (status int, body string, err error) {
	t.Helper()
	var a llm.Answer
	if err := c.Do(ctx, call, &a); err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.Status, string(b), err
}

func wantKind(t testing.TB, err error, kind llm.Kind) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *llm.Error of kind %d", err, kind)
	}
	if e.Kind != kind {
		t.Fatalf("got kind %d (%v), want %d", e.Kind, err, kind)
	}
	return e
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	f := func(name string, answer upstreamtest.Answer, status int, body string) {
		t.Helper()
		v := upstreamtest.New(t, answer)
		c := newClient(t, upstream.Settings{})
		target := v.Target()
		for range 3 {
			gotStatus, got, err := fetch(t, c, t.Context(), post(target))
			if err != nil || gotStatus != status || got != body {
				t.Errorf("%s: got %d %q, %v; want %d %q", name, gotStatus, got, err, status, body)
			}
		}
	}
	f("whole", upstreamtest.JSON(200, `{"a":1}`), 200, `{"a":1}`)
	f("empty", upstreamtest.JSON(200, ``), 200, ``)
	f("chunked", upstreamtest.ChunkedJSON(200, `{"a"`, `:1}`), 200, `{"a":1}`)
	f("no chunks", upstreamtest.ChunkedJSON(200), 200, ``)
	f("until close", upstreamtest.UntilClose(200, "application/json", `{"a":1}`), 200, `{"a":1}`)
	f("no content", upstreamtest.Empty(204), 204, ``)
	f("error", upstreamtest.ServerError(), 500, upstreamtest.ErrorBody("The server had an error.", "server_error", "", ""))
	f("interim", upstreamtest.Interim(103, upstreamtest.JSON(200, `{}`)), 200, `{}`)
	f("stream", upstreamtest.SSE("1", upstreamtest.Done), 200, "data: 1\n\ndata: [DONE]\n\n")
}
