package wasm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// appendHead appends what every hook of a guardrail is told besides texts.
func (g *Guardrail) appendHead(dst []byte, x *llm.Exchange) ([]byte, error) {
	dst, err := appendRequest(dst, x, &g.needs)
	if err != nil {
		return dst, err
	}
	if g.needs.metadata && x.Principal != nil && len(x.Principal.TeamMetadata) > 0 {
		if dst, err = abi.AppendMap(dst, abi.TagTeamMetadata, x.Principal.TeamMetadata); err != nil {
			return dst, err
		}
	}
	if g.needs.requestMetadata && x.Controls.Metadata != nil {
		if dst, err = appendObject(dst, abi.TagCallerMetadata, x.Controls.Metadata); err != nil {
			return dst, invalid("metadata: " + err.Error())
		}
	}
	if params := openai.GuardrailParams(x, g.name); params != nil {
		if dst, err = appendObject(dst, abi.TagGuardParams, params); err != nil {
			return dst, invalid("guardrails: extra_body of " + g.name + ": " + err.Error())
		}
	}
	for _, tag := range openai.Tags(x) {
		dst = abi.AppendText(dst, abi.TagTag, tag)
	}
	return appendText(dst, abi.TagState, x.State(g.name)), nil
}

// appendObject appends a JSON object of the caller's as a map.
func appendObject(dst []byte, tag abi.Tag, raw []byte) ([]byte, error) {
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return dst, fmt.Errorf("a JSON object was expected")
	}
	return abi.AppendMap(dst, tag, m)
}

// appendOutcome appends what is known of an answer besides its texts.
func appendOutcome(dst []byte, r *llm.Reply) []byte {
	dst = appendText(dst, abi.TagFinish, r.Finish)
	if u := r.Usage; u.Total > 0 {
		dst = abi.AppendNumber(dst, abi.TagPromptTokens, uint64(max(u.Prompt, 0)))
		dst = abi.AppendNumber(dst, abi.TagCompletionTokens, uint64(max(u.Completion, 0)))
		dst = abi.AppendNumber(dst, abi.TagTotalTokens, uint64(u.Total))
	}
	if d := r.Deployment; d != nil {
		dst = appendText(dst, abi.TagDeploymentID, d.ID)
		dst = appendText(dst, abi.TagProvider, d.Provider)
	}
	return dst
}

// After implements pipeline.After. A reply that is forwarded as it is, in pieces, is not looked at.
func (g *Guardrail) After(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	if r.Verbatim {
		return nil
	}
	began := stopwatch(x)
	return g.settle(ctx, x, ModePostCall, began, false, g.after(ctx, x, r))
}

func (g *Guardrail) after(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	if !g.has[abi.HookResponse] {
		return g.afterWindows(ctx, x, r)
	}
	in, err := g.p.pool.get(ctx)
	if err != nil {
		return err
	}
	data, err := g.askAnswer(in, x, r)
	if g.giveBack(in, err); err != nil {
		return err
	}
	if data != nil {
		r.First.Data = data
	}
	return nil
}

