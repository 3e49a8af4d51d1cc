package listener

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// alive answers as long as the process does.
func alive(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyString(`"I'm alive!"`)
}

// ready says whether requests would be served. The fields are those of the reference's check.
func (s *Server) ready(ctx *fasthttp.RequestCtx) {
	var st Status
	if s.Settings.Status != nil {
		st = s.Settings.Status()
	}
	callbacks := st.Callbacks
	if callbacks == nil {
		callbacks = []string{}
	}
	var kind any
	if st.Cache != "" {
		kind = st.Cache
	}
	body := map[string]any{
		"status": "healthy", "db": cmp.Or(st.Database, "Not connected"), "cache": kind, "litellm_version": s.Version,
		"success_callbacks": callbacks, "log_level": st.LogLevel, "last_updated": time.Now().UTC().Format(time.RFC3339),
	}
	if s.closing.Load() {
		body["status"] = "shutting down"
		ctx.Response.SetStatusCode(fasthttp.StatusServiceUnavailable)
	}
	answerJSON(ctx, body)
}

func answerJSON(ctx *fasthttp.RequestCtx, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		detail(ctx, fasthttp.StatusInternalServerError, `{"detail":"Internal Server Error"}`)
		return
	}
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(b)
}

// welcome tells somebody who opens the address in a browser where they are.
func (s *Server) welcome(ctx *fasthttp.RequestCtx) {
	answerJSON(ctx, map[string]string{
		"name": "sallyport", "version": s.Version, "models": s.RootPath + "/v1/models", "health": s.RootPath + "/health/readiness",
	})
}

// What the reference says of every model it lists (litellm/proxy/utils.py, create_model_info_response).
const (
	modelsCreated = 1677610602
	modelsOwner   = "openai"
)

// listModels serves GET /v1/models: the model groups the caller may use.
func (s *Server) listModels(ctx *fasthttp.RequestCtx) {
	s.withModels(ctx, "/v1/models", func(_ *session, models []string) []byte {
		return openai.AppendModels(nil, models, modelsCreated, modelsOwner)
	})
}

// getModel serves GET /v1/models/{id}.
func (s *Server) getModel(ctx *fasthttp.RequestCtx) {
	tail, _ := ctx.UserValue("tail").(string)
	id := decode(tail)
	s.withModels(ctx, "/v1/models/{id}", func(c *session, models []string) []byte {
		if slices.Contains(models, id) {
			return openai.AppendModel(nil, id, modelsCreated, modelsOwner)
		}
		c.fail(ctx, &llm.Error{
			Op: "listener.getModel", Kind: llm.KindNotFound, Type: "invalid_request_error", Param: "model", Code: "model_not_found",
			Message: "The model '" + id + "' does not exist. Call `/v1/models` to view available models for your key.",
		})
		return nil
	})
}

// withModels authenticates the caller and answers with what body makes of the caller's models; body returns nil if it
// has ended the session itself.
func (s *Server) withModels(ctx *fasthttp.RequestCtx, path string, body func(*session, []string) []byte) {
	c := s.open(ctx, llm.OpNone, path)
	if err := s.Gateway.Authenticate(&c.x.Life, &c.x); err != nil {
		c.fail(ctx, err)
		return
	}
	b := body(c, s.Gateway.Models(&c.x))
	if b == nil {
		return
	}
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(b)
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(fasthttp.StatusOK, nil)
	c.release()
}

// metrics serves GET /metrics.
func (s *Server) metrics(ctx *fasthttp.RequestCtx) {
	m := s.Settings.Metrics()
	if m.Text == nil {
		detail(ctx, fasthttp.StatusNotFound, `{"detail":"Not Found"}`)
		return
	}
	var c *session
	if m.Private {
		c = s.open(ctx, llm.OpNone, "/metrics")
		if err := s.Gateway.Authenticate(&c.x.Life, &c.x); err != nil {
			c.fail(ctx, err)
			return
		}
	}
	body, contentType := m.Text()
	ctx.Response.Header.SetContentType(contentType)
	ctx.Response.SetBodyRaw(body)
	if c != nil {
		c.log(fasthttp.StatusOK, nil)
		c.release()
	}
}

// cors lets browsers on other origins call the gateway, as the reference does: any origin, any method, any header.
// Credentials are keys in headers, never cookies. It reports whether it answered the request itself.
func (s *Server) cors(ctx *fasthttp.RequestCtx) bool {
	if !allowOrigin(ctx) || !ctx.IsOptions() || len(ctx.Request.Header.Peek("Access-Control-Request-Method")) == 0 {
		return false
	}
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
	h.SetBytesV("Access-Control-Allow-Headers", ctx.Request.Header.Peek("Access-Control-Request-Headers"))
	h.Set("Access-Control-Max-Age", "600")
	ctx.Response.SetStatusCode(fasthttp.StatusOK)
	return true
}

// allowOrigin opens the response to scripts of any origin, if a script asked.
func allowOrigin(ctx *fasthttp.RequestCtx) bool {
	if len(ctx.Request.Header.Peek("Origin")) == 0 {
		return false
	}
	ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
	ctx.Response.Header.Set("Access-Control-Expose-Headers", "*")
	return true
}
