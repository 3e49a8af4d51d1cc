package listener

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Responses in the background (https://platform.openai.com/docs/guides/background), for vendors that do not make them:
// the caller gets a response at once and asks for it again, at any replica, until it is done.

const (
	maxLater     = 1024             // responses made in the background at once
	workBeat     = 5 * time.Second  // how often whoever works on a response says so, and looks whether it is still wanted
	workLost     = 30 * time.Second // after which silence means that nobody works on it
	keepPatience = 3 * time.Second
)

// work is the responses made in the background by this process.
type work struct {
	mu    sync.Mutex
	all   map[string]context.CancelCauseFunc
	ended sync.WaitGroup
	stops bool
}

var (
	errCancelled = errors.New("the response was cancelled")
	errStops     = errors.New("the gateway stops")
)

// begin notes a response; it is false if there are too many, or the gateway stops.
func (w *work) begin(id string, cancel context.CancelCauseFunc) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stops || len(w.all) >= maxLater {
		return false
	}
	if w.all == nil {
		w.all = map[string]context.CancelCauseFunc{}
	}
	w.all[id] = cancel
	w.ended.Add(1)
	return true
}

func (w *work) end(id string) {
	w.mu.Lock()
	delete(w.all, id)
	w.mu.Unlock()
	w.ended.Done()
}

// stop cancels one that this process works on.
func (w *work) stop(id string) {
	w.mu.Lock()
	cancel := w.all[id]
	w.mu.Unlock()
	if cancel != nil {
		cancel(errCancelled)
	}
}

// wind waits for those under way until ctx ends, and cuts the rest short.
func (w *work) wind(ctx context.Context) {
	w.mu.Lock()
	w.stops = true
	w.mu.Unlock()
	done := make(chan struct{})
	go func() {
		w.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	w.mu.Lock()
	for _, cancel := range w.all {
		cancel(errStops)
	}
	w.mu.Unlock()
	<-done
}

// respond returns the handler of POST /responses.
func (s *Server) respond(f *responsesFront, path string) fasthttp.RequestHandler {
	now := s.ask(f, path)
	return func(ctx *fasthttp.RequestCtx) {
		if bytes.Contains(ctx.Request.Body(), []byte(`"background"`)) && s.makesLater(ctx.Request.Body()) {
			s.respondLater(ctx, f, path)
			return
		}
		now(ctx)
	}
}

// makesLater reports whether the body asks for a response in the background that the vendor does not make.
func (s *Server) makesLater(body []byte) bool {
	var o llm.Object
	if o.Parse(body) != nil || string(o.Get("background")) != "true" {
		return false
	}
	model, _ := llm.Text(o.Get("model"))
	return !s.Gateway.Speaks(string(model), llm.DialectResponses)
}

// respondLater answers with a response that is in progress, and goes on to make it.
func (s *Server) respondLater(ctx *fasthttp.RequestCtx, f *responsesFront, path string) {
	c := s.open(ctx, llm.OpChat, path)
	c.front = f
	j, err := c.later(ctx, f, path)
	if err != nil {
		c.fail(ctx, err)
		return
	}
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(j.answer)
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(fasthttp.StatusOK, nil)
	c.release()
	go j.run()
}

// job is one response that is made in the background.
type job struct {
	s      *Server
	f      *responsesFront
	id     string
	path   string
	remote string
	model  string
	ask    fasthttp.Request
	input  []byte
	items  []byte // what was said up to here
	answer []byte // the response while it is in progress
	life   context.Context
	cancel context.CancelCauseFunc
}

// later prepares the work: everything that can be wrong with the request is found before it is answered.
func (c *session) later(ctx *fasthttp.RequestCtx, f *responsesFront, path string) (*job, error) {
	s, x := c.s, &c.x
	if err := c.decodeNative(ctx, ""); err != nil {
		return nil, err
	}
	switch {
	case x.Streamed:
		return nil, invalidMember("stream", "cannot be combined with `background` for this model: ask for the response by its id until it is done")
	case string(x.Native.Get("store")) == "false":
		return nil, invalidMember("store", "must not be false with `background`: the response could not be fetched")
	}
	if err := s.Gateway.Authenticate(&x.Life, x); err != nil {
		return nil, err
	}
	if x.Admit != nil {
		if err := x.Admit(x); err != nil {
			return nil, err
		}
	}
	if !s.Gateway.Knows(x.Model) {
		return nil, &llm.Error{Op: "listener.later", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "model", Message: "There is no model " + x.Model + "."}
	}
	if err := replaceMember(&x.Native, "background", []byte("false")); err != nil {
		return nil, invalidJSON(err)
	}
	if err := x.Chat(); err != nil {
		return nil, err
	}
	if x.Lost != nil {
		return nil, x.Lost
	}
	j := &job{s: s, f: f, id: newResponseID(x), path: path, remote: x.Remote, model: x.Model, input: inputItems(x.Native.Get("input"))}
	earlier, err := f.earlier(x)
	if err != nil {
		return nil, err
	}
	j.items = joinItems(earlier, j.input)
	v := responses.Voice{ID: j.id, Ask: &x.Native, Now: x.Start, Stored: true, Later: true}
	j.answer = v.Pending("in_progress", x.Model)
	ctx.Request.CopyTo(&j.ask)
	j.ask.SetBody(x.Native.Raw())
	j.ask.Header.Del("X-Litellm-Call-Id")
	return j, j.begin(x)
}

// begin keeps the response as one that is in progress.
func (j *job) begin(x *llm.Exchange) error {
	j.life, j.cancel = context.WithCancelCause(context.Background())
	if !j.s.later.begin(j.id, j.cancel) {
		j.cancel(nil)
		return &llm.Error{Op: "listener.begin", Kind: llm.KindUnavailable, Message: "Too many responses are made in the background: try again later."}
	}
	o := ownerOf(x)
	c := &conversation{response: j.answer, input: j.input, items: j.items}
	err := j.s.Kept.Put(&x.Life, &store.Object{
		ID: j.id, Kind: store.ObjectResponse, UserID: store.Text(o.user), TeamID: store.Text(o.team), Token: store.Text(o.key),
		Status: "in_progress", Pending: true, Body: c.body(),
	})
	if err != nil {
		j.s.later.end(j.id)
		j.cancel(nil)
		return &llm.Error{Op: "listener.begin", Kind: llm.KindTooLarge, Err: err, Message: "The request is too large for a response in the background."}
	}
	return nil
}

// run makes the response.
func (j *job) run() {
	defer j.s.later.end(j.id)
	defer j.cancel(nil)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		j.beat()
	}()
	status, body := j.call()
	cause := context.Cause(j.life)
	j.cancel(nil)
	<-beats
	ctx, cancel := context.WithTimeout(context.Background(), keepPatience)
	defer cancel()
	_, err := j.s.Kept.Update(ctx, j.id, func(o *store.Object) error {
		if !o.Pending {
			return errCancelled // there is nothing to add
		}
		j.finish(o, status, body, cause)
		return nil
	})
	if err != nil && !errors.Is(err, errCancelled) && !errors.Is(err, store.ErrNotFound) {
		j.s.Logger.Warn("a response made in the background could not be kept", "error", err)
	}
}

