package upstream_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// piped runs a test in a bubble of virtual time, with a client whose connections are pipes to play. play gets the
// connection after the request was read from it.
func piped(t *testing.T, play func(conn net.Conn), test func(t *testing.T, c *upstream.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, upstream.Settings{Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				br := bufio.NewReader(theirs)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					play(theirs)
				}
			}()
			return ours, nil
		}})
		test(t, c)
		settle(c)
	})
}

// settle lets every goroutine of the bubble come to its end.
func settle(c *upstream.Client) {
	c.Close()
	time.Sleep(3 * time.Hour)
}

func send(conn net.Conn, parts ...string) {
	for _, p := range parts {
		io.WriteString(conn, p)
	}
}

// drip sends chunks with a pause before each.
func drip(conn net.Conn, pause time.Duration, n int) {
	for range n {
		time.Sleep(pause)
		send(conn, upstreamtest.Chunk("x"))
	}
}

const jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestTimeouts(t *testing.T) {
	hang := func(net.Conn) { time.Sleep(time.Hour) }
	// f makes a call with the given limits. It must end after the given time, with the text, and with an error of the
	// operation, or none if that is empty.
	f := func(name string, limits llm.Call, play func(net.Conn), after time.Duration, text, op, message string) {
		t.Run(name, func(t *testing.T) {
			piped(t, play, func(t *testing.T, c *upstream.Client) {
				call := post(anyTarget())
				call.Timeout, call.FirstByte, call.Idle = limits.Timeout, limits.FirstByte, limits.Idle
				begin := time.Now()
				var life llm.Lifetime
				_, got, err := fetch(&life, c, call)
				if took := time.Since(begin); took != after {
					t.Errorf("ended after %v, want %v", took, after)
				}
				if got != text {
					t.Errorf("got %q, want %q", got, text)
				}
				if op == "" && err != nil {
					t.Errorf("got error %v", err)
				}
				if op != "" {
					wantMessage(t, wantError(t, err, op, llm.KindTimeout), message)
				}
			})
		})
	}
	s := time.Second
	noAnswer, stalled := "did not answer within the time allowed", "stopped sending in the middle of its answer"

	f("whole", llm.Call{Timeout: 5 * s}, hang, 5*s, "", "upstream.Do", noAnswer)
	f("first byte", llm.Call{FirstByte: 3 * s}, hang, 3*s, "", "upstream.Do", noAnswer)
	f("first byte is shorter", llm.Call{FirstByte: 3 * s, Timeout: 5 * s, Idle: s}, hang, 3*s, "", "upstream.Do", noAnswer)
	f("whole is shorter", llm.Call{FirstByte: 5 * s, Timeout: 3 * s}, hang, 3*s, "", "upstream.Do", noAnswer)

	slowBody := func(conn net.Conn) {
		time.Sleep(s)
		send(conn, jsonHead)
		drip(conn, s, 10)
		send(conn, upstreamtest.Last)
	}
	f("whole body in time", llm.Call{Timeout: 12 * s}, slowBody, 11*s, "xxxxxxxxxx", "", "")
	f("whole body too late", llm.Call{Timeout: 5500 * time.Millisecond}, slowBody, 5500*time.Millisecond, "xxxx", "upstream.Read", stalled)
	f("first byte does not bound the body", llm.Call{FirstByte: 2 * s, Timeout: 20 * s}, slowBody, 11*s, "xxxxxxxxxx", "", "")
	f("first byte alone leaves the body free", llm.Call{FirstByte: 2 * s}, slowBody, 11*s, "xxxxxxxxxx", "", "")
	f("idle bounds a whole body without a limit", llm.Call{Idle: 900 * time.Millisecond}, slowBody, 1900*time.Millisecond, "", "upstream.Read", stalled)
	f("no limit", llm.Call{}, slowBody, 11*s, "xxxxxxxxxx", "", "")

	stream := func(conn net.Conn) {
		time.Sleep(s)
		send(conn, upstreamtest.StreamHead())
		drip(conn, 7*s, 10)
		send(conn, upstreamtest.Last)
	}
	f("stream in time", llm.Call{FirstByte: 2 * s, Idle: 8 * s}, stream, 71*s, "xxxxxxxxxx", "", "")
	f("a stream has no total", llm.Call{Timeout: 2 * s, Idle: 8 * s}, stream, 71*s, "xxxxxxxxxx", "", "")
	f("a stream without idle has no limit", llm.Call{Timeout: 2 * s}, stream, 71*s, "xxxxxxxxxx", "", "")
	f("long first byte, short idle", llm.Call{FirstByte: 100 * s, Idle: 6 * s}, stream, 7*s, "", "upstream.Read", stalled)
	stall := func(conn net.Conn) {
		send(conn, upstreamtest.StreamHead())
		drip(conn, 7*s, 3)
		time.Sleep(time.Hour)
	}
	f("stream stalls", llm.Call{Idle: 8 * s}, stall, 29*s, "xxx", "upstream.Read", stalled)
	f("stream stalls, late deadline", llm.Call{FirstByte: 60 * s, Idle: 8 * s}, stall, 29*s, "xxx", "upstream.Read", stalled)
}

