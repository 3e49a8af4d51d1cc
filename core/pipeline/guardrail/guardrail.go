// Package guardrail decides which guardrails look at a request: those that are on by default, and those that the
// request names in its "guardrails" member or in metadata.guardrails.
package guardrail

import (
	"context"
	"encoding/json"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
)

// When returns inner as a hook that runs if defaultOn is set or the request asks for it by name. A request can add a
// guardrail, never take one away.
func When(name string, defaultOn bool, inner pipeline.Before) pipeline.Before {
	if defaultOn {
		return inner
	}
	return &asked{name: name, inner: inner}
}

type asked struct {
	name  string
	inner pipeline.Before
}

// Before implements pipeline.Before.
func (a *asked) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	names, err := Named(x)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if n == a.name {
			return a.inner.Before(ctx, x)
		}
	}
	return nil, nil //nolint:nilnil // the contract's "go on"
}

// Named lists the guardrails a request asks for. As in the reference an item is a name, or an object whose one key is
// the name and whose value holds settings for it.
func Named(x *llm.Exchange) ([]string, error) {
	raw := openai.Guardrails(x)
	if raw == nil {
		return nil, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, mistake()
	}
	names := make([]string, 0, len(items))
	for _, item := range items {
		var name string
		if json.Unmarshal(item, &name) == nil {
			names = append(names, name)
			continue
		}
		var settings map[string]json.RawMessage
		if json.Unmarshal(item, &settings) != nil {
			return nil, mistake()
		}
		for name := range settings {
			names = append(names, name)
		}
	}
	return names, nil
}

func mistake() error {
	return &llm.Error{
		Op: "guardrail.Named", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "guardrails",
		Message: `guardrails must be a list of names, such as ["my-guard"]`,
	}
}
