package anthropic

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
)

// EventKind is the kind of a stream event.
type EventKind uint8

// The kinds of events. Any other one is OtherEvent and to be skipped: the API may add some
// (https://platform.claude.com/docs/en/build-with-claude/streaming, "Other events").
const (
	OtherEvent EventKind = iota
	MessageStart
	BlockStart
	BlockDelta
	BlockStop
	MessageDelta
	MessageStop
	Ping
	Failure
)

// DeltaKind is the kind of a content_block_delta.
type DeltaKind uint8

// The kinds of deltas.
const (
	OtherDelta DeltaKind = iota
	TextDelta
	InputDelta
	ThinkingDelta
	SignatureDelta
	CitationsDelta
)

// Event is one event of a stream. The slices are JSON values as written and borrow the scanned bytes.
type Event struct {
	Kind  EventKind
	Index int64  // of the content block
	Value []byte // the message, the content block, the delta or the error
	Usage []byte // the usage object of a message_delta

	Delta DeltaKind
	Text  []byte // the text, partial_json, thinking or signature of a delta; the citation of a CitationsDelta

	StopReason, StopSequence, StopDetails []byte // of a message_delta
}

// ScanEvent walks the data of an event once. It is false if b is not one JSON object, as far as that is visible without
// decoding it. It allocates nothing.
func ScanEvent(b []byte, e *Event) bool {
	*e = Event{}
	c := dialect.Object(b)
	for c.Next() {
		switch string(c.Key()) {
		case "type":
			e.Kind = eventKind(c.Value())
		case "index":
			e.Index = dialect.Int(c.Value())
		case "delta":
			e.delta(&c)
			e.Value = c.Value()
		case "message", "content_block", "error":
			e.Value = c.Object()
		case "usage":
			e.Usage = c.Object()
		}
	}
	return !c.Broken()
}

// delta reads the delta that outer stands at: of a content block, or of the message.
func (e *Event) delta(outer *dialect.Cursor) {
	var c dialect.Cursor
	outer.Into(&c)
	for c.Next() {
		switch string(c.Key()) {
		case "type":
			e.Delta = deltaKind(c.Value())
		case "text", "partial_json", "thinking", "signature":
			e.Text = c.Text()
		case "citation":
			e.Text = c.Object()
		case "stop_reason":
			e.StopReason = c.Text()
		case "stop_sequence":
			e.StopSequence = c.Text()
		case "stop_details":
			e.StopDetails = c.Object()
		}
	}
	outer.Leave(&c)
}

func eventKind(v []byte) EventKind {
	switch string(v) {
	case `"content_block_delta"`:
		return BlockDelta
	case `"content_block_start"`:
		return BlockStart
	case `"content_block_stop"`:
		return BlockStop
	case `"message_start"`:
		return MessageStart
	case `"message_delta"`:
		return MessageDelta
	case `"message_stop"`:
		return MessageStop
	case `"ping"`:
		return Ping
	case `"error"`:
		return Failure
	}
	return OtherEvent
}

func deltaKind(v []byte) DeltaKind {
	switch string(v) {
	case `"text_delta"`:
		return TextDelta
	case `"input_json_delta"`:
		return InputDelta
	case `"thinking_delta"`:
		return ThinkingDelta
	case `"signature_delta"`:
		return SignatureDelta
	case `"citations_delta"`:
		return CitationsDelta
	}
	return OtherDelta
}
