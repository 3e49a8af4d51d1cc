package predibase_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/predibase"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Target: true, Skip: []string{"embeddings", "finish-content-filter", "stream-reasoning"}}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: predibase.Name, Model: "vendor-model", APIKey: "sk-0123456789abc",
		Settings: []llm.Pair{{Name: "tenant_id", Value: "t1"}}}
	p := predibase.New(predibase.Settings{Now: func() time.Time { return time.Unix(1741569952, 0) }})
	providertest.Run(t, p, d, os.DirFS("testdata"), o)
}

func FuzzProvider(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: predibase.Name, Model: "vendor-model", APIKey: "sk-0123456789abc",
		Settings: []llm.Pair{{Name: "tenant_id", Value: "t1"}}}
	providertest.Fuzz(f, predibase.New(predibase.Settings{}), d, os.DirFS("testdata"))
}
