package watsonx_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/watsonx"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Target: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: watsonx.Name, Model: "vendor-model", Base: "https://us-south.ml.cloud.ibm.com", APIKey: "sk-0123456789abc",
		Settings: []llm.Pair{{Name: "project_id", Value: "p1"}}}
	p := watsonx.New(watsonx.Settings{Now: func() time.Time { return time.Unix(1741569952, 0) }})
	providertest.Run(t, p, d, os.DirFS("testdata"), o)
}

func FuzzProvider(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: watsonx.Name, Model: "vendor-model", Base: "https://us-south.ml.cloud.ibm.com", APIKey: "sk-0123456789abc",
		Settings: []llm.Pair{{Name: "project_id", Value: "p1"}}}
	providertest.Fuzz(f, watsonx.New(watsonx.Settings{}), d, os.DirFS("testdata"))
}
