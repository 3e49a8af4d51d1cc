package wasm

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ai/sallyport/core/telemetry"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

const (
	maxMetrics    = 64 // names a plugin may use
	maxMetricName = 64
)

// guestMetric is one metric of a plugin's.
type guestMetric struct {
	kind int32
	add  func(float64)
}

// hostMetric is metric(kind, name ptr, name len, value) -> 0 or error.
func hostMetric(in *instance, stack []uint64) {
	stack[0] = code(in.metric(int32(uint32(stack[0])), stack[1], stack[2], math.Float64frombits(stack[3])))
}

func (in *instance) metric(kind int32, ptr, n uint64, v float64) int32 {
	if !in.p.rights.metrics {
		return abi.ErrForbidden
	}
	name, ok := in.key(ptr, n)
	if !ok || !metricName(name) || math.IsNaN(v) || math.IsInf(v, 0) || kind == abi.MetricCounter && v < 0 {
		return abi.ErrArgument
	}
	s := in.p.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	m, there := s.kept[string(name)]
	if !there {
		if len(s.kept) >= maxMetrics {
			return abi.ErrLimit
		}
		if m, ok = in.p.host.guestMetric(kind, string(name), in.p.name); !ok {
			return abi.ErrArgument
		}
		s.kept[string(name)] = m
	}
	if m.kind != kind {
		return abi.ErrArgument
	}
	m.add(v)
	return 0
}

// metricName reports whether a name consists of small letters, digits and underscores, and begins with a letter.
func metricName(name []byte) bool {
	if len(name) == 0 || len(name) > maxMetricName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// guestMetric makes a metric for a plugin. ok is false if another plugin uses the name for another kind.
func (h *Host) guestMetric(kind int32, name, plugin string) (m guestMetric, ok bool) {
	m.kind, name = kind, "sallyport_guest_"+name
	labels, help := []string{"plugin"}, "Written by plugins."
	var err error
	switch kind {
	case abi.MetricCounter:
		var v *prometheus.CounterVec
		v, err = telemetry.Register(h.metrics, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name + "_total", Help: help}, labels))
		m.add = v.WithLabelValues(plugin).Add
	case abi.MetricGauge:
		var v *prometheus.GaugeVec
		v, err = telemetry.Register(h.metrics, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
		m.add = v.WithLabelValues(plugin).Set
	case abi.MetricHistogram:
		var v *prometheus.HistogramVec
		v, err = telemetry.Register(h.metrics, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help}, labels))
		m.add = v.WithLabelValues(plugin).Observe
	default:
		return m, false
	}
	return m, err == nil
}
