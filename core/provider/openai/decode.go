package openai

import (
	"bytes"
	"errors"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// Decode implements provider.Endpoint. The answer's bytes stay as they are, but for the model, which becomes the name
// that the caller asked for, unless a fallback answers: then the caller sees who did, as with the reference.
//
// A vendor that answers whole although a stream was asked for, or the other way round, is translated. Once warm, and
// otherwise, Decode and Next of what it returns allocate nothing.
func (e *endpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	r.Status, r.Header, r.Deployment, r.Began = a.Status, a.Header, e.d, a.FirstByte
	switch {
	case a.Socket != nil:
		return e.decodeRealtime(a, r)
	case a.Status < 200 || a.Status > 299:
		return e.refused(a)
	case x.AsNative && x.Op == llm.OpChat, ofResponses(x):
		return e.decodeResponse(x, a, r)
	case further(x.Op):
		return e.decodeFurther(x, a, r)
	case a.Streamed && x.Streamed && x.Op.Streams():
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
	return e.classify(a.Status, w.bytes(), a.Header)
}

// classify is the vendor's refusal as an error, without the deployment's key in it.
func (e *endpoint) classify(status int, body []byte, h llm.Header) *llm.Error {
	err := openai.Classify(status, e.p.s.Name, body, h)
	if key := e.d.APIKey; len(key) > 3 {
		err.Message = strings.ReplaceAll(err.Message, key, "***")
	}
	return err
}

// decodeWhole reads an answer to its end.
func (e *endpoint) decodeWhole(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	if err := e.fillWhole(w, x, a, r); err != nil {
		w.Close()
		return err
	}
	if x.Streamed && x.Op.Streams() {
		return e.streamWhole(w, x, r)
	}
	r.First, r.Rest = llm.Part{Data: w.bytes()}, w
	return nil
}

func (e *endpoint) fillWhole(w *whole, x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if int64(a.Size) > e.p.s.MaxResponse {
		return e.tooLarge()
	}
	if err := w.read(a.Size, e.p.s.MaxResponse); err != nil {
		return e.broken(err)
	}
	if a.Streamed || bytes.HasPrefix(w.bytes(), []byte("data:")) {
		if err := e.joinEvents(w); err != nil {
			return err
		}
	}
	s, ok := openai.Scan(w.bytes())
	if !ok {
		return e.garbled("The answer of " + e.p.s.Name + " is not a JSON object.")
	}
	if !s.Answered && (s.ErrorAt.End > 0 || openai.Coded(w.bytes())) {
		return e.classify(a.Status, w.bytes(), a.Header)
	}
	r.Usage, r.Finish = s.Usage, s.Finish
	if r.Usage.Searches == 0 && searching(x, e.d) && cited(w.bytes()) {
		r.Usage.Searches = 1
	}
	if x.Fallbacks == 0 && x.Model != "" {
		w.setModel(s.Model, x.Model)
	}
	return nil
}

// broken is the error for an answer that could not be read to its end. Errors of the transport pass; they are made to
// name the vendor.
func (e *endpoint) broken(err error) error {
	if errors.Is(err, errTooLarge) || errors.Is(err, sse.ErrTooLong) {
		return e.tooLarge()
	}
	f := llm.AsError(err)
	if f.Kind == llm.KindInternal && f.Op == "" {
		f = &llm.Error{Op: "openai.Decode", Kind: llm.KindConnection, Err: err, Message: "The connection broke during the answer."}
	}
	if f.Provider == "" && f.Kind.Vendor() {
		f.Provider = e.p.s.Name
	}
	return f
}

func (e *endpoint) tooLarge() error {
	return &llm.Error{Op: "openai.Decode", Kind: llm.KindTooLarge, Message: "Response size is too large", Provider: e.p.s.Name}
}

func (e *endpoint) garbled(msg string) error {
	return &llm.Error{Op: "openai.Decode", Kind: llm.KindBadGateway, Provider: e.p.s.Name, Message: msg}
}
