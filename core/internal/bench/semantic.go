package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/semantic"
)

// semanticScenario measures the semantic cache that is part of the gateway, in a process that does nothing else.
const semanticScenario = "semantic"

const (
	semanticEntries = 100_000
	// modelDimensions is the length of the vectors that embedding models make.
	modelDimensions = 1536
	semanticAtLeast = 0.9
)

// lookups is what searching an index took, by the clock.
type lookups struct {
	Vectors string
	Found   int // of the lookups, those that had an answer
	Count   int
	Median  time.Duration
	P99     time.Duration
	Longest time.Duration
}

// measureSemantic runs the searches, each kind of vectors in a process of its own on the CPU of servers under test.
func measureSemantic(ctx context.Context, opt options, cpus layout) ([]lookups, error) {
	var all []lookups
	count := 2000
	if opt.quick {
		count = 500
	}
	for _, vectors := range []string{"words", "model"} {
		progress("semantic lookup: %d over %d entries, vectors of %s", count, semanticEntries, vectors)
		one, err := searchApart(ctx, cpus, vectors, count)
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

// searchApart starts the part that searches and reads what it found.
func searchApart(ctx context.Context, cpus layout, vectors string, count int) (one lookups, err error) {
	self, err := os.Executable()
	if err != nil {
		return one, err
	}
	reader, writer := io.Pipe()
	defer reader.Close()
	p, err := startProcess(cpus.server, "", writer, os.Stderr, self, "semantic", vectors, strconv.Itoa(count))
	if err != nil {
		return one, err
	}
	defer p.stop()
	go func() {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		writer.CloseWithError(errors.Join(errors.New("the part that searches ended early"), ctx.Err()))
	}()
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		return one, err
	}
	return one, json.Unmarshal(line, &one)
}

// searchAll is the part: it fills an index of one scope, all of whose entries are searched each time, and looks prompts up,
// half of which are like one that is there.
func searchAll(out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("semantic: want the kind of vectors and a number of lookups")
	}
	count, err := strconv.Atoi(args[1])
	if err != nil || count < 1 {
		return fmt.Errorf("semantic: %q is no number of lookups", args[1])
	}
	return search(out, args[0], semanticEntries, count)
}

func search(out io.Writer, vectors string, entries, count int) error {
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(7, 8))
	put, like := wordPrompts(rnd)
	one := lookups{Vectors: fmt.Sprintf("words, made and found (%d)", semantic.LexicalDimensions), Count: count}
	if vectors == "model" {
		put, like = modelVectors(rnd)
		one.Vectors = fmt.Sprintf("a model, found (%d)", modelDimensions)
	}
	index := semantic.New(1 << 30)
	answer := make([]byte, 1000)
	for i := range entries {
		v, err := put(ctx, i)
		if err != nil {
			return err
		}
		if err := index.Add(ctx, "scope", strconv.Itoa(i), v, answer, time.Hour); err != nil {
			return err
		}
	}
	took := make([]time.Duration, 0, count)
	buf := make([]byte, 0, 2*len(answer))
	for i := range count {
		ask := like(i, rnd.IntN(entries))
		begun := time.Now()
		v, err := ask(ctx)
		if err != nil {
			return err
		}
		_, _, err = index.Nearest(ctx, "scope", v, semanticAtLeast, buf)
		took = append(took, time.Since(begun))
		switch {
		case err == nil:
			one.Found++
		case !errors.Is(err, cache.ErrMiss):
			return err
		}
	}
	one.Median, one.P99, one.Longest = quantile(took, 0.5), quantile(took, 0.99), slices.Max(took)
	return json.NewEncoder(out).Encode(one)
}

type (
	putter func(ctx context.Context, i int) ([]float32, error)
	asker  func(ctx context.Context) ([]float32, error)
)

// wordPrompts are prompts as people write them. Their vectors are made of their words, as the gateway makes them for
// local-semantic without a model, which counts as a part of the lookup.
func wordPrompts(*rand.Rand) (putter, func(i, at int) asker) {
	things := []string{"invoice", "tide table", "harbour permit", "crane schedule", "crew list", "fuel report", "customs form", "mooring plan"}
	wishes := []string{"summarise", "translate into French", "explain", "find the mistakes in", "shorten", "list the dates in"}
	prompt := func(i int) string {
		return fmt.Sprintf("Please %s the %s of berth %d for the week of vessel %d and say who signed it.",
			wishes[i%len(wishes)], things[i/len(wishes)%len(things)], i/97, i)
	}
	var words semantic.Lexical
	put := func(ctx context.Context, i int) ([]float32, error) { return words.Embed(ctx, prompt(i)) }
	like := func(i, at int) asker {
		text := prompt(at)
		if i%2 == 1 {
			text = fmt.Sprintf("What is the weather like at lighthouse %d today?", at)
		}
		return func(ctx context.Context) ([]float32, error) { return words.Embed(ctx, text) }
	}
	return put, like
}

// modelVectors are unit vectors that point anywhere. Making them would be a call to a model, which is not measured.
func modelVectors(rnd *rand.Rand) (putter, func(i, at int) asker) {
	unit := func(rnd *rand.Rand) []float32 {
		v := make([]float32, modelDimensions)
		var sum float64
		for d := range v {
			v[d] = float32(rnd.NormFloat64())
			sum += float64(v[d]) * float64(v[d])
		}
		for d := range v {
			v[d] /= float32(math.Sqrt(sum))
		}
		return v
	}
	put := func(_ context.Context, i int) ([]float32, error) {
		return unit(rand.New(rand.NewPCG(9, uint64(i)))), nil
	}
	like := func(i, at int) asker {
		v := unit(rnd)
		if i%2 == 0 {
			other := v
			v = unit(rand.New(rand.NewPCG(9, uint64(at))))
			for d := range v {
				v[d] += 0.3 * other[d] // a cosine of 0.96
			}
		}
		return func(context.Context) ([]float32, error) { return v, nil }
	}
	return put, like
}

// printLookups writes the table of the searches.
func printLookups(w io.Writer, all []lookups) {
	fmt.Fprintf(w, "\nsemantic lookup over %d entries of one scope, in process, by the clock\n", semanticEntries)
	for _, l := range all {
		fmt.Fprintf(w, "  vectors of %-26s median %.2f ms, p99 %.2f ms, longest %.2f ms; %d of %d found\n", l.Vectors, millis(l.Median), millis(l.P99),
			millis(l.Longest), l.Found, l.Count)
	}
}

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }
