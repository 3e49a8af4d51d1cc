package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/rawio"
)

// past is a deadline that has gone by; setting it wakes whoever reads or writes.
func past() time.Time { return time.Unix(1, 0) }

func tlsBase(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	} else {
		c = c.Clone()
	}
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	if c.NextProtos == nil {
		// Some servers pick a protocol for a client that names none, and not always the one we speak.
		c.NextProtos = []string{"http/1.1"}
	}
	return c
}

// environment is the proxy setting of the environment. A proxy that is set and cannot be used is an error: going around
// it would be worse.
func environment(c *httpproxy.Config) func(*url.URL) (*url.URL, error) {
	choose := c.ProxyFunc()
	broken := func(proxy string) bool {
		if proxy == "" {
			return false
		}
		if !strings.Contains(proxy, "://") {
			proxy = "http://" + proxy
		}
		u, err := url.Parse(proxy)
		return err != nil || u.Hostname() == ""
	}
	return func(u *url.URL) (*url.URL, error) {
		proxy, err := choose(u)
		if err == nil && (u.Scheme == "https" && broken(c.HTTPSProxy) || u.Scheme == "http" && broken(c.HTTPProxy)) {
			err = errors.New("the proxy is not a URL")
		}
		return proxy, err
	}
}

// useProxy works out once how the target is reached.
func (p *pool) useProxy(t *llm.Target) error {
	u, err := p.client.network.Load().proxy(&url.URL{Scheme: t.Scheme, Host: t.Addr})
	if err != nil {
		// The error of the environment's parser quotes the setting, which may hold a password.
		return invalid("The proxy for " + quote(t.Addr) + " is not a valid URL: correct HTTP_PROXY or HTTPS_PROXY.")
	}
	if u == nil {
		return nil
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return invalid("The proxy scheme " + quote(u.Scheme) + " is not known: use http, https, socks5 or socks5h.")
	}
	p.proxy = u
	if t.Scheme == "https" || strings.HasPrefix(u.Scheme, "socks") {
		return nil
	}
	p.prefix = []byte("http://" + t.Host)
	if auth := proxyAuth(u); auth != "" {
		p.lines = append(p.lines, auth...)
	}
	return nil
}

func proxyAuth(u *url.URL) string {
	if u.User == nil {
		return ""
	}
	pass, _ := u.User.Password()
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+pass)) + "\r\n"
}

// dial opens a connection to the target: through the proxy, and under TLS, if so configured. raw is what lies below TLS.
func (p *pool) dial(ctx context.Context) (top, raw net.Conn, err error) {
	raw, err = p.reach(ctx)
	if err != nil || p.scheme == "http" {
		return raw, raw, err
	}
	top, err = handshake(ctx, raw, p.name, p.tls)
	if err != nil {
		raw.Close()
		return nil, nil, &tlsError{err}
	}
	return top, raw, nil
}

// reach connects to the target, or makes a proxy do so.
func (p *pool) reach(ctx context.Context) (net.Conn, error) {
	if p.proxy == nil {
		return p.client.dial(ctx, p.addr)
	}
	if strings.HasPrefix(p.proxy.Scheme, "socks") {
		return p.socks(ctx)
	}
	conn, err := p.client.dial(ctx, withPort(p.proxy))
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if p.proxy.Scheme == "https" {
		secure, err := handshake(ctx, conn, p.proxy.Hostname(), p.client.network.Load().tls)
		if err != nil {
			conn.Close()
			return nil, fmt.Errorf("proxy: %w", &tlsError{err})
		}
		conn = secure
	}
	if p.scheme == "http" {
		return conn, nil
	}
	if err := p.connect(ctx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// connect asks an HTTP proxy for a tunnel.
func (p *pool) connect(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(past()) })
	defer stop()
	request := "CONNECT " + p.addr + " HTTP/1.1\r\nHost: " + p.addr + "\r\n" + proxyAuth(p.proxy) + "\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		return fmt.Errorf("proxy: %w", timedOut(ctx, err))
	}
	br := bufio.NewReaderSize(conn, readBuffer)
	watch := &watched{conn: conn}
	br.Reset(watch)
	var head fasthttp.ResponseHeader
	if err := head.Read(br); err != nil {
		if watch.err != nil {
			return fmt.Errorf("proxy: %w", timedOut(ctx, watch.err))
		}
		return errors.New("proxy: the answer to CONNECT is not HTTP")
	}
	if code := head.StatusCode(); code < 200 || code > 299 {
		return fmt.Errorf("proxy: CONNECT was refused with status %d", code)
	}
	if br.Buffered() != 0 {
		return errors.New("proxy: data came before the tunnel was used")
	}
	if !stop() {
		return fmt.Errorf("proxy: %w", timedOut(ctx, os.ErrDeadlineExceeded))
	}
	return nil
}

// timedOut gives the context's reason for an error that the context caused.
func timedOut(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// watched remembers what went wrong below a parser that hides it.
type watched struct {
	conn net.Conn
	err  error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.conn.Read(p)
	w.err = err
	return n, err
}

func (p *pool) socks(ctx context.Context) (net.Conn, error) {
	var auth *proxy.Auth
	if u := p.proxy.User; u != nil {
		pass, _ := u.Password()
		auth = &proxy.Auth{User: u.Username(), Password: pass}
	}
	d, err := proxy.SOCKS5("tcp", withPort(p.proxy), auth, dialer{p.client})
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	conn, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return conn, nil
}

// dialer lets the SOCKS client open connections our way.
type dialer struct{ client *Client }

func (d dialer) Dial(_, addr string) (net.Conn, error) {
	return d.client.dial(context.Background(), addr)
}

func (d dialer) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	return d.client.dial(ctx, addr)
}

func (cl *Client) dial(ctx context.Context, addr string) (net.Conn, error) {
	network := "tcp"
	if cl.network.Load().ipv4 {
		network = "tcp4"
	}
	nc, err := cl.set.Dial(ctx, network, addr)
	if tc, ok := nc.(*net.TCPConn); ok && err == nil {
		return rawio.New(tc), nil
	}
	return nc, err
}

func handshake(ctx context.Context, conn net.Conn, name string, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = name
	}
	secure := tls.Client(conn, config)
	return secure, secure.HandshakeContext(ctx)
}

// withPort is the address of a proxy, with the port that its scheme implies if it names none.
func withPort(u *url.URL) string {
	if port := u.Port(); port != "" {
		return net.JoinHostPort(u.Hostname(), port)
	}
	switch u.Scheme {
	case "https":
		return net.JoinHostPort(u.Hostname(), "443")
	case "http":
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return net.JoinHostPort(u.Hostname(), "1080")
}

// hostname is a host without its port and without the brackets of an IPv6 address.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
