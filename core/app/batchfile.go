package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

const (
	maxBatchFile = 64 << 20 // bytes of a file that is to become a batch
	filePiece    = 3 << 20  // bytes of it in one object
	maxBatchRows = 50000    // as at OpenAI

	chatPath  = "/v1/chat/completions"
	embedPath = "/v1/embeddings"
)

// batchFile is what is kept of a file beside its pieces.
type batchFile struct {
	Name    string `json:"filename"`
	Bytes   int    `json:"bytes"`
	Created int64  `json:"created_at"`
	Pieces  int    `json:"pieces"`
}

func (f *batchFile) object(id string) []byte {
	w := dialect.Build(nil)
	w.Open('{').Key("id").Quote(id).Key("object").Lit(`"file"`).Key("bytes").Int(int64(f.Bytes)).Key("created_at").Int(f.Created)
	return w.Key("filename").Quote(f.Name).Key("purpose").Lit(`"batch"`).Key("status").Lit(`"processed"`).Close('}').Bytes()
}

func fileKey(id string) string { return "content:" + id }

func pieceKey(id string, n int) string { return fmt.Sprintf("content:%s:%d", id, n) }

// upload keeps a file.
func (b *batches) upload(ctx context.Context, x *llm.Exchange) ([]byte, error) {
	purpose, _ := llm.Text(x.Body.Get("purpose"))
	if string(purpose) != "batch" {
		return nil, b.wrong("purpose", "Files for %s can be batches only: set purpose to batch.", b.d.Provider)
	}
	var raw []byte
	f := batchFile{Created: time.Now().Unix()}
	for _, part := range x.Form.Parts() {
		if part.File && part.Name == "file" {
			raw, f.Name = x.Form.Value(part), part.Filename
		}
	}
	switch {
	case len(raw) == 0:
		return nil, b.wrong("file", "The form holds no file, or an empty one.")
	case len(raw) > maxBatchFile:
		return nil, b.wrong("file", "The file is larger than %d MB, which is the most for a batch at %s: send several.", maxBatchFile>>20, b.d.Provider)
	case !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0:
		return nil, b.wrong("file", "The file is no text in UTF-8.")
	}
	if _, _, err := b.rows(raw); err != nil {
		return nil, err
	}
	made := llm.NewID(x.Start)
	id := "file-" + strings.ReplaceAll(made.String(), "-", "")
	f.Bytes = len(raw)
	for ; len(raw) > 0; f.Pieces++ {
		n := min(filePiece, len(raw))
		for n < len(raw) && !utf8.RuneStart(raw[n]) {
			n--
		}
		if err := b.put(ctx, store.ObjectContent, pieceKey(id, f.Pieces), string(raw[:n])); err != nil {
			return nil, err
		}
		raw = raw[n:]
	}
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return f.object(id), b.put(ctx, store.ObjectContent, fileKey(id), string(text))
}

func (b *batches) put(ctx context.Context, kind store.ObjectKind, id, body string) error {
	return b.a.objects.Put(ctx, &store.Object{ID: id, Kind: kind, Status: "kept", Body: body})
}

