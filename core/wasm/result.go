package wasm

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// result is what a hook returned, checked and copied out of the guest's memory.
type result struct {
	verdict   abi.Verdict
	status    int
	reason    string // for the caller of a refusal, for the operator of a failure
	edits     []openai.Edit
	model     string
	reply     string
	principal *llm.Principal

	// Of guardrails.
	finish   string // with reply
	errType  string
	state    []byte
	keeps    bool // state is set
	changes  []change
	tags     []string
	metadata map[string]any
	ask      []string
	choice   int
}

func broken(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrResult}, a...)...)
}

// readResult decodes a result; segments is how many texts the hook was given. Whatever is out of order is an error. A result
// is large, so it is handed on by its address.
func readResult(out []byte, segments int) (*result, error) {
	res, decided := &result{}, false
	var err error
	r := abi.Reader{Rest: out}
	for err == nil && r.Next() {
		switch r.Tag {
		case abi.TagVerdict:
			res.verdict, decided = abi.Verdict(r.Number()), true
		case abi.TagStatus:
			res.status = int(min(r.Number(), 999))
		case abi.TagReason:
			res.reason = clean(r.Value)
		case abi.TagEdit:
			err = res.edit(r.Inside(), segments)
		case abi.TagModel:
			if res.model = string(r.Value); !isText(r.Value) {
				err = broken("the model's name is no UTF-8 text without zero bytes")
			}
		case abi.TagReply:
			res.reply = string(r.Value)
		case abi.TagPrincipal:
			res.principal, err = readPrincipal(r.Inside())
		default:
			var known bool
			if known, err = res.read(&r); !known {
				r.Unknown()
			}
		}
	}
	if err == nil && r.Err != nil {
		err = broken("result: %v", r.Err)
	}
	if err == nil && !decided {
		err = broken("a result without a verdict")
	}
	if err == nil {
		err = res.check()
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// edit reads one edit. They come in the order of the segments.
func (res *result) edit(in abi.Reader, segments int) error {
	index, text, has := -1, "", false
	for in.Next() {
		switch in.Tag {
		case abi.TagIndex:
			index = int(min(in.Number(), openai.MaxTexts))
		case abi.TagText:
			text, has = string(in.Value), true
		default:
			in.Unknown()
		}
	}
	switch last := len(res.edits) - 1; {
	case in.Err != nil:
		return broken("edit: %v", in.Err)
	case index < 0 || !has:
		return broken("an edit without segment number or text")
	case index >= segments:
		return broken("an edit of segment %d, there are %d", index, segments)
	case last >= 0 && res.edits[last].Index >= index:
		return broken("the edit of segment %d is out of order", index)
	}
	res.edits = append(res.edits, openai.Edit{Index: index, Text: text})
	return nil
}

func (res *result) check() error {
	switch res.verdict {
	case abi.VerdictReject, abi.VerdictRetry:
		if res.status < 400 || res.status > 499 {
			return broken("a refusal with status %d, it must be 400 to 499", res.status)
		}
	case abi.VerdictAllow:
		if res.principal == nil {
			return broken("a caller is let in without a principal")
		}
	case abi.VerdictFail:
		return fmt.Errorf("%w: %s", ErrVerdict, res.reason)
	case abi.VerdictContinue, abi.VerdictEdit, abi.VerdictRespond, abi.VerdictHold, abi.VerdictDrop:
	default:
		return broken("unknown verdict %d", res.verdict)
	}
	return nil
}

// isText reports whether bytes are text that can name something: names that are not become one another where they are made
// so, in a database or in metrics.
func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// outcome reads the result of the configure hook.
func outcome(out []byte) (abi.Verdict, string, error) {
	verdict, reason := abi.VerdictContinue, ""
	r := abi.Reader{Rest: out}
	for r.Next() {
		switch r.Tag {
		case abi.TagVerdict:
			verdict = abi.Verdict(r.Number())
		case abi.TagReason:
			reason = clean(r.Value)
		default:
			r.Unknown()
		}
	}
	if r.Err != nil {
		return 0, "", broken("result: %v", r.Err)
	}
	return verdict, reason, nil
}
