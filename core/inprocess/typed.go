package inprocess

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// Message is one message of a conversation. Content is a string, or a list of parts as the OpenAI API has them.
type Message struct {
	Role       string     `json:"role"`
	Content    any        `json:"content"`
	Name       string     `json:"name,omitempty"`
	ToolCalls  []ToolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

// Text is the content if it is a string; "" otherwise.
func (m *Message) Text() string {
	s, _ := m.Content.(string)
	return s
}

// ToolCall is a call of a function that the model wants made.
type ToolCall struct {
	Index    int    `json:"index,omitempty"` // in a stream: which call a piece belongs to
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments,omitempty"`
	} `json:"function"`
}

// ChatRequest asks for an answer to a conversation. Params are the other members of the request: those of the OpenAI API,
// such as temperature and tools, and the gateway's own, such as fallbacks, num_retries, timeout, tags and guardrails.
type ChatRequest struct {
	Model    string
	Messages []Message
	Params   map[string]any
}

// Usage counts the tokens of an answer.
type Usage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
}

// ChatResponse is an answer. Raw is all of it.
type ChatResponse struct {
	ID      string `json:"id"`
	Model   string `json:"model"`
	Created int64  `json:"created"`
	Choices []struct {
		Index        int     `json:"index"`
		Message      Message `json:"message"`
		FinishReason string  `json:"finish_reason"`
	} `json:"choices"`
	Usage Usage           `json:"usage"`
	Raw   json.RawMessage `json:"-"`
	Meta  `json:"-"`
}

// Text is what the first choice says.
func (r *ChatResponse) Text() string {
	if len(r.Choices) == 0 {
		return ""
	}
	return r.Choices[0].Message.Text()
}

// body writes a request: the params, and over them what has a field of its own.
func body(params map[string]any, own map[string]any) ([]byte, error) {
	all := make(map[string]any, len(params)+len(own))
	for name, v := range params {
		all[name] = v
	}
	for name, v := range own {
		all[name] = v
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("inprocess: the request cannot be written: %w", err)
	}
	return b, nil
}

// Chat asks a model and returns the whole answer.
func (c *Client) Chat(ctx context.Context, r ChatRequest) (*ChatResponse, error) {
	b, err := body(r.Params, map[string]any{"model": r.Model, "messages": r.Messages, "stream": false})
	if err != nil {
		return nil, err
	}
	res, err := c.Do(ctx, Request{Path: "/v1/chat/completions", Body: b})
	if err != nil {
		return nil, err
	}
	out := &ChatResponse{Raw: res.Body, Meta: res.Meta}
	if err := json.Unmarshal(res.Body, out); err != nil {
		return nil, fmt.Errorf("inprocess: the answer cannot be read: %w", err)
	}
	return out, nil
}

// Chunk is one event of a stream. Raw is all of it.
type Chunk struct {
	ID      string `json:"id"`
	Model   string `json:"model"`
	Choices []struct {
		Index int `json:"index"`
		Delta struct {
			Role      string     `json:"role"`
			Content   string     `json:"content"`
			ToolCalls []ToolCall `json:"tool_calls"`
		} `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *Usage          `json:"usage"` // in the last event, if it was asked for
	Raw   json.RawMessage `json:"-"`
}

// Text is what the event adds to the first choice.
func (c *Chunk) Text() string {
	if len(c.Choices) == 0 {
		return ""
	}
	return c.Choices[0].Delta.Content
}

// Stream is an answer as it is written. One goroutine uses it at a time. It is closed when it is done with, also after an
// error.
type Stream struct {
	o     *open
	first bool // the first part was handed out
	done  bool
	meta  Meta
}

// Stream asks a model and returns the answer as it is written. A failure before the first event is returned here, after
// retries and fallbacks; one after that by Next.
func (c *Client) Stream(ctx context.Context, r ChatRequest) (*Stream, error) {
	b, err := body(r.Params, map[string]any{"model": r.Model, "messages": r.Messages, "stream": true})
	if err != nil {
		return nil, err
	}
	o, err := c.open(ctx, &Request{Path: "/v1/chat/completions", Body: b})
	if err != nil {
		return nil, err
	}
	return &Stream{o: o, meta: o.meta()}, nil
}

// Next returns the next event. At the end the error is io.EOF; any other one broke the answer off.
func (s *Stream) Next() (*Chunk, error) {
	if s.done {
		return nil, io.EOF
	}
	part := s.o.reply.First
	for {
		if s.first {
			if err := s.o.reply.Rest.Next(&part); err == io.EOF { //nolint:errorlint // a stream returns it bare
				return nil, io.EOF
			} else if err != nil {
				return nil, failure(err)
			}
		}
		s.first = true
		if len(part.Data) == 0 {
			continue // a hook has taken all of it
		}
		c := &Chunk{Raw: append(json.RawMessage(nil), part.Data...)}
		if err := json.Unmarshal(c.Raw, c); err != nil {
			return nil, fmt.Errorf("inprocess: an event cannot be read: %w", err)
		}
		return c, nil
	}
}

// All yields the events that are left, and closes the stream. An error is the last thing it yields.
func (s *Stream) All() iter.Seq2[*Chunk, error] {
	return func(yield func(*Chunk, error) bool) {
		defer s.Close()
		for {
			c, err := s.Next()
			if err == io.EOF { //nolint:errorlint // Next returns it bare
				return
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the call; what is not written yet is not paid for. It may be called more than once.
func (s *Stream) Close() error {
	if !s.done {
		s.done = true
		s.meta = s.o.close()
	}
	return nil
}

// Meta is what the gateway knows of the answer; the cost is there after Close.
func (s *Stream) Meta() Meta { return s.meta }

// EmbedRequest asks for the vectors of texts. Params are the other members of the request.
type EmbedRequest struct {
	Model  string
	Input  []string
	Params map[string]any
}

// EmbedResponse holds a vector for each text, in their order.
type EmbedResponse struct {
	Model   string
	Vectors [][]float64
	Usage   Usage
	Raw     json.RawMessage
	Meta
}

// Embed returns the vectors of texts.
func (c *Client) Embed(ctx context.Context, r EmbedRequest) (*EmbedResponse, error) {
	b, err := body(r.Params, map[string]any{"model": r.Model, "input": r.Input, "encoding_format": "float"})
	if err != nil {
		return nil, err
	}
	res, err := c.Do(ctx, Request{Path: "/v1/embeddings", Body: b})
	if err != nil {
		return nil, err
	}
	var data struct {
		Model string `json:"model"`
		Data  []struct {
			Index     int       `json:"index"`
			Embedding []float64 `json:"embedding"`
		} `json:"data"`
		Usage Usage `json:"usage"`
	}
	if err := json.Unmarshal(res.Body, &data); err != nil {
		return nil, fmt.Errorf("inprocess: the answer cannot be read: %w", err)
	}
	out := &EmbedResponse{Model: data.Model, Usage: data.Usage, Raw: res.Body, Meta: res.Meta, Vectors: make([][]float64, len(data.Data))}
	for _, d := range data.Data {
		if d.Index < 0 || d.Index >= len(out.Vectors) {
			return nil, fmt.Errorf("inprocess: the answer has a vector number %d of %d", d.Index, len(out.Vectors))
		}
		out.Vectors[d.Index] = d.Embedding
	}
	return out, nil
}
