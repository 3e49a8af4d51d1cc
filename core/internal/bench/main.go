// Command bench measures what the gateway costs: CPU time, latency and memory,
// next to a bare fasthttp reverse proxy in the same run. README.md says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what the command line sets.
type options struct {
	rounds      int
	requests    int
	concurrency int
	only        string
	quick       bool
	sallyport   string
	guardrail   string
	profile     string
	against     string
}

func main() {
	// Children die with the thread that started them, so that must be one that stays.
	runtime.LockOSThread()
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch runs one of the parts that are processes of their own, or the whole.
func dispatch(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "pinned":
			return runPinned(args[1:])
		case "semantic":
			return searchAll(os.Stdout, args[1:])
		case "bare", "bare-streaming":
			if len(args) != 2 {
				return fmt.Errorf("%s: want the upstream's address", args[0])
			}
			return listenAndAnnounce(bareProxy(args[1], args[0] == "bare-streaming"))
		}
	}
	opt, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return measure(ctx, opt)
}

func parse(args []string) (options, error) {
	var opt options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&opt.rounds, "rounds", 21, "rounds per scenario; every server takes part in every round")
	flags.IntVar(&opt.requests, "requests", 2000, "requests per server and round; long scenarios take a part of it")
	flags.IntVar(&opt.concurrency, "concurrency", 32, "connections, each with one request at a time")
	flags.StringVar(&opt.only, "only", "", "scenarios to run, comma-separated: "+strings.Join(scenarioNames(), ", "))
	flags.BoolVar(&opt.quick, "quick", false, "a look that takes under a minute: fewer and shorter rounds")
	flags.StringVar(&opt.sallyport, "sallyport", "bin/sallyport", "the gateway's binary")
	flags.StringVar(&opt.against, "against", "", "another build of the gateway, which takes part in every round beside the first")
	flags.StringVar(&opt.guardrail, "guardrail", "bin/plugins/keyword-guard.wasm", "the file of the guardrail plugin")
	flags.StringVar(&opt.profile, "profile", "", "write the gateways' CPU profile to this file, for go build -pgo")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if opt.quick {
		opt.rounds, opt.requests = min(opt.rounds, 7), min(opt.requests, 1000)
	}
	if opt.rounds < 1 || opt.requests < 1 || opt.concurrency < 1 {
		return options{}, errors.New("--rounds, --requests and --concurrency are at least 1")
	}
	for _, name := range opt.wanted() {
		if !slices.Contains(scenarioNames(), name) {
			return options{}, fmt.Errorf("--only: no scenario %q, there are %s", name, strings.Join(scenarioNames(), ", "))
		}
	}
	return opt, nil
}

// wanted are the names of --only, or all.
func (o options) wanted() []string {
	if o.only == "" {
		return scenarioNames()
	}
	return strings.Split(o.only, ",")
}

// measure starts the processes, runs the scenarios and prints the report.
func measure(ctx context.Context, opt options) error {
	layout, err := pinSelf()
	if err != nil {
		return err
	}
	fleet, err := startFleet(ctx, opt, layout)
	if err != nil {
		return err
	}
	defer fleet.remove()

	started := time.Now()
	report := report{layout: layout, opt: opt}
	err = report.fill(ctx, fleet)
	fleet.stop()
	if opt.profile != "" && err == nil {
		err = fleet.writeProfile(opt.profile)
	}
	progress("done in %s", time.Since(started).Round(time.Second))
	// What was measured before something failed is worth a look too.
	return errors.Join(report.print(os.Stdout), err)
}

// fill runs what the options ask for.
func (r *report) fill(ctx context.Context, f *fleet) error {
	for _, s := range scenarios() {
		if !slices.Contains(r.opt.wanted(), s.name) {
			continue
		}
		if r.opt.against != "" {
			s = s.against()
		}
		result, err := s.run(ctx, r.opt, f)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r.scenarios = append(r.scenarios, result)
	}
	var err error
	if slices.Contains(r.opt.wanted(), semanticScenario) {
		if r.lookups, err = measureSemantic(ctx, r.opt, r.layout); err != nil {
			return fmt.Errorf("%s: %w", semanticScenario, err)
		}
	}
	if !slices.Contains(r.opt.wanted(), memoryScenario) {
		return nil
	}
	if r.memory, err = measureMemory(ctx, f); err != nil {
		return fmt.Errorf("%s: %w", memoryScenario, err)
	}
	return nil
}

// progress tells on standard error what takes so long.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// announce is how a child tells the address it listens on.
func announce(w io.Writer, addr string) { fmt.Fprintln(w, "listening", addr) }
