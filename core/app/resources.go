package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
)

// resources makes the deployments for what vendors store: one for each vendor that has such an API, reached as its
// environment variables say, and those of files_settings, finetune_settings and assistant_settings.
func (b *builder) resources() map[gateway.Resource]*llm.Deployment {
	out := map[gateway.Resource]*llm.Deployment{}
	for _, v := range compat.All() {
		if slices.Contains(v.Offers, llm.OpResource) && (v.Base != "" || firstSet(b.cfg.Env(), v.BaseVars) != "") {
			b.resource(out, "", v.Name, config.ResourceSettings{CustomLLMProvider: v.Name}, "")
		}
	}
	for i, s := range b.cfg.FilesSettings {
		b.resourceOf(out, []string{"files", "uploads", "batches"}, s, fmt.Sprintf("files_settings[%d]", i))
	}
	for i, s := range b.cfg.FinetuneSettings {
		b.resourceOf(out, []string{"fine_tuning"}, s, fmt.Sprintf("finetune_settings[%d]", i))
	}
	usual := gateway.Resource{Vendor: defaultVendor}
	out[gateway.Resource{Kind: "ocr"}] = out[gateway.Resource{Vendor: ocrVendor}]
	out[gateway.Resource{}] = out[usual]
	for _, kind := range []string{"files", "uploads", "batches", "fine_tuning"} {
		if d := out[gateway.Resource{Kind: kind, Vendor: defaultVendor}]; d != nil {
			out[gateway.Resource{Kind: kind}] = d
		}
	}
	if a := b.cfg.AssistantSettings; a.CustomLLMProvider != "" || a.LiteLLMParams.APIKey != "" || a.LiteLLMParams.APIBase != "" {
		s := a.LiteLLMParams
		s.CustomLLMProvider = a.CustomLLMProvider
		if s.CustomLLMProvider == "" {
			s.CustomLLMProvider = defaultVendor
		}
		kinds := []string{"assistants", "threads"}
		b.resourceOf(out, kinds, s, "assistant_settings")
		for _, kind := range kinds {
			out[gateway.Resource{Kind: kind}] = out[gateway.Resource{Kind: kind, Vendor: s.CustomLLMProvider}]
		}
	}
	return out
}

// ocrVendor is who reads documents for requests that name nobody.
const ocrVendor = "mistral"

// defaultVendor is who stores things for requests that name nobody, as in the reference.
const defaultVendor = "openai"

func (b *builder) resourceOf(out map[gateway.Resource]*llm.Deployment, kinds []string, s config.ResourceSettings, setting string) {
	for _, kind := range kinds {
		b.resource(out, kind, s.CustomLLMProvider, s, setting)
	}
}

// resource makes one deployment. Without a setting it is one of the usual ones, which nobody may ever need: mistakes in
// it are told to whoever uses it.
func (b *builder) resource(out map[gateway.Resource]*llm.Deployment, kind, vendor string, s config.ResourceSettings, setting string) {
	d := &llm.Deployment{
		ID: resourceID + kind + ":" + vendor, Group: vendor, Model: vendor + "/" + vendor, Written: vendor, Retries: -1,
		APIKey: s.APIKey.Reveal(), Base: strings.TrimRight(s.APIBase, "/"), APIVersion: s.APIVersion, Organization: s.Organization,
	}
	var problem error
	d.Settings, problem = settingPairs(s.Other)
	v, model, err := compat.Resolve(d.Model, vendor, d.Base)
	if err == nil {
		err = problem
	}
	if err == nil {
		d.Provider, d.Model = v.Name, model
		b.fill(d, v, "")
		switch {
		case lacksKey(d, v) && setting == "":
			err = b.silently(d, v)
		case v.Name == gemini.Vertex && kind == "fine_tuning":
			err = b.mocked(d, gemini.Tuning(b.storeIdentity(bytesOf(b.cfg.GeneralSettings.MaxResponseSizeMB))))
		default:
			err = b.bindTo(d, v, "")
		}
	}
	if err != nil {
		if setting != "" {
			b.mistake(setting, err)
		}
		return
	}
	out[gateway.Resource{Kind: kind, Vendor: vendor}] = d
}

const resourceID = "resource:"

// resourceOf reports whether a deployment stands for a vendor's account, and for no model.
func resourceOf(d *llm.Deployment) bool { return strings.HasPrefix(d.ID, resourceID) }

// silently refuses the calls of a deployment for want of a key, without a word in the log.
func (b *builder) silently(d *llm.Deployment, v compat.Vendor) error {
	return b.mocked(d, provider.Refuse(&llm.Error{
		Op: "app.resource", Kind: llm.KindAuthentication, Provider: v.Name,
		Message: fmt.Sprintf("there is no API key for %s: set %s", v.Name, strings.Join(v.KeyVars, " or ")),
	}))
}
