package meter_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// specCommand is one step of a converted script of the specification's tests.
// https://github.com/WebAssembly/wabt/blob/main/docs/wast2json.md
type specCommand struct {
	Type     string
	Line     int
	Filename string
	Name, As string
	Action   struct {
		Type, Module, Field string
		Args                []specValue
	}
}

type specValue struct {
	Type     string          `json:"type"`
	LaneType string          `json:"lane_type"`
	Value    json.RawMessage `json:"value"`
}

// encode appends the value as wazero passes it.
func (v specValue) encode(t *testing.T, to []uint64) []uint64 {
	if v.Type != "v128" {
		var s string
		if err := json.Unmarshal(v.Value, &s); err != nil {
			t.Fatal(err)
		}
		if s == "null" {
			return append(to, 0)
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return append(to, n)
	}
	var lanes []string
	if err := json.Unmarshal(v.Value, &lanes); err != nil {
		t.Fatal(err)
	}
	bits := 128 / len(lanes)
	var half [2]uint64
	for i, lane := range lanes {
		n, err := strconv.ParseUint(lane, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		half[i*bits/64] |= n << (i * bits % 64)
	}
	return append(to, half[:]...)
}

// world is a store in which a script runs.
type world struct {
	rt      wazero.Runtime
	convert func([]byte) ([]byte, error)
	named   map[string]api.Module
	last    api.Module
}

func newWorld(t *testing.T, cfg wazero.RuntimeConfig, spectest []byte, convert func([]byte) ([]byte, error)) *world {
	t.Helper()
	w := &world{rt: wazero.NewRuntimeWithConfig(t.Context(), cfg), convert: convert, named: map[string]api.Module{}}
	h := &host{most: math.MaxInt, quantum: 7}
	if _, err := w.rt.NewHostModuleBuilder("sallyport").NewFunctionBuilder().WithFunc(h.tick).Export("tick").Instantiate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.rt.InstantiateWithConfig(t.Context(), spectest, wazero.NewModuleConfig()); err != nil {
		t.Fatal(err)
	}
	return w
}

// do runs one command and says how it ended.
func (w *world) do(t *testing.T, c specCommand, module []byte) string {
	switch c.Type {
	case "module", "assert_unlinkable", "assert_uninstantiable":
		out, err := w.convert(module)
		if err != nil {
			return "not rewritten: " + err.Error()
		}
		mod, err := w.rt.InstantiateWithConfig(t.Context(), out, wazero.NewModuleConfig().WithName(c.As))
		if err == nil {
			w.last, w.named[c.Name] = mod, mod
		}
		return fmt.Sprint("instantiated: ", err == nil)
	}
	mod := w.last
	if c.Action.Module != "" {
		mod = w.named[c.Action.Module]
	}
	if mod == nil {
		return "no module"
	}
	if c.Action.Type == "get" {
		return fmt.Sprint(mod.ExportedGlobal(c.Action.Field).Get())
	}
	var args []uint64
	for _, a := range c.Action.Args {
		args = a.encode(t, args)
	}
	f := mod.ExportedFunction(c.Action.Field)
	results, err := f.Call(t.Context(), args...)
	if err != nil {
		return firstLine(err)
	}
	if slices.Contains(f.Definition().ResultTypes(), 0x70) { // a function reference is an address
		return fmt.Sprintf("%d references", len(results))
	}
	return fmt.Sprint(results)
}

// TestSpecScripts runs the scripts of the specification's tests twice, with
// the modules as they are and rewritten, and compares the outcome of every
// step.
func TestSpecScripts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs some 48000 calls twice, on two engines")
	}
	dir := filepath.Join(wazeroDir(t), "internal/integration_test/spectest")
	spectest, err := os.ReadFile(filepath.Join(dir, "testdata/spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "v2/testdata")
	scripts, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		var modules, calls int
		for _, file := range scripts {
			m, c := runScript(t, cfg, dir, file, spectest)
			modules, calls = modules+m, calls+c
		}
		t.Logf("%d scripts, %d modules, %d calls", len(scripts), modules, calls)
		if modules < 1500 || calls < 48_000 {
			t.Error("fewer than there were: the test proves less than it should")
		}
	})
}

func runScript(t *testing.T, cfg wazero.RuntimeConfig, dir, file string, spectest []byte) (modules, calls int) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var script struct{ Commands []specCommand }
	if err := json.Unmarshal(b, &script); err != nil {
		t.Fatal(err)
	}
	plain := newWorld(t, cfg, spectest, func(b []byte) ([]byte, error) { return b, nil })
	defer plain.rt.Close(t.Context())
	metered := newWorld(t, cfg, spectest, func(b []byte) ([]byte, error) {
		return meter.Rewrite(b, meter.Options{TickModule: "sallyport", TickName: "tick", Quantum: 1, MaxDepth: 1 << 30, MaxTable: 1 << 27})
	})
	defer metered.rt.Close(t.Context())
	for i, c := range script.Commands {
		var module []byte
		switch c.Type {
		case "module", "assert_unlinkable", "assert_uninstantiable":
			modules++
			if i+1 < len(script.Commands) && script.Commands[i+1].Type == "register" {
				c.As = script.Commands[i+1].As
			}
			if module, err = os.ReadFile(filepath.Join(dir, c.Filename)); err != nil {
				t.Fatal(err)
			}
		case "assert_return", "assert_trap", "action":
			calls++
		default: // what is malformed or invalid is in TestCorpus; exhaustion is bounded sooner
			continue
		}
		want, got := plain.do(t, c, module), metered.do(t, c, module)
		if c.Type == "module" && want != "instantiated: true" {
			t.Fatalf("%s:%d: cannot be loaded as it is", filepath.Base(file), c.Line)
		}
		if got != want {
			t.Errorf("%s:%d: %s %s: %s, was %s", filepath.Base(file), c.Line, c.Type, c.Action.Field, got, want)
		}
	}
	return modules, calls
}
