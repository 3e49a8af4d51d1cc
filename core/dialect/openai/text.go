package openai

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// TextReply is a reply of the gateway's own, without a model: a guardrail that answers, a mock. It says text in the
// shape that the operation and x.Streamed ask for, once for each of the request's n choices. The usage is estimated
// with EstimateTokens. An operation that does not answer with text is an *llm.Error of kind llm.KindInvalid.
//
// The reply borrows nothing and nothing has to be released, but its Rest is closed like any other.
func TextReply(x *llm.Exchange, text string) (*llm.Reply, error) {
	return FinishedReply(x, text, "stop")
}

// FinishedReply is TextReply with another finish reason than "stop", such as "content_filter".
func FinishedReply(x *llm.Exchange, text, finish string) (*llm.Reply, error) {
	if x.Op != llm.OpChat && x.Op != llm.OpCompletion {
		return nil, &llm.Error{
			Op: "openai.TextReply", Kind: llm.KindInvalid,
			Message: "A text cannot answer a request for " + x.Op.String() + ".",
		}
	}
	now := time.Now()
	t := &texter{
		op: x.Op, id: llm.NewID(now), created: now.Unix(), model: x.Model, choices: choices(x),
		prompt: EstimatePrompt(x), text: text, finish: finish,
	}
	t.usage(&t.used)
	r := &llm.Reply{Status: 200, Began: now, Usage: t.used, Finish: finish}
	if !x.Streamed {
		r.First = llm.Part{Data: t.whole()}
		r.Rest = nothing{}
		return r, nil
	}
	s := &textStream{t: t, rest: text, wantUsage: x.WantUsage}
	r.Streamed, r.Rest = true, s
	return r, s.Next(&r.First)
}

// maxChoices is the greatest n that is obeyed.
const maxChoices = 128

func choices(x *llm.Exchange) int {
	return int(min(max(dialect.Int(x.Body.Get("n")), 1), maxChoices))
}

// EstimateTokens is how many tokens a text has at about four characters each, which fits English prose. It is no
// tokenizer.
func EstimateTokens[T string | []byte](text T) int64 {
	return int64((utf8.RuneCount([]byte(text)) + 3) / 4)
}

// EstimatePrompt is EstimateTokens of what the request has a model read, with its JSON around it.
func EstimatePrompt(x *llm.Exchange) int64 {
	var n int64
	for _, key := range []string{"messages", "prompt", "input", "tools"} {
		n += EstimateTokens(x.Body.Get(key))
	}
	return n
}

// texter writes one answer.
type texter struct {
	op      llm.Operation
	id      llm.ID
	created int64
	model   string
	choices int
	prompt  int64
	text    string
	finish  string
	used    llm.Usage
}

func (t *texter) usage(u *llm.Usage) {
	completion := EstimateTokens(t.text) * int64(t.choices)
	*u = llm.Usage{Prompt: t.prompt, Completion: completion, Total: t.prompt + completion}
}

// head writes an answer up to its choices.
func (t *texter) head(dst []byte, object string) []byte {
	prefix := "chatcmpl-"
	if t.op == llm.OpCompletion {
		prefix = "cmpl-"
	}
	dst = append(append(append(dst, `{"id":"`...), prefix...), t.id[:]...)
	dst = append(append(append(dst, `","object":"`...), object...), `","created":`...)
	dst = strconv.AppendInt(dst, t.created, 10)
	dst = append(dst, `,"model":`...)
	dst = llm.AppendQuoted(dst, t.model)
	return append(dst, `,"choices":[`...)
}

func (t *texter) object(chunk bool) string {
	switch {
	case t.op == llm.OpCompletion:
		return "text_completion"
	case chunk:
		return "chat.completion.chunk"
	}
	return "chat.completion"
}

func (t *texter) whole() []byte {
	dst := t.head(nil, t.object(false))
	for i := range t.choices {
		dst = comma(dst, i)
		if t.op == llm.OpCompletion {
			dst = t.textChoice(dst, i, t.text, t.finish)
			continue
		}
		dst = append(dst, `{"index":`...)
		dst = strconv.AppendInt(dst, int64(i), 10)
		dst = append(dst, `,"message":{"role":"assistant","content":`...)
		dst = llm.AppendQuoted(dst, t.text)
		dst = append(llm.AppendQuoted(append(dst, `},"finish_reason":`...), t.finish), '}')
	}
	dst = append(dst, `],"usage":`...)
	return append(appendUsage(dst, t.used), '}')
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func (t *texter) textChoice(dst []byte, i int, text, finish string) []byte {
	dst = append(dst, `{"text":`...)
	dst = llm.AppendQuoted(dst, text)
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendInt(dst, int64(i), 10)
	dst = append(dst, `,"logprobs":null,"finish_reason":`...)
	return append(appendNullable(dst, finish), '}')
}

// chunk writes a chunk that says text, or begins with the role, or ends.
func (t *texter) chunk(dst []byte, delta, finish string) []byte {
	dst = t.head(dst, t.object(true))
	for i := range t.choices {
		dst = comma(dst, i)
		if t.op == llm.OpCompletion {
			dst = t.textChoice(dst, i, delta, finish)
			continue
		}
		dst = append(dst, `{"index":`...)
		dst = strconv.AppendInt(dst, int64(i), 10)
		dst = append(append(append(dst, `,"delta":`...), delta...), `,"finish_reason":`...)
		dst = append(appendNullable(dst, finish), '}')
	}
	return append(dst, "]}"...)
}

func appendUsage(dst []byte, u llm.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), u.Prompt, 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), u.Completion, 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), u.Total, 10)
	return append(dst, '}')
}

