package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/disk"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/local"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/redis"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
	"github.com/sallyport-ai/sallyport/core/router"
)

// answerStores is where answers are kept. It outlives a reload that does not change it.
type answerStores struct {
	store   cache.Store
	similar *cache.Similar
	redis   *redis.Store // nil unless answers are in Redis
	place   string       // for people; holds no secret
	close   func() error

	key   [32]byte
	users int
}

// heldAnswers are the stores in use.
type heldAnswers struct {
	mu   sync.Mutex
	open []*answerStores
}

// use returns the stores with the key, opening them if need be, and a func that gives them back. The last one closes them.
func (h *heldAnswers) use(key [32]byte, open func() (*answerStores, error)) (*answerStores, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var s *answerStores
	for _, there := range h.open {
		if there.key == key {
			s = there
		}
	}
	if s == nil {
		var err error
		if s, err = open(); err != nil {
			return nil, nil, err
		}
		s.key = key
		h.open = append(h.open, s)
	}
	s.users++
	return s, sync.OnceFunc(func() { h.giveBack(s) }), nil
}

func (h *heldAnswers) giveBack(s *answerStores) {
	h.mu.Lock()
	s.users--
	last := s.users == 0
	if last {
		for i := range h.open {
			if h.open[i] == s {
				h.open = append(h.open[:i], h.open[i+1:]...)
				break
			}
		}
	}
	h.mu.Unlock()
	if last {
		_ = s.close() // what could not be written is gone with the gateway
	}
}

// cacheKey tells apart configurations whose answers are not in the same place.
func (b *builder) cacheKey(kind string) [32]byte {
	p := b.cfg.LiteLLMSettings.CacheParams
	// What does not concern the place must not empty the cache in memory when it changes.
	p.Mode, p.TTL, p.DefaultInMemoryTTL, p.DefaultInRedisTTL, p.SupportedCallTypes, p.Namespace = "", nil, nil, nil, nil, ""
	p.Scope, p.StaleWhileRevalidate, p.SingleFlightWait, p.MaxEntryMB = "", nil, nil, nil
	addr, _ := cacheRedis(b.cfg)
	v := b.cfg.Variables
	// Secrets do not show themselves, so they are added.
	raw, _ := json.Marshal([]any{
		kind, p, addr, p.Password.Reveal(), p.URL.Reveal(), p.S3AccessKey.Reveal(), p.S3SecretKey.Reveal(), p.S3SessionToken.Reveal(),
		p.QdrantAPIKey.Reveal(), p.SentinelPassword.Reveal(), v.RedisVariables, v.QdrantURL, v.QdrantAPIBase, v.QdrantAPIKey.Reveal(),
	})
	return sha256.Sum256(raw)
}

// openAnswers opens the stores of a kind. It does not wait for what is not in the process.
func (b *builder) openAnswers(kind string, r *router.Router) (*answerStores, error) {
	p := b.cfg.LiteLLMSettings.CacheParams
	switch kind {
	case "local":
		return b.localAnswers(p)
	case "disk":
		return b.diskAnswers(p)
	case "redis":
		return b.redisAnswers()
	case "s3":
		return b.s3Answers(p)
	case "gcs":
		return b.gcsAnswers(p)
	case "azure-blob":
		return b.azureAnswers(p)
	case localSemantic:
		return b.localSemanticAnswers(p, r)
	case "qdrant-semantic":
		return b.qdrantAnswers(p, r)
	case "redis-semantic":
		return b.redisSemanticAnswers(p, r)
	}
	return nil, badParam("type", "%q is no kind of cache", kind)
}

func (b *builder) localAnswers(p config.CacheParams) (*answerStores, error) {
	s, err := local.New(bytesOf(p.MaxSizeMB))
	if err != nil {
		return nil, err
	}
	return &answerStores{store: s, place: "memory", close: s.Close}, nil
}

// defaultDiskDir is the reference's (litellm/caching/disk_cache.py).
const defaultDiskDir = ".litellm_cache"

func (b *builder) diskAnswers(p config.CacheParams) (*answerStores, error) {
	dir := p.DiskCacheDir
	if dir == "" {
		dir = filepath.Join(cmp.Or(b.opts.Dir, "."), defaultDiskDir)
	}
	s, err := disk.Open(dir, bytesOf(p.MaxSizeMB))
	if err != nil {
		return nil, badParam("disk_cache_dir", "%w", err)
	}
	return b.remote(s, "disk", dir, time.Second), nil
}

