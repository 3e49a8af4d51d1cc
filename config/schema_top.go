package config

// topLevelSettings lists the sections of the file.
func topLevelSettings() []Setting {
	return []Setting{
		{Path: "model_list", Type: TypeObjects, Default: "[]", Area: "config", Status: InEffect,
			Doc: "Every entry becomes one deployment, and entries that carry the same model_name form one group among which requests to that name are spread. An empty list is allowed; requests then fail with 400 \"invalid model name\"."},
		{Path: "router_settings", Type: TypeObject, Default: "{}", Area: "router", Status: InEffect, Unknown: UnknownWarn,
			Doc: "Each key tunes how a deployment is chosen, retried, cooled down and replaced. An unknown key is reported as a warning that names it and its line; health_check_interval here stops the start and points to general_settings."},
		{Path: "litellm_settings", Type: TypeObject, Default: "{}", Area: "config", Status: InEffect,
			Doc: "Holds the behaviour of calls, logging, fallbacks and cache, one key a setting. A key that no release of LiteLLM knows is reported with file and line, never dropped in silence."},
		{Path: "general_settings", Type: TypeObject, Default: "{}", Area: "config", Status: InEffect, Unknown: UnknownError,
			Doc: "Holds what concerns the server: keys, database, limits, health, alerts. Unknown keys are reported as for litellm_settings."},
		{Path: "environment_variables", Type: TypeObject, Default: "{}", Area: "config", Status: InEffect,
			Doc: "Each pair is put in the process environment before any other section is read, and wins over a variable of the same name that was already there. A value `os.environ/NAME` copies another variable and is skipped when that one is missing."},
		{Path: "callback_settings", Type: TypeObject, Default: "{}", Area: "callback", Status: InEffect,
			Doc: "Holds options for one callback each, under the callback's own name, and applies to that callback only. A name that is not among the active callbacks is reported."},
		{Path: "include", Type: TypeStrings, Default: "[]", Area: "config", Status: InEffect,
			Doc: "Further files, relative to this one: lists of theirs are appended to the same top-level list here, other sections replace the one here."},
		{Path: "guardrails", Type: TypeObjects, Default: "[]", Area: "plugin", Status: InEffect,
			Doc: "Checks that run on requests and answers, each a WebAssembly plugin."},
		{Path: "credential_list", Type: TypeObjects, Default: "[]", Area: "provider", Status: InEffect,
			Doc: "Named sets of credentials that deployments refer to with litellm_credential_name."},
		{Path: "policies", Type: TypeObject, Default: "{}", Area: "plugin",
			Doc: "Named sets of guardrails with inheritance and conditions."},
		{Path: "policy_attachments", Type: TypeObjects, Default: "[]", Area: "plugin",
			Doc: "Which teams, keys, models and tags a policy applies to."},
		{Path: "prompts", Type: TypeObjects, Default: "[]", Area: "plugin", Status: InEffect,
			Doc: "Stored prompts that requests refer to by prompt_id."},
		{Path: "mcp_servers", Type: TypeObject, Default: "{}", Area: "provider", Secret: true,
			Doc: "Tool servers of the Model Context Protocol that the gateway offers to its callers."},
		{Path: "mcp_tools", Type: TypeObjects, Default: "[]", Area: "provider",
			Doc: "Tools that the gateway itself offers over the Model Context Protocol."},
		{Path: "agent_list", Type: TypeObjects, Default: "[]", Area: "provider",
			Doc: "Agents that callers reach through the gateway."},
		{Path: "search_tools", Type: TypeObjects, Default: "[]", Area: "provider", Secret: true,
			Doc: "Web search services and their keys."},
		{Path: "vector_store_registry", Type: TypeObjects, Default: "[]", Area: "provider",
			Doc: "Vector stores that requests may name."},
		{Path: "assistant_settings", Type: TypeObject, Default: "{}", Area: "provider", Status: InEffect,
			Doc: "Vendor and credentials of the assistants and threads endpoints."},
		{Path: "files_settings", Type: TypeObjects, Default: "[]", Area: "provider", Status: InEffect,
			Doc: "Credentials of the files, uploads and batches endpoints, by vendor; a vendor that is not listed takes the usual environment variables."},
		{Path: "finetune_settings", Type: TypeObjects, Default: "[]", Area: "provider", Status: InEffect,
			Doc: "Credentials of the fine-tuning endpoints, likewise."},
		{Path: "default_vertex_config", Type: TypeObject, Default: "{}", Area: "provider", Status: InEffect,
			Doc: "Project, location and credentials of the Vertex AI pass-through paths."},
	}
}

