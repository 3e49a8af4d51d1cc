package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// voice is a vendor of conversations. It hands each one to the test.
type voice struct {
	URL   string
	calls chan *http.Request
	talks chan *websocket.Conn
}

func newVoice(t *testing.T) *voice {
	t.Helper()
	v := &voice{calls: make(chan *http.Request, 8), talks: make(chan *websocket.Conn, 8)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.calls <- r.Clone(context.Background())
		if strings.Contains(r.URL.RawQuery, "refuse") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"message":"no access to this model","type":"permission_error","code":"model_access"}}`)
			return
		}
		u := websocket.Upgrader{}
		if conn, err := u.Upgrade(w, r, nil); err == nil {
			v.talks <- conn
		}
	}))
	t.Cleanup(s.Close)
	v.URL = s.URL
	return v
}

func talkTo(t *testing.T, s *apptest.Server, path string, header http.Header) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	conn, resp, err := (&websocket.Dialer{HandshakeTimeout: 10 * time.Second}).Dial("ws"+strings.TrimPrefix(s.URL, "http")+path, header)
	if err == nil {
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { conn.Close() })
	}
	return conn, resp, err
}

func realtime(v *voice) string {
	return fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params: {model: openai/gpt-realtime, api_base: %s/v1, api_key: sk-upstream, num_retries: 0}
general_settings: {master_key: sk-1234}
`, v.URL)
}

func bearer() http.Header { return http.Header{"Authorization": {"Bearer sk-1234"}} }

func expect(t *testing.T, c *websocket.Conn, kind int, want string) {
	t.Helper()
	k, b, err := c.ReadMessage()
	if err != nil || k != kind || string(b) != want {
		t.Fatalf("got %d %q %v, want %d %q", k, b, err, kind, want)
	}
}

func expectClosed(t *testing.T, c *websocket.Conn, code int, reason string) {
	t.Helper()
	_, b, err := c.ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != code || closed.Text != reason {
		t.Fatalf("got %q %v, want it closed with %d %q", b, err, code, reason)
	}
}

const (
	created = `{"type":"response.created","response":{"id":"r"}}`
	spoken  = `{"type":"response.done","response":{"id":"r","usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,"input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64},"output_token_details":{"text_tokens":30,"audio_tokens":91}}}}`
)

func TestRealtime(t *testing.T) {
	t.Parallel()
	v := newVoice(t)
	s := apptest.Start(t, realtime(v), apptest.Env(printRecords))
	caller, resp, err := talkTo(t, s, "/v1/realtime?model=m&intent=conversation", http.Header{"Authorization": {"Bearer sk-1234"}, "OpenAI-Beta": {"realtime=v1"}})
	if err != nil {
		t.Fatal(err, resp)
	}
	if resp.Header.Get("x-litellm-call-id") == "" {
		t.Errorf("header %v", resp.Header)
	}
	call, vendor := <-v.calls, <-v.talks
	defer vendor.Close()
	if call.URL.String() != "/v1/realtime?model=gpt-realtime&intent=conversation" || call.Header.Get("Authorization") != "Bearer sk-upstream" ||
		call.Header.Get("OpenAI-Beta") != "realtime=v1" || strings.Contains(fmt.Sprint(call.Header), "sk-1234") {
		t.Fatalf("called %s with %v", call.URL, call.Header)
	}
	caller.WriteMessage(websocket.TextMessage, []byte(`{"type":"session.update"}`))
	expect(t, vendor, websocket.TextMessage, `{"type":"session.update"}`)
	for range 2 {
		for _, event := range []string{created, spoken} {
			vendor.WriteMessage(websocket.TextMessage, []byte(event))
			expect(t, caller, websocket.TextMessage, event)
		}
	}
	big := strings.Repeat("x", 1<<20)
	vendor.WriteMessage(websocket.BinaryMessage, []byte(big))
	expect(t, caller, websocket.BinaryMessage, big)
	vendor.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4000, "session expired"))
	expectClosed(t, caller, 4000, "session expired")

	rec := lastRecord(t, s)
	if rec["call_type"] != "_arealtime" || rec["status"] != "success" || rec["prompt_tokens"] != 264.0 || rec["completion_tokens"] != 242.0 || rec["model_group"] != "m" {
		t.Errorf("record %v", rec)
	}
}

