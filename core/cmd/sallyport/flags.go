package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/app"
	"github.com/spf13/pflag"
)

// options are the command line: the flags an operator of the reference knows (litellm/proxy/proxy_cli.py), in both
// spellings of a word break.
type options struct {
	app.Options
	version, test, health bool
	temperature, timeout  float64
	cpuProfile            string
	maxTokens             int
}

// unneeded are flags of the reference that have nothing to do here. They are accepted, and said to be without effect.
func unneeded() map[string]string {
	return map[string]string{
		"num_workers":                 "one process uses every core",
		"run_gunicorn":                "the server is built in",
		"run_hypercorn":               "the server is built in",
		"telemetry":                   "nothing is ever sent to the makers of the gateway",
		"local":                       "there is no hosted mode",
		"use_prisma_db_push":          "the database schema is migrated by the gateway itself",
		"use_prisma_migrate":          "the database schema is migrated by the gateway itself",
		"add_function_to_prompt":      "functions go to the model as tools",
		"log_config":                  "use --detailed_debug, LITELLM_LOG and JSON_LOGS",
		"max_requests_before_restart": "the process needs no restarts",
	}
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := pflag.NewFlagSet("sallyport", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "-", "_"))
	})
	fs.StringVarP(&o.Config, "config", "c", "", "configuration file (also CONFIG_FILE_PATH)")
	fs.StringVar(&o.Host, "host", "", "address to listen on (also HOST; default 0.0.0.0)")
	fs.IntVar(&o.Port, "port", 0, "port to listen on (also PORT; default 4000)")
	fs.StringVarP(&o.Model.Model, "model", "m", "", "serve this one model without a file, such as openai/gpt-4o")
	fs.StringVar(&o.Model.Alias, "alias", "", "the name callers use for --model")
	fs.StringVar(&o.Model.APIBase, "api_base", "", "base URL of the vendor's API for --model")
	fs.Float64Var(&o.temperature, "temperature", 0, "temperature for requests that set none, with --model")
	fs.IntVar(&o.maxTokens, "max_tokens", 0, "max_tokens for requests that set none, with --model")
	fs.Float64Var(&o.timeout, "request_timeout", 0, "seconds a call to --model may take")
	fs.BoolVar(&o.Model.DropParams, "drop_params", false, "leave out parameters that the vendor of --model does not know")
	fs.BoolVar(&o.Debug, "debug", false, "log at info level")
	fs.BoolVar(&o.DetailedDebug, "detailed_debug", false, "log at debug level: one line a request")
	fs.BoolVarP(&o.version, "version", "v", false, "print the version and exit")
	fs.BoolVar(&o.test, "test", false, "send a chat request to a running gateway and print the answer")
	fs.BoolVar(&o.health, "health", false, "ask a running gateway to call every deployment once and print the result")
	fs.StringVar(&o.TLSCert, "ssl_certfile_path", "", "certificate for HTTPS (PEM)")
	fs.StringVar(&o.TLSKey, "ssl_keyfile_path", "", "private key for HTTPS (PEM)")
	fs.DurationVar(&o.Grace, "grace", 0, "how long a stopping gateway waits for requests under way (default 30s)")
	fs.StringVar(&o.cpuProfile, "cpu_profile", "", "write a CPU profile of the run to this file, for go tool pprof or go build -pgo")
	for name, why := range unneeded() {
		fs.String(name, "", why)
		fs.Lookup(name).NoOptDefVal = " "
		_ = fs.MarkHidden(name)
	}
	fs.Usage = func() { usage(fs) }
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; the configuration is given with --config", fs.Arg(0))
	}
	return o, o.finish(fs)
}

// finish moves what was given on the command line into the options.
func (o *options) finish(fs *pflag.FlagSet) error {
	if fs.Changed("temperature") {
		o.Model.Temperature = &o.temperature
	}
	if fs.Changed("max_tokens") {
		o.Model.MaxTokens = &o.maxTokens
	}
	if fs.Changed("request_timeout") {
		seconds := config.Seconds(o.timeout)
		o.Model.RequestTimeout = &seconds
	}
	if o.Model.Model == "" {
		for _, name := range []string{"alias", "api_base", "temperature", "max_tokens", "request_timeout", "drop_params"} {
			if fs.Changed(name) {
				return fmt.Errorf("--%s goes with --model; in a configuration file it is a setting", name)
			}
		}
	}
	if o.Model.Model != "" && o.Config != "" {
		return fmt.Errorf("--model and --config exclude each other: put the model into the file's model_list")
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return fmt.Errorf("--ssl_certfile_path and --ssl_keyfile_path go together")
	}
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("--port %d is not between 1 and 65535", o.Port)
	}
	why := unneeded()
	fs.Visit(func(f *pflag.Flag) {
		if w, ok := why[f.Name]; ok {
			fmt.Fprintf(os.Stderr, "sallyport: --%s is not needed here: %s\n", f.Name, w)
		}
	})
	return nil
}

func usage(fs *pflag.FlagSet) {
	fmt.Fprintf(os.Stderr, `Sallyport is an LLM gateway: one API in front of many models.

Usage:
  sallyport --config FILE            serve what the file describes
  sallyport --model openai/gpt-4o    serve one model
  sallyport config check FILE        say of every setting whether it is in effect
  sallyport plugin new NAME          write a plugin; plugin --help has the rest

Flags:
%s
SIGHUP, or saving the file, loads the configuration again; SIGTERM lets requests under way end and exits with 0.
`, fs.FlagUsages())
}

func (o *options) do(ctx context.Context) error {
	switch {
	case o.version:
		fmt.Println("sallyport " + app.Version())
		return nil
	case o.test:
		return app.TestCall(ctx, o.Options, os.Stdout)
	case o.health:
		return app.HealthCall(ctx, o.Options, os.Stdout)
	}
	if o.cpuProfile != "" {
		return profiled(o.cpuProfile, func() error { return app.Run(ctx, o.Options) })
	}
	return app.Run(ctx, o.Options)
}

// profiled runs the gateway and writes where its CPU time went.
func profiled(name string, run func() error) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("--cpu_profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(fmt.Errorf("--cpu_profile: %w", err), file.Close())
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}
