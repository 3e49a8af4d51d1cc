package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// streamEnd is the event that ends an OpenAI stream.
const streamEnd = "data: [DONE]\n\n"

// maxRound is far above what a round takes: a server that is silent for so long is broken.
const maxRound = 60 * time.Second

// caller is one connection with one request at a time. It is written by hand
// because the load generator shares a core with the mock vendor.
type caller struct {
	addr   string
	conn   net.Conn
	reader *bufio.Reader
	tail   []byte
}

// call sends a request and reads the reply to its end. A reply that is not 200,
// is empty, or is a stream without its end, is an error.
func (c *caller) call(request []byte, streamed bool) error {
	if err := c.send(request); err != nil {
		return err
	}
	reply, err := c.readHead()
	if err != nil {
		return err
	}
	size, err := c.readBody(reply)
	if err != nil {
		return err
	}
	if reply.close {
		c.hangUp()
	}
	if reply.status != 200 {
		return fmt.Errorf("status %d: %s", reply.status, c.tail)
	}
	if streamed && !bytes.HasSuffix(c.tail, []byte(streamEnd)) {
		return fmt.Errorf("stream ended with %q", c.tail)
	}
	if size == 0 {
		return errors.New("empty reply")
	}
	return nil
}

// send connects when there is no connection and writes the request.
func (c *caller) send(request []byte) error {
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp4", c.addr, maxRound)
		if err != nil {
			return err
		}
		if c.conn, err = peer(conn); err != nil {
			return err
		}
		c.renew()
		if c.reader == nil {
			c.reader = bufio.NewReaderSize(nil, 8<<10)
		}
		c.reader.Reset(c.conn)
	}
	_, err := c.conn.Write(request)
	return err
}

func (c *caller) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// replyHead is what of a reply's head decides how to read on.
type replyHead struct {
	status  int
	length  int
	chunked bool
	close   bool
}

func (c *caller) readHead() (replyHead, error) {
	reply := replyHead{length: -1}
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return reply, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return reply, fmt.Errorf("status line %q", line)
	}
	if reply.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return reply, fmt.Errorf("status line %q: %w", line, err)
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return reply, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return reply, nil
		}
		if value, ok := field(line, "content-length"); ok {
			if reply.length, err = strconv.Atoi(string(value)); err != nil {
				return reply, fmt.Errorf("content-length: %w", err)
			}
		}
		if value, ok := field(line, "transfer-encoding"); ok {
			reply.chunked = bytes.EqualFold(value, []byte("chunked"))
		}
		if value, ok := field(line, "connection"); ok {
			reply.close = bytes.EqualFold(value, []byte("close"))
		}
	}
}

// readBody reads the body, keeps its last bytes in tail, and returns its size.
func (c *caller) readBody(reply replyHead) (int, error) {
	c.tail = c.tail[:0]
	if !reply.chunked {
		if reply.length < 0 {
			return 0, errors.New("reply without a length")
		}
		return reply.length, c.take(reply.length)
	}
	total := 0
	for {
		size, err := c.readChunk()
		total += size
		if size == 0 || err != nil {
			return total, err
		}
	}
}

// readChunk reads one HTTP chunk and returns its size, 0 at the end.
func (c *caller) readChunk() (int, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
	if err != nil {
		return 0, fmt.Errorf("chunk size: %w", err)
	}
	if err := c.take(int(size)); err != nil {
		return 0, err
	}
	_, err = c.reader.Discard(len("\r\n"))
	return int(size), err
}

// take reads n bytes and keeps the last few.
func (c *caller) take(n int) error {
	const keep = 256
	for n > 0 {
		part, err := c.reader.Peek(min(n, c.reader.Size()))
		if err != nil {
			return err
		}
		n -= len(part)
		if _, err := c.reader.Discard(len(part)); err != nil {
			return err
		}
		if len(part) < keep {
			c.tail = append(c.tail[max(0, len(c.tail)-keep):], part...)
			c.tail = append(c.tail[:0], c.tail[max(0, len(c.tail)-keep):]...)
			continue
		}
		c.tail = append(c.tail[:0], part[len(part)-keep:]...)
	}
	return nil
}

// crowd is a number of callers of one server that keep their connections.
type crowd []*caller

func newCrowd(addr string, size int) crowd {
	callers := make(crowd, size)
	for i := range callers {
		callers[i] = &caller{addr: addr}
	}
	return callers
}

func (c crowd) hangUp() {
	for _, caller := range c {
		caller.hangUp()
	}
}

// warm makes each caller call once, on a new connection where the old one is no longer good.
func (c crowd) warm(request []byte, streamed bool) error {
	return c.each(func(caller *caller) error {
		if caller.renew() && caller.call(request, streamed) == nil {
			return nil
		}
		caller.hangUp()
		return caller.call(request, streamed)
	})
}

// renew gives a connection the time for another round; it is false when there is none.
func (c *caller) renew() bool {
	return c.conn != nil && c.conn.SetDeadline(time.Now().Add(maxRound)) == nil
}

// load makes total calls, spread over the callers, and returns how long each took.
func (c crowd) load(ctx context.Context, request []byte, streamed bool, total int) ([]time.Duration, error) {
	var next atomic.Int64
	latencies := make([]time.Duration, total)
	err := c.each(func(caller *caller) error {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= total {
				return nil
			}
			start := time.Now()
			if err := caller.call(request, streamed); err != nil {
				return err
			}
			latencies[i] = time.Since(start)
		}
		return ctx.Err()
	})
	return latencies, err
}

// each runs do for all callers at once and joins their errors, of which many are the same.
func (c crowd) each(do func(*caller) error) error {
	var wg sync.WaitGroup
	failed := make(chan error, len(c))
	for _, caller := range c {
		wg.Go(func() {
			if err := do(caller); err != nil {
				caller.hangUp()
				failed <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("%d of %d connections failed, one with: %w", len(failed)+1, len(c), err)
	default:
		return nil
	}
}
