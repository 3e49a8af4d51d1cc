package jina_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/jina"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(jina.Name, "vendor-model", "")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, jina.New(jina.Settings{}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, jina.New(jina.Settings{}), deployment(), os.DirFS("testdata"))
}
