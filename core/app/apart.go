package app

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
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

// foundry is p, which is Azure AI Foundry, with the image models beside it that have an API of their own.
func (b *builder) foundry(p provider.Provider, most int64) provider.Provider {
	return apart{p, azure.Images(azure.OwnSettings{Identity: b.azureIdentity, MaxResponse: most}), azure.Paints}
}
