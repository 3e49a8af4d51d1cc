package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Batches at vendors whose API for them is not OpenAI's. Such a deployment answers requests about files and batches
// itself: it keeps the file that is to become a batch, translates each of its lines into the vendor's request, and writes
// the vendor's results as OpenAI's output file, line by line, when somebody asks for it.

// batchMaker is a vendor's API for batches.
type batchMaker interface {
	// submit begins a batch and returns the vendor's id for it.
	submit(ctx context.Context, b *batches, rows []batchRow, name string) (id string, err error)
	look(ctx context.Context, b *batches, id string) (*batchState, error)
	cancel(ctx context.Context, b *batches, id string) error
	// list returns batches, newest first, that are older than the one with the id after; "" is all.
	list(ctx context.Context, b *batches, after string, limit int) (page []*batchState, more bool, err error)
	// results calls yield with each result until it returns an error, which results returns.
	results(ctx context.Context, b *batches, s *batchState, yield func(*batchResult) error) error
}

// batchRow is one request of a batch, in the vendor's form.
type batchRow struct {
	id   string // custom_id
	body []byte
}

// batchState is what a vendor tells of a batch. Times are Unix seconds, 0 for never.
type batchState struct {
	id, status                                      string // a status of OpenAI's
	created, started, expires, cancelling, finished int64
	total, succeeded, failed                        int64
	raw                                             []byte // as the vendor told it
}

// mostPages is how many pages of a vendor's list are read for one of ours.
const mostPages = 20

// batchPage collects the batches that come after one, of vendors whose pages do not begin at an id.
type batchPage struct {
	after string
	limit int
	found bool
	list  []*batchState
}

func pageAfter(id string, limit int) *batchPage {
	return &batchPage{after: id, limit: limit, found: id == ""}
}

// full takes the next batch of the vendor's list, unless the page is full and this is one more.
func (p *batchPage) full(s *batchState) bool {
	if p.found && len(p.list) == p.limit {
		return true
	}
	if p.found {
		p.list = append(p.list, s)
	}
	p.found = p.found || s.id == p.after
	return false
}

// batchResult is what became of one request: the vendor's answer, or why there is none.
type batchResult struct {
	id            string
	answer        []byte
	status        int // of a refused request; 0 for one that was never made
	code, message string
}

// batches serves requests about files and batches at one deployment, and leaves all others to its endpoint.
type batches struct {
	provider.Endpoint
	a     *App
	d     *llm.Deployment
	maker batchMaker
	none  string // why there are none, in place of maker
}

// batched gives a deployment batches, if its vendor has an API of its own for them. One at an address or with a key of
// the caller's own has none.
func (b *builder) batched(d *llm.Deployment) {
	maker, none := ownBatches(d), noBatches(d)
	endpoint, ok := d.Bound.(provider.Endpoint)
	if maker == nil && none == "" || !ok || d.Mock != "" || strings.HasSuffix(d.ID, ":client") {
		return
	}
	d.Bound = &batches{Endpoint: endpoint, a: b.App, d: d, maker: maker, none: none}
}

// noBatches says why batches of a vendor that has some cannot be made here; "" for all others.
func noBatches(d *llm.Deployment) string {
	switch d.Provider {
	case "bedrock": // https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html
		return "Batches at bedrock read and write files in Amazon S3, and are not made by this gateway. Begin a model invocation job with Amazon's own API."
	case "vertex_ai": // https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini
		return "Batches at vertex_ai read and write files in Cloud Storage or BigQuery, and are not made by this gateway. Begin a batchPredictionJob below /vertex_ai."
	}
	return ""
}

// ownBatches is the API of the vendor; nil if it has OpenAI's, or none.
func ownBatches(d *llm.Deployment) batchMaker {
	switch d.Provider {
	case "anthropic":
		return anthropicBatches{}
	case "gemini":
		return geminiBatches{}
	case "mistral":
		return mistralBatches{}
	}
	return nil
}

// Speaks implements provider.Speaker.
func (b *batches) Speaks(d llm.Dialect) bool {
	s, ok := b.Endpoint.(provider.Speaker)
	return ok && s.Speaks(d)
}

// Encode implements provider.Endpoint.
func (b *batches) Encode(x *llm.Exchange, c *llm.Call) error {
	if !b.serves(x) {
		return b.Endpoint.Encode(x, c)
	}
	if b.none != "" {
		return b.wrong("model", "%s", b.none)
	}
	c.Local = func(ctx context.Context, a *llm.Answer) error { return b.serve(ctx, x, a) }
	return nil
}

