package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/pipeline/guardrail"
)

// firstParty puts the plugin of this project in the place of a guardrail of LiteLLM: its file, its settings made of
// LiteLLM's parameters, and the grants that these parameters ask for. What the operator writes in config and grants
// counts more. Parameters are those of https://docs.litellm.ai/docs/proxy/guardrails/quick_start and the pages below it.
func (b *builder) firstParty(p *config.GuardrailParams, entry *guardrail.Guardrail) error {
	name := p.Guardrail
	plugin := config.FirstParty(name)
	if plugin == "" {
		for _, key := range sortedKeys(p.Other) {
			if _, taken := parameter(key); taken {
				return fmt.Errorf("%s is a parameter of LiteLLM's own guardrails: what a plugin is set to stands in config", key)
			}
		}
		return nil
	}
	settings, err := b.parameters(name, p.Other)
	if err != nil {
		return err
	}
	if name == "hide-secrets" {
		settings["action"] = "redact"
	}
	maps.Copy(settings, p.Config)
	p.Config = settings
	if plugin == "presidio" && settings["output_parse_pii"] == true && entry.Modes.Has(guardrail.PreCall) && !entry.Modes.Has(guardrail.PostCall) {
		entry.Modes.Always = append(slices.Clone(entry.Modes.Always), guardrail.PostCall) // where values are put back
	}
	if err := b.grant(plugin, p); err != nil {
		return err
	}
	p.Guardrail, err = b.pluginFile(name, plugin)
	return err
}

// parameter is the guardrails that have a parameter.
func parameter(key string) (of []string, known bool) {
	switch key {
	case "presidio_analyzer_api_base", "presidio_anonymizer_api_base", "presidio_language", "presidio_score_thresholds",
		"presidio_ad_hoc_recognizers", "pii_entities_config", "output_parse_pii":
		of = []string{"presidio"}
	case "api_key", "api_base":
		of = []string{"lakera", "lakera_v2", "openai_moderation", "generic_guardrail_api"}
	case "project_id", "on_flagged":
		of = []string{"lakera", "lakera_v2"}
	case "model":
		of = []string{"openai_moderation"}
	case "guardrailIdentifier", "guardrailVersion", "aws_region_name", "aws_access_key_id", "aws_secret_access_key",
		"aws_session_token", "aws_bedrock_runtime_endpoint", "mask_request_content":
		of = []string{"bedrock"}
	case "headers", "extra_headers", "additional_provider_specific_params":
		of = []string{"generic_guardrail_api"}
	}
	return of, of != nil
}

// parameters makes the plugin's settings of LiteLLM's parameters. One that the guardrail has here not is a mistake; of
// what nobody knows, the report on the configuration tells.
func (b *builder) parameters(name string, other map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, key := range sortedKeys(other) {
		of, known := parameter(key)
		if !known {
			continue
		}
		if !slices.Contains(of, name) {
			return nil, fmt.Errorf("%s is a parameter of %s, and not of %s", key, strings.Join(of, ", "), name)
		}
		v := revealed(other[key])
		switch key {
		case "presidio_analyzer_api_base":
			key = "analyzer"
		case "presidio_anonymizer_api_base":
			key = "anonymizer"
		case "presidio_language", "presidio_score_thresholds":
			key = strings.TrimPrefix(key, "presidio_")
		case "presidio_ad_hoc_recognizers":
			key = "ad_hoc_recognizers"
			path, _ := v.(string)
			var list []any
			raw, err := os.ReadFile(b.file(path))
			if err == nil {
				err = json.Unmarshal(raw, &list)
			}
			if err != nil {
				return nil, fmt.Errorf("presidio_ad_hoc_recognizers: a JSON file with a list is expected: %w", err)
			}
			v = list
		}
		out[key] = v
	}
	return out, nil
}

// revealed is a value without the wrapping of secrets.
func revealed(v any) any {
	switch v := v.(type) {
	case config.Secret:
		return v.Reveal()
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			out[k] = revealed(inner)
		}
		return out
	}
	return v
}

