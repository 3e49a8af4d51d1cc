package listener

import (
	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// absent are the routes of the reference's for models that this gateway does not serve, and what to do instead.
func absent() map[string][]string {
	const post, get = fasthttp.MethodPost, fasthttp.MethodGet
	const search = "Search tools cannot be configured in this gateway. Models search the web by themselves: send web_search_options or a web search tool with a chat."
	const rag = "Ingestion and retrieval in one call are not served. Upload to /v1/files, put the file into a store by /v1/vector_stores, and search it by /v1/vector_stores/{id}/search."
	return map[string][]string{
		search: {post + "/search", post + "/search/{tool}"},
		rag:    {post + "/rag/ingest", post + "/rag/query"},
		"Indexes of vector stores cannot be kept in this gateway. Use /v1/vector_stores, or the pass-through path of the vendor.": {post + "/indexes"},
		"There are no agents in this gateway: agent_list is not in effect. Serve the agent by a pass-through endpoint of the operator's own.": {
			post + "/a2a/{agent}", post + "/a2a/{agent}/message/send", get + "/a2a/{agent}/.well-known/agent-card.json", get + "/a2a/{agent}/.well-known/agent.json",
		},
	}
}

// absentRoutes says at each such path why it is not served, to callers with a key.
func (s *Server) absentRoutes(r *router.Router) {
	for why, routes := range absent() {
		for _, route := range routes {
			method, path := fasthttp.MethodGet, route[len(fasthttp.MethodGet):]
			if route[0] == 'P' {
				method, path = fasthttp.MethodPost, route[len(fasthttp.MethodPost):]
			}
			for _, prefix := range []string{"", "/v1"} {
				r.Handle(method, prefix+path, s.refused(prefix+path, why))
			}
		}
	}
	for _, path := range []string{"/search/tools", "/v1/search/tools"} {
		r.GET(path, func(ctx *fasthttp.RequestCtx) {
			s.withModels(ctx, path, func(*session, []string) []byte { return []byte(`{"object":"list","data":[]}`) })
		})
	}
}

func (s *Server) refused(path, why string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		c := s.open(ctx, llm.OpNone, path)
		err := s.Gateway.Authenticate(&c.x.Life, &c.x)
		if err == nil {
			err = &llm.Error{Op: "listener.refused", Kind: llm.KindInvalid, Status: fasthttp.StatusNotImplemented, Type: "not_supported", Message: why}
		}
		c.fail(ctx, err)
	}
}
