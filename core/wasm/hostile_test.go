package wasm

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Instructions of the guests below, besides those in hand_test.go.
var (
	localGet  = func(n byte) []byte { return []byte{0x20, n} }
	i32Const  = func(n int32) []byte { return append([]byte{0x41}, sleb(int64(n))...) }
	growToCap = []byte{0x03, 0x40, 0x41, 0x01, 0x40, 0x00, 0x41, 0x7f, 0x47, 0x0d, 0x00, 0x0b, 0x42, 0x00}
	fieldCall = func(args ...int32) []byte { return append(constants(args...), 0x10, 0x00) }
)

func constants(args ...int32) (code []byte) {
	for _, a := range args {
		code = append(code, i32Const(a)...)
	}
	return code
}

// TestHostileBuffers has guests hand out a sound buffer at their start, and nonsense once a request needs a larger one.
func TestHostileBuffers(t *testing.T) {
	t.Parallel()
	long := `{"messages":[{"role":"user","content":"` + strings.Repeat("x", 20<<10) + `"}]}`
	// grown is what sp_buf does for more than 4 KB.
	fails := func(name string, want error, grown []byte, more ...func(*hand)) {
		t.Helper()
		h := hand{pages: 64}
		h.buf = slices.Concat(localGet(0), i32Const(4096), []byte{0x4b, 0x04, 0x40}, grown, []byte{0x0f, 0x0b}, i32Const(bufferAt))
		for _, change := range more {
			change(&h)
		}
		p := h.load(t, func(s *Settings) {
			s.Limits = Limits{CPU: 20 * time.Millisecond, Wall: time.Minute, MemoryMB: 8, Instances: 1}
		})
		for range 2 {
			x, _, err := before(t, p, long)
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", name, err, want)
			}
			if err == nil && string(x.Body.Raw()) != long {
				t.Errorf("%s: the request was changed", name)
			}
			if want != nil && used(p) {
				t.Errorf("%s: the instance was kept", name)
			}
			if _, _, err := before(t, p, hello); err != nil {
				t.Errorf("%s: the next request: %v", name, err)
			}
		}
	}
	fails("sound", nil, i32Const(bufferAt))
	fails("odd", nil, i32Const(bufferAt+1))
	fails("none", ErrResult, i32Const(0))
	fails("outside", ErrResult, i32Const(-8))
	fails("the last byte", ErrResult, i32Const(64<<16-1))
	fails("the first byte", nil, i32Const(1))
	fails("trap", ErrTrap, trap)
	fails("loop", ErrCPU, append(slices.Clone(loopForever), i32Const(0)...))
	fails("grow", ErrTrap, append(slices.Clone(growForever), i32Const(0)...))
	fails("recursion", ErrDepth, append(i32Const(1<<20), 0x10, 0x00))

	// The buffer lies over the result: what comes back is the request, which is no verdict.
	fails("over the result", ErrResult, i32Const(resultAt), func(h *hand) {
		all := verdict(abi.VerdictReject)
		h.call = slices.Concat(localGet(2), i32Const(4096), []byte{0x4d, 0x04, 0x40, 0x42, 0x00, 0x0f, 0x0b}, returnAt(resultAt, len(all)))
		h.result = all
	})
}

