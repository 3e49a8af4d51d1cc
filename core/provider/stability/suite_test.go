package stability_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/stability"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(stability.Name, "sd3.5-large", "")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, stability.New(stability.Settings{Now: providertest.Now}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, stability.New(stability.Settings{}), deployment(), os.DirFS("testdata"))
}
