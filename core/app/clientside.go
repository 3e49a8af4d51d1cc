package app

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// ownParams are the members of a request with which a caller brings a vendor's address or key of its own.
func ownParams() []string { return []string{"api_base", "base_url", "api_key"} }

// own makes the deployment for a request that brings an address or a key of its own. An address is taken if
// allow_client_side_credentials is set, or if the deployment's configurable_clientside_auth_params allow it.
//
// The operator's key, headers and settings only go to addresses that the operator named: those that
// configurable_clientside_auth_params spell out, and the deployment's own. To any other address the request's own key
// goes, or none, and that address must be public or in client_side_networks: callers must not reach what only the
// gateway can.
func (b *builder) own(ctx context.Context, x *llm.Exchange, d *llm.Deployment) (*llm.Deployment, error) {
	base, key, err := brought(x)
	if err != nil {
		return nil, err
	}
	if base == "" && key == "" {
		return b.withBearer(x, d)
	}
	rules := clientRules(d.Setting("configurable_clientside_auth_params"))
	all := b.cfg.GeneralSettings.AllowClientSideCredentials
	if base != "" && !all && !rules.allows("api_base", base) {
		return nil, notAllowed("api_base")
	}
	if key != "" && !all && !rules.allows("api_key", key) {
		return nil, notAllowed("api_key")
	}
	c := *d
	c.Bound, c.ID = nil, d.ID+":client"
	if key != "" {
		c.APIKey = key
	}
	trusted := base == "" || strings.TrimRight(base, "/") == d.Base || rules.names("api_base", base)
	if base != "" {
		c.Base = strings.TrimRight(base, "/")
	}
	if trusted {
		return &c, b.bindOwn(&c)
	}
	return b.foreign(ctx, &c, key)
}

// foreign binds a deployment at an address of the caller's.
func (b *builder) foreign(ctx context.Context, c *llm.Deployment, key string) (*llm.Deployment, error) {
	v, ok := compat.Lookup(c.Provider)
	if !ok || v.Own && v.Name != "anthropic" {
		return nil, refusedOwn("api_base cannot be brought along for a model of " + c.Provider + ".")
	}
	c.ExtraHeaders, c.Settings, c.Organization, c.APIKey = nil, nil, "", key
	if key == "" {
		c.APIKey = noKey
	}
	if err := b.bindOwn(c); err != nil {
		return nil, err
	}
	var target llm.Target
	if _, _, problem := provider.Target(c.Base, &target); problem != "" {
		return nil, refusedOwn("api_base " + problem + ".")
	}
	addr, err := b.resolve(ctx, target.Addr)
	if err != nil {
		return nil, err
	}
	target.Addr = addr
	c.Bound = elsewhere{c.Bound.(provider.Endpoint), &target}
	return c, nil
}

// noKey stands in for a key where the operator's must not go and the caller sent none.
const noKey = "none"

func (b *builder) bindOwn(c *llm.Deployment) error {
	if err := b.bindNamed(c); err != nil {
		return refusedOwn("api_base or api_key cannot be used: " + err.Error())
	}
	return nil
}

// resolve finds an address that callers may name. The connection goes to what was checked, whatever the name says later.
func (b *builder) resolve(ctx context.Context, hostport string) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", refusedOwn("api_base has no host.")
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(found) == 0 {
		return "", refusedOwn("api_base names a host that is not known.")
	}
	for _, a := range found {
		if !wasm.Reachable(a, b.clientNetworks) {
			return "", refusedOwn("api_base names an address that is not public. An administrator can allow its network in general_settings.client_side_networks.")
		}
	}
	return net.JoinHostPort(found[0].Unmap().String(), port), nil
}

// networks reads general_settings.client_side_networks.
func (b *builder) networks() (out []netip.Prefix) {
	for _, s := range b.cfg.GeneralSettings.ClientSideNetworks {
		p, err := netip.ParsePrefix(s)
		if a, alone := netip.ParseAddr(s); alone == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			b.mistake("general_settings.client_side_networks", err)
			continue
		}
		out = append(out, p)
	}
	return out
}

// elsewhere sends the calls of an endpoint to an address that was looked up before.
type elsewhere struct {
	provider.Endpoint
	target *llm.Target
}

