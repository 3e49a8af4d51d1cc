package cohere_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/cohere"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Target: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: cohere.Name, Model: "vendor-model", APIKey: "sk-0123456789abc"}
	p := cohere.New(cohere.Settings{Now: func() time.Time { return time.Unix(1741569952, 0) }})
	providertest.Run(t, p, d, os.DirFS("testdata"), o)
}

func FuzzProvider(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: cohere.Name, Model: "vendor-model", APIKey: "sk-0123456789abc"}
	providertest.Fuzz(f, cohere.New(cohere.Settings{}), d, os.DirFS("testdata"))
}
