package app

import (
	"slices"

	counters "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/callback/prometheus"
	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/telemetry"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// plugins is what plugins have in common and what outlives a reload, with the metrics of the gateway and theirs.
type plugins struct {
	metrics     *telemetry.Metrics
	host        *wasm.Host
	softBudgets *counters.CounterVec // soft budgets that were reached, by whose they are
}

func newPlugins() (p plugins, err error) {
	p.metrics = telemetry.NewMetrics()
	p.softBudgets, err = telemetry.Register(p.metrics, counters.NewCounterVec(counters.CounterOpts{
		Name: "sallyport_soft_budgets_reached_total", Help: "Soft budgets that were reached, once in each period.",
	}, []string{"of"}))
	if err != nil {
		return p, err
	}
	p.host, err = wasm.NewHost(nil, p.metrics)
	return p, err
}

// prometheusName is the callback that counts exchanges and opens /metrics.
const prometheusName = "prometheus"

// counted reports which exchanges the configuration wants counted.
func counted(l *config.LiteLLMSettings) (success, failure bool) {
	all := slices.Contains(l.Callbacks, prometheusName)
	return all || slices.Contains(l.SuccessCallback, prometheusName), all || slices.Contains(l.FailureCallback, prometheusName)
}

// prometheus makes the sink that counts exchanges, or nil if none are to be counted.
func (b *builder) prometheus() callback.Sink {
	l := &b.cfg.LiteLLMSettings
	success, failure := counted(l)
	if !success && !failure {
		return nil
	}
	s, err := prometheus.New(prometheus.Settings{Metrics: b.metrics, Success: success, Failure: failure, EndUser: l.EndUserInMetrics})
	if err != nil {
		b.mistake("litellm_settings.callbacks", err)
		return nil
	}
	return s
}

// metricsPage is what GET /metrics serves by the configuration of the moment.
func (a *App) metricsPage() listener.Metrics {
	l := &a.current.Load().cfg.LiteLLMSettings
	if success, failure := counted(l); !success && !failure {
		return listener.Metrics{}
	}
	return listener.Metrics{Private: l.RequireAuthForMetrics, Text: func() ([]byte, string) {
		text, contentType, err := a.metrics.Text()
		if err != nil {
			a.log.Warn("some metrics are missing", "error", err)
		}
		return text, contentType
	}}
}
