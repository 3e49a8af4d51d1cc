package openai_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
)

func TestUnifiedIDs(t *testing.T) {
	t.Parallel()
	file := openai.UnifiedFile{Type: "application/octet-stream", UUID: "u-1", Models: "a,b", File: "file-1", Deployment: "d"}
	if got, ok := openai.ParseUnifiedFile(file.String()); got != file || !ok {
		t.Errorf("%+v %v", got, ok)
	}
	batch := openai.UnifiedBatch{Deployment: "d", Batch: "batch_1"}
	if got, ok := openai.ParseUnifiedBatch(batch.String()); got != batch || !ok {
		t.Errorf("%+v %v", got, ok)
	}
	for _, id := range []string{"", "file-1", file.String()[1:], openai.UnifiedFile{File: "../x", Deployment: "d"}.String(), openai.UnifiedFile{File: "f"}.String(), strings.Repeat("A", 1<<13)} {
		if got, ok := openai.ParseUnifiedFile(id); ok {
			t.Errorf("%.40q: %+v", id, got)
		}
	}
	if _, ok := openai.ParseUnifiedBatch(openai.UnifiedBatch{Deployment: "d", Batch: "a/b"}.String()); ok {
		t.Error("a batch that is two segments")
	}
}

func TestWithBatchModel(t *testing.T) {
	t.Parallel()
	f := func(in, want, problem string) {
		t.Helper()
		got, err := openai.WithBatchModel(nil, []byte(in), []byte(`"new"`))
		if problem != "" {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%q: %v", in, err)
			}
			return
		}
		if err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	f(`{"custom_id":"1", "body":{"model": "old","x":1.50}}`+"\r\n"+`{"body":{"model":"other"}}`, `{"custom_id":"1", "body":{"model": "new","x":1.50}}`+"\r\n"+`{"body":{"model":"new"}}`, "")
	f("\n{\"body\":{}}\n{\"url\":\"/v1\"}\n", "\n{\"body\":{}}\n{\"url\":\"/v1\"}\n", "")
	f("{\"body\":{}}\nnonsense\n", "", "Line 2 of the file is no JSON object")
	f(`{"body":{"model":"a","model":"b"}}`, "", "Line 1 of the file cannot be used")
}

func FuzzWithBatchModel(f *testing.F) {
	f.Add([]byte(`{"custom_id":"1","body":{"model":"old"}}` + "\n\n{}"))
	f.Add([]byte("{\"body\":[\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := openai.WithBatchModel(nil, in, []byte(`"new"`))
		if err != nil {
			return
		}
		again, err := openai.WithBatchModel(nil, out, []byte(`"new"`))
		if err != nil || string(again) != string(out) {
			t.Errorf("%q then %q: %v", out, again, err)
		}
	})
}

func FuzzUnifiedIDs(f *testing.F) {
	f.Add(openai.UnifiedFile{Type: "t", UUID: "u", Models: "m", File: "f", Deployment: "d"}.String())
	f.Add(openai.UnifiedBatch{Deployment: "d", Batch: "b"}.String())
	f.Fuzz(func(t *testing.T, id string) {
		if file, ok := openai.ParseUnifiedFile(id); ok && strings.ContainsAny(file.File, "/?#") {
			t.Errorf("%+v", file)
		}
		if batch, ok := openai.ParseUnifiedBatch(id); ok && strings.ContainsAny(batch.Batch, "/?#") {
			t.Errorf("%+v", batch)
		}
	})
}
