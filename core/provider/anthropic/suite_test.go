package anthropic_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

// settings are those of a provider whose clock stands still.
func settings() anthropic.Settings {
	return anthropic.Settings{Now: func() time.Time { return time.Unix(1741569952, 0) }}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "anthropic", Model: "vendor-model", APIKey: "sk-ant-0123456789abc"}
	providertest.Run(t, anthropic.New(settings()), d, os.DirFS("testdata"), o)
}
