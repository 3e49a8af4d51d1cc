package provider

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Relay makes r the answer a as it is: status, header, and the body in the pieces in which it comes. What the answer
// says about its usage is in r.Usage once it was read to its end. settle, if it is not nil, is then called with all that
// was found, and may complete r. An answer of more than limit bytes breaks off with llm.KindTooLarge; 0 is no limit.
//
// Like Decode it owns a.Body, and has closed it when it returns an error.
func Relay(a *llm.Answer, r *llm.Reply, limit int64, settle func(r *llm.Reply, f *usage.Found)) error {
	d := relays.Get().(*relay)
	d.body, d.left, d.limited, d.r, d.settle = a.Body, limit, limit > 0, r, settle
	d.meter.Reset(a.Header.Get("Content-Type"))
	if d.limited && int64(a.Size) > limit {
		_ = d.Close()
		return tooLarge()
	}
	r.Status, r.Verbatim, r.Streamed, r.Header = a.Status, true, a.Streamed, a.Header
	r.Began, r.Rest = a.FirstByte, d
	if err := d.Next(&r.First); err != nil && err != io.EOF { //nolint:errorlint // a source returns io.EOF bare
		r.Rest = nil
		_ = d.Close()
		return err
	}
	return nil
}

// Sound relays an answer that is not read here, such as speech or the text of a transcription, once it was seen that it
// can be one: that it is no page of a portal on the way, not compressed, and no stream unless one was asked for. For
// speech it must not be empty either, and no JSON; a transcription of silence is empty. The error names the vendor.
func Sound(vendor string, x *llm.Exchange, a *llm.Answer, r *llm.Reply, limit int64, settle func(r *llm.Reply, f *usage.Found)) error {
	fault := notSound(x, a)
	if fault == "" {
		if err := Relay(a, r, limit, settle); err != nil {
			return err
		}
		if fault = notFirst(x, r.First.Data); fault == "" {
			return nil
		}
		_ = r.Rest.Close()
		r.First, r.Rest = llm.Part{}, nil
	} else {
		_ = a.Body.Close()
	}
	return &llm.Error{Op: "provider.Sound", Kind: llm.KindBadGateway, Provider: vendor, Message: "The answer of " + vendor + " " + fault + "."}
}

// notSound is what is wrong with the header of the answer.
func notSound(x *llm.Exchange, a *llm.Answer) string {
	kind, packed := a.Header.Get("Content-Type"), a.Header.Get("Content-Encoding")
	switch {
	case len(packed) > 0 && !llm.EqualFold(packed, "identity"):
		return "is compressed, which was not asked for"
	case hasPrefixFold(kind, "text/html"):
		return "is an HTML page"
	case a.Streamed && !asksStream(x):
		return "is a stream, which was not asked for"
	case x.Op == llm.OpSpeech && hasPrefixFold(kind, "application/json"):
		return "is JSON and no speech"
	}
	return ""
}

// notFirst is what is wrong with the first piece of the answer.
func notFirst(x *llm.Exchange, piece []byte) string {
	text := bytes.TrimSpace(piece)
	switch {
	case len(text) == 0 && (x.Op == llm.OpSpeech || asksStream(x)):
		return "is empty"
	case hasPrefixFold(text, "<!doctype html"), hasPrefixFold(text, "<html"):
		return "is an HTML page"
	}
	return ""
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(borrowed(b[:len(prefix)]), prefix)
}

// asksStream reports whether the caller wants events: https://platform.openai.com/docs/api-reference/images and
// https://platform.openai.com/docs/api-reference/audio. A field of a form is a text.
func asksStream(x *llm.Exchange) bool {
	switch string(x.Body.Get("stream")) {
	case "true", `"true"`, `"True"`:
		return true
	}
	return x.Streamed || string(x.Body.Get("stream_format")) == `"sse"`
}

func tooLarge() error {
	return &llm.Error{Op: "provider.Relay", Kind: llm.KindTooLarge, Message: "Response size is too large"}
}

// relay is the stream of an answer: pieces of its body as they arrive.
type relay struct {
	body    io.ReadCloser
	left    int64
	limited bool
	ended   bool
	r       *llm.Reply
	settle  func(*llm.Reply, *usage.Found)
	meter   usage.Meter
	buf     [16 << 10]byte
}

var relays = sync.Pool{New: func() any { return new(relay) }}

// Next implements llm.Stream.
func (d *relay) Next(p *llm.Part) error {
	for !d.ended {
		n, err := d.body.Read(d.buf[:])
		if n > 0 {
			if d.limited {
				if d.left -= int64(n); d.left < 0 {
					return tooLarge()
				}
			}
			d.meter.Write(d.buf[:n])
			*p = llm.Part{Data: d.buf[:n]}
			return nil
		}
		if err == io.EOF { //nolint:errorlint // a source returns io.EOF bare
			d.ended = true
		} else if err != nil {
			return err
		}
	}
	d.finish()
	return io.EOF
}

// finish says what the answer has told, once.
func (d *relay) finish() {
	if d.r == nil {
		return
	}
	r := d.r
	d.r = nil
	r.Usage = d.meter.End()
	if d.settle != nil {
		d.settle(r, &d.meter.Found)
	}
}

// Close implements llm.Stream. What came before the answer broke off counts.
func (d *relay) Close() error {
	d.finish()
	err := d.body.Close()
	d.meter.Reset(nil)
	d.body, d.settle, d.ended = nil, nil, false
	relays.Put(d)
	return err
}
