package app

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// anthropicBatches is Anthropic's Message Batches API (https://docs.anthropic.com/en/api/creating-message-batches and the
// pages beside it).
type anthropicBatches struct{}

func anthropicPath(more string) func(string) string {
	return func(chat string) string {
		path, query, _ := strings.Cut(chat, "?")
		if query != "" && strings.Contains(more, "?") {
			return path + "/batches" + more + "&" + query
		}
		if query != "" {
			return path + "/batches" + more + "?" + query
		}
		return path + "/batches" + more
	}
}

func (anthropicBatches) submit(ctx context.Context, b *batches, rows []batchRow, _ string) (string, error) {
	w := dialect.Build(nil)
	w.Open('{').Key("requests").Open('[')
	for _, r := range rows {
		if !anthropicID(r.id) {
			return "", b.wrong("file", "The custom_id %q is none for Anthropic: 1 to 64 letters, digits, hyphens and underscores.", r.id)
		}
		w.Open('{').Key("custom_id").Quote(r.id).Key("params").Raw(r.body).Close('}')
	}
	return b.post(ctx, "Anthropic", anthropicPath(""), w.Close(']').Close('}').Bytes(), anthropicState)
}

// anthropicID reports whether a custom_id can be sent to Anthropic (same pages).
func anthropicID(id string) bool {
	for _, c := range []byte(id) {
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

func (anthropicBatches) look(ctx context.Context, b *batches, id string) (*batchState, error) {
	text, err := b.read(ctx, "GET", anthropicPath("/"+id), nil, maxBatchText)
	if err != nil {
		return nil, err
	}
	return anthropicState(text), nil
}

func (anthropicBatches) cancel(ctx context.Context, b *batches, id string) error {
	_, err := b.read(ctx, "POST", anthropicPath("/"+id+"/cancel"), nil, maxBatchText)
	return err
}

func (anthropicBatches) list(ctx context.Context, b *batches, after string, limit int) (page []*batchState, more bool, err error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		q.Set("after_id", after)
	}
	text, err := b.read(ctx, "GET", anthropicPath("?"+q.Encode()), nil, maxBatchText*int64(limit))
	if err != nil {
		return nil, false, err
	}
	for list := dialect.Array(dialect.Get(text, "data")); list.Next(); {
		page = append(page, anthropicState(list.Value()))
	}
	return page, string(dialect.Get(text, "has_more")) == "true", nil
}

// anthropicState reads a message batch.
func anthropicState(text []byte) *batchState {
	str := func(name string) string { s, _ := llm.Text(dialect.Get(text, name)); return string(s) }
	counts := dialect.Get(text, "request_counts")
	n := func(name string) int64 { return dialect.Int(dialect.Get(counts, name)) }
	s := &batchState{
		id: str("id"), created: seconds(str("created_at")), started: seconds(str("created_at")), expires: seconds(str("expires_at")),
		cancelling: seconds(str("cancel_initiated_at")), finished: seconds(str("ended_at")), raw: text,
		succeeded: n("succeeded"), failed: n("errored") + n("expired") + n("canceled"),
	}
	s.total = s.succeeded + s.failed + n("processing")
	switch str("processing_status") {
	case "canceling":
		s.status = "cancelling"
	case "ended":
		s.status = "completed"
		if s.cancelling > 0 {
			s.status = "cancelled"
		} else if s.succeeded == 0 && n("expired") > 0 {
			s.status = "expired"
		}
	default:
		s.status = "in_progress"
	}
	return s
}

// seconds is a time in RFC 3339 as Unix seconds; 0 for anything else.
func seconds(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// results reads the results as lines of JSON (https://docs.anthropic.com/en/api/retrieving-message-batch-results).
func (anthropicBatches) results(ctx context.Context, b *batches, s *batchState, yield func(*batchResult) error) error {
	in, err := b.ask(ctx, "GET", anthropicPath("/"+s.id+"/results"), nil)
	if err != nil {
		return err
	}
	return errors.Join(eachLine(in, func(line []byte) error {
		str := func(raw []byte, name string) string { s, _ := llm.Text(dialect.Get(raw, name)); return string(s) }
		result := dialect.Get(line, "result")
		r := &batchResult{id: str(line, "custom_id")}
		switch str(result, "type") {
		case "succeeded":
			r.answer = dialect.Get(result, "message")
		case "expired":
			r = (&batchState{status: "expired"}).unmade(r.id)
		case "canceled":
			r = (&batchState{status: "cancelled"}).unmade(r.id)
		default:
			e := dialect.Get(result, "error")
			if inner := dialect.Get(e, "error"); len(inner) > 0 {
				e = inner
			}
			r.code, r.message = str(e, "type"), str(e, "message")
			r.status = anthropicStatus(r.code)
		}
		return yield(r)
	}), in.Close())
}

// anthropicStatus is the status of an error that came without one (https://docs.anthropic.com/en/api/errors).
func anthropicStatus(kind string) int {
	switch kind {
	case "invalid_request_error":
		return 400
	case "authentication_error":
		return 401
	case "permission_error":
		return 403
	case "not_found_error":
		return 404
	case "request_too_large":
		return 413
	case "rate_limit_error":
		return 429
	case "overloaded_error":
		return 529
	}
	return 500
}

// eachLine calls fn with the lines of a text that are JSON objects.
func eachLine(in io.Reader, fn func([]byte) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxBatchLine)
	for lines.Scan() {
		if line := lines.Bytes(); len(line) > 0 && line[0] == '{' {
			if err := fn(line); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}
