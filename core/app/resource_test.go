package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// stored is a configuration with a model m at one vendor, files at a second and OpenAI's API at a third.
func stored(model, files *ut.Vendor) string {
	return fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params: {model: openai/gpt-4o-mini, api_base: %s/v1, api_key: sk-model}
files_settings:
  - {custom_llm_provider: openai, api_base: %s/v1, api_key: sk-files, organization: org-f}
assistant_settings: {custom_llm_provider: groq}
general_settings: {master_key: sk-1234}
`, model.URL, files.URL)
}

func TestResources(t *testing.T) {
	t.Parallel()
	ok := ut.JSON(200, `{"id":"x","object":"thing"}`, "Openai-Version: 2020-10-01")
	model, files, usual, groq := ut.New(t, ok), ut.New(t, ok), ut.New(t, ok), ut.New(t, ok)
	s := apptest.Start(t, stored(model, files), apptest.Env(printRecords, "OPENAI_API_KEY=sk-usual", "OPENAI_BASE_URL="+usual.URL+"/v1",
		"GROQ_API_KEY=sk-groq", "GROQ_API_BASE="+groq.URL+"/openai/v1"))
	f := func(v *ut.Vendor, key, method, path, body, sent, sentBody, callType string, header ...string) {
		t.Helper()
		before := len(v.Requests())
		r := s.Do(method, path, body, header...)
		if r.Status != 200 || !strings.HasSuffix(r.Body, `","object":"thing"}`) || r.Header.Get("llm_provider-openai-version") != "2020-10-01" {
			t.Fatalf("%s %s: %d %s %v", method, path, r.Status, r.Body, r.Header)
		}
		got := v.Requests()
		if len(got) != before+1 {
			t.Fatalf("%s %s: not sent where it belongs", method, path)
		}
		last := got[before]
		if last.Method != method || last.Path != sent || last.Header.Get("Authorization") != "Bearer "+key || string(last.Body) != sentBody {
			t.Errorf("%s %s: sent %s %s with %v: %s", method, path, last.Method, last.Path, last.Header, last.Body)
		}
		if rec := lastRecord(t, s); rec["call_type"] != callType || rec["status"] != "success" {
			t.Errorf("%s %s: record %v %v", method, path, rec["call_type"], rec["status"])
		}
	}
	const get, post, del = "GET", "POST", "DELETE"
	f(files, "sk-files", get, "/v1/files?purpose=batch&limit=2", "", "/v1/files?purpose=batch&limit=2", "", "afile_list")
	f(files, "sk-files", get, "/files/file-1", "", "/v1/files/file-1", "", "afile_retrieve")
	f(files, "sk-files", del, "/openai/v1/files/file-1", "", "/v1/files/file-1", "", "afile_delete")
	f(files, "sk-files", get, "/v1/files/file-1/content?custom_llm_provider=openai", "", "/v1/files/file-1/content", "", "afile_content")
	f(groq, "sk-groq", get, "/groq/v1/files", "", "/openai/v1/files", "", "afile_list")
	f(groq, "sk-groq", get, "/v1/files?custom_llm_provider=groq&limit=1", "", "/openai/v1/files?limit=1", "", "afile_list")
	f(groq, "sk-groq", get, "/v1/batches", "", "/openai/v1/batches", "", "alist_batches", "custom-llm-provider: groq")
	f(files, "sk-files", post, "/v1/batches", `{"input_file_id":"f","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"a":"b"},"litellm_metadata":{"c":1}}`,
		"/v1/batches", `{"input_file_id":"f","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"a":"b"}}`, "acreate_batch")
	f(groq, "sk-groq", post, "/v1/batches/b/cancel", `{"custom_llm_provider":"groq"}`, "/openai/v1/batches/b/cancel", `{}`, "acancel_batch")
	f(model, "sk-model", get, "/v1/files?model=m&limit=1", "", "/v1/files?limit=1", "", "afile_list")
	f(model, "sk-model", get, "/v1/files/f", "", "/v1/files/f", "", "afile_retrieve", "x-litellm-model: m")
	f(usual, "sk-usual", post, "/v1/fine_tuning/jobs", `{"model":"gpt-4.1","training_file":"f"}`, "/v1/fine_tuning/jobs", `{"model":"gpt-4.1","training_file":"f"}`, "acreate_fine_tuning_job")
	f(model, "sk-model", post, "/v1/fine_tuning/jobs", `{"model":"m","training_file":"f"}`, "/v1/fine_tuning/jobs", `{"model":"gpt-4o-mini","training_file":"f"}`, "acreate_fine_tuning_job")
	f(usual, "sk-usual", get, "/v1/fine_tuning/jobs/j/events", "", "/v1/fine_tuning/jobs/j/events", "", "alist_fine_tuning_events")
	f(groq, "sk-groq", post, "/v1/assistants", `{"model":"gpt-4.1"}`, "/openai/v1/assistants", `{"model":"gpt-4.1"}`, "acreate_assistants")
	f(groq, "sk-groq", get, "/threads/t/messages", "", "/openai/v1/threads/t/messages", "", "aget_messages")
	f(usual, "sk-usual", post, "/v1/vector_stores/vs/search", `{"query":"q"}`, "/v1/vector_stores/vs/search", `{"query":"q"}`, "avector_store_search")
	f(usual, "sk-usual", get, "/v1/containers/c/files/f/content", "", "/v1/containers/c/files/f/content", "", "aretrieve_container_file_content")
	f(usual, "sk-usual", get, "/v1/videos/v", "", "/v1/videos/v", "", "avideo_retrieve")

	last := func(v *ut.Vendor) ut.Request { all := v.Requests(); return all[len(all)-1] }
	if h := last(groq).Header.Get("OpenAI-Beta"); h != "assistants=v2" {
		t.Errorf("OpenAI-Beta: %q", h)
	}
	if h := last(files).Header.Get("OpenAI-Organization"); h != "org-f" {
		t.Errorf("OpenAI-Organization: %q", h)
	}
}

