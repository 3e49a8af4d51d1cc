package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/plugintool"
	"github.com/sallyport-ai/sallyport/core/toolchain"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/dump"
	"github.com/spf13/pflag"
)

const pluginUsage = `Usage:
  sallyport plugin new NAME        make a plugin project that builds and passes its tests without a network
  sallyport plugin build [DIR]     compile it to a module
  sallyport plugin test FILE       run a hook on a request, in the gateway's host, and show what it does
  sallyport plugin bench FILE      measure a hook
  sallyport plugin inspect FILE    show a module's manifest, imports and hash without running it

Each takes --help.
`

// plugins is the command `sallyport plugin` with where it reads and writes.
type plugins struct {
	in       io.Reader
	out, err io.Writer
}

// errUsage ends a command whose mistake was already reported with its flags.
var errUsage = errors.New("wrong usage")

// errVerdict ends a test whose hook decided otherwise than expected.
var errVerdict = errors.New("unexpected verdict")

// errProblem ends an inspection that shows why the gateway would not load a module.
var errProblem = errors.New("a module that does not load")

func (c plugins) run(ctx context.Context, args []string) int {
	commands := map[string]func(context.Context, []string) error{
		"new": c.create, "build": c.build, "inspect": c.inspect, "test": c.test, "bench": c.bench,
	}
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	command, ok := commands[name]
	if !ok {
		help := name == "--help" || name == "-h" || name == "help"
		if name != "" && !help {
			fmt.Fprintf(c.err, "sallyport: there is no command \"plugin %s\"\n", name)
		}
		fmt.Fprint(c.err, pluginUsage)
		if help {
			return 0
		}
		return exitUsage
	}
	err := command(ctx, args[1:])
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errVerdict), errors.Is(err, errProblem):
		return exitFailed
	}
	fmt.Fprintf(c.err, "sallyport: %v\n", err)
	return exitFailed
}

// flags makes a flag set whose help begins with usage, the line behind "sallyport plugin".
func (c plugins) flags(name, usage, more string) *pflag.FlagSet {
	fs := pflag.NewFlagSet("plugin "+name, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(c.err)
	fs.Usage = func() {
		fmt.Fprintf(c.err, "Usage: sallyport plugin %s\n\n%s\n", usage, more)
		if flags := fs.FlagUsages(); flags != "" {
			fmt.Fprintf(c.err, "\n%s", flags)
		}
	}
	return fs
}

// parse reads the flags and one argument, which may be missing if least is 0.
func (c plugins) parse(fs *pflag.FlagSet, args []string, least int) error {
	err := fs.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if err == nil && (fs.NArg() < least || fs.NArg() > 1) {
		err = fmt.Errorf("%d arguments were given", fs.NArg())
	}
	if err != nil {
		fmt.Fprintf(c.err, "sallyport: %v\n", err)
		fs.Usage()
		return errUsage
	}
	return nil
}

func (c plugins) create(_ context.Context, args []string) error {
	var n plugintool.NewProject
	fs := c.flags("new", "new NAME [--lang go|rust] [--hook HOOK] [--dir DIR]",
		"Makes a folder with a plugin, its manifest, a test, a README and the source of the SDK. It builds and passes its\ntests without a network.")
	lang := fs.String("lang", string(toolchain.Go), "language: go or rust")
	fs.StringVar(&n.Hook, "hook", "request", "hook to begin with: "+strings.Join(plugintool.Hooks(), ", "))
	fs.StringVar(&n.Dir, "dir", "", "folder to make (default NAME)")
	if err := c.parse(fs, args, 1); err != nil {
		return err
	}
	n.Name, n.Lang = fs.Arg(0), toolchain.Language(*lang)
	dir, files, err := n.Create()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "made %s with %s\nnext: cd %s, and the commands in its README.md\n", dir, strings.Join(files, ", "), dir)
	return nil
}

