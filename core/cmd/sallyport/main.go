// Command sallyport runs the gateway.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport-ai/sallyport/core/app"
	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitFailed = 1 // the gateway could not start or broke down, or a check found an error
	exitUsage  = 2 // the command line is wrong
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == "config" {
		return configCommand(args[1:])
	}
	if len(args) > 0 && args[0] == "plugin" {
		return plugins{os.Stdin, os.Stdout, os.Stderr}.run(ctx, args[1:])
	}
	o, err := parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "sallyport: %v\nRun 'sallyport --help' for the flags.\n", err)
		return exitUsage
	}
	if err := o.do(ctx); err != nil {
		app.Complain(os.Stderr, err)
		return exitFailed
	}
	return 0
}

// configCommand runs `sallyport config check FILE`.
func configCommand(args []string) int {
	fs := pflag.NewFlagSet("config check", pflag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print the report as JSON")
	fs.Usage = func() {
		fmt.Fprintf(os.Stderr, "Usage: sallyport config check [--json] FILE\n\n"+
			"Says of every setting in FILE, and of every variable the gateway reads, whether it is in effect.\n"+
			"Exits with 1 if a mistake would keep the gateway from starting.\n\n%s", fs.FlagUsages())
	}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "sallyport: %v\n", err)
		return exitUsage
	case fs.NArg() != 2 || fs.Arg(0) != "check":
		fs.Usage()
		return exitUsage
	}
	ok, err := app.Check(context.Background(), fs.Arg(1), *asJSON, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sallyport: %v\n", err)
		return exitFailed
	}
	if !ok {
		return exitFailed
	}
	return 0
}
