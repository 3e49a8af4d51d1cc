package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// vertexJobs is Vertex AI's API for batches
// (https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs).
type vertexJobs struct {
	*ut.Vendor
	ended atomic.Pointer[string] // the end of a job, with what it tells then

	mu  sync.Mutex
	job vertexJob
}

type vertexJob struct {
	DisplayName, Model string
	InputConfig        struct {
		InstancesFormat string
		GcsSource       struct{ URIs []string }
	}
	OutputConfig struct {
		PredictionsFormat string
		GcsDestination    struct{ OutputURIPrefix string }
	}
}

func newVertexJobs(t *testing.T, root string) *vertexJobs {
	j := &vertexJobs{}
	root += "/batchPredictionJobs"
	j.Vendor = ut.New(t, func(c *ut.Conn) {
		j.mu.Lock()
		defer j.mu.Unlock()
		job := `{"name":"projects/123/locations/us-central1/batchPredictionJobs/3814889423749775360","createTime":"2025-07-01T10:00:00.123456Z","state":"JOB_STATE_`
		if s := j.ended.Load(); s != nil {
			job += *s + "}"
		} else {
			job += `PENDING"}`
		}
		switch q := c.Request; {
		case q.Path == "/token":
			ut.JSON(200, `{"access_token":"ya29.token","token_type":"Bearer","expires_in":3600}`)(c)
		case q.Header.Get("Authorization") != "Bearer ya29.token":
			ut.JSON(401, `{"error":{"code":401,"message":"no token","status":"UNAUTHENTICATED"}}`)(c)
		case q.Method == "POST" && q.Path == root:
			j.job = vertexJob{}
			if err := json.Unmarshal(q.Body, &j.job); err != nil {
				t.Errorf("%s: %v", q.Body, err)
			}
			ut.JSON(200, job)(c)
		case q.Method == "GET" && q.Path == root+"/3814889423749775360":
			ut.JSON(200, job)(c)
		case q.Method == "POST" && q.Path == root+"/3814889423749775360:cancel":
			ut.JSON(200, `{}`)(c)
		case q.Method == "GET" && strings.HasPrefix(q.Path, root+"?pageSize="):
			ut.JSON(200, `{"batchPredictionJobs":[`+job+`]}`)(c)
		default:
			ut.JSON(404, `{"error":{"code":404,"message":"no `+q.Path+`","status":"NOT_FOUND"}}`)(c)
		}
	})
	return j
}

func (j *vertexJobs) begun() vertexJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.job
}

