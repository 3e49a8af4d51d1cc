package sallyport

import "github.com/sallyport-ai/sallyport/sdk/abi"

// PromptRequest asks for a stored prompt. It is valid during the call.
type PromptRequest struct {
	PromptID  string
	Variables map[string]any // what the placeholders stand for
	Label     string         // such as "production"; empty if the caller named none
	Version   string         // empty for the newest
	ID        string
	CallType  string
	Model     string // the model group asked for
	Stream    bool
	Caller    Caller
	Texts     []Text // of the caller's own messages, if the manifest needs "texts"

	more More
}

// Value asks the gateway for a value in the request body, as Request.Value does.
func (r *PromptRequest) Value(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldValue, path)
	return text(b), ok
}

// Message is one message of a chat.
type Message struct{ Role, Text string }

// Prompt is what a stored prompt says.
type Prompt struct {
	Messages []Message
	// JSON is a list of messages in the API's own form, for prompts that hold more than texts. It takes the place of
	// Messages.
	JSON    string
	Replace bool           // the caller's own messages are dropped; otherwise they come behind
	Model   string         // model group to call; empty keeps the caller's
	Params  map[string]any // members of the request, such as temperature; they win over the caller's
}

// PromptVerdict is what the prompt hook decided.
type PromptVerdict struct {
	kind    abi.Verdict
	status  int
	message string
	prompt  *Prompt
}

// UsePrompt sends the prompt to the model.
func UsePrompt(p *Prompt) PromptVerdict { return PromptVerdict{kind: abi.VerdictEdit, prompt: p} }

// NoPrompt refuses the request: there is no such prompt, or a variable is missing. The status is between 400 and 499.
func NoPrompt(status int, message string) PromptVerdict {
	return PromptVerdict{kind: abi.VerdictReject, status: status, message: message}
}

// FailPrompt says that the hook could not do its work.
func FailPrompt(err error) PromptVerdict {
	return PromptVerdict{kind: abi.VerdictFail, message: err.Error()}
}

// Prompt returns what is sent to the model, or nil.
func (v PromptVerdict) Prompt() *Prompt { return v.prompt }

// Refused returns the status and the message of a refusal; the status is 0 if the verdict is none.
func (v PromptVerdict) Refused() (status int, message string) {
	if v.kind != abi.VerdictReject {
		return 0, ""
	}
	return v.status, v.message
}

func (v PromptVerdict) encode(dst []byte) []byte {
	if v.kind == abi.VerdictContinue || v.kind == abi.VerdictEdit && v.prompt == nil {
		return appendVerdict(dst, abi.VerdictFail, 0, "the plugin supplied no prompt")
	}
	if v.kind != abi.VerdictEdit {
		return appendVerdict(dst, v.kind, v.status, v.message)
	}
	p, start := v.prompt, len(dst)
	dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(v.kind))
	dst = appendField(dst, abi.TagModel, p.Model)
	dst = appendField(dst, abi.TagMessages, p.JSON)
	if p.JSON == "" {
		for _, m := range p.Messages {
			dst = abi.AppendText(dst, abi.TagMessage, m.Role)
			dst = abi.AppendText(dst, abi.TagText, m.Text)
		}
	}
	if p.Replace {
		dst = appendFlag(dst, abi.TagReplace)
	}
	return orFail(dst, start, abi.TagParams, p.Params)
}

func (r *PromptRequest) decode(view []byte) error {
	role, message := "", -1
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagPromptID:
			r.PromptID = text(v.Value)
		case abi.TagVariables:
			r.Variables = readMap(&v)
		case abi.TagLabel:
			r.Label = text(v.Value)
		case abi.TagRevision:
			r.Version = text(v.Value)
		case abi.TagRequestID:
			r.ID = text(v.Value)
		case abi.TagCallType:
			r.CallType = text(v.Value)
		case abi.TagModel:
			r.Model = text(v.Value)
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
