// Package shared lets the routers of several replicas know, through Redis, what each of them learns: cooldowns, what is
// used of the limits of deployments, latencies, and which deployment sessions and prompts go to. Twice a second a replica
// tells what is new and reads what the others told; a cooldown is told at once. No request waits for Redis, but for
// those of usage-based-routing-v2, whose rpm holds for all replicas together. While Redis is away each replica goes on
// with what it knows.
package shared

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/router"
)

//go:embed take.lua
var takeScript string

// Settings of a Meeting. Client and States are required; zero values of the others take the defaults.
type Settings struct {
	Client  redis.UniversalClient // stays open when the meeting is closed
	States  *router.States
	Prefix  string        // of all keys; default "sallyport"
	Every   time.Duration // how often replicas meet; default 500 ms
	Timeout time.Duration // of a round trip on a request's path; default 100 ms
	Logger  *slog.Logger
}

const (
	defaultPrefix  = "sallyport"
	defaultEvery   = 500 * time.Millisecond
	defaultTimeout = 100 * time.Millisecond
	patience       = 3 * time.Second // of a round trip off the path
	breakAfter     = 3               // failures in a row after which requests do not ask any more
	keepMinutes    = 130             // seconds that a minute's use is kept
	keepSpeeds     = 10 * time.Minute
	newsOfSpeed    = time.Second // latencies are told at most this often
)

var errBroken = errors.New("redis is left alone for a while")

// Meeting implements router.Shared. It is safe for concurrent use. Close ends it.
type Meeting struct {
	s        Settings
	take     *redis.Script
	failures atomic.Int32
	broken   atomic.Bool
	letters  letters

	// Of the goroutine that meets.
	told map[string]told

	ctx  context.Context
	stop context.CancelFunc
	jobs sync.WaitGroup
}

// told is what was told of a deployment, or heard.
type told struct {
	minute           uint64
	requests, tokens int64 // in the minute
	until            int64 // of the cooldown, in unix milliseconds; 0 none
	speed            int64 // when the latest latency was measured, in unix nanoseconds
}

// New begins to meet.
func New(s Settings) *Meeting {
	if s.Prefix == "" {
		s.Prefix = defaultPrefix
	}
	if s.Every <= 0 {
		s.Every = defaultEvery
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Meeting{s: s, take: redis.NewScript(takeScript), told: map[string]told{}}
	m.letters.wake = make(chan struct{}, 1)
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.jobs.Go(m.run)
	m.jobs.Go(m.send)
	m.jobs.Go(m.receive)
	return m
}

// Close ends the meeting. What was not told yet is told, if Redis answers.
func (m *Meeting) Close() error {
	m.stop()
	m.jobs.Wait()
	if !m.broken.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return m.meet(ctx)
	}
	return nil
}

// Broken reports whether each replica goes on alone at the moment.
func (m *Meeting) Broken() bool { return m.broken.Load() }

func (m *Meeting) run() {
	t := time.NewTicker(m.s.Every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-m.s.States.Changed():
			if m.broken.Load() {
				continue // the next round will tell
			}
		case <-m.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(m.ctx, patience)
		err := m.meet(ctx)
		cancel()
		m.settle(err)
	}
}

// settle notes how a round went.
func (m *Meeting) settle(err error) {
	if err != nil {
		m.failed(err)
		m.retell()
		return
	}
	m.failures.Store(0)
	if m.broken.Swap(false) {
		m.s.Logger.Info("Redis answers again: routers share what they learn")
	}
}

// retell forgets what was told, because Redis may have: after a single failure what is known of cooldowns and latencies,
// after more of them also what was used.
func (m *Meeting) retell() {
	if m.broken.Load() {
		clear(m.told)
	}
	for id, t := range m.told {
		t.until, t.speed = 0, 0
		m.told[id] = t
	}
}

// failed counts failures, and after some in a row leaves Redis alone on the path of requests.
func (m *Meeting) failed(err error) {
	if m.ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return
	}
	if m.failures.Add(1) < breakAfter || m.broken.Swap(true) {
		return
	}
	m.s.Logger.Error("Redis does not answer: each replica routes by what it learns itself, until it does", "error", err)
}

func (m *Meeting) key(name string) string { return m.s.Prefix + ":router:" + name }

func (m *Meeting) useKey(minute uint64) string { return m.key("use:" + strconv.FormatUint(minute, 10)) }

// Take implements router.Shared.
func (m *Meeting) Take(ctx context.Context, id string, minute uint64, limit int64) (bool, error) {
	if m.broken.Load() {
		return false, errBroken
	}
	ctx, cancel := context.WithTimeout(ctx, m.s.Timeout)
	defer cancel()
	n, err := m.take.Run(ctx, m.s.Client, []string{m.useKey(minute)}, "r:"+id, limit, keepMinutes).Int()
	if err != nil {
		m.failed(err)
		return false, err
	}
	m.failures.Store(0)
	return n == 1, nil
}

