package anthropic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

func answer(text string) *llm.Answer {
	return &llm.Answer{
		Status: 200, Size: -1, Body: providertest.NewBody([]byte(text), nil), FirstByte: time.Now(),
		Streamed: strings.HasPrefix(text, "event:"),
	}
}

// read reads a reply to its end.
func read(e provider.Endpoint, x *llm.Exchange, text string) (parts []string, r llm.Reply, err error) {
	if err := e.Decode(x, answer(text), &r); err != nil {
		return nil, r, err
	}
	for p := r.First; err == nil; err = r.Rest.Next(&p) {
		parts = append(parts, string(p.Data))
	}
	if err == io.EOF { //nolint:errorlint // Next returns it bare
		err = nil
	}
	return parts, r, errorOf(err, r.Rest.Close())
}

func errorOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
	begin = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	piece = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello there\"}}\n\n"
	done  = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
)

// A fallback's answer shows who gave it.
func TestDecodeFallbackKeepsModel(t *testing.T) {
	t.Parallel()
	e := bind(t, deployment())
	f := func(body, text string) {
		t.Helper()
		x := request(t, body)
		x.Fallbacks = 1
		parts, _, err := read(e, x, text)
		if err != nil || !strings.Contains(parts[0], `"model":"claude-x"`) {
			t.Errorf("%v, %v", parts, err)
		}
	}
	f(`{"model":"mine",`+hi+`}`, `{"id":"msg_1","model":"claude-x","content":[],"stop_reason":"end_turn"}`)
	f(`{"model":"mine","stream":true,`+hi+`}`, start+begin+piece+done)
}

func TestDecodeLimits(t *testing.T) {
	t.Parallel()
	s := settings()
	s.MaxResponse = 400
	e, err := anthropic.New(s).Bind(deployment())
	if err != nil {
		t.Fatal(err)
	}
	f := func(body, text string) {
		t.Helper()
		_, _, err := read(e, request(t, body), text)
		if err == nil || llm.AsError(err).Kind != llm.KindTooLarge {
			t.Errorf("got %v", err)
		}
	}
	f(`{`+hi+`}`, `{"id":"`+strings.Repeat("x", 500)+`"}`)
	f(`{"stream":true,`+hi+`}`, start+begin+strings.Repeat(piece, 9))
}

// FuzzDecode takes any answer, whole and streamed: each ends in JSON or in an error of the gateway's own type.
func FuzzDecode(f *testing.F) {
	f.Add(start+begin+piece+done, true)
	f.Add(start+begin+piece+done, false)
	f.Add(start+"event: x\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"server_tool_use\",\"input\":{}}}\n\n"+
		"data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\n"+
		"data: {\"type\":\"content_block_stop\",\"index\":1}\n\n", true)
	f.Add(`{"content":[{"type":"tool_use","id":"a","name":"json_tool_call","input":{"a":1}},{"type":"thinking","thinking":"x","signature":"y"}],"stop_reason":"tool_use","usage":{"input_tokens":1}}`, false)
	f.Add(start+begin+"data: {\"type\":\"content_block_delta\",\"index\":0}\n\n", true)
	f.Add(`{"type":"error","error":{"type":"overloaded_error","message":"x"}}`, true)
	e := bind(f, deployment())
	f.Fuzz(func(t *testing.T, text string, streamed bool) {
		x := request(t, fmt.Sprintf(`{"model":"m","stream":%v,"stream_options":{"include_usage":true},"response_format":{"type":"json_object"},%s}`, streamed, hi))
		parts, _, err := read(e, x, text)
		if err != nil {
			if _, ok := err.(*llm.Error); !ok { //nolint:errorlint // the promise is the type itself
				t.Fatalf("%T: %v", err, err)
			}
		}
		// What lies inside values is passed on as it came, so only a sound answer must give sound parts.
		if !sound(text) {
			return
		}
		for _, p := range parts {
			if !json.Valid([]byte(p)) {
				t.Fatalf("%q became %s", text, p)
			}
		}
	})
}

// sound reports whether all data in the answer is JSON.
func sound(text string) bool {
	if json.Valid([]byte(text)) {
		return true
	}
	for line := range bytes.Lines([]byte(strings.ReplaceAll(text, "\r", "\n"))) {
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok || !json.Valid(data) {
			if len(bytes.TrimSpace(line)) > 0 && !bytes.HasPrefix(line, []byte("event:")) {
				return false
			}
		}
	}
	return true
}

func TestStreamAllocatesLittle(t *testing.T) {
	e := bind(t, deployment())
	x := request(t, `{"model":"mine","stream":true,`+hi+`}`)
	text := start + begin + strings.Repeat(piece, 500) + done
	if n := testing.AllocsPerRun(20, func() {
		if _, err := drain(e, x, text); err != nil {
			t.Fatal(err)
		}
	}); n > 10 {
		t.Errorf("a stream of 500 chunks allocates %v times", n)
	}
}

// drain reads a reply without keeping it.
func drain(e provider.Endpoint, x *llm.Exchange, text string) (n int, err error) {
	var r llm.Reply
	if err := e.Decode(x, answer(text), &r); err != nil {
		return 0, err
	}
	for p := &r.First; err == nil; err = r.Rest.Next(p) {
		n++
	}
	if err == io.EOF { //nolint:errorlint // Next returns it bare
		err = nil
	}
	return n, errorOf(err, r.Rest.Close())
}

func BenchmarkStream(b *testing.B) {
	e := bind(b, deployment())
	x := request(b, `{"model":"mine","stream":true,`+hi+`}`)
	text := start + begin + strings.Repeat(piece, 1000) + done
	b.ReportAllocs()
	chunks := 0
	for b.Loop() {
		n, err := drain(e, x, text)
		if err != nil {
			b.Fatal(err)
		}
		chunks += n
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(chunks), "ns/chunk")
}

func BenchmarkWhole(b *testing.B) {
	e := bind(b, deployment())
	x := request(b, `{"model":"mine",`+hi+`}`)
	text := `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"` +
		strings.Repeat("word ", 400) + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":400}}`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := drain(e, x, text); err != nil {
			b.Fatal(err)
		}
	}
}
