package upstream

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// maxPointer is the greatest length of an answer that c.Next is asked about.
const maxPointer = 64 << 20

// follow asks c.Next about an answer, and makes the call that it wants in place of it. lines is how many header lines the
// call had before it was signed: it is signed anew.
func (cl *Client) follow(ctx context.Context, c *llm.Call, a *llm.Answer, lines int) error {
	body, err := io.ReadAll(io.LimitReader(a.Body, maxPointer+1))
	if err == nil && len(body) > maxPointer {
		err = &llm.Error{Op: "upstream.Do", Kind: llm.KindBadGateway, Message: "The answer is too long."}
	}
	next := c.Next
	c.Next = nil
	var wait time.Duration
	again := false
	if err == nil {
		c.Seen = a.Header
		wait, again, err = next(a.Status, body, c)
		c.Seen = nil
	}
	if err != nil {
		_ = a.Body.Close()
		return err
	}
	if !again {
		a.Body = &read{Reader: bytes.NewReader(body), body: a.Body}
		return nil
	}
	_ = a.Body.Close()
	began := a.Began
	c.Header = c.Header[:lines]
	a.Reset()
	if err := pause(ctx, wait); err != nil {
		return err
	}
	if err := cl.Do(ctx, c, a); err != nil {
		return err
	}
	a.Began = began
	return nil
}

// read is a body that has been read already.
type read struct {
	*bytes.Reader
	body io.Closer
}

// Close implements io.Closer.
func (r *read) Close() error { return r.body.Close() }

func pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &llm.Error{Op: "upstream.Do", Kind: llm.KindCanceled, Err: ctx.Err(), Message: "The caller left."}
	}
}
