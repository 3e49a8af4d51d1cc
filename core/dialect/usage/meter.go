package usage

import (
	"bytes"
	"encoding/binary"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Limits of what a Meter looks at. Answers and events above them are passed over.
const (
	maxDocument = 8 << 20 // bytes of a whole answer
	maxEvent    = 1 << 20 // bytes of an event of a stream
	maxSpare    = 64 << 10
)

// Meter reads the bytes of an answer as they pass, in pieces of any size. The zero value ignores everything until
// Reset.
type Meter struct {
	Found
	buf  []byte
	kind kind
	lost bool // the document or line under way is over its limit
	said int  // bytes of text in the events of a stream
	told bool // an event has told the usage up to it
	live bool // it is a model that writes, and no file
}

type kind uint8

const (
	other    kind = iota
	document      // JSON
	events        // server-sent events, or JSON documents on lines of their own
	frames        // Amazon's event stream
)

// Reset makes the meter ready for an answer with the content type.
func (m *Meter) Reset(contentType []byte) {
	buf := m.buf[:0]
	if cap(buf) > maxSpare {
		buf = nil
	}
	*m = Meter{buf: buf}
	media, _, _ := bytes.Cut(contentType, []byte(";"))
	media = bytes.TrimSpace(media)
	switch {
	case llm.EqualFold(media, "application/json"), bytes.HasSuffix(media, []byte("+json")):
		m.kind = document
	case llm.EqualFold(media, "text/event-stream"):
		m.kind, m.live = events, true
	case llm.EqualFold(media, "application/x-ndjson"),
		llm.EqualFold(media, "application/jsonl"), llm.EqualFold(media, "application/stream+json"):
		m.kind = events
	case llm.EqualFold(media, "application/vnd.amazon.eventstream"):
		m.kind, m.live = frames, true
	}
}

// Write looks at the next bytes. It keeps none of p.
func (m *Meter) Write(p []byte) {
	switch m.kind {
	case document:
		if m.lost = m.lost || len(m.buf)+len(p) > maxDocument; m.lost {
			m.buf = nil
			return
		}
		m.buf = append(m.buf, p...)
	case events:
		m.lines(p)
	case frames:
		m.frames(p)
	}
}

// End is told that the answer is complete, and returns its usage.
func (m *Meter) End() llm.Usage {
	switch m.kind {
	case document:
		if !m.lost {
			m.Add(m.buf)
		}
	case events:
		m.line(m.buf)
	}
	m.buf, m.kind = m.buf[:0], other
	u := m.Usage()
	if written := int64((m.said + perToken - 1) / perToken); m.live && !m.told && written > u.Completion {
		u.Completion = written
		u.Total = u.Prompt + u.Completion
	}
	return u
}

// perToken is about how many bytes of text a token has. It counts only for streams that were cut before they told their
// usage.
const perToken = 4

// event reads an event of a stream. Most hold no usage, and are told by that without being parsed.
func (m *Meter) event(b []byte) {
	m.said += said(b)
	if m.Model != "" && !telling(b) {
		return
	}
	before := m.c
	m.Add(b)
	// What Anthropic tells in its first event is not what there will be.
	m.told = m.told || m.c != before && !bytes.Contains(b, []byte(`"message_start"`))
}

// said is how long the texts in an event are that a model writes, in any dialect.
func said(b []byte) (n int) {
	for _, mark := range [][]byte{
		[]byte(`"text":`), []byte(`"content":`), []byte(`"delta":`), []byte(`"thinking":`), []byte(`"partial_json":`), []byte(`"arguments":`),
		[]byte(`"reasoning_content":`),
	} {
		for rest := b; ; {
			i := bytes.Index(rest, mark)
			if i < 0 {
				break
			}
			rest = bytes.TrimLeft(rest[i+len(mark):], " ")
			if len(rest) == 0 || rest[0] != '"' {
				continue
			}
			end := 1
			for end < len(rest) && rest[end] != '"' {
				if rest[end] == '\\' {
					end++
				}
				end++
			}
			n += end - 1
			rest = rest[min(end, len(rest)):]
		}
	}
	return n
}

// lines takes p apart at its line ends.
func (m *Meter) lines(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			m.hold(p)
			return
		}
		if len(m.buf) == 0 && !m.lost {
			m.line(p[:end])
		} else if m.hold(p[:end]); !m.lost {
			m.line(m.buf)
		}
		m.buf, m.lost = m.buf[:0], false
		p = p[end+1:]
	}
}

func (m *Meter) hold(p []byte) {
	if m.lost = m.lost || len(m.buf)+len(p) > maxEvent; m.lost {
		m.buf = m.buf[:0]
		return
	}
	m.buf = append(m.buf, p...)
}

// line reads a line: the data of an event, or a document.
func (m *Meter) line(b []byte) {
	if m.lost {
		return
	}
	b = bytes.TrimPrefix(b, []byte("data:"))
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '{' {
		m.event(b)
	}
}

// telling reports whether a document may say something about usage.
func telling(b []byte) bool {
	return bytes.Contains(b, []byte(`"usage`)) || bytes.Contains(b, []byte(`"groundingMetadata"`)) || bytes.Contains(b, []byte(`"meta"`)) || bytes.Contains(b, []byte("invocationMetrics"))
}

// frames takes p apart into the messages of Amazon's event stream: a prelude of total length, header length and
// checksum, four bytes each, headers, payload, checksum
// (https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html). Payloads are JSON; those of
// InvokeModelWithResponseStream hold it once more, in base64. Nothing is verified here: it is passed on as it is.
func (m *Meter) frames(p []byte) {
	const prelude, checksum = 12, 4
	m.buf = append(m.buf, p...)
	for len(m.buf) >= prelude {
		total, header := binary.BigEndian.Uint32(m.buf), binary.BigEndian.Uint32(m.buf[4:])
		if total > maxEvent || total < prelude+checksum || header > total-prelude-checksum {
			m.buf, m.kind = nil, other
			return
		}
		if len(m.buf) < int(total) {
			return
		}
		m.payload(m.buf[prelude+header : total-checksum])
		m.buf = append(m.buf[:0], m.buf[total:]...)
	}
}

func (m *Meter) payload(b []byte) {
	inner, ok := chunk(b)
	if ok {
		b = inner
	}
	m.event(b)
}
