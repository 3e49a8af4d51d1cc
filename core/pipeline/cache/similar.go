package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Similar finds answers to prompts that mean the same. Only what was said last is compared by its meaning: who shares
// answers, the model, every parameter, and all that was said before must be the same to the last byte.
type Similar struct {
	Index   Semantic        // required
	Embed   Embedder        // required
	AtLeast float64         // the similarity from which prompts mean the same, 0 to 1
	Timeout time.Duration   // for vector and search together; default 2 s
	State   func(open bool) // told when the index is left alone because it does not answer, and when it is back; may be nil
	Logger  *slog.Logger

	mu       sync.Mutex
	failures int
	alone    time.Time // until when nobody is asked
}

// away reports whether the index, or what makes vectors, is left alone for a while because it did not answer.
func (s *Similar) away(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures < breakAfter {
		return false
	}
	if now.Before(s.alone) {
		return true
	}
	s.alone = now.Add(similarPause) // this one tries
	return false
}

// answered notes whether there was an answer. What the caller's leaving broke off says nothing.
func (s *Similar) answered(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || errors.Is(err, ErrMiss) {
		if s.failures >= breakAfter {
			s.tell(false, nil)
		}
		s.failures = 0
		return
	}
	if s.failures++; s.failures >= breakAfter {
		s.alone = time.Now().Add(similarPause)
	}
	if s.failures == breakAfter {
		s.tell(true, err)
	}
}

func (s *Similar) tell(open bool, err error) {
	if s.State != nil {
		s.State(open)
	}
	switch {
	case s.Logger == nil:
	case open:
		s.Logger.Warn("the semantic cache does not answer: requests go on without it", "error", err)
	default:
		s.Logger.Info("the semantic cache answers again")
	}
}

const (
	defaultSimilarTimeout = 2 * time.Second
	maxPrompt             = 32 << 10 // bytes of a text that is compared
	maxLearning           = 64       // entries that are being added to the index at a time
	similarPause          = 2 * time.Second
)

// likeness is a prompt on its way to the index.
type likeness struct {
	on     bool
	sum    [32]byte // of everything but the prompt
	text   string
	vector []float32
	who    *llm.Principal // on whose account vectors are made
}

// similar looks for the answer to a prompt that means the same.
func (u *use) similar(ctx context.Context, x *llm.Exchange) *llm.Reply {
	s := u.h.s.Similar
	if s == nil || !u.likeness(x) || s.away(time.Now()) {
		return nil
	}
	within, cancel := context.WithTimeout(llm.WithPrincipal(ctx, x.Principal), s.timeout())
	defer cancel()
	var err error
	if u.like.vector, err = s.Embed.Embed(within, u.like.text); err != nil {
		s.answered(ctx, err)
		u.h.failed(ctx, err)
		return nil
	}
	raw, likeness, err := s.Index.Nearest(within, u.scopeName(), u.like.vector, s.AtLeast, u.buf[:0])
	s.answered(ctx, err)
	if err != nil {
		u.h.failed(ctx, err)
		return nil
	}
	u.buf = raw
	if u.e.read(raw) != nil || u.e.sum != u.like.sum {
		u.h.s.Count(EventInvalid)
		return nil
	}
	now := time.Now()
	if !u.timely(now) || u.old(now) {
		return nil
	}
	r := u.serve(x, raw, now)
	if r != nil {
		x.Cached.Similarity = likeness
		if u.e.kind != kindVerbatim && len(u.e.label) > 0 {
			x.Cached.Key = string(u.e.label) // the entry's own, by which it can be removed
		}
		u.h.s.Count(EventSimilar)
	}
	return r
}

func (s *Similar) timeout() time.Duration {
	if s.Timeout <= 0 {
		return defaultSimilarTimeout
	}
	return s.Timeout
}

func (u *use) scopeName() string { return u.like.scope(u.namespace) }

