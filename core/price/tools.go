package price

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// What vendors charge for what happens beside a chat, where the cost map does not say. The figures are those that the
// reference has built in (litellm/constants.py, litellm/llms/gemini/cost_calculator.py and
// litellm/llms/xai/cost_calculator.py), which are the vendors' list prices (https://openai.com/api/pricing,
// https://ai.google.dev/gemini-api/docs/pricing, https://docs.x.ai/developers/pricing#tools-pricing).
const (
	openAIFileSearch = 2.5 / 1000
	geminiSearch     = 0.035
	geminiMap        = 0.014 // each question
	geminiMapOnce    = 0.025 // each answer, however many questions it took
	xaiSearch        = 5.0 / 1000
)

// tools sets the prices of what is not made of tokens: searches, questions to maps, containers, pages.
func (s *sheet) tools(p *llm.Price, e Entry) {
	vendor := e.Provider()
	// These say what an answer cost, fees for searches and all
	// (https://docs.perplexity.ai/getting-started/pricing, https://openrouter.ai/docs/use-cases/usage-accounting).
	p.Told = s.listed && (vendor == "perplexity" || vendor == "openrouter")
	p.Citation = s.f["citation_cost_per_token"]
	p.FileSearch = s.f["file_search_cost_per_1k_calls"] / 1000
	p.Session = s.f["code_interpreter_cost_per_session"]
	p.Map = s.f["google_maps_grounding_cost_per_query"]
	switch vendor {
	case "openai":
		p.FileSearch = either(p.FileSearch, openAIFileSearch)
	case "gemini", "vertex_ai-language-models":
		// https://ai.google.dev/gemini-api/docs/pricing: older models charge once for an answer with searches in it.
		p.Once = e.Field("web_search_billing_unit") != "per_query"
		if p.Map == 0 && p.Once {
			p.Map = geminiMapOnce
		}
		p.Map = either(p.Map, geminiMap)
		s.otherwise(p, geminiSearch)
	case "xai":
		s.otherwise(p, xaiSearch)
	}
	if e.t != nil && p.Session == 0 && (vendor == "openai" || vendor == "azure") {
		if c, ok := e.t.Get(vendor + "/container"); ok {
			p.Session = c.sheet().f["code_interpreter_cost_per_session"]
		}
	}
	p.Page, p.Note = s.f["ocr_cost_per_page"], s.f["annotation_cost_per_page"]
	p.PageBatch = either(s.f["ocr_cost_per_page_batches"], p.Page)
	p.NoteBatch = either(either(s.f["annotation_cost_per_page_batches"], p.Note), p.PageBatch)
	p.Note = either(p.Note, p.Page)
}

// otherwise sets the price of a web search if the cost map has none.
func (s *sheet) otherwise(p *llm.Price, each float64) {
	if p.Search == [3]float64{} {
		p.Search = [3]float64{each, each, each}
	}
}

// sizes sets the prices of images and videos of one size, such as output_cost_per_image_4K and
// output_cost_per_second_1080p.
func (s *sheet) sizes(p *llm.Price) {
	for name, each := range s.f {
		if size, ok := strings.CutPrefix(name, "output_cost_per_second_"); ok {
			p.Videos = append(p.Videos, llm.VideoPrice{Resolution: size, Each: each})
		}
		size, ok := strings.CutPrefix(name, "output_cost_per_image_")
		if ok && !strings.HasPrefix(size, "token") && !strings.HasPrefix(size, "above_") {
			p.Images = append(p.Images, llm.ImagePrice{Size: size, Each: each})
		}
	}
}

// Field returns a field of the entry that is a word, such as web_search_billing_unit; empty if the entry does not have it.
func (e Entry) Field(name string) (word string) {
	if e.line == "" {
		return ""
	}
	e.fields(func(code, value string) {
		if code == name {
			word = strings.Trim(value, `"`)
		}
	})
	return word
}

// resolution is how a cost map writes the resolution of a video: of one in the words of OpenAI's API, such as 1280x720,
// by its shorter side, and of others as it is.
func resolution(size string) string {
	size = strings.ToLower(size)
	width, height, ok := strings.Cut(size, "x")
	w, err1 := strconv.Atoi(width)
	h, err2 := strconv.Atoi(height)
	if !ok || err1 != nil || err2 != nil {
		return size
	}
	switch short := min(w, h); {
	case short >= 2160:
		return "4k"
	case short >= 1440:
		return "2k"
	default:
		return strconv.Itoa(short) + "p"
	}
}

