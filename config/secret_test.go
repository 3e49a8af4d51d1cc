package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestSecretsStayOutOfSight puts a marker in every place that can hold a
// secret, valid and not, and looks for it in everything that is printed.
func TestSecretsStayOutOfSight(t *testing.T) {
	t.Parallel()
	const secret = "zq-3f9a-marker"
	valid := `
environment_variables: {MY_TOKEN: S}
model_list:
  - model_name: m
    litellm_params:
      model: openai/x
      api_key: S
      api_base: https://u:S@h/v1?key=S
      extra_headers: {Authorization: Bearer S}
      aws_secret_access_key: S
      vendor_api_key: S
      api_kye: S
    model_info: {internal_token: S}
credential_list: [{credential_name: c, credential_values: {api_key: S, deep: {more: [S]}}}]
general_settings:
  master_key: S
  database_url: postgres://u:S@h/d
  alert_to_webhook_url: {llm_exceptions: [S]}
  pass_through_endpoints: [{path: /p, target: "https://u:S@t/?k=S", headers: {Authorization: S}, auth: true}]
litellm_settings: {cache_params: {password: S}, s3_callback_params: {s3_aws_secret_access_key: S}, unheard_of: S}
router_settings: {redis_password: S, strange: S}
callback_settings: {generic: {headers: {x: S}}}
`
	invalid := valid + `
general_setings: {master_key: S}
S: S
guardrails: [{guardrail_name: g, litellm_params: {guardrail: S, mode: S, api_key: S}}]
`
	type_ := "general_settings: {master_key: [S], allowed_ips: S, S: 1, master_key: S}\nmodel_list: S\n"
	broken := "general_settings:\n  master_key: S\n  x: [S\n  y: \"S\n"
	for _, yaml := range []string{valid, invalid, type_, broken} {
		yaml = strings.ReplaceAll(yaml, "S:", secret+":")
		for _, edge := range []string{"S@", "S}", "S]", "S,", "S\n", `S"`} {
			yaml = strings.ReplaceAll(yaml, edge, secret+edge[1:])
		}
		cfg, rep, err := Parse("c.yaml", []byte(yaml), Options{Dir: t.TempDir(), Environ: []string{
			"OPENAI_API_KEY=" + secret, "LITELLM_MASTER_KEY=" + secret, "HTTPS_PROXY=http://u:" + secret + "@p",
		}})
		var out bytes.Buffer
		_ = rep.WriteText(&out, true)
		_ = rep.WriteJSON(&out)
		fmt.Fprint(&out, err)
		if cfg != nil {
			fmt.Fprintf(&out, "%+v %v", cfg.Env(), cfg.GeneralSettings.MasterKey)
			fmt.Fprintf(&out, "%#v %s %q", cfg.GeneralSettings.MasterKey, cfg.Variables.OpenAIAPIKey, cfg.Variables.OpenAIAPIKey)
			raw, _ := json.Marshal(cfg.ModelList[0].LiteLLMParams.APIKey)
			out.Write(raw)
		}
		if yaml == valid && err != nil {
			t.Error(err)
		}
		if at := strings.Index(out.String(), secret); at >= 0 {
			t.Errorf("shown: ...%s...", out.String()[max(0, at-200):min(out.Len(), at+60)])
		}
	}
}

func TestSecretReveals(t *testing.T) {
	t.Parallel()
	if s := Secret("a"); s.Reveal() != "a" || s.String() != mask || Secret("").String() != "" {
		t.Error(s.Reveal(), s.String())
	}
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	_, rep, err := Parse("c.yaml", []byte("litellm_settings: {num_retires: 1, drop_params: true}"), Options{Dir: t.TempDir(), Environ: []string{"LITELLM_MASTER_KEY=k"}})
	if err == nil {
		t.Fatal("no error")
	}
	var out bytes.Buffer
	if err := rep.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Entries []struct {
			Path, File, Value, Status, Severity, Message, Suggestion string
			Line                                                     int
		}
		Errors, Warnings int
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Errors != 1 || got.Warnings != 1 {
		t.Errorf("%d errors, %d warnings", got.Errors, got.Warnings)
	}
	e := got.Entries[1]
	if e.Path != "litellm_settings.num_retires" || e.File != "c.yaml" || e.Line != 1 || e.Severity != "error" || e.Status != "unknown" || !strings.Contains(e.Suggestion, "num_retries") {
		t.Errorf("%+v", e)
	}
}