// TestHostileHostCalls has guests call the host with addresses outside of memory, from the bottom of a recursion, and for
// ever.
func TestHostileHostCalls(t *testing.T) {
	t.Parallel()
	guest := func(code []byte) *Plugin {
		return hand{imports: []string{"sallyport1.field"}, call: code}.load(t, func(s *Settings) {
			s.Limits = Limits{CPU: 50 * time.Millisecond, Wall: time.Minute, Instances: 1}
		})
	}
	// The host's answer is the status of a refusal that no caller may get: it is in the failure.
	answers := func(want int32, args ...int32) {
		t.Helper()
		p := guest(slices.Concat(fieldCall(args...), i32Const(want), []byte{0x47, 0x04, 0x40, 0x00, 0x0b, 0x42, 0x00}))
		if _, _, err := before(t, p, hello); err != nil {
			t.Errorf("field%v: not %d: %v", args, want, err)
		}
	}
	const body = int32(abi.FieldBody)
	far := int32(-16) // 0xfffffff0
	answers(int32(len(hello)), body, 0, 0, 0, 0)
	answers(abi.ErrArgument, body, far, 32, 0, 0)
	answers(abi.ErrArgument, body, 0, far, 0, 0)
	answers(abi.ErrArgument, body, 0, 2000, 0, 0)
	answers(abi.ErrArgument, body, 0, 0, far, 1000)
	answers(abi.ErrArgument, body, 0, 0, -1, -1)
	answers(abi.ErrNotFound, int32(abi.FieldHeader), 0, 8, 0, 0)
	answers(abi.ErrForbidden, int32(abi.FieldAnswer), 0, 0, 0, 0)
	answers(abi.ErrArgument, 9999, 0, 0, 0, 0)

	fails := func(name string, want error, p *Plugin) {
		t.Helper()
		for range 2 {
			if _, _, err := before(t, p, hello); !errors.Is(err, want) || used(p) {
				t.Errorf("%s: got %v, want %v", name, err, want)
			}
		}
	}
	ask := append(fieldCall(body, 0, 0, 0, 0), 0x1a)
	fails("recursion through the host", ErrDepth, guest(slices.Concat(ask, recurse(2))))
	fails("asking for ever", ErrCPU, guest(slices.Concat([]byte{0x03, 0x40}, ask, []byte{0x0c, 0x00, 0x0b, 0x00})))
	fails("a body over the guest's own result", ErrResult, guest(slices.Concat(fieldCall(body, 0, 0, resultAt, 4096), []byte{0x1a}, returnAt(resultAt, 16))))
}

// TestHostArguments gives the host functions that take text or numbers from the guest addresses outside of memory: each
// says so, and none of them panics.
func TestHostArguments(t *testing.T) {
	t.Parallel()
	in := sandbox(t)
	in.p.rights.kv, in.p.rights.metrics = true, true
	in.hook = abi.HookRequest
	call := func(f func(*instance, []uint64), want int32, args ...uint64) {
		t.Helper()
		stack := append(args, 0)
		f(in, stack)
		if got := int32(uint32(stack[0])); got != want {
			t.Errorf("%v: got %d, want %d", args, got, want)
		}
	}
	size := uint64(in.mem.Size())
	one := math.Float64bits(1)
	for _, far := range []uint64{0xffff_ffff, 0xffff_fff0, size - 1} {
		call(hostKVGet, abi.ErrArgument, far, 16, 0, 0)
		call(hostKVSet, abi.ErrArgument, far, 16, 0, 1, 0)
		call(hostKVSet, abi.ErrArgument, bufferAt, 1, far, 16, 0)
		call(hostKVIncr, abi.ErrArgument, far, 16, 1, 0, bufferAt)
		call(hostKVDel, abi.ErrArgument, far, 16)
		call(hostMetric, abi.ErrArgument, 0, far, 16, one)
		stack := []uint64{0, far, 16}
		hostLog(in, stack)
	}
	call(hostKVIncr, abi.ErrArgument, bufferAt, 1, 1, 0, size-4) // the sum has no place, so nothing is added
	call(hostKVIncr, 0, bufferAt, 1, 1, 0, bufferAt+8)
	if n, _ := in.mem.ReadUint64Le(bufferAt + 8); n != 1 {
		t.Errorf("the number is %d: a call that was refused counted", n)
	}
	call(hostKVSet, 0, bufferAt, 1, bufferAt, 4, 0)
	call(hostKVGet, abi.ErrArgument, bufferAt, 1, size-2, 4)
	call(hostKVGet, 4, bufferAt, 1, size-2, 2) // too small a buffer is not written to
	call(hostMetric, abi.ErrArgument, 7, bufferAt, 1, one)
}

