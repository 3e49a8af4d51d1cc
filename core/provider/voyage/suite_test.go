package voyage_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/voyage"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(voyage.Name, "vendor-model", "")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, voyage.New(voyage.Settings{}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, voyage.New(voyage.Settings{}), deployment(), os.DirFS("testdata"))
}
