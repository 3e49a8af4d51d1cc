package falai_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/falai"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func now() time.Time { return time.Unix(1700000000, 0) }

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Target: true, Only: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{
		ID: "d1", Group: "mine", Provider: falai.Name, Model: "fal-ai/flux/dev", APIKey: "sk-0123456789abc", Base: "",
	}
	providertest.Run(t, falai.New(falai.Settings{Now: now}), d, os.DirFS("testdata"), o)
}
