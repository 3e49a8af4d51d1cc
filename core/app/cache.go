package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// answerCache is the cache of answers of one configuration; nil if it has none.
type answerCache struct {
	kind    string // of cache_params.type
	hook    *cache.Hook
	stores  *answerStores
	release func() // gives the stores back
}

// close ends the hook, and then the stores if nobody else uses them. It works on nil.
func (c *answerCache) close() {
	if c != nil {
		c.hook.Close()
		c.release()
	}
}

// cache makes the hook that answers from the cache. It is the last of the chain that others are made for.
func (b *builder) cache(out *loaded, others []pipeline.Hook) []pipeline.Hook {
	lite := &b.cfg.LiteLLMSettings
	if !lite.Cache {
		return nil
	}
	kind := cacheKind(b.cfg)
	s, ok := b.cacheSettings(kind, pipeline.NewChain(others...).ReadsAnswers())
	if !ok {
		return nil
	}
	stores, release, err := b.answers.use(b.cacheKey(kind), func() (*answerStores, error) { return b.openAnswers(kind, out.router) })
	if err != nil {
		setting := "litellm_settings.cache_params"
		var at *settingError
		if errors.As(err, &at) {
			setting = at.in(setting)
		}
		b.mistake(setting, err)
		return nil
	}
	s.Store, s.Similar = stores.store, stores.similar
	out.cache = &answerCache{kind, cache.New(s), stores, release}
	b.log.Info("answers are cached", "type", kind, "place", stores.place, "scope", string(s.Scope))
	return []pipeline.Hook{{Name: "cache", Blind: true, Do: out.cache.hook}}
}

// cacheName is the kind of the cache in use, or "".
func (a *App) cacheName() string {
	if c := a.current.Load().cache; c != nil {
		return c.kind
	}
	return ""
}

// settingError is about one member of cache_params, or a variable that stands for it.
type settingError struct {
	name string
	err  error
}

// in is the whole name of what is wrong in a section.
func (e *settingError) in(section string) string {
	if strings.HasPrefix(e.name, "REDIS_") {
		return e.name
	}
	return section + "." + e.name
}

func (e *settingError) Error() string { return e.err.Error() }
func (e *settingError) Unwrap() error { return e.err }

func badParam(name, format string, args ...any) error {
	return &settingError{name, fmt.Errorf(format, args...)}
}

// cacheKind is the kind of cache. With no cache_params it is Redis if there is one, and memory otherwise.
func cacheKind(cfg *config.Config) string {
	p := cfg.LiteLLMSettings.CacheParams
	if p.Type != "" {
		return p.Type
	}
	named := p.Host != "" || p.URL != "" || len(p.RedisStartupNodes) > 0 || len(p.SentinelNodes) > 0
	if named {
		return "redis"
	}
	if !reflect.ValueOf(p).IsZero() {
		return "local"
	}
	if addr, err := cacheRedis(cfg); err != nil || !addr.Empty() {
		return "redis"
	}
	return "local"
}

// cacheSettings is what the configuration says of the cache, beside where it is.
func (b *builder) cacheSettings(kind string, guarded bool) (s cache.Settings, ok bool) {
	p := b.cfg.LiteLLMSettings.CacheParams
	ok = true
	check := func(name string, err error) {
		if err != nil {
			ok = false
			b.mistake("litellm_settings.cache_params."+name, err)
		}
	}
	var err error
	s = cache.Settings{
		Namespace: p.Namespace, TTL: b.cacheTTL(kind), OptIn: p.Mode == "default_off", Guarded: guarded, Group: b.cachingGroup(),
		ByTags: b.shownFlag("router_settings", "enable_tag_filtering"), Count: b.cacheEvents(), Logger: b.log,
	}
	s.Kinds, err = cache.ParseKinds(p.SupportedCallTypes)
	check("supported_call_types", err)
	s.Scope, err = cache.ParseScope(p.Scope)
	check("scope", err)
	if p.MaxEntryMB != nil {
		s.MaxEntry = int(*p.MaxEntryMB * (1 << 20))
	}
	if w := p.SingleFlightWait; w != nil {
		if s.Wait = w.Duration(); s.Wait == 0 {
			s.Wait = -1
		}
	}
	if p.StaleWhileRevalidate != nil && p.StaleWhileRevalidate.Duration() > 0 {
		s.Stale = p.StaleWhileRevalidate.Duration()
		s.Refresh = func(ctx context.Context, x *llm.Exchange, back func(*llm.Reply) error) {
			if err := b.gateway.Repeat(ctx, x, back); err != nil {
				b.log.Debug("a cached answer could not be renewed", "call_id", x.ID.String(), "error", err)
			}
		}
	}
	return s, ok
}

