package config

// CacheSettings are those of litellm_settings about the cache of answers.
type CacheSettings struct {
	Cache       bool        `config:"cache"`
	CacheParams CacheParams `config:"cache_params"`
	// DefaultInMemoryTTL and DefaultRedisTTL count where cache_params says nothing.
	DefaultInMemoryTTL *Seconds `config:"default_in_memory_ttl"`
	DefaultRedisTTL    *Seconds `config:"default_redis_ttl"`
}

// CacheParams say what kind of cache there is, where, and what for.
type CacheParams struct {
	// Type is empty where Redis is meant if its variables are set, and memory
	// otherwise.
	Type               string   `config:"type"`
	Mode               string   `config:"mode"`
	Namespace          string   `config:"namespace"`
	TTL                *Seconds `config:"ttl"`
	DefaultInMemoryTTL *Seconds `config:"default_in_memory_ttl"`
	DefaultInRedisTTL  *Seconds `config:"default_in_redis_ttl"`
	SupportedCallTypes []string `config:"supported_call_types"`

	Host     string `config:"host"`
	Port     any    `config:"port"`
	Password Secret `config:"password"`
	Username string `config:"username"`
	URL      Secret `config:"url"`
	SSL      bool   `config:"ssl"`
	DB       *int   `config:"db"`
	// RedisStartupNodes are objects with host and port, SentinelNodes lists of
	// both.
	RedisStartupNodes []map[string]any `config:"redis_startup_nodes"`
	SentinelNodes     []any            `config:"sentinel_nodes"`
	ServiceName       string           `config:"service_name"`
	SentinelPassword  Secret           `config:"sentinel_password"`
	MaxConnections    *int             `config:"max_connections"`
	GCPServiceAccount string           `config:"gcp_service_account"`
	GCPRoots          string           `config:"gcp_ssl_ca_certs"`
	SSLCertReqs       string           `config:"ssl_cert_reqs"`
	SSLCheckHostname  *bool            `config:"ssl_check_hostname"`
	SSLCACerts        string           `config:"ssl_ca_certs"`
	SSLCertfile       string           `config:"ssl_certfile"`
	SSLKeyfile        string           `config:"ssl_keyfile"`
	SocketTimeout     *Seconds         `config:"socket_timeout"`

	DiskCacheDir string `config:"disk_cache_dir"`

	S3Bucket       string `config:"s3_bucket_name"`
	S3Region       string `config:"s3_region_name"`
	S3Endpoint     string `config:"s3_endpoint_url"`
	S3AccessKey    Secret `config:"s3_aws_access_key_id"`
	S3SecretKey    Secret `config:"s3_aws_secret_access_key"`
	S3SessionToken Secret `config:"s3_aws_session_token"`
	S3UseSSL       *bool  `config:"s3_use_ssl"`
	S3Verify       any    `config:"s3_verify"`
	S3Path         string `config:"s3_path"`

	GCSBucket         string `config:"gcs_bucket_name"`
	GCSServiceAccount string `config:"gcs_path_service_account"`
	GCSPath           string `config:"gcs_path"`

	AzureAccountURL string `config:"azure_account_url"`
	AzureContainer  string `config:"azure_blob_container"`

	SimilarityThreshold *float64 `config:"similarity_threshold"`
	RedisSemanticModel  string   `config:"redis_semantic_cache_embedding_model"`
	RedisSemanticIndex  string   `config:"redis_semantic_cache_index_name"`
	QdrantAPIBase       string   `config:"qdrant_api_base"`
	QdrantAPIKey        Secret   `config:"qdrant_api_key"`
	QdrantCollection    string   `config:"qdrant_collection_name"`
	QdrantQuantization  string   `config:"qdrant_quantization_config"`
	QdrantModel         string   `config:"qdrant_semantic_cache_embedding_model"`
	// SemanticModel is the model group that makes vectors for the local
	// semantic cache; empty has them made in the process.
	SemanticModel string `config:"local_semantic_cache_embedding_model"`

	Scope                string   `config:"scope"`
	StaleWhileRevalidate *Seconds `config:"stale_while_revalidate"`
	SingleFlightWait     *Seconds `config:"single_flight_wait"`
	LookupTimeout        *Seconds `config:"lookup_timeout"`
	MaxEntryMB           *float64 `config:"max_entry_mb"`
	MaxSizeMB            *float64 `config:"max_size_mb"`
}

// CacheVariables are the environment variables about the cache of answers.
type CacheVariables struct {
	QdrantURL     string `config:"QDRANT_URL"`
	QdrantAPIBase string `config:"QDRANT_API_BASE"`
	QdrantAPIKey  Secret `config:"QDRANT_API_KEY"`
}
