package deepinfra_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/deepinfra"
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
		ID: "d1", Group: "mine", Provider: deepinfra.Name, Model: "Qwen/Qwen3-Reranker-8B", APIKey: "sk-0123456789abc", Base: "https://di.example/v1/openai",
	}
	providertest.Run(t, deepinfra.New(deepinfra.Settings{}), d, os.DirFS("testdata"), o)
}