func TestFileUpload(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"file-1"}`))
	s := apptest.Start(t, stored(v, v))
	body, contentType := formOf(t, []byte("{\"custom_id\":\"a\"}\n"), "purpose=batch", "custom_llm_provider=openai", "expires_after[anchor]=created_at")
	if r := s.Post("/v1/files", body, contentType); r.Status != 200 || r.Body != `{"id":"file-1"}` {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if got := fieldsOf(t, v.Requests()[0]); got != "purpose=batch filespeech.wav={\"custom_id\":\"a\"}\n expires_after[anchor]=created_at" {
		t.Fatalf("sent %s", got)
	}
	if r := s.Post("/v1/files", body[:len(body)-9], contentType); r.Status != 400 || !strings.Contains(r.Body, "multipart/form-data") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// Runs are streamed with named events; files are bytes of any kind.
func TestResourceStreams(t *testing.T) {
	t.Parallel()
	events := "event: thread.run.created\ndata: {\"id\":\"run_1\"}\n\nevent: thread.run.completed\ndata: {\"id\":\"run_1\",\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\nevent: done\ndata: [DONE]\n\n"
	v := ut.New(t, ut.SSERaw(events), ut.Whole(200, "application/octet-stream", "\x00\xff\n"))
	s := apptest.Start(t, stored(v, v), apptest.Env(printRecords, "GROQ_API_KEY=k", "GROQ_API_BASE="+v.URL+"/v1"))
	r := s.Post("/v1/threads/t/runs", `{"assistant_id":"a","stream":true}`)
	if r.Status != 200 || r.Body != events || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %q %v", r.Status, r.Body, r.Header)
	}
	if rec := lastRecord(t, s); rec["call_type"] != "arun_thread" || rec["prompt_tokens"] != 7.0 || rec["stream"] != true {
		t.Fatalf("record %v", rec)
	}
	if r := s.Get("/v1/files/f/content"); r.Status != 200 || r.Body != "\x00\xff\n" || r.Header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("%d %q %v", r.Status, r.Body, r.Header)
	}
}

func TestResourceErrors(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(404, `{"error":{"message":"No such File object: file-9","type":"invalid_request_error","param":"id","code":null}}`))
	s := apptest.Start(t, stored(v, v))
	f := func(method, path, body string, status int, want string, header ...string) {
		t.Helper()
		r := s.Do(method, path, body, header...)
		if r.Status != status || !strings.Contains(r.Body, want) {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, r.Status, r.Body, status, want)
		}
	}
	f("GET", "/v1/files/file-9", "", 404, "No such File object: file-9")
	f("GET", "/v1/files", "", 401, "", "Authorization:")
	f("GET", "/v1/files", "", 400, `custom_llm_provider \"nobody\" is not a vendor`, "custom-llm-provider: nobody")
	f("GET", "/v1/files?model=nobody", "", 400, "Invalid model name")
	f("GET", "/v1/assistants", "", 401, "there is no API key for groq")
	f("POST", "/v1/batches", `{"a":`, 400, "Invalid JSON payload")
	f("PUT", "/v1/files", "", 405, "Method Not Allowed")
	f("GET", "/v1/files/%2e%2e/models", "", 400, "percent-encoding")
	if n := len(v.Requests()); n != 1 {
		t.Errorf("%d requests reached the vendor", n)
	}
}

