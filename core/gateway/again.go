package gateway

import (
	"bytes"
	"context"
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/price"
)

// back runs the hooks on the reply, and asks a model again as often as one of them wants it: the hooks bound that
// themselves. Only an answer of a model is asked for again: what a hook answered in place of one stands for a refusal of
// its own. Until the hooks have let the first part pass nothing has left.
func (t *turn) back(ctx context.Context, asked bool) error {
	for {
		said := t.said(asked)
		err := t.Pipeline.Back(ctx, t.x, &t.reply)
		if err == nil {
			said.stop()
			return nil
		}
		var again *pipeline.Again
		if !errors.As(err, &again) {
			return err
		}
		if !asked || t.reply.Deployment == nil || ctx.Err() != nil {
			return again.Refusal
		}
		if err := t.again(ctx, again, said); err != nil {
			return err
		}
	}
}

// again puts what the hook wants to have said behind the conversation and asks the router for a deployment anew.
func (t *turn) again(ctx context.Context, a *pipeline.Again, said *saying) error {
	x, r := t.x, &t.reply
	answer := said.whole()
	t.measure(answer)
	e := llm.Earlier{By: a.By, Deployment: r.Deployment, Usage: r.Usage}
	if c, known := price.Of(r.Deployment.Price, r.Usage, price.CallOf(x, r.Usage)); known {
		e.Cost = c.Total
	}
	x.Earlier = append(x.Earlier, e)
	if t.routed {
		t.plan.Answered(r.Usage)
	}
	refused := t.Pipeline.Repeat(ctx, x, r)
	if len(a.Ask) > 0 && refused == nil {
		if body, ok := openai.AskAgain(nil, &x.Body, answer, a.Choice, a.Ask); ok {
			if err := x.Body.Parse(body); err != nil {
				return err
			}
		}
	}
	if r.Rest != nil {
		_ = r.Rest.Close() // the answer is read to its end
	}
	t.reply = llm.Reply{}
	if refused != nil {
		return a.Refusal
	}
	t.race.gather(t)
	t.race.end(r, nil)
	t.race = nil
	t.resume = t.resume.empty()
	if t.routed {
		t.plan.Done(nil)
		t.routed = false
	}
	return t.route(t.watch.Context(ctx))
}

// maxSaid is how many bytes of a stream are kept for somebody who asks again.
const maxSaid = 8 << 20

// saying is what a model says, before hooks change it: a hook further out may have put back what a guardrail had taken
// out of the prompt, and that must not go to the vendor by this way.
type saying struct {
	llm.Stream        // what the provider left to read
	data       []byte // of a stream: its parts with llm.KeptMark between them
	streamed   bool
	off        bool
}

// said keeps what the reply says while the hooks look at it. It is nil if none of them may ask again.
func (t *turn) said(asked bool) *saying {
	if !asked || !t.Pipeline.AsksAgain() || t.reply.Verbatim {
		return nil
	}
	s := &saying{data: t.reply.First.Data}
	if t.reply.Streamed {
		s.Stream, s.streamed, s.data = t.reply.Rest, true, nil
		s.keep(t.reply.First.Data)
		t.reply.Rest = s
	}
	return s
}

// Next implements llm.Stream.
func (s *saying) Next(p *llm.Part) error {
	err := s.Stream.Next(p)
	if err == nil {
		s.keep(p.Data)
	}
	return err
}

func (s *saying) keep(data []byte) {
	if s.off || len(data) == 0 {
		return
	}
	if len(s.data)+len(data) > maxSaid {
		s.stop()
		return
	}
	if len(s.data) > 0 {
		s.data = append(s.data, llm.KeptMark)
	}
	s.data = append(s.data, data...)
}

// stop ends the keeping: the reply is on its way.
func (s *saying) stop() {
	if s != nil {
		s.off, s.data = true, nil
	}
}

// whole is the answer as one document, or nil if it is not known.
func (s *saying) whole() []byte {
	if s == nil {
		return nil
	}
	if !s.streamed {
		return s.data
	}
	var j openai.Joiner
	for part := range bytes.SplitSeq(s.data, []byte{llm.KeptMark}) {
		if len(part) > 0 && j.Add(part) != nil {
			return nil
		}
	}
	answer, err := j.Append(nil)
	if err != nil {
		return nil
	}
	return answer
}
