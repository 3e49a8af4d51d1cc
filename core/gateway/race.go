package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/core/llm"
)

var (
	// errSlower ends a call that another one was faster than.
	errSlower = fmt.Errorf("another call was faster: %w", context.Canceled)
	// errNobodyElse says that a hedge has nobody to ask.
	errNobodyElse = errors.New("the group has no other deployment")
)

// fastestResponse is the name of the parameter, and what records call the slower calls.
const fastestResponse = "fastest_response"

// maxRacers bounds how many models a request can ask at a time.
const maxRacers = 16

// race is the calls that were made at a time for one exchange. The turn's own call may be one of them.
type race struct {
	by      string
	racers  []*racer
	won     *racer // whose reply is the turn's; nil if it is the turn's own
	links   []func() bool
	running sync.WaitGroup
}

// racer is one of the calls besides the turn's own. It has a turn of its own, for an exchange that asks for the same.
type racer struct {
	x   llm.Exchange
	t   *turn
	err error
}

// enter makes a racer for the exchange of the turn. It borrows from it until it is gathered.
func (r *race) enter(ctx context.Context, t *turn) (*racer, error) {
	one := &racer{}
	if err := t.x.Fork(&one.x); err != nil {
		return nil, err
	}
	one.t = turns.Get().(*turn)
	one.t.g, one.t.ctx, one.t.x, one.t.Snapshot, one.t.branch = t.g, &one.x.Life, &one.x, t.Snapshot, true
	t.Snapshot.users.Add(1) // the turn holds it as well, so it is open
	r.link(ctx, &one.x.Life)
	r.racers = append(r.racers, one)
	return one, nil
}

// link ends a lifetime along with a context.
func (r *race) link(ctx context.Context, life *llm.Lifetime) {
	r.links = append(r.links, context.AfterFunc(ctx, func() { life.Cancel(context.Cause(ctx)) }))
}

// run makes the call. It is the racer's own goroutine.
func (one *racer) run(avoid string) {
	defer func() {
		if v := recover(); v != nil {
			one.err = panicked(v)
		}
	}()
	one.err = one.t.planned(&one.x.Life, avoid)
}

// fastest asks all models that the request names at once, and takes the first answer
// (litellm/router.py, abatch_completion_fastest_response). If all fail, the first one's failure is told.
func (t *turn) fastest(ctx context.Context) error {
	names := strings.Split(t.x.Model, ",")
	if len(names) > maxRacers {
		return &llm.Error{
			Op: "gateway.fastest", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "model",
			Message: fmt.Sprintf("fastest_response asks at most %d models at a time, and model names %d.", maxRacers, len(names)),
		}
	}
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if err := t.Router.Allow(t.x.Principal, names[i]); err != nil {
			return err
		}
	}
	r := &race{by: fastestResponse}
	t.race = r
	for _, name := range names {
		one, err := r.enter(ctx, t)
		if err != nil {
			return err
		}
		one.x.Model = name
	}
	ended := make(chan *racer, len(names))
	for _, one := range r.racers {
		r.running.Go(func() {
			one.run("")
			ended <- one
		})
	}
	for range r.racers {
		if one := <-ended; one.err == nil {
			r.cancel(one)
			t.adopt(one)
			t.x.Fastest = true
			return nil
		}
	}
	return r.racers[0].err
}

// cancel ends all calls but one.
func (r *race) cancel(but *racer) {
	for _, one := range r.racers {
		if one != but {
			one.x.Life.Cancel(errSlower)
		}
	}
}

// adopt makes the reply of a racer that of the turn.
func (t *turn) adopt(one *racer) {
	x, y := t.x, &one.x
	x.Model, x.Retries, x.MaxRetries, x.Fallbacks = y.Model, y.Retries, y.MaxRetries, y.Fallbacks
	x.Tried, x.AsNative, x.Answered, x.Deadline = y.Tried, y.AsNative, y.Answered, y.Deadline
	x.Upstream += y.Upstream
	x.Holds, y.Holds = append(x.Holds, y.Holds...), nil
	t.race.won = one
	t.reply = one.t.reply
	t.reply.Rest = &adopted{t, one}
}

// adopted is the rest of a reply that a racer brought.
type adopted struct {
	t   *turn
	one *racer
}

// Next implements llm.Stream.
func (a *adopted) Next(p *llm.Part) error {
	rest := a.one.t.reply.Rest
	if rest == nil {
		return ended{}.Next(p)
	}
	err := rest.Next(p)
	a.follow()
	return err
}

// Close implements llm.Stream.
func (a *adopted) Close() (err error) {
	if rest := a.one.t.reply.Rest; rest != nil {
		err = rest.Close()
		a.one.t.reply.Rest = nil
	}
	a.follow()
	return err
}

// follow takes over what the reply has told.
func (a *adopted) follow() {
	to, from := &a.t.reply, &a.one.t.reply
	to.Deployment, to.Usage, to.Finish, to.Estimated = from.Deployment, from.Usage, from.Finish, from.Estimated
	a.t.told = a.one.t.told
}

// gather waits for the calls that were given up, and has them charged. What the racer that won has used besides is the
// exchange's.
func (r *race) gather(t *turn) {
	if r == nil {
		return
	}
	r.cancel(r.won)
	r.running.Wait()
	for _, stop := range r.links {
		stop()
	}
	r.links = nil
	for _, one := range r.racers {
		if one != r.won {
			r.lose(t, one)
		}
		t.x.Earlier = append(t.x.Earlier, one.x.Earlier...)
		t.x.Upstream += one.x.Upstream
		one.x.Earlier, one.x.Upstream = nil, 0
	}
	if r.won != nil {
		r.won.t.resume.measure()
		(&adopted{t, r.won}).follow()
	}
	r.racers = nil
}

// lose charges a call that was given up. One that had an answer is charged for what of it came. One that had none is charged
// for its prompt: a vendor that has begun charges for that at least, and does not say.
func (r *race) lose(t *turn, one *racer) {
	l := &one.t.leg
	if one.err == nil {
		if l.reply.Rest != nil {
			_ = l.reply.Rest.Close()
		}
		if d := l.reply.Deployment; d != nil && len(d.Scopes) > 0 {
			t.Pipeline.Leave(&one.x, d)
		}
	}
	t.charge(r.by, l)
	one.t.finish(nil, errSlower)
}

// charge charges a leg that was given up, if its vendor had been asked.
func (t *turn) charge(by string, l *leg) {
	if !l.sent || l.reply.Deployment == nil || t.quiet {
		return
	}
	lost := llm.Reply{Deployment: l.reply.Deployment, Usage: l.reply.Usage, Parts: len(l.reply.First.Data)}
	if lost.Parts > 0 {
		lost.Parts = 1
	}
	t.measureOf(&lost, nil)
	if lost.Usage.Known() {
		t.Pipeline.Aside(t.x, by, lost.Deployment, lost.Usage)
	}
}

// end tells the router of the racer that won how it went.
func (r *race) end(reply *llm.Reply, err error) {
	if r == nil || r.won == nil {
		return
	}
	one := r.won
	r.won = nil
	if reply != nil {
		one.t.reply.Usage = reply.Usage
		reply = &one.t.reply
	}
	one.t.finish(reply, err)
}
