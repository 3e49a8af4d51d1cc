package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve runs a server until the test ends and returns its address.
func serve(t *testing.T, run func(net.Listener) error) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { _ = run(listener) }()
	return listener.Addr().String()
}

// TestPath sends every kind of request of the scenarios through the bare proxies.
func TestPath(t *testing.T) {
	t.Parallel()
	mock := serve(t, serveMock)
	servers := map[string]string{
		"mock":           mock,
		"bare":           serve(t, bareProxy(mock, false)),
		"bare streaming": serve(t, bareProxy(mock, true)),
	}
	for name, addr := range servers {
		for _, s := range scenarios() {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				callers := newCrowd(addr, 4)
				defer callers.hangUp()
				if err := callers.warm(s.request, s.streamed); err != nil {
					t.Fatal(err)
				}
				latencies, err := callers.load(t.Context(), s.request, s.streamed, 20)
				if err != nil {
					t.Fatal(err)
				}
				for i, latency := range latencies {
					if latency <= 0 {
						t.Errorf("call %d took %s: it was not made", i, latency)
					}
				}
			})
		}
	}
}

// TestMockReplies reads what the mock sends with the standard library's client.
func TestMockReplies(t *testing.T) {
	t.Parallel()
	addr := serve(t, serveMock)
	get := func(model, want string, stream bool, events int) {
		t.Helper()
		_, request, _ := bytes.Cut(chatRequest(model, 2<<10, stream), []byte("\r\n\r\n"))
		response, err := http.Post("http://"+addr, "application/json", bytes.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: content type %q, want %q", model, got, want)
		}
		if got := bytes.Count(body, []byte("data: ")); got != events {
			t.Errorf("%s: %d events, want %d", model, got, events)
		}
		if !stream && (len(body) < 1000 || len(body) > 1500) {
			t.Errorf("%s: %d bytes, want about 1 KB", model, len(body))
		}
	}
	get(gatewayName, "application/json", false, 0)
	get(gatewayName, "text/event-stream", true, contentChunks+2)
	get(dripModel, "text/event-stream", true, contentChunks+2)
}

func TestRequestSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2 << 10, 100 << 10} {
		_, body, _ := bytes.Cut(chatRequest(gatewayName, size, true), []byte("\r\n\r\n"))
		if len(body) < size-1 || len(body) > size {
			t.Errorf("body of %d bytes, want %d", len(body), size)
		}
	}
}

// A server that fails must not look like a fast one.
func TestCallFails(t *testing.T) {
	t.Parallel()
	call := func(want string, streamed bool, answer http.HandlerFunc) {
		t.Helper()
		server := httptest.NewServer(answer)
		defer server.Close()
		one := newCrowd(server.Listener.Addr().String(), 1)
		defer one.hangUp()
		err := one[0].call(chatRequest(gatewayName, 2<<10, streamed), streamed)
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	flush := func(w http.ResponseWriter, parts ...string) {
		for _, part := range parts {
			fmt.Fprint(w, part)
			w.(http.Flusher).Flush()
		}
	}

	call("status 401", false, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) })
	call("empty reply", false, func(http.ResponseWriter, *http.Request) {})
	call("", false, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 100<<10)) })
	call("", true, func(w http.ResponseWriter, _ *http.Request) { flush(w, "data: {}\n\n", "data: [DO", "NE]\n\n") })
	call("", true, func(w http.ResponseWriter, _ *http.Request) {
		flush(w, strings.Repeat("data: {}\n\n", 5000), streamEnd)
	})
	call("stream ended with", true, func(w http.ResponseWriter, _ *http.Request) { flush(w, "data: {}\n\n", "data: {}\n\n") })
	call("EOF", true, func(w http.ResponseWriter, _ *http.Request) {
		flush(w, "data: {}\n\n")
		panic(http.ErrAbortHandler)
	})
}

// A connection that the server closed between two rounds is opened anew.
func TestWarmReconnects(t *testing.T) {
	t.Parallel()
	callers := newCrowd(serve(t, serveMock), 2)
	defer callers.hangUp()
	request := chatRequest(gatewayName, 2<<10, false)
	for range 2 {
		if err := callers.warm(request, false); err != nil {
			t.Fatal(err)
		}
		callers[0].conn.Close()
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	quantileOf := func(q float64, want time.Duration, values ...time.Duration) {
		t.Helper()
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %g of %v: got %d, want %d", q, values, got, want)
		}
	}
	quantileOf(0.5, 0)
	quantileOf(0.5, 7, 7)
	quantileOf(0.5, 2, 3, 1, 2)
	quantileOf(0.5, 20, 30, 10)
	quantileOf(1, 4, 4, 1, 2)

	at := func(micros ...int) []sample {
		var samples []sample
		for _, n := range micros {
			samples = append(samples, sample{cpu: time.Duration(n) * time.Microsecond})
		}
		return samples
	}
	r := report{scenarios: []scenarioResult{{
		scenario: scenario{name: "whole"},
		tested:   []string{bareServer, sallyport, sallyportGuards},
		samples: map[string][]sample{
			bareServer: at(10, 20, 40), sallyport: at(12, 26, 80), sallyportGuards: at(16, 39, 91),
		},
	}}}
	got := r.bars()
	if len(got) != 2 || got[0].got != 1.3 || got[1].got < 10.99 || got[1].got > 11.01 {
		t.Errorf("got bars %v, want the ratio 1.3 and 11 us added", got)
	}
	if !strings.HasSuffix(got[0].String(), ": reached") || !strings.HasSuffix(got[1].String(), "NOT reached") {
		t.Errorf("verdicts: %v", got)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	fails := func(want string, args ...string) {
		t.Helper()
		if _, err := parse(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parse(%q): got error %v, want %q", args, err, want)
		}
	}
	fails(`no scenario "wole"`, "-only", "wole")
	fails("at least 1", "-rounds", "0")
	fails(`argument "whole"`, "whole")
	opt, err := parse([]string{"-quick", "-only", "whole,memory"})
	if err != nil || opt.rounds != 7 || len(opt.wanted()) != 2 {
		t.Errorf("got %+v, %v", opt, err)
	}
}
