package router

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// resolve finds the deployments behind a name. Aliases come first, as they may stand in front of a group of the same
// name; then groups, ids, wildcards, and last the vendors' own names (litellm/router.py,
// _common_checks_available_deployment). It returns nil and no error for an unknown name.
func (r *Router) resolve(name string) (*group, error) {
	if a, ok := r.s.Aliases[name]; ok {
		name = a.Group
	}
	if g := r.groups[name]; g != nil {
		return g, nil
	}
	if g := r.ids[name]; g != nil {
		return g, nil
	}
	if g, err := r.wild.find(name); g != nil || err != nil {
		return g, err
	}
	return r.written[name], nil
}

// resolveFor finds the deployments behind a name that somebody asks for. A team's own models come before those of
// everybody that have the same name, as its administrators meant them to.
func (r *Router) resolveFor(p *llm.Principal, name string) (*group, error) {
	if len(r.teams) > 0 && p != nil && p.TeamID != "" {
		if g := r.teams[teamName{p.TeamID, name}]; g != nil {
			return g, nil
		}
	}
	return r.resolve(name)
}

// Names longer than maxCachedName, and more than maxCached of them, are worked out anew each time.
const (
	maxCached     = 1024
	maxCachedName = 256
)

// wildcards are the deployments whose group holds a "*" (litellm/router_utils/pattern_match_deployments.py).
type wildcards struct {
	r        *Router
	names    []string // in the order of the configuration
	patterns []*pattern
	ids      map[string]bool

	mu    sync.RWMutex
	cache map[string]*group
}

// pattern is one wildcard name. As in the reference it is bound to the start of the model name and not to its end.
type pattern struct {
	name    string
	expr    *regexp.Regexp
	members []member
}

func newWildcards(r *Router) *wildcards {
	return &wildcards{r: r, ids: map[string]bool{}, cache: map[string]*group{}}
}

func (w *wildcards) add(m member) error {
	if strings.Contains(m.d.Model, "*") && w.r.s.Expand == nil {
		return fmt.Errorf("model %q is a wildcard, and nothing was given to expand it", m.d.Group)
	}
	w.ids[m.d.ID] = true
	for _, p := range w.patterns {
		if p.name == m.d.Group {
			p.members = append(p.members, m)
			return nil
		}
	}
	literal := strings.Split(m.d.Group, "*")
	for i := range literal {
		literal[i] = regexp.QuoteMeta(literal[i])
	}
	expr, err := regexp.Compile("^" + strings.Join(literal, "(.*)"))
	if err != nil {
		return fmt.Errorf("model %q: %w", m.d.Group, err)
	}
	w.names = append(w.names, m.d.Group)
	w.patterns = append(w.patterns, &pattern{m.d.Group, expr, []member{m}})
	return nil
}

// sort puts the most specific pattern first.
func (w *wildcards) sort() {
	slices.SortStableFunc(w.patterns, func(a, b *pattern) int {
		la, ca := specificity(a.name)
		lb, cb := specificity(b.name)
		return cmp.Or(cmp.Compare(lb, la), cmp.Compare(cb, ca))
	})
}

// specificity measures a wildcard as the reference does: the length of the regular expression it becomes there, and
// how many operators that holds.
func specificity(name string) (length, operators int) {
	for i := range len(name) {
		switch c := name[i]; {
		case c == '*':
			length += len("(.*)")
			operators += 3
		case strings.IndexByte("()[]{}?+-|^$\\.&~# \t\n\r\v\f", c) >= 0:
			length += 2
			operators++ // the backslash in front
			if strings.IndexByte("+?\\^$|()", c) >= 0 {
				operators++
			}
		default:
			length++
		}
	}
	return length, operators
}

// match returns the most specific pattern for the name and what its stars stand for.
func (w *wildcards) match(name string) (*pattern, []string) {
	for _, p := range w.patterns {
		if m := p.expr.FindStringSubmatch(name); m != nil {
			return p, m[1:]
		}
	}
	return nil, nil
}

func (w *wildcards) serves(name string) bool {
	g, err := w.find(name)
	return g != nil && err == nil
}

func (w *wildcards) find(name string) (*group, error) {
	// A star in the name asked for would reach the vendor as it is.
	if len(w.patterns) == 0 || name == "" || strings.IndexByte(name, '*') >= 0 {
		return nil, nil
	}
	w.mu.RLock()
	g := w.cache[name]
	w.mu.RUnlock()
	if g != nil {
		return g, nil
	}
	p, stars := w.match(name)
	if p == nil {
		return nil, nil
	}
	name = strings.Clone(name) // it may be borrowed from the request
	g, err := w.build(p, name, stars)
	if err != nil {
		return nil, err
	}
	if len(name) <= maxCachedName {
		w.keep(g)
	}
	return g, nil
}

func (w *wildcards) keep(g *group) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.cache {
		if len(w.cache) < maxCached {
			break
		}
		delete(w.cache, name)
	}
	w.cache[g.name] = g
}

// build expands the deployments of a pattern. One that cannot be expanded is left out; if none is left, the first
// error is the answer.
func (w *wildcards) build(p *pattern, name string, stars []string) (*group, error) {
	g := &group{name: name}
	var failure error
	for _, m := range p.members {
		d := m.d
		if strings.Contains(d.Model, "*") {
			var err error
			if d, err = w.r.s.Expand(m.d, fill(m.d, name, stars)); err != nil {
				if failure == nil {
					failure = err
				}
				continue
			}
		}
		g.add(w.r.member(d, m.state, false))
	}
	if len(g.members) == 0 {
		return nil, badModel(name, failure)
	}
	w.r.seal(g)
	return g, nil
}

// fill puts what the stars of the group stand for into the stars of the vendor's name, left to right. If there are
// fewer of the latter, the vendor gets the name that was asked for.
func fill(d *llm.Deployment, name string, stars []string) string {
	if len(stars) > strings.Count(d.Model, "*") {
		return strings.TrimPrefix(name, d.Provider+"/")
	}
	var b strings.Builder
	rest := d.Model
	for _, s := range stars {
		before, after, _ := strings.Cut(rest, "*")
		b.WriteString(before)
		b.WriteString(s)
		rest = after
	}
	b.WriteString(rest)
	return b.String()
}
