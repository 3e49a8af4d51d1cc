package config

// googleCases are the settings of Google's models.
func googleCases() []effectCase {
	const p = "model_list[].litellm_params."
	type P = LiteLLMParams
	return []effectCase{
		{p + "vertex_project", model("vertex_project: p1"), nil, params(func(p P) any { return p.Other["vertex_project"] }), "p1"},
		{p + "vertex_location", model("vertex_location: global"), nil, params(func(p P) any { return p.Other["vertex_location"] }), "global"},
		{p + "vertex_credentials", model("vertex_credentials: /a.json"), nil, params(func(p P) any { return p.Other["vertex_credentials"] }), Secret("/a.json")},
		{"litellm_settings.vertex_ai_safety_settings", "litellm_settings: {vertex_ai_safety_settings: [{category: C, threshold: T}]}", nil,
			func(c *Config) any { return c.LiteLLMSettings.VertexAISafetySettings }, []map[string]any{{"category": "C", "threshold": "T"}}},
		{"GOOGLE_APPLICATION_CREDENTIALS", "", []string{"GOOGLE_APPLICATION_CREDENTIALS=/a.json"},
			func(c *Config) any { return c.Env().Get("GOOGLE_APPLICATION_CREDENTIALS") }, "/a.json"},
	}
}
