package upstream

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// answerHead is the header of an answer. Its fields borrow from it until the next one is read.
type answerHead struct {
	status      int
	size        int  // of the body; -1 if it is chunked, -2 if it ends with the connection
	closes      bool // the connection ends with the answer
	contentType []byte
	fields      llm.Header

	block []byte                  // what plain read, copied from the connection's buffer
	lib   fasthttp.ResponseHeader // what any other header was read into
}

// plain reads a header that is as nearly all are: of HTTP/1.1, whole in b, each line a token, a colon, a value and CRLF, and
// each field that frames the body there at most once. It returns its length, or 0 for everything else, which is for
// fasthttp's parser to read or refuse. It takes a third of that parser's time.
func (h *answerHead) plain(b []byte) int {
	const first = len("HTTP/1.1 200")
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < first || string(b[:first-3]) != "HTTP/1.1 " {
		return 0
	}
	h.block = append(h.block[:0], b[:end+2]...)
	h.status, h.size, h.closes, h.contentType, h.fields = digits(h.block[first-3:first]), math.MinInt, false, nil, h.fields[:0]
	if h.status < 200 || h.status == fasthttp.StatusNoContent || h.status == fasthttp.StatusNotModified {
		return 0
	}
	rest := h.block[first:]
	if rest[0] != ' ' && rest[0] != '\r' {
		return 0
	}
	if hasControl(rest[:bytes.IndexByte(rest, '\r')]) {
		return 0
	}
	for rest = afterLine(rest); len(rest) > 0; rest = afterLine(rest) {
		if !h.field(rest) {
			return 0
		}
	}
	if h.size == math.MinInt {
		h.size, h.closes = -2, true
	}
	if rest == nil {
		return 0
	}
	return end + len("\r\n\r\n")
}

// afterLine is what follows the first line end of b, or nil if that is none.
func afterLine(b []byte) []byte {
	at := bytes.IndexByte(b, '\r')
	if at < 0 || at+1 == len(b) || b[at+1] != '\n' {
		return nil
	}
	return b[at+2:]
}

// field takes the line that b begins with.
func (h *answerHead) field(b []byte) bool {
	colon := 0
	for colon < len(b) && ((b[colon]|0x20)-'a' < 26 || isToken(b[colon])) {
		colon++
	}
	if colon == 0 || colon == len(b) || b[colon] != ':' {
		return false
	}
	from, to := colon+1, bytes.IndexByte(b, '\r')
	if to < from || hasControl(b[from:to]) {
		return false
	}
	for from < to && b[from] == ' ' {
		from++
	}
	for to > from && b[to-1] == ' ' {
		to--
	}
	f := llm.Field{Name: b[:colon:colon], Value: b[from:to:to]}
	h.fields = append(h.fields, f)
	return h.learn(f)
}

// hasControl reports whether there is a control character in b, tabs included.
func hasControl(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		// The top bit of some byte is set if one is below a space, or becomes zero as DEL.
		del := x ^ ones*0x7f
		if ((x-ones*' ')&^x|(del-ones)&^del)&tops != 0 {
			return true
		}
	}
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

// learn takes what a field says about the connection and the body. It is false for what plain does not read.
func (h *answerHead) learn(f llm.Field) bool {
	switch f.Name[0] | 0x20 {
	case 'c':
		switch {
		case llm.EqualFold(f.Name, "content-length"):
			if h.size != math.MinInt {
				return false
			}
			h.size = digits(f.Value)
			return h.size >= 0
		case llm.EqualFold(f.Name, "content-type"):
			if h.contentType != nil {
				return false
			}
			h.contentType = f.Value
		case llm.EqualFold(f.Name, "connection"):
			h.closes = h.closes || saysClose(f.Value)
		}
	case 't':
		if llm.EqualFold(f.Name, "transfer-encoding") {
			if h.size != math.MinInt || !llm.EqualFold(f.Value, "chunked") {
				return false
			}
			h.size = -1
		}
		return !llm.EqualFold(f.Name, "trailer")
	}
	return true
}

// digits is the number that b is written as, or -1 if it is none or longer than any size.
func digits(b []byte) int {
	const longest = 15
	if len(b) == 0 || len(b) > longest {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// take makes what fasthttp's parser read into lib the header.
func (h *answerHead) take() {
	h.status, h.size, h.closes = h.lib.StatusCode(), h.lib.ContentLength(), h.lib.ConnectionClose()
	h.contentType, h.fields = h.lib.ContentType(), h.fields[:0]
	for name, value := range h.lib.All() {
		if llm.EqualFold(name, "connection") && saysClose(value) {
			h.closes = true
		}
		h.fields = append(h.fields, llm.Field{Name: name, Value: value})
	}
}
