package openai

import (
	"strings"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Encode implements provider.Endpoint. The pieces of the body borrow from x and from the endpoint, so there is nothing
// to release. It allocates nothing, unless the request holds extra_headers with escapes or cannot be sent.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	if provider.Trims(x, e.d) {
		return provider.EncodeTrimmed(x, e.d, c, e.encode)
	}
	return e.encode(x, c)
}

func (e *endpoint) encode(x *llm.Exchange, c *llm.Call) error {
	if int(x.Op) >= len(e.paths) || e.paths[x.Op] == nil {
		return e.refusal("litellm.BadRequestError: "+e.p.s.Name+" does not offer "+x.Op.String(), "")
	}
	c.Target, c.Method, c.Path, c.Head, c.Signer = &e.target, "POST", e.paths[x.Op], e.head, e.place.Signer
	if x.Controls.ExtraHeaders != nil {
		if err := provider.ExtraHeaders(x, c, e.hasLine); err != nil {
			return err
		}
	}
	if x.AsNative && x.Op == llm.OpChat {
		return e.encodeNative(x, c)
	}
	if further(x.Op) {
		if done, err := e.encodeFurther(x, c); done || err != nil {
			return err
		}
	}
	p := patch{e: e, x: x, body: &x.Body, dst: c.Body}
	if x.Dialect != llm.DialectOpenAI {
		var err error
		if p.body, err = e.plain(x); err != nil {
			return err
		}
	}
	p.raw = p.body.Raw()
	if err := p.controls(); err != nil {
		return err
	}
	if err := p.run(); err != nil {
		return err
	}
	c.Body = p.dst
	return nil
}

// patch writes the request of x for the endpoint: what is kept goes out as it is, commas and spaces included.
type patch struct {
	e    *endpoint
	x    *llm.Exchange
	body *llm.Object // the request
	raw  []byte
	dst  [][]byte
	pos  int // up to here raw was written or left out
	end  int // the end of the last member, where new ones go

	extra *llm.Object // the request's extra_body, if it has one

	members   int // how many were written so far
	hasModel  bool
	hasStream bool
	hasUsage  bool // stream_options is there and asks for usage
}

func (p *patch) run() error {
	list := p.body.Members()
	for i := range list {
		key := p.body.Key(list[i])
		do, piece, err := p.decide(key, list[i])
		if err != nil {
			return err
		}
		if do == drop {
			p.cut(list, i)
			continue
		}
		p.members++
		switch do {
		case replace:
			p.put(list[i].Value, piece)
		case rename:
			p.put(list[i].Key, piece)
		}
	}
	p.add(list)
	return nil
}

// cut leaves the member out, with the comma in front of it, or behind it if no member was written before.
func (p *patch) cut(list []llm.Member, i int) {
	if p.members > 0 {
		p.copyTo(list[i-1].Value.End)
		p.pos = list[i].Value.End
		return
	}
	p.copyTo(list[0].Key.Start - 1)
	p.pos = list[i].Value.End
	if i+1 < len(list) {
		p.pos = list[i+1].Key.Start - 1
	}
}

// copyTo writes raw up to the place.
func (p *patch) copyTo(at int) {
	if at > p.pos {
		p.dst = append(p.dst, p.raw[p.pos:at])
		p.pos = at
	}
}

// put writes piece in place of the span. A nil piece stands for what was written already.
func (p *patch) put(at llm.Span, piece []byte) {
	p.copyTo(at.Start)
	if piece != nil {
		p.dst = append(p.dst, piece)
	}
	p.pos = at.End
}

// decide says what happens to a member of the request, and with which piece.
func (p *patch) decide(key []byte, m llm.Member) (action, []byte, error) {
	value := p.body.Value(m)
	switch string(key) {
	case "model":
		p.hasModel = true
		return p.replaceUnlessEqual(value, p.e.model)
	case "stream":
		p.hasStream = true
		return p.replaceUnlessEqual(value, boolean(p.x.Streamed))
	case "stream_options":
		return p.streamOptions(m, value)
	}
	if set := override(p.x.Overrides, key); set != nil {
		return replace, set, nil
	}
	if openai.Control(key) {
		if string(key) == "metadata" && (p.e.metadata || provider.Lists(p.x.Controls.AllowedParams, "metadata")) {
			return keep, nil, nil
		}
		return drop, nil, nil
	}
	if p.x.Controls.AdditionalDrop != nil && provider.Lists(p.x.Controls.AdditionalDrop, string(key)) {
		return drop, nil, nil
	}
	if p.extra != nil && !p.forced(key) {
		if set := p.extra.Get(borrowed(key)); set != nil {
			return replace, set, nil
		}
	}
	return p.apply(key, value)
}

