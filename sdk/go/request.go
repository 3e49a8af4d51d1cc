package sallyport

import (
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Text is one piece of text in a request: the content of a message, one part of it, a prompt, an input to embed, or one of
// the texts in the arguments of a call that the model made earlier.
type Text struct {
	Role     string    // "system", "user", "assistant" and so on; empty outside of messages
	Message  int       // index of the message, prompt or input that holds the text
	Text     string    // without JSON escapes
	Argument *Argument // where it stands in the arguments of a call; nil for what the message says
	// Kind is "reasoning" or "refusal" for what a model thought or refused in the past, "definition" for what stands in the
	// definitions of tools and of the form of an answer, "arguments" with Argument, and empty for what the message says.
	Kind string
	// Sealed texts cannot be changed: thinking with a signature, and names in definitions. Replace has the gateway refuse the
	// request.
	Sealed bool

	edited bool
}

// Replace changes the text in the request that goes to the model, unless it is sealed.
func (t *Text) Replace(text string) { t.Text, t.edited = text, true }

// Caller is who asks, as the gateway authenticated it. Fields that are not known are empty.
type Caller struct {
	KeyHash   string // SHA-256 of the key in hex
	KeyAlias  string
	UserID    string
	UserEmail string
	TeamID    string
	TeamAlias string
	OrgID     string
	EndUser   string
	Role      string // such as "internal_user"
}

// Request is what the request hook sees. It is valid during the call.
type Request struct {
	ID       string
	CallType string // "acompletion", "atext_completion" or "aembedding"
	Method   string
	Path     string
	ClientIP string
	Model    string // the model group asked for; see SetModel
	Stream   bool   // a stream was asked for
	Caller   Caller
	Texts    []Text  // every text of the request, in order, if the manifest needs "texts"
	Media    []Media // what is no text, if the manifest needs "media"
	Extras

	arguments []Argument
	mark      mark
	metadata  []byte
	setModel  bool
	changes   changes
	more      More
}

// SetModel sends the request to another model group.
func (r *Request) SetModel(group string) { r.Model, r.setModel = group, true }

// Metadata decodes the metadata of the caller's key, if the manifest needs "metadata". It allocates on every call.
func (r *Request) Metadata() (map[string]any, error) {
	if len(r.metadata) == 0 {
		return r.more.metadata()
	}
	return abi.Map(r.metadata)
}

// Header asks the gateway for a header of the request; ok is false if it was not sent. Headers that carry credentials
// cannot be read.
func (r *Request) Header(name string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldHeader, name)
	return text(b), ok
}

// Value asks the gateway for a value in the request body. Members and indexes are joined by dots, as in
// "metadata.tags.0"; a backslash makes a dot part of a name. A string comes as its text, anything else as JSON.
func (r *Request) Value(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldValue, path)
	return text(b), ok
}

// JSON is Value, but a string too comes as JSON, so that "1" and 1 can be told apart.
func (r *Request) JSON(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldJSON, path)
	return text(b), ok
}

// Body asks the gateway for the whole request body.
func (r *Request) Body() []byte {
	b, _ := r.more.field(abi.FieldBody, "")
	return b
}

// Verdict is what the request hook decided. Verdicts can be compared with ==.
type Verdict struct {
	kind    abi.Verdict
	status  int
	message string

	filtered bool   // of an answer: its finish reason is content_filter
	ask      string // of Retry
	choice   int    // of Retry
}

// Continue lets the request go on, with the changes made by Text.Replace and SetModel.
func Continue() Verdict { return Verdict{} }

// Reject refuses the request. The status is between 400 and 499, normally 400; the caller reads the message, so it
// must not repeat the prompt.
func Reject(status int, message string) Verdict {
	return Verdict{kind: abi.VerdictReject, status: status, message: message}
}

// Respond answers with a text in place of a model.
func Respond(text string) Verdict { return Verdict{kind: abi.VerdictRespond, message: text} }

// Fail says that the hook could not do its work. The gateway treats it as on_error says, by default by refusing the
// request. The error goes to the operator's log and must not hold a key or a prompt.
func Fail(err error) Verdict { return Verdict{kind: abi.VerdictFail, message: err.Error()} }