// shownFlag is a setting that is on, whatever type has it.
func (b *builder) shownFlag(section, name string) bool {
	m, _ := b.cfg.Shown(section).(map[string]any)
	on, _ := m[name].(bool)
	return on
}

// Lifetimes of entries that nothing is said about: those of the reference (litellm/caching/in_memory_cache.py,
// base_cache.py). Elsewhere entries stay as long as there is room.
const (
	localTTL = 10 * time.Minute
	redisTTL = time.Minute
)

// cacheTTL is how long an entry lives unless a request says otherwise.
func (b *builder) cacheTTL(kind string) time.Duration {
	lite := b.cfg.LiteLLMSettings
	p := lite.CacheParams
	own, global, fallback := (*config.Seconds)(nil), (*config.Seconds)(nil), time.Duration(0)
	switch kind {
	case "local":
		own, global, fallback = p.DefaultInMemoryTTL, lite.DefaultInMemoryTTL, localTTL
	case "redis", "redis-semantic":
		own, global, fallback = p.DefaultInRedisTTL, lite.DefaultRedisTTL, redisTTL
	}
	for _, s := range []*config.Seconds{own, p.TTL, global} {
		if s != nil {
			return s.Duration()
		}
	}
	return fallback
}

// cachingGroup is what stands for a model in keys: the group that an alias stands for, and the first of those that share
// answers.
func (b *builder) cachingGroup() func(string) string {
	names := map[string]string{}
	for _, group := range b.cfg.RouterSettings.CachingGroups {
		name := "\x00" + strings.Join(slices.Sorted(slices.Values(group)), "\x00")
		for _, model := range group {
			names[model] = name
		}
	}
	alias := b.cfg.RouterSettings.ModelGroupAlias
	return func(model string) string {
		if a, ok := alias[model]; ok {
			model = a.Model
		}
		if name, ok := names[model]; ok {
			return name
		}
		return model
	}
}

// cacheEvents counts what the cache does.
func (b *builder) cacheEvents() func(cache.Event) {
	total, err := telemetry.Register(b.metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sallyport_cache_events_total", Help: "What the cache of answers did: hit, similar, stale, joined, miss, invalid, stored, dropped, refused, failed.",
	}, []string{"event"}))
	if err != nil {
		b.mistake("litellm_settings.cache", err)
		return nil
	}
	counts := map[cache.Event]prometheus.Counter{}
	for _, e := range []cache.Event{
		cache.EventHit, cache.EventSimilar, cache.EventStale, cache.EventJoined, cache.EventMiss, cache.EventInvalid, cache.EventStored,
		cache.EventDropped, cache.EventRefused, cache.EventFailed,
	} {
		counts[e] = total.WithLabelValues(string(e))
	}
	return func(e cache.Event) { counts[e].Inc() }
}

// cacheState tells whether the store of the cache is left alone.
func (b *builder) cacheState() func(open bool) {
	return b.cacheGauge("sallyport_cache_store_unreachable", "1 while the store of the cache does not answer and requests go on without it.")
}

// cacheFull tells whether the store of the cache refuses writes.
func (b *builder) cacheFull() func(full bool) {
	return b.cacheGauge("sallyport_cache_store_full", "1 while the store of the cache takes no writes and answers are kept in memory.")
}

// cacheGauge is 1 for true and 0 for false.
func (b *builder) cacheGauge(name, help string) func(bool) {
	gauge, err := telemetry.Register(b.metrics, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
	if err != nil {
		b.mistake("litellm_settings.cache", err)
		return nil
	}
	gauge.Set(0)
	return func(on bool) {
		if on {
			gauge.Set(1)
			return
		}
		gauge.Set(0)
	}
}
