package listener

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
)

// talk is a conversation under way (https://platform.openai.com/docs/guides/realtime-websocket).
type talk struct {
	c       *session
	vendor  llm.Socket
	caller  llm.Socket
	started atomic.Bool                      // the conversation runs, or was given up
	busy    atomic.Bool                      // the model is answering
	closing atomic.Bool                      // the gateway stops
	said    atomic.Pointer[llm.SocketClosed] // why the gateway ended it; nil if it did not
}

// realtime serves GET /v1/realtime?model=: the vendor is called first, so that a refusal is an ordinary answer, and only
// then the caller's connection becomes a WebSocket.
func (s *Server) realtime(path string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		c := s.open(ctx, llm.OpRealtime, path)
		if !websocket.FastHTTPIsWebSocketUpgrade(ctx) {
			c.fail(ctx, &llm.Error{
				Op: "listener.realtime", Kind: llm.KindInvalid, Status: fasthttp.StatusUpgradeRequired, Type: "invalid_request_error",
				Message: "This path serves WebSockets: send the headers Connection: Upgrade and Upgrade: websocket.",
			})
			return
		}
		if err := c.decodeRealtime(ctx); err != nil {
			c.fail(ctx, err)
			return
		}
		c.converse(ctx)
	}
}

// converse calls the vendor and joins the caller's connection to its.
func (c *session) converse(ctx *fasthttp.RequestCtx) {
	reply, err := c.s.Gateway.Serve(&c.x.Life, &c.x)
	if err != nil {
		c.fail(ctx, err)
		return
	}
	c.reply = reply
	if reply.Socket == nil {
		status := reply.Status
		_ = reply.Rest.Close()
		e := &llm.Error{Op: "listener.converse", Kind: llm.KindBadGateway, Message: "The vendor does not hold a conversation there."}
		if status >= fasthttp.StatusBadRequest {
			e.Status = status
		}
		c.fail(ctx, e)
		return
	}
	c.upgrade(ctx)
}

// decodeRealtime reads the request. The conversation outlives what fasthttp keeps of it, so all is copied.
func (c *session) decodeRealtime(ctx *fasthttp.RequestCtx) error {
	x := &c.x
	x.Header = x.Header.Clone()
	x.Query = bytes.Clone(x.Query)
	x.Streamed = true
	x.NameModel(bytes.Clone(ctx.QueryArgs().Peek("model")))
	if x.Model == "" {
		x.Model = c.s.Gateway.Edge().DefaultModel[x.Op]
	}
	// Browsers cannot send headers; they say it in the list of protocols.
	for p := range bytes.SplitSeq(x.Header.Get("Sec-WebSocket-Protocol"), []byte{','}) {
		p = bytes.TrimSpace(p)
		if key, ok := bytes.CutPrefix(p, []byte("openai-insecure-api-key.")); ok && !x.Header.Has("Authorization") {
			x.Header = append(x.Header, llm.Field{Name: []byte("Authorization"), Value: append([]byte("Bearer "), key...)})
		}
		if beta, ok := bytes.CutPrefix(p, []byte("openai-beta.realtime-")); ok && !x.Header.Has("OpenAI-Beta") {
			x.Header = append(x.Header, llm.Field{Name: []byte("OpenAI-Beta"), Value: append([]byte("realtime="), beta...)})
		}
	}
	return x.Body.Parse(emptyObject)
}

// upgrade makes the caller's connection a WebSocket. fasthttp runs the conversation when it has written its answer. If it
// cannot write it, the connection closes, which ends the lifetime.
func (c *session) upgrade(ctx *fasthttp.RequestCtx) {
	t := &talk{c: c, vendor: c.reply.Socket}
	stop := context.AfterFunc(&c.x.Life, func() {
		if t.started.CompareAndSwap(false, true) {
			t.end(context.Canceled)
		}
	})
	u := websocket.FastHTTPUpgrader{
		Subprotocols: []string{"realtime"},
		// Callers show keys, and no cookies that a browser would add by itself.
		CheckOrigin: func(*fasthttp.RequestCtx) bool { return true },
	}
	err := u.Upgrade(ctx, func(conn *websocket.Conn) {
		defer conn.Close()
		if t.started.CompareAndSwap(false, true) {
			stop()
			t.run(conn)
		}
	})
	if err != nil && t.started.CompareAndSwap(false, true) {
		stop()
		_ = c.reply.Rest.Close()
		c.fail(ctx, &llm.Error{Op: "listener.realtime", Kind: llm.KindInvalid, Err: err, Type: "invalid_request_error", Message: "The WebSocket handshake is not valid."})
		return
	}
	c.finish(&ctx.Response.Header, c.buf[:0])
}

// run relays messages both ways until one side ends.
func (t *talk) run(conn *websocket.Conn) {
	t.caller = upstream.NewSocket(conn)
	watch := t.inspect()
	t.c.s.talks.add(t)
	defer t.c.s.talks.remove(t)
	// The caller's connection may break without a message under way.
	stop := context.AfterFunc(&t.c.x.Life, func() { t.close(websocket.CloseGoingAway, "") })
	up, down := t.both(watch)
	stop()
	t.close(websocket.CloseNormalClosure, "")
	t.end(t.failure(up, down))
}

