// Package price says what a call costs. It holds a table of what models cost and can do, makes the price of each
// deployment from it when a configuration is loaded, and computes the cost of a call from the price and the vendor's
// own counts. It does no I/O.
package price

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Cost is what one call cost, in US dollars.
type Cost struct {
	Input   float64 // the prompt
	Output  float64 // the answer
	Tools   float64 // searches made on the side, and containers that code ran in
	Request float64 // the price of a request, whatever is in it

	Original float64 // the sum of these
	Discount float64 // taken off Original
	Margin   float64 // added to what was left
	Total    float64 // what the caller is charged
}

// Plus is what two calls cost together.
func (c Cost) Plus(o Cost) Cost {
	return Cost{
		Input: c.Input + o.Input, Output: c.Output + o.Output, Tools: c.Tools + o.Tools, Request: c.Request + o.Request,
		Original: c.Original + o.Original, Discount: c.Discount + o.Discount, Margin: c.Margin + o.Margin, Total: c.Total + o.Total,
	}
}

// Call is what a cost depends on besides the counts.
type Call struct {
	Tier    llm.ServiceTier // the one that the answer says served it, or else the one that was asked for
	Took    time.Duration   // how long the vendor took; for vendors that charge for time
	At      time.Time       // when it began; zero is a time at which nothing costs less
	Size    string          // of an image, such as "1024x1024"; empty takes that
	Video   string          // resolution of a video, such as "1080p"; empty takes the vendor's default
	Quality string          // of an image; empty takes the vendor's default
	Search  SearchSize      // how much a web search reads
}

// SearchSize is the search_context_size of a chat.
type SearchSize uint8

// The sizes. What vendors do when nothing is said is SearchMedium.
const (
	SearchMedium SearchSize = iota
	SearchLow
	SearchHigh
)

// CallOf reads what Call needs from a request and its usage. It does not allocate unless images
// were made.
func CallOf(x *llm.Exchange, u llm.Usage) Call {
	c := Call{Took: x.Upstream, At: x.Start}
	if x.Op == llm.OpResource {
		c.Took = 0 // nothing that is stored costs by how long it took to ask
	}
	asked := x.Body.Get("service_tier")
	if asked == nil { // a request in another dialect, which nobody translated
		asked = x.Native.Get("service_tier")
	}
	if tier, ok := llm.Text(asked); ok {
		switch string(tier) {
		case "flex":
			c.Tier = llm.TierFlex
		case "priority", "fast":
			c.Tier = llm.TierPriority
		case "balanced":
			c.Tier = llm.TierBalanced
		case "ultrafast":
			c.Tier = llm.TierUltrafast
		}
	}
	c.Tier = u.Tier.Tier(c.Tier)
	if u.Images > 0 {
		size, _ := llm.Text(x.Body.Get("size"))
		quality, _ := llm.Text(x.Body.Get("quality"))
		c.Size, c.Quality = string(size), string(quality)
	}
	if u.Searches > 0 {
		c.Search = searchSize(x)
	}
	if u.Seconds > 0 && (x.Op == llm.OpResource || x.Op == llm.OpPassThrough) {
		size, ok := llm.Text(x.Body.Get("resolution"))
		if !ok {
			size, _ = llm.Text(x.Body.Get("size"))
		}
		c.Video = resolution(string(size))
	}
	return c
}

// searchSize finds search_context_size in the web_search_options of a chat, or in the tool web_search of a response
// (https://platform.openai.com/docs/guides/tools-web-search#search-context-size).
func searchSize(x *llm.Exchange) SearchSize {
	var options llm.Object
	if raw := x.Body.Get("web_search_options"); raw != nil && options.Parse(raw) == nil {
		word, _ := llm.Text(options.Get("search_context_size"))
		return sizeOf(string(word))
	}
	for _, raw := range [...][]byte{x.Body.Get("tools"), x.Native.Get("tools")} {
		if raw != nil {
			return toolSize(raw)
		}
	}
	return SearchMedium
}

func toolSize(raw []byte) SearchSize {
	var tools []struct {
		Type string `json:"type"`
		Size string `json:"search_context_size"`
	}
	_ = json.Unmarshal(raw, &tools) // of another form, they say nothing
	for _, t := range tools {
		if strings.HasPrefix(t.Type, "web_search") {
			return sizeOf(t.Size)
		}
	}
	return SearchMedium
}

