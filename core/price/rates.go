package price

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Figures are prices by their names in LiteLLM's cost map, such as "input_cost_per_token", in US dollars.
type Figures map[string]float64

// sheet is what a price is made of: the figures of an entry, and those the operator set in their place.
type sheet struct {
	f      Figures
	tiers  []tier
	search [3]float64
	peak   *offPeak
	listed bool // an operator set nothing
}

// sheet reads the prices of an entry.
func (e Entry) sheet() sheet {
	s := sheet{f: Figures{}}
	e.fields(func(code, value string) {
		switch name := nameOf(code); {
		case name == searchCost:
			s.search = searchPrices(value)
		case name == "tiered_pricing":
			s.tiers, _ = parseTiers([]byte(value)) // it was read before it came into the table
		case name == offPeakCost:
			s.peak, _ = parseOffPeak([]byte(value)) // likewise
		case isPrice(name):
			if f, err := strconv.ParseFloat(value, 64); err == nil {
				s.f[name] = f
			}
		}
	})
	return s
}

// searchPrices reads what searchValue wrote. A size without a price costs as much as the middle one.
func searchPrices(value string) (out [3]float64) {
	parts := strings.Split(value, ",")
	if len(parts) != 3 {
		return out
	}
	middle, _ := strconv.ParseFloat(parts[1], 64)
	for i, s := range parts {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			f = middle
		}
		out[i] = f
	}
	return out
}

// Override is what an operator says about the price of a deployment.
type Override struct {
	Figures Figures
	Search  map[string]float64 // search_context_cost_per_query by its members
	Tiered  []byte             // tiered_pricing as JSON; nil if not given
}

// Empty reports whether nothing is said.
func (o Override) Empty() bool {
	return len(o.Figures) == 0 && len(o.Search) == 0 && len(o.Tiered) == 0
}

// Make makes the price of a deployment from an entry, which may be the zero Entry, and what the operator set. It returns
// nil if neither names a price.
//
// What the operator sets takes the place of the entry's figure. The price of a prompt token also takes the place of every
// other price of the prompt that the operator left unset, and the price of a completion token of every other price of the
// answer: a share of the vendor's list price would be wrong beside a price that was agreed on. A price per second takes
// the place of all prices of tokens.
func Make(e Entry, o Override) (*llm.Price, error) {
	s := e.sheet()
	s.listed = o.Empty()
	if err := s.override(o); err != nil {
		return nil, err
	}
	p := &llm.Price{
		Model: e.Key(), Levels: s.levels(), Search: s.search,
		Request: s.f["input_cost_per_request"], Query: s.f["input_cost_per_query"],
		SecondIn: s.f["input_cost_per_second"], SecondOut: s.f["output_cost_per_second"],
		CharacterIn: s.f["input_cost_per_character"], CharacterOut: s.f["output_cost_per_character"],
		Image: s.f["output_cost_per_image"], Pixel: s.f["input_cost_per_pixel"] + s.f["output_cost_per_pixel"], OffPeak: s.offPeak(),
	}
	s.tools(p, e)
	if e.Provider() == "xai" { // a prompt of just that length is a long one, as the reference has it
		for i := range p.Levels {
			p.Levels[i].Above = max(p.Levels[i].Above-1, 0)
		}
	}
	p.Facts = e.JSON()
	if image := strings.HasPrefix(e.Mode(), "image"); image || e.line == "" {
		p.Image = either(p.Image, s.f["input_cost_per_image"])
	}
	if e.Mode() == "embedding" {
		p.ImageIn, p.VideoIn = s.f["input_cost_per_image"], s.f["input_cost_per_video_per_second"]
	}
	switch {
	case e.Mode() == "audio_transcription" && p.SecondOut != 0:
		// Some entries have the same price in both places. One of them is meant: litellm/llms/openai/cost_calculation.py.
		p.SecondIn = 0
	case e.Mode() == "video_generation":
		p.SecondOut = either(s.f["output_cost_per_video_per_second"], p.SecondOut)
	case p.SecondIn == 0 && p.SecondOut == 0:
		p.SecondIn = s.f["cost_per_second"]
	}
	s.sizes(p)
	switch e.Mode() { // litellm/cost_calculator.py, _WALL_CLOCK_PRICED_MODES
	case "chat", "completion", "embedding", "responses", "audio_transcription", "":
		p.Timed = true
	}
	if e.t != nil && strings.HasPrefix(e.Mode(), "image") {
		p.Images = append(p.Images, e.t.images(e)...)
	}
	if len(s.f) == 0 && len(p.Levels) == 0 && len(p.Images) == 0 && s.search == [3]float64{} {
		return nil, nil
	}
	return p, nil
}

func either(a, b float64) float64 {
	if a != 0 {
		return a
	}
	return b
}

