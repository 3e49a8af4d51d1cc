package config

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// separator joins key paths inside koanf. Keys of maps are names of models
// and headers, so it is a byte that no YAML key can hold.
const separator = "\x00"

// decode layers the environment below the file and fills the types. It runs
// on a tree that the checker found no mistake in, so an error here is a
// defect of the schema, not of the file.
func decode(root *node, k *checker, env *Env) (*Config, error) {
	ko := koanf.New(separator)
	for _, layer := range []map[string]any{environmentLayer(env), fileLayer(root)} {
		if err := ko.Load(confmap.Provider(layer, ""), nil); err != nil {
			return nil, fmt.Errorf("merging the configuration: %w", err)
		}
	}
	cfg := &Config{env: env, files: k.rep.files, where: k.where, root: root}
	err := ko.UnmarshalWithConf("", cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		TagName:    "config",
		Result:     cfg,
		DecodeHook: mapstructure.DecodeHookFuncType(decodeHook),
		MatchName:  func(key, field string) bool { return key == field },
	}})
	if err != nil {
		return nil, fmt.Errorf("decoding the configuration: %w", scrubbed(err, k.rep))
	}
	known := k.schema.root.keys["model_list"].item.keys["litellm_params"].keys
	for i := range cfg.ModelList {
		p := &cfg.ModelList[i].LiteLLMParams
		p.split(known)
		p.Unresolved = unresolved(root.get("model_list").items[i].get("litellm_params"))
	}
	cfg.Variables = readVariables(env)
	return cfg, nil
}

func scrubbed(err error, rep *Report) error { return fmt.Errorf("%s", rep.scrub(err.Error())) }

// split moves prices, and the settings of LiteLLM that have no field here, out
// of Extra, so that none is sent upstream as a request parameter.
func (p *LiteLLMParams) split(known map[string]*schemaNode) {
	maps.DeleteFunc(p.Extra, func(key string, value any) bool {
		if IsPrice(key) {
			if p.Prices == nil {
				p.Prices = map[string]any{}
			}
			p.Prices[key] = value
			return true
		}
		// Parameters of requests are known too, as they need no warning.
		if n := known[key]; n == nil || n.setting.Type&TypeAny != 0 {
			return false
		}
		if p.Other == nil {
			p.Other = map[string]any{}
		}
		p.Other[key] = value
		return true
	})
}

// IsPrice tells the settings of a deployment that are prices: those of
// LiteLLM's cost map (litellm/types/utils.py, CustomPricingLiteLLMParams).
func IsPrice(key string) bool {
	return key == "tiered_pricing" || strings.Contains(key, "_cost_per_") || strings.Contains(key, "_token_cost")
}

func unresolved(params *node) map[string]string {
	var names map[string]string
	for _, e := range params.entries {
		if !e.val.missing {
			continue
		}
		if names == nil {
			names = map[string]string{}
		}
		names[e.key] = e.val.variable
	}
	return names
}

// environmentLayer holds the variables that stand for settings of the file,
// which win over them.
func environmentLayer(env *Env) map[string]any {
	general, litellm := map[string]any{}, map[string]any{}
	for _, name := range []string{"PROXY_MASTER_KEY", "LITELLM_MASTER_KEY"} {
		if v := env.Get(name); v != "" {
			general["master_key"] = Secret(v)
		}
	}
	if v, err := parseBool(env.Get("JSON_LOGS")); err == nil {
		litellm["json_logs"] = v
	}
	if v := env.Get("LITELLM_DROP_PARAMS"); v != "" {
		b, err := parseBool(v)
		litellm["drop_params"] = b || err != nil
	}
	return map[string]any{"general_settings": general, "litellm_settings": litellm}
}

// fileLayer is the tree without what is absent, unknown at the top level, or
// null.
func fileLayer(root *node) map[string]any {
	layer := map[string]any{}
	for _, e := range root.entries {
		if e.val.setting != nil && !e.val.isNull() {
			layer[e.key] = e.val.plain()
		}
	}
	return layer
}

// plain returns the value of a node in Go's own types, secrets as Secret
// where the schema knows them. Nulls are left out of maps that are settings.
func (n *node) plain() any {
	switch n.kind {
	case listKind:
		list := make([]any, 0, len(n.items))
		for _, item := range n.items {
			list = append(list, item.plain())
		}
		return list
	case mapKind:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			absent := e.val.missing || e.val.setting != nil && e.val.isNull()
			if !absent {
				m[e.key] = e.val.plain()
			}
		}
		return m
	}
	if s, ok := n.scalar.(string); ok && n.setting != nil && n.setting.Secret && n.setting.Type&TypeAny == 0 {
		return Secret(s)
	}
	return n.scalar
}

// decodeHook reads the forms that a type alone does not describe.
func decodeHook(_, to reflect.Type, data any) (any, error) {
	switch to {
	case reflect.TypeFor[Fallbacks]():
		return readFallbacks(data), nil
	case reflect.TypeFor[Alias]():
		if s, ok := data.(string); ok {
			return Alias{Model: s}, nil
		}
	case reflect.TypeFor[GuardrailMode]():
		return readMode(data), nil
	case reflect.TypeFor[[]string]():
		if s, ok := data.(string); ok {
			return []string{s}, nil
		}
	}
	return data, nil
}