func (l *likeness) scope(namespace string) string {
	name := hex.EncodeToString(l.sum[:])
	if namespace == "" {
		return name
	}
	return namespace + ":" + name
}

// likeness finds what was said last, and hashes everything else.
func (u *use) likeness(x *llm.Exchange) bool {
	if x.Op != llm.OpChat && x.Op != llm.OpCompletion {
		return false
	}
	body := &x.Body
	if x.Dialect != llm.DialectOpenAI && !x.Edited() {
		body = &x.Native
	}
	k := u.h.keyers.Get().(*keyer)
	defer u.h.keyers.Put(k)
	k.reset()
	k.write(u.h, x, prompts)
	var text []byte
	ok := false
	for _, name := range [...]string{"messages", "prompt", "input"} {
		if v := body.Get(name); given(v) {
			k.field(name)
			if text, ok = k.lastSaid(v); !ok {
				return false
			}
		}
	}
	if !ok || len(text) == 0 || len(text) > maxPrompt {
		return false
	}
	u.like = likeness{on: true, sum: k.sum(), text: string(text), who: x.Principal}
	return true
}

// lastSaid returns the text that was said last, and writes everything before it. It must be a text of the user's.
func (k *keyer) lastSaid(v []byte) ([]byte, bool) {
	if v[0] == '"' {
		return llm.Text(v)
	}
	var last []byte
	c := dialect.Array(v)
	for c.Next() {
		if last != nil {
			k.value(last)
			k.out = append(k.out, ',')
		}
		last = c.Value()
	}
	if c.Broken() || last == nil || last[0] != '{' {
		return nil, false
	}
	var o llm.Object
	if o.Parse(last) != nil || string(o.Get("role")) != `"user"` {
		return nil, false
	}
	for _, m := range o.Members() {
		if key := o.Key(m); string(key) != "content" {
			k.field(string(key))
			k.value(o.Value(m))
		}
	}
	return contentText(o.Get("content"))
}

// contentText is the text of a content that has nothing else.
func contentText(content []byte) ([]byte, bool) {
	if !given(content) {
		return nil, false
	}
	if content[0] == '"' {
		return llm.Text(content)
	}
	c := dialect.Array(content)
	var text []byte
	for c.Next() {
		var o llm.Object
		if o.Parse(c.Value()) != nil || len(o.Members()) != 2 {
			return nil, false
		}
		switch string(o.Get("type")) {
		case `"text"`, `"input_text"`:
		default:
			return nil, false
		}
		s, ok := llm.Text(o.Get("text"))
		if !ok {
			return nil, false
		}
		if text != nil {
			text = append(text, '\n')
		}
		text = append(text, s...)
	}
	return text, !c.Broken()
}

// learn adds an answer to the index, beside everything else.
func (p *putting) learn() {
	s, h := p.h.s.Similar, p.h
	if s == nil || !p.like.on || s.away(time.Now()) {
		return
	}
	select {
	case h.learning <- struct{}{}:
	default:
		h.s.Count(EventDropped)
		return
	}
	h.jobs.Go(func() {
		defer func() { <-h.learning }()
		ctx, cancel := context.WithTimeout(llm.WithPrincipal(h.ctx, p.like.who), jobPatience)
		defer cancel()
		err := p.teach(ctx, s)
		s.answered(h.ctx, err)
		if err != nil && !errors.Is(err, context.Canceled) {
			h.s.Count(EventFailed)
		}
	})
}

func (p *putting) teach(ctx context.Context, s *Similar) (err error) {
	if p.like.vector == nil {
		if p.like.vector, err = s.Embed.Embed(ctx, p.like.text); err != nil {
			return err
		}
	}
	e := p.entry
	e.sum = p.like.sum
	if e.kind != kindVerbatim {
		e.label = []byte(p.key)
	}
	return s.Index.Add(ctx, p.like.scope(p.namespace), p.key, p.like.vector, e.append(nil), p.ttl)
}
