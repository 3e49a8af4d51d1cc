package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// leg is one way to a vendor and back.
type leg struct {
	x      *llm.Exchange
	call   llm.Call
	answer llm.Answer
	reply  llm.Reply
	sent   bool // the vendor was called and did not answer that it failed
}

// attempt makes one call to one deployment, up to the first part of its reply.
func (t *turn) attempt(ctx context.Context, l *leg, d *llm.Deployment) error {
	if t.Own != nil && (t.OwnAlways || l.x.Controls.Given) {
		var err error
		if d, err = t.Own(ctx, l.x, d); err != nil {
			return err
		}
	}
	endpoint, ok := d.Bound.(provider.Endpoint)
	if !ok {
		return &llm.Error{Op: "gateway.attempt", Kind: llm.KindInternal, Err: fmt.Errorf("deployment %s is not bound", d.ID)}
	}
	l.call.Reset()
	l.answer.Reset()
	l.reply = llm.Reply{Deployment: d}
	l.x.Tried = d
	if err := t.dialect(l.x, endpoint); err != nil {
		return err
	}
	if err := encode(endpoint, l.x, d, &l.call); err != nil {
		return err
	}
	t.Forward.add(l.x, d, &l.call)
	t.limit(l, d)
	if (len(d.Scopes) > 0 || l.x.Ahead != nil) && !t.quiet {
		if err := t.Pipeline.Enter(ctx, l.x, d); err != nil {
			return err
		}
	}
	var err error
	l.sent = true
	if l.call.Local != nil {
		err = l.call.Local(ctx, &l.answer)
	} else {
		err = t.g.transport.Do(ctx, &l.call, &l.answer)
	}
	if err == nil {
		err = endpoint.Decode(l.x, &l.answer, &l.reply)
	}
	if r := l.reply.Deployment; r != nil && r != d && r.ID == d.ID {
		// A provider that calls another one binds a copy, from before the price and the budgets were known.
		l.reply.Deployment = d
	}
	if err != nil && !errors.Is(err, errSlower) {
		l.sent = false
		t.failed(d, err)
	}
	if err != nil && len(d.Scopes) > 0 && !t.quiet {
		t.Pipeline.Leave(l.x, d)
	}
	l.x.Answered = time.Now()
	if !l.answer.Began.IsZero() {
		l.x.Upstream += l.x.Answered.Sub(l.answer.Began)
	}
	return err
}

// dialect decides the form of the call under way. It is the caller's own if the vendor speaks it, nobody changed what was
// said, and nobody looks at the answer; else it is that of the OpenAI API.
func (t *turn) dialect(x *llm.Exchange, endpoint provider.Endpoint) error {
	if x.Dialect == llm.DialectOpenAI {
		return nil
	}
	x.AsNative = provider.Natively(endpoint, x) && !x.Edited() && len(x.Overrides) == 0 && !t.Pipeline.ReadsAnswers()
	if x.AsNative {
		return nil
	}
	if err := x.Chat(); err != nil {
		return err
	}
	if x.Tried.DropParams {
		return nil
	}
	return x.Lost
}

// limit sets how long the call may take. A stream has no limit on the whole, only on each wait. Nothing goes on for longer
// than the exchange may take until an answer begins.
func (t *turn) limit(l *leg, d *llm.Deployment) {
	whole, wait := t.Router.Timeouts(l.x, d)
	first := wait
	if !l.x.Deadline.IsZero() {
		left := max(time.Until(l.x.Deadline), time.Millisecond)
		whole, first = shorter(whole, left), shorter(first, left)
	}
	if l.x.Streamed || l.x.Op == llm.OpPassThrough {
		l.call.FirstByte, l.call.Idle = first, wait
		return
	}
	l.call.Timeout, l.call.Idle = whole, whole // a vendor may stream although nobody asked for it, and stop
}

// shorter is the shorter of two limits, 0 being none.
func shorter(a, b time.Duration) time.Duration {
	if a <= 0 {
		return b
	}
	return min(a, b)
}

// encode writes the call. What a deployment marks for the vendor's prompt cache goes on top of what a fallback sets; a
// request in the vendor's own dialect marks itself.
func encode(e provider.Endpoint, x *llm.Exchange, d *llm.Deployment, c *llm.Call) error {
	if x.Op != llm.OpChat || x.AsNative || len(d.CachePoints) == 0 && !x.Controls.Given {
		return e.Encode(x, c)
	}
	points := d.CachePoints
	if raw := x.Body.Get("cache_control_injection_points"); len(raw) > 0 {
		var err error
		if points, err = openai.CachePoints(raw); err != nil {
			return &llm.Error{
				Op: "gateway.encode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "cache_control_injection_points",
				Message: err.Error() + ".",
			}
		}
	}
	if len(points) == 0 {
		return e.Encode(x, c)
	}
	before := x.Overrides
	defer func() { x.Overrides = before }()
	said := func(name string) []byte {
		for i := range before {
			if before[i].Name == name {
				return []byte(before[i].Value)
			}
		}
		return x.Body.Get(name)
	}
	messages, tools := openai.MarkCache(said("messages"), said("tools"), points)
	set := func(name string, value []byte) {
		if value != nil {
			x.Overrides = append(slices.DeleteFunc(slices.Clone(x.Overrides), func(o llm.Pair) bool { return o.Name == name }),
				llm.Pair{Name: name, Value: string(value)})
		}
	}
	set("messages", messages)
	set("tools", tools)
	return e.Encode(x, c)
}
