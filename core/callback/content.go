package callback

import (
	"bytes"
	"context"

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
	var j openai.Joiner
	for chunk := range bytes.SplitSeq(rec.Response, []byte{llm.KeptMark}) {
		if j.Add(chunk) != nil {
			return nil
		}
	}
	whole, err := j.Append(nil)
	switch {
	case err == nil:
		return whole
	case bytes.IndexByte(rec.Response, llm.KeptMark) < 0:
		return rec.Response // it was not streamed after all
	}
	return nil
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