func (c plugins) build(ctx context.Context, args []string) error {
	fs := c.flags("build", "build [DIR] [-o FILE]",
		"Compiles the plugin in DIR, which holds go.mod, main.go or Cargo.toml. A Go plugin needs the Go toolchain, one in Rust\n"+
			"cargo and rustc with the target "+toolchain.WasmTarget+".")
	out := fs.StringP("output", "o", "", "module to write (default DIR/DIR.wasm)")
	if err := c.parse(fs, args, 0); err != nil {
		return err
	}
	dir := "."
	if fs.NArg() == 1 {
		dir = fs.Arg(0)
	}
	file, err := *out, error(nil)
	if file == "" {
		if file, err = plugintool.Output(dir); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := (toolchain.Project{Dir: dir}).Build(ctx, file); err != nil {
		return err
	}
	r, err := plugintool.Inspect(file)
	if err != nil {
		return err
	}
	if r.Problem != "" {
		return fmt.Errorf("%s was built, but the gateway would not load it: %s", file, r.Problem)
	}
	fmt.Fprintf(c.out, "%s, %d bytes, sha256 %s (%.1f s)\n", file, r.Size, r.SHA256, time.Since(began).Seconds())
	return nil
}

func (c plugins) inspect(_ context.Context, args []string) error {
	fs := c.flags("inspect", "inspect FILE [--json]", "Shows what a module says of itself, and its hash for the setting sha256. Nothing of it is run. It exits with 1 if the\ngateway would not load the module.")
	asJSON := fs.Bool("json", false, "print JSON, with the types of imports and exports")
	if err := c.parse(fs, args, 1); err != nil {
		return err
	}
	r, err := plugintool.Inspect(fs.Arg(0))
	if err != nil {
		return err
	}
	if *asJSON {
		err = r.WriteJSON(c.out)
	} else {
		err = r.Write(c.out)
	}
	if err == nil && r.Problem != "" {
		return errProblem
	}
	return err
}

// trial is a plugintool.Trial as flags give it.
type trial struct {
	plugintool.Trial
	input, request, response, config, view string
	path                                   string
	headers                                []string
	status                                 int
	example, trace, asJSON                 bool
	memoryMB, cpuMS, wallMS                int
}

func (t *trial) flags(fs *pflag.FlagSet) {
	fs.StringVar(&t.Hook, "hook", "", "hook to run: "+strings.Join(plugintool.Hooks(), ", ")+", or one by its name in the manifest (default: the first the plugin has)")
	fs.StringVar(&t.input, "input", "", "file with all that the hook is tried on, JSON or YAML: see --example; - is standard input")
	fs.BoolVar(&t.example, "example", false, "print an input for the hook that --hook names, and do nothing else")
	fs.StringVar(&t.request, "request", "", "file with the JSON of the request; - is standard input")
	fs.StringVar(&t.response, "response", "", "file with the answer, JSON or an event stream, for the hooks response and stream")
	fs.StringVar(&t.config, "config", "", "file with the plugin's config block, JSON or YAML")
	fs.StringVar(&t.path, "path", "", "path of the request (default /v1/chat/completions)")
	fs.StringArrayVar(&t.headers, "header", nil, "header of the request, 'name: value'; may be repeated")
	fs.IntVar(&t.status, "status", 0, "status of the error, for the hook failure (default 503)")
	fs.StringVar(&t.view, "view", "", "file with the records to run the bare hook on, in hex as --trace prints them")
	fs.BoolVar(&t.Network, "network", false, "send HTTP requests out, where the input would answer them; secrets are environment variables, too")
	fs.StringArrayVar(&t.Hosts, "http", nil, "with --network: host the plugin may send requests to, as https://host; may be repeated")
	fs.IntVar(&t.memoryMB, "memory-mb", 0, "limits.memory_mb (default 32)")
	fs.IntVar(&t.cpuMS, "cpu-ms", 0, "limits.cpu_ms (default 50)")
	fs.IntVar(&t.wallMS, "wall-ms", 0, "limits.wall_ms (default 1000)")
	fs.BoolVar(&t.asJSON, "json", false, "print JSON")
}

// finish reads the files that the flags name. What a flag says counts more than the input.
func (t *trial) finish(c plugins, file string) error {
	t.Settings = wasm.Settings{Path: file, Name: strings.TrimSuffix(filepath.Base(file), ".wasm"), Stderr: true}
	t.Settings.Logger = slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
	t.Settings.Limits = wasm.Limits{
		MemoryMB: t.memoryMB, CPU: time.Duration(t.cpuMS) * time.Millisecond, Wall: time.Duration(t.wallMS) * time.Millisecond,
	}
	if t.input != "" {
		b, err := c.read(t.input)
		if err != nil {
			return err
		}
		in, err := plugintool.ParseInput(b)
		if err != nil {
			return fmt.Errorf("%s: %w", t.input, err)
		}
		t.Input = *in
	}
	if t.path != "" {
		t.Input.Path = t.path
	}
	if t.status != 0 {
		t.Input.Error = &plugintool.Fault{Status: t.status}
	}
	for _, h := range t.headers {
		if err := t.Input.AddHeader(h); err != nil {
			return err
		}
	}
	return t.files(c)
}

// files reads the parts of the input that have files of their own.
func (t *trial) files(c plugins) error {
	if t.request != "" {
		b, err := c.read(t.request)
		if err != nil {
			return err
		}
		t.Input.Request = bytes.TrimSpace(b)
	}
	if t.response != "" {
		b, err := c.read(t.response)
		if err == nil {
			err = t.Input.SetResponse(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.response, err)
		}
	}
	if t.view != "" {
		b, err := c.read(t.view)
		if err == nil {
			t.View, err = dump.Parse(string(b))
		}
		if err != nil {
			return err
		}
		if t.View == nil {
			t.View = []byte{}
		}
	}
	var err error
	if t.config != "" {
		t.Settings.Config, err = plugintool.Config(t.config)
	}
	return err
}

// read reads a file that a flag names.
func (c plugins) read(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.in)
	}
	return os.ReadFile(name)
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (c plugins) test(ctx context.Context, args []string) error {
	var t trial
	fs := c.flags("test", "test FILE (--request req.json | --input input.json) [flags]\n       sallyport plugin test --hook HOOK --example",
		"Runs a hook in the gateway's own host, with its limits, and prints the verdict and what it did: what changed, where lines\n"+
			"that begin with - are from before and those with + from after; who was let in; a stream chunk by chunk; the call of a\n"+
			"vendor; what was asked of services and the key-value store; metrics. It exits with 1 if the hook failed, or decided\n"+
			"otherwise than --expect says.\n\n"+
			"A request is enough for many hooks. An input says everything there is: --example prints one for each hook, to begin with.\n"+
			"Everything the manifest asks for is granted. Services answer what the input says, and the key-value store is empty but for\n"+
			"what the input puts there.")
	t.flags(fs)
	expect := fs.String("expect", "", "exit with 1 unless the verdict is this: "+strings.Join(plugintool.Verdicts(), ", "))
	fs.BoolVar(&t.trace, "trace", false, "print the records that cross the border; they hold what the request holds")
	if err := c.parse(fs, args, leastFile(args)); err != nil {
		return err
	}
	if t.example {
		return c.example(t.Hook)
	}
	if *expect != "" && !slices.Contains(plugintool.Verdicts(), *expect) {
		return fmt.Errorf("--expect %s: it is one of %s", *expect, strings.Join(plugintool.Verdicts(), ", "))
	}
	if err := t.finish(c, fs.Arg(0)); err != nil {
		return err
	}
	if t.trace {
		names, err := dump.TagNames()
		if err != nil {
			return err
		}
		t.Settings.Trace = func(r wasm.Traced) {
			fmt.Fprintf(c.out, "# view of %s, %d bytes\n%s# result, %d bytes\n%s", r.Hook, len(r.View), dump.Format(r.View, names), len(r.Result), dump.Format(r.Result, names))
		}
	}
	o, err := t.Run(ctx)
	if err != nil {
		return err
	}
	if err := c.print(o, t.asJSON); err != nil {
		return err
	}
	switch {
	case *expect != "" && o.Verdict != *expect:
		fmt.Fprintf(c.err, "sallyport: the verdict is %s, not %s\n", o.Verdict, *expect)
		return errVerdict
	case *expect == "" && o.Verdict == plugintool.Failed:
		return errVerdict
	}
	return nil
}

