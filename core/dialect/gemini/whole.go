package gemini

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// ErrNotChat tells that an answer is no chat completion.
var ErrNotChat = errors.New("gemini: the answer is not a chat completion")

// AppendAnswer appends the answer of generateContent that says the same as a chat completion.
func AppendAnswer(dst, chat []byte, u llm.Usage) ([]byte, error) {
	var c chatAnswer
	if !c.scan(chat) || c.choices == nil {
		return nil, ErrNotChat
	}
	dst = append(dst, `{"candidates":[`...)
	start, n := len(dst), 0
	for list := dialect.Array(c.choices); list.Next(); n++ {
		var ch choice
		ch.scan(list.Value(), n)
		dst = ch.append(comma(dst, start), &c)
	}
	dst = AppendUsage(append(dst, `],"usageMetadata":`...), u)
	return append(c.names(dst), '}'), nil
}

// chatAnswer is a chat completion or a chunk of one.
type chatAnswer struct {
	id, model, choices               []byte
	grounding, urls, safety, sources []byte // what the provider for Gemini adds, a list of each candidate's
}

func (a *chatAnswer) scan(b []byte) bool {
	*a = chatAnswer{}
	c := dialect.Object(b)
	for c.Next() {
		switch string(c.Key()) {
		case "id":
			a.id = c.Text()
		case "model":
			a.model = c.Text()
		case "choices":
			a.choices = c.Array()
		case "vertex_ai_grounding_metadata":
			a.grounding = c.Value()
		case "vertex_ai_url_context_metadata":
			a.urls = c.Value()
		case "vertex_ai_safety_results":
			a.safety = c.Value()
		case "vertex_ai_citation_metadata":
			a.sources = c.Value()
		}
	}
	return !c.Broken()
}

// names appends what an answer ends with.
func (a *chatAnswer) names(dst []byte) []byte {
	if a.model != nil {
		dst = append(append(dst, `,"modelVersion":`...), a.model...)
	}
	if a.id != nil {
		dst = append(append(dst, `,"responseId":`...), a.id...)
	}
	return dst
}

// choice is one choice of a chat completion, or of a chunk.
type choice struct {
	index    int64
	finish   string
	native   []byte // the finishReason that the finish reason was made of
	logprobs []byte
	m        message
}

// message is a message or delta.
type message struct {
	content, reasoning, blocks, calls, call []byte
	images, audio, refusal, annotations     []byte
	parts, marks                            []byte
	native                                  []byte
}

func (ch *choice) scan(b []byte, n int) {
	*ch = choice{index: int64(n)}
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "index":
			ch.index = dialect.Int(c.Value())
		case "finish_reason":
			ch.finish = plain(c.Text())
		case "logprobs":
			ch.logprobs = c.Object()
		case "message", "delta":
			ch.m.scan(c.Value())
		}
	}
	ch.native = ch.m.native
}

func (m *message) scan(b []byte) {
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "content":
			m.content = c.Value()
		case "reasoning_content":
			m.reasoning = c.Text()
		case "reasoning":
			if s := c.Text(); m.reasoning == nil {
				m.reasoning = s
			}
		case "thinking_blocks":
			m.blocks = c.Array()
		case "tool_calls":
			m.calls = c.Array()
		case "function_call":
			m.call = c.Object()
		case "images":
			m.images = c.Array()
		case "audio":
			m.audio = c.Object()
		case "refusal":
			m.refusal = c.Text()
		case "annotations":
			m.annotations = c.Array()
		case "provider_specific_fields":
			m.specific(c.Value())
		}
	}
}

func (m *message) specific(b []byte) {
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "google_parts":
			m.parts = c.Array()
		case "thought_signatures":
			m.marks = c.Array()
		case "native_finish_reason":
			m.native = c.Text()
		}
	}
}

// append appends the choice as a candidate.
func (ch *choice) append(dst []byte, a *chatAnswer) []byte {
	dst = append(dst, `{"content":{"parts":[`...)
	start := len(dst)
	dst = ch.m.said(dst, start, true)
	for c := dialect.Array(ch.m.calls); c.Next(); {
		var t toolCall
		t.scan(c.Value())
		dst = t.append(comma(dst, start))
	}
	if f := ch.m.call; f != nil {
		t := toolCall{}
		t.function(f)
		dst = t.append(comma(dst, start))
	}
	dst = append(dst, `],"role":"model"}`...)
	if ch.finish != "" {
		dst = appendReason(dst, ch.finish, ch.native)
	}
	dst = strconv.AppendInt(append(dst, `,"index":`...), ch.index, 10)
	if ch.logprobs != nil {
		dst = appendLogprobs(dst, ch.logprobs)
	}
	return append(ch.metadata(dst, a), '}')
}

