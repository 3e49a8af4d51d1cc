package router

import (
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Elsewhere reports whether somebody else than the deployment handed out last could be asked: another one of its group,
// or a fallback.
func (p *Plan) Elsewhere() bool {
	if p.group == nil {
		return false
	}
	if len(p.group.members) > 1 && !p.group.single {
		return true
	}
	if p.x.Controls.DisableFallbacks || p.depth >= p.r.s.MaxFallbacks && len(p.frames) == 0 {
		return false
	}
	for i := range p.frames {
		if p.frames[i].next < len(p.frames[i].targets) {
			return true
		}
	}
	if p.own {
		return len(p.given) > 0
	}
	return len(p.r.of(p.r.general, p.name, p.group)) > 0
}

// Avoid has the first Next leave out a deployment as if it had been tried. It reports whether the group has another. It
// comes between Router.Plan and Next.
func (p *Plan) Avoid(id string) bool {
	if p.group == nil || p.group.single || len(p.group.members) < 2 {
		return false
	}
	for i := range p.group.members {
		if p.group.members[i].d.ID == id {
			p.tried[i], p.at = true, i
		}
	}
	return true
}

// Slow tells that the deployment handed out last was given up because it takes long to begin: it would teach nothing
// otherwise, and be called first again and again. It comes before Done, with an error of kind llm.KindCanceled.
func (p *Plan) Slow() {
	if !p.open || !p.x.Streamed {
		return // what a whole answer takes depends on its length, which is not known
	}
	now := time.Now()
	p.group.members[p.at].state.sample(true, max(now.Sub(p.begun), 1), llm.Usage{}, now.UnixNano(), &p.r.s.StrategyArgs)
}