// A batch at Vertex AI, of models of Google, Claude and open ones: the requests go into the bucket, and the results come from
// there.
func TestVertexBatches(t *testing.T) {
	t.Parallel()
	f := func(model, version, wire, fields string, stats bool, first string, output func(lines []string) string) {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			j, b := newVertexJobs(t, "/"+version+"/projects/p1/locations/us-central1"), newBucket(t, "")
			d, ann := ownBatch(t, `model: vertex_ai/`+model+`, api_base: "`+j.URL+`"`, "GCS_BUCKET_NAME=batches/team", "STORAGE_EMULATOR_HOST="+b.url, "GOOGLE_APPLICATION_CREDENTIALS="+apptest.ServiceAccount(t, j.URL))
			bob := d.userKey(`{"user_id":"bob"}`)
			file := member(t, d.uploadBatch(ann, batchLines, fields), "id")
			began := d.Post("/v1/batches", beginBatch(file), as(ann))
			d.want(began, 200, `"status":"validating"`)
			job := j.begun()
			if job.Model != wire || job.InputConfig.InstancesFormat != "jsonl" || job.OutputConfig.PredictionsFormat != "jsonl" || len(job.InputConfig.GcsSource.URIs) != 1 ||
				!strings.HasPrefix(job.OutputConfig.GcsDestination.OutputURIPrefix, "gs://batches/team/litellm-vertex-files/publishers/") {
				t.Errorf("%+v", job)
			}
			lines := strings.Split(strings.TrimSpace(b.object(job.InputConfig.GcsSource.URIs[0])), "\n")
			if len(lines) != 4 {
				t.Fatalf("%q", lines)
			}
			sameJSON(t, lines[0], first)
			batch := member(t, began, "id")
			d.want(d.Get("/v1/batches/"+batch, as(bob)), 403, "access")
			d.want(d.Post("/v1/batches/"+batch+"/cancel", "", as(ann)), 200, `"id":"`+batch+`"`)
			d.want(d.Get("/v1/batches?model=m", as("sk-1234")), 200, `"data":[{"id":"`)
			folder := job.OutputConfig.GcsDestination.OutputURIPrefix + "/prediction-model-2025-07-01T10:00:00.123456Z"
			_, path, _ := strings.Cut(folder, "://batches")
			b.do("PUT", path+"/predictions.jsonl", output(lines))
			b.do("PUT", path+"/prediction.errors_stats-00000-of-00001", `{"count":1}`)
			end := `SUCCEEDED","endTime":"2025-07-01T11:00:00Z","outputInfo":{"gcsOutputDirectory":"` + folder + `"}`
			if stats {
				end += `,"completionStats":{"successfulCount":"1","failedCount":"1","incompleteCount":"2"}`
			}
			j.ended.Store(&end)
			done := d.Get("/v1/batches/"+batch, as(ann))
			d.want(done, 200, `"status":"completed"`)
			d.want(done, 200, `"completed":1,`)
			answers := d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
			if len(answers) != 1 || !strings.Contains(answers["d"], `"content":"hello"`) {
				t.Errorf("%v", answers)
			}
			failures := d.outputs(d.Get("/v1/files/"+member(t, done, "error_file_id")+"/content", as(ann)))
			if len(failures) != 3 || !strings.Contains(failures["a"], "too long") || !strings.Contains(failures["b"], "batch_failed") {
				t.Errorf("%v", failures)
			}
			d.spends(ann, (150*0.01+30*0.1)/2)
			d.want(d.Get("/v1/batches/"+batch, as(ann)), 200, `"completed":1,`)
		})
	}
	f("gemini-2.5-flash", "v1beta1", "publishers/google/models/gemini-2.5-flash", "target_model_names=m", false,
		`{"request":{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]},"generationConfig":{"maxOutputTokens":5},"labels":{"litellm_custom_id_raw":"b32_me"}}}`,
		func(lines []string) string {
			return lines[3][:len(lines[3])-1] + `,"status":"","processed_time":"2025-07-01T10:30:00Z","response":{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":150,"candidatesTokenCount":30,"totalTokenCount":180},"modelVersion":"gemini-2.5-flash"}}` + "\n" +
				lines[0][:len(lines[0])-1] + `,"status":"Bad Request: the prompt is too long","processed_time":"2025-07-01T10:30:00Z","response":{}}` + "\n"
		})
	f("claude-sonnet-4-5@20250929", "v1", "publishers/anthropic/models/claude-sonnet-4-5@20250929", "model=m", true,
		`{"custom_id":"a","request":{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}}`,
		func([]string) string {
			return `{"custom_id":"d","request":{},"status":"","response":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":150,"output_tokens":30}}}` + "\n" +
				`{"custom_id":"a","request":{},"status":"","response":{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}}` + "\n"
		})
	answer := `{"id":"1","object":"chat.completion","model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":150,"completion_tokens":30,"total_tokens":180}}`
	f("meta/llama-4-scout-maas", "v1", "publishers/meta/models/llama-4-scout-maas", "model=m", true,
		`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"meta/llama-4-scout-maas","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],"max_tokens":5}}`,
		func([]string) string {
			return `{"custom_id":"d","response":` + answer + "}\n" +
				`{"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"prompt is too long","type":"invalid_request_error"}}}}` + "\n"
		})
}

// An id of any characters and some length comes back from labels.
func TestVertexBatchIDs(t *testing.T) {
	t.Parallel()
	j, b := newVertexJobs(t, "/v1beta1/projects/p1/locations/us-central1"), newBucket(t, "")
	d, ann := ownBatch(t, `model: vertex_ai/gemini-2.5-flash, api_base: "`+j.URL+`", gcs_bucket_name: batches`, "STORAGE_EMULATOR_HOST="+b.url, "GOOGLE_APPLICATION_CREDENTIALS="+apptest.ServiceAccount(t, j.URL))
	long := strings.Repeat("Zeile Nr. 1/ü ", 40)
	lines := fmt.Sprintf(`{"custom_id":%q,"body":{"messages":[{"role":"user","content":"hi"}],"labels":{"team":"a"}}}`, long) + "\n"
	began := d.Post("/v1/batches", beginBatch(member(t, d.uploadBatch(ann, lines, "model=m"), "id")), as(ann))
	d.want(began, 200, `"object":"batch"`)
	job := j.begun()
	line := strings.TrimSpace(b.object(job.InputConfig.GcsSource.URIs[0]))
	if !strings.Contains(line, `"labels":{"team":"a","litellm_custom_id_raw":"b32_`) || !strings.Contains(line, `"litellm_custom_id_raw_3":"b32_`) {
		t.Errorf("%s", line)
	}
	folder := job.OutputConfig.GcsDestination.OutputURIPrefix + "/out"
	_, path, _ := strings.Cut(folder, "://batches")
	b.do("PUT", path+"/prediction.results-00000-of-00001", line[:len(line)-1]+`,"status":"","response":{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}]}}`)
	end := `PARTIALLY_SUCCEEDED","outputInfo":{"gcsOutputDirectory":"` + folder + `"}`
	j.ended.Store(&end)
	answers := d.outputs(d.Get("/v1/files/"+member(t, d.Get("/v1/batches/"+member(t, began, "id"), as(ann)), "output_file_id")+"/content", as(ann)))
	if !strings.Contains(answers[long], "hello") {
		t.Errorf("%v", answers)
	}
	lines = fmt.Sprintf(`{"custom_id":%q,"body":{"messages":[{"role":"user","content":"hi"}]}}`, strings.Repeat("x", 3000)) + "\n"
	d.want(d.Post("/v1/batches", beginBatch(member(t, d.uploadBatch(ann, lines, "model=m"), "id")), as(ann)), 400, "at most 64 labels")
}

