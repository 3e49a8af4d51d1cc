package wasm

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// loadPlugin loads a plugin and closes it when the test ends.
func loadPlugin(t testing.TB, s Settings) *Plugin {
	t.Helper()
	p, err := Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (h hand) load(t testing.TB, change ...func(*Settings)) *Plugin {
	t.Helper()
	s := Settings{Path: h.file(t), NoCache: true}
	for _, c := range change {
		c(&s)
	}
	return loadPlugin(t, s)
}

// exchange is a chat request with a message of the user.
func exchange(t testing.TB, body string) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.ID, x.Op, x.Model, x.Path, x.Method = llm.NewID(time.Now()), llm.OpChat, "gpt-4o", "/chat/completions", "POST"
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	return x
}

const hello = `{"model": "gpt-4o",  "messages": [{"role":"user","content":"hello"}] }`

// before runs a guardrail on a request.
func before(t testing.TB, p *Plugin, body string) (*llm.Exchange, *llm.Reply, error) {
	t.Helper()
	x := exchange(t, body)
	r, err := p.Guard("g", nil).Before(&x.Life, x)
	return x, r, err
}

func records(b ...[]byte) []byte { return bytes.Join(b, nil) }

func number(tag abi.Tag, n uint64) []byte     { return abi.AppendNumber(nil, tag, n) }
func textRecord(tag abi.Tag, s string) []byte { return abi.AppendText(nil, tag, s) }
func verdict(v abi.Verdict) []byte            { return number(abi.TagVerdict, uint64(v)) }

func nested(tag abi.Tag, b ...[]byte) []byte {
	out, mark := abi.Open(nil, tag)
	return abi.Close(append(out, records(b...)...), mark)
}

// TestHostile runs guests that misbehave in every way. Each fails closed with its reason, tells the caller nothing, and
// leaves a plugin that works on: the instance is discarded and the next call gets a fresh one.
func TestHostile(t *testing.T) {
	t.Parallel()
	limits := func(s *Settings) {
		s.Limits = Limits{CPU: 20 * time.Millisecond, Wall: 10 * time.Second, MemoryMB: 8, Instances: 1}
	}
	fails := func(want error, h hand) {
		t.Helper()
		p := h.load(t, limits)
		for range 3 {
			_, reply, err := before(t, p, hello)
			var e *llm.Error
			if reply != nil || !errors.As(err, &e) || !errors.Is(err, want) {
				t.Fatalf("got %v, %v, want %v", reply, err, want)
			}
			if e.Kind != llm.KindInternal || e.HTTPStatus() != 500 || e.Message != "Guardrail g failed, so the request was refused." {
				t.Errorf("got status %d, message %q", e.HTTPStatus(), e.Message)
			}
			if used(p) && want != ErrVerdict {
				t.Errorf("%v: the instance was kept", want)
			}
		}
	}
	fails(ErrTrap, hand{call: trap})
	fails(ErrCPU, hand{call: loopForever})
	fails(ErrTrap, hand{call: growForever})
	fails(ErrDepth, hand{call: recurse(1)})
	fails(ErrResult, hand{call: returnAt(-1, -1)})
	fails(ErrResult, hand{call: returnAt(-16, 16)})
	fails(ErrResult, hand{call: returnAt(64<<16-4, 8)})
	fails(ErrResult, hand{call: returnAt(resultAt, 0)})
	fails(ErrResult, hand{call: returnAt(0, abi.MaxResult+1)})

	result := func(want error, b ...[]byte) {
		t.Helper()
		all := records(b...)
		fails(want, hand{call: returnData(all), result: all})
	}
	edit := func(i uint64, s string) []byte {
		return nested(abi.TagEdit, number(abi.TagIndex, i), textRecord(abi.TagText, s))
	}
	result(ErrResult, []byte{1, 2, 3})
	result(ErrResult, []byte{64, 0, 0, 0, 255, 255, 255, 255})
	result(ErrResult, verdict(99))
	result(ErrResult, textRecord(abi.TagModel, "a result without a verdict"))
	result(ErrResult, textRecord(abi.TagVerdict, "2"))
	result(ErrResult, verdict(abi.VerdictReject))
	result(ErrResult, verdict(abi.VerdictReject), number(abi.TagStatus, 200))
	result(ErrResult, verdict(abi.VerdictReject), number(abi.TagStatus, 500))
	result(ErrResult, verdict(abi.VerdictAllow))
	result(ErrResult, verdict(abi.VerdictAllow), nested(abi.TagPrincipal))
	result(ErrResult, verdict(abi.VerdictEdit), edit(1, "only segment 0 exists"))
	result(ErrResult, verdict(abi.VerdictEdit), edit(1<<40, "x"))
	result(ErrResult, verdict(abi.VerdictEdit), edit(0, "x"), edit(0, "y"))
	result(ErrResult, verdict(abi.VerdictEdit), nested(abi.TagEdit, number(abi.TagIndex, 0)))
	result(ErrResult, verdict(abi.VerdictEdit), nested(abi.TagEdit, textRecord(abi.TagText, "x")))
	result(ErrResult, verdict(abi.VerdictEdit), nested(abi.TagEdit, []byte{1}))
	result(ErrResult, []byte{0xff, 0x7f, 2, 0, 0, 0, 0, 0}) // an unknown critical record
	result(ErrVerdict, verdict(abi.VerdictFail), textRecord(abi.TagReason, "the model file is missing"))
}