// file finds a file that was uploaded.
func (b *batches) file(ctx context.Context, id string) (*batchFile, error) {
	o, err := b.a.objects.Get(ctx, fileKey(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && o.Kind != store.ObjectContent {
		return nil, noFile(id)
	}
	if err != nil {
		return nil, unreadFile(err)
	}
	f := new(batchFile)
	if json.Unmarshal([]byte(o.Body), f) != nil {
		return nil, noFile(id)
	}
	return f, nil
}

func noFile(id string) error {
	return &llm.Error{Op: "app.batches", Kind: llm.KindNotFound, Type: "invalid_request_error", Param: "id", Message: "No such File object: " + id}
}

func unreadFile(err error) error {
	return &llm.Error{Op: "app.batches", Kind: llm.KindUnavailable, Err: err, Message: "The file cannot be read at the moment."}
}

// text is the content of a file that was uploaded.
func (b *batches) text(ctx context.Context, id string) ([]byte, error) {
	f, err := b.file(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, f.Bytes)
	for n := range f.Pieces {
		o, err := b.a.objects.Get(ctx, pieceKey(id, n))
		if errors.Is(err, store.ErrNotFound) {
			return nil, noFile(id)
		}
		if err != nil {
			return nil, unreadFile(err)
		}
		out = append(out, o.Body...)
	}
	return out, nil
}

// fileObject tells of a file: one that was uploaded, or what a batch put out.
func (b *batches) fileObject(ctx context.Context, id string) ([]byte, error) {
	if batch, _, ok := madeBy(id); ok {
		s, err := b.maker.look(ctx, b, batch)
		if err != nil {
			return nil, err
		}
		f := batchFile{Name: id + ".jsonl", Created: max(s.finished, s.created)}
		return dialect.Set(nil, f.object(id), "purpose", []byte(`"batch_output"`))
	}
	f, err := b.file(ctx, id)
	if err != nil {
		return nil, err
	}
	return f.object(id), nil
}

// madeBy is the batch that put a file out.
func madeBy(file string) (batch string, failed, ok bool) {
	if batch, ok = strings.CutPrefix(file, outputFile); ok {
		return batch, false, plainBatch(batch)
	}
	batch, ok = strings.CutPrefix(file, errorFile)
	return batch, true, ok && plainBatch(batch)
}

// forget deletes a file.
func (b *batches) forget(ctx context.Context, id string) ([]byte, error) {
	if _, _, ok := madeBy(id); ok {
		return nil, b.wrong("id", "What a batch has put out lies at %s until it expires there, and cannot be deleted.", b.d.Provider)
	}
	f, err := b.file(ctx, id)
	if err != nil {
		return nil, err
	}
	for n := range f.Pieces {
		if err := b.a.objects.Delete(ctx, pieceKey(id, n)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, unreadFile(err)
		}
	}
	if err := b.a.objects.Delete(ctx, fileKey(id)); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, unreadFile(err)
	}
	return append(llm.AppendQuoted([]byte(`{"id":`), id), `,"object":"file","deleted":true}`...), nil
}

// line is one request of an uploaded file.
type batchLine struct {
	id   string
	body []byte
}

// batchEmbedder is a vendor whose batches can be of embeddings too.
type batchEmbedder interface{ embeds() }

// paths are what the requests of a batch can be for.
func (b *batches) paths() []string {
	if _, ok := b.maker.(batchEmbedder); ok {
		return []string{chatPath, embedPath}
	}
	return []string{chatPath}
}

// offered checks what the requests of a batch are for; "" is a chat.
func (b *batches) offered(path []byte) (string, bool) {
	if len(path) == 0 {
		return chatPath, true
	}
	return string(path), slices.Contains(b.paths(), string(path))
}

// rows reads the lines of a file (https://platform.openai.com/docs/api-reference/batch/request-input). All are for one path.
func (b *batches) rows(text []byte) (rows []batchLine, path string, err error) {
	seen := map[string]bool{}
	number := 0
	for raw := range bytes.Lines(text) {
		number++
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		wrong := func(problem string, args ...any) error {
			return b.wrong("file", "Line %d of the file %s.", number, fmt.Sprintf(problem, args...))
		}
		var o llm.Object
		if err := o.Parse(raw); err != nil {
			return nil, "", wrong("is no JSON object: %v", err)
		}
		id, ok := llm.Text(o.Get("custom_id"))
		url, _ := llm.Text(o.Get("url"))
		to, offered := b.offered(url)
		body := o.Get("body")
		switch {
		case !ok || len(id) == 0:
			return nil, "", wrong("has no custom_id")
		case seen[string(id)]:
			return nil, "", wrong("has the custom_id %q, which is that of an earlier line", id)
		case !offered:
			return nil, "", wrong("is for %s: batches at %s are of %s only", to, b.d.Provider, strings.Join(b.paths(), " or "))
		case path != "" && to != path:
			return nil, "", wrong("is for %s, and an earlier one for %s: a batch is of one of them", to, path)
		case len(body) == 0 || body[0] != '{':
			return nil, "", wrong("has no body")
		case len(rows) == maxBatchRows:
			return nil, "", b.wrong("file", "The file has more than %d requests.", maxBatchRows)
		}
		path = to
		seen[string(id)] = true
		rows = append(rows, batchLine{string(id), body})
	}
	if len(rows) == 0 {
		return nil, "", b.wrong("file", "The file holds no requests.")
	}
	return rows, path, nil
}

// batchMemo is what vendors do not keep of a batch.
type batchMemo struct {
	Input    string          `json:"input"`
	Metadata json.RawMessage `json:"metadata"`
	Requests int64           `json:"requests"`
	Endpoint string          `json:"endpoint,omitempty"` // "" is that of chats
	Counts   *batchCounts    `json:"counts,omitempty"`   // of a batch that has ended, if the vendor does not tell them
}

// path is what the requests were for.
func (m *batchMemo) path() string {
	if m.Endpoint == "" {
		return chatPath
	}
	return m.Endpoint
}

type batchCounts struct{ Total, Succeeded, Failed int64 }

func (b *batches) memoKey(id string) string { return "job:" + b.d.Provider + ":" + id }

func (b *batches) remembered(ctx context.Context, id string) (m batchMemo) {
	o, err := b.a.objects.Get(ctx, b.memoKey(id))
	if err == nil && o.Kind == store.ObjectJob {
		_ = json.Unmarshal([]byte(o.Body), &m) // what cannot be read is as if it had not been kept
	}
	if len(m.Metadata) == 0 {
		m.Metadata = json.RawMessage("null")
	}
	return m
}

// remember keeps what the vendor does not. A batch that it is lost of lacks that, and is otherwise complete.
func (b *batches) remember(ctx context.Context, id string, m *batchMemo) {
	memo, err := json.Marshal(m)
	if err == nil {
		err = b.put(ctx, store.ObjectJob, b.memoKey(id), string(memo))
	}
	if err != nil {
		b.a.log.Warn("what belongs to a batch is not kept", "batch", id, "error", err)
	}
}

// begin begins a batch of a file.
func (b *batches) begin(ctx context.Context, x *llm.Exchange) ([]byte, error) {
	input, _ := llm.Text(x.Body.Get("input_file_id"))
	m := batchMemo{Input: string(input), Metadata: dialect.Copied(dialect.Given(x.Body.Get("metadata")))}
	if id, _, ok := openai.SplitModelID(m.Input); ok {
		m.Input = id
	}
	wanted, _ := llm.Text(x.Body.Get("endpoint"))
	endpoint, ok := b.offered(wanted)
	if !ok {
		return nil, b.wrong("endpoint", "Batches at %s are of %s only.", b.d.Provider, strings.Join(b.paths(), " or "))
	}
	text, err := b.text(ctx, m.Input)
	if err != nil {
		return nil, err
	}
	lines, path, err := b.rows(text)
	switch {
	case err != nil:
		return nil, err
	case len(wanted) > 0 && path != endpoint:
		return nil, b.wrong("endpoint", "The file is of requests for %s, and not for %s.", path, endpoint)
	}
	if m.Endpoint = path; path == chatPath {
		m.Endpoint = ""
	}
	rows := make([]batchRow, len(lines))
	for i, l := range lines {
		body, err := b.translate(path, l.body)
		if err != nil {
			e := *llm.AsError(err)
			e.Kind, e.Message = llm.KindInvalid, fmt.Sprintf("The request %q of the file cannot be made: %s", l.id, openai.Message(&e))
			return nil, &e
		}
		rows[i] = batchRow{id: l.id, path: path, body: body}
	}
	id, err := b.maker.submit(ctx, b, rows, x.ID.String())
	if err != nil {
		return nil, err
	}
	m.Requests = int64(len(rows))
	b.remember(ctx, id, &m)
	return b.tell(ctx, id)
}

// translate is a request as the vendor wants it.
func (b *batches) translate(path string, body []byte) ([]byte, error) {
	var x llm.Exchange
	if err := b.request(&x, path, body); err != nil {
		return nil, err
	}
	if x.Streamed {
		return nil, b.wrong("stream", "a batch has no streams")
	}
	var c llm.Call
	if err := b.lines.Encode(&x, &c); err != nil {
		return nil, err
	}
	return bytes.Join(c.Body, nil), nil
}

// content sends a file: one that was uploaded, or the results of a batch.
func (b *batches) content(ctx context.Context, id string, a *llm.Answer) error {
	batch, failed, ok := madeBy(id)
	if !ok {
		text, err := b.text(ctx, id)
		if err != nil {
			return err
		}
		answered(a, "application/jsonl", io.NopCloser(bytes.NewReader(text)))
		return nil
	}
	s, err := b.maker.look(ctx, b, batch)
	if err != nil {
		return err
	}
	m := b.remembered(ctx, batch)
	asked := batchAsked{path: m.path()}
	if text, err := b.text(ctx, m.Input); err == nil {
		asked.lines, _, _ = b.rows(text)
	}
	in, out := io.Pipe()
	go func() {
		defer func() {
			if v := recover(); v != nil {
				b.a.log.Error("panic while the results of a batch were read; this is a bug", "panic", fmt.Sprint(v))
				_ = out.CloseWithError(errors.New("the results cannot be read"))
			}
		}()
		_ = out.CloseWithError(b.outputs(ctx, s, asked, failed, out))
	}()
	answered(a, "application/jsonl", in)
	return nil
}

// batchAsked is what was asked for in a batch: the requests, as far as they are known.
type batchAsked struct {
	path  string
	lines []batchLine
}

// outputs writes the results that are answers, or those that are not. Requests that a batch did not come to before it ended
// are failures too, of which some vendors say nothing.
func (b *batches) outputs(ctx context.Context, s *batchState, of batchAsked, failed bool, out io.Writer) error {
	asked := make(map[string][]byte, len(of.lines))
	for _, l := range of.lines {
		asked[l.id] = l.body
	}
	seen, n := map[string]bool{}, 0
	write := func(r *batchResult) error {
		n++
		seen[r.id] = true
		if failed != (r.answer == nil) {
			return nil
		}
		_, err := out.Write(b.line(n, r, of.path, asked[r.id]))
		return err
	}
	if err := b.maker.results(ctx, b, s, write); err != nil || !failed || !listener.Ended(s.status) {
		return err
	}
	for _, l := range of.lines {
		if seen[l.id] {
			continue
		}
		if err := write(s.unmade(l.id)); err != nil {
			return err
		}
	}
	return nil
}

// unmade is the result of a request that a batch did not come to.
func (s *batchState) unmade(id string) *batchResult {
	switch {
	case s.status == "cancelled":
		return &batchResult{id: id, code: "batch_cancelled", message: "This request was cancelled before it was executed."}
	case s.status == "expired":
		return &batchResult{id: id, code: "batch_expired", message: "This request could not be executed before the completion window expired."}
	case s.problem != "":
		return &batchResult{id: id, code: "batch_failed", message: openai.Mask(s.problem)}
	}
	return &batchResult{id: id, code: "batch_failed", message: "The batch ended without a result for this request."}
}

// line is a line of the file that a batch puts out (https://platform.openai.com/docs/api-reference/batch/request-output).
func (b *batches) line(n int, r *batchResult, path string, asked []byte) []byte {
	w := dialect.Build(nil)
	w.Open('{').Key("id").Quote(fmt.Sprintf("batch_req_%d", n)).Key("custom_id").Quote(r.id)
	var body []byte
	if r.answer != nil {
		var err error
		if body, err = b.reply(r.answer, path, asked); err != nil { // refused, as by a filter, or nothing that we know
			e := llm.AsError(err)
			r = &batchResult{status: e.HTTPStatus(), code: "api_error", message: openai.Message(e)}
		}
	}
	switch {
	case body != nil:
		w.Key("response").Open('{').Key("status_code").Int(200).Key("request_id").Quote("").Key("body").Raw(body).Close('}').Key("error").Lit("null")
	case r.status > 0:
		w.Key("response").Open('{').Key("status_code").Int(int64(r.status)).Key("request_id").Quote("")
		w.Key("body").Open('{').Key("error").Open('{').Key("message").Quote(r.message).Key("type").Quote(r.code).Key("param").Lit("null").Key("code").Lit("null")
		w.Close('}').Close('}').Close('}').Key("error").Lit("null")
	default:
		w.Key("response").Lit("null").Key("error").Open('{').Key("code").Quote(r.code).Key("message").Quote(r.message).Close('}')
	}
	return append(w.Close('}').Bytes(), '\n')
}

// reply is a vendor's answer as OpenAI's. asked is the request, which some answers are read with.
func (b *batches) reply(answer []byte, path string, asked []byte) ([]byte, error) {
	if asked == nil {
		asked = []byte(`{"messages":[]}`)
	}
	var x llm.Exchange
	if err := b.request(&x, path, asked); err != nil {
		return nil, err
	}
	a := llm.Answer{Status: 200, Size: len(answer), Body: io.NopCloser(bytes.NewReader(answer))}
	a.Header = llm.Header{{Name: []byte("Content-Type"), Value: []byte("application/json")}}
	var r llm.Reply
	if err := b.lines.Decode(&x, &a, &r); err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(bytes.Clone(r.First.Data))
	return body, r.Rest.Close()
}
