package router

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// once asks and answers, and returns who was called.
func once(t *testing.T, r *Router, x *llm.Exchange) string {
	t.Helper()
	ids, err := walk(t, r, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// stays asks again and again and reports whether the same deployment answers always.
func stays(t *testing.T, r *Router, next func() *llm.Exchange) bool {
	t.Helper()
	first := once(t, r, next())
	for range 40 {
		if once(t, r, next()) != first {
			return false
		}
	}
	return true
}

func affine(a Affinity) Settings {
	s := abc()
	s.Affinity, s.States = a, NewStates()
	return s
}

func TestKeyAffinity(t *testing.T) {
	t.Parallel()
	by := func(key string) func() *llm.Exchange {
		return func() *llm.Exchange {
			x := ask("g")
			x.Principal = &llm.Principal{KeyHash: key}
			return x
		}
	}
	r := build(t, affine(Affinity{Keys: true}))
	if !stays(t, r, by("k1")) {
		t.Error("a key goes from one to another")
	}
	if stays(t, r, by("")) {
		t.Error("callers without a key are bound")
	}
	if stays(t, build(t, affine(Affinity{Sessions: true})), by("k1")) {
		t.Error("it is off")
	}
	// Many keys spread.
	used := map[string]bool{}
	for i := range 40 {
		used[once(t, r, by(fmt.Sprint(i))())] = true
	}
	if len(used) != 3 {
		t.Errorf("40 keys use %v", used)
	}
}

func TestSessionAffinity(t *testing.T) {
	t.Parallel()
	f := func(want bool, mark func(x *llm.Exchange)) {
		t.Helper()
		r := build(t, affine(Affinity{Sessions: true}))
		if got := stays(t, r, func() *llm.Exchange {
			x := with(t, "g", "")
			mark(x)
			return x
		}); got != want {
			t.Errorf("bound: %v", got)
		}
	}
	f(false, func(*llm.Exchange) {})
	f(true, func(x *llm.Exchange) { x.Controls.Metadata = []byte(`{"session_id":"s"}`) })
	f(false, func(x *llm.Exchange) { x.Controls.Metadata = []byte(`{"session_id":7}`) })
	f(true, func(x *llm.Exchange) {
		x.Header = llm.Header{{Name: []byte("X-Litellm-Session-Id"), Value: []byte("s")}}
	})
	f(true, func(x *llm.Exchange) {
		if err := x.Body.Parse([]byte(`{"litellm_session_id":"s"}`)); err != nil {
			t.Fatal(err)
		}
		x.Controls.Given = true
	})
}

// Whoever a session is bound to may be out of use: another one answers, and the session stays with that.
func TestAffinityYields(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := affine(Affinity{Sessions: true, TTL: time.Minute})
		r := build(t, s)
		x := func() *llm.Exchange {
			x := ask("g")
			x.Controls.Metadata = []byte(`{"session_id":"s"}`)
			return x
		}
		first := once(t, r, x())
		s.States.Cool(first, time.Now().Add(time.Second))
		second := once(t, r, x())
		if second == first {
			t.Fatal("it was left alone, and called")
		}
		time.Sleep(2 * time.Second)
		if got := once(t, r, x()); got != second {
			t.Errorf("it went back to %s", got)
		}
		// A failure is tried elsewhere.
		script := map[string]error{second: fails(llm.KindInternal)}
		ids, err := walk(t, r, x(), script)
		if err != nil || len(ids) != 2 || ids[0] != second || once(t, r, x()) != ids[1] {
			t.Errorf("called %v %v", ids, err)
		}
		// After its time a session is free again.
		seen := map[string]bool{}
		for range 30 {
			seen[once(t, r, x())] = true
			time.Sleep(2 * time.Minute)
		}
		if len(seen) != 3 {
			t.Errorf("after their time sessions went to %v", seen)
		}
	})
}

// turn is a message of n characters, and a mark on it.
func turn(role, name string, n int, mark string) string {
	text := name + strings.Repeat(".", n)
	if mark == "" {
		return fmt.Sprintf(`{"role":%q,"content":%q}`, role, text)
	}
	return fmt.Sprintf(`{"role":%q,"content":[{"type":"text","text":%q,"cache_control":%s}]}`, role, text, mark)
}

