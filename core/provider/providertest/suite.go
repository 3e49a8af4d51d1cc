package providertest

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Now is the time of suites whose answers say when they were created.
func Now() time.Time { return time.Unix(1700000000, 0) }

// Deployment is one of p, for the suites of vendors that need no settings besides. "" for base is the vendor's own.
func Deployment(name, model, base string) *llm.Deployment {
	return &llm.Deployment{ID: "d1", Group: "mine", Provider: name, Model: model, APIKey: "sk-0123456789abc", Base: base}
}

// Forms runs the scripts in testdata of a vendor without chats of its own, which say where calls go. With update it writes
// them.
func Forms(t *testing.T, p provider.Provider, d *llm.Deployment, update bool) {
	t.Helper()
	o := Options{Target: true, Only: true}
	if update {
		o.Update = "testdata"
	}
	Run(t, p, d, os.DirFS("testdata"), o)
}
