package gemini

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

func chat() *provider.Chat {
	return &provider.Chat{Route: generate, Params: params(), Request: request, Whole: whole, Events: events}
}

// encoder writes one request.
type encoder struct {
	t *provider.Turn
	r *openai.ChatRequest
	o *own
	b dialect.Builder
}

// request writes a request of generateContent (https://ai.google.dev/api/generate-content#request-body).
func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	n := &encoder{t: t, r: r, o: ownOf(t), b: dialect.Build(dst)}
	n.b.Open('{')
	for _, write := range [...]func(*encoder) error{
		(*encoder).contents, (*encoder).system, (*encoder).tools, (*encoder).toolConfig, (*encoder).config, (*encoder).others,
	} {
		if err := write(n); err != nil {
			return nil, err
		}
	}
	n.b.Close('}')
	return n.cached(n.b.Bytes())
}

// system writes the system messages.
func (n *encoder) system() error {
	start := n.b.Len()
	n.b.Key("systemInstruction").Open('{').Key("parts").Open('[')
	some := false
	for m, p := range n.r.Systems {
		if p.Kind != openai.PartText {
			return n.r.BadPart(m, p)
		}
		if len(p.Text) > 2 {
			n.b.Open('{').Key("text").Raw(p.Text).Close('}')
			some = true
		}
	}
	if !some {
		n.b.Cut(start)
		return nil
	}
	n.b.Close(']').Close('}')
	return nil
}

// contents writes the conversation. Turns alternate, so messages of one side in a row are one content. A conversation
// without a word of the user's gets a blank, as the API wants one; the reference does the same.
func (n *encoder) contents() error { return n.between(0, len(n.r.Messages)) }

// between writes the messages from one up to another.
func (n *encoder) between(from, to int) error {
	n.b.Key("contents").Open('[')
	start := n.b.Len()
	for i := from; i < to; {
		if n.r.Messages[i].Role == openai.RoleSystem {
			i++
			continue
		}
		end := min(n.r.Turn(i, true), to)
		if err := n.turn(i, end); err != nil {
			return err
		}
		i = end
	}
	if n.b.Len() == start {
		n.b.Lit(`{"role":"user","parts":[{"text":" "}]}`)
	}
	n.b.Close(']')
	return nil
}

// turn writes the messages from one up to another as a content. One of empty texts is left out: the API takes no content
// without a part.
func (n *encoder) turn(from, to int) error {
	start := n.b.Len()
	role := "user"
	if n.r.Messages[from].Role == openai.RoleAssistant {
		role = "model"
	}
	n.b.Open('{').Key("role").Quote(role).Key("parts").Open('[')
	open := n.b.Len()
	if err := n.results(from, to); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		m := &n.r.Messages[i]
		var err error
		switch m.Role {
		case openai.RoleUser:
			err = n.parts(m)
		case openai.RoleAssistant:
			err = n.model(m)
		}
		if err != nil {
			return err
		}
	}
	if n.b.Len() == open {
		n.b.Cut(start)
		return nil
	}
	n.b.Close(']').Close('}')
	return nil
}

// parts writes the content of a message of the user's.
func (n *encoder) parts(m *openai.ChatMessage) error {
	for i := range m.Parts {
		if err := n.part(m, &m.Parts[i], nil); err != nil {
			return err
		}
	}
	return nil
}

// part writes a part (https://ai.google.dev/api/caching#Part), with the signature that belongs to it.
func (n *encoder) part(m *openai.ChatMessage, p *openai.Part, sign []byte) error {
	switch p.Kind {
	case openai.PartText:
		if len(p.Text) <= 2 && sign == nil {
			return nil
		}
		n.b.Open('{').Key("text").Raw(p.Text)
	case openai.PartOther:
		return n.google(m, p)
	default:
		if p.Media.Plain != nil {
			n.b.Open('{').Key("text").Raw(p.Media.Plain)
			break
		}
		n.b.Open('{')
		if err := n.media(m, p); err != nil {
			return err
		}
	}
	if len(p.Raw) > 0 && p.Raw[0] == '{' {
		for c := dialect.Object(dialect.Get(p.Raw, gemini.PartKey)); c.Next(); {
			n.b.Member(string(c.Key()), c.Value())
		}
	}
	n.b.Member("thoughtSignature", sign)
	n.b.Close('}')
	return nil
}

// google writes a part that came from Google's own dialect, or back to it.
func (n *encoder) google(m *openai.ChatMessage, p *openai.Part) error {
	text, ok := llm.Text(dialect.Get(p.Raw, "text"))
	if string(p.Type) != `"`+gemini.PartKey+`"` || !ok {
		return n.r.BadPart(m, p)
	}
	var o llm.Object
	if o.Parse(text) != nil {
		return n.r.BadMedia(m, p, "holds a part of Google's API that is no JSON object")
	}
	n.b.Raw(text)
	return nil
}

