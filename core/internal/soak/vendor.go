package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"
)

// vendor speaks OpenAI's API and fails for a share of requests. What it says follows from what it is asked, so that a caller
// can tell a right answer, also one that another vendor began.
type vendor struct {
	url    string
	share  float64
	server *httptest.Server
	faults atomic.Int64
}

func newVendor(share float64) *vendor {
	v := &vendor{share: share}
	v.server = httptest.NewServer(v)
	v.url = v.server.URL
	return v
}

func (v *vendor) close() {
	v.server.CloseClientConnections()
	v.server.Close()
}

// words is the answer to a question.
func words(question string) []string {
	return []string{"you ", "asked ", question + " ", "and ", "this ", "is ", "the ", "answer"}
}

// asked is a request as far as the vendor cares.
type asked struct {
	Stream   bool `json:"stream"`
	Input    any  `json:"input"`
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
}

// ServeHTTP answers or fails.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var a asked
	if err != nil || json.Unmarshal(raw, &a) != nil {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/embeddings") {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"x","usage":{"prompt_tokens":2,"total_tokens":2}}`)
		return
	}
	question, said := "", ""
	for _, m := range a.Messages {
		switch {
		case m.Role == "assistant":
			said = m.Content
		case question == "":
			question = m.Content
		}
	}
	left := strings.TrimPrefix(strings.Join(words(question), ""), said)
	if rand.Float64() < v.share {
		v.faults.Add(1)
		if v.fail(w, r, left, a.Stream) {
			return
		}
	}
	v.answer(w, left, a.Stream, -1)
}

// answer says the words, or the first so many of a stream.
func (v *vendor) answer(w http.ResponseWriter, left string, stream bool, most int) {
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17}}`, left)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(delta, finish string) {
		fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n", delta, finish)
	}
	event(`{"role":"assistant","content":""}`, "null")
	for i, word := range strings.SplitAfter(left, " ") {
		if i == most {
			_ = http.NewResponseController(w).Flush() // what was said is on its way before the connection breaks
			return
		}
		event(fmt.Sprintf(`{"content":%q}`, word), "null")
		if rand.IntN(4) == 0 {
			_ = http.NewResponseController(w).Flush()
		}
	}
	event(`{}`, `"stop"`)
	fmt.Fprint(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17}}`+"\n\ndata: [DONE]\n\n")
}

// fail fails in one of many ways. It returns false if the answer is to follow all the same.
func (v *vendor) fail(w http.ResponseWriter, r *http.Request, left string, stream bool) bool {
	refuse := func(status int, kind, message string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"message":%q,"type":%q,"param":null,"code":null}}`, message, kind)
	}
	switch rand.IntN(14) {
	case 0:
		refuse(500, "server_error", "The server had an error")
	case 1:
		refuse(503, "server_error", "Overloaded")
	case 2:
		refuse(529, "overloaded_error", "Overloaded")
	case 3:
		refuse(429, "rate_limit_error", "Slow down")
	case 4:
		w.Header().Set("Retry-After", "1")
		refuse(429, "rate_limit_error", "Slow down")
	case 5:
		breakOff(w, "")
	case 6:
		breakOff(w, "SSH-2.0-OpenSSH_9.6\r\n")
	case 7:
		breakOff(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":")
	case 8:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>welcome</html>")
	case 9:
		refuse(200, "server_error", "It did not work")
	case 10:
		if rand.IntN(8) > 0 {
			return false // most of them: few hang, or there would be no load
		}
		select { // hangs before the header
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	default:
		if !stream {
			return false
		}
		v.answer(w, left, true, rand.IntN(5))
		panic(http.ErrAbortHandler)
	}
	return true
}

// breakOff writes something and resets the connection.
func breakOff(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, text)
	if tcp, ok := conn.(*net.TCPConn); ok && text == "" {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
