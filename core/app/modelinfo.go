package app

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// modelEntry is a deployment as GET /model/info shows it.
type modelEntry struct {
	Name   string         `json:"model_name"`
	Params map[string]any `json:"litellm_params"`
	Info   map[string]any `json:"model_info"`
}

// modelEntries are the deployments that somebody may use. All of them are shown to nobody in particular.
func (l *loaded) modelEntries(p *llm.Principal) []modelEntry {
	out := []modelEntry{}
	written := l.written()
	for _, d := range l.deployments {
		if p == nil || p.May(d.Group) {
			out = append(out, l.modelEntry(d, written[d.ID]))
		}
	}
	return out
}

// written finds the entry of model_list that a deployment was made from, by the deployment's id.
func (l *loaded) written() map[string]*config.Model {
	out := map[string]*config.Model{}
	for i := range l.cfg.ModelList {
		m := &l.cfg.ModelList[i]
		if m.ModelInfo.ID != "" {
			out[m.ModelInfo.ID] = m
			continue
		}
		for _, org := range slices.Concat(m.LiteLLMParams.Organization, []string{""}) {
			out[identity(m, org)] = m
		}
	}
	return out
}

// modelEntry joins what the operator wrote with what the price table knows; the operator's words win
// (litellm/proxy/proxy_server.py, _get_proxy_model_info).
func (l *loaded) modelEntry(d *llm.Deployment, m *config.Model) modelEntry {
	e := modelEntry{Name: d.Group, Params: map[string]any{"model": d.Written}, Info: map[string]any{}}
	if !strings.Contains(d.Model, "*") {
		e.Info = l.known(d)
	}
	for name, f := range l.prices.own[d.ID].Figures {
		e.Info[name] = f
	}
	maps.Copy(e.Info, d.Info)
	e.Info["id"] = d.ID
	if e.Info["db_model"] == nil {
		e.Info["db_model"] = false
	}
	if m != nil {
		e.Params = shownParams(m.LiteLLMParams)
		for name, v := range map[string]*int{
			"max_tokens": m.ModelInfo.MaxTokens, "max_input_tokens": m.ModelInfo.MaxInputTokens, "max_output_tokens": m.ModelInfo.MaxOutputTokens,
		} {
			if v != nil {
				e.Info[name] = *v
			}
		}
	}
	return e
}

// known is what the price table knows of a deployment's model, with the parameters that its provider takes. It is not nil.
func (l *loaded) known(d *llm.Deployment) map[string]any {
	entry := l.prices.entry(d)
	m := entry.Info()
	if m == nil {
		m = map[string]any{"litellm_provider": d.Provider}
	}
	op := llm.OpChat
	switch entry.Mode() {
	case "embedding":
		op = llm.OpEmbedding
	case "completion":
		op = llm.OpCompletion
	}
	m["supported_openai_params"] = l.taken(d, op)
	return m
}

// taken are the parameters of OpenAI's API that the model of a deployment takes, at least with some values.
func (l *loaded) taken(d *llm.Deployment, op llm.Operation) []string {
	list := l.supported(d.Provider, op)
	if op != llm.OpChat {
		return list
	}
	for _, u := range l.prices.unfit(d) {
		if u.But == "" && !u.Idle && u.As == "" {
			list = slices.DeleteFunc(list, func(name string) bool { return name == u.Name })
		}
	}
	return list
}

// supported are the parameters of OpenAI's API that a vendor takes.
func (l *loaded) supported(vendor string, op llm.Operation) []string {
	v, ok := compat.Lookup(vendor)
	if !ok {
		return []string{}
	}
	if p, ok := l.vendorOf(v).(interface {
		Supported(op llm.Operation) ([]string, bool)
	}); ok {
		list, _ := p.Supported(op)
		if list == nil {
			list = []string{}
		}
		return list
	}
	list := slices.DeleteFunc(openai.Parameters(op), func(name string) bool { return slices.Contains(v.Unsupported, name) })
	if op == llm.OpChat || op == llm.OpCompletion {
		list = append(list, "stream")
		if !v.NoStreamOptions {
			list = append(list, "stream_options")
		}
	}
	slices.Sort(list)
	return list
}

// shownParams are the settings of a deployment without secrets: keys and credentials are left out, as in the reference
// (remove_sensitive_info_from_deployment), values of headers are hidden, and what looks like a key in any text is masked.
func shownParams(p config.LiteLLMParams) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("config")
		f := v.Field(i)
		if name == "" || strings.HasPrefix(name, ",") || name == "-" || f.IsZero() {
			continue
		}
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		switch value := f.Interface().(type) {
		case config.Secret:
		case config.Seconds:
			out[name] = float64(value)
		default:
			out[name] = masked(value)
		}
	}
	if headers := p.ExtraHeaders; len(headers) > 0 {
		hidden := map[string]any{}
		for name := range headers {
			hidden[name] = "****"
		}
		out["extra_headers"] = hidden
	}
	maps.Copy(out, p.Prices)
	secret := secretSettings()
	for _, more := range []map[string]any{p.Extra, p.Other} {
		for name, value := range more {
			if !secret[name] && !telemetry.SecretName(name) {
				out[name] = masked(value)
			}
		}
	}
	return out
}

// masked hides secrets anywhere in a value as YAML has it.
func masked(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return nil
	}
	return telemetry.MaskTree(tree)
}

