package anthropic

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Encode implements provider.Endpoint. The body is written anew for each call and left to the garbage collector: a call
// has no end at which a buffer could be given back.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	if provider.Trims(x, e.d) {
		return provider.EncodeTrimmed(x, e.d, c, e.encode)
	}
	return e.encode(x, c)
}

func (e *endpoint) encode(x *llm.Exchange, c *llm.Call) error {
	if x.Op != llm.OpChat {
		return refusal("", "litellm.BadRequestError: "+Name+" does not offer "+x.Op.String())
	}
	e.address(x, c)
	if x.Controls.ExtraHeaders != nil {
		if err := e.extraHeaders(x.Controls.ExtraHeaders, c); err != nil {
			return err
		}
	}
	if counts(x) && e.countPath == nil {
		return refusal("", "litellm.BadRequestError: "+Name+" does not count tokens here")
	}
	if x.AsNative || counts(x) {
		return e.encodeNative(x, c)
	}
	if x.Dialect == llm.DialectMessages {
		if err := e.callerHeaders(x, c); err != nil {
			return err
		}
	}
	n := e.p.encoders.Get().(*encoder)
	defer n.release()
	n.e, n.x = e, x
	n.drop = e.d.DropParams || x.Controls.DropParams == 1
	n.dst = make([]byte, 0, len(x.Body.Raw())+len(x.Body.Raw())/8+512)
	if err := n.run(); err != nil {
		return err
	}
	c.Body = append(c.Body, n.dst)
	if len(n.betas) > 0 {
		n.turnOn(c)
	}
	return nil
}

// extraHeaders adds the request's extra_headers to the call. It cannot replace a line that the deployment sends, its
// credential above all. anthropic-beta is a list, to which a request may add.
func (e *endpoint) extraHeaders(raw []byte, c *llm.Call) error {
	for h := dialect.Object(raw); h.Next(); {
		if dialect.Null(h.Value()) {
			continue
		}
		name := h.Key()
		value, ok := llm.Text(h.Value())
		if !ok {
			return provider.BadControl("extra_headers", "must have strings as values")
		}
		if problem := provider.BadHeader(name, value); problem != "" {
			return provider.BadControl("extra_headers", "holds "+strconv.Quote(string(name))+", which "+problem)
		}
		if credential(name) || e.hasLine(name) && !llm.EqualFold(name, "anthropic-beta") {
			return provider.BadControl("extra_headers", "holds "+strconv.Quote(string(name))+", which the deployment sets itself")
		}
		c.Header = append(c.Header, llm.Field{Name: name, Value: value})
	}
	return nil
}

func credential(name []byte) bool {
	return llm.EqualFold(name, "authorization") || llm.EqualFold(name, "api-key") ||
		llm.EqualFold(name, "x-api-key") || llm.EqualFold(name, "cookie")
}

// encoder writes one request.
type encoder struct {
	e    *endpoint
	x    *llm.Exchange
	drop bool // leave out what is not supported
	dst  []byte

	messages []byte
	params   []param
	extra    llm.Object
	list     []message
	items    int // what was written into the list under way

	thinks   bool // the model is to think before it answers
	jsonTool bool // the answer comes as the input of a tool
	format   []byte
	effort   string
	betas    []string // features to turn on
}

// keepList is how many entries of the lists are kept for the next request.
const keepList = 1 << 10

func (n *encoder) release() {
	p := n.e.p
	clear(n.params)
	clear(n.list)
	extra := n.extra
	extra.Reset()
	*n = encoder{params: n.params[:0], list: n.list[:0], extra: extra}
	if cap(n.params) <= keepList && cap(n.list) <= keepList {
		p.encoders.Put(n)
	}
}

func (n *encoder) put(s string)    { n.dst = append(n.dst, s...) }
func (n *encoder) raw(b []byte)    { n.dst = append(n.dst, b...) }
func (n *encoder) quoted(b []byte) { n.dst = llm.AppendQuoted(n.dst, borrowed(b)) }

