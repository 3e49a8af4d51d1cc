package sagemaker

import (
	"errors"
	"io"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
)

// enveloped reports whether an answer comes as an event stream of SageMaker's
// (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html).
func enveloped(h llm.Header) bool {
	return strings.HasPrefix(string(h.Get("content-type")), eventstream.ContentType)
}

// body reads what is inside the envelope: pieces of what the model's server sent, cut anywhere.
type body struct {
	unwrapped
	closer io.Closer
}

func newBody(src io.ReadCloser) *body {
	b := &body{closer: src}
	b.events.Reset(src)
	return b
}

// Close closes the answer.
func (b *body) Close() error {
	b.events.Reset(nil)
	return b.closer.Close()
}

// unwrapped is the content of an event stream. What fails inside is an *llm.Error.
type unwrapped struct {
	events eventstream.Reader
	ev     eventstream.Event
	rest   []byte
	err    error
}

// Read implements io.Reader.
func (u *unwrapped) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		if err := u.events.Next(&u.ev); err != nil {
			u.err = broken(err)
			continue
		}
		if u.ev.Kind != eventstream.KindEvent {
			u.err = refused(&u.ev)
			continue
		}
		u.rest = u.ev.Payload
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func broken(err error) error {
	if errors.Is(err, eventstream.ErrChecksum) || errors.Is(err, eventstream.ErrMalformed) || errors.Is(err, eventstream.ErrTooLong) {
		return &llm.Error{Op: "sagemaker.Decode", Kind: llm.KindBadGateway, Provider: Name, Message: "The stream of sagemaker cannot be read.", Err: err}
	}
	return err
}

// refused is the error for an exception in the stream: ModelStreamError, with a code and the model's words, or
// InternalStreamFailure.
func refused(ev *eventstream.Event) error {
	text, _ := llm.Text(dialect.Get(ev.Payload, "Message"))
	if len(text) == 0 {
		text, _ = llm.Text(dialect.Get(ev.Payload, "message"))
	}
	if len(text) == 0 {
		text = ev.Message
	}
	kind := llm.KindInternal
	if code, _ := llm.Text(dialect.Get(ev.Payload, "ErrorCode")); string(code) == "ModelInvocationTimeExceeded" {
		kind = llm.KindTimeout
	}
	return &llm.Error{
		Op: "sagemaker.Decode", Kind: kind, Provider: Name,
		Message: openai.Mask(string(ev.Type)) + ": " + openai.Mask(string(text[:min(len(text), 4096)])),
	}
}

// frames reads the server-sent events inside the envelope.
type frames struct {
	provider.FrameReader
	inner unwrapped
}

func newFrames(limit int) provider.FrameReader {
	f := &frames{FrameReader: provider.ServerSent().New(limit)}
	f.inner.events.Limit = limit
	return f
}

// Reset implements provider.FrameReader.
func (f *frames) Reset(src io.Reader) {
	f.inner = unwrapped{events: f.inner.events}
	f.inner.events.Reset(src)
	if src == nil {
		f.FrameReader.Reset(nil)
		return
	}
	f.FrameReader.Reset(&f.inner)
}
