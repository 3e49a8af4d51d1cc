package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
	"github.com/sallyport-ai/sallyport/core/provider/mock"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
)

// bind finds the vendor of a deployment and prepares its calls. d.Model is litellm_params.model on the way in and the
// vendor's own name on the way out. A model with a "*" is bound later, by expand, when a caller names the model. keyVar
// is the unset variable that the operator wants the key from, if any.
//
// A deployment that can never work is an error. One that cannot work as things are, for want of a key or because its
// vendor is not supported yet, answers calls with the reason, and the others are served.
func (b *builder) bind(d *llm.Deployment, custom, keyVar string) error {
	if d.Model == "*" && custom == "" {
		return nil // the caller's name for the model says which vendor
	}
	if p, name, model, ok := b.customVendor(d.Model, custom); ok {
		d.Provider, d.Model = name, model
		if strings.Contains(d.Model, "*") {
			return nil
		}
		return b.mocked(d, p)
	}
	v, model, err := compat.Resolve(d.Model, custom, d.Base)
	var unsupported *compat.UnsupportedError
	if errors.As(err, &unsupported) {
		d.Provider = unsupported.Vendor
		return b.refuse(d, &llm.Error{Kind: llm.KindBadRequest, Message: err.Error()})
	}
	if err != nil {
		return err
	}
	d.Provider, d.Model = v.Name, model
	switch v.Name {
	case azure.Name:
		d.Model = azure.Model(model)
	case azure.NameAI:
		b.documents(d, keyVar)
	case openAI:
		d.Model = strings.TrimPrefix(model, responsesWord)
	}
	b.fill(d, v, keyVar)
	if strings.Contains(d.Model, "*") {
		return nil
	}
	return b.bindTo(d, v, keyVar)
}

// fill takes from the environment what the operator left to it.
func (b *builder) fill(d *llm.Deployment, v compat.Vendor, keyVar string) {
	env := b.cfg.Env()
	if d.APIKey == "" && keyVar == "" && !ownIdentity(d, v) {
		d.APIKey = firstSet(env, v.KeyVars)
	}
	if set := b.cfg.LiteLLMSettings.APIBase; d.Base == "" && (v.Name == openAI || v.Name == "custom_openai") {
		d.Base = strings.TrimRight(set, "/")
	}
	if d.Base == "" {
		d.Base = strings.TrimRight(firstSet(env, v.BaseVars), "/")
	}
	if d.Base == "" {
		d.Base = strings.TrimRight(v.Base, "/")
	}
	for _, set := range v.Settings {
		if value := firstSet(env, set.Vars); value != "" && d.Setting(set.Name) == "" {
			d.Settings = append(d.Settings[:len(d.Settings):len(d.Settings)], llm.Pair{Name: set.Name, Value: value})
		}
	}
	if b.cfg.LiteLLMSettings.EnablePreviewFeatures && (v.Name == openAI || v.Name == azure.Name) {
		d.AllowedParams = append(d.AllowedParams[:len(d.AllowedParams):len(d.AllowedParams)], "metadata")
	}
	if d.Organization == "" && v.Name == "openai" {
		d.Organization = env.Get("OPENAI_ORGANIZATION")
	}
}

func firstSet(env *config.Env, names []string) string {
	for _, name := range names {
		if s := env.Get(name); s != "" {
			return s
		}
	}
	return ""
}

// bindTo prepares the calls of a deployment whose vendor and model are known.
func (b *builder) bindTo(d *llm.Deployment, v compat.Vendor, keyVar string) error {
	if err := place(d, v); err != nil {
		return b.refuse(d, &llm.Error{Kind: llm.KindBadRequest, Provider: v.Name, Message: err.Error()})
	}
	if lacksKey(d, v) && !b.identified(d, v) {
		vars := v.KeyVars
		if keyVar != "" {
			vars = []string{keyVar}
		}
		return b.refuse(d, &llm.Error{
			Kind: llm.KindAuthentication, Provider: v.Name,
			Message: fmt.Sprintf("there is no API key for %s: set litellm_params.api_key or %s", v.Name, strings.Join(vars, " or ")),
		})
	}
	d.Unfit = b.prices.unfit(d)
	err := b.mocked(d, b.byResponses(d, v, b.vendor(v)))
	if err == nil {
		err = b.batched(d)
	}
	return err
}

// vendor returns the provider for a row of the table. The deployments of one vendor share it, and its buffers.
func (b *builder) vendor(v compat.Vendor) provider.Provider {
	if p, ok := b.vendors.Load(v.Name); ok {
		return p.(provider.Provider)
	}
	p, _ := b.vendors.LoadOrStore(v.Name, b.newVendor(v))
	return p.(provider.Provider)
}