// grant gives a plugin what the guardrail's parameters and variables name: the hosts, and the secrets of its manifest.
// Whoever wrote them wants them used. An address in the operator's own networks is fine; only these hosts are asked.
func (b *builder) grant(plugin string, p *config.GuardrailParams) error {
	env := b.cfg.Env()
	var hosts, secrets, missing []string
	host := func(setting, variable, otherwise string) {
		s, _ := p.Config[setting].(string)
		if s == "" && variable != "" {
			s = env.Get(variable)
		}
		if s == "" {
			s = otherwise
		}
		if s == "" && p.Grants.HTTP == nil {
			missing = append(missing, variable)
		}
		if s != "" && !strings.Contains(s, "://") {
			s = "http://" + s
		}
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			hosts = append(hosts, u.Scheme+"://"+u.Host)
		}
	}
	switch plugin {
	case "presidio":
		host("analyzer", "PRESIDIO_ANALYZER_API_BASE", "")
		host("anonymizer", "PRESIDIO_ANONYMIZER_API_BASE", "")
		secrets = []string{"PRESIDIO_ANALYZER_API_BASE", "PRESIDIO_ANONYMIZER_API_BASE"}
	case "lakera":
		if s, _ := p.Config["api_base"].(string); s == "" && env.Get("LAKERA_API_BASE") != "" {
			p.Config["api_base"] = env.Get("LAKERA_API_BASE")
		}
		host("api_base", "", "https://api.lakera.ai")
		secrets = []string{"LAKERA_API_KEY"}
	case "openai-moderation":
		host("api_base", "", "https://api.openai.com")
		secrets = []string{"OPENAI_API_KEY"}
	case "generic-guardrail-api":
		host("api_base", "GENERIC_GUARDRAIL_API_BASE", "")
		secrets = []string{"GENERIC_GUARDRAIL_API_BASE", "GENERIC_GUARDRAIL_API_KEY"}
	case "bedrock-guardrails":
		region, _ := p.Config["aws_region_name"].(string)
		for _, name := range []string{"AWS_REGION_NAME", "AWS_REGION"} {
			if region == "" {
				region = env.Get(name)
			}
		}
		host("aws_bedrock_runtime_endpoint", "", "https://bedrock-runtime."+region+".amazonaws.com")
		secrets = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION_NAME", "AWS_REGION", "AWS_BEARER_TOKEN_BEDROCK"}
	}
	if len(missing) > 0 {
		return fmt.Errorf("where the service is, is not said: set %s, or the parameter of litellm_params that says the same", strings.Join(missing, " and "))
	}
	if p.Grants.HTTP == nil && len(hosts) > 0 {
		p.Grants.HTTP = hosts
		if p.Grants.Networks == nil {
			p.Grants.Networks = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1"}
		}
	}
	if p.Grants.Secrets == nil {
		for _, name := range secrets {
			if env.Get(name) != "" {
				p.Grants.Secrets = append(p.Grants.Secrets, name)
			}
		}
	}
	return nil
}

// pluginFile finds a plugin of this project.
func (b *builder) pluginFile(guard, plugin string) (string, error) {
	var dirs []string
	if d := b.cfg.Variables.PluginDir; d != "" {
		dirs = append(dirs, b.file(d))
	}
	dirs = append(dirs, b.file("plugins"), b.file("."))
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dirs = append(dirs, filepath.Join(filepath.Dir(exe), "plugins"), filepath.Dir(exe))
		}
	}
	for _, d := range dirs {
		path := filepath.Join(d, plugin+".wasm")
		if s, err := os.Stat(path); err == nil && s.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is done by the plugin %s.wasm, which is in none of %s: put it there (`make plugins` builds it), or name its folder in SALLYPORT_PLUGIN_DIR",
		guard, plugin, strings.Join(dirs, ", "))
}
