package config

import "strconv"

// RedisVariables are the environment variables about Redis. They say what settings of the file do not. LiteLLM takes one for
// each argument of its client (litellm/_redis.py, _get_redis_env_kwarg_mapping).
type RedisVariables struct {
	RedisURL           Secret `config:"REDIS_URL"`
	RedisHost          string `config:"REDIS_HOST"`
	RedisPort          string `config:"REDIS_PORT"`
	RedisDB            int    `config:"REDIS_DB"`
	RedisUsername      string `config:"REDIS_USERNAME"`
	RedisPassword      Secret `config:"REDIS_PASSWORD"`
	RedisClusterNodes  string `config:"REDIS_CLUSTER_NODES"`
	RedisSentinelNodes string `config:"REDIS_SENTINEL_NODES"`
	RedisServiceName   string `config:"REDIS_SERVICE_NAME"`
	// RedisSentinelPassword is that of the sentinels themselves.
	RedisSentinelPassword Secret `config:"REDIS_SENTINEL_PASSWORD"`
	RedisMaxConnections   int    `config:"REDIS_MAX_CONNECTIONS"`
	RedisSocketTimeout    string `config:"REDIS_SOCKET_TIMEOUT"`

	RedisSSL              bool   `config:"REDIS_SSL"`
	RedisSSLCertReqs      string `config:"REDIS_SSL_CERT_REQS"`
	RedisSSLCheckHostname *bool  `config:"REDIS_SSL_CHECK_HOSTNAME"`
	RedisSSLCACerts       string `config:"REDIS_SSL_CA_CERTS"`
	RedisSSLCertfile      string `config:"REDIS_SSL_CERTFILE"`
	RedisSSLKeyfile       string `config:"REDIS_SSL_KEYFILE"`
	RedisGCPAccount       string `config:"REDIS_GCP_SERVICE_ACCOUNT"`
	RedisGCPRoots         string `config:"REDIS_GCP_SSL_CA_CERTS"`
}

// readRedisVariables fills RedisVariables; the checker has refused bad values.
func readRedisVariables(env *Env) RedisVariables {
	v := RedisVariables{
		RedisURL: Secret(env.Get("REDIS_URL")), RedisHost: env.Get("REDIS_HOST"), RedisPort: env.Get("REDIS_PORT"),
		RedisUsername: env.Get("REDIS_USERNAME"), RedisPassword: Secret(env.Get("REDIS_PASSWORD")),
		RedisClusterNodes: env.Get("REDIS_CLUSTER_NODES"), RedisSentinelNodes: env.Get("REDIS_SENTINEL_NODES"),
		RedisServiceName: env.Get("REDIS_SERVICE_NAME"), RedisSentinelPassword: Secret(env.Get("REDIS_SENTINEL_PASSWORD")),
		RedisSocketTimeout: env.Get("REDIS_SOCKET_TIMEOUT"),

		RedisSSLCertReqs: env.Get("REDIS_SSL_CERT_REQS"), RedisSSLCACerts: env.Get("REDIS_SSL_CA_CERTS"),
		RedisSSLCertfile: env.Get("REDIS_SSL_CERTFILE"), RedisSSLKeyfile: env.Get("REDIS_SSL_KEYFILE"),
		RedisGCPAccount: env.Get("REDIS_GCP_SERVICE_ACCOUNT"), RedisGCPRoots: env.Get("REDIS_GCP_SSL_CA_CERTS"),
	}
	v.RedisSSL, _ = parseBool(env.Get("REDIS_SSL"))
	if check, err := parseBool(env.Get("REDIS_SSL_CHECK_HOSTNAME")); err == nil {
		v.RedisSSLCheckHostname = &check
	}
	v.RedisDB, _ = strconv.Atoi(env.Get("REDIS_DB"))
	v.RedisMaxConnections, _ = strconv.Atoi(env.Get("REDIS_MAX_CONNECTIONS"))
	return v
}
