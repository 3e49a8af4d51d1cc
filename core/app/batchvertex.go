package app

import (
	"context"
	"encoding/base32"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/gcs"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// vertexBatches are the batch prediction jobs of Vertex AI, which read and write files in Cloud Storage, for Google's models
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-from-cloud-storage), Claude
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/batch) and open models
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/capabilities/batch-prediction).
type vertexBatches struct {
	bucket *batchBucket
	model  string // as the API wants it
	maker  string // google, anthropic, or the maker of an open model
}

// vertexFiles is the folder of the reference (litellm/litellm_core_utils/cloud_storage_security.py).
const vertexFiles = "litellm-vertex-files/"

// vertexBatcher makes the maker of a deployment's batches, or says why there are none. chat is a call of the deployment.
func (b *builder) vertexBatcher(d *llm.Deployment, n *batches, chat *llm.Call) error {
	path := string(chat.Path)
	m := &vertexBatches{}
	root, publisher, ok := strings.Cut(path, "/publishers/")
	switch {
	case ok:
		name, _, _ := strings.Cut(publisher, ":")
		m.maker, _, _ = strings.Cut(name, "/")
		name, _ = url.PathUnescape(name)
		m.model = "publishers/" + name
	case strings.Contains(path, "/endpoints/openapi/"):
		root, _, _ = strings.Cut(path, "/endpoints/")
		maker, model, _ := strings.Cut(d.Model, "/")
		m.maker, m.model = maker, "publishers/"+maker+"/models/"+model
	}
	bucket := d.Setting("gcs_bucket_name")
	if bucket == "" {
		bucket = b.cfg.Env().Get("GCS_BUCKET_NAME")
	}
	switch {
	case m.model == "" || !strings.Contains(root, "/projects/") || m.maker == "mistralai" || m.maker == "ai21":
		n.none = "Batches at vertex_ai are of models of Google, Claude and open models in a project, and not of this one: begin a batchPredictionJob below /vertex_ai."
		return nil
	case bucket == "":
		n.none = "Batches at vertex_ai read and write files in Cloud Storage: name the bucket in litellm_params.gcs_bucket_name or GCS_BUCKET_NAME."
		return nil
	}
	name, prefix, err := bucketName(bucket, "gs")
	var api *gcs.API
	emulator := b.cfg.Env().Get("STORAGE_EMULATOR_HOST")
	if err == nil {
		api, err = gcs.New(name, emulator)
	}
	if err != nil {
		return &provider.SettingError{Group: d.Group, Setting: "gcs_bucket_name", Problem: "cannot be used: " + err.Error()}
	}
	m.bucket = &batchBucket{vendor: d.Provider, scheme: "gs", name: name, prefix: prefix, api: api, target: api.Target(), signer: chat.Signer, a: b.App}
	if emulator != "" { // it asks for no token
		m.bucket.signer = nil
	}
	if n.maker = m; vertexEmbeds(d.Model) {
		n.maker = vertexEmbeddings{m}
	}
	return nil
}

// jobs is the path of the API for jobs of the deployment's project.
func (m *vertexBatches) jobs(more string) func(string) string {
	return func(chat string) string {
		root, _, ok := strings.Cut(chat, "/publishers/")
		if !ok {
			root, _, _ = strings.Cut(chat, "/endpoints/")
		}
		return root + "/batchPredictionJobs" + more
	}
}

// submit writes the requests into the bucket and begins a job
// (https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs).
func (m *vertexBatches) submit(ctx context.Context, b *batches, rows []batchRow, name string) (string, error) {
	var lines []byte
	for _, r := range rows {
		body, err := m.row(b, r)
		if err != nil {
			return "", err
		}
		lines = append(append(lines, body...), '\n')
	}
	return m.begin(ctx, b, name, m.bucket.prefix+vertexFiles+m.model+"/"+name, lines)
}

