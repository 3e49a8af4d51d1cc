package config

import "testing"

// What the database holds is laid over the file: lists grow, members of sections replace those of the file.
func TestStored(t *testing.T) {
	t.Parallel()
	file := "model_list:\n- {model_name: a, litellm_params: {model: openai/a, api_key: k}}\nrouter_settings: {num_retries: 1, retry_after: 2}\n"
	stored := `{"model_list":[{"model_name":"b","litellm_params":{"model":"openai/b","api_key":"k"}}],"router_settings":{"num_retries":5}}`
	cfg, _, err := Parse("config.yaml", []byte(file), Options{Environ: []string{}, Stored: []byte(stored)})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.ModelList) != 2 || cfg.ModelList[1].ModelName != "b" {
		t.Errorf("models: %+v", cfg.ModelList)
	}
	if *cfg.RouterSettings.NumRetries != 5 || cfg.RouterSettings.RetryAfter.Duration() == 0 {
		t.Errorf("router settings: %+v", cfg.RouterSettings)
	}
	if len(cfg.Files()) != 1 {
		t.Errorf("files: %v", cfg.Files())
	}
	// A mistake is one of the database, not of the file.
	_, _, err = Parse("config.yaml", []byte(file), Options{Environ: []string{}, Stored: []byte(`{"router_settings":{"num_retries":"x"}}`)})
	if err == nil {
		t.Fatal("a mistake in the database was taken")
	}
	for _, bad := range []string{`[1]`, `{`, `"x"`} {
		if _, _, err := Parse("config.yaml", []byte(file), Options{Environ: []string{}, Stored: []byte(bad)}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
