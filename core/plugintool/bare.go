package plugintool

import (
	"context"
	"errors"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/dump"
)

// bare runs a hook on given records.
func (t Trial) bare(ctx context.Context, p *wasm.Plugin, hook abi.Hook, x *llm.Exchange) (*Outcome, error) {
	probe, err := p.Probe(ctx)
	if err != nil {
		return nil, err
	}
	defer probe.Close()
	out, err := probe.Call(ctx, hook, t.View, x)
	if err != nil {
		return &Outcome{Verdict: Failed, Message: err.Error()}, nil
	}
	names, err := dump.TagNames()
	if err != nil {
		return nil, err
	}
	o := &Outcome{Verdict: Continue, Records: dump.Format(out, names)}
	for r := (abi.Reader{Rest: out}); r.Next(); {
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
	}
	return Failed
}
