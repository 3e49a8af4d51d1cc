package config

import "fmt"

// registryCases are the keys of an entry of vector_store_registry.
func registryCases() []effectCase {
	const open, end = "vector_store_registry: [{vector_store_name: n, litellm_params: {vector_store_id: i, custom_llm_provider: p", "}}]"
	of := func(c *Config) VectorStoreParams { return c.VectorStores[0].LiteLLMParams }
	const p = "vector_store_registry[].litellm_params."
	cases := []effectCase{
		{"vector_store_registry", open + end, nil, func(c *Config) any { return len(c.VectorStores) }, 1},
		{"vector_store_registry[].vector_store_name", open + end, nil, func(c *Config) any { return c.VectorStores[0].Name }, "n"},
		{"vector_store_registry[].litellm_params", open + end, nil, func(c *Config) any { return of(c).ID + of(c).CustomLLMProvider }, "ip"},
		{p + "vector_store_id", open + end, nil, func(c *Config) any { return of(c).ID }, "i"},
		{p + "custom_llm_provider", open + end, nil, func(c *Config) any { return of(c).CustomLLMProvider }, "p"},
		{p + "api_key", open + ", api_key: os.environ/K" + end, []string{"K=v"}, func(c *Config) any { return of(c).APIKey.Reveal() }, "v"},
		{p + "api_base", open + ", api_base: https://h" + end, nil, func(c *Config) any { return of(c).APIBase }, "https://h"},
		{p + "api_version", open + ", api_version: v" + end, nil, func(c *Config) any { return of(c).APIVersion }, "v"},
		{
			p + "litellm_credential_name", "credential_list: [{credential_name: c, credential_values: {}}]\n" + open + ", litellm_credential_name: c" + end, nil,
			func(c *Config) any { return of(c).CredentialName }, "c",
		},
		{p + "litellm_embedding_model", open + ", litellm_embedding_model: m" + end, nil, func(c *Config) any { return of(c).EmbeddingModel }, "m"},
		{
			p + "litellm_embedding_config", open + ", litellm_embedding_config: {api_key: k}" + end, nil,
			func(c *Config) any { return of(c).EmbeddingConfig }, map[string]any{"api_key": "k"},
		},
	}
	for _, s := range storeSettings()[2:] {
		name := s.Path[len(p):]
		switch name {
		case "vector_store_id", "custom_llm_provider", "api_key", "api_base", "api_version", "litellm_credential_name",
			"litellm_embedding_model", "litellm_embedding_config":
			continue
		}
		if s.Status != InEffect {
			continue
		}
		value, want := "v", any("v")
		if s.Secret {
			want = Secret("v")
		}
		if s.Type == TypeStrings {
			value, want = "[v]", []any{"v"}
		}
		cases = append(cases, effectCase{s.Path, fmt.Sprintf("%s, %s: %s%s", open, name, value, end), nil, func(c *Config) any { return of(c).Other[name] }, want})
	}
	return cases
}

// tuningCases are the keys of finetune_settings for jobs on Vertex AI.
func tuningCases() []effectCase {
	var cases []effectCase
	for _, s := range googleAccount() {
		want := any("v")
		if s.Secret {
			want = Secret("v")
		}
		cases = append(cases, effectCase{
			"finetune_settings[]." + s.Path, "finetune_settings: [{custom_llm_provider: vertex_ai, " + s.Path + ": v}]", nil,
			func(c *Config) any { return c.FinetuneSettings[0].Other[s.Path] }, want,
		})
	}
	return cases
}
