package gateway

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Members are the deployments that requests for a model can use; nil if there are none.
func (g *Gateway) Members(model string) []*llm.Deployment {
	s := g.current.acquire()
	defer s.release()
	return s.Router.Members(model)
}

// Record makes the record of something that was not served here: x says who pays for it, and how much.
func (g *Gateway) Record(x *llm.Exchange, r *llm.Reply) {
	s := g.current.acquire()
	defer s.release()
	if s.Recorder != nil {
		s.Recorder.Record(x, r, r.Deployment, nil)
	}
}

// Speaks reports whether requests for a model in a dialect go to the vendor as they came, whichever deployment is
// chosen.
func (g *Gateway) Speaks(model string, dialect llm.Dialect) bool {
	s := g.current.acquire()
	defer s.release()
	if s.Pipeline.ReadsAnswers() {
		return false
	}
	members := s.Router.Members(model)
	for _, d := range members {
		if speaker, ok := d.Bound.(provider.Speaker); !ok || !speaker.Speaks(dialect) {
			return false
		}
	}
	return len(members) > 0
}
