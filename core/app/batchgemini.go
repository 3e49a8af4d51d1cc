package app

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// geminiBatches is the batch mode of the Gemini API (https://ai.google.dev/api/batch-api), with requests and responses in
// line.
type geminiBatches struct{}

// maxInline is how large a batch with its requests in line may be (https://ai.google.dev/gemini-api/docs/batch-api).
const maxInline = 20 << 20

// geminiRoot is what stands in front of "/models/NAME:generateContent" in a path.
func geminiRoot(more string) func(string) string {
	return func(chat string) string {
		root, _, _ := strings.Cut(chat, "/models/")
		return root + more
	}
}

func (geminiBatches) submit(ctx context.Context, b *batches, rows []batchRow, name string) (string, error) {
	method := ":batchGenerateContent"
	w := dialect.Build(nil)
	w.Open('{').Key("batch").Open('{').Key("displayName").Quote(name)
	if rows[0].path == embedPath {
		method = ":asyncBatchEmbedContent"
		w.Key("model").Quote("models/" + strings.TrimPrefix(b.d.Model, "models/"))
	}
	w.Key("inputConfig").Open('{').Key("requests").Open('{').Key("requests").Open('[')
	for _, r := range rows {
		if r.path == embedPath {
			var err error
			if r.body, err = oneEmbedding(b, r); err != nil {
				return "", err
			}
		}
		w.Open('{').Key("request").Raw(r.body).Key("metadata").Open('{').Key("key").Quote(r.id).Close('}').Close('}')
	}
	body := w.Close(']').Close('}').Close('}').Close('}').Close('}').Bytes()
	if len(body) > maxInline {
		return "", b.wrong("file", "The batch is larger than %d MB, which is the most for requests in line at Gemini: send several.", maxInline>>20)
	}
	path := func(chat string) string {
		chat, _, _ = strings.Cut(chat, "?")
		return strings.TrimSuffix(chat, ":generateContent") + method
	}
	return b.post(ctx, "Gemini", path, body, geminiState)
}

// embeds implements batchEmbedder.
func (geminiBatches) embeds() {}

// oneEmbedding is the request of a line for embeddings: that of one text, as a batch has an answer for each
// (https://ai.google.dev/api/embeddings#v1beta.models.asyncBatchEmbedContent).
func oneEmbedding(b *batches, r batchRow) ([]byte, error) {
	list := dialect.Array(dialect.Get(r.body, "requests"))
	if !list.Next() {
		return nil, b.wrong("input", "The request %q of the file has no text.", r.id)
	}
	one := list.Value()
	if list.Next() {
		return nil, b.wrong("input", "The request %q of the file has several texts: in batches at gemini each has one.", r.id)
	}
	return one, nil
}

// embedded makes the answer for one text that of a call for several, which is what is read elsewhere.
func embedded(answer []byte) []byte {
	one := dialect.Get(answer, "embedding")
	if one == nil {
		return answer
	}
	w := dialect.Build(nil)
	w.Open('{').Key("embeddings").Open('[').Raw(one).Close(']').Member("usageMetadata", dialect.Get(answer, "usageMetadata"))
	return w.Close('}').Bytes()
}

func (geminiBatches) look(ctx context.Context, b *batches, id string) (*batchState, error) {
	text, err := b.read(ctx, "GET", geminiRoot("/batches/"+id), nil, maxInline*8) // responses come along
	if err != nil {
		return nil, err
	}
	return geminiState(text), nil
}

func (geminiBatches) cancel(ctx context.Context, b *batches, id string) error {
	_, err := b.read(ctx, "POST", geminiRoot("/batches/"+id+":cancel"), []byte("{}"), maxBatchText)
	return err
}

func (geminiBatches) list(ctx context.Context, b *batches, after string, limit int) (page []*batchState, more bool, err error) {
	operations := vendorList{
		path:  func(query string) func(string) string { return geminiRoot("/batches" + query) },
		items: "operations", token: "pageToken", next: "nextPageToken", most: maxInline * 8,
	}
	return b.pages(ctx, &operations, url.Values{"pageSize": {strconv.Itoa(limit)}}, pageAfter(after, limit), geminiState)
}

// geminiState reads an operation whose metadata is a batch.
func geminiState(text []byte) *batchState {
	meta := dialect.Get(text, "metadata")
	str := func(raw []byte, name string) string { s, _ := llm.Text(dialect.Get(raw, name)); return string(s) }
	stats := dialect.Get(meta, "batchStats")
	n := func(name string) int64 { return googleInt(dialect.Get(stats, name)) }
	s := &batchState{
		id: strings.TrimPrefix(str(text, "name"), "batches/"), created: seconds(str(meta, "createTime")), finished: seconds(str(meta, "endTime")),
		total: n("requestCount"), succeeded: n("successfulRequestCount"), failed: n("failedRequestCount"), raw: text,
	}
	s.started = s.created
	if s.status = googleStatus(str(meta, "state")); s.status == "validating" {
		s.started = 0
	}
	return s
}

// googleStatus is the status for a state of BatchState (same page), or of Vertex AI's JobState, whose names begin otherwise
// (https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState).
func googleStatus(state string) string {
	switch _, state, _ = strings.Cut(state, "_STATE_"); state {
	case "PENDING", "QUEUED", "UNSPECIFIED", "":
		return "validating"
	case "SUCCEEDED", "PARTIALLY_SUCCEEDED":
		return "completed"
	case "FAILED":
		return "failed"
	case "CANCELLED":
		return "cancelled"
	case "CANCELLING":
		return "cancelling"
	case "EXPIRED":
		return "expired"
	}
	return "in_progress"
}

// googleInt reads a number of Google's, which is a string in JSON if it has 64 bits.
func googleInt(raw []byte) int64 {
	if s, ok := llm.Text(raw); ok {
		raw = s
	}
	return dialect.Int(raw)
}

// results reads the responses, which come with the batch.
func (geminiBatches) results(_ context.Context, _ *batches, s *batchState, yield func(*batchResult) error) error {
	str := func(raw []byte, name string) string { s, _ := llm.Text(dialect.Get(raw, name)); return string(s) }
	for list := dialect.Array(geminiResponses(s.raw)); list.Next(); {
		item := list.Value()
		r := &batchResult{id: str(dialect.Get(item, "metadata"), "key"), answer: dialect.Given(dialect.Get(item, "response"))}
		if r.answer != nil {
			r.answer = embedded(r.answer)
		} else {
			e := dialect.Get(item, "error")
			r.code, r.message = str(e, "status"), str(e, "message")
			if r.status = grpcStatus(dialect.Int(dialect.Get(e, "code"))); r.code == "" {
				r.code = "api_error"
			}
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// geminiResponses is the list of responses of a batch that has ended: in the operation's response, and in its metadata.
func geminiResponses(text []byte) []byte {
	for _, holder := range [][]byte{dialect.Get(text, "response"), dialect.Get(dialect.Get(text, "metadata"), "output")} {
		if list := dialect.Get(dialect.Get(holder, "inlinedResponses"), "inlinedResponses"); len(list) > 0 {
			return list
		}
	}
	return nil
}

// grpcStatus is the HTTP status of a code of google.rpc.Status
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
func grpcStatus(code int64) int {
	switch code {
	case 3, 9, 11:
		return 400
	case 16:
		return 401
	case 7:
		return 403
	case 5:
		return 404
	case 8:
		return 429
	case 1:
		return 499
	case 14:
		return 503
	case 4:
		return 504
	}
	return 500
}