// begin writes the lines of a batch beside its folder, and begins the job.
func (m *vertexBatches) begin(ctx context.Context, b *batches, name, folder string, lines []byte) (string, error) {
	if err := m.bucket.put(ctx, folder+".jsonl", lines); err != nil {
		return "", err
	}
	w := dialect.Build(nil)
	w.Open('{').Key("displayName").Quote("sallyport-" + name).Key("model").Quote(m.model)
	w.Key("inputConfig").Open('{').Key("instancesFormat").Quote("jsonl").Key("gcsSource").Open('{').Key("uris").Open('[').Quote(m.bucket.uri(folder + ".jsonl")).Close(']').Close('}').Close('}')
	w.Key("outputConfig").Open('{').Key("predictionsFormat").Quote("jsonl").Key("gcsDestination").Open('{').Key("outputUriPrefix").Quote(m.bucket.uri(folder)).Close('}').Close('}')
	return b.post(ctx, "Vertex AI", m.jobs(""), w.Close('}').Bytes(), vertexState)
}

// row is a line of the input. Lines of Google's models have no place for an id but labels, so that is where the reference
// writes it (litellm/llms/vertex_ai/files/transformation.py), and where it is read again.
func (m *vertexBatches) row(b *batches, r batchRow) ([]byte, error) {
	w := dialect.Build(nil)
	w.Open('{')
	switch m.maker {
	case "google":
		labels, err := vertexLabels(r.id, dialect.Get(r.body, "labels"))
		if err != nil {
			return nil, b.wrong("file", "The custom_id %q is none for Vertex AI: %v.", r.id, err)
		}
		body, err := dialect.Set(nil, r.body, "labels", labels)
		if err != nil {
			return nil, err
		}
		w.Key("request").Raw(oneLine(body))
	case "anthropic":
		w.Key("custom_id").Quote(r.id).Key("request").Raw(oneLine(r.body))
	default:
		w.Key("custom_id").Quote(r.id).Key("method").Quote("POST").Key("url").Quote(chatPath).Key("body").Raw(oneLine(r.body))
	}
	return w.Close('}').Bytes(), nil
}

const (
	maxLabel   = 63 // characters of a label's value (https://docs.cloud.google.com/resource-manager/docs/labels-overview)
	maxLabels  = 64
	labelID    = "litellm_custom_id_raw"
	labelStart = "b32_" // in front of each piece
)

// labelText is how an id is written in labels, which have small letters, digits, underscores and hyphens only.
func labelText() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// vertexLabels are the request's own labels and those that hold an id.
func vertexLabels(id string, given []byte) ([]byte, error) {
	w := dialect.Build(nil)
	w.Open('{')
	count := 0
	for c := dialect.Object(given); c.Next(); count++ {
		w.Member(string(c.Key()), c.Value())
	}
	text := strings.ToLower(labelText().EncodeToString([]byte(id)))
	for i := 0; len(text) > 0; i++ {
		n := min(len(text), maxLabel-len(labelStart))
		key := labelID
		if i > 0 {
			key += "_" + strconv.Itoa(i)
		}
		w.Key(key).Quote(labelStart + text[:n])
		text = text[n:]
		count++
	}
	if count > maxLabels {
		return nil, fmt.Errorf("a request has at most %d labels, with those that hold its id", maxLabels)
	}
	return w.Close('}').Bytes(), nil
}

// labelled reads the id again.
func labelled(labels []byte) string {
	var text string
	for i := range maxLabels {
		key := labelID
		if i > 0 {
			key += "_" + strconv.Itoa(i)
		}
		piece, _ := llm.Text(dialect.Get(labels, key))
		p, ok := strings.CutPrefix(string(piece), labelStart)
		if !ok {
			break
		}
		text += p
	}
	id, err := labelText().DecodeString(strings.ToUpper(text))
	if err != nil {
		return ""
	}
	return string(id)
}

func (m *vertexBatches) look(ctx context.Context, b *batches, id string) (*batchState, error) {
	text, err := b.read(ctx, "GET", m.jobs("/"+id), nil, maxBatchText)
	if err != nil {
		return nil, err
	}
	return vertexState(text), nil
}

