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
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
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
	path string // what it is for, the same for all of a batch
	body []byte
}

// batchState is what a vendor tells of a batch. Times are Unix seconds, 0 for never.
type batchState struct {
	id, status                                      string // a status of OpenAI's
	created, started, expires, cancelling, finished int64
	total, succeeded, failed                        int64
	problem                                         string // why the batch failed as a whole
	raw                                             []byte // as the vendor told it
}

// batchCounter is a vendor that may not tell how many requests of a batch have which end.
type batchCounter interface {
	// count looks it up where the vendor has a place for it. What it does not find is counted in the results.
	count(ctx context.Context, b *batches, s *batchState) error
}

// oneLine is a JSON text as a line of a file: line breaks are between its members only.
func oneLine(body []byte) []byte { return bytes.ReplaceAll(body, []byte("\n"), []byte(" ")) }

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
	a      *App
	d      *llm.Deployment
	maker  batchMaker
	none   string            // why there are none, in place of maker
	lines  provider.Endpoint // writes and reads the lines of files, where that is not Endpoint
	target *llm.Target       // where the API for batches is, if not where chats go
}

// batched gives a deployment batches, if its vendor has an API of its own for them. One at an address or with a key of
// the caller's own has none.
func (b *builder) batched(d *llm.Deployment) error {
	endpoint, ok := d.Bound.(provider.Endpoint)
	if !ok || d.Mock != "" || strings.HasSuffix(d.ID, ":client") {
		return nil
	}
	n := &batches{Endpoint: endpoint, a: b.App, d: d, lines: endpoint}
	var err error
	switch d.Provider {
	case "anthropic":
		n.maker = anthropicBatches{}
	case "gemini":
		n.maker = geminiBatches{}
	case "mistral":
		n.maker = mistralBatches{}
	case bedrock.Name, gemini.Vertex:
		err = b.bucketBatcher(d, n)
	}
	if n.maker != nil || n.none != "" {
		d.Bound = n
	}
	return err
}

// bucketBatcher is batched for vendors whose batches lie in buckets. Deployments that serve no chats have none.
func (b *builder) bucketBatcher(d *llm.Deployment, n *batches) error {
	var c llm.Call
	if n.probe(new(llm.Exchange), &c) != nil {
		return nil //nolint:nilerr // what is wrong is told to whoever asks for a chat
	}
	if d.Provider == bedrock.Name {
		return b.bedrockBatcher(d, n, &c)
	}
	return b.vertexBatcher(d, n, &c)
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
	if err := b.probe(&x, &c); err != nil {
		return nil, err
	}
	c.Method, c.Path, c.Body, c.Next = method, []byte(path(string(c.Path))), nil, nil
	if b.target != nil {
		c.Target = b.target
	}
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

// probe is a call for a chat, which has the address and the credentials of the deployment.
func (b *batches) probe(x *llm.Exchange, c *llm.Call) error {
	if err := b.request(x, chatPath, []byte(`{"messages":[{"role":"user","content":"x"}],"max_tokens":1}`)); err != nil {
		return err
	}
	return b.Endpoint.Encode(x, c)
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

// request makes x a request to the deployment's model.
func (b *batches) request(x *llm.Exchange, path string, body []byte) error {
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Method, x.Path = llm.OpChat, "POST", path
	if path == embedPath {
		x.Op = llm.OpEmbedding
	}
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
	m := b.remembered(ctx, id)
	if err := b.counted(ctx, s, &m); err != nil {
		return nil, err
	}
	return b.object(s, &m), nil
}

// counted completes what a vendor tells of a batch with its counts, which are kept, as the results may be large.
func (b *batches) counted(ctx context.Context, s *batchState, m *batchMemo) error {
	counter, ok := b.maker.(batchCounter)
	if !ok || !listener.Ended(s.status) || s.succeeded+s.failed > 0 {
		return nil
	}
	if m.Counts == nil {
		if err := counter.count(ctx, b, s); err != nil {
			return err
		}
		if s.total == 0 {
			err := b.maker.results(ctx, b, s, func(r *batchResult) error {
				if s.total++; r.answer != nil {
					s.succeeded++
				} else {
					s.failed++
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		m.Counts = &batchCounts{Total: s.total, Succeeded: s.succeeded, Failed: s.failed}
		b.remember(ctx, s.id, m)
	}
	return nil
}

// post makes a batch at the vendor with the request body, and returns the id that it has there.
func (b *batches) post(
	ctx context.Context, vendor string, path func(string) string, body []byte, state func([]byte) *batchState,
) (id string, err error) {
	text, err := b.read(ctx, "POST", path, body, maxBatchText)
	if err != nil {
		return "", err
	}
	if id = state(text).id; !plainBatch(id) {
		return "", &llm.Error{Op: "app.batches", Kind: llm.KindBadGateway, Message: vendor + " told no id of the batch."}
	}
	return id, nil
}

// plainBatch reports whether a vendor's id is one segment of a path.
func plainBatch(id string) bool {
	return id != "" && len(id) < 256 && !strings.ContainsAny(id, "/?#%\\ \r\n\x00:") && !strings.Contains(id, "..")
}

const (
	outputFile = "out_" // in front of a batch's id: the answers to its requests
	errorFile  = "err_" // those that have none
)

func (b *batches) object(s *batchState, m *batchMemo) []byte {
	if c := m.Counts; c != nil {
		s.total, s.succeeded, s.failed = c.Total, c.Succeeded, c.Failed
	}
	if s.total == 0 {
		s.total = m.Requests
	}
	w := dialect.Build(nil)
	w.Open('{').Key("id").Raw(llm.AppendQuoted(nil, s.id)).Key("object").Lit(`"batch"`)
	w.Key("endpoint").Raw(llm.AppendQuoted(nil, m.path())).Key("errors")
	if s.problem == "" {
		w.Lit("null")
	} else {
		w.Open('{').Key("object").Lit(`"list"`).Key("data").Open('[').Open('{').Key("code").Lit(`"batch_failed"`)
		w.Key("message").Quote(openai.Mask(s.problem)).Key("param").Lit("null").Key("line").Lit("null").Close('}').Close(']').Close('}')
	}
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
