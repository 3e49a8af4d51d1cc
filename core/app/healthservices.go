package app

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// serviceCheck sends something to a system that records or alerts go to. The message says where to look for it.
type serviceCheck func(ctx context.Context, who *llm.Principal) (message string, err error)

// services are the systems that GET /health/services can try out, by the names that the configuration has for them.
// records is who gets records of exchanges; it is nil if nobody does.
func (b *builder) services(records gateway.Recorder) map[string]serviceCheck {
	out := map[string]serviceCheck{}
	var names []string
	if success, failure := counted(&b.cfg.LiteLLMSettings); success || failure {
		names = append(names, prometheusName)
	}
	for _, s := range b.sinks.plugins {
		names = append(names, s.name)
	}
	for _, name := range names {
		out[name] = func(_ context.Context, who *llm.Principal) (string, error) {
			return "Mock LLM request made - check " + name + ".", mockRecord(records, who)
		}
	}
	return out
}

// mockRecord reports an exchange that no vendor answered and that costs nothing, to those who get records. Whoever counts
// money does not.
func mockRecord(records gateway.Recorder, who *llm.Principal) error {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Path, x.Method, x.Model, x.Principal = llm.OpChat, "/health/services", http.MethodGet, "litellm-mock-response-model", who
	x.EndUser = "litellm:/health/services"
	if err := x.Body.Parse([]byte(`{"model":"litellm-mock-response-model","messages":[{"role":"user","content":"Hey, how's it going?"}]}`)); err != nil {
		return err
	}
	reply, err := openai.FinishedReply(x, "This is a mock response", "stop")
	if err != nil {
		return err
	}
	reply.Deployment = &llm.Deployment{ID: "health-services", Group: x.Model, Provider: "openai", Model: x.Model, Written: "openai/" + x.Model}
	reply.Kept = reply.First.Data
	x.Answered = time.Now()
	records.Record(x, reply, reply.Deployment, nil)
	return nil
}

// checkService serves GET /health/services?service=.
func (a *App) checkService(r *http.Request) (any, error) {
	service := r.URL.Query().Get("service")
	if service == "" {
		return nil, &detailError{http.StatusUnprocessableEntity, []map[string]any{{"type": "missing", "loc": []string{"query", "service"}, "msg": "Field required"}}}
	}
	services := a.current.Load().services
	check := services[service]
	if check == nil {
		return nil, &detailError{http.StatusUnprocessableEntity, map[string]string{
			"error": `"` + service + `" not in proxy config: it is no callback or alert that is on. Those that are: [` +
				strings.Join(slices.Sorted(maps.Keys(services)), ", ") + "]. Unable to test this.",
		}}
	}
	message, err := check(r.Context(), llm.PrincipalFrom(r.Context()))
	if err != nil {
		a.log.Warn("a service could not be tried out", "service", service, "error", err)
		return nil, &detailError{http.StatusInternalServerError, map[string]string{"error": "The test of " + service + " failed: see the log."}}
	}
	return map[string]any{"status": "success", "message": message}, nil
}
