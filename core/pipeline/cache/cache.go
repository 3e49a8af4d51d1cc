package cache

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
)

// Settings of a Hook. Store is required, and stays the caller's; zero values of the others take the defaults.
type Settings struct {
	Store     Store
	Similar   *Similar      // finds answers to prompts that mean the same; nil finds none
	Namespace string        // of keys; a request may name another one
	TTL       time.Duration // of an entry, unless the request says another; 0 is for as long as there is room
	OptIn     bool          // only requests that say use-cache are cached
	Kinds     []string      // of calls that are cached, see KindOf; nil is all
	Scope     Scope         // who shares answers; default ScopeTeam
	ByTags    bool          // tags choose who answers, so requests with other tags are other requests
	Guarded   bool          // guardrails look at answers, so these must be in the form of the OpenAI API
	MaxEntry  int           // bytes of an entry; a longer answer is not kept. Default 4 MB

	// Group is the name that stands for a model in keys: models with the same name share answers. Nil is the model itself.
	Group func(model string) string
	// Wait is how long a request waits for one like it that is under way; default 30 s, negative lets none wait.
	Wait time.Duration
	// Stale is for how long after its time an answer is still given, while a new one is fetched; 0 is never. Refresh
	// fetches it: it lets a model answer x again, gives the reply to back and records the call. It runs on a goroutine
	// of the hook's.
	Stale   time.Duration
	Refresh func(ctx context.Context, x *llm.Exchange, back func(*llm.Reply) error)

	// Count is told what happened. It must not block. It may be nil.
	Count  func(Event)
	Logger *slog.Logger
}

// Event is something that is counted.
type Event string

// The events.
const (
	EventHit     Event = "hit"     // the answer was there
	EventSimilar Event = "similar" // the answer to a prompt that means the same was there
	EventStale   Event = "stale"   // the answer was there, and is being renewed
	EventJoined  Event = "joined"  // the answer to a request that was under way serves this one too
	EventMiss    Event = "miss"    // a model is asked
	EventInvalid Event = "invalid" // an entry was spoilt, or of another version
	EventStored  Event = "stored"
	EventDropped Event = "dropped" // an answer was not kept: it is too long, or the store cannot keep up
	EventRefused Event = "refused" // the store takes no writes, so the answer is kept in memory
	EventFailed  Event = "failed"  // the store did not answer, or with an error
)

const (
	defaultMaxEntry = 4 << 20
	defaultWait     = 30 * time.Second
)

func (s *Settings) group(model string) string {
	if s.Group == nil {
		return model
	}
	return s.Group(model)
}

// Kinds are the names of what can be cached.
func Kinds() []string {
	return []string{
		"completion", "text_completion", "embedding", "transcription", "rerank", "responses", "anthropic_messages", "generate_content",
	}
}

// ParseKinds reads supported_call_types: names of Kinds, with or without the leading "a" of the reference's.
func ParseKinds(list []string) ([]string, error) {
	if list == nil {
		return nil, nil
	}
	out := make([]string, 0, len(list))
	for _, name := range list {
		kind := name
		if !slices.Contains(Kinds(), kind) {
			kind = strings.TrimSuffix(strings.TrimPrefix(name, "a"), "_stream")
		}
		if !slices.Contains(Kinds(), kind) {
			return nil, fmt.Errorf("%q is no kind of call that can be cached: these are %s", name, strings.Join(Kinds(), ", "))
		}
		out = append(out, kind)
	}
	return out, nil
}

// KindOf is the name of what a request is, or "" if such requests are never cached.
func KindOf(x *llm.Exchange) string {
	switch x.Op {
	case llm.OpChat:
		switch x.Dialect {
		case llm.DialectMessages:
			return "anthropic_messages"
		case llm.DialectResponses:
			return "responses"
		case llm.DialectGoogle:
			return "generate_content"
		}
		return "completion"
	case llm.OpCompletion:
		return "text_completion"
	case llm.OpEmbedding:
		return "embedding"
	case llm.OpTranscription, llm.OpTranslation:
		return "transcription"
	case llm.OpRerank:
		return "rerank"
	}
	return ""
}

// Hook answers requests from a store, and keeps the answers of models there. It comes last in the chain, so that all others
// have seen a request that it answers, and see its answer as they would see a model's. It is safe for concurrent use.
type Hook struct {
	s        Settings
	keyers   *sync.Pool
	uses     sync.Pool
	recall   *recall
	flights  flights
	viewer   Viewer
	learning chan struct{} // a place for each entry that is being added to an index
	jobs     sync.WaitGroup
	ctx      context.Context
	stop     context.CancelFunc
}

var (
	_ pipeline.Before = (*Hook)(nil)
	_ pipeline.After  = (*Hook)(nil)
	_ pipeline.Stream = (*Hook)(nil)
	_ pipeline.Settle = (*Hook)(nil)
)