func appendReason(dst []byte, finish string, native []byte) []byte {
	dst = append(dst, `,"finishReason":`...)
	if native != nil {
		return append(dst, native...)
	}
	return append(append(append(dst, '"'), Reason(finish)...), '"')
}

// said appends the parts besides function calls. whole tells that the message is complete.
func (m *message) said(dst []byte, start int, whole bool) []byte {
	switch {
	case m.blocks != nil:
		dst = appendThoughts(dst, m.blocks, start)
	case !dialect.Blank(m.reasoning):
		dst = append(append(comma(dst, start), `{"text":`...), m.reasoning...)
		dst = append(dst, `,"thought":true}`...)
	}
	for c := dialect.Array(m.parts); c.Next(); {
		dst = append(comma(dst, start), c.Value()...)
	}
	mark := m.mark(whole)
	switch {
	case !dialect.Blank(m.content):
		dst = appendText(comma(dst, start), m.content, mark)
		mark = ""
	case len(m.content) > 0 && m.content[0] == '[':
		for c := dialect.Array(m.content); c.Next(); {
			if s := dialect.Get(c.Value(), "text"); !dialect.Blank(s) {
				dst = appendText(comma(dst, start), s, mark)
				mark = ""
			}
		}
	}
	if !dialect.Blank(m.refusal) {
		dst = appendText(comma(dst, start), m.refusal, "")
	}
	if mark != "" {
		dst = appendText(comma(dst, start), []byte(`""`), mark)
	}
	return m.media(dst, start)
}

// appendText appends a part with a text, and with a signature if there is one.
func appendText(dst, s []byte, mark string) []byte {
	dst = append(append(dst, `{"text":`...), s...)
	if mark != "" {
		dst = llm.AppendQuoted(append(dst, `,"thoughtSignature":`...), seal(mark))
	}
	return append(dst, '}')
}

// mark is the signature of a text: the first in the list that belongs neither to a thought nor to a call.
func (m *message) mark(whole bool) string {
	for c := dialect.Array(m.marks); c.Next(); {
		v := c.Value()
		if dialect.Blank(v) || bytes.Contains(m.blocks, v) || bytes.Contains(m.calls, v) || !whole && len(m.calls) > 0 {
			continue
		}
		return plain(v)
	}
	return ""
}

// media appends images and sound.
func (m *message) media(dst []byte, start int) []byte {
	for c := dialect.Array(m.images); c.Next(); {
		url, ok := llm.Text(dialect.Get(dialect.Get(c.Value(), "image_url"), "url"))
		if !ok {
			continue
		}
		dst = comma(dst, start)
		if mime, data, ok := dataURL(url); ok {
			dst = appendBlob(dst, string(mime), data)
			continue
		}
		dst = append(llm.AppendQuoted(append(dst, `{"fileData":{"fileUri":`...), string(url)), "}}"...)
	}
	if data, ok := llm.Text(dialect.Get(m.audio, "data")); ok {
		mime := plain(dialect.Get(m.audio, "mime_type"))
		if mime == "" {
			mime = "audio/pcm"
		}
		dst = appendBlob(comma(dst, start), mime, data)
	}
	return dst
}

func appendBlob(dst []byte, mime string, data []byte) []byte {
	dst = llm.AppendQuoted(append(dst, `{"inlineData":{"mimeType":`...), mime)
	return append(llm.AppendQuoted(append(dst, `,"data":`...), string(data)), "}}"...)
}

// dataURL takes apart data:image/png;base64,...
func dataURL(url []byte) (media, data []byte, ok bool) {
	rest, ok := bytes.CutPrefix(url, []byte("data:"))
	if !ok {
		return nil, nil, false
	}
	head, data, ok := bytes.Cut(rest, []byte(","))
	media, ok2 := bytes.CutSuffix(head, []byte(";base64"))
	return media, data, ok && ok2
}

// metadata appends what is known of sources and safety.
func (ch *choice) metadata(dst []byte, a *chatAnswer) []byte {
	put := func(name string, list []byte) bool {
		v := element(list, ch.index)
		if v != nil {
			dst = append(append(append(append(dst, `,"`...), name...), `":`...), v...)
		}
		return v != nil
	}
	put("safetyRatings", a.safety)
	put("citationMetadata", a.sources)
	put("urlContextMetadata", a.urls)
	if !put("groundingMetadata", a.grounding) && len(ch.m.annotations) > 2 {
		dst = appendGrounding(dst, ch.m.annotations)
	}
	return dst
}

