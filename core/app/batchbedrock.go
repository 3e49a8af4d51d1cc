package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/s3"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
)

// bedrockBatches are the model invocation jobs of Amazon Bedrock
// (https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html), which read and write files in S3.
type bedrockBatches struct {
	of      bedrock.Batch
	in, out *batchBucket
	role    string
	key     string // that the results are encrypted with; "" is the bucket's own
	claude  bool   // lines are of Claude's own API
}

// The folders of the reference, which roles may be confined to (litellm/litellm_core_utils/cloud_storage_security.py).
const (
	bedrockIn  = "litellm-bedrock-files-"
	bedrockOut = "litellm-batch-outputs/"
)

// bedrockBatcher makes the maker of a deployment's batches, or says why there are none. chat is a call of the deployment. The settings are those of
// https://docs.litellm.ai/docs/providers/bedrock_batches.
func (b *builder) bedrockBatcher(d *llm.Deployment, n *batches, chat *llm.Call) error {
	setting := func(name, variable string) string {
		if v := d.Setting(name); v != "" {
			return v
		}
		return b.cfg.Env().Get(variable)
	}
	of, ok := bedrock.BatchOf(d)
	if !ok {
		return nil
	}
	m := &bedrockBatches{of: of, role: setting("aws_batch_role_arn", "AWS_BATCH_ROLE_ARN"), key: setting("s3_encryption_key_id", "AWS_S3_ENCRYPTION_KEY_ID")}
	bucket := setting("s3_bucket_name", "AWS_S3_BUCKET_NAME")
	switch {
	case bucket == "":
		n.none = "Batches at bedrock read and write files in Amazon S3: name the bucket in litellm_params.s3_bucket_name or AWS_S3_BUCKET_NAME."
		return nil
	case m.role == "":
		n.none = "Batches at bedrock run as a role that may read and write the bucket: name it in litellm_params.aws_batch_role_arn or AWS_BATCH_ROLE_ARN."
		return nil
	}
	var err error
	if m.in, err = b.s3Bucket(d, of.Region, "s3_bucket_name", bucket); err != nil {
		return err
	}
	m.out = m.in
	if name := setting("s3_output_bucket_name", "AWS_S3_OUTPUT_BUCKET_NAME"); name != "" {
		if m.out, err = b.s3Bucket(d, of.Region, "s3_output_bucket_name", name); err != nil {
			return err
		}
	}
	const control = "aws_bedrock_control_endpoint"
	var problem string
	if n.target, problem = bedrock.Control(chat.Target, setting(control, "AWS_ENDPOINT_URL_BEDROCK")); problem != "" {
		return &provider.SettingError{Group: d.Group, Setting: control, Problem: problem}
	}
	n.maker = m
	if of.Claude {
		if e := claudeLines(d, of.Name, chat.Signer); e != nil {
			n.lines, m.claude = e, true
		}
	}
	return nil
}

// claudeLines writes and reads chats in Claude's own form, in which batches have tools. It is nil for a deployment with
// settings that only Converse has.
func claudeLines(d *llm.Deployment, name string, sign llm.Signer) provider.Endpoint {
	for _, p := range slices.Concat(d.ExtraBody, d.Defaults) {
		switch p.Name {
		case "guardrailConfig", "performanceConfig", "serviceTier", "requestMetadata", "promptVariables", "additionalModelRequestFields",
			"additionalModelResponseFieldPaths":
			return nil
		}
	}
	own := *d
	own.Model = name
	e, err := anthropic.New(anthropic.Settings{Cloud: &anthropic.Cloud{
		Version: bedrock.AnthropicVersion,
		Locate:  func(*llm.Deployment) (string, error) { return "https://bedrock-runtime.amazonaws.com/model/", nil },
		Sign:    func(*llm.Deployment) (llm.Signer, error) { return sign, nil },
	}}).Bind(&own)
	if err != nil {
		return nil
	}
	return e
}

