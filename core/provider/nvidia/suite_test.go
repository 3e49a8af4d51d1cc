package nvidia_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/nvidia"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(nvidia.Name, "nvidia/llama-3_2-nv-rerankqa-1b-v2", "")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, nvidia.New(nvidia.Settings{}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, nvidia.New(nvidia.Settings{}), deployment(), os.DirFS("testdata"))
}
