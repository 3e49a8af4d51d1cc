package config

// cacheCases are the settings of the cache of answers. What they do is tested in core/app and below core/pipeline/cache.
func cacheCases() []effectCase {
	type C = *Config
	const p = "litellm_settings.cache_params."
	param := func(name, value string, get func(CacheParams) any, want any) effectCase {
		return effectCase{
			p + name, "litellm_settings: {cache: true, cache_params: {" + name + ": " + value + "}}", nil,
			func(c C) any { return get(c.LiteLLMSettings.CacheParams) }, want,
		}
	}
	lite := func(name, value string, get func(CacheSettings) any, want any) effectCase {
		return effectCase{"litellm_settings." + name, "litellm_settings: {" + name + ": " + value + "}", nil, func(c C) any { return get(c.LiteLLMSettings.CacheSettings) }, want}
	}
	variable := func(name, value string, get func(Variables) any, want any) effectCase {
		return effectCase{name, "", []string{name + "=" + value}, func(c C) any { return get(c.Variables) }, want}
	}
	type P = CacheParams
	return []effectCase{
		lite("cache", "true", func(s CacheSettings) any { return s.Cache }, true),
		lite("cache_params", "{type: local}", func(s CacheSettings) any { return s.CacheParams.Type }, "local"),
		lite("default_in_memory_ttl", "5", func(s CacheSettings) any { return *s.DefaultInMemoryTTL }, Seconds(5)),
		lite("default_redis_ttl", "6", func(s CacheSettings) any { return *s.DefaultRedisTTL }, Seconds(6)),
		{"router_settings.caching_groups", "router_settings: {caching_groups: [[a, b]]}", nil, func(c C) any { return c.RouterSettings.CachingGroups }, [][]string{{"a", "b"}}},
		param("type", "disk", func(p P) any { return p.Type }, "disk"),
		param("mode", "default_off", func(p P) any { return p.Mode }, "default_off"),
		param("namespace", "ns", func(p P) any { return p.Namespace }, "ns"),
		param("ttl", "600", func(p P) any { return *p.TTL }, Seconds(600)),
		param("default_in_memory_ttl", "7", func(p P) any { return *p.DefaultInMemoryTTL }, Seconds(7)),
		param("default_in_redis_ttl", "8", func(p P) any { return *p.DefaultInRedisTTL }, Seconds(8)),
		param("supported_call_types", "[acompletion]", func(p P) any { return p.SupportedCallTypes }, []string{"acompletion"}),
		param("host", "h", func(p P) any { return p.Host }, "h"),
		param("port", "6380", func(p P) any { return p.Port }, 6380),
		param("password", "s", func(p P) any { return p.Password.Reveal() }, "s"),
		param("username", "u", func(p P) any { return p.Username }, "u"),
		param("url", "'redis://h'", func(p P) any { return p.URL.Reveal() }, "redis://h"),
		param("ssl", "true", func(p P) any { return p.SSL }, true),
		param("db", "2", func(p P) any { return *p.DB }, 2),
		param("redis_startup_nodes", "[{host: h, port: 7001}]", func(p P) any { return p.RedisStartupNodes[0]["host"] }, "h"),
		param("sentinel_nodes", "[[h, 26379]]", func(p P) any { return len(p.SentinelNodes) }, 1),
		param("service_name", "mymaster", func(p P) any { return p.ServiceName }, "mymaster"),
		param("sentinel_password", "s", func(p P) any { return p.SentinelPassword.Reveal() }, "s"),
		param("max_connections", "9", func(p P) any { return *p.MaxConnections }, 9),
		param("disk_cache_dir", "/tmp/c", func(p P) any { return p.DiskCacheDir }, "/tmp/c"),
		param("similarity_threshold", "0.8", func(p P) any { return *p.SimilarityThreshold }, 0.8),
		param("local_semantic_cache_embedding_model", "e", func(p P) any { return p.SemanticModel }, "e"),
		param("qdrant_semantic_cache_embedding_model", "e", func(p P) any { return p.QdrantModel }, "e"),
		param("redis_semantic_cache_embedding_model", "e", func(p P) any { return p.RedisSemanticModel }, "e"),
		param("redis_semantic_cache_index_name", "i", func(p P) any { return p.RedisSemanticIndex }, "i"),
		param("gcp_service_account", "a@p", func(p P) any { return p.GCPServiceAccount }, "a@p"),
		param("gcp_ssl_ca_certs", "/ca.pem", func(p P) any { return p.GCPRoots }, "/ca.pem"),
		param("ssl_cert_reqs", "none", func(p P) any { return p.SSLCertReqs }, "none"),
		param("ssl_check_hostname", "false", func(p P) any { return *p.SSLCheckHostname }, false),
		param("ssl_ca_certs", "/ca.pem", func(p P) any { return p.SSLCACerts }, "/ca.pem"),
		param("ssl_certfile", "/c.pem", func(p P) any { return p.SSLCertfile }, "/c.pem"),
		param("ssl_keyfile", "/k.pem", func(p P) any { return p.SSLKeyfile }, "/k.pem"),
		param("socket_timeout", "5", func(p P) any { return *p.SocketTimeout }, Seconds(5)),
		param("qdrant_collection_name", "c", func(p P) any { return p.QdrantCollection }, "c"),
		param("qdrant_quantization_config", "scalar", func(p P) any { return p.QdrantQuantization }, "scalar"),
		param("qdrant_api_base", "'http://q'", func(p P) any { return p.QdrantAPIBase }, "http://q"),
		param("qdrant_api_key", "k", func(p P) any { return p.QdrantAPIKey.Reveal() }, "k"),
		param("s3_bucket_name", "b", func(p P) any { return p.S3Bucket }, "b"),
		param("s3_region_name", "us-west-2", func(p P) any { return p.S3Region }, "us-west-2"),
		param("s3_endpoint_url", "'https://s'", func(p P) any { return p.S3Endpoint }, "https://s"),
		param("s3_aws_access_key_id", "AK1", func(p P) any { return p.S3AccessKey.Reveal() }, "AK1"),
		param("s3_aws_secret_access_key", "s", func(p P) any { return p.S3SecretKey.Reveal() }, "s"),
		param("s3_aws_session_token", "t", func(p P) any { return p.S3SessionToken.Reveal() }, "t"),
		param("s3_use_ssl", "false", func(p P) any { return *p.S3UseSSL }, false),
		param("s3_verify", "false", func(p P) any { return p.S3Verify }, false),
		param("s3_path", "a/b", func(p P) any { return p.S3Path }, "a/b"),
		param("gcs_bucket_name", "b", func(p P) any { return p.GCSBucket }, "b"),
		param("gcs_path", "p", func(p P) any { return p.GCSPath }, "p"),
		param("gcs_path_service_account", "/f", func(p P) any { return p.GCSServiceAccount }, "/f"),
		param("azure_account_url", "'https://a'", func(p P) any { return p.AzureAccountURL }, "https://a"),
		param("azure_blob_container", "c", func(p P) any { return p.AzureContainer }, "c"),
		param("scope", "key", func(p P) any { return p.Scope }, "key"),
		param("stale_while_revalidate", "30", func(p P) any { return *p.StaleWhileRevalidate }, Seconds(30)),
		param("single_flight_wait", "10", func(p P) any { return *p.SingleFlightWait }, Seconds(10)),
		param("lookup_timeout", "0.2", func(p P) any { return *p.LookupTimeout }, Seconds(0.2)),
		param("max_entry_mb", "1.5", func(p P) any { return *p.MaxEntryMB }, 1.5),
		param("max_size_mb", "64", func(p P) any { return *p.MaxSizeMB }, 64.0),
		variable("QDRANT_URL", "http://q", func(v Variables) any { return v.QdrantURL }, "http://q"),
		variable("QDRANT_API_BASE", "http://q", func(v Variables) any { return v.QdrantAPIBase }, "http://q"),
		variable("QDRANT_API_KEY", "k", func(v Variables) any { return v.QdrantAPIKey.Reveal() }, "k"),
		variable("REDIS_HOST", "h", func(v Variables) any { return v.RedisHost }, "h"),
		variable("REDIS_PORT", "6380", func(v Variables) any { return v.RedisPort }, "6380"),
		variable("REDIS_PASSWORD", "p", func(v Variables) any { return v.RedisPassword.Reveal() }, "p"),
	}
}
