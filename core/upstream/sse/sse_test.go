package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// drain reads all events, one line each, and the error that ended the stream.
func drain(r *Reader) (got []string, err error) {
	for {
		var ev Event
		if err := r.Next(&ev); err != nil {
			if err == io.ErrUnexpectedEOF {
				got = append(got, "cut "+describe(&ev))
			}
			return got, err
		}
		got = append(got, describe(&ev))
	}
}

func describe(ev *Event) string { return fmt.Sprintf("%s|%s|%q", ev.Name, ev.ID, ev.Data) }

func TestNext(t *testing.T) {
	t.Parallel()
	f := func(in string, want ...string) {
		t.Helper()
		for name, src := range map[string]io.Reader{
			"whole": strings.NewReader(in), "bytes": iotest.OneByteReader(strings.NewReader(in)),
			"data and error": iotest.DataErrReader(strings.NewReader(in)),
		} {
			var r Reader
			r.Reset(src)
			got, err := drain(&r)
			wantErr := io.EOF
			if n := len(want); n > 0 && strings.HasPrefix(want[n-1], "cut ") {
				wantErr = io.ErrUnexpectedEOF
			}
			if !slices.Equal(got, want) || err != wantErr {
				t.Errorf("%q (%s):\n got %q, %v\nwant %q, %v", in, name, got, err, want, wantErr)
			}
		}
	}
	f("")
	f("data: a\n\n", `||"a"`)
	f("data:a\n\n", `||"a"`)
	f("data:  a \n\n", `||" a "`)
	f("data: a\n\ndata: b\n\n", `||"a"`, `||"b"`)
	f("data: a\ndata: b\n\n", `||"a\nb"`)
	f("data: a\ndata: b\ndata\ndata:\ndata: c\n\n", `||"a\nb\n\n\nc"`)
	f("data\n\n", `||""`)
	f("data:\n\n", `||""`)
	f("data: \n\n", `||""`)
	f("event: ping\ndata: {}\n\n", `ping||"{}"`)
	f("data: {}\nevent: ping\ndata: and a long second line\n\n", `ping||"{}\nand a long second line"`)
	f("event: a\nevent: b\ndata: 1\n\ndata: 2\n\n", `b||"1"`, `||"2"`)
	f("event: a\n\ndata: 1\n\n", `||"1"`)
	f(": comment\n\ndata: 1\n\n: more\n", `||"1"`)
	f(": a\n: b\n: c\ndata: 1\n\n", `||"1"`)
	f("data: 1\n: between\ndata: 2\n\n", `||"1\n2"`)
	f("id: 7\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\n", `|7|"1"`, `|7|"2"`, `||"3"`)
	f("id: 7\n\nid: 8\n\ndata: 2\n\n", `|8|"2"`)
	f("id: 7\ndata: 1\n\nid: a\x00b\ndata: 2\n\n", `|7|"1"`, `|7|"2"`)
	f("unknown: x\ndata: 1\nDATA: 2\n data: 3\n\n", `||"1"`)
	f("\ufeffdata: 1\n\n", `||"1"`)
	f("\ufeff\ufeffdata: 1\n\ndata: 2\n\n", `||"2"`)
	f("data: 1\r\n\r\ndata: 2\r\n\r\n", `||"1"`, `||"2"`)
	f("data: 1\r\rdata: 2\r\r", `||"1"`, `||"2"`)
	f("data: 1\n\r\ndata: 2\r\n\ndata: 3\r\n\r", `||"1"`, `||"2"`, `||"3"`)
	f("data: 1\r\ndata: 2\rdata: 3\n\n", `||"1\n2\n3"`)
	f("data: a\rb\n\n", `||"a"`)
	f("\n\n\r\n\rdata: 1\n\n\n\n", `||"1"`)
	f("data: 1\n\ndata: 2", `||"1"`, `cut ||"2"`)
	f("data: 1\n\ndata: 2\n", `||"1"`, `cut ||"2"`)
	f("data: 1\n\nda", `||"1"`, `cut ||""`)
	f("data: 1\n\nevent: x\n", `||"1"`, `cut x||""`)
	f("data: 1\n\nunknown\n:\n", `||"1"`, `cut ||""`)
	f("\ufeff: c\n")
	f("data: 1\n\n: c", `||"1"`, `cut ||""`)
	f("data: 1\r\n\r", `||"1"`)
	f("data: "+strings.Repeat("x", 20000)+"\n\n", fmt.Sprintf("||%q", strings.Repeat("x", 20000)))
}

func TestErrorOfTheSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var r Reader
	r.Reset(io.MultiReader(strings.NewReader("data: 1\n\ndata: 2"), iotest.ErrReader(broken)))
	got, err := drain(&r)
	if !slices.Equal(got, []string{`||"1"`}) || err != broken {
		t.Errorf("got %q, %v; want one event and the source's error", got, err)
	}
	r.Reset(emptyReader{})
	if err := r.Next(new(Event)); err != io.ErrNoProgress {
		t.Errorf("a source without progress: got %v, want %v", err, io.ErrNoProgress)
	}
	r.Reset(nil)
	if err := r.Next(new(Event)); err != io.EOF {
		t.Errorf("no source: got %v, want %v", err, io.EOF)
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

func TestRetry(t *testing.T) {
	t.Parallel()
	f := func(in string, want time.Duration) {
		t.Helper()
		var r Reader
		r.Reset(strings.NewReader(in))
		drain(&r)
		if got := r.Retry(); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
	f("retry: 3000\n\n", 3*time.Second)
	f("retry: 3000\nretry: 3x\nretry:\nretry: -1\n\n", 3*time.Second)
	f("retry: 99999999999999999999999999\n\n", 0)
}

func TestLimit(t *testing.T) {
	t.Parallel()
	f := func(limit, size int, want error) {
		t.Helper()
		r := Reader{Limit: limit}
		r.Reset(strings.NewReader("data: 1\n\ndata: " + strings.Repeat("x", size-8) + "\n\ndata: 3\n\n"))
		got, err := drain(&r)
		if err != want || len(got) == 0 {
			t.Errorf("limit %d, event of %d: got %d events, %v; want %v", limit, size, len(got), err, want)
		}
		if err := r.Next(new(Event)); err != want {
			t.Errorf("limit %d, event of %d: got %v afterwards, want %v", limit, size, err, want)
		}
	}
	f(100, 100, io.EOF)
	f(100, 101, ErrTooLong)
	f(100, 50000, ErrTooLong)
	f(20000, 20000, io.EOF)
	f(20000, 20001, ErrTooLong)
}

// Comments keep a connection alive for as long as a model thinks; they must not add up to an event that is too long.
func TestCommentsDoNotAddUp(t *testing.T) {
	t.Parallel()
	r := Reader{Limit: 64}
	r.Reset(strings.NewReader(strings.Repeat(": keep-alive\n", 10000) + "data: 1\n\n"))
	got, err := drain(&r)
	if !slices.Equal(got, []string{`||"1"`}) || err != io.EOF {
		t.Errorf("got %q, %v; want one event", got, err)
	}
}

func TestMore(t *testing.T) {
	t.Parallel()
	f := func(in string, want ...bool) {
		t.Helper()
		var r Reader
		// What is behind the first read is not at hand yet.
		r.Reset(io.MultiReader(strings.NewReader(in), strings.NewReader("data: last\n\n")))
		for i, w := range want {
			var ev Event
			if err := r.Next(&ev); err != nil {
				t.Fatalf("%q: event %d: %v", in, i, err)
			}
			before := describe(&ev)
			if got := r.More(); got != w {
				t.Errorf("%q: after event %d (%s): More is %v, want %v", in, i, before, got, w)
			}
			if after := describe(&ev); after != before {
				t.Errorf("%q: looking ahead changed event %d from %s to %s", in, i, before, after)
			}
		}
	}
	f("data: 1\n\n", false)
	f("data: 1\n\ndata: 2", false)
	f("data: 1\n\ndata: 2\n", false)
	f("data: 1\n\ndata: 2\n\n", true, false)
	f("data: 1\n\n: comment\n\n", false)
	f("event: a\nid: 1\ndata: 1\n\n: x\n\nid: 2\n\nevent: b\nid: 3\ndata: 2\ndata: 3\n\nevent: c\n", true, false)
}

func TestBuffered(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Reset(strings.NewReader("data: 1\n\ndata: 2\n\nda"))
	f := func(want int) {
		t.Helper()
		if got := r.Buffered(); got != want {
			t.Errorf("got %d bytes, want %d", got, want)
		}
	}
	f(0)
	var ev Event
	r.Next(&ev)
	f(11)
	r.More()
	f(11)
	r.Next(&ev)
	f(2)
}

func TestResetKeepsNoLongBuffer(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Reset(strings.NewReader("event: " + strings.Repeat("n", 5000) + "\ndata: " + strings.Repeat("x", 200000) + "\n\n"))
	if _, err := drain(&r); err != io.EOF {
		t.Fatal(err)
	}
	r.Reset(nil)
	if len(r.buf) > keepBuffer || cap(r.names[0]) > keepName || cap(r.names[1]) > keepName {
		t.Errorf("after Reset the reader holds %d bytes and names of %d and %d", len(r.buf), cap(r.names[0]), cap(r.names[1]))
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	in := []byte(strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\nevent: ping\nid: 3\ndata: 1\r\ndata: 2\n\n", 50))
	var src bytes.Reader
	var r Reader
	allocs := testing.AllocsPerRun(100, func() {
		src.Reset(in)
		r.Reset(&src)
		var ev Event
		for r.Next(&ev) == nil {
			r.More()
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a stream, want none", allocs)
	}
}

func BenchmarkNext(b *testing.B) {
	chunk := `data: {"id":"chatcmpl-test","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o",` +
		`"choices":[{"index":0,"delta":{"content":"word"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"
	in := []byte(strings.Repeat(chunk, 1000))
	var src bytes.Reader
	var r Reader
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	var ev Event
	for b.Loop() {
		err := r.Next(&ev)
		if err != nil {
			src.Reset(in)
			r.Reset(&src)
		}
	}
}