// s3Bucket opens a bucket with the deployment's credentials, or with those for S3 alone.
func (b *builder) s3Bucket(d *llm.Deployment, named, from, written string) (*batchBucket, error) {
	wrong := func(setting string, err error) error {
		return &provider.SettingError{Group: d.Group, Setting: setting, Problem: "cannot be used: " + err.Error()}
	}
	name, prefix, err := bucketName(written, "s3")
	if err != nil {
		return nil, wrong(from, err)
	}
	source := b.amazon()
	o := source.Options(func(setting string) string {
		switch setting {
		case "aws_access_key_id", "aws_secret_access_key", "aws_session_token":
			if d.Setting("s3_access_key_id") != "" {
				return d.Setting("s3_" + strings.TrimPrefix(setting, "aws_"))
			}
		case "aws_region_name":
			if r := d.Setting("s3_region_name"); r != "" {
				return r
			}
		case "aws_role_name", "aws_profile_name", "aws_web_identity_token":
			if d.Setting("s3_access_key_id") != "" {
				return ""
			}
		}
		return d.Setting(setting)
	})
	if named != "" && d.Setting("s3_region_name") == "" && d.Setting("aws_region_name") == "" {
		o.Region = named
	}
	if o.Region == "" {
		o.Region = defaultRegion
	}
	if setting, problem := o.Check(); problem != "" {
		return nil, &provider.SettingError{Group: d.Group, Setting: setting, Problem: problem}
	}
	api, err := s3.New(s3.Place{Bucket: name, Region: o.Region, Endpoint: d.Setting("s3_endpoint_url")})
	if err != nil {
		return nil, wrong(from, err)
	}
	api.Target().Trust = provider.Trust(d)
	return &batchBucket{
		vendor: d.Provider, scheme: "s3", name: name, prefix: prefix, api: api, target: api.Target(), signer: source.Signer(o, "s3"), a: b.App,
	}, nil
}

// embeds implements batchEmbedder.
func (m *bedrockBatches) embeds() {}

func bedrockRoot(more string) func(string) string {
	return func(chat string) string {
		root, _, _ := strings.Cut(chat, "/model/")
		return root + more
	}
}

// submit writes the requests into the bucket and begins a job
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html).
func (m *bedrockBatches) submit(ctx context.Context, b *batches, rows []batchRow, name string) (string, error) {
	invoke, err := m.form(b, rows)
	if err != nil {
		return "", err
	}
	var lines []byte
	for _, r := range rows {
		w := dialect.Build(lines)
		lines = append(w.Open('{').Key("recordId").Quote(r.id).Key("modelInput").Raw(oneLine(r.body)).Close('}').Bytes(), '\n')
	}
	input := m.in.prefix + bedrockIn + name + ".jsonl"
	if err := m.in.put(ctx, input, lines); err != nil {
		return "", err
	}
	w := dialect.Build(nil)
	w.Open('{').Key("jobName").Quote("sallyport-" + name).Key("clientRequestToken").Quote(name).Key("modelId").Quote(m.of.Model).Key("roleArn").Quote(m.role)
	w.Key("modelInvocationType").Quote(invoke)
	w.Key("inputDataConfig").Open('{').Key("s3InputDataConfig").Open('{').Key("s3InputFormat").Quote("JSONL").Key("s3Uri").Quote(m.in.uri(input)).Close('}').Close('}')
	w.Key("outputDataConfig").Open('{').Key("s3OutputDataConfig").Open('{').Key("s3Uri").Quote(m.out.uri(m.out.prefix + bedrockOut + name + "/"))
	if m.key != "" {
		w.Key("s3EncryptionKeyId").Quote(m.key)
	}
	w.Close('}').Close('}').Key("timeoutDurationInHours").Int(24)
	return b.post(ctx, "Bedrock", bedrockRoot("/model-invocation-job"), w.Close('}').Bytes(), m.state)
}

// form says which API the lines are of, and brings them there. Jobs of Converse have no tools
// (https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html), so that lines with some are of the model's own
// API.
func (m *bedrockBatches) form(b *batches, rows []batchRow) (string, error) {
	const invoke, converse = "InvokeModel", "Converse"
	if m.claude || rows[0].path == embedPath {
		return invoke, nil
	}
	i := slices.IndexFunc(rows, func(r batchRow) bool { return bedrock.HasTools(r.body) })
	switch {
	case i < 0:
		return converse, nil
	case !m.of.Nova:
		return "", b.wrong("tools", "The request %q of the file has tools, or a response_format that is made of one: batches at bedrock have those with Claude and Nova only.", rows[i].id)
	}
	for i := range rows {
		body, without, err := bedrock.NovaInvoke(rows[i].body)
		if err != nil {
			return "", err
		}
		if without != "" {
			return "", b.wrong(without, "The request %q of the file has %s, which batches with tools do not have.", rows[i].id, without)
		}
		rows[i].body = body
	}
	return invoke, nil
}

func (m *bedrockBatches) look(ctx context.Context, b *batches, id string) (*batchState, error) {
	text, err := b.read(ctx, "GET", bedrockRoot("/model-invocation-job/"+id), nil, maxBatchText)
	if err != nil {
		return nil, err
	}
	return m.state(text), nil
}

func (m *bedrockBatches) cancel(ctx context.Context, b *batches, id string) error {
	in, err := b.ask(ctx, "POST", bedrockRoot("/model-invocation-job/"+id+"/stop"), nil) // its answer is empty
	if err != nil {
		return err
	}
	return in.Close()
}

