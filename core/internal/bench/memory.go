package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// openStreams is how many streams are open at once when memory is measured.
const openStreams = 1000

// footprint is the resident memory of one server, in bytes.
type footprint struct {
	name          string
	idle, streams int64
}

// measureMemory starts each server anew, so that idle means never used.
func measureMemory(ctx context.Context, f *fleet) ([]footprint, error) {
	progress("memory: idle and with %d open streams", openStreams)
	var all []footprint
	var failed []error
	for _, name := range []string{bareStreaming, sallyport, sallyportGuards} {
		if f.missing[name] != "" {
			continue
		}
		server, err := f.start(name)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		one, err := measureFootprint(ctx, server)
		server.stop()
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		one.name = name
		all = append(all, one)
	}
	return all, errors.Join(failed...)
}

func measureFootprint(ctx context.Context, server *process) (footprint, error) {
	var one footprint
	var err error
	if err := sleep(ctx, time.Second); err != nil {
		return one, err
	}
	if one.idle, err = residentBytes(server.pid()); err != nil {
		return one, err
	}
	request := chatRequest(slowModel, 2<<10, true)
	callers := newCrowd(server.addr, openStreams)
	defer callers.hangUp()
	// A few at a time: how many calls can begin at once is another question.
	for some := range slices.Chunk(callers, 50) {
		if err := some.each(func(c *caller) error { return c.open(request) }); err != nil {
			return one, err
		}
	}
	// All streams are open and have begun; a few more events pass before the reading.
	if err := sleep(ctx, 4*slowGap); err != nil {
		return one, err
	}
	one.streams, err = residentBytes(server.pid())
	return one, err
}

// open sends a request and reads until the first chunk of a stream.
func (c *caller) open(request []byte) error {
	if err := c.send(request); err != nil {
		return err
	}
	reply, err := c.readHead()
	if err != nil {
		return err
	}
	if reply.status == 200 && reply.chunked {
		_, err = c.readChunk()
		return err
	}
	_, err = c.readBody(reply)
	return errors.Join(fmt.Errorf("status %d, want an open stream: %s", reply.status, c.tail), err)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
