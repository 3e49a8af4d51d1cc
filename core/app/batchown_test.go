package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// anthropicVendor runs message batches: one succeeds, one is refused, one expires. The shapes are those of
// https://docs.anthropic.com/en/api/retrieving-message-batch-results.
func anthropicVendor(t *testing.T, ended *atomic.Bool) *ut.Vendor {
	t.Helper()
	batch := func(status, more string) ut.Answer {
		return ut.JSON(200, `{"id":"msgbatch_1","type":"message_batch","processing_status":"`+status+`","request_counts":`+more+
			`,"created_at":"2024-09-24T18:37:24.100435Z","expires_at":"2024-09-25T18:37:24.100435Z","results_url":null}`)
	}
	return ut.New(t, func(c *ut.Conn) {
		switch q := c.Request; {
		case strings.HasSuffix(q.Path, "/results"):
			ut.Whole(200, "application/x-jsonl", `{"custom_id":"b","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5",`+
				`"content":[{"type":"tool_use","id":"toolu_1","name":"json_tool_call","input":{"city":"Rome"}}],"stop_reason":"tool_use","usage":{"input_tokens":100,"output_tokens":10}}}}`+"\n"+
				`{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens is too large"}}}}`+"\n"+
				`{"custom_id":"c","result":{"type":"expired"}}`+"\n"+
				`{"custom_id":"d","result":{"type":"succeeded","message":{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5",`+
				`"content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":50,"output_tokens":20}}}}`+"\n")(c)
		case strings.HasSuffix(q.Path, "/cancel"):
			batch("canceling", `{"processing":4}`)(c)
		case strings.Contains(q.Path, "limit="):
			ut.JSON(200, `{"data":[{"id":"msgbatch_1","processing_status":"in_progress","request_counts":{"processing":4}}],"has_more":false}`)(c)
		case ended.Load():
			batch("ended", `{"processing":0,"succeeded":2,"errored":1,"expired":1}`)(c)
		default:
			batch("in_progress", `{"processing":4}`)(c)
		}
	})
}

const batchLines = `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"any","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],"max_tokens":5}}
{"custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{"model":"any","messages":[{"role":"user","content":"where"}]}}
{"custom_id":"c","method":"POST","url":"/v1/chat/completions","body":{"model":"any","messages":[{"role":"user","content":"late"}]}}
{"custom_id":"d","method":"POST","url":"/v1/chat/completions","body":{"model":"any","messages":[{"role":"user","content":"hello"}]}}
`

// ownBatch is a gateway with one model of a vendor, and a key of ann's.
func ownBatch(t *testing.T, params string, env ...string) (desk, string) {
	t.Helper()
	yaml := fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {%s, input_cost_per_token: 0.01, output_cost_per_token: 0.1}}
general_settings: {master_key: sk-1234, proxy_batch_polling_interval: 0.2, proxy_batch_write_at: 1}
router_settings: {num_retries: 0}
`, params)
	d := desk{t, apptest.Start(t, yaml, apptest.Env(append(env, "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"))...))}
	return d, d.userKey(`{"user_id":"ann"}`)
}

func (d desk) uploadBatch(key, lines string, fields ...string) *apptest.Response {
	d.Helper()
	body, contentType := formOf(d.T, []byte(lines), append([]string{"purpose=batch"}, fields...)...)
	return d.Post("/v1/files", body, contentType, as(key))
}

func beginBatch(file string) string {
	return `{"input_file_id":"` + file + `","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"job":"nightly"}}`
}

const embedLines = `{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"any","input":"hi","dimensions":2}}
{"custom_id":"b","method":"POST","url":"/v1/embeddings","body":{"model":"any","input":"there"}}
`

func beginEmbeddings(file string) string {
	return strings.Replace(beginBatch(file), "/v1/chat/completions", "/v1/embeddings", 1)
}