// TestProcessGoesOn has more looping guests than processors, each killed in the end, while the collector stops the world.
func TestProcessGoesOn(t *testing.T) {
	t.Parallel()
	n := runtime.GOMAXPROCS(0) + 2
	p := hand{call: loopForever}.load(t, func(s *Settings) {
		s.Limits = Limits{CPU: 50 * time.Millisecond, Wall: time.Minute, Instances: n, Wait: time.Minute}
	})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, _, err := before(t, p, hello); !errors.Is(err, ErrCPU) {
				t.Errorf("got %v", err)
			}
		})
	}
	for range 5 {
		runtime.GC()
	}
	wg.Wait()
}

func TestFailOpen(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := hand{call: trap}.load(t, func(s *Settings) {
		s.OnError, s.Logger = FailOpen, slog.New(slog.NewTextHandler(&log, nil))
	})
	x, reply, err := before(t, p, hello)
	if reply != nil || err != nil || len(x.Applied) != 0 {
		t.Errorf("got %v, %v, applied %v", reply, err, x.Applied)
	}
	if !strings.Contains(log.String(), "let the request pass") || strings.Contains(log.String(), "hello") {
		t.Errorf("log: %s", log.String())
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	returns := func(b ...[]byte) *Plugin {
		all := records(b...)
		return hand{call: returnData(all), result: all}.load(t)
	}
	x, reply, err := before(t, hand{}.load(t), hello)
	if reply != nil || err != nil || string(x.Body.Raw()) != hello || len(x.Applied) != 1 || x.Applied[0] != "g" {
		t.Errorf("continue: got %v, %v, body %s, applied %v", reply, err, x.Body.Raw(), x.Applied)
	}

	p := returns(verdict(abi.VerdictReject), number(abi.TagStatus, 451), textRecord(abi.TagReason, "not\nhere"))
	_, _, err = before(t, p, hello)
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != llm.KindRejected || e.Status != 451 || e.Message != "not here" {
		t.Errorf("reject: got %#v", err)
	}

	p = returns(verdict(abi.VerdictEdit), nested(abi.TagEdit, number(abi.TagIndex, 0), textRecord(abi.TagText, "a \"b\"\n")),
		textRecord(abi.TagModel, "small"), []byte{0xff, 0x7f, 0, 0, 0, 0, 0, 0})
	x, _, err = before(t, p, hello)
	want := `{"model": "small",  "messages": [{"role":"user","content":"a \"b\"\n"}] }`
	if err != nil || string(x.Body.Raw()) != want || x.Model != "small" || string(x.Body.Get("model")) != `"small"` {
		t.Errorf("edit: got %s, model %s, error %v", x.Body.Raw(), x.Model, err)
	}

	p = returns(verdict(abi.VerdictRespond), textRecord(abi.TagReply, "I'd rather not."))
	if _, _, err := before(t, p, hello); !errors.Is(err, ErrResult) {
		t.Errorf("respond where there is no responder: got %v", err)
	}
	x = exchange(t, hello)
	reply, err = p.Guard("g", func(_ *llm.Exchange, text, _ string) (*llm.Reply, error) {
		return &llm.Reply{First: llm.Part{Data: []byte(text)}}, nil
	}).Before(&x.Life, x)
	if err != nil || reply == nil || string(reply.First.Data) != "I'd rather not." {
		t.Errorf("respond: got %v, %v", reply, err)
	}
}

// TestInvalidRequests are refused as the caller's mistake, because another parser could read another text than the
// guardrail does. The instance is not to blame.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	p := hand{call: trap}.load(t)
	invalid := func(want, messages string) {
		t.Helper()
		_, _, err := before(t, p, `{"messages":`+messages+`}`)
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.HTTPStatus() != 400 || !strings.Contains(e.Message, want) {
			t.Errorf("%s: got %v", messages, err)
		}
	}
	invalid("a key in a message appears twice", `[{"role":"user","content":"a","content":"b"}]`)
	invalid("a key in a message appears twice", `[{"role":"user","content":[{"text":"a","text":"b"}]}]`)
	invalid("without escapes", `[{"role":"user","cont\u0065nt":"b"}]`)
	invalid("malformed escape", `[{"role":"user","content":"\x"}]`)
	invalid("malformed escape", `[{"role":"\u12","content":"x"}]`)
	invalid("nested too deep", `[{"content":[[[[[[[[[["x"]]]]]]]]]]}]`)
	if len(p.pool.free) != 1 {
		t.Error("the instance was discarded")
	}
}

