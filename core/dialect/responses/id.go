// Package responses is the dialect of OpenAI's Responses API: requests as chat completions, chat completions as
// responses and as the events of a stream, the ids that lead back to the deployment that made a response, and what is
// read of a vendor's own responses. It works on bytes and does no I/O. The shapes follow
// https://platform.openai.com/docs/api-reference/responses and
// https://platform.openai.com/docs/api-reference/responses-streaming.
package responses

import (
	"encoding/base64"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// ID is what the id of a response tells: who made it, and what it is called there.
type ID struct {
	Provider   string
	Deployment string // the id of the deployment, or a model name that leads to it
	Response   string // the vendor's own id
}

const (
	idPrefix  = "resp_"
	maxID     = 4 << 10
	idVendor  = "litellm:custom_llm_provider:"
	idModel   = ";model_id:"
	idContent = ";response_id:"
)

// Append appends the id as callers see it, without quotes. It has the reference's form
// (litellm/responses/utils.py, _build_responses_api_response_id).
func (id ID) Append(dst []byte) []byte {
	text := idVendor + id.Provider + idModel + id.Deployment + idContent + id.Response
	return base64.StdEncoding.AppendEncode(append(dst, idPrefix...), []byte(text))
}

// String is the id as callers see it.
func (id ID) String() string { return string(id.Append(nil)) }

// ParseID reads an id. ok is false for one that was not made by Append, such as a vendor's own.
func ParseID(s string) (id ID, ok bool) {
	if len(s) > maxID {
		return ID{}, false
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimPrefix(s, idPrefix), "="))
	if err != nil {
		return ID{}, false
	}
	rest, ok := strings.CutPrefix(string(raw), idVendor)
	if !ok {
		return ID{}, false
	}
	if id.Provider, rest, ok = strings.Cut(rest, idModel); !ok {
		return ID{}, false
	}
	if id.Deployment, id.Response, ok = strings.Cut(rest, idContent); !ok || id.Response == "" {
		return ID{}, false
	}
	return id, true
}

// Of is the id of a response that a deployment makes. model is the name that the caller used, which stands for a
// deployment behind a wildcard.
func Of(d *llm.Deployment, model, response string) ID {
	id := ID{Provider: d.Provider, Deployment: d.ID, Response: response}
	if strings.Contains(d.Group, "*") {
		id.Deployment = model
	}
	return id
}

// Own is the vendor's own id for one that a caller names.
func Own(id string) string {
	if p, ok := ParseID(id); ok {
		return p.Response
	}
	return id
}

// Scanned is what the gateway needs to know from a response, or from an event that holds one.
type Scanned struct {
	ID     llm.Span  // place of the response's id, with its quotes; zero if there is none
	Usage  llm.Usage // zero if the response tells none
	Status string    // of the response
	Failed []byte    // the error of the response, raw; nil if there is none
	Kind   string    // type of the event; "" for a response of its own
	Ended  bool      // nothing follows the event
}

// Scan walks a response, or the data of an event. It is false if b is not one JSON object, as far as that is visible
// without decoding it.
func Scan(b []byte, s *Scanned) bool {
	*s = Scanned{}
	var message []byte
	c := dialect.Object(b)
	for c.Next() {
		switch string(c.Key()) {
		case "type":
			kind, _ := llm.Text(c.Value())
			s.Kind = string(kind)
		case "response":
			if c.First() == '{' {
				at := c.Span()
				s.response(b[at.Start:at.End], at.Start)
			}
		case "message":
			message = c.Value()
		}
	}
	switch s.Kind {
	case "":
		s.response(b, 0)
	case "response.completed", "response.incomplete", "response.failed":
		s.Ended = true
	case "error":
		s.Ended = true
		if s.Failed == nil && message != nil {
			s.Failed = b
		}
	}
	return !c.Broken()
}

func (s *Scanned) response(b []byte, at int) {
	var tools, told llm.Usage
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "id":
			if c.First() == '"' {
				s.ID = c.Span()
				s.ID.Start, s.ID.End = s.ID.Start+at, s.ID.End+at
			}
		case "status":
			status, _ := llm.Text(c.Value())
			s.Status = string(status)
		case "error":
			if c.First() == '{' {
				s.Failed = c.Value()
			}
		case "usage":
			if c.First() == '{' {
				tier := s.Usage.Tier
				s.Usage = Usage(c.Value())
				s.Usage.Tier = tier
			}
		case "output":
			dialect.CountTools(c.Value(), &tools)
		case "tool_usage":
			told.Searches = dialect.Int(dialect.Get(dialect.Get(c.Value(), "web_search"), "num_requests"))
		case "service_tier":
			if word, ok := llm.Text(c.Value()); ok {
				s.Usage.Tier = llm.ServedBy(word)
			}
		}
	}
	// What the vendor counts itself counts more (https://docs.aws.amazon.com/bedrock/latest/userguide/web-search.html).
	s.Usage.Searches = max(s.Usage.Searches, tools.Searches)
	if told.Searches > 0 {
		s.Usage.Searches = told.Searches
	}
	s.Usage.FileSearches, s.Usage.Sessions = tools.FileSearches, tools.Sessions
}

// Usage reads a usage object.
func Usage(b []byte) (u llm.Usage) {
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "input_tokens":
			u.Prompt = dialect.Int(c.Value())
		case "output_tokens":
			u.Completion = dialect.Int(c.Value())
		case "total_tokens":
			u.Total = dialect.Int(c.Value())
		case "input_tokens_details":
			d := dialect.Object(c.Value())
			dialect.PromptDetails(&d, &u)
		case "output_tokens_details":
			d := dialect.Object(c.Value())
			dialect.CompletionDetails(&d, &u)
		case "server_side_tool_usage_details": // https://docs.x.ai/docs/guides/tools/overview
			u.Searches = dialect.Int(dialect.Get(c.Value(), "web_search_calls"))
		}
	}
	if u.Total == 0 {
		u.Total = u.Prompt + u.Completion
	}
	return u
}

// Finish is the finish reason of chat completions for the status of a response.
func Finish(status string) string {
	switch status {
	case "completed":
		return "stop"
	case "incomplete":
		return "length"
	}
	return ""
}
