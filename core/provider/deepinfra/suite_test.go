package deepinfra_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/deepinfra"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(deepinfra.Name, "Qwen/Qwen3-Reranker-8B", "https://di.example/v1/openai")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, deepinfra.New(deepinfra.Settings{}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, deepinfra.New(deepinfra.Settings{}), deployment(), os.DirFS("testdata"))
}
