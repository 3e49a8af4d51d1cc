package sallyport

import (
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Window is what the stream hook sees: text of one choice that the caller has not got yet. What the hook lets pass goes
// out, but for some characters at the end, which the gateway keeps back and shows again with what follows them, so that
// a pattern is found however the model cuts it.
type Window struct {
	Exchange
	Choice  int    // index of the choice
	Kind    string // "content", "reasoning", "refusal", "arguments" or "transcript"
	Context string // the end of what the caller has already got of the text
	Text    string // without JSON escapes
	Fresh   int    // how many bytes at the beginning of Text the hook has seen before
	Final   bool   // no more of this text follows, and nothing is kept back

	// Of arguments: where the text stands in them. It ends where its string does, so it is seldom that more than one window
	// shows it.
	Argument *Argument

	// Media is what is no text in a chunk of the stream, if the manifest needs "media". Such a window has no text, and the
	// hook can let it pass or refuse it. Since minor version 4.
	Media []Media

	argument Argument
	edited   bool
}

// Replace changes the text that the caller gets.
func (w *Window) Replace(text string) { w.Text, w.edited = text, true }

// New is the part of Text that the hook has not seen before.
func (w *Window) New() string { return w.Text[min(w.Fresh, len(w.Text)):] }

// decode reads the view. Like Request.decode it does without abi.Reader: it runs for every chunk.
func (w *Window) decode(view []byte, f *fields) error {
	w.Exchange.reset()
	w.Choice, w.Kind, w.Fresh, w.Final, w.edited, w.Argument = 0, "content", 0, false, false, nil
	w.Media = w.Media[:0]
	empty(&w.Context)
	empty(&w.Text)
	for len(view) >= abi.HeaderSize {
		h := abi.Load(view)
		n := h >> 32
		if n > uint64(len(view)-abi.HeaderSize) {
			break
		}
		value := view[abi.HeaderSize : abi.HeaderSize+n]
		view = view[abi.HeaderSize+n:]
		switch tag := abi.Tag(h); {
		case tag < places && f[tag] != nil:
			*f[tag] = text(value)
		case tag == abi.TagChoice || tag == abi.TagFresh || tag == abi.TagFinal:
			if n != 8 {
				return abi.ErrValue
			}
			w.number(tag, abi.Load(value))
		case tag == abi.TagMedia:
			w.Media = append(w.Media, Media{})
			if err := w.Media[len(w.Media)-1].decode(abi.Reader{Rest: value}); err != nil {
				return err
			}
		case tag == abi.TagIndex || tag == abi.TagKey:
			if w.Argument == nil {
				w.argument, w.Argument = Argument{}, &w.argument
			}
			if err := w.Argument.field(tag, value); err != nil {
				return err
			}
		default:
			if err := w.Exchange.field(tag, uint16(h>>16), value); err != nil {
				return err
			}
		}
	}
	if len(view) > 0 {
		return abi.ErrShort
	}
	return nil
}

func (w *Window) fields() *fields {
	f := w.Caller.fields()
	f[abi.TagRequestID], f[abi.TagCallType], f[abi.TagMethod] = &w.ID, &w.CallType, &w.Method
	f[abi.TagPath], f[abi.TagClientIP], f[abi.TagModel] = &w.Path, &w.ClientIP, &w.Model
	f[abi.TagText], f[abi.TagContext], f[abi.TagTextKind] = &w.Text, &w.Context, &w.Kind
	return f
}

func (w *Window) number(tag abi.Tag, n uint64) {
	switch tag {
	case abi.TagChoice:
		w.Choice = int(min(n, 1<<30))
	case abi.TagFresh:
		w.Fresh = int(min(n, 1<<30))
	case abi.TagFinal:
		w.Final = true
	}
}

func (w *Window) encode(dst []byte, v Verdict) []byte {
	switch {
	case v.kind == abi.VerdictRetry:
		return v.encodeRetry(dst)
	case v.kind == abi.VerdictHold || v.kind == abi.VerdictDrop:
		dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(v.kind))
	case v.kind != abi.VerdictContinue:
		return appendVerdict(dst, v.kind, v.status, v.message)
	case w.edited:
		dst = appendEdit(begin(dst), 0, w.Text)
	}
	return w.Extras.encode(dst)
}

// Hold lets nothing of a window out: its text comes again with what follows. The last window of a text cannot be held.
func Hold() Verdict { return Verdict{kind: abi.VerdictHold} }

// Drop lets nothing of a window out, ever.
func Drop() Verdict { return Verdict{kind: abi.VerdictDrop} }

// StreamEnd is what the hook at the end of a stream sees.
type StreamEnd struct {
	Exchange
	Outcome
	Left bool // the stream did not come to its end: the caller left, or something failed
}

func (s *StreamEnd) decode(view []byte) error {
	s.Exchange.reset()
	*s = StreamEnd{Exchange: s.Exchange}
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch {
		case v.Tag == abi.TagLeft:
			s.Left = true
		case s.Outcome.field(&v):
		default:
			if err := s.Exchange.field(v.Tag, v.Flags, v.Value); err != nil {
				return err
			}
		}
	}
	return v.Err
}
