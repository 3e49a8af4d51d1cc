package provider

import "github.com/sallyport-ai/sallyport/core/llm"

// Moved is a provider that is another one, called for a copy of each deployment that move may change: its address, its
// model, its headers. An error of move is that of Bind.
func Moved(inner Provider, move func(d *llm.Deployment) error) Provider { return moved{inner, move} }

type moved struct {
	inner Provider
	move  func(*llm.Deployment) error
}

// Bind implements Provider.
func (m moved) Bind(d *llm.Deployment) (Endpoint, error) {
	own := *d
	if err := m.move(&own); err != nil {
		return nil, err
	}
	return m.inner.Bind(&own)
}

// Supported implements Parameters.
func (m moved) Supported(op llm.Operation) ([]string, bool) { return SupportedBy(m.inner, op) }
