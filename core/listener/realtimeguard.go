package listener

import (
	"bytes"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// inspector has guardrails look at a conversation (https://platform.openai.com/docs/api-reference/realtime-client-events):
// at each event of the caller before the vendor gets it, at transcripts of what he said, and at each answer as a whole
// before the caller gets any of it, sound included. What is only sound they cannot look at.
type inspector struct {
	t       *talk
	mu      sync.Mutex // over the record of the guardrails
	answers bool       // answers are held until they were looked at
	muted   bool       // the caller was told that his sound is refused

	open bool     // an answer is under way
	held [][]byte // events since it began
	size int
}

// maxHeldAnswer is how many bytes of one answer are held.
const maxHeldAnswer = 32 << 20

// inspect returns what looks at the conversation, or nil if no guardrail does.
func (t *talk) inspect() *inspector {
	requests, answers := t.c.s.Gateway.Inspects(&t.c.x)
	if !requests && !answers {
		return nil
	}
	t.caller, t.vendor = &shared{Socket: t.caller}, &shared{Socket: t.vendor}
	return &inspector{t: t, answers: answers}
}

// shared is a socket that two goroutines write to.
type shared struct {
	llm.Socket
	mu sync.Mutex
}

// Write implements llm.Socket.
func (s *shared) Write(text bool, message []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Socket.Write(text, message)
}

// message is an exchange for one message.
func (i *inspector) message(raw []byte) *llm.Exchange {
	x := &i.t.c.x
	return &llm.Exchange{
		ID: x.ID, Start: x.Start, Op: llm.OpRealtime, Method: x.Method, Path: x.Path, Remote: x.Remote, Header: x.Header,
		Query: x.Query, Model: x.Model, Principal: x.Principal, Streamed: x.Streamed, Controls: x.Controls, EndUser: x.EndUser,
		Tags: x.Tags, Raw: raw,
	}
}

// note keeps the first looks of a conversation for its record; a long one would have thousands.
func (i *inspector) note(y *llm.Exchange, failed bool) {
	const most = 64
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, run := range y.GuardRuns {
		if len(i.t.c.x.GuardRuns) < most || failed {
			i.t.c.x.Guarded(run)
		}
	}
}

// asked looks at an event of the caller. It returns what the vendor gets, or nil.
func (i *inspector) asked(text bool, event []byte) []byte {
	y := i.message(event)
	kind, _ := llm.Text(dialect.Get(event, "type"))
	sound := !text || string(kind) == "input_audio_buffer.append" || bytes.Contains(event, []byte(`"input_audio"`))
	if sound {
		y.Raw, y.Hidden = nil, "sound"
	}
	err := i.t.c.s.Gateway.Inspect(&i.t.c.x.Life, y)
	i.note(y, err != nil)
	switch {
	case err == nil && sound:
		return event
	case err == nil:
		return y.Raw
	}
	if sound && string(kind) == "input_audio_buffer.append" {
		if i.muted {
			return nil // many a second
		}
		i.muted = true
	}
	i.refuse(llm.AsError(err), dialect.Get(event, "event_id"))
	return nil
}

// refuse tells the caller, in an event as the vendor's are, that an event of his was not sent on.
func (i *inspector) refuse(e *llm.Error, id []byte) {
	_ = i.t.caller.Write(true, refusal(e, id))
}

func refusal(e *llm.Error, id []byte) []byte {
	if len(id) == 0 {
		id = []byte("null")
	}
	b := append([]byte(nil), `{"type":"error","event_id":"event_sallyport","error":{"type":"invalid_request_error","code":"guardrail","message":`...)
	b = llm.AppendQuoted(b, openai.Message(e))
	b = append(append(b, `,"param":null,"event_id":`...), id...)
	return append(b, `}}`...)
}

// said looks at an event of the vendor. It returns the events that the caller gets now.
func (i *inspector) said(text bool, event []byte) [][]byte {
	raw, _ := llm.Text(dialect.Get(event, "type"))
	kind := string(raw)
	if kind == "conversation.item.input_audio_transcription.completed" && !i.heard(event) {
		return nil
	}
	if !i.answers {
		return [][]byte{event}
	}
	if kind == "response.created" {
		i.open = true
	}
	if !i.open {
		return [][]byte{event}
	}
	if i.size += len(event); i.size <= maxHeldAnswer {
		i.held = append(i.held, bytes.Clone(event))
	}
	if kind != "response.done" {
		return nil
	}
	out, size := i.held, i.size
	i.open, i.held, i.size = false, nil, 0
	if err := i.look(event, size); err != nil {
		return withheld(out, event, llm.AsError(err))
	}
	return out
}

// heard looks at what the caller said. If it may not be said, the answer to it is called off.
func (i *inspector) heard(event []byte) bool {
	y := i.message(event)
	err := i.t.c.s.Gateway.Inspect(&i.t.c.x.Life, y)
	i.note(y, err != nil)
	if err == nil {
		return true
	}
	i.refuse(llm.AsError(err), nil)
	_ = i.t.vendor.Write(true, []byte(`{"type":"response.cancel"}`))
	return false
}

// look shows an answer, which its last event holds as a whole but for the sound, to the guardrails.
func (i *inspector) look(event []byte, size int) error {
	if size > maxHeldAnswer {
		return &llm.Error{Op: "listener.realtime", Kind: llm.KindTooLarge, Message: "The answer is too large to be checked before it is sent."}
	}
	y := i.message(nil)
	r := &llm.Reply{
		Status: 200, Verbatim: true, Deployment: i.t.c.reply.Deployment, First: llm.Part{Data: event},
		Header: llm.Header{{Name: []byte("Content-Type"), Value: []byte("application/json")}},
	}
	err := i.t.c.s.Gateway.InspectAnswer(&i.t.c.x.Life, y, r)
	if err == nil && !bytes.Equal(r.First.Data, event) {
		err = &llm.Error{
			Op: "listener.realtime", Kind: llm.KindRejected, Message: "The answer was withheld: a guardrail would change it, which is not possible in a conversation.",
		}
	}
	i.note(y, err != nil)
	return err
}

// withheld is what the caller gets in place of an answer: what is no part of it, the reason, and its end.
func withheld(held [][]byte, last []byte, e *llm.Error) (out [][]byte) {
	for _, event := range held {
		kind, _ := llm.Text(dialect.Get(event, "type"))
		if !strings.HasPrefix(string(kind), "response.") && !strings.HasPrefix(string(kind), "conversation.item.") {
			out = append(out, event)
		}
	}
	id := dialect.Get(dialect.Get(last, "response"), "id")
	if len(id) == 0 {
		id = []byte("null")
	}
	end := append([]byte(`{"type":"response.done","event_id":"event_sallyport","response":{"object":"realtime.response","id":`), id...)
	end = append(end, `,"status":"failed","status_details":{"type":"failed","error":{"type":"invalid_request_error","code":"guardrail"}},"output":[]}}`...)
	return append(out, refusal(e, nil), end)
}
