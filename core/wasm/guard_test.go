package wasm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// guarded loads testdata/guard.
func guarded(t testing.TB, change ...func(*wasm.Settings)) *plugintest.Plugin {
	t.Helper()
	s := wasm.Settings{Path: plugintest.Build(t, "testdata/guard")}
	for _, c := range change {
		c(&s)
	}
	return plugintest.Load(t, s)
}

func TestRequestChanges(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	const rest = `,"user":"u","metadata":{"a":1,"tags":["t"]}}`
	f := func(text, want string) *llm.Exchange {
		t.Helper()
		body := `{"model":"m","messages":[{"role":"user","content":"` + text + `"}]` + rest
		o := p.Request(t, llm.OpChat, []byte(body))
		if o.Err != nil {
			if want != "fails" {
				t.Errorf("%s: %v", text, o.Err)
			}
			return o.Exchange
		}
		if got := string(o.Exchange.Body.Raw()); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		return o.Exchange
	}
	body := func(text, rest string) string {
		return `{"model":"m","messages":[{"role":"user","content":"` + text + `"}]` + rest
	}
	f("set temperature 0.5", body("set temperature 0.5", `,"user":"u","metadata":{"a":1,"tags":["t"]},"temperature":0.5}`))
	f("set metadata.a.b 1", "fails")
	f("set metadata.a {]", "fails")
	f("set model x", "fails")
	f("set stream true", "fails")
	f(`set st\\\\ream true`, "fails")
	f("text metadata.a b", body("text metadata.a b", `,"user":"u","metadata":{"a":"b","tags":["t"]}}`))
	f("remove metadata.a", body("remove metadata.a", `,"user":"u","metadata":{"tags":["t"]}}`))
	f("metadata x.y z", body("metadata x.y z", `,"user":"u","metadata":{"a":1,"tags":["t"],"x.y":"z"}}`))
	f("header x-a b", body("header x-a b", rest))
	f("header authorization b", "fails")
	f("header x-api-key b", "fails")
	f("header x-litellm-tags b", "fails")
	f("tag a,b", "fails")
	x := f("tag new", body("tag new", rest))
	if got := openai.Tags(x); !cmp.Equal(got, []string{"t", "new"}) {
		t.Errorf("tags %v", got)
	}
	x = f("all", `{"model":"other","messages":[{"role":"user","content":"edited"}],"metadata":{"a":1,"tags":["t"],"seen.by":["guard"]},"temperature":0.5}`)
	if x.Model != "other" || string(x.Header.Get("x-guard")) != "yes" || string(x.State("guard")) != "\x00\x01" || x.Controls.User != nil ||
		string(x.Controls.Metadata) != `{"a":1,"tags":["t"],"seen.by":["guard"]}` {
		t.Errorf("exchange %+v", x)
	}
}

func TestRequestSeesParams(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	body := `{"messages":[{"role":"user","content":"params"}],"metadata":{"k":1},"tags":["a"],"guardrails":["x",{"guard":{"extra_body":{"level":2,"list":["b"]}}}]}`
	o := p.Request(t, llm.OpChat, []byte(body), func(x *llm.Exchange) {
		x.Principal = &llm.Principal{TeamMetadata: map[string]any{"tier": "gold"}}
	})
	if got := reply(o); got != "map[level:2 list:[b]] map[k:1] map[tier:gold] [a] <nil>" {
		t.Errorf("got %s", got)
	}
	o = p.Chat(t, "m", "filtered")
	if got := reply(o); got != "cannot help" || o.Reply.Finish != "content_filter" || o.Exchange.GuardRuns[0].Status != llm.GuardIntervened {
		t.Errorf("got %s, %+v", got, o.Reply)
	}
}

