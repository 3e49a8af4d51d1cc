package wasm

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// errEscape: a string in an answer that is none.
var errEscape = errors.New("the answer cannot be looked at: a text holds a malformed escape")

// Stream implements pipeline.Stream. The plugin's stream_chunk hook, or else its response hook, is shown the texts in
// windows; with GuardSettings.Buffer the response hook is shown the whole answer before any of it leaves. No instance is
// held between two windows. The stream_end hook runs once, at the end or when the stream is closed before.
func (g *Guardrail) Stream(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	if r.Verbatim {
		return nil
	}
	s := g.stream(ctx, x, r)
	s.inner = r.Rest
	if g.buffer && g.has[abi.HookResponse] {
		return s.whole()
	}
	s.windows = openai.NewWindows(g.windows, s)
	if err := s.put(&r.First); err != nil {
		s.finish(err)
		s.err = s.outcome(err)
	}
	if s.err != nil && s.err != io.EOF && s.windows.Waiting() == 0 { //nolint:errorlint // io.EOF comes bare
		s.record() // nothing was sent, so the error takes the place of the answer
		return s.err
	}
	x.Applied = applied(x.Applied, g.name)
	r.First.Data, r.First.More = s.windows.Take(), s.windows.Waiting() > 0
	r.Rest = s
	return nil
}

func applied(list []string, name string) []string {
	for _, n := range list {
		if n == name {
			return list
		}
	}
	return append(list, name)
}

// stream makes the state of one answer that is shown in windows.
func (g *Guardrail) stream(ctx context.Context, x *llm.Exchange, r *llm.Reply) *guardStream {
	return &guardStream{g: g, ctx: ctx, x: x, r: r, began: time.Now(), status: llm.GuardPassed}
}

// guardStream is a stream on its way past a guardrail.
type guardStream struct {
	g       *Guardrail
	ctx     context.Context
	x       *llm.Exchange
	r       *llm.Reply
	inner   llm.Stream
	windows *openai.Windows
	parts   [][]byte // of a collected answer, those still to go out
	head    []byte   // the part of a window's view that stays the same

	began  time.Time
	took   time.Duration
	status llm.GuardStatus
	err    error // why the stream ends once nothing is left to take; io.EOF at its end
	ended  bool  // the end hook ran
	failed bool  // a failure was let pass
}

// Next implements llm.Stream.
func (s *guardStream) Next(p *llm.Part) error {
	for {
		if s.take(p) {
			return nil
		}
		if s.err != nil {
			return s.err
		}
		s.arm()
		if err := s.inner.Next(p); err != nil {
			s.end(err)
			continue
		}
		if err := s.put(p); err != nil {
			s.finish(err)
			s.err = s.outcome(err)
		}
	}
}

// arm asks to be woken when text has waited for long enough, whether or not the vendor has said more by then.
func (s *guardStream) arm() {
	if s.windows == nil {
		return
	}
	if due, ok := s.windows.Due(); ok {
		if l := llm.LifetimeOf(s.ctx); l != nil {
			l.Wake(due)
		}
	}
}

// Idle implements llm.Idler: text that has waited for long enough is judged, and what guardrails behind this one let out.
func (s *guardStream) Idle(p *llm.Part) (bool, error) {
	if s.windows == nil || s.err != nil {
		return false, nil //nolint:nilerr // Next tells it
	}
	for !s.take(p) {
		var in llm.Part
		ok, err := llm.Idle(s.inner, &in)
		switch {
		case err != nil:
			return false, err
		case ok && len(in.Data) > 0:
			err = s.show(in.Data)
		case ok:
			continue
		default:
			err = s.windows.Late(time.Now())
		}
		if err != nil {
			s.finish(err)
			s.err = s.outcome(err)
			return false, s.err
		}
		if !ok {
			s.arm()
			return s.take(p), nil
		}
	}
	return true, nil
}

func (s *guardStream) take(p *llm.Part) bool {
	if len(s.parts) > 0 {
		*p = llm.Part{Data: s.parts[0], More: len(s.parts) > 1}
		s.parts = s.parts[1:]
		return true
	}
	if s.windows == nil {
		return false
	}
	data := s.windows.Take()
	if data == nil {
		return false
	}
	*p = llm.Part{Data: data, More: s.windows.Waiting() > 0}
	return true
}

// now is the time for windows that wait for some; others need not know it.
func (s *guardStream) now() (t time.Time) {
	if s.g.windows.Wait > 0 {
		t = time.Now()
	}
	return t
}

// eager is how many chunks are taken in before those that may leave are sent.
const eager = 16

// put takes in a part, and those that are at hand behind it, so that they leave together.
func (s *guardStream) put(p *llm.Part) error {
	for n := 1; ; n++ {
		if len(p.Data) > 0 {
			if err := s.show(p.Data); err != nil {
				return err
			}
		}
		if !p.More || n == eager {
			return nil
		}
		if err := s.inner.Next(p); err != nil {
			s.end(err)
			return nil
		}
	}
}

