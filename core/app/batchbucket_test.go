package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws/awstest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// bucket is a bucket that a vendor writes to as well: the test plays the vendor.
type bucket struct {
	testing.TB
	url, name   string
	key, secret string
}

// newBucket is a bucket of a server in the process. who must have signed what comes from the gateway; "" asks for a token, as
// Google does.
func newBucket(t testing.TB, who string) bucket {
	backend := s3mem.New()
	if err := backend.CreateBucket("batches"); err != nil {
		t.Fatal(err)
	}
	next := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if who != "" {
			key, scope, err := awstest.Verify(awstest.Signed{Method: r.Method, Path: r.RequestURI, Host: r.Host, Header: r.Header, Body: body}, map[string]string{"AK1": "SK1", "S3K": "S3S", "test": "test"})
			if err != nil || key != "test" && key != who || !strings.Contains(scope, "/eu-west-1/s3/") {
				t.Errorf("%s %s: signed by %s for %s: %v", r.Method, r.RequestURI, key, scope, err)
			}
		} else if r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s: %s", r.Method, r.RequestURI, r.Header)
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b := bucket{TB: t, url: server.URL, name: "batches"}
	if who != "" {
		b.key, b.secret = "test", "test"
	}
	return b
}

// do asks the server, signed if it wants that.
func (b bucket) do(method, path, body string) string {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.url+"/"+b.name+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if b.key != "" {
		sum := sha256.Sum256([]byte(body))
		hash := hex.EncodeToString(sum[:])
		r.Header.Set("X-Amz-Content-Sha256", hash)
		if err := v4.NewSigner().SignHTTP(b.Context(), aws.Credentials{AccessKeyID: b.key, SecretAccessKey: b.secret}, r, hash, "s3", "eu-west-1", time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		b.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, text, err)
	}
	return string(text)
}

// object reads what lies at an address such as s3://bucket/name.
func (b bucket) object(uri string) string {
	b.Helper()
	_, name, _ := strings.Cut(uri, "://"+b.name)
	return b.do("GET", name, "")
}

func (b bucket) names() (out []string) {
	b.Helper()
	var list struct{ Contents []struct{ Key string } }
	if err := xml.Unmarshal([]byte(b.do("GET", "?list-type=2", "")), &list); err != nil {
		b.Fatal(err)
	}
	for _, c := range list.Contents {
		out = append(out, c.Key)
	}
	return out
}

// jobs is Amazon Bedrock's API for batches (https://docs.aws.amazon.com/bedrock/latest/APIReference/, the operations of
// ModelInvocationJob). When it has ended, a job has the status.
type jobs struct {
	*ut.Vendor
	ended  atomic.Pointer[string]
	counts string // in the job

	mu  sync.Mutex
	job bedrockJob
	raw string
}

type bedrockJob struct {
	JobName, ClientRequestToken, ModelID, RoleArn, ModelInvocationType string
	TimeoutDurationInHours                                             int
	InputDataConfig                                                    struct {
		S3InputDataConfig struct{ S3Uri, S3InputFormat string }
	}
	OutputDataConfig struct {
		S3OutputDataConfig struct{ S3Uri, S3EncryptionKeyID string }
	}
}

const jobID = "abcdef012345"

func newJobs(t *testing.T) *jobs {
	j := &jobs{}
	j.Vendor = ut.New(t, func(c *ut.Conn) {
		j.mu.Lock()
		defer j.mu.Unlock()
		status, more := "Submitted", ""
		if s := j.ended.Load(); s != nil {
			status, more = *s, `,"endTime":"2025-07-01T11:00:00Z"`+j.counts
		}
		job := `{"jobArn":"arn:aws:bedrock:eu-west-1:123456789012:model-invocation-job/` + jobID + `","jobName":"n","status":"` + status +
			`","submitTime":"2025-07-01T10:00:00Z","jobExpirationTime":"2025-07-02T10:00:00Z"` + more + `,"outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"` +
			j.job.OutputDataConfig.S3OutputDataConfig.S3Uri + `"}}}`
		switch q := c.Request; {
		case q.Method == "POST" && q.Path == "/model-invocation-job":
			j.job, j.raw = bedrockJob{}, string(q.Body)
			if err := json.Unmarshal(q.Body, &j.job); err != nil {
				t.Errorf("%s: %v", q.Body, err)
			}
			ut.JSON(200, `{"jobArn":"arn:aws:bedrock:eu-west-1:123456789012:model-invocation-job/`+jobID+`"}`)(c)
		case q.Method == "GET" && q.Path == "/model-invocation-job/"+jobID:
			ut.JSON(200, job)(c)
		case q.Method == "POST" && q.Path == "/model-invocation-job/"+jobID+"/stop":
			ut.Whole(200, "application/json", "")(c)
		case q.Method == "GET" && strings.HasPrefix(q.Path, "/model-invocation-jobs?") && !strings.Contains(q.Path, "nextToken"):
			ut.JSON(200, `{"invocationJobSummaries":[],"nextToken":"t1"}`)(c)
		case q.Method == "GET" && strings.HasPrefix(q.Path, "/model-invocation-jobs?"):
			ut.JSON(200, `{"invocationJobSummaries":[`+job+`]}`)(c)
		default:
			ut.JSON(404, `{"message":"no such path"}`)(c)
		}
	})
	return j
}