// nothing is the rest of a reply that is whole.
type nothing struct{}

// Next implements llm.Stream.
func (nothing) Next(*llm.Part) error { return io.EOF }

// Close implements llm.Stream.
func (nothing) Close() error { return nil }

// textStream says a text word by word.
type textStream struct {
	t         *texter
	step      step
	rest      string
	buf       []byte
	wantUsage bool
}

type step uint8

const (
	stepRole step = iota
	stepText
	stepFinish
	stepUsage
	stepEnd
)

// Next implements llm.Stream.
func (s *textStream) Next(p *llm.Part) error {
	s.skip()
	switch s.step {
	case stepRole:
		s.step = stepText
		s.buf = s.t.chunk(s.buf[:0], `{"role":"assistant","content":""}`, "")
	case stepText:
		word := nextWord(s.rest)
		s.rest = s.rest[len(word):]
		s.buf = s.t.chunk(s.buf[:0], s.t.delta(word), "")
	case stepFinish:
		s.step = stepUsage
		s.buf = s.t.chunk(s.buf[:0], s.t.empty(), s.t.finish)
	case stepUsage:
		s.step = stepEnd
		s.buf = s.t.head(s.buf[:0], s.t.object(true))
		s.buf = append(appendUsage(append(s.buf, `],"usage":`...), s.t.used), '}')
	case stepEnd:
		return io.EOF
	}
	s.skip()
	*p = llm.Part{Data: s.buf, More: s.step != stepEnd}
	return nil
}

// skip passes over the steps that do not apply.
func (s *textStream) skip() {
	if s.step == stepRole && s.t.op == llm.OpCompletion {
		s.step = stepText
	}
	if s.step == stepText && s.rest == "" {
		s.step = stepFinish
	}
	if s.step == stepUsage && !s.wantUsage {
		s.step = stepEnd
	}
}

// Close implements llm.Stream.
func (s *textStream) Close() error { return nil }

// delta is what a chunk says, in the shape of the operation: a text as it is, or a delta in JSON.
func (t *texter) delta(word string) string {
	if t.op == llm.OpCompletion {
		return word
	}
	return string(append(llm.AppendQuoted([]byte(`{"content":`), word), '}'))
}

func (t *texter) empty() string {
	if t.op == llm.OpCompletion {
		return ""
	}
	return "{}"
}

// nextWord is the beginning of s up to the end of its first word, and never part of a character.
func nextWord(s string) string {
	const longest = 64
	letters := false
	for i, r := range s {
		space := r == ' ' || r == '\n' || r == '\t'
		if letters && space || i >= longest {
			return s[:i]
		}
		letters = letters || !space
	}
	return s
}

// EmbeddingReply is a reply of the gateway's own to a request for embeddings: vector, which is a JSON list of numbers,
// for each of its inputs.
func EmbeddingReply(x *llm.Exchange, vector []byte) (*llm.Reply, error) {
	if !numbers(vector) {
		return nil, &llm.Error{
			Op: "openai.EmbeddingReply", Kind: llm.KindInvalid,
			Message: "An embedding must be a list of numbers.",
		}
	}
	dst := []byte(`{"object":"list","data":[`)
	for i := range inputs(x) {
		dst = comma(dst, i)
		dst = append(append(dst, `{"object":"embedding","index":`...), strconv.Itoa(i)...)
		dst = append(append(append(dst, `,"embedding":`...), vector...), '}')
	}
	used := llm.Usage{Prompt: EstimatePrompt(x)}
	used.Total = used.Prompt
	dst = llm.AppendQuoted(append(dst, `],"model":`...), x.Model)
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), used.Prompt, 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), used.Total, 10)
	dst = append(dst, "}}"...)
	return &llm.Reply{Status: 200, Began: time.Now(), Usage: used, First: llm.Part{Data: dst}, Rest: nothing{}}, nil
}

// maxInputs is how many embeddings are answered at most.
const maxInputs = 2048

// inputs counts what the request wants embedded: the items of a list of texts or token lists, and 1 otherwise.
func inputs(x *llm.Exchange) int {
	n := 0
	c := dialect.Array(x.Body.Get("input"))
	for n < maxInputs && c.Next() && (c.First() == '"' || c.First() == '[') {
		n++
	}
	return max(n, 1)
}

func numbers(raw []byte) bool {
	c := dialect.Array(raw)
	for c.Next() {
		if strings.IndexByte("-0123456789", c.First()) < 0 {
			return false
		}
	}
	return json.Valid(raw) && !c.Broken()
}