// askAnswer hands a whole answer to the response hook. It returns the answer to give instead, or nil.
func (g *Guardrail) askAnswer(in *instance, x *llm.Exchange, r *llm.Reply) (data []byte, err error) {
	answer := r.First.Data
	if in.answers, err = openai.AppendAnswer(in.answers[:0], answer); err != nil {
		return nil, fmt.Errorf("the answer cannot be looked at: %w", err)
	}
	if in.view, err = g.appendHead(in.view[:0], x); err != nil {
		return nil, err
	}
	in.view = appendOutcome(in.view, r)
	if n := x.AskedAgain(g.name); n > 0 {
		in.view = abi.AppendNumber(in.view, abi.TagAsked, uint64(n))
	}
	if left := g.retries - x.AskedAgain(g.name); left > 0 {
		in.view = abi.AppendNumber(in.view, abi.TagRetryLeft, uint64(left))
	}
	if g.needs.texts {
		if in.view, err = appendAnswers(in.view, answer, in.answers); err != nil {
			return nil, err
		}
	} else {
		in.answers = in.answers[:0]
	}
	if g.needs.media {
		if in.media, err = openai.AppendAnswerMedia([]openai.MediaPart{}, answer); err != nil {
			return nil, fmt.Errorf("the answer cannot be looked at: %w", err)
		}
		in.view = appendMedia(in.view, in.media)
	}
	in.answer = answer
	res, err := g.send(in, abi.HookResponse, x, in.view, len(in.answers))
	in.answer = nil
	if err == nil {
		err = g.allowed(res, abi.HookResponse)
	}
	if err != nil {
		return nil, err
	}
	if res.verdict == abi.VerdictReject {
		return nil, g.rejection(res)
	}
	if res.keeps {
		x.SetState(g.name, res.state)
	}
	if res.verdict == abi.VerdictRetry {
		return nil, g.again(x, res)
	}
	if len(res.edits) == 0 {
		return nil, nil
	}
	at := func(i int) (llm.Span, openai.Form) { return in.answers[i].Text, in.answers[i].Form }
	return openai.NoLogprobs(nil, openai.AppendEdited(nil, answer, res.edits, at, llm.Span{}, "")), nil
}

func appendAnswers(dst, raw []byte, list []openai.AnswerText) (_ []byte, err error) {
	for i := range list {
		t := &list[i]
		ok := true
		if dst = abi.AppendNumber(dst, abi.TagChoice, uint64(t.Choice)); t.Kind == openai.Arguments {
			dst, ok = appendCall(dst, raw, t.Kind, t.Call, t.Key, t.Form)
		} else if t.Kind != openai.Content {
			dst = abi.AppendText(dst, abi.TagTextKind, t.Kind.String())
		}
		if !ok {
			return dst, errEscape
		}
		if t.Role.End > 0 {
			if dst, ok = appendString(dst, abi.TagMessage, raw, t.Role); !ok {
				return dst, errEscape
			}
		}
		if dst, ok = appendForm(dst, abi.TagText, raw, t.Text, t.Form); !ok {
			return dst, errEscape
		}
	}
	return dst, nil
}

// afterWindows shows a whole answer to the stream hooks of a plugin that has no other.
func (g *Guardrail) afterWindows(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	list, err := openai.AppendAnswer(nil, r.First.Data)
	if err != nil {
		return fmt.Errorf("the answer cannot be looked at: %w", err)
	}
	s := g.stream(ctx, x, r)
	if g.needs.media {
		media, err := openai.AppendAnswerMedia(nil, r.First.Data)
		if err != nil {
			return fmt.Errorf("the answer cannot be looked at: %w", err)
		}
		if err := s.judgeMedia(media); err != nil {
			return err
		}
	}
	var edits []openai.Edit
	for i, t := range list {
		text, ok := t.Form.Append(nil, r.First.Data, t.Text)
		if !ok {
			return errEscape
		}
		var key []byte
		if t.Key.End > 0 {
			if key, ok = t.Form.Key().Append(nil, r.First.Data, t.Key); !ok {
				return errEscape
			}
		}
		if len(text) == 0 {
			continue
		}
		switch d, replaced, err := s.ask(&openai.Window{Choice: t.Choice, Kind: t.Kind, Text: text, Final: true, Call: t.Call, Key: key}); {
		case err != nil:
			return err
		case d == openai.Hold:
			return broken("the whole text is held back")
		case d == openai.Drop:
			edits = append(edits, openai.Edit{Index: i})
		case d == openai.Replace:
			edits = append(edits, openai.Edit{Index: i, Text: replaced})
		}
	}
	if err := s.askEnd(ctx, false); err != nil {
		return err
	}
	if len(edits) > 0 {
		at := func(i int) (llm.Span, openai.Form) { return list[i].Text, list[i].Form }
		r.First.Data = openai.NoLogprobs(nil, openai.AppendEdited(nil, r.First.Data, edits, at, llm.Span{}, ""))
	}
	return nil
}

