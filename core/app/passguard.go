package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// guardsOf reads the guardrails of a pass-through endpoint: a list of names, or an object of them with the fields that
// each is shown.
func (b *builder) guardsOf(v any) (*gateway.Guards, error) {
	var names, fields []string
	all := false
	one := func(name string, options any) error {
		o, _ := options.(map[string]any)
		for _, key := range sortedKeys(o) {
			if key != "request_fields" {
				return fmt.Errorf("%s.%s cannot be used: guardrails look at requests here, at the fields in request_fields", name, key)
			}
		}
		list, _ := o["request_fields"].([]any)
		all = all || len(list) == 0
		for _, f := range list {
			s, ok := f.(string)
			if !ok {
				return fmt.Errorf("%s.request_fields must be a list of paths", name)
			}
			fields = append(fields, s)
		}
		names = append(names, name)
		return nil
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		for _, n := range v {
			name, ok := n.(string)
			if !ok {
				return nil, errors.New("must be a list of names, or an object")
			}
			if err := one(name, nil); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			if err := one(name, v[name]); err != nil {
				return nil, err
			}
		}
	default:
		return nil, errors.New("must be a list of names, or an object")
	}
	for _, name := range names {
		if !b.hasGuardrail(name) {
			return nil, fmt.Errorf("%q is not in guardrails", name)
		}
	}
	if all {
		fields = nil
	}
	return &gateway.Guards{Names: jsonList(names), Fields: fields}, nil
}

func (b *builder) hasGuardrail(name string) bool {
	for _, g := range b.cfg.Guardrails {
		if g.Name == name {
			return true
		}
	}
	return false
}

func jsonList(names []string) []byte {
	b := []byte{'['}
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = llm.AppendQuoted(b, n)
	}
	return append(b, ']')
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
