package gemini

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
)

// Answer is a whole answer of generateContent, or one chunk of streamGenerateContent, which has the same shape. The
// slices are JSON values as written and borrow the scanned bytes; an absent one is nil.
type Answer struct {
	ID, Model  []byte // responseId, modelVersion
	Candidates []byte
	Feedback   []byte // promptFeedback
	Error      []byte // nil unless the answer is an error
	Counts     []byte // usageMetadata
}

// ScanAnswer walks an answer once. It is false if b is not one JSON object, as far as that is visible without decoding
// it.
func ScanAnswer(b []byte, a *Answer) bool {
	*a = Answer{}
	c := dialect.Object(b)
	for c.Next() {
		a.member(&c)
	}
	return !c.Broken()
}

func (a *Answer) member(c *dialect.Cursor) {
	switch string(c.Key()) {
	case "responseId":
		a.ID = c.Text()
	case "modelVersion":
		a.Model = c.Text()
	case "candidates":
		a.Candidates = c.Array()
	case "promptFeedback":
		a.Feedback = c.Object()
	case "error":
		a.Error = c.Object()
	case "usageMetadata":
		a.Counts = c.Object()
	}
}

// Block is the reason why a prompt was refused, as a JSON string; nil if it was not.
func (a *Answer) Block() []byte {
	if reason := dialect.Get(a.Feedback, "blockReason"); !dialect.Blank(reason) && string(reason) != `"BLOCK_REASON_UNSPECIFIED"` {
		return reason
	}
	return nil
}

// Candidate is one of the answers. Slices are as in Answer.
type Candidate struct {
	Index     int64
	Indexed   bool // Index was there
	Parts     []byte
	Finish    []byte // finishReason
	Message   []byte // finishMessage
	Grounding []byte // groundingMetadata
	URLs      []byte // urlContextMetadata
	Safety    []byte // safetyRatings
	Citations []byte // citationMetadata
	Logprobs  []byte // logprobsResult
}

// ScanCandidate walks one candidate.
func ScanCandidate(b []byte, d *Candidate) {
	*d = Candidate{}
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "index":
			d.Index, d.Indexed = dialect.Int(c.Value()), true
		case "content":
			if raw := c.Object(); raw != nil {
				d.Parts = dialect.Get(raw, "parts")
			}
		case "finishReason":
			d.Finish = c.Text()
		case "finishMessage":
			d.Message = c.Text()
		case "groundingMetadata":
			d.Grounding = c.Object()
		case "urlContextMetadata":
			d.URLs = c.Object()
		case "safetyRatings":
			d.Safety = c.Array()
		case "citationMetadata":
			d.Citations = c.Object()
		case "logprobsResult":
			d.Logprobs = c.Object()
		}
	}
}

// PartKind says what a part is.
type PartKind uint8

// The kinds. OtherPart is one without a counterpart in the OpenAI dialect, such as executableCode.
const (
	NoPart PartKind = iota
	TextPart
	InlineData
	FileData
	FunctionCall
	FunctionResponse
	OtherPart
)

// Part is a part of a content, as https://ai.google.dev/api/caching#Part describes it. Slices are as in Answer.
type Part struct {
	Kind      PartKind
	Raw       []byte
	Thought   bool
	Signature []byte // thoughtSignature
	Text      []byte // of TextPart
	Value     []byte // the object of the other kinds
	Mixed     bool   // the part has data of two kinds
	Strange   []byte // a key that is written with escapes
	More      int    // members beside the data, thought and thoughtSignature
}

// ScanPart walks one part. Both spellings of a key are known, as Google's own parsers take either.
func ScanPart(b []byte, p *Part) {
	*p = Part{Raw: b}
	for c := dialect.Object(b); c.Next(); {
		var kind PartKind
		switch string(c.Key()) {
		case "text":
			if kind = TextPart; c.First() == '"' {
				p.Text = c.Value()
			}
		case "thought":
			p.Thought = c.First() == 't'
			continue
		case "thoughtSignature", "thought_signature":
			p.Signature = c.Text()
			continue
		case "inlineData", "inline_data":
			kind = InlineData
		case "fileData", "file_data":
			kind = FileData
		case "functionCall", "function_call":
			kind = FunctionCall
		case "functionResponse", "function_response":
			kind = FunctionResponse
		case "executableCode", "executable_code", "codeExecutionResult", "code_execution_result", "toolCall", "tool_call",
			"toolResponse", "tool_response":
			kind = OtherPart
		default:
			if escaped(c.Key()) {
				p.Strange = c.Key()
			}
			p.More++
			continue
		}
		if c.First() == 'n' {
			continue // null is not there
		}
		p.Mixed = p.Mixed || p.Kind != NoPart
		p.Kind = kind
		if kind != TextPart {
			p.Value = c.Object()
		}
	}
	if p.Kind == NoPart && p.More > 0 {
		p.Kind = OtherPart
	}
}

func escaped(key []byte) bool {
	for _, c := range key {
		if c == '\\' {
			return true
		}
	}
	return false
}

// Blob is what a part holds or points at: inlineData or fileData.
type Blob struct {
	Type    []byte // mimeType
	Data    []byte // base64, of inlineData
	URI     []byte // of fileData
	Name    []byte // displayName
	Strange []byte // a member that is none of these
}

// ScanBlob walks inlineData or fileData.
func ScanBlob(b []byte, d *Blob) {
	*d = Blob{}
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "mimeType", "mime_type":
			d.Type = c.Text()
		case "data":
			d.Data = c.Text()
		case "fileUri", "file_uri":
			d.URI = c.Text()
		case "displayName", "display_name":
			d.Name = c.Text()
		default:
			d.Strange = c.Key()
		}
	}
}

// Call is a functionCall or a functionResponse.
type Call struct {
	ID, Name []byte
	Args     []byte // of a call: an object
	Response []byte // of a response: an object
	Parts    []byte // of a response: media
	More     int    // other members
}

// ScanCall walks a functionCall or functionResponse.
func ScanCall(b []byte, d *Call) {
	*d = Call{}
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "id":
			d.ID = c.Text()
		case "name":
			d.Name = c.Text()
		case "args":
			d.Args = c.Object()
		case "response":
			d.Response = c.Object()
		case "parts":
			d.Parts = c.Array()
		default:
			d.More++
		}
	}
}
