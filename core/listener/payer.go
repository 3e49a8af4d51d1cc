package listener

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Payer records what batches cost when they have ended.
type Payer interface {
	// Pays reports whether there is a place for the record.
	Pays() bool
	// Settle records the batches that a file belongs to, under any of its ids, if they have ended. It returns those that
	// have not.
	Settle(ctx context.Context, files []string) (unpaid []Unpaid, err error)
}

// Unpaid is a batch whose cost is not known yet.
type Unpaid struct{ ID, Status string }

// owe keeps a batch that was made under the vendor's own id until it has ended and is paid for. Nobody pays for one that
// was made with a key of the caller's own.
func (c *session) owe() error {
	x, r := &c.x, c.reply
	if c.s.Payer == nil || !c.s.Payer.Pays() || r.Deployment == nil || x.Body.Index("api_key") >= 0 {
		return nil
	}
	body, err := c.wholeReply()
	if err != nil {
		return err
	}
	b := ManagedBatch{
		Deployment: r.Deployment.ID, Batch: vendorsID(textOf(body, "id")), Group: x.Model, Input: vendorsID(textOf(body, "input_file_id")),
		Object: []byte("null"),
	}
	if b.Batch == "" {
		return nil
	}
	b.paidBy(x.Principal)
	name := openai.UnifiedBatch{Deployment: b.Deployment, Batch: b.Batch}.String()
	return c.keepManaged(store.ObjectBatch, name, textOf(body, "status"), true, b)
}

// paidFor refuses the deletion of a file while what a batch of it costs is not known: without it that may never be. The
// words are those of the reference (litellm_enterprise/proxy/hooks/managed_files.py, _check_file_deletion_allowed).
func (s *Server) paidFor(x *llm.Exchange, name string, ids []string) error {
	if s.Payer == nil || !s.Payer.Pays() {
		return nil
	}
	unpaid, err := s.Payer.Settle(&x.Life, ids)
	if err != nil {
		return &llm.Error{
			Op: "listener.paidFor", Kind: llm.KindUnavailable, Err: err, Message: "Whether a batch needs the file cannot be looked up at the moment.",
		}
	}
	if len(unpaid) == 0 {
		return nil
	}
	var told []string
	for _, b := range unpaid[:min(5, len(unpaid))] {
		told = append(told, b.ID+": "+b.Status)
	}
	return &llm.Error{
		Op: "listener.paidFor", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "file_id",
		Message: fmt.Sprintf("Cannot delete file %s. The file is referenced by %d batch(es) in non-terminal state: %s. "+
			"Wait for them to complete, or cancel them first: what they cost could not be recorded without the file.",
			name, len(unpaid), strings.Join(told, ", ")),
	}
}