func (j *jobs) begun() bedrockJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.job
}

// end writes what a job puts out, and ends it.
func (j *jobs) end(b bucket, status, lines, manifest string) {
	b.Helper()
	_, folder, _ := strings.Cut(j.begun().OutputDataConfig.S3OutputDataConfig.S3Uri, "://"+b.name)
	if lines != "" {
		b.do("PUT", folder+jobID+"/in.jsonl.out", lines)
	}
	if manifest != "" {
		b.do("PUT", folder+jobID+"/manifest.json.out", manifest)
	}
	j.ended.Store(&status)
}

const bedrockRole = "arn:aws:iam::123456789012:role/batches"

// bedrockParams is a deployment at Amazon Bedrock whose batches lie in the bucket.
func bedrockParams(model string, j *jobs, b bucket, more ...string) string {
	return strings.Join(append([]string{
		"model: bedrock/" + model, "aws_region_name: eu-west-1", `aws_bedrock_runtime_endpoint: "` + j.URL + `"`, "s3_bucket_name: " + b.name,
		`s3_endpoint_url: "` + b.url + `"`, `aws_batch_role_arn: "` + bedrockRole + `"`,
	}, more...), ", ")
}

const manyTools = `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"any","max_tokens":9,"messages":[{"role":"user","content":"where"}],"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{}}}}]}}
{"custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{"model":"any","messages":[{"role":"user","content":"hello"}]}}
`

