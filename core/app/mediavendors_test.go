package app_test

import (
	"bytes"
	"fmt"
	"math"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// imageForm writes a form with an image and fields "name=value", and returns it with its content type.
func imageForm(t *testing.T, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	p, err := w.CreateFormFile("image", "cat.png")
	if err != nil {
		t.Fatal(err)
	}
	p.Write([]byte("\x89PNG\r\n\x1a\n"))
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		w.WriteField(name, value)
	}
	w.Close()
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

// TestMediaOfClouds asks for images, speech and transcriptions at vendors with APIs of their own for them, and sees what it
// costs by the price table.
func TestMediaOfClouds(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: inpaint, litellm_params: {model: bedrock/us.stability.stable-image-inpaint-v1:0, aws_bedrock_runtime_endpoint: "%[1]s", api_key: k}}
  - {model_name: canvas, litellm_params: {model: bedrock/amazon.nova-canvas-v1:0, aws_bedrock_runtime_endpoint: "%[1]s", api_key: k}}
  - {model_name: drawing, litellm_params: {model: gemini/gemini-2.5-flash-image, api_base: "%[1]s", api_key: k}}
  - {model_name: kontext, litellm_params: {model: azure_ai/FLUX.1-Kontext-pro, api_base: "%[1]s/models", api_key: k}}
  - {model_name: flux2, litellm_params: {model: azure_ai/flux.2-pro, api_base: "%[1]s", api_key: k}}
  - {model_name: azure-tts, litellm_params: {model: azure/speech/azure-tts, api_base: "%[1]s", api_key: k}}
  - {model_name: polly, litellm_params: {model: aws_polly/neural, api_base: "%[1]s", aws_access_key_id: a, aws_secret_access_key: b}}
  - {model_name: chirp, litellm_params: {model: vertex_ai/chirp, api_base: "%[1]s", vertex_project: p, api_key: k}}
  - {model_name: chirp3, litellm_params: {model: vertex_ai/chirp_3, api_base: "%[1]s", vertex_project: p, api_key: k}}
  - {model_name: azure-pages, litellm_params: {model: azure_ai/mistral-document-ai-2512, api_base: "%[1]s", api_key: k}}
  - {model_name: vertex-pages, litellm_params: {model: vertex_ai/mistral-ocr-2505, api_base: "%[1]s", vertex_project: p, vertex_location: us-central1, api_key: k}}
  - {model_name: claude, litellm_params: {model: azure_ai/claude-haiku-4-5, api_base: "%[1]s", api_key: k}}
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, v.URL), apptest.Env(printRecords))
	f := func(path, body, contentType string, answer ut.Answer, at string, cost float64, want string) {
		t.Helper()
		v.Script(answer)
		r := s.Post(path, body, contentType)
		if got, _ := lastRecord(t, s)["response_cost"].(float64); math.Abs(got-cost) > 1e-12 {
			t.Errorf("%s: the cost is %v, want %v", at, got, cost)
		}
		if q := v.Last(); r.Status != 200 || !strings.Contains(r.Body, want) || q.Path != at {
			t.Errorf("%s: %d %s", q.Path, r.Status, r.Body)
		}
	}
	edit := func(model string) (body, contentType string) {
		return imageForm(t, "model="+model, "prompt=A hat.")
	}
	data := `{"created":1,"data":[{"b64_json":"AAAA"}]}`
	image := func(model string, answer ut.Answer, at string, cost float64) {
		t.Helper()
		body, contentType := edit(model)
		f("/v1/images/edits", body, contentType, answer, at, cost, `"b64_json":"AAAA"`)
	}
	image("inpaint", ut.JSON(200, `{"images":["AAAA"],"seeds":[1],"finish_reasons":[null]}`), "/model/us.stability.stable-image-inpaint-v1%3A0/invoke", 0.07)
	image("canvas", ut.JSON(200, `{"images":["AAAA","BBBB"]}`), "/model/amazon.nova-canvas-v1%3A0/invoke", 0.12)
	image("kontext", ut.JSON(200, data), "/openai/deployments/FLUX.1-Kontext-pro/images/edits?api-version=2025-04-01-preview", 0.04)
	image("flux2", ut.JSON(200, data), "/providers/blackforestlabs/v1/flux-2-pro?api-version=preview", 0.04)
	const json = "Content-Type: application/json"
	say := func(model string, answer ut.Answer, at string, cost float64) {
		t.Helper()
		f("/v1/audio/speech", `{"model":"`+model+`","input":"Hello","voice":"alloy"}`, json, answer, at, cost, "ID3")
	}
	say("azure-tts", ut.Whole(200, "audio/mpeg", "ID3-sound"), "/cognitiveservices/v1", 5*15e-6)
	say("polly", ut.Whole(200, "audio/mpeg", "ID3-sound"), "/v1/speech", 5*16e-6)
	say("chirp", ut.JSON(200, `{"audioContent":"SUQzLXNvdW5k"}`), "/v1/text:synthesize", 5*30e-6)
	body, contentType := formOf(t, []byte("RIFF"), "model=chirp3", "language=en")
	f("/v1/audio/transcriptions", body, contentType, ut.JSON(200, `{"results":[{"alternatives":[{"transcript":"Hi"}]}],"metadata":{"totalBilledDuration":"3s"}}`),
		"/v2/projects/p/locations/us/recognizers/_:recognize", 3*0.00026667, `"text":"Hi"`)
	read := func(model, at string, each float64) {
		t.Helper()
		f("/v1/ocr", `{"model":"`+model+`","document":{"type":"document_url","document_url":"data:application/pdf;base64,JVBERi0="},"pages":[0]}`, json,
			ut.JSON(200, `{"pages":[{"index":0,"markdown":"# Hi"}],"model":"m","usage_info":{"pages_processed":3,"doc_size_bytes":9}}`), at, 3*each, "# Hi")
		r := s.Post("/v1/ocr", `{"model":"`+model+`","document":{"type":"document_url","document_url":"https://example.com/a.pdf"}}`)
		if r.Status != 400 || !strings.Contains(r.Body, "must hold the document itself") {
			t.Errorf("%s: %d %s", model, r.Status, r.Body)
		}
	}
	read("azure-pages", "/providers/mistral/azure/ocr", 0.003)
	read("vertex-pages", "/v1/projects/p/locations/us-central1/publishers/mistralai/models/mistral-ocr-2505:rawPredict", 0.0005)
	// A vendor of several parts binds a copy of the deployment: its price is known all the same.
	f("/v1/chat/completions", `{"model":"claude","messages":[{"role":"user","content":"hi"}]}`, json,
		ut.JSON(200, `{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":2}}`),
		"/anthropic/v1/messages", 10*1e-6+2*5e-6, "Hi.")
}