// A guest is told of media, and gets the bytes of those that are not longer than it wants.
func TestRequestSeesMedia(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	f := func(parts, want string) {
		t.Helper()
		o := p.Request(t, llm.OpChat, []byte(`{"messages":[{"role":"system","content":"media"},{"role":"user","content":[`+parts+`]}]}`))
		if o.Err != nil || o.Reply == nil {
			t.Fatalf("%v, %v", o.Reply, o.Err)
		}
		if got := reply(o); got != want {
			t.Errorf("%s: got %s, want %s", parts, got, want)
		}
	}
	const sum = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78" // of ABC
	f(`{"type":"text","text":"x"}`, "false")
	f(`{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}`, "1 user image image/png  true 3 [ABC true] "+sum+"false")
	f(`{"type":"image_url","image_url":{"url":"https://example.com/a"}},{"type":"input_audio","input_audio":{"data":"QUJDREVG","format":"wav"}}`,
		"1 user image  https://example.com/a false 0 [ false] ; 1 user audio audio/wav  true 6 [ false] e9c0f8b575cbfcb42ab3b78ecc87efa3b011d9a5d10b09fa4e96f240bf6a82f5false")
}

func TestModeration(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	f := func(text string, looked bool, status int, message string) {
		t.Helper()
		o := p.Moderate(t, llm.OpChat, []byte(`{"messages":[{"role":"user","content":"`+text+`"}]}`), func(x *llm.Exchange) {
			x.SetState("guard", []byte("allowed"))
		})
		if s, m := o.Refusal(); s != status || m != message || o.Looked != looked {
			t.Errorf("%s: %d %q, looked %v", text, s, m, o.Looked)
		}
	}
	const failed = "Guardrail guard failed, so the request was refused."
	f("hello", true, 0, "")
	f("illegal", true, 451, "not allowed")
	f("edit", false, 500, failed)
	f("keep", false, 500, failed)
	f("panic", false, 500, failed)
}

func completion(content string) string {
	return `{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + content +
		`","tool_calls":[{"function":{"name":"f"}}]},"logprobs":{"content":[{"token":"secret"}]},"finish_reason":"stop"}],"usage":{"total_tokens":5}}`
}

func TestResponse(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	f := func(content, want string, status int, message string) {
		t.Helper()
		o := p.Response(t, []byte(completion(content)), func(x *llm.Exchange) { x.Model = "m"; x.SetState("guard", []byte("s")) })
		if s, m := o.Refusal(); s != status || m != message {
			t.Errorf("%s: %d %q", content, s, m)
		}
		if status == 0 && string(o.Reply.First.Data) != want {
			t.Errorf("%s: got %s, want %s", content, o.Reply.First.Data, want)
		}
		if run := o.Exchange.GuardRuns; len(run) != 1 || run[0].Mode != "post_call" || run[0].Name != "guard" {
			t.Errorf("runs %+v", run)
		}
	}
	f("fine", completion("fine"), 0, "")
	hidden := strings.Replace(completion("my ***"), `{"content":[{"token":"secret"}]}`, "null", 1)
	f("my secret", hidden, 0, "")
	f("reject", "", 422, "unfit")
	f("panic", "", 500, "Guardrail guard failed, so the answer was withheld.")
	said := `assistant 0 content m stop 3/2/5 d openai state=\"s\" partial=false tool=f true ` + fmt.Sprint(len(completion("describe")))
	f("describe", strings.Replace(completion(said), `{"content":[{"token":"secret"}]}`, "null", 1), 0, "")
	o := p.Response(t, []byte(`{"choices":[{"message":{"content":"a","content":"b"}}]}`))
	if s, _ := o.Refusal(); s != 500 {
		t.Errorf("an answer with two contents: %d", s)
	}
	o = p.Response(t, []byte(`{"object":"list","data":[]}`))
	if s, _ := o.Refusal(); s != 0 {
		t.Errorf("embeddings: %d", s)
	}
}

