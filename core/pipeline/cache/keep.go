package cache

import (
	"context"
	"io"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// After implements pipeline.After: it keeps a whole answer of a model.
func (h *Hook) After(_ context.Context, x *llm.Exchange, r *llm.Reply) error {
	u := h.keeps(x, r)
	switch {
	case u == nil:
	case r.Verbatim:
		u.record(x, r)
	case u.list.on:
		u.keepVectors(x, r)
	case r.Dialect == llm.DialectResponses && endOfResponse(r.First.Data) == "":
		// It failed, or is not there yet.
	default:
		p := u.put(x, r)
		p.entry.kind, p.entry.parts = kindWhole, appendPart(nil, nil, r.First.Data)
		u.flight = nil
		p.store()
	}
	return nil
}

// Stream implements pipeline.Stream: it keeps a stream when it has ended well.
func (h *Hook) Stream(_ context.Context, x *llm.Exchange, r *llm.Reply) error {
	if u := h.keeps(x, r); u != nil {
		u.record(x, r)
	}
	return nil
}

// keeps returns what is needed to keep the reply, or nil if it is not kept. The answer of another model than the one that
// was asked for is not: the next one is to try the right one again.
func (h *Hook) keeps(x *llm.Exchange, r *llm.Reply) *use {
	u, ok := x.Cached.State.(*use)
	if !ok || u.h != h || x.Cached.Hit || u.ctl.noStore {
		return nil
	}
	if r.Status != 200 || r.Deployment == nil || x.Fallbacks > 0 || r.Socket != nil {
		return nil
	}
	return u
}

// putting is an answer on its way to the store. It does not depend on the exchange.
type putting struct {
	h         *Hook
	key       string
	namespace string
	flight    *flight
	ttl       time.Duration
	entry     entry
	like      likeness
}

// put prepares to keep a reply. The flight stays with u until the answer is there.
func (u *use) put(x *llm.Exchange, r *llm.Reply) *putting {
	p := &putting{h: u.h, key: u.key, namespace: u.namespace, flight: u.flight, ttl: u.ctl.ttl, like: u.like}
	if p.ttl <= 0 {
		p.ttl = u.h.s.TTL
	}
	now := time.Now()
	p.entry = entry{sum: u.sum, created: now, dialect: r.Dialect, status: r.Status}
	if p.ttl > 0 {
		p.entry.fresh = now.Add(p.ttl)
		p.ttl += u.h.s.Stale
	}
	p.told(x, r)
	return p
}

// told sets what is known when the answer is complete.
func (p *putting) told(x *llm.Exchange, r *llm.Reply) {
	p.entry.usage, p.entry.finish = r.Usage, []byte(r.Finish)
	if cost, known := price.Of(r.Deployment.Price, r.Usage, price.CallOf(x, r.Usage)); known {
		p.entry.saved = cost.Total
	}
}

// store puts the entry away and gives it to those who wait for it.
func (p *putting) store() {
	raw := p.write(p.key, &p.entry)
	if p.flight != nil {
		p.h.flights.land(p.key, p.flight, raw)
	}
	if raw != nil {
		p.learn()
	}
}

// write puts an entry under a key. It returns the bytes, or nil if they are too many.
func (p *putting) write(key string, e *entry) []byte {
	h := p.h
	if len(e.parts) > h.s.MaxEntry {
		h.s.Count(EventDropped)
		return nil
	}
	raw := e.append(make([]byte, 0, len(e.parts)+160))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), jobPatience)
	defer cancel()
	if err := h.s.Store.Set(ctx, key, raw, p.ttl); err != nil {
		h.s.Count(EventDropped)
	} else {
		h.s.Count(EventStored)
	}
	return raw
}

// recorded is a stream as it came.
type recorded struct {
	op      llm.Operation
	dialect llm.Dialect
	usage   llm.Usage
	parts   []byte
}

// recorder stands before the parts of a reply and keeps a copy.
type recorder struct {
	u    *use
	x    *llm.Exchange
	r    *llm.Reply
	p    *putting
	rest llm.Stream
	got  recorded
	over bool
}

// record puts a recorder before the parts of a reply.
func (u *use) record(x *llm.Exchange, r *llm.Reply) {
	if r.Rest == nil {
		return
	}
	rec := &recorder{u: u, x: x, r: r, p: u.put(x, r), rest: r.Rest, got: recorded{op: x.Op, dialect: r.Dialect}}
	if r.Verbatim {
		rec.p.entry.kind, rec.p.entry.stream = kindVerbatim, r.Streamed
		rec.p.entry.label = append([]byte(nil), r.Header.Get("Content-Type")...)
	}
	rec.add(&r.First)
	r.Rest = rec
}

func (c *recorder) add(p *llm.Part) {
	if c.over || p.Data == nil {
		return
	}
	// A stream's frame around each word takes more than the words: what is kept of it is far shorter.
	if len(c.got.parts)+len(p.Data) > maxFrames*c.u.h.s.MaxEntry {
		c.over, c.got.parts = true, nil
		c.u.h.s.Count(EventDropped)
		return
	}
	if c.r.Verbatim {
		c.got.parts = append(c.got.parts, p.Data...)
		return
	}
	c.got.parts = appendPart(c.got.parts, p.Event, p.Data)
}

const maxFrames = 8

// Next implements llm.Stream.
func (c *recorder) Next(p *llm.Part) error {
	err := c.rest.Next(p)
	switch {
	case err == nil:
		c.add(p)
	case err == io.EOF && !c.over: //nolint:errorlint // a stream returns it bare
		c.over = true
		c.ended()
	}
	return err
}

// Close implements llm.Stream. A stream that was not read to its end is not kept.
func (c *recorder) Close() error { return c.rest.Close() }

// ended keeps the stream. Making one answer of many parts takes a while, so it is done beside the caller's way; whoever asks
// the same meanwhile waits for it.
func (c *recorder) ended() {
	p, got := c.p, c.got
	c.u.flight = nil
	p.told(c.x, c.r)
	got.usage = c.r.Usage
	if p.entry.kind == kindVerbatim {
		p.entry.parts = appendPart(nil, nil, got.parts)
		p.store()
		return
	}
	p.h.jobs.Go(func() {
		var err error
		if p.entry.parts, p.entry.kind, err = compact(&got); err == nil {
			p.store()
			return
		}
		p.h.s.Count(EventDropped)
		if p.flight != nil {
			p.h.flights.land(p.key, p.flight, nil)
		}
	})
}
