package router

import (
	"sync"
	"time"
)

// Key is what requests have in common that should go to the same deployment: a hash.
type Key [16]byte

// pin leads a key to a deployment.
type pin struct {
	id    string
	until int64 // unix nanoseconds
}

// pins is a bounded memory of pins. The zero value is ready.
type pins struct {
	mu   sync.RWMutex
	byID map[Key]pin
}

// maxPins is how many keys are remembered; about 10 MB.
const maxPins = 100_000

// get returns the deployment for a key, or "".
func (s *pins) get(k Key, now int64) string {
	s.mu.RLock()
	p := s.byID[k]
	s.mu.RUnlock()
	if p.until <= now {
		return ""
	}
	return p.id
}

// set leads a key to a deployment until a time. It reports whether that is news: it led elsewhere, or half of its time
// is over.
func (s *pins) set(k Key, id string, now int64, ttl time.Duration) bool {
	s.mu.RLock()
	old := s.byID[k]
	s.mu.RUnlock()
	if old.id == id && old.until-now > int64(ttl)/2 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[Key]pin{}
	}
	if len(s.byID) >= maxPins {
		s.evict(now)
	}
	s.byID[k] = pin{id, now + int64(ttl)}
	return true
}

// evict makes room: it looks at a few keys, drops those whose time is over, and if there is none the one among them that
// ends first. The caller holds the mutex.
func (s *pins) evict(now int64) {
	const looked = 16
	var first Key
	var end int64
	n := 0
	for k, p := range s.byID {
		if p.until <= now {
			delete(s.byID, k)
			continue
		}
		if n == 0 || p.until < end {
			first, end = k, p.until
		}
		if n++; n == looked {
			break
		}
	}
	if len(s.byID) >= maxPins {
		delete(s.byID, first)
	}
}

// Pin leads requests with a key to a deployment for a while, because another replica says so. What is known here stays
// if it lasts longer.
func (s *States) Pin(k Key, id string, ttl time.Duration) {
	now := time.Now().UnixNano()
	s.pins.mu.RLock()
	old := s.pins.byID[k]
	s.pins.mu.RUnlock()
	if old.until < now+int64(ttl) {
		s.pins.set(k, id, now, ttl)
	}
}

// Pinned is the deployment that requests with a key go to, or "".
func (s *States) Pinned(k Key) string { return s.pins.get(k, time.Now().UnixNano()) }
