package main

import (
	"encoding/base64"
	"math/bits"
	"slices"
	"strings"
)

// hit is a place at which a rule or marker applies.
type hit struct {
	at     int // word of the text
	points int
	id     uint8 // of the rule or marker: each counts once
	name   string
}

// Markers have the identities behind those of the rules.
const (
	markTemplate = 60 + iota
	markTag
	markHeading
	markRole
	maxRules = 60
	window   = 60 // words in which points are added up
)

// judge scores texts.
type judge struct {
	reader *reader
	rules  []rule
	begin  [64][]uint8 // the rules that begin with a class, by its bit
	hits   []hit
}

func newJudge() *judge {
	j := &judge{reader: newReader(), rules: rules()}
	for n, r := range j.rules {
		for c := r.parts[0].class; c != 0; c &= c - 1 {
			bit := bits.TrailingZeros64(uint64(c))
			j.begin[bit] = append(j.begin[bit], uint8(n))
		}
	}
	return j
}

// score returns the points of a text, and the names of what they are for.
func (j *judge) score(s string) (points int, names []string) {
	j.read(s)
	points, names = j.best()
	if h := j.reader.hidden; h != (hidden{}) {
		if n := h.points(); n > 0 {
			points += n
			names = append(names, "hidden characters")
		}
	}
	if len(j.reader.blobs) > 0 {
		if n := j.decoded(s); n > 0 {
			points += n + 2
			names = append(names, "encoded instructions")
		}
	}
	return points, names
}

// read fills hits.
func (j *judge) read(s string) {
	r := j.reader
	r.read(s)
	j.hits = append(j.hits[:0], r.hits...)
	possible := j.possible()
	if possible == 0 { // nearly always
		return
	}
	for i, t := range r.tokens {
		for c := uint64(t.class); c != 0; c &= c - 1 {
			for _, n := range j.begin[bits.TrailingZeros64(c)] {
				if possible>>n&1 == 0 {
					continue
				}
				if rule := &j.rules[n]; follows(r.tokens[i+1:], t.at, rule.parts[1:]) {
					j.hits = append(j.hits, hit{t.at, rule.points, n, rule.name})
				}
			}
		}
	}
}

// possible returns the rules for which the text has a word of every class, as bits.
func (j *judge) possible() (set uint64) {
	union := j.reader.union
	for n := range j.rules {
		set |= 1 << n
		for _, p := range j.rules[n].parts {
			if union&p.class == 0 {
				set &^= 1 << n
				break
			}
		}
	}
	return set
}

// follows reports whether the parts follow the word at a place.
func follows(tokens []token, at int, parts []part) bool {
	if len(parts) == 0 {
		return true
	}
	for i, t := range tokens {
		if t.at-at-1 > parts[0].gap {
			return false
		}
		if t.at > at && t.class&parts[0].class != 0 && follows(tokens[i+1:], t.at, parts[1:]) {
			return true
		}
	}
	return false
}

// best returns the most points that hits near to each other have.
func (j *judge) best() (points int, names []string) {
	if len(j.hits) == 0 {
		return 0, nil
	}
	slices.SortStableFunc(j.hits, func(a, b hit) int { return a.at - b.at })
	from, to := 0, 0
	for i := range j.hits {
		sum, k := j.near(i)
		if sum > points {
			points, from, to = sum, i, k
		}
	}
	for i := from; i < to; i++ {
		if name := j.hits[i].name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return points, names
}

// near adds up the points in the window that begins with a hit, and returns its end.
func (j *judge) near(i int) (sum, end int) {
	var seen uint64
	for end = i; end < len(j.hits) && j.hits[end].at <= j.hits[i].at+window; end++ {
		if h := &j.hits[end]; seen>>h.id&1 == 0 {
			seen |= 1 << h.id
			sum += h.points
		}
	}
	return sum, end
}

func (h hidden) points() int {
	n := 0
	if h.zeroWidth >= 3 {
		n += 3
	}
	if h.bidi > 0 {
		n += 2
	}
	if h.tags >= 8 {
		n += 5
	}
	return n
}

// decoded returns the most points of the base64 in the text.
func (j *judge) decoded(s string) int {
	const longest = 8 << 10
	most, end := 0, 0
	for _, at := range append([]int(nil), j.reader.blobs...) {
		if at < end {
			continue
		}
		start := at
		for start > end && base64Byte(s[start-1]) {
			start--
		}
		for end = at; end < len(s) && end-start < longest && base64Byte(s[end]); {
			end++
		}
		blob := strings.NewReplacer("-", "+", "_", "/").Replace(s[start:end])
		text, err := base64.RawStdEncoding.DecodeString(blob[:len(blob)-max(0, (len(blob)%4)%2)])
		if err != nil || !readable(text) {
			continue
		}
		j.read(string(text))
		n, _ := j.best()
		most = max(most, n)
	}
	return most
}

func base64Byte(c byte) bool {
	return c|0x20-'a' < 26 || c-'0' < 10 || c == '+' || c == '/' || c == '-' || c == '_'
}

func readable(b []byte) bool {
	odd := 0
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			odd++
		}
	}
	return odd == 0
}

// marker looks at what a bracket or number sign begins: a marker of a chat template, or a made-up section of the prompt.
func (r *reader) marker(s string, at int) {
	rest := s[at:min(len(s), at+40)]
	switch {
	case strings.HasPrefix(rest, "<|"):
		if end := strings.Index(rest, "|>"); end > 2 && !strings.ContainsAny(rest[:end], " \n") {
			r.hit(markTemplate, 5, "chat template")
		}
	case oneOf(rest, "[inst]", "[/inst]", "<<sys>>", "<</sys>>", "<start_of_turn>", "<end_of_turn>"):
		r.hit(markTemplate, 5, "chat template")
	case oneOf(rest, "<system>", "</system>", "<system_prompt>", "</system_prompt>", "</user>", "</instructions>", "</prompt>", "<assistant>",
		"</user_input>", "</document>", "[system]", "[/system]", "[system message", "<admin>", "[admin]", "[developer]"):
		r.hit(markTag, 3, "role marker")
	case rest[0] == '#':
		if heading := strings.TrimLeft(rest, "# "); oneOf(heading, "system", "instruction", "new instruction", "override", "end of") {
			r.hit(markHeading, 2, "role marker")
		}
	}
}

// roleLine looks at a word that may begin a line as a role does in a transcript.
func (r *reader) roleLine(s string, start, end int) {
	if end < len(s) && s[end] == ':' && (start == 0 || s[start-1] == '\n') && oneOf(s[start:end], "system", "developer") {
		r.hit(markRole, 3, "role marker")
	}
}

func (r *reader) hit(id uint8, points int, name string) {
	if len(r.hits) < 64 {
		r.hits = append(r.hits, hit{r.count, points, id, name})
	}
}

// oneOf reports whether s begins with one of the texts, in any case.
func oneOf(s string, texts ...string) bool {
	for _, t := range texts {
		if len(s) >= len(t) && strings.EqualFold(s[:len(t)], t) {
			return true
		}
	}
	return false
}
