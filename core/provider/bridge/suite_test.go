package bridge_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/bridge"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func settings() bridge.Settings {
	return bridge.Settings{
		Name: "openai", Base: "https://api.openai.com/v1", KeyVars: []string{"OPENAI_API_KEY"},
		Now: func() time.Time { return time.Unix(1741569952, 0) },
	}
}

func deployment() *llm.Deployment {
	return &llm.Deployment{ID: "d1", Group: "mine", Provider: "openai", Model: "vendor-model", APIKey: "sk-0123456789abc"}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Target: true, Skip: []string{"embeddings"}}
	if *update {
		o.Update = "testdata"
	}
	providertest.Run(t, bridge.New(settings()), deployment(), os.DirFS("testdata"), o)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, bridge.New(settings()), deployment(), os.DirFS("testdata"))
}
