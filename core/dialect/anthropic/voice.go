package anthropic

import (
	"encoding/json"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Voice writes the answer to one request of the Messages API: a whole message
// (https://platform.claude.com/docs/en/api/messages/create), or the events of a stream in the order that
// https://platform.claude.com/docs/en/build-with-claude/streaming gives. It reads chat completions, with the reference's
// extensions: thinking_blocks with signatures, reasoning_content, provider_specific_fields, and the counts of caches in
// the usage. It is used for one answer at a time; Reset makes it ready for another.
type Voice struct {
	Tools []byte // those of the request: a name that had to be cut for a vendor is told in full

	first  llm.Usage // what is known of the usage when the stream begins
	counts counts
	out    []byte

	begun  bool
	open   kind // of the block under way, if there is one
	opened bool
	index  int // of the block under way, or of the next one
	calls  dialect.Calls
	pinged bool
	blocks bool // thinking comes in blocks

	finish            []byte // finish_reason, raw
	reason, sequence  []byte // stop_reason and stop_sequence, raw, if the vendor gave them
	details           []byte
	scratch, unquoted []byte
	seen              dialect.Said
}

// AppendCount appends the answer of POST /v1/messages/count_tokens
// (https://platform.claude.com/docs/en/api/messages/count_tokens).
func AppendCount(dst []byte, tokens int) []byte {
	return append(strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(tokens), 10), '}')
}

// Reset makes v ready for an answer. u is what is known of its usage so far.
func (v *Voice) Reset(u llm.Usage) {
	scratch, unquoted := v.scratch[:0], v.unquoted[:0]
	if cap(scratch) > keptBuffer {
		scratch = nil
	}
	if cap(unquoted) > keptBuffer {
		unquoted = nil
	}
	*v = Voice{first: u, scratch: scratch, unquoted: unquoted}
}

// keptBuffer is how large a buffer may be to be kept for the next answer.
const keptBuffer = 64 << 10

// counts is the usage of an answer in the words of chat completions. The raw members are copies.
type counts struct {
	prompt, completion, cached, created, thought int64
	creation, tools, tier                        []byte
}

// scan reads a usage object (litellm/types/utils.py, Usage).
func (u *counts) scan(raw []byte) {
	for c := dialect.Object(raw); c.Next(); {
		switch string(c.Key()) {
		case "prompt_tokens":
			u.prompt = dialect.Int(c.Value())
		case "completion_tokens":
			u.completion = dialect.Int(c.Value())
		case "prompt_tokens_details":
			for d := dialect.Object(c.Value()); d.Next(); {
				switch string(d.Key()) {
				case "cached_tokens":
					u.cached = dialect.Int(d.Value())
				case "cache_creation_tokens":
					u.created = dialect.Int(d.Value())
				}
			}
		case "cache_creation_input_tokens":
			u.created = max(u.created, dialect.Int(c.Value()))
		case "cache_read_input_tokens":
			u.cached = max(u.cached, dialect.Int(c.Value()))
		case "completion_tokens_details":
			u.thought = dialect.Int(dialect.Get(c.Value(), "reasoning_tokens"))
		case "cache_creation":
			u.creation = dialect.Copied(c.Object())
		case "server_tool_use":
			u.tools = dialect.Copied(c.Object())
		case "service_tier":
			u.tier = dialect.Copied(c.Text())
		}
	}
}

// append writes the usage as the Messages API does: what came from the cache, or went into it, is not part of
// input_tokens.
func (u *counts) append(b *dialect.Builder) {
	b.Open('{').Key("input_tokens").Int(max(0, u.prompt-u.cached-u.created))
	b.Key("cache_creation_input_tokens").Int(u.created).Key("cache_read_input_tokens").Int(u.cached)
	b.Member("cache_creation", u.creation)
	b.Key("output_tokens").Int(u.completion)
	if u.thought > 0 {
		b.Key("output_tokens_details").Open('{').Key("thinking_tokens").Int(u.thought).Close('}')
	}
	b.Member("server_tool_use", u.tools).Member("service_tier", u.tier).Close('}')
}

// stop takes why the model stopped, where the finish reason does not say all of it.
func (v *Voice) stop(specific []byte) {
	if s := dialect.Get(specific, "stop_reason"); !dialect.Null(s) {
		v.reason = dialect.Copied(s)
	}
	if s := dialect.Get(specific, "stop_sequence"); !dialect.Null(s) {
		v.sequence = dialect.Copied(s)
	}
	if s := dialect.Get(specific, "stop_details"); !dialect.Null(s) {
		v.details = dialect.Copied(s)
	}
}

