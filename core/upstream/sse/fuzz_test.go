package sse

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// reference reads a whole stream the slow way, step by step as the specification puts it.
func reference(in string) (events []string, cut bool) {
	in = strings.TrimPrefix(in, "\ufeff")
	var name, id string
	var data []string
	open := false // something of an event was seen
	for in != "" {
		i := strings.IndexAny(in, "\r\n")
		if i < 0 {
			return events, true
		}
		line, rest := in[:i], in[i+1:]
		if in[i] == '\r' {
			rest = strings.TrimPrefix(rest, "\n")
		}
		in = rest
		if line == "" {
			if data != nil {
				events = append(events, fmt.Sprintf("%s|%s|%q", name, id, strings.Join(data, "\n")))
			}
			name, data, open = "", nil, false
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		if field != "" {
			open = true
		}
		switch field {
		case "event":
			name = value
		case "data":
			data = append(data, value)
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		}
	}
	return events, open
}

// pieces hands out a text in reads of the given sizes, over and over.
type pieces struct {
	text  string
	sizes []byte
	next  int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := 1
	if len(p.sizes) > 0 {
		n += int(p.sizes[p.next%len(p.sizes)])
		p.next++
	}
	n = copy(b, p.text[:min(n, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

func FuzzNext(f *testing.F) {
	for _, in := range []string{
		"data: a\n\n", "data: a\r\n\r\ndata: b\r\rdata: c", "\ufeffevent: x\nid: 1\ndata: 1\ndata: 22\nevent: y\ndata: 333\n\n",
		": c\n\nid: \x00\n\ndata\n\n\n", "data: 1\nevent: long name\ndata: overwrites\n\nid: 2\n\nid: 3\n\ndata: 2\n\n", "da", "\xef\xbb", "data\r", "\ufeff",
		"\n c\n\nid: \x00\n\n@ata\n:\n",
	} {
		f.Add(in, []byte{0, 3, 20}, true)
		f.Add(in, []byte{255}, false)
	}
	f.Fuzz(func(t *testing.T, in string, sizes []byte, ahead bool) {
		want, cut := reference(in)
		var r Reader
		r.Reset(&pieces{text: in, sizes: sizes})
		var got []string
		for {
			var ev Event
			err := r.Next(&ev)
			if err != nil {
				if wantErr := map[bool]error{false: io.EOF, true: io.ErrUnexpectedEOF}[cut]; err != wantErr {
					t.Errorf("ended with %v, want %v", err, wantErr)
				}
				break
			}
			if ahead && r.More() {
				// The event must be whole although the next one was parsed.
				got = append(got, describe(&ev))
				if err := r.Next(&ev); err != nil {
					t.Fatalf("More promised an event, and Next returned %v", err)
				}
			}
			got = append(got, describe(&ev))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
