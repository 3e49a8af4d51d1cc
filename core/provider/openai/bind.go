package openai

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// bindTarget takes the address apart: "https://host/v1?api-version=1" and "/chat/completions" become the target
// https://host and the path "/v1/chat/completions?api-version=1".
func (e *endpoint) bindTarget() error {
	base := e.place.Base
	if base == "" {
		base = e.d.Base
	}
	if base == "" {
		base = e.p.s.Base
	}
	if base == "" {
		return e.problem("api_base", "is missing: "+e.p.s.Name+" has no address of its own"+provider.Variables(e.p.s.BaseVars))
	}
	path, query, problem := provider.Target(base, &e.target)
	if problem != "" {
		return e.problem("api_base", problem)
	}
	e.target.Trust = provider.Trust(e.d)
	for _, op := range operations() {
		if e.place.Path == nil && strings.HasSuffix(path, "/"+op.String()) {
			return e.problem("api_base", "must end before /"+op.String()+", which is added for each call")
		}
	}
	e.bindPaths(path, query)
	return nil
}

func (e *endpoint) bindPaths(root, query string) {
	if !strings.HasSuffix(root, e.p.s.BaseSuffix) {
		root += e.p.s.BaseSuffix
	}
	e.root, e.query = root, joinQuery(query, e.place.Query)
	for _, op := range operations() {
		if slices.Contains(e.p.s.Lacks, op) || !basic(op) && !slices.Contains(e.p.s.Offers, op) {
			continue
		}
		tail := e.tail(op)
		if tail == "" {
			continue
		}
		switch op {
		case llm.OpResource:
			e.root = root + strings.TrimRight(tail, "/")
			tail = strings.TrimRight(tail, "/")
		case llm.OpRealtime:
			e.talk = root + tail
			e.paths[op] = []byte(e.talk)
			continue
		}
		path := root + tail
		if e.query != "" {
			path += "?" + e.query
		}
		e.paths[op] = []byte(path)
	}
}

// tail is what follows the root for an operation, or "" if the deployment does not offer it.
func (e *endpoint) tail(op llm.Operation) string {
	switch {
	case e.place.Path != nil:
		return e.place.Path(op)
	case op == llm.OpResource:
		return "/"
	case op == llm.OpRealtime:
		return "/realtime?model=" + escape(e.d.Model)
	}
	return "/" + op.String()
}

