package plugintool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Input is what a hook is tried on, as a file says it. Every member may be left out; sdk/README.md says which hook looks
// at which.
type Input struct {
	Method  string            `json:"method"`  // of the request; POST, or GET where somebody signs in
	Path    string            `json:"path"`    // of the request; that of chat completions, or of the hook's own route
	Query   string            `json:"query"`   // of the request, raw
	Headers map[string]string `json:"headers"` // of the request; Authorization holds the credential
	Caller  *Caller           `json:"caller"`  // who asks, as the gateway authenticated it
	Request json.RawMessage   `json:"request"` // the body

	Response json.RawMessage   `json:"response"` // the answer: a text, or the JSON of an answer
	Stream   []json.RawMessage `json:"stream"`   // a streamed answer: pieces of text, or the JSON of chunks
	Leave    int               `json:"leave"`    // the caller leaves after so many chunks
	Error    *Fault            `json:"error"`    // the error on its way to the caller

	Deployments []Deployment   `json:"deployments"` // that may be called; a provider is given the first
	Retries     int            `json:"retries"`     // attempts that failed
	Vendor      *Vendor        `json:"vendor"`      // what the vendor answers to a provider's call
	Records     []Record       `json:"records"`     // of exchanges that have ended
	Params      map[string]any `json:"params"`      // of the key to make, as sent to /key/generate
	Claims      map[string]any `json:"claims"`      // what the identity provider says

	Config  map[string]any    `json:"config"`  // the plugin's config block
	Secrets map[string]string `json:"secrets"` // by name of the environment variable
	KV      map[string]string `json:"kv"`      // what the key-value store holds
	HTTP    []Scripted        `json:"http"`    // what services answer
}

// Fault is an error on its way to a caller.
type Fault struct {
	Status  int    `json:"status"` // 503 unless it is said
	Message string `json:"message"`
	Type    string `json:"type"`
}

// Deployment is one place where a model can be called.
type Deployment struct {
	ID       string         `json:"id"`
	Group    string         `json:"model_group"`
	Model    string         `json:"model"` // the vendor's name for it
	Provider string         `json:"provider"`
	Base     string         `json:"api_base"`
	APIKey   string         `json:"api_key"`
	Tags     []string       `json:"tags"`
	Weight   float64        `json:"weight"`
	RPM      float64        `json:"rpm"`
	TPM      float64        `json:"tpm"`
	InFlight int64          `json:"in_flight"`
	Info     map[string]any `json:"model_info"`
}

