package provider

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// params decides which members a request has in the end: the caller's, the deployment's, and those of controls.
type params struct{ d *llm.Deployment }

// bind checks the parameters that the deployment sets.
func (p *params) bind(s *Site) error {
	p.d = s.Deployment
	for _, name := range p.d.AdditionalDrop {
		if problem := BadPath(name); problem != "" && nested(name) {
			return s.Problem("additional_drop_params", "holds "+strconv.Quote(name)+", which "+problem)
		}
	}
	for _, d := range p.d.Defaults {
		if err := p.check(s, d.Name, d); err != nil {
			return err
		}
		if openai.Control([]byte(d.Name)) && d.Name != "metadata" {
			return s.Problem(d.Name, "is a control of the gateway and no parameter that can be sent to "+s.v.Name)
		}
	}
	for _, d := range p.d.ExtraBody {
		if err := p.check(s, "extra_body", d); err != nil {
			return err
		}
	}
	return nil
}

// check refuses what would make the request another one than the gateway thinks it is.
func (p *params) check(s *Site, setting string, pair llm.Pair) error {
	if Reserved(pair.Name) {
		return s.Problem(setting, "must not set "+pair.Name+", which belongs to the caller and the gateway")
	}
	if !json.Valid([]byte(pair.Value)) {
		return s.Problem(setting, "holds a value for "+pair.Name+" that is not JSON")
	}
	return nil
}

// Reserved reports whether a member of a request is the caller's own word, or the gateway's, so that no setting and no
// extra_body replaces it.
func Reserved(name string) bool {
	switch name {
	case "model", "stream", "stream_options", "messages", "prompt", "input":
		return true
	}
	return false
}

// Members gives add what a request has in the end, what counts most first, so that the first value of a name is the one
// that counts: what the fallback under way sets, the deployment's extra_body, the request's extra_body, the request
// itself, and the deployment's defaults. keep is asked about members of the request; model, stream and stream_options are
// never among them. Values are borrowed, from extra too, which is parsed here.
func Members(x *llm.Exchange, d *llm.Deployment, extra *llm.Object, keep func(name string) bool, add func(name string, value []byte)) error {
	if err := CheckControls(x); err != nil {
		return err
	}
	for i := range x.Overrides {
		o := &x.Overrides[i]
		if said := o.Name == "messages" || o.Name == "prompt" || o.Name == "input"; said || !Reserved(o.Name) && !openai.Control(borrow(o.Name)) {
			add(o.Name, borrow(o.Value))
		}
	}
	for i := range d.ExtraBody {
		add(d.ExtraBody[i].Name, borrow(d.ExtraBody[i].Value))
	}
	if x.Controls.ExtraBody != nil {
		if err := ExtraBody(x, extra); err != nil {
			return err
		}
		for _, m := range extra.Members() {
			add(borrowed(extra.Key(m)), extra.Value(m))
		}
	}
	for _, m := range x.Body.Members() {
		switch key := borrowed(x.Body.Key(m)); {
		case key == "model", key == "stream", key == "stream_options":
		case keep(key):
			add(key, x.Body.Value(m))
		}
	}
	for i := range d.Defaults {
		add(d.Defaults[i].Name, borrow(d.Defaults[i].Value))
	}
	return nil
}

// collect appends the members that count. supported are the parameters of the API that the vendor takes with the
// operation; the others are refused, in the reference's words, or dropped.
func (p *params) collect(t *Turn, supported []string, dst []openai.Param) ([]openai.Param, error) {
	x := t.Exchange
	start := len(dst)
	add := func(name string, value []byte) {
		for i := range dst[start:] {
			if dst[start+i].Name == name {
				return
			}
		}
		dst = append(dst, openai.Param{Name: name, Value: value})
	}
	keep := func(key string) bool {
		if openai.Control(borrow(key)) && !(key == "metadata" && p.allowed(x, key)) {
			return false
		}
		return x.Dialect == llm.DialectOpenAI || !saidOtherwise(x, t.Site.v.Name, key)
	}
	var extra llm.Object
	if err := Members(x, p.d, &extra, keep, add); err != nil {
		return dst, err
	}
	list, err := p.filter(t, supported, dst[start:])
	return dst[:start+len(list)], err
}

// saidOtherwise reports whether a member of a request that came for another API is said by another one as well, in words
// that more vendors know, or is a hint that does not change the answer. thinking with its budget of tokens goes to
// those who take it as the Messages API has it, as in the reference.
func saidOtherwise(x *llm.Exchange, vendor, name string) bool {
	thinks := vendor == "bedrock" || vendor == "gemini" || vendor == "vertex_ai"
	switch name {
	case "thinking":
		return !thinks
	case "reasoning_effort":
		return thinks && !dialect.Null(x.Body.Get("thinking"))
	case "output_config", "output_format", "context_management", "cache_control", "speed":
		return true
	}
	return false
}

// allowed reports whether a parameter is to be sent although the vendor has nothing for it.
func (p *params) allowed(x *llm.Exchange, name string) bool {
	return slices.Contains(p.d.AllowedParams, name) || Lists(x.Controls.AllowedParams, name)
}

// unfit reports whether the model refuses a parameter that its vendor takes.
func (p *params) unfit(m openai.Param, effort []byte) bool {
	for i := range p.d.Unfit {
		if u := &p.d.Unfit[i]; u.Name == m.Name && u.As == "" {
			return !u.Takes(m.Value, effort)
		}
	}
	return false
}

