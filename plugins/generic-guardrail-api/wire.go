package main

import (
	"bytes"
	"encoding/json"
	"maps"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

// question is the body of a request to the service.
type question struct {
	InputType string            `json:"input_type"` // "request" or "response"
	Texts     []string          `json:"texts"`
	Images    []string          `json:"images"`
	Tools     json.RawMessage   `json:"tools"`
	ToolCalls json.RawMessage   `json:"tool_calls"`
	Messages  json.RawMessage   `json:"structured_messages"`
	Model     *string           `json:"model"`
	Data      caller            `json:"request_data"`
	Headers   map[string]string `json:"request_headers"`
	CallID    string            `json:"litellm_call_id"`
	TraceID   string            `json:"litellm_trace_id"`
	Version   *string           `json:"litellm_version"`
	Params    map[string]any    `json:"additional_provider_specific_params"`
}

type caller struct {
	Hash      string `json:"user_api_key_hash,omitempty"`
	Alias     string `json:"user_api_key_alias,omitempty"`
	UserID    string `json:"user_api_key_user_id,omitempty"`
	UserEmail string `json:"user_api_key_user_email,omitempty"`
	TeamID    string `json:"user_api_key_team_id,omitempty"`
	TeamAlias string `json:"user_api_key_team_alias,omitempty"`
	EndUserID string `json:"user_api_key_end_user_id,omitempty"`
	OrgID     string `json:"user_api_key_org_id,omitempty"`
}

// answer is what the service says.
type answer struct {
	Action        string          `json:"action"`
	BlockedReason string          `json:"blocked_reason"`
	Texts         []string        `json:"texts"`
	Images        []string        `json:"images"`
	Tools         json.RawMessage `json:"tools"`
}

// changes reports whether the answer has other texts.
func (a *answer) changes(texts []string) bool {
	for i, t := range a.Texts {
		if t != texts[i] {
			return true
		}
	}
	return false
}

func (p *plugin) question(kind, id, model string, c *sallyport.Caller, header func(string) (string, bool)) question {
	q := question{
		InputType: kind, Texts: []string{}, CallID: id, TraceID: id, Headers: map[string]string{},
		Data: caller{c.KeyHash, c.KeyAlias, c.UserID, c.UserEmail, c.TeamID, c.TeamAlias, c.EndUser, c.OrgID},
	}
	if model != "" {
		q.Model = &model
	}
	if p.version != "" {
		q.Version = &p.version
	}
	if v, ok := header("x-litellm-trace-id"); ok && v != "" {
		q.TraceID = v
	}
	for _, name := range p.headers {
		if v, ok := header(name); ok {
			q.Headers[name] = v
		}
	}
	return q
}

// merged are the operator's parameters with the caller's, which count more, as in LiteLLM.
func merged(base, more map[string]any) map[string]any {
	if len(more) == 0 {
		return base
	}
	all := maps.Clone(base)
	maps.Copy(all, more)
	return all
}

// images are the URLs of the images in messages, data URLs among them.
func images(messages json.RawMessage) []string {
	var list []struct {
		Content json.RawMessage `json:"content"`
	}
	if json.Unmarshal(messages, &list) != nil {
		return nil
	}
	var urls []string
	for _, m := range list {
		var parts []struct {
			Image json.RawMessage `json:"image_url"`
		}
		if json.Unmarshal(m.Content, &parts) != nil {
			continue // a plain text
		}
		for _, part := range parts {
			var object struct {
				URL string `json:"url"`
			}
			var url string
			if json.Unmarshal(part.Image, &object) == nil && object.URL != "" {
				urls = append(urls, object.URL)
			} else if json.Unmarshal(part.Image, &url) == nil && url != "" {
				urls = append(urls, url)
			}
		}
	}
	return urls
}

// same reports whether two JSON values are the same but for white space.
func same(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