// appendStop writes the members that say why the model stopped.
// https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
func (v *Voice) appendStop(b *dialect.Builder) {
	b.Key("stop_reason")
	switch {
	case v.reason != nil:
		b.Raw(v.reason)
	default:
		b.Lit(v.stopReason())
	}
	b.Key("stop_sequence")
	if v.sequence != nil {
		b.Raw(v.sequence)
	} else {
		b.Lit("null")
	}
	b.Member("stop_details", v.details)
}

func (v *Voice) stopReason() string {
	switch string(v.finish) {
	case `"length"`:
		return `"max_tokens"`
	case `"content_filter"`:
		return `"refusal"`
	case `"tool_calls"`, `"function_call"`:
		return `"tool_use"`
	}
	if v.calls.N > 0 { // some vendors call a tool and say stop
		return `"tool_use"`
	}
	return `"end_turn"`
}

// Whole appends the message that a chat completion says. Its first choice counts.
func (v *Voice) Whole(dst, chat []byte) ([]byte, error) {
	var id, model, choice []byte
	c := dialect.Object(chat)
	for c.Next() {
		switch string(c.Key()) {
		case "id":
			id = c.Text()
		case "model":
			model = c.Text()
		case "choices":
			if list := dialect.Array(c.Value()); list.Next() {
				choice = list.Value()
			}
		case "usage":
			v.counts.scan(c.Value())
		}
	}
	if c.Broken() || choice == nil {
		return dst, unreadable("it has no choices")
	}
	v.finish = dialect.Get(choice, "finish_reason")
	v.seen.Scan(dialect.Get(choice, "message"))
	v.stop(v.seen.Specific)
	b := dialect.Build(dst)
	b.Open('{').Key("id").Raw(dialect.OrEmpty(id)).Key("type").Lit(`"message"`).Key("role").Lit(`"assistant"`)
	b.Key("model").Raw(dialect.OrEmpty(model)).Key("content").Open('[')
	if err := v.content(&b); err != nil {
		return dst, err
	}
	b.Close(']')
	v.appendStop(&b)
	b.Key("usage")
	v.counts.append(&b)
	return b.Close('}').Bytes(), nil
}

func unreadable(why string) *llm.Error {
	return &llm.Error{
		Op: "anthropic.Voice", Kind: llm.KindBadGateway, Message: "The answer of the model cannot be told as a message: " + why + ".",
	}
}

// content writes the blocks of a whole message, in the order that provider_specific_fields gives, or else thinking,
// blocks of other kinds, text and calls.
func (v *Voice) content(b *dialect.Builder) error {
	lists := [4][][]byte{
		kThinking: items(v.seen.Thinking), kOther: items(dialect.Get(v.seen.Specific, "blocks")),
		kText: v.texts(), kCall: items(v.seen.Calls),
	}
	write := func(k kind) error {
		if len(lists[k]) == 0 {
			return nil
		}
		raw := lists[k][0]
		lists[k] = lists[k][1:]
		if k == kCall {
			return v.toolUse(b, raw)
		}
		b.Raw(raw)
		return nil
	}
	if lists[kThinking] == nil && !dialect.Blank(v.seen.Reasoning) {
		b.Open('{').Key("type").Lit(`"thinking"`).Key("thinking").Raw(v.seen.Reasoning).Key("signature").Lit(`""`).Close('}')
	}
	for c := dialect.Array(dialect.Get(v.seen.Specific, "order")); c.Next(); {
		if err := write(kindNamed(c.Value())); err != nil {
			return err
		}
	}
	for k := range lists {
		for len(lists[k]) > 0 {
			if err := write(kind(k)); err != nil {
				return err
			}
		}
	}
	return nil
}

func kindNamed(v []byte) kind {
	for _, k := range [...]kind{kThinking, kText, kCall} {
		if len(v) > 2 && string(v[1:len(v)-1]) == k.String() {
			return k
		}
	}
	return kOther
}

func items(list []byte) (out [][]byte) {
	for c := dialect.Array(list); c.Next(); {
		if c.First() == '{' {
			out = append(out, c.Value())
		}
	}
	return out
}

