// Command soak runs a gateway at the machine's capacity in front of vendors that fail in every way, for as long as it is told,
// and checks that each request gets a right answer or a right error, and that goroutines and memory stay flat. The gateway runs
// in this process, so that with -race a data race ends the run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/app"
)

func main() {
	d := flag.Duration("duration", 10*time.Minute, "how long to run")
	workers := flag.Int("workers", 32*runtime.GOMAXPROCS(0), "callers at a time")
	flag.Parse()
	if err := run(context.Background(), *d, *workers, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const masterKey = "sk-soak"

// configuration has a group of four vendors that get worse one after the other, and a fallback that fails seldom.
func configuration(vendors []*vendor) string {
	yaml := "model_list:\n"
	for i, v := range vendors {
		group := "m"
		if i == len(vendors)-1 {
			group = "n"
		}
		yaml += fmt.Sprintf("  - {model_name: %s, litellm_params: {model: openai/x, api_base: %q, api_key: sk-vendor, timeout: 1, stream_timeout: 1, "+
			"input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}\n", group, v.url+"/v1")
	}
	return yaml + `
router_settings:
  routing_strategy: least-busy
  num_retries: 2
  cooldown_time: 0.1
  total_timeout: 10
  fallbacks: [{m: [n]}]
  hedging: {min_samples: 20, max_share: 0.05}
general_settings: {master_key: ` + masterKey + `, background_health_checks: true, health_check_interval: 5}
`
}

// run soaks for a while and writes a report. The error says what is wrong.
func run(ctx context.Context, d time.Duration, workers int, out io.Writer) error {
	dir, err := os.MkdirTemp("", "sallyport-soak-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var vendors []*vendor
	for _, share := range []float64{0.02, 0.1, 0.3, 0.6, 0.02} {
		vendors = append(vendors, newVendor(share))
	}
	defer func() {
		for _, v := range vendors {
			v.close()
		}
	}()
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(configuration(vendors)), 0o600); err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{
		Config: config, Dir: dir, Log: io.Discard, Grace: 20 * time.Second,
		Environ: []string{"HOME=" + dir, "DATABASE_URL=sqlite://" + filepath.Join(dir, "soak.db"), "LITELLM_LOG=ERROR"},
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is there at once
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve(ln) }()

	s := newSoak("http://"+ln.Addr().String(), workers)
	fmt.Fprintf(out, "soaking for %v with %d callers on %d processors\n", d, workers, runtime.GOMAXPROCS(0))
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	reloads := 0
	var jobs sync.WaitGroup
	jobs.Go(func() { s.watch(ctx, out, d) })
	jobs.Go(func() {
		tick := time.NewTicker(3 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := a.Reload(ctx); err != nil && ctx.Err() == nil {
					s.wrong("reload: %v", err)
				}
				reloads++
			case <-ctx.Done():
				return
			}
		}
	})
	s.run(ctx)
	jobs.Wait()
	left := s.settle()
	stop := errors.Join(a.Stop(), <-served)
	for _, v := range vendors {
		s.faults += v.faults.Load()
	}
	s.report(out, reloads, left)
	if stop != nil {
		return fmt.Errorf("stop: %w", stop)
	}
	return s.verdict(left)
}
