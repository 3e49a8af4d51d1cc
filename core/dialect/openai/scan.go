package openai

import (
	"bytes"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Scanned is what the gateway needs to know from an answer, or from one chunk of a streamed one. Only members of the
// outermost object count: a usage inside another member, such as Groq's x_groq, is not the answer's.
type Scanned struct {
	Model     llm.Span  // place of the model's value with its quotes; zero if there is none
	Usage     llm.Usage // zero if the vendor reported none
	UsageAt   llm.Span  // place of the usage object; zero if it is absent or null
	ErrorAt   llm.Span  // place of the error; zero if it is absent, null, false or empty
	Finish    string    // finish reason of the first choice
	Finished  bool      // at least one choice has a finish reason
	NoChoices bool      // choices is an empty list, as in the chunk that carries the usage
	Answered  bool      // there is a member that only an answer has: choices or data
}

// Scan walks an answer once. It is false if b is not one JSON object, as far as that is visible without decoding it.
// It allocates nothing, unless a finish reason is one that the API does not define.
func Scan(b []byte) (s Scanned, ok bool) {
	c := dialect.Object(b)
	for c.Next() {
		s.member(&c)
	}
	return s, !c.Broken()
}

// member takes what the member that c stands at says.
func (s *Scanned) member(c *dialect.Cursor) {
	switch string(c.Key()) {
	case "model":
		s.Model = c.Span()
	case "usage":
		if c.First() == '{' {
			s.Usage = llm.Usage{Tier: s.Usage.Tier}
			usage(c, &s.Usage)
			s.UsageAt = c.Span()
		}
	case "service_tier":
		if v := c.Value(); len(v) > 2 && v[0] == '"' {
			s.Usage.Tier = llm.ServedBy(v[1 : len(v)-1])
		}
	case "error":
		if refused(c.Value()) {
			s.ErrorAt = c.Span()
		}
	case "choices":
		s.Answered = true
		s.choices(c)
	case "data":
		s.Answered = s.Answered || c.First() == '[' || c.First() == '{'
	}
}

// Chunks scans the chunks of one stream. They all begin alike, with id, time, model and the like, and differ from
// choices on; so the beginning is walked once and only compared from then on, which halves the cost of a chunk. The
// zero value is ready.
type Chunks struct {
	start []byte   // the bytes before the choices of the last chunk that was walked whole
	model llm.Span // the model's place in them
	tier  llm.Served
}

// maxStart is how long a beginning may be to be kept.
const maxStart = 1 << 10

// Reset makes c ready for another stream.
func (c *Chunks) Reset() { c.start = c.start[:0] }

// Scan is the function Scan for the next chunk of the stream.
func (c *Chunks) Scan(b []byte) (s Scanned, ok bool) {
	if len(c.start) > 0 && bytes.HasPrefix(b, c.start) {
		s.Model, s.Usage.Tier = c.model, c.tier
		cur := dialect.Resume(b, len(c.start))
		for cur.Next() {
			s.member(&cur)
		}
		return s, !cur.Broken()
	}
	c.Reset()
	cur := dialect.Object(b)
	for cur.Next() {
		plain := s.UsageAt.End == 0 && s.ErrorAt.End == 0 && !s.Answered
		if plain && cur.Place() <= maxStart && string(cur.Key()) == "choices" {
			c.start, c.model, c.tier = append(c.start, b[:cur.Place()]...), s.Model, s.Usage.Tier
		}
		s.member(&cur)
	}
	return s, !cur.Broken()
}

// Coded reports whether an answer without anything in it is a refusal that came with the status of a success and has
// its code beside the message, as RAGFlow's do: {"code":109,"data":false,"message":"..."}
// (https://ragflow.io/docs/dev/http_api_reference#error-codes).
func Coded(body []byte) bool {
	code := dialect.Get(body, "code")
	if len(code) == 0 || code[0] != '-' && (code[0] < '1' || code[0] > '9') || string(code) == "200" {
		return false
	}
	message := dialect.Get(body, "message")
	return len(message) > 2 && message[0] == '"'
}

// refused reports whether the value of a member called error says that there was one.
func refused(value []byte) bool {
	switch string(value) {
	case "", "null", "false", `""`, "{}", "[]":
		return false
	}
	return true
}

func (s *Scanned) choices(outer *dialect.Cursor) {
	var c dialect.Cursor
	outer.Into(&c)
	n := 0
	for ; c.Next(); n++ {
		reason := finishReason(&c)
		if reason == nil {
			continue
		}
		s.Finished = true
		if n == 0 {
			s.Finish = finishName(reason)
		}
	}
	s.NoChoices = n == 0 && !c.Broken()
	outer.Leave(&c)
}

// finishReason is the text of the finish reason of the choice that outer stands at, or nil.
func finishReason(outer *dialect.Cursor) (reason []byte) {
	var c dialect.Cursor
	outer.Into(&c)
	for c.Next() {
		if string(c.Key()) == "finish_reason" && c.First() == '"' {
			if v := c.Value(); len(v) > 2 {
				reason = v[1 : len(v)-1]
			}
		}
	}
	outer.Leave(&c)
	return reason
}

func finishName(b []byte) string {
	switch string(b) {
	case "stop":
		return "stop"
	case "length":
		return "length"
	case "tool_calls":
		return "tool_calls"
	case "content_filter":
		return "content_filter"
	case "function_call":
		return "function_call"
	}
	return clip(string(b))
}

// usage reads the usage object that outer stands at into u, which is empty. Besides OpenAI's own members it takes prompt_cache_hit_tokens (DeepSeek) and
// cached_tokens on the outside (Moonshot) for what came from the vendor's cache, what the vendor charged in cost and what
// was read on the side (https://docs.perplexity.ai/api-reference/chat-completions-post,
// https://openrouter.ai/docs/use-cases/usage-accounting), and searches (https://docs.x.ai/docs/guides/tools/overview).
func usage(outer *dialect.Cursor, u *llm.Usage) {
	var c dialect.Cursor
	outer.Into(&c)
	for c.Next() {
		switch string(c.Key()) {
		case "prompt_tokens":
			u.Prompt = dialect.Int(c.Value())
		case "completion_tokens":
			u.Completion = dialect.Int(c.Value())
		case "total_tokens":
			u.Total = dialect.Int(c.Value())
		case "prompt_tokens_details":
			var d dialect.Cursor
			c.Into(&d)
			dialect.PromptDetails(&d, u)
			c.Leave(&d)
		case "prompt_cache_hit_tokens", "cached_tokens":
			u.Cached = max(u.Cached, dialect.Int(c.Value()))
		case "completion_tokens_details":
			var d dialect.Cursor
			c.Into(&d)
			dialect.CompletionDetails(&d, u)
			c.Leave(&d)
		case "num_search_queries":
			u.Searches = dialect.Int(c.Value())
		case "citation_tokens":
			u.Citations = dialect.Int(c.Value())
		case "server_side_tool_usage_details":
			u.Searches = max(u.Searches, dialect.Int(dialect.Get(c.Value(), "web_search_calls")))
		case "cost":
			u.Cost = cost(c.Value())
		}
	}
	outer.Leave(&c)
	if u.Total == 0 {
		u.Total = u.Prompt + u.Completion
	}
}

// cost reads what a vendor charged, in US dollars: a number, or an object with the sum as total_cost.
func cost(b []byte) float64 {
	if len(b) > 0 && b[0] == '{' {
		b = dialect.Get(b, "total_cost")
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f > 0) || f > maxCost {
		return 0
	}
	return f
}

// maxCost is more than any answer costs, in US dollars.
const maxCost = 1e6

// SetModel appends the answer b to dst with model as its model. at is the place of the value it has, as Scan found
// it; if it has none, the member is added in front. b must be a JSON object and must not overlap dst.
func SetModel(dst, b []byte, at llm.Span, model string) []byte {
	if at.End > 0 {
		dst = append(dst, b[:at.Start]...)
		dst = llm.AppendQuoted(dst, model)
		return append(dst, b[at.End:]...)
	}
	brace := 0
	for b[brace] != '{' {
		brace++
	}
	dst = append(append(dst, b[:brace+1]...), `"model":`...)
	dst = llm.AppendQuoted(dst, model)
	rest := b[brace+1:]
	for len(rest) > 0 && rest[0] <= ' ' {
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, rest...)
}
