package app_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestDocumentIntelligence reads a document, whose result is asked for until it is there.
func TestDocumentIntelligence(t *testing.T) {
	t.Parallel()
	var looks atomic.Int32
	v := ut.New(t, func(c *ut.Conn) {
		const at = "/documentintelligence/documentModels/prebuilt-layout"
		switch {
		case c.Request.Method == "POST" && strings.Contains(string(c.Request.Body), "broken"):
			ut.JSON(400, `{"error":{"code":"InvalidRequest","message":"Invalid request."}}`)(c)
		case c.Request.Method == "POST":
			looks.Store(0)
			ut.JSON(202, "", "Operation-Location: https://elsewhere.example"+at+"/analyzeResults/r1?api-version=2024-11-30", "Retry-After: 0")(c)
		case looks.Add(1) < 3:
			ut.JSON(200, `{"status":"running"}`, "Retry-After: 0")(c)
		default:
			ut.JSON(200, `{"status":"succeeded","analyzeResult":{"pages":[{"pageNumber":1,"width":8.5,"height":11,"unit":"inch","lines":[{"content":"a"},{"content":"b"}]},{"pageNumber":2}]}}`)(c)
		}
	})
	s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: azure_ai/doc-intelligence/prebuilt-layout}}]\ngeneral_settings: {master_key: sk-1234}\n",
		apptest.Env("AZURE_DOCUMENT_INTELLIGENCE_API_KEY=sk-document", "AZURE_DOCUMENT_INTELLIGENCE_ENDPOINT="+v.URL+"/", "AZURE_AI_API_KEY=sk-other", "AZURE_AI_API_BASE=https://other.example", printRecords))
	r := s.Post("/v1/ocr", `{"model":"m","document":{"type":"document_url","document_url":"https://h/a.pdf"},"pages":[0,1]}`)
	sameJSON(t, r.Body, `{"pages":[{"index":0,"markdown":"a\nb","images":[],"dimensions":{"dpi":96,"height":1056,"width":816}},{"index":1,"markdown":"","images":[],"dimensions":{"dpi":96,"height":0,"width":0}}],"model":"m","usage_info":{"pages_processed":2},"object":"ocr"}`)
	if cost := r.Header.Get("x-litellm-response-cost"); r.Status != 200 || cost != "0.02" {
		t.Errorf("%d, the cost is %q", r.Status, cost)
	}
	var sent []string
	for _, q := range v.Requests() {
		if q.Header.Get("Ocp-Apim-Subscription-Key") != "sk-document" {
			t.Errorf("%s: %v", q.Path, q.Header)
		}
		sent = append(sent, q.Method+" "+q.Path+" "+string(q.Body))
	}
	const result = "GET /documentintelligence/documentModels/prebuilt-layout/analyzeResults/r1?api-version=2024-11-30 "
	want := []string{`POST /documentintelligence/documentModels/prebuilt-layout:analyze?api-version=2024-11-30&pages=1%2C2 {"urlSource":"https://h/a.pdf"}`, result, result, result}
	if fmt.Sprint(sent) != fmt.Sprint(want) {
		t.Errorf("sent %q", sent)
	}
	wantStatus(t, s.Post("/v1/ocr", `{"model":"m","document":{"document_url":"https://h/broken"}}`), 400, "Invalid request.")
	wantStatus(t, s.Post("/v1/ocr", `{"model":"m","document":{"document_url":"https://h/a.pdf"},"image_limit":2}`), 400, "Document Intelligence has nothing for it")
}
