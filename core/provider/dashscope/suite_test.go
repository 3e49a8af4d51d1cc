package dashscope_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/dashscope"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(dashscope.Name, "vendor-model", "https://dashscope.example/compatible-mode/v1")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, dashscope.New(dashscope.Settings{Now: providertest.Now}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, dashscope.New(dashscope.Settings{}), deployment(), os.DirFS("testdata"))
}
