package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// use runs a call in an instance of the pool and gives it back afterwards, unless it may be damaged.
func (p *Plugin) use(ctx context.Context, run func(in *instance) error) error {
	in, err := p.pool.get(ctx)
	if err != nil {
		return err
	}
	in.segments = in.segments[:0]
	err = run(in)
	in.doc = nil
	if err == nil || unharmed(err) {
		p.pool.put(in)
	} else {
		p.pool.discard(in)
	}
	return err
}

// internal is the error that a caller gets when a plugin failed. It says nothing but message; the cause is for the
// operator.
func (p *Plugin) internal(op, message string, err error) *llm.Error {
	e := &llm.Error{Op: op, Kind: llm.KindInternal, Err: err, Message: message}
	if errors.Is(err, ErrBusy) {
		e.Status, e.Message = 503, "Plugin "+p.name+" is overloaded, try again later."
	}
	return e
}

// head is what results of all hooks have in common.
type head struct {
	verdict abi.Verdict
	decided bool
	status  int
	reason  string
}

// read takes a record that the hook itself does not know.
func (h *head) read(r *abi.Reader) {
	switch r.Tag {
	case abi.TagVerdict:
		h.verdict, h.decided = abi.Verdict(r.Number()), true
	case abi.TagStatus:
		h.status = int(min(r.Number(), 999))
	case abi.TagReason:
		h.reason = clean(r.Value)
	default:
		r.Unknown()
	}
}

// end checks a result that was read to its end.
func (h *head) end(r *abi.Reader) (abi.Verdict, error) {
	switch {
	case r.Err != nil:
		return 0, broken("result: %v", r.Err)
	case !h.decided:
		return 0, broken("a result without a verdict")
	case h.verdict == abi.VerdictFail:
		return 0, fmt.Errorf("%w: %s", ErrVerdict, h.reason)
	case h.verdict > abi.VerdictFail:
		return 0, broken("unknown verdict %d", h.verdict)
	}
	return h.verdict, nil
}

// refused checks the status of a refusal and makes an error of it.
func (h *head) refused(op string, low, high int) error {
	if h.status < low || h.status > high {
		return broken("a refusal with status %d, it must be %d to %d", h.status, low, high)
	}
	return &llm.Error{Op: op, Kind: llm.KindRejected, Status: h.status, Message: h.reason}
}

// appendBodyTexts appends what the messages of a request say, for hooks that make something of them.
func appendBodyTexts(dst []byte, o *llm.Object) ([]byte, error) {
	if o.Raw() == nil {
		return dst, nil
	}
	list, err := openai.AppendTexts(nil, o)
	if err != nil {
		return dst, invalid(err.Error())
	}
	list = slices.DeleteFunc(list, func(t openai.Text) bool { return t.Kind != openai.Content })
	dst, ok := appendTexts(dst, o.Raw(), list)
	if !ok {
		return dst, invalid("a text holds a malformed escape")
	}
	return dst, nil
}

// appendHeader appends a header line.
func appendHeader(dst []byte, name, value []byte) []byte {
	dst, mark := abi.Open(dst, abi.TagHeader)
	dst = abi.AppendText(dst, abi.TagKey, name)
	return abi.Close(abi.AppendText(dst, abi.TagText, value), mark)
}
