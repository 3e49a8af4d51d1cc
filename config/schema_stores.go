package config

import "slices"

// storeSettings lists the keys of an entry of vector_store_registry. How a
// store is reached is said in the words that deployments have.
func storeSettings() []Setting {
	shared := []string{
		"api_key", "api_base", "api_version", "litellm_credential_name", "ssl_verify",
		"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name", "aws_session_name", "aws_profile_name",
		"aws_role_name", "aws_web_identity_token", "aws_sts_endpoint", "aws_bedrock_runtime_endpoint", "aws_external_id",
		"vertex_project", "vertex_location", "vertex_credentials",
		"azure_scope", "tenant_id", "client_id", "client_secret", "azure_ad_token", "azure_username", "azure_password",
	}
	list := slices.DeleteFunc(deploymentSettings(), func(s Setting) bool { return !slices.Contains(shared, s.Path) })
	list = append(list,
		Setting{Path: "vector_store_id", Type: TypeString, Area: "provider", Status: InEffect, Required: true,
			Doc: "What requests name: the id of a knowledge base, corpus or data store, the name of an index, or the id of a store at OpenAI."},
		Setting{Path: "custom_llm_provider", Type: TypeString, Area: "provider", Status: InEffect, Required: true,
			Doc: "The vendor: bedrock, vertex_ai (RAG Engine), vertex_ai/search_api (Vertex AI Search), azure_ai (Azure AI Search), openai, azure or another one with OpenAI's API for stores. Stores of others refuse searches."},
		Setting{Path: "vector_store_name", Type: TypeString, Area: "provider", Status: NotNeeded,
			Doc: "Second place of the name.", Note: "the name beside litellm_params is read"},
		Setting{Path: "vector_store_description", Type: TypeString, Area: "provider", Status: NotNeeded,
			Doc: "What the store holds.", Note: "a remark for readers of the file"},
		Setting{Path: "vector_store_metadata", Type: TypeObject, Default: "{}", Area: "provider", Status: NotNeeded,
			Doc: "Facts about the store.", Note: "a remark for readers of the file"},
		Setting{Path: "litellm_embedding_model", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "Model that makes the vector of a query for an index of Azure AI Search: a model group, or a model in the words of litellm_params.model. Without one the index makes it, for which it needs a vectorizer."},
		Setting{Path: "litellm_embedding_config", Type: TypeObject, Default: "{}", Area: "provider", Status: InEffect, Secret: true, Unknown: UnknownKeep,
			Doc: "How that model is reached, in the words of litellm_params: api_base, api_key, api_version."},
		Setting{Path: "azure_search_service_name", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "Name of the service of Azure AI Search, in place of its address as api_base."},
		Setting{Path: "azure_search_vector_field", Type: TypeString, Default: "contentVector", Area: "provider", Status: InEffect,
			Doc: "Field of the index that holds the vectors."},
		Setting{Path: "vertex_app_id", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "App of Vertex AI Search that is searched in place of a data store."},
		Setting{Path: "vertex_engine_id", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "Second name of vertex_app_id."},
		Setting{Path: "vertex_collection_id", Type: TypeString, Default: "default_collection", Area: "provider", Status: InEffect,
			Doc: "Collection of the data store or app."},
		Setting{Path: "vertex_serving_config", Type: TypeString, Default: "default_config, or default_search for an app", Area: "provider", Status: InEffect,
			Doc: "Serving configuration that answers searches."},
		Setting{Path: "vertex_datastores", Type: TypeStrings, Default: "[]", Area: "provider", Status: InEffect,
			Doc: "Data stores of the app that are searched; none is all."},
	)
	return append([]Setting{
		{Path: "vector_store_registry[].vector_store_name", Type: TypeString, Area: "provider", Status: InEffect,
			Doc: "What the log calls the store."},
		{Path: "vector_store_registry[].litellm_params", Type: TypeObject, Area: "provider", Status: InEffect, Required: true, Unknown: UnknownWarn,
			Doc: "Which store it is, whose, and how it is reached."},
	}, under("vector_store_registry[].litellm_params.", list)...)
}

// googleAccount lists the keys of a deployment that say whose Google Cloud it
// uses.
func googleAccount() []Setting {
	return slices.DeleteFunc(deploymentSettings(), func(s Setting) bool {
		return s.Path != "vertex_project" && s.Path != "vertex_location" && s.Path != "vertex_credentials"
	})
}
