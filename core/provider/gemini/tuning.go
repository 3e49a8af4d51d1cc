package gemini

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Tuning makes the provider of tuning jobs on Vertex AI
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/projects.locations.tuningJobs), behind
// OpenAI's API for fine-tuning jobs. A deployment is an account, and its model is not looked at.
func Tuning(s Settings) *provider.Translated {
	return stores(s, locate, func(site *provider.Site, project string) (*storage, string) {
		path, problem := gemini.VertexPath(project, gemini.Location(site.Deployment.Setting))
		if site.Root == "" {
			site.Root = "/v1"
		}
		return &storage{path: path + "/tuningJobs"}, problem
	}, &provider.Form{
		Route: func(t *provider.Turn, dst []byte) []byte { return append(dst, t.Site.Own.(*storage).path...) },
		Request: func(t *provider.Turn, dst []byte) ([]byte, error) {
			switch t.Exchange.Call {
			case "acreate_fine_tuning_job":
				return tune(t, dst)
			case "alist_fine_tuning_jobs":
				return nil, listTunings(t)
			case "aretrieve_fine_tuning_job", "acancel_fine_tuning_job":
				return lookAtTuning(t, dst)
			}
			return nil, t.Refuse("fine_tuning_job_id", "is of a job on Vertex AI, which can be made, listed, looked at and cancelled here, and nothing else")
		},
		Answer: func(t *provider.Turn, body, dst []byte) ([]byte, error) {
			if t.Exchange.Call == "alist_fine_tuning_jobs" {
				return tunings(t, body, dst)
			}
			if dialect.Blank(dialect.Get(body, "name")) {
				return nil, t.Garbled("names no tuning job")
			}
			b := dialect.Build(dst)
			appendTuning(&b, body)
			return b.Bytes(), nil
		},
	})
}

// tune writes a job, in the words of the reference (litellm/llms/vertex_ai/fine_tuning/handler.py): files are in Cloud
// Storage, and adapter_size is a hyperparameter. Jobs by preference are those that OpenAI calls dpo.
func tune(t *provider.Turn, dst []byte) ([]byte, error) {
	base, _ := llm.Text(t.Exchange.Body.Get("model"))
	if len(base) == 0 {
		return nil, t.Refuse("model", "must name the model that is tuned")
	}
	spec, method := "supervisedTuningSpec", t.Params.Get("method")
	kind, _ := llm.Text(dialect.Get(method, "type"))
	switch string(kind) {
	case "", "supervised":
	case "dpo":
		spec = "preferenceOptimizationSpec"
	default:
		return nil, t.Refuse("method", "must be supervised or dpo on Vertex AI")
	}
	training, validation := t.Params.Get("training_file"), dialect.Given(t.Params.Get("validation_file"))
	if !inBucket(training) {
		return nil, t.Refuse("training_file", "must be a file in Cloud Storage on Vertex AI, written gs://bucket/file.jsonl")
	}
	if validation != nil && !inBucket(validation) {
		return nil, t.Refuse("validation_file", "must be a file in Cloud Storage on Vertex AI, written gs://bucket/file.jsonl")
	}
	for _, name := range [...]string{"integrations", "seed"} {
		if v := t.Params.Get(name); !dialect.Null(v) && string(v) != "[]" && !t.Drop {
			return nil, t.Refuse(name, "must be left out: Vertex AI has nothing for it")
		}
	}
	b := dialect.Build(dst)
	b.Open('{').Key("baseModel").Quote(strings.TrimPrefix(string(base), Vertex+"/"))
	b.Key(spec).Open('{').Key("trainingDatasetUri").Raw(training).Member("validationDatasetUri", validation)
	if err := hyper(t, &b, t.Params.Get("hyperparameters"), dialect.Get(dialect.Get(method, string(kind)), "hyperparameters")); err != nil {
		return nil, err
	}
	b.Close('}').Member("tunedModelDisplayName", dialect.Given(t.Params.Get("suffix")))
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	return b.Close('}').Bytes(), nil
}

func inBucket(v []byte) bool {
	s, ok := llm.Text(v)
	return ok && strings.HasPrefix(string(s), "gs://")
}

// hyper writes hyperparameters, of the method or of the job. "auto" leaves them to Vertex AI.
func hyper(t *provider.Turn, b *dialect.Builder, lists ...[]byte) error {
	at := b.Len()
	b.Key("hyperParameters").Open('{')
	begun := b.Len()
	for _, list := range lists {
		for c := dialect.Object(list); c.Next(); {
			if dialect.Null(c.Value()) || string(c.Value()) == `"auto"` {
				continue
			}
			switch name := string(c.Key()); name {
			case "n_epochs", "epoch_count", "epochCount":
				b.Key("epochCount").Raw(c.Value())
			case "learning_rate_multiplier", "learningRateMultiplier":
				b.Key("learningRateMultiplier").Raw(c.Value())
			case "adapter_size", "adapterSize":
				b.Key("adapterSize").Raw(adapter(c.Value()))
			case "beta":
				b.Key("beta").Raw(c.Value())
			default:
				if !t.Drop {
					return t.Refuse("hyperparameters", "must not have "+name+": Vertex AI has nothing for it")
				}
			}
		}
	}
	if b.Len() == begun {
		b.Cut(at)
		return nil
	}
	b.Close('}')
	return nil
}