// pluginOptions lists the options that every plugin has wherever it is named.
func pluginOptions() []Setting {
	return []Setting{
		{Path: "sha256", Type: TypeString, Area: "plugin", Status: InEffect,
			Doc: "SHA-256 of the module, in hexadecimal; a file with another one is refused."},
		{Path: "on_error", Type: TypeString, Default: "fail_closed", Allowed: []string{"fail_closed", "fail_open"}, Area: "plugin", Status: InEffect,
			Doc: "What happens when the plugin fails: fail_closed refuses the request, fail_open goes on without it."},
		{Path: "limits", Type: TypeObject, Default: "{}", Area: "plugin", Status: InEffect, Unknown: UnknownError,
			Doc: "Bounds of one call of the plugin."},
		{Path: "limits.memory_mb", Type: TypeInt, Default: "the host's", Area: "plugin", Status: InEffect,
			Doc: "Most memory of one instance in megabytes."},
		{Path: "limits.cpu_ms", Type: TypeInt, Default: "the host's", Area: "plugin", Status: InEffect,
			Doc: "Most computing time of one call in milliseconds."},
		{Path: "limits.wall_ms", Type: TypeInt, Default: "the host's", Area: "plugin", Status: InEffect,
			Doc: "Longest time of one call in milliseconds."},
		{Path: "limits.instances", Type: TypeInt, Default: "the host's", Area: "plugin", Status: InEffect,
			Doc: "Most calls of the plugin at the same time; each takes an instance with memory of its own."},
		{Path: "tick_seconds", Type: TypeSeconds, Default: "the manifest's", Area: "plugin", Status: InEffect,
			Doc: "Seconds between two runs of the plugin's tick hook, at least 1."},
		{Path: "config", Type: TypeObject, Default: "{}", Area: "plugin", Status: InEffect,
			Doc: "Handed to the plugin as it is."},
		{Path: "grants", Type: TypeObject, Default: "{}", Area: "plugin", Status: InEffect, Unknown: UnknownError,
			Doc: "Capabilities given to the plugin, of those that its manifest asks for; what is not granted it does not have."},
		{Path: "grants.http", Type: TypeStrings, Default: "[]", Area: "plugin", Status: InEffect,
			Doc: "Where the plugin may send requests: https://host, https://host:port, https://*.domain for all names below, https://host/path for what lies below a path. Redirects are checked too."},
		{Path: "grants.networks", Type: TypeStrings, Default: "[]", Area: "plugin", Status: InEffect,
			Doc: "Networks besides the public ones in which a granted host's address may be, such as 10.0.0.0/8; a host granted by its address, or as localhost, needs none."},
		{Path: "grants.secrets", Type: TypeStrings, Default: "[]", Area: "plugin", Status: InEffect,
			Doc: "Names of environment variables whose values the plugin may read, written as NAME and without os.environ/."},
		{Path: "grants.kv", Type: TypeBool, Default: "false", Area: "plugin", Status: InEffect,
			Doc: "Lets the plugin keep values in the key-value store, in a namespace of its own."},
		{Path: "grants.metrics", Type: TypeBool, Default: "false", Area: "plugin", Status: InEffect,
			Doc: "Lets the plugin write to the gateway's metrics."},
		{Path: "grants.prompts", Type: TypeBool, Default: "false", Area: "plugin", Status: InEffect,
			Doc: "Lets hooks that are no guardrail, such as auth, route and log, see what callers write and models answer."},
	}
}

// guardrailModes are the modes of guardrails that are in effect.
func guardrailModes() []string {
	return []string{"pre_call", "during_call", "post_call", "logging_only"}
}