func (s *sheet) override(o Override) error {
	set := func(name string) bool { _, ok := o.Figures[name]; return ok }
	perSecond := set("input_cost_per_second") || set("output_cost_per_second")
	switch {
	case set(inputCost) || set(outputCost):
		s.drop(set(inputCost), set(outputCost))
	case perSecond:
		s.drop(true, true)
		delete(s.f, inputCost)
		delete(s.f, outputCost)
	}
	for name, f := range o.Figures {
		s.f[name] = f
	}
	if len(o.Search) > 0 {
		for i, name := range searchNames() {
			if f, ok := o.Search[name]; ok {
				s.search[i] = f
			}
		}
	}
	if len(o.Tiered) > 0 {
		tiers, err := parseTiers(o.Tiered)
		if err != nil {
			return err
		}
		s.tiers = tiers
	}
	return nil
}

// drop removes the prices of the prompt, those of the answer, or both, except for the plain ones.
func (s *sheet) drop(prompt, answer bool) {
	for name := range s.f {
		r, ok := splitRate(name)
		if !ok && name != "input_cost_per_token_cache_hit" {
			continue
		}
		switch r.base {
		case outputCost, reasoningCost, audioOutputCost, imageOutputCost, videoOutputCost:
			if answer && name != outputCost {
				delete(s.f, name)
			}
		default:
			if prompt && name != inputCost {
				delete(s.f, name)
			}
		}
	}
	s.tiers, s.peak = nil, nil
}

// unset marks a rate that nobody named.
func unset() float64 { return math.NaN() }

func blank() llm.Rates {
	n := unset()
	return llm.Rates{Input: n, CacheRead: n, CacheWrite: n, CacheWriteHour: n, AudioInput: n, Output: n, Reasoning: n, AudioOutput: n,
		ImageInput: n, ImageOutput: n, CacheReadAudio: n, CacheReadImage: n, CacheReadMarked: n, CacheWriteHalfDay: n,
		VideoInput: n, VideoOutput: n}
}

// place returns where a rate of this name goes.
func place(r *llm.Rates, base string) *float64 {
	switch base {
	case inputCost:
		return &r.Input
	case outputCost:
		return &r.Output
	case cacheReadCost:
		return &r.CacheRead
	case cacheWriteCost:
		return &r.CacheWrite
	case cacheHourCost:
		return &r.CacheWriteHour
	case reasoningCost:
		return &r.Reasoning
	case audioInputCost:
		return &r.AudioInput
	case audioOutputCost:
		return &r.AudioOutput
	case imageInputCost:
		return &r.ImageInput
	case imageOutputCost:
		return &r.ImageOutput
	case cacheHalfDayCost:
		return &r.CacheWriteHalfDay
	case cacheReadAudioCost:
		return &r.CacheReadAudio
	case cacheReadImageCost:
		return &r.CacheReadImage
	case cacheReadMarkedCost:
		return &r.CacheReadMarked
	case videoInputCost:
		return &r.VideoInput
	case videoOutputCost:
		return &r.VideoOutput
	}
	return nil
}

// levels makes the prices of tokens.
func (s *sheet) levels() []llm.Level {
	named := map[int64]*[llm.ServiceTiers]llm.Rates{}
	at := func(above int64) *[llm.ServiceTiers]llm.Rates {
		if named[above] == nil {
			n := new([llm.ServiceTiers]llm.Rates)
			for i := range n {
				n[i] = blank()
			}
			named[above] = n
		}
		return named[above]
	}
	for name, f := range s.f {
		if r, ok := splitRate(name); ok {
			*place(&at(r.above)[r.tier], r.base) = f
		}
	}
	for _, t := range s.tiers {
		for name, f := range t.figures {
			if r, ok := splitRate(name); ok {
				*place(&at(int64(t.from))[r.tier], r.base) = f
			}
		}
	}
	s.alias(named[0])
	if named[0] == nil {
		return nil
	}
	var out []llm.Level
	above := make([]int64, 0, len(named))
	for n := range named {
		above = append(above, n)
	}
	slices.Sort(above)
	var below *[llm.ServiceTiers]llm.Rates
	for _, n := range above {
		fill(named[n], below)
		below = named[n]
		out = append(out, llm.Level{Above: n, Rates: *below})
	}
	return out
}

// alias takes prices from other names: DeepSeek's cache hits, and the image tokens that are all the answer of a model
// that makes images (litellm/litellm_core_utils/llm_cost_calc/utils.py, _get_token_base_cost).
func (s *sheet) alias(base *[llm.ServiceTiers]llm.Rates) {
	if base == nil {
		return
	}
	r := &base[llm.TierStandard]
	if f, ok := s.f["input_cost_per_token_cache_hit"]; ok && math.IsNaN(r.CacheRead) {
		r.CacheRead = f
	}
	if f, ok := s.f[imageOutputCost]; ok && !(r.Output > 0) {
		r.Output = f
	}
}