func (p *params) dropped(x *llm.Exchange, name string) bool {
	return slices.Contains(p.d.AdditionalDrop, name) || Lists(x.Controls.AdditionalDrop, name)
}

// filter leaves out what is to be dropped, and refuses what is not supported. It lists all of it, so that a caller need
// not find out one by one.
func (p *params) filter(t *Turn, supported []string, list []openai.Param) ([]openai.Param, error) {
	var refused []string
	effort := []byte(nil)
	if i := slices.IndexFunc(list, func(m openai.Param) bool { return m.Name == "reasoning_effort" }); i >= 0 {
		effort = list[i].Value
	}
	list = slices.DeleteFunc(list, func(m openai.Param) bool {
		switch {
		case dialect.Null(m.Value), p.dropped(t.Exchange, m.Name):
			return true
		case t.Exchange.Op == llm.OpChat && p.unfit(m, effort) && !p.allowed(t.Exchange, m.Name):
			if !t.Drop && !openai.Neutral(m.Name, m.Value) {
				refused = append(refused, m.Name)
			}
			return true
		case !openai.Parameter(t.Exchange.Op, m.Name), slices.Contains(supported, m.Name), p.allowed(t.Exchange, m.Name):
			return false
		case !t.Drop && !openai.Neutral(m.Name, m.Value):
			refused = append(refused, m.Name)
		}
		return true
	})
	if len(refused) > 0 {
		e := UnsupportedParams(t.Site.v.Name, p.d.Model, refused)
		e.Op = t.Site.v.Name + ".Encode"
		return list, e
	}
	return list, nil
}

// UnsupportedParams is the error for parameters that a vendor does not know, in the words of the reference
// (litellm/utils.py).
func UnsupportedParams(vendor, model string, names []string) *llm.Error {
	list := "['" + strings.Join(names, "', '") + "']"
	return &llm.Error{
		Op: "provider.Encode", Kind: llm.KindBadRequest, Provider: vendor, Type: "invalid_request_error", Param: names[0],
		Message: "litellm.UnsupportedParamsError: " + vendor + " does not support parameters: " + list +
			", for model=" + model + ". To drop these, set `litellm.drop_params=True` or for proxy:\n\n`litellm_settings:\n" +
			" drop_params: true`\n. \n If you want to use these params dynamically send allowed_openai_params=" + list +
			" in your request.",
	}
}

// maxNames is the greatest length of additional_drop_params and allowed_openai_params as written. They are searched for
// each member of the request.
const maxNames = 4 << 10

// CheckControls checks the controls that say what to do with a request's members.
func CheckControls(x *llm.Exchange) error {
	if len(x.Controls.AdditionalDrop) > maxNames {
		return BadControl("additional_drop_params", "is longer than "+strconv.Itoa(maxNames)+" bytes")
	}
	if len(x.Controls.AllowedParams) > maxNames {
		return BadControl("allowed_openai_params", "is longer than "+strconv.Itoa(maxNames)+" bytes")
	}
	return nil
}

// ExtraBody parses the request's extra_body into o. By some members a request would become another one than was checked
// and is accounted for: these are refused.
func ExtraBody(x *llm.Exchange, o *llm.Object) error {
	if err := o.Parse(x.Controls.ExtraBody); err != nil {
		return BadControl("extra_body", "cannot be used: "+err.Error())
	}
	for _, m := range o.Members() {
		if key := string(o.Key(m)); Reserved(key) {
			return BadControl("extra_body", "must not set `"+key+"`: write it into the request itself")
		}
	}
	return nil
}

// BadControl is the error for a control of the request that cannot be used.
func BadControl(name, problem string) *llm.Error {
	return &llm.Error{
		Op: "provider.Encode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
		Message: "Invalid request: `" + name + "` " + problem + ".",
	}
}

// Lists reports whether a JSON list of strings holds the name.
func Lists(raw []byte, name string) bool {
	if raw == nil {
		return false
	}
	for c := dialect.Array(raw); c.Next(); {
		if v := c.Value(); len(v) == len(name)+2 && string(v[1:len(v)-1]) == name {
			return true
		}
	}
	return false
}

// ExtraHeaders adds the request's extra_headers to the call. They cannot replace a line that the deployment sends, its
// credential above all; taken reports whether it sends a line with the name.
func ExtraHeaders(x *llm.Exchange, c *llm.Call, taken func(name []byte) bool) error {
	for h := dialect.Object(x.Controls.ExtraHeaders); h.Next(); {
		if dialect.Null(h.Value()) {
			continue
		}
		name := h.Key()
		value, ok := llm.Text(h.Value())
		if !ok {
			return BadControl("extra_headers", "must have strings as values")
		}
		if problem := BadHeader(name, value); problem != "" {
			return BadControl("extra_headers", "holds "+strconv.Quote(string(name))+", which "+problem)
		}
		if credential(name) || taken(name) {
			return BadControl("extra_headers", "holds "+strconv.Quote(string(name))+", which the deployment sets itself")
		}
		c.Header = append(c.Header, llm.Field{Name: name, Value: value})
	}
	return nil
}

func credential(name []byte) bool {
	for _, n := range [...]string{"authorization", "api-key", "x-api-key", "cookie", "x-goog-api-key", "xi-api-key"} {
		if llm.EqualFold(name, n) {
			return true
		}
	}
	return false
}
