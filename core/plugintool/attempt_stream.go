package plugintool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// watch keeps what hooks were given and what they said, between reset and outcome.
type watch struct {
	calls []seen
	note  func(seen) // called at once; nil for nobody
}

// seen is one call of a hook.
type seen struct {
	hook         abi.Hook
	view, result []byte
	err          error
}

func (w *watch) see(r wasm.Traced) {
	s := seen{r.Hook, bytes.Clone(r.View), bytes.Clone(r.Result), r.Err}
	if w.note != nil {
		w.note(s)
	}
	w.calls = append(w.calls, s)
}

// streamAttempt sends a streamed answer through the stream hooks, or through the response hook.
type streamAttempt struct {
	subject
	hook   abi.Hook
	guard  *wasm.Guardrail
	chunks [][]byte
	rest   [][]byte // of the chunks, in a run
	reply  llm.Reply
	log    bool // steps are wanted
	steps  []Step
	out    [][]byte
	err    error
}

func newStreamAttempt(s subject, hook abi.Hook, w *watch) (attempt, error) {
	a := &streamAttempt{subject: s, hook: hook, guard: s.guardrail(), log: w != nil}
	in := &s.t.Input
	if in.Stream == nil && len(in.Response) > 0 {
		return nil, fmt.Errorf("the hook %s looks at a streamed answer, and this one is not: --response takes an event stream, too", hook)
	}
	if a.chunks = in.chunks(); len(a.chunks) == 0 {
		return nil, fmt.Errorf("the hook %s looks at a streamed answer: give the input the member stream, a list of texts, or name an event stream with --response", hook)
	}
	if w != nil {
		w.note = a.saw
	}
	return a, nil
}

func (a *streamAttempt) reset() error {
	if err := a.asked(); err != nil {
		return err
	}
	a.x.Streamed = true
	a.steps, a.out, a.err, a.rest = a.steps[:0], a.out[:0], nil, a.chunks
	a.reply = llm.Reply{Status: 200, Streamed: true, Rest: a, Finish: "stop", Deployment: tried(a.t)}
	return a.Next(&a.reply.First)
}

// Next implements llm.Stream: it is the model that the stream comes from.
func (a *streamAttempt) Next(p *llm.Part) error {
	if len(a.rest) == 0 {
		return io.EOF
	}
	*p = llm.Part{Data: a.rest[0]}
	a.rest = a.rest[1:]
	a.step("model", readable(p.Data), "")
	return nil
}

// Close implements llm.Stream.
func (a *streamAttempt) Close() error { return nil }

func (a *streamAttempt) step(who, text, did string) {
	if a.log {
		a.steps = append(a.steps, Step{who, text, did})
	}
}

func (a *streamAttempt) run(ctx context.Context) {
	if a.err = a.guard.Stream(ctx, a.x, &a.reply); a.err != nil {
		_ = a.reply.Rest.Close() // the caller gets the error
		return
	}
	for part := a.reply.First; a.err == nil; a.err = a.reply.Rest.Next(&part) {
		if len(part.Data) == 0 {
			continue
		}
		a.out = append(a.out, bytes.Clone(part.Data))
		a.step("caller", readable(part.Data), "")
		if len(a.out) == a.t.Input.Leave {
			a.step("caller", "leaves", "")
			break
		}
	}
	if errors.Is(a.err, io.EOF) {
		a.err = nil
	}
	if err := a.reply.Rest.Close(); a.err == nil {
		a.err = err
	}
}

// saw writes down a call of a hook.
func (a *streamAttempt) saw(s seen) {
	if s.hook == abi.HookStreamEnd {
		a.step("hook", "the end of the stream", did(s.result, s.err))
		return
	}
	text := ""
	for r := (abi.Reader{Rest: s.view}); r.Next(); {
		if r.Tag == abi.TagText {
			text = string(r.Value)
		}
	}
	a.step("hook", quoted(text), did(s.result, s.err))
}

// did says what a hook did with a text.
func did(result []byte, err error) string {
	if err != nil {
		return Failed + ": " + err.Error()
	}
	verdict, more := Continue, ""
	for r := (abi.Reader{Rest: result}); r.Next(); {
		switch r.Tag {
		case abi.TagVerdict:
			verdict = verdictName(abi.Verdict(r.Number()))
		case abi.TagReason:
			more = ": " + string(r.Value)
		case abi.TagEdit:
			for in := r.Inside(); in.Next(); {
				if in.Tag == abi.TagText {
					more = ": " + quoted(string(in.Value))
				}
			}
		}
	}
	return verdict + more
}

func (a *streamAttempt) outcome() (*Outcome, error) {
	o := refusal(Continue, a.err)
	o.Steps = a.steps
	if a.err == nil && a.t.Input.Leave == 0 {
		o.Changes = diffText("the whole answer", spoken(a.chunks), spoken(a.out))
	}
	return o.edited(), nil
}

// spoken joins the texts of a stream's chunks, one line a choice and kind of text.
func spoken(chunks [][]byte) string {
	texts := map[string]string{}
	for _, c := range chunks {
		for _, t := range answerTexts(c) {
			texts[t.where] += t.text
		}
	}
	var b strings.Builder
	for _, where := range sortedKeys(texts) {
		if texts[where] != "" {
			fmt.Fprintf(&b, "%s%s\n", where, texts[where])
		}
	}
	return b.String()
}

// answerText is a text of a chunk; where is empty for the content of the first choice.
type answerText struct{ where, text string }

func answerTexts(chunk []byte) []answerText {
	list, err := openai.AppendAnswer(nil, chunk)
	if err != nil {
		return []answerText{{"", string(chunk)}}
	}
	var texts []answerText
	for _, t := range list {
		where := ""
		if t.Choice != 0 {
			where = fmt.Sprintf("choice %d: ", t.Choice)
		}
		if t.Kind != openai.Content {
			where += fmt.Sprintf("%v: ", t.Kind)
		}
		if t.Kind == openai.Arguments {
			where += fmt.Sprintf("call %d: ", t.Call)
		}
		if s, ok := t.Form.Append(nil, chunk, t.Text); ok {
			texts = append(texts, answerText{where, string(s)})
		}
	}
	return texts
}

// readable writes the texts of a chunk, or else why the answer ended, or else the chunk.
func readable(chunk []byte) string {
	var b strings.Builder
	for _, t := range answerTexts(chunk) {
		if t.text != "" {
			b.WriteString(t.where + quoted(t.text))
		}
	}
	found, _ := openai.Scan(chunk)
	switch {
	case b.Len() == 0 && found.Finish != "":
		return "finish_reason " + found.Finish
	case b.Len() == 0:
		return string(chunk)
	}
	return b.String()
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

func joined(parts [][]byte) string {
	var b strings.Builder
	for _, p := range parts {
		b.Write(p)
		b.WriteByte('\n')
	}
	return b.String()
}

// drain reads a reply to its end. An error ends it; what came before is returned too.
func drain(r *llm.Reply) (parts [][]byte, err error) {
	part := r.First
	for err == nil {
		if len(part.Data) > 0 {
			parts = append(parts, bytes.Clone(part.Data))
		}
		if r.Rest == nil {
			return parts, nil
		}
		err = r.Rest.Next(&part)
	}
	_ = r.Rest.Close() // a reply that ended badly has said so
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return parts, err
}
