package app

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// How a health check calls.
const (
	probeTimeout  = 60 * time.Second
	probesAtATime = 8
)

// report is the answer of GET /health, in the reference's shape (litellm/proxy/health_endpoints).
type report struct {
	Healthy        []endpointHealth `json:"healthy_endpoints"`
	Unhealthy      []endpointHealth `json:"unhealthy_endpoints"`
	HealthyCount   int              `json:"healthy_count"`
	UnhealthyCount int              `json:"unhealthy_count"`
}

type endpointHealth struct {
	Model   string `json:"model"`
	Group   string `json:"model_group"`
	ID      string `json:"model_id"`
	APIBase string `json:"api_base,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Health calls the deployments of one model group, or all if model is empty, once each, asking for one token, and
// returns the report as JSON. Deployments of a wildcard have no model to ask for and are left out.
func (a *App) Health(ctx context.Context, model string) []byte {
	var targets []*llm.Deployment
	for _, d := range a.current.Load().deployments {
		if d.Bound != nil && (model == "" || d.Group == model || d.ID == model) {
			targets = append(targets, d)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	errs := make([]error, len(targets))
	var wg sync.WaitGroup
	room := make(chan struct{}, probesAtATime)
	for i, d := range targets {
		room <- struct{}{}
		wg.Go(func() {
			errs[i] = a.probe(ctx, d)
			<-room
		})
	}
	wg.Wait()
	r := report{Healthy: []endpointHealth{}, Unhealthy: []endpointHealth{}}
	for i, d := range targets {
		h := endpointHealth{Model: d.Provider + "/" + d.Model, Group: d.Group, ID: d.ID, APIBase: d.Base}
		if errs[i] == nil {
			r.Healthy = append(r.Healthy, h)
			continue
		}
		h.Error = openai.Message(llm.AsError(errs[i]))
		r.Unhealthy = append(r.Unhealthy, h)
	}
	r.HealthyCount, r.UnhealthyCount = len(r.Healthy), len(r.Unhealthy)
	b, _ := json.Marshal(r)
	return b
}

// probe makes the cheapest call that the deployment's mode allows.
func (a *App) probe(ctx context.Context, d *llm.Deployment) error {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Pinned, x.Model = d, d.Group
	body := `{"messages":[{"role":"user","content":"ping"}],"max_tokens":1}`
	x.Op = llm.OpChat
	switch d.Info["mode"] {
	case "embedding":
		x.Op, body = llm.OpEmbedding, `{"input":["ping"]}`
	case "completion":
		x.Op, body = llm.OpCompletion, `{"prompt":"ping","max_tokens":1}`
	case "image_generation":
		x.Op, body = llm.OpImage, `{"prompt":"ping","n":1}`
	case "audio_speech":
		x.Op, body = llm.OpSpeech, `{"input":"ping","voice":"alloy"}`
	case "rerank":
		x.Op, body = llm.OpRerank, `{"query":"ping","documents":["ping"]}`
	case "moderation":
		x.Op, body = llm.OpModeration, `{"input":"ping"}`
	case "responses": // 16 is the least that the API takes
		x.Dialect = llm.DialectResponses
		if err := x.Native.Parse([]byte(`{"input":"ping","max_output_tokens":16}`)); err != nil {
			return err
		}
	}
	if err := x.Body.Parse([]byte(body)); err != nil {
		return err
	}
	reply, err := a.gateway.Probe(ctx, x)
	if err != nil {
		return err
	}
	return reply.Rest.Close()
}
