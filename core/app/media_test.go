package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// formOf writes a form with fields "name=value" and one file, and returns it with its content type.
func formOf(t *testing.T, file []byte, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i, f := range fields {
		if i == 1 && file != nil { // somewhere in the middle
			p, err := w.CreateFormFile("file", "speech.wav")
			if err != nil {
				t.Fatal(err)
			}
			p.Write(file)
		}
		name, value, _ := strings.Cut(f, "=")
		w.WriteField(name, value)
	}
	w.Close()
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

// fieldsOf reads a form that a vendor got: "name=value" for each part, in order.
func fieldsOf(t *testing.T, r ut.Request) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("content type %q: %v", r.Header.Get("Content-Type"), err)
	}
	m := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"])
	var out []string
	for {
		p, err := m.NextPart()
		if err != nil {
			return strings.Join(out, " ")
		}
		var b bytes.Buffer
		b.ReadFrom(p)
		value := b.String()
		if len(value) > 64 {
			value = fmt.Sprint(len(value))
		}
		out = append(out, p.FormName()+p.FileName()+"="+value)
	}
}

// lastRecord is the last record that was printed.
func lastRecord(t *testing.T, s *apptest.Server) map[string]any {
	t.Helper()
	for s.Reload(); s.Out.String() == ""; s.Reload() {
		if t.Context().Err() != nil {
			t.Fatal("there is no record")
		}
	}
	lines := strings.Split(strings.TrimSpace(s.Out.String()), "\n")
	var rec map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rec); err != nil {
		t.Fatalf("%v in %q", err, lines[len(lines)-1])
	}
	return rec
}

const printRecords = "LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD=true"

func TestTranscription(t *testing.T) {
	t.Parallel()
	v := ut.New(t,
		ut.JSON(200, `{"text":"hello","usage":{"type":"duration","seconds":4}}`),
		ut.Whole(200, "text/plain; charset=utf-8", "1\n00:00:00,000 --> 00:00:04,000\nhello\n"),
		ut.SSE(`{"type":"transcript.text.delta","delta":"he"}`, `{"type":"transcript.text.done","text":"hello","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"audio_tokens":14},"output_tokens":3,"total_tokens":17}}`),
	)
	s := apptest.Start(t, one(v, "temperature: 0.2"), apptest.Env(printRecords))
	file := bytes.Repeat([]byte("RIFF\x00\xff\r\n--"), 20_000)
	body, contentType := formOf(t, file, "model=m", "response_format=json", "timestamp_granularities[]=word", "timestamp_granularities[]=segment", "num_retries=0", "user=u1")
	r := s.Post("/v1/audio/transcriptions", body, contentType)
	if r.Status != 200 || r.Body != `{"text":"hello","usage":{"type":"duration","seconds":4}}` || r.Header.Get("x-litellm-model-id") == "" {
		t.Fatalf("%d %s %v", r.Status, r.Body, r.Header)
	}
	got := v.Requests()[0]
	want := "model=gpt-4o-mini filespeech.wav=200000 response_format=json timestamp_granularities[]=word timestamp_granularities[]=segment user=u1 temperature=0.2"
	if fields := fieldsOf(t, got); fields != want || got.Path != "/v1/audio/transcriptions" || !bytes.Contains(got.Body, file) {
		t.Fatalf("sent %s\nwant %s", fields, want)
	}
	if rec := lastRecord(t, s); rec["call_type"] != "atranscription" || rec["end_user"] != "u1" || rec["status"] != "success" {
		t.Fatalf("record %v", rec)
	}
	body, contentType = formOf(t, file, "model=m", "response_format=srt")
	r = s.Post("/audio/translations", body, contentType)
	if r.Status != 200 || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasSuffix(r.Body, "hello\n") || v.Requests()[1].Path != "/v1/audio/translations" {
		t.Fatalf("%d %q %v", r.Status, r.Body, r.Header)
	}
	body, contentType = formOf(t, file, "model=m", "stream=true")
	r = s.Post("/openai/deployments/m/audio/transcriptions", body, contentType)
	if r.Status != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") || len(apptest.Events(r.Body)) != 2 {
		t.Fatalf("%d %q %v", r.Status, r.Body, r.Header)
	}
	if rec := lastRecord(t, s); rec["prompt_tokens"] != 14.0 || rec["completion_tokens"] != 3.0 {
		t.Fatalf("record %v", rec)
	}
}