// inputOf are the requests of a job, by id.
func inputOf(b bucket, text string) map[string]string {
	b.Helper()
	out := map[string]string{}
	for line := range strings.Lines(text) {
		var l struct {
			RecordID   string          `json:"recordId"`
			ModelInput json.RawMessage `json:"modelInput"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			b.Fatalf("%s: %v", line, err)
		}
		out[l.RecordID] = string(l.ModelInput)
	}
	return out
}

// A batch at Amazon Bedrock: the requests go into the bucket, Claude's in its own form, and the results come from there.
func TestBedrockBatches(t *testing.T) {
	t.Parallel()
	f := func(name string, b bucket, counts, manifest string, fields string, params, env []string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJobs(t)
			j.counts = counts
			d, ann := ownBatch(t, bedrockParams("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", j, b, params...), env...)
			bob := d.userKey(`{"user_id":"bob"}`)
			file := member(t, d.uploadBatch(ann, manyTools, fields), "id")
			d.want(d.Post("/v1/batches", beginBatch(file), as(bob)), 403, "access")
			began := d.Post("/v1/batches", beginBatch(file), as(ann))
			d.want(began, 200, `"status":"validating"`)
			d.want(began, 200, `"request_counts":{"total":2,"completed":0,"failed":0}`)
			d.want(began, 200, `"expires_at":1751450400`)
			job := j.begun()
			if job.ModelID != "eu.anthropic.claude-sonnet-4-5-20250929-v1:0" || job.RoleArn != bedrockRole || job.ModelInvocationType != "InvokeModel" ||
				job.TimeoutDurationInHours != 24 || !strings.HasPrefix(job.JobName, "sallyport-") || job.ClientRequestToken == "" ||
				job.InputDataConfig.S3InputDataConfig.S3InputFormat != "JSONL" || job.OutputDataConfig.S3OutputDataConfig.S3EncryptionKeyID != "" {
				t.Errorf("%+v", job)
			}
			input := inputOf(b, b.object(job.InputDataConfig.S3InputDataConfig.S3Uri))
			sameJSON(t, input["a"], `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"where"}]}],
				"tools":[{"name":"look","input_schema":{"type":"object","properties":{}}}]}`)
			if len(input) != 2 {
				t.Errorf("%v", input)
			}
			batch := member(t, began, "id")
			d.want(d.Get("/v1/batches/"+batch, as(bob)), 403, "access")
			d.want(d.Post("/v1/batches/"+batch+"/cancel", "", as(ann)), 200, `"id":"`+batch+`"`)
			d.want(d.Get("/v1/batches?model=m", as("sk-1234")), 200, `"data":[{"id":"`)
			j.end(b, "Completed", `{"modelInput":{},"modelOutput":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"tool_use","id":"toolu_1","name":"look","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":150,"output_tokens":30}},"recordId":"a"}`+"\n"+
				`{"modelInput":{},"error":{"errorCode":400,"errorMessage":"max_tokens: too large"},"recordId":"b"}`+"\n", manifest)
			done := d.Get("/v1/batches/"+batch, as(ann))
			d.want(done, 200, `"request_counts":{"total":2,"completed":1,"failed":1}`)
			d.want(done, 200, `"completed_at":1751367600`)
			d.want(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(bob)), 403, "access")
			answers := d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
			if len(answers) != 1 || !strings.Contains(answers["a"], `"finish_reason":"tool_calls"`) || !strings.Contains(answers["a"], "toolu_1") {
				t.Errorf("%v", answers)
			}
			failures := d.outputs(d.Get("/v1/files/"+member(t, done, "error_file_id")+"/content", as(ann)))
			if len(failures) != 1 || !strings.Contains(failures["b"], `"status_code":400`) || !strings.Contains(failures["b"], "max_tokens: too large") {
				t.Errorf("%v", failures)
			}
			d.spends(ann, (150*0.01+30*0.1)/2)
			for _, q := range j.Requests() {
				if _, scope, err := awstest.Verify(awstest.Signed{Method: q.Method, Path: q.Path, Host: q.Host, Header: q.Header, Body: q.Body}, map[string]string{"AK1": "SK1"}); err != nil || !strings.Contains(scope, "/eu-west-1/bedrock/") {
					t.Errorf("%s: %s %v", q.Path, scope, err)
				}
			}
		})
	}
	keys := []string{"AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1"}
	const manifest = `{"totalRecordCount":2,"processedRecordCount":2,"successRecordCount":1,"errorRecordCount":1,"inputTokenCount":150,"outputTokenCount":30}`
	f("of several deployments", newBucket(t, "AK1"), "", manifest, "target_model_names=m", nil, keys)
	f("of a model group, counted by the API", newBucket(t, "AK1"), `,"totalRecordCount":2,"processedRecordCount":2,"successRecordCount":1,"errorRecordCount":1`, "", "model=m", nil, keys)
	f("counted by nobody", newBucket(t, "AK1"), "", "", "model=m", nil, keys)
	f("with keys for the bucket alone", newBucket(t, "S3K"), "", manifest, "model=m", []string{"s3_access_key_id: S3K", "s3_secret_access_key: S3S"}, keys)
	moto := storetest.S3(t)
	f("in a bucket whose server checks who may", bucket{t, moto.URL, moto.Bucket, moto.AccessKey, moto.Secret}, "", manifest, "model=m",
		[]string{"s3_access_key_id: " + moto.AccessKey, "s3_secret_access_key: " + moto.Secret, "s3_region_name: eu-west-1"}, keys)
}

