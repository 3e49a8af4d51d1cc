package llm

import "time"

// ServiceTier is how soon the vendor was asked to answer, where that changes what it charges.
type ServiceTier uint8

// The service tiers that vendors charge for, and how many there are.
const (
	TierStandard  ServiceTier = iota
	TierBatch                 // answered within a day
	TierFlex                  // slower and cheaper
	TierPriority              // faster and dearer
	TierBalanced              // between flex and standard
	TierUltrafast             // faster still than priority
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
	case "priority", "fast", "ON_DEMAND_PRIORITY":
		return Served(TierPriority) + 1
	case "balanced":
		return Served(TierBalanced) + 1
	case "ultrafast":
		return Served(TierUltrafast) + 1
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

	CacheReadAudio    float64
	CacheReadImage    float64
	CacheReadMarked   float64 // what a mark in a request put there
	CacheWriteHalfDay float64 // for twelve hours
	VideoInput        float64
	VideoOutput       float64
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

// VideoPrice is the price of a second of video of one resolution.
type VideoPrice struct {
	Resolution string // such as "1080p" and "4k"
	Each       float64
}

// OffPeak says when tokens cost less, and how much then.
type OffPeak struct {
	Windows []Window
	Levels  []Level // in place of those of the price
}

// Window is a time of day in which other prices count. One that ends before it begins goes past midnight, and one that
// ends when it begins is the whole day.
type Window struct {
	From, To int            // minutes since midnight, UTC
	Days     [7]bool        // on which days, from Sunday
	Zone     *time.Location // where those days begin
}

// Open reports whether the time is in one of the windows.
func (o *OffPeak) Open(at time.Time) bool {
	if o == nil {
		return false
	}
	utc := at.UTC()
	now := utc.Hour()*60 + utc.Minute()
	for i := range o.Windows {
		w := &o.Windows[i]
		in := w.From <= now && now < w.To
		if w.From >= w.To {
			in = now >= w.From || now < w.To
		}
		if in && w.Days[at.In(w.Zone).Weekday()] {
			return true
		}
	}
	return false
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
	ImageIn      float64      // each image that is embedded
	VideoIn      float64      // each second of video that is embedded
	Images       []ImagePrice //
	Pixel        float64      // each pixel of an image made, unless the others say what it costs
	SecondIn     float64      // each second of audio heard
	SecondOut    float64      // each second of audio or video made
	CharacterIn  float64      // each character of the text to be spoken
	CharacterOut float64      // each character of the answer
	Query        float64      // each unit of a search or a ranking
	Search       [3]float64   // each web search of a chat with a low, medium and high search_context_size
	Map          float64      // each question of a chat to a map
	Once         bool         // searches and questions to a map cost the same however many an answer took
	FileSearch   float64      // each search of stored files
	Session      float64      // each container that code of the model's runs in
	Citation     float64      // each token of sources that were read
	Page         float64      // each page of a document
	PageBatch    float64      // the same in a batch
	Note         float64      // each annotated page, beside Page
	NoteBatch    float64      // the same in a batch
	Videos       []VideoPrice // each second of video of a resolution, in place of SecondOut
	OffPeak      *OffPeak     // what tokens cost at some times; nil if always the same
	Timed        bool         // seconds are those of the call where the vendor does not tell them
	Told         bool         // what the vendor says that an answer cost counts more than all these

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
