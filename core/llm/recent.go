package llm

import (
	"math"
	"strconv"
	"time"
)

// recent is what several replicas tell each other of the last minute when the place where they count has lost it.
type recent struct {
	asking       int64 // requests of the minute that somebody else is yet to say yes to; see Take
	askingTokens int64
	allRequests  int64 // what all replicas had used when they were last asked
	allTokens    int64
	allAt        int64 // when that was, unix nanoseconds; 0 is never
}

func (l *Live) ask(h *Hold) {
	if h.counts {
		h.asking = true
		l.asking++
		l.askingTokens += h.tokens
	}
}

func (l *Live) answered(h *Hold) {
	if h.asking {
		h.asking = false
		l.asking--
		l.askingTokens -= h.tokens
	}
}

// SeenMinute notes how many requests and tokens all replicas had used at a moment, in unix nanoseconds. What is less than 0 is
// not known.
func (l *Live) SeenMinute(now, requests, tokens int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now < l.allAt {
		return
	}
	l.allAt, l.allRequests, l.allTokens = now, max(0, requests), max(0, tokens)
}

// Recent is what a process knows of the last minute of a scope, for a place that has lost it.
type Recent struct {
	Steps       string // what was let pass here: "step requests tokens" for each step, numbered from 1970 on, with commas between
	Reserved    int64  // tokens held for requests under way, part of those in Steps
	AllRequests int64  // what all replicas had used when last asked, less what will have left the minute since
	AllTokens   int64
}

// Recent returns what is known at a moment, in unix nanoseconds.
func (l *Live) Recent(now int64, step time.Duration) (r Recent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.minute == nil {
		return r
	}
	m := l.turn(now)
	if m.requests.sum == 0 && m.tokens.sum == 0 {
		return r
	}
	if age := now - l.allAt; l.allAt != 0 && age < int64(time.Minute) {
		left := 1 - float64(max(0, age))/float64(time.Minute)
		r.AllRequests, r.AllTokens = int64(math.Ceil(float64(l.allRequests)*left)), int64(math.Ceil(float64(l.allTokens)*left))
	}
	r.Reserved = max(0, m.reserved-l.askingTokens)
	// What is asked for at the moment is told by the one who asks, if it is let pass. It is the newest.
	askedRequests, askedTokens := l.asking, l.askingTokens
	var list []byte
	per := int64(step / time.Second)
	for end := m.now; end > m.now-seconds; {
		number := end / per
		var requests, tokens int64
		for ; end > m.now-seconds && end/per == number; end-- {
			requests += int64(m.requests.each[end%seconds])
			tokens += int64(m.tokens.each[end%seconds])
		}
		requests, askedRequests = less(requests, askedRequests)
		tokens, askedTokens = less(tokens, askedTokens)
		if requests == 0 && tokens == 0 {
			continue
		}
		if len(list) > 0 {
			list = append(list, ',')
		}
		for i, n := range [...]int64{number, requests, tokens} {
			if i > 0 {
				list = append(list, ' ')
			}
			list = strconv.AppendInt(list, n, 10)
		}
	}
	r.Steps = string(list)
	return r
}

// less takes as much of b from a as there is, and returns what is left of both.
func less(a, b int64) (restA, restB int64) {
	n := min(a, b)
	return a - n, b - n
}