// outputs reads an output file: what became of each request.
func (d desk) outputs(r *apptest.Response) map[string]string {
	d.Helper()
	out := map[string]string{}
	for line := range strings.Lines(r.Body) {
		var l struct {
			ID       string          `json:"custom_id"`
			Response json.RawMessage `json:"response"`
			Error    json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			d.Fatalf("%s: %v", line, err)
		}
		out[l.ID] = string(l.Response) + string(l.Error)
	}
	return out
}

// A batch of OpenAI's lines is one of Anthropic's messages, and what comes of it are OpenAI's lines again. It is paid for
// once, whatever the file was called.
func TestAnthropicBatches(t *testing.T) {
	t.Parallel()
	f := func(name string, fields ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ended atomic.Bool
			v := anthropicVendor(t, &ended)
			d, ann := ownBatch(t, `model: anthropic/claude-sonnet-4-5, api_base: "`+v.URL+`", api_key: sk-ant`)
			bob := d.userKey(`{"user_id":"bob"}`)
			made := d.uploadBatch(ann, batchLines, fields...)
			d.want(made, 200, `"status":"processed"`)
			file := member(t, made, "id")
			d.want(d.Get("/v1/files/"+file, as(ann)), 200, `"purpose":"batch"`)
			d.want(d.Get("/v1/files/"+file+"/content", as(ann)), 200, `"custom_id":"d"`)
			if n := len(v.Requests()); n != 0 {
				t.Errorf("%d requests before there is a batch", n)
			}
			d.want(d.Post("/v1/batches", beginBatch(file), as(bob)), 403, "access")
			began := d.Post("/v1/batches", beginBatch(file), as(ann))
			d.want(began, 200, `"status":"in_progress"`)
			d.want(began, 200, `"input_file_id":"`+file+`"`)
			d.want(began, 200, `"metadata":{"job":"nightly"}`)
			sent := v.Requests()[0]
			if sent.Path != "/v1/messages/batches" || sent.Header.Get("x-api-key") != "sk-ant" || sent.Header.Get("anthropic-version") != "2023-06-01" {
				t.Errorf("sent %s %v", sent.Path, sent.Header)
			}
			var asked struct {
				Requests []struct {
					ID     string `json:"custom_id"`
					Params struct {
						Model    string
						System   json.RawMessage
						Max      int `json:"max_tokens"`
						Stream   *bool
						Messages []struct{ Role string }
					}
				}
			}
			if err := json.Unmarshal(sent.Body, &asked); err != nil || len(asked.Requests) != 4 {
				t.Fatalf("%v: %s", err, sent.Body)
			}
			if a := asked.Requests[0]; a.ID != "a" || a.Params.Model != "claude-sonnet-4-5" || a.Params.Max != 5 || !strings.Contains(string(a.Params.System), "Be brief.") || len(a.Params.Messages) != 1 || a.Params.Stream != nil {
				t.Errorf("%+v", a)
			}
			batch := member(t, began, "id")
			d.want(d.Get("/v1/batches/"+batch, as(bob)), 403, "access")
			d.want(d.Post("/v1/batches/"+batch+"/cancel", "", as(ann)), 200, `"status":`)
			d.want(d.Do("DELETE", "/v1/files/"+file, "", as(ann)), 400, "Cannot delete file")

			ended.Store(true)
			done := d.Get("/v1/batches/"+batch, as(ann))
			d.want(done, 200, `"status":"completed"`)
			d.want(done, 200, `"request_counts":{"total":4,"completed":2,"failed":2}`)
			good, bad := member(t, done, "output_file_id"), member(t, done, "error_file_id")
			d.want(d.Get("/v1/files/"+good+"/content", as(bob)), 403, "access")
			answers := d.outputs(d.Get("/v1/files/"+good+"/content", as(ann)))
			if len(answers) != 2 || !strings.Contains(answers["d"], `"content":"hello"`) || !strings.Contains(answers["d"], `"prompt_tokens":50`) || !strings.Contains(answers["b"], "toolu_1") {
				t.Errorf("%v", answers)
			}
			failures := d.outputs(d.Get("/v1/files/"+bad+"/content", as(ann)))
			if len(failures) != 2 || !strings.Contains(failures["a"], `"status_code":400`) || !strings.Contains(failures["a"], "max_tokens is too large") || !strings.Contains(failures["c"], "batch_expired") {
				t.Errorf("%v", failures)
			}
			d.spends(ann, (150*0.01+30*0.1)/2)
			d.want(d.Do("DELETE", "/v1/files/"+file, "", as(ann)), 200, `"deleted":true`)
			d.want(d.Get("/v1/files/"+file, as(ann)), 404, "")
			d.spends(ann, (150*0.01+30*0.1)/2)
		})
	}
	f("of several deployments", "target_model_names=m")
	f("of a model group", "model=m")
}