// Encode implements provider.Endpoint.
func (e elsewhere) Encode(x *llm.Exchange, c *llm.Call) error {
	if err := e.Endpoint.Encode(x, c); err != nil {
		return err
	}
	if c.Local == nil {
		c.Target = e.target
	}
	return nil
}

// dynamicKeys reports whether AUTH_STRATEGY makes the bearer value of each caller the vendor's key for its requests. The
// reference had the variable in a server that it has since removed: DYNAMIC did this, ENV and nothing did not.
func (b *builder) dynamicKeys() bool { return b.cfg.Variables.AuthStrategy == "DYNAMIC" }

// withBearer makes the deployment for a request whose bearer value is the vendor's key. Without one the configured key is
// used. If the gateway has keys itself, the request's comes in x-litellm-api-key or the header that
// litellm_key_header_name names; a bearer value beside none of them is the gateway's own, which no vendor gets.
func (b *builder) withBearer(x *llm.Exchange, d *llm.Deployment) (*llm.Deployment, error) {
	const scheme = "bearer "
	value := x.Header.Get("authorization")
	g := b.cfg.GeneralSettings
	own := g.LiteLLMKeyHeaderName
	if own == "" {
		own = "x-litellm-api-key"
	}
	if (g.MasterKey != "" || g.CustomAuth != "") && len(x.Header.Get(own)) == 0 {
		return d, nil
	}
	if !b.dynamicKeys() || len(value) <= len(scheme) || !strings.EqualFold(string(value[:len(scheme)]), scheme) {
		return d, nil
	}
	c := *d
	c.Bound, c.ID, c.APIKey = nil, d.ID+":client", strings.TrimSpace(string(value[len(scheme):]))
	return &c, b.bindOwn(&c)
}

// brought reads what a request brings.
func brought(x *llm.Exchange) (base, key string, err error) {
	for _, name := range ownParams() {
		raw := x.Body.Get(name)
		if dialect.Null(raw) {
			continue
		}
		s, ok := llm.Text(raw)
		if !ok {
			return "", "", &llm.Error{
				Op: "app.own", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
				Message: "Invalid request: `" + name + "` must be a string.",
			}
		}
		if name == "api_key" {
			key = string(s)
		} else if len(s) > 0 {
			base = string(s)
		}
	}
	return base, key, nil
}

// notAllowed is the refusal of the reference (litellm/proxy/auth/auth_utils.py, is_request_body_safe).
func notAllowed(param string) error {
	e := refusedOwn("Rejected Request: " + param + " is not allowed in request body. Enable with `general_settings::allow_client_side_credentials` on proxy config.yaml.")
	e.Param = param
	return e
}

func refusedOwn(why string) *llm.Error {
	return &llm.Error{Op: "app.own", Kind: llm.KindAuth, Status: 401, Type: "auth_error", Param: "api_base", Message: why}
}

// clientRule is one entry of configurable_clientside_auth_params: a parameter, and the pattern of its values if it is
// limited.
type clientRule struct {
	param   string
	pattern *regexp.Regexp
}

type clientRuleList []clientRule

// clientRules reads the setting: names, or objects of a name and a pattern that the whole value must match.
func clientRules(raw string) (out clientRuleList) {
	var list []any
	if raw == "" || json.Unmarshal([]byte(raw), &list) != nil {
		return nil
	}
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, clientRule{param: v})
		case map[string]any:
			for name, p := range v {
				text, _ := p.(string)
				if re, err := regexp.Compile("^(?:" + text + ")$"); err == nil && text != "" {
					out = append(out, clientRule{name, re})
				}
			}
		}
	}
	return out
}

func (l clientRuleList) allows(param, value string) bool {
	for _, r := range l {
		if (r.param == param || r.param == "base_url" && param == "api_base") && (r.pattern == nil || r.pattern.MatchString(value)) {
			return true
		}
	}
	return false
}

// names reports whether the operator spelled the value out.
func (l clientRuleList) names(param, value string) bool {
	for _, r := range l {
		if r.param == param && r.pattern != nil && r.pattern.MatchString(value) {
			return true
		}
	}
	return false
}