// The time that the reader takes between two reads is not the vendor's.
func TestIdleCountsOnlyWaiting(t *testing.T) {
	play := func(conn net.Conn) {
		send(conn, upstreamtest.StreamHead())
		drip(conn, 3*time.Second, 3)
		send(conn, upstreamtest.Last)
	}
	piped(t, play, func(t *testing.T, c *upstream.Client) {
		call := post(anyTarget())
		call.Idle = 4 * time.Second
		var a llm.Answer
		if err := c.Do(new(llm.Lifetime), call, &a); err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		var got strings.Builder
		for {
			time.Sleep(time.Minute)
			b := make([]byte, 1)
			n, err := a.Body.Read(b)
			got.Write(b[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != "xxx" {
			t.Errorf("got %q", got.String())
		}
	})
}

// waiter notes when it is woken, and wants to be woken again every second until it has enough.
type waiter struct {
	life  *llm.Lifetime
	begun time.Time
	times []time.Duration
	stop  int
}

// Idle implements llm.Waiter.
func (w *waiter) Idle() bool {
	w.times = append(w.times, time.Since(w.begun))
	w.life.Wake(time.Now().Add(time.Second))
	return len(w.times) != w.stop
}

// Whoever waits for a vendor is woken at the times it asked for, from inside of the read, and no limit of the call moves.
func TestWaked(t *testing.T) {
	const s = time.Second
	f := func(name string, call llm.Call, pause time.Duration, stop, woken int, want string, kind llm.Kind, took time.Duration) {
		t.Helper()
		play := func(conn net.Conn) {
			send(conn, upstreamtest.StreamHead())
			drip(conn, pause, 2)
			send(conn, upstreamtest.Last)
		}
		piped(t, play, func(t *testing.T, c *upstream.Client) {
			life := new(llm.Lifetime)
			ctx, cancel := context.WithCancel(life)
			defer cancel()
			w := &waiter{life: life, begun: time.Now(), stop: stop}
			life.OnIdle(w)
			each := post(anyTarget())
			each.Idle, each.Timeout = call.Idle, call.Timeout
			var a llm.Answer
			if err := c.Do(ctx, each, &a); err != nil {
				t.Fatal(err)
			}
			defer a.Body.Close()
			life.Wake(w.begun.Add(1500 * time.Millisecond))
			got, err := io.ReadAll(a.Body)
			e := llm.AsError(err)
			if string(got) != want || (e == nil) != (kind == 0) || e != nil && e.Kind != kind || len(w.times) != woken {
				t.Errorf("%s: got %q, woken %v, %v", name, got, w.times, err)
			}
			if d := time.Since(w.begun); d != took {
				t.Errorf("%s: it took %v, want %v", name, d, took)
			}
			for i, at := range w.times {
				if at != 1500*time.Millisecond+time.Duration(i)*s {
					t.Errorf("%s: woken at %v", name, w.times)
				}
			}
		})
	}
	f("comes in time", llm.Call{Idle: 10 * s}, s, 0, 1, "xx", 0, 2*s)
	f("is waited for", llm.Call{Idle: 10 * s}, 4*s, 0, 7, "xx", 0, 8*s)
	f("no limit", llm.Call{}, 4*s, 0, 7, "xx", 0, 8*s)
	f("idle too long", llm.Call{Idle: 3 * s}, 4*s, 0, 2, "", llm.KindTimeout, 3*s)
	f("not wanted any more", llm.Call{Idle: 10 * s}, 4*s, 2, 2, "", llm.KindCanceled, 2500*time.Millisecond)
}

// A connection without a descriptor is checked by a short read; a deadline of the call before must not fail it, nor may
// it bound the next call.
func TestDeadlineDoesNotOutliveTheCall(t *testing.T) {
	calls := 0
	play := func(conn net.Conn) {
		calls++
		if calls > 1 {
			time.Sleep(time.Minute)
		}
		send(conn, upstreamtest.Head(200, "Content-Length: 2"), "{}")
	}
	piped(t, play, func(t *testing.T, c *upstream.Client) {
		target := anyTarget()
		call := post(target)
		call.Timeout = 3 * time.Second
		ok(t, c, call)
		time.Sleep(10 * time.Second)
		ok(t, c, post(target))
		time.Sleep(100 * time.Millisecond)
		ok(t, c, post(target))
	})
}

// A deadline that is minutes away may serve the next calls too, and be late by a hundredth for that; never early, and a
// shorter one takes its place.
func TestFarDeadlines(t *testing.T) {
	var calls atomic.Int64
	play := func(conn net.Conn) {
		if n := calls.Add(1); n == 3 || n == 6 {
			time.Sleep(time.Hour)
		}
		send(conn, upstreamtest.Head(200, "Content-Length: 2"), "{}")
	}
	piped(t, play, func(t *testing.T, c *upstream.Client) {
		target := anyTarget()
		call := func(timeout time.Duration) (time.Duration, error) {
			call := post(target)
			call.Timeout = timeout
			begun := time.Now()
			_, _, err := fetch(t.Context(), c, call)
			time.Sleep(500 * time.Millisecond)
			return time.Since(begun) - 500*time.Millisecond, err
		}
		answered := func(timeout time.Duration) {
			t.Helper()
			if _, err := call(timeout); err != nil {
				t.Error(err)
			}
		}
		late := func(timeout, most time.Duration) {
			t.Helper()
			took, err := call(timeout)
			wantError(t, err, "upstream.Do", llm.KindTimeout)
			if took < timeout || took > most {
				t.Errorf("ended after %s, want %s to %s", took, timeout, most)
			}
		}
		answered(10 * time.Minute)
		answered(10 * time.Minute)
		late(10*time.Minute, 10*time.Minute+6*time.Second)
		answered(10 * time.Minute)
		answered(10 * time.Minute)
		late(20*time.Second, 20*time.Second)
	})
}

// What a server says unasked is not the answer to the next call.
func TestUnaskedBytesWhileIdle(t *testing.T) {
	calls := 0
	play := func(conn net.Conn) {
		calls++
		send(conn, upstreamtest.Head(200, "Content-Length: 1"), string(rune('0'+calls)))
		time.Sleep(5 * time.Second)
		send(conn, upstreamtest.Head(408, "Content-Length: 0"))
	}
	piped(t, play, func(t *testing.T, c *upstream.Client) {
		target := anyTarget()
		for _, want := range []string{"1", "2", "3"} {
			if got := ok(t, c, post(target)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// The last chunk of a closed stream is waited for a second, and then the connection goes.
func TestLastChunkNeverComes(t *testing.T) {
	var closed chan time.Time
	play := func(conn net.Conn) {
		send(conn, upstreamtest.StreamHead(), upstreamtest.Chunk("x"))
		conn.Read(make([]byte, 1))
		closed <- time.Now()
	}
	piped(t, play, func(t *testing.T, c *upstream.Client) {
		closed = make(chan time.Time, 1)
		var a llm.Answer
		if err := c.Do(new(llm.Lifetime), post(anyTarget()), &a); err != nil {
			t.Fatal(err)
		}
		a.Body.Read(make([]byte, 1))
		begin := time.Now()
		a.Body.Close()
		if time.Since(begin) != 0 {
			t.Error("Close waited")
		}
		if took := (<-closed).Sub(begin); took != time.Second {
			t.Errorf("the connection was closed after %v, want 1 s", took)
		}
	})
}

func TestDialTimeout(t *testing.T) {
	f := func(name string, limits llm.Call, dial, after time.Duration) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, upstream.Settings{DialTimeout: dial, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}})
				defer settle(c)
				call := post(anyTarget())
				call.Timeout, call.FirstByte = limits.Timeout, limits.FirstByte
				begin := time.Now()
				_, _, err := fetch(new(llm.Lifetime), c, call)
				wantMessage(t, wantError(t, err, "upstream.Do", llm.KindTimeout), "no connection to vendor.test within the time allowed")
				if took := time.Since(begin); took != after {
					t.Errorf("ended after %v, want %v", took, after)
				}
			})
		})
	}
	f("default", llm.Call{}, 0, 10*time.Second)
	f("set", llm.Call{Timeout: time.Minute}, 3*time.Second, 3*time.Second)
	f("total is shorter", llm.Call{Timeout: 2 * time.Second}, 3*time.Second, 2*time.Second)
	f("first byte is shorter", llm.Call{FirstByte: 2 * time.Second}, 3*time.Second, 2*time.Second)
}

// A server that takes no bytes at all must not hold a call for ever.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, mute := net.Pipe()
		c := newClient(t, upstream.Settings{Dial: dialTo(mute)})
		defer settle(c)
		call := post(anyTarget())
		call.Timeout = 5 * time.Second
		_, _, err := fetch(new(llm.Lifetime), c, call)
		wantMessage(t, wantError(t, err, "upstream.Do", llm.KindTimeout), "did not take the request")
	})
}

