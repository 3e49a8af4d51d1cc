package semantic_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/semantic"
)

// processor is the time that the thread has spent on a processor.
func processor(tb testing.TB) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// filled is an index of entries in one scope, and prompts that are like some of them.
func filled(tb testing.TB, count, dimensions int) (*semantic.Index, [][]float32) {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(5, 6))
	x := semantic.New(1 << 30)
	var asked [][]float32
	for i := range count {
		v := random(rnd, dimensions)
		if err := x.Add(tb.Context(), "s", fmt.Sprint(i), v, []byte("an answer"), time.Hour); err != nil {
			tb.Fatal(err)
		}
		if i%(count/500) == 0 {
			asked = append(asked, near(rnd, v, 0.9), random(rnd, dimensions))
		}
	}
	return x, asked
}

// BenchmarkNearest searches 100,000 entries of one scope: half of the prompts are like one of them. p99 is the
// processor's time that one search in a hundred takes longer than: on a busy machine the clock tells how busy it is.
func BenchmarkNearest(b *testing.B) {
	for _, dimensions := range []int{512, 1536} {
		b.Run(fmt.Sprint(dimensions), func(b *testing.B) {
			x, asked := filled(b, 100_000, dimensions)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var took []time.Duration
			buf := make([]byte, 0, 100)
			n := 0
			for b.Loop() {
				begun := processor(b)
				_, _, err := x.Nearest(context.Background(), "s", asked[n%len(asked)], 0.8, buf)
				took = append(took, processor(b)-begun)
				if n++; err != nil && !errors.Is(err, cache.ErrMiss) {
					b.Fatal(err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
