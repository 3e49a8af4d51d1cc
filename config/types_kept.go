package config

// KeptSettings are those of general_settings about what the gateway keeps for
// callers and makes at vendors for them.
type KeptSettings struct {
	// DisableResponsesIDSecurity lets anybody use a response whose id they know.
	DisableResponsesIDSecurity bool `config:"disable_responses_id_security"`
	// BatchPollingInterval is the time between two looks at batches that have
	// not ended; nil takes an hour.
	BatchPollingInterval *Seconds `config:"proxy_batch_polling_interval"`
}

// StreamedSettings are those of litellm_settings about what answers tell.
type StreamedSettings struct {
	// IncludeCostInStreamingUsage has the usage at the end of a stream say
	// what it cost.
	IncludeCostInStreamingUsage bool `config:"include_cost_in_streaming_usage"`
}

// KeptVariables are the environment variables about what the gateway keeps for
// callers.
type KeptVariables struct {
	// ResponsesPeriod is how long a response is kept, such as 30d.
	ResponsesPeriod string `config:"SALLYPORT_RESPONSES_PERIOD"`
	// ResponsesMaxMB is how many megabytes of responses a database holds.
	ResponsesMaxMB string `config:"SALLYPORT_RESPONSES_MAX_MB"`
	// UnknownIDs says who may use ids of vendors' that were not made through
	// the gateway: allow, which is everybody, or deny.
	UnknownIDs string `config:"SALLYPORT_UNKNOWN_IDS"`
}

// readKeptVariables fills KeptVariables.
func readKeptVariables(env *Env) KeptVariables {
	return KeptVariables{
		ResponsesPeriod: env.Get("SALLYPORT_RESPONSES_PERIOD"), ResponsesMaxMB: env.Get("SALLYPORT_RESPONSES_MAX_MB"),
		UnknownIDs: env.Get("SALLYPORT_UNKNOWN_IDS"),
	}
}
