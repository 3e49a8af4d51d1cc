package minimax_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/minimax"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Target: true, Only: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{
		ID: "d1", Group: "mine", Provider: minimax.Name, Model: "vendor-model", APIKey: "sk-0123456789abc", Base: "https://mm.example/v1",
	}
	providertest.Run(t, minimax.New(minimax.Settings{}), d, os.DirFS("testdata"), o)
}
