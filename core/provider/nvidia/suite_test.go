package nvidia_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/nvidia"
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
		ID: "d1", Group: "mine", Provider: nvidia.Name, Model: "nvidia/llama-3_2-nv-rerankqa-1b-v2", APIKey: "sk-0123456789abc", Base: "",
	}
	providertest.Run(t, nvidia.New(nvidia.Settings{}), d, os.DirFS("testdata"), o)
}
