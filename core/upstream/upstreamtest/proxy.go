package upstreamtest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// Proxy is an HTTP proxy on 127.0.0.1. It tunnels on CONNECT and forwards requests that name a whole URL.
type Proxy struct {
	URL string

	listener net.Listener
	play     func(client net.Conn)
	running  sync.WaitGroup

	mu     sync.Mutex
	seen   []Request
	refuse int
	conns  []net.Conn
}

// NewProxy starts a proxy, which stops at the end of the test.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen on 127.0.0.1: %v", err)
	}
	p := &Proxy{URL: "http://" + l.Addr().String(), listener: l}
	p.play = p.serve
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Refuse makes the proxy answer every request with the status from now on.
func (p *Proxy) Refuse(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = status
}

// Seen returns the requests made to the proxy itself, without what went through a tunnel.
func (p *Proxy) Seen() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.keep(c)
		p.running.Go(func() { p.play(c) })
	}
}

func (p *Proxy) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
}

func (p *Proxy) record(r Request) (refuse int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r)
	return p.refuse
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	br := bufio.NewReader(client)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	refuse := p.record(Request{Method: r.Method, Path: r.RequestURI, Host: r.Host, Header: r.Header.Clone()})
	if refuse != 0 {
		io.WriteString(client, Head(refuse, "Content-Length: 0"))
		return
	}
	server, err := net.Dial("tcp", r.Host)
	if err != nil {
		io.WriteString(client, Head(http.StatusBadGateway, "Content-Length: 0"))
		return
	}
	defer server.Close()
	p.keep(server)
	if r.Method == http.MethodConnect {
		io.WriteString(client, Head(http.StatusOK))
	} else {
		// The first request is forwarded in the form a server expects; what follows on the connection goes as it is.
		r.Header.Del("Proxy-Authorization")
		if err := r.Write(server); err != nil {
			return
		}
	}
	var copying sync.WaitGroup
	copying.Go(func() {
		io.Copy(server, br)
		server.(*net.TCPConn).CloseWrite()
	})
	io.Copy(client, server)
	client.Close()
	copying.Wait()
}
