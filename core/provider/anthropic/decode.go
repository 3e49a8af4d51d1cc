package anthropic

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// Decode implements provider.Endpoint. The model in the answer becomes the name that the caller asked for, unless a
// fallback answers: then the caller sees who did, as with the reference.
//
// A vendor that answers whole although a stream was asked for, or the other way round, is translated.
func (e *endpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	r.Status, r.Header, r.Deployment, r.Began = a.Status, a.Header, e.d, a.FirstByte
	switch {
	case a.Status < 200 || a.Status > 299:
		return e.refused(a)
	case x.AsNative, counts(x):
		return e.decodeNative(x, a, r)
	case a.Streamed && x.Streamed:
		return e.decodeStream(x, a, r)
	}
	return e.decodeWhole(x, a, r)
}

// maxRefusal is how much of a refusal is read, in bytes.
const maxRefusal = 64 << 10

// refused makes an error of an answer that is none, and closes it.
func (e *endpoint) refused(a *llm.Answer) error {
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	defer w.Close()
	// What could be read of the text is better than nothing, so an error of the connection does not count here.
	_ = w.read(0, maxRefusal)
	return e.classify(a.Status, w.in, a.Header)
}

// decodeWhole reads an answer to its end.
func (e *endpoint) decodeWhole(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	if err := e.fillWhole(w, x, a, r); err != nil {
		w.Close()
		return err
	}
	if x.Streamed {
		return e.streamWhole(w, x, r)
	}
	r.First, r.Rest = llm.Part{Data: w.out}, w
	return nil
}

func (e *endpoint) fillWhole(w *whole, x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	var m anthropic.Message
	if err := e.readWhole(w, a, &m); err != nil {
		return err
	}
	r.Usage, r.Finish = m.Usage.Tokens(), w.write(e, x, &m)
	return nil
}

// readWhole reads a message to its end, and scans it. A stream that nobody asked for is joined.
func (e *endpoint) readWhole(w *whole, a *llm.Answer, m *anthropic.Message) error {
	if int64(a.Size) > e.p.s.MaxResponse {
		return e.tooLarge()
	}
	if err := w.read(a.Size, e.p.s.MaxResponse); err != nil {
		return e.broken(err)
	}
	if a.Streamed || bytes.HasPrefix(w.in, []byte("event:")) || bytes.HasPrefix(w.in, []byte("data:")) {
		if err := e.joinEvents(w, a.Header); err != nil {
			return err
		}
	}
	if !anthropic.ScanMessage(w.in, m) {
		return e.garbled("The answer of " + Name + " is not a JSON object.")
	}
	if m.Error != nil {
		return e.classify(a.Status, w.in, a.Header)
	}
	if m.Content == nil {
		return e.garbled("The answer of " + Name + " is not a message: it has no content.")
	}
	return nil
}

// model is the model's name in an answer, as JSON. vendor is the one that the vendor gave.
func (e *endpoint) appendModel(dst []byte, x *llm.Exchange, vendor []byte) []byte {
	if x.Fallbacks == 0 && x.Model != "" {
		return llm.AppendQuoted(dst, x.Model)
	}
	if vendor == nil {
		return append(dst, e.model...)
	}
	return append(dst, vendor...)
}

