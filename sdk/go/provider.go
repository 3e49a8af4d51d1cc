package sallyport

import (
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Provider speaks the API of a vendor that the gateway does not know. Both functions are pure: the gateway makes the
// call between them. Several answers are read at the same time, so nothing about one of them is kept in variables; see
// Reading.State.
type Provider struct {
	// Encode makes a call of a request, or answers it.
	Encode func(*ProviderRequest) Outgoing
	// Decode reads an answer: whole, or one event after another.
	Decode func(*ProviderAnswer) Reading
}

// ProviderRequest is a request in the form of the OpenAI API, with what the deployment adds to it. It is valid during
// the call.
type ProviderRequest struct {
	ID       string
	CallType string // "acompletion", "atext_completion" or "aembedding"
	Model    string // the vendor's name for the model
	Base     string // api_base of the deployment, without a slash at its end
	APIKey   string // of the deployment, if the manifest needs "api_key"
	Stream   bool
	Caller   Caller
	Texts    []Text // every text of the request, in order, if the manifest needs "texts"

	more More
}

// Value asks the gateway for a value in the request body, as Request.Value does.
func (r *ProviderRequest) Value(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldValue, path)
	return text(b), ok
}

// JSON is Value, but a string too comes as JSON.
func (r *ProviderRequest) JSON(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldJSON, path)
	return text(b), ok
}

// Body asks the gateway for the whole request body.
func (r *ProviderRequest) Body() []byte {
	b, _ := r.more.field(abi.FieldBody, "")
	return b
}

// Outgoing is what Encode returns.
type Outgoing struct {
	kind    abi.Verdict
	status  int
	message string
	method  string
	url     string
	body    []byte
	headers []header
	reading Reading
}

// Call has the gateway make an HTTP call, to the deployment's api_base or to a host that the operator granted.
func Call(method, url string, body []byte) Outgoing {
	return Outgoing{kind: abi.VerdictEdit, method: method, url: url, body: body}
}

// Header adds a header to the call.
func (o Outgoing) Header(name, value string) Outgoing {
	o.headers = append(o.headers, header{name, value})
	return o
}

// AnswerWith answers without a call.
func AnswerWith(r Reading) Outgoing { return Outgoing{kind: abi.VerdictRespond, reading: r} }

// RefuseCall refuses a request that the vendor cannot serve, with a status between 400 and 499.
func RefuseCall(status int, message string) Outgoing {
	return Outgoing{kind: abi.VerdictReject, status: status, message: message}
}

// FailCall says that the hook could not do its work.
func FailCall(err error) Outgoing {
	return Outgoing{kind: abi.VerdictFail, message: err.Error()}
}

// Target returns the call that is made, for tests.
func (o Outgoing) Target() (method, url string, body []byte) { return o.method, o.url, o.body }

// ProviderAnswer is what Decode is given. It is valid during the call.
type ProviderAnswer struct {
	Phase  abi.Phase // abi.PhaseWhole, abi.PhaseEvent or abi.PhaseEnd
	Status int       // HTTP status
	Event  string    // name of the event, where the stream names them
	Body   []byte    // the whole answer, or the data of one event
	State  []byte    // what the last Reading of this stream kept

	headers []header
	more    More
}

// Header returns a header of the answer. It is known for a whole answer and for the first event of a stream.
func (a *ProviderAnswer) Header(name string) (value string, ok bool) {
	for _, h := range a.headers {
		if strings.EqualFold(h.name, name) {
			return h.value, true
		}
	}
	return "", false
}

// Value asks the gateway for a value in the body, if that is a JSON object: "choices.0.text". A string comes as its
// text, anything else as JSON.
func (a *ProviderAnswer) Value(path string) (value string, ok bool) {
	b, ok := a.more.field(abi.FieldValue, path)
	return text(b), ok
}

// JSON is Value, but a string too comes as JSON.
func (a *ProviderAnswer) JSON(path string) (value string, ok bool) {
	b, ok := a.more.field(abi.FieldJSON, path)
	return text(b), ok
}

// Reading is what Decode returns. The zero value says nothing, which for a whole answer means that it is in the form of
// the OpenAI API already, and for a refusal that the gateway finds the message itself.
type Reading struct {
	Text      string // of the answer, or what an event adds to it
	Reasoning string // likewise, of the model's reasoning
	ToolCalls []ToolCall
	Finish    string // finish reason: "stop", "length", "tool_calls" or "content_filter"
	Usage     *Usage
	JSON      string // the whole answer in the form of the OpenAI API, in place of all this
	State     []byte // what the next event of the stream is to find, at most abi.MaxState bytes

	status  int
	message string
	failed  bool
}

// ToolCall is a call of a tool that the model asks for, or what an event adds to it.
type ToolCall struct {
	Index     int
	ID        string
	Name      string
	Arguments string // JSON
}

// Usage counts tokens.
type Usage struct{ Prompt, Completion, Total, Cached, Reasoning int64 }

// VendorError makes an error of a vendor's answer: a status between 400 and 599, and what the vendor said.
func VendorError(status int, message string) Reading {
	return Reading{status: status, message: message}
}

