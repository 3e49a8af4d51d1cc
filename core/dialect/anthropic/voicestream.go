package anthropic

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Part appends the events that a chunk of a chat completion stands for. A part that is native is an event already.
func (v *Voice) Part(dst []byte, p *llm.Part, native bool) ([]byte, error) {
	if p.Data == nil {
		return dst, nil
	}
	if native {
		return dialect.AppendEvent(dst, p.Event, p.Data), nil
	}
	v.out = dst
	err := v.chunk(p.Data)
	dst, v.out = v.out, nil
	return dst, err
}

// chunk takes one chunk.
func (v *Voice) chunk(data []byte) error {
	var id, model, choice []byte
	c := dialect.Object(data)
	for c.Next() {
		switch string(c.Key()) {
		case "id":
			id = c.Text()
		case "model":
			model = c.Text()
		case "choices":
			choice = dialect.FirstChoice(c.Value())
		case "usage":
			if c.First() == '{' {
				v.counts.scan(c.Value())
			}
		}
	}
	if c.Broken() {
		return unreadable("a chunk is not JSON")
	}
	v.begin(id, model)
	if choice == nil {
		return nil
	}
	if err := v.delta(dialect.Get(choice, "delta")); err != nil {
		return err
	}
	if finish := dialect.Get(choice, "finish_reason"); !dialect.Null(finish) {
		v.finish = append(v.finish[:0], finish...)
		v.stop(dialect.Get(choice, "provider_specific_fields"))
	}
	return nil
}

// begin sends message_start. The usage is what is known by then; message_delta has all of it.
func (v *Voice) begin(id, model []byte) {
	if v.begun {
		return
	}
	v.begun = true
	b := v.event("message_start")
	b.Key("message").Open('{').Key("id").Raw(dialect.OrEmpty(id)).Key("type").Lit(`"message"`).Key("role").Lit(`"assistant"`)
	b.Key("model").Raw(dialect.OrEmpty(model)).Key("content").Lit("[]").Key("stop_reason").Lit("null").Key("stop_sequence").Lit("null")
	b.Key("usage")
	start := counts{prompt: v.first.Prompt, cached: v.first.Cached, created: v.first.CacheWrite, completion: v.first.Completion}
	start.append(&b)
	b.Close('}')
	v.sent(b)
}

// event begins an event; sent ends it.
func (v *Voice) event(name string) dialect.Builder {
	return dialect.BeginEvent(v.out, name)
}

func (v *Voice) sent(b dialect.Builder) { v.out = dialect.EndEvent(&b) }

// delta tells what a delta adds to the message.
func (v *Voice) delta(raw []byte) error {
	m := &v.seen
	m.Scan(raw)
	v.stop(m.Specific)
	if dialect.Get(m.Specific, "new_block") != nil {
		v.close()
	}
	// Blocks say the same as reasoning_content, and the signature besides. A guardrail may have put the two into chunks of
	// their own.
	v.blocks = v.blocks || m.Thinking != nil
	switch {
	case v.blocks:
		for c := dialect.Array(m.Thinking); c.Next(); {
			v.thought(c.Value())
		}
	case !dialect.Blank(m.Reasoning):
		v.piece(kThinking, m.Reasoning)
	}
	v.told()
	for c := dialect.Array(dialect.Get(m.Specific, "blocks")); c.Next(); {
		v.block(c.Value())
	}
	if one := dialect.Get(m.Specific, "citation"); !dialect.Null(one) {
		v.cite(one)
	}
	for c := dialect.Array(m.Annotations); c.Next(); {
		b := dialect.Build(v.scratch[:0])
		if citation(&b, c.Value()) {
			v.cite(b.Bytes())
		}
		v.scratch = b.Bytes()
	}
	for c := dialect.Array(m.Images); c.Next(); {
		v.piece(kText, dialect.ImageLink(c.Value()))
	}
	for c := dialect.Array(m.Calls); c.Next(); {
		if err := v.toolCall(c.Value()); err != nil {
			return err
		}
	}
	return nil
}

// told tells the texts of a delta.
func (v *Voice) told() {
	m := &v.seen
	if len(m.Content) > 0 && m.Content[0] == '[' {
		for c := dialect.Array(m.Content); c.Next(); {
			if string(dialect.Get(c.Value(), "type")) == `"thinking"` {
				for in := dialect.Array(dialect.Get(c.Value(), "thinking")); in.Next(); {
					v.piece(kThinking, dialect.Get(in.Value(), "text"))
				}
				continue
			}
			v.piece(kText, dialect.Get(c.Value(), "text"))
		}
	} else {
		v.piece(kText, m.Content)
	}
	v.piece(kText, m.Refusal)
}

// start opens a block, after closing the one before. What follows type are further members of the block.
func (v *Voice) start(k kind, block string) {
	v.close()
	b := v.event("content_block_start")
	b.Key("index").Int(int64(v.index)).Key("content_block").Lit(block)
	v.sent(b)
	v.open, v.opened = k, true
	if !v.pinged {
		v.pinged = true
		v.sent(v.event("ping"))
	}
}

// close ends the block under way, if there is one.
func (v *Voice) close() {
	if !v.opened {
		return
	}
	b := v.event("content_block_stop")
	b.Key("index").Int(int64(v.index))
	v.sent(b)
	v.opened = false
	v.index++
}

// tell sends a content_block_delta whose value is raw.
func (v *Voice) tell(kind, key string, raw []byte) {
	b := v.event("content_block_delta")
	b.Key("index").Int(int64(v.index)).Key("delta").Open('{').Key("type").Lit(kind).Key(key).Raw(raw).Close('}')
	v.sent(b)
}

