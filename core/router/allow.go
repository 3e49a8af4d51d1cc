package router

import "github.com/sallyport-ai/sallyport/core/llm"

// Knows reports whether requests for the name find deployments.
func (r *Router) Knows(name string) bool {
	g, err := r.resolve(name)
	return g != nil && err == nil
}

// Members are the deployments that a name leads to; nil if there are none.
func (r *Router) Members(name string) []*llm.Deployment {
	g, err := r.resolve(name)
	if g == nil || err != nil {
		return nil
	}
	out := make([]*llm.Deployment, len(g.members))
	for i := range g.members {
		out[i] = g.members[i].d
	}
	return out
}

// GroupOf is the group of the deployment with the ID, or "".
func (r *Router) GroupOf(id string) string {
	if g := r.ids[id]; g != nil {
		return g.members[0].d.Group
	}
	return ""
}

// Allow returns the error of Plan for a principal that may not use the model, or nil. It is for requests that name a
// model and are not planned.
func (r *Router) Allow(p *llm.Principal, model string) error {
	if r.allowed(p, model) {
		return nil
	}
	return accessDenied(p, model)
}