func sizeOf(word string) SearchSize {
	switch word {
	case "low":
		return SearchLow
	case "high":
		return SearchHigh
	}
	return SearchMedium
}

// Of computes what a call cost. It does not allocate.
//
// known is false if nothing says what it cost: there is no price, or the vendor gave no counts that the price applies
// to. A price per request counts whatever the usage is. Tokens are charged one price each: cached, written to the cache,
// audio and plain ones are the parts of the prompt, reasoning, audio and plain ones those of the answer; a part is never
// longer than what is left of the whole. Characters, images, pages and seconds are charged where tokens are not, and what
// happened on the side in any case.
func Of(p *llm.Price, u llm.Usage, c Call) (cost Cost, known bool) {
	if p == nil {
		return Cost{}, false
	}
	switch {
	case p.Told && u.Cost > 0 && !math.IsInf(u.Cost, 0):
		cost.Output, known = u.Cost, true
	default:
		cost, known = count(p, &u, c)
	}
	cost.Original = cost.Input + cost.Output + cost.Tools + cost.Request
	cost.Discount = cost.Original * p.Discount
	left := cost.Original - cost.Discount
	if known {
		cost.Margin = left*p.Margin + p.MarginRequest
	}
	cost.Total = left + cost.Margin
	return cost, known
}

// count charges for all that was counted.
func count(p *llm.Price, u *llm.Usage, c Call) (cost Cost, known bool) {
	cost.Request = p.Request
	known = p.Request != 0
	if len(p.Levels) > 0 && u.Known() {
		levels := p.Levels
		if p.OffPeak != nil && !c.At.IsZero() && p.OffPeak.Open(c.At) {
			levels = p.OffPeak.Levels
		}
		tokens(&cost, levels, u, c.Tier)
		cost.Input += float64(max(u.Citations, 0)) * p.Citation
		known = true
	}
	switch {
	case !known || cost.Input+cost.Output == 0:
		known = units(&cost, p, u, c) || known
	case u.Images > 0:
		// A model that writes and draws: not all vendors tell the tokens of a picture apart, but its price is known.
		cost.Output = max(cost.Output, float64(u.Images)*p.Image)
	}
	known = aside(&cost, p, u, c) || known
	return cost, known
}

// tokens charges for tokens at the level that the length of the prompt leads to.
func tokens(cost *Cost, levels []llm.Level, u *llm.Usage, tier llm.ServiceTier) {
	at := 0
	for at+1 < len(levels) && u.Prompt > levels[at+1].Above {
		at++
	}
	if tier >= llm.ServiceTiers {
		tier = llm.TierStandard
	}
	r := &levels[at].Rates[tier]
	left := max(u.Prompt, 0)
	cached := part(u.Cached, &left)
	heard := part(u.CachedAudio, &cached)
	shown := part(u.CachedImage, &cached)
	marked := part(u.CachedMarked, &cached)
	written := part(u.CacheWrite, &left)
	half := part(u.CacheWriteHalfDay, &written)
	hour := part(u.CacheWriteHour, &written)
	// What was cached of these is part of them, and charged above.
	audio := part(u.AudioPrompt-heard, &left)
	seen := part(u.ImagePrompt-shown, &left)
	video := part(u.VideoPrompt, &left)
	cost.Input += float64(left)*r.Input + float64(cached)*r.CacheRead + float64(written)*r.CacheWrite +
		float64(hour)*r.CacheWriteHour + float64(audio)*r.AudioInput + float64(seen)*r.ImageInput +
		float64(heard)*r.CacheReadAudio + float64(shown)*r.CacheReadImage + float64(marked)*r.CacheReadMarked +
		float64(half)*r.CacheWriteHalfDay + float64(video)*r.VideoInput
	left = max(u.Completion, 0)
	reasoning := part(u.Reasoning, &left)
	spoken := part(u.AudioCompletion, &left)
	drawn := part(u.ImageCompletion, &left)
	filmed := part(u.VideoCompletion, &left)
	cost.Output += float64(left)*r.Output + float64(reasoning)*r.Reasoning + float64(spoken)*r.AudioOutput +
		float64(drawn)*r.ImageOutput + float64(filmed)*r.VideoOutput
}

