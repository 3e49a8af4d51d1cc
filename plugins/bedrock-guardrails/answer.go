package main

import (
	"maps"
	"slices"
	"strings"
)

// question is the body of ApplyGuardrail.
type question struct {
	Source  string  `json:"source"`
	Content []block `json:"content"`
}

type block struct {
	Text content `json:"text"`
}

type content struct {
	Text string `json:"text"`
}

// answer is what ApplyGuardrail says. The assessments are walked rather than spelt out, so that a policy that is added to
// the service some day counts as well.
type answer struct {
	Action  string `json:"action"`
	Outputs []struct {
		Text *string `json:"text"`
	} `json:"outputs"`
	Assessments []any `json:"assessments"`
}

// verdicts are the actions in the assessments, and the names of what they were taken for.
func (a *answer) verdicts() (anonymized, other bool, names []string) {
	found := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			switch action, _ := v["action"].(string); action {
			case "", "NONE":
			case "ANONYMIZED":
				anonymized = true
				found[label(v)] = true
			default:
				other = true
				found[label(v)] = true
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(a.Assessments)
	delete(found, "")
	return anonymized, other, slices.Sorted(maps.Keys(found))
}

// label is the type or name of what a policy found, as the operator named it, and never what matched.
func label(m map[string]any) string {
	for _, key := range []string{"name", "type"} {
		s, _ := m[key].(string)
		if s != "" && len(s) < 100 && !strings.ContainsAny(s, "\r\n") {
			return s
		}
	}
	return ""
}

// masked returns the texts with what the guardrail anonymized, if it did nothing else and returned n of them.
func (a *answer) masked(n int) (texts []string, ok bool) {
	anonymized, other, _ := a.verdicts()
	if !anonymized || other || len(a.Outputs) != n {
		return nil, false
	}
	for _, o := range a.Outputs {
		if o.Text == nil {
			return nil, false
		}
		texts = append(texts, *o.Text)
	}
	return texts, true
}

// why is what the caller reads: the message given, or the one that is set in the guardrail, or one of the gateway's.
func (a *answer) why(message string) string {
	anonymized, other, names := a.verdicts()
	list := strings.Join(names, ", ")
	if message != "" {
		if list == "" {
			list = "guardrail"
		}
		return strings.ReplaceAll(message, "{policies}", list)
	}
	// With something anonymized the outputs may be the texts, not the guardrail's message.
	if other && !anonymized && len(a.Outputs) == 1 && a.Outputs[0].Text != nil && *a.Outputs[0].Text != "" {
		return *a.Outputs[0].Text
	}
	if list != "" {
		return "Violated guardrail policy: " + list + "."
	}
	return "Violated guardrail policy."
}
