// Package openai is the provider for OpenAI's API and for every vendor that speaks it. As the caller speaks it too,
// nothing is translated: a request is patched where it must be and an answer where the caller would notice, and all
// other bytes pass as they are.
package openai

import (
	"slices"
	"sync"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Settings tell the vendors of the API apart. The zero value is OpenAI itself, with every default named below.
type Settings struct {
	Name string // the vendor in errors; "" is "openai"
	Base string // where the API is if a deployment does not say; "" is https://api.openai.com/v1 for openai, else required

	BaseSuffix string // what a base URL ends with, also if the deployment's leaves it out, such as "/v1"

	KeyOptional bool     // the vendor needs no key, such as a server of one's own
	DefaultKey  string   // the key to send if a deployment has none
	KeyHeader   string   // the header that carries the key alone; "" is "Authorization: Bearer"
	KeyVars     []string // environment variables of the key, for the error when it is missing
	BaseVars    []string // environment variables of the base URL, likewise

	Rename      []llm.Pair // parameters the vendor knows under another name: Name becomes Value
	Unsupported []string   // parameters the vendor refuses
	Responses   bool       // the vendor has OpenAI's Responses API; the zero value of Name: it has
	Answers     Responses  // what it has of it
	NewLimit    bool       // its models that think know max_completion_tokens only; likewise
	Reasons     bool       // it has a use for the reasoning_content of earlier answers
	Caches      bool       // it knows cache_control
	Extended    bool       // it knows all extensions of the reference

	NoStreamOptions bool            // the vendor refuses stream_options, and so never reports the usage of a stream unasked
	Lacks           []llm.Operation // operations the vendor does not offer, of chats, completions and embeddings
	Offers          []llm.Operation // operations the vendor offers beside those three; the zero value of Name: all of OpenAI's

	// Place says for a deployment where its calls go, for a vendor whose addresses are not a base with the operation's
	// name behind it. Nil: they are.
	Place func(d *llm.Deployment) (*provider.Place, error)

	MaxResponse int64 // bytes of an answer, a stream's in sum; 0 is 64 MB
}

// Responses says what a vendor has of OpenAI's Responses API. The zero value is all of it, for all models.
type Responses struct {
	Models    []string // parts of the names of the models that have it; nil: all do
	Stateless bool     // it keeps no responses, and knows nothing of those that were
	Root      string   // what stands before /responses in the path, below the base, such as "/v1"
}

const (
	defaultBase        = "https://api.openai.com/v1"
	defaultMaxResponse = 64 << 20
)

// Provider makes endpoints of one vendor. Its endpoints share buffers.
type Provider struct {
	s       Settings
	wholes  sync.Pool // of *whole
	streams sync.Pool // of *stream
	relays  sync.Pool // of *relay
}

var _ provider.Provider = (*Provider)(nil)

// New makes the provider of the vendor that s describes.
func New(s Settings) *Provider {
	if s.Name == "" {
		s.Name, s.Responses, s.NewLimit = "openai", true, true
	}
	if s.Base == "" && s.Name == "openai" {
		s.Base = defaultBase
	}
	if s.Offers == nil && s.Name == "openai" {
		s.Offers = offered()
	}
	if s.MaxResponse <= 0 {
		s.MaxResponse = defaultMaxResponse
	}
	p := &Provider{s: s}
	p.wholes.New = func() any { return &whole{p: p} }
	p.streams.New = func() any { return &stream{p: p} }
	p.relays.New = func() any { return &relay{p: p} }
	return p
}

// Supported implements provider.Parameters.
func (p *Provider) Supported(op llm.Operation) ([]string, bool) {
	if slices.Contains(p.s.Lacks, op) || !basic(op) && !slices.Contains(p.s.Offers, op) {
		return nil, false
	}
	list := slices.DeleteFunc(openai.Parameters(op), func(name string) bool { return slices.Contains(p.s.Unsupported, name) })
	if op.Streams() {
		list = append(list, "stream")
		if !p.s.NoStreamOptions {
			list = append(list, "stream_options")
		}
	}
	slices.Sort(list)
	return list, true
}

// Bind implements provider.Provider. It checks the address, every header line, and that nothing is configured twice
// over in a way that could not take effect.
func (p *Provider) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	e := &endpoint{p: p, d: d, model: llm.AppendQuoted(nil, d.Model)}
	if d.Model == "" {
		return nil, e.problem("model", "is missing")
	}
	if p.s.Place != nil {
		place, err := p.s.Place(d)
		if err != nil {
			return nil, err
		}
		e.place = *place
	}
	if err := e.bindTarget(); err != nil {
		return nil, err
	}
	if err := e.bindHead(); err != nil {
		return nil, err
	}
	if err := e.bindRules(); err != nil {
		return nil, err
	}
	return e, nil
}

// endpoint is a deployment ready to be called. It is immutable.
type endpoint struct {
	p     *Provider
	d     *llm.Deployment
	model []byte // the vendor's name for the model, quoted

	place  provider.Place // the zero value unless the vendor says one
	target llm.Target
	paths  [llm.OpRealtime + 1][]byte // by operation; nil if the vendor does not offer it
	root   string                     // of all paths
	query  string                     // at the end of all paths, without the question mark
	talk   string                     // the path of conversations, with the model in its query
	head   []byte
	bare   []byte          // head without the lines that describe the body
	names  map[string]bool // names of the lines in head, in lower case

	answers  bool // the model has the Responses API
	rules    map[string]rule
	defaults []member // added when the request does not have them
	forced   []member // set in every request
	metadata bool     // metadata goes to the vendor
}

// member is a member of an object in the pieces that are written.
type member struct {
	name  string
	key   []byte // quoted, with the colon behind it
	value []byte
}

func newMember(p llm.Pair) member {
	return member{name: p.Name, key: append(llm.AppendQuoted(nil, p.Name), ':'), value: []byte(p.Value)}
}

// problem is the error for a setting that cannot be used.
func (e *endpoint) problem(setting, what string) error {
	return &provider.SettingError{Group: e.d.Group, Setting: setting, Problem: what}
}
