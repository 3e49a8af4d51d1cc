package router

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Facts are what the router must know of a deployment, besides its settings, to leave it out of requests that it does
// not fit. The zero value fits every request.
type Facts struct {
	Team     string // the team that alone may use it; "" everybody
	TeamName string // the model group by which the team asks for it; "" takes the deployment's own

	Parallel int64 // calls that may be open at the same time; 0 any number

	NoSearch bool // it cannot search the web
	NoFetch  bool // it cannot fetch pages

	// For Settings.PreCallChecks.
	MaxPrompt int64  // tokens of the longest prompt; 0 unknown
	Region    string // where it runs, in the vendor's words; "" unknown
	Area      string // the part of the world that the region lies in, such as "eu"; "" unknown
	NoFormat  bool   // it does not know response_format
}

// has says what a group's deployments have that a choice must look at.
type has uint8

const (
	hasTeam has = 1 << iota
	hasAbility
	hasWindow
	hasParallel
	hasLimits
)

// ability is something that a request may need and a deployment may lack.
type ability uint8

const (
	canSearch ability = 1 << iota
	canFetch
	canFormat
)

func (f *Facts) lacks() (a ability) {
	if f.NoSearch {
		a |= canSearch
	}
	if f.NoFetch {
		a |= canFetch
	}
	if f.NoFormat {
		a |= canFormat
	}
	return a
}

func (m *member) has() (h has) {
	if m.team != 0 {
		h |= hasTeam
	}
	if m.lacks != 0 {
		h |= hasAbility
	}
	if m.window > 0 {
		h |= hasWindow
	}
	if m.parallel > 0 {
		h |= hasParallel
	}
	if m.rpm > 0 || m.tpm > 0 {
		h |= hasLimits
	}
	return h
}

// needs are what a request needs of a deployment, found out when it is first asked.
type needs struct {
	read    bool
	ability ability
	region  string
	counted bool
	tokens  int64 // of the prompt; 0 not counted
}

// body is the request as it came, in the form of the OpenAI API or in another dialect.
func body(x *llm.Exchange) *llm.Object {
	if x.Native.Raw() != nil {
		return &x.Native
	}
	return &x.Body
}

// read finds out what the request needs. It looks at the body only for what some deployment of the group might lack.
func (n *needs) find(x *llm.Exchange, checks bool) {
	if n.read {
		return
	}
	n.read = true
	o := body(x)
	if tools := o.Get("tools"); len(tools) > 2 {
		n.ability |= toolAbility(tools)
	}
	if !checks {
		return
	}
	if format := o.Get("response_format"); !dialect.Null(format) {
		n.ability |= canFormat
	}
	if n.region = region(x); n.region == "" {
		if text, ok := llm.Text(o.Get("allowed_model_region")); ok {
			n.region = string(text)
		}
	}
}

// region is where the model must run for whom the request is.
func region(x *llm.Exchange) string {
	if x.Region != "" {
		return x.Region
	}
	if x.Principal != nil {
		return x.Principal.Region
	}
	return ""
}

// toolAbility is what vendors' own tools in the list ask for: OpenAI's and Anthropic's by type and name, as
// litellm/router_utils/common_utils.py does (filter_web_search_deployments), and Google's by member.
func toolAbility(tools []byte) (a ability) {
	for list := dialect.Array(tools); list.Next(); {
		tool := list.Value()
		kind, _ := llm.Text(dialect.Get(tool, "type"))
		name, _ := llm.Text(dialect.Get(tool, "name"))
		switch {
		case of(kind, "web_search"), string(name) == "web_search":
			a |= canSearch
		case of(kind, "web_fetch"), string(name) == "web_fetch":
			a |= canFetch
		case dialect.Get(tool, "googleSearch") != nil, dialect.Get(tool, "google_search") != nil:
			a |= canSearch
		case dialect.Get(tool, "urlContext") != nil, dialect.Get(tool, "url_context") != nil:
			a |= canFetch
		}
	}
	return a
}

// of reports whether the type of a tool is the named one or a version of it: web_search_preview, web_search_20250305.
func of(kind []byte, name string) bool {
	return len(kind) >= len(name) && string(kind[:len(name)]) == name && (len(kind) == len(name) || kind[len(name)] == '_')
}

// window reports whether the prompt may be too long for a deployment of the group, and counts its tokens if so. A text
// has no more tokens than bytes, and the rendering of tools and messages adds less than JSON does; images alone may be
// more than they take in the request.
func (p *Plan) window() bool {
	n := &p.needs
	if n.counted {
		return n.tokens > 0
	}
	x := p.x
	if x.Op != llm.OpChat || p.r.s.Count == nil {
		n.counted = true
		return false
	}
	raw := body(x).Raw()
	if int64(len(raw))+countSlack <= p.group.window && !bytes.Contains(raw, imageMark) {
		return false
	}
	n.counted = true
	n.tokens = p.r.s.Count(x, p.group.members[p.list[0]].d.Model)
	return n.tokens > 0
}

