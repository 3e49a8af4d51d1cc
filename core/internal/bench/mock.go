package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// The mock vendor answers by what is in the request: whole, streamed in one
// burst, or streamed in time when the model is one of these.
const (
	dripModel = "bench-drip"
	slowModel = "bench-slow"

	// claudeModel is one of Anthropic's, whose API the mock speaks as well.
	claudeModel = "bench-anthropic"

	dripGap = 5 * time.Millisecond
	slowGap = 500 * time.Millisecond

	contentChunks = 16
)

// replies are what the mock sends, made once.
type replies struct {
	whole []byte
	head  []byte
	// chunks are the events of a stream, each as one HTTP chunk.
	chunks [][]byte
	end    []byte
	// burst is a whole streamed reply in one write and one HTTP chunk, as a server
	// sends what it already has. With a chunk an event the bare streaming proxy
	// writes once an event, and a gateway that gathers them looks too good.
	burst []byte
	// message and messageBurst say the same as whole and burst in Anthropic's API.
	message, messageBurst []byte
}

func newReplies() replies {
	body := wholeBody()
	r := replies{
		whole: []byte(head("application/json", "Content-Length: "+strconv.Itoa(len(body))) + body),
		head:  []byte(head("text/event-stream; charset=utf-8", "Transfer-Encoding: chunked")),
		end:   []byte("0\r\n\r\n"),
	}
	all := events()
	for _, event := range all {
		r.chunks = append(r.chunks, httpChunk(event))
	}
	r.burst = bytes.Join([][]byte{r.head, httpChunk(strings.Join(all, "")), r.end}, nil)
	body = messageBody()
	r.message = []byte(head("application/json", "Content-Length: "+strconv.Itoa(len(body))) + body)
	r.messageBurst = bytes.Join([][]byte{r.head, httpChunk(strings.Join(messageEvents(), "")), r.end}, nil)
	return r
}

func httpChunk(data string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(data), data) }

// head has as many fields as a vendor's reply usually has.
func head(contentType, framing string) string {
	return "HTTP/1.1 200 OK\r\n" +
		"Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n" +
		"Content-Type: " + contentType + "\r\n" +
		"X-Request-Id: req_6f1c2a90d3b84e57\r\n" +
		"Openai-Processing-Ms: 412\r\n" +
		"Openai-Version: 2020-10-01\r\n" +
		"X-Ratelimit-Limit-Requests: 10000\r\n" +
		"X-Ratelimit-Remaining-Requests: 9999\r\n" +
		"X-Ratelimit-Remaining-Tokens: 1999473\r\n" +
		framing + "\r\n\r\n"
}

// wholeBody is a chat completion of about 1 KB.
func wholeBody() string {
	return `{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini-2024-07-18",` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"` + prose(600) + `","refusal":null,"annotations":[]},` +
		`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":412,"completion_tokens":118,"total_tokens":530,` +
		`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,` +
		`"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default",` +
		`"system_fingerprint":"fp_bench"}`
}

// events are those of a stream: content chunks, usage, and the end mark.
func events() []string {
	chunk := func(rest string) string {
		return `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,` +
			`"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_bench",` + rest + "}\n\n"
	}
	words := strings.Fields(prose(200))
	var all []string
	for i := range contentChunks {
		reason := "null"
		if i == contentChunks-1 {
			reason = `"stop"`
		}
		all = append(all, chunk(fmt.Sprintf(
			`"choices":[{"index":0,"delta":{"content":" %s"},"logprobs":null,"finish_reason":%s}],"usage":null`, words[i], reason)))
	}
	usage := chunk(`"choices":[],"usage":{"prompt_tokens":412,"completion_tokens":16,"total_tokens":428,` +
		`"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}`)
	return append(all, usage, streamEnd)
}

// messageBody is wholeBody in Anthropic's API.
func messageBody() string {
	return `{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"` +
		prose(600) + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":412,"cache_creation_input_tokens":0,` +
		`"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},` +
		`"output_tokens":118,"service_tier":"standard"}}`
}

// messageEvents are events in Anthropic's API.
func messageEvents() []string {
	event := func(name, rest string) string {
		return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + rest + "}\n\n"
	}
	all := []string{
		event("message_start", `,"message":{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",`+
			`"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":412,"cache_creation_input_tokens":0,`+
			`"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}`),
		event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`), event("ping", ""),
	}
	words := strings.Fields(prose(200))
	for i := range contentChunks {
		all = append(all, event("content_block_delta", fmt.Sprintf(`,"index":0,"delta":{"type":"text_delta","text":" %s"}`, words[i])))
	}
	return append(all, event("content_block_stop", `,"index":0`),
		event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":16}`),
		event("message_stop", ""))
}

// serveMock answers until the listener closes. It is written by hand because it
// shares a core with the load generator: what it saves, the server under test gets.
func serveMock(listener net.Listener) error {
	r := newReplies()
	for {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		conn, err := peer(accepted)
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			reader := bufio.NewReaderSize(conn, 16<<10)
			var body []byte
			for {
				if body, err = readRequest(reader, body); err != nil {
					return
				}
				if err := r.answer(conn, body); err != nil {
					return
				}
			}
		}()
	}
}

func (r replies) answer(w io.Writer, request []byte) error {
	switch claude := bytes.Contains(request, []byte(`"model":"claude`)); {
	case claude && bytes.Contains(request, []byte(`"stream":true`)):
		_, err := w.Write(r.messageBurst)
		return err
	case claude:
		_, err := w.Write(r.message)
		return err
	case !bytes.Contains(request, []byte(`"stream":true`)):
		_, err := w.Write(r.whole)
		return err
	case bytes.Contains(request, []byte(dripModel)):
		return r.paced(w, dripGap)
	case bytes.Contains(request, []byte(slowModel)):
		return r.paced(w, slowGap)
	}
	_, err := w.Write(r.burst)
	return err
}

// paced sends an event each gap.
func (r replies) paced(w io.Writer, gap time.Duration) error {
	ticker := time.NewTicker(gap)
	defer ticker.Stop()
	if _, err := w.Write(r.head); err != nil {
		return err
	}
	for _, chunk := range r.chunks {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		<-ticker.C
	}
	_, err := w.Write(r.end)
	return err
}

// readRequest reads one request and returns its body, in buf when it fits.
func readRequest(reader *bufio.Reader, buf []byte) ([]byte, error) {
	length := -1
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return buf, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, ok := field(line, "content-length"); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return buf, fmt.Errorf("content-length: %w", err)
			}
		}
	}
	if length < 0 {
		return buf, errors.New("request without content-length")
	}
	if cap(buf) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	_, err := io.ReadFull(reader, buf)
	return buf, err
}

// field returns the value of a header line when it is the one of that name,
// which is given in lower case.
func field(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}