// joinEvents makes one answer of a stream that nobody asked for.
func (e *endpoint) joinEvents(w *whole, h llm.Header) error {
	var (
		events sse.Reader
		event  sse.Event
		ev     anthropic.Event
		j      anthropic.Joiner
		ended  bool
	)
	events.Limit = int(min(e.p.s.MaxResponse, defaultMaxResponse))
	events.Reset(bytes.NewReader(w.in))
	for {
		err := events.Next(&event)
		if err == io.EOF || err == io.ErrUnexpectedEOF && len(event.Data) == 0 { //nolint:errorlint // Next returns them bare
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF { //nolint:errorlint // likewise
			return e.broken(err)
		}
		if !anthropic.ScanEvent(event.Data, &ev) {
			return e.notEvent()
		}
		if ev.Kind == anthropic.Failure {
			return e.classify(200, event.Data, h)
		}
		ended = ended || ev.StopReason != nil
		if err := j.Add(&ev); err != nil {
			return e.unreadable(err)
		}
	}
	if !ended {
		return e.broken(io.ErrUnexpectedEOF)
	}
	joined, err := j.Append(nil)
	if err != nil {
		return e.unreadable(err)
	}
	w.in = joined
	return nil
}

func (e *endpoint) unreadable(err error) error {
	return e.garbled("The stream of " + Name + " cannot be read: " + err.Error() + ".")
}

func (e *endpoint) notEvent() error {
	return e.garbled("The stream of " + Name + " holds an event that is not a JSON object.")
}

// broken is the error for an answer that could not be read to its end. Errors of the transport pass; they are made to
// name the vendor.
func (e *endpoint) broken(err error) error {
	if errors.Is(err, errTooLarge) || errors.Is(err, sse.ErrTooLong) {
		return e.tooLarge()
	}
	f := llm.AsError(err)
	if f.Kind == llm.KindInternal && f.Op == "" {
		f = &llm.Error{Op: "anthropic.Decode", Kind: llm.KindConnection, Err: err, Message: "The connection broke during the answer."}
	}
	if f.Provider == "" && f.Kind.Vendor() {
		f.Provider = Name
	}
	return f
}

func (e *endpoint) tooLarge() error {
	return &llm.Error{Op: "anthropic.Decode", Kind: llm.KindTooLarge, Message: "Response size is too large", Provider: Name}
}

func (e *endpoint) garbled(msg string) error {
	return &llm.Error{Op: "anthropic.Decode", Kind: llm.KindBadGateway, Provider: Name, Message: msg}
}

// classify is the vendor's refusal as an error, without the deployment's key in it. The types are those of
// https://platform.claude.com/docs/en/api/errors; the classes are the reference's
// (litellm/litellm_core_utils/exception_mapping_utils.py): an overload is an InternalServerError, a request that is too
// large a BadRequestError.
func (e *endpoint) classify(status int, body []byte, h llm.Header) *llm.Error {
	err := openai.Classify(status, Name, body, h)
	err.Op = "anthropic.Classify"
	if key := e.d.APIKey; len(key) > 3 {
		err.Message = strings.ReplaceAll(err.Message, key, "***")
	}
	words := strings.ToLower(err.Message)
	switch {
	case strings.Contains(words, "prompt is too long"), strings.Contains(words, "prompt: length"):
		err.Kind, err.Status = llm.KindContextWindow, 0
	case strings.Contains(words, "content filtering policy"):
		err.Kind, err.Status = llm.KindContentPolicy, 0
	case err.Type == "overloaded_error" || status == 529:
		err.Kind, err.Status = llm.KindInternal, 0
	case err.Type == "request_too_large" || status == 413:
		err.Kind, err.Status = llm.KindBadRequest, 0
	case err.Type == "timeout_error":
		err.Kind, err.Status = llm.KindTimeout, 0
	case err.Type == "billing_error":
		err.Kind, err.Status = llm.KindBadRequest, 402
	}
	for _, f := range h {
		if forwardable(f.Name) {
			err.Header = append(err.Header, llm.Header{f}.Clone()...)
		}
	}
	return err
}

// forwardable reports whether the caller gets a header of a refused call besides those that all vendors share: what is
// left of the limits (https://platform.claude.com/docs/en/api/rate-limits#response-headers), and the id to ask the
// vendor about.
func forwardable(name []byte) bool {
	const limit = "anthropic-ratelimit-"
	return len(name) > len(limit) && llm.EqualFold(name[:len(limit)], limit) || llm.EqualFold(name, "request-id")
}