// run writes the request. Its members are those of https://platform.claude.com/docs/en/api/messages/create.
func (n *encoder) run() error {
	if err := n.collect(); err != nil {
		return err
	}
	if err := n.collectMessages(); err != nil {
		return err
	}
	n.dst = n.e.opening(n.dst)
	for _, write := range [...]func(*encoder) error{
		(*encoder).thinking, (*encoder).maxTokens, (*encoder).system, (*encoder).conversation, (*encoder).responseFormat,
		(*encoder).tools, (*encoder).toolChoice, (*encoder).outputConfig, (*encoder).stop, (*encoder).metadata, (*encoder).others,
	} {
		if err := write(n); err != nil {
			return err
		}
	}
	if n.x.Streamed {
		n.put(`,"stream":true`)
	}
	n.put("}")
	return nil
}

// thinking translates reasoning_effort. A thinking of the caller's own goes out as it is.
//
// Models that think adaptively take the effort; earlier ones take a budget of tokens, for which the reference has the
// numbers (litellm/constants.py, DEFAULT_REASONING_EFFORT_*_THINKING_BUDGET). The API takes no budget below 1024
// (https://platform.claude.com/docs/en/build-with-claude/extended-thinking).
func (n *encoder) thinking() error {
	if own := n.given("thinking"); own != nil {
		if own[0] != '{' {
			return refusal("thinking", "`thinking` must be an object.")
		}
		n.thinks = string(dialect.Get(own, "type")) != `"disabled"`
		n.put(`,"thinking":`)
		n.raw(own)
		return nil
	}
	effort := n.given("reasoning_effort")
	if effort == nil {
		return nil
	}
	word, ok := llm.Text(effort)
	if string(word) == "none" {
		n.put(`,"thinking":{"type":"disabled"}`)
		return nil
	}
	n.thinks = true
	if n.e.adaptive {
		if n.effort = effortOf(word); n.effort == "" || !ok {
			return badEffort("none, minimal, low, medium, high, xhigh or max")
		}
		n.put(`,"thinking":{"type":"adaptive"}`)
		return nil
	}
	budget := budgetOf(word)
	if budget == 0 || !ok {
		return badEffort("none, minimal, low, medium, high or xhigh")
	}
	n.put(`,"thinking":{"type":"enabled","budget_tokens":`)
	n.dst = strconv.AppendInt(n.dst, budget, 10)
	n.put("}")
	return nil
}

func badEffort(words string) error {
	return refusal("reasoning_effort", "`reasoning_effort` must be "+words+" for this model.")
}

func effortOf(word []byte) string {
	switch string(word) {
	case "minimal", "low":
		return "low"
	case "medium":
		return "medium"
	case "high":
		return "high"
	case "xhigh":
		return "xhigh"
	case "max":
		return "max"
	}
	return ""
}

func budgetOf(word []byte) int64 {
	switch string(word) {
	case "minimal", "low":
		return 1024
	case "medium":
		return 2048
	case "high":
		return 4096
	case "xhigh":
		return 8192
	}
	return 0
}

// maxTokens writes how long the answer may get. A budget for thinking counts against it, so without a word of the
// caller's it is added to the default, as in the reference (litellm/llms/base_llm/chat/transformation.py).
func (n *encoder) maxTokens() error {
	n.put(`,"max_tokens":`)
	for _, name := range [...]string{"max_completion_tokens", "max_tokens"} {
		if v := n.given(name); v != nil {
			n.raw(v)
			return nil
		}
	}
	budget := int64(0)
	if own := n.given("thinking"); own != nil {
		budget = dialect.Int(dialect.Get(own, "budget_tokens"))
	} else if v, ok := llm.Text(n.given("reasoning_effort")); ok && n.thinks && !n.e.adaptive {
		budget = budgetOf(v)
	}
	n.dst = strconv.AppendInt(n.dst, budget+defaultMaxTokens, 10)
	return nil
}

