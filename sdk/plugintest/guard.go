package plugintest

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// Moderated is what the moderation hook made of a request.
type Moderated struct {
	Outcome
	Looked bool // the hook had a say
}

// Moderate runs the moderation hook on a request body.
func (p *Plugin) Moderate(t testing.TB, op llm.Operation, body []byte, change ...func(*llm.Exchange)) Moderated {
	t.Helper()
	x := exchange(t, op, body, change)
	looked, err := p.guardrail(wasm.GuardSettings{}).During(&x.Life, x)
	return Moderated{Outcome{Exchange: x, Err: err}, looked}
}

// Response runs the response hook on the JSON of a whole answer to a chat. In the outcome, Reply is the answer as the
// hook left it. The finish reason is taken from the answer; it used 3 tokens of prompt and 2 of completion, at the
// deployment "d" of the vendor "openai".
func (p *Plugin) Response(t testing.TB, answer []byte, change ...func(*llm.Exchange)) Outcome {
	t.Helper()
	x := exchange(t, llm.OpChat, []byte(`{"messages":[]}`), change)
	r := answered()
	found, _ := openai.Scan(answer)
	r.Finish, r.First.Data = found.Finish, answer
	err := p.guardrail(wasm.GuardSettings{}).After(&x.Life, x, r)
	return Outcome{Exchange: x, Reply: r, Err: err}
}

// Failure runs the failure hook on an error and returns the one that the caller gets.
func (p *Plugin) Failure(t testing.TB, e *llm.Error, change ...func(*llm.Exchange)) *llm.Error {
	t.Helper()
	x := exchange(t, llm.OpChat, []byte(`{"messages":[]}`), change)
	return p.guardrail(wasm.GuardSettings{}).Failure(&x.Life, x, e)
}

// Reading says how a stream is read.
type Reading struct {
	Parts  int                 // close it after so many parts, as if the caller had left; 0 reads to the end
	End    error               // what the vendor's stream ends with; nil is io.EOF
	Change func(*llm.Exchange) // prepares the exchange
}

// Streamed is what the hooks made of a stream.
type Streamed struct {
	Outcome
	Chunks []string // as the caller gets them
	Began  bool     // the answer had begun when the error came, so that it goes out as an event
}

// Text joins the contents of the first choice.
func (s Streamed) Text() string {
	all := ""
	for _, c := range s.Chunks {
		list, err := openai.AppendAnswer(nil, []byte(c))
		if err != nil {
			return "not a chunk: " + c
		}
		for _, t := range list {
			if text, ok := llm.Text([]byte(c)[t.Text.Start:t.Text.End]); ok && t.Choice == 0 && t.Kind == openai.Content {
				all += string(text)
			}
		}
	}
	return all
}

// Arguments joins the arguments of the calls with an index, of all choices.
func (s Streamed) Arguments(index int) string {
	all := ""
	for _, c := range s.Chunks {
		var chunk struct {
			Choices []struct {
				Delta struct {
					Calls []struct {
						Index    int
						Function struct{ Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(c), &chunk); err != nil {
			return "not a chunk: " + c
		}
		for _, choice := range chunk.Choices {
			for _, call := range choice.Delta.Calls {
				if call.Index == index {
					all += call.Function.Arguments
				}
			}
		}
	}
	return all
}

// StreamChunks runs the stream hooks on the JSON of the chunks of a streamed chat, as StreamChunk and StreamEnd see them
// under the settings.
func (p *Plugin) StreamChunks(t testing.TB, s wasm.GuardSettings, chunks []string, how ...Reading) Streamed {
	t.Helper()
	how = append(how, Reading{})
	x := exchange(t, llm.OpChat, []byte(`{"messages":[],"stream":true}`), nil)
	if how[0].Change != nil {
		how[0].Change(x)
	}
	r := answered()
	source := &source{chunks: chunks, end: how[0].End}
	r.Streamed, r.Rest, r.Finish = true, source, "stop"
	if err := source.Next(&r.First); err != nil {
		t.Fatal("a stream without a chunk")
	}
	o := Streamed{Outcome: Outcome{Exchange: x, Reply: r}}
	if o.Err = p.guardrail(s).Stream(&x.Life, x, r); o.Err != nil {
		_ = r.Rest.Close()
		return o
	}
	o.Began = true
	for part := r.First; ; {
		if len(part.Data) > 0 {
			o.Chunks = append(o.Chunks, string(part.Data))
		}
		if len(o.Chunks) == how[0].Parts && how[0].Parts > 0 {
			break
		}
		if err := r.Rest.Next(&part); err != nil {
			if !errors.Is(err, io.EOF) {
				o.Err = err
			}
			break
		}
	}
	if err := r.Rest.Close(); err != nil || source.closed != 1 {
		t.Errorf("the stream was closed %d times, %v", source.closed, err)
	}
	return o
}

// source is the vendor's stream.
type source struct {
	chunks []string
	end    error
	closed int
}

// Next implements llm.Stream.
func (s *source) Next(p *llm.Part) error {
	if len(s.chunks) == 0 {
		if s.end != nil {
			return s.end
		}
		return io.EOF
	}
	*p = llm.Part{Data: []byte(s.chunks[0])}
	s.chunks = s.chunks[1:]
	return nil
}

// Close implements llm.Stream.
func (s *source) Close() error {
	s.closed++
	return nil
}

func answered() *llm.Reply {
	return &llm.Reply{
		Status: 200, Usage: llm.Usage{Prompt: 3, Completion: 2, Total: 5}, Deployment: &llm.Deployment{ID: "d", Provider: "openai"},
	}
}

// guardrail is the plugin under its own name.
func (p *Plugin) guardrail(s wasm.GuardSettings) *wasm.Guardrail {
	if s.Respond == nil {
		s.Respond = p.Respond
	}
	return p.Guardrail(s)
}

// exchange makes an exchange that change functions prepare.
func exchange(t testing.TB, op llm.Operation, body []byte, change []func(*llm.Exchange)) *llm.Exchange {
	t.Helper()
	x := Exchange(t, op, body)
	for _, c := range change {
		if c != nil {
			c(x)
		}
	}
	return x
}