// FailReading says that the answer cannot be read.
func FailReading(err error) Reading { return Reading{failed: true, message: err.Error()} }

func (p *Provider) call(a *ProviderAnswer, view, out []byte) ([]byte, error) {
	v := abi.Reader{Rest: view}
	if v.Next() && v.Tag == abi.TagPhase && abi.Phase(v.Number()) == abi.PhaseEncode {
		r := &ProviderRequest{}
		if err := r.decode(v.Rest); err != nil {
			return nil, err
		}
		return p.Encode(r).encode(out), nil
	}
	if err := a.decode(view); err != nil {
		return nil, err
	}
	return p.Decode(a).encode(out), nil
}

func (r *ProviderRequest) decode(view []byte) error {
	role, message := "", -1
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagRequestID:
			r.ID = text(v.Value)
		case abi.TagCallType:
			r.CallType = text(v.Value)
		case abi.TagVendorModel:
			r.Model = text(v.Value)
		case abi.TagBase:
			r.Base = text(v.Value)
		case abi.TagCredential:
			r.APIKey = text(v.Value)
		case abi.TagStream:
			r.Stream = true
		case abi.TagMessage:
			role = text(v.Value)
			message++
		case abi.TagText:
			r.Texts = append(r.Texts, Text{Role: role, Message: max(message, 0), Text: text(v.Value)})
		default:
			if !r.Caller.field(v.Tag, v.Value) {
				v.Unknown()
			}
		}
	}
	return v.Err
}

func (o Outgoing) encode(dst []byte) []byte {
	switch o.kind {
	case abi.VerdictContinue:
		return appendVerdict(dst, abi.VerdictFail, 0, "the plugin made no call")
	case abi.VerdictRespond:
		return o.reading.append(abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictRespond)))
	case abi.VerdictEdit:
		dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictEdit))
		dst = abi.AppendText(dst, abi.TagMethod, o.method)
		dst = abi.AppendText(dst, abi.TagURL, o.url)
		for _, h := range o.headers {
			var mark int
			dst, mark = abi.Open(dst, abi.TagHeader)
			dst = abi.AppendText(abi.AppendText(dst, abi.TagKey, h.name), abi.TagText, h.value)
			dst = abi.Close(dst, mark)
		}
		return abi.AppendText(dst, abi.TagBody, o.body)
	}
	return appendVerdict(dst, o.kind, o.status, o.message)
}

func (a *ProviderAnswer) decode(view []byte) error {
	*a = ProviderAnswer{headers: a.headers[:0]}
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagPhase:
			a.Phase = abi.Phase(v.Number())
		case abi.TagStatus:
			a.Status = int(v.Number())
		case abi.TagEvent:
			a.Event = text(v.Value)
		case abi.TagBody:
			a.Body = v.Value
		case abi.TagState:
			a.State = v.Value
		case abi.TagHeader:
			a.headers = append(a.headers, readHeader(v.Inside()))
		default:
			v.Unknown()
		}
	}
	return v.Err
}

func (r Reading) encode(dst []byte) []byte {
	switch {
	case r.failed:
		return appendVerdict(dst, abi.VerdictFail, 0, r.message)
	case r.status != 0:
		return appendVerdict(dst, abi.VerdictReject, r.status, r.message)
	}
	start := len(dst)
	dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictEdit))
	if said := r.append(dst); len(said) > len(dst) {
		return said
	}
	return dst[:start]
}

// append appends what was read.
func (r *Reading) append(dst []byte) []byte {
	if len(r.State) > 0 {
		dst = abi.AppendText(dst, abi.TagState, r.State)
	}
	if r.JSON != "" {
		return abi.AppendText(dst, abi.TagAnswer, r.JSON)
	}
	dst, mark := abi.Open(dst, abi.TagPart)
	dst = appendField(dst, abi.TagText, r.Text)
	dst = appendField(dst, abi.TagReasoning, r.Reasoning)
	for i := range r.ToolCalls {
		dst = r.ToolCalls[i].append(dst)
	}
	dst = appendField(dst, abi.TagFinish, r.Finish)
	if u := r.Usage; u != nil {
		for _, n := range []struct {
			tag abi.Tag
			n   int64
		}{
			{abi.TagPromptTokens, u.Prompt}, {abi.TagCompletionTokens, u.Completion}, {abi.TagTotalTokens, u.Total},
			{abi.TagCachedTokens, u.Cached}, {abi.TagReasoningTokens, u.Reasoning},
		} {
			dst = abi.AppendNumber(dst, n.tag, uint64(max(n.n, 0)))
		}
	}
	if len(dst) == mark {
		return dst[:mark-abi.HeaderSize]
	}
	return abi.Close(dst, mark)
}

func (c *ToolCall) append(dst []byte) []byte {
	dst, mark := abi.Open(dst, abi.TagToolCall)
	dst = abi.AppendNumber(dst, abi.TagIndex, uint64(max(c.Index, 0)))
	dst = appendField(dst, abi.TagCallID, c.ID)
	dst = appendField(dst, abi.TagKey, c.Name)
	dst = appendField(dst, abi.TagText, c.Arguments)
	return abi.Close(dst, mark)
}