// show takes in a chunk. What is no text in it is judged at once, before the texts are put into windows.
func (s *guardStream) show(chunk []byte) error {
	if s.g.needs.media {
		list, err := openai.AppendChunkMedia(nil, chunk)
		if err == nil && len(list) > 0 {
			began := stopwatch(s.x)
			err = s.pass(s.judgeMedia(list))
			s.took += stopwatch(s.x) - began
		}
		if err != nil {
			return err
		}
	}
	return s.windows.Put(chunk, s.now())
}

// judgeMedia shows what is no text to the plugin: for each choice a window without text.
func (s *guardStream) judgeMedia(list []openai.MediaPart) error {
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Message == list[0].Message {
			n++
		}
		w := openai.Window{Choice: list[0].Message}
		d, _, err := s.askWith(&w, list[:n])
		if err != nil {
			return err
		}
		if d != openai.Release {
			return broken("what is no text can be let through or refused, not held back, dropped or edited")
		}
		list = list[n:]
	}
	return nil
}

// end takes note that nothing more comes in.
func (s *guardStream) end(err error) {
	if s.err != nil {
		return // it ended while it waited
	}
	if s.windows == nil {
		s.err = err
		s.finish(nil)
		return
	}
	if err != io.EOF { //nolint:errorlint // a stream ends with io.EOF bare
		s.err = err
		s.finish(nil)
		return
	}
	s.err = io.EOF
	if err := s.windows.End(); err != nil {
		s.finish(err)
		s.err = s.outcome(err)
		return
	}
	if err := s.finishWith(false, nil); err != nil {
		s.err = err
	}
}

// finish runs the end hook of a stream that did not come to its end.
func (s *guardStream) finish(err error) { _ = s.finishWith(true, err) }

// finishWith runs the end hook, once. It returns why a stream that came to its end breaks off nevertheless.
func (s *guardStream) finishWith(left bool, failure error) error {
	if s.ended {
		return nil
	}
	s.ended = true
	s.note(failure)
	began := time.Now()
	err := s.askEnd(s.ctx, left)
	s.took += time.Since(began)
	if err == nil {
		return nil
	}
	s.note(err)
	if left {
		s.g.p.log.Warn("the stream_end hook failed", "guardrail", s.g.name, "error", err)
		return nil
	}
	return s.g.failed(s.ctx, err, stopped)
}

// note remembers what came of the guardrail, the worst that happened.
func (s *guardStream) note(err error) {
	switch {
	case err == nil:
	case rejects(err):
		s.status = llm.GuardIntervened
	default:
		s.status = llm.GuardFailed
	}
}

// stopped is what the caller reads of a stream that a failed guardrail ended.
const stopped = "answer was stopped"

// outcome is the error that ends a stream of which a part could not be judged.
func (s *guardStream) outcome(err error) error {
	err = s.g.failed(s.ctx, err, stopped)
	if err == nil { // fail_open; but there is nothing that could be let pass
		return &llm.Error{Op: "wasm.Guardrail", Kind: llm.KindInternal, Message: "Guardrail " + s.g.name + " could not read the answer."}
	}
	return err
}

// Close implements llm.Stream.
func (s *guardStream) Close() error {
	s.finish(nil)
	s.record()
	return s.inner.Close()
}

func (s *guardStream) record() {
	s.x.Guarded(llm.GuardRun{Name: s.g.name, Mode: ModePostCall, Status: s.status, Start: s.began, Took: s.took})
}

// Judge implements openai.Judge.
func (s *guardStream) Judge(w *openai.Window) (openai.Decision, string, error) {
	began := stopwatch(s.x)
	d, text, err := s.ask(w)
	s.took += stopwatch(s.x) - began
	if err == nil {
		if d == openai.Replace || d == openai.Drop {
			s.status = llm.GuardIntervened
		}
		return d, text, nil
	}
	return openai.Release, "", s.pass(err)
}

// pass is nil for a failure that the operator lets pass.
func (s *guardStream) pass(err error) error {
	if err == nil || ownError(err) != nil || s.g.p.onError != FailOpen || s.ctx.Err() != nil {
		return err
	}
	s.note(err)
	if !s.failed {
		s.failed = true
		s.g.p.log.Warn("the guardrail failed and let a part of the answer pass (on_error is fail_open)", "guardrail", s.g.name, "error", err)
	}
	return nil
}

// ask shows a window to the plugin.
func (s *guardStream) ask(w *openai.Window) (openai.Decision, string, error) {
	return s.askWith(w, nil)
}