// Models without an API of their own here are asked by Converse, which has no tools in batches, and Nova by its own if there
// are some. Results go where they are told to.
func TestBedrockBatchForms(t *testing.T) {
	t.Parallel()
	keys := []string{"AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1", "AWS_S3_ENCRYPTION_KEY_ID=arn:aws:kms:k"}
	f := func(model, lines, kind, id, want string, params ...string) {
		t.Helper()
		j, b := newJobs(t), newBucket(t, "AK1")
		d, ann := ownBatch(t, bedrockParams(model, j, b, params...), keys...)
		began := d.Post("/v1/batches", beginBatch(member(t, d.uploadBatch(ann, lines, "model=m"), "id")), as(ann))
		if kind == "" {
			d.want(began, 400, want)
			if names := b.names(); len(names) != 0 {
				t.Errorf("%s: the bucket holds %v", model, names)
			}
			return
		}
		d.want(began, 200, `"object":"batch"`)
		job := j.begun()
		if job.ModelInvocationType != kind || job.OutputDataConfig.S3OutputDataConfig.S3EncryptionKeyID != "arn:aws:kms:k" {
			t.Errorf("%s: %+v", model, job)
		}
		sameJSON(t, inputOf(b, b.object(job.InputDataConfig.S3InputDataConfig.S3Uri))[id], want)
		j.end(b, "PartiallyCompleted", `{"recordId":"`+id+`","modelOutput":`+converse+"}\n", "")
		done := d.Get("/v1/batches/"+member(t, began, "id"), as(ann))
		d.want(done, 200, `"status":"completed"`)
		answers := d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
		if !strings.Contains(answers[id], `"content":"Hi."`) {
			t.Errorf("%s: %v", model, answers)
		}
	}
	f("meta.llama3-1-70b-instruct-v1:0", batchLines, "Converse", "a", `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"Be brief."}],"inferenceConfig":{"maxTokens":5}}`)
	f("meta.llama3-1-70b-instruct-v1:0", manyTools, "", "", "has tools")
	f("amazon.nova-pro-v1:0", strings.Replace(manyTools, `"max_tokens":9`, `"max_tokens":9,"top_k":3`, 1), "InvokeModel", "a",
		`{"messages":[{"role":"user","content":[{"text":"where"}]}],"inferenceConfig":{"maxTokens":9,"topK":3},"toolConfig":{"tools":[{"toolSpec":{"name":"look","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`)
	f("amazon.nova-pro-v1:0", manyTools, "", "", "has guardrailConfig", "guardrailConfig: {guardrailIdentifier: g, guardrailVersion: '1'}")
	f("anthropic.claude-3-haiku-20240307-v1:0", batchLines, "Converse", "d", `{"messages":[{"role":"user","content":[{"text":"hello"}]}],"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"}}`,
		"guardrailConfig: {guardrailIdentifier: g, guardrailVersion: '1'}")
}

// Lines for embeddings are the requests of InvokeModel, and what comes of them are embeddings. Jobs are begun where
// aws_bedrock_control_endpoint says.
func TestBedrockBatchEmbeddings(t *testing.T) {
	t.Parallel()
	j, b, runtime := newJobs(t), newBucket(t, "AK1"), ut.New(t)
	params := strings.Replace(bedrockParams("amazon.titan-embed-text-v2:0", j, b), `aws_bedrock_runtime_endpoint: "`+j.URL,
		`aws_bedrock_control_endpoint: "`+j.URL+`", aws_bedrock_runtime_endpoint: "`+runtime.URL, 1)
	d, ann := ownBatch(t, params, "AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1")
	began := d.Post("/v1/batches", beginEmbeddings(member(t, d.uploadBatch(ann, embedLines, "model=m"), "id")), as(ann))
	d.want(began, 200, `"endpoint":"/v1/embeddings"`)
	job := j.begun()
	if job.ModelInvocationType != "InvokeModel" {
		t.Errorf("%+v", job)
	}
	sameJSON(t, inputOf(b, b.object(job.InputDataConfig.S3InputDataConfig.S3Uri))["a"], `{"inputText":"hi","dimensions":2}`)
	j.end(b, "Completed", `{"recordId":"a","modelOutput":{"embedding":[0.1,0.2],"inputTextTokenCount":40}}`+"\n", "")
	done := d.Get("/v1/batches/"+member(t, began, "id"), as(ann))
	answers := d.outputs(d.Get("/v1/files/"+member(t, done, "output_file_id")+"/content", as(ann)))
	if !strings.Contains(answers["a"], `"embedding":[0.1,0.2]`) || !strings.Contains(answers["a"], `"prompt_tokens":40`) {
		t.Errorf("%v", answers)
	}
	d.spends(ann, 40*0.01/2)
	if n := len(runtime.Requests()); n != 0 {
		t.Errorf("%d requests to the runtime", n)
	}
}

