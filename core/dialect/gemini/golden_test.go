package gemini

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/llm"
)

var update = flag.Bool("update", false, "write what the translations say into the scripts")

// counted is the usage of the scripts.
func counted() llm.Usage {
	return llm.Usage{Prompt: 9, Completion: 8, Total: 17, Cached: 4, Reasoning: 5, AudioPrompt: 2}
}

func TestGoldens(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil || len(a.Comment) == 0 || len(a.Files) != 2 {
				t.Fatalf("the script has no sentence or not two files: %v", err)
			}
			got := translate(t, a.Files[0].Name, bytes.TrimSuffix(a.Files[0].Data, []byte("\n")))
			for line := range bytes.Lines(got) {
				if !json.Valid(line) {
					t.Errorf("this is no JSON: %s", line)
				}
			}
			if *update {
				a.Files[1].Data = got
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(a.Files[1].Data), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func translate(t *testing.T, kind string, in []byte) []byte {
	t.Helper()
	var out []byte
	var err error
	switch kind {
	case "request":
		out, err = ask(in)
	case "chat":
		out, err = AppendAnswer(nil, in, counted())
	case "chunks":
		var s Stream
		for line := range bytes.Lines(in) {
			before := len(out)
			if out, err = s.Append(out, bytes.TrimSpace(line)); err != nil {
				t.Fatal(err)
			}
			if len(out) > before {
				out = append(out, '\n')
			}
		}
		out = s.AppendEnd(out, counted())
	default:
		t.Fatalf("unknown file %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func ask(in []byte) ([]byte, error) {
	var o llm.Object
	if err := o.Parse(in); err != nil {
		return nil, err
	}
	return AppendChat(nil, &o, "mine", false, func(key []byte) bool { return string(key) == "metadata" })
}
