// Package anthropic is the provider for Anthropic's Messages API. Callers speak OpenAI's chat completions, so requests
// and answers are translated: what the other side has a counterpart for is carried, strings as they were written, and
// what it has none for is refused by name. The API is described at https://platform.claude.com/docs/en/api/messages/create.
package anthropic

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "anthropic"

// Settings are what can be set about the provider. The zero value is Anthropic itself.
type Settings struct {
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
	Cloud       *Cloud           // who serves Claude, if not Anthropic itself

	// Sign returns what completes the calls of a deployment without a key, or nil. It may be nil itself.
	Sign func(d *llm.Deployment) (llm.Signer, error)
}

const (
	// defaultBase and version are those of https://platform.claude.com/docs/en/api/overview.
	defaultBase = "https://api.anthropic.com"
	version     = "2023-06-01"

	defaultMaxResponse = 64 << 20
	// defaultMaxTokens is sent if nobody says how long an answer may get, as the API wants to know it. The reference
	// has the same (litellm/constants.py, DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS).
	defaultMaxTokens = 4096
)

// Provider makes endpoints. They share buffers.
type Provider struct {
	s        Settings
	encoders sync.Pool // of *encoder
	wholes   sync.Pool // of *whole
	streams  sync.Pool // of *stream
	natives  sync.Pool // of *relay
}

var _ provider.Provider = (*Provider)(nil)

// New makes the provider.
func New(s Settings) *Provider {
	if s.MaxResponse <= 0 {
		s.MaxResponse = defaultMaxResponse
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	p := &Provider{s: s}
	p.encoders.New = func() any { return new(encoder) }
	p.wholes.New = func() any { return &whole{p: p} }
	p.streams.New = func() any { return &stream{p: p} }
	p.natives.New = func() any { return &relay{p: p} }
	return p
}

// Bind implements provider.Provider. It checks the address, every header line, and the parameters that the deployment
// sets.
func (p *Provider) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	e := &endpoint{p: p, d: d, model: llm.AppendQuoted(nil, d.Model)}
	if d.Model == "" {
		return nil, e.problem("model", "is missing")
	}
	e.adaptive = anthropic.AtLeast(d.Model, 4, 6)
	e.structured = anthropic.AtLeast(d.Model, 4, 5)
	bind := e.bindTarget
	if c := p.s.Cloud; c != nil {
		bind = func() error { return c.bind(e) }
	}
	if err := bind(); err != nil {
		return nil, err
	}
	if d.APIKey == "" && p.s.Cloud == nil && p.s.Sign != nil {
		var err error
		if e.signer, err = p.s.Sign(d); err != nil {
			return nil, err
		}
	}
	if err := e.bindHead(); err != nil {
		return nil, err
	}
	return e, e.bindParams()
}

// endpoint is a deployment ready to be called. It is immutable.
type endpoint struct {
	p     *Provider
	d     *llm.Deployment
	model []byte // quoted

	// adaptive: the model decides itself how much it thinks, and takes an effort in place of a budget
	// (https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking).
	adaptive bool
	// structured: the model's answer can be held to a schema
	// (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
	structured bool

	target llm.Target
	path   []byte

	streamPath []byte     // of streams; nil: path
	countPath  []byte     // of counts of tokens; nil: the API is not there
	signer     llm.Signer // completes calls; nil for none

	head  []byte
	names []string // names of the lines in head

	unversioned []byte // head without the version of the API, for callers who name one; nil if the deployment sets it
}

func (e *endpoint) problem(setting, what string) error {
	return &provider.SettingError{Group: e.d.Group, Setting: setting, Problem: what}
}

// bindTarget takes the base with or without its /v1, and with the whole path, as the reference does
// (litellm/llms/anthropic/common_utils.py).
func (e *endpoint) bindTarget() error {
	base := e.d.Base
	if base == "" {
		base = defaultBase
	}
	path, query, problem := provider.Target(base, &e.target)
	if problem != "" {
		return e.problem("api_base", problem)
	}
	e.target.Trust = provider.Trust(e.d)
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/messages"), "/v1") + "/v1/messages"
	count := path + "/count_tokens"
	if query != "" {
		path, count = path+"?"+query, count+"?"+query
	}
	e.path, e.countPath = []byte(path), []byte(count)
	return nil
}

