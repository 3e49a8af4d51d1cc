package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// mistralBatches is Mistral's API for batch jobs (https://docs.mistral.ai/api/#tag/batch and
// https://docs.mistral.ai/capabilities/batch): a file is uploaded, and a job made of it.
type mistralBatches struct{}

// embeds implements batchEmbedder.
func (mistralBatches) embeds() {}

func mistralRoot(more string) func(string) string {
	return func(chat string) string {
		path, _, _ := strings.Cut(chat, "?")
		return strings.TrimSuffix(path, "/chat/completions") + more
	}
}

func (mistralBatches) submit(ctx context.Context, b *batches, rows []batchRow, name string) (string, error) {
	var lines []byte
	for _, r := range rows {
		w := dialect.Build(lines)
		lines = append(w.Open('{').Key("custom_id").Quote(r.id).Key("body").Raw(oneLine(r.body)).Close('}').Bytes(), '\n')
	}
	boundary := "sallyport-" + name
	form := fmt.Appendf(nil, "--%[1]s\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--%[1]s\r\n"+
		"Content-Disposition: form-data; name=\"file\"; filename=\"batch.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n", boundary)
	form = fmt.Appendf(append(form, lines...), "\r\n--%s--\r\n", boundary)
	upload, err := b.read(ctx, "POST", mistralRoot("/files"), form, maxBatchText,
		llm.Field{Name: []byte("Content-Type"), Value: []byte("multipart/form-data; boundary=" + boundary)})
	if err != nil {
		return "", err
	}
	file, _ := llm.Text(dialect.Get(upload, "id"))
	w := dialect.Build(nil)
	w.Open('{').Key("input_files").Open('[').QuoteBytes(file).Close(']').Key("model").Quote(b.d.Model).Key("endpoint").Quote(rows[0].path)
	return b.post(ctx, "Mistral", mistralRoot("/batch/jobs"), w.Close('}').Bytes(), mistralState)
}

func (mistralBatches) look(ctx context.Context, b *batches, id string) (*batchState, error) {
	text, err := b.read(ctx, "GET", mistralRoot("/batch/jobs/"+id), nil, maxBatchText)
	if err != nil {
		return nil, err
	}
	return mistralState(text), nil
}

func (mistralBatches) cancel(ctx context.Context, b *batches, id string) error {
	_, err := b.read(ctx, "POST", mistralRoot("/batch/jobs/"+id+"/cancel"), nil, maxBatchText)
	return err
}

// list reads the vendor's pages, which have numbers, until it has what comes after a batch.
func (mistralBatches) list(ctx context.Context, b *batches, after string, limit int) (page []*batchState, more bool, err error) {
	got := pageAfter(after, limit)
	for n := range mostPages {
		q := url.Values{"page": {strconv.Itoa(n)}, "page_size": {strconv.Itoa(limit)}}
		text, err := b.read(ctx, "GET", mistralRoot("/batch/jobs?"+q.Encode()), nil, maxBatchText*int64(limit))
		if err != nil {
			return nil, false, err
		}
		count := 0
		for list := dialect.Array(dialect.Get(text, "data")); list.Next(); count++ {
			if got.full(mistralState(list.Value())) {
				return got.list, true, nil
			}
		}
		if count < limit {
			return got.list, false, nil
		}
	}
	return got.list, true, nil
}

func mistralState(text []byte) *batchState {
	str := func(name string) string { s, _ := llm.Text(dialect.Get(text, name)); return string(s) }
	n := func(name string) int64 { return dialect.Int(dialect.Get(text, name)) }
	s := &batchState{
		id: str("id"), created: n("created_at"), started: n("started_at"), finished: n("completed_at"), total: n("total_requests"),
		succeeded: n("succeeded_requests"), failed: n("failed_requests"), raw: text,
	}
	switch str("status") {
	case "QUEUED":
		s.status = "validating"
	case "SUCCESS":
		s.status = "completed"
	case "FAILED":
		s.status = "failed"
	case "TIMEOUT_EXCEEDED":
		s.status = "expired"
	case "CANCELLATION_REQUESTED":
		s.status = "cancelling"
	case "CANCELLED":
		s.status = "cancelled"
	default:
		s.status = "in_progress"
	}
	return s
}

// results reads the files that the job put out, whose lines are as in OpenAI's.
func (mistralBatches) results(ctx context.Context, b *batches, s *batchState, yield func(*batchResult) error) error {
	str := func(raw []byte, name string) string { s, _ := llm.Text(dialect.Get(raw, name)); return string(s) }
	for _, name := range []string{"output_file", "error_file"} {
		file := str(s.raw, name)
		if !plainBatch(file) {
			continue
		}
		in, err := b.ask(ctx, "GET", mistralRoot("/files/"+file+"/content"), nil)
		if err != nil {
			return err
		}
		err = eachLine(in, func(line []byte) error {
			r := &batchResult{id: str(line, "custom_id")}
			response := dialect.Get(line, "response")
			body := dialect.Given(dialect.Get(response, "body"))
			if r.status = int(dialect.Int(dialect.Get(response, "status_code"))); body != nil && r.status < 300 {
				r.answer = body
				return yield(r)
			}
			if r.code, r.message = str(body, "type"), str(body, "message"); r.message == "" {
				r.message = str(line, "error")
			}
			if r.message == "" {
				r.message = str(dialect.Get(line, "error"), "message")
			}
			if r.code == "" {
				r.code = "api_error"
			}
			return yield(r)
		})
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}
