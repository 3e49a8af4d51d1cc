package cohere

import (
	"bytes"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// whole reads an answer.
func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	var message []byte
	for c := dialect.Object(body); c.Next(); {
		switch string(c.Key()) {
		case "message":
			message = c.Value()
		case "finish_reason":
			s.Finish = finish(t.Text(c.Value()))
		case "usage":
			count(&s.Usage, c.Value())
		case "logprobs":
			s.Logprobs = logprobs(c.Value())
		}
	}
	if len(message) > 0 && message[0] == '"' {
		return t.Fail(500, body) // an error has a message that is a text
	}
	if len(message) == 0 || message[0] != '{' {
		return t.Garbled("is not a chat: it has no message")
	}
	if s.Finish == "error" || s.Finish == "timeout" {
		return failed(t, s.Finish)
	}
	var text, thought []byte
	var citations []byte
	for c := dialect.Object(message); c.Next(); {
		switch string(c.Key()) {
		case "content":
			text, thought = content(c.Value())
		case "tool_plan":
			s.Reasoning = t.Text(c.Value())
		case "tool_calls":
			for in := dialect.Array(c.Value()); in.Next(); {
				s.Calls = append(s.Calls, call(t, in.Value(), len(s.Calls)))
			}
		case "citations":
			citations = c.Value()
		}
	}
	s.Text = t.Text(text)
	if thought != nil {
		s.Reasoning = t.Text(thought)
	}
	if len(citations) > 2 {
		s.Specific = specific("citations", citations)
		s.Annotations = annotations(citations)
	}
	return nil
}

// failed is the error for an answer whose finish reason says that there is none.
func failed(t *provider.Turn, finish string) error {
	if finish == "timeout" {
		return t.Fail(504, []byte(`{"message":"the model took too long"}`))
	}
	return t.Fail(500, []byte(`{"message":"the model ended its answer with an error"}`))
}

// content joins the texts and the thinking of a content.
func content(list []byte) (text, thought []byte) {
	if len(list) > 0 && list[0] == '"' {
		return list, nil
	}
	for c := dialect.Array(list); c.Next(); {
		if v := dialect.Get(c.Value(), "text"); len(v) > 2 && v[0] == '"' {
			text = join(text, v)
		}
		if v := dialect.Get(c.Value(), "thinking"); len(v) > 2 && v[0] == '"' {
			thought = join(thought, v)
		}
	}
	return text, thought
}

// join appends a JSON string to another. The first is borrowed as long as there is no second.
func join(a, b []byte) []byte {
	if a == nil {
		return b
	}
	return append(append(make([]byte, 0, len(a)+len(b)), a[:len(a)-1]...), b[1:]...)
}

func call(t *provider.Turn, raw []byte, index int) openai.SaidCall {
	f := dialect.Get(raw, "function")
	arguments := dialect.Get(f, "arguments")
	c := openai.SaidCall{
		Index: index, ID: t.Text(dialect.Get(raw, "id")), Name: t.Text(dialect.Get(f, "name")), Arguments: t.Text(arguments),
	}
	if len(arguments) > 0 && arguments[0] == '{' {
		c.Arguments = string(arguments)
	}
	return c
}

// specific is an object with one member.
func specific(key string, value []byte) []byte {
	b := dialect.Build(nil)
	b.Open('{').Member(key, value).Close('}')
	return b.Bytes()
}

// annotations are the citations of documents in the form of chat completions, as the reference has them
// (litellm/llms/cohere/chat/v2_transformation.py).
func annotations(citations []byte) []byte {
	b := dialect.Build(nil)
	for c := dialect.Array(citations); c.Next(); {
		start, end := dialect.Int(dialect.Get(c.Value(), "start")), dialect.Int(dialect.Get(c.Value(), "end"))
		for s := dialect.Array(dialect.Get(c.Value(), "sources")); s.Next(); {
			document := dialect.Get(s.Value(), "document")
			if document == nil {
				continue
			}
			b.Open('{').Key("type").Lit(`"url_citation"`).Key("url_citation").Open('{')
			b.Key("start_index").Int(start).Key("end_index").Int(end)
			b.Member("title", dialect.Get(document, "title"))
			if url := dialect.Get(document, "url"); url != nil {
				b.Member("url", url)
			} else if id, ok := llm.Text(dialect.Get(s.Value(), "id")); ok {
				b.Key("url").Quote("source:" + string(id))
			}
			b.Close('}').Close('}')
		}
	}
	return b.Bytes()
}

// count reads a usage. The tokens count; what was billed does if there are none.
func count(u *llm.Usage, raw []byte) {
	for _, key := range []string{"billed_units", "tokens"} {
		for c := dialect.Object(dialect.Get(raw, key)); c.Next(); {
			n := dialect.Int(c.Value())
			switch string(c.Key()) {
			case "input_tokens":
				u.Prompt = n
			case "output_tokens":
				u.Completion = n
			case "search_units":
				u.Searches = n
			}
		}
	}
	u.Cached = dialect.Int(dialect.Get(raw, "cached_tokens"))
	u.Total = u.Prompt + u.Completion
}