// Vendor is a vendor's answer.
type Vendor struct {
	Status  int               `json:"status"` // 200 unless it is said
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`   // a text, or JSON
	Events  []json.RawMessage `json:"events"` // in place of a body: the data of the events of a stream, texts or JSON
}

// Record is an exchange that has ended.
type Record struct {
	ID          string          `json:"id"`
	CallType    string          `json:"call_type"`
	Path        string          `json:"path"`
	Model       string          `json:"model_group"`
	Deployment  *Deployment     `json:"deployment"`
	Caller      *Caller         `json:"caller"`
	ClientIP    string          `json:"client_ip"`
	UserAgent   string          `json:"user_agent"`
	Stream      bool            `json:"stream"`
	CacheHit    bool            `json:"cache_hit"`
	Start       time.Time       `json:"start"`
	End         time.Time       `json:"end"`
	FirstToken  time.Time       `json:"first_token"`
	Prompt      int64           `json:"prompt_tokens"`
	Completion  int64           `json:"completion_tokens"`
	Cost        *float64        `json:"cost"` // US dollars
	Status      int             `json:"status"`
	Finish      string          `json:"finish_reason"`
	Error       *Fault          `json:"error"` // absent is success
	Guardrails  []string        `json:"guardrails"`
	Retries     int             `json:"retries"`
	Fallbacks   int             `json:"fallbacks"`
	Metadata    json.RawMessage `json:"metadata"` // that the caller sent
	Messages    json.RawMessage `json:"messages"`
	Response    json.RawMessage `json:"response"`
	RequestTags string          `json:"tags"` // the x-litellm-tags header
}

// Caller is who asks, or whom an auth or sso hook let in, with the names of LiteLLM's UserAPIKeyAuth.
type Caller struct {
	KeyHash      string         `json:"api_key,omitempty"`
	KeyAlias     string         `json:"key_alias,omitempty"`
	UserID       string         `json:"user_id,omitempty"`
	UserEmail    string         `json:"user_email,omitempty"`
	TeamID       string         `json:"team_id,omitempty"`
	TeamAlias    string         `json:"team_alias,omitempty"`
	OrgID        string         `json:"org_id,omitempty"`
	EndUser      string         `json:"end_user_id,omitempty"`
	Role         string         `json:"user_role,omitempty"`
	Models       []string       `json:"models,omitempty"`
	Metadata     map[string]any `json:"metadata,omitempty"`
	TeamMetadata map[string]any `json:"team_metadata,omitempty"`
}

func (c *Caller) principal() *llm.Principal {
	if c == nil {
		return nil
	}
	return &llm.Principal{
		KeyHash: c.KeyHash, KeyAlias: c.KeyAlias, UserID: c.UserID, Email: c.UserEmail, TeamID: c.TeamID, TeamName: c.TeamAlias,
		OrgID: c.OrgID, EndUser: c.EndUser, Role: llm.Role(c.Role), Models: c.Models, Metadata: c.Metadata, TeamMetadata: c.TeamMetadata,
	}
}

func callerOf(p *llm.Principal) *Caller {
	return &Caller{
		KeyHash: p.KeyHash, KeyAlias: p.KeyAlias, UserID: p.UserID, UserEmail: p.Email, TeamID: p.TeamID, TeamAlias: p.TeamName,
		OrgID: p.OrgID, EndUser: p.EndUser, Role: string(p.Role), Models: p.Models, Metadata: p.Metadata, TeamMetadata: p.TeamMetadata,
	}
}

// ParseInput reads an input, JSON or YAML.
func ParseInput(b []byte) (*Input, error) {
	if !json.Valid(b) {
		var v map[string]any
		err := yaml.Unmarshal(b, &v)
		if err == nil {
			b, err = json.Marshal(v)
		}
		if err != nil {
			return nil, fmt.Errorf("neither JSON nor YAML: %w", err)
		}
	}
	in := &Input{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return nil, fmt.Errorf("there is no member %s: `sallyport plugin test --hook HOOK --example` shows those of a hook; "+
				"the body of a request stands in the member \"request\", or in a file of its own with --request", name)
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	whole(in.Params)
	whole(in.Claims)
	whole(in.Config)
	if in.Leave < 0 || in.Retries < 0 {
		return nil, errors.New("leave and retries are not below 0")
	}
	for i := range in.HTTP {
		if err := in.HTTP[i].check(); err != nil {
			return nil, fmt.Errorf("http.%d: %w", i, err)
		}
	}
	return in, nil
}

// whole makes integers of the numbers in a decoded document that are whole, as configurations have them.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case map[string]any:
		for key, member := range v {
			v[key] = whole(member)
		}
	case []any:
		for i, member := range v {
			v[i] = whole(member)
		}
	}
	return v
}

// ReadInput reads an input from a file.
func ReadInput(file string) (*Input, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	in, err := ParseInput(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return in, nil
}

// AddHeader adds a header of the form "name: value".
func (in *Input) AddHeader(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return fmt.Errorf("header %q is not of the form 'name: value'", line)
	}
	if in.Headers == nil {
		in.Headers = map[string]string{}
	}
	in.Headers[name] = strings.TrimSpace(value)
	return nil
}

// SetResponse takes an answer as a vendor sent it: a JSON document, or an event stream.
func (in *Input) SetResponse(b []byte) error {
	b = bytes.TrimSpace(b)
	if json.Valid(b) {
		in.Response, in.Stream = b, nil
		return nil
	}
	in.Response, in.Stream = nil, nil
	for line := range bytes.Lines(b) {
		data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data:"))
		if data = bytes.TrimSpace(data); !ok || string(data) == "[DONE]" {
			continue
		}
		if !json.Valid(data) {
			return fmt.Errorf("the answer holds an event that is not JSON: %.40q", data)
		}
		in.Stream = append(in.Stream, bytes.Clone(data))
	}
	if in.Stream == nil {
		return errors.New("the answer is neither JSON nor an event stream, whose lines begin with \"data:\"")
	}
	return nil
}

// text returns the value of a JSON string, or the JSON itself.
func text(raw json.RawMessage) (s string, isText bool) {
	if json.Unmarshal(raw, &s) == nil && len(raw) > 0 && raw[0] == '"' {
		return s, true
	}
	return string(raw), false
}

// answer returns the answer as a document.
func (in *Input) answer() []byte {
	s, isText := text(bytes.TrimSpace(in.Response))
	if !isText {
		return []byte(s)
	}
	b := llm.AppendQuoted([]byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"model","choices":[`+
		`{"index":0,"message":{"role":"assistant","content":`), s)
	return append(b, `},"finish_reason":"stop"}]}`...)
}

// chunks returns the stream as documents. Pieces of text become chunks of the first choice, with one behind them that
// ends it.
func (in *Input) chunks() [][]byte {
	var list [][]byte
	const head = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"model","choices":[{"index":0,"delta":`
	texts := false
	for _, raw := range in.Stream {
		s, isText := text(raw)
		if !isText {
			list = append(list, []byte(s))
			continue
		}
		texts = true
		b := llm.AppendQuoted([]byte(head+`{"content":`), s)
		list = append(list, append(b, `},"finish_reason":null}]}`...))
	}
	if texts {
		list = append(list, []byte(head+`{},"finish_reason":"stop"}]}`))
	}
	return list
}

func (in *Input) header() llm.Header {
	var h llm.Header
	for _, name := range sortedKeys(in.Headers) {
		h = append(h, llm.Field{Name: []byte(name), Value: []byte(in.Headers[name])})
	}
	return h
}

// canonical returns the headers of a vendor's or a service's answer.
func canonical(h map[string]string) http.Header {
	header := http.Header{}
	for name, value := range h {
		header.Set(name, value)
	}
	return header
}