// apply follows the rules of the vendor and the deployment.
func (p *patch) apply(key, value []byte) (action, []byte, error) {
	if len(p.e.rules) == 0 {
		return keep, nil, nil
	}
	r, ok := p.e.rules[string(key)]
	if !ok || p.fits(r, value) {
		return keep, nil, nil
	}
	switch r.do {
	case refuse:
		if unset(key, value) || p.x.Controls.DropParams == 1 {
			return drop, nil, nil
		}
		if provider.Lists(p.x.Controls.AllowedParams, string(key)) {
			return keep, nil, nil
		}
		return keep, nil, p.unsupported(key)
	case rename:
		if p.body.Index(string(r.name)) >= 0 {
			return drop, nil, nil // the request says it both ways; the vendor's own word counts
		}
		return rename, r.name, nil
	case replace:
		return replace, r.value, nil
	}
	return r.do, nil, nil
}

func (p *patch) replaceUnlessEqual(value, want []byte) (action, []byte, error) {
	if string(value) == string(want) {
		return keep, nil, nil
	}
	return replace, want, nil
}

// streamOptions makes sure that a stream reports its usage, and keeps the other options of the caller.
func (p *patch) streamOptions(m llm.Member, value []byte) (action, []byte, error) {
	if p.e.p.s.NoStreamOptions {
		return drop, nil, nil
	}
	if !p.x.Streamed || !p.x.Op.Streams() {
		return keep, nil, nil
	}
	p.hasUsage = true
	if value[0] != '{' {
		return replace, usageOption(), nil
	}
	c := dialect.Object(value)
	empty := true
	for ; c.Next(); empty = false {
		if string(c.Key()) != "include_usage" {
			continue
		}
		if at := c.Span(); string(c.Value()) != "true" {
			p.put(llm.Span{Start: m.Value.Start + at.Start, End: m.Value.Start + at.End}, boolean(true))
		}
		return keep, nil, nil
	}
	brace := m.Value.Start + 1
	if empty {
		p.put(llm.Span{Start: brace, End: brace}, firstUsage()[:len(firstUsage())-1])
	} else {
		p.put(llm.Span{Start: brace, End: brace}, firstUsage())
	}
	return keep, nil, nil
}

// add writes the members that the request lacks behind its last one, and the end of the object.
func (p *patch) add(list []llm.Member) {
	p.end = openBrace(p.raw)
	if len(list) > 0 {
		p.end = list[len(list)-1].Value.End
	}
	if !p.hasModel {
		p.member(modelKey(), p.e.model)
	}
	if p.x.Streamed && !p.hasStream {
		p.member(streamKey(), boolean(true))
	}
	if p.x.Streamed && !p.hasUsage && !p.e.p.s.NoStreamOptions && p.x.Op.Streams() {
		p.member(streamOptionsKey(), usageOption())
	}
	for i := range p.e.forced {
		if f := &p.e.forced[i]; p.body.Index(f.name) < 0 {
			p.member(f.key, f.value)
		}
	}
	p.addOverrides()
	p.addExtraBody()
	for i := range p.e.defaults {
		if d := &p.e.defaults[i]; !p.given(d.name) {
			p.member(d.key, d.value)
		}
	}
	p.copyTo(len(p.raw))
}

// given reports whether the caller, or the fallback under way, sets the parameter.
func (p *patch) given(name string) bool {
	return p.body.Index(name) >= 0 || override(p.x.Overrides, borrow(name)) != nil ||
		p.extra != nil && p.extra.Index(name) >= 0
}

func (p *patch) addOverrides() {
	for _, o := range p.x.Overrides {
		key := borrow(o.Name)
		if managed(key) || openai.Control(key) || p.body.Index(o.Name) >= 0 {
			continue
		}
		// A fallback is rare, so its keys are written anew each time.
		p.member(append(llm.AppendQuoted(nil, o.Name), ':'), borrow(o.Value))
	}
}

