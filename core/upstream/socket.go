package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fasthttp/websocket"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Limits of a conversation.
const (
	maxMessage    = 32 << 20         // bytes of one message
	socketShake   = 30 * time.Second // longest wait for the beginning
	socketSilence = 75 * time.Second // without a message or an answer to a ping, the other side is gone
	socketPing    = 25 * time.Second
	socketWrite   = 30 * time.Second // longest wait until a message is taken
	maxReason     = 123              // bytes of the reason in a close frame (RFC 6455, section 5.5)
)

// talk begins a conversation over a WebSocket. A server that refuses is an answer with its status and body.
func (cl *Client) talk(ctx context.Context, c *llm.Call, a *llm.Answer) error {
	a.Began = time.Now()
	p, err := cl.pool(c.Target, cl.set.Now())
	if err != nil {
		return err
	}
	if p.prefix != nil {
		return invalid("A WebSocket to an http address cannot go through a proxy: give the vendor an https address.")
	}
	limit := shorter(shorter(max(c.Timeout, 0), max(c.FirstByte, 0)), socketShake)
	dial, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d := websocket.Dialer{
		// TLS and proxies are the pool's business, so the library sees a plain connection.
		NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			top, _, err := p.dial(ctx)
			return top, err
		},
		HandshakeTimeout: limit,
	}
	conn, resp, err := d.DialContext(dial, "ws://"+c.Target.Host+string(c.Path), socketHeader(c)) //nolint:bodyclose // refused closes it, and after a switch of protocols there is none
	switch {
	case err == nil:
		a.Status, a.FirstByte, a.Header = http.StatusSwitchingProtocols, time.Now(), fieldsOf(a.Header, resp.Header)
		a.Socket = newVendorSocket(ctx, conn)
		return nil
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
		a.Status, a.FirstByte, a.Header = resp.StatusCode, time.Now(), fieldsOf(a.Header, resp.Header)
		a.Size, a.Body = len(body), io.NopCloser(bytes.NewReader(body))
		return nil
	case ctx.Err() != nil:
		return llm.AsError(ctx.Err())
	case dial.Err() != nil:
		return &llm.Error{Op: "upstream.Do", Kind: llm.KindTimeout, Err: err, Message: "The vendor did not begin the conversation in time."}
	}
	return &llm.Error{Op: "upstream.Do", Kind: llm.KindConnection, Err: err, Message: "The vendor could not be reached."}
}

// socketHeader is the header of the call as the library wants it. What belongs to the handshake it writes itself.
func socketHeader(c *llm.Call) http.Header {
	h := http.Header{}
	add := func(name, value string) {
		if lower := strings.ToLower(name); !strings.HasPrefix(lower, "sec-websocket-") && lower != "content-type" && lower != "accept" {
			h.Add(name, value)
		}
	}
	for line := range bytes.SplitSeq(c.Head, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			add(string(name), strings.TrimSpace(string(value)))
		}
	}
	for _, f := range c.Header {
		add(string(f.Name), string(f.Value))
	}
	return h
}

func fieldsOf(dst llm.Header, h http.Header) llm.Header {
	for name, values := range h {
		for _, v := range values {
			dst = append(dst, llm.Field{Name: []byte(name), Value: []byte(v)})
		}
	}
	return dst
}

// Socket is one side of a conversation. It answers pings, sends some of its own, and ends when they are not answered.
type Socket struct {
	conn  *websocket.Conn
	write sync.Mutex
	once  sync.Once
	done  chan struct{}
	beat  sync.WaitGroup
	buf   bytes.Buffer
}

var _ llm.Socket = (*Socket)(nil)

// NewSocket makes a socket of a connection whose handshake is over. It owns the connection.
func NewSocket(conn *websocket.Conn) *Socket {
	s := &Socket{conn: conn, done: make(chan struct{})}
	conn.SetReadLimit(maxMessage)
	alive := func() { _ = conn.SetReadDeadline(time.Now().Add(socketSilence)) }
	alive()
	conn.SetPongHandler(func(string) error { alive(); return nil })
	ping := conn.PingHandler()
	conn.SetPingHandler(func(data string) error { alive(); return ping(data) })
	s.beat.Go(s.heartbeat)
	return s
}

// newVendorSocket ends with the context of the call.
func newVendorSocket(ctx context.Context, conn *websocket.Conn) llm.Socket {
	s := NewSocket(conn)
	stop := context.AfterFunc(ctx, func() { s.Close(websocket.CloseGoingAway, "") })
	go func() {
		<-s.done
		stop()
	}()
	return s
}

func (s *Socket) heartbeat() {
	t := time.NewTicker(socketPing)
	defer t.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-t.C:
			if s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(socketWrite)) != nil {
				_ = s.conn.Close()
				return
			}
		}
	}
}

// Read implements llm.Socket.
func (s *Socket) Read() (text bool, message []byte, err error) {
	kind, r, err := s.conn.NextReader()
	if err == nil {
		s.buf.Reset()
		_, err = s.buf.ReadFrom(r)
	}
	if err != nil {
		return false, nil, closedBy(err)
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(socketSilence))
	return kind == websocket.TextMessage, s.buf.Bytes(), nil
}

// closedBy says how a conversation ended.
func closedBy(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
		return &llm.SocketClosed{Code: closed.Code, Reason: closed.Text}
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return &llm.SocketClosed{Code: websocket.CloseMessageTooBig, Reason: "message too big"}
	}
	return &llm.Error{Op: "upstream.Socket", Kind: llm.KindConnection, Err: err, Message: "The connection broke during the conversation."}
}

// Write implements llm.Socket.
func (s *Socket) Write(text bool, message []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(socketWrite))
	kind := websocket.BinaryMessage
	if text {
		kind = websocket.TextMessage
	}
	if err := s.conn.WriteMessage(kind, message); err != nil {
		return closedBy(err)
	}
	return nil
}

// Close implements llm.Socket. Codes that no close frame may hold are replaced. It waits until nothing is written any
// more on the socket's own account.
func (s *Socket) Close(code int, reason string) {
	s.once.Do(func() {
		close(s.done)
		_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(sendable(code), clipped(reason)), time.Now().Add(time.Second))
		// A connection that a server lent may not be closed by its borrower; a read still has to end.
		_ = s.conn.NetConn().SetReadDeadline(past())
		_ = s.conn.Close()
	})
	s.beat.Wait()
}

// sendable is a code that may stand in a close frame (RFC 6455, section 7.4.1).
func sendable(code int) int {
	switch {
	case code == websocket.CloseNoStatusReceived:
		return websocket.CloseNormalClosure
	case code < 1000, code > 4999, code == 1004, code == websocket.CloseAbnormalClosure, code == websocket.CloseTLSHandshake:
		return websocket.CloseInternalServerErr
	}
	return code
}

func clipped(reason string) string {
	for len(reason) > maxReason {
		_, n := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-n]
	}
	return reason
}
