package shared

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Address says where Redis is and how it is run: a URL or a host, nodes of a cluster, or sentinels.
type Address struct {
	URL      string // redis://, rediss:// or unix://; the other fields count where it says nothing
	Host     string
	Port     string // default 6379
	Username string
	Password string
	DB       int
	TLS      bool

	Cluster   []string // host:port of some nodes
	Sentinels []string // host:port
	Primary   string   // the name that the sentinels know; default mymaster
	// SentinelPassword is that of the sentinels themselves.
	SentinelPassword string
	Conns            int // most connections to a server; 0 takes the library's
	// Timeout is the longest that an operation whose context has no end takes, and a connection; two seconds and one, if it is
	// less.
	Timeout time.Duration

	// Login tells name and password of each new connection, in place of those above; nil takes those.
	Login func(ctx context.Context) (username, password string, err error) `json:"-"`
	// Trust says with TLS whose certificates are good, and what the gateway shows; nil takes the machine's authorities.
	Trust *tls.Config `json:"-"`
}

// Empty reports whether there is no address.
func (a Address) Empty() bool {
	return a.URL == "" && a.Host == "" && len(a.Cluster) == 0 && len(a.Sentinels) == 0
}

const (
	dialTimeout    = time.Second
	defaultPort    = "6379"
	defaultPrimary = "mymaster"
)

// Connect makes a client that gives up when its context ends and tries nothing twice: whoever asks has a way to go on
// without. It does not wait for Redis to be there. An error never holds the password.
func Connect(a Address) (redis.UniversalClient, error) {
	o := &redis.UniversalOptions{
		Username: a.Username, Password: a.Password, DB: a.DB, MaxRetries: -1, DialTimeout: max(dialTimeout, a.Timeout),
		ContextTimeoutEnabled: true, ReadTimeout: max(settlePatience, a.Timeout), WriteTimeout: max(settlePatience, a.Timeout),
		SentinelPassword: a.SentinelPassword, PoolSize: a.Conns,
		CredentialsProviderContext: a.Login,
	}
	if a.TLS {
		o.TLSConfig = a.trust("")
	}
	switch {
	case len(a.Cluster) > 0:
		o.Addrs, o.IsClusterMode = a.Cluster, true
		return redis.NewUniversalClient(o), nil
	case len(a.Sentinels) > 0:
		o.Addrs, o.MasterName = a.Sentinels, a.Primary
		if o.MasterName == "" {
			o.MasterName = defaultPrimary
		}
		return redis.NewUniversalClient(o), nil
	case a.URL != "":
		return a.url(o)
	case a.Host == "":
		return nil, errors.New("redis: no host is named")
	}
	port := a.Port
	if port == "" {
		port = defaultPort
	}
	o.Addrs = []string{net.JoinHostPort(a.Host, port)}
	return redis.NewUniversalClient(o), nil
}

// trust is how TLS is spoken with a server; an empty name is that of the host.
func (a Address) trust(name string) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.Trust != nil {
		t = a.Trust.Clone()
	}
	t.ServerName = name
	return t
}

func (a Address) url(o *redis.UniversalOptions) (redis.UniversalClient, error) {
	one, err := redis.ParseURL(a.URL)
	if err != nil {
		scheme, _, _ := strings.Cut(a.URL, "://")
		return nil, fmt.Errorf("redis: the address (%s://…) is not one such as redis://user:password@host:6379/0", scheme[:min(len(scheme), 10)])
	}
	one.MaxRetries, one.DialTimeout, one.ContextTimeoutEnabled = o.MaxRetries, o.DialTimeout, true
	one.ReadTimeout, one.WriteTimeout = o.ReadTimeout, o.WriteTimeout
	one.CredentialsProviderContext = a.Login
	if one.TLSConfig != nil {
		one.TLSConfig = a.trust(one.TLSConfig.ServerName)
	}
	if one.Password == "" {
		one.Password = a.Password
	}
	if one.Username == "" {
		one.Username = a.Username
	}
	if one.DB == 0 {
		one.DB = a.DB
	}
	if a.Conns > 0 {
		one.PoolSize = a.Conns
	}
	if one.TLSConfig == nil && a.TLS {
		one.TLSConfig = o.TLSConfig
	}
	return redis.NewClient(one), nil
}

// Quiet keeps the client library from writing to standard error on its own: what goes wrong is said once by whoever uses
// it.
type Quiet struct{}

// Printf implements the library's logger.
func (Quiet) Printf(context.Context, string, ...any) {}
