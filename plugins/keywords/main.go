// Keywords is a guardrail that looks for words, phrases and regular expressions from lists, with exceptions, and refuses
// requests and answers or masks what it found.
package main

import (
	_ "embed"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/scan"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

const (
	defaultMessage = "The request contains something that is not allowed ({list})."
	answerMessage  = "The answer contains something that is not allowed ({list})."
	defaultMask    = "***"
	maxPatterns    = 200
)

// guard is the plugin's state: immutable after New, but for what it keeps during a call.
type guard struct {
	lists    []*list
	patterns []pattern
	entries  []entry
	words    *scan.Words // of the entries
	status   int
	hits     []hit
	run      []bool // patterns that the text at hand may match
	reach    int    // bytes of the longest exception
}

// use says what a match of an entry means.
type use uint8

const (
	blocked   use = iota // index is a list
	prefilter            // index is a pattern
	allowed
)

// entry is a word or phrase.
type entry struct {
	use   use
	index int
	word  scan.Word
}

func (g *guard) addWord(e entry) error {
	switch text := strings.TrimSpace(e.word.Text); {
	case !utf8.ValidString(e.word.Text):
		return errors.New("it is not UTF-8")
	case text == "" && !e.word.Verbatim:
		return errors.New("it is empty")
	case len(text) == 1 && !e.word.Verbatim:
		return errors.New(strconv.Quote(e.word.Text) + " is one letter: make it a pattern")
	case len(g.entries) == scan.MaxWords:
		return errors.New("there are more than " + strconv.Itoa(scan.MaxWords) + " words")
	}
	g.entries = append(g.entries, e)
	return nil
}

// list is one of the operator's lists.
type list struct {
	name    string
	roles   []string // looked at; empty is all
	mask    string   // what a match is replaced by; empty refuses the request
	message string
	answer  string // the message for answers
}

// pattern is a regular expression. It is run on texts that hold one of its literals, or on all if it has none.
type pattern struct {
	list   int
	re     *regexp.Regexp
	always bool
}

// New builds the guard from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	g := &guard{status: c.Int("status", 400)}
	if g.status < 400 || g.status > 499 {
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	for _, b := range c.Blocks("lists") {
		if err := g.addList(b); err != nil {
			return sallyport.Hooks{}, err
		}
	}
	if len(g.lists) == 0 {
		return sallyport.Hooks{}, errors.New(`setting "lists" is empty: give at least one list with words or patterns`)
	}
	for i, w := range c.Strings("allow") {
		if err := g.addWord(entry{use: allowed, word: scan.Word{Text: w}}); err != nil {
			return sallyport.Hooks{}, errors.New("setting \"allow[" + strconv.Itoa(i) + "]\": " + err.Error())
		}
		g.reach = max(g.reach, len(w))
	}
	g.run = make([]bool, len(g.patterns))
	var words []scan.Word
	for _, e := range g.entries {
		words = append(words, e.word)
	}
	var err error
	if g.words, err = scan.NewWords(words); err != nil {
		return sallyport.Hooks{}, err
	}
	return sallyport.RefuseMedia(c, g.status, nil, sallyport.Hooks{Request: g.request, Stream: g.window})
}

func (g *guard) addList(c *sallyport.Config) error {
	l := &list{name: c.String("name", "list "+strconv.Itoa(len(g.lists)+1)), roles: c.Strings("roles")}
	l.message = strings.ReplaceAll(c.String("message", defaultMessage), "{list}", l.name)
	l.answer = strings.ReplaceAll(c.String("message", answerMessage), "{list}", l.name)
	mask := c.String("mask", defaultMask)
	switch action := c.String("action", "block"); action {
	case "block":
	case "mask":
		if l.mask = mask; mask == "" {
			return errors.New("setting " + strconv.Quote(c.Path("mask")) + " is empty: name the text that takes the place of a match")
		}
	default:
		return errors.New("setting " + strconv.Quote(c.Path("action")) + " is " + strconv.Quote(action) + `: it is "block" or "mask"`)
	}
	n := len(g.lists)
	g.lists = append(g.lists, l)
	words, patterns := c.Strings("words"), c.Strings("patterns")
	if len(words)+len(patterns) == 0 {
		return errors.New("setting " + strconv.Quote(c.Path("words")) + `: the list has neither "words" nor "patterns"`)
	}
	e := entry{use: blocked, index: n, word: scan.Word{Whole: c.Bool("whole_words", true), Exact: !c.Bool("ignore_case", true)}}
	for i, w := range words {
		e.word.Text = w
		if err := g.addWord(e); err != nil {
			return errors.New("setting " + strconv.Quote(c.Path("words["+strconv.Itoa(i)+"]")) + ": " + err.Error())
		}
	}
	for i, p := range patterns {
		if err := g.addPattern(n, p, e.word.Exact); err != nil {
			return errors.New("setting " + strconv.Quote(c.Path("patterns["+strconv.Itoa(i)+"]")) + ": " + err.Error())
		}
	}
	return nil
}

func (g *guard) addPattern(list int, expr string, exact bool) error {
	if len(g.patterns) == maxPatterns {
		return errors.New("there are more than " + strconv.Itoa(maxPatterns) + " patterns")
	}
	if !exact {
		expr = "(?i:" + expr + ")"
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return err
	}
	if re.MatchString("") {
		return errors.New("it matches the empty text, so it would match everywhere")
	}
	p := pattern{list: list, re: re}
	literals := required(expr)
	p.always = len(literals) == 0
	for _, l := range literals {
		if err := g.addWord(entry{use: prefilter, index: len(g.patterns), word: scan.Word{Text: l, Verbatim: true}}); err != nil {
			p.always = true // a literal of white space and the like
		}
	}
	g.patterns = append(g.patterns, p)
	return nil
}

// hit is a match of a list.
type hit struct {
	start, end, list int
}

func (g *guard) request(r *sallyport.Request) sallyport.Verdict {
	for i := range r.Texts {
		t := &r.Texts[i]
		hits := g.find(t.Text, t.Role)
		if len(hits) == 0 {
			continue
		}
		for _, h := range hits {
			if l := g.lists[h.list]; l.mask == "" {
				return sallyport.Reject(g.status, strings.ReplaceAll(l.message, "{role}", t.Role))
			}
		}
		t.Replace(g.replace(t.Text, hits))
	}
	return sallyport.Continue()
}

// window looks at a part of an answer, together with what the caller got before. A match at its end is decided on with what
// follows: it may be the beginning of a longer one, or of an exception.
func (g *guard) window(w *sallyport.Window) sallyport.Verdict {
	const role = "assistant"
	s, gone := w.Context+w.Text, len(w.Context)
	hits := slices.DeleteFunc(g.find(s, role), func(h hit) bool { return h.end <= gone })
	if len(hits) == 0 {
		return sallyport.Continue()
	}
	if !w.Final && slices.ContainsFunc(hits, func(h hit) bool { return h.end+g.reach >= len(s) }) {
		return sallyport.Hold()
	}
	for i := range hits {
		if l := g.lists[hits[i].list]; l.mask == "" {
			return sallyport.Reject(g.status, strings.ReplaceAll(l.answer, "{role}", role))
		}
		hits[i].start, hits[i].end = max(hits[i].start-gone, 0), hits[i].end-gone
	}
	w.Replace(g.replace(w.Text, hits))
	return sallyport.Continue()
}

// find returns what a text holds of the lists for a role, by place, without what an exception covers.
func (g *guard) find(s, role string) []hit {
	g.hits = g.hits[:0]
	clear(g.run)
	exceptions := false
	g.words.All(s, func(word, start, end int) {
		switch e := &g.entries[word]; e.use {
		case blocked:
			if g.concerns(e.index, role) {
				g.hits = append(g.hits, hit{start, end, e.index})
			}
		case prefilter:
			g.run[e.index] = true
		case allowed:
			exceptions = true
		}
	})
	for i := range g.patterns {
		p := &g.patterns[i]
		if !p.always && !g.run[i] || !g.concerns(p.list, role) {
			continue
		}
		for _, at := range p.re.FindAllStringIndex(s, -1) {
			if at[0] < at[1] {
				g.hits = append(g.hits, hit{at[0], at[1], p.list})
			}
		}
	}
	if len(g.hits) == 0 {
		return nil
	}
	if exceptions {
		g.except(s)
	}
	slices.SortFunc(g.hits, func(a, b hit) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	return g.hits
}

// except removes the hits that lie inside of an exception.
func (g *guard) except(s string) {
	var spans []hit
	g.words.All(s, func(word, start, end int) {
		if g.entries[word].use == allowed {
			spans = append(spans, hit{start: start, end: end})
		}
	})
	// Spans come in the order of their starts. Of those that begin in front of a hit, the one that ends last decides.
	slices.SortFunc(g.hits, func(a, b hit) int { return a.start - b.start })
	next, covered := 0, 0
	g.hits = slices.DeleteFunc(g.hits, func(h hit) bool {
		for next < len(spans) && spans[next].start <= h.start {
			covered = max(covered, spans[next].end)
			next++
		}
		return h.end <= covered
	})
}

func (g *guard) concerns(list int, role string) bool {
	roles := g.lists[list].roles
	return len(roles) == 0 || slices.Contains(roles, role)
}

// replace returns the text with masks in the place of the hits. Of hits that overlap the first gives the mask.
func (g *guard) replace(s string, hits []hit) string {
	out, from := make([]byte, 0, len(s)), 0
	for _, h := range hits {
		if h.start >= from {
			out = append(append(out, s[from:h.start]...), g.lists[h.list].mask...)
		}
		from = max(from, h.end)
	}
	return string(append(out, s[from:]...))
}
