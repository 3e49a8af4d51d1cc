package provider

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// FuzzLines reads lines as they come and a byte at a time, and compares both with lines that are all there.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "{}\n", "{}\r\n\n [1] \n", "{}\n{", "\n\n", "no end"} {
		f.Add([]byte(s))
	}
	const limit = 64
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want [][]byte
		end := io.EOF
		lines := bytes.Split(raw, []byte("\n"))
		for i, line := range lines {
			short := bytes.TrimSpace(line)
			if len(short) == 0 {
				continue
			}
			want = append(want, short)
			if i == len(lines)-1 {
				end = io.ErrUnexpectedEOF
			}
		}
		for _, src := range []io.Reader{bytes.NewReader(raw), iotest.OneByteReader(bytes.NewReader(raw)), iotest.DataErrReader(bytes.NewReader(raw))} {
			r := Lines().New(limit)
			r.Reset(src)
			for i := 0; ; i++ {
				var e Event
				err := r.Next(&e)
				if errors.Is(err, sse.ErrTooLong) && len(raw) > limit {
					break
				}
				if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
					if i >= len(want) || !bytes.Equal(e.Data, want[i]) {
						t.Fatalf("%q: event %d is %q", raw, i, e.Data)
					}
				}
				if err != nil {
					if !errors.Is(err, end) || errors.Is(err, io.EOF) && i != len(want) {
						t.Fatalf("%q ends with %v after %d events, want %v after %d", raw, err, i, end, len(want))
					}
					break
				}
			}
			r.Reset(nil)
		}
	})
}