const countSlack = 64 // tokens that a vendor adds to any request

var imageMark = []byte("image")

// misfit is why deployments of a group do not fit a request.
type misfit uint8

const (
	overLimit misfit = 1 << iota
	overWindow
	elsewise
)

// fit takes out of p.list those that the request does not fit, and returns an error if nobody is left
// (litellm/router.py, _pre_call_checks; litellm/router_utils/common_utils.py).
func (p *Plan) fit(now time.Time) error {
	g, s := p.group, &p.r.s
	h := g.has
	if !s.PreCallChecks {
		h &^= hasWindow
		if !s.EnforceLimits {
			h &^= hasLimits
		}
	}
	var team int32
	if h&hasTeam != 0 && p.x.Principal != nil {
		team = g.teams[p.x.Principal.TeamID]
	}
	if h&hasAbility != 0 || s.PreCallChecks {
		p.needs.find(p.x, s.PreCallChecks)
	}
	n := &p.needs
	tokens := int64(0) // 0 fits everywhere
	if h&hasWindow != 0 && p.window() {
		tokens = n.tokens
	}
	lacks := n.ability & g.lacks
	if h&(hasTeam|hasLimits) == 0 && tokens == 0 && lacks == 0 && n.region == "" {
		return nil
	}
	var inside uint64 // places that the region holds; groups rarely know as many as there are bits
	if n.region != "" {
		inside = g.inside(n.region)
	}
	limits, shared, regional := h&hasLimits != 0, s.Shared != nil, n.region != ""
	minute, why := minuteOf(now), misfit(0)
	kept := p.list[:0]
	for _, i := range p.list {
		m := &g.members[i]
		switch {
		case m.team != team && m.team != 0, m.lacks&lacks != 0:
			why |= elsewise
		case m.window != 0 && tokens > m.window:
			why |= overWindow
		case limits && m.full(minute, s.EnforceLimits, shared):
			why |= overLimit
		case regional && !g.in(m, inside, n.region):
			why |= elsewise
		default:
			kept = append(kept, i)
		}
	}
	if len(kept) > 0 {
		p.list = kept
		return nil
	}
	return p.misfits(why, now)
}

// full reports whether the deployment's limit of requests a minute is reached, or also that of tokens. shared counts
// what other replicas use.
func (m *member) full(minute uint64, tokens, shared bool) bool {
	st := m.state
	if shared {
		return m.rpm > 0 && st.usedRequests(minute) >= m.rpm || tokens && m.tpm > 0 && st.usedTokens(minute) >= m.tpm
	}
	return m.rpm > 0 && st.requests.at(minute) >= m.rpm || tokens && m.tpm > 0 && st.tokens.at(minute) >= m.tpm
}

// place is where a deployment runs: a region, and the part of the world that it lies in.
type place struct{ region, area string }

// in reports whether a place is the region asked for, or lies there. One that is not known does not.
func (p place) in(region string) bool {
	return p.region != "" && strings.EqualFold(p.region, region) || p.area != "" && strings.EqualFold(p.area, region)
}

// inside has a bit for each of the first 64 places that are in a region.
func (g *group) inside(region string) (bits uint64) {
	for i, at := range g.places[:min(len(g.places), 64)] {
		if at.in(region) {
			bits |= 1 << i
		}
	}
	return bits
}

func (g *group) in(m *member, inside uint64, region string) bool {
	if m.place < 64 {
		return inside&(1<<m.place) != 0
	}
	return g.places[m.place].in(region)
}

// misfits is the error when no deployment fits. A limit that is reached comes first: the prompt did fit there.
func (p *Plan) misfits(why misfit, now time.Time) error {
	p.list = p.list[:0]
	switch {
	case why&overLimit != 0:
		return p.nobody(untilNextMinute(now), now.UnixNano())
	case why&overWindow == 0:
		return p.nobody(0, now.UnixNano())
	}
	var b strings.Builder
	b.WriteString("litellm.ContextWindowExceededError: litellm._pre_call_checks: Context Window exceeded for given call. " +
		"No models have context window large enough for this call.\n")
	for i := range p.group.members {
		if m := &p.group.members[i]; m.window > 0 && p.needs.tokens > m.window {
			b.WriteString("Model=" + m.d.Model + ", Max Input Tokens=" + strconv.FormatInt(m.window, 10) +
				", Got=" + strconv.FormatInt(p.needs.tokens, 10))
		}
	}
	return &llm.Error{
		Op: "router.Next", Kind: llm.KindContextWindow, Type: "invalid_request_error", Param: "messages",
		Code: "context_length_exceeded", Message: b.String(),
	}
}

func untilNextMinute(now time.Time) time.Duration {
	return time.Duration(60-now.Unix()%60) * time.Second
}