// decode reads the view. It does not use abi.Reader, because a call for each record costs more than the rest: in a Go
// guest calls and jumps are what is slow. So texts go where a table says, jumps are few, and what is appended to lies in
// variables until the end.
func (r *Request) decode(view []byte, f *fields) (err error) {
	r.reset()
	rest := text(view)
	for len(rest) >= abi.HeaderSize { // what stands in front of the texts
		h := load(rest)
		n, tag := h>>32, abi.Tag(h)
		if n > uint64(len(rest)-abi.HeaderSize) || tag >= places || f[tag] == nil {
			break
		}
		*f[tag] = rest[abi.HeaderSize : abi.HeaderSize+n]
		rest = rest[abi.HeaderSize+n:]
	}
	if len(rest) == 0 {
		return nil
	}
	return r.decodeTexts(rest, f)
}

func (r *Request) decodeTexts(rest string, f *fields) (err error) {
	role, message, texts := "", -1, r.Texts
	var m *mark
	for len(rest) >= abi.HeaderSize {
		h := load(rest)
		n := h >> 32
		if n > uint64(len(rest)-abi.HeaderSize) {
			break
		}
		value := rest[abi.HeaderSize : abi.HeaderSize+n]
		rest = rest[abi.HeaderSize+n:]
		tag := abi.Tag(h)
		if tag == abi.TagText {
			k := len(texts)
			if k == cap(texts) {
				texts = append(texts, Text{})
			}
			texts = texts[:k+1]
			t := &texts[k]
			t.Role, t.Text, t.Message, t.edited = role, value, max(message, 0), false
			t.Sealed = false
			empty(&t.Kind)
			if t.Argument != nil {
				t.Argument = nil
			}
			if m != nil {
				t.Argument, t.Kind, t.Sealed = m.argument, m.kind, m.sealed
				m = nil
			}
			continue
		}
		if tag == abi.TagMessage {
			role = value
			message++
			continue
		}
		if tag < places && f[tag] != nil {
			*f[tag] = value
			continue
		}
		if m, err = r.other(tag, uint16(h>>16), bytesOf(value), m); err != nil {
			return err
		}
	}
	r.Texts = texts
	if len(rest) > 0 {
		return abi.ErrShort
	}
	return nil
}

// mark is what few texts have.
type mark struct {
	argument *Argument
	kind     string
	sealed   bool
}

// other takes a record that few views have. m is what was said of the next text so far, or nil.
func (r *Request) other(tag abi.Tag, flags uint16, value []byte, m *mark) (*mark, error) {
	known := tag == abi.TagTextKind || tag == abi.TagSealed
	if known && m == nil {
		m = &r.mark
		*m = mark{}
	}
	switch {
	case tag == abi.TagSealed:
		m.sealed = true
	case tag == abi.TagTextKind:
		m.kind, m.argument = text(value), r.argument(value)
	case m != nil && m.argument != nil && (tag == abi.TagKey || tag == abi.TagIndex):
		return m, m.argument.field(tag, value)
	default:
		return m, r.field(tag, flags, value)
	}
	return m, nil
}

// argument begins a text of a kind.
func (r *Request) argument(kind []byte) *Argument {
	if string(kind) != kindArguments {
		return nil
	}
	r.arguments = append(r.arguments, Argument{})
	return &r.arguments[len(r.arguments)-1]
}

const kindArguments = "arguments"

func (a *Argument) field(tag abi.Tag, value []byte) error {
	if tag == abi.TagKey {
		a.Key = text(value)
		return nil
	}
	if len(value) != 8 {
		return abi.ErrValue
	}
	a.Call = int(min(abi.Load(value), 1<<30))
	return nil
}

// places is more than the highest tag in a table of fields.
const places = 256

// fields says where the texts of records go, by tag.
type fields [places]*string

func (r *Request) fields() *fields {
	f := r.Caller.fields()
	f[abi.TagRequestID], f[abi.TagCallType], f[abi.TagMethod] = &r.ID, &r.CallType, &r.Method
	f[abi.TagPath], f[abi.TagClientIP], f[abi.TagModel] = &r.Path, &r.ClientIP, &r.Model
	return f
}

func (c *Caller) fields() *fields {
	return &fields{
		abi.TagKeyHash: &c.KeyHash, abi.TagKeyAlias: &c.KeyAlias, abi.TagUserID: &c.UserID, abi.TagUserEmail: &c.UserEmail,
		abi.TagTeamID: &c.TeamID, abi.TagTeamAlias: &c.TeamAlias, abi.TagOrgID: &c.OrgID, abi.TagEndUser: &c.EndUser, abi.TagRole: &c.Role,
	}
}

