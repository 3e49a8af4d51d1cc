package llm

// ServiceTier is how soon the vendor was asked to answer, where that changes what it charges.
type ServiceTier uint8

// The service tiers that vendors charge for, and how many there are.
const (
	TierStandard ServiceTier = iota
	TierBatch                // answered within a day
	TierFlex                 // slower and cheaper
	TierPriority             // faster and dearer
	ServiceTiers
)

// Served is the tier that an answer says served it, which need not be the one that was asked for. The zero value is an
// answer that says nothing.
type Served uint8

// ServedBy reads the word that a vendor has for a tier: OpenAI's and Anthropic's service_tier, Google's trafficType, and
// the types of Bedrock's serviceTier. A word that says nothing about the price is as good as none.
func ServedBy[T string | []byte](word T) Served {
	switch string(word) {
	case "default", "standard", "on_demand", "scale", "ON_DEMAND":
		return Served(TierStandard) + 1
	case "batch", "BATCH":
		return Served(TierBatch) + 1
	case "flex", "FLEX", "ON_DEMAND_FLEX":
		return Served(TierFlex) + 1
	case "priority", "ON_DEMAND_PRIORITY":
		return Served(TierPriority) + 1
	}
	return 0
}

// Tier is the tier that counts, if asked is the one that was asked for.
func (s Served) Tier(asked ServiceTier) ServiceTier {
	if s == 0 {
		return asked
	}
	return ServiceTier(s - 1)
}

// Rates are the prices of tokens, in US dollars each. Every figure is filled in: what the vendor has no separate price
// for costs as much as the tokens it is part of.
type Rates struct {
	Input          float64
	CacheRead      float64 // prompt tokens that the vendor had in its cache
	CacheWrite     float64 // prompt tokens that it put there, for some minutes
	CacheWriteHour float64 // the same for an hour
	AudioInput     float64
	ImageInput     float64
	Output         float64
	Reasoning      float64
	AudioOutput    float64
	ImageOutput    float64
}

// Level is what tokens cost once a prompt is longer than Above tokens. All tokens of the request then cost that much.
type Level struct {
	Above int64
	Rates [ServiceTiers]Rates
}

// ImagePrice is the price of an image of one size and quality.
type ImagePrice struct {
	Quality, Size string // as in a request, such as "hd" and "1024x1792"; an empty quality is any
	Each          float64
}

// Price is what a deployment charges, in US dollars. Package price makes it when the configuration is loaded. It is
// immutable and may be shared.
type Price struct {
	Model string // the entry of the price table it comes from; empty if the operator gave every figure

	// Facts is what the table says of the model, as a JSON object; nil if it says nothing. It is not to be changed.
	Facts []byte

	// Levels are the prices of tokens, ascending; the first is for prompts of any length. Empty if tokens cost nothing
	// that is known.
	Levels []Level

	Request      float64      // each request
	Image        float64      // each image made, unless Images has its size
	Images       []ImagePrice //
	SecondIn     float64      // each second of audio heard or, where that is not known, of the call
	SecondOut    float64      // each second of audio or video made or, where that is not known, of the call
	CharacterIn  float64      // each character of the text to be spoken
	CharacterOut float64      // each character of the answer
	Query        float64      // each unit of a search or a ranking
	Search       [3]float64   // each web search of a chat with a low, medium and high search_context_size

	Discount      float64 // share that is taken off; 0.05 is five percent
	Margin        float64 // share that is added to what is left
	MarginRequest float64 // added to each request
}

// Base returns the prices of tokens of a short prompt at the standard tier; known is false if there are none.
func (p *Price) Base() (r Rates, known bool) {
	if p == nil || len(p.Levels) == 0 {
		return Rates{}, false
	}
	return p.Levels[0].Rates[TierStandard], true
}
