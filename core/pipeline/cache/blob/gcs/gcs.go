// Package gcs is the XML API of Google Cloud Storage (https://cloud.google.com/storage/docs/xml-api/overview): objects are
// read, written, removed and listed.
package gcs

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
)

const defaultEndpoint = "https://storage.googleapis.com"

// API implements blob.API.
type API struct {
	target *llm.Target
	path   string
}

var _ blob.API = (*API)(nil)

// New makes the API of a bucket. endpoint is that of an emulator, as in STORAGE_EMULATOR_HOST; empty is Google's.
func New(bucket, endpoint string) (*API, error) {
	if bucket == "" || strings.ContainsAny(bucket, "/?#%\\ \r\n") {
		return nil, fmt.Errorf("%q is no bucket", bucket)
	}
	if endpoint == "" {
		endpoint = defaultEndpoint
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a storage", endpoint)
	}
	addr := u.Host
	if u.Port() == "" {
		port := "443"
		if u.Scheme == "http" {
			port = "80"
		}
		addr = net.JoinHostPort(u.Hostname(), port)
	}
	return &API{&llm.Target{Scheme: u.Scheme, Host: u.Host, Addr: addr}, strings.TrimRight(u.EscapedPath(), "/") + "/" + bucket}, nil
}

// Target is the server of the bucket.
func (a *API) Target() *llm.Target { return a.target }

// Object implements blob.API.
func (a *API) Object(name string) string { return a.path + "/" + name }

// List implements blob.API.
func (a *API) List(prefix, page string) string { return blob.BucketList(a.path, prefix, page) }

// Listed implements blob.API (https://cloud.google.com/storage/docs/xml-api/get-bucket-list).
func (a *API) Listed(body []byte) ([]string, string, error) { return blob.BucketListed(body) }

// Prepare implements blob.API.
func (a *API) Prepare(*llm.Call) {}

// Missing implements blob.API: buckets are made by those who pay for them.
func (a *API) Missing() *llm.Call { return nil }