// list follows https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListModelInvocationJobs.html.
func (m *bedrockBatches) list(ctx context.Context, b *batches, after string, limit int) (page []*batchState, more bool, err error) {
	jobs := vendorList{
		path:  func(query string) func(string) string { return bedrockRoot("/model-invocation-jobs" + query) },
		items: "invocationJobSummaries", token: "nextToken", next: "nextToken", most: maxBatchText * int64(limit),
	}
	q := url.Values{"maxResults": {strconv.Itoa(limit)}, "sortBy": {"CreationTime"}, "sortOrder": {"Descending"}}
	return b.pages(ctx, &jobs, q, pageAfter(after, limit), m.state)
}

// state reads a job (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetModelInvocationJob.html). Its id is the
// last part of its ARN, which the API takes too.
func (m *bedrockBatches) state(text []byte) *batchState {
	str := func(name string) string { s, _ := llm.Text(dialect.Get(text, name)); return string(s) }
	n := func(name string) int64 { return dialect.Int(dialect.Get(text, name)) }
	arn := str("jobArn")
	s := &batchState{
		id: arn[strings.LastIndexByte(arn, '/')+1:], created: seconds(str("submitTime")), finished: seconds(str("endTime")), expires: seconds(str("jobExpirationTime")),
		total: n("totalRecordCount"), succeeded: n("successRecordCount"), failed: n("errorRecordCount"), problem: str("message"), raw: text,
	}
	switch str("status") {
	case "InProgress":
		s.status, s.started = "in_progress", seconds(str("lastModifiedTime"))
	case "Scheduled":
		s.status = "in_progress"
	case "Completed", "PartiallyCompleted":
		s.status = "completed"
	case "Failed":
		s.status = "failed"
	case "Stopping":
		s.status, s.cancelling = "cancelling", seconds(str("lastModifiedTime"))
	case "Stopped":
		s.status = "cancelled"
	case "Expired":
		s.status = "expired"
	default: // Submitted, Validating
		s.status = "validating"
	}
	return s
}

// folder is where the job writes.
func (m *bedrockBatches) folder(b *batches, s *batchState) (string, error) {
	uri, _ := llm.Text(dialect.Get(dialect.Get(dialect.Get(s.raw, "outputDataConfig"), "s3OutputDataConfig"), "s3Uri"))
	folder, ok := m.out.within(strings.TrimRight(string(uri), "/") + "/" + s.id + "/")
	if !ok {
		return "", b.elsewhere(s.id, m.out)
	}
	return folder, nil
}

// count reads the manifest of a job whose counts the API does not tell
// (https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html).
func (m *bedrockBatches) count(ctx context.Context, b *batches, s *batchState) error {
	folder, err := m.folder(b, s)
	if err != nil {
		return err
	}
	in, err := m.out.get(ctx, folder+"manifest.json.out")
	if e := (*llm.Error)(nil); errors.As(err, &e) && e.Kind == llm.KindNotFound {
		return nil // the job ended before it had anything to write
	}
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxBatchText))
	n := func(name string) int64 { return dialect.Int(dialect.Get(text, name)) }
	s.total, s.succeeded, s.failed = n("totalRecordCount"), n("successRecordCount"), n("errorRecordCount")
	return errors.Join(err, in.Close())
}

// results reads the output files, whose lines are in any order.
func (m *bedrockBatches) results(ctx context.Context, b *batches, s *batchState, yield func(*batchResult) error) error {
	folder, err := m.folder(b, s)
	if err != nil {
		return err
	}
	return m.out.results(ctx, folder, func(name string) bool { return strings.HasSuffix(name, ".jsonl.out") }, func(line []byte) error {
		str := func(raw []byte, name string) string { s, _ := llm.Text(dialect.Get(raw, name)); return string(s) }
		r := &batchResult{id: str(line, "recordId"), answer: dialect.Given(dialect.Get(line, "modelOutput"))}
		if r.answer == nil {
			e := dialect.Get(line, "error")
			r.status, r.code, r.message = int(dialect.Int(dialect.Get(e, "errorCode"))), "api_error", str(e, "errorMessage")
			if r.status < 400 || r.status > 599 {
				r.status = 500
			}
		}
		return yield(r)
	})
}

// elsewhere is the error for results that a job of somebody else's wrote.
func (b *batches) elsewhere(id string, k *batchBucket) error {
	return &llm.Error{
		Op: "app.batches", Kind: llm.KindPermission, Type: "permission_error", Provider: b.d.Provider,
		Message: fmt.Sprintf("The results of the batch %s do not lie in %s, which is the place for those of this model.", id, k.uri(k.prefix)),
	}
}