func joinQuery(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

func operations() []llm.Operation {
	return append([]llm.Operation{llm.OpChat, llm.OpCompletion, llm.OpEmbedding, llm.OpRerank}, offered()...)
}

// offered are the operations of OpenAI's API beside the three that nearly all vendors have
// (https://platform.openai.com/docs/api-reference).
func offered() []llm.Operation {
	return []llm.Operation{
		llm.OpModeration, llm.OpImage, llm.OpImageEdit, llm.OpImageVariation, llm.OpSpeech, llm.OpTranscription,
		llm.OpTranslation, llm.OpResource, llm.OpRealtime,
	}
}

// basic reports whether a vendor is expected to offer the operation unless it says that it lacks it.
func basic(op llm.Operation) bool {
	return op == llm.OpChat || op == llm.OpCompletion || op == llm.OpEmbedding
}

// bindHead writes the header lines that all calls have in common. The request line, Host, Content-Length and whatever
// else belongs to the connection are written by the transport, from the target and the call.
func (e *endpoint) bindHead() error {
	key := e.d.APIKey
	if key == "" {
		key = e.p.s.DefaultKey
	}
	lines := []llm.Pair{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Accept", Value: "application/json, text/event-stream"},
		{Name: "User-Agent", Value: "sallyport"},
	}
	if e.d.Organization != "" {
		lines = append(lines, llm.Pair{Name: "OpenAI-Organization", Value: e.d.Organization})
	}
	for _, h := range e.d.ExtraHeaders {
		if problem := provider.BadHeader(h.Name, h.Value); problem != "" {
			return e.problem("extra_headers", "holds "+strconv.Quote(h.Name)+", which "+problem)
		}
		lines = slices.DeleteFunc(lines, func(l llm.Pair) bool { return strings.EqualFold(l.Name, h.Name) })
		lines = append(lines, h)
	}
	auth := llm.Pair{Name: "Authorization", Value: "Bearer " + key}
	header := e.p.s.KeyHeader
	if e.place.KeyHeader != "" {
		header = e.place.KeyHeader
	}
	if header != "" && !e.place.KeyBearer {
		auth = llm.Pair{Name: header, Value: key}
	}
	own := slices.ContainsFunc(e.d.ExtraHeaders, func(h llm.Pair) bool { return strings.EqualFold(h.Name, auth.Name) })
	switch {
	case own: // the operator sends a credential of his own making
		e.place.Signer = nil
	case e.place.Signer != nil:
	case key != "":
		lines = append(lines, auth)
	case !e.p.s.KeyOptional:
		return e.problem("api_key", "is missing"+provider.Variables(e.p.s.KeyVars))
	}
	return e.writeHead(lines)
}

func (e *endpoint) writeHead(lines []llm.Pair) error {
	e.names = make(map[string]bool, len(lines))
	for _, l := range lines {
		if problem := provider.BadHeader(l.Name, l.Value); problem != "" {
			return e.problem(settingOf(l.Name, e.p.s.KeyHeader, e.place.KeyHeader), problem)
		}
		e.names[strings.ToLower(l.Name)] = true
		e.head = append(e.head, l.Name+": "+l.Value+"\r\n"...)
		if l.Name != "Content-Type" && l.Name != "Accept" {
			e.bare = append(e.bare, l.Name+": "+l.Value+"\r\n"...)
		}
	}
	return nil
}

func settingOf(header string, keyHeaders ...string) string {
	switch {
	case header == "OpenAI-Organization":
		return "organization"
	case header == "Authorization" || slices.Contains(keyHeaders, header):
		return "api_key"
	}
	return "extra_headers"
}

// rule is what happens to a member of a request because of the vendor or the deployment.
type rule struct {
	do    action
	unfit *llm.Unfit // for refuse and drop: what the model refuses, and when it does not
	name  []byte     // for rename: the new key
	value []byte     // for replace
}

type action uint8

const (
	keep    action = iota
	drop           // leave it out
	refuse         // the vendor does not know it
	replace        // give it another value
	rename         // give it another key
)

func (e *endpoint) bindRules() error {
	e.rules = map[string]rule{}
	e.answers = e.hasResponses()
	for _, name := range e.p.s.Unsupported {
		if slices.Contains(e.d.AllowedParams, name) {
			continue
		}
		e.rules[name] = rule{do: refuse}
		if e.d.DropParams {
			e.rules[name] = rule{do: drop}
		}
	}
	for i := range e.d.Unfit {
		u := &e.d.Unfit[i]
		switch {
		case slices.Contains(e.d.AllowedParams, u.Name), e.rules[u.Name].do != keep:
		case u.As != "":
			e.rules[u.Name] = rule{do: rename, unfit: u, name: []byte(u.As)}
		case e.d.DropParams:
			e.rules[u.Name] = rule{do: drop, unfit: u}
		default:
			e.rules[u.Name] = rule{do: refuse, unfit: u}
		}
	}
	for _, name := range e.place.Unsupported {
		if e.d.DropParams && !slices.Contains(e.d.AllowedParams, name) && e.rules[name].unfit == nil {
			e.rules[name] = rule{do: drop}
		}
	}
	for _, r := range slices.Concat(e.p.s.Rename, e.place.Rename) {
		if !slices.Contains(e.d.AllowedParams, r.Name) {
			e.rules[r.Name] = rule{do: rename, name: []byte(r.Value)}
		}
	}
	for _, name := range e.d.AdditionalDrop {
		if strings.ContainsAny(name, ".[") {
			if problem := provider.BadPath(name); problem != "" {
				return e.problem("additional_drop_params", "holds "+strconv.Quote(name)+", which "+problem)
			}
			continue
		}
		e.rules[name] = rule{do: drop}
	}
	e.metadata = slices.Contains(e.d.AllowedParams, "metadata")
	if err := e.bindDefaults(); err != nil {
		return err
	}
	for _, p := range e.d.ExtraBody {
		if err := e.checkMember("extra_body", p); err != nil {
			return err
		}
		m := newMember(p)
		e.forced = append(e.forced, m)
		e.rules[p.Name] = rule{do: replace, value: m.value}
	}
	return nil
}

// bindDefaults takes the parameters that the deployment sets when the caller does not. They obey the same rules as a
// caller's.
func (e *endpoint) bindDefaults() error {
	for _, p := range e.d.Defaults {
		if err := e.checkMember(p.Name, p); err != nil {
			return err
		}
		if openai.Control([]byte(p.Name)) && !(p.Name == "metadata" && e.metadata) {
			return e.problem(p.Name, "is a control of the gateway and no parameter that can be sent to "+e.p.s.Name)
		}
		r := e.rules[p.Name]
		if r.unfit != nil && r.unfit.Takes([]byte(p.Value), nil) {
			r.do = keep
		}
		switch r.do {
		case drop:
			continue
		case refuse:
			return e.problem(p.Name, "is not supported by "+e.p.s.Name+": remove it or set drop_params")
		case rename:
			p.Name = string(r.name)
		}
		e.defaults = append(e.defaults, newMember(p))
	}
	return nil
}

// checkMember refuses what would make the request another one than the gateway thinks it is.
func (e *endpoint) checkMember(setting string, p llm.Pair) error {
	switch p.Name {
	case "model", "stream", "stream_options", "messages", "prompt", "input":
		return e.problem(setting, "must not set "+p.Name+", which belongs to the caller and the gateway")
	}
	if !json.Valid([]byte(p.Value)) {
		return e.problem(setting, "holds a value for "+p.Name+" that is not JSON")
	}
	return nil
}