// meet tells what is new and reads what the others told.
func (m *Meeting) meet(ctx context.Context) error {
	now := time.Now()
	minute := router.Minute(now)
	own := map[string]router.Known{}
	next := map[string]told{}
	pipe := m.s.Client.Pipeline()
	m.s.States.Each(func(id string, k router.Known) {
		own[id] = k
		next[id] = m.tell(ctx, pipe, id, k)
	})
	use := pipe.HGetAll(ctx, m.useKey(minute))
	pipe.Expire(ctx, m.useKey(minute), keepMinutes*time.Second)
	cooldowns := pipe.HGetAll(ctx, m.key("cooldowns"))
	speeds := pipe.HGetAll(ctx, m.key("speeds"))
	if _, err := pipe.Exec(ctx); err != nil {
		// A value that somebody else spoilt refuses a count, which is no reason to leave Redis alone.
		if err := errors.Join(use.Err(), cooldowns.Err(), speeds.Err()); err != nil {
			return err
		}
	}
	m.told = next
	m.hearUse(minute, use.Val(), own)
	gone := m.hearCooldowns(cooldowns.Val(), now)
	old := m.hearSpeeds(speeds.Val(), now)
	if len(gone)+len(old) == 0 {
		return nil
	}
	pipe = m.s.Client.Pipeline()
	if len(gone) > 0 {
		pipe.HDel(ctx, m.key("cooldowns"), gone...)
	}
	if len(old) > 0 {
		pipe.HDel(ctx, m.key("speeds"), old...)
	}
	_, err := pipe.Exec(ctx)
	return err
}

// tell adds what is new about a deployment to the pipe.
func (m *Meeting) tell(ctx context.Context, pipe redis.Pipeliner, id string, k router.Known) told {
	t := m.told[id]
	if t.minute != k.Minute {
		t.minute, t.requests, t.tokens = k.Minute, 0, 0
	}
	if n := k.Requests - k.Taken - t.requests; n > 0 {
		pipe.HIncrBy(ctx, m.useKey(k.Minute), "r:"+id, n)
		t.requests += n
	}
	if n := k.Tokens - t.tokens; n > 0 {
		pipe.HIncrBy(ctx, m.useKey(k.Minute), "t:"+id, n)
		t.tokens += n
	}
	until := int64(0)
	if !k.Until.IsZero() {
		until = k.Until.UnixMilli()
	}
	switch {
	case until == t.until:
	case until == 0:
		pipe.HDel(ctx, m.key("cooldowns"), id)
	default:
		pipe.HSet(ctx, m.key("cooldowns"), id, until)
	}
	t.until = until
	if at := max(k.Whole.At, k.First.At); at > t.speed+int64(newsOfSpeed) {
		pipe.HSet(ctx, m.key("speeds"), id, speedText(k))
		t.speed = at
	}
	return t
}

func (m *Meeting) hearUse(minute uint64, use map[string]string, own map[string]router.Known) {
	for id, k := range own {
		if k.Minute != minute {
			continue
		}
		t := m.told[id]
		// What was taken since is in the answer or not: it must not look like another replica's, which would refuse too soon.
		taken := m.s.States.Taken(id, minute)
		m.s.States.Others(id, minute, number(use["r:"+id])-t.requests-taken, number(use["t:"+id])-t.tokens)
	}
}

// hearCooldowns takes over the cooldowns of others, and the ends of them. It returns those that nobody ended and that are
// long over.
func (m *Meeting) hearCooldowns(list map[string]string, now time.Time) (gone []string) {
	for id, text := range list {
		until := number(text)
		at := time.UnixMilli(until)
		if now.Sub(at) > keepSpeeds {
			gone = append(gone, id)
			continue
		}
		t, known := m.told[id]
		if known && until != t.until && at.After(now) && until > t.until {
			m.s.States.Cool(id, at)
			t.until = m.s.States.Learned(id).Until.UnixMilli()
			m.told[id] = t
		}
	}
	for id, t := range m.told {
		if _, still := list[id]; t.until != 0 && !still {
			m.s.States.Cool(id, time.Time{})
			t.until = 0
			m.told[id] = t
		}
	}
	return gone
}

func (m *Meeting) hearSpeeds(list map[string]string, now time.Time) (old []string) {
	for id, text := range list {
		whole, first, ok := readSpeed(text)
		if !ok || now.UnixNano()-max(whole.At, first.At) > int64(keepSpeeds) {
			old = append(old, id)
			continue
		}
		t, known := m.told[id]
		if at := max(whole.At, first.At); known && at > t.speed {
			m.s.States.Learn(id, whole, first)
			t.speed = at
			m.told[id] = t
		}
	}
	return old
}

// speedText writes latencies: seconds and when, of whole answers and of streams.
func speedText(k router.Known) string {
	var b []byte
	for i, s := range []router.Sample{k.Whole, k.First} {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendFloat(b, s.Latency, 'g', -1, 64)
		b = append(b, ' ')
		b = strconv.AppendInt(b, s.At, 10)
	}
	return string(b)
}

func readSpeed(text string) (whole, first router.Sample, ok bool) {
	f := strings.Fields(text)
	if len(f) != 4 {
		return whole, first, false
	}
	read := func(s *router.Sample, latency, at string) bool {
		var err1, err2 error
		s.Latency, err1 = strconv.ParseFloat(latency, 64)
		s.At, err2 = strconv.ParseInt(at, 10, 64)
		return err1 == nil && err2 == nil && s.Latency >= 0 && s.Latency < 1e6
	}
	ok = read(&whole, f[0], f[1]) && read(&first, f[2], f[3])
	return whole, first, ok
}

// number reads a count; what is none counts as 0.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
