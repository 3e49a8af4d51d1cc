// Package dialecttest holds what the tests of the dialects share: scripts that say what becomes of a request or of an
// answer, and checks that a voice keeps on any bytes.
package dialecttest

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

// UpdateFlag registers -update for a dialect's own test. It is called from a package variable of the test.
func UpdateFlag() *bool {
	return flag.Bool("update", false, "write what the translations say into the scripts")
}

// Goldens runs the scripts testdata/*.txtar. Each begins with a sentence and the page it follows. Its first file is a
// request, a whole chat completion or the chunks of one, as its name says; its second is what tell makes of it.
func Goldens(t *testing.T, update bool, tell func(t *testing.T, kind string, in []byte) []byte) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil || !bytes.Contains(a.Comment, []byte("https://")) || len(a.Files) != 2 {
				t.Fatalf("the script has no sentence with its page or not two files: %v", err)
			}
			got := tell(t, a.Files[0].Name, a.Files[0].Data)
			if update {
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

// Voice writes the answers of a public API out of chat completions.
type Voice interface {
	Whole(dst, chat []byte) ([]byte, error)
	Part(dst []byte, p *llm.Part, native bool) ([]byte, error)
	End(dst []byte, native bool) ([]byte, error)
	Fail(dst []byte, e *llm.Error, message string) []byte
}

// Request is a translation of a request into one for a chat. lost is what of the request had to be left out.
type Request func(o *llm.Object) (out []byte, lost, err error)

// Tell is what becomes of the first file of a script: of a request through ask, of a chat or its chunks through v.
func Tell(t *testing.T, v Voice, ask Request, kind string, in []byte) []byte {
	t.Helper()
	var out []byte
	var lost, err error
	switch kind {
	case "request":
		var o llm.Object
		if err := o.Parse(bytes.TrimSpace(in)); err != nil {
			t.Fatal(err)
		}
		out, lost, err = ask(&o)
	case "chat":
		out, err = v.Whole(nil, bytes.TrimSpace(in))
	case "chunks":
		return Events(t, Stream(v, bytes.Split(bytes.TrimSpace(in), []byte("\n"))...))
	default:
		t.Fatalf("unknown file %q", kind)
	}
	if err != nil {
		return []byte(llm.AsError(err).Message + "\n")
	}
	if !json.Valid(out) {
		t.Errorf("this is no JSON: %s", out)
	}
	if lost != nil {
		out = append(out, "\nlost: "+llm.AsError(lost).Message...)
	}
	return append(out, '\n')
}

// Stream is what v tells of the chunks, and of the error it found in them if there is one.
func Stream(v Voice, chunks ...[]byte) []byte {
	var out []byte
	var err error
	for _, chunk := range chunks {
		if out, err = v.Part(out, &llm.Part{Data: bytes.TrimSpace(chunk)}, false); err != nil {
			return v.Fail(out, llm.AsError(err), llm.AsError(err).Message)
		}
	}
	if out, err = v.End(out, false); err != nil {
		return v.Fail(out, llm.AsError(err), llm.AsError(err).Message)
	}
	return out
}

// Events checks that each event's data is JSON and that events with numbers count up. It returns the events.
func Events(t testing.TB, out []byte) []byte {
	t.Helper()
	n := 0
	for line := range bytes.Lines(out) {
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		var e struct {
			Number *int `json:"sequence_number"`
		}
		if err := json.Unmarshal(data, &e); err != nil || e.Number != nil && *e.Number != n {
			t.Errorf("event %d: %v in %s", n, err, data)
		}
		n++
	}
	return out
}

// Robust checks that whatever a vendor says becomes JSON, or an error with a text: b as a whole answer, and twice as a
// chunk. fresh makes a voice.
func Robust(t *testing.T, b []byte, fresh func() Voice) {
	t.Helper()
	valid := json.Valid(b)
	switch out, err := fresh().Whole(nil, b); {
	case err != nil && llm.AsError(err).Message == "":
		t.Errorf("%s has an error without a text: %v", b, err)
	case err == nil && valid && !json.Valid(out):
		t.Errorf("%s became %s", b, out)
	}
	if out := Stream(fresh(), b, b); valid {
		Events(t, out)
	}
}

// Asked checks that whatever a caller asks becomes JSON, or an error with a text.
func Asked(t *testing.T, b []byte, ask Request) {
	t.Helper()
	var o llm.Object
	if o.Parse(b) != nil {
		return
	}
	out, _, err := ask(&o)
	switch {
	case err != nil && llm.AsError(err).Message == "":
		t.Errorf("%s has an error without a text: %v", b, err)
	case err == nil && json.Valid(b) && !json.Valid(out):
		t.Errorf("%s became %s", b, out)
	}
}
