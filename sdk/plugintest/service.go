package plugintest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// Service is an HTTP service that a plugin calls, on this machine.
type Service struct {
	URL string

	mu  sync.Mutex
	got []Received
}

// Received is a request that a Service got.
type Received struct {
	Method, Path string // the path as it was escaped
	Header       http.Header
	Body         []byte
}

// JSON returns the body decoded, or nil if it is not a JSON object.
func (r *Received) JSON() map[string]any {
	var m map[string]any
	_ = json.Unmarshal(r.Body, &m)
	return m
}

// Serve starts a service that answers each request with a status and a body of type application/json. It stops with the
// test. A status of 0 never answers.
func Serve(t testing.TB, answer func(Received) (status int, body string)) *Service {
	t.Helper()
	s := &Service{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("a request to the service: %v", err)
		}
		got := Received{r.Method, r.URL.EscapedPath(), r.Header.Clone(), body}
		got.Header.Set("Host", r.Host)
		s.mu.Lock()
		s.got = append(s.got, got)
		s.mu.Unlock()
		status, reply := answer(got)
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Got returns the requests of the service so far, and forgets them.
func (s *Service) Got() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// LoadCaller loads a plugin that may call the services, with time enough for slow machines.
func LoadCaller(t testing.TB, path string, config map[string]any, secrets map[string]string, services ...*Service) *Plugin {
	t.Helper()
	s := wasm.Settings{Path: path, Config: config}
	s.Limits.CPU = 2 * time.Second
	for _, service := range services {
		s.Grants.HTTP = append(s.Grants.HTTP, service.URL)
	}
	for name := range secrets {
		s.Grants.Secrets = append(s.Grants.Secrets, name)
	}
	s.Secret = func(name string) (string, bool) {
		v, ok := secrets[name]
		return v, ok
	}
	return Load(t, s)
}

// During runs the moderation hook on a chat request of user messages.
func (p *Plugin) During(t testing.TB, model string, contents ...string) Outcome {
	t.Helper()
	x := chatExchange(t, model, contents)
	_, err := p.Guardrail(wasm.GuardSettings{}).During(&x.Life, x)
	return Outcome{x, nil, err}
}

// Answer runs the response hook on an exchange and the model's answer to it, and returns the text that the caller gets.
func (p *Plugin) Answer(t testing.TB, x *llm.Exchange, text string) (string, error) {
	t.Helper()
	body, err := marshal(map[string]any{"choices": []any{map[string]any{
		"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": text},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &llm.Reply{Status: 200, Finish: "stop", First: llm.Part{Data: body}}
	if err := p.Guardrail(wasm.GuardSettings{}).After(&x.Life, x, r); err != nil {
		return "", err
	}
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal(r.First.Data, &answer); err != nil || len(answer.Choices) != 1 {
		t.Fatalf("the answer is %s: %v", r.First.Data, err)
	}
	return answer.Choices[0].Message.Content, nil
}

// Asked makes the exchange of a chat request of user messages.
func Asked(t testing.TB, model string, contents ...string) *llm.Exchange {
	t.Helper()
	return chatExchange(t, model, contents)
}

// Before runs the request hook on an exchange.
func (p *Plugin) Before(t testing.TB, x *llm.Exchange) Outcome {
	t.Helper()
	reply, err := p.Guardrail(wasm.GuardSettings{Respond: p.Respond}).Before(&x.Life, x)
	return Outcome{x, reply, err}
}

func chatExchange(t testing.TB, model string, contents []string) *llm.Exchange {
	t.Helper()
	messages := []any{}
	for _, c := range contents {
		messages = append(messages, map[string]any{"role": "user", "content": c})
	}
	body, err := marshal(map[string]any{"model": model, "messages": messages})
	if err != nil {
		t.Fatal(err)
	}
	return Exchange(t, llm.OpChat, body)
}