// serves reports whether a request is not for the vendor as it is. Mistral has files too, for other purposes.
func (b *batches) serves(x *llm.Exchange) bool {
	if x.Op != llm.OpResource {
		return false
	}
	files := b.d.Provider == "mistral"
	switch x.Call {
	case "acreate_batch", "aretrieve_batch", "acancel_batch", "alist_batches":
		return true
	case "acreate_file":
		purpose, _ := llm.Text(x.Body.Get("purpose"))
		return !files || string(purpose) == "batch"
	case "afile_retrieve", "afile_delete", "afile_content":
		id := strings.TrimPrefix(x.Tail, "/files/")
		return !files || strings.HasPrefix(id, "file-") || strings.HasPrefix(id, outputFile) || strings.HasPrefix(id, errorFile)
	}
	return false
}

// Decode implements provider.Endpoint.
func (b *batches) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if !b.serves(x) {
		return b.Endpoint.Decode(x, a, r)
	}
	if x.Call == "afile_content" {
		return provider.Relay(a, r, 0, nil)
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	if x.Pinned == nil {
		body = openai.WithModelIDs(body, x.Model)
	}
	r.Status, r.First, r.Rest = a.Status, llm.Part{Data: body}, ended{}
	return nil
}

// ended is the rest of a reply that was whole.
type ended struct{}

func (ended) Next(*llm.Part) error { return io.EOF }
func (ended) Close() error         { return nil }

// serve answers a request about files or batches.
func (b *batches) serve(ctx context.Context, x *llm.Exchange, a *llm.Answer) error {
	segments := strings.Split(x.Tail, "/") // "", kind, id, what is asked of it
	id := ""
	if len(segments) > 2 {
		id, _ = url.PathUnescape(segments[2])
	}
	var body []byte
	var err error
	if resourceOf(b.d) {
		return b.wrong("model", "A batch at %[1]s is of one model: name a model group of %[1]s in target_model_names or model when the file is uploaded.", b.d.Provider)
	}
	switch x.Call {
	case "acreate_file":
		body, err = b.upload(ctx, x)
	case "afile_retrieve":
		body, err = b.fileObject(ctx, id)
	case "afile_delete":
		body, err = b.forget(ctx, id)
	case "afile_content":
		return b.content(ctx, id, a)
	case "acreate_batch":
		body, err = b.begin(ctx, x)
	case "acancel_batch":
		if err = b.maker.cancel(ctx, b, id); err == nil {
			body, err = b.tell(ctx, id)
		}
	case "alist_batches":
		body, err = b.listed(ctx, x)
	default:
		body, err = b.tell(ctx, id)
	}
	if err != nil {
		return err
	}
	answered(a, "application/json", io.NopCloser(bytes.NewReader(body)))
	return nil
}

func answered(a *llm.Answer, contentType string, body io.ReadCloser) {
	a.Status, a.Size, a.Body = 200, -1, body
	a.Header = append(a.Header, llm.Field{Name: []byte("Content-Type"), Value: []byte(contentType)})
}

// wrong is the error for a request that the vendor cannot serve.
func (b *batches) wrong(param, format string, args ...any) error {
	return &llm.Error{
		Op: "app.batches", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: param, Provider: b.d.Provider,
		Message: fmt.Sprintf(format, args...),
	}
}

// ask calls the vendor: another path of the API that chats go to, with the same credentials.
func (b *batches) ask(ctx context.Context, method string, path func(chat string) string, body []byte, more ...llm.Field) (io.ReadCloser, error) {
	var x llm.Exchange
	var c llm.Call
	if err := b.chat(&x, []byte(`{"messages":[{"role":"user","content":"x"}],"max_tokens":1}`)); err != nil {
		return nil, err
	}
	if err := b.Endpoint.Encode(&x, &c); err != nil {
		return nil, err
	}
	c.Method, c.Path, c.Body, c.Next = method, []byte(path(string(c.Path))), nil, nil
	if body != nil {
		c.Body = [][]byte{body}
	}
	for _, f := range more {
		c.Head = withoutLine(c.Head, f.Name)
		c.Header = append(c.Header, f)
	}
	c.Timeout, c.Idle = batchPatience, batchPatience
	var a llm.Answer
	if err := b.a.upstream.Do(ctx, &c, &a); err != nil {
		return nil, err
	}
	if a.Status >= 300 {
		var r llm.Reply
		err := b.Endpoint.Decode(&x, &a, &r)
		if err == nil {
			_ = r.Rest.Close()
			err = &llm.Error{Op: "app.batches", Kind: llm.KindBadGateway, Message: fmt.Sprintf("%s answered with status %d.", b.d.Provider, a.Status)}
		}
		return nil, err
	}
	return a.Body, nil
}

// withoutLine is a header block without the lines of a name.
func withoutLine(head, name []byte) []byte {
	var out []byte
	for line := range bytes.Lines(head) {
		if n, _, _ := bytes.Cut(line, []byte(":")); !bytes.EqualFold(n, name) {
			out = append(out, line...)
		}
	}
	return out
}

// batchPatience is how long a vendor may take for one request about a batch, which may hold megabytes.
const batchPatience = 10 * time.Minute

