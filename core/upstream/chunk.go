package upstream

import "bytes"

const (
	maxChunk       = 1 << 30  // bytes of one chunk
	maxChunkLine   = 1 << 10  // bytes of the line before a chunk, extensions included
	maxTrailerLine = 4 << 10  // bytes of one line after the last chunk; the read buffer holds more
	maxTrailer     = 16 << 10 // bytes of all of them
)

// framingError is a mistake in the framing of a chunked body. The body is then no HTTP, and nothing after it can be
// trusted.
type framingError string

func (e framingError) Error() string { return string(e) }

const (
	errChunkSize  framingError = "a chunk size is not a hexadecimal number"
	errChunkHuge  framingError = "a chunk is longer than 1 GB"
	errChunkLine  framingError = "a chunk line is too long or does not end in CR LF"
	errChunkEnd   framingError = "a chunk does not end in CR LF"
	errTrailer    framingError = "a trailer line does not end in CR LF"
	errTrailerBig framingError = "the trailer is too long"
)

// frame reads what stands between the data of chunks (RFC 9112, section 7.1). It is strict where parsers differ, since
// two readings of one body are how answers get mixed up.
type frame struct {
	inside  bool // a chunk came before, so its CR LF comes first
	last    bool // the empty chunk was read, the trailer follows
	trailer int  // bytes of trailer read
}

// parse reads one step from the start of b and returns how many bytes it took. size is the length of the chunk that
// follows, 0 at the end of the body, and -1 if b does not reach far enough.
func (f *frame) parse(b []byte) (used int, size int64, err error) {
	if !f.last {
		used, size, err = f.head(b)
		if size != 0 || err != nil {
			return used, size, err
		}
		f.last = true
	}
	for {
		line := bytes.IndexByte(b[used:], '\n') + 1
		rest := line
		if line == 0 {
			rest = len(b) - used
		}
		if rest > maxTrailerLine || f.trailer+rest > maxTrailer {
			return used, -1, errTrailerBig
		}
		if line == 0 {
			return used, -1, nil
		}
		if line < 2 || b[used+line-2] != '\r' {
			return used, -1, errTrailer
		}
		used += line
		f.trailer += line
		if line == 2 {
			return used, 0, nil
		}
	}
}

// head reads the CR LF of the chunk before and the line with the size.
func (f *frame) head(b []byte) (used int, size int64, err error) {
	if f.inside {
		if len(b) > 0 && b[0] != '\r' || len(b) > 1 && b[1] != '\n' {
			return 0, -1, errChunkEnd
		}
		if len(b) < 2 {
			return 0, -1, nil
		}
		used = 2
	}
	line := b[used:]
	end := bytes.IndexByte(line, '\n')
	if end > maxChunkLine || end < 0 && len(line) > maxChunkLine {
		return 0, -1, errChunkLine
	}
	if end < 0 {
		return 0, -1, nil
	}
	if end == 0 || line[end-1] != '\r' {
		return 0, -1, errChunkLine
	}
	size, err = chunkSize(line[:end-1])
	if err != nil {
		return 0, -1, err
	}
	f.inside = true
	return used + end + 1, size, nil
}

func chunkSize(line []byte) (int64, error) {
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		if bytes.IndexByte(line[i:], '\r') >= 0 {
			return 0, errChunkLine
		}
		line = line[:i]
	} else {
		// Some servers pad the number with spaces.
		line = bytes.TrimRight(line, " \t")
	}
	if len(line) == 0 {
		return 0, errChunkSize
	}
	var n int64
	for _, c := range line {
		d, ok := hexDigit(c)
		if !ok {
			return 0, errChunkSize
		}
		n = n<<4 | d
		if n > maxChunk {
			return 0, errChunkHuge
		}
	}
	return n, nil
}

func hexDigit(c byte) (int64, bool) {
	switch {
	case '0' <= c && c <= '9':
		return int64(c - '0'), true
	case 'a' <= c && c <= 'f':
		return int64(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return int64(c-'A') + 10, true
	}
	return 0, false
}
