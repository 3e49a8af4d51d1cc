package gemini

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/dialecttest"
	"github.com/sallyport-ai/sallyport/core/llm"
)

var update = dialecttest.UpdateFlag()

// counted is the usage of the scripts.
func counted() llm.Usage {
	return llm.Usage{Prompt: 9, Completion: 8, Total: 17, Cached: 4, Reasoning: 5, AudioPrompt: 2}
}

func TestGoldens(t *testing.T) {
	t.Parallel()
	dialecttest.Goldens(t, *update, func(t *testing.T, kind string, in []byte) []byte {
		got := translate(t, kind, bytes.TrimSuffix(in, []byte("\n")))
		for line := range bytes.Lines(got) {
			if !json.Valid(line) {
				t.Errorf("this is no JSON: %s", line)
			}
		}
		return got
	})
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