// piece tells a piece of text or of thinking.
func (v *Voice) piece(k kind, text []byte) {
	if dialect.Blank(text) {
		return
	}
	if !v.opened || v.open != k {
		if k == kThinking {
			v.start(k, `{"type":"thinking","thinking":"","signature":""}`)
		} else {
			v.start(k, `{"type":"text","text":""}`)
		}
	}
	if k == kThinking {
		v.tell(`"thinking_delta"`, "thinking", text)
	} else {
		v.tell(`"text_delta"`, "text", text)
	}
}

// thought tells a piece of a thinking block, its signature, or a block that is redacted.
func (v *Voice) thought(block []byte) {
	if string(dialect.Get(block, "type")) != `"thinking"` {
		v.block(block)
		return
	}
	v.piece(kThinking, dialect.Get(block, "thinking"))
	signature := dialect.Get(block, "signature")
	if dialect.Blank(signature) {
		return
	}
	if !v.opened || v.open != kThinking { // thinking whose text is not shown
		v.start(kThinking, `{"type":"thinking","thinking":"","signature":""}`)
	}
	v.tell(`"signature_delta"`, "signature", signature)
	v.close()
}

// block sends a block as a whole. The input of a tool that the API runs goes in a delta, as clients put it together.
func (v *Voice) block(raw []byte) {
	var b Block
	ScanBlock(raw, &b)
	input := b.InputValue()
	if len(input) == 0 || string(input) == "{}" {
		v.start(kOther, string(raw))
		v.close()
		return
	}
	v.start(kOther, string(raw[:b.Input.Start])+"{}"+string(raw[b.Input.End:]))
	v.scratch = llm.AppendQuoted(v.scratch[:0], string(input))
	v.tell(`"input_json_delta"`, "partial_json", v.scratch)
	v.close()
}

// cite adds a citation to the text under way.
func (v *Voice) cite(raw []byte) {
	if !v.opened || v.open != kText {
		v.start(kText, `{"type":"text","text":""}`)
	}
	v.tell(`"citations_delta"`, "citation", raw)
}

// toolCall tells what a delta says of a call. Blocks follow one another, so a call that is gone on with after another
// one began cannot be told.
func (v *Voice) toolCall(raw []byte) error {
	var p dialect.CallPiece
	p.Scan(raw)
	arguments := p.Arguments
	if !v.opened || v.open != kCall || v.calls.Another(&p) {
		if dialect.Blank(p.Name) {
			if dialect.Blank(arguments) {
				return nil
			}
			return unreadable("a piece of a tool's arguments belongs to no call, or to one that has ended")
		}
		v.beginCall(raw, &p)
	}
	switch {
	case len(arguments) > 0 && arguments[0] == '{':
		v.scratch = llm.AppendQuoted(v.scratch[:0], string(arguments))
		v.tell(`"input_json_delta"`, "partial_json", v.scratch)
	case !dialect.Blank(arguments):
		v.tell(`"input_json_delta"`, "partial_json", arguments)
	}
	return nil
}

// beginCall begins the block of a call.
func (v *Voice) beginCall(raw []byte, p *dialect.CallPiece) {
	v.calls.Begin(p)
	b := dialect.Build(v.scratch[:0])
	b.Open('{').Key("type").Lit(`"tool_use"`).Key("id")
	if dialect.Blank(p.ID) {
		b.Quote("toolu_" + strconv.Itoa(v.calls.N))
	} else {
		b.Raw(p.ID)
	}
	b.Key("name").Raw(dialect.LongToolName(v.Tools, p.Name)).Key("input").Lit("{}").Member("caller", dialect.Get(raw, "caller")).Close('}')
	v.scratch = b.Bytes()
	v.start(kCall, string(v.scratch))
}

// End appends what a complete stream closes with: why it stopped and the usage, and message_stop.
func (v *Voice) End(dst []byte, native bool) ([]byte, error) {
	if native {
		return dst, nil
	}
	v.out = dst
	v.begin(nil, nil)
	v.close()
	b := v.event("message_delta")
	b.Key("delta").Open('{')
	v.appendStop(&b)
	b.Close('}').Key("usage")
	v.counts.append(&b)
	v.sent(b)
	v.sent(v.event("message_stop"))
	dst, v.out = v.out, nil
	return dst, nil
}

// Fail appends the event of a stream that broke off.
func (v *Voice) Fail(dst []byte, e *llm.Error, message string) []byte {
	dst = AppendError(append(dst, "event: error\ndata: "...), e, message)
	return append(dst, "\n\n"...)
}

// AppendError appends the body of an error, {"type":"error","error":{"type","message"}}, with the types of
// https://platform.claude.com/docs/en/api/errors. message is the text for the caller.
func AppendError(dst []byte, e *llm.Error, message string) []byte {
	b := dialect.Build(dst)
	b.Open('{').Key("type").Lit(`"error"`).Key("error").Open('{').Key("type").Quote(errorType(e)).Key("message").Quote(message)
	return b.Close('}').Close('}').Bytes()
}

func errorType(e *llm.Error) string {
	switch e.Type {
	case "overloaded_error", "billing_error", "request_too_large":
		return e.Type // more than the status says
	}
	switch status := e.HTTPStatus(); {
	case status == 401:
		return "authentication_error"
	case status == 402:
		return "billing_error"
	case status == 403:
		return "permission_error"
	case status == 404:
		return "not_found_error"
	case status == 413:
		return "request_too_large"
	case status == 429:
		return "rate_limit_error"
	case status == 408, status == 504:
		return "timeout_error"
	case status == 503, status == 529:
		return "overloaded_error"
	case status < 500:
		return "invalid_request_error"
	}
	return "api_error"
}
