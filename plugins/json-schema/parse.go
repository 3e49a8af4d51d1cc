package main

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const maxDepth = 128

// parser reads JSON (RFC 8259) into the types of encoding/json: nil, bool, float64, string, []any, map[string]any. It is
// made for guests, in which encoding/json takes several times as long, and refuses a member that appears twice, which two
// readers could take for different values.
type parser struct {
	s  string
	at int
}

// parse reads one value with nothing behind it.
func parse(s string) (any, error) {
	p := &parser{s: s}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(s) {
		return nil, p.wrong("something follows the value")
	}
	return v, nil
}

func (p *parser) wrong(what string) error {
	return errors.New("it is not JSON: " + what + " at byte " + strconv.Itoa(p.at))
}

func (p *parser) space() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\n', '\t', '\r':
			p.at++
		default:
			return
		}
	}
}

// next returns the byte behind white space, 0 at the end.
func (p *parser) next() byte {
	if p.space(); p.at < len(p.s) {
		return p.s[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.wrong("it is nested too deep")
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.text()
	case c == '-' || c-'0' < 10:
		return p.number()
	}
	for word, v := range map[string]any{"true": true, "false": false, "null": nil} {
		if len(p.s)-p.at >= len(word) && p.s[p.at:p.at+len(word)] == word {
			p.at += len(word)
			return v, nil
		}
	}
	if p.at == len(p.s) {
		return nil, p.wrong("it ends too early")
	}
	return nil, p.wrong("no value")
}

func (p *parser) object(depth int) (any, error) {
	m := map[string]any{}
	p.at++
	if p.next() == '}' {
		p.at++
		return m, nil
	}
	for {
		if p.next() != '"' {
			return nil, p.wrong("no name of a member")
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if _, twice := m[name]; twice {
			return nil, p.wrong("a member appears twice")
		}
		if p.next() != ':' {
			return nil, p.wrong("no colon")
		}
		p.at++
		if m[name], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		switch p.next() {
		case ',':
			p.at++
		case '}':
			p.at++
			return m, nil
		default:
			return nil, p.wrong("no comma or closing brace")
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	list := []any{}
	p.at++
	if p.next() == ']' {
		p.at++
		return list, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return list, nil
		default:
			return nil, p.wrong("no comma or closing bracket")
		}
	}
}

func (p *parser) number() (any, error) {
	start := p.at
	digits := func() bool {
		from := p.at
		for p.at < len(p.s) && p.s[p.at]-'0' < 10 {
			p.at++
		}
		return p.at > from
	}
	is := func(a, b byte) bool { return p.at < len(p.s) && (p.s[p.at] == a || p.s[p.at] == b) }
	if is('-', '-') {
		p.at++
	}
	first := p.at
	ok := digits() && (p.s[first] != '0' || p.at == first+1)
	if ok && is('.', '.') {
		p.at++
		ok = digits()
	}
	if ok && is('e', 'E') {
		p.at++
		if is('+', '-') {
			p.at++
		}
		ok = digits()
	}
	if !ok {
		return nil, p.wrong("a malformed number")
	}
	f, err := strconv.ParseFloat(p.s[start:p.at], 64)
	if err != nil {
		return nil, p.wrong("a number that is too large")
	}
	return f, nil
}

func (p *parser) text() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.s) {
		switch c := p.s[p.at]; {
		case c == '"':
			p.at++
			return p.s[start : p.at-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.wrong("a control character in a text")
		}
		p.at++
	}
	return "", p.wrong("a text without an end")
}

// escaped reads a text that has an escape where the parser is.
func (p *parser) escaped(start int) (string, error) {
	out := []byte(p.s[start:p.at])
	for p.at < len(p.s) {
		c := p.s[p.at]
		p.at++
		switch {
		case c == '"':
			return string(out), nil
		case c < ' ':
			return "", p.wrong("a control character in a text")
		case c != '\\':
			out = append(out, c)
			continue
		case p.at == len(p.s):
			return "", p.wrong("a text without an end")
		}
		c = p.s[p.at]
		p.at++
		if c == 'u' {
			r, err := p.unicode()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		plain := escape(c)
		if plain == 0 {
			return "", p.wrong("an unknown escape")
		}
		out = append(out, plain)
	}
	return "", p.wrong("a text without an end")
}

func escape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// unicode reads what follows \u. Half of a pair alone becomes U+FFFD.
func (p *parser) unicode() (rune, error) {
	first, ok := p.hex()
	if !ok {
		return 0, p.wrong("a malformed escape")
	}
	if !utf16.IsSurrogate(first) {
		return first, nil
	}
	if p.at+6 <= len(p.s) && p.s[p.at] == '\\' && p.s[p.at+1] == 'u' {
		p.at += 2
		second, ok := p.hex()
		if !ok {
			return 0, p.wrong("a malformed escape")
		}
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, nil
		}
		p.at -= 6
	}
	return utf8.RuneError, nil
}

func (p *parser) hex() (rune, bool) {
	if p.at+4 > len(p.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[p.at:p.at+4], 16, 32)
	if err != nil {
		return 0, false
	}
	p.at += 4
	return rune(n), true
}
