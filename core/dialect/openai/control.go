package openai

// Control reports whether a top-level member of a request is for the gateway and must not reach a vendor. The names
// are those of the reference's all_litellm_params (litellm/types/utils.py) and its dynamic callback parameters, and the
// members its proxy reads besides.
//
// metadata is among them: on chat completions, completions and embeddings the reference keeps it for its own logs and
// spend tags. A deployment, or a request, whose allowed_openai_params list metadata sends it on to the vendor too.
func Control(key []byte) bool {
	switch string(key) {
	case "metadata", "litellm_metadata", "tags", "guardrails", "guardrail_config", "disable_global_guardrails",
		"policies", "num_retries", "max_retries", "timeout", "request_timeout", "stream_timeout", "force_timeout",
		"fallbacks", "disable_fallbacks", "fallback_depth", "max_fallbacks", "context_window_fallback_dict",
		"retry_policy", "retry_strategy", "cooldown_time", "fastest_response",
		"drop_params", "additional_drop_params", "allowed_openai_params", "extra_headers", "extra_body", "headers",
		"mock_response", "mock_timeout", "mock_delay", "mock_tool_calls", "mock_testing_fallbacks",
		"mock_testing_context_fallbacks", "mock_testing_content_policy_fallbacks", "mock_testing_rate_limit_error":
		return true
	case "cache", "caching", "caching_groups", "cache_key", "preset_cache_key", "ttl", "no-log", "no_log", "verbose",
		"logger_fn", "litellm_logging_obj", "litellm_call_id", "litellm_trace_id", "litellm_session_id",
		"litellm_credential_name", "litellm_params", "litellm_proxy_rate_limit_response", "litellm_request_debug",
		"proxy_server_request", "secret_fields", "provider_specific_header", "shared_session",
		"success_callback", "failure_callback", "callbacks", "service_callback", "logger_obj",
		"prompt_id", "prompt_variables", "prompt_label", "prompt_version", "prompt_spec",
		"priority", "user_config", "router_settings_override":
		return true
	case "api_key", "api_base", "base_url", "api_version", "custom_llm_provider", "organization", "deployment_id",
		"configurable_clientside_auth_params", "use_in_pass_through", "use_litellm_proxy", "use_client", "client",
		"azure", "azure_ad_token", "azure_ad_token_provider", "azure_username", "azure_password", "azure_scope",
		"tenant_id", "client_id", "client_secret", "region_name", "allowed_model_region", "hf_model_name",
		"vertex_project", "vertex_location", "vertex_credentials", "aws_access_key_id", "aws_secret_access_key",
		"aws_session_token", "aws_region_name", "aws_session_name", "aws_profile_name", "aws_role_name",
		"aws_web_identity_token", "aws_sts_endpoint", "aws_bedrock_runtime_endpoint", "watsonx_region_name",
		"model_list", "model_info", "model_config", "model_file_id_mapping", "base_model", "id", "self",
		"acompletion", "atext_completion", "aembedding", "aimg_generation", "text_completion", "complete_response":
		return true
	case "rpm", "tpm", "weight", "max_parallel_requests", "max_budget", "budget_duration",
		"input_cost_per_token", "output_cost_per_token", "input_cost_per_second", "output_cost_per_second",
		"roles", "final_prompt_value", "bos_token", "eos_token", "supports_system_message",
		"user_continue_message", "assistant_continue_message", "ensure_alternating_roles",
		"merge_reasoning_content_in_choices", "disable_add_transform_inline_image_block",
		"cache_control_injection_points":
		return true
	case "turn_off_message_logging", "langfuse_public_key", "langfuse_secret", "langfuse_secret_key", "langfuse_host",
		"langfuse_prompt_version", "gcs_bucket_name", "gcs_path_service_account", "langsmith_api_key",
		"langsmith_project", "langsmith_base_url", "langsmith_sampling_rate", "langsmith_tenant_id",
		"humanloop_api_key", "arize_api_key", "arize_space_key", "arize_space_id", "posthog_api_key",
		"posthog_host", "posthog_api_url", "braintrust_api_key", "braintrust_host", "braintrust_project_id",
		"slack_webhook_url", "lunary_public_key", "wandb_api_key", "weave_project_id", "s3_bucket_name",
		"s3_encryption_key_id", "vector_store_id":
		return true
	}
	return false
}
