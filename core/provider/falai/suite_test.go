package falai_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/falai"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(falai.Name, "fal-ai/flux/dev", "")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, falai.New(falai.Settings{Now: providertest.Now}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, falai.New(falai.Settings{}), deployment(), os.DirFS("testdata"))
}
