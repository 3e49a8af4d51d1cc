package app

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price/tokens"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/router"
)

// choosing sets whom the router may choose at all, and how requests wait for places.
func (b *builder) choosing(s *router.Settings, out *loaded) {
	rs := b.cfg.RouterSettings
	s.Checks = budgetChecks(out.deployments)
	s.PreCallChecks = rs.EnablePreCallChecks
	s.TagFiltering, s.MatchAllTags = rs.EnableTagFiltering, rs.TagFilteringMatchAny != nil && !*rs.TagFilteringMatchAny
	s.DefaultPriority = or(rs.DefaultPriority)
	s.QueueLength = or(rs.MaxQueueLength)
	s.QueueTimeout = secondsOr(rs.QueueTimeout, 0)
	s.Affinity.TTL = secondsOr(rs.DeploymentAffinityTTL, 0)
	for _, name := range rs.OptionalPreCallChecks {
		switch name {
		case "prompt_caching":
			s.Affinity.Prompts = true
		case "session_affinity":
			s.Affinity.Sessions = true
		case "deployment_affinity":
			s.Affinity.Keys = true
		case "encrypted_content_affinity":
			s.Affinity.Encrypted = true
		case "enforce_model_rate_limits":
			s.EnforceLimits = true
		case "router_budget_limiting", "responses_api_deployment_check", "forward_client_headers_by_model_group":
			// These are on without being named: see the schema.
		default:
			b.mistake("router_settings.optional_pre_call_checks", fmt.Errorf("%q is not known: see config/REFERENCE.md for those that are", name))
		}
	}
	s.Facts, s.Count = b.factsOf(), counting(out.tokens)
	if b.routers != nil {
		s.Shared = b.routers
	}
}

// keepStates drops what the router learned about deployments that are gone. Requests that the former configuration still
// serves end as usual.
func (a *App) keepStates(next *loaded) {
	ids := make(map[string]bool, len(next.deployments))
	for _, d := range next.deployments {
		ids[d.ID] = true
	}
	a.states.Forget(func(id string) bool { return ids[id] })
}

// counting counts the tokens of requests for the router.
func counting(c *tokens.Counter) func(x *llm.Exchange, model string) int64 {
	return func(x *llm.Exchange, model string) int64 {
		body := x.Native.Raw()
		if body == nil {
			body = x.Body.Raw()
		}
		n, err := c.CountChat(model, body)
		if err != nil {
			return 0
		}
		return int64(n)
	}
}

// parallel is how many calls a deployment may have open: what it says itself, else as many as its requests a minute, else
// by its tokens a minute, else the default (litellm/utils.py, calculate_max_parallel_requests).
func (b *builder) parallel(p config.LiteLLMParams) int64 {
	rs, g := b.cfg.RouterSettings, b.cfg.GeneralSettings
	switch {
	case p.MaxParallelRequests != nil:
		return int64(max(*p.MaxParallelRequests, 0))
	case or(p.RPM) > 0:
		return int64(*p.RPM)
	case or(p.TPM) > 0:
		return max(int64(*p.TPM)/6000, 1)
	}
	return int64(max(or(cmpPtr(rs.DefaultMaxParallelRequests, g.MaxParallelRequests)), 0))
}

// active reports whether a deployment is for the environment that the gateway runs in
// (litellm/router.py, deployment_is_active_for_environment).
func (b *builder) active(m *config.Model) (bool, error) {
	var list []any
	switch v := m.ModelInfo.Extra["supported_environments"].(type) {
	case []any:
		list = v
	case string:
		list = []any{v}
	}
	if len(list) == 0 {
		return true, nil
	}
	here := b.cfg.Env().Get("LITELLM_ENVIRONMENT")
	if here == "" {
		return false, fmt.Errorf("model %q is for %v, and LITELLM_ENVIRONMENT is not set: set it to development, staging or production", m.ModelName, list)
	}
	return slices.Contains(list, any(here)), nil
}

