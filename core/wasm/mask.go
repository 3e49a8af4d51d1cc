package wasm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Masker presents the plugin's request hook as what masks records before they are written: a guardrail in mode
// logging_only, of the given name. It sees what was asked, and then what was answered as if it were a message, and its
// edits change the record only. A record whose exchange the guardrail is not on for stays as it is. When the plugin
// refuses the texts or fails, they are left out of the record; with Settings.OnError FailOpen a failure leaves them as
// they are.
func (p *Plugin) Masker(name string) callback.Masker {
	g := p.Guardrail(GuardSettings{Name: name})
	g.records = true
	return &masker{g, name}
}

type masker struct {
	guard *Guardrail
	name  string
}

var errMaskedOut = errors.New("the guardrail refused what the record says")

// Mask implements callback.Masker.
func (m *masker) Mask(ctx context.Context, rec *callback.Record) (err error) {
	if !slices.Contains(rec.LoggingOnly, m.name) {
		return nil
	}
	if len(rec.Messages) > 0 {
		key, op := "messages", llm.OpChat
		switch rec.CallType {
		case llm.OpCompletion.CallType():
			key, op = "prompt", llm.OpCompletion
		case llm.OpEmbedding.CallType():
			key, op = "input", llm.OpEmbedding
		}
		if rec.Messages, err = m.look(ctx, rec, op, key, rec.Messages); err != nil {
			return err
		}
	}
	if len(rec.Response) > 0 && rec.CallType != llm.OpEmbedding.CallType() {
		rec.Response, err = m.answer(ctx, rec)
	}
	return err
}

// look runs the guardrail on a request of its own and returns the member as it then is.
func (m *masker) look(ctx context.Context, rec *callback.Record, op llm.Operation, key string, value []byte) ([]byte, error) {
	x := &llm.Exchange{}
	x.Reset()
	copy(x.ID[:], rec.ID)
	x.Op, x.Path, x.Method, x.Remote, x.Model, x.Principal = op, rec.Route, "POST", rec.Remote, rec.ModelGroup, rec.Principal
	body := append(llm.AppendQuoted([]byte(`{"model":`), rec.ModelGroup), `,"`+key+`":`...)
	if err := x.Body.Parse(append(append(body, value...), '}')); err != nil {
		return nil, err
	}
	reply, err := m.guard.Before(ctx, x)
	switch {
	case err != nil:
		return nil, err
	case reply != nil:
		return nil, errMaskedOut
	}
	return bytes.Clone(x.Body.Get(key)), nil
}

// answer runs the guardrail on the messages of an answer and puts them back.
func (m *masker) answer(ctx context.Context, rec *callback.Record) ([]byte, error) {
	var answer map[string]any
	d := json.NewDecoder(bytes.NewReader(rec.Response))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		return nil, err
	}
	choices, _ := answer["choices"].([]any)
	var messages []any
	for _, c := range choices {
		choice, _ := c.(map[string]any)
		if choice["message"] == nil && choice["text"] != nil {
			messages = append(messages, map[string]any{"role": "assistant", "content": choice["text"]})
			continue
		}
		messages = append(messages, choice["message"])
	}
	if len(messages) == 0 {
		return rec.Response, nil
	}
	text, err := json.Marshal(messages)
	if err != nil {
		return nil, err
	}
	if text, err = m.look(ctx, rec, llm.OpChat, "messages", text); err != nil {
		return nil, err
	}
	var masked []any
	if err := json.Unmarshal(text, &masked); err != nil || len(masked) != len(choices) {
		return nil, errMaskedOut
	}
	for i, c := range choices {
		choice, _ := c.(map[string]any)
		message, _ := masked[i].(map[string]any)
		if choice["message"] == nil && choice["text"] != nil {
			choice["text"] = message["content"]
		} else if choice != nil {
			choice["message"] = masked[i]
		}
	}
	return json.Marshal(answer)
}
