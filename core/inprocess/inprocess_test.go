package inprocess_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/inprocess"
	"github.com/sallyport-ai/sallyport/core/llm"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// start runs a gateway with group m at one vendor and its fallback n at another.
func start(t *testing.T, a, b *ut.Vendor) *inprocess.Gateway {
	t.Helper()
	gw, err := inprocess.New(t.Context(), inprocess.Config{
		Document: map[string]any{
			"model_list": []any{
				map[string]any{"model_name": "m", "litellm_params": map[string]any{"model": "openai/x", "api_base": a.URL + "/v1", "api_key": "sk-a", "num_retries": 0, "input_cost_per_token": 0.5, "output_cost_per_token": 1}},
				map[string]any{"model_name": "n", "litellm_params": map[string]any{"model": "openai/y", "api_base": b.URL + "/v1", "api_key": "sk-b", "num_retries": 0, "input_cost_per_token": 0.5, "output_cost_per_token": 1}},
			},
			"router_settings":  map[string]any{"fallbacks": []any{map[string]any{"m": []any{"n"}}}},
			"general_settings": map[string]any{"master_key": "sk-1234"},
		},
		Environ: []string{"DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "s.db"), "HOME=" + t.TempDir()}, Log: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gw.Close(context.Background()) })
	return gw
}

func hello() []inprocess.Message { return []inprocess.Message{{Role: "user", Content: "hi"}} }

func TestChat(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, ut.ServerError()), ut.New(t, ut.JSON(200, ut.Completion("y", "hello", 3, 2)))
	gw := start(t, a, b)
	r, err := gw.Chat(t.Context(), inprocess.ChatRequest{Model: "m", Messages: hello(), Params: map[string]any{"temperature": 0.5}})
	if err != nil || r.Text() != "hello" || r.Group != "n" || r.Fallbacks != 1 || r.Cost != 3*0.5+2 || r.Usage.Total != 5 || r.CallID == "" {
		t.Fatalf("%+v %v", r, err)
	}
	if sent := string(b.Last().Body); !strings.Contains(sent, `"temperature":0.5`) || b.Last().Header.Get("Authorization") != "Bearer sk-b" {
		t.Errorf("sent %s", sent)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(ut.ChatStream("x", 3, "one ", "two")...))
	gw := start(t, v, v)
	s, err := gw.Stream(t.Context(), inprocess.ChatRequest{Model: "m", Messages: hello()})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for c, err := range s.All() {
		if err != nil {
			t.Fatal(err)
		}
		text += c.Text()
	}
	if text != "one two" || s.Meta().Cost != 3*0.5+2 || s.Meta().Group != "m" {
		t.Fatalf("%q %+v", text, s.Meta())
	}
	if _, err := s.Next(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}

	// It breaks off, and nobody continues.
	v.Script(ut.CutStream(ut.ContentChunk("x", "one")))
	s, err = gw.Stream(t.Context(), inprocess.ChatRequest{Model: "m", Messages: hello(), Params: map[string]any{"disable_fallbacks": true}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c, err := s.Next(); err != nil || c.Text() != "one" {
		t.Fatalf("%+v %v", c, err)
	}
	var e *inprocess.Error
	if _, err = s.Next(); !errors.As(err, &e) || e.Status != 500 || e.Err.Kind != llm.KindConnection {
		t.Fatalf("%v", err)
	}
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Embeddings("x", 4, []float64{1, 0}, []float64{0, 1})))
	r, err := start(t, v, v).Embed(t.Context(), inprocess.EmbedRequest{Model: "m", Input: []string{"a", "b"}})
	if err != nil || len(r.Vectors) != 2 || r.Vectors[1][1] != 1 || r.Usage.Prompt != 4 || r.Cost != 2 {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"results":[{"flagged":false}]}`, "X-Request-Id: r1"))
	gw := start(t, v, v)
	r, err := gw.Do(t.Context(), inprocess.Request{Path: "/moderations", Body: []byte(`{"model":"m","input":"x"}`)})
	if err != nil || r.Status != 200 || !strings.Contains(string(r.Body), "flagged") || v.Last().Path != "/v1/moderations" {
		t.Fatalf("%+v %v", r, err)
	}
	v.Script(ut.SSE(ut.ChatStream("x", 3, "one")...))
	r, err = gw.Do(t.Context(), inprocess.Request{Path: "/v1/chat/completions", Body: []byte(`{"model":"m","stream":true,"messages":[]}`)})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(r.Body), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q is no event", line)
		}
	}
	v.Script(ut.JSON(200, `{"text":"words"}`))
	form := "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n"
	r, err = gw.Do(t.Context(), inprocess.Request{Path: "/v1/audio/transcriptions", ContentType: "multipart/form-data; boundary=b", Body: []byte(form)})
	if err != nil || !strings.Contains(string(r.Body), "words") {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.RateLimited("7"))
	gw := start(t, v, v)
	f := func(r inprocess.Request, status int, want string) {
		t.Helper()
		_, err := gw.Do(t.Context(), r)
		var e *inprocess.Error
		if err == nil || !strings.Contains(err.Error(), want) || errors.As(err, &e) && e.Status != status || status > 0 && e == nil {
			t.Errorf("%s %s: %v", r.Path, r.Body, err)
		}
	}
	chat := "/v1/chat/completions"
	f(inprocess.Request{Path: "/v1/nothing"}, 0, "no operation has the path")
	f(inprocess.Request{Path: chat, Body: []byte(`[`)}, 400, "not a JSON object")
	f(inprocess.Request{Path: chat, Body: []byte(`{"model":"nope"}`)}, 400, "Invalid model name")
	f(inprocess.Request{Path: chat, Body: []byte(`{"model":"m","messages":[],"num_retries":0}`)}, 429, "litellm.RateLimitError")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gw.Chat(ctx, inprocess.ChatRequest{Model: "m", Messages: hello()}); err == nil {
		t.Error("a call for nobody succeeded")
	}
	if _, err := gw.Chat(t.Context(), inprocess.ChatRequest{Model: "m", Params: map[string]any{"x": func() {}}}); err == nil {
		t.Error("a request that cannot be written was sent")
	}
}

// A client with a virtual key has its models and its budget.
func TestWithKey(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "hello", 1, 1)))
	gw := start(t, v, v)
	var e *inprocess.Error
	if _, err := gw.WithKey("sk-unknown").Chat(t.Context(), inprocess.ChatRequest{Model: "m", Messages: hello()}); !errors.As(err, &e) || e.Status != 401 {
		t.Fatalf("%v", err)
	}
	if len(v.Requests()) != 0 {
		t.Error("a vendor was called")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	f := func(c inprocess.Config, want string) {
		t.Helper()
		c.Log, c.Environ = io.Discard, []string{"DATABASE_URL=none", "HOME=" + t.TempDir()}
		gw, err := inprocess.New(t.Context(), c)
		if want == "" {
			if err != nil {
				t.Fatal(err)
			}
			if err := gw.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := gw.Chat(t.Context(), inprocess.ChatRequest{Model: "m"}); !errors.Is(err, inprocess.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	yaml := "model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: k, mock_response: hi}}]\n"
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	f(inprocess.Config{Path: file}, "")
	f(inprocess.Config{YAML: []byte(yaml)}, "")
	f(inprocess.Config{}, "set one of")
	f(inprocess.Config{Path: file, YAML: []byte(yaml)}, "set one of")
	f(inprocess.Config{YAML: []byte("model_list: 7")}, "model_list")
	f(inprocess.Config{Document: func() {}}, "cannot be written")
	f(inprocess.Config{Path: file + ".none"}, "c.yaml.none")
}

// Close waits for calls under way, and cuts them short when it may wait no longer.
func TestClose(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	v := ut.New(t, gate.Before(ut.JSON(200, ut.Completion("x", "late", 1, 1))))
	gw := start(t, v, v)
	answers := make(chan error, 1)
	go func() {
		_, err := gw.Chat(t.Context(), inprocess.ChatRequest{Model: "m", Messages: hello()})
		answers <- err
	}()
	<-gate.Reached()
	closed := make(chan error, 1)
	go func() { closed <- gw.Close(t.Context()) }()
	gate.Open()
	if err := <-answers; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}

	v.Script(ut.Hang())
	gw = start(t, v, v)
	go func() {
		_, err := gw.Chat(t.Context(), inprocess.ChatRequest{Model: "m", Messages: hello()})
		answers <- err
	}()
	for len(v.Requests()) < 2 {
		if t.Context().Err() != nil {
			t.Fatal("the vendor was not called")
		}
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := gw.Close(now); err == nil || !strings.Contains(err.Error(), "1 calls were cut short") {
		t.Errorf("Close: %v", err)
	}
	var e *inprocess.Error
	if err := <-answers; !errors.As(err, &e) || e.Status != 499 {
		t.Errorf("the call that was cut: %v", err)
	}
}

func ExampleGateway_Chat() {
	gw, err := inprocess.New(context.Background(), inprocess.Config{
		YAML:    []byte("model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: k, mock_response: Hello!}}]"),
		Environ: []string{"DATABASE_URL=none"}, Log: io.Discard,
	})
	if err != nil {
		panic(err)
	}
	defer gw.Close(context.Background())
	answer, err := gw.Chat(context.Background(), inprocess.ChatRequest{Model: "m", Messages: []inprocess.Message{{Role: "user", Content: "Hi"}}})
	fmt.Println(answer.Text(), err)
	// Output: Hello! <nil>
}