// What was stored at the deployments of a model group has an id that leads back there.
func TestModelIDs(t *testing.T) {
	t.Parallel()
	model, files := ut.New(t), ut.New(t)
	s := apptest.Start(t, stored(model, files))
	f := func(method, path, body string, answer, sent, sentBody string) string {
		t.Helper()
		model.Script(ut.JSON(200, answer))
		r := s.Do(method, path, body)
		last := model.Last()
		if r.Status != 200 || last.Path != sent || string(last.Body) != sentBody {
			t.Fatalf("%s %s: %d %s, sent %s %s", method, path, r.Status, r.Body, last.Path, last.Body)
		}
		return r.Body
	}
	body, contentType := formOf(t, []byte("{}"), "purpose=batch", "model=m")
	model.Script(ut.JSON(200, `{"id":"file-abc123","object":"file"}`))
	r := s.Post("/v1/files", body, contentType)
	const id = "file-bGl0ZWxsbTpmaWxlLWFiYzEyMzttb2RlbCxt"
	if r.Body != `{"id":"`+id+`","object":"file"}` || strings.Contains(string(model.Last().Body), `name="model"`) {
		t.Fatalf("%d %s, sent %s", r.Status, r.Body, model.Last().Body)
	}
	f("GET", "/v1/files/"+id, "", `{"id":"file-abc123"}`, "/v1/files/file-abc123", "")
	if got := f("GET", "/v1/files/"+id+"/content", "", `{"id":"file-abc123"}`, "/v1/files/file-abc123/content", ""); got != `{"id":"file-abc123"}` {
		t.Errorf("content was changed: %s", got)
	}
	got := f("POST", "/v1/batches", `{"input_file_id":"`+id+`","endpoint":"/v1/chat/completions"}`, `{"id":"batch_1","input_file_id":"file-abc123","output_file_id":null}`,
		"/v1/batches", `{"input_file_id":"file-abc123","endpoint":"/v1/chat/completions"}`)
	if want := `{"id":"batch_bGl0ZWxsbTpiYXRjaF8xO21vZGVsLG0","input_file_id":"` + id + `","output_file_id":null}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f("POST", "/v1/batches/batch_bGl0ZWxsbTpiYXRjaF8xO21vZGVsLG0/cancel", "", `{"id":"batch_1"}`, "/v1/batches/batch_1/cancel", "")
	if len(files.Requests()) != 0 {
		t.Error("a request went elsewhere")
	}
}
