package cache

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// shelf is a store in memory that shows what it holds.
type shelf struct{ values map[string][]byte }

func newShelf() *shelf { return &shelf{map[string][]byte{}} }

func (s *shelf) View(key string) ([]byte, bool) { v, ok := s.values[key]; return v, ok }
func (s *shelf) ViewsAll() bool                 { return true }

func (s *shelf) Get(_ context.Context, key string, buf []byte) ([]byte, error) {
	if v, ok := s.values[key]; ok {
		return append(buf, v...), nil
	}
	return buf, ErrMiss
}

func (s *shelf) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	s.values[key] = append([]byte(nil), value...)
	return nil
}

func (s *shelf) Delete(_ context.Context, keys ...string) (int, error) {
	for _, k := range keys {
		delete(s.values, k)
	}
	return len(keys), nil
}

func (s *shelf) Flush(context.Context) error { clear(s.values); return nil }
func (s *shelf) Ping(context.Context) error  { return nil }
func (s *shelf) Close() error                { return nil }

// ended is what follows a whole answer.
type ended struct{}

func (ended) Next(*llm.Part) error { return io.EOF }
func (ended) Close() error         { return nil }

// ask sends an exchange through the hook; a model answers if the cache does not. It returns what the cache answered with,
// and whether it knew the key from the request's bytes.
func ask(t testing.TB, h *Hook, x *llm.Exchange, model string) (answer string, recalled bool) {
	t.Helper()
	r, err := h.Before(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := x.Cached.State.(*use); ok {
		recalled = u.recalled
	}
	if r != nil {
		answer = string(r.First.Data)
	} else {
		r = &llm.Reply{Status: 200, Deployment: &llm.Deployment{}, First: llm.Part{Data: []byte(model)}, Rest: ended{}}
		if err := h.After(t.Context(), x, r); err != nil {
			t.Fatal(err)
		}
	}
	h.Settle(x, r, nil)
	return answer, recalled
}

// Of a request that comes again byte for byte the key is known; nothing else is taken for it.
func TestRecall(t *testing.T) {
	t.Parallel()
	h := New(Settings{Store: newShelf(), Scope: ScopeTeam})
	const body = `{"messages":[{"role":"user","content":"hi"}],"seed":1}`
	of := func(body string, change func(*llm.Exchange)) *llm.Exchange {
		x := exchange(t, body)
		x.Principal = &llm.Principal{TeamID: "t1"}
		if change != nil {
			change(x)
		}
		return x
	}
	check := func(what string, x *llm.Exchange, answer string, known bool) {
		t.Helper()
		if got, recalled := ask(t, h, x, "{}"); got != answer || recalled != known {
			t.Errorf("%s: answer %q, key known %v; want %q, %v", what, got, recalled, answer, known)
		}
	}
	check("the first", of(body, nil), "", false)
	check("the second", of(body, nil), "{}", false)
	check("the third", of(body, nil), "{}", true)
	key := of(body, nil)
	if _, err := h.Before(t.Context(), key); err != nil || key.Cached.Key != keyOf("", ptr(keyFor(h, key))) {
		t.Errorf("the known key is %s, %v; the request's is another one", key.Cached.Key, err)
	}
	check("spaces", of(strings.Replace(body, ":1", ": 1", 1), nil), "{}", false)
	check("another text", of(strings.Replace(body, "hi", "ho", 1), nil), "", false)
	check("another team", of(body, func(x *llm.Exchange) { x.Principal = &llm.Principal{TeamID: "t2"} }), "", false)
	check("another model", of(body, func(x *llm.Exchange) { x.Model = "n" }), "", false)
	check("another operation", of(body, func(x *llm.Exchange) { x.Op = llm.OpCompletion }), "", false)
	check("another beta", of(body, func(x *llm.Exchange) {
		x.Header = llm.Header{{Name: []byte("openai-beta"), Value: []byte("b")}}
	}), "", false)
	check("what a hook sends along", of(body, func(x *llm.Exchange) {
		x.Added = llm.Header{{Name: []byte("a"), Value: []byte("b")}}
	}), "", false)
	check("another region", of(body, func(x *llm.Exchange) { x.Region = "eu" }), "", false)
	check("the same again", of(body, nil), "{}", true)
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after all was removed", of(body, nil), "", false)
}

func ptr[T any](v T) *T { return &v }

// What a request says about caching is heard each time.
func TestRecallHearsControls(t *testing.T) {
	t.Parallel()
	h := New(Settings{Store: newShelf()})
	for _, c := range []string{`"cache":{"no-cache":true}`, `"caching":true`, `"ttl":7`, `"cache":{"s-maxage":600}`, `"cache":{}`} {
		for range 4 {
			if _, known := ask(t, h, exchange(t, `{"messages":[],`+c+`}`), "{}"); known {
				t.Errorf("%s: the key was taken from an earlier request", c)
			}
		}
	}
	for range 3 {
		ask(t, h, exchange(t, `{"messages":[1]}`), "{}")
	}
	x := exchange(t, `{"messages":[1]}`)
	x.Header = llm.Header{{Name: []byte("Cache-Control"), Value: []byte("s-maxage=30")}}
	u, err := h.begin(x)
	if err != nil || !u.recalled || u.ctl.ttl != 30*time.Second || u.ctl.maxAge != -1 {
		t.Errorf("the header's lifetime: %+v, %v", u.ctl, err)
	}
}

func TestRecallIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecall()
	long := strings.Repeat("x", 100<<10)
	for i := range 300 {
		body := []byte(fmt.Sprint(i, long))
		r.add([]byte("h"), body, [32]byte{}, "", "k")
		if r.find([]byte("h"), body) == nil {
			t.Fatal("what was just kept is not there")
		}
		held := 0
		for j := range r.slots {
			if k := r.slots[j].Load(); k != nil {
				held += len(k.head) + len(k.body)
			}
		}
		if held > recallBytes {
			t.Fatalf("%d bytes are held", held)
		}
	}
	most := make([]byte, recallMost+1)
	r.add(nil, most, [32]byte{}, "", "k")
	if r.find(nil, most) != nil {
		t.Error("a request that is too long was kept")
	}
}

