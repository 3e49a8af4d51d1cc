package anthropic

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Message is a whole answer, or what message_start holds of one. The slices are JSON values as written and borrow the
// scanned bytes; an absent one is nil.
type Message struct {
	ID, Model    []byte
	Content      []byte
	StopReason   []byte
	StopSequence []byte
	StopDetails  []byte
	Error        []byte // nil unless the answer is an error
	Usage        Usage
}

// ScanMessage walks an answer once. It is false if b is not one JSON object, as far as that is visible without
// decoding it.
func ScanMessage(b []byte, m *Message) bool {
	*m = Message{}
	c := dialect.Object(b)
	for c.Next() {
		m.member(&c)
	}
	return !c.Broken()
}

func (m *Message) member(c *dialect.Cursor) {
	switch string(c.Key()) {
	case "id":
		m.ID = c.Text()
	case "model":
		m.Model = c.Text()
	case "content":
		if c.First() == '[' {
			m.Content = c.Value()
		}
	case "stop_reason":
		m.StopReason = c.Text()
	case "stop_sequence":
		m.StopSequence = c.Text()
	case "stop_details":
		m.StopDetails = c.Object()
	case "error":
		m.Error = c.Object()
	case "usage":
		m.Usage.Scan(c.Value())
	}
}

// Usage counts tokens as the API does: what came from the cache and what went into it is not part of Input.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching says how they add up.
type Usage struct {
	Input, Output            int64
	CacheRead, CacheCreation int64
	CreationHour             int64  // part of CacheCreation that is kept for an hour
	Searches                 int64  // on the web, made by the API
	Thinking                 int64  // part of Output
	Creation                 []byte // cache_creation, raw: tokens by time to live
	ServerTools              []byte // server_tool_use, raw: requests by tool
	Tier                     []byte // service_tier, raw
}

// Scan reads a usage object into u. What the object does not hold stays as it was: the counts of a stream are
// cumulative. The raw members borrow b.
func (u *Usage) Scan(b []byte) {
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "input_tokens":
			count(&u.Input, &c)
		case "output_tokens":
			count(&u.Output, &c)
		case "cache_read_input_tokens":
			count(&u.CacheRead, &c)
		case "cache_creation_input_tokens":
			count(&u.CacheCreation, &c)
		case "output_tokens_details":
			if d := dialect.Get(c.Value(), "thinking_tokens"); d != nil {
				u.Thinking = dialect.Int(d)
			}
		case "cache_creation":
			keep(&u.Creation, c.Object())
			if v := dialect.Get(u.Creation, "ephemeral_1h_input_tokens"); v != nil {
				u.CreationHour = dialect.Int(v)
			}
		case "server_tool_use":
			keep(&u.ServerTools, c.Object())
			if v := dialect.Get(u.ServerTools, "web_search_requests"); v != nil {
				u.Searches = dialect.Int(v)
			}
		case "service_tier":
			keep(&u.Tier, c.Text())
		}
	}
}

func count(dst *int64, c *dialect.Cursor) {
	if v := c.Value(); !dialect.Null(v) {
		*dst = dialect.Int(v)
	}
}

func keep(dst *[]byte, v []byte) {
	if v != nil {
		*dst = v
	}
}

// Tokens are the counts in the gateway's terms: the prompt is all that was read, wherever from.
func (u *Usage) Tokens() llm.Usage {
	prompt := u.Input + u.CacheRead + u.CacheCreation
	return llm.Usage{
		Prompt: prompt, Completion: u.Output, Total: prompt + u.Output, Cached: u.CacheRead, Reasoning: u.Thinking,
		CacheWrite: u.CacheCreation, CacheWriteHour: u.CreationHour, Searches: u.Searches,
		Tier: dialect.Served(u.Tier),
	}
}

// BlockKind is the kind of a content block.
type BlockKind uint8

// The kinds that have a counterpart in the OpenAI dialect, and OtherBlock for all that have none.
const (
	OtherBlock BlockKind = iota
	TextBlock
	ToolUse
	Thinking
	RedactedThinking
)

// Block is a content block. The slices are JSON values as written and borrow the scanned bytes.
type Block struct {
	Kind     BlockKind
	Raw      []byte
	ID, Name []byte
	Text     []byte   // the text, or the thinking
	Input    llm.Span // place of the input in Raw; zero if there is none
	Cited    []byte   // the citations, if there are any
}

// ScanBlock reads a content block. One that is not an object is an OtherBlock.
func ScanBlock(raw []byte, b *Block) {
	*b = Block{Raw: raw}
	for c := dialect.Object(raw); c.Next(); {
		switch string(c.Key()) {
		case "type":
			b.Kind = blockKind(c.Value())
		case "id":
			b.ID = c.Text()
		case "name":
			b.Name = c.Text()
		case "text", "thinking":
			b.Text = c.Text()
		case "input":
			b.Input = c.Span()
		case "citations":
			if v := c.Value(); c.First() == '[' && string(v) != "[]" {
				b.Cited = v
			}
		}
	}
}

// InputValue is the input as written, or nil.
func (b *Block) InputValue() []byte {
	if b.Input.End == 0 {
		return nil
	}
	return b.Raw[b.Input.Start:b.Input.End]
}

func blockKind(v []byte) BlockKind {
	switch string(v) {
	case `"text"`:
		return TextBlock
	case `"tool_use"`:
		return ToolUse
	case `"thinking"`:
		return Thinking
	case `"redacted_thinking"`:
		return RedactedThinking
	}
	return OtherBlock
}
