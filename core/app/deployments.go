package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// deployments makes one deployment of each entry of model_list, and several of an entry with several organizations.
func (b *builder) deployments() []*llm.Deployment {
	var out []*llm.Deployment
	for i := range b.cfg.ModelList {
		m := &b.cfg.ModelList[i]
		path := fmt.Sprintf("model_list[%d].litellm_params", i)
		if active, err := b.active(m); err != nil {
			b.mistake(fmt.Sprintf("model_list[%d].model_info.supported_environments", i), err)
			continue
		} else if !active {
			continue
		}
		orgs := m.LiteLLMParams.Organization
		if len(orgs) == 0 {
			orgs = []string{""}
		}
		for _, org := range orgs {
			d, err := b.deployment(m, org)
			if err != nil {
				b.mistake(path, fmt.Errorf("model %q: %w", m.ModelName, err))
				continue
			}
			out = append(out, d)
		}
	}
	return append(out, b.passAll(out)...)
}

// deployment makes one deployment and, unless its model is a wildcard, binds it to its provider.
func (b *builder) deployment(m *config.Model, org string) (*llm.Deployment, error) {
	p, err := b.withCredential(m.LiteLLMParams)
	if err != nil {
		return nil, err
	}
	settings, err := settingPairs(p.Other)
	if err != nil {
		return nil, err
	}
	d := &llm.Deployment{
		Settings: settings,
		ID:       m.ModelInfo.ID, Group: m.ModelName, Model: p.Model, Written: p.Model, Base: strings.TrimRight(p.APIBase, "/"),
		APIKey: p.APIKey.Reveal(), APIVersion: p.APIVersion, Organization: org,
		Weight: or(p.Weight), RPM: float64(or(p.RPM)), TPM: float64(or(p.TPM)), Order: or(p.Order),
		Retries: -1, DropParams: b.dropParams(p), AdditionalDrop: p.AdditionalDropParams, AllowedParams: p.AllowedOpenAIParams,
		ExtraHeaders: textPairs(p.ExtraHeaders), ExtraBody: pairs(p.ExtraBody), Defaults: pairs(p.Extra), Tags: p.Tags,
		Mock: or(p.MockResponse), Info: info(m.ModelInfo),
	}
	if d.ID == "" {
		d.ID = identity(m, org)
	}
	if t := p.Timeout; t != nil {
		d.Timeout = t.Duration()
	}
	if t := p.StreamTimeout; t != nil {
		d.StreamTimeout = t.Duration()
	}
	d.Cooldown = cooldownOf(p.CooldownTime, m.ModelInfo.CooldownTime)
	if n := cmpPtr(p.NumRetries, p.MaxRetries); n != nil {
		d.Retries = *n
	}
	if d.CachePoints, err = openai.CachePoints([]byte(d.Setting("cache_control_injection_points"))); err != nil {
		return nil, err
	}
	keyVar := ""
	if p.APIKey == "" {
		// The operator meant this key: the vendor's own variable is no substitute.
		keyVar = p.Unresolved["api_key"]
	}
	if err := b.bind(d, p.CustomLLMProvider, keyVar); err != nil {
		return nil, err
	}
	if err := b.ownPrices(d, m); err != nil {
		return nil, err
	}
	b.deploymentScopes(d, m)
	d.Parallel = b.parallel(p)
	return d, b.setPrice(d)
}

func or[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (b *builder) dropParams(p config.LiteLLMParams) bool {
	if p.DropParams != nil {
		return *p.DropParams
	}
	return or(b.cfg.LiteLLMSettings.DropParams)
}

// withCredential fills in what litellm_credential_name refers to. What the entry itself says wins.
func (b *builder) withCredential(p config.LiteLLMParams) (config.LiteLLMParams, error) {
	if p.CredentialName == "" {
		return p, nil
	}
	i := slices.IndexFunc(b.cfg.CredentialList, func(c config.Credential) bool { return c.Name == p.CredentialName })
	if i < 0 {
		var names []string
		for _, c := range b.cfg.CredentialList {
			names = append(names, c.Name)
		}
		return p, fmt.Errorf("litellm_credential_name %q is not in credential_list, which has %v", p.CredentialName, names)
	}
	values := b.cfg.CredentialList[i].Values
	text := func(name string) string { s, _ := values[name].(string); return s }
	p.Other = maps.Clone(p.Other)
	if p.Other == nil {
		p.Other = map[string]any{}
	}
	for name, v := range values {
		if _, set := p.Other[name]; !set && !ownSetting(name) {
			p.Other[name] = v
		}
	}
	if p.APIKey == "" {
		p.APIKey = config.Secret(text("api_key"))
	}
	if p.APIBase == "" {
		p.APIBase = text("api_base")
	}
	if p.APIVersion == "" {
		p.APIVersion = text("api_version")
	}
	if org := text("organization"); org != "" && len(p.Organization) == 0 {
		p.Organization = []string{org}
	}
	return p, nil
}

// ownSetting reports whether a value of a credential has a field of its own.
func ownSetting(name string) bool {
	switch name {
	case "api_key", "api_base", "api_version", "organization":
		return true
	}
	return false
}

// identity derives a deployment's id from what the operator wrote, so that it stays the same across restarts.
func identity(m *config.Model, org string) string {
	p := m.LiteLLMParams
	b, err := json.Marshal([]any{m.ModelName, p.Model, p.APIBase, p.APIVersion, org, p.CredentialName, p.MockResponse, p.Extra, p.ExtraBody})
	if err != nil {
		b = []byte(m.ModelName + p.Model + p.APIBase)
	}
	h := sha256.New()
	h.Write(b)
	// The key tells deployments apart, and only its hash within the hash leaves this function.
	key := sha256.Sum256([]byte(p.APIKey.Reveal()))
	h.Write(key[:])
	return hex.EncodeToString(h.Sum(nil))
}

func textPairs(m map[string]string) []llm.Pair {
	var out []llm.Pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, llm.Pair{Name: k, Value: m[k]})
	}
	return out
}

// settingPairs writes strings as they are and anything else as JSON.
func settingPairs(m map[string]any) ([]llm.Pair, error) {
	var out []llm.Pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch v := m[k].(type) {
		case nil:
		case string:
			out = append(out, llm.Pair{Name: k, Value: v})
		case config.Secret:
			out = append(out, llm.Pair{Name: k, Value: v.Reveal()})
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("%s cannot be used: %w", k, err)
			}
			out = append(out, llm.Pair{Name: k, Value: string(b)})
		}
	}
	return out, nil
}

// pairs writes each value as JSON.
func pairs(m map[string]any) []llm.Pair {
	var out []llm.Pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if b, err := json.Marshal(m[k]); err == nil {
			out = append(out, llm.Pair{Name: k, Value: string(b)})
		}
	}
	return out
}

func info(i config.ModelInfo) map[string]any {
	out := maps.Clone(i.Extra)
	if out == nil {
		out = map[string]any{}
	}
	if i.Mode != "" {
		out["mode"] = i.Mode
	}
	if i.BaseModel != "" {
		out["base_model"] = i.BaseModel
	}
	for name, n := range map[string]*int{"max_tokens": i.MaxTokens, "max_input_tokens": i.MaxInputTokens} {
		if n != nil {
			out[name] = *n
		}
	}
	healthInfo(out, &i.ModelHealth)
	return out
}