// New makes a Hook.
func New(s Settings) *Hook {
	if s.Scope == "" {
		s.Scope = ScopeTeam
	}
	if s.MaxEntry <= 0 {
		s.MaxEntry = defaultMaxEntry
	}
	if s.Wait == 0 {
		s.Wait = defaultWait
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Count == nil {
		s.Count = func(Event) {}
	}
	h := &Hook{s: s, keyers: newKeyers(), recall: newRecall(), learning: make(chan struct{}, maxLearning)}
	h.viewer, _ = s.Store.(Viewer)
	h.uses.New = func() any { return &use{h: h} }
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// Close waits for answers that are being put away, and ends the renewal of others.
func (h *Hook) Close() {
	h.stop()
	h.jobs.Wait()
}

// Before implements pipeline.Before.
func (h *Hook) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	u, err := h.begin(x)
	if u == nil {
		return nil, err
	}
	if x.Op == llm.OpEmbedding && u.embedding(x) {
		return u.vectors(ctx, x), nil
	}
	if !u.ctl.noCache {
		if r := u.lookup(ctx, x); r != nil {
			return r, nil
		}
		if r := u.similar(ctx, x); r != nil {
			return r, nil
		}
		if r := u.join(ctx, x); r != nil {
			return r, nil
		}
	}
	if u.ctl.noCache && h.s.Similar != nil {
		u.likeness(x)
	}
	h.s.Count(EventMiss)
	return nil, nil
}

// begin decides whether the request is one for the cache, and makes its key.
func (h *Hook) begin(x *llm.Exchange) (*use, error) {
	kind := KindOf(x)
	if kind == "" || x.Pinned != nil || h.s.Kinds != nil && !slices.Contains(h.s.Kinds, kind) {
		return nil, nil
	}
	k := h.keyers.Get().(*keyer)
	defer h.keyers.Put(k)
	k.reset()
	body := k.head(h, x)
	if simple(x, body) {
		if known := h.recall.find(k.out, body.Raw()); known != nil {
			u := h.uses.Get().(*use)
			u.ctl, u.recalled = controls{maxAge: -1}, true
			u.ctl.header(x)
			u.namespace, u.sum, u.key = known.namespace, known.sum, known.key
			x.Cached = llm.CacheUse{Key: u.key, State: u}
			return u, nil
		}
	}
	var ctl controls
	if err := ctl.read(x); err != nil {
		return nil, err
	}
	if ctl.off || h.s.OptIn && !ctl.use || ctl.noCache && ctl.noStore || !own(x) {
		return nil, nil
	}
	u := h.uses.Get().(*use)
	u.ctl, u.plain = ctl, !ctl.given
	u.namespace = h.s.Namespace
	if ctl.namespace != "" {
		u.namespace = ctl.namespace
	}
	k.members(body, nil)
	k.files(x)
	u.sum = k.sum()
	u.key = keyOf(u.namespace, &u.sum)
	x.Cached = llm.CacheUse{Key: u.key, State: u}
	return u, nil
}

// own reports whether the request goes where the operator sends it.
func own(x *llm.Exchange) bool {
	body := &x.Body
	if x.Native.Raw() != nil {
		body = &x.Native
	}
	for _, m := range body.Members() {
		if foreign(body.Key(m), body.Value(m)) {
			return false
		}
	}
	return true
}

// Settle implements pipeline.Settle: whoever waits for an answer that does not come asks by itself.
func (h *Hook) Settle(x *llm.Exchange, _ *llm.Reply, _ error) {
	u, ok := x.Cached.State.(*use)
	if !ok || u.h != h {
		return
	}
	x.Cached.State = nil
	if u.flight != nil {
		h.flights.land(u.key, u.flight, nil)
	}
	u.release()
}

// Delete removes the entries with the keys, and returns how many there were; -1 if the store cannot know. A key that does not
// begin with the namespace is meant in it, as in the reference (litellm/caching/redis_cache.py, check_and_fix_namespace).
func (h *Hook) Delete(ctx context.Context, keys ...string) (int, error) {
	if ns := h.s.Namespace; ns != "" {
		for _, k := range keys[:len(keys):len(keys)] {
			if !strings.HasPrefix(k, ns+":") {
				keys = append(keys, ns+":"+k)
			}
		}
	}
	n, err := h.s.Store.Delete(ctx, keys...)
	if err != nil || h.s.Similar == nil {
		return n, err
	}
	alike, err := h.s.Similar.Index.Delete(ctx, keys...)
	if n < 0 || alike < 0 {
		return -1, err
	}
	return max(n, alike), err // mostly the same entries, found in two ways
}

// Flush removes all entries.
func (h *Hook) Flush(ctx context.Context) error {
	h.recall.clear()
	if h.s.Similar != nil {
		if err := h.s.Similar.Index.Flush(ctx); err != nil {
			return err
		}
	}
	return h.s.Store.Flush(ctx)
}

// Ping says why the cache does not work, if it does not.
func (h *Hook) Ping(ctx context.Context) error {
	if h.s.Similar != nil {
		if err := h.s.Similar.Index.Ping(ctx); err != nil {
			return err
		}
	}
	return h.s.Store.Ping(ctx)
}