// secretSettings are the settings of a deployment that the schema calls secret.
func secretSettings() map[string]bool {
	out := map[string]bool{"vertex_credentials": true, "aws_access_key_id": true, "aws_session_token": true}
	for _, s := range config.Settings() {
		if name, ok := strings.CutPrefix(s.Path, "model_list[].litellm_params."); ok && s.Secret {
			out[name] = true
		}
	}
	return out
}

// groupInfo is ModelGroupInfo of litellm/types/router.py: what a model group can do, the best of its deployments.
type groupInfo struct {
	Group      string         `json:"model_group"`
	Providers  []string       `json:"providers"`
	MaxInput   *float64       `json:"max_input_tokens"`
	MaxOutput  *float64       `json:"max_output_tokens"`
	InputCost  *float64       `json:"input_cost_per_token"`
	OutputCost *float64       `json:"output_cost_per_token"`
	PixelCost  *float64       `json:"input_cost_per_pixel"`
	Mode       any            `json:"mode"`
	TPM        *float64       `json:"tpm"`
	RPM        *float64       `json:"rpm"`
	ITPM       *float64       `json:"itpm"` // tokens of prompts a minute
	OTPM       *float64       `json:"otpm"` // tokens of answers a minute
	Parallel   bool           `json:"supports_parallel_function_calling"`
	Vision     bool           `json:"supports_vision"`
	WebSearch  bool           `json:"supports_web_search"`
	URLContext bool           `json:"supports_url_context"`
	Reasoning  bool           `json:"supports_reasoning"`
	Functions  bool           `json:"supports_function_calling"`
	Fast       bool           `json:"supports_fast_mode"` // all of its deployments do
	Efforts    []string       `json:"supported_reasoning_efforts"`
	Params     []string       `json:"supported_openai_params"`
	ClientAuth any            `json:"configurable_clientside_auth_params"`
	Public     bool           `json:"is_public_model_group"`
	Health     map[string]any `json:"health_status"`

	dim bool // of one deployment's efforts nothing is known
}

// groupInfos describes the named groups, or one of them if only is not empty.
func (l *loaded) groupInfos(names []string, only string) []*groupInfo {
	out := []*groupInfo{}
	written := l.written()
	for _, name := range names {
		if only != "" && only != name {
			continue
		}
		g := &groupInfo{Group: name, Providers: []string{}, Mode: "chat", Params: []string{}}
		for i, d := range l.members(name) {
			e := l.modelEntry(d, written[d.ID])
			g.add(d, e.Info)
			g.limit(e)
			g.narrow(l.efforts(d, e.Info))
			fast, _ := e.Info["supports_fast_mode"].(bool)
			g.Fast = fast && d.Provider == "anthropic" && (g.Fast || i == 0)
		}
		out = append(out, g)
	}
	return out
}

// members are the deployments behind a name: those of the group, or of the group that it is an alias of.
func (l *loaded) members(name string) []*llm.Deployment {
	if a, ok := l.cfg.RouterSettings.ModelGroupAlias[name]; ok {
		name = a.Model
	}
	var out []*llm.Deployment
	for _, d := range l.deployments {
		if d.Group == name || d.ID == name {
			out = append(out, d)
		}
	}
	return out
}

// add takes a deployment into the group: limits and prices are the largest, abilities those that any has, and limits of
// requests and tokens a minute are added up.
func (g *groupInfo) add(d *llm.Deployment, info map[string]any) {
	if d.Provider != "" && !slices.Contains(g.Providers, d.Provider) {
		g.Providers = append(g.Providers, d.Provider)
	}
	largest(&g.MaxInput, info["max_input_tokens"])
	largest(&g.MaxOutput, info["max_output_tokens"])
	largest(&g.InputCost, info["input_cost_per_token"])
	largest(&g.OutputCost, info["output_cost_per_token"])
	largest(&g.PixelCost, info["input_cost_per_pixel"])
	if mode, ok := info["mode"].(string); ok {
		g.Mode = mode
	}
	sum(&g.TPM, d.TPM)
	sum(&g.RPM, d.RPM)
	for name, to := range map[string]*bool{
		"supports_parallel_function_calling": &g.Parallel, "supports_vision": &g.Vision, "supports_web_search": &g.WebSearch,
		"supports_url_context": &g.URLContext, "supports_reasoning": &g.Reasoning, "supports_function_calling": &g.Functions,
	} {
		if yes, _ := info[name].(bool); yes {
			*to = true
		}
	}
	if list, ok := info["supported_openai_params"].([]string); ok {
		for _, name := range list {
			if !slices.Contains(g.Params, name) {
				g.Params = append(g.Params, name)
			}
		}
	}
}

// limit adds the limits that a deployment tells of beside those of the router.
func (g *groupInfo) limit(e modelEntry) {
	for name, to := range map[string]**float64{"itpm": &g.ITPM, "otpm": &g.OTPM} {
		f, ok := figure(e.Params[name])
		if !ok {
			f, _ = figure(e.Info[name])
		}
		sum(to, f)
	}
}

// figure is a number as YAML, JSON or the table has it.
func figure(v any) (f float64, ok bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

func largest(to **float64, v any) {
	if f, ok := figure(v); ok && (*to == nil || f > **to) {
		*to = &f
	}
}

func sum(to **float64, f float64) {
	if f <= 0 {
		return
	}
	if *to != nil {
		f += **to
	}
	*to = &f
}
