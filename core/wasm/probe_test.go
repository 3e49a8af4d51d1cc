package wasm

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	out := abi.AppendText(abi.AppendNumber(nil, abi.TagVerdict, uint64(abi.VerdictRespond)), abi.TagReply, "hi")
	var traced []Traced
	p := hand{call: returnData(out), result: out}.load(t, func(s *Settings) {
		s.Trace = func(c Traced) {
			traced = append(traced, Traced{c.Hook, bytes.Clone(c.View), bytes.Clone(c.Result), c.Err})
		}
	})
	b, err := p.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	view := abi.AppendText(nil, abi.TagModel, "m")
	got, err := b.Call(t.Context(), abi.HookRequest, view, nil)
	if err != nil || !bytes.Equal(got, out) {
		t.Errorf("got %v, error %v", got, err)
	}
	if len(traced) != 1 || traced[0].Hook != abi.HookRequest || !bytes.Equal(traced[0].View, view) || !bytes.Equal(traced[0].Result, out) {
		t.Errorf("traced %+v", traced)
	}
	if u := b.Usage(); u.Units != 0 || u.Memory != 32<<16 {
		t.Errorf("used %+v", u)
	}
}

func TestProbeAfterFailure(t *testing.T) {
	t.Parallel()
	p := hand{call: loopForever}.load(t, func(s *Settings) { s.Limits.Wall = time.Minute })
	b, err := p.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.Call(t.Context(), abi.HookRequest, nil, nil); !errors.Is(err, ErrCPU) {
			t.Errorf("got %v", err)
		}
		if u := b.Usage(); u != (Usage{}) {
			t.Errorf("a discarded instance used %+v", u)
		}
	}
	b.Close()
	if _, err := b.Call(t.Context(), abi.HookRequest, make([]byte, 9<<20), nil); !errors.Is(err, ErrSize) {
		t.Errorf("got %v", err)
	}
	b.Close()
}