// outputConfig writes the effort and the schema of the answer.
func (n *encoder) outputConfig() error {
	own := n.given("output_config")
	if n.effort == "" && n.format == nil {
		if own != nil {
			n.put(`,"output_config":`)
			n.raw(own)
		}
		return nil
	}
	if own != nil {
		return refusal("output_config", "`output_config` cannot be combined with `reasoning_effort` or `response_format`: write all of it into output_config.")
	}
	n.put(`,"output_config":{`)
	if n.effort != "" {
		n.put(`"effort":"` + n.effort + `"`)
	}
	if n.format != nil {
		if n.effort != "" {
			n.put(",")
		}
		n.put(`"format":{"type":"json_schema","schema":`)
		n.raw(n.format)
		n.put("}")
	}
	n.put("}")
	return nil
}

// stop writes the stop sequences. The API takes none of white space only; the reference leaves these out when
// parameters may be dropped.
func (n *encoder) stop() error {
	v := n.given("stop")
	if v == nil {
		return nil
	}
	if n.given("stop_sequences") != nil {
		return refusal("stop", "`stop` and `stop_sequences` say the same: write one of them.")
	}
	if v[0] != '[' && v[0] != '"' {
		return refusal("stop", "`stop` must be a string or a list of strings.")
	}
	start := len(n.dst)
	n.put(`,"stop_sequences":[`)
	n.items = 0
	if v[0] == '"' {
		n.stopSequence(v)
	} else {
		for c := dialect.Array(v); c.Next(); {
			n.stopSequence(c.Value())
		}
	}
	if n.items == 0 {
		n.dst = n.dst[:start]
		return nil
	}
	n.put("]")
	return nil
}

func (n *encoder) stopSequence(v []byte) {
	if n.drop && whiteSpace(v) {
		return
	}
	n.comma()
	n.raw(v)
}

func whiteSpace(raw []byte) bool {
	s, ok := llm.Text(raw)
	for _, c := range s {
		if c > ' ' {
			return false
		}
	}
	return ok
}

// comma separates the items of a list.
func (n *encoder) comma() {
	if n.items > 0 {
		n.put(",")
	}
	n.items++
}

// metadata writes who the end user is, from user, else from the user_id of the request's metadata. The API asks for an
// id that says nothing about the person and refuses others, so the reference leaves out what looks like an address or
// a phone number (litellm/llms/anthropic/chat/transformation.py, _valid_user_id).
func (n *encoder) metadata() error {
	if own := n.given("metadata"); own != nil {
		n.put(`,"metadata":`)
		n.raw(own)
		return nil
	}
	id := n.given("user")
	if id == nil && n.x.Controls.Metadata != nil {
		id = dialect.Get(n.x.Controls.Metadata, "user_id")
	}
	s, ok := llm.Text(id)
	if !ok && n.given("user") != nil {
		return refusal("user", "`user` must be a string.")
	}
	if !ok || len(s) == 0 || n.x.Dialect != llm.DialectMessages && personal(s) {
		return nil
	}
	n.put(`,"metadata":{"user_id":`)
	n.raw(id)
	n.put("}")
	return nil
}

// personal reports whether an id looks like a mail address or a phone number.
func personal(s []byte) bool {
	digits, others := 0, 0
	for i, c := range s {
		switch {
		case c == '@' && i > 0:
			return true
		case '0' <= c && c <= '9', c == ' ', c == '(', c == ')', c == '-', c == '+' && i == 0:
			digits++
		default:
			others++
		}
	}
	return others == 0 && digits >= 7
}

// others writes the parameters that both sides have, and those that only the Messages API has, such as top_k, as they
// are. The API refuses by name what it does not know.
func (n *encoder) others() error {
	for _, p := range n.params {
		if dialect.Null(p.value) || translated(borrowed(p.name)) {
			continue
		}
		n.memberBeta(p.name, p.value)
		n.put(`,"`)
		n.raw(p.name)
		n.put(`":`)
		if string(p.name) == "service_tier" && string(p.value) == `"default"` {
			n.put(`"standard_only"`)
			continue
		}
		n.raw(p.value)
	}
	return nil
}

// translated reports whether a parameter is written by one of the functions above.
func translated(name string) bool {
	switch name {
	case "thinking", "reasoning_effort", "max_tokens", "max_completion_tokens", "system", "response_format", "tools",
		"tool_choice", "parallel_tool_calls", "web_search_options", "output_config", "stop", "metadata", "user":
		return true
	}
	return false
}
