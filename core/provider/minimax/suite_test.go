package minimax_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/minimax"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(minimax.Name, "vendor-model", "https://mm.example/v1")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, minimax.New(minimax.Settings{}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, minimax.New(minimax.Settings{}), deployment(), os.DirFS("testdata"))
}