// texts are the text blocks of the message.
func (v *Voice) texts() (out [][]byte) {
	m := &v.seen
	block := func(text, citations []byte) {
		if dialect.Blank(text) {
			return
		}
		b := dialect.Build(nil)
		b.Open('{').Key("type").Lit(`"text"`).Key("text").Raw(text).Member("citations", citations).Close('}')
		out = append(out, b.Bytes())
	}
	switch {
	case m.Content == nil:
	case m.Content[0] == '"':
		block(m.Content, v.citations())
	case m.Content[0] == '[':
		for c := dialect.Array(m.Content); c.Next(); {
			if string(dialect.Get(c.Value(), "type")) == `"thinking"` {
				out = append(out, thinkingPart(c.Value())...)
				continue
			}
			text := dialect.Get(c.Value(), "text")
			if text == nil {
				text = dialect.Get(c.Value(), "refusal")
			}
			block(text, dialect.Get(c.Value(), "citations"))
		}
	}
	block(m.Refusal, nil)
	for c := dialect.Array(m.Images); c.Next(); {
		block(dialect.ImageLink(c.Value()), nil)
	}
	return out
}

// thinkingPart is what some vendors have among the parts of a content: thinking as texts of its own.
func thinkingPart(part []byte) (out [][]byte) {
	for c := dialect.Array(dialect.Get(part, "thinking")); c.Next(); {
		if text := dialect.Get(c.Value(), "text"); !dialect.Blank(text) {
			b := dialect.Build(nil)
			b.Open('{').Key("type").Lit(`"thinking"`).Key("thinking").Raw(text).Key("signature").Lit(`""`).Close('}')
			out = append(out, b.Bytes())
		}
	}
	return out
}

// citations are those of the vendor's that the Messages API has too, or sources that other vendors name, as results of
// a search on the web (https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool).
func (v *Voice) citations() []byte {
	b := dialect.Build(v.scratch[:0])
	b.Open('[')
	for c := dialect.Array(dialect.Get(v.seen.Specific, "citations")); c.Next(); {
		for in := dialect.Array(c.Value()); in.Next(); { // a list for each block
			b.Raw(in.Value())
		}
		if c.First() == '{' {
			b.Raw(c.Value())
		}
	}
	for c := dialect.Array(v.seen.Annotations); c.Next(); {
		citation(&b, c.Value())
	}
	v.scratch = b.Close(']').Bytes()
	if string(v.scratch) == "[]" {
		return nil
	}
	return v.scratch
}

// citation writes a url_citation (https://platform.openai.com/docs/guides/tools-web-search).
func citation(b *dialect.Builder, annotation []byte) bool {
	source := dialect.Get(annotation, "url_citation")
	url := dialect.Get(source, "url")
	if dialect.Blank(url) {
		return false
	}
	title := dialect.Get(source, "title")
	if dialect.Null(title) {
		title = []byte("null")
	}
	b.Open('{').Key("type").Lit(`"web_search_result_location"`).Key("url").Raw(url).Key("title").Raw(title)
	b.Key("cited_text").Lit(`""`).Key("encrypted_index").Lit(`""`).Close('}')
	return true
}

// toolUse writes the call of a tool.
func (v *Voice) toolUse(b *dialect.Builder, call []byte) error {
	function := dialect.Get(call, "function")
	id, name := dialect.Get(call, "id"), dialect.Get(function, "name")
	if dialect.Blank(name) {
		return unreadable("a call of a tool has no name")
	}
	v.calls.N++
	b.Open('{').Key("type").Lit(`"tool_use"`).Key("id")
	if dialect.Blank(id) {
		b.Quote("toolu_" + strconv.Itoa(v.calls.N))
	} else {
		b.Raw(id)
	}
	b.Key("name").Raw(dialect.LongToolName(v.Tools, name)).Key("input")
	arguments := dialect.Get(function, "arguments")
	switch s, ok := llm.Text(arguments); {
	case len(arguments) > 0 && arguments[0] == '{':
		b.Raw(arguments)
	case !ok || len(s) == 0:
		b.Lit("{}")
	case s[0] == '{' && json.Valid(s):
		b.Raw(s)
	default: // cut off, or never JSON: the caller gets to see it
		b.Open('{').Key("arguments").Raw(arguments).Close('}')
	}
	b.Member("caller", dialect.Get(call, "caller")).Close('}')
	return nil
}