func TestLargeRequests(t *testing.T) {
	t.Parallel()
	p := hand{pages: 200}.load(t)
	body := func(n int) string { return `{"messages":[{"role":"user","content":"` + strings.Repeat("x", n) + `"}]}` }
	if _, _, err := before(t, p, body(1<<20)); err != nil {
		t.Errorf("1 MB: %v", err)
	}
	if _, _, err := before(t, p, body(7<<20)); err != nil {
		t.Errorf("7 MB: %v", err)
	}
	_, _, err := before(t, p, body(9<<20))
	if !errors.Is(err, ErrSize) || len(p.pool.free) != 1 {
		t.Errorf("9 MB: got %v", err)
	}
}

func TestContinueAllocatesNothing(t *testing.T) {
	p := hand{}.load(t)
	g, x := p.Guard("g", nil), exchange(t, `{"messages":[{"role":"user","content":"a \"quoted\" text\n"},{"role":"system","content":[{"type":"text","text":"b"}]}]}`)
	x.Principal = &llm.Principal{KeyHash: "h", UserID: "u", TeamID: "t", Metadata: map[string]any{"k": "v"}}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := g.Before(&x.Life, x); err != nil {
			t.Fatal(err)
		}
		x.Applied, x.GuardRuns = x.Applied[:0], x.GuardRuns[:0]
	}); n != 0 {
		t.Errorf("a request that passes allocates %v times", n)
	}
}