// askWith shows a window to the plugin, or what is no text in a chunk.
func (s *guardStream) askWith(w *openai.Window, media []openai.MediaPart) (d openai.Decision, text string, err error) {
	g := s.g
	hook := abi.HookStreamChunk
	if !g.has[hook] {
		hook = abi.HookResponse
	}
	if !g.has[hook] {
		return openai.Release, "", nil // a plugin that looks at the end only
	}
	if s.head == nil {
		if s.head, err = g.appendHead(nil, s.x); err != nil {
			return 0, "", err
		}
	}
	in, err := g.p.pool.get(s.ctx)
	if err != nil {
		return 0, "", err
	}
	view := appendWindow(append(in.blank(), s.head...), hook, w)
	texts := 1
	if media == nil {
		view = abi.AppendText(view, abi.TagText, w.Text)
	} else {
		view, in.media, texts = appendMedia(view, media), media, 0
	}
	res, err := g.send(in, hook, s.x, view, texts)
	if err == nil {
		err = g.allowed(res, hook)
	}
	if g.giveBack(in, err); err != nil {
		return 0, "", err
	}
	if res.keeps {
		s.x.SetState(g.name, res.state)
		s.head = nil // it holds the former state
	}
	switch res.verdict {
	case abi.VerdictReject, abi.VerdictRetry: // some of the answer may have left
		return 0, "", g.rejection(res)
	case abi.VerdictHold:
		return openai.Hold, "", nil
	case abi.VerdictDrop:
		return openai.Drop, "", nil
	}
	if len(res.edits) == 0 {
		return openai.Release, "", nil
	}
	return openai.Replace, res.edits[0].Text, nil
}

// appendWindow appends what is said of a window besides its text.
func appendWindow(dst []byte, hook abi.Hook, w *openai.Window) []byte {
	if w.Choice > 0 || hook == abi.HookResponse {
		dst = abi.AppendNumber(dst, abi.TagChoice, uint64(w.Choice))
	}
	if hook == abi.HookResponse {
		dst = abi.AppendNumber(dst, abi.TagPartial, 1)
	}
	if w.Kind != openai.Content {
		dst = abi.AppendText(dst, abi.TagTextKind, w.Kind.String())
	}
	if w.Kind == openai.Arguments {
		dst = appendText(abi.AppendNumber(dst, abi.TagIndex, uint64(w.Call)), abi.TagKey, w.Key)
	}
	dst = appendText(dst, abi.TagContext, w.Context)
	if w.Fresh > 0 {
		dst = abi.AppendNumber(dst, abi.TagFresh, uint64(w.Fresh))
	}
	if w.Final {
		dst = abi.AppendNumber(dst, abi.TagFinal, 1)
	}
	return dst
}

// askEnd runs the end hook, if the plugin has one. It also runs when the caller has left.
func (s *guardStream) askEnd(ctx context.Context, left bool) error {
	g := s.g
	if !g.has[abi.HookStreamEnd] {
		return nil
	}
	in, err := g.p.pool.get(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	var res *result
	if in.view, err = g.appendHead(in.view[:0], s.x); err == nil {
		in.view = appendOutcome(in.view, s.r)
		if left {
			in.view = abi.AppendNumber(in.view, abi.TagLeft, 1)
		}
		if res, err = g.send(in, abi.HookStreamEnd, s.x, in.view, 0); err == nil {
			err = g.allowed(res, abi.HookStreamEnd)
		}
	}
	if g.giveBack(in, err); err != nil {
		return err
	}
	if res.verdict == abi.VerdictReject {
		return g.rejection(res)
	}
	if res.keeps {
		s.x.SetState(g.name, res.state)
	}
	return nil
}

// maxCollected is how many bytes of a stream are collected.
const maxCollected = 32 << 20

// whole collects the stream, has the response hook look at it, and sends it on from there.
func (s *guardStream) whole() error {
	began := time.Now()
	r := llm.Reply{Status: s.r.Status, Deployment: s.r.Deployment}
	err := s.collect(&r)
	if err == nil {
		r.Usage, r.Finish = s.r.Usage, s.r.Finish
		err = s.g.after(s.ctx, s.x, &r)
	}
	if err == nil {
		s.parts, err = openai.Split(r.First.Data, s.x.WantUsage)
	}
	s.took = time.Since(began)
	if err != nil {
		s.note(err)
		if !rejects(err) {
			if err = s.g.failed(s.ctx, err, "answer was withheld"); err == nil { // fail_open
				s.parts, err = openai.Split(r.First.Data, s.x.WantUsage)
			}
		}
	}
	if s.status != llm.GuardFailed {
		s.x.Applied = applied(s.x.Applied, s.g.name)
	}
	if err != nil {
		s.finish(nil)
		s.record()
		return err
	}
	s.err = io.EOF
	s.r.Rest = s
	s.r.First = llm.Part{}
	s.take(&s.r.First)
	if end := s.finishWith(false, nil); end != nil {
		s.err = end
	}
	return nil
}

// collect reads the stream to its end and makes one answer of it.
func (s *guardStream) collect(r *llm.Reply) error {
	var j openai.Joiner
	size := 0
	for p, err := s.r.First, error(nil); ; err = s.inner.Next(&p) {
		if err == io.EOF { //nolint:errorlint // a stream ends with io.EOF bare
			break
		}
		if err != nil {
			return err
		}
		if size += len(p.Data); size > maxCollected {
			return &llm.Error{Op: "wasm.Guardrail", Kind: llm.KindTooLarge, Message: "The answer is too large to be checked before it is sent."}
		}
		if len(p.Data) == 0 {
			continue
		}
		if err := j.Add(p.Data); err != nil {
			return err
		}
	}
	var err error
	r.First.Data, err = j.Append(nil)
	return err
}
