package mistral_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/mistral"
)

// TestPages sends documents to a cloud, and reads what comes of them.
func TestPages(t *testing.T) {
	t.Parallel()
	p := mistral.Pages(mistral.Cloud{Name: "azure_ai", Locate: func(*llm.Deployment) (string, error) { return "https://h/providers/mistral/azure/ocr", nil }})
	e, err := p.Bind(&llm.Deployment{ID: "d1", Group: "mine", Model: "mistral-document-ai-2512", APIKey: "sk-0123456789abc"})
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(call, body string) *llm.Exchange {
		x := new(llm.Exchange)
		x.Reset()
		x.Op, x.Call, x.Tail, x.Method = llm.OpResource, call, "/ocr", "POST"
		if err := x.Body.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		return x
	}
	f := func(call, body, want string) {
		t.Helper()
		var c llm.Call
		got := ""
		if err := e.Encode(exchange(call, body), &c); err != nil {
			got = err.Error()
		} else {
			got = string(c.Path) + " " + string(bytes.Join(c.Body, nil))
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	f("aocr", `{"model":"mine","document":{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},"pages":[1],"custom_llm_provider":"x"}`,
		`/providers/mistral/azure/ocr {"model":"mistral-document-ai-2512","document":{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},"pages":[1]}`)
	f("aocr", `{"document":{"type":"document_url","document_url":"https://h/a.pdf"}}`, "`document` must hold the document itself")
	f("aocr", `{"document":{"type":"file","file_id":"f"}}`, "`document` must have a document_url or an image_url")
	f("aocr", `{"document":"https://h/a.pdf"}`, "`document` must be an object")
	f("acreate_file", `{}`, "ask it by /v1/ocr")

	g := func(status int, answer, want string) {
		t.Helper()
		a := &llm.Answer{Status: status, Size: len(answer), Body: io.NopCloser(strings.NewReader(answer))}
		a.Header = llm.Header{{Name: []byte("Content-Type"), Value: []byte("application/json")}}
		var r llm.Reply
		got := ""
		if err := e.Decode(exchange("aocr", `{}`), a, &r); err != nil {
			got = err.Error()
		} else {
			got = string(r.First.Data)
			if r.Usage.Pages != 2 || r.Usage.AnnotatedPages != 1 {
				t.Errorf("usage %+v", r.Usage)
			}
			if err := r.Rest.Close(); err != nil {
				t.Error(err)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", answer, got, want)
		}
	}
	const pages = `{"pages":[{"index":0,"markdown":"x"}],"usage_info":{"pages_processed":2,"pages_processed_annotation":1}}`
	g(200, pages, pages)
	g(200, `{"message":"too large"}`, "too large")
	g(200, `{}`, "has no pages")
	g(200, `<html>`, "is not JSON")
	g(429, `{"message":"Requests rate limit exceeded"}`, "rate limit")
}