// reset forgets the last request, field by field: assigning a whole Request makes a second one first and copies it, which
// in a guest costs a microsecond.
func (r *Request) reset() {
	empty(&r.ID)
	empty(&r.CallType)
	empty(&r.Method)
	empty(&r.Path)
	empty(&r.ClientIP)
	empty(&r.Model)
	r.Stream, r.setModel = false, false
	r.Caller.reset()
	r.Texts = r.Texts[:0] // one by one: in pairs, their addresses are stored as well
	r.Media = r.Media[:0]
	r.arguments = r.arguments[:0]
	r.Extras.reset()
	r.metadata = r.metadata[:0]
	r.changes.records = r.changes.records[:0]
	if r.changes.err != nil {
		r.changes.err = nil
	}
	r.more = More{}
}

// empty makes a text empty by its length alone: a pointer that is stored in a guest is reported to the collector first.
func empty(s *string) { (*stringHeader)(unsafe.Pointer(s)).n = 0 }

func (c *Caller) reset() {
	empty(&c.KeyHash)
	empty(&c.KeyAlias)
	empty(&c.UserID)
	empty(&c.UserEmail)
	empty(&c.TeamID)
	empty(&c.TeamAlias)
	empty(&c.OrgID)
	empty(&c.EndUser)
	empty(&c.Role)
}

func (r *Request) field(tag abi.Tag, flags uint16, value []byte) error {
	switch tag {
	case abi.TagStream:
		r.Stream = true
	case abi.TagMetadata:
		r.metadata = value
	case abi.TagMedia:
		r.Media = append(r.Media, Media{})
		return r.Media[len(r.Media)-1].decode(abi.Reader{Rest: value})
	default:
		if !r.Caller.field(tag, value) && !r.Extras.field(tag, value) && flags&abi.FlagCritical != 0 {
			return abi.ErrCritical
		}
	}
	return nil
}

// field takes a record about the caller and reports whether it is one.
func (c *Caller) field(tag abi.Tag, value []byte) bool {
	switch tag {
	case abi.TagKeyHash:
		c.KeyHash = text(value)
	case abi.TagKeyAlias:
		c.KeyAlias = text(value)
	case abi.TagUserID:
		c.UserID = text(value)
	case abi.TagUserEmail:
		c.UserEmail = text(value)
	case abi.TagTeamID:
		c.TeamID = text(value)
	case abi.TagTeamAlias:
		c.TeamAlias = text(value)
	case abi.TagOrgID:
		c.OrgID = text(value)
	case abi.TagEndUser:
		c.EndUser = text(value)
	case abi.TagRole:
		c.Role = text(value)
	default:
		return false
	}
	return true
}

// encode appends the result of a hook to dst, or nothing if the request goes on unchanged.
func (v Verdict) encode(dst []byte, r *Request) []byte {
	if v.kind == abi.VerdictRespond {
		return r.Extras.encode(v.encodeReply(dst))
	}
	if v.kind != abi.VerdictContinue {
		return appendVerdict(dst, v.kind, v.status, v.message)
	}
	if r.changes.err != nil {
		return appendVerdict(dst, abi.VerdictFail, 0, r.changes.err.Error())
	}
	for i := range r.Texts {
		if !r.Texts[i].edited {
			continue
		}
		dst = appendEdit(begin(dst), i, r.Texts[i].Text)
	}
	if r.setModel {
		dst = abi.AppendText(begin(dst), abi.TagModel, r.Model)
	}
	if len(r.changes.records) > 0 {
		dst = append(begin(dst), r.changes.records...)
	}
	return r.Extras.encode(dst)
}

func (v Verdict) encodeReply(dst []byte) []byte {
	dst = appendVerdict(dst, v.kind, v.status, v.message)
	if v.filtered {
		dst = abi.AppendText(dst, abi.TagFinish, "content_filter")
	}
	return dst
}

// begin makes sure that the verdict precedes the first edit.
func begin(dst []byte) []byte {
	if len(dst) > 0 {
		return dst
	}
	return abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictEdit))
}

func appendVerdict(dst []byte, kind abi.Verdict, status int, message string) []byte {
	dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(kind))
	if kind == abi.VerdictRespond {
		return abi.AppendText(dst, abi.TagReply, message)
	}
	if status != 0 {
		dst = abi.AppendNumber(dst, abi.TagStatus, uint64(status))
	}
	return abi.AppendText(dst, abi.TagReason, message)
}

// text views bytes as a string without copying them: a string is the first two words of a slice. unsafe.String would check
// what is known here.
func text(b []byte) string { return *(*string)(unsafe.Pointer(&b)) }

// bytesOf views a text as bytes, which it was made of.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// stringHeader is what a string consists of.
type stringHeader struct {
	_ unsafe.Pointer
	n int
}
