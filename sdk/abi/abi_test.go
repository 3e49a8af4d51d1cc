package abi_test

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	b := abi.AppendText(nil, abi.TagModel, "gpt-4o")
	b = abi.AppendNumber(b, abi.TagStatus, 1<<63+5)
	b, mark := abi.Open(b, abi.TagEdit)
	b = abi.AppendNumber(b, abi.TagIndex, 7)
	b = abi.Close(b, mark)
	b = abi.AppendText(b, abi.TagText, []byte(nil))

	r := abi.Reader{Rest: b}
	next := func(tag abi.Tag, flags uint16) {
		t.Helper()
		if !r.Next() || r.Tag != tag || r.Flags != flags {
			t.Fatalf("got tag %d flags %d error %v, want tag %d flags %d", r.Tag, r.Flags, r.Err, tag, flags)
		}
	}
	next(abi.TagModel, 0)
	if string(r.Value) != "gpt-4o" {
		t.Errorf("got %q", r.Value)
	}
	next(abi.TagStatus, 0)
	if r.Number() != 1<<63+5 {
		t.Errorf("got %d", r.Number())
	}
	next(abi.TagEdit, abi.FlagNested)
	if in := r.Inside(); !in.Next() || in.Tag != abi.TagIndex || in.Number() != 7 || in.Next() {
		t.Errorf("inside: %+v", in)
	}
	next(abi.TagText, 0)
	if r.Next() || r.Err != nil {
		t.Errorf("at the end: error %v", r.Err)
	}
}

func TestReaderErrors(t *testing.T) {
	t.Parallel()
	fails := func(b []byte, want error) {
		t.Helper()
		r := abi.Reader{Rest: b}
		for r.Next() {
			if r.Tag == abi.TagStatus {
				r.Number()
			} else {
				r.Unknown()
			}
		}
		if !errors.Is(r.Err, want) {
			t.Errorf("%v: got %v, want %v", b, r.Err, want)
		}
	}
	fails([]byte{1}, abi.ErrShort)
	fails(make([]byte, 7), abi.ErrShort)
	fails([]byte{1, 0, 0, 0, 1, 0, 0, 0}, abi.ErrShort)
	fails([]byte{1, 0, 0, 0, 255, 255, 255, 255}, abi.ErrShort)
	fails(abi.AppendText(nil, abi.TagStatus, "4"), abi.ErrValue)
	fails([]byte{99, 0, byte(abi.FlagCritical), 0, 0, 0, 0, 0}, abi.ErrCritical)
	fails([]byte{99, 0, byte(abi.FlagNested), 0, 0, 0, 0, 0}, nil)
}

func TestMap(t *testing.T) {
	t.Parallel()
	m := map[string]any{
		"text": "a", "int": int64(-3), "float": 2.5, "yes": true, "no": false, "nil": nil,
		"list": []any{"x", int64(1), []any{}, map[string]any{"y": "z"}}, "map": map[string]any{},
	}
	b, err := abi.AppendMap(nil, abi.TagConfig, m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := abi.Map(b[abi.HeaderSize:])
	if diff := cmp.Diff(m, got); diff != "" || err != nil {
		t.Errorf("error %v, -want +got\n%s", err, diff)
	}
	b, err = abi.AppendMap(nil, abi.TagConfig, map[string]any{"a": 1, "b": uint64(math.MaxUint64), "c": []string{"x"}, "d": float32(0.5)})
	got, err2 := abi.Map(b[abi.HeaderSize:])
	want := map[string]any{"a": int64(1), "b": float64(math.MaxUint64), "c": []any{"x"}, "d": 0.5}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || err2 != nil {
		t.Errorf("errors %v, %v, -want +got\n%s", err, err2, diff)
	}
	if _, err := abi.AppendMap(nil, abi.TagConfig, map[string]any{"when": struct{}{}}); err == nil {
		t.Error("a struct was accepted")
	}
	deep := any("x")
	for range abi.MaxDepth + 1 {
		deep = []any{deep}
	}
	if _, err := abi.AppendMap(nil, abi.TagConfig, map[string]any{"deep": deep}); !errors.Is(err, abi.ErrDeep) {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	buf := make([]byte, 0, 1024)
	n := testing.AllocsPerRun(100, func() {
		b, mark := abi.Open(buf[:0], abi.TagEdit)
		b = abi.AppendText(abi.AppendNumber(b, abi.TagIndex, 3), abi.TagText, "some text")
		b = abi.Close(b, mark)
		r := abi.Reader{Rest: b}
		for r.Next() {
			for in := r.Inside(); in.Next(); {
				if in.Tag == abi.TagIndex && in.Number() != 3 {
					t.Fatal("wrong number")
				}
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHookNames(t *testing.T) {
	t.Parallel()
	for h := abi.HookConfigure; h <= abi.HookKeyGenerate; h++ {
		if got, ok := abi.ParseHook(h.String()); !ok || got != h {
			t.Errorf("hook %d is called %q, which is hook %d", h, h, got)
		}
	}
	if _, ok := abi.ParseHook(""); ok {
		t.Error("the empty name is a hook")
	}
	if s := abi.Hook(1 << 31).String(); s != "" {
		t.Errorf("an unknown hook is called %q", s)
	}
}

// FuzzReader walks over foreign bytes. What is read must be written back as it was.
func FuzzReader(f *testing.F) {
	f.Add(abi.AppendNumber(abi.AppendText(nil, abi.TagModel, "m"), abi.TagStatus, 1))
	f.Add([]byte{64, 0, 1, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		var back []byte
		r := abi.Reader{Rest: b}
		for r.Next() {
			if r.Flags == 0 {
				back = abi.AppendText(back, r.Tag, r.Value)
			} else {
				back = append(back, b[len(back):len(back)+abi.HeaderSize+len(r.Value)]...)
			}
		}
		if string(back) != string(b[:len(back)]) || r.Err == nil && len(back) != len(b) {
			t.Fatalf("%v was read as %v, error %v", b, back, r.Err)
		}
	})
}

// FuzzMap decodes foreign bytes as a map. What it accepts survives another round.
func FuzzMap(f *testing.F) {
	b, _ := abi.AppendMap(nil, abi.TagConfig, map[string]any{"a": []any{1, "x", nil}, "b": map[string]any{"c": 1.5, "d": true}})
	f.Add(b[abi.HeaderSize:])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := abi.Map(b)
		if err != nil {
			return
		}
		again, err := abi.AppendMap(nil, abi.TagConfig, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := abi.Map(again[abi.HeaderSize:]); err != nil {
			t.Fatal(err)
		}
	})
}