// guardrailSettings lists the keys of an entry of guardrails.
func guardrailSettings() []Setting {
	return []Setting{
		{Path: "guardrails[].guardrail_name", Type: TypeString, Area: "plugin", Status: InEffect, Required: true,
			Doc: "Name by which requests, keys and teams ask for the guardrail."},
		{Path: "guardrails[].litellm_params", Type: TypeObject, Area: "plugin", Status: InEffect, Required: true,
			Doc: "Which plugin runs, when and within which bounds."},
		{Path: "guardrails[].litellm_params.guardrail", Type: TypeString, Area: "plugin", Status: InEffect, Required: true, Hook: "request",
			Doc: "Path of the WebAssembly module, ending in .wasm."},
		{Path: "guardrails[].litellm_params.mode", Type: TypeString | TypeStrings | TypeObject, Allowed: guardrailModes(), Later: []string{"pre_mcp_call", "during_mcp_call"}, Area: "plugin", Status: InEffect, Required: true,
			Doc: "When the plugin runs: pre_call, during_call, post_call or logging_only, one or a list of them, or by the request's tags: {tags: {TAG: mode}, default: mode}."},
		{Path: "guardrails[].litellm_params.mode.tags", Type: TypeObject, Default: "{}", Area: "plugin", Status: InEffect,
			Doc: "Modes for requests with a tag."},
		{Path: "guardrails[].litellm_params.mode.tags.*", Type: TypeString | TypeStrings, Allowed: guardrailModes(), Area: "plugin", Status: InEffect,
			Doc: "Modes for requests with this tag."},
		{Path: "guardrails[].litellm_params.mode.default", Type: TypeString | TypeStrings, Allowed: guardrailModes(), Area: "plugin", Status: InEffect,
			Doc: "Modes for requests without any of the tags; none when absent."},
		{Path: "guardrails[].litellm_params.stream", Type: TypeString, Default: "windows", Allowed: []string{"windows", "buffer"}, Area: "plugin", Status: InEffect,
			Doc: "How post_call looks at streamed answers: in windows while they are sent, or, with the plugin's response hook, as a whole before any of it is sent."},
		{Path: "guardrails[].litellm_params.window_chars", Type: TypeInt, Default: "the plugin's", Area: "plugin", Status: InEffect,
			Doc: "New characters of a streamed answer from which the plugin is called; 0 calls it with every chunk."},
		{Path: "guardrails[].litellm_params.window_ms", Type: TypeInt, Default: "the plugin's", Area: "plugin", Status: InEffect,
			Doc: "Calls the plugin for a smaller window too when a chunk arrives and its oldest character is older than this; 0 never."},
		{Path: "guardrails[].litellm_params.holdback", Type: TypeInt, Default: "the plugin's, or 64", Area: "plugin", Status: InEffect,
			Doc: "Characters of a streamed answer that stay back until what follows them is known, so that a pattern is found however it is cut."},
		{Path: "guardrails[].litellm_params.default_on", Type: TypeBool, Default: "false", Area: "plugin", Status: InEffect,
			Doc: "Runs the guardrail for requests that do not name it."},
		{Path: "guardrails[].litellm_params.api_key", Type: TypeString, Area: "plugin", Secret: true,
			Doc: "Key of a built-in guardrail's service."},
		{Path: "guardrails[].litellm_params.api_base", Type: TypeString, Area: "plugin",
			Doc: "Address of a built-in guardrail's service."},
		{Path: "guardrails[].litellm_params.mask_request_content", Type: TypeBool, Default: "false", Area: "plugin",
			Doc: "Masks what was found in the request instead of refusing it."},
		{Path: "guardrails[].litellm_params.mask_response_content", Type: TypeBool, Default: "false", Area: "plugin",
			Doc: "Masks what was found in the answer instead of refusing it."},
		{Path: "guardrails[].litellm_params.violation_message_template", Type: TypeString, Area: "plugin",
			Doc: "Text of the refusal."},
		{Path: "guardrails[].litellm_params.guard_name", Type: TypeString, Area: "plugin",
			Doc: "Name of the guard at the service."},
		{Path: "guardrails[].litellm_params.template_id", Type: TypeString, Area: "plugin",
			Doc: "Template at the service."},
		{Path: "guardrails[].litellm_params.fail_on_error", Type: TypeBool, Default: "true", Area: "plugin",
			Doc: "LiteLLM's switch for failing services; write on_error for a plugin."},
		{Path: "guardrails[].litellm_params.custom_code", Type: TypeString, Area: "plugin",
			Doc: "Python-like code of a guardrail; write a plugin instead."},
		{Path: "guardrails[].litellm_params.additional_provider_specific_params", Type: TypeObject, Area: "plugin",
			Doc: "Further fields sent to a built-in guardrail's service."},
		{Path: "guardrails[].litellm_params.category_thresholds", Type: TypeObject, Area: "plugin",
			Doc: "Scores by category above which a request is refused."},
		{Path: "guardrails[].litellm_params.detect_secrets_config", Type: TypeObject, Area: "plugin",
			Doc: "Options of the hide-secrets guardrail."},
		{Path: "guardrails[].litellm_params.pangea_input_recipe", Type: TypeString, Area: "plugin",
			Doc: "Recipe of the pangea guardrail for requests."},
		{Path: "guardrails[].guardrail_info", Type: TypeObject, Default: "{}", Area: "plugin",
			Doc: "Facts about the guardrail, shown in lists of guardrails."},
	}
}

