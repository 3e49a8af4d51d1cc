package triton_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/triton"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Target: true, Only: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: triton.Name, Model: "vendor-model", Base: "http://triton:8000", APIKey: "sk-0123456789abc"}
	p := triton.New(triton.Settings{Now: func() time.Time { return time.Unix(1741569952, 0) }})
	providertest.Run(t, p, d, os.DirFS("testdata"), o)
}

func FuzzProvider(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: triton.Name, Model: "vendor-model", Base: "http://triton:8000", APIKey: "sk-0123456789abc"}
	providertest.Fuzz(f, triton.New(triton.Settings{}), d, os.DirFS("testdata"))
}
