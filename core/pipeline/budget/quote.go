// Package budget knows money: what a call may cost before it is made and what it did cost, what is said when a budget is
// spent, which deployments may still be called, and when budgets begin anew.
package budget

import (
	"strconv"
	"sync"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// Quote is what calls of one model group may cost.
type Quote struct {
	Prices    []*llm.Price // of its deployments; nil for one whose price is not known
	MaxOutput int64        // longest answer of any of them in tokens; 0 is not known
}

// Quotes estimates what calls cost before they are made. It is safe for concurrent use.
type Quotes struct {
	find  func(model string) Quote
	known map[string]*quote // immutable
	mu    sync.RWMutex
	more  map[string]*quote // models that wildcards stand for
}

type quote struct {
	Quote
	free bool
}

// maxQuotes bounds how many models are remembered that no group is named after.
const maxQuotes = 1024

// defaultOutput is how long an answer may get if neither the caller nor the price table says.
const defaultOutput = 4096

// NewQuotes makes quotes of the model groups, and asks find for others.
func NewQuotes(groups map[string]Quote, find func(model string) Quote) *Quotes {
	q := &Quotes{find: find, known: make(map[string]*quote, len(groups)), more: map[string]*quote{}}
	for name, g := range groups {
		q.known[name] = newQuote(g)
	}
	return q
}

func newQuote(g Quote) *quote {
	q := &quote{Quote: g, free: len(g.Prices) > 0}
	for _, p := range g.Prices {
		q.free = q.free && Free(p)
	}
	return q
}

// Free reports whether a price is known, and nothing.
func Free(p *llm.Price) bool {
	if p == nil || p.Request != 0 || p.Image != 0 || p.SecondIn != 0 || p.SecondOut != 0 || p.CharacterIn != 0 ||
		p.CharacterOut != 0 || p.ImageIn != 0 || p.VideoIn != 0 || p.Query != 0 || p.MarginRequest != 0 || p.Search != [3]float64{} {
		return false
	}
	for _, i := range p.Images {
		if i.Each != 0 {
			return false
		}
	}
	for _, l := range p.Levels {
		if l.Rates != [llm.ServiceTiers]llm.Rates{} {
			return false
		}
	}
	return true
}

func (q *Quotes) of(model string) *quote {
	if k := q.known[model]; k != nil {
		return k
	}
	q.mu.RLock()
	k := q.more[model]
	q.mu.RUnlock()
	if k != nil || q.find == nil {
		return k
	}
	k = newQuote(q.find(model))
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.more) >= maxQuotes {
		clear(q.more)
	}
	q.more[string([]byte(model))] = k
	return k
}

// Estimate says what a request may use at most: prompt and answer in tokens, and US dollars by the dearest deployment of
// its group. free means that the whole group is known to cost nothing. It does not allocate. The prompt counts a token
// for three bytes of the request, which is more than text in any common language has; the answer what the caller allows,
// or else the model's longest.
func (q *Quotes) Estimate(x *llm.Exchange) (tokens int64, cost float64, free bool) {
	var k *quote
	if x.Pinned != nil {
		if x.Pinned.Price == nil {
			return 0, 0, false
		}
		return 0, x.Pinned.Price.Request, Free(x.Pinned.Price)
	}
	if k = q.of(x.Model); k == nil {
		k = &quote{}
	}
	u := llm.Usage{Prompt: promptBytes(x)/3 + 1}
	tokens = u.Prompt*3/4 + 1
	switch x.Op {
	case llm.OpChat, llm.OpCompletion:
		most, given := maxTokens(x)
		if !given {
			most = k.MaxOutput
			if most == 0 {
				most = defaultOutput
			}
		}
		u.Completion = most * choices(x)
		tokens += u.Completion
	case llm.OpImage, llm.OpImageEdit, llm.OpImageVariation:
		u.Images = choices(x)
	case llm.OpSpeech:
		u.Characters = promptBytes(x)
	case llm.OpRerank:
		u.Searches = 1
	}
	if k.free {
		return tokens, 0, true
	}
	u.Total = u.Prompt + u.Completion
	call := price.CallOf(x, u)
	for _, p := range k.Prices {
		if c, known := price.Of(p, u, call); known && c.Total > cost {
			cost = c.Total
		}
	}
	return tokens, cost, false
}

// Cost is what a reply cost in US dollars.
func (q *Quotes) Cost(x *llm.Exchange, r *llm.Reply) float64 {
	if r.Deployment == nil {
		return 0
	}
	c, known := price.Of(r.Deployment.Price, r.Usage, price.CallOf(x, r.Usage))
	if !known {
		return 0
	}
	return c.Total
}

func promptBytes(x *llm.Exchange) int64 {
	return int64(max(len(x.Body.Raw()), len(x.Native.Raw()), len(x.Raw)))
}

// maxTokens is how long an answer the caller allows.
func maxTokens(x *llm.Exchange) (n int64, given bool) {
	if x.Native.Raw() != nil {
		for _, name := range []string{"max_tokens", "max_output_tokens"} {
			if n, given = number(x.Native.Get(name)); given {
				return n, true
			}
		}
		if g := x.Native.Get("generationConfig"); g != nil {
			var o llm.Object
			if o.Parse(g) == nil {
				return number(o.Get("maxOutputTokens"))
			}
		}
	}
	if n, given = number(x.Body.Get("max_completion_tokens")); given {
		return n, true
	}
	return number(x.Body.Get("max_tokens"))
}

// choices is n, how many answers are asked for.
func choices(x *llm.Exchange) int64 {
	n, given := number(x.Body.Get("n"))
	if !given {
		return 1
	}
	return min(max(n, 1), 128)
}

// number reads a whole number. Larger ones than any model writes count as that.
func number(raw []byte) (n int64, ok bool) {
	if len(raw) == 0 || len(raw) > 18 {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			f, err := strconv.ParseFloat(string(raw), 64)
			return int64(min(max(f, 0), maxOutput)), err == nil && f == f
		}
		n = n*10 + int64(c-'0')
	}
	return min(n, maxOutput), true
}

const maxOutput = 1 << 24
