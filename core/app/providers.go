package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// customProviders loads the plugins of custom_provider_map.
func (b *builder) customProviders(ctx context.Context, out *loaded) {
	b.custom = map[string]provider.Provider{}
	for i, m := range b.cfg.LiteLLMSettings.CustomProviderMap {
		setting := fmt.Sprintf("litellm_settings.custom_provider_map[%d]", i)
		if b.custom[m.Provider] != nil || m.Provider == "" || strings.ContainsAny(m.Provider, "/*") {
			b.mistake(setting+".provider", fmt.Errorf("%q: a provider has a name of its own, without slash and star", m.Provider))
			continue
		}
		p, err := b.load(ctx, out, m.Provider, m.CustomHandler, "provider "+m.Provider, m.PluginOptions)
		if err == nil && !p.Has(abi.HookProvider) {
			err = errors.New("the plugin has no provider hook")
		}
		if err != nil {
			b.mistake(setting+".custom_handler", err)
			continue
		}
		limit := bytesOf(b.cfg.GeneralSettings.MaxResponseSizeMB)
		v, err := p.Provider(wasm.ProviderSettings{
			Name: m.Provider, Shape: openai.New(openai.Settings{Name: m.Provider}), Hosts: m.Grants.HTTP, MaxResponse: limit,
		})
		if err != nil {
			b.mistake(setting+".grants.http", err)
			continue
		}
		b.custom[m.Provider] = v
	}
}

// customVendor finds the plugin that speaks for a model's vendor: the one that custom_llm_provider names, or the prefix
// of the model.
func (b *builder) customVendor(model, custom string) (p provider.Provider, name, rest string, ok bool) {
	if custom != "" {
		p, ok = b.custom[custom]
		return p, custom, strings.TrimPrefix(model, custom+"/"), ok
	}
	name, rest, _ = strings.Cut(model, "/")
	p, ok = b.custom[name]
	return p, name, rest, ok && rest != ""
}

// routeFilters loads the plugin that has a say in where requests go.
func (b *builder) routeFilters(ctx context.Context, out *loaded) []router.Filter {
	const setting = "router_settings.custom_route"
	rs := b.cfg.RouterSettings
	if rs.CustomRoute == "" {
		return nil
	}
	p, err := b.load(ctx, out, "custom_route", rs.CustomRoute, "custom_route", rs.CustomRouteSettings)
	if err == nil && !p.Has(abi.HookRoute) {
		err = errors.New("the plugin has no route hook")
	}
	if err != nil {
		b.mistake(setting, err)
		return nil
	}
	return []router.Filter{p.RouteFilter()}
}