// offPeak is an off_peak_pricing of the cost map.
type offPeak struct {
	figures Figures
	windows []llm.Window
}

// offPeak makes the prices of tokens that count off peak: those of the cost map take the place of what would count
// otherwise, however long the prompt is (litellm/litellm_core_utils/llm_cost_calc/utils.py, apply_off_peak_pricing).
func (s *sheet) offPeak() *llm.OffPeak {
	if s.peak == nil {
		return nil
	}
	t := sheet{f: Figures{}}
	for name, f := range s.f {
		r, ok := splitRate(name)
		if _, set := s.peak.figures[r.base]; !ok || !set {
			t.f[name] = f
		}
	}
	for name, f := range s.peak.figures {
		t.f[name] = f
		if name == cacheReadCost {
			delete(t.f, "input_cost_per_token_cache_hit")
		}
	}
	return &llm.OffPeak{Windows: s.peak.windows, Levels: t.levels()}
}

// parseOffPeak reads off_peak_pricing: prices, and when they count, as hours_utc, or as windows with the days of the week
// from 1 for Monday, or their names, in weekday_timezone.
func parseOffPeak(raw []byte) (*offPeak, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, fmt.Errorf("want an object with prices, and hours_utc or windows")
	}
	o := &offPeak{figures: Figures{}}
	for name, v := range m {
		r, ok := splitRate(name)
		if !ok || r.base != name {
			continue
		}
		f, err := amount(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		o.figures[name] = f
	}
	zone := time.UTC
	if v, ok := llm.Text(m["weekday_timezone"]); ok {
		if z, err := time.LoadLocation(string(v)); err == nil { // a machine need not know any
			zone = z
		}
	}
	if err := o.window(m["hours_utc"], nil, zone); err != nil {
		return nil, err
	}
	var rules []map[string]json.RawMessage
	if v := m["windows"]; v != nil && json.Unmarshal(v, &rules) != nil {
		return nil, fmt.Errorf("windows: want a list of objects with hours_utc and weekdays")
	}
	for _, rule := range rules {
		if err := o.window(rule["hours_utc"], rule["weekdays"], zone); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// window adds the times of hours_utc, such as "16:30-00:30" or a list of such, on the weekdays.
func (o *offPeak) window(hours, weekdays json.RawMessage, zone *time.Location) error {
	if hours == nil {
		return nil
	}
	var list []string
	if one, ok := llm.Text(hours); ok {
		list = []string{string(one)}
	} else if json.Unmarshal(hours, &list) != nil {
		return fmt.Errorf("hours_utc: want a text such as 16:30-00:30, or a list of such")
	}
	days, err := weekdaysOf(weekdays)
	if err != nil {
		return err
	}
	for _, s := range list {
		from, to, _ := strings.Cut(s, "-")
		a, err1 := time.Parse("15:04", strings.TrimSpace(from))
		b, err2 := time.Parse("15:04", strings.TrimSpace(to))
		if err1 != nil || err2 != nil {
			return fmt.Errorf("hours_utc: %q is no time such as 16:30-00:30", clip(s))
		}
		o.windows = append(o.windows, llm.Window{From: a.Hour()*60 + a.Minute(), To: b.Hour()*60 + b.Minute(), Days: days, Zone: zone})
	}
	return nil
}

// weekdaysOf reads days of the week: numbers from 1 for Monday to 7, or names. None is every day.
func weekdaysOf(raw json.RawMessage) (days [7]bool, err error) {
	if raw == nil {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return days, fmt.Errorf("weekdays: want a list of days, from 1 for Monday to 7")
	}
	for _, v := range list {
		n, err := strconv.Atoi(string(v))
		if name, ok := llm.Text(v); ok {
			n, err = dayNamed(string(name))
		}
		if err != nil || n < 1 || n > 7 {
			return days, fmt.Errorf("weekdays: %s is no day of the week", shown(v))
		}
		days[n%7] = true
	}
	return days, nil
}

func dayNamed(name string) (int, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		full := strings.ToLower(d.String())
		if name = strings.ToLower(strings.TrimSpace(name)); len(name) >= 3 && strings.HasPrefix(full, name) {
			return (int(d)+6)%7 + 1, nil
		}
	}
	return 0, strconv.ErrSyntax
}
