// Package tck is the conformance kit of the plugin interface: golden views and results of every hook, and a suite that
// runs a guest, written with the SDK under test, against them in the gateway's own host. README.md says how a guest for
// an SDK behaves.
package tck

import (
	"bytes"
	"context"
	"embed"
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/dump"
)

//go:embed testdata/*.txtar
var golden embed.FS

// Case is a view and what the guest of an SDK makes of it.
type Case struct {
	Hook   abi.Hook
	Name   string
	View   []byte
	Result []byte // empty is "continue, nothing changed": the guest returns 0
}

// Cases returns the golden cases, in the order of the files.
func Cases() ([]Case, error) {
	names, err := fs.Glob(golden, "testdata/*.txtar")
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, name := range names {
		b, err := golden.ReadFile(name)
		if err != nil {
			return nil, err
		}
		hook, ok := abi.ParseHook(strings.TrimSuffix(path.Base(name), ".txtar"))
		if !ok {
			return nil, fmt.Errorf("%s is named after no hook", name)
		}
		files := txtar.Parse(b).Files
		for i := 0; i+1 < len(files); i += 2 {
			c := Case{Hook: hook, Name: strings.TrimSuffix(files[i].Name, "/view")}
			if files[i+1].Name != c.Name+"/result" {
				return nil, fmt.Errorf("%s: %s is not followed by %s/result", name, files[i].Name, c.Name)
			}
			if c.View, err = dump.Parse(string(files[i].Data)); err == nil {
				c.Result, err = dump.Parse(string(files[i+1].Data))
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, c.Name, err)
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// Run runs the module of an SDK's guest through every case of the hooks that its manifest names, and through what is
// derived from them: unknown records, cut views, lying lengths, numbers of the wrong size. It reports how many hooks
// were run.
func Run(t *testing.T, module string) (hooks int) {
	t.Helper()
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	p, err := wasm.Load(t.Context(), wasm.Settings{Path: module})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	probe, err := p.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	s := suite{t, probe, exchange(t)}
	seen := map[abi.Hook]bool{}
	for _, c := range cases {
		if !p.Has(c.Hook) {
			continue
		}
		seen[c.Hook] = true
		s.want(c, "", c.View, c.Result)
		s.derived(c)
	}
	configure(t, module)
	return len(seen)
}

type suite struct {
	t     *testing.T
	probe *wasm.Probe
	x     *llm.Exchange
}

// exchange is what the host functions of the cases read.
func exchange(t testing.TB) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	if err := x.Body.Parse([]byte(`{"model":"echo","a":{"b":"c"}}`)); err != nil {
		t.Fatal(err)
	}
	x.Header = append(x.Header, llm.Field{Name: []byte("X-Tck"), Value: []byte("h")})
	return x
}

func (s *suite) call(c Case, what string, view []byte) ([]byte, bool) {
	s.t.Helper()
	out, err := s.probe.Call(s.t.Context(), c.Hook, view, s.x)
	if err != nil {
		s.t.Errorf("%s %s%s: %v", c.Hook, c.Name, what, err)
	}
	return out, err == nil
}

func (s *suite) want(c Case, what string, view, result []byte) {
	s.t.Helper()
	out, ok := s.call(c, what, view)
	if ok && !bytes.Equal(out, result) {
		s.t.Errorf("%s %s%s: the result is\n%swant\n%s", c.Hook, c.Name, what, text(out), text(result))
	}
}

// fails expects verdict 5.
func (s *suite) fails(c Case, what string, view []byte) {
	s.t.Helper()
	out, ok := s.call(c, what, view)
	r := abi.Reader{Rest: out}
	if ok && !(r.Next() && r.Tag == abi.TagVerdict && abi.Verdict(r.Number()) == abi.VerdictFail) {
		s.t.Errorf("%s %s%s: the result is\n%swant a failure", c.Hook, c.Name, what, text(out))
	}
}

// unknownTag is none that a gateway will ever use.
const unknownTag = 0xfff0

// derived changes the view of a case. What no reader may mind leaves the result as it is, anything else is a failure of
// the guest's and never a crash.
func (s *suite) derived(c Case) {
	s.t.Helper()
	unknown := abi.AppendNumber(bytes.Clone(c.View), unknownTag, 1)
	s.want(c, " with an unknown record", unknown, c.Result)
	nested, mark := abi.Open(bytes.Clone(c.View), unknownTag)
	s.want(c, " with an unknown nested record", abi.Close(append(nested, 1, 2, 3), mark), c.Result)
	unknown[len(c.View)+2] = byte(abi.FlagCritical)
	if c.Hook == abi.HookTick { // its view is empty and need not be read
		return
	}
	s.fails(c, " with a critical unknown record", unknown)
	s.fails(c, " with half a header behind it", append(bytes.Clone(c.View), 1, 0, 0, 0))
	s.fails(c, " with a length beyond its end", append(bytes.Clone(c.View), 0xf0, 0xff, 0, 0, 1, 0, 0, 0))
	s.fails(c, " with the largest length", append(bytes.Clone(c.View), 0xf0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff))
	s.wrongSizes(c)
	s.oversize(c)
	ends := map[int]bool{0: true}
	for r := (abi.Reader{Rest: c.View}); r.Next(); {
		ends[len(c.View)-len(r.Rest)] = true
	}
	for n := range c.View {
		if !ends[n] {
			s.fails(c, fmt.Sprintf(" cut after %d bytes", n), c.View[:n])
		}
	}
}

// wrongSizes gives each number of the view a value of another size than 8 bytes, in turn, and each record of the view, at
// every level, a length that leads beyond the view and one that ends within the next header. A number of the wrong size is a
// failure, and nothing is a crash.
func (s *suite) wrongSizes(c Case) {
	s.t.Helper()
	for _, size := range []int{0, 1, 4, 7, 9, 16} {
		at := 0
		for r := (abi.Reader{Rest: c.View}); r.Next(); {
			end := len(c.View) - len(r.Rest)
			if isNumber(r.Tag) && len(r.Value) == 8 {
				view := bytes.Clone(c.View[:at])
				view = abi.AppendText(view, r.Tag, make([]byte, size))
				view = append(view, c.View[end:]...)
				what := fmt.Sprintf(" with %d bytes in number %d", size, r.Tag)
				if isFlag(r.Tag) { // there or not is all that it says
					s.failsOrContinues(c, what, view)
				} else {
					s.fails(c, what, view)
				}
			}
			at = end
		}
	}
	for _, lie := range []uint32{1, 7, 8, 1 << 16, 1 << 31, 1<<32 - 1} {
		for _, at := range headers(c.View, 0, 0) {
			view := bytes.Clone(c.View)
			length := binary.LittleEndian.Uint32(view[at+4:])
			binary.LittleEndian.PutUint32(view[at+4:], length+lie)
			s.failsOrContinues(c, fmt.Sprintf(" with %d more in the length at byte %d", lie, at), view)
		}
	}
}

// oversize appends a record as large as a view may be in a small memory, and many records. Both are to be skipped.
func (s *suite) oversize(c Case) {
	s.t.Helper()
	s.want(c, " with a record of 1 MB", abi.AppendText(bytes.Clone(c.View), unknownTag, make([]byte, 1<<20)), c.Result)
	view := bytes.Clone(c.View)
	for range 10_000 {
		view = abi.AppendText(view, unknownTag, "")
	}
	s.want(c, " with 10,000 more records", view, c.Result)
}

// failsOrContinues expects a result that is well formed and has a verdict, whatever it is, and an instance that works on.
func (s *suite) failsOrContinues(c Case, what string, view []byte) {
	s.t.Helper()
	out, ok := s.call(c, what, view)
	if !ok || len(out) == 0 {
		return
	}
	r := abi.Reader{Rest: out}
	if !r.Next() || r.Tag != abi.TagVerdict {
		s.t.Errorf("%s %s%s: the result is no verdict\n%s", c.Hook, c.Name, what, text(out))
	}
	for r.Next() {
	}
	if r.Err != nil {
		s.t.Errorf("%s %s%s: the result is malformed: %v\n%s", c.Hook, c.Name, what, r.Err, text(out))
	}
}

// isFlag reports whether the tag is one whose value is 1 if it is there.
func isFlag(tag abi.Tag) bool {
	switch tag {
	case abi.TagStream, abi.TagFinal, abi.TagLeft, abi.TagPartial:
		return true
	}
	return false
}

// isNumber reports whether the tag is one whose value is a number in every view.
func isNumber(tag abi.Tag) bool {
	switch tag {
	case abi.TagStream, abi.TagChoice, abi.TagFresh, abi.TagFinal, abi.TagLeft, abi.TagPartial, abi.TagAsked, abi.TagRetryLeft, abi.TagStatus,
		abi.TagPromptTokens, abi.TagCompletionTokens, abi.TagTotalTokens, abi.TagRetries, abi.TagPhase, abi.TagIndex:
		return true
	}
	return false
}

// headers are where the records of a view begin, nested ones included.
func headers(view []byte, base, depth int) (at []int) {
	from := 0
	for r := (abi.Reader{Rest: view}); r.Next(); {
		at = append(at, base+from)
		if r.Flags&abi.FlagNested != 0 && depth < abi.MaxDepth {
			at = append(at, headers(r.Value, base+from+abi.HeaderSize, depth+1)...)
		}
		from = len(view) - len(r.Rest)
	}
	return at
}

func text(b []byte) string {
	names, err := dump.TagNames()
	if err != nil {
		return err.Error()
	}
	return dump.Format(b, names)
}

// configure loads the guest with settings that it takes and that it refuses.
func configure(t *testing.T, module string) {
	t.Helper()
	loads := func(want string, config map[string]any) {
		t.Helper()
		p, err := wasm.Load(t.Context(), wasm.Settings{Path: module, Config: config})
		if err == nil {
			err = p.Close(t.Context())
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("config %v: got %v, want %q", config, err, want)
		}
	}
	loads("", map[string]any{"mode": "x"})
	loads("", map[string]any{"mode": nil})
	loads("mode is refuse", map[string]any{"mode": "refuse"})
	loads(`setting "mode" must be text`, map[string]any{"mode": []any{1, 2.5, true, map[string]any{}}})
	loads(`unknown setting "mood": the settings are mode`, map[string]any{"mood": "x"})
}
