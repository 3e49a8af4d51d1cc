// Package printer prints records as lines of JSON, for LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD.
package printer

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/sallyport-ai/sallyport/core/callback"
)

// Sink writes one line for each record. It is a callback.Sink.
type Sink struct {
	w        io.Writer
	messages bool
}

// New makes a sink that writes to w, a batch in one Write. messages says whether what was asked and answered is printed
// too, where a record has it.
func New(w io.Writer, messages bool) *Sink { return &Sink{w, messages} }

// Write implements callback.Sink. It checks ctx before it writes; w itself cannot be interrupted.
func (s *Sink) Write(ctx context.Context, batch []callback.Record) error {
	var b bytes.Buffer
	for i := range batch {
		line, err := batch[i].Payload(s.messages)
		if err != nil {
			return fmt.Errorf("record %s: %w", batch[i].ID, err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := s.w.Write(b.Bytes())
	return err
}