// adapter is the name of a size
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/projects.locations.tuningJobs#AdapterSize).
func adapter(v []byte) []byte {
	for i, name := range [...]string{"ONE", "TWO", "FOUR", "EIGHT", "SIXTEEN", "THIRTY_TWO"} {
		if string(v) == strconv.Itoa(1<<i) {
			return llm.AppendQuoted(nil, "ADAPTER_SIZE_"+name)
		}
	}
	return v
}

// lookAtTuning asks for a job, and has it cancelled before if that is wanted. A job has one id here, its number, because
// whose it is is known by that: its whole name is none.
func lookAtTuning(t *provider.Turn, dst []byte) ([]byte, error) {
	id, cancel := strings.CutSuffix(strings.TrimPrefix(t.Exchange.Tail, "/fine_tuning/jobs/"), "/cancel")
	if !number(id) {
		return nil, t.Refuse("fine_tuning_job_id", "must be a number, as that of a tuning job on Vertex AI is")
	}
	path := string(append(t.Call.Path, "/"+id...))
	if !cancel {
		t.Call.Method, t.Call.Path = http.MethodGet, []byte(path)
		return nil, nil
	}
	t.Call.Path = []byte(path + ":cancel")
	t.Call.Next = func(status int, _ []byte, c *llm.Call) (time.Duration, bool, error) {
		if status >= http.StatusMultipleChoices {
			return 0, false, nil
		}
		c.Method, c.Path, c.Body = http.MethodGet, []byte(path), nil
		return 0, true, nil
	}
	return append(dst, "{}"...), nil
}

const (
	maxTunings     = 100 // of one page, here and there
	maxTuningPages = 50
)

// listTunings asks for jobs. Vertex AI pages by tokens and not by the last job, which is looked for, page by page.
func listTunings(t *provider.Turn) error {
	q, err := url.ParseQuery(string(t.Exchange.Query))
	if err != nil {
		return t.Refuse("after", "is in a query that cannot be read")
	}
	size := 20 // https://platform.openai.com/docs/api-reference/fine-tuning/list
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		size = min(n, maxTunings)
	}
	after := q.Get("after")
	if after != "" {
		size = maxTunings
	}
	first := string(t.Call.Path) + "?pageSize=" + strconv.Itoa(size)
	t.Call.Method, t.Call.Path = http.MethodGet, []byte(first)
	if after == "" {
		return nil
	}
	pages := &tuningPages{turn: t, first: first, after: after}
	t.Call.Next = pages.look
	return nil
}

// tuningPages are asked for until the one that follows a job.
type tuningPages struct {
	turn         *provider.Turn
	first, after string
	found        bool
	asked        int
}

// look is the call's Next.
func (p *tuningPages) look(status int, body []byte, c *llm.Call) (time.Duration, bool, error) {
	token, _ := llm.Text(dialect.Get(body, "nextPageToken"))
	if status >= http.StatusMultipleChoices || p.found {
		return 0, false, nil
	}
	last := ""
	for jobs := dialect.Array(dialect.Get(body, "tuningJobs")); jobs.Next(); {
		last = tuningID(jobs.Value())
		p.found = p.found || last == p.after
	}
	switch p.asked++; {
	case p.found && (last != p.after || len(token) == 0):
		return 0, false, nil
	case len(token) == 0, p.asked > maxTuningPages:
		return 0, false, p.turn.Refuse("after", "must be the id of a tuning job that is listed")
	}
	c.Path, c.Next = []byte(p.first+"&pageToken="+url.QueryEscape(string(token))), p.look
	return 0, true, nil
}

// tunings reads a page of jobs: those behind the one that the request names, or else all.
func tunings(t *provider.Turn, body, dst []byte) ([]byte, error) {
	q, _ := url.ParseQuery(string(t.Exchange.Query))
	limit := 20
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		limit = min(n, maxTunings)
	}
	var jobs [][]byte
	after := q.Get("after")
	c := dialect.Array(dialect.Get(body, "tuningJobs"))
	for c.Next() {
		if jobs = append(jobs, c.Value()); after != "" && tuningID(c.Value()) == after {
			jobs = jobs[:0]
		}
	}
	if dialect.Get(body, "tuningJobs") != nil && c.Broken() {
		return nil, t.Garbled("holds a list that is none")
	}
	more := !dialect.Blank(dialect.Get(body, "nextPageToken")) || len(jobs) > limit
	b := dialect.Build(dst)
	b.Open('{').Key("object").Lit(`"list"`).Key("data").Open('[')
	for i := range jobs[:min(len(jobs), limit)] {
		appendTuning(&b, jobs[i])
	}
	return b.Close(']').Key("has_more").Bool(more).Close('}').Bytes(), nil
}

