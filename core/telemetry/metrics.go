package telemetry

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

// Metrics is the registry of the gateway's own metrics. One lives as long as the process, so that counters go on when
// the configuration is loaded again. It is safe for concurrent use.
//
// Who counts on a hot path resolves the series once and keeps it: looking labels up costs more than the count.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics makes a registry that holds the metrics of the process and of the Go runtime.
func NewMetrics() *Metrics {
	m := &Metrics{prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds a collector, or returns the one that is there already under the same names and labels. It is how a
// part of the gateway that is assembled again finds its former counts. A name that is taken by another kind of metric
// is an error.
func Register[C prometheus.Collector](m *Metrics, c C) (C, error) {
	err := m.registry.Register(c)
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		if old, ok := there.ExistingCollector.(C); ok {
			return old, nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("telemetry: %w", err)
	}
	return c, nil
}

// Text returns every metric in the text format of Prometheus, and its content type. A collector that fails is left out
// and named in the error; the text holds the others.
func (m *Metrics) Text() (body []byte, contentType string, err error) {
	families, err := m.registry.Gather()
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, format)
	for _, f := range families {
		if encodeErr := e.Encode(f); encodeErr != nil {
			err = errors.Join(err, encodeErr)
		}
	}
	return b.Bytes(), string(format), err
}
