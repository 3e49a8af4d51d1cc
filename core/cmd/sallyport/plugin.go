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
		fmt.Fprint(c.err, pluginUsage)
		if name == "--help" || name == "-h" || name == "help" {
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
	case errors.Is(err, errVerdict):
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
	fs.StringVar(&n.Hook, "hook", "request", "hook to begin with: "+strings.Join(plugintool.Hooks(toolchain.Go), ", "))
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
	fs := c.flags("inspect", "inspect FILE [--json]", "Shows what a module says of itself, and its hash for the setting sha256. Nothing of it is run.")
	asJSON := fs.Bool("json", false, "print JSON, with the types of imports and exports")
	if err := c.parse(fs, args, 1); err != nil {
		return err
	}
	r, err := plugintool.Inspect(fs.Arg(0))
	if err != nil {
		return err
	}
	if *asJSON {
		return r.WriteJSON(c.out)
	}
	return r.Write(c.out)
}

// trial is a plugintool.Trial as flags give it.
type trial struct {
	plugintool.Trial
	request, response, config, view string
	grant, trace, asJSON            bool
	http                            []string
	memoryMB, cpuMS, wallMS         int
}

func (t *trial) flags(fs *pflag.FlagSet) {
	var hooks []string
	for _, h := range plugintool.Trials() {
		hooks = append(hooks, h.String())
	}
	fs.StringVar(&t.Hook, "hook", "", "hook to run: "+strings.Join(hooks, ", ")+", any other with --view (default: the first the plugin has)")
	fs.StringVar(&t.request, "request", "", "file with the JSON of the request; - is standard input")
	fs.StringVar(&t.response, "response", "", "file with the answer, for the hooks response (JSON) and stream_chunk (event stream)")
	fs.StringVar(&t.config, "config", "", "file with the plugin's config block, JSON or YAML")
	fs.StringVar(&t.Path, "path", "/v1/chat/completions", "path of the request")
	fs.StringArrayVar(&t.Headers, "header", nil, "header of the request, 'name: value'; may be repeated")
	fs.IntVar(&t.Status, "status", 503, "status of the error, for the hook failure")
	fs.StringVar(&t.view, "view", "", "file with the records to run the bare hook on, in hex as --trace prints them")
	fs.BoolVar(&t.grant, "grant", false, "give the plugin every capability that its manifest asks for; secrets are environment variables")
	fs.StringArrayVar(&t.http, "http", nil, "with --grant: host the plugin may send requests to, as https://host; may be repeated")
	fs.IntVar(&t.memoryMB, "memory-mb", 0, "limits.memory_mb (default 32)")
	fs.IntVar(&t.cpuMS, "cpu-ms", 0, "limits.cpu_ms (default 50)")
	fs.IntVar(&t.wallMS, "wall-ms", 0, "limits.wall_ms (default 1000)")
	fs.BoolVar(&t.asJSON, "json", false, "print JSON")
}

// finish reads the files that the flags name.
func (t *trial) finish(c plugins, file string) (err error) {
	t.Settings = wasm.Settings{Path: file, Name: strings.TrimSuffix(filepath.Base(file), ".wasm")}
	t.Settings.Logger = slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
	t.Settings.Limits = wasm.Limits{
		MemoryMB: t.memoryMB, CPU: time.Duration(t.cpuMS) * time.Millisecond, Wall: time.Duration(t.wallMS) * time.Millisecond,
	}
	read := func(name string, into *[]byte) {
		if name == "" || err != nil {
			return
		}
		if name == "-" {
			*into, err = io.ReadAll(c.in)
			return
		}
		*into, err = os.ReadFile(name)
	}
	var view []byte
	read(t.request, &t.Request)
	read(t.response, &t.Response)
	read(t.view, &view)
	if err == nil && t.view != "" {
		if t.View, err = dump.Parse(string(view)); err == nil && t.View == nil {
			t.View = []byte{}
		}
	}
	if err == nil && t.config != "" {
		t.Settings.Config, err = plugintool.Config(t.config)
	}
	if err == nil && t.grant {
		err = plugintool.GrantAsked(&t.Settings, t.http)
	}
	t.Request = bytes.TrimSpace(t.Request)
	if len(t.Request) == 0 {
		t.Request = nil
	}
	return err
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (c plugins) test(ctx context.Context, args []string) error {
	var t trial
	fs := c.flags("test", "test FILE --request req.json [flags]",
		"Runs a hook in the gateway's own host, with its limits, and prints the verdict and what changed: lines that begin with\n"+
			"- are from before, those with + from after. It exits with 1 if the hook failed, or decided otherwise than --expect says.")
	t.flags(fs)
	expect := fs.String("expect", "", "exit with 1 unless the verdict is this: "+strings.Join(plugintool.Verdicts(), ", "))
	fs.BoolVar(&t.trace, "trace", false, "print the records that cross the border; they hold what the request holds")
	if err := c.parse(fs, args, 1); err != nil {
		return err
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
	fs := c.flags("bench", "bench FILE --request req.json [-n N] [flags]",
		"Measures the hooks request, auth or moderation in the gateway's own host: time of a call, allocations, metering, memory\nof an instance, time to start one.")
	calls := fs.IntP("calls", "n", 10_000, "how many calls")
	t.flags(fs)
	if err := c.parse(fs, args, 1); err != nil {
		return err
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