// tuningID is the number of a job, which is the end of its name.
func tuningID(job []byte) string {
	name, _ := llm.Text(dialect.Get(job, "name"))
	return lastID(string(name))
}

func lastID(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// appendTuning writes a job as OpenAI does (https://platform.openai.com/docs/api-reference/fine-tuning/object). The tuned
// model is the endpoint that answers for it, which litellm_params.model may name.
func appendTuning(b *dialect.Builder, job []byte) {
	spec, method := dialect.Get(job, "supervisedTuningSpec"), "supervised"
	if v := dialect.Get(job, "preferenceOptimizationSpec"); v != nil {
		spec, method = v, "dpo"
	}
	or := func(v []byte) []byte {
		if dialect.Blank(v) {
			return []byte("null")
		}
		return v
	}
	text := func(name string) string { s, _ := llm.Text(dialect.Get(job, name)); return string(s) }
	tuned := dialect.Get(job, "tunedModel")
	model := dialect.Get(tuned, "endpoint")
	if dialect.Blank(model) {
		model = dialect.Get(tuned, "model")
	}
	b.Open('{').Key("id").Quote(tuningID(job)).Key("object").Lit(`"fine_tuning.job"`)
	b.Key("created_at").Int(unix(text("createTime"))).Key("finished_at")
	if at := unix(text("endTime")); at > 0 {
		b.Int(at)
	} else {
		b.Lit("null")
	}
	b.Key("model").Quote(text("baseModel")).Key("fine_tuned_model").Raw(or(model)).Key("organization_id").Lit(`""`)
	b.Key("status").Quote(tuningStatus(text("state"))).Key("training_file").Raw(or(dialect.Get(spec, "trainingDatasetUri")))
	b.Key("validation_file").Raw(or(dialect.Get(spec, "validationDatasetUri"))).Key("result_files").Lit("[]").Key("seed").Lit("0")
	b.Key("trained_tokens")
	if n := tunedTokens(job); n > 0 {
		b.Int(n)
	} else {
		b.Lit("null")
	}
	hyper := tunedWith(dialect.Get(spec, "hyperParameters"))
	b.Key("hyperparameters").Raw(hyper).Key("method").Open('{').Key("type").Quote(method).Key(method).Open('{').Key("hyperparameters").Raw(hyper)
	b.Close('}').Close('}').Key("error")
	if e := dialect.Given(dialect.Get(job, "error")); e != nil {
		b.Open('{').Key("code").Quote(string(dialect.Get(e, "code"))).Key("message").Raw(or(dialect.Get(e, "message"))).Key("param").Lit("null").Close('}')
	} else {
		b.Lit("null")
	}
	b.Key("integrations").Lit("[]").Key("estimated_finish").Lit("null").Close('}')
}

func unix(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// tuningStatus is OpenAI's status for a state (https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState).
func tuningStatus(state string) string {
	switch strings.TrimPrefix(state, "JOB_STATE_") {
	case "SUCCEEDED", "PARTIALLY_SUCCEEDED":
		return "succeeded"
	case "FAILED", "EXPIRED":
		return "failed"
	case "CANCELLED":
		return "cancelled"
	case "RUNNING", "CANCELLING", "UPDATING", "PAUSED":
		return "running"
	}
	return "queued"
}

// tunedWith are the hyperparameters of a job in OpenAI's words. Numbers of 64 bits are strings at Google.
func tunedWith(hyper []byte) []byte {
	b := dialect.Build(nil)
	b.Open('{').Key("n_epochs")
	if n := wide(dialect.Get(hyper, "epochCount")); n > 0 {
		b.Int(n)
	} else {
		b.Lit(`"auto"`)
	}
	for _, p := range [...][2]string{{"learningRateMultiplier", "learning_rate_multiplier"}, {"adapterSize", "adapter_size"}, {"beta", "beta"}} {
		b.Member(p[1], dialect.Given(dialect.Get(hyper, p[0])))
	}
	return b.Close('}').Bytes()
}

func wide(v []byte) int64 {
	if s, ok := llm.Text(v); ok {
		v = s
	}
	return dialect.Int(v)
}

// tunedTokens is how many tokens a job was charged for.
func tunedTokens(job []byte) int64 {
	stats := dialect.Get(job, "tuningDataStats")
	for _, name := range [...]string{"supervisedTuningDataStats", "preferenceOptimizationDataStats"} {
		if n := wide(dialect.Get(dialect.Get(stats, name), "totalBillableTokenCount")); n > 0 {
			return n
		}
	}
	return 0
}
