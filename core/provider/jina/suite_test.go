package jina_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/jina"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Target: true, Only: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: jina.Name, Model: "vendor-model", APIKey: "sk-0123456789abc"}
	p := jina.New(jina.Settings{})
	providertest.Run(t, p, d, os.DirFS("testdata"), o)
}