// A TLS handshake is part of dialling.
func TestHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs, ours := net.Pipe()
		go io.Copy(io.Discard, theirs)
		c := newClient(t, upstream.Settings{Dial: dialTo(ours)})
		defer settle(c)
		defer theirs.Close()
		target := anyTarget()
		target.Scheme = "https"
		begin := time.Now()
		_, _, err := fetch(new(llm.Lifetime), c, post(target))
		wantError(t, err, "upstream.Do", llm.KindTimeout)
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("ended after %v, want 10 s", took)
		}
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan time.Time, 1)
		c := newClient(t, upstream.Settings{MaxIdle: 5 * time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				r, _ := http.ReadRequest(bufio.NewReader(theirs))
				io.Copy(io.Discard, r.Body)
				send(theirs, upstreamtest.Head(200, "Content-Length: 2"), "{}")
				theirs.Read(make([]byte, 1))
				closed <- time.Now()
			}()
			return ours, nil
		}})
		defer settle(c)
		ok(t, c, post(anyTarget()))
		begin := time.Now()
		if took := (<-closed).Sub(begin); took < 5*time.Second || took > 11*time.Second {
			t.Errorf("the idle connection was closed after %v, want 5 s to twice that", took)
		}
	})
}

// A deadline that fires early is moved, and the TLS layer goes on where it was.
func TestIdleUnderTLS(t *testing.T) {
	v := upstreamtest.NewTLS(t)
	now := time.Now() // the certificate is not valid in the bubble's time
	server, client := v.Config().Clone(), v.TLS.Clone()
	client.Time = func() time.Time { return now }
	server.SessionTicketsDisabled = true // a pipe has no buffer for what nobody reads yet
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() {
			conn := tls.Server(theirs, server)
			defer conn.Close()
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			send(conn, upstreamtest.StreamHead())
			drip(conn, 3*time.Second, 5)
			send(conn, upstreamtest.Last)
		}()
		c := newClient(t, upstream.Settings{TLS: client, Dial: dialTo(ours)})
		defer settle(c)
		call := post(&llm.Target{Scheme: "https", Host: "localhost", Addr: "localhost:443"})
		call.FirstByte, call.Idle = time.Second, 4*time.Second
		if got := ok(t, c, call); got != "xxxxx" {
			t.Errorf("got %q", got)
		}
	})
}
