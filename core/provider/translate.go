package provider

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Translation describes a vendor whose API has a form of its own, by functions that turn requests and answers from one
// form into the other. Everything else about a call, such as addresses, headers, controls, limits, errors and streams, is
// done by the provider that Translate makes of it.
type Translation struct {
	Name string // the vendor in model names and errors
	Base string // where the API is if a deployment does not say; "" must be configured

	// Locate returns the base URL of a deployment, for a vendor whose address depends on settings, or who takes a base
	// in several forms. Nil takes the deployment's, or else Base. The error is one of Site.Problem.
	Locate func(s *Site) (string, error)

	BaseVars    []string   // environment variables of the base URL, for the error when it is missing
	KeyVars     []string   // environment variables of the key, likewise
	KeyHeader   string     // the header that carries the key; "" is Authorization
	KeyScheme   string     // what stands before the key; "" is "Bearer " for Authorization and nothing for others
	KeyOptional bool       // calls work without a key
	Headers     []llm.Pair // lines that every call has

	// Bind checks the settings of a deployment and completes the site: Signer, further headers, Own.
	Bind func(s *Site) error

	Names      bool                    // messages can name who speaks
	Allows     bool                    // the choice of tools can be limited to some of them
	Free       bool                    // tools may have text as their input
	Chat       *Chat                   // nil: no chats
	Completion *Chat                   // text completions; nil has them answered as chats
	Forms      map[llm.Operation]*Form // the other operations
	Natives    []*Native               // other dialects that chats can be sent in as they came

	// Classify corrects the error that openai.Classify made of a refusal. Nil keeps it.
	Classify func(s *Site, e *llm.Error, body []byte)

	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// Chat translates chats, or text completions.
type Chat struct {
	Path       string                                                           // what follows the base; "{model}" stands for the model
	StreamPath string                                                           // likewise, for streams; "" is Path
	Route      func(t *Turn, dst []byte) []byte                                 // appends the path and query, in place of Path
	Params     []string                                                         // the parameters of OpenAI's API that the vendor has something for
	Request    func(t *Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) // appends the body
	Whole      func(t *Turn, body []byte, s *openai.Said) error                 // reads a whole answer, which is JSON

	// Events makes a reader for one stream: it reads an event, and sets what the event adds. A vendor that does not
	// stream has none: it is asked for whole answers.
	Events func(t *Turn) func(e *Event, s *openai.Said) error
	Frames Frames // how events come; the zero value is server-sent events
	Open   bool   // a stream has no mark at its end: the end of the input is the end of the answer
}

// Form translates one operation that is no chat.
type Form struct {
	Path    string                                          // as in Chat
	Route   func(t *Turn, dst []byte) []byte                // likewise
	Params  []string                                        // likewise
	Request func(t *Turn, dst []byte) ([]byte, error)       // appends the body; the members are in t.Params
	Answer  func(t *Turn, body, dst []byte) ([]byte, error) // appends the answer in OpenAI's form, and sets t.Usage

	// Typed leaves out the line Content-Type: application/json; Request adds one.
	Typed bool
	// Verbatim has the answer sent on as it comes, such as a sound. Answer is nil. Settle, if it is not nil, says what it
	// costs.
	Verbatim bool
	Settle   func(x *llm.Exchange, u *llm.Usage)
	// Loose passes an answer that is not JSON to Answer.
	Loose bool
}

const (
	defaultMaxResponse = 64 << 20
	maxRefusal         = 64 << 10 // how much of a refusal is read, in bytes
	firstBuffer        = 8 << 10
	keepBuffer         = 1 << 20 // a buffer that grew beyond this is not kept
)

// Translate makes the provider of a vendor. v must not be changed afterwards.
func Translate(v Translation) *Translated {
	if v.MaxResponse <= 0 {
		v.MaxResponse = defaultMaxResponse
	}
	if v.Now == nil {
		v.Now = time.Now
	}
	p := &Translated{v: v, supported: map[llm.Operation][]string{}}
	for op, f := range v.Forms {
		p.supported[op] = f.Params
	}
	if v.Chat != nil {
		p.supported[llm.OpChat], p.supported[llm.OpCompletion] = v.Chat.Params, v.Chat.Params
	}
	if v.Completion != nil {
		p.supported[llm.OpCompletion] = v.Completion.Params
	}
	p.requests.New = func() any { return new(openai.ChatRequest) }
	p.wholes.New = func() any { return &whole{p: p} }
	p.streams.New = func() any { return &stream{p: p} }
	return p
}

// Translated is the provider of a vendor that a Translation describes. Its endpoints share buffers.
type Translated struct {
	v         Translation
	supported map[llm.Operation][]string
	requests  sync.Pool // of *openai.ChatRequest
	wholes    sync.Pool // of *whole
	streams   sync.Pool // of *stream
}

var _ Provider = (*Translated)(nil)

// Supported returns the parameters of OpenAI's API that the vendor takes with an operation, in order, and whether it
// offers the operation at all. The caller owns the list.
func (p *Translated) Supported(op llm.Operation) ([]string, bool) {
	list, ok := p.supported[op]
	list = slices.Sorted(slices.Values(list))
	if ok && op.Streams() {
		list = append(list, "stream", "stream_options")
	}
	return list, ok
}

// Site is a deployment of a vendor, ready to be called. It does not change once Bind returned.
type Site struct {
	Deployment *llm.Deployment
	Target     llm.Target // where calls go, unless Request chooses another
	Root       string     // the path of the base URL, without a slash at its end
	Query      string     // its query
	Model      []byte     // the vendor's name for the model, quoted
	Signer     llm.Signer // completes each call; nil for none
	Keyless    bool       // no key is sent: a Signer, or Headers, bring the credential
	Own        any        // what the vendor prepared

	v     *Translation
	lines []llm.Pair
}

// Header adds a line to every call, or replaces the one with the name. An extra header of the operator's counts more.
func (s *Site) Header(name, value string) {
	s.lines = slices.DeleteFunc(s.lines, func(l llm.Pair) bool { return strings.EqualFold(l.Name, name) })
	s.lines = append(s.lines, llm.Pair{Name: name, Value: value})
}

// Problem is the error for a setting that cannot be used.
func (s *Site) Problem(setting, what string) error {
	return &SettingError{Group: s.Deployment.Group, Setting: setting, Problem: what}
}

// endpoint is a Site with all that calls have in common.
type endpoint struct {
	p      *Translated
	s      *Site
	head   []byte // header lines
	typed  []byte // header lines without a content type
	names  []string
	params params
}

// Bind implements Provider. It checks the address, every header line, and the parameters that the deployment sets.
func (p *Translated) Bind(d *llm.Deployment) (Endpoint, error) {
	s := &Site{Deployment: d, Model: llm.AppendQuoted(nil, d.Model), v: &p.v}
	e := &endpoint{p: p, s: s}
	if d.Model == "" {
		return nil, s.Problem("model", "is missing")
	}
	if err := e.locate(); err != nil {
		return nil, err
	}
	s.lines = []llm.Pair{
		{Name: "Accept", Value: "application/json, text/event-stream"}, {Name: "User-Agent", Value: "sallyport"},
	}
	s.lines = append(s.lines, p.v.Headers...)
	if p.v.Bind != nil {
		if err := p.v.Bind(s); err != nil {
			return nil, err
		}
	}
	if err := e.bindHead(); err != nil {
		return nil, err
	}
	return e, e.params.bind(s)
}

func (e *endpoint) locate() error {
	v, base, err := &e.p.v, e.s.Deployment.Base, error(nil)
	if base == "" {
		base = v.Base
	}
	if v.Locate != nil {
		if base, err = v.Locate(e.s); err != nil {
			return err
		}
	}
	if base == "" {
		return e.s.Problem("api_base", "is missing: "+v.Name+" has no address of its own"+Variables(v.BaseVars))
	}
	path, query, problem := Target(base, &e.s.Target)
	if problem != "" {
		return e.s.Problem("api_base", problem)
	}
	e.s.Root, e.s.Query, e.s.Target.Trust = path, query, Trust(e.s.Deployment)
	return nil
}

// bindHead writes the header lines.
func (e *endpoint) bindHead() error {
	v, d := &e.p.v, e.s.Deployment
	name, scheme := v.KeyHeader, v.KeyScheme
	if name == "" {
		name = "Authorization"
		if scheme == "" {
			scheme = "Bearer "
		}
	}
	own := false
	for _, h := range d.ExtraHeaders {
		if problem := BadHeader(h.Name, h.Value); problem != "" {
			return e.s.Problem("extra_headers", "holds "+strconv.Quote(h.Name)+", which "+problem)
		}
		own = own || strings.EqualFold(h.Name, name) || strings.EqualFold(h.Name, "authorization")
		e.s.Header(h.Name, h.Value)
	}
	switch {
	case own || e.s.Keyless:
	case d.APIKey != "":
		if problem := BadHeader(name, d.APIKey); problem != "" {
			return e.s.Problem("api_key", problem)
		}
		e.s.Header(name, scheme+d.APIKey)
	case !v.KeyOptional:
		return e.s.Problem("api_key", "is missing"+Variables(v.KeyVars))
	}
	return e.writeHead()
}

func (e *endpoint) writeHead() error {
	e.head = []byte("Content-Type: application/json\r\n")
	for _, l := range e.s.lines {
		if problem := BadHeader(l.Name, l.Value); problem != "" {
			return errors.New("the header line " + strconv.Quote(l.Name) + " " + problem)
		}
		e.names = append(e.names, l.Name)
		line := l.Name + ": " + l.Value + "\r\n"
		if strings.EqualFold(l.Name, "Content-Type") {
			e.head = nil
			for _, have := range e.s.lines {
				e.head = append(e.head, have.Name+": "+have.Value+"\r\n"...)
			}
			e.typed = slices.Clone(e.head)
			return nil
		}
		e.head = append(e.head, line...)
		e.typed = append(e.typed, line...)
	}
	return nil
}

// Variables is the part of an error that names environment variables which can hold what is missing.
func Variables(names []string) string {
	if len(names) == 0 {
		return ""
	}
	last := len(names) - 1
	if last == 0 {
		return "; it can also be set as " + names[0]
	}
	return "; it can also be set as " + strings.Join(names[:last], ", ") + " or " + names[last]
}

// path is the request target of a call: what the vendor's Route says, or the path with the model in its place.
func (e *endpoint) path(t *Turn, path string, route func(*Turn, []byte) []byte) []byte {
	dst := make([]byte, 0, len(e.s.Root)+len(path)+len(e.s.Query)+64)
	dst = append(dst, e.s.Root...)
	if route != nil {
		dst = route(t, dst)
	} else {
		before, after, ok := strings.Cut(path, "{model}")
		dst = append(dst, before...)
		if ok {
			dst = append(append(dst, EscapeModel(e.s.Deployment.Model)...), after...)
		}
	}
	if e.s.Query == "" {
		return dst
	}
	if slices.Contains(dst, '?') {
		dst = append(dst, '&')
	} else {
		dst = append(dst, '?')
	}
	return append(dst, e.s.Query...)
}

// EscapeModel writes the name of a model for a path. Slashes stay, as they are part of the path for vendors whose models
// have them.
func EscapeModel(model string) string {
	return strings.ReplaceAll(url.PathEscape(model), "%2F", "/")
}

// settle is Settle for Relay.
func (f *Form) settle(x *llm.Exchange) func(*llm.Reply, *usage.Found) {
	return func(r *llm.Reply, found *usage.Found) {
		r.Usage = found.Usage()
		if f.Settle != nil {
			f.Settle(x, &r.Usage)
		}
	}
}
