package plugintool

import (
	"context"
	"errors"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/dump"
)

// bareAttempt runs a hook on given records.
type bareAttempt struct {
	subject
	hook abi.Hook
	out  []byte
	err  error
}

func (a *bareAttempt) run(ctx context.Context) {
	probe, err := a.p.Probe(ctx)
	if a.err = err; err != nil {
		return
	}
	defer probe.Close()
	a.out, a.err = probe.Call(ctx, a.hook, a.t.View, a.x)
}

func (a *bareAttempt) outcome() (*Outcome, error) {
	if a.err != nil {
		return &Outcome{Verdict: Failed, Message: a.err.Error()}, nil //nolint:nilerr // the outcome holds it
	}
	names, err := dump.TagNames()
	if err != nil {
		return nil, err
	}
	o := &Outcome{Verdict: Continue, Records: dump.Format(a.out, names)}
	for r := (abi.Reader{Rest: a.out}); r.Next(); {
		switch r.Tag {
		case abi.TagVerdict:
			o.Verdict = verdictName(abi.Verdict(r.Number()))
		case abi.TagStatus:
			o.Status = int(min(r.Number(), 999))
		case abi.TagReason:
			o.Message = string(r.Value)
		}
		if r.Err != nil {
			return nil, errors.New("the result is malformed: " + r.Err.Error())
		}
	}
	return o, nil
}

func verdictName(v abi.Verdict) string {
	switch v {
	case abi.VerdictContinue:
		return Continue
	case abi.VerdictEdit:
		return Edit
	case abi.VerdictReject:
		return Reject
	case abi.VerdictRespond:
		return Respond
	case abi.VerdictAllow:
		return Allow
	case abi.VerdictHold:
		return "hold"
	case abi.VerdictDrop:
		return "drop"
	case abi.VerdictRetry:
		return Retry
	}
	return Failed
}
