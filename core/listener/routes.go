package listener

import (
	"strings"
	"unsafe"

	"github.com/fasthttp/router"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// operations are the paths that call a model, without their prefix.
func operations() map[string]llm.Operation {
	return map[string]llm.Operation{
		"/chat/completions": llm.OpChat,
		"/completions":      llm.OpCompletion,
		"/embeddings":       llm.OpEmbedding,

		"/moderations":          llm.OpModeration,
		"/images/generations":   llm.OpImage,
		"/images/edits":         llm.OpImageEdit,
		"/images/variations":    llm.OpImageVariation,
		"/audio/speech":         llm.OpSpeech,
		"/audio/transcriptions": llm.OpTranscription,
		"/audio/translations":   llm.OpTranslation,
		"/rerank":               llm.OpRerank,
	}
}

// table is every route of the gateway. The router matches canonical paths as they came, and never redirects.
func (s *Server) table() *router.Router {
	r := router.New()
	for path, op := range operations() {
		r.POST(path, s.call(op, path, ""))
		r.POST("/v1"+path, s.call(op, "/v1"+path, ""))
	}
	r.POST("/v2/rerank", s.call(llm.OpRerank, "/v2/rerank", ""))
	r.POST("/queue/chat/completions", s.call(llm.OpChat, "/queue/chat/completions", ""))
	s.resourceRoutes(r)
	s.absentRoutes(r)
	r.POST("/utils/transform_request", s.transform)
	for _, path := range []string{"/realtime", "/v1/realtime", "/openai/v1/realtime"} {
		r.GET(path, s.realtime(path))
	}
	s.messagesRoutes(r)
	s.responseRoutes(r)
	s.googleRoutes(r)
	// The model is part of these paths and may hold slashes of its own, so the tail is split by hand.
	r.POST("/engines/{tail:*}", s.modelInPath("/engines/"))
	r.POST("/openai/deployments/{tail:*}", s.modelInPath("/openai/deployments/"))
	for _, prefix := range []string{"", "/v1"} {
		r.GET(prefix+"/models", s.listModels)
		r.GET(prefix+"/models/{tail:*}", s.getModel)
	}
	for _, path := range []string{"/health/liveliness", "/health/liveness"} {
		r.GET(path, alive)
		r.OPTIONS(path, alive)
	}
	r.GET("/health/readiness", s.ready)
	r.OPTIONS("/health/readiness", s.ready)
	if s.Settings.Metrics != nil {
		r.GET("/metrics", s.metrics)
	}
	r.GET("/", s.welcome)
	return r
}

// modelInPath serves paths of the form prefix, model, operation.
func (s *Server) modelInPath(prefix string) fasthttp.RequestHandler {
	ops := operations()
	return func(ctx *fasthttp.RequestCtx) {
		tail, _ := ctx.UserValue("tail").(string)
		for path, op := range ops {
			model, ok := strings.CutSuffix(tail, path)
			if ok && model != "" && (op != llm.OpCompletion || !strings.HasSuffix(model, "/chat")) {
				s.call(op, prefix+strings.Clone(tail), decode(model))(ctx)
				return
			}
		}
		s.unrouted(ctx, []byte(prefix+tail))
	}
}

// unrouted answers a path or method that is not served, in the words of the reference's web framework, which clients
// know.
func (s *Server) unrouted(ctx *fasthttp.RequestCtx, path []byte) {
	var allow []string
	for _, m := range []string{fasthttp.MethodGet, fasthttp.MethodPost} {
		if h, _ := s.routes.Lookup(m, view(path), nil); h != nil {
			allow = append(allow, m)
		}
	}
	if len(allow) > 0 {
		ctx.Response.Header.Set("Allow", strings.Join(allow, ", "))
		detail(ctx, fasthttp.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`)
	} else {
		detail(ctx, fasthttp.StatusNotFound, `{"detail":"Not Found"}`)
	}
	s.Logger.Debug("request", "method", string(ctx.Method()), "path", string(path), "status", ctx.Response.StatusCode())
}

func detail(ctx *fasthttp.RequestCtx, status int, body string) {
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentType("application/json")
	ctx.Response.SetBodyString(body)
}

// view returns b as a string without copying. It is valid as long as b is unchanged.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
