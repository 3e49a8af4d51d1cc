package app_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// pausing is a vendor's stream that says the first words, waits at the gate, and says the rest.
func pausing(gate *ut.Gate, first, rest []string) ut.Answer {
	return func(c *ut.Conn) {
		c.Write(ut.StreamHead() + ut.Chunk(ut.Event(ut.RoleChunk("x"))))
		for _, word := range first {
			c.Write(ut.Chunk(ut.Event(ut.ContentChunk("x", word))))
		}
		gate.Before(func(c *ut.Conn) {
			for _, word := range rest {
				c.Write(ut.Chunk(ut.Event(ut.ContentChunk("x", word))))
			}
			c.Write(ut.Chunk(ut.Event(ut.FinishChunk("x", "stop"))) + ut.Chunk(ut.Event("[DONE]")) + ut.Chunk(""))
		})(c)
	}
}

// untilText reads lines until the text of their events holds want.
func untilText(t *testing.T, br *bufio.Reader, want string) (all string) {
	t.Helper()
	for !strings.Contains(all, want) {
		line, err := br.ReadString('\n')
		if err != nil {
			t.Fatalf("%v; %q did not come, but %q", err, want, all)
		}
		for _, name := range []string{`"content":"`, `"text":"`} {
			if _, after, ok := strings.Cut(line, name); ok {
				text, _, _ := strings.Cut(after, `"`)
				all += text
			}
		}
		if strings.Contains(line, `"error"`) {
			all += line
		}
	}
	return all
}

// Text that waits to be looked at leaves when window_ms is over, while the vendor is silent; what is held back stays.
func TestWindowsDoNotWaitForVendor(t *testing.T) {
	t.Parallel()
	const windows = "default_on: true, window_chars: 1000, window_ms: 20, "
	f := func(path, more string, params ...string) {
		t.Helper()
		gate := ut.NewGate()
		v := ut.New(t, pausing(gate, []string{"a sec", "ret ", "word "}, []string{"sec", "ret"}))
		for i := range params {
			params[i] = windows + params[i]
		}
		s := apptest.Start(t, with(t, v, params...))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := s.Open(ctx, "POST", path, says("hi", `,"stream":true`+more))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		br := bufio.NewReader(r.Body)
		if got := untilText(t, br, "***"); got != "a *** w" && got != "a ***" {
			t.Errorf("%s: %q while the vendor was silent", path, got)
		}
		gate.Open()
		rest := untilText(t, br, "ord ***")
		if strings.Contains(rest, "sec") {
			t.Errorf("%s: then %q", path, rest)
		}
	}
	f(chat, "", "mode: post_call, holdback: 4")
	f("/v1/messages", `,"max_tokens":9`, "mode: post_call, holdback: 4")
	f(chat, "", "mode: [during_call, post_call], holdback: 4")
	f(chat, "", "mode: post_call, holdback: 2", "mode: post_call, holdback: 2") // one behind the other
}

// A refusal then ends the stream: the caller gets an error event, nothing behind it, and the vendor is let go.
func TestWindowsRefuseWhileVendorIsSilent(t *testing.T) {
	t.Parallel()
	for _, path := range []string{chat, "/v1/messages"} {
		gate := ut.NewGate()
		v := ut.New(t, pausing(gate, []string{"good, ab", "ort"}, nil))
		s := apptest.Start(t, with(t, v, "mode: post_call, default_on: true, window_chars: 1000, window_ms: 20, holdback: 4"))
		r := s.Post(path, says("hi", `,"stream":true,"max_tokens":9`))
		if r.Status != 200 || !strings.Contains(r.Body, "stopped") || strings.Contains(r.Body, "abort") || strings.Contains(r.Body, "good") {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
		<-gate.Left()
	}
}

// Many streams wait at once, each for its own time, without a goroutine of their own.
func TestManyWindowsWait(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	v := ut.New(t, pausing(gate, []string{"hello ", "there"}, []string{"!"}))
	s := apptest.Start(t, with(t, v, "mode: post_call, default_on: true, window_chars: 1000, window_ms: 5, holdback: 0"))
	const streams = 50
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	readers := make([]*bufio.Reader, streams)
	for i := range readers {
		r, err := s.Open(ctx, "POST", chat, says(fmt.Sprint("hi ", i), `,"stream":true`))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		readers[i] = bufio.NewReader(r.Body)
	}
	for _, br := range readers {
		untilText(t, br, "hello there")
	}
	gate.Open()
	for _, br := range readers {
		untilText(t, br, "!")
	}
}