// A batch of embeddings at Vertex AI, whose lines have no place for ids.
func TestVertexEmbeddingBatches(t *testing.T) {
	t.Parallel()
	j, b := newVertexJobs(t, "/v1beta1/projects/p1/locations/us-central1"), newBucket(t, "")
	d, ann := ownBatch(t, `model: vertex_ai/text-embedding-005, api_base: "`+j.URL+`", gcs_bucket_name: batches`, "STORAGE_EMULATOR_HOST="+b.url, "GOOGLE_APPLICATION_CREDENTIALS="+apptest.ServiceAccount(t, j.URL))
	line := func(id, body string) string {
		return `{"custom_id":"` + id + `","method":"POST","url":"/v1/embeddings","body":{"model":"any",` + body + "}}\n"
	}
	begin := func(lines string) *apptest.Response {
		return d.Post("/v1/batches", beginEmbeddings(member(t, d.uploadBatch(ann, lines, "model=m"), "id")), as(ann))
	}
	began := begin(line("a", `"input":"hi"`) + line("b", `"input":["there \"you\""],"task_type":"RETRIEVAL_QUERY"`) + line("c", `"input":"hi"`) + line("d", `"input":"lost"`) + line("e", `"input":"long"`))
	d.want(began, 200, `"endpoint":"/v1/embeddings"`)
	job := j.begun()
	if got := b.object(job.InputConfig.GcsSource.URIs[0]); job.Model != "publishers/google/models/text-embedding-005" ||
		got != `{"content":"hi"}`+"\n"+`{"content":"there \"you\"","task_type":"RETRIEVAL_QUERY"}`+"\n"+`{"content":"hi"}`+"\n"+`{"content":"lost"}`+"\n"+`{"content":"long"}`+"\n" {
		t.Errorf("%+v: %s", job, got)
	}
	folder := job.OutputConfig.GcsDestination.OutputURIPrefix + "/prediction-model-1"
	_, path, _ := strings.Cut(folder, "://batches")
	vector := func(content, v string) string {
		return `{"instance":{"content":"` + content + `"},"predictions":[{"embeddings":{"statistics":{"token_count":20,"truncated":false},"values":[` + v + `]}}],"status":""}` + "\n"
	}
	b.do("PUT", path+"/000000000000.jsonl", vector(`there \"you\"`, "0.5")+vector("hi", "0.25")+vector("never asked", "9"))
	b.do("PUT", path+"/000000000001.jsonl", vector("hi", "0.25")+`{"instance":{"content":"long"},"predictions":[],"status":"Bad Request: the text is too long"}`+"\n")
	end := `SUCCEEDED","outputInfo":{"gcsOutputDirectory":"` + folder + `"}`
	j.ended.Store(&end)
	done := d.Get("/v1/batches/"+member(t, began, "id"), as(ann))
	d.want(done, 200, `"request_counts":{"total":5,"completed":3,"failed":2}`)
	answers := d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
	for id, v := range map[string]string{"a": "[0.25]", "b": "[0.5]", "c": "[0.25]"} {
		if len(answers) != 3 || !strings.Contains(answers[id], `"embedding":`+v) || !strings.Contains(answers[id], `"prompt_tokens":20`) {
			t.Errorf("%s: %v", id, answers)
		}
	}
	failures := d.outputs(d.Get("/v1/files/"+member(t, done, "error_file_id")+"/content", as(ann)))
	if len(failures) != 2 || !strings.Contains(failures["e"], "too long") || !strings.Contains(failures["d"], "gave no answer") {
		t.Errorf("%v", failures)
	}
	d.spends(ann, 60*0.01/2)

	d.want(begin(line("a", `"input":["x","y"]`)), 400, "has several texts")
	d.want(begin(line("a", `"input":"x"`)+line("b", `"input":"x","task_type":"CLUSTERING"`)), 400, "another task_type or title")
	d.want(begin(line("a", `"input":"x","dimensions":3`)), 400, "has dimensions, which batches of embeddings at vertex_ai do not have")
}