// logprobs are the probabilities in the form of chat completions. An item of Cohere's may stand for several tokens: the
// probability of its text is that of all of them together.
func logprobs(v []byte) []byte {
	if dialect.Null(v) {
		return nil
	}
	b := dialect.Build(nil)
	b.Open('{').Key("content").Open('[')
	if v[0] == '[' {
		for c := dialect.Array(v); c.Next(); {
			logprob(&b, c.Value())
		}
	} else {
		logprob(&b, v)
	}
	b.Close(']').Close('}')
	return b.Bytes()
}

func logprob(b *dialect.Builder, item []byte) {
	sum := 0.0
	for c := dialect.Array(dialect.Get(item, "logprobs")); c.Next(); {
		f, _ := strconv.ParseFloat(string(c.Value()), 64)
		sum += f
	}
	text := dialect.Get(item, "text")
	if text == nil {
		text = []byte(`""`)
	}
	b.Open('{').Key("token").Raw(text).Key("logprob").Raw(strconv.AppendFloat(nil, sum, 'g', -1, 64))
	b.Key("bytes").Lit("null").Key("top_logprobs").Lit("[]").Close('}')
}

// events reads a stream: https://docs.cohere.com/docs/streaming.
func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	calls := -1
	return func(e *provider.Event, s *openai.Said) error {
		if string(e.Data) == "[DONE]" {
			t.Ended = true
			return nil
		}
		var kind, delta []byte
		for c := dialect.Object(e.Data); c.Next(); {
			switch string(c.Key()) {
			case "type":
				kind = c.Value()
			case "delta":
				delta = c.Value()
			case "logprobs":
				s.Logprobs = logprobs(c.Value())
			}
		}
		if kind == nil && dialect.Get(e.Data, "message") != nil {
			return t.Fail(500, e.Data)
		}
		if kind == nil {
			return t.Garbled("holds an event that is not a JSON object with a type")
		}
		message := dialect.Get(delta, "message")
		switch string(kind) {
		case `"content-start"`, `"content-delta"`:
			piece := dialect.Get(message, "content")
			s.Text, s.Reasoning = t.Text(dialect.Get(piece, "text")), t.Text(dialect.Get(piece, "thinking"))
		case `"tool-plan-delta"`:
			s.Reasoning = t.Text(dialect.Get(message, "tool_plan"))
		case `"tool-call-start"`:
			calls++
			s.Calls = append(s.Calls, call(t, one(dialect.Get(message, "tool_calls")), calls))
		case `"tool-call-delta"`:
			f := dialect.Get(one(dialect.Get(message, "tool_calls")), "function")
			s.Calls = append(s.Calls, openai.SaidCall{Index: max(calls, 0), Arguments: t.Text(dialect.Get(f, "arguments"))})
		case `"citation-start"`:
			if v := dialect.Get(message, "citations"); v != nil {
				s.Specific = specific("citation", v)
				s.Annotations = annotations(list(v))
			}
		case `"message-end"`:
			return end(t, s, delta)
		}
		return nil
	}
}

// one is a value, or the first of a list of them.
func one(v []byte) []byte {
	if c := dialect.Array(v); c.Next() {
		return c.Value()
	}
	return v
}

// list is a value as a list.
func list(v []byte) []byte {
	if v[0] == '[' {
		return v
	}
	return bytes.Join([][]byte{[]byte("["), v, []byte("]")}, nil)
}

func end(t *provider.Turn, s *openai.Said, delta []byte) error {
	for c := dialect.Object(delta); c.Next(); {
		switch string(c.Key()) {
		case "finish_reason":
			s.Finish = finish(t.Text(c.Value()))
		case "usage":
			count(&s.Usage, c.Value())
		case "error":
			if c.First() == '"' {
				return t.Fail(500, delta)
			}
		}
	}
	if s.Finish == "error" || s.Finish == "timeout" {
		return failed(t, s.Finish)
	}
	t.Ended = true
	return nil
}

// embedded reads an answer with embeddings: https://docs.cohere.com/reference/embed.
func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	types := dialect.Get(body, "embeddings")
	if len(types) > 0 && types[0] == '{' {
		c := dialect.Object(types)
		c.Next()
		types = c.Value() // by type; one was asked for
	}
	c := dialect.Array(types)
	for c.Next() {
		if !e.Add(c.Value()) {
			return nil, t.Garbled("holds an embedding that is not a list of numbers")
		}
	}
	if e.Len() == 0 {
		return nil, t.Garbled("has no embeddings")
	}
	count(&t.Usage, dialect.Get(body, "meta"))
	return e.End(t.Model(), t.Usage), nil
}

// ranked reads an answer with documents in order.
func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	results, ok := rerank.ReadResults(dialect.Get(body, "results"))
	if !ok {
		return nil, t.Garbled("has no results")
	}
	count(&t.Usage, dialect.Get(body, "meta"))
	return t.Ranked(dst, t.Text(dialect.Get(body, "id")), results), nil
}
