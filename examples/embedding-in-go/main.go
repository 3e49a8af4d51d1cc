// Command embedding-in-go asks a model through a gateway that runs in its own process.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/sallyport-ai/sallyport/core/inprocess"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run asks for a whole answer, the same as a stream, and a vector.
func run(ctx context.Context, out io.Writer) error {
	gw, err := inprocess.New(ctx, inprocess.Config{Path: "config.yaml"})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = gw.Close(ctx)
	}()

	ask := inprocess.ChatRequest{
		Model:    "demo",
		Messages: []inprocess.Message{{Role: "user", Content: "What is a sally port?"}},
		Params:   map[string]any{"temperature": 0.2, "fallbacks": []string{"spare"}},
	}
	answer, err := gw.Chat(ctx, ask)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s said: %s\n", answer.Group, answer.Text())

	stream, err := gw.Stream(ctx, ask)
	if err != nil {
		return err
	}
	for event, err := range stream.All() {
		if err != nil {
			return err
		}
		fmt.Fprint(out, event.Text())
	}
	fmt.Fprintln(out)

	vectors, err := gw.Embed(ctx, inprocess.EmbedRequest{Model: "vectors", Input: []string{"a guarded passage"}})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "a vector of", len(vectors.Vectors[0]), "numbers")
	return nil
}