func (e *endpoint) bindHead() error {
	lines := []llm.Pair{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Accept", Value: "application/json, text/event-stream"},
		{Name: "User-Agent", Value: "sallyport"},
		{Name: "anthropic-version", Value: version},
	}
	own := false
	for _, h := range e.d.ExtraHeaders {
		if problem := provider.BadHeader(h.Name, h.Value); problem != "" {
			return e.problem("extra_headers", "holds "+strconv.Quote(h.Name)+", which "+problem)
		}
		own = own || strings.EqualFold(h.Name, "x-api-key") || strings.EqualFold(h.Name, "authorization")
		lines = slices.DeleteFunc(lines, func(l llm.Pair) bool { return strings.EqualFold(l.Name, h.Name) })
		lines = append(lines, h)
	}
	switch {
	case own: // the operator sends a credential of his own making
		e.signer = nil
	case e.signer != nil:
	case e.d.APIKey == "":
		return e.problem("api_key", "is missing; it can also be set as ANTHROPIC_API_KEY")
	default:
		if problem := provider.BadHeader("x-api-key", e.d.APIKey); problem != "" {
			return e.problem("api_key", problem)
		}
		lines = append(lines, llm.Pair{Name: "x-api-key", Value: e.d.APIKey})
	}
	fixed := slices.ContainsFunc(e.d.ExtraHeaders, func(h llm.Pair) bool { return strings.EqualFold(h.Name, "anthropic-version") })
	if e.p.s.Cloud != nil {
		lines = slices.DeleteFunc(lines, func(l llm.Pair) bool { return isVersion(l.Name) })
		fixed = true
	}
	for _, l := range lines {
		line := l.Name + ": " + l.Value + "\r\n"
		e.names = append(e.names, l.Name)
		e.head = append(e.head, line...)
		if !fixed && l.Name != "anthropic-version" {
			e.unversioned = append(e.unversioned, line...)
		}
	}
	return nil
}

// bindParams checks the parameters that the deployment sets.
func (e *endpoint) bindParams() error {
	for _, name := range e.d.AdditionalDrop {
		if problem := provider.BadPath(name); problem != "" && strings.ContainsAny(name, ".[") {
			return e.problem("additional_drop_params", "holds "+strconv.Quote(name)+", which "+problem)
		}
	}
	for _, d := range e.d.Defaults {
		if err := e.checkParam(d.Name, d); err != nil {
			return err
		}
		if openai.Control([]byte(d.Name)) && d.Name != "metadata" {
			return e.problem(d.Name, "is a control of the gateway and no parameter that can be sent to "+Name)
		}
		if !e.d.DropParams && unsupported([]byte(d.Name), []byte(d.Value)) && !slices.Contains(e.d.AllowedParams, d.Name) &&
			!slices.Contains(e.d.AdditionalDrop, d.Name) {
			return e.problem(d.Name, "is not supported by "+Name+": remove it or set drop_params")
		}
	}
	for _, d := range e.d.ExtraBody {
		if err := e.checkParam("extra_body", d); err != nil {
			return err
		}
	}
	return nil
}

// checkParam refuses what would make the request another one than the gateway thinks it is.
func (e *endpoint) checkParam(setting string, p llm.Pair) error {
	if provider.Reserved(p.Name) {
		return e.problem(setting, "must not set "+p.Name+", which belongs to the caller and the gateway")
	}
	if !json.Valid([]byte(p.Value)) {
		return e.problem(setting, "holds a value for "+p.Name+" that is not JSON")
	}
	return nil
}

func (e *endpoint) hasLine(name []byte) bool {
	return slices.ContainsFunc(e.names, func(have string) bool { return llm.EqualFold(name, have) })
}

// refusal is the error for a request that cannot be sent to the vendor.
func refusal(param, msg string) *llm.Error {
	return &llm.Error{
		Op: "anthropic.Encode", Kind: llm.KindBadRequest, Provider: Name, Type: "invalid_request_error", Param: param, Message: msg,
	}
}

// blank reports whether a JSON string is empty.
func blank(raw []byte) bool { return bytes.Equal(raw, []byte(`""`)) }