func prompt(t testing.TB, messages ...string) *llm.Exchange {
	t.Helper()
	x := ask("g")
	if err := x.Body.Parse([]byte(`{"model":"g","messages":[` + strings.Join(messages, ",") + `]}`)); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestPromptAffinity(t *testing.T) {
	t.Parallel()
	const short, long = `{"type":"ephemeral"}`, `{"type":"ephemeral","ttl":"1h"}`
	system := turn("system", "rules", 6000, short)
	// follows reports whether the second request always goes where the first one went.
	follows := func(pause time.Duration, first, second func(name string) []string) (yes bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := build(t, affine(Affinity{Prompts: true}))
			yes = true
			for i := range 12 {
				name := fmt.Sprint(i)
				at := once(t, r, prompt(t, first(name)...))
				time.Sleep(pause)
				yes = yes && once(t, r, prompt(t, second(name)...)) == at
			}
		})
		return yes
	}
	f := func(want bool, pause time.Duration, first, second func(name string) []string) {
		t.Helper()
		if got := follows(pause, first, second); got != want {
			t.Errorf("follows: %v", got)
		}
	}
	one := func(name string) []string {
		return []string{system, turn("user", name, 5000, short)}
	}
	f(true, 0, one, one)
	// The conversation goes on, and the mark with it; what was a block is a text now.
	f(true, 0, one, func(name string) []string {
		return []string{turn("system", "rules", 6000, ""), turn("user", name, 5000, ""), turn("assistant", "ok", 1, ""), turn("user", "more", 1, short)}
	})
	// Another beginning, no mark at all, a short one.
	f(false, 0, one, func(name string) []string {
		return []string{turn("system", "other"+name, 6000, short), turn("user", name, 5000, short)}
	})
	f(false, 0, one, func(name string) []string {
		return []string{turn("system", "rules", 6000, ""), turn("user", name, 5000, "")}
	})
	brief := func(name string) []string { return []string{turn("user", name, 10, short)} }
	f(false, 0, brief, brief)
	// As long as the vendor keeps it.
	f(true, 4*time.Minute, one, one)
	unique := func(mark string) func(string) []string {
		return func(name string) []string { return []string{turn("system", name, 6000, mark)} }
	}
	f(false, 6*time.Minute, unique(short), unique(short))
	f(true, 50*time.Minute, unique(long), unique(long))
	f(false, 70*time.Minute, unique(long), unique(long))

	// The mark of Anthropic's own form, with system and tools of their own.
	native := func(name string) *llm.Exchange {
		x := ask("g")
		x.Dialect = llm.DialectMessages
		raw := fmt.Sprintf(`{"tools":[{"name":"t","input_schema":{}}],"system":[{"type":"text","text":%q,"cache_control":%s}],"messages":[%s]}`,
			name+strings.Repeat(".", 6000), short, turn("user", "hi", 3, ""))
		if err := x.Native.Parse([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		return x
	}
	r := build(t, affine(Affinity{Prompts: true}))
	for i := range 10 {
		if a, b := once(t, r, native(fmt.Sprint(i))), once(t, r, native(fmt.Sprint(i))); a != b {
			t.Fatalf("%s, then %s", a, b)
		}
	}
}

// sharing remembers what a router tells others.
type sharing struct {
	Shared
	pins  map[Key]string
	asked int
}

func (s *sharing) Pin(k Key, id string, _ time.Duration) { s.pins[k] = id }
func (s *sharing) Ask(Key)                               { s.asked++ }

// What one replica binds, the others know; and it is told once, not with every request.
func TestSharedAffinity(t *testing.T) {
	t.Parallel()
	told := &sharing{pins: map[Key]string{}}
	s := affine(Affinity{Sessions: true})
	s.Shared = told
	x := ask("g")
	x.Controls.Metadata = []byte(`{"session_id":"s"}`)
	at := once(t, build(t, s), x)
	if len(told.pins) != 1 || told.asked != 1 {
		t.Fatalf("told %v, asked %d times", told.pins, told.asked)
	}
	other := affine(Affinity{Sessions: true})
	for k, id := range told.pins {
		other.States.Pin(k, id, time.Hour)
		clear(told.pins)
		if other.States.Pinned(k) != at {
			t.Fatal("it is not known")
		}
	}
	other.Shared = told
	r := build(t, other)
	for range 20 {
		if got := once(t, r, x); got != at {
			t.Fatalf("the other replica calls %s, not %s", got, at)
		}
	}
	if len(told.pins) != 0 || told.asked != 1 {
		t.Errorf("told %v, asked %d times", told.pins, told.asked)
	}
}

func TestPinsAreBounded(t *testing.T) {
	t.Parallel()
	var p pins
	key := func(i int) (k Key) {
		copy(k[:], fmt.Sprintf("%016d", i))
		return k
	}
	for i := range maxPins + 1000 {
		p.set(key(i), "a", 0, time.Hour)
	}
	if n := len(p.byID); n > maxPins || n < maxPins/2 {
		t.Fatalf("%d pins", n)
	}
	if p.get(key(maxPins+999), 1) != "a" || p.get(key(maxPins+999), int64(time.Hour)) != "" {
		t.Error("the latest is not there, or for too long")
	}
	for i := range 100 {
		p.set(key(-i-1), "b", int64(2*time.Hour), time.Hour)
	}
	if n := len(p.byID); n > maxPins-100 {
		t.Errorf("%d pins: none whose time is over went", n)
	}
}

// Whatever a body holds, finding what binds it ends, and finds the same each time.
func FuzzPrefix(f *testing.F) {
	f.Add(`[{"role":"user","content":"x","cache_control":{"type":"ephemeral"}}]`, `[]`)
	f.Add(`[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]`, `"s"`)
	f.Add(`[[],7,null,{"content":{"cache_control":[]}}]`, `{"cache_control":null}`)
	f.Fuzz(func(t *testing.T, messages, system string) {
		raw := []byte(`{"messages":` + messages + `,"system":` + system + `,"pad":"` + strings.Repeat("x", 5000) + `"}`)
		x := ask("g")
		if !json.Valid(raw) || x.Body.Parse(raw) != nil {
			return
		}
		var a, b bonds
		g := &group{name: "g"}
		a.find(x, g, &Affinity{Prompts: true})
		b.find(x, g, &Affinity{Prompts: true})
		if len(a.prompt.ends) > lookBack || fmt.Sprint(a.prompt.ends, a.prompt.marks) != fmt.Sprint(b.prompt.ends, b.prompt.marks) {
			t.Errorf("%v, then %v", a.prompt, b.prompt)
		}
		for _, m := range a.prompt.marks {
			if m.ttl != shortCache && m.ttl != longCache {
				t.Errorf("kept for %v", m.ttl)
			}
		}
	})
}

// strict fails the test when a request waits for other replicas.
type strict struct {
	*sharing
	t     *testing.T
	taken int
	wrong bool
}

func (s *strict) Take(context.Context, string, uint64, int64) (bool, error) {
	s.taken++
	if s.wrong {
		s.t.Error("a request waits for Redis")
	}
	return true, nil
}

// Only the strategy that counts before it sends asks the others, and only where there is a limit.
func TestNoRoundTrips(t *testing.T) {
	t.Parallel()
	f := func(strategy, limit string, asks bool) {
		t.Helper()
		s := abc("tpm=1000000")
		if limit != "" {
			s = abc("tpm=1000000", limit)
		}
		shared := &strict{sharing: &sharing{pins: map[Key]string{}}, t: t, wrong: !asks}
		s.Strategy, s.Shared = strategy, shared
		s.PreCallChecks, s.EnforceLimits, s.TagFiltering = true, true, true
		s.Affinity = Affinity{Prompts: true, Sessions: true, Keys: true, Encrypted: true}
		r := build(t, s)
		for range 20 {
			x := with(t, "g", "")
			x.Controls.Metadata = []byte(`{"session_id":"s"}`)
			if _, err := walk(t, r, x, nil); err != nil {
				t.Fatal(err)
			}
		}
		if asks && shared.taken == 0 {
			t.Errorf("%s counts alone", strategy)
		}
	}
	for _, strategy := range Strategies() {
		f(strategy, "rpm=1000", strategy == UsageBasedV2)
		f(strategy, "", false)
	}
}
