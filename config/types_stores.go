package config

// VectorStore is one entry of vector_store_registry: a store at a vendor that
// requests name by its id.
type VectorStore struct {
	Name          string            `config:"vector_store_name"`
	LiteLLMParams VectorStoreParams `config:"litellm_params"`
}

// VectorStoreParams say whose a vector store is and how it is reached.
type VectorStoreParams struct {
	ID                string         `config:"vector_store_id"`
	CustomLLMProvider string         `config:"custom_llm_provider"`
	APIKey            Secret         `config:"api_key"`
	APIBase           string         `config:"api_base"`
	APIVersion        string         `config:"api_version"`
	CredentialName    string         `config:"litellm_credential_name"`
	EmbeddingModel    string         `config:"litellm_embedding_model"`
	EmbeddingConfig   map[string]any `config:"litellm_embedding_config"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}
