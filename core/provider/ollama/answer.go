package ollama

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// whole reads an answer.
func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	calls := 0
	done, err := read(t, body, s, &calls)
	if err == nil && !done && s.Silent() {
		return t.Garbled("is not a chat: it has no message")
	}
	return err
}

// events reads a stream.
func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	calls := 0
	return func(e *provider.Event, s *openai.Said) error {
		if len(e.Data) == 0 || e.Data[0] != '{' {
			return t.Garbled("holds a line that is not a JSON object")
		}
		done, err := read(t, e.Data, s, &calls)
		t.Ended = done
		return err
	}
}

// read takes an answer, or a line of a streamed one. calls is how many calls there were before.
func read(t *provider.Turn, body []byte, s *openai.Said, calls *int) (done bool, err error) {
	c := dialect.Object(body)
	for c.Next() {
		v := c.Value()
		switch string(c.Key()) {
		case "error":
			if !dialect.Null(v) {
				return false, t.Fail(500, body)
			}
		case "message":
			say(t, v, s, calls)
		case "response":
			s.Text = t.Text(v)
		case "thinking":
			s.Reasoning = t.Text(v)
		case "logprobs":
			if len(v) > 2 && v[0] == '[' {
				b := dialect.Build(nil)
				s.Logprobs = b.Open('{').Key("content").Raw(v).Close('}').Bytes()
			}
		case "done":
			done = string(v) == "true"
		case "done_reason":
			s.Finish = finish(t.Text(v))
		case "prompt_eval_count":
			s.Usage.Prompt = dialect.Int(v)
		case "prompt_eval_cached_count":
			s.Usage.Cached = dialect.Int(v)
		case "eval_count":
			s.Usage.Completion = dialect.Int(v)
		}
	}
	if c.Broken() {
		return false, t.Garbled("holds a line that is not JSON")
	}
	if done && s.Finish == "" {
		s.Finish = "stop"
	}
	return done, nil
}

func say(t *provider.Turn, v []byte, s *openai.Said, calls *int) {
	for c := dialect.Object(v); c.Next(); {
		switch string(c.Key()) {
		case "content":
			s.Text = t.Text(c.Value())
		case "thinking":
			s.Reasoning = t.Text(c.Value())
		case "tool_calls":
			for in := dialect.Array(c.Value()); in.Next(); {
				f := dialect.Get(in.Value(), "function")
				call := openai.SaidCall{Index: *calls, ID: t.Text(dialect.Get(in.Value(), "id")), Name: t.Text(dialect.Get(f, "name"))}
				if call.ID == "" {
					call.ID = callID(t, *calls)
				}
				call.Arguments = "{}"
				if a := dialect.Get(f, "arguments"); len(a) > 0 && a[0] == '{' {
					call.Arguments = string(a)
				} else if a != nil {
					call.Arguments = t.Text(a)
				}
				s.Calls = append(s.Calls, call)
				*calls++
			}
		}
	}
}

// embedded reads an answer with embeddings.
func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if v := dialect.Get(body, "error"); !dialect.Null(v) {
		return nil, t.Fail(500, body)
	}
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	for c := dialect.Array(dialect.Get(body, "embeddings")); c.Next(); {
		if !e.Add(c.Value()) {
			return nil, t.Garbled("holds an embedding that is not a list of numbers")
		}
	}
	if e.Len() == 0 {
		return nil, t.Garbled("has no embeddings")
	}
	n := dialect.Int(dialect.Get(body, "prompt_eval_count"))
	t.Usage = llm.Usage{Prompt: n, Total: n}
	return e.End(t.Model(), t.Usage), nil
}
