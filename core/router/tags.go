package router

import (
	"slices"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// defaultTag marks deployments for requests whose tags no deployment has, and for those without any.
const defaultTag = "default"

// tagSet is a set of the tags that a group's deployments have, a bit for each.
type tagSet []uint64

func (s tagSet) add(bit int)      { s[bit/64] |= 1 << (bit % 64) }
func (s tagSet) has(bit int) bool { return bit >= 0 && s[bit/64]&(1<<(bit%64)) != 0 }

func (s tagSet) any(t tagSet) bool {
	for i, w := range s {
		if w&t[i] != 0 {
			return true
		}
	}
	return false
}

func (s tagSet) all(t tagSet) bool {
	for i, w := range t {
		if w&^s[i] != 0 {
			return false
		}
	}
	return true
}

// indexTags numbers the tags of the group's deployments.
func (g *group) indexTags() {
	g.tags, g.byDefault = map[string]int{}, -1
	for i := range g.members {
		for _, t := range g.members[i].d.Tags {
			if _, known := g.tags[t]; !known {
				g.tags[t] = len(g.tags)
			}
		}
	}
	if bit, ok := g.tags[defaultTag]; ok {
		g.byDefault = bit
	}
	words := (len(g.tags) + 63) / 64
	for i := range g.members {
		m := &g.members[i]
		m.tags = make(tagSet, words)
		for _, t := range m.d.Tags {
			m.tags.add(g.tags[t])
		}
	}
}

// tagged leaves those in p.list that the request's tags ask for: with one of its tags, or with all of them; else those
// for everything else. A request without tags gets the latter, or if there are none, anybody
// (litellm/router_strategy/tag_based_routing.py).
func (p *Plan) tagged() error {
	g, s := p.group, &p.r.s
	asked := p.x.Tags
	if len(asked) == 0 {
		p.defaults()
		return nil
	}
	words := (len(g.tags) + 63) / 64
	p.tagWords = slices.Grow(p.tagWords[:0], words)[:words]
	clear(p.tagWords)
	want, known := tagSet(p.tagWords), true
	for _, t := range asked {
		bit, ok := g.tags[t]
		if known = known && ok; ok {
			want.add(bit)
		}
	}
	n := 0
	if s.MatchAllTags {
		n = p.partition(func(m *member) bool { return known && m.tags.all(want) })
	} else {
		n = p.partition(func(m *member) bool { return m.tags.any(want) })
	}
	if n > 0 {
		p.list = p.list[:n]
		return nil
	}
	if p.defaults() {
		return nil
	}
	p.list = p.list[:0]
	return &llm.Error{
		Op: "router.Next", Kind: llm.KindNoDeployment, Status: 401, Type: "None", Param: "None", Code: "401",
		Message: "Not allowed to access model due to tags configuration. Passed model=" + clip(p.name) +
			" and tags=" + clip(pythonList(asked)),
	}
}

// defaults leaves those in p.list that are for everything else, if there are any, and reports whether there are.
func (p *Plan) defaults() bool {
	if p.group.byDefault < 0 {
		return false
	}
	n := p.partition(func(m *member) bool { return m.tags.has(p.group.byDefault) })
	if n == 0 {
		return false
	}
	p.list = p.list[:n]
	return true
}

// partition brings those in p.list that are wanted to its front, in order, and returns how many they are. The others
// stay behind them if there are none.
func (p *Plan) partition(wanted func(*member) bool) int {
	n := 0
	for at, i := range p.list {
		if wanted(&p.group.members[i]) {
			p.list[n], p.list[at] = i, p.list[n]
			n++
		}
	}
	return n
}
