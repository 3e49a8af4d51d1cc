package config

// cloudCases are the credentials of Amazon and Azure, which app reads by name.
func cloudCases() []effectCase {
	type C = *Config
	cases := []effectCase{
		{"model_list[].litellm_params.api_version", model("api_version: '2024-10-21'"), nil, params(func(p LiteLLMParams) any { return p.APIVersion }), "2024-10-21"},
		{"litellm_settings.enable_azure_ad_token_refresh", "litellm_settings: {enable_azure_ad_token_refresh: true}", nil,
			func(c C) any { return *c.LiteLLMSettings.EnableAzureADTokenRefresh }, true},
	}
	for _, name := range []string{
		"aws_region_name", "aws_session_name", "aws_profile_name", "aws_role_name", "aws_sts_endpoint", "aws_bedrock_runtime_endpoint", "aws_bedrock_control_endpoint",
		"aws_external_id", "model_id", "sagemaker_base_url", "tenant_id", "client_id", "azure_username", "azure_scope",
		"s3_bucket_name", "s3_output_bucket_name", "s3_region_name", "s3_endpoint_url", "s3_encryption_key_id", "aws_batch_role_arn",
		"gcs_bucket_name",
	} {
		cases = append(cases, effectCase{
			"model_list[].litellm_params." + name, model(name + ": a"), nil, params(func(p LiteLLMParams) any { return p.Other[name] }), "a",
		})
	}
	for _, name := range []string{
		"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_web_identity_token", "client_secret", "azure_ad_token",
		"azure_password", "s3_access_key_id", "s3_secret_access_key", "s3_session_token",
	} {
		cases = append(cases, effectCase{
			"model_list[].litellm_params." + name, model(name + ": a"), nil, params(func(p LiteLLMParams) any { return p.Other[name] }), Secret("a"),
		})
	}
	for _, name := range []string{
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE_NAME", "AWS_REGION_NAME",
		"AWS_BATCH_ROLE_ARN", "AWS_S3_BUCKET_NAME", "AWS_S3_ENCRYPTION_KEY_ID", "AWS_S3_OUTPUT_BUCKET_NAME",
		"AWS_ROLE_NAME", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN", "AZURE_API_VERSION",
		"AZURE_AUTHORITY_HOST", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID",
		"CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2", "AZURE_API_BASE", "AZURE_API_KEY",
	} {
		cases = append(cases, effectCase{name, "", []string{name + "=a"}, func(c C) any { return c.Env().Get(name) }, "a"})
	}
	return cases
}