// What ends a job before its time is told of each request that it did not come to, and what cannot be read is not paid for.
func TestBedrockBatchEnds(t *testing.T) {
	t.Parallel()
	keys := []string{"AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1"}
	begin := func() (*jobs, bucket, desk, string, string) {
		j, b := newJobs(t), newBucket(t, "AK1")
		d, ann := ownBatch(t, bedrockParams("meta.llama3-1-70b-instruct-v1:0", j, b), keys...)
		began := d.Post("/v1/batches", beginBatch(member(t, d.uploadBatch(ann, batchLines, "model=m"), "id")), as(ann))
		d.want(began, 200, `"object":"batch"`)
		return j, b, d, ann, "/v1/batches/" + member(t, began, "id")
	}
	f := func(status, more, want, code, message string) {
		t.Helper()
		j, b, d, ann, path := begin()
		j.counts = more
		j.end(b, status, "", "")
		r := d.Get(path, as(ann))
		d.want(r, 200, `"status":"`+want+`"`)
		failures := d.outputs(d.Get("/v1/files/"+member(t, r, "error_file_id")+"/content", as(ann)))
		if len(failures) != 4 || !strings.Contains(failures["c"], code) || !strings.Contains(failures["c"], message) {
			t.Errorf("%s: %v", status, failures)
		}
		if message != "" && !strings.Contains(r.Body, code) && status == "Failed" {
			t.Errorf("%s: %s", status, r.Body)
		}
	}
	f("Failed", `,"message":"Batch job contains less records than the required minimum of: 100"`, "failed", "batch_failed", "required minimum of: 100")
	f("Stopped", "", "cancelled", "batch_cancelled", "")
	f("Expired", "", "expired", "batch_expired", "")

	// Somebody else's job, with results elsewhere.
	j, _, d, ann, path := begin()
	j.mu.Lock()
	j.job.OutputDataConfig.S3OutputDataConfig.S3Uri = "s3://others/secret/"
	j.mu.Unlock()
	done := "Completed"
	j.ended.Store(&done)
	d.want(d.Get(path, as(ann)), 403, "do not lie in s3://batches/")
}

// A bucket that refuses says so, without what was sent.
func TestBedrockBatchBucketRefuses(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	v := ut.New(t, ut.Whole(403, "application/xml", "<Error><Code>AccessDenied</Code><Message>secret</Message></Error>"))
	d, ann := ownBatch(t, bedrockParams("meta.llama3-1-70b-instruct-v1:0", j, bucket{t, v.URL, "batches", "", ""}), "AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1")
	r := d.Post("/v1/batches", beginBatch(member(t, d.uploadBatch(ann, batchLines, "model=m"), "id")), as(ann))
	d.want(r, 502, "The bucket batches of batches at bedrock answered with status 403 AccessDenied.")
	if strings.Contains(r.Body, "secret") || len(j.Requests()) != 0 {
		t.Errorf("%s", r.Body)
	}
}

// What an operator has left out, or written wrong.
func TestBatchBucketMistakes(t *testing.T) {
	t.Parallel()
	load := func(params, want string) {
		t.Helper()
		_, err := apptest.Try(t, "model_list: [{model_name: m, litellm_params: {"+params+"}}]\ngeneral_settings: {master_key: sk-1234}", apptest.Env("AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", params, err, want)
		}
	}
	const amazon = `model: bedrock/meta.llama3-1-70b-instruct-v1:0, aws_batch_role_arn: "arn:aws:iam::1:role/r", `
	load(amazon+"s3_bucket_name: x", "litellm_params.s3_bucket_name cannot be used")
	load(amazon+"s3_bucket_name: 'bucket/a b'", "litellm_params.s3_bucket_name cannot be used")
	load(amazon+"s3_bucket_name: bucket, s3_output_bucket_name: x", "litellm_params.s3_output_bucket_name cannot be used")
	load(amazon+"s3_bucket_name: bucket, s3_access_key_id: k", "litellm_params.aws_secret_access_key is missing")
	load(`model: vertex_ai/gemini-2.5-pro, vertex_project: p, gcs_bucket_name: "a?b"`, "litellm_params.gcs_bucket_name cannot be used")
	f := func(params, want string) {
		t.Helper()
		d, ann := ownBatch(t, params, "AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1")
		d.want(d.uploadBatch(ann, batchLines, "model=m"), 400, want)
		d.want(d.uploadBatch(ann, batchLines, "target_model_names=m"), 400, want)
		d.want(d.Get("/v1/batches/x?model=m", as(ann)), 400, want)
	}
	f("model: bedrock/meta.llama3-1-70b-instruct-v1:0", "name the bucket in litellm_params.s3_bucket_name or AWS_S3_BUCKET_NAME")
	f("model: bedrock/meta.llama3-1-70b-instruct-v1:0, s3_bucket_name: bucket", "name it in litellm_params.aws_batch_role_arn or AWS_BATCH_ROLE_ARN")
	f("model: vertex_ai/gemini-2.5-pro, vertex_project: p", "name the bucket in litellm_params.gcs_bucket_name or GCS_BUCKET_NAME")
	f("model: vertex_ai/mistral-medium-3, vertex_project: p, gcs_bucket_name: bucket", "and not of this one")
	f("model: cohere/command-r, api_key: k", "cohere does not offer")
}
