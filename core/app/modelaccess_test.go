package app

import (
	"slices"
	"testing"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

// A key sees the models that it may use, and the vendor's name of these only.
func TestModelAccess(t *testing.T) {
	t.Parallel()
	l := &loaded{
		cfg: &config.Config{}, prices: prices{table: price.Builtin()},
		vendorOf: func(compat.Vendor) provider.Provider { return nil },
		deployments: []*llm.Deployment{
			{ID: "1", Group: "a", Provider: "openai", Model: "gpt-4o"}, {ID: "2", Group: "b", Provider: "openai", Model: "gpt-5"},
		},
	}
	f := func(p *llm.Principal, name, used string, want ...string) {
		t.Helper()
		var got []string
		for _, e := range l.modelEntries(p) {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if got := l.vendorName(name, p); got != used {
			t.Errorf("%s is %s, want %s", name, got, used)
		}
	}
	f(&llm.Principal{Models: []string{"a"}}, "a", "gpt-4o", "a")
	f(&llm.Principal{Models: []string{"a"}}, "b", "b", "a")
	f(&llm.Principal{}, "b", "gpt-5", "a", "b")
}