// call makes the request and returns its answer.
func (j *job) call() (status int, body []byte) {
	var ctx fasthttp.RequestCtx
	ctx.Init(&j.ask, nil, serverLog{j.s.Logger})
	defer func() {
		if v := recover(); v != nil {
			j.s.panicked(&ctx, v)
			status, body = ctx.Response.StatusCode(), bytes.Clone(ctx.Response.Body())
		}
	}()
	// What ends the work may be late, and must not find another request in the session.
	c := &session{single: true}
	c.x.Reset()
	j.s.openIn(c, &ctx, llm.OpChat, j.path)
	c.front = j.f
	c.x.Remote = j.remote
	if err := c.decodeNative(&ctx, ""); err != nil {
		c.fail(&ctx, err)
	} else {
		c.x.Named = j.id
		stop := context.AfterFunc(j.life, func() { c.x.Life.Cancel(context.Cause(j.life)) })
		c.serve(&ctx)
		body = bytes.Clone(ctx.Response.Body())
		stop()
	}
	if body == nil {
		body = bytes.Clone(ctx.Response.Body())
	}
	return ctx.Response.StatusCode(), body
}

// beat says again and again that the response is worked on, and stops the work if nobody wants it any more.
func (j *job) beat() {
	t := time.NewTicker(workBeat)
	defer t.Stop()
	for {
		select {
		case <-j.life.Done():
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(j.life, keepPatience)
		_, err := j.s.Kept.Update(ctx, j.id, func(o *store.Object) error {
			if !o.Pending {
				return errCancelled
			}
			return nil
		})
		cancel()
		if errors.Is(err, errCancelled) || errors.Is(err, store.ErrNotFound) {
			j.cancel(errCancelled)
			return
		}
	}
}

// finish writes the end of the work into what is kept.
func (j *job) finish(o *store.Object, status int, body []byte, cause error) {
	if status != fasthttp.StatusOK {
		failure := &llm.Error{Kind: llm.KindInternal, Message: failureText(body)}
		switch {
		case errors.Is(cause, errCancelled):
			setStatus(o, "cancelled", "null")
			return
		case errors.Is(cause, errStops):
			failure.Message = "The gateway stopped while it worked on the response."
		case status == fasthttp.StatusTooManyRequests:
			failure.Kind = llm.KindRateLimit
		case status < 500:
			failure.Kind = llm.KindInvalid
		}
		setStatus(o, "failed", string(responses.Failure(failure)))
		return
	}
	c, ok := conversationOf(o)
	if !ok || !json.Valid(body) {
		return
	}
	text, _ := llm.Text(dialect.Get(body, "status"))
	c.response, c.items = body, joinItems(c.items, insideOf(dialect.Get(body, "output")))
	o.Status, o.Pending, o.Body = string(text), false, c.body()
}

// failureText is the message of an error as callers get it.
func failureText(body []byte) string {
	text, _ := llm.Text(dialect.Get(dialect.Get(body, "error"), "message"))
	if len(text) == 0 {
		return "The response could not be made."
	}
	return strings.ToValidUTF8(string(text), "\ufffd")
}

// cancelResponse ends the work on a response, whichever replica does it.
func (s *Server) cancelResponse(ctx context.Context, id string, c *conversation) ([]byte, error) {
	if string(dialect.Get(c.response, "background")) != "true" {
		return nil, &llm.Error{
			Op: "listener.cancelResponse", Kind: llm.KindInvalid, Type: "invalid_request_error", Message: "Cannot cancel a synchronous response.",
		}
	}
	o, err := s.Kept.Update(ctx, id, func(o *store.Object) error {
		if o.Pending {
			setStatus(o, "cancelled", "null")
		}
		return nil
	})
	if err != nil {
		return nil, &llm.Error{Op: "listener.cancelResponse", Kind: llm.KindUnavailable, Err: err, Message: "The response cannot be cancelled at the moment."}
	}
	s.later.stop(id)
	next, ok := conversationOf(o)
	if !ok {
		return c.response, nil
	}
	return next.response, nil
}