// both relays both ways, through the guardrails if there are some.
func (t *talk) both(i *inspector) (up, down error) {
	var both sync.WaitGroup
	if i == nil {
		both.Go(func() { down = t.relay(t.vendor, t.caller, t.listen, nil) })
		up = t.relay(t.caller, t.vendor, nil, nil)
		both.Wait()
		return up, down
	}
	one := [][]byte{nil}
	both.Go(func() { down = t.relay(t.vendor, t.caller, t.listen, i.said) })
	up = t.relay(t.caller, t.vendor, nil, func(text bool, event []byte) [][]byte {
		if one[0] = i.asked(text, event); one[0] == nil {
			return nil
		}
		return one
	})
	both.Wait()
	return up, down
}

// relay carries messages from one side to the other, or what check makes of them, and the end of the conversation too.
func (t *talk) relay(from, to llm.Socket, see func([]byte), check func(text bool, message []byte) [][]byte) error {
	for {
		text, message, err := from.Read()
		if err == nil {
			if see != nil && text && bytes.Contains(message, []byte(`"response.created"`)) {
				t.busy.Store(true) // before the caller can know, so that nobody ends what the caller waits for
			}
			if check == nil {
				err = to.Write(text, message)
			} else {
				for _, m := range check(text, message) {
					if err == nil {
						err = to.Write(text, m)
					}
				}
			}
			if see != nil {
				t.c.bytes += int64(len(message))
				if text {
					see(message)
				}
			}
			if err == nil {
				continue
			}
		}
		code, reason := websocket.CloseInternalServerErr, ""
		var closed *llm.SocketClosed
		if errors.As(err, &closed) {
			code, reason = closed.Code, closed.Reason
		}
		if own := t.said.Load(); own != nil {
			code, reason = own.Code, own.Reason
		}
		to.Close(code, reason)
		from.Close(websocket.CloseNormalClosure, "")
		return err
	}
}

// listen looks at an event of the vendor: it counts the usage of each answer, and knows whether one is under way. What
// transcriptions of the caller's speech cost is another model's, and not counted.
func (t *talk) listen(event []byte) {
	if bytes.Contains(event, []byte(`"usageMetadata"`)) { // Google's conversations
		var f usage.Found
		f.Add(event)
		t.c.reply.Usage = usage.Plus(t.c.reply.Usage, f.Usage())
		return
	}
	if !bytes.Contains(event, []byte(`"response.`)) {
		return
	}
	if kind, _ := llm.Text(dialect.Get(event, "type")); string(kind) != "response.done" {
		return
	}
	t.busy.Store(false)
	var f usage.Found
	f.Add(event)
	t.c.reply.Usage = usage.Plus(t.c.reply.Usage, f.Usage())
	if t.closing.Load() {
		t.close(websocket.CloseGoingAway, "the gateway stops")
	}
}

// failure is why a conversation ended badly; nil if a side closed it.
func (t *talk) failure(up, down error) error {
	var closed *llm.SocketClosed
	if errors.As(down, &closed) || errors.As(up, &closed) {
		return nil
	}
	if t.c.x.Life.Err() != nil {
		return context.Canceled
	}
	return down
}

// close ends both sides, for a reason of the gateway's.
func (t *talk) close(code int, reason string) {
	t.said.CompareAndSwap(nil, &llm.SocketClosed{Code: code, Reason: reason})
	t.caller.Close(code, reason)
	t.vendor.Close(code, reason)
}

// end makes the record and gives the session back.
func (t *talk) end(err error) {
	c := t.c
	c.err = err
	c.log(c.reply.Status, err)
	_ = c.reply.Rest.Close()
	c.release()
}

// talks are the conversations under way.
type talks struct {
	mu   sync.Mutex
	all  map[*talk]bool
	stop bool
}

func (l *talks) add(t *talk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[*talk]bool{}
	}
	l.all[t] = true
	if l.stop {
		t.closing.Store(true)
		go t.close(websocket.CloseGoingAway, "the gateway stops")
	}
}

func (l *talks) remove(t *talk) {
	l.mu.Lock()
	delete(l.all, t)
	l.mu.Unlock()
}

// wind tells conversations to end: at once those that are idle, the others after the answer under way, or now if hurry is
// set.
func (l *talks) wind(hurry bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop = true
	for t := range l.all {
		t.closing.Store(true)
		if hurry || !t.busy.Load() {
			go t.close(websocket.CloseGoingAway, "the gateway stops")
		}
	}
}

// hangUp ends all conversations: each when it is idle, and those that are left when ctx ends.
func (l *talks) hangUp(ctx context.Context) {
	l.wind(false)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := ctx.Done()
	for left := 200; l.open() > 0 && left > 0; {
		select {
		case <-tick.C:
			if last == nil {
				left--
			}
		case <-last:
			last = nil
			l.wind(true)
		}
	}
}

func (l *talks) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}
