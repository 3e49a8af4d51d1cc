package shared

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/router"
)

// letters are what waits to be told or asked about where keys lead.
type letters struct {
	mu    sync.Mutex
	pins  []letter
	asked map[router.Key]bool
	wake  chan struct{}
}

type letter struct {
	key router.Key
	id  string
	ttl time.Duration
}

// Bounds of what waits for Redis, of what goes at a time, and of what is believed.
const (
	maxLetters = 10_000
	batch      = 500
	maxTTL     = 24 * time.Hour
)

// Pin implements router.Shared. What does not fit into the queue is not told.
func (m *Meeting) Pin(k router.Key, id string, ttl time.Duration) {
	l := &m.letters
	l.mu.Lock()
	if len(l.pins) < maxLetters && !m.broken.Load() {
		l.pins = append(l.pins, letter{k, strings.Clone(id), ttl})
	}
	l.mu.Unlock()
	l.ring()
}

// Ask implements router.Shared.
func (m *Meeting) Ask(k router.Key) {
	if m.broken.Load() {
		return
	}
	l := &m.letters
	l.mu.Lock()
	if l.asked == nil {
		l.asked = map[router.Key]bool{}
	}
	if len(l.asked) < maxLetters {
		l.asked[k] = true
	}
	l.mu.Unlock()
	l.ring()
}

func (l *letters) ring() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next takes some out of the queue.
func (l *letters) next() (pins []letter, asked []router.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.pins), batch)
	pins = append(pins, l.pins[:n]...)
	l.pins = append(l.pins[:0], l.pins[n:]...)
	for k := range l.asked {
		if len(asked) == batch {
			break
		}
		asked = append(asked, k)
		delete(l.asked, k)
	}
	return pins, asked
}

func (m *Meeting) pinKey(k router.Key) string { return m.key("pin:" + hex.EncodeToString(k[:])) }

// send tells and asks what waits, until the meeting is closed.
func (m *Meeting) send() {
	for {
		select {
		case <-m.letters.wake:
		case <-m.ctx.Done():
			return
		}
		for {
			pins, asked := m.letters.next()
			if len(pins)+len(asked) == 0 {
				break
			}
			ctx, cancel := context.WithTimeout(m.ctx, patience)
			err := m.post(ctx, pins, asked)
			cancel()
			if err != nil {
				m.failed(err)
				break
			}
		}
	}
}

// post keeps pins for those who come later, tells them to all who are there, and asks for others.
func (m *Meeting) post(ctx context.Context, pins []letter, asked []router.Key) error {
	pipe := m.s.Client.Pipeline()
	var news strings.Builder
	for _, p := range pins {
		pipe.Set(ctx, m.pinKey(p.key), p.id, p.ttl)
		news.WriteString(hex.EncodeToString(p.key[:]) + " " + strconv.FormatInt(p.ttl.Milliseconds(), 10) + " " + p.id + "\n")
	}
	if news.Len() > 0 {
		pipe.Publish(ctx, m.key("pins"), news.String())
	}
	ids, ttls := make([]*redis.StringCmd, len(asked)), make([]*redis.DurationCmd, len(asked))
	for i, k := range asked {
		ids[i], ttls[i] = pipe.Get(ctx, m.pinKey(k)), pipe.PTTL(ctx, m.pinKey(k))
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil { //nolint:errorlint // the library returns it as it is
		return err
	}
	for i, k := range asked {
		if id, ttl := ids[i].Val(), ttls[i].Val(); id != "" && ttl > 0 {
			m.s.States.Pin(k, id, min(ttl, maxTTL))
		}
	}
	return nil
}

// receive hears what others tell, until the meeting is closed. The client connects again when Redis was away.
func (m *Meeting) receive() {
	sub := m.s.Client.Subscribe(m.ctx, m.key("pins"))
	defer func() { _ = sub.Close() }()
	news := sub.Channel()
	for {
		select {
		case msg, ok := <-news:
			if !ok {
				return
			}
			m.hear(msg.Payload)
		case <-m.ctx.Done():
			return
		}
	}
}

// hear reads pins, a line each: the key, milliseconds, and the deployment. Lines that are something else say nothing.
func (m *Meeting) hear(news string) {
	for line := range strings.SplitSeq(news, "\n") {
		key, rest, _ := strings.Cut(line, " ")
		ttl, id, _ := strings.Cut(rest, " ")
		raw, err := hex.DecodeString(key)
		ms := number(ttl)
		if err != nil || len(raw) != len(router.Key{}) || id == "" || ms <= 0 || ms > maxTTL.Milliseconds() {
			continue
		}
		m.s.States.Pin(router.Key(raw), strings.Clone(id), time.Duration(ms)*time.Millisecond)
	}
}