// lookupAnswer is lookup for the fields of an answer, which the response hook reads.
func (in *instance) lookupAnswer(field uint32, key string) ([]byte, int32) {
	if field < abi.FieldAnswerValue || field > abi.FieldAnswer {
		return nil, abi.ErrArgument
	}
	if in.answer == nil {
		return nil, abi.ErrForbidden
	}
	if field == abi.FieldAnswer {
		return in.answer, 0
	}
	raw, err := dialect.Find(in.answer, key)
	switch {
	case err != nil:
		return nil, abi.ErrArgument
	case len(raw) == 0:
		return nil, abi.ErrNotFound
	case field == abi.FieldAnswerJSON || raw[0] != '"':
		return raw, 0
	}
	var ok bool
	if in.scratch, ok = llm.AppendUnescaped(in.scratch[:0], bytes.Trim(raw, `"`)); !ok {
		return nil, abi.ErrArgument
	}
	return in.scratch, 0
}

// Failure implements pipeline.Failure. When the plugin fails, the error stays as it is. A caller who left reads no error,
// so none is made up for him.
func (g *Guardrail) Failure(ctx context.Context, x *llm.Exchange, e *llm.Error) *llm.Error {
	if e.Kind == llm.KindCanceled {
		return e
	}
	ctx = context.WithoutCancel(ctx)
	in, err := g.p.pool.get(ctx)
	var res *result
	if err == nil {
		res, err = g.askFailure(in, x, e)
		g.giveBack(in, err)
	}
	if err != nil {
		g.p.log.Warn("the failure hook failed, the error stays as it is", "guardrail", g.name, "error", err)
		return e
	}
	if res.verdict != abi.VerdictEdit {
		return e
	}
	return rewritten(e, res)
}

func (g *Guardrail) askFailure(in *instance, x *llm.Exchange, e *llm.Error) (res *result, err error) {
	if in.view, err = g.appendHead(in.view[:0], x); err != nil {
		return res, err
	}
	in.view = abi.AppendText(in.view, abi.TagErrorKind, e.Kind.String())
	in.view = abi.AppendNumber(in.view, abi.TagStatus, uint64(e.HTTPStatus()))
	in.view = appendText(in.view, abi.TagReason, openai.Message(e))
	in.view = appendText(in.view, abi.TagErrorType, e.Type)
	provider := e.Provider
	if d := x.Tried; d != nil {
		in.view = appendText(in.view, abi.TagDeploymentID, d.ID)
		provider = otherwise(provider, d.Provider)
	}
	in.view = appendText(in.view, abi.TagProvider, provider)
	if res, err = g.send(in, abi.HookFailure, x, in.view, 0); err != nil {
		return res, err
	}
	switch {
	case res.verdict != abi.VerdictContinue && res.verdict != abi.VerdictEdit:
		return res, broken("verdict %d of the failure hook", res.verdict)
	case res.changesRequest():
		return res, broken("the failure hook changes the request")
	case res.status != 0 && (res.status < 400 || res.status > 599):
		return res, broken("an error with status %d, it must be 400 to 599", res.status)
	}
	return res, nil
}

// rewritten is a copy of the error as the hook wants it. A message of the hook's own goes out as it is, so the error no
// longer speaks for the vendor.
func rewritten(e *llm.Error, res *result) *llm.Error {
	c := *e
	c.Err = e
	c.Status = otherwise(res.status, e.HTTPStatus())
	if c.Status != e.HTTPStatus() {
		c.Code = ""
	}
	c.Type = otherwise(res.errType, e.Type)
	if res.reason != "" || res.errType != "" {
		c.Message = otherwise(res.reason, openai.Message(e))
		c.Kind, c.Provider = llm.KindRejected, ""
	}
	return &c
}
