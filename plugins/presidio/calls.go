package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

// analyzeRequest is the body of POST /analyze.
type analyzeRequest struct {
	Text           string           `json:"text"`
	Language       string           `json:"language"`
	Entities       []string         `json:"entities,omitempty"`
	ScoreThreshold float64          `json:"score_threshold,omitempty"`
	AdHoc          []map[string]any `json:"ad_hoc_recognizers,omitempty"`
}

// finding is one item of an analyzer's answer. Start and End count characters; End is not included.
type finding struct {
	EntityType string  `json:"entity_type"`
	Start      *int    `json:"start"`
	End        *int    `json:"end"`
	Score      float64 `json:"score"`
}

// anonymizeRequest is the body of POST /anonymize.
type anonymizeRequest struct {
	Text            string         `json:"text"`
	AnalyzerResults []found        `json:"analyzer_results"`
	Anonymizers     map[string]any `json:"anonymizers,omitempty"`
}

type found struct {
	Start      int     `json:"start"`
	End        int     `json:"end"`
	Score      float64 `json:"score"`
	EntityType string  `json:"entity_type"`
}

type anonymizeAnswer struct {
	Text *string `json:"text"`
}

// mask returns the texts with what was found in those of which replaced, or the entities that refuse the request. Every
// distinct text is analyzed once.
func (p *plugin) mask(texts []string, which []int, language string, names *names) (masked, blocked []string, err error) {
	var asked []string
	for _, i := range which {
		if strings.TrimSpace(texts[i]) != "" && !slices.Contains(asked, texts[i]) {
			asked = append(asked, texts[i])
		}
	}
	findings, err := p.analyze(asked, language)
	if err != nil {
		return nil, nil, err
	}
	refused := map[string]bool{}
	var calls []jsonapi.Call
	becomes := map[string]*anonymizeAnswer{}
	for i, text := range asked {
		list, err := p.judge(text, findings[i], refused)
		if err != nil {
			return nil, nil, err
		}
		if len(list) == 0 {
			continue
		}
		body := anonymizeRequest{Text: text, AnalyzerResults: names.number(text, list), Anonymizers: p.operators}
		becomes[text] = &anonymizeAnswer{}
		calls = append(calls, jsonapi.Call{Path: "/anonymize", Body: body, Into: becomes[text]})
	}
	if len(refused) > 0 {
		return nil, slices.Sorted(maps.Keys(refused)), nil
	}
	if err := p.anonymizer.All(calls...); err != nil {
		return nil, nil, err
	}
	masked = slices.Clone(texts)
	for _, i := range which {
		a, ok := becomes[texts[i]]
		if !ok {
			continue
		}
		if a.Text == nil {
			return nil, nil, p.anonymizer.Odd("has no text")
		}
		if *a.Text == texts[i] && len(p.operators) == 0 { // an operator may keep a value
			return nil, nil, p.anonymizer.Odd("is the text as it was")
		}
		masked[i] = *a.Text
	}
	return masked, nil, nil
}

func (p *plugin) analyze(texts []string, language string) ([][]finding, error) {
	answers, calls := make([]*[]finding, len(texts)), make([]jsonapi.Call, len(texts))
	for i, text := range texts {
		answers[i] = new([]finding)
		calls[i] = jsonapi.Call{Path: "/analyze", Into: answers[i], Body: analyzeRequest{
			Text: text, Language: language, Entities: p.entities, ScoreThreshold: p.least, AdHoc: p.recognizers,
		}}
	}
	if err := p.analyzer.All(calls...); err != nil {
		return nil, err
	}
	list := make([][]finding, len(texts))
	for i, a := range answers {
		if *a == nil { // the JSON value null
			return nil, p.analyzer.Odd("is not a list")
		}
		list[i] = *a
	}
	return list, nil
}

// judge returns what is to be masked, in order and without overlaps, and adds the entities that refuse the request.
func (p *plugin) judge(text string, findings []finding, refused map[string]bool) ([]found, error) {
	length := utf8.RuneCountInString(text)
	var list []found
	for _, f := range findings {
		if f.EntityType == "" || f.Start == nil || f.End == nil || *f.Start < 0 || *f.End <= *f.Start || *f.End > length {
			return nil, p.analyzer.Odd("has an item without entity_type, or with a start and end outside of the text")
		}
		if len(p.entities) > 0 && !slices.Contains(p.entities, f.EntityType) || f.Score < p.leastFor(f.EntityType) {
			continue
		}
		if p.block[f.EntityType] {
			refused[f.EntityType] = true
		}
		list = append(list, found{*f.Start, *f.End, f.Score, f.EntityType})
	}
	return joined(list), nil
}

func (p *plugin) leastFor(entity string) float64 {
	if least, ok := p.leastOf[entity]; ok {
		return least
	}
	return p.leastOf["ALL"]
}

// joined makes one of findings that overlap: all of their text under the name of the surest, so that no part of any of
// them stays readable.
func joined(list []found) []found {
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(a.Start, b.Start) })
	var out []found
	for _, f := range list {
		if len(out) == 0 || out[len(out)-1].End <= f.Start {
			out = append(out, f)
			continue
		}
		last := &out[len(out)-1]
		last.End = max(last.End, f.End)
		if f.Score > last.Score {
			last.Score, last.EntityType = f.Score, f.EntityType
		}
	}
	return out
}