// A hit takes no memory that grows with the answer.
func TestHitAllocations(t *testing.T) {
	h := New(Settings{Store: newShelf()})
	x := exchange(t, `{"messages":[{"role":"user","content":"hi"}]}`)
	answer := strings.Repeat("a", 1<<20)
	one := func() {
		if r, err := h.Before(t.Context(), x); err != nil || r == nil || len(r.First.Data) != len(answer) {
			t.Fatalf("no hit: %v", err)
		}
		h.Settle(x, nil, nil)
	}
	ask(t, h, x, answer)
	one()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const hits = 100
	for range hits {
		one()
	}
	runtime.ReadMemStats(&after)
	if bytes := (after.TotalAlloc - before.TotalAlloc) / hits; bytes > 4<<10 {
		t.Errorf("a hit of %d bytes allocates %d", len(answer), bytes)
	}
}

func BenchmarkHit(b *testing.B) {
	bench := func(name, other string) {
		b.Run(name, func(b *testing.B) {
			h := New(Settings{Store: newShelf()})
			text := strings.Repeat("words and more words. ", 90)
			x := exchange(b, `{"model":"m","messages":[{"role":"user","content":"`+text+`"}],"temperature":0.2`+other+`}`)
			ask(b, h, x, strings.Repeat("a", 1000))
			b.ReportAllocs()
			for b.Loop() {
				r, err := h.Before(b.Context(), x)
				if r == nil || err != nil {
					b.Fatal(err)
				}
				h.Settle(x, r, nil)
			}
		})
	}
	bench("same bytes", "")
	bench("other bytes", `,"cache":{}`) // what says something about caching is not recalled
}
