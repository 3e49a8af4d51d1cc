package main

import (
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"
)

// listenAndAnnounce serves on a free port of the loopback interface and writes
// its address to standard output.
func listenAndAnnounce(serve func(net.Listener) error) error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	announce(os.Stdout, listener.Addr().String())
	return serve(listener)
}

// bareProxy is the least a reverse proxy on fasthttp can do: the request goes out
// as it came in, and the reply is read into the caller's. No check, no routing, no
// record. With streaming the reply's body is passed on as it arrives.
func bareProxy(upstream string, streaming bool) func(net.Listener) error {
	client := &fasthttp.HostClient{
		Addr:                     upstream,
		MaxConns:                 1 << 14,
		NoDefaultUserAgentHeader: true,
		StreamResponseBody:       streaming,
		Dial: func(addr string) (net.Conn, error) {
			return net.DialTimeout("tcp4", addr, 5*time.Second)
		},
	}
	server := &fasthttp.Server{
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			if err := client.Do(&ctx.Request, &ctx.Response); err != nil {
				ctx.Response.Reset()
				ctx.Error(err.Error(), fasthttp.StatusBadGateway)
			}
		},
	}
	return server.Serve
}
