package llm

import (
	"bytes"
	"strconv"
)

// scanner walks JSON once, left to right. It never looks at a byte inside a string that is not a quote or backslash.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) fail(msg string) error {
	if s.i >= len(s.b) {
		msg = "the JSON ends too early: " + msg
	}
	return &SyntaxError{s.i, msg}
}

// peek returns the byte at the place, or 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) end() error {
	s.space()
	if s.i != len(s.b) {
		return s.fail("there is something after the JSON object")
	}
	return nil
}

func (s *scanner) member() (m Member, err error) {
	if m.Key, err = s.key(); err != nil {
		return m, err
	}
	m.Value.Start = s.i
	if err = s.value(); err != nil {
		return m, err
	}
	m.Value.End = s.i
	return m, nil
}

// key reads a key, the colon and the space behind it.
func (s *scanner) key() (k Span, err error) {
	if s.peek() != '"' {
		return k, s.fail("a quoted key was expected")
	}
	k.Start = s.i + 1
	if err = s.str(); err != nil {
		return k, err
	}
	k.End = s.i - 1
	if bytes.IndexByte(s.b[k.Start:k.End], '\\') >= 0 {
		return k, &SyntaxError{k.Start, "a top-level key must be written without escapes"}
	}
	return k, s.colon()
}

func (s *scanner) colon() error {
	s.space()
	if s.peek() != ':' {
		return s.fail("a colon was expected")
	}
	s.i++
	s.space()
	return nil
}

// str skips a string. The place is at its opening quote.
func (s *scanner) str() error {
	start := s.i
	s.i++
	for {
		n := bytes.IndexByte(s.b[s.i:], '"')
		if n < 0 {
			return &SyntaxError{start, "a string is not closed"}
		}
		s.i += n + 1
		slashes := 0
		for j := s.i - 2; j > start && s.b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return nil
		}
	}
}

// value skips one value of any kind, iteratively, so that nesting costs no stack.
func (s *scanner) value() error {
	var arrays [MaxDepth / 64]uint64 // bit d: the container at depth d is an array
	depth := 0
	for {
		opened, err := s.open(&arrays, &depth)
		if err != nil {
			return err
		}
		if opened {
			continue
		}
		if done, err := s.close(&arrays, &depth); done || err != nil {
			return err
		}
	}
}

// open reads a scalar, or the opening of a container and, in an object, the first key. It returns true if a value
// must follow at once.
func (s *scanner) open(arrays *[MaxDepth / 64]uint64, depth *int) (bool, error) {
	switch c := s.peek(); c {
	case '"':
		return false, s.str()
	case '{', '[':
		if *depth == MaxDepth-1 {
			return false, s.fail("the JSON is nested deeper than " + strconv.Itoa(MaxDepth) + " levels")
		}
		s.i++
		s.space()
		if s.peek() == c+2 { // '}' and ']' are two above their opening
			s.i++
			return false, nil
		}
		if c == '[' {
			arrays[*depth/64] |= 1 << (*depth % 64)
			*depth++
			return true, nil
		}
		arrays[*depth/64] &^= 1 << (*depth % 64)
		*depth++
		return true, s.innerKey()
	}
	return false, s.scalar()
}

// close reads what follows a value: commas and closings, up to the next value. It returns true when the outermost
// value is complete.
func (s *scanner) close(arrays *[MaxDepth / 64]uint64, depth *int) (bool, error) {
	for *depth > 0 {
		d := *depth - 1
		array := arrays[d/64]>>(d%64)&1 == 1
		s.space()
		switch c := s.peek(); {
		case c == ',':
			s.i++
			s.space()
			if array {
				return false, nil
			}
			return false, s.innerKey()
		case c == ']' && array, c == '}' && !array:
			s.i++
			*depth = d
		default:
			return false, s.fail("a comma or closing bracket was expected")
		}
	}
	return true, nil
}

func (s *scanner) innerKey() error {
	if s.peek() != '"' {
		return s.fail("a quoted key was expected")
	}
	if err := s.str(); err != nil {
		return err
	}
	return s.colon()
}

func (s *scanner) scalar() error {
	switch s.peek() {
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

func (s *scanner) literal(word string) error {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return s.fail("a value was expected")
	}
	s.i += len(word)
	return nil
}

func (s *scanner) number() error {
	start := s.i
	if s.peek() == '-' {
		s.i++
	}
	switch c := s.peek(); {
	case c == '0':
		s.i++
	case '1' <= c && c <= '9':
		s.digits()
	default:
		s.i = start
		return s.fail("a value was expected")
	}
	if s.peek() == '.' {
		s.i++
		if s.digits() == 0 {
			return s.fail("a digit was expected")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if s.digits() == 0 {
			return s.fail("a digit was expected")
		}
	}
	return nil
}

func (s *scanner) digits() int {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - start
}
