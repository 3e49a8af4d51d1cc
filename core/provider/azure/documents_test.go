package azure_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
)

// analysis is a call whose document is being analyzed.
func analysis(t *testing.T) *llm.Call {
	t.Helper()
	e, err := azure.Documents(azure.OwnSettings{}).Bind(&llm.Deployment{
		ID: "d1", Group: "mine", Provider: azure.NameAI, Model: "doc-intelligence/prebuilt-read", Base: "https://gate.example/azure", APIKey: "sk-0123456789abc",
	})
	if err != nil {
		t.Fatal(err)
	}
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.Call, x.Tail, x.Method = llm.OpResource, "aocr", "/ocr", http.MethodPost
	if err := x.Body.Parse([]byte(`{"document":{"document_url":"https://h/a"}}`)); err != nil {
		t.Fatal(err)
	}
	c := new(llm.Call)
	if err := e.Encode(x, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// seen are header lines of an answer.
func seen(lines ...string) llm.Header {
	var h llm.Header
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h = append(h, llm.Field{Name: []byte(name), Value: []byte(value)})
	}
	return h
}

const place = "Operation-Location: https://elsewhere.example/documentintelligence/documentModels/prebuilt-read/analyzeResults/r1?api-version=2024-11-30"

// The result is looked for at the deployment's own address, as often as the vendor says, and not for ever.
func TestAnalysis(t *testing.T) {
	t.Parallel()
	c := analysis(t)
	step := func(status int, body string, lines ...string) (time.Duration, bool, error) {
		next := c.Next
		c.Next, c.Seen = nil, seen(lines...)
		return next(status, []byte(body), c)
	}
	wait, again, err := step(202, "", place)
	if wait != 0 || !again || err != nil || c.Method != "GET" || c.Target.Host != "gate.example" || len(c.Body) != 0 ||
		string(c.Path) != "/azure/documentintelligence/documentModels/prebuilt-read/analyzeResults/r1?api-version=2024-11-30" {
		t.Fatalf("%v %v %v %s %s", wait, again, err, c.Method, c.Path)
	}
	if wait, again, err = step(200, `{"status":"notStarted"}`); wait != 2*time.Second || !again || err != nil {
		t.Fatalf("%v %v %v", wait, again, err)
	}
	if wait, again, err = step(200, `{"status":"running"}`, "Retry-After: 7"); wait != 7*time.Second || !again || err != nil {
		t.Fatalf("%v %v %v", wait, again, err)
	}
	sum, looks := 9*time.Second, 0
	for again {
		if wait, again, err = step(200, `{"status":"running"}`, "Retry-After: 3600"); !again {
			break
		}
		sum += wait
		if looks++; looks > 100 {
			t.Fatal("it never ends")
		}
	}
	if e := llm.AsError(err); err == nil || e.Kind != llm.KindTimeout || sum > 120*time.Second || sum < 90*time.Second {
		t.Errorf("after %v: %v", sum, err)
	}
}

// What is refused, and what has ended, is the answer.
func TestAnalysisEnds(t *testing.T) {
	t.Parallel()
	f := func(status int, body string) {
		t.Helper()
		c := analysis(t)
		next := c.Next
		c.Next = nil
		if _, again, err := next(status, []byte(body), c); again || err != nil || c.Next != nil {
			t.Errorf("%d %s: %v %v", status, body, again, err)
		}
	}
	f(400, `{"error":{"code":"InvalidArgument"}}`)
	f(200, `{"status":"succeeded"}`)
	f(200, `{"status":"failed"}`)
	f(200, `<html>`)
	for _, line := range []string{"X: y", "Operation-Location: https://evil.example/x", "Operation-Location: ://"} {
		c := analysis(t)
		c.Seen = seen(line)
		if _, again, err := c.Next(202, nil, c); again || err == nil {
			t.Errorf("%s: %v %v", line, again, err)
		}
	}
}