// readMode reads a mode, a list of them, or modes by tag.
func readMode(data any) GuardrailMode {
	m, ok := data.(map[string]any)
	if !ok {
		return GuardrailMode{Always: readNames(data)}
	}
	mode := GuardrailMode{Default: readNames(m["default"])}
	tags, _ := m["tags"].(map[string]any)
	for tag, modes := range tags {
		if mode.Tags == nil {
			mode.Tags = map[string][]string{}
		}
		mode.Tags[tag] = readNames(modes)
	}
	return mode
}

func readNames(data any) []string {
	var names []string
	switch data := data.(type) {
	case string:
		return []string{data}
	case []string:
		return data
	case []any:
		for _, item := range data {
			if s, ok := item.(string); ok {
				names = append(names, s)
			}
		}
	}
	return names
}

func readFallbacks(data any) Fallbacks {
	list, _ := data.([]any)
	var out Fallbacks
	for _, item := range list {
		group, _ := item.(map[string]any)
		for _, model := range slices.Sorted(maps.Keys(group)) {
			f := Fallback{Model: model}
			targets, _ := group[model].([]any)
			for _, t := range targets {
				f.Targets = append(f.Targets, readTarget(t))
			}
			out = append(out, f)
		}
	}
	return out
}

func readTarget(data any) FallbackTarget {
	params, ok := data.(map[string]any)
	if !ok {
		name, _ := data.(string)
		return FallbackTarget{Model: name}
	}
	name, _ := params["model"].(string)
	rest := maps.Clone(params)
	delete(rest, "model")
	return FallbackTarget{Model: name, Params: rest}
}

// readVariables fills Variables; the checker has refused bad values.
func readVariables(env *Env) Variables {
	v := Variables{
		ConfigFilePath:     env.Get("CONFIG_FILE_PATH"),
		Host:               env.Get("HOST"),
		ServerRootPath:     rootPath(env.Get("SERVER_ROOT_PATH")),
		LogLevel:           strings.ToUpper(env.Get("LITELLM_LOG")),
		Mode:               strings.ToUpper(env.Get("LITELLM_MODE")),
		OpenAIAPIKey:       Secret(env.Get("OPENAI_API_KEY")),
		OpenAIAPIBase:      env.Get("OPENAI_API_BASE"),
		OpenAIOrganization: env.Get("OPENAI_ORGANIZATION"),
		ModelCostMapURL:    env.Get("LITELLM_MODEL_COST_MAP_URL"),
		TiktokenCacheDir:   env.Get("CUSTOM_TIKTOKEN_CACHE_DIR"),
	}
	v.AuthStrategy = env.Get("AUTH_STRATEGY")
	v.LocalModelCostMap, _ = parseBool(env.Get("LITELLM_LOCAL_MODEL_COST_MAP"))
	v.StateVariables = readStateVariables(env)
	v.CacheVariables = CacheVariables{
		QdrantURL: env.Get("QDRANT_URL"), QdrantAPIBase: env.Get("QDRANT_API_BASE"), QdrantAPIKey: Secret(env.Get("QDRANT_API_KEY")),
	}
	v.KeptVariables = readKeptVariables(env)
	v.LoginVariables = readLoginVariables(env)
	v.SetVerbose, _ = parseBool(env.Get("SET_VERBOSE"))
	v.PrintStandardLoggingPayload, _ = parseBool(env.Get("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD"))
	if v.Mode == "" {
		v.Mode = "DEV"
	}
	port := &node{scalar: env.Get("PORT"), variable: "PORT"}
	if coerce(port, TypeInt) == "" {
		n := port.scalar.(int)
		v.Port = &n
	}
	return v
}

func rootPath(p string) string {
	p = strings.Trim(p, "/ ")
	if p == "" {
		return ""
	}
	return "/" + p
}

// LevelCritical is the level of LITELLM_LOG=CRITICAL, which slog lacks.
const LevelCritical = slog.LevelError + 4

// LogLevel returns the least severe level that is logged: the most talkative
// of litellm_settings.set_verbose, SET_VERBOSE and LITELLM_LOG, and WARNING
// when none is set.
func (c *Config) LogLevel() slog.Level {
	if c.LiteLLMSettings.SetVerbose || c.Variables.SetVerbose {
		return slog.LevelDebug
	}
	switch c.Variables.LogLevel {
	case "DEBUG":
		return slog.LevelDebug
	case "INFO":
		return slog.LevelInfo
	case "ERROR":
		return slog.LevelError
	case "CRITICAL":
		return LevelCritical
	}
	return slog.LevelWarn
}

// JSONLogs reports whether logs are JSON: the file's json_logs, or else
// JSON_LOGS.
func (c *Config) JSONLogs() bool {
	return c.LiteLLMSettings.JSONLogs != nil && *c.LiteLLMSettings.JSONLogs
}