// addExtraBody writes the members of the request's extra_body. The deployment's own extra_body and the parameters of a
// fallback count more.
func (p *patch) addExtraBody() {
	if p.extra == nil {
		return
	}
	for _, m := range p.extra.Members() {
		key := p.extra.Key(m)
		if !p.forced(key) && p.body.Index(borrowed(key)) < 0 && override(p.x.Overrides, key) == nil {
			p.member(p.extra.Raw()[m.Key.Start-1:m.Value.Start], p.extra.Value(m))
		}
	}
}

// member writes a member. key ends in a colon.
func (p *patch) member(key, value []byte) {
	p.copyTo(p.end)
	if p.members > 0 {
		p.dst = append(p.dst, comma())
	}
	p.members++
	p.dst = append(p.dst, key, value)
}

// fits reports whether a rule is one for chats with the model, which this request is none of, or breaks nothing of.
func (p *patch) fits(r rule, value []byte) bool {
	return r.unfit != nil && (p.x.Op != llm.OpChat || r.unfit.Takes(value, p.body.Get("reasoning_effort")))
}

// forced reports whether the deployment's extra_body sets the member.
func (p *patch) forced(key []byte) bool {
	for i := range p.e.forced {
		if p.e.forced[i].name == string(key) {
			return true
		}
	}
	return false
}

// unsupported is the error for parameters the vendor does not know, in the words of the reference (litellm/utils.py).
// It lists all of them, so that a caller need not find out one by one.
func (p *patch) unsupported(key []byte) error {
	var names []string
	for _, m := range p.body.Members() {
		key := p.body.Key(m)
		value := p.body.Value(m)
		if r := p.e.rules[string(key)]; r.do == refuse && !p.fits(r, value) && !unset(key, value) &&
			!provider.Lists(p.x.Controls.AllowedParams, string(key)) && !openai.Control(key) {
			names = append(names, string(key))
		}
	}
	if len(names) == 0 { // a field of a form whose name is written otherwise
		names = append(names, string(key))
	}
	list := "['" + strings.Join(names, "', '") + "']"
	return p.e.refusal("litellm.UnsupportedParamsError: "+p.e.p.s.Name+" does not support parameters: "+list+
		", for model="+p.e.d.Model+". To drop these, set `litellm.drop_params=True` or for proxy:\n\n`litellm_settings:\n"+
		" drop_params: true`\n. \n If you want to use these params dynamically send allowed_openai_params="+list+
		" in your request.", names[0])
}

func (e *endpoint) refusal(msg, param string) *llm.Error {
	return &llm.Error{
		Op: "openai.Encode", Kind: llm.KindBadRequest, Provider: e.p.s.Name, Param: param, Message: msg,
	}
}

// unset reports whether a parameter has the value that stands for none.
func unset(key, value []byte) bool {
	return dialect.Null(value) || string(key) == "n" && string(value) == "1"
}

// override returns the value that a fallback sets for a parameter, or nil. The model and what belongs to the stream are
// not its business.
func override(list []llm.Pair, key []byte) []byte {
	for i := range list {
		if list[i].Name == string(key) && !managed(key) {
			return borrow(list[i].Value)
		}
	}
	return nil
}

// managed reports whether the gateway alone decides about the member.
func managed(key []byte) bool {
	switch string(key) {
	case "model", "stream", "stream_options":
		return true
	}
	return false
}

// controls checks the controls that say what to do with the request's members.
func (p *patch) controls() error {
	if err := provider.CheckControls(p.x); err != nil || p.x.Controls.ExtraBody == nil {
		return err
	}
	p.extra = new(llm.Object)
	return provider.ExtraBody(p.x, p.extra)
}

func (e *endpoint) hasLine(name []byte) bool {
	for have := range e.names {
		if llm.EqualFold(name, have) {
			return true
		}
	}
	return false
}

func openBrace(raw []byte) int {
	for i, c := range raw {
		if c == '{' {
			return i + 1
		}
	}
	return 0
}

// borrow returns the bytes of s, which must not be written to.
func borrow(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// borrowed returns b as a string for the length of a call.
func borrowed(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// The pieces below are constants that cannot be written to.

func boolean(b bool) []byte {
	if b {
		return borrow("true")
	}
	return borrow("false")
}

func comma() []byte            { return borrow(",") }
func modelKey() []byte         { return borrow(`"model":`) }
func streamKey() []byte        { return borrow(`"stream":`) }
func streamOptionsKey() []byte { return borrow(`"stream_options":`) }
func usageOption() []byte      { return borrow(`{"include_usage":true}`) }
func firstUsage() []byte       { return borrow(`"include_usage":true,`) }
