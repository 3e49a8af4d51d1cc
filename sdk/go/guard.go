package sallyport

import (
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Exchange is what the hooks after a request are told about it. It is valid during the call.
type Exchange struct {
	ID       string
	CallType string // "acompletion", "atext_completion" or "aembedding"
	Method   string
	Path     string
	ClientIP string
	Model    string // the model group
	Stream   bool   // a stream was asked for
	Caller   Caller
	Extras

	metadata []byte
	more     More
}

// Metadata decodes the metadata of the caller's key, if the manifest needs "metadata". It allocates on every call.
func (e *Exchange) Metadata() (map[string]any, error) {
	if len(e.metadata) == 0 {
		return e.more.metadata()
	}
	return abi.Map(e.metadata)
}

// Header asks the gateway for a header of the request, as Request.Header does.
func (e *Exchange) Header(name string) (value string, ok bool) {
	b, ok := e.more.field(abi.FieldHeader, name)
	return text(b), ok
}

// Value asks the gateway for a value in the request body, as Request.Value does.
func (e *Exchange) Value(path string) (value string, ok bool) {
	b, ok := e.more.field(abi.FieldValue, path)
	return text(b), ok
}

func (e *Exchange) reset() {
	empty(&e.ID)
	empty(&e.CallType)
	empty(&e.Method)
	empty(&e.Path)
	empty(&e.ClientIP)
	empty(&e.Model)
	e.Stream = false
	e.Caller.reset()
	e.Extras.reset()
	e.metadata, e.more = e.metadata[:0], More{}
}

func (e *Exchange) field(tag abi.Tag, flags uint16, value []byte) error {
	switch tag {
	case abi.TagRequestID:
		e.ID = text(value)
	case abi.TagCallType:
		e.CallType = text(value)
	case abi.TagMethod:
		e.Method = text(value)
	case abi.TagPath:
		e.Path = text(value)
	case abi.TagClientIP:
		e.ClientIP = text(value)
	case abi.TagModel:
		e.Model = text(value)
	case abi.TagStream:
		e.Stream = true
	case abi.TagMetadata:
		e.metadata = value
	default:
		if !e.Extras.field(tag, value) && !e.Caller.field(tag, value) && flags&abi.FlagCritical != 0 {
			return abi.ErrCritical
		}
	}
	return nil
}

// Outcome is what is known about an answer besides its texts.
type Outcome struct {
	Finish           string // finish reason of the first choice
	PromptTokens     int
	CompletionTokens int
	TotalTokens      int
	Deployment       string // id
	Provider         string // the vendor
}

func (o *Outcome) field(r *abi.Reader) bool {
	switch r.Tag {
	case abi.TagFinish:
		o.Finish = text(r.Value)
	case abi.TagPromptTokens:
		o.PromptTokens = int(r.Number())
	case abi.TagCompletionTokens:
		o.CompletionTokens = int(r.Number())
	case abi.TagTotalTokens:
		o.TotalTokens = int(r.Number())
	case abi.TagDeploymentID:
		o.Deployment = text(r.Value)
	case abi.TagProvider:
		o.Provider = text(r.Value)
	default:
		return false
	}
	return true
}

// Answer is one text of an answer.
type Answer struct {
	Choice   int    // index of the choice
	Kind     string // "content", "reasoning", "refusal", "arguments" or "transcript"
	Role     string
	Text     string    // without JSON escapes
	Argument *Argument // of arguments: where it stands in them

	edited bool
}

// Replace changes the text in the answer that the caller gets.
func (a *Answer) Replace(text string) { a.Text, a.edited = text, true }

// Response is what the response hook sees: a whole answer, or, of a streamed one, a part that holds one text, if the
// plugin has no Stream hook and the operator did not choose to collect streams.
type Response struct {
	Exchange
	Outcome
	Texts []Answer // if the manifest needs "texts"
	Media []Media  // what is no text, if the manifest needs "media"; of a part of a stream, that part's

	Partial bool   // this is a part of a stream
	Context string // of a part: the end of what the caller has already got of the text
	Fresh   int    // of a part: how many bytes at the beginning of the text the hook has seen before
	Final   bool   // of a part: no more of this text follows

	Asked   int // how often this guardrail had a model asked again for the request, see Retry
	Retries int // how often it still may; 0 makes Retry a Reject
}

// AnswerValue asks the gateway for a value in a whole answer, such as "choices.0.message.tool_calls.0.function.arguments".
func (r *Response) AnswerValue(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldAnswerValue, path)
	return text(b), ok
}