// chunks are the chunks of a stream that says the words.
func chunks(words ...string) []string {
	var all []string
	for _, w := range words {
		all = append(all, `{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"`+w+`"},"finish_reason":null}]}`)
	}
	return append(all, `{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
}

func TestStream(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	f := func(want string, status int, message string, words ...string) plugintest.Streamed {
		t.Helper()
		o := p.StreamChunks(t, wasm.GuardSettings{}, chunks(words...))
		if s, m := o.Refusal(); s != status || m != message {
			t.Errorf("%v: %d %q", words, s, m)
		}
		if got := o.Text(); got != want {
			t.Errorf("%v: got %q, want %q", words, got, want)
		}
		return o
	}
	f("hello world, how are you", 0, "", "hello ", "world", ", how are ", "you")
	f("this is a *** indeed", 0, "", "this is a se", "cr", "et indeed")
	o := f("a long beginning", 400, "stopped", "a long beginning that", " ab", "ort it")
	if runs := o.Exchange.GuardRuns; len(runs) != 1 || runs[0].Status != llm.GuardIntervened {
		t.Errorf("runs %+v", runs)
	}
	f("kept hold of", 0, "", "kept hold", " of")
	f("after", 0, "", "please drop this", "after")
	f("", 500, "Guardrail guard failed, so the answer was stopped.", "panic")
	f("0 and 1 times", 0, "", "count", " and ", "count", " times")
	if names := o.Exchange.Applied; !cmp.Equal(names, []string{"guard"}) {
		t.Errorf("applied %v", names)
	}
}

func TestStreamFailOpen(t *testing.T) {
	t.Parallel()
	p := guarded(t, func(s *wasm.Settings) { s.OnError = wasm.FailOpen })
	o := p.StreamChunks(t, wasm.GuardSettings{}, chunks("a panic", " b"))
	if o.Text() != "a panic b" || o.Err != nil || o.Exchange.GuardRuns[0].Status != llm.GuardFailed {
		t.Errorf("got %q, %v, %+v", o.Text(), o.Err, o.Exchange.GuardRuns)
	}
}

func TestStreamBuffered(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	buffer := wasm.GuardSettings{Buffer: true}
	o := p.StreamChunks(t, buffer, chunks("my sec", "ret"))
	if o.Text() != "my ***" || o.Err != nil || !o.Reply.Streamed {
		t.Errorf("got %q, %v", o.Text(), o.Err)
	}
	o = p.StreamChunks(t, buffer, chunks("rej", "ect"))
	if s, m := o.Refusal(); s != 422 || m != "unfit" || o.Text() != "" || o.Began {
		t.Errorf("got %d %s, %q", s, m, o.Text())
	}
}

// log collects the lines of a plugin.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The end hook runs once however the stream ends.
func TestStreamEnd(t *testing.T) {
	t.Parallel()
	f := func(read int, end error, want string) {
		t.Helper()
		var log logged
		p := guarded(t, func(s *wasm.Settings) { s.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		o := p.StreamChunks(t, wasm.GuardSettings{}, chunks("one", "two", "three"), plugintest.Reading{Parts: read, End: end})
		if n := strings.Count(log.String(), "end left="); n != 1 || !strings.Contains(log.String(), want) {
			t.Errorf("%d parts, %v: %v, the end hook said %s", read, end, o.Err, log.String())
		}
	}
	f(0, nil, "left=false finish=stop tokens=5")
	f(1, nil, "left=true")
	f(0, io.ErrUnexpectedEOF, "left=true")
	p := guarded(t, func(s *wasm.Settings) { s.Config = map[string]any{"end": "too long"} })
	o := p.StreamChunks(t, wasm.GuardSettings{}, chunks("a", "b"))
	if s, m := o.Refusal(); s != 400 || m != "too long" || o.Text() != "ab" {
		t.Errorf("%d %s %q", s, m, o.Text())
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	p := guarded(t)
	f := func(e, want *llm.Error) {
		t.Helper()
		got := p.Failure(t, e, func(x *llm.Exchange) { x.Model, x.Tried = "m", &llm.Deployment{ID: "d", Provider: "openai"} })
		if got.HTTPStatus() != want.HTTPStatus() || got.Message != want.Message || got.Type != want.Type {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	f(&llm.Error{Kind: llm.KindTimeout, Message: "too slow"}, &llm.Error{Status: 503, Message: "timeout 408 litellm.Timeout: Timeout Error: too slow m d openai", Type: "odd"})
	f(&llm.Error{Kind: llm.KindRejected, Message: "keep me"}, &llm.Error{Kind: llm.KindRejected, Message: "keep me"})
	f(&llm.Error{Kind: llm.KindRejected, Message: "panic"}, &llm.Error{Kind: llm.KindRejected, Message: "panic"})
}

// A request reaches a single instance a thousand times at once: all wait for their turn.
func TestThousandAtOnce(t *testing.T) {
	t.Parallel()
	p := guarded(t, func(s *wasm.Settings) { s.Limits.Instances = 1 })
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if o := p.Chat(t, "m", "hello"); o.Err != nil && !errors.Is(o.Err, wasm.ErrBusy) {
				t.Error(o.Err)
			} else if o.Err != nil {
				t.Error("a request found all instances busy")
			}
		})
	}
	wg.Wait()
}

// A thousand streams under way keep little more than what they hold back.
func TestStreamsHoldMemoryFlat(t *testing.T) {
	p := guarded(t)
	const streams, rounds = 1000, 40
	g := p.Guardrail(wasm.GuardSettings{})
	chunk := []byte(chunks("some words of an answer ")[0])
	var replies []*llm.Reply
	for range streams {
		x := plugintest.Exchange(t, llm.OpChat, []byte(`{"model":"m","messages":[],"stream":true}`))
		r := &llm.Reply{Status: 200, Streamed: true, First: llm.Part{Data: chunk}, Rest: endless{chunk}}
		if err := g.Stream(&x.Life, x, r); err != nil {
			t.Fatal(err)
		}
		replies = append(replies, r)
	}
	pull := func() uint64 {
		for range rounds {
			for _, r := range replies {
				if err := r.Rest.Next(&r.First); err != nil {
					t.Fatal(err)
				}
			}
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	first := pull()
	second := pull()
	if each := int64(second-first) / streams; second > first && each > 512 {
		t.Errorf("each stream took %d bytes more after %d further chunks", each, rounds)
	}
	for _, r := range replies {
		_ = r.Rest.Close()
	}
	t.Logf("heap with %d streams: %d KB", streams, second>>10)
}

// endless says the same for ever.
type endless struct{ chunk []byte }

func (e endless) Next(p *llm.Part) error {
	*p = llm.Part{Data: e.chunk}
	return nil
}

func (endless) Close() error { return nil }

// BenchmarkStreamChunk is what one chunk of a stream costs: taking it apart, calling the hook in a Go guest, and making a
// chunk of what may leave.
func BenchmarkStreamChunk(b *testing.B) {
	p := guarded(b)
	for _, holdback := range []int{0, 32} {
		b.Run(fmt.Sprint("holdback=", holdback), func(b *testing.B) {
			g := p.Guardrail(wasm.GuardSettings{Windows: wasm.WindowSettings{Holdback: &holdback}})
			x := plugintest.Exchange(b, llm.OpChat, []byte(`{"model":"m","messages":[],"stream":true}`))
			chunk := []byte(`{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" Hello"},"logprobs":null,"finish_reason":null}]}`)
			r := &llm.Reply{Status: 200, Streamed: true, First: llm.Part{Data: chunk}, Rest: endless{chunk}}
			if err := g.Stream(&x.Life, x, r); err != nil {
				b.Fatal(err)
			}
			const batch = 20
			least, began := time.Duration(1<<62), time.Now()
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Rest.Next(&r.First); err != nil {
					b.Fatal(err)
				}
				if n++; n%batch == 0 {
					now := time.Now()
					least, began = min(least, now.Sub(began)), now
				}
			}
			b.ReportMetric(float64(least)/batch, "min-ns/op")
			_ = r.Rest.Close()
		})
	}
}
