// Package prometheus counts finished exchanges in metrics with the reference's names and labels
// (litellm/types/integrations/prometheus.py), so that dashboards made for it go on working.
package prometheus

import (
	"context"
	"strconv"
	"strings"
	"sync"

	client "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// MaxSeries is how many combinations of labels a metric keeps. Callers choose some of the labels, such as the user
// agent; beyond the limit what they choose is counted as "other".
const MaxSeries = 10_000

// Settings of a Sink.
type Settings struct {
	Metrics *telemetry.Metrics // required
	Success bool               // count exchanges that ended well
	Failure bool               // count those that did not
	EndUser bool               // put the end user in labels
}

// Sink is a callback.Sink. Sinks made one after another with the same registry go on counting where the last one
// stopped.
type Sink struct {
	s Settings
	*families
}

// New makes a sink. It is an error if something else has metrics of these names.
func New(s Settings) (*Sink, error) {
	f, err := telemetry.Register(s.Metrics, newFamilies())
	if err != nil {
		return nil, err
	}
	return &Sink{s, f}, nil
}

// Write implements callback.Sink.
func (s *Sink) Write(_ context.Context, batch []callback.Record) error {
	for i := range batch {
		rec := &batch[i]
		failed := rec.Error != nil
		if failed && s.s.Failure || !failed && s.s.Success {
			s.count(&labels{rec: rec, endUser: s.s.EndUser})
		}
	}
	return nil
}

// families are the metrics.
type families struct {
	requests, failed, llmRequests, llmFailed           counter
	spend, input, output, total, cached                counter
	deployment, deploymentOK, deploymentFailed         counter
	fallbackOK, fallbackFailed, cacheHits, cacheMisses counter
	latency, llmLatency, firstToken, perToken, excess  histogram
	state                                              gauge
}

// Labels of the metrics, joined by spaces.
const (
	who        = "end_user hashed_api_key api_key_alias"
	caller     = "client_ip user_agent"
	deployed   = "litellm_model_name model_id api_base api_provider"
	exception  = "exception_status exception_class"
	timed      = who + " requested_model team team_alias user model model_id"
	spent      = who + " model team team_alias user user_email " + caller + " model_id"
	tokens     = who + " model team team_alias user user_email requested_model model_id"
	keyed      = "hashed_api_key api_key_alias team team_alias"
	fallenBack = "requested_model fallback_model " + keyed + " " + exception + " model_id"
)

// limits are the bounds of the reference's histograms in seconds.
func limits() []float64 {
	b := []float64{0.005, 0.00625, 0.0125, 0.025, 0.05, 0.1}
	for v := 0.5; v <= 10; v += 0.5 {
		b = append(b, v)
	}
	return append(b, 15, 20, 25, 30, 60, 120, 180, 240, 300)
}

func newFamilies() *families {
	return &families{
		requests:         newCounter("litellm_proxy_total_requests_metric", "Requests of callers.", who+" requested_model team team_alias user status_code user_email route "+caller+" model_id"),
		failed:           newCounter("litellm_proxy_failed_requests_metric", "Requests that callers saw fail.", who+" requested_model team team_alias user user_email "+exception+" route "+caller+" model_id"),
		llmRequests:      newCounter("litellm_requests_metric", "Calls of models that ended well.", spent),
		llmFailed:        newCounter("litellm_llm_api_failed_requests_metric", "Calls of models that failed.", who+" model team team_alias user model_id"),
		spend:            newCounter("litellm_spend_metric", "What calls cost, in US dollars.", spent),
		input:            newCounter("litellm_input_tokens_metric", "Tokens of prompts.", tokens),
		output:           newCounter("litellm_output_tokens_metric", "Tokens of answers.", tokens),
		total:            newCounter("litellm_total_tokens_metric", "Tokens of prompts and answers.", tokens),
		cached:           newCounter("litellm_cached_tokens_metric", "Tokens of prompts and answers that came from the cache.", "model "+keyed+" end_user user model_id"),
		cacheMisses:      newCounter("litellm_cache_misses_metric", "Answers that were not in the cache.", "model "+keyed+" end_user user model_id"),
		cacheHits:        newCounter("litellm_cache_hits_metric", "Answers from the cache.", "model "+keyed+" end_user user model_id"),
		deployment:       newCounter("litellm_deployment_total_requests", "Exchanges by the deployment called last.", "requested_model "+deployed+" "+keyed+" "+caller),
		deploymentOK:     newCounter("litellm_deployment_success_responses", "Exchanges that a deployment answered.", "requested_model "+deployed+" "+keyed+" "+caller),
		deploymentFailed: newCounter("litellm_deployment_failure_responses", "Exchanges that failed at a deployment.", "requested_model "+deployed+" "+exception+" "+keyed+" "+caller),
		fallbackOK:       newCounter("litellm_deployment_successful_fallbacks", "Exchanges that a fallback answered.", fallenBack),
		fallbackFailed:   newCounter("litellm_deployment_failed_fallbacks", "Exchanges that failed although a fallback was tried.", fallenBack),
		latency:          newHistogram("litellm_request_total_latency_metric", "Time from request to the end of the answer.", timed),
		llmLatency:       newHistogram("litellm_llm_api_latency_metric", "Time that calls of models took.", "model "+keyed+" requested_model end_user user model_id"),
		firstToken:       newHistogram("litellm_llm_api_time_to_first_token_metric", "Time to the first part of a streamed answer.", "model "+keyed+" requested_model end_user user model_id"),
		perToken:         newHistogram("litellm_deployment_latency_per_output_token", "Time of a call for each token of its answer.", deployed+" "+keyed),
		excess:           newHistogram("litellm_overhead_latency_metric", "Time that is not the model's.", "model_group api_provider api_base litellm_model_name hashed_api_key api_key_alias model_id"),
		state:            newGauge("litellm_deployment_state", "0 after an answer, 1 after a failure.", deployed),
	}
}

// Describe implements prometheus.Collector.
func (f *families) Describe(ch chan<- *client.Desc) {
	f.each(func(c client.Collector) { c.Describe(ch) })
}

// Collect implements prometheus.Collector.
func (f *families) Collect(ch chan<- client.Metric) {
	f.each(func(c client.Collector) { c.Collect(ch) })
}

func (f *families) each(do func(client.Collector)) {
	for _, c := range []*counter{
		&f.requests, &f.failed, &f.llmRequests, &f.llmFailed, &f.spend, &f.input, &f.output, &f.total, &f.cached, &f.cacheHits, &f.cacheMisses,
		&f.deployment, &f.deploymentOK, &f.deploymentFailed, &f.fallbackOK, &f.fallbackFailed,
	} {
		do(c.vec)
	}
	for _, h := range []*histogram{&f.latency, &f.llmLatency, &f.firstToken, &f.perToken, &f.excess} {
		do(h.vec)
	}
	do(f.state.vec)
}

// count counts one record.
func (f *families) count(l *labels) {
	rec := l.rec
	f.requests.add(l, 1)
	if rec.Error != nil {
		f.failed.add(l, 1)
	}
	if total := rec.End.Sub(rec.Start); rec.Error == nil {
		f.latency.observe(l, total.Seconds())
		if rec.Upstream > 0 {
			f.excess.observe(l, max(0, total-rec.Upstream).Seconds())
		}
	}
	if rec.Deployment == nil {
		return
	}
	f.deployment.add(l, 1)
	if rec.Error != nil {
		f.llmFailed.add(l, 1)
		f.deploymentFailed.add(l, 1)
		f.state.set(l, 1)
		if rec.Fallbacks > 0 {
			f.fallbackFailed.add(l, 1)
		}
		return
	}
	f.answered(l)
}

func (f *families) answered(l *labels) {
	rec := l.rec
	f.deploymentOK.add(l, 1)
	f.llmRequests.add(l, 1)
	f.state.set(l, 0)
	f.spend.add(l, rec.Cost)
	f.input.add(l, float64(rec.Usage.Prompt))
	f.output.add(l, float64(rec.Usage.Completion))
	f.total.add(l, float64(rec.Usage.Total))
	if rec.CacheHit {
		f.cacheHits.add(l, 1)
		f.cached.add(l, float64(rec.Usage.Total))
	} else if rec.CacheKey != "" {
		f.cacheMisses.add(l, 1)
	}
	if rec.Fallbacks > 0 {
		f.fallbackOK.add(l, 1)
	}
	if rec.Upstream > 0 {
		f.llmLatency.observe(l, rec.Upstream.Seconds())
		if rec.Usage.Completion > 0 {
			f.perToken.observe(l, rec.Upstream.Seconds()/float64(rec.Usage.Completion))
		}
	}
	if rec.Stream && !rec.FirstToken.IsZero() {
		f.firstToken.observe(l, max(0, rec.FirstToken.Sub(rec.Start)).Seconds())
	}
}

// labels gives the value of each label for a record. What is not known is "None", as in the reference.
type labels struct {
	rec     *callback.Record
	endUser bool
}

func (l *labels) value(name string) string {
	v := l.known(name)
	if v == "" {
		return "None"
	}
	return strings.ToValidUTF8(v[:min(len(v), 256)], "\ufffd")
}

func (l *labels) known(name string) string {
	rec := l.rec
	switch name {
	case "end_user":
		if l.endUser {
			return rec.EndUser
		}
		return ""
	case "requested_model", "model_group":
		return rec.ModelGroup
	case "status_code":
		return strconv.Itoa(rec.Status)
	case "route":
		return rec.Route
	case "client_ip":
		return rec.Remote
	case "user_agent":
		return rec.UserAgent
	case "exception_status":
		if rec.Error != nil {
			return strconv.Itoa(rec.Error.Status)
		}
		return ""
	case "exception_class":
		return l.class()
	}
	if v, ok := l.principal(name); ok {
		return v
	}
	return l.deployment(name)
}

// class is the exception's name behind its vendor's, such as "Openai.RateLimitError".
func (l *labels) class() string {
	e := l.rec.Error
	if e == nil {
		return ""
	}
	if e.Provider == "" {
		return e.Class()
	}
	return strings.ToUpper(e.Provider[:1]) + e.Provider[1:] + "." + e.Class()
}

func (l *labels) principal(name string) (string, bool) {
	p := l.rec.Principal
	field := func(v func() string) (string, bool) {
		if p == nil {
			return "", true
		}
		return v(), true
	}
	switch name {
	case "hashed_api_key":
		return field(func() string { return p.KeyHash })
	case "api_key_alias":
		return field(func() string { return p.KeyAlias })
	case "team":
		return field(func() string { return p.TeamID })
	case "team_alias":
		return field(func() string { return p.TeamName })
	case "user":
		return field(func() string { return p.UserID })
	case "user_email":
		return field(func() string { return p.Email })
	}
	return "", false
}

func (l *labels) deployment(name string) string {
	d := l.rec.Deployment
	if d == nil {
		return ""
	}
	switch name {
	case "model":
		return d.Model
	case "model_id":
		return d.ID
	case "litellm_model_name":
		return d.Written
	case "api_base":
		return d.Base
	case "api_provider":
		return d.Provider
	case "fallback_model":
		return d.Group
	}
	return ""
}

// series bounds the combinations of labels of one metric.
type series struct {
	names []string

	mu   sync.Mutex
	seen map[string]struct{}
}

func newSeries(names string) *series {
	return &series{names: strings.Fields(names), seen: map[string]struct{}{}}
}

// values are the labels of a record, in order.
func (s *series) values(l *labels) []string {
	values := make([]string, len(s.names))
	for i, name := range s.names {
		values[i] = l.value(name)
	}
	key := strings.Join(values, "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.seen[key]; ok {
		return values
	}
	if len(s.seen) < MaxSeries {
		s.seen[key] = struct{}{}
		return values
	}
	for i, name := range s.names {
		switch name {
		case "end_user", "requested_model", "model_group", "route", "client_ip", "user_agent", "user", "user_email":
			values[i] = "other"
		}
	}
	return values
}

type counter struct {
	vec *client.CounterVec
	*series
}

// newCounter makes a counter. The reference's client library puts _total behind the name when it shows one.
func newCounter(name, help, labels string) counter {
	s := newSeries(labels)
	return counter{client.NewCounterVec(client.CounterOpts{Name: name + "_total", Help: help}, s.names), s}
}

func (c *counter) add(l *labels, v float64) {
	if v > 0 {
		c.vec.WithLabelValues(c.values(l)...).Add(v)
	}
}

type histogram struct {
	vec *client.HistogramVec
	*series
}

func newHistogram(name, help, labels string) histogram {
	s := newSeries(labels)
	return histogram{client.NewHistogramVec(client.HistogramOpts{Name: name, Help: help, Buckets: limits()}, s.names), s}
}

func (h *histogram) observe(l *labels, v float64) { h.vec.WithLabelValues(h.values(l)...).Observe(v) }

type gauge struct {
	vec *client.GaugeVec
	*series
}

func newGauge(name, help, labels string) gauge {
	s := newSeries(labels)
	return gauge{client.NewGaugeVec(client.GaugeOpts{Name: name, Help: help}, s.names), s}
}

func (g *gauge) set(l *labels, v float64) { g.vec.WithLabelValues(g.values(l)...).Set(v) }