// The end of one side ends the other, whichever it is, with its code.
func TestRealtimeEnds(t *testing.T) {
	t.Parallel()
	v := newVoice(t)
	s := apptest.Start(t, realtime(v))
	start := func() (caller, vendor *websocket.Conn) {
		t.Helper()
		caller, _, err := talkTo(t, s, "/realtime?model=m", bearer())
		if err != nil {
			t.Fatal(err)
		}
		<-v.calls
		vendor = <-v.talks
		vendor.SetReadDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { vendor.Close() })
		return caller, vendor
	}
	caller, vendor := start()
	caller.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"))
	expectClosed(t, vendor, 1000, "bye")

	caller, vendor = start()
	caller.NetConn().Close()
	if _, _, err := vendor.ReadMessage(); err == nil {
		t.Error("the vendor was not told that the caller left")
	}

	caller, vendor = start()
	vendor.NetConn().Close()
	expectClosed(t, caller, 1011, "")
}

func TestRealtimeRefusals(t *testing.T) {
	t.Parallel()
	v := newVoice(t)
	s := apptest.Start(t, realtime(v)+"\nrouter_settings: {num_retries: 0}\n")
	f := func(path string, h http.Header, status int) {
		t.Helper()
		_, resp, err := talkTo(t, s, path, h)
		if !errors.Is(err, websocket.ErrBadHandshake) || resp.StatusCode != status {
			t.Errorf("%s: %v %v, want %d", path, err, resp, status)
		}
	}
	f("/v1/realtime?model=m", nil, 401)
	f("/v1/realtime?model=nobody", bearer(), 400)
	f("/v1/realtime", bearer(), 400)
	f("/v1/realtime?model=m&refuse=1", bearer(), 403)
	if r := s.Get("/v1/realtime?model=m"); r.Status != 426 || !strings.Contains(r.Body, "WebSockets") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	// A browser says its key in the list of protocols.
	d := websocket.Dialer{Subprotocols: []string{"realtime", "openai-insecure-api-key.sk-1234", "openai-beta.realtime-v1"}}
	conn, resp, err := d.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/v1/realtime?model=m", http.Header{"Origin": {"https://app.example"}})
	if err != nil || resp.Header.Get("Sec-WebSocket-Protocol") != "realtime" {
		t.Fatalf("%v %v", err, resp)
	}
	defer conn.Close()
	for call := range v.calls {
		if strings.Contains(call.URL.RawQuery, "refuse") {
			continue
		}
		if h := fmt.Sprint(call.Header); call.Header.Get("OpenAI-Beta") != "realtime=v1" || strings.Contains(h, "sk-1234") {
			t.Errorf("called with %s", h)
		}
		break
	}
	(<-v.talks).Close()
}

// A gateway that stops lets the answer under way end, and idle conversations not begin another.
func TestRealtimeStop(t *testing.T) {
	t.Parallel()
	v := newVoice(t)
	var s *apptest.Server
	var idle, busy, vendor *websocket.Conn
	t.Run("gateway", func(t *testing.T) {
		s = apptest.Start(t, realtime(v), apptest.Grace(15*time.Second))
		idle, _, _ = (&websocket.Dialer{}).Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/v1/realtime?model=m", bearer())
		(<-v.talks).SetReadDeadline(time.Now().Add(time.Minute))
		busy, _, _ = (&websocket.Dialer{}).Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/v1/realtime?model=m", bearer())
		vendor = <-v.talks
		vendor.WriteMessage(websocket.TextMessage, []byte(created))
		expect(t, busy, websocket.TextMessage, created)
		go func() {
			expectClosed(t, idle, 1001, "the gateway stops")
			vendor.WriteMessage(websocket.TextMessage, []byte(spoken))
		}()
	}) // stops the gateway
	expect(t, busy, websocket.TextMessage, spoken)
	expectClosed(t, busy, 1001, "the gateway stops")
}