// part takes n, or what there is, out of what is left of a whole.
func part(n int64, left *int64) int64 {
	n = min(max(n, 0), *left)
	*left -= n
	return n
}

// units charges for what is not counted in tokens.
func units(cost *Cost, p *llm.Price, u *llm.Usage, c Call) (known bool) {
	if n := max(u.Images, 0); n > 0 && (p.Image != 0 || p.Pixel != 0 || len(p.Images) > 0) {
		cost.Output += float64(n) * imagePrice(p, c)
		known = true
	}
	if n := max(u.Images, 0); n > 0 && p.ImageIn != 0 {
		cost.Input += float64(n) * p.ImageIn
		known = true
	}
	if s := u.Seconds; s > 0 && !math.IsInf(s, 0) && p.VideoIn != 0 {
		cost.Input += s * p.VideoIn
		known = true
	}
	if n := max(u.Characters, 0); n > 0 && p.CharacterIn != 0 {
		cost.Input += float64(n) * p.CharacterIn
		known = true
	}
	page, note := p.Page, p.Note
	if c.Tier == llm.TierBatch {
		page, note = p.PageBatch, p.NoteBatch
	}
	if n, notes := max(u.Pages, 0), max(u.AnnotatedPages, 0); n+notes > 0 && (page != 0 || note != 0) {
		cost.Input += float64(n)*page + float64(notes)*note
		known = true
	}
	if known || p.SecondIn == 0 && p.SecondOut == 0 && len(p.Videos) == 0 {
		return known
	}
	seconds := u.Seconds
	if !(seconds > 0) || math.IsInf(seconds, 0) {
		seconds = 0
		if p.Timed {
			seconds = max(c.Took.Seconds(), 0)
		}
	}
	cost.Input += seconds * p.SecondIn
	out := p.SecondOut
	for i := range p.Videos {
		if p.Videos[i].Resolution == c.Video {
			out = p.Videos[i].Each
		}
	}
	cost.Output += seconds * out
	return seconds > 0
}

func imagePrice(p *llm.Price, c Call) float64 {
	size, quality := c.Size, c.Quality
	if size == "" || size == "auto" {
		size = "1024x1024"
	}
	found := -1
	for i := range p.Images {
		if p.Images[i].Size != size {
			continue
		}
		if p.Images[i].Quality == quality {
			return p.Images[i].Each
		}
		if q := p.Images[i].Quality; found < 0 && (q == "" || quality == "" && (q == "standard" || q == "medium")) {
			found = i
		}
	}
	if found >= 0 {
		return p.Images[found].Each
	}
	if p.Image == 0 && p.Pixel != 0 {
		width, height, _ := strings.Cut(size, "x")
		w, err1 := strconv.Atoi(width)
		h, err2 := strconv.Atoi(height)
		if err1 != nil || err2 != nil || w <= 0 || h <= 0 {
			w, h = 1024, 1024
		}
		return p.Pixel * float64(w) * float64(h)
	}
	return p.Image
}

// aside charges for what happened beside the chat.
func aside(cost *Cost, p *llm.Price, u *llm.Usage, c Call) (known bool) {
	if u.Searches > 0 {
		known = searches(cost, p, u.Searches, c.Search)
	}
	maps := max(u.Maps, 0)
	if p.Once {
		maps = min(maps, 1)
	}
	more := float64(maps)*p.Map + float64(max(u.FileSearches, 0))*p.FileSearch + float64(max(u.Sessions, 0))*p.Session
	cost.Tools += more
	return known || more != 0
}

// searches charges for searches: those of a model that ranks or searches, and those that a chat made on the side.
func searches(cost *Cost, p *llm.Price, n int64, size SearchSize) bool {
	if p.Query != 0 {
		cost.Input += float64(n) * p.Query
		return true
	}
	each := p.Search[1]
	switch size {
	case SearchLow:
		each = p.Search[0]
	case SearchHigh:
		each = p.Search[2]
	}
	if p.Once {
		n = 1
	}
	cost.Tools += float64(n) * each
	return each != 0
}