// What cannot become a batch is refused by name.
func TestOwnBatchErrors(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	v := anthropicVendor(t, &ended)
	d, ann := ownBatch(t, `model: anthropic/claude-sonnet-4-5, api_base: "`+v.URL+`", api_key: sk-ant`)
	f := func(lines, want string) {
		t.Helper()
		r := d.uploadBatch(ann, lines, "model=m")
		if r.Status == 200 {
			r = d.Post("/v1/batches", beginBatch(member(t, r, "id")), as(ann))
		}
		d.want(r, 400, want)
	}
	f("nonsense", "Line 1 of the file is no JSON object")
	f(`{"body":{}}`, "Line 1 of the file has no custom_id")
	f(`{"custom_id":"a"}`, "Line 1 of the file has no body")
	f("{\"custom_id\":\"a\",\"body\":{}}\n\n{\"custom_id\":\"a\",\"body\":{}}", "Line 3 of the file has the custom_id")
	f(`{"custom_id":"a","url":"/v1/embeddings","body":{}}`, "batches at anthropic are of /v1/chat/completions only")
	f("\n", "holds no requests")
	f("\xff", "no text in UTF-8")
	f(`{"custom_id":"with space","body":{"messages":[{"role":"user","content":"hi"}]}}`, "is none for Anthropic")
	f(`{"custom_id":"a","body":{"messages":[{"role":"user","content":"hi"}],"stream":true}}`, "a batch has no streams")
	f(`{"custom_id":"a","body":{"messages":[{"role":"user","content":"hi"}],"logit_bias":{"1":1}}}`, "logit_bias")
	body, contentType := formOf(t, []byte("{}"), "purpose=assistants", "model=m")
	d.want(d.Post("/v1/files", body, contentType, as(ann)), 400, "set purpose to batch")
	d.want(d.Get("/v1/files/file-none?model=m", as(ann)), 404, "No such File object")
	d.want(d.Post("/v1/batches?model=m", beginBatch("file-none"), as(ann)), 404, "No such File object")
	d.want(d.Post("/v1/batches", `{"input_file_id":"x","endpoint":"/v1/embeddings","model":"m"}`, as(ann)), 400, "of /v1/chat/completions only")
	d.want(d.Get("/v1/batches?model=m", as("sk-1234")), 200, `"data":[{"id":"`)
	d.want(d.Get("/v1/batches?model=m", as(ann)), 200, `"data":[]`)
	if n := len(v.Requests()); n > 2 {
		t.Errorf("%d requests reached the vendor", n)
	}
	v.Script(ut.JSON(429, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`))
	file := member(t, d.uploadBatch(ann, batchLines, "model=m"), "id")
	d.want(d.Post("/v1/batches", beginBatch(file), as(ann)), 429, "slow down")
}

// Gemini answers a batch in line.
func TestGeminiBatches(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	v := ut.New(t, func(c *ut.Conn) {
		const done = `{"name":"batches/b1","metadata":{"@type":"x","model":"models/gemini-2.5-flash","state":"BATCH_STATE_SUCCEEDED","createTime":"2025-07-01T10:00:00Z","endTime":"2025-07-01T11:00:00Z",` +
			`"batchStats":{"requestCount":"4","successfulRequestCount":"1","failedRequestCount":"3"}},"done":true,"response":{"@type":"x","inlinedResponses":{"inlinedResponses":[` +
			`{"metadata":{"key":"d"},"response":{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":150,"candidatesTokenCount":30,"totalTokenCount":180},"modelVersion":"gemini-2.5-flash"}},` +
			`{"metadata":{"key":"b"},"response":{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":0,"totalTokenCount":0}}},` +
			`{"metadata":{"key":"a"},"error":{"code":3,"message":"bad request","status":"INVALID_ARGUMENT"}}]}}}`
		switch q := c.Request; {
		case strings.HasSuffix(q.Path, ":cancel"):
			ut.JSON(200, `{}`)(c)
		case strings.Contains(q.Path, "pageSize="):
			ut.JSON(200, `{"operations":[`+done+`]}`)(c)
		case ended.Load():
			ut.JSON(200, done)(c)
		default:
			ut.JSON(200, `{"name":"batches/b1","metadata":{"state":"BATCH_STATE_PENDING","createTime":"2025-07-01T10:00:00Z","batchStats":{"requestCount":"4","pendingRequestCount":"4"}}}`)(c)
		}
	})
	d, ann := ownBatch(t, `model: gemini/gemini-2.5-flash, api_base: "`+v.URL+`/v1beta", api_key: g-key`)
	file := member(t, d.uploadBatch(ann, batchLines, "target_model_names=m"), "id")
	began := d.Post("/v1/batches", beginBatch(file), as(ann))
	d.want(began, 200, `"status":"validating"`)
	sent := v.Requests()[0]
	if sent.Path != "/v1beta/models/gemini-2.5-flash:batchGenerateContent" || sent.Header.Get("x-goog-api-key") != "g-key" {
		t.Errorf("sent to %s %v", sent.Path, sent.Header)
	}
	for _, want := range []string{`{"batch":{"displayName":"`, `"inputConfig":{"requests":{"requests":[{"request":{`, `"metadata":{"key":"a"}`, `"systemInstruction"`} {
		if !strings.Contains(string(sent.Body), want) {
			t.Errorf("%s is not in %s", want, sent.Body)
		}
	}
	batch := member(t, began, "id")
	d.want(d.Post("/v1/batches/"+batch+"/cancel", "", as(ann)), 200, `"id":"`+batch+`"`)
	ended.Store(true)
	done := d.Get("/v1/batches/"+batch, as(ann))
	d.want(done, 200, `"completed_at":1751367600`)
	answers := d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
	if len(answers) != 2 || !strings.Contains(answers["d"], `"content":"hello"`) || !strings.Contains(answers["b"], "SAFETY") {
		t.Errorf("%v", answers)
	}
	failures := d.outputs(d.Get("/v1/files/"+member(t, done, "error_file_id")+"/content", as(ann)))
	if len(failures) != 2 || !strings.Contains(failures["c"], "batch_failed") || !strings.Contains(failures["a"], `"status_code":400`) || !strings.Contains(failures["a"], "bad request") {
		t.Errorf("%v", failures)
	}
	d.spends(ann, (150*0.01+30*0.1)/2)
	d.want(d.Get("/v1/batches?model=m&after=none", as("sk-1234")), 200, `"data":[]`)
}

// Mistral makes a job of an uploaded file.
func TestMistralBatches(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	v := ut.New(t, func(c *ut.Conn) {
		job := func(status, more string) ut.Answer {
			return ut.JSON(200, `{"id":"5c8d","object":"batch","status":"`+status+`","created_at":1,"total_requests":4`+more+`}`)
		}
		switch q := c.Request; {
		case q.Method == "POST" && q.Path == "/v1/files":
			ut.JSON(200, `{"id":"f1","object":"file"}`)(c)
		case q.Path == "/v1/files/o1/content":
			ut.Whole(200, "application/octet-stream", `{"id":"x","custom_id":"d","response":{"status_code":200,"body":{"id":"1","object":"chat.completion","model":"mistral-small-latest","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":150,"completion_tokens":30,"total_tokens":180}}},"error":null}`+"\n")(c)
		case q.Path == "/v1/files/e1/content":
			ut.Whole(200, "application/octet-stream", `{"custom_id":"a","response":{"status_code":422,"body":{"object":"error","message":"no","type":"invalid_request_error"}},"error":null}`+"\n")(c)
		case strings.Contains(q.Path, "page="):
			ut.JSON(200, `{"data":[],"total":0}`)(c)
		case ended.Load():
			job("SUCCESS", `,"succeeded_requests":1,"failed_requests":3,"completed_at":9,"output_file":"o1","error_file":"e1"`)(c)
		default:
			job("QUEUED", "")(c)
		}
	})
	d, ann := ownBatch(t, `model: mistral/mistral-small-latest, api_base: "`+v.URL+`/v1", api_key: k`, "MISTRAL_API_KEY=k", "MISTRAL_API_BASE="+v.URL+"/v1")
	file := member(t, d.uploadBatch(ann, batchLines, "target_model_names=m"), "id")
	began := d.Post("/v1/batches", beginBatch(file), as(ann))
	d.want(began, 200, `"status":"validating"`)
	up, job := v.Requests()[0], v.Requests()[1]
	if len(up.Header.Values("Content-Type")) != 1 || !strings.HasPrefix(up.Header.Get("Content-Type"), "multipart/form-data; boundary=") || strings.Count(string(up.Body), `"custom_id"`) != 4 {
		t.Errorf("uploaded %v %s", up.Header, up.Body)
	}
	if job.Path != "/v1/batch/jobs" || string(job.Body) != `{"input_files":["f1"],"model":"mistral-small-latest","endpoint":"/v1/chat/completions"}` {
		t.Errorf("job %s %s", job.Path, job.Body)
	}
	ended.Store(true)
	done := d.Get("/v1/batches/"+member(t, began, "id"), as(ann))
	answers := d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
	failures := d.outputs(d.Get("/v1/files/"+member(t, done, "error_file_id")+"/content", as(ann)))
	if !strings.Contains(answers["d"], `"content":"hello"`) || !strings.Contains(failures["a"], `"status_code":422`) {
		t.Errorf("%v %v", answers, failures)
	}
	d.spends(ann, (150*0.01+30*0.1)/2)
	d.want(d.Post("/v1/batches?custom_llm_provider=mistral", beginBatch("f1"), as(ann)), 400, "name a model group of mistral")
	// Files for other purposes are Mistral's own.
	body, contentType := formOf(t, []byte("x"), "purpose=ocr", "model=m")
	d.want(d.Post("/v1/files", body, contentType, as(ann)), 200, `"object":"file"`)
}

// Batches of embeddings where the vendor has them.
func TestBatchesOfEmbeddings(t *testing.T) {
	t.Parallel()
	begin := func(d desk, ann, lines string) *apptest.Response {
		return d.Post("/v1/batches", beginEmbeddings(member(t, d.uploadBatch(ann, lines, "model=m"), "id")), as(ann))
	}
	read := func(d desk, ann string, began *apptest.Response) map[string]string {
		done := d.Get("/v1/batches/"+member(t, began, "id"), as(ann))
		return d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
	}
	t.Run("gemini", func(t *testing.T) {
		t.Parallel()
		v := ut.New(t, func(c *ut.Conn) {
			if strings.HasSuffix(c.Request.Path, ":asyncBatchEmbedContent") {
				ut.JSON(200, `{"name":"batches/b1","metadata":{"state":"BATCH_STATE_PENDING"}}`)(c)
				return
			}
			ut.JSON(200, `{"name":"batches/b1","metadata":{"state":"BATCH_STATE_SUCCEEDED","batchStats":{"requestCount":"2","successfulRequestCount":"1","failedRequestCount":"1"}},`+
				`"response":{"inlinedResponses":{"inlinedResponses":[{"metadata":{"key":"a"},"response":{"embedding":{"values":[0.5,1]},"usageMetadata":{"promptTokenCount":4}}},`+
				`{"metadata":{"key":"b"},"error":{"code":3,"message":"too long"}}]}}}`)(c)
		})
		d, ann := ownBatch(t, `model: gemini/gemini-embedding-001, api_base: "`+v.URL+`", api_key: k`)
		began := begin(d, ann, embedLines)
		d.want(began, 200, `"endpoint":"/v1/embeddings"`)
		sent := v.Requests()[0]
		if sent.Path != "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent" {
			t.Errorf("sent to %s", sent.Path)
		}
		var asked struct {
			Batch struct{ InputConfig json.RawMessage }
		}
		if err := json.Unmarshal(sent.Body, &asked); err != nil {
			t.Fatalf("%v: %s", err, sent.Body)
		}
		sameJSON(t, string(asked.Batch.InputConfig), `{"requests":{"requests":[
			{"request":{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"hi"}]},"outputDimensionality":2},"metadata":{"key":"a"}},
			{"request":{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"there"}]}},"metadata":{"key":"b"}}]}}`)
		answers := read(d, ann, began)
		if !strings.Contains(answers["a"], `"embedding":[0.5,1]`) || !strings.Contains(answers["a"], `"prompt_tokens":4`) {
			t.Errorf("%v", answers)
		}
		d.want(begin(d, ann, strings.Replace(embedLines, `"hi"`, `["hi","ho"]`, 1)), 400, "has several texts")
		d.want(begin(d, ann, batchLines), 400, "The file is of requests for /v1/chat/completions")
		d.want(d.uploadBatch(ann, batchLines+strings.ReplaceAll(embedLines, `_id":"`, `_id":"e`), "model=m"), 400, "a batch is of one of them")
	})
	t.Run("mistral", func(t *testing.T) {
		t.Parallel()
		const job = `{"id":"j1","object":"batch","status":"SUCCESS","total_requests":2,"succeeded_requests":1,"failed_requests":1,"output_file":"o1"}`
		v := ut.New(t, func(c *ut.Conn) {
			switch q := c.Request; {
			case strings.HasSuffix(q.Path, "/content"):
				ut.Whole(200, "application/jsonl", `{"custom_id":"a","response":{"status_code":200,"body":{"id":"e","object":"list","model":"mistral-embed","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":4,"total_tokens":4}}}}`+"\n")(c)
			case strings.HasSuffix(q.Path, "/files"):
				ut.JSON(200, `{"id":"f1"}`)(c)
			default:
				ut.JSON(200, job)(c)
			}
		})
		d, ann := ownBatch(t, `model: mistral/mistral-embed, api_base: "`+v.URL+`/v1", api_key: k`)
		began := begin(d, ann, strings.Replace(embedLines, `,"dimensions":2`, "", 1))
		d.want(began, 200, `"object":"batch"`)
		if body := string(v.Requests()[1].Body); !strings.Contains(body, `"endpoint":"/v1/embeddings"`) {
			t.Errorf("sent %s", body)
		}
		if answers := read(d, ann, began); !strings.Contains(answers["a"], `"embedding":[0.5]`) {
			t.Errorf("%v", answers)
		}
	})
	t.Run("anthropic", func(t *testing.T) {
		t.Parallel()
		d, ann := ownBatch(t, `model: anthropic/claude-sonnet-4-5, api_base: "`+ut.New(t).URL+`", api_key: k`)
		d.want(d.uploadBatch(ann, embedLines, "model=m"), 400, "batches at anthropic are of /v1/chat/completions only")
	})
}
