// Package plugintest tests plugins without a gateway: it compiles a guest and runs its hooks in the gateway's own host,
// with the real limits.
//
//	func TestPlugin(t *testing.T) {
//		p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "."), Config: map[string]any{"words": []any{"secret"}}})
//		err := p.Chat(t, "gpt-4o", "my secret").Err
//		...
//	}
package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/toolchain"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// Build compiles the plugin in dir, a path relative to the test or absolute, and returns the path of the module, which
// lives as long as the test. The go command's own cache makes a second build cheap. A test of a Rust plugin is skipped
// where there is no compiler for it, unless CI is "true" or SALLYPORT_REQUIRE_SDKS is set.
func Build(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), filepath.Base(dir)+".wasm")
	NeedCompiler(t, toolchain.Project{Dir: dir, Target: t.TempDir()}.Build(t.Context(), out))
	return out
}

// NeedCompiler fails the test with an error of package toolchain. It skips it instead if a compiler is missing and the
// environment does not say that all of them must be there.
func NeedCompiler(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, toolchain.ErrMissing) && os.Getenv("CI") != "true" && os.Getenv("SALLYPORT_REQUIRE_SDKS") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Plugin is a loaded plugin under test.
type Plugin struct {
	*wasm.Plugin
	// Respond makes the replies of guardrails that answer themselves. Load sets one that puts the text, as a JSON
	// string, into Reply.First.Data.
	Respond wasm.Responder
}

// Load loads a plugin with the gateway's host, and closes it when the test ends. A plugin that cannot be loaded fails
// the test; see wasm.Load to test for that.
func Load(t testing.TB, s wasm.Settings) *Plugin {
	t.Helper()
	p, err := wasm.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close %s: %v", p.Name(), err)
		}
	})
	return Wrap(p)
}

// Wrap tests a plugin that the caller has loaded, and closes.
func Wrap(p *wasm.Plugin) *Plugin {
	return &Plugin{p, func(_ *llm.Exchange, text, finish string) (*llm.Reply, error) {
		return &llm.Reply{Status: 200, Finish: finish, First: llm.Part{Data: llm.AppendQuoted(nil, text)}}, nil
	}}
}

// Outcome is what became of a request.
type Outcome struct {
	Exchange *llm.Exchange // as the hook left it
	Reply    *llm.Reply    // the plugin's own answer, or nil
	Err      error         // why the request was refused, or nil
}

// Refusal returns the status and the message that the caller reads; the status is 0 if the request was not refused.
func (o Outcome) Refusal() (status int, message string) {
	e := llm.AsError(o.Err)
	if e == nil {
		return 0, ""
	}
	return e.HTTPStatus(), e.Message
}

// Texts returns the contents of the messages after the hook.
func (o Outcome) Texts() []string {
	var body struct{ Messages []struct{ Content string } }
	if err := json.Unmarshal(o.Exchange.Body.Raw(), &body); err != nil {
		return []string{"not a chat body with plain texts: " + err.Error()}
	}
	var texts []string
	for _, m := range body.Messages {
		texts = append(texts, m.Content)
	}
	return texts
}

// Chat runs the request hook on a chat request of user messages.
func (p *Plugin) Chat(t testing.TB, model string, contents ...string) Outcome {
	t.Helper()
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	messages := []message{}
	for _, c := range contents {
		messages = append(messages, message{"user", c})
	}
	body, err := marshal(map[string]any{"model": model, "messages": messages})
	if err != nil {
		t.Fatal(err)
	}
	return p.Request(t, llm.OpChat, body)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Request runs the request hook on a body. The exchange can be prepared by change functions.
func (p *Plugin) Request(t testing.TB, op llm.Operation, body []byte, change ...func(*llm.Exchange)) Outcome {
	t.Helper()
	x := Exchange(t, op, body)
	for _, c := range change {
		c(x)
	}
	reply, err := p.Guard(p.Name(), p.Respond).Before(&x.Life, x)
	return Outcome{x, reply, err}
}

// Exchange makes an exchange as the listener does.
func Exchange(t testing.TB, op llm.Operation, body []byte) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.ID, x.Start, x.Op = llm.NewID(time.Now()), time.Now(), op
	x.Method, x.Path, x.Remote = "POST", "/"+op.String(), "127.0.0.1"
	if body == nil {
		return x
	}
	if err := x.Body.Parse(body); err != nil {
		t.Fatal(err)
	}
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	return x
}

// Auth runs the auth hook for a caller who sends a bearer key.
func (p *Plugin) Auth(t testing.TB, mode wasm.AuthMode, key string, change ...func(*llm.Exchange)) (*llm.Principal, error) {
	t.Helper()
	x := Exchange(t, llm.OpChat, nil)
	c := auth.Credential{}
	if key != "" {
		c = auth.Credential{Key: []byte(key), Raw: []byte("Bearer " + key), Present: true}
		x.Header = append(x.Header, llm.Field{Name: []byte("Authorization"), Value: c.Raw})
	}
	for _, f := range change {
		f(x)
	}
	a, err := p.Authenticator(mode)
	if err != nil {
		t.Fatal(err)
	}
	return a.Authenticate(&x.Life, x, c)
}

// Bench measures a guardrail that lets the exchange pass. Besides the average, it reports the least time of a call,
// "min-ns/op", which a busy machine disturbs less.
func Bench(b *testing.B, g pipeline.Before, x *llm.Exchange) {
	b.Helper()
	const batch = 20
	least := time.Duration(math.MaxInt64)
	b.ReportAllocs()
	n := 0
	began := time.Now()
	for b.Loop() {
		if r, err := g.Before(&x.Life, x); r != nil || err != nil {
			b.Fatalf("the guardrail did not let the request pass: %v", err)
		}
		x.Applied, x.GuardRuns = x.Applied[:0], x.GuardRuns[:0]
		if n++; n%batch == 0 {
			now := time.Now()
			least, began = min(least, now.Sub(began)), now
		}
	}
	if n >= batch {
		b.ReportMetric(float64(least)/batch, "min-ns/op")
	}
}
