package app

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/bridge"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

const openAI = "openai"

// byResponses puts the translation for the Responses API in front of a deployment whose model has no other API, as the
// reference does (litellm/responses/bridge_check.py, responses_api_bridge_check): model_info or the price table says mode
// responses, the model is written openai/responses/..., or route_all_chat_openai_to_responses is set.
func (b *builder) byResponses(d *llm.Deployment, v compat.Vendor, p provider.Provider) provider.Provider {
	if v.Name != openAI && v.Name != azure.Name || !b.responsesOnly(d) {
		return p
	}
	s := bridge.Settings{
		Name: v.Name, Base: v.Base, BaseVars: v.BaseVars, KeyVars: v.KeyVars, KeyHeader: v.KeyHeader,
		Summary:     or(b.cfg.LiteLLMSettings.ReasoningAutoSummary),
		MaxResponse: bytesOf(b.cfg.GeneralSettings.MaxResponseSizeMB),
	}
	if v.Name == azure.Name {
		s.Place = azureResponses(azure.Place(azure.Settings{Identity: b.azureIdentity, Version: b.cfg.Env().Get("AZURE_API_VERSION")}))
	}
	return bridge.Beside(p, s)
}

func (b *builder) responsesOnly(d *llm.Deployment) bool {
	if d.Provider == openAI && or(b.cfg.LiteLLMSettings.RouteAllChatToResponses) || strings.Contains(d.Written, "/"+responsesWord) {
		return true
	}
	if mode, _ := d.Info["mode"].(string); mode != "" {
		return mode == "responses"
	}
	return b.prices.entry(d).Mode() == "responses"
}

// responsesWord stands before a model that is to be reached by the Responses API.
const responsesWord = "responses/"

// azureResponses is where Azure has the Responses API: where a version by date is too old for it, in the API without
// such versions (https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/responses).
func azureResponses(place func(*llm.Deployment) (*provider.Place, error)) func(*llm.Deployment) (*provider.Place, error) {
	return func(d *llm.Deployment) (*provider.Place, error) {
		p, err := place(d)
		if err != nil || !p.NoResponses {
			return p, err
		}
		newer := *d
		newer.APIVersion = "preview"
		newer.Base, _, _ = strings.Cut(d.Base, "?")
		return place(&newer)
	}
}
