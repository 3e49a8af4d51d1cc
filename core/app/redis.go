package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/callback/spend"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
	meeting "github.com/sallyport-ai/sallyport/core/router/shared"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// redisAddress is where the configuration says Redis is: router_settings, and the REDIS_ variables for what they do not say.
func redisAddress(cfg *config.Config) (shared.Address, error) {
	r := cfg.RouterSettings
	a := shared.Address{URL: r.RedisURL.Reveal(), Host: r.RedisHost, Password: r.RedisPassword.Reveal()}
	if r.RedisPort != nil {
		a.Port = fmt.Sprint(r.RedisPort)
	}
	return a, completeRedis(&a, r.RedisDB, cfg.Variables.RedisVariables)
}

// completeRedis takes from the REDIS_ variables what the settings of an address leave open, as the reference does for each
// argument of its client (litellm/_redis.py, _get_redis_client_logic). Where Redis is, is said by one of both.
func completeRedis(a *shared.Address, db *int, v config.RedisVariables) (err error) {
	if a.Empty() {
		a.URL, a.Host = v.RedisURL.Reveal(), v.RedisHost
		if v.RedisClusterNodes != "" {
			if a.Cluster, err = redisNodes(v.RedisClusterNodes); err != nil {
				return badParam("REDIS_CLUSTER_NODES", "%w", err)
			}
		}
		if v.RedisSentinelNodes != "" {
			if a.Sentinels, err = redisNodes(v.RedisSentinelNodes); err != nil {
				return badParam("REDIS_SENTINEL_NODES", "%w", err)
			}
		}
	}
	a.Port, a.Username = cmp.Or(a.Port, v.RedisPort), cmp.Or(a.Username, v.RedisUsername)
	a.Primary, a.Conns = cmp.Or(a.Primary, v.RedisServiceName), cmp.Or(a.Conns, v.RedisMaxConnections)
	a.SentinelPassword = cmp.Or(a.SentinelPassword, v.RedisSentinelPassword.Reveal())
	a.Password = cmp.Or(a.Password, v.RedisPassword.Reveal())
	if len(a.Sentinels) > 0 {
		a.Password = cmp.Or(a.Password, a.SentinelPassword) // as in _build_sentinel_master_kwargs
	}
	a.TLS = a.TLS || v.RedisSSL
	a.DB = v.RedisDB
	if db != nil {
		a.DB = *db
	}
	return nil
}

// redisNodes reads a JSON list of nodes, each {"host", "port"} or [host, port], as the reference has them
// (litellm/_redis.py), or host:port with commas between them.
func redisNodes(text string) ([]string, error) {
	var list []any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		if strings.ContainsAny(text, "[{") {
			return nil, fmt.Errorf("this is no JSON list of nodes: %w", err)
		}
		return strings.Split(strings.ReplaceAll(text, " ", ""), ","), nil
	}
	var out []string
	for _, n := range list {
		switch n := n.(type) {
		case string:
			out = append(out, n)
		case map[string]any:
			out = append(out, net.JoinHostPort(fmt.Sprint(n["host"]), fmt.Sprint(n["port"])))
		case []any:
			if len(n) == 2 {
				out = append(out, net.JoinHostPort(fmt.Sprint(n[0]), fmt.Sprint(n[1])))
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf(`no node is listed: write [{"host": "10.0.0.1", "port": 6379}]`)
	}
	return out, nil
}

// startRedis connects to Redis, if there is one. It does not wait for it: without it each replica counts alone.
func (a *App) startRedis(cfg *config.Config) error {
	addr, err := redisAddress(cfg)
	if err == nil && !addr.Empty() {
		err = a.secureRedis(&addr, cfg, config.CacheParams{})
	}
	if at, ok := errors.AsType[*settingError](err); ok {
		return fmt.Errorf("%s: %w", at.name, at.err)
	}
	if err != nil || addr.Empty() {
		return err
	}
	redis.SetLogger(shared.Quiet{})
	s := shared.Settings{Replica: a.replica, Logger: a.log.With("redis", redisPlace(addr)), Timeout: socketTimeout(cfg)}
	addr.Timeout = s.Timeout
	client, err := shared.Connect(addr)
	if err != nil {
		return err
	}
	s.Client = client
	a.host.UseStore(wasm.NewRedisStore(client, a.log))
	a.redis = client
	a.shared = shared.New(s)
	a.routers = meeting.New(meeting.Settings{Client: client, States: a.states, Timeout: s.Timeout, Logger: a.log})
	a.checks.redis = client
	return nil
}

// socketTimeout is how long a request waits for Redis, or 0 if nothing is said.
func socketTimeout(cfg *config.Config) time.Duration {
	if f, err := strconv.ParseFloat(cfg.Variables.RedisSocketTimeout, 64); err == nil && f > 0 {
		return time.Duration(f * float64(time.Second))
	}
	return 0
}

func (a *App) closeRedis() {
	if a.shared != nil {
		_ = a.routers.Close()
		_ = a.shared.Close()
	}
}

// touched says that rows changed whose spend all replicas count together, and returns the states of their scopes: what was
// read before counts for certain no more.
func (a *App) touched(list []store.Change) (lives []*llm.Live) {
	if a.shared == nil {
		return nil
	}
	touch := func(live *llm.Live, change int64) {
		if live != nil {
			live.Changed(change)
			lives = append(lives, live)
		}
	}
	for _, c := range list {
		if c.Kind == store.KindEverything {
			for _, live := range a.registry.Used(0) {
				touch(live, c.Seq)
			}
			continue
		}
		if kind, ok := scopeKind(c.Kind); ok {
			touch(a.registry.Find(kind, c.ID), c.Seq)
		}
		if c.Kind == store.KindUser && c.ID == store.ProxyBudgetUser {
			touch(a.registry.Find(llm.ScopeProxy, spend.ProxyID), c.Seq)
		}
	}
	return lives
}

// tellChanged tells all replicas of spend that became less by changes: a period ended, or somebody set it. read says that
// what the database has now was read; otherwise it is told when it was.
func (a *App) tellChanged(list []store.Change, lives []*llm.Live, read bool) {
	if a.shared == nil || len(list) == 0 {
		return
	}
	last := list[len(list)-1].Seq
	a.shared.Learned(last)
	if !read {
		return
	}
	for _, live := range lives {
		if live.Learned(last) {
			a.shared.Tell(live)
		}
	}
}

// scopeKind is the kind of scope that a row's spend belongs to.
func scopeKind(k store.Kind) (llm.ScopeKind, bool) {
	switch k {
	case store.KindKey:
		return llm.ScopeKey, true
	case store.KindTeam:
		return llm.ScopeTeam, true
	case store.KindTeamMember:
		return llm.ScopeTeamMember, true
	case store.KindUser:
		return llm.ScopeUser, true
	case store.KindOrganization:
		return llm.ScopeOrganization, true
	case store.KindOrgMember:
		return llm.ScopeOrgMember, true
	case store.KindEndUser:
		return llm.ScopeEndUser, true
	case store.KindTag:
		return llm.ScopeTag, true
	}
	return 0, false
}
