package config

// AnswerSettings are those of router_settings about when an answer begins, and
// what happens when it does not or breaks off. They are ours.
type AnswerSettings struct {
	// TotalTimeout bounds the time until an answer begins, over all attempts.
	TotalTimeout *Seconds `config:"total_timeout"`
	// MidStreamFallbacks has others continue streams that break off; nil is
	// true.
	MidStreamFallbacks *bool `config:"mid_stream_fallbacks"`
	// Hedging is on if it is there.
	Hedging *Hedging `config:"hedging"`
}

// Hedging sends slow requests to a second deployment as well.
type Hedging struct {
	Percentile  *float64       `config:"percentile"`
	MinSamples  *int           `config:"min_samples"`
	MaxShare    *float64       `config:"max_share"`
	MinDelay    *Seconds       `config:"min_delay"`
	ModelGroups []string       `config:"model_groups"`
	Other       map[string]any `config:",remain"`
}
