package openai

import (
	"bytes"
	"errors"
	"strconv"
	"time"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// WindowSettings say how much text of a stream is looked at together.
type WindowSettings struct {
	Chars    int           // a window is due once this many characters are new; 0 takes every chunk
	Wait     time.Duration // or when the oldest of them is this old; 0 never
	Holdback int           // characters at the end of a window that stay back until what follows them is known
}

// Window is text of one choice of a stream that nobody outside has seen, on its way to a Judge. The slices are borrowed.
type Window struct {
	Choice  int
	Kind    TextKind
	Context []byte // the end of what was released before, as many characters as are held back
	Text    []byte // what is not released yet, without escapes
	Fresh   int    // how many bytes of Text a judge has seen before
	Final   bool   // the text ends here: nothing stays back

	// Of arguments: the number of the call in the choice, and the member that has the text as its value.
	Call int
	Key  []byte
}

// Decision is what becomes of a window.
type Decision uint8

// The decisions.
const (
	Release Decision = iota // it goes out, but for what is held back
	Replace                 // another text takes its place, and goes out, but for what is held back
	Hold                    // nothing goes out; the text comes again with what follows
	Drop                    // nothing of it goes out, ever
)

// Judge decides about windows.
type Judge interface {
	// Judge returns the text of Replace. An error ends the stream.
	Judge(w *Window) (Decision, string, error)
}

// Bounds of what a stream may keep back.
const (
	maxHeld  = 256 << 10 // bytes of one text
	maxLanes = 1024      // texts
)

// Why a stream cannot be looked at.
var (
	errHeld    = errors.New("too much text of the stream is held back")
	errLanes   = errors.New("the stream has too many choices or calls")
	errUndrawn = errors.New("a text that ended cannot be held back")
)

// Windows takes the chunks of a stream in and gives chunks out in which no text has left before a judge released it.
// Chunks without text pass in order, byte for byte. In others only the texts are replaced, and log probabilities, which
// repeat them, become null. Text that is released without a chunk of its own, at the end, goes out in the last chunk that
// said such text and nothing else.
//
// A call of a tool does not wait for text that is held back: callers collect the two apart, and a model could
// otherwise smuggle a text out by interrupting it. Of its arguments, which are JSON in pieces, each string, name of a member
// and long number is a text of its own, which ends where it ends; what is between them waits for it. So they stay JSON,
// whatever a judge replaces. They may be written with other escapes than the model's.
type Windows struct {
	s     WindowSettings
	judge Judge
	walk  answerWalker
	lanes []*lane
	cuts  []cut

	sealing bool // thinking gets its signature
	w       Window
	quoted  []byte

	out  []byte // chunks, one behind the other
	ends []int
	next int // of ends
}

// cut is a place in a chunk that is replaced: by what its lane says, or, without a lane, by null or nothing.
type cut struct {
	at   llm.Span
	lane *lane
	same bool // the text is what it was
}

// NewWindows makes windows for one stream.
func NewWindows(s WindowSettings, judge Judge) *Windows { return &Windows{s: s, judge: judge} }

// Take returns the next chunk that may go out, or nil. It is valid until the next Put or End after Take returned nil.
func (w *Windows) Take() []byte {
	if w.next == len(w.ends) {
		return nil
	}
	from := 0
	if w.next > 0 {
		from = w.ends[w.next-1]
	}
	to := w.ends[w.next]
	w.next++
	return w.out[from:to:to]
}

// Waiting is how many chunks may go out.
func (w *Windows) Waiting() int { return len(w.ends) - w.next }

func (w *Windows) rewind() {
	if w.next == len(w.ends) {
		w.out, w.ends, w.next = w.out[:0], w.ends[:0], 0
	}
}

func (w *Windows) send(chunk []byte) {
	w.out = append(w.out, chunk...)
	w.ends = append(w.ends, len(w.out))
}

// Put takes a chunk. It copies what it keeps.
func (w *Windows) Put(chunk []byte, now time.Time) error {
	w.rewind()
	k := &w.walk
	*k = answerWalker{list: k.list[:0], logprobs: k.logprobs[:0], ended: k.ended[:0], calls: k.calls[:0], chunk: true}
	if k.walk(chunk); k.err != nil {
		return k.err
	}
	if len(k.list) == 0 && len(k.ended) == 0 {
		w.send(chunk)
		return nil
	}
	hadText, err := w.collect(chunk, now)
	if err != nil {
		return err
	}
	if err := w.decide(now); err != nil {
		return err
	}
	w.compose(chunk, hadText)
	return nil
}

// collect adds the texts of a chunk to their lanes.
func (w *Windows) collect(chunk []byte, now time.Time) (hadText bool, err error) {
	w.cuts = w.cuts[:0]
	for i := range w.walk.list {
		t := &w.walk.list[i]
		inner := chunk[t.Text.Start+1 : t.Text.End-1]
		if len(inner) == 0 {
			continue
		}
		hadText = true
		l, err := w.lane(chunk, t)
		if err != nil {
			return false, err
		}
		if err := l.take(inner, now); err != nil {
			return false, err
		}
		if !l.spoke {
			l.spoke = true
			w.walk.more = w.walk.more || w.walk.role
		}
		l.used = true
		w.cuts = append(w.cuts, cut{at: t.Text, lane: l})
	}
	for i := range w.walk.list {
		if t := &w.walk.list[i]; t.Text.End-t.Text.Start > 2 {
			w.template(chunk, t)
		}
	}
	return hadText, nil
}

// lane returns the one that a text of a chunk belongs to. A call that has another id than the one in its place is another
// call: some vendors give all calls one index.
func (w *Windows) lane(chunk []byte, t *AnswerText) (*lane, error) {
	id, calls := chunk[t.id.Start:t.id.End], 0
	for _, l := range w.lanes {
		if l.choice != t.Choice || l.kind != t.Kind {
			continue
		}
		calls++
		if l.over || l.call != t.Call || l.way != t.way {
			continue
		}
		if t.named && len(id) > 2 && len(l.id) > 0 && string(l.id) != string(id) {
			l.over = true
			continue
		}
		if len(l.id) == 0 && len(id) > 2 {
			l.id = append(l.id, id...)
		}
		return l, nil
	}
	if len(w.lanes) == maxLanes {
		return nil, errLanes
	}
	l := &lane{choice: t.Choice, kind: t.Kind, call: t.Call, way: t.way}
	if t.Kind == Arguments {
		l.ordinal = calls
		if len(id) > 2 {
			l.id = append(l.id, id...)
		}
		if t.way != customCall {
			l.args = &argLane{}
		}
	}
	w.lanes = append(w.lanes, l)
	return l, nil
}

// template keeps the chunk, or one made from it, for text that is released later.
func (w *Windows) template(chunk []byte, t *AnswerText) {
	l, err := w.lane(chunk, t)
	if err != nil {
		return
	}
	if len(w.walk.list) == 1 && !w.walk.more && len(w.walk.logprobs) == 0 {
		l.chunk, l.at = append(l.chunk[:0], chunk...), t.Text
		return
	}
	l.chunk, l.at = plainChunk(l.chunk[:0], chunk, t)
}

// plainChunk appends a chunk with the head of another one and one empty text.
func plainChunk(dst, chunk []byte, t *AnswerText) ([]byte, llm.Span) {
	dst = append(dst, '{')
	completion := false
	for c := dialect.Object(chunk); c.Next(); {
		key := c.Key()
		switch {
		case string(key) == "object":
			completion = string(c.Value()) == `"text_completion"`
		case string(key) == "usage", dialect.KeyIs(key, "choices"):
			continue
		}
		dst = append(append(append(dst, '"'), key...), `":`...)
		dst = append(append(dst, c.Value()...), ',')
	}
	dst = strconv.AppendInt(append(dst, `"choices":[{"index":`...), int64(t.Choice), 10)
	name, closing := `,"delta":{"content":`, "}"
	switch {
	case completion:
		name, closing = `,"text":`, ""
	case t.Kind == Thinking:
		name, closing = `,"delta":{"thinking_blocks":[{"type":"thinking","signature":"","thinking":`, "}]}"
	case t.Kind == Reasoning:
		name = `,"delta":{"reasoning_content":`
	case t.Kind == Refusal:
		name = `,"delta":{"refusal":`
	case t.Kind == Transcript:
		name, closing = `,"delta":{"audio":{"transcript":`, "}}"
	case t.Kind == Arguments:
		name, closing = t.around()
	}
	dst = append(dst, name...)
	at := llm.Span{Start: len(dst), End: len(dst) + 2}
	dst = append(append(dst, `""`...), closing...)
	return append(dst, `,"finish_reason":null}]}`...), at
}

// around is what stands around the arguments of a call in a choice of a chunk.
func (t *AnswerText) around() (before, behind string) {
	if t.way == legacyCall {
		return `,"delta":{"function_call":{"arguments":`, "}}"
	}
	before = `,"delta":{"tool_calls":[{"index":` + strconv.Itoa(t.Call)
	if t.way == customCall {
		return before + `,"custom":{"input":`, "}}]}"
	}
	return before + `,"function":{"arguments":`, "}}]}"
}

// decide has those lanes judged that are due. What may go out of lanes that the chunk does not speak for goes first. When
// thinking gets its signature, nothing of it should come behind that, unless the judge wants to see more of it.
func (w *Windows) decide(now time.Time) error {
	for _, l := range w.lanes {
		final := w.ended(l.choice) || l.over
		w.sealing = w.walk.sealed && !final && (l.kind == Thinking || l.kind == Reasoning)
		final = final || w.sealing
		if l.used {
			if err := w.due(l, now, final); err != nil {
				return err
			}
			continue
		}
		if final && l.held() > 0 {
			if err := w.flush(l, true, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Windows) ended(choice int) bool {
	for _, c := range w.walk.ended {
		if c == choice {
			return true
		}
	}
	return false
}

func (w *Windows) due(l *lane, now time.Time, final bool) error {
	l.said = l.said[:0]
	if l.args != nil {
		return w.follow(l, now, final)
	}
	return w.ripe(l, now, final)
}

// ripe has the text of a lane judged if there is enough of it, or if it has waited for long enough.
func (w *Windows) ripe(l *lane, now time.Time, final bool) error {
	waited := w.s.Wait > 0 && now.Sub(l.since) >= w.s.Wait
	if !final && !waited && l.chars < w.s.Chars {
		return nil
	}
	return w.ask(l, final)
}

// ask has the text of a lane judged and adds what may go out to said.
func (w *Windows) ask(l *lane, final bool) error {
	w.w = Window{Choice: l.choice, Kind: l.kind, Context: l.context, Text: l.text, Fresh: l.fresh, Final: final, Call: l.ordinal}
	if l.args != nil {
		w.w.Key = l.args.key()
	}
	d, text, err := w.judge.Judge(&w.w)
	if err != nil {
		return err
	}
	switch d {
	case Hold:
		if final && !w.sealing {
			return errUndrawn
		}
		l.fresh, l.chars = len(l.text), 0
		return nil
	case Drop:
		l.text = l.text[:0]
	case Replace:
		l.text = append(l.text[:0], text...)
	}
	n := len(l.text)
	if !final {
		n -= tail(l.text, w.s.Holdback)
	}
	l.say(l.text[:n])
	l.context = append(l.context, l.text[:n]...)
	l.context = keep(l.context, tail(l.context, w.s.Holdback))
	l.text = keep(l.text, len(l.text)-n)
	l.fresh, l.chars = len(l.text), 0
	return nil
}

// flush has what a lane holds judged, and sends what may go out in a chunk of its own.
func (w *Windows) flush(l *lane, final bool, now time.Time) error {
	l.said = l.said[:0]
	var err error
	if l.args != nil && final {
		err = w.follow(l, now, true)
	} else {
		err = w.ask(l, final)
	}
	if err != nil {
		return err
	}
	if len(l.said) == 0 {
		return nil
	}
	w.out = append(w.out, l.chunk[:l.at.Start]...)
	w.out = appendQuoted(w.out, l.said)
	w.send(l.chunk[l.at.End:])
	return nil
}

// Due is when the oldest text that nobody has judged is old enough to be, whatever comes; false if there is none, or if it
// may wait for ever.
func (w *Windows) Due() (due time.Time, ok bool) {
	if w.s.Wait <= 0 {
		return due, false
	}
	for _, l := range w.lanes {
		if l.chars == 0 {
			continue
		}
		if at := l.since.Add(w.s.Wait); !ok || at.Before(due) {
			due, ok = at, true
		}
	}
	return due, ok
}

// Late has the texts judged that are old enough, and sends what may go out of them in chunks of their own.
func (w *Windows) Late(now time.Time) error {
	w.rewind()
	w.sealing = false
	for _, l := range w.lanes {
		if l.chars == 0 || w.s.Wait <= 0 || now.Sub(l.since) < w.s.Wait {
			continue
		}
		if err := w.flush(l, false, now); err != nil {
			return err
		}
	}
	return nil
}

// compose sends the chunk with what its lanes may say, unless nothing is left of it.
func (w *Windows) compose(chunk []byte, hadText bool) {
	speaks, same := !hadText || w.walk.more, len(w.walk.logprobs) == 0
	for i := range w.cuts {
		c := &w.cuts[i]
		l := c.lane
		if !l.used { // an earlier text of the chunk has said it
			c.lane, same = nil, false
			continue
		}
		l.used = false
		w.quoted = appendQuoted(w.quoted[:0], l.said)
		c.same = bytes.Equal(chunk[c.at.Start:c.at.End], w.quoted)
		same = same && c.same
		speaks = speaks || len(l.said) > 0
	}
	switch {
	case !speaks:
	case same:
		w.send(chunk)
	default:
		w.rewrite(chunk)
	}
}

// rewrite sends the chunk with the texts and log probabilities replaced.
func (w *Windows) rewrite(chunk []byte) {
	from, probs := 0, w.walk.logprobs
	drop := func(before int) {
		for len(probs) > 0 && probs[0].Start < before {
			w.out = append(append(w.out, chunk[from:probs[0].Start]...), "null"...)
			from, probs = probs[0].End, probs[1:]
		}
	}
	for _, c := range w.cuts {
		drop(c.at.Start)
		if c.same {
			continue
		}
		w.out = append(w.out, chunk[from:c.at.Start]...)
		if c.lane == nil {
			w.out = append(w.out, `""`...)
		} else {
			w.out = appendQuoted(w.out, c.lane.said)
		}
		from = c.at.End
	}
	drop(len(chunk))
	w.send(chunk[from:])
}

// End has what is still held back judged, when no more chunks come.
func (w *Windows) End() error {
	w.rewind()
	w.sealing = false
	for _, l := range w.lanes {
		if l.held() == 0 {
			continue
		}
		if err := w.flush(l, true, l.since); err != nil {
			return err
		}
	}
	return nil
}

// NoLogprobs appends an answer to dst in which the log probabilities, which repeat the text, are null.
func NoLogprobs(dst, answer []byte) []byte {
	var k answerWalker
	k.walk(answer)
	from := 0
	for _, at := range k.logprobs {
		dst = append(append(dst, answer[from:at.Start]...), "null"...)
		from = at.End
	}
	return append(dst, answer[from:]...)
}

// appendQuoted is llm.AppendQuoted for bytes, which it does not keep.
func appendQuoted(dst, s []byte) []byte {
	return llm.AppendQuoted(dst, unsafe.String(unsafe.SliceData(s), len(s)))
}