// newVendor makes the provider of a vendor. modify_params is for those that refuse what OpenAI takes.
func (b *builder) newVendor(v compat.Vendor) provider.Provider {
	p := b.speaker(v)
	if b.cfg.LiteLLMSettings.ModifyParams {
		switch v.Name {
		case anthropic.Name, bedrock.Name, gemini.Vertex, azure.NameAI:
			return provider.Mend(p)
		}
	}
	return p
}

func (b *builder) speaker(v compat.Vendor) provider.Provider {
	most := bytesOf(b.cfg.GeneralSettings.MaxResponseSizeMB)
	if v.Name == anthropic.Name {
		return anthropic.New(anthropic.Settings{MaxResponse: most})
	}
	if p := b.translated(v, most); p != nil {
		return p
	}
	if p := b.further(v, most); p != nil {
		return p
	}
	if p := b.cloud(v, most); p != nil {
		return p
	}
	return b.compatible(v, most)
}

// compatible makes the provider of a vendor that speaks OpenAI's API.
func (b *builder) compatible(v compat.Vendor, most int64) provider.Provider {
	return provider.Rewrite(openai.New(b.compatibleSettings(v, most)), v.Edit())
}

func (b *builder) compatibleSettings(v compat.Vendor, most int64) openai.Settings {
	return openai.Settings{
		Name: v.Name, Base: v.Base, BaseSuffix: v.BaseSuffix, KeyOptional: v.KeyOptional, DefaultKey: v.DefaultKey,
		KeyHeader: v.KeyHeader, KeyVars: v.KeyVars, BaseVars: v.BaseVars, Rename: v.Rename, Unsupported: v.Unsupported,
		NoStreamOptions: v.NoStreamOptions, Lacks: v.Lacks, Offers: v.Offers, MaxResponse: most,
		Responses: v.Responses, Answers: openai.Responses{Models: v.ResponsesOf, Stateless: v.Stateless, Root: v.ResponsesAt},
		NewLimit: v.NewLimit, Reasons: v.Reasons, Caches: v.Caches, Extended: v.Extended,
	}
}

// mocked binds the deployment to a provider, with mock_response in front of it.
func (b *builder) mocked(d *llm.Deployment, p provider.Provider) error {
	endpoint, err := mock.New(p).Bind(d)
	d.Bound = endpoint
	return err
}

// lacksKey reports whether a vendor would refuse the deployment's calls for want of a key.
func lacksKey(d *llm.Deployment, v compat.Vendor) bool {
	if d.APIKey != "" || v.KeyOptional || v.DefaultKey != "" {
		return false
	}
	if slices.ContainsFunc(v.KeySettings, func(name string) bool { return d.Setting(name) != "" }) {
		return false
	}
	header := v.KeyHeader
	if header == "" {
		header = "Authorization"
	}
	for _, h := range d.ExtraHeaders {
		if strings.EqualFold(h.Name, header) || v.Name == anthropic.Name && strings.EqualFold(h.Name, "Authorization") {
			return false
		}
	}
	return true
}

// refuse makes a deployment answer every call with the reason why it cannot be called. A mocked one needs no vendor.
func (b *builder) refuse(d *llm.Deployment, why *llm.Error) error {
	why.Op = "app.bind"
	if d.Mock == "" {
		b.log.Warn("a deployment cannot be called", "model", d.Group, "deployment", d.ID, "reason", why.Message)
	}
	return b.mocked(d, provider.Refuse(why))
}

// expand makes the deployment behind a wildcard for one model. It is called while requests are served, so the builder
// it belongs to stays as it is.
func (b *builder) expand(d *llm.Deployment, model string) (*llm.Deployment, error) {
	c := *d
	c.Model, c.Bound = model, nil
	if err := b.bindNamed(&c); err != nil {
		return nil, err
	}
	if c.Bound == nil {
		return nil, &llm.Error{Op: "app.expand", Kind: llm.KindBadRequest, Message: "a model name cannot hold a *"}
	}
	return &c, b.setPrice(&c)
}

// bindNamed binds what was a wildcard to its provider.
func (b *builder) bindNamed(c *llm.Deployment) error {
	if p, ok := b.custom[c.Provider]; ok {
		return b.mocked(c, p)
	}
	if c.Provider != "" {
		v, ok := compat.Lookup(c.Provider)
		if !ok {
			return fmt.Errorf("vendor %q is not known", c.Provider)
		}
		return b.bindTo(c, v, "")
	}
	if err := b.bind(c, "", ""); err != nil {
		return &llm.Error{Op: "app.expand", Kind: llm.KindBadRequest, Message: err.Error()}
	}
	return nil
}

// knownVendor reports whether a name is a vendor's, for names of the form "vendor/model".
func (b *builder) knownVendor(name string) bool {
	_, custom := b.custom[name]
	_, ok := compat.Lookup(name)
	return ok || custom
}
