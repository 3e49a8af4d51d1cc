package callback_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sallyport-ai/sallyport/core/callback"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	f := func(stream bool, kept, want string) {
		t.Helper()
		rec := callback.Record{Stream: stream, Response: []byte(kept)}
		if got := string(rec.Answer()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(false, `{"id":"x"}`, `{"id":"x"}`)
	f(true, "", "")
	f(true, `{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}`+"\x1e"+`{"id":"x","choices":[{"index":0,"delta":{"content":"b"}}]}`,
		`{"choices":[{"index":0,"message":{"content":"ab"}}],"id":"x"}`)
	f(true, `{"id":"x"}`+"\x1eoops", "")
	// Answers that went out in another dialect.
	f(true, `{"type":"message_start","message":{"id":"m","content":[]}}`+"\x1e"+`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`+
		"\x1e"+`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}`+"\x1e"+`{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`,
		`{"content":[{"text":"hi","type":"text"}],"id":"m","stop_reason":"end_turn"}`)
	f(true, `{"type":"response.created","response":{"id":"r","output":[]}}`+"\x1e"+`{"type":"response.output_text.delta","delta":"x"}`+"\x1e"+`{"type":"response.completed","response":{"id":"r","output":[1]}}`,
		`{"id":"r","output":[1]}`)
	f(true, `{"candidates":[1]}`+"\x1e"+`{"candidates":[2]}`, `[{"candidates":[1]},{"candidates":[2]}]`)
	f(true, `{"type":"message_start","message":{}}`+"\x1eoops", "")
}

type maskFunc func(*callback.Record) error

func (f maskFunc) Mask(_ context.Context, rec *callback.Record) error { return f(rec) }

// A masker that fails costs the texts, not the record.
func TestMasked(t *testing.T) {
	t.Parallel()
	f := func(on []string, err error, want string) {
		t.Helper()
		var got collector
		q := callback.NewQueue(callback.Settings{Sink: &got})
		told := 0
		m := &callback.Masked{
			Maskers: []callback.Masker{maskFunc(func(rec *callback.Record) error {
				rec.Messages = []byte(`"***"`)
				return err
			})},
			Queues: []*callback.Queue{q},
			Failed: func(error) { told++ },
		}
		rec := callback.Record{ID: "1", Messages: []byte(`"secret"`), LoggingOnly: on}
		if err := m.Write(t.Context(), []callback.Record{rec}); err != nil {
			t.Fatal(err)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || string(got[0].Messages) != want || (told == 1) != (err != nil) {
			t.Errorf("got %+v, told %d times, want %s", got, told, want)
		}
	}
	f(nil, nil, `"secret"`)
	f([]string{"g"}, nil, `"***"`)
	f([]string{"g"}, errors.New("no"), "")
}
