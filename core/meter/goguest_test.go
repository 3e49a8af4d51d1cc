package meter_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// buildGoGuest builds testdata/goguest once for all tests.
var buildGoGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "meter-goguest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "guest.wasm")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, "./testdata/goguest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.New(err.Error() + ": " + string(out))
	}
	return os.ReadFile(file)
})

func goGuest(t testing.TB) []byte {
	t.Helper()
	module, err := buildGoGuest()
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// errKilled is what the host functions of the tests panic with.
var (
	errKilled = errors.New("killed")
	errDeep   = errors.New("too deep")
)

// host counts ticks and ends the guest at the last allowed one.
type host struct {
	ticks, most int
	quantum     int32
}

func (h *host) tick() int32 {
	h.ticks++
	if h.ticks > h.most {
		panic(errKilled)
	}
	return h.quantum
}

// engines runs f on the interpreter and, where there is one, the compiler.
func engines(t *testing.T, f func(t *testing.T, cfg wazero.RuntimeConfig)) {
	t.Run("interpreter", func(t *testing.T) { t.Parallel(); f(t, wazero.NewRuntimeConfigInterpreter()) })
	t.Run("compiler", func(t *testing.T) {
		t.Parallel()
		defer func() {
			if r := recover(); r != nil {
				t.Skip("no compiler on this platform")
			}
		}()
		f(t, wazero.NewRuntimeConfigCompiler())
	})
}

// instantiate loads a module with the host functions of h and WASI.
func instantiate(t testing.TB, cfg wazero.RuntimeConfig, module []byte, h *host) api.Module {
	t.Helper()
	ctx := t.Context()
	rt := wazero.NewRuntimeWithConfig(ctx, cfg)
	t.Cleanup(func() { rt.Close(context.Background()) })
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	_, err := rt.NewHostModuleBuilder("sallyport").
		NewFunctionBuilder().WithFunc(h.tick).Export("tick").
		NewFunctionBuilder().WithFunc(func() { panic(errDeep) }).Export("deep").
		Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := rt.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(err)
	}
	return mod
}

func rewrite(t testing.TB, module []byte) []byte {
	t.Helper()
	out, err := meter.Rewrite(module, options())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGoGuest(t *testing.T) {
	t.Parallel()
	original := goGuest(t)
	metered := rewrite(t, original)
	t.Logf("%d bytes became %d (%+.1f %%)", len(original), len(metered), 100*float64(len(metered)-len(original))/float64(len(original)))
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		h := &host{most: 1 << 30, quantum: meter.DefaultQuantum}
		plain := instantiate(t, cfg, original, &host{})
		counted := instantiate(t, cfg, metered, h)
		same := func(export string, arg uint64) {
			t.Helper()
			want, err := plain.ExportedFunction(export).Call(t.Context(), arg)
			if err != nil {
				t.Fatalf("%s(%d) as built: %v", export, arg, err)
			}
			got, err := counted.ExportedFunction(export).Call(t.Context(), arg)
			if err != nil || got[0] != want[0] {
				t.Errorf("%s(%d) = %v, %v, want %v", export, arg, got, err, want)
			}
		}
		same("work", 0)
		same("work", 1)
		same("work", 60)
		same("route", 200)
		same("deep", 500)
		if h.ticks == 0 {
			t.Error("the host was never called")
		}
	})
}

func TestGoGuestIsEnded(t *testing.T) {
	t.Parallel()
	metered := rewrite(t, goGuest(t))
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		ends := func(export string, arg uint64, ticks int, want error) {
			t.Helper()
			h := &host{most: 1 << 30, quantum: meter.DefaultQuantum}
			mod := instantiate(t, cfg, metered, h)
			h.most = h.ticks + ticks
			_, err := mod.ExportedFunction(export).Call(t.Context(), arg)
			if !errors.Is(err, want) {
				t.Errorf("%s(%d): %v, want %v", export, arg, firstLine(err), want)
			}
		}
		ends("spin", 1, 20, errKilled)
		if strings.HasSuffix(t.Name(), "compiler") { // the interpreter itself stops at 2000 calls
			ends("deep", 1<<20, 10_000, errDeep)
		}
	})
}

func firstLine(err error) string {
	if err == nil {
		return "no error"
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
