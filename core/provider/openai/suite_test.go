package openai_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Skip: []string{"unsupported"}} // nothing of its own API is
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "openai", Model: "vendor-model", APIKey: "sk-0123456789abc"}
	providertest.Run(t, openai.New(openai.Settings{}), d, os.DirFS("testdata"), o)
}

// TestMediaSuite runs the scripts of what is no chat. They are apart because most vendors of the API do not offer it.
func TestMediaSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Skip: providertest.Cases()}
	if *update {
		o.Update = "testdata/media"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "openai", Model: "vendor-model", APIKey: "sk-0123456789abc"}
	providertest.Run(t, openai.New(openai.Settings{}), d, os.DirFS("testdata/media"), o)
}

// TestSearchSuite runs the scripts of chats that search the web. They are apart because they are about what is noted, and
// not about what goes out and comes back.
func TestSearchSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Skip: providertest.Cases()}
	if *update {
		o.Update = "testdata/search"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "openai", Model: "vendor-model", APIKey: "sk-0123456789abc"}
	providertest.Run(t, openai.New(openai.Settings{}), d, os.DirFS("testdata/search"), o)
}
