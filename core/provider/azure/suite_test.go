package azure_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

// TestSuite runs what is not OpenAI's API: images by FLUX.2 and MAI-Image, searches, documents and speech.
func TestSuite(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Unix(1741569952, 0) }
	images := azure.Images(azure.OwnSettings{Now: now})
	f := func(folder string, p provider.Provider, d llm.Deployment) {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			o := providertest.Options{Only: true, Target: true}
			if *update {
				o.Update = "testdata/" + folder
			}
			d.ID, d.Group, d.APIKey = "d1", "mine", "sk-0123456789abc"
			providertest.Run(t, p, &d, os.DirFS("testdata/"+folder), o)
		})
	}
	f("flux", images, llm.Deployment{Provider: azure.NameAI, Model: "FLUX.2-flex", Base: "https://r.services.ai.azure.com/models"})
	f("mai", images, llm.Deployment{Provider: azure.NameAI, Model: "MAI-Image-2.5", Base: "https://r.services.ai.azure.com", APIVersion: "v1"})
	speech := azure.Speech(azure.OwnSettings{Now: now})
	f("search", azure.Indexes(azure.OwnSettings{}), llm.Deployment{Provider: azure.NameAI, Model: "1234", Settings: []llm.Pair{{Name: "azure_search_service_name", Value: "s"}}})
	f("documents", azure.Documents(azure.OwnSettings{}), llm.Deployment{Provider: azure.NameAI, Model: "doc-intelligence/prebuilt-layout", Base: "https://r.cognitiveservices.azure.com/"})
	f("speech", speech, llm.Deployment{Provider: azure.Name, Model: "speech/azure-tts", Base: "https://eastus.api.cognitive.microsoft.com"})
}

func FuzzImages(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: azure.NameAI, Model: "FLUX.2-pro", Base: "https://h", APIKey: "sk-0123456789abc"}
	providertest.Fuzz(f, azure.Images(azure.OwnSettings{}), d, os.DirFS("testdata/flux"))
}

func FuzzIndexes(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: azure.NameAI, Model: "1234", Base: "https://h", APIKey: "sk-0123456789abc"}
	providertest.Fuzz(f, azure.Indexes(azure.OwnSettings{}), d, os.DirFS("testdata/search"))
}

func FuzzDocuments(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: azure.NameAI, Model: "doc-intelligence/prebuilt-read", Base: "https://h", APIKey: "sk-0123456789abc"}
	providertest.Fuzz(f, azure.Documents(azure.OwnSettings{}), d, os.DirFS("testdata/documents"))
}
