package llm

import (
	"math"
	"time"
)

// seconds is how many steps a minute has: those wholly inside, the one under way and the one that is leaving.
const seconds = 61

// minute counts the requests and tokens of the last 60 seconds.
type minute struct {
	now      int64 // the second under way
	requests tally
	tokens   tally
	reserved int64 // tokens of requests under way
}

// tally is a number for each second, and their sum.
type tally struct {
	sum  int64
	last int64
	each [seconds]uint32
}

func (m *minute) turn(now int64) {
	if now <= m.now {
		return // clocks of several CPUs, or one that was set back
	}
	m.now = now
	m.requests.turn(now)
	m.tokens.turn(now)
}

// turn forgets the seconds that are over.
func (t *tally) turn(now int64) {
	if now-t.last >= seconds {
		*t = tally{last: now}
		return
	}
	for t.last < now {
		t.last++
		i := t.last % seconds
		t.sum -= int64(t.each[i])
		t.each[i] = 0
	}
}

// add counts n in a second that is not over. A number too large for its second stays at the largest there is.
func (t *tally) add(second, n int64) {
	p := &t.each[second%seconds]
	n = min(max(n, 0), math.MaxUint32-int64(*p))
	*p += uint32(n)
	t.sum += n
}

// drop takes back what add counted, unless its second is over.
func (t *tally) drop(second, n int64) {
	if t.last-second >= seconds || second > t.last {
		return
	}
	p := &t.each[second%seconds]
	n = min(max(n, 0), int64(*p))
	*p -= uint32(n)
	t.sum -= n
}

// at is how many there were in the 60 seconds before now.
func (t *tally) at(now int64) int64 {
	oldest := int64(t.each[(t.last+1)%seconds])
	if oldest == 0 {
		return t.sum
	}
	gone := min(max(now-t.last*int64(time.Second), 0), int64(time.Second))
	return t.sum - int64(float64(oldest)*float64(gone)/float64(time.Second))
}

// wait is how long it takes until fewer than limit are left, if nothing is added.
func (t *tally) wait(now, limit int64) time.Duration {
	if limit <= 0 {
		return time.Minute
	}
	excess := t.sum - limit + 1
	for second := t.last - seconds + 1; second <= t.last; second++ {
		n := int64(t.each[(second%seconds+seconds)%seconds])
		if n >= excess && n > 0 {
			part := time.Duration(math.Ceil(float64(excess) / float64(n) * float64(time.Second)))
			at := (second+seconds-1)*int64(time.Second) + int64(part)
			return max(time.Duration(at-now), time.Millisecond)
		}
		excess -= n
	}
	return time.Minute
}
