package openrouter_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/openrouter"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(openrouter.Name, "vendor-model", "")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, openrouter.New(openrouter.Settings{Now: providertest.Now}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, openrouter.New(openrouter.Settings{}), deployment(), os.DirFS("testdata"))
}