func TestBadForms(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"text":""}`))
	s := apptest.Start(t, strings.Replace(one(v), "sk-1234}", "sk-1234, max_request_size_mb: 1}", 1))
	f := func(body, contentType string, status int, want string) {
		t.Helper()
		r := s.Post("/v1/audio/transcriptions", body, contentType)
		if r.Status != status || !strings.Contains(r.Body, want) || !strings.Contains(r.Body, `"error"`) {
			t.Errorf("%q: %d %s, want %d %s", body[:min(len(body), 80)], r.Status, r.Body, status, want)
		}
	}
	good, contentType := formOf(t, []byte("x"), "model=m", "language=en")
	f(`{"model":"m"}`, "Content-Type: application/json", 400, "multipart/form-data")
	f(good[:len(good)-20], contentType, 400, "ends in the middle of part 3")
	f(good, "Content-Type: multipart/form-data", 400, "names no boundary")
	f(good, "Content-Type: multipart/form-data; boundary=other", 400, "does not begin with its boundary")
	f("", contentType, 400, "does not begin with its boundary")
	f(strings.Replace(good, "language", "model", 1), contentType, 400, "`model` appears twice")
	f(strings.Replace(good, "language", "num_retries", 1), contentType, 400, "num_retries")
	f(good+strings.Repeat("x", 2<<20), contentType, 400, "Request size is too large")
	noModel, contentType := formOf(t, []byte("x"), "language=en", "prompt=p")
	f(noModel, contentType, 400, "Invalid model name passed in model=None")
	if len(v.Requests()) != 0 {
		t.Error("a bad form reached the vendor")
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, strings.Replace(one(v), "sk-1234}", "sk-1234, image_generation_model: m, moderation_model: m}", 1), apptest.Env(printRecords))
	f := func(path, body string, answer ut.Answer, sent, got, callType string) {
		t.Helper()
		v.Script(answer)
		r := s.Post(path, body)
		reqs := v.Requests()
		last := reqs[len(reqs)-1]
		if r.Status != 200 || r.Body != got || last.Path != sent {
			t.Errorf("%s: %d %q, sent to %s; want %q", path, r.Status, r.Body, last.Path, got)
		}
		if !strings.Contains(string(last.Body), `"gpt-4o-mini"`) {
			t.Errorf("%s: sent %s", path, last.Body)
		}
		if rec := lastRecord(t, s); rec["call_type"] != callType {
			t.Errorf("%s: call type %v", path, rec["call_type"])
		}
	}
	f("/v1/moderations", `{"input":"x"}`, ut.JSON(200, `{"id":"modr-1","model":"omni","results":[{"flagged":false}]}`),
		"/v1/moderations", `{"id":"modr-1","model":"m","results":[{"flagged":false}]}`, "amoderation")
	f("/v1/images/generations", `{"model":"other","prompt":"a cat"}`, ut.JSON(200, `{"created":1,"data":[{"b64_json":"aGk="}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}`),
		"/v1/images/generations", `{"created":1,"data":[{"b64_json":"aGk="}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}`, "aimage_generation")
	f("/images/edits", `{"model":"m","prompt":"a cat","images":["https://a/b.png"]}`, ut.JSON(200, `{"created":1,"data":[]}`),
		"/v1/images/edits", `{"created":1,"data":[]}`, "aimage_edit")
	f("/v1/audio/speech", `{"model":"m","input":"h\u00e9llo","voice":"alloy"}`, ut.Whole(200, "audio/mpeg", "ID3\x00\xff\xfe"),
		"/v1/audio/speech", "ID3\x00\xff\xfe", "aspeech")

	v.Script(ut.JSON(200, `{}`))
	if r := s.Post("/v1/moderations", `{"model":"other","input":"x"}`); r.Status != 400 {
		t.Errorf("moderation_model must not replace a model that was named: %d", r.Status)
	}
	if r := s.Post("/v1/rerank", `{"model":"m","query":"q","documents":["d"]}`); r.Status != 400 || !strings.Contains(r.Body, "openai does not offer rerank") {
		t.Errorf("rerank: %d %s", r.Status, r.Body)
	}
}

// What a vendor says is wrong, or sends by mistake, is an error of its kind on these routes too.
func TestMediaErrors(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, one(v, "num_retries: 0"))
	f := func(path, body string, answer ut.Answer, status int, want string) {
		t.Helper()
		v.Script(answer)
		r := s.Post(path, body)
		if r.Status != status || !strings.Contains(r.Body, want) {
			t.Errorf("%s: %d %s, want %d %s", path, r.Status, r.Body, status, want)
		}
	}
	const image, speech = "/v1/images/generations", "/v1/audio/speech"
	const ask, say = `{"model":"m","prompt":"x"}`, `{"model":"m","input":"x","voice":"v"}`
	f(image, ask, ut.JSON(400, `{"error":{"message":"Your request was rejected as a result of our safety system.","type":"image_generation_user_error","param":null,"code":"moderation_blocked"}}`), 400, "ContentPolicyViolationError")
	f(image, ask, ut.JSON(429, `{"error":{"message":"slow down","type":"rate_limit_error"}}`, "Retry-After: 7"), 429, "slow down")
	f(image, ask, ut.JSON(200, `{"error":{"message":"no such size","type":"invalid_request_error"}}`), 400, "no such size")
	f(image, ask, ut.JSON(200, ``), 502, "not a JSON object")
	f(image, ask, ut.Whole(200, "text/html", `<html>`), 502, "not a JSON object")
	f(image, ask, ut.Whole(500, "text/html", `<html>`), 500, "HTML page")
	f(speech, say, ut.JSON(401, `{"error":{"message":"Incorrect API key provided: sk-upstream","code":"invalid_api_key"}}`), 401, "Incorrect API key")
	f(speech, say, ut.JSON(200, `{"error":{"message":"voice unknown","type":"invalid_request_error"}}`), 400, "voice unknown")
	f(speech, say, ut.JSON(503, ``), 503, "no message")
}

func TestRerank(t *testing.T) {
	t.Parallel()
	answer := `{"id":"r","model":"bge","usage":{"total_tokens":56},"results":[{"index":1,"relevance_score":0.9}]}`
	v := ut.New(t, ut.JSON(200, answer))
	s := apptest.Start(t, strings.Replace(one(v), "openai/gpt-4o-mini", "hosted_vllm/bge", 1), apptest.Env(printRecords))
	for _, path := range []string{"/rerank", "/v1/rerank", "/v2/rerank"} {
		r := s.Post(path, `{"model":"m","query":"q","documents":["a","b"],"top_n":1}`)
		if r.Status != 200 || r.Body != strings.Replace(answer, "bge", "m", 1) {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	if got := v.Requests()[2]; got.Path != "/v1/rerank" || string(got.Body) != `{"model":"bge","query":"q","documents":["a","b"],"top_n":1}` {
		t.Fatalf("sent %s %s", got.Path, got.Body)
	}
	if rec := lastRecord(t, s); rec["call_type"] != "arerank" || rec["total_tokens"] != 56.0 {
		t.Fatalf("record %v", rec)
	}
}

// A health check makes a call of the kind that the deployment is for.
func TestHealthModes(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	f := func(mode, sent string, answer ut.Answer) {
		t.Helper()
		v.Script(answer)
		s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params: {model: custom_openai/x, api_base: %s/v1}
    model_info: {mode: %s}
general_settings: {master_key: sk-1234}
`, v.URL, mode))
		if r := s.Get("/health"); r.Status != 200 || !strings.Contains(r.Body, `"healthy_count":1`) || v.Last().Path != sent {
			t.Errorf("%s: %d %s, sent to %s", mode, r.Status, r.Body, v.Last().Path)
		}
	}
	f("image_generation", "/v1/images/generations", ut.JSON(200, `{"data":[]}`))
	f("audio_speech", "/v1/audio/speech", ut.Whole(200, "audio/mpeg", "ID3"))
	f("rerank", "/v1/rerank", ut.JSON(200, `{"results":[]}`))
	f("moderation", "/v1/moderations", ut.JSON(200, `{"results":[]}`))
}

// max_file_size_mb refuses audio before it is sent anywhere.
func TestMaxFileSize(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"text":"hi"}`))
	s := apptest.Start(t, one(v, "max_file_size_mb: 0.001"))
	f := func(path string, size, status int, want string) {
		t.Helper()
		form := "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n" +
			strings.Repeat("x", size) + "\r\n--b--\r\n"
		wantStatus(t, s.Post(path, form, "Content-Type: multipart/form-data; boundary=b"), status, want)
	}
	f("/v1/audio/transcriptions", 1000, 200, "hi")
	f("/v1/audio/transcriptions", 2000, 400, "File size is too large. Please check your file size. Passed file size: 0.001907 MB. Max file size: 0.001 MB")
	f("/v1/audio/translations", 2000, 400, "File size is too large")
	if n := len(v.Requests()); n != 1 {
		t.Errorf("the vendor got %d requests", n)
	}
}
