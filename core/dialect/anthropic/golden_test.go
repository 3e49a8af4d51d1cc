package anthropic

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

// Each script begins with a sentence and the page it follows. Its first file is a request, a whole chat completion or
// the chunks of one; its second is what becomes of it.
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
			if err != nil || !bytes.Contains(a.Comment, []byte("https://")) || len(a.Files) != 2 {
				t.Fatalf("the script has no sentence with its page or not two files: %v", err)
			}
			got := told(t, a.Files[0].Name, a.Files[0].Data)
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

func told(t *testing.T, kind string, in []byte) (out []byte) {
	t.Helper()
	var v Voice
	var err error
	switch kind {
	case "request":
		var o llm.Object
		if err := o.Parse(bytes.TrimSpace(in)); err != nil {
			t.Fatal(err)
		}
		var lost error
		if out, lost, err = AppendChat(nil, &o); err == nil && lost != nil {
			out = append(out, "\nlost: "+llm.AsError(lost).Message...)
			return append(out, '\n')
		}
	case "chat":
		out, err = v.Whole(nil, bytes.TrimSpace(in))
	case "chunks":
		v.Reset(llm.Usage{Prompt: 9, Cached: 4})
		for line := range bytes.Lines(in) {
			if out, err = v.Part(out, &llm.Part{Data: bytes.TrimSpace(line)}, false); err != nil {
				break
			}
		}
		if err != nil {
			out = v.Fail(out, llm.AsError(err), llm.AsError(err).Message)
		} else {
			out, _ = v.End(out, false)
		}
		for line := range bytes.Lines(out) {
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && !json.Valid(data) {
				t.Errorf("this is no JSON: %s", data)
			}
		}
		return out
	default:
		t.Fatalf("unknown file %q", kind)
	}
	if err != nil {
		return []byte(llm.AsError(err).Message + "\n")
	}
	if !json.Valid(out) {
		t.Errorf("this is no JSON: %s", out)
	}
	return append(out, '\n')
}

// Whatever a vendor says becomes JSON, or an error with a text.
func FuzzVoice(f *testing.F) {
	f.Add([]byte(`{"id":"x","choices":[{"index":0,"message":{"content":"a","tool_calls":[{"id":"i","function":{"name":"n","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"text":"t"}]},{"type":"text","text":"b"}],"thinking_blocks":[{"type":"thinking","thinking":"x","signature":"s"}],"provider_specific_fields":{"blocks":[{"type":"y","input":{"a":1}}],"order":["text"],"citation":{}}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			var v Voice
			_, _ = v.Whole(nil, b)
			_, _ = v.Part(nil, &llm.Part{Data: b}, false)
			return
		}
		var v Voice
		out, err := v.Whole(nil, b)
		if err == nil && !json.Valid(out) {
			t.Errorf("%s became %s", b, out)
		}
		v.Reset(llm.Usage{})
		for range 2 {
			if out, err = v.Part(out[:0], &llm.Part{Data: b}, false); err != nil {
				out = v.Fail(out, llm.AsError(err), "m")
				break
			}
		}
		if err == nil {
			out, _ = v.End(out, false)
		}
		for line := range bytes.Lines(out) {
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && !json.Valid(data) {
				t.Errorf("%s became %s", b, data)
			}
		}
	})
}

func FuzzAppendChat(f *testing.F) {
	f.Add([]byte(`{"model":"m","system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"A"}},{"type":"document","source":{"type":"text","data":"d"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"n","input":{}},{"type":"text","text":"x"}]}]}`))
	f.Add([]byte(`{"messages":null,"metadata":{"user_id":"u"},"thinking":{"type":"adaptive"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{}}},"tools":[{"name":"a"}],"tool_choice":{"type":"tool","name":"a"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var o llm.Object
		if o.Parse(b) != nil {
			return
		}
		out, _, err := AppendChat(nil, &o)
		switch {
		case err != nil && llm.AsError(err).Message == "":
			t.Errorf("%v", err)
		case err == nil && json.Valid(b) && !json.Valid(out):
			t.Errorf("%s became %s", b, out)
		}
	})
}
