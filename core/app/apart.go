package app

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/mistral"
)

// apart is a vendor some of whose deployments have another API: those that of knows.
type apart struct {
	provider.Provider
	own provider.Provider
	of  func(d *llm.Deployment) bool
}

// Bind implements provider.Provider.
func (a apart) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	if a.of(d) {
		return a.own.Bind(d)
	}
	return a.Provider.Bind(d)
}

// Supported implements provider.Parameters.
func (a apart) Supported(op llm.Operation) ([]string, bool) {
	return provider.SupportedBy(a.Provider, op)
}

// azureOpenAI is Azure OpenAI, with the speech service beside it.
func (b *builder) azureOpenAI(v compat.Vendor, most int64, place azure.Settings) provider.Provider {
	speech := azure.Speech(azure.OwnSettings{Identity: b.azureIdentity, MaxResponse: most})
	return apart{b.placed(v, most, azure.Place(place)), speech, azure.Speaks}
}

// foundry is p, which is Azure AI Foundry, with the models beside it that have an API of their own: those for images, and
// Mistral's for documents (https://ai.azure.com/catalog/models/mistral-document-ai-2512), and Document Intelligence.
func (b *builder) foundry(p provider.Provider, most int64) provider.Provider {
	images := azure.Images(azure.OwnSettings{Identity: b.azureIdentity, MaxResponse: most})
	pages := mistral.Pages(mistral.Cloud{
		Name: azure.NameAI, KeyVars: []string{"AZURE_AI_API_KEY"}, MaxResponse: most, Sign: b.azureIdentity,
		Locate: func(d *llm.Deployment) (string, error) {
			base, _, _ := strings.Cut(d.Base, "/providers/")
			return strings.TrimSuffix(strings.TrimRight(base, "/"), "/models") + "/providers/mistral/azure/ocr", nil
		},
	})
	documents := azure.Documents(azure.OwnSettings{Identity: b.azureIdentity, MaxResponse: most})
	return apart{apart{apart{p, pages, reads}, documents, azure.ReadsDocuments}, images, azure.Paints}
}

// documents takes from the environment what it says of Document Intelligence, which is no resource for models.
func (b *builder) documents(d *llm.Deployment, keyVar string) {
	if !azure.ReadsDocuments(d) {
		return
	}
	key, base := azure.DocumentVars()
	if d.APIKey == "" && keyVar == "" {
		d.APIKey = b.cfg.Env().Get(key)
	}
	if d.Base == "" {
		d.Base = strings.TrimRight(b.cfg.Env().Get(base), "/")
	}
}

// reads reports whether a model of Azure AI Foundry reads documents.
func reads(d *llm.Deployment) bool {
	name := strings.ToLower(d.Model)
	return strings.HasPrefix(name, "mistral-document-ai") || strings.HasPrefix(name, "mistral-ocr")
}