// passAll is a deployment for every model of a vendor by the vendor's name, if router_general_settings says so and no
// other one is for everything else.
func (b *builder) passAll(list []*llm.Deployment) []*llm.Deployment {
	if !b.cfg.RouterSettings.General.PassThroughAllModels || slices.ContainsFunc(list, func(d *llm.Deployment) bool { return d.Group == "*" }) {
		return nil
	}
	var m config.Model
	m.ModelName, m.LiteLLMParams.Model = "*", "*"
	d, err := b.deployment(&m, "")
	if err != nil {
		b.mistake("router_settings.router_general_settings.pass_through_all_models", err)
		return nil
	}
	return []*llm.Deployment{d}
}

// factsOf tells the router about deployments, also those that wildcards expand to.
func (b *builder) factsOf() func(d *llm.Deployment) router.Facts {
	checks := b.cfg.RouterSettings.EnablePreCallChecks
	var unformatted sync.Map // whether a vendor does not know response_format, by name
	return func(d *llm.Deployment) router.Facts {
		f := router.Facts{
			Team: infoText(d, "team_id"), TeamName: infoText(d, "team_public_model_name"), Parallel: d.Parallel,
			NoSearch: d.Info["supports_web_search"] == false, NoFetch: d.Info["supports_web_fetch"] == false,
		}
		if !checks {
			return f
		}
		f.MaxPrompt = b.maxPrompt(d)
		f.Region = regionOf(d)
		f.Area = areaOf(f.Region)
		if !d.DropParams {
			lacks, known := unformatted.Load(d.Provider)
			if !known {
				lacks = !b.formats(d.Provider)
				unformatted.Store(d.Provider, lacks)
			}
			f.NoFormat = lacks.(bool) && !slices.Contains(d.AllowedParams, "response_format")
		}
		return f
	}
}

func infoText(d *llm.Deployment, name string) string {
	text, _ := d.Info[name].(string)
	return text
}

// maxPrompt is how many tokens a prompt may have: what the operator says, else what the price table knows.
func (b *builder) maxPrompt(d *llm.Deployment) int64 {
	for _, name := range []string{"max_input_tokens", "max_tokens"} {
		if n, ok := d.Info[name].(int); ok && n > 0 {
			return int64(n)
		}
	}
	if strings.Contains(d.Model, "*") {
		return 0
	}
	n, _ := b.prices.entry(d).Window()
	return n
}

// formats reports whether chats at a vendor know response_format. One that nobody knows does.
func (b *builder) formats(name string) bool {
	v, ok := compat.Lookup(name)
	if !ok {
		return true
	}
	l := &loaded{vendorOf: b.vendor}
	return v.Name == "" || slices.Contains(l.supported(name, llm.OpChat), "response_format")
}

// regionOf is where a deployment runs, in the words of its cloud.
func regionOf(d *llm.Deployment) string {
	for _, name := range []string{"region_name", "aws_region_name", "vertex_location", "watsonx_region_name"} {
		if r := d.Setting(name); r != "" {
			return r
		}
	}
	return ""
}

// areaOf is the part of the world that a region lies in, "eu" or "us", or "". The reference has lists of the regions of
// each cloud (get_eu_regions and get_us_regions in litellm/llms); their names say it: eu-west-1 (AWS), europe-west4
// (Google), eu-de (IBM), westeurope, swedencentral, uksouth, eastus2 (Azure).
func areaOf(region string) string {
	r := strings.ToLower(region)
	if strings.HasPrefix(r, "eu") || strings.HasSuffix(r, "europe") {
		return "eu"
	}
	for _, country := range []string{"france", "germany", "italy", "norway", "poland", "spain", "sweden", "switzerland", "uk"} {
		if strings.HasPrefix(r, country) {
			return "eu"
		}
	}
	azure := strings.TrimRight(strings.TrimSuffix(r, "euap"), "0123456789")
	if r == "us" || strings.HasPrefix(r, "us-") || strings.HasSuffix(azure, "eastus") || strings.HasSuffix(azure, "westus") || strings.HasSuffix(azure, "centralus") {
		return "us"
	}
	return ""
}

// Learned is what the router knows about a deployment, by its id.
func (a *App) Learned(id string) router.Learned { return a.states.Learned(id) }