// element returns the element of a list with a number.
func element(list []byte, i int64) []byte {
	for c := dialect.Array(list); c.Next(); i-- {
		if i == 0 {
			return c.Value()
		}
	}
	return nil
}

// appendGrounding appends the sources that annotations name. Where in the text they stand is not said: annotations count
// characters, and Google bytes.
func appendGrounding(dst, annotations []byte) []byte {
	from := len(dst)
	dst = append(dst, `,"groundingMetadata":{"groundingChunks":[`...)
	start := len(dst)
	for c := dialect.Array(annotations); c.Next(); {
		cite := dialect.Get(c.Value(), "url_citation")
		url := dialect.Get(cite, "url")
		if dialect.Blank(url) {
			continue
		}
		dst = append(append(comma(dst, start), `{"web":{"uri":`...), url...)
		if title := dialect.Get(cite, "title"); !dialect.Blank(title) {
			dst = append(append(dst, `,"title":`...), title...)
		}
		dst = append(dst, "}}"...)
	}
	if len(dst) == start {
		return dst[:from]
	}
	return append(dst, "]}"...)
}

// appendLogprobs appends logprobsResult.
func appendLogprobs(dst, logprobs []byte) []byte {
	list := dialect.Get(logprobs, "content")
	if len(list) <= 2 {
		return dst
	}
	one := func(b []byte) {
		dst = append(dst, '{')
		if s := dialect.Get(b, "token"); len(s) > 0 {
			dst = append(append(append(dst, `"token":`...), s...), ',')
		}
		p := dialect.Get(b, "logprob")
		if len(p) == 0 {
			p = []byte("0")
		}
		dst = append(append(append(dst, `"logProbability":`...), p...), '}')
	}
	dst = append(dst, `,"logprobsResult":{"topCandidates":[`...)
	start := len(dst)
	for c := dialect.Array(list); c.Next(); {
		dst = append(comma(dst, start), `{"candidates":[`...)
		inner := len(dst)
		for t := dialect.Array(dialect.Get(c.Value(), "top_logprobs")); t.Next(); {
			dst = comma(dst, inner)
			one(t.Value())
		}
		dst = append(dst, "]}"...)
	}
	dst = append(dst, `],"chosenCandidates":[`...)
	start = len(dst)
	for c := dialect.Array(list); c.Next(); {
		dst = comma(dst, start)
		one(c.Value())
	}
	return append(dst, "]}"...)
}

// toolCall is a call of a function, or what is there of it.
type toolCall struct {
	index    int64
	id, name string
	args     []byte // JSON, decoded
	mark     string // thought signature
}

func (t *toolCall) scan(b []byte) {
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "index":
			t.index = dialect.Int(c.Value())
		case "id":
			if s := plain(c.Text()); s != "" {
				t.id = s
			}
		case "function":
			t.function(c.Value())
		case "provider_specific_fields":
			if s := plain(dialect.Get(c.Value(), "thought_signature")); s != "" {
				t.mark = s
			}
		}
	}
}

func (t *toolCall) function(b []byte) {
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "name":
			if s := plain(c.Text()); s != "" {
				t.name = s
			}
		case "arguments":
			if s, ok := llm.Text(c.Value()); ok {
				t.args = append(t.args, s...)
			}
		}
	}
}

// append appends the call as a part. Arguments that are no object, which a model may write, become one.
func (t *toolCall) append(dst []byte) []byte {
	dst = append(dst, `{"functionCall":{`...)
	if t.id != "" {
		id, _, _ := bytes.Cut([]byte(t.id), []byte(SignatureMark))
		dst = append(llm.AppendQuoted(append(dst, `"id":`...), string(id)), ',')
	}
	dst = llm.AppendQuoted(append(dst, `"name":`...), t.name)
	dst = append(dst, `,"args":`...)
	var o llm.Object
	switch args := bytes.TrimSpace(t.args); {
	case len(args) == 0:
		dst = append(dst, "{}"...)
	case args[0] == '{' && o.Parse(args) == nil:
		dst = append(dst, args...)
	default:
		dst = append(llm.AppendQuoted(append(dst, `{"arguments":`...), string(args)), '}')
	}
	dst = append(dst, '}')
	if t.mark != "" {
		dst = llm.AppendQuoted(append(dst, `,"thoughtSignature":`...), seal(t.mark))
	}
	return append(dst, '}')
}

// SignatureMark stands in the id of a tool call before the signature of the thought behind it, as in the reference
// (litellm/litellm_core_utils/prompt_templates/factory.py, THOUGHT_SIGNATURE_SEPARATOR): clients of chat completions send
// ids back, and drop what they do not know.
const SignatureMark = "__thought__"