func (c plugins) bench(ctx context.Context, args []string) error {
	var t trial
	fs := c.flags("bench", "bench FILE (--request req.json | --input input.json) [-n N] [flags]",
		"Measures a hook in the gateway's own host: time of a call, allocations, metering, memory of an instance, time to start\n"+
			"one. Inputs are those of `sallyport plugin test`; that of a stream calls the hook for each chunk.")
	calls := fs.IntP("calls", "n", 10_000, "how often the input is run")
	t.flags(fs)
	if err := c.parse(fs, args, leastFile(args)); err != nil {
		return err
	}
	if t.example {
		return c.example(t.Hook)
	}
	if *calls < 1 || *calls > 10_000_000 {
		return fmt.Errorf("-n %d: it is 1 to 10000000", *calls)
	}
	if err := t.finish(c, fs.Arg(0)); err != nil {
		return err
	}
	t.Settings.Logger = nil
	m, err := plugintool.Bench{Trial: t.Trial, Calls: *calls}.Run(ctx)
	if err != nil {
		return err
	}
	return c.print(m, t.asJSON)
}

// leastFile is how many files a command needs: none, to print an example.
func leastFile(args []string) int {
	if slices.Contains(args, "--example") {
		return 0
	}
	return 1
}

// example prints an input.
func (c plugins) example(hook string) error {
	if hook == "" {
		hook = "request"
	}
	b, err := plugintool.Example(hook)
	if err != nil {
		return err
	}
	_, err = c.out.Write(b)
	return err
}

// print writes a result for people or as JSON.
func (c plugins) print(r interface{ Write(io.Writer) error }, asJSON bool) error {
	if !asJSON {
		return r.Write(c.out)
	}
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