// media writes the members of a part that is no text. What lies at an address is fetched by Google.
func (n *encoder) media(m *openai.ChatMessage, p *openai.Part) error {
	d := &p.Media
	kind := string(d.Type)
	if kind == "" && len(d.URL) > 0 {
		kind = gemini.TypeOf(string(d.URL))
	}
	if len(d.Data) > 0 {
		switch {
		case kind != "":
		case p.Kind == openai.PartFile:
			kind = "application/pdf"
		default:
			return n.r.BadMedia(m, p, "does not say what it is: give a data URL with a media type, or a format")
		}
		n.b.Key("inlineData").Open('{').Key("mimeType").Quote(kind).Key("data").QuoteBytes(d.Data).Close('}')
	} else {
		uri := d.URL
		if len(uri) == 0 {
			uri = d.ID
		}
		n.b.Key("fileData").Open('{').Text("mimeType", kind).Key("fileUri").QuoteBytes(uri).Close('}')
	}
	if p.Kind == openai.PartFile {
		n.b.Member("videoMetadata", dialect.Get(dialect.Get(p.Raw, "file"), "video_metadata"))
	}
	return nil
}

// model writes a message of the assistant: what it thought, what only Google has, its text, its images, and its calls.
func (n *encoder) model(m *openai.ChatMessage) error {
	marks := dialect.Get(m.Specific, "thought_signatures")
	n.thoughts(m, marks)
	for c := dialect.Array(dialect.Get(m.Specific, "google_parts")); c.Next(); {
		if c.First() == '{' {
			n.b.Raw(c.Value())
		}
	}
	sign := textSign(m, marks)
	last := -1
	for i := range m.Parts {
		if m.Parts[i].Kind == openai.PartText && len(m.Parts[i].Text) > 2 {
			last = i
		}
	}
	for i := range m.Parts {
		var s []byte
		if i == last {
			s = sign
		}
		if err := n.part(m, &m.Parts[i], s); err != nil {
			return err
		}
	}
	if last < 0 && sign != nil {
		n.b.Open('{').Key("text").Lit(`""`).Key("thoughtSignature").Raw(sign).Close('}')
	}
	for c := dialect.Array(m.Images); c.Next(); {
		url, _ := llm.Text(dialect.Get(dialect.Get(c.Value(), "image_url"), "url"))
		if kind, data, ok := openai.DataURL(url); ok {
			n.b.Open('{').Key("inlineData").Open('{').Key("mimeType").QuoteBytes(kind).Key("data").QuoteBytes(data).Close('}').Close('}')
		}
	}
	return n.calls(m)
}

// thoughts writes the thoughts that Gemini signed. Those of other vendors mean nothing to it, and a signature that it did
// not make is refused; which are its own, the list of signatures tells that came with its answer.
func (n *encoder) thoughts(m *openai.ChatMessage, marks []byte) {
	for c := dialect.Array(m.Thinking); c.Next(); {
		sign := dialect.Get(c.Value(), "signature")
		if len(sign) < 3 || !lists(marks, sign) {
			continue
		}
		n.b.Open('{').Member("text", dialect.Get(c.Value(), "thinking")).Key("thought").Bool(true).Key("thoughtSignature").Raw(sign).Close('}')
	}
}

// textSign is the signature of a message's text: the first that belongs neither to a thought nor to a call.
func textSign(m *openai.ChatMessage, marks []byte) []byte {
next:
	for c := dialect.Array(marks); c.Next(); {
		sign := c.Value()
		if len(sign) < 3 || sign[0] != '"' {
			continue
		}
		for b := dialect.Array(m.Thinking); b.Next(); {
			if string(dialect.Get(b.Value(), "signature")) == string(sign) {
				continue next
			}
		}
		for i := range m.Calls {
			if string(callSign(&m.Calls[i])) == string(sign) {
				continue next
			}
		}
		return sign
	}
	return nil
}

func lists(list, v []byte) bool {
	for c := dialect.Array(list); c.Next(); {
		if string(c.Value()) == string(v) {
			return true
		}
	}
	return false
}

// safe is the signature for calls that Gemini did not make, or whose signature a client lost
// (https://ai.google.dev/gemini-api/docs/thought-signatures#faqs).
const safe = `"skip_thought_signature_validator"`

// calls writes the calls of functions. Gemini 3 wants a signature with the first of a turn.
func (n *encoder) calls(m *openai.ChatMessage) error {
	for i := range m.Calls {
		c := &m.Calls[i]
		args, ok := c.Object()
		if !ok {
			return n.r.Bad(m.At(".tool_calls["+strconv.Itoa(i)+"].function.arguments"), "must be a JSON object, written as a string")
		}
		sign := callSign(c)
		if sign == nil && i == 0 && n.o.three {
			sign = []byte(safe)
		}
		n.b.Open('{').Key("functionCall").Open('{').Key("name").Raw(c.Name).Key("args").Raw(args).Close('}')
		n.b.Member("thoughtSignature", sign).Close('}')
	}
	return nil
}