// TestReload loads and closes generations and looks for what they leave behind.
func TestReload(t *testing.T) {
	path := hand{}.file(t)
	once := func() {
		p, err := Load(t.Context(), Settings{Path: path, CacheDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := before(t, p, hello); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := before(t, p, hello); !errors.Is(err, ErrClosed) {
			t.Fatalf("after Close: %v", err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatalf("second Close: %v", err)
		}
	}
	for range 5 {
		once()
	}
	heap, maps, goroutines := footprint()
	for range 50 {
		once()
	}
	heap2, maps2, goroutines2 := footprint()
	if heap2 > heap+1<<20 {
		t.Errorf("50 generations left %d KB on the heap", (heap2-heap)>>10)
	}
	if maps2 > maps+10 {
		t.Errorf("memory mappings went from %d to %d", maps, maps2)
	}
	if goroutines2 > goroutines+2 {
		t.Errorf("goroutines went from %d to %d", goroutines, goroutines2)
	}
}

func footprint() (heap uint64, maps, goroutines int) {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	text, _ := os.ReadFile("/proc/self/maps") // absent elsewhere: the count is then 0
	return m.HeapAlloc, bytes.Count(text, []byte("\n")), runtime.NumGoroutine()
}

func TestAuthFailure(t *testing.T) {
	t.Parallel()
	manifest := strings.Replace(strings.Replace(handManifest, `["request"]`, `["auth"]`, 1), `["texts"]`, `[]`, 1)
	ask := func(p *Plugin, mode AuthMode) (*llm.Principal, error) {
		t.Helper()
		a, err := p.Authenticator(mode)
		if err != nil {
			t.Fatal(err)
		}
		x := exchange(t, hello)
		return a.Authenticate(&x.Life, x, auth.Credential{Key: []byte("sk-secret"), Present: true})
	}
	fails := func(p *Plugin, mode AuthMode) {
		t.Helper()
		_, err := ask(p, mode)
		var e *llm.Error
		if !errors.As(err, &e) || e.HTTPStatus() != 401 || e.Kind != llm.KindAuth || strings.Contains(err.Error(), "sk-secret") {
			t.Errorf("mode %s: got %v", mode, err)
		}
	}
	open := func(s *Settings) { s.OnError = FailOpen }
	for _, b := range [][]byte{
		verdict(abi.VerdictAllow), verdict(abi.VerdictEdit), verdict(abi.VerdictRespond),
		records(verdict(abi.VerdictReject), number(abi.TagStatus, 404)),
		records(verdict(abi.VerdictAllow), nested(abi.TagPrincipal, textRecord(abi.TagRole, "king"))),
		records(verdict(abi.VerdictAllow), nested(abi.TagPrincipal, nested(abi.TagMetadata, textRecord(abi.TagStr, "no key")))),
		records(verdict(abi.VerdictFail), textRecord(abi.TagReason, "no")),
	} {
		fails(hand{manifest: manifest, call: returnData(b), result: b}.load(t), ModeOn)
	}
	fails(hand{manifest: manifest, call: trap}.load(t), ModeAuto)
	fails(hand{manifest: manifest, call: trap}.load(t, open), ModeOn)
	if who, err := ask(hand{manifest: manifest, call: trap}.load(t, open), ModeAuto); who != nil || err != nil {
		t.Errorf("fail_open in mode auto: got %v, %v", who, err)
	}
	if who, err := ask(hand{manifest: manifest, call: trap}.load(t), ModeOff); who != nil || err != nil {
		t.Errorf("mode off: got %v, %v", who, err)
	}
	if _, err := (&Plugin{}).Authenticator("maybe"); err == nil {
		t.Error("an unknown mode was accepted")
	}
}

// FuzzResult decodes foreign bytes as the result of a hook. It must not panic, and nothing that the host would choke on
// may come out.
func FuzzResult(f *testing.F) {
	f.Add(records(verdict(abi.VerdictReject), number(abi.TagStatus, 400), textRecord(abi.TagReason, "no")))
	f.Add(records(verdict(abi.VerdictEdit), nested(abi.TagEdit, number(abi.TagIndex, 0), textRecord(abi.TagText, "x")), textRecord(abi.TagModel, "m")))
	f.Add(records(verdict(abi.VerdictRetry), number(abi.TagStatus, 422), number(abi.TagChoice, 1), textRecord(abi.TagAsk, "again")))
	f.Add(records(verdict(abi.VerdictHold), textRecord(abi.TagState, "s"), textRecord(abi.TagTag, "t")))
	f.Add(records(verdict(abi.VerdictAllow), nested(abi.TagPrincipal, textRecord(abi.TagUserID, "u"), nested(abi.TagMetadata))))
	f.Add(records(verdict(abi.VerdictAllow), nested(abi.TagPrincipal, textRecord(abi.TagTeamID, "t"), number(abi.TagExpires, 1),
		nested(abi.TagLimit, textRecord(abi.TagLimitOf, abi.LimitOfTeam), number(abi.TagRPMLimit, 2), number(abi.TagMaxBudget, 1<<62), textRecord(abi.TagBudgetDuration, "1d")),
		nested(abi.TagAlias, textRecord(abi.TagKey, "a"), textRecord(abi.TagText, "b")))))
	f.Fuzz(func(t *testing.T, b []byte) {
		res, err := readResult(b, 3)
		if err != nil {
			return
		}
		last := -1
		for _, e := range res.edits {
			if e.Index <= last || e.Index >= 3 {
				t.Fatalf("edits %v", res.edits)
			}
			last = e.Index
		}
		switch res.verdict {
		case abi.VerdictReject, abi.VerdictRetry:
			if res.status/100 != 4 {
				t.Fatalf("got %+v", res)
			}
		case abi.VerdictAllow:
			if res.principal == nil || !sound(res.principal) {
				t.Fatalf("got %+v", res)
			}
		case abi.VerdictContinue, abi.VerdictEdit, abi.VerdictRespond, abi.VerdictHold, abi.VerdictDrop:
		default:
			t.Fatalf("got %+v", res)
		}
		if strings.ContainsAny(res.reason, "\r\n\x00") || len(res.changes) > maxChanges || len(res.ask) > maxAsk || len(res.state) > llm.MaxState {
			t.Fatalf("got %+v", res)
		}
	})
}

// used reports whether an instance that served a call waits for another. One that was made since has served none.
func used(p *Plugin) bool {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	return slices.ContainsFunc(p.pool.free, func(in *instance) bool { return in.calls > 0 })
}