// AnswerJSON is AnswerValue, but a string too comes as JSON.
func (r *Response) AnswerJSON(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldAnswerJSON, path)
	return text(b), ok
}

// Answer asks the gateway for a whole answer.
func (r *Response) Answer() []byte {
	b, _ := r.more.field(abi.FieldAnswer, "")
	return b
}

func (r *Response) decode(view []byte) error {
	texts, media := r.Texts[:0], r.Media[:0]
	r.Exchange.reset()
	*r = Response{Exchange: r.Exchange, Texts: texts, Media: media}
	var a Answer
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagChoice:
			a = Answer{Choice: int(v.Number()), Kind: "content"}
		case abi.TagTextKind:
			if a.Kind = text(v.Value); a.Kind == kindArguments {
				a.Argument = &Argument{}
			}
		case abi.TagKey, abi.TagIndex:
			if a.Argument != nil {
				if err := a.Argument.field(v.Tag, v.Value); err != nil {
					return err
				}
			}
		case abi.TagMedia:
			r.Media = append(r.Media, Media{})
			if err := r.Media[len(r.Media)-1].decode(v.Inside()); err != nil {
				return err
			}
		case abi.TagMessage:
			a.Role = text(v.Value)
		case abi.TagText:
			a.Text = text(v.Value)
			r.Texts = append(r.Texts, a)
		case abi.TagPartial:
			r.Partial = true
		case abi.TagContext:
			r.Context = text(v.Value)
		case abi.TagFresh:
			r.Fresh = int(v.Number())
		case abi.TagFinal:
			r.Final = true
		case abi.TagAsked:
			r.Asked = int(v.Number())
		case abi.TagRetryLeft:
			r.Retries = int(v.Number())
		default:
			if r.Outcome.field(&v) {
				continue
			}
			if err := r.Exchange.field(v.Tag, v.Flags, v.Value); err != nil {
				return err
			}
		}
	}
	return v.Err
}

func (r *Response) encode(dst []byte, v Verdict) []byte {
	if v.kind == abi.VerdictRetry {
		return r.Extras.encode(v.encodeRetry(dst))
	}
	if v.kind != abi.VerdictContinue {
		return appendVerdict(dst, v.kind, v.status, v.message)
	}
	for i := range r.Texts {
		if r.Texts[i].edited {
			dst = appendEdit(begin(dst), i, r.Texts[i].Text)
		}
	}
	return r.Extras.encode(dst)
}

func appendEdit(dst []byte, index int, text string) []byte {
	dst, mark := abi.Open(dst, abi.TagEdit)
	dst = abi.AppendNumber(dst, abi.TagIndex, uint64(index))
	return abi.Close(abi.AppendText(dst, abi.TagText, text), mark)
}

// Retry has a model asked again, as often as the operator allows with max_retries; then, and where the answer is on its
// way already, it is Reject(status, message). The model sees its answer, that of the choice with the index, and then ask
// as a message of the user; an empty ask sends the request once more as it was. The manifest says "min_minor": 1.
func Retry(status int, message string, choice int, ask string) Verdict {
	return Verdict{kind: abi.VerdictRetry, status: status, message: message, choice: choice, ask: ask}
}

func (v Verdict) encodeRetry(dst []byte) []byte {
	dst = appendVerdict(dst, v.kind, v.status, v.message)
	if v.choice > 0 {
		dst = abi.AppendNumber(dst, abi.TagChoice, uint64(v.choice))
	}
	if v.ask != "" {
		dst = abi.AppendText(dst, abi.TagAsk, v.ask)
	}
	return dst
}

// RespondFiltered is Respond with the finish reason "content_filter".
func RespondFiltered(text string) Verdict {
	return Verdict{kind: abi.VerdictRespond, message: text, filtered: true}
}