// fill gives every rate of a level a value. The plain rates come from the level below; at a tier without a price of its
// own from the standard tier, and half of that for a batch, as every vendor that has batches charges. What has no separate
// price costs as much as the tokens it is part of.
func fill(n, below *[llm.ServiceTiers]llm.Rates) {
	standard := &n[llm.TierStandard]
	if below != nil {
		inherit(standard, &below[llm.TierStandard], 1)
	}
	settle(standard)
	for tier := llm.TierStandard + 1; tier < llm.ServiceTiers; tier++ {
		from, share := standard, 1.0
		if tier == llm.TierBatch {
			share = 0.5
			if n[tier].Input >= 0 && standard.Input > 0 {
				share = n[tier].Input / standard.Input
			}
		}
		inherit(&n[tier], from, share)
		settle(&n[tier])
	}
}

// inherit fills what is not set in r with a share of what is in from. What has no price of its own there follows, here too,
// the tokens it is part of: reasoning costs what the answer costs, beyond 200,000 tokens and at a tier as well.
func inherit(r, from *llm.Rates, share float64) {
	for _, base := range bases() {
		if part := partOf(base); part != "" && *place(from, base) == *place(from, part) {
			continue
		}
		if to := place(r, base); math.IsNaN(*to) {
			*to = *place(from, base) * share
		}
	}
}

// settle fills what is still not set.
func settle(r *llm.Rates) {
	for _, base := range bases() { // what is a part comes after what it is part of
		if to := place(r, base); math.IsNaN(*to) {
			*to = 0
			if part := partOf(base); part != "" {
				*to = *place(r, part)
			}
		}
	}
}

// partOf names the price of the tokens that a rate's tokens are part of, and which they cost if nobody names another.
func partOf(base string) string {
	switch base {
	case cacheReadCost, cacheWriteCost, audioInputCost, imageInputCost, videoInputCost:
		return inputCost
	case cacheHourCost, cacheHalfDayCost:
		return cacheWriteCost
	case cacheReadAudioCost, cacheReadImageCost, cacheReadMarkedCost:
		return cacheReadCost
	case reasoningCost, audioOutputCost, imageOutputCost, videoOutputCost:
		return outputCost
	}
	return ""
}

// images finds the prices of images by size and quality, which the cost map has under names such as
// hd/1024-x-1792/dall-e-3.
func (t *Table) images(e Entry) []llm.ImagePrice {
	model := e.Key()
	vendor := ""
	if p := e.Provider() + "/"; strings.HasPrefix(model, p) {
		vendor, model = p, model[len(p):]
	}
	var out []llm.ImagePrice
	t.All(func(other Entry) bool {
		size, ok := strings.CutSuffix(other.Key(), "/"+model)
		if !ok || !strings.HasPrefix(size, vendor) || other.Provider() != e.Provider() {
			return true
		}
		size = size[len(vendor):]
		quality := ""
		if q, s, found := strings.Cut(size, "/"); found {
			quality, size = q, s
		}
		width, height, ok := strings.Cut(size, "-x-")
		w, err1 := strconv.Atoi(width)
		h, err2 := strconv.Atoi(height)
		if !ok || err1 != nil || err2 != nil {
			return true
		}
		f := other.sheet().f
		each := either(f["output_cost_per_image"], f["input_cost_per_image"])
		if each == 0 {
			each = (f["input_cost_per_pixel"] + f["output_cost_per_pixel"]) * float64(w) * float64(h)
		}
		out = append(out, llm.ImagePrice{Quality: quality, Size: width + "x" + height, Each: each})
		return true
	})
	return out
}

// OverrideFrom reads prices from settings of a deployment, by name, with the values as they were read from YAML. The error
// names the setting that is no price.
func OverrideFrom(prices map[string]any) (Override, error) {
	o := Override{Figures: Figures{}}
	for name, v := range prices {
		if v == nil {
			continue
		}
		if err := o.set(name, v); err != nil {
			return Override{}, err
		}
	}
	return o, nil
}

func (o *Override) set(name string, v any) error {
	switch name {
	case "tiered_pricing":
		b, err := json.Marshal(v)
		if err == nil {
			_, err = parseTiers(b)
		}
		if err != nil {
			return &SettingError{Setting: name, Reason: err.Error()}
		}
		o.Tiered = b
		return nil
	case searchCost:
		m, ok := v.(map[string]any)
		if !ok {
			return &SettingError{Setting: name, Reason: "want an object with search_context_size_low, _medium and _high"}
		}
		o.Search = map[string]float64{}
		for size, each := range m {
			f, err := dollars(each)
			if err != nil {
				return &SettingError{Setting: name + "." + clip(size), Reason: err.Error()}
			}
			o.Search[size] = f
		}
		return nil
	}
	f, err := dollars(v)
	if err != nil {
		return &SettingError{Setting: name, Reason: err.Error()}
	}
	o.Figures[name] = f
	return nil
}

// dollars reads an amount as YAML or JSON have it; 3e-7 is text to some parsers.
func dollars(v any) (float64, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	return amount(b)
}

// SettingError says which setting is no price.
type SettingError struct{ Setting, Reason string }

// Error names the setting.
func (e *SettingError) Error() string { return e.Setting + ": " + e.Reason }
