// Package dump writes the records that cross the border between the gateway and a plugin as text, and reads them back:
// the header of a record in hex, then its value in hex, and behind # what they mean. Golden files are written in it.
package dump

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Names are the names of tags, for the comments.
type Names map[abi.Tag]string

// TagNames returns the names of the tags of package abi: TagRequestID is "request_id".
func TagNames() (Names, error) {
	files, err := sdk.ABISource()
	if err != nil {
		return nil, err
	}
	names := Names{}
	constant := regexp.MustCompile(`(?m)^\s*Tag(\w+)\s+Tag\s*=\s*(\d+)`)
	word := regexp.MustCompile(`[A-Z]+([a-z0-9]|$)`)
	for _, file := range files {
		for _, m := range constant.FindAllStringSubmatch(file, -1) {
			n, err := strconv.ParseUint(m[2], 10, 16)
			if err != nil {
				return nil, fmt.Errorf("tag %s: %w", m[1], err)
			}
			// The last capital of a run begins the next word, unless the run ends the name.
			snake := word.ReplaceAllStringFunc(m[1], func(run string) string {
				last := len(run) - 2
				if last < 1 || strings.ToUpper(run) == run {
					return "_" + strings.ToLower(run)
				}
				return "_" + strings.ToLower(run[:last]) + "_" + strings.ToLower(run[last:])
			})
			names[abi.Tag(n)] = strings.TrimPrefix(snake, "_")
		}
	}
	return names, nil
}

// Format writes records as text that ends with a line break. What is not a sequence of records is written as bytes.
func Format(b []byte, names Names) string {
	var w strings.Builder
	format(&w, b, names, "", 0)
	return w.String()
}

func format(w *strings.Builder, b []byte, names Names, indent string, depth int) {
	r := abi.Reader{Rest: b}
	for rest := b; r.Next(); rest = r.Rest {
		head := rest[:abi.HeaderSize]
		fmt.Fprintf(w, "%s%x %x %x  # %s\n", indent, head[:2], head[2:4], head[4:], describe(&r, names))
		if r.Flags&abi.FlagNested != 0 && depth < abi.MaxDepth && whole(r.Value) {
			format(w, r.Value, names, indent+"  ", depth+1)
			continue
		}
		value(w, &r, indent+"  ")
	}
	if r.Err != nil {
		fmt.Fprintf(w, "%s# cut off\n", indent)
		bytes(w, r.Rest, indent)
	}
}

// whole reports whether the bytes are a sequence of records.
func whole(b []byte) bool {
	r := abi.Reader{Rest: b}
	for r.Next() {
		continue
	}
	return r.Err == nil
}

func describe(r *abi.Reader, names Names) string {
	name := names[r.Tag]
	if name == "" {
		name = "unknown"
	}
	s := fmt.Sprintf("%d %s", r.Tag, name)
	if r.Flags&abi.FlagNested != 0 {
		s += ", nested"
	}
	if r.Flags&abi.FlagCritical != 0 {
		s += ", critical"
	}
	if r.Flags > 3 {
		s += fmt.Sprintf(", flags %d", r.Flags)
	}
	return s
}

func value(w *strings.Builder, r *abi.Reader, indent string) {
	number := false
	if len(r.Value) == 8 {
		for _, c := range r.Value {
			number = number || c < ' ' || c > '~'
		}
	}
	if number {
		fmt.Fprintf(w, "%s%x  # %d\n", indent, r.Value, int64(binary.LittleEndian.Uint64(r.Value)))
		return
	}
	bytes(w, r.Value, indent)
}

const perLine = 32

func bytes(w *strings.Builder, b []byte, indent string) {
	for len(b) > 0 {
		n := min(len(b), perLine)
		fmt.Fprintf(w, "%s%x  # %q\n", indent, b[:n], b[:n])
		b = b[n:]
	}
}

// Parse reads what Format wrote: hex digits; white space, and what follows # on a line, count for nothing.
func Parse(text string) ([]byte, error) {
	var out []byte
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		b, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		out = append(out, b...)
	}
	return out, nil
}
