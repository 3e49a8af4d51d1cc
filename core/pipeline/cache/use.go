package cache

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// use is what the cache does for one exchange. It is pooled, and lives until the exchange is settled.
type use struct {
	h         *Hook
	ctl       controls
	namespace string
	sum       [32]byte
	key       string
	recalled  bool    // the key is known from an earlier request
	plain     bool    // the request says nothing about caching
	flight    *flight // of which this exchange is the one that others wait for

	buf    []byte // holds raw, unless a store in memory shows it
	raw    []byte // the entry that answers
	shown  bool   // by a store in memory
	e      entry
	made   []byte // what was made of the entry, if it has another form
	reply  llm.Reply
	next   []byte // the parts that follow
	header [1]llm.Field
	list   inputs // of an embedding
	like   likeness
}

// maxKept is the size from which a buffer is not kept.
const maxKept = 1 << 20

func (u *use) release() {
	h, buf, made, list := u.h, u.buf[:0], u.made[:0], u.list
	if cap(buf) > maxKept {
		buf = nil
	}
	if cap(made) > maxKept {
		made = nil
	}
	list.reset()
	*u = use{h: h, buf: buf, made: made, list: list}
	h.uses.Put(u)
}

// lookup asks the store.
func (u *use) lookup(ctx context.Context, x *llm.Exchange) *llm.Reply {
	raw, ok := u.fetch(ctx)
	if !ok {
		return nil
	}
	now := time.Now()
	r := u.answer(x, raw, now)
	if r == nil {
		return nil
	}
	if u.old(now) {
		u.renew(x)
		u.h.s.Count(EventStale)
		return r
	}
	u.remember(x)
	u.h.s.Count(EventHit)
	return r
}

// fetch gets the bytes under the key.
func (u *use) fetch(ctx context.Context) ([]byte, bool) {
	if v := u.h.viewer; v != nil {
		if raw, ok := v.View(u.key); ok {
			u.shown = true
			return raw, true
		}
		if v.ViewsAll() {
			return nil, false
		}
	}
	var err error
	if u.buf, err = u.h.s.Store.Get(ctx, u.key, u.buf[:0]); err != nil {
		u.h.failed(ctx, err)
		return nil, false
	}
	return u.buf, true
}

// failed counts what went wrong with a store. It says nothing itself: that is the affair of whoever keeps an eye on it.
func (h *Hook) failed(ctx context.Context, err error) {
	if !errors.Is(err, ErrMiss) && ctx.Err() == nil {
		h.s.Count(EventFailed)
	}
}

// answer makes a reply of an entry, or nil if it is none for this request. A spoilt one stays until the next answer takes its
// place: to remove it meanwhile might remove that answer.
func (u *use) answer(x *llm.Exchange, raw []byte, now time.Time) *llm.Reply {
	read := u.e.read
	if u.shown {
		read = u.e.parse
	}
	if read(raw) != nil || u.e.sum != u.sum {
		u.h.s.Count(EventInvalid)
		return nil
	}
	if !u.timely(now) {
		return nil
	}
	return u.serve(x, raw, now)
}

// timely reports whether the entry is young enough.
func (u *use) timely(now time.Time) bool {
	if u.ctl.maxAge >= 0 && now.Sub(u.e.created) > u.ctl.maxAge {
		return false
	}
	return u.e.fresh.IsZero() || now.Before(u.e.fresh.Add(u.h.s.Stale))
}

// old reports whether the entry is to be renewed.
func (u *use) old(now time.Time) bool { return !u.e.fresh.IsZero() && !now.Before(u.e.fresh) }

const jobPatience = 5 * time.Second

// serve makes the reply of the entry, which has been checked.
func (u *use) serve(x *llm.Exchange, raw []byte, now time.Time) *llm.Reply {
	e := &u.e
	if e.dialect != llm.DialectOpenAI && (e.dialect != x.Dialect || u.h.s.Guarded || x.Edited()) {
		return nil // nobody could read it
	}
	u.reply = llm.Reply{
		Status: e.status, Dialect: e.dialect, Streamed: x.Streamed && x.Op.Streams(), Usage: e.usage, Finish: finishName(e.finish), Began: now,
	}
	if !u.shape(x) {
		return nil
	}
	u.raw = raw
	return u.hit(x)
}

// hit makes the reply that is ready the answer to x.
func (u *use) hit(x *llm.Exchange) *llm.Reply {
	u.reply.Rest = u
	x.Cached.Hit, x.Cached.Saved = true, u.e.saved
	return &u.reply
}

// shape sets what goes out: the entry as it is, or in the form that was asked for.
func (u *use) shape(x *llm.Exchange) bool {
	e, r := &u.e, &u.reply
	switch {
	case e.kind == kindVerbatim:
		r.Verbatim, r.Streamed = true, e.stream
		u.header[0] = llm.Field{Name: []byte("Content-Type"), Value: e.label}
		r.Header = u.header[:]
		u.next = e.parts
	case e.kind == kindItem:
		return false
	case e.kind == kindStream && r.Streamed, e.kind == kindWhole && !r.Streamed:
		u.next = e.parts
	default:
		var ok bool
		if u.made, ok = reshape(u.made[:0], e); !ok {
			return false
		}
		u.next = u.made
	}
	if r.Streamed && r.Dialect == llm.DialectOpenAI && !x.WantUsage {
		u.next = withoutUsage(u.next)
	}
	return u.Next(&r.First) == nil
}

// Next implements llm.Stream: the parts of the entry.
func (u *use) Next(p *llm.Part) error {
	if len(u.next) == 0 {
		return io.EOF
	}
	var ok bool
	*p = llm.Part{}
	if p.Event, p.Data, u.next, ok = nextPart(u.next); !ok {
		return io.EOF
	}
	p.More = len(u.next) > 0
	return nil
}

// Close implements llm.Stream. The bytes stay until the exchange is settled.
func (u *use) Close() error {
	u.next = nil
	return nil
}

// finishName spares an allocation for what the API defines.
func finishName(b []byte) string {
	for _, s := range [...]string{"stop", "length", "tool_calls", "content_filter", "function_call"} {
		if string(b) == s {
			return s
		}
	}
	return string(b)
}
