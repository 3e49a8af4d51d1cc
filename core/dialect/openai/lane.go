package openai

import (
	"time"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// lane is one text of one choice, or the arguments of one call.
type lane struct {
	choice  int
	kind    TextKind
	call    int // what the call says its place is
	ordinal int // how many calls of the choice began before it
	id      []byte
	way     callWay
	args    *argLane // nil if the arguments are no JSON
	over    bool     // another call began in its place

	context []byte
	text    []byte
	fresh   int // bytes of text that were judged
	chars   int // characters that were not
	since   time.Time
	spoke   bool

	chunk []byte // a chunk that says such text and nothing else
	at    llm.Span

	said []byte // what the chunk under way may say
	used bool
}

// take adds what a chunk says, a JSON string without its quotes.
func (l *lane) take(inner []byte, now time.Time) error {
	into := &l.text
	if l.args != nil {
		into = &l.args.in
	}
	start := len(*into)
	var ok bool
	if *into, ok = llm.AppendUnescaped(*into, inner); !ok {
		return errJSON
	}
	if l.held() > maxHeld {
		return errHeld
	}
	if l.args != nil {
		return nil
	}
	l.count(start, now)
	return nil
}

// count takes note of text that no judge has seen.
func (l *lane) count(start int, now time.Time) {
	if l.chars == 0 {
		l.since = now
	}
	l.chars += utf8.RuneCount(l.text[start:])
}

// held is how many bytes wait.
func (l *lane) held() int {
	n := len(l.text)
	if l.args != nil {
		n += l.args.held()
	}
	return n
}

// keep moves the last n bytes to the front.
func keep(b []byte, n int) []byte { return b[:copy(b, b[len(b)-n:])] }

// tail is how many bytes the last n characters take.
func tail(b []byte, n int) int {
	end := len(b)
	for ; n > 0 && end > 0; n-- {
		_, size := utf8.DecodeLastRune(b[:end])
		end -= size
	}
	return len(b) - end
}

// say adds text that may go out.
func (l *lane) say(text []byte) {
	switch {
	case l.args == nil:
		l.said = append(l.said, text...)
	case l.args.scan.in:
		l.said = appendInside(l.said, text)
	default:
		l.said = appendBare(l.said, string(text))
	}
}