// read is ask for an answer that is one JSON object.
func (b *batches) read(ctx context.Context, method string, path func(string) string, body []byte, most int64, more ...llm.Field) ([]byte, error) {
	in, err := b.ask(ctx, method, path, body, more...)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(in, most))
	if closed := in.Close(); err == nil {
		err = closed
	}
	if text = bytes.TrimSpace(text); err == nil && (len(text) == 0 || text[0] != '{') {
		err = &llm.Error{Op: "app.batches", Kind: llm.KindBadGateway, Message: "The answer of " + b.d.Provider + " is not a JSON object."}
	}
	return text, err
}

// chat makes x a chat with the deployment's model.
func (b *batches) chat(x *llm.Exchange, body []byte) error {
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Method, x.Path = llm.OpChat, "POST", "/v1/chat/completions"
	if err := x.Body.Parse(body); err != nil {
		return err
	}
	if err := openai.Decode(x); err != nil {
		return err
	}
	x.Model, x.Tried = b.d.Group, b.d
	return nil
}

// tell writes what the vendor tells of a batch as OpenAI does (https://platform.openai.com/docs/api-reference/batch/object).
func (b *batches) tell(ctx context.Context, id string) ([]byte, error) {
	if !plainBatch(id) {
		return nil, &llm.Error{Op: "app.batches", Kind: llm.KindNotFound, Message: "There is no batch with the id " + id + "."}
	}
	s, err := b.maker.look(ctx, b, id)
	if err != nil {
		return nil, err
	}
	return b.object(ctx, s), nil
}

// plainBatch reports whether a vendor's id is one segment of a path.
func plainBatch(id string) bool {
	return id != "" && len(id) < 256 && !strings.ContainsAny(id, "/?#%\\ \r\n\x00:") && !strings.Contains(id, "..")
}

const (
	outputFile = "out_" // in front of a batch's id: the answers to its requests
	errorFile  = "err_" // those that have none
)

func (b *batches) object(ctx context.Context, s *batchState) []byte {
	m := b.remembered(ctx, s.id)
	w := dialect.Build(nil)
	w.Open('{').Key("id").Raw(llm.AppendQuoted(nil, s.id)).Key("object").Lit(`"batch"`)
	w.Key("endpoint").Raw(llm.AppendQuoted(nil, chatPath)).Key("errors").Lit("null")
	w.Key("input_file_id").Raw(orNull(m.Input)).Key("completion_window").Lit(`"24h"`).Key("status").Raw(llm.AppendQuoted(nil, s.status))
	over := listener.Ended(s.status)
	w.Key("output_file_id").Raw(orNull(fileOf(outputFile, s.id, over && s.succeeded > 0)))
	w.Key("error_file_id").Raw(orNull(fileOf(errorFile, s.id, over && s.total > s.succeeded)))
	at := func(name string, when int64) {
		if w.Key(name); when == 0 {
			w.Lit("null")
		} else {
			w.Raw(strconv.AppendInt(nil, when, 10))
		}
	}
	at("created_at", s.created)
	at("in_progress_at", s.started)
	at("expires_at", s.expires)
	at("finalizing_at", 0)
	for _, end := range []string{"completed", "failed", "expired"} {
		at(end+"_at", when(s.finished, s.status == end))
	}
	at("cancelling_at", s.cancelling)
	at("cancelled_at", when(s.finished, s.status == "cancelled"))
	w.Key("request_counts").Raw(fmt.Appendf(nil, `{"total":%d,"completed":%d,"failed":%d}`, s.total, s.succeeded, s.failed))
	w.Key("metadata").Raw(m.Metadata)
	return w.Close('}').Bytes()
}

func when(t int64, is bool) int64 {
	if is {
		return t
	}
	return 0
}

func fileOf(prefix, id string, is bool) string {
	if is {
		return prefix + id
	}
	return ""
}

func orNull(s string) []byte {
	if s == "" {
		return []byte("null")
	}
	return llm.AppendQuoted(nil, s)
}

// listed is the list of batches.
func (b *batches) listed(ctx context.Context, x *llm.Exchange) ([]byte, error) {
	const usual, most = 20, 100
	q, err := url.ParseQuery(string(x.Query))
	if err != nil {
		return nil, b.wrong("", "The query cannot be read: %v.", err)
	}
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 || limit > most {
		limit = usual
	}
	after := q.Get("after")
	if id, _, ok := openai.SplitModelID(after); ok {
		after = id
	}
	if after != "" && !plainBatch(after) {
		return nil, b.wrong("after", "after is no id of a batch.")
	}
	page, more, err := b.maker.list(ctx, b, after, limit)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"object":"list","data":[`)
	first, last := []byte("null"), []byte("null")
	for i, s := range page {
		if i > 0 {
			out = append(out, ',')
		} else {
			first = orNull(s.id)
		}
		last = orNull(s.id)
		out = append(out, b.object(ctx, s)...)
	}
	return fmt.Appendf(out, `],"first_id":%s,"last_id":%s,"has_more":%v}`, first, last, more), nil
}