// fallbackSize is how many bytes of answers are kept in memory while a store does not answer.
const fallbackSize = 32 << 20

// remote keeps a store that may be slow or gone at arm's length.
func (b *builder) remote(s cache.Store, name, place string, timeout time.Duration) *answerStores {
	if t := b.cfg.LiteLLMSettings.CacheParams.LookupTimeout; t != nil && t.Duration() > 0 {
		timeout = t.Duration()
	}
	r := cache.RemoteSettings{
		Store: s, Name: name, Timeout: timeout, Count: b.cacheEvents(), State: b.cacheState(), Full: b.cacheFull(), Logger: b.log,
	}
	if fallback, err := local.New(fallbackSize); err == nil {
		r.Fallback = fallback
	}
	held := cache.NewRemote(r)
	return &answerStores{store: held, place: place, close: held.Close}
}

// cacheClient connects to the Redis that cache_params or the variables name.
func (b *builder) cacheClient() (goredis.UniversalClient, shared.Address, error) {
	addr, err := cacheRedis(b.cfg)
	if err != nil {
		return nil, addr, err
	}
	if addr.Empty() {
		return nil, addr, badParam("host", "no Redis is named: set host here or the variable REDIS_HOST")
	}
	if err := b.secureRedis(&addr, b.cfg, b.cfg.LiteLLMSettings.CacheParams); err != nil {
		return nil, addr, err
	}
	goredis.SetLogger(shared.Quiet{})
	client, err := shared.Connect(addr)
	return client, addr, err
}

func (b *builder) redisAnswers() (*answerStores, error) {
	client, addr, err := b.cacheClient()
	if err != nil {
		return nil, err
	}
	s := redis.New(client)
	out := b.remote(s, "redis", redisPlace(addr), cachePatience(b.cfg))
	out.redis = s
	return out, nil
}

// cachePatience is how long a request waits for the cache's Redis, unless lookup_timeout says it.
func cachePatience(cfg *config.Config) time.Duration {
	if t := cfg.LiteLLMSettings.CacheParams.SocketTimeout; t != nil && t.Duration() > 0 {
		return t.Duration()
	}
	return cmp.Or(socketTimeout(cfg), 100*time.Millisecond)
}

// redisPlace is where Redis is, without a secret.
func redisPlace(a shared.Address) string {
	switch {
	case len(a.Cluster) > 0:
		return fmt.Sprintf("cluster of %v", a.Cluster)
	case len(a.Sentinels) > 0:
		return fmt.Sprintf("%s as %v know it", cmp.Or(a.Primary, "mymaster"), a.Sentinels)
	case a.Host != "":
		return net.JoinHostPort(a.Host, cmp.Or(a.Port, "6379"))
	}
	if u, err := url.Parse(a.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return "the server of its URL"
}

// cacheRedis is where Redis is for the cache: cache_params, and the REDIS_ variables for what they do not say.
func cacheRedis(cfg *config.Config) (shared.Address, error) {
	p := cfg.LiteLLMSettings.CacheParams
	a := shared.Address{
		URL: p.URL.Reveal(), Host: p.Host, Username: p.Username, Password: p.Password.Reveal(), TLS: p.SSL, Primary: p.ServiceName,
		SentinelPassword: p.SentinelPassword.Reveal(), Conns: or(p.MaxConnections),
	}
	if p.Port != nil {
		a.Port = fmt.Sprint(p.Port)
	}
	var err error
	if len(p.RedisStartupNodes) > 0 {
		a.Cluster, err = nodesOf(p.RedisStartupNodes)
		if err != nil {
			return a, badParam("redis_startup_nodes", "%w", err)
		}
	}
	if len(p.SentinelNodes) > 0 {
		if a.Sentinels, err = nodesOf(p.SentinelNodes); err != nil {
			return a, badParam("sentinel_nodes", "%w", err)
		}
	}
	return a, completeRedis(&a, p.DB, cfg.Variables.RedisVariables)
}

// nodesOf reads a list of nodes as redisNodes does.
func nodesOf(list any) ([]string, error) {
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return redisNodes(string(raw))
}
