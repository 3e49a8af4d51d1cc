package ollama_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/ollama"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Target: true, Skip: []string{"finish-content-filter", "stream-comments"}}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: ollama.Name, Model: "vendor-model", APIKey: "sk-0123456789abc"}
	p := ollama.New(ollama.Settings{Now: func() time.Time { return time.Unix(1741569952, 0) }})
	providertest.Run(t, p, d, os.DirFS("testdata"), o)
}

func FuzzProvider(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: ollama.Name, Model: "vendor-model", APIKey: "sk-0123456789abc"}
	providertest.Fuzz(f, ollama.New(ollama.Settings{}), d, os.DirFS("testdata"))
}
