package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// question is the body of POST /v2/guard. Every text is a message of its own, so that an answer's message_id is the
// number of a text.
type question struct {
	Messages  []message `json:"messages"`
	ProjectID string    `json:"project_id,omitempty"`
	Payload   bool      `json:"payload"`
	Breakdown bool      `json:"breakdown"`
}

type answer struct {
	Flagged   *bool       `json:"flagged"`
	Breakdown []detection `json:"breakdown"`
	Payload   []place     `json:"payload"`
}

// detection is what one detector says.
type detection struct {
	DetectorType string `json:"detector_type"`
	Detected     bool   `json:"detected"`
	MessageID    *int   `json:"message_id"`
}

// place is where a detector found something. Start and End count characters; End is not included.
type place struct {
	DetectorType string  `json:"detector_type"`
	Start        *int    `json:"start"`
	End          *int    `json:"end"`
	Text         *string `json:"text"`
	MessageID    *int    `json:"message_id"`
}

// role is one that the service knows.
func role(r string) string {
	switch r {
	case "system", "assistant", "tool":
		return r
	case "developer":
		return "system"
	case "function":
		return "tool"
	}
	return "user"
}

// detectors are the names of what was detected.
func (a *answer) detectors() string {
	names := map[string]bool{}
	for _, d := range a.Breakdown {
		if d.Detected && plain(d.DetectorType) {
			names[d.DetectorType] = true
		}
	}
	if len(names) == 0 {
		return "flagged"
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

// plain reports whether a name can be shown to a caller as it is.
func plain(name string) bool {
	return name != "" && len(name) < 100 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '/' && r != '_' && r != '-' && r != ' ' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func pii(detector string) bool { return detector == "pii" || strings.HasPrefix(detector, "pii/") }

// masked returns the texts with personal data replaced by its kind. ok is false if something else was detected, or the
// answer does not show where everything is, or shows a place with another text: then only a refusal is safe.
func (a *answer) masked(messages []message) (texts []string, ok bool) {
	for _, d := range a.Breakdown {
		if d.Detected && (!pii(d.DetectorType) || !a.located(&d)) {
			return nil, false
		}
	}
	spans := make([][]span, len(messages))
	for i := range a.Payload {
		p := &a.Payload[i]
		if !pii(p.DetectorType) || !plain(p.DetectorType) || p.Start == nil || p.End == nil || *p.Start >= *p.End ||
			p.MessageID == nil || *p.MessageID < 0 || *p.MessageID >= len(messages) {
			return nil, false
		}
		text, at := messages[*p.MessageID].Content, []jsonapi.Span{{Start: *p.Start, End: *p.End}}
		if !jsonapi.Bytes(text, at) || p.Text != nil && *p.Text != text[at[0].Start:at[0].End] {
			return nil, false
		}
		spans[*p.MessageID] = append(spans[*p.MessageID], span{at[0], kind(p.DetectorType)})
	}
	for i, m := range messages {
		texts = append(texts, replaced(m.Content, spans[i]))
	}
	return texts, len(a.Payload) > 0
}

// located reports whether the payload has a place for a detection.
func (a *answer) located(d *detection) bool {
	return slices.ContainsFunc(a.Payload, func(p place) bool {
		same := d.DetectorType == p.DetectorType || d.DetectorType == "pii"
		return same && (d.MessageID == nil || p.MessageID != nil && *d.MessageID == *p.MessageID)
	})
}

type span struct {
	jsonapi.Span
	kind string
}

// kind is the last part of a detector's name: CREDIT_CARD of pii/credit_card.
func kind(detector string) string {
	return strings.ToUpper(detector[strings.LastIndexByte(detector, '/')+1:])
}

// replaced masks parts of a text. Parts that overlap become one.
func replaced(text string, spans []span) string {
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.Start, b.Start) })
	var b strings.Builder
	done := 0
	for _, s := range spans {
		if s.Start >= done {
			b.WriteString(text[done:s.Start])
			b.WriteString("[MASKED " + s.kind + "]")
		}
		done = max(done, s.End)
	}
	b.WriteString(text[done:])
	return b.String()
}