// TestHostileText has a guest return texts that are no UTF-8. What goes on, and what the caller reads, is JSON.
func TestHostileText(t *testing.T) {
	t.Parallel()
	const bad = "a\xff\xfe\xc3(\xed\xa0\x80\x00z"
	load := func(b ...[]byte) *Plugin {
		all := records(b...)
		return hand{call: returnData(all), result: all}.load(t)
	}
	edit := nested(abi.TagEdit, number(abi.TagIndex, 0), textRecord(abi.TagText, bad))
	x, _, err := before(t, load(verdict(abi.VerdictEdit), edit), hello)
	if err != nil || !json.Valid(x.Body.Raw()) || !utf8.Valid(x.Body.Raw()) {
		t.Errorf("edit: %q, %v", x.Body.Raw(), err)
	}
	_, _, err = before(t, load(verdict(abi.VerdictReject), number(abi.TagStatus, 400), textRecord(abi.TagReason, bad)), hello)
	if err == nil || !utf8.ValidString(err.Error()) {
		t.Errorf("reject: %q", err)
	}
	for _, tag := range []abi.Tag{abi.TagModel, abi.TagTag, abi.TagFinish} {
		if _, _, err := before(t, load(verdict(abi.VerdictEdit), textRecord(tag, bad)), hello); !errors.Is(err, ErrResult) {
			t.Errorf("tag %d: %v", tag, err)
		}
	}
	principal := nested(abi.TagPrincipal, textRecord(abi.TagUserID, bad))
	if _, err := readResult(records(verdict(abi.VerdictAllow), principal), 0); !errors.Is(err, ErrResult) {
		t.Errorf("principal: %v", err)
	}
}

// TestMemoryUpToTheCap has a guest take all the memory it may have. That is no failure: the next call has a fresh
// instance, and the memory is given back.
func TestMemoryUpToTheCap(t *testing.T) {
	t.Parallel()
	h, err := NewHost(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Load(t.Context(), Settings{Path: hand{call: growToCap}.file(t), NoCache: true, Limits: Limits{MemoryMB: 8, Instances: 1, CPU: time.Second, Wall: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, _, err := before(t, p, hello); err != nil {
			t.Fatal(err)
		}
		if n := p.Status().Memory; n > 8<<20 {
			t.Fatalf("%d bytes in use, 8 MB are allowed", n)
		}
		if used(p) {
			t.Fatal("an instance with all its memory taken was kept")
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.Status(); s.Memory != 0 || s.Instances != 0 {
		t.Errorf("closed, and %+v", s)
	}
}

// TestHostileModules loads files that are monstrous. Each is refused with a reason, or loaded and served; none takes the
// process along.
func TestHostileModules(t *testing.T) {
	t.Parallel()
	try := func(path string) error {
		p, err := Load(t.Context(), Settings{Path: path, NoCache: true, Limits: Limits{Start: 200 * time.Millisecond, CPU: time.Minute, Wall: time.Minute}})
		if err != nil {
			return err
		}
		defer p.Close(t.Context())
		_, _, err = before(t, p, hello)
		return err
	}
	refused := func(name, want string, h hand) {
		t.Helper()
		if err := try(h.file(t)); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 2000 {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	works := func(name string, h hand, more ...byte) {
		t.Helper()
		if err := try(moduleFile(t, append(h.module(), more...))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("a start function that loops", "takes more than 200ms to start", hand{init: loopForever, start: true, without: []string{abi.InitFunc}})
	refused("a start function that traps", "crashed", hand{init: trap, start: true, without: []string{abi.InitFunc}})
	refused("a start function that recurses", "too deep", hand{init: append([]byte{0x10, 2}, 0x01), start: true, without: []string{abi.InitFunc}})
	refused("a start function that takes memory", "crashed", hand{init: growForever, start: true, without: []string{abi.InitFunc}})
	works("a start function and a host call", hand{imports: []string{"sallyport1.field"}, init: append(fieldCall(4, 0, 0, 0, 0), 0x1a), start: true, without: []string{abi.InitFunc}})

	imports := slices.Repeat([]string{"sallyport1.field"}, 20_000)
	works("thousands of imports", hand{imports: imports})
	for i := range imports {
		imports[i] = "env.f" + strings.Repeat("x", i%50)
	}
	refused("thousands of imports of nothing", "imports env.f", hand{imports: imports})
	works("a huge custom section", hand{}, append([]byte{0}, sized(name("x"), make([]byte, 30<<20))...)...)
	works("deep blocks", hand{call: slices.Concat(slices.Repeat([]byte{0x02, 0x40}, 50_000), slices.Repeat([]byte{0x0b}, 50_000), []byte{0x42, 0})})
	works("a long function", hand{call: append(slices.Repeat([]byte{0x01}, 4<<20), 0x42, 0)})

	large := filepath.Join(t.TempDir(), "large.wasm")
	if err := os.WriteFile(large, hand{}.module(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 100<<20); err != nil {
		t.Fatal(err)
	}
	if err := try(large); err == nil || !strings.Contains(err.Error(), "larger than 64 MB") {
		t.Errorf("100 MB: %v", err)
	}
}