func (m *vertexBatches) cancel(ctx context.Context, b *batches, id string) error {
	_, err := b.read(ctx, "POST", m.jobs("/"+id+":cancel"), []byte("{}"), maxBatchText)
	return err
}

func (m *vertexBatches) list(ctx context.Context, b *batches, after string, limit int) (page []*batchState, more bool, err error) {
	jobs := vendorList{path: m.jobs, items: "batchPredictionJobs", token: "pageToken", next: "nextPageToken", most: maxBatchText * int64(limit)}
	return b.pages(ctx, &jobs, url.Values{"pageSize": {strconv.Itoa(limit)}}, pageAfter(after, limit), vertexState)
}

// vertexState reads a job.
func vertexState(text []byte) *batchState {
	str := func(raw []byte, name string) string { s, _ := llm.Text(dialect.Get(raw, name)); return string(s) }
	stats := dialect.Get(text, "completionStats")
	n := func(name string) int64 { return max(googleInt(dialect.Get(stats, name)), 0) } // -1 is not known
	name := str(text, "name")
	s := &batchState{
		id: name[strings.LastIndexByte(name, '/')+1:], status: googleStatus(str(text, "state")), created: seconds(str(text, "createTime")),
		started: seconds(str(text, "startTime")), finished: seconds(str(text, "endTime")), succeeded: n("successfulCount"),
		failed: n("failedCount") + n("incompleteCount"), problem: str(dialect.Get(text, "error"), "message"), raw: text,
	}
	s.total = s.succeeded + s.failed
	if s.status == "cancelling" {
		s.cancelling = seconds(str(text, "updateTime"))
	}
	return s
}

// count finds nothing: counts that are not in the job are nowhere else.
func (m *vertexBatches) count(context.Context, *batches, *batchState) error { return nil }

// folder is where the output files of a job are; "" for one that ended before it had anything to write.
func (m *vertexBatches) folder(b *batches, s *batchState) (string, error) {
	uri, _ := llm.Text(dialect.Get(dialect.Get(s.raw, "outputInfo"), "gcsOutputDirectory"))
	if len(uri) == 0 {
		return "", nil
	}
	folder, ok := m.bucket.within(strings.TrimRight(string(uri), "/") + "/")
	if !ok {
		return "", b.elsewhere(s.id, m.bucket)
	}
	return folder, nil
}

// results reads the output files of a job, of which there may be several, in any order.
func (m *vertexBatches) results(ctx context.Context, b *batches, s *batchState, yield func(*batchResult) error) error {
	folder, err := m.folder(b, s)
	if err != nil || folder == "" {
		return err
	}
	results := func(name string) bool {
		return strings.HasPrefix(name, "prediction") && !strings.Contains(name, "error")
	}
	return m.bucket.results(ctx, folder, results, func(line []byte) error { return yield(vertexResult(line)) })
}

// vertexResult reads a line of the output. One that failed has a status, which is a text.
func vertexResult(line []byte) *batchResult {
	str := func(raw []byte, name string) string { s, _ := llm.Text(dialect.Get(raw, name)); return string(s) }
	r := &batchResult{id: str(line, "custom_id"), code: "vertex_ai_error", message: str(line, "status")}
	if r.id == "" {
		r.id = labelled(dialect.Get(dialect.Get(line, "request"), "labels"))
	}
	answer := dialect.Given(dialect.Get(line, "response"))
	if body := dialect.Given(dialect.Get(answer, "body")); body != nil { // of an open model
		r.status = int(dialect.Int(dialect.Get(answer, "status_code")))
		answer = body
	}
	e := dialect.Given(dialect.Get(answer, "error"))
	switch {
	case e != nil:
		if r.message = str(e, "message"); str(e, "type") != "" {
			r.code = str(e, "type")
		}
	case r.message == "" && r.status < 400 && len(answer) > len("{}"):
		r.answer = answer
	case r.message == "":
		r.message = "The model gave no answer."
	}
	return r
}
