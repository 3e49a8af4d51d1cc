package app

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/sallyport-ai/sallyport/core/upstream"
)

// wire is what credentials are fetched over: connections that are opened like those to models. The zero value opens them
// as Go does.
type wire struct{ way atomic.Pointer[way] }

type way struct {
	network   upstream.Network
	transport *http.Transport
}

// use has connections opened like this from now on.
func (w *wire) use(n upstream.Network) {
	next := &way{network: n, transport: http.DefaultTransport.(*http.Transport).Clone()}
	next.prepare(next.transport)
	if old := w.way.Swap(next); old != nil {
		old.transport.CloseIdleConnections()
	}
}

// client is for clients that take a client.
func (w *wire) client() *http.Client { return &http.Client{Transport: w} }

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if way := w.way.Load(); way != nil {
		return way.transport.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// prepare is for clients that have transports of their own.
func (w *wire) prepare(t *http.Transport) {
	if way := w.way.Load(); way != nil {
		way.prepare(t)
	}
}

func (w *way) prepare(t *http.Transport) {
	n := w.network
	if n.TLS != nil {
		t.TLSClientConfig = n.TLS.Clone()
		if pool := n.TLS.RootCAs; pool != nil {
			t.TLSClientConfig.RootCAs = pool.Clone() // Amazon's client adds AWS_CA_BUNDLE to it
		}
	}
	if n.Proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return n.Proxy(r.URL) }
	}
	if dial := t.DialContext; n.ForceIPv4 && dial != nil {
		t.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, "tcp4", address) }
	}
}
