package openai

import "time"

// argLane is the arguments of a call in a stream: JSON that comes in pieces.
type argLane struct {
	in    []byte // what came and was not looked at
	scan  argScan
	raw   []byte // of the string under way: an escape whose end has not come
	bare  []byte // of a token without quotes, whose end has not come
	named []byte // the name of a member, as the model wrote it
	name  bool   // named is under way
}

// maxArgName is how many bytes of a member's name are told with its value.
const maxArgName = 256

func (a *argLane) held() int { return len(a.in) + len(a.raw) + len(a.bare) }

// key is the member that has the text under way as its value, or nothing.
func (a *argLane) key() []byte {
	if a.name {
		return nil
	}
	return a.named
}

// follow reads on in the arguments of a call and has the texts judged that end, or are due. What may go out is added to
// said. Arguments that turn out to be no JSON are one text from there on.
func (w *Windows) follow(l *lane, now time.Time, final bool) error {
	a := l.args
	in := a.in
	a.in = a.in[:0]
	for i := 0; i < len(in); i++ {
		c := in[i]
		e := a.scan.step(c)
		if e != argBare && len(a.bare) > 0 {
			known, err := w.token(l, now)
			if err != nil {
				return err
			}
			if !known {
				return w.wild(l, in[i:], now, final)
			}
		}
		switch e {
		case argOpen:
			a.begin()
			l.said = append(l.said, c)
		case argText:
			a.raw = append(a.raw, c)
		case argClose:
			if err := w.close(l, now); err != nil {
				return err
			}
			l.said = append(l.said, c)
		case argRest:
			if a.scan.another(c) {
				a.named = a.named[:0]
			}
			l.said = append(l.said, c)
		case argBare:
			a.bare = append(a.bare, c)
		case argWild:
			return w.wild(l, in[i:], now, final)
		}
	}
	return w.pause(l, now, final)
}

// begin begins a string.
func (a *argLane) begin() {
	a.name = a.scan.name
	if a.name {
		a.named = a.named[:0]
	}
}

// pause is the end of what has come of the arguments so far.
func (w *Windows) pause(l *lane, now time.Time, final bool) error {
	a := l.args
	if a.scan.in {
		l.read(now, final)
		if l.chars == 0 && (!final || len(l.text) == 0) {
			return nil
		}
		return w.ripe(l, now, final)
	}
	if !final || len(a.bare) == 0 {
		return nil
	}
	if known, err := w.token(l, now); known || err != nil {
		return err
	}
	return w.wild(l, nil, now, true)
}

// read takes what came of a string.
func (l *lane) read(now time.Time, final bool) {
	a, start := l.args, len(l.text)
	var rest []byte
	l.text, rest = appendInner(l.text, a.raw, final)
	a.raw = keep(a.raw, len(rest))
	if len(l.text) == start {
		return
	}
	if room := maxArgName - len(a.named); a.name && room > 0 {
		a.named = append(a.named, l.text[start:start+min(room, len(l.text)-start)]...)
	}
	l.count(start, now)
}

// close is the end of a string.
func (w *Windows) close(l *lane, now time.Time) error {
	l.args.scan.in = true // its text is said as one of a string
	l.read(now, true)
	var err error
	if len(l.text) > 0 {
		err = w.ask(l, true)
	}
	l.args.scan.in, l.args.name = false, false
	l.fresh, l.context = 0, l.context[:0]
	return err
}

// token is the end of a token without quotes. known is false if it is none of JSON's.
func (w *Windows) token(l *lane, now time.Time) (known bool, err error) {
	a := l.args
	number, known := bareKind(a.bare)
	switch {
	case !known:
		return false, nil
	case number:
		in := a.scan.in // the byte behind it may begin a string
		a.scan.in = false
		l.text = append(l.text[:0], a.bare...)
		l.count(0, now)
		err = w.ask(l, true)
		a.scan.in = in
		l.fresh, l.context = 0, l.context[:0]
	default:
		l.said = append(l.said, a.bare...)
	}
	a.bare = a.bare[:0]
	return true, err
}

// wild makes a text of arguments that are no JSON.
func (w *Windows) wild(l *lane, rest []byte, now time.Time, final bool) error {
	l.text = append(append(l.text[:0], l.args.bare...), rest...)
	l.args = nil
	l.chars, l.fresh, l.context = 0, 0, l.context[:0]
	l.count(0, now)
	return w.ripe(l, now, final)
}
