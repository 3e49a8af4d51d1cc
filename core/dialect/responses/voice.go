package responses

import (
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Voice writes the answer to one request for a response: a whole response, or the events of a stream in the order that
// https://platform.openai.com/docs/api-reference/responses-streaming shows. It reads chat completions with the
// reference's extensions. What a model thought becomes items of the type reasoning, whose encrypted_content holds the
// signature, so that it survives the way to the caller and back. It is used for one answer.
type Voice struct {
	ID     string      // of the response, as the caller sees it
	Ask    *llm.Object // the request
	Now    time.Time   // when it came
	Stored bool        // it can be fetched later
	Later  bool        // it is made in the background

	out    []byte
	model  []byte
	number int // of the next event
	begun  bool
	items  []byte // the items that are complete, with commas
	count  int    // of them

	cur      current
	calls    dialect.Calls
	blocks   bool // thinking comes in blocks
	finish   []byte
	last     bool   // the item under way is the last one
	counted  bool   // the vendor has told the usage
	probs    []byte // log probabilities of the text that comes next, as a list
	tokens   counts
	seen     dialect.Said
	response []byte // the whole response, once it is there
}

// current is the item under way.
type current struct {
	kind    kind
	id      string
	text    []byte // its text, summary or arguments so far: the inside of a JSON string
	refusal []byte
	notes   []byte // annotations, with commas
	probs   []byte // log probabilities, with commas
	parts   int    // of a message
	open    part   // of a message
	secret  []byte // encrypted_content, quoted

	callID, name []byte
	custom       bool
}

type kind uint8

const (
	none kind = iota
	reasoning
	spokenItem
	callItem
)

type part uint8

const (
	noPart part = iota
	textPart
	refusalPart
)

// counts is the usage of an answer.
type counts struct{ prompt, completion, cached, created, thought int64 }

func (u *counts) scan(raw []byte) {
	for c := dialect.Object(raw); c.Next(); {
		switch string(c.Key()) {
		case "prompt_tokens":
			u.prompt = dialect.Int(c.Value())
		case "completion_tokens":
			u.completion = dialect.Int(c.Value())
		case "prompt_tokens_details":
			u.cached = dialect.Int(dialect.Get(c.Value(), "cached_tokens"))
		case "cache_creation_input_tokens":
			u.created = dialect.Int(c.Value())
		case "completion_tokens_details":
			u.thought = dialect.Int(dialect.Get(c.Value(), "reasoning_tokens"))
		}
	}
}

func unreadable(why string) *llm.Error {
	return &llm.Error{
		Op: "responses.Voice", Kind: llm.KindBadGateway, Message: "The answer of the model cannot be told as a response: " + why + ".",
	}
}

// itemID makes the id of the next item.
func (v *Voice) itemID(prefix string) string {
	return prefix + "_" + strconv.FormatInt(v.Now.UnixMicro(), 36) + strconv.Itoa(v.count)
}

// Items are the items of the answer, as JSON with commas in between; Response is the whole of it. Both are there when
// the answer is complete.
func (v *Voice) Items() []byte { return v.items }

// Response is the whole response, once it is there; nil before.
func (v *Voice) Response() []byte { return v.response }

// Whole appends the response that a chat completion says. Its first choice counts.
func (v *Voice) Whole(dst, chat []byte) ([]byte, error) {
	var choice []byte
	c := dialect.Object(chat)
	for c.Next() {
		switch string(c.Key()) {
		case "model":
			v.model = dialect.Copied(c.Value())
		case "choices":
			if list := dialect.Array(c.Value()); list.Next() {
				choice = list.Value()
			}
		case "usage":
			v.takeUsage(c.Value())
		}
	}
	if c.Broken() || choice == nil {
		return dst, unreadable("it has no choices")
	}
	v.finish = dialect.Copied(dialect.Get(choice, "finish_reason"))
	v.probs = dialect.Get(dialect.Get(choice, "logprobs"), "content")
	silent := &quiet{v}
	if err := silent.take(dialect.Get(choice, "message")); err != nil {
		return dst, err
	}
	v.response = v.object(v.status(), nil)
	return append(dst, v.response...), nil
}

func (v *Voice) takeUsage(raw []byte) {
	if len(raw) > 0 && raw[0] == '{' {
		v.counted = true
		v.tokens.scan(raw)
	}
}

// quiet takes a whole message without sending events.
type quiet struct{ v *Voice }

func (q *quiet) take(message []byte) error {
	err := q.v.delta(message)
	if err == nil {
		q.v.last = true
		q.v.closeItem()
	}
	q.v.out = nil // the events that a stream would have had
	return err
}

func (v *Voice) status() string {
	switch string(v.finish) {
	case `"length"`, `"content_filter"`:
		return "incomplete"
	}
	return "completed"
}

// Pending is the response of a request that is worked on. model is what the request names.
func (v *Voice) Pending(status, model string) []byte {
	v.model = llm.AppendQuoted(nil, model)
	return v.object(status, nil)
}

// object is the response object with the members of
// https://platform.openai.com/docs/api-reference/responses/object. What the request says is repeated.
func (v *Voice) object(status string, failure *llm.Error) []byte {
	b := dialect.Build(nil)
	b.Open('{').Key("id").Quote(v.ID).Key("object").Lit(`"response"`).Key("created_at").Int(v.Now.Unix())
	b.Key("status").Quote(status).Key("background").Bool(v.Later).Key("error")
	if failure != nil {
		b.Raw(Failure(failure))
	} else {
		b.Lit("null")
	}
	b.Key("incomplete_details")
	switch {
	case status != "incomplete":
		b.Lit("null")
	case string(v.finish) == `"length"`:
		b.Lit(`{"reason":"max_output_tokens"}`)
	default:
		b.Lit(`{"reason":"content_filter"}`)
	}
	v.echo(&b, "instructions", "null")
	v.echo(&b, "max_output_tokens", "null")
	v.echo(&b, "max_tool_calls", "null")
	b.Key("model").Raw(dialect.OrEmpty(v.model)).Key("output").Open('[')
	if len(v.items) > 0 {
		b.Raw(v.items)
	}
	b.Close(']')
	v.echo(&b, "parallel_tool_calls", "true")
	v.echo(&b, "previous_response_id", "null")
	v.echo(&b, "prompt_cache_key", "null")
	v.echo(&b, "reasoning", `{"effort":null,"summary":null}`)
	v.echo(&b, "safety_identifier", "null")
	v.echo(&b, "service_tier", `"default"`)
	b.Key("store").Bool(v.Stored)
	v.echo(&b, "temperature", "1.0")
	v.echo(&b, "text", `{"format":{"type":"text"}}`)
	v.echo(&b, "tool_choice", `"auto"`)
	v.echo(&b, "tools", "[]")
	v.echo(&b, "top_logprobs", "0")
	v.echo(&b, "top_p", "1.0")
	v.echo(&b, "truncation", `"disabled"`)
	b.Key("usage")
	v.appendUsage(&b, status)
	v.echo(&b, "user", "null")
	v.echo(&b, "metadata", "{}")
	return b.Close('}').Bytes()
}

func (v *Voice) echo(b *dialect.Builder, key, otherwise string) {
	if said := v.Ask.Get(key); !dialect.Null(said) {
		b.Key(key).Raw(said)
		return
	}
	b.Key(key).Lit(otherwise)
}

func (v *Voice) appendUsage(b *dialect.Builder, status string) {
	if !v.counted || status == "in_progress" || status == "queued" {
		b.Lit("null")
		return
	}
	t := &v.tokens
	b.Open('{').Key("input_tokens").Int(t.prompt)
	b.Key("input_tokens_details").Open('{').Key("cached_tokens").Int(t.cached)
	if t.created > 0 {
		b.Key("cache_write_tokens").Int(t.created)
	}
	b.Close('}').Key("output_tokens").Int(t.completion)
	b.Key("output_tokens_details").Open('{').Key("reasoning_tokens").Int(t.thought).Close('}')
	b.Key("total_tokens").Int(t.prompt + t.completion).Close('}')
}

// Failure is the error member of a response that failed.
func Failure(e *llm.Error) []byte {
	b := dialect.Build(nil)
	return b.Open('{').Key("code").Quote(failureCode(e)).Key("message").Quote(e.Message).Close('}').Bytes()
}

func failureCode(e *llm.Error) string {
	switch e.Kind {
	case llm.KindRateLimit, llm.KindNoDeployment:
		return "rate_limit_exceeded"
	case llm.KindBadRequest, llm.KindContextWindow, llm.KindContentPolicy, llm.KindInvalid, llm.KindRejected, llm.KindTooLarge:
		return "invalid_prompt"
	}
	return "server_error"
}
