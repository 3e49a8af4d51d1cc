package meter_test

import (
	"math"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/tetratelabs/wazero"
)

func BenchmarkRewrite(b *testing.B) {
	bench := func(name string, module []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(module)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := meter.Rewrite(module, options()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("go", goGuest(b))
	bench("small", scanLoop())
}

// BenchmarkRun compares modules as built with what Rewrite makes of them.
func BenchmarkRun(b *testing.B) {
	bench := func(name string, module []byte, export string, arg uint64) {
		run := func(b *testing.B, module []byte) {
			h := &host{most: math.MaxInt, quantum: meter.DefaultQuantum}
			f := instantiate(b, wazero.NewRuntimeConfigCompiler(), module, h).ExportedFunction(export)
			stack := make([]uint64, 1)
			for b.Loop() {
				stack[0] = arg
				if err := f.CallWithStack(b.Context(), stack); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(h.ticks)/float64(b.N), "ticks/op")
		}
		b.Run(name+"/plain", func(b *testing.B) { run(b, module) })
		b.Run(name+"/metered", func(b *testing.B) { run(b, rewrite(b, module)) })
	}
	bench("loop32K", scanLoop(), "scan", 32<<10)
	bench("fib20", fib(), "fib", 20)
	bench("copy1000", copies(), "copies", 1000)
	bench("go-json", goGuest(b), "work", 60)
	bench("go-chan", goGuest(b), "route", 200)
}

// BenchmarkCompile shows what the added code costs the engine's compiler.
func BenchmarkCompile(b *testing.B) {
	bench := func(name string, module []byte) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				rt := wazero.NewRuntimeWithConfig(b.Context(), wazero.NewRuntimeConfigCompiler())
				if _, err := rt.CompileModule(b.Context(), module); err != nil {
					b.Fatal(err)
				}
				if err := rt.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("go/plain", goGuest(b))
	bench("go/metered", rewrite(b, goGuest(b)))
}
