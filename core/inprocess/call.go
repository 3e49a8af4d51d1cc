package inprocess

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// Request is a request as it would come over HTTP, without HTTP.
type Request struct {
	Path        string      // such as "/v1/embeddings"; with or without /v1
	Body        []byte      // a JSON object, or a form with its ContentType
	ContentType string      // empty is JSON
	Header      http.Header // such as x-litellm-tags; the key is the client's
}

// Response is an answer that was read to its end.
type Response struct {
	Status int
	Header http.Header // of the vendor
	Body   []byte      // of a stream: its events, each a line of JSON
	Meta
}

// Meta is what the gateway knows of an answer besides.
type Meta struct {
	CallID     string
	Group      string // model group that answered
	Deployment string // its id
	Provider   string
	Cost       float64 // US dollars; 0 if no price is known. Complete when the answer was read to its end.
	Retries    int
	Fallbacks  int
	Guardrails []string // that looked at the exchange
}

// Error is why a call failed. Errors of Chat, Stream, Embed and Do are of this type, but for ErrClosed and mistakes in the
// request's own values.
type Error struct {
	Status     int // as HTTP would have it
	Message    string
	Type       string
	Param      string
	Code       string
	RetryAfter time.Duration
	Err        *llm.Error // with the kind
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the gateway's own error.
func (e *Error) Unwrap() error { return e.Err }

func failure(err error) error {
	e := llm.AsError(err)
	if e == nil {
		return nil
	}
	return &Error{e.HTTPStatus(), openai.Message(e), e.Type, e.Param, e.Code, e.RetryAfter, e}
}

// operation is what a path asks for.
func operation(path string) (llm.Operation, bool) {
	switch strings.TrimPrefix(path, "/v1") {
	case "/chat/completions":
		return llm.OpChat, true
	case "/completions":
		return llm.OpCompletion, true
	case "/embeddings":
		return llm.OpEmbedding, true
	case "/moderations":
		return llm.OpModeration, true
	case "/images/generations":
		return llm.OpImage, true
	case "/images/edits":
		return llm.OpImageEdit, true
	case "/images/variations":
		return llm.OpImageVariation, true
	case "/audio/speech":
		return llm.OpSpeech, true
	case "/audio/transcriptions":
		return llm.OpTranscription, true
	case "/audio/translations":
		return llm.OpTranslation, true
	case "/rerank":
		return llm.OpRerank, true
	}
	return llm.OpNone, false
}

// open is a call whose answer has begun.
type open struct {
	g     *Gateway
	x     *llm.Exchange
	reply *llm.Reply
	stop  func() bool // ends the watch over the caller's context
}

// open makes the call.
func (c *Client) open(ctx context.Context, r *Request) (*open, error) {
	op, ok := operation(r.Path)
	if !ok {
		return nil, fmt.Errorf("inprocess: no operation has the path %q: use one such as /v1/chat/completions", r.Path)
	}
	x := new(llm.Exchange)
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Path, x.Method, x.Remote = op, r.Path, http.MethodPost, "127.0.0.1"
	for name, values := range r.Header {
		for _, v := range values {
			if !strings.ContainsAny(name+v, "\r\n") && !strings.EqualFold(name, "Authorization") {
				x.Header = append(x.Header, llm.Field{Name: []byte(name), Value: []byte(v)})
			}
		}
	}
	if c.key != "" {
		x.Header = append(x.Header, llm.Field{Name: []byte("Authorization"), Value: []byte("Bearer " + c.key)})
	}
	if err := decode(x, r); err != nil {
		return nil, failure(err)
	}
	if err := c.g.begin(x); err != nil {
		return nil, err
	}
	o := &open{g: c.g, x: x}
	o.stop = context.AfterFunc(ctx, func() { x.Life.Cancel(context.Cause(ctx)) })
	reply, err := c.g.app.Ask(&x.Life, x)
	if err != nil {
		o.stop()
		c.g.end(x)
		return nil, failure(err)
	}
	o.reply = reply
	return o, nil
}

// decode reads the request into the exchange.
func decode(x *llm.Exchange, r *Request) error {
	body := r.Body
	if llm.IsForm([]byte(r.ContentType)) {
		if err := x.Form.Parse([]byte(r.ContentType), body); err != nil {
			return &llm.Error{Op: "inprocess.decode", Kind: llm.KindInvalid, Message: "The form cannot be read: " + err.Error()}
		}
		x.Header = append(x.Header, llm.Field{Name: []byte("Content-Type"), Value: []byte(r.ContentType)})
		var err error
		if body, err = openai.FormBody(&x.Form); err != nil {
			return err
		}
	}
	if err := x.Body.Parse(body); err != nil {
		return &llm.Error{Op: "inprocess.decode", Kind: llm.KindInvalid, Message: "Invalid JSON payload: " + err.Error()}
	}
	if err := openai.Decode(x); err != nil {
		return err
	}
	return openai.ApplyHeaders(x)
}

// close ends the call and returns what is known of it.
func (o *open) close() Meta {
	m := o.meta()
	if d := o.reply.Deployment; d != nil {
		c, _ := price.Of(d.Price, o.reply.Usage, price.CallOf(o.x, o.reply.Usage))
		m.Cost = c.Total
	}
	_ = o.reply.Rest.Close() // the reply is gone with it
	if m.Cost += o.x.SpentBefore(); o.x.Charged > 0 {
		m.Cost = o.x.Charged
	}
	m.Retries, m.Fallbacks = o.x.Retries, o.x.Fallbacks
	o.stop()
	o.g.end(o.x)
	return m
}

// meta is what is known when an answer begins.
func (o *open) meta() Meta {
	m := Meta{CallID: o.x.ID.String(), Retries: o.x.Retries, Fallbacks: o.x.Fallbacks, Guardrails: append([]string(nil), o.x.Applied...)}
	if d := o.reply.Deployment; d != nil {
		m.Group, m.Deployment, m.Provider = d.Group, d.ID, d.Provider
	}
	return m
}

// Do makes any call and reads the answer to its end. The error is an *Error if the call failed.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	o, err := c.open(ctx, &r)
	if err != nil {
		return nil, err
	}
	out := &Response{Status: o.reply.Status, Header: http.Header{}}
	if out.Status == 0 {
		out.Status = http.StatusOK
	}
	for i := range o.reply.Header {
		out.Header.Add(string(o.reply.Header[i].Name), string(o.reply.Header[i].Value))
	}
	part, broken := o.reply.First, error(nil)
	for {
		out.Body = append(out.Body, part.Data...)
		if o.reply.Streamed && !o.reply.Verbatim && len(part.Data) > 0 {
			out.Body = append(out.Body, '\n')
		}
		if broken = o.reply.Rest.Next(&part); broken != nil {
			break
		}
	}
	out.Meta = o.close()
	if broken != io.EOF { //nolint:errorlint // a stream returns it bare
		return nil, failure(broken)
	}
	out.Body = bytes.TrimRight(out.Body, "\n")
	return out, nil
}
