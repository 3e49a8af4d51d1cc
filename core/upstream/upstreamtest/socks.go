package upstreamtest

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// NewSocks starts a SOCKS5 proxy (RFC 1928) that wants a user name and password (RFC 1929) and connects to IPv4
// addresses and names. It stops at the end of the test.
func NewSocks(t testing.TB, user, password string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen on 127.0.0.1: %v", err)
	}
	p := &Proxy{URL: "socks5://" + l.Addr().String(), listener: l}
	p.play = func(client net.Conn) { p.socks(client, user, password) }
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *Proxy) socks(client net.Conn, user, password string) {
	defer client.Close()
	if !greet(client, user, password) {
		return
	}
	addr, ok := destination(client)
	if !ok {
		return
	}
	p.record(Request{Method: "SOCKS", Path: addr})
	server, err := net.Dial("tcp", addr)
	if err != nil {
		client.Write([]byte{5, 1, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer server.Close()
	p.keep(server)
	client.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	var copying sync.WaitGroup
	copying.Go(func() {
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	})
	io.Copy(client, server)
	client.Close()
	copying.Wait()
}

// greet agrees on a password and checks it.
func greet(c net.Conn, user, password string) bool {
	if _, ok := lengthed(c, 1); !ok {
		return false
	}
	c.Write([]byte{5, 2})
	name, ok := lengthed(c, 1)
	if !ok {
		return false
	}
	pass, ok := lengthed(c, 0)
	if !ok || name != user || pass != password {
		c.Write([]byte{1, 1})
		return false
	}
	c.Write([]byte{1, 0})
	return true
}

// lengthed reads a text that follows its length, after skip bytes.
func lengthed(c net.Conn, skip int) (string, bool) {
	b := make([]byte, skip+1)
	if _, err := io.ReadFull(c, b); err != nil {
		return "", false
	}
	text := make([]byte, b[skip])
	_, err := io.ReadFull(c, text)
	return string(text), err == nil
}

// destination reads a request to connect.
func destination(c net.Conn) (string, bool) {
	var b [4]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return "", false
	}
	var host string
	switch b[3] {
	case 1:
		var ip [4]byte
		if _, err := io.ReadFull(c, ip[:]); err != nil {
			return "", false
		}
		host = net.IP(ip[:]).String()
	case 3:
		name, ok := lengthed(c, 0)
		if !ok {
			return "", false
		}
		host = name
	default:
		return "", false
	}
	var port [2]byte
	if _, err := io.ReadFull(c, port[:]); err != nil {
		return "", false
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1]))), true
}
