package spend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// Own reports whether a record was written by this run.
func (j *Journal) Own(seq int64) bool {
	n, _ := placeOf(seq)
	return n >= j.first
}

// Read calls each with the records from a place on, up to the end of what was there when it was called, until each
// returns false. from 0 is the oldest. Records are valid during the call. next is where to go on.
func (j *Journal) Read(from int64, each func(seq int64, record []byte) bool) (next int64, err error) {
	return readDir(j.dir, from, j.End(), each)
}

// readDir reads a folder's records from a place up to another one, which may be 0 for all.
func readDir(dir string, from, end int64, each func(seq int64, record []byte) bool) (next int64, err error) {
	numbers, err := segmentNumbers(dir)
	if err != nil {
		return from, fmt.Errorf("spend journal: %w", err)
	}
	for i, n := range numbers {
		start, at := placeOf(from)
		if n < start {
			continue
		}
		if n > start {
			at = headSize
		}
		at = max(at, headSize)
		b, err := readSegment(segmentPath(dir, n), n, at, end)
		if err != nil {
			return from, err
		}
		for {
			record, size := firstRecord(b, n, at)
			if size == 0 {
				break
			}
			more := each(seq(n, at), record)
			at, b = at+size, b[size:]
			from = seq(n, at)
			if !more {
				return from, nil
			}
		}
		// A segment that was left is done with, also if nothing is in it: a process that served no call leaves one.
		if last, _ := placeOf(end); i+1 < len(numbers) && (end == 0 || numbers[i+1] <= last) {
			from = seq(numbers[i+1], headSize)
		}
	}
	return from, nil
}

// readSegment reads a segment from a place on, up to another one or its end. It is nothing if there is no such segment,
// or none that began before the process ended.
func readSegment(path string, number uint32, at int, end int64) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("spend journal: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("spend journal: %w", err)
	}
	size := int(min(info.Size(), math.MaxInt32))
	if n, to := placeOf(end); end != 0 && n <= number {
		size = min(size, to)
		if n < number {
			size = 0
		}
	}
	if size < at+frameSize {
		return nil, nil
	}
	head, first := make([]byte, headSize), make([]byte, frameSize)
	if err := errors.Join(readAt(f, head, 0), readAt(f, first, int64(at))); err != nil {
		return nil, err
	}
	if !validHead(head, number) || binary.LittleEndian.Uint32(first) == 0 {
		return nil, nil // as most of a file is that was not written to; it need not be read
	}
	b := make([]byte, size-at)
	return b, readAt(f, b, int64(at))
}

// readAt fills b. What a file is too short for stays zero: no record.
func readAt(f *os.File, b []byte, at int64) error {
	if _, err := f.ReadAt(b, at); err != nil && err != io.EOF { //nolint:errorlint // a file returns it bare
		return fmt.Errorf("spend journal: %w", err)
	}
	return nil
}

// Release gives up the segments that lie wholly before a place. One is kept to be written again.
func (j *Journal) Release(before int64) error {
	j.mu.Lock()
	current := j.now.number
	j.mu.Unlock()
	n, _ := placeOf(before)
	return releaseDir(j.dir, min(n, current))
}

func releaseDir(dir string, below uint32) error {
	numbers, err := segmentNumbers(dir)
	if err != nil {
		return fmt.Errorf("spend journal: %w", err)
	}
	for _, n := range numbers {
		if n >= below {
			break
		}
		path := segmentPath(dir, n)
		if _, err := os.Stat(filepath.Join(dir, freeName)); errors.Is(err, fs.ErrNotExist) {
			if os.Rename(path, filepath.Join(dir, freeName)) == nil {
				continue
			}
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("spend journal: %w", err)
		}
	}
	return nil
}
