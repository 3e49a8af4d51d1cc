package app

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/router"
)

//go:generate go test . -run ^TestMatrix$ -matrix

var writeMatrix = flag.Bool("matrix", false, "write the table of vendors in core/provider/README.md anew")

const (
	matrixFile = "../provider/README.md"
	matrixMark = "<!-- What follows is written by go generate ./core/app. -->\n"
)

// TestMatrix keeps the table of what vendors offer as the code has it.
func TestMatrix(t *testing.T) {
	t.Parallel()
	old, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := bytes.Cut(old, []byte(matrixMark))
	if !ok {
		t.Fatalf("%s lacks the line %s", matrixFile, matrixMark)
	}
	want := string(head) + matrixMark + matrix(t)
	if *writeMatrix {
		if err := os.WriteFile(matrixFile, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(old) {
		t.Errorf("%s is stale: run go generate ./core/app", matrixFile)
	}
}

func matrix(t *testing.T) string {
	t.Helper()
	cfg, _, err := config.ForModel(config.ModelFlags{Model: "openai/x"}, config.Options{Dir: t.TempDir(), Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	a := &App{opts: Options{Log: io.Discard, Out: io.Discard}, states: router.NewStates()}
	a.startLog(cfg)
	b := &builder{App: a, cfg: cfg}
	operations := []struct {
		op    llm.Operation
		title string
	}{
		{llm.OpChat, "chat"}, {llm.OpCompletion, "completions"}, {llm.OpEmbedding, "embeddings"}, {llm.OpRerank, "rerank"},
		{llm.OpModeration, "moderations"}, {llm.OpImage, "images"}, {llm.OpImageEdit, "image edits"}, {llm.OpSpeech, "speech"},
		{llm.OpTranscription, "transcriptions"}, {llm.OpTranslation, "translations"}, {llm.OpRealtime, "realtime"},
	}
	features := []string{"tools", "response_format", "reasoning_effort", "logprobs", "n", "seed", "stop"}
	var out strings.Builder
	out.WriteString("| vendor | API |")
	for _, o := range operations {
		fmt.Fprintf(&out, " %s |", o.title)
	}
	for _, f := range features {
		fmt.Fprintf(&out, " `%s` |", f)
	}
	out.WriteString(" Responses API | source |\n|" + strings.Repeat("---|", 4+len(operations)+len(features)) + "\n")
	mark := func(yes bool) {
		if yes {
			out.WriteString(" x |")
			return
		}
		out.WriteString(" |")
	}
	rows := compat.All()
	slices.SortFunc(rows, func(a, b compat.Vendor) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range rows {
		kind := "OpenAI's"
		if v.Own {
			kind = "own"
		}
		fmt.Fprintf(&out, "| `%s` | %s |", v.Name, kind)
		p, ok := b.vendor(v).(provider.Parameters)
		if !ok {
			t.Fatalf("%s does not say what it supports", v.Name)
		}
		for _, o := range operations {
			_, offered := p.Supported(o.op)
			mark(offered)
		}
		params, _ := p.Supported(llm.OpChat)
		for _, f := range features {
			mark(slices.Contains(params, f))
		}
		mark(v.Responses)
		word := "vendor"
		if v.OnlyReference() {
			word = "reference"
		}
		fmt.Fprintf(&out, " [%s](%s) |\n", word, v.Source)
	}
	return out.String()
}