// Failure is what the failure hook sees: an error on its way to the caller.
type Failure struct {
	Exchange
	Kind       string // such as "rate_limit", "timeout", "rejected"
	Status     int
	Message    string // as the caller would read it
	Type       string
	Deployment string // id of the deployment called last, if one was
	Provider   string

	edited bool
}

// Rewrite gives the caller another status, between 400 and 599, and message.
func (f *Failure) Rewrite(status int, message string) {
	f.Status, f.Message, f.edited = status, message, true
}

// SetType gives the caller another "type" of error.
func (f *Failure) SetType(kind string) { f.Type, f.edited = kind, true }

func (f *Failure) decode(view []byte) error {
	f.Exchange.reset()
	*f = Failure{Exchange: f.Exchange}
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagErrorKind:
			f.Kind = text(v.Value)
		case abi.TagStatus:
			f.Status = int(v.Number())
		case abi.TagReason:
			f.Message = text(v.Value)
		case abi.TagErrorType:
			f.Type = text(v.Value)
		case abi.TagDeploymentID:
			f.Deployment = text(v.Value)
		case abi.TagProvider:
			f.Provider = text(v.Value)
		default:
			if err := f.Exchange.field(v.Tag, v.Flags, v.Value); err != nil {
				return err
			}
		}
	}
	return v.Err
}

func (f *Failure) encode(dst []byte, v Verdict) []byte {
	if v.kind != abi.VerdictContinue {
		return appendVerdict(dst, v.kind, v.status, v.message)
	}
	if !f.edited {
		return dst
	}
	dst = abi.AppendNumber(begin(dst), abi.TagStatus, uint64(f.Status))
	dst = abi.AppendText(dst, abi.TagReason, f.Message)
	if f.Type != "" {
		dst = abi.AppendText(dst, abi.TagErrorType, f.Type)
	}
	return dst
}

// guards are the hooks of guardrails besides the request hook.
type guards struct {
	response Response
	window   Window
	end      StreamEnd
	failure  Failure
}

// guard runs one of them. known is false if the hook is none of them.
func (g *guest) guard(hook abi.Hook, view []byte) (out []byte, known bool) {
	var err error
	out = g.out[:0]
	switch {
	case hook == abi.HookModeration && g.hooks.Moderation != nil:
		if err = g.req.decode(view, g.texts); err == nil {
			out = g.hooks.Moderation(&g.req).encode(out, &g.req)
		}
	case hook == abi.HookResponse && g.hooks.Response != nil:
		r := &g.guards.response
		if err = r.decode(view); err == nil {
			out = r.encode(out, g.hooks.Response(r))
		}
	case hook == abi.HookStreamChunk && g.hooks.Stream != nil:
		w := &g.guards.window
		if err = w.decode(view, g.windows); err == nil {
			out = w.encode(out, g.hooks.Stream(w))
		}
	case hook == abi.HookStreamEnd && g.hooks.StreamEnd != nil:
		s := &g.guards.end
		if err = s.decode(view); err == nil {
			out = g.hooks.StreamEnd(s).encodePlain(out, &s.Extras)
		}
	case hook == abi.HookFailure && g.hooks.Failure != nil:
		f := &g.guards.failure
		if err = f.decode(view); err == nil {
			out = f.encode(out, g.hooks.Failure(f))
		}
	default:
		return nil, false
	}
	if err != nil {
		return g.fail(err.Error()), true
	}
	g.out = out
	return result(out), true
}

// encodePlain encodes the verdict of a hook that edits nothing.
func (v Verdict) encodePlain(dst []byte, e *Extras) []byte {
	if v.kind != abi.VerdictContinue {
		return appendVerdict(dst, v.kind, v.status, v.message)
	}
	return e.encode(dst)
}

// lacksGuard reports whether the hook is one of those in this file and the plugin does not have it.
func (h *Hooks) lacksGuard(hook abi.Hook) bool {
	switch hook {
	case abi.HookModeration:
		return h.Moderation == nil
	case abi.HookResponse:
		return h.Response == nil
	case abi.HookStreamChunk:
		return h.Stream == nil
	case abi.HookStreamEnd:
		return h.StreamEnd == nil
	case abi.HookFailure:
		return h.Failure == nil
	}
	return false
}
