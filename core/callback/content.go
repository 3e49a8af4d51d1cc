package callback

import (
	"bytes"
	"context"
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// MaxContent is the length from which answers are left out of records.
const MaxContent = 1 << 20

// Answer is the answer as one JSON document, joined if it was streamed; nil if there is none. It decodes a streamed one,
// so it is for those who write records, not for those who make them.
func (rec *Record) Answer() []byte {
	if len(rec.Response) == 0 || !rec.Stream || rec.Joined {
		return rec.Response
	}
	whole, err := joined(bytes.Split(rec.Response, []byte{llm.KeptMark}))
	switch {
	case err == nil:
		return whole
	case bytes.IndexByte(rec.Response, llm.KeptMark) < 0:
		return rec.Response // it was not streamed after all
	}
	return nil
}

// joined makes one document of the parts of a stream, whose dialect the first part tells.
func joined(parts [][]byte) ([]byte, error) {
	kind, _ := llm.Text(dialect.Get(parts[0], "type"))
	switch {
	case string(kind) == "message_start":
		return joinMessage(parts)
	case bytes.HasPrefix(kind, []byte("response.")):
		for i := len(parts) - 1; i >= 0; i-- {
			if whole := dialect.Get(parts[i], "response"); whole != nil {
				return whole, nil
			}
		}
		return nil, errPart
	case dialect.Get(parts[0], "candidates") != nil: // Google's chunks are answers in themselves
		return append(append([]byte{'['}, bytes.Join(parts, []byte{','})...), ']'), nil
	}
	var j openai.Joiner
	for _, chunk := range parts {
		if err := j.Add(chunk); err != nil {
			return nil, err
		}
	}
	return j.Append(nil)
}

var errPart = errors.New("a part of the answer cannot be read")

func joinMessage(parts [][]byte) ([]byte, error) {
	var j anthropic.Joiner
	var e anthropic.Event
	for _, data := range parts {
		if !anthropic.ScanEvent(data, &e) {
			return nil, errPart
		}
		if err := j.Add(&e); err != nil {
			return nil, err
		}
	}
	return j.Append(nil)
}

// Masker changes what a record says before it is written anywhere, such as a guardrail in mode logging_only.
type Masker interface {
	// Mask may change rec.Messages and rec.Response, by giving them other bytes. Response is whole when it is called.
	// After an error both are left out of the record.
	Mask(ctx context.Context, rec *Record) error
}

// Masked is a sink that has records masked and puts them into queues. It stands in front of all sinks that get what was
// asked and answered.
type Masked struct {
	Maskers []Masker
	Queues  []*Queue
	Failed  func(error) // told why a record's texts are left out; may be nil
}

// Write implements Sink.
func (m *Masked) Write(ctx context.Context, batch []Record) error {
	for i := range batch {
		rec := batch[i]
		m.mask(ctx, &rec)
		for _, q := range m.Queues {
			q.Put(&rec)
		}
	}
	return nil
}

func (m *Masked) mask(ctx context.Context, rec *Record) {
	if len(rec.LoggingOnly) == 0 || len(rec.Messages)+len(rec.Response) == 0 {
		return
	}
	rec.Response, rec.Joined = rec.Answer(), true
	for _, masker := range m.Maskers {
		if err := masker.Mask(ctx, rec); err != nil {
			rec.Messages, rec.Response = nil, nil
			if m.Failed != nil {
				m.Failed(err)
			}
			return
		}
	}
}
