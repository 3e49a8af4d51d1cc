package anthropic

import (
	"errors"
	"io"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// whole is an answer that was read to its end, and its translation. It belongs to the reply that it is the rest of
// until Close, which closes the answer and gives the buffers back.
type whole struct {
	p      *Provider
	body   io.ReadCloser
	in     []byte
	out    []byte
	blocks []anthropic.Block
}

const (
	firstBuffer = 8 << 10
	keepBuffer  = 1 << 20 // a buffer that grew beyond this is not kept
)

var errTooLarge = errors.New("anthropic: the answer is over the limit")

// read reads the body to its end. size is the length that it was announced with, or not more than 0. Above limit bytes
// it returns errTooLarge.
func (w *whole) read(size int, limit int64) error {
	need := max(min(size, keepBuffer)+1, firstBuffer) // one more, so that the end shows without growing
	if cap(w.in) < need {
		w.in = make([]byte, 0, need)
	}
	w.in = w.in[:0]
	for {
		if len(w.in) == cap(w.in) {
			w.in = append(w.in, 0)[:len(w.in)]
		}
		n, err := w.body.Read(w.in[len(w.in):cap(w.in)])
		w.in = w.in[:len(w.in)+n]
		if int64(len(w.in)) > limit {
			w.in = w.in[:limit]
			return errTooLarge
		}
		if err == io.EOF { //nolint:errorlint // a source returns io.EOF bare
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// write writes the message as a chat completion and returns the finish reason.
func (w *whole) write(e *endpoint, x *llm.Exchange, m *anthropic.Message) (finish string) {
	w.blocks = w.blocks[:0]
	var json []byte // the input of the JSON tool
	calls := 0
	for c := dialect.Array(m.Content); c.Next(); {
		var b anthropic.Block
		anthropic.ScanBlock(c.Value(), &b)
		if b.Kind == anthropic.ToolUse {
			if string(b.Name) == `"`+jsonTool+`"` && e.wantsJSON(x) {
				json = b.InputValue()
				continue
			}
			calls++
		}
		w.blocks = append(w.blocks, b)
	}
	finish = anthropic.Finish(m.StopReason)
	if finish == "tool_calls" && calls == 0 {
		finish = "stop" // the tool was a way to get JSON
	}
	o := append(w.out[:0], `{"id":`...)
	o = appendText(o, m.ID)
	o = append(o, `,"object":"chat.completion","created":`...)
	o = strconv.AppendInt(o, e.p.s.Now().Unix(), 10)
	o = append(o, `,"model":`...)
	o = e.appendModel(o, x, m.Model)
	o = append(o, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	apart := false
	switch {
	case json != nil:
		o = llm.AppendQuoted(o, borrowed(json))
	case x.Dialect == llm.DialectMessages && w.several():
		o, apart = w.texts(o), true
	default:
		o = w.join(o, anthropic.TextBlock)
	}
	o = w.reasoning(o)
	o = w.calls(o, calls)
	o = w.specific(o, m, json != nil, apart, x.Dialect == llm.DialectMessages)
	o = append(o, `},"finish_reason":`...)
	o = appendFinish(o, finish)
	o = append(o, `}],"usage":`...)
	o = appendUsage(o, &m.Usage)
	w.out = append(o, '}')
	return finish
}

// appendText appends a JSON string, or an empty one for none.
func appendText(dst, v []byte) []byte {
	if v == nil {
		return append(dst, `""`...)
	}
	return append(dst, v...)
}

func appendFinish(dst []byte, finish string) []byte {
	if finish == "" {
		return append(dst, "null"...)
	}
	return llm.AppendQuoted(dst, finish)
}

// join writes the texts of all blocks of the kind as one string, or null if there is none. The strings keep their
// escapes.
func (w *whole) join(o []byte, kind anthropic.BlockKind) []byte {
	start, some := len(o), false
	o = append(o, '"')
	for i := range w.blocks {
		if b := &w.blocks[i]; b.Kind == kind && len(b.Text) > 2 {
			o, some = append(o, b.Text[1:len(b.Text)-1]...), true
		}
	}
	if !some {
		return append(o[:start], "null"...)
	}
	return append(o, '"')
}

// several reports whether the texts are more than one string says: more than one, or with citations.
func (w *whole) several() bool {
	n := 0
	for i := range w.blocks {
		if b := &w.blocks[i]; b.Kind == anthropic.TextBlock {
			n++
			if b.Cited != nil {
				return true
			}
		}
	}
	return n > 1
}

// texts writes the texts as parts, for callers who tell them apart.
func (w *whole) texts(o []byte) []byte {
	o = append(o, '[')
	for i := range w.blocks {
		if b := &w.blocks[i]; b.Kind == anthropic.TextBlock {
			if o[len(o)-1] != '[' {
				o = append(o, ',')
			}
			o = append(o, b.Raw...)
		}
	}
	return append(o, ']')
}

// reasoning writes what the model thought, as a text, and as blocks with signatures that the caller sends back. The
// shape is the reference's: https://docs.litellm.ai/docs/reasoning_content.
func (w *whole) reasoning(o []byte) []byte {
	n := 0
	for i := range w.blocks {
		b := &w.blocks[i]
		if b.Kind != anthropic.Thinking && b.Kind != anthropic.RedactedThinking {
			continue
		}
		if n == 0 {
			o = append(o, `,"reasoning_content":`...)
			o = w.join(o, anthropic.Thinking)
			o = append(o, `,"thinking_blocks":[`...)
		} else {
			o = append(o, ',')
		}
		n++
		o = append(o, b.Raw...)
	}
	if n > 0 {
		o = append(o, ']')
	}
	return o
}

// calls writes the calls of tools. Their input becomes a string that holds JSON.
func (w *whole) calls(o []byte, n int) []byte {
	if n == 0 {
		return o
	}
	o = append(o, `,"tool_calls":[`...)
	for i := range w.blocks {
		b := &w.blocks[i]
		if b.Kind != anthropic.ToolUse {
			continue
		}
		if o[len(o)-1] != '[' {
			o = append(o, ',')
		}
		o = appendText(append(o, `{"id":`...), b.ID)
		o = appendText(append(o, `,"type":"function","function":{"name":`...), b.Name)
		o = append(o, `,"arguments":`...)
		if input := b.InputValue(); input != nil {
			o = llm.AppendQuoted(o, borrowed(input))
		} else {
			o = append(o, `"{}"`...)
		}
		o = append(o, `}}`...)
	}
	return append(o, ']')
}

// specific writes what has no counterpart: citations, the blocks of tools that the API ran itself, why exactly the
// model stopped, and the text beside an answer in JSON. apart tells that the texts carry their citations themselves,
// and order that the caller wants to know in which order the blocks came.
func (w *whole) specific(o []byte, m *anthropic.Message, json, apart, order bool) []byte {
	start := len(o)
	const open = `,"provider_specific_fields":{`
	o = append(o, open...)
	if !apart {
		o = appendList(o, start+len(open), "citations", w.blocks, func(b *anthropic.Block) []byte { return b.Cited })
	}
	o = appendList(o, start+len(open), "blocks", w.blocks, func(b *anthropic.Block) []byte {
		if b.Kind != anthropic.OtherBlock {
			return nil
		}
		return b.Raw
	})
	if order {
		o = appendOrder(o, start+len(open), w.blocks)
	}
	if json {
		at := len(o)
		o = w.join(appendKey(o, start+len(open), "text"), anthropic.TextBlock)
		if string(o[len(o)-4:]) == "null" {
			o = o[:at]
		}
	}
	o = appendStop(o, start+len(open), m.StopReason, m.StopSequence, m.StopDetails)
	if len(o) == start+len(open) {
		return o[:start]
	}
	return append(o, '}')
}

// appendKey writes a key in an object whose members begin at start.
func appendKey(o []byte, start int, key string) []byte {
	if len(o) > start {
		o = append(o, ',')
	}
	return append(append(append(o, '"'), key...), `":`...)
}

func appendList(o []byte, start int, key string, blocks []anthropic.Block, get func(*anthropic.Block) []byte) []byte {
	some := false
	for i := range blocks {
		v := get(&blocks[i])
		if v == nil {
			continue
		}
		if some {
			o = append(o, ',')
		} else {
			o = append(appendKey(o, start, key), '[')
		}
		some = true
		o = append(o, v...)
	}
	if some {
		o = append(o, ']')
	}
	return o
}

// appendStop writes the stop reason where the finish reason does not say all of it.
func appendStop(o []byte, start int, reason, sequence, details []byte) []byte {
	if !anthropic.Plain(reason) {
		o = append(appendKey(o, start, "stop_reason"), reason...)
	}
	if sequence != nil {
		o = append(appendKey(o, start, "stop_sequence"), sequence...)
	}
	if details != nil {
		o = append(appendKey(o, start, "stop_details"), details...)
	}
	return o
}

// appendUsage writes the usage in the reference's shape (litellm/types/utils.py, Usage): OpenAI's counts, and those of
// the cache besides.
func appendUsage(o []byte, u *anthropic.Usage) []byte {
	t := u.Tokens()
	o = appendCount(o, `{"prompt_tokens":`, t.Prompt)
	o = appendCount(o, `,"completion_tokens":`, t.Completion)
	o = appendCount(o, `,"total_tokens":`, t.Total)
	o = appendCount(o, `,"prompt_tokens_details":{"cached_tokens":`, u.CacheRead)
	o = appendCount(o, `,"cache_creation_tokens":`, u.CacheCreation)
	o = append(o, '}')
	if u.Thinking > 0 {
		o = appendCount(o, `,"completion_tokens_details":{"reasoning_tokens":`, u.Thinking)
		o = append(o, '}')
	}
	o = appendCount(o, `,"cache_creation_input_tokens":`, u.CacheCreation)
	o = appendCount(o, `,"cache_read_input_tokens":`, u.CacheRead)
	if u.Creation != nil {
		o = append(append(o, `,"cache_creation":`...), u.Creation...)
	}
	if u.ServerTools != nil {
		o = append(append(o, `,"server_tool_use":`...), u.ServerTools...)
	}
	if u.Tier != nil {
		o = append(append(o, `,"service_tier":`...), u.Tier...)
	}
	return append(o, '}')
}

func appendCount(o []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(o, key...), n, 10)
}

// Next implements llm.Stream. Nothing follows a whole answer.
func (w *whole) Next(*llm.Part) error { return io.EOF }

// Close implements llm.Stream.
func (w *whole) Close() error {
	err := w.body.Close()
	w.body = nil
	clear(w.blocks[:cap(w.blocks)])
	w.blocks = w.blocks[:0]
	if cap(w.in) > keepBuffer {
		w.in = nil
	}
	if cap(w.out) > keepBuffer {
		w.out = nil
	}
	if cap(w.blocks) > keepList {
		w.blocks = nil
	}
	w.p.wholes.Put(w)
	return err
}

// split is a whole answer in the shape of a stream.
type split struct {
	*whole
	chunks [][]byte
}

// streamWhole turns the answer in w into a stream, as the caller asked for one.
func (e *endpoint) streamWhole(w *whole, x *llm.Exchange, r *llm.Reply) error {
	chunks, err := openai.Split(w.out, x.WantUsage)
	if err != nil {
		w.Close()
		return e.garbled("The answer of " + Name + " cannot be streamed: " + err.Error())
	}
	s := &split{whole: w, chunks: chunks}
	r.Streamed, r.Rest = true, s
	return s.Next(&r.First)
}

// Next implements llm.Stream.
func (s *split) Next(p *llm.Part) error {
	if len(s.chunks) == 0 {
		return io.EOF
	}
	*p = llm.Part{Data: s.chunks[0], More: len(s.chunks) > 1}
	s.chunks = s.chunks[1:]
	return nil
}