// promptSettings lists the keys of an entry of prompts.
func promptSettings() []Setting {
	return []Setting{
		{Path: "prompts[].prompt_id", Type: TypeString, Area: "plugin", Status: InEffect, Required: true,
			Doc: "Name by which requests ask for the prompt."},
		{Path: "prompts[].litellm_params", Type: TypeObject, Area: "plugin", Status: InEffect, Required: true,
			Doc: "Where the prompt comes from."},
		{Path: "prompts[].litellm_params.prompt_integration", Type: TypeString, Area: "plugin", Status: InEffect, Required: true, Hook: "prompt",
			Doc: "Path of the WebAssembly module that supplies the prompt, ending in .wasm."},
		{Path: "prompts[].litellm_params.prompt_id", Type: TypeString, Default: "that of the entry", Area: "plugin", Status: InEffect,
			Doc: "The prompt's id at the plugin."},
		{Path: "prompts[].prompt_info", Type: TypeObject, Default: "{}", Area: "plugin",
			Doc: "Facts about the prompt, shown in lists of prompts."},
	}
}

// otherSectionSettings lists the keys of the smaller sections.
func otherSectionSettings() []Setting {
	return []Setting{
		{Path: "callback_settings.otel", Type: TypeObject, Default: "{}", Area: "trace",
			Doc: "Options of the otel callback; only keys listed there are accepted."},
		{Path: "callback_settings.otel.message_logging", Type: TypeBool, Default: "true", Area: "trace",
			Doc: "When false, spans carry no prompt or answer text; every other sink is unaffected."},
		{Path: "environment_variables.*", Type: TypeText, Area: "config", Status: InEffect, Secret: true,
			Doc: "Value of one environment variable."},
		{Path: "credential_list[].credential_name", Type: TypeString, Area: "provider", Status: InEffect, Required: true,
			Doc: "Name that deployments refer to."},
		{Path: "credential_list[].credential_values", Type: TypeObject, Default: "{}", Area: "provider", Status: InEffect, Secret: true, Required: true,
			Doc: "The credentials: api_key, api_base, api_version and the like."},
		{Path: "credential_list[].credential_values.*", Type: TypeAny, Area: "provider", Status: InEffect, Secret: true,
			Doc: "One value of the set."},
		{Path: "credential_list[].credential_info", Type: TypeObject, Default: "{}", Area: "provider", Status: InEffect,
			Doc: "Facts about the credentials, such as custom_llm_provider and description."},
		{Path: "callback_settings.*", Type: TypeObject, Default: "{}", Area: "callback", Status: InEffect,
			Doc: "Options of the callback of that name. For a plugin the name is its path, or its file's name without .wasm. Records that a plugin cannot take are lost with a line in the log, whatever on_error says: that is for its guardrail hooks."},
	}
}

// resourceSettings lists the keys of an entry of files_settings and
// finetune_settings. The first names the vendor.
func resourceSettings() []Setting {
	return []Setting{
		{Path: "custom_llm_provider", Type: TypeString, Area: "provider", Status: InEffect, Required: true,
			Doc: "The vendor, such as openai or azure."},
		{Path: "api_key", Type: TypeString, Default: "the vendor's variable", Area: "provider", Status: InEffect, Secret: true,
			Doc: "Key of the vendor's API."},
		{Path: "api_base", Type: TypeString, Default: "the vendor's own", Area: "provider", Status: InEffect,
			Doc: "Base URL of the vendor's API."},
		{Path: "api_version", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "Version of the API, for vendors that ask for one."},
		{Path: "organization", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "Organization the calls are made for."},
	}
}

// vertexSettings lists the keys of assistant_settings and
// default_vertex_config that are no resourceSettings.
func vertexSettings() []Setting {
	return []Setting{
		{Path: "assistant_settings.custom_llm_provider", Type: TypeString, Default: "openai", Area: "provider", Status: InEffect,
			Doc: "The vendor of requests that name none."},
		{Path: "assistant_settings.litellm_params", Type: TypeObject, Default: "{}", Area: "provider", Status: InEffect,
			Doc: "How the vendor is reached."},
		{Path: "default_vertex_config.vertex_project", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "Project for requests whose path names none."},
		{Path: "default_vertex_config.vertex_location", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "Location for requests whose path names none."},
		{Path: "default_vertex_config.vertex_credentials", Type: TypeString | TypeObject, Area: "provider", Status: InEffect, Secret: true,
			Doc: "Path or content of a service account's file."},
	}
}
