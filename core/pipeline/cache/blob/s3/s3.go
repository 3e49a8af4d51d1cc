// Package s3 is the API of Amazon S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/), which Backblaze B2, Cloudflare R2,
// MinIO and others have too: objects are read, written, removed and listed.
package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
)

// Place says where a bucket is.
type Place struct {
	Bucket   string
	Region   string
	Endpoint string // of another provider, with or without the bucket in its name; empty is Amazon's
	Plain    bool   // without TLS, if Endpoint says nothing
}

// API implements blob.API.
type API struct {
	target *llm.Target
	path   string // of the bucket: "/" and its name, or empty if the host has it
	bucket string
}

var _ blob.API = (*API)(nil)

// New makes the API of a bucket. At Amazon the bucket is in the name of the host; elsewhere it is in the path, unless the
// host begins with it, as some providers give their addresses.
func New(p Place) (*API, error) {
	if err := checkBucket(p.Bucket); err != nil {
		return nil, err
	}
	if p.Endpoint == "" {
		host := "s3." + p.Region + ".amazonaws.com"
		if strings.HasPrefix(p.Region, "cn-") {
			host += ".cn"
		}
		scheme := "https"
		if p.Plain {
			scheme = "http"
		}
		if strings.Contains(p.Bucket, ".") { // no certificate is for that
			return &API{target: target(scheme, host), path: "/" + p.Bucket, bucket: p.Bucket}, nil
		}
		return &API{target: target(scheme, p.Bucket+"."+host), bucket: p.Bucket}, nil
	}
	u, err := url.Parse(p.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%q is no address such as https://s3.example.com", p.Endpoint)
	}
	a := &API{target: target(u.Scheme, u.Host), path: strings.TrimRight(u.EscapedPath(), "/"), bucket: p.Bucket}
	if !strings.HasPrefix(u.Host, p.Bucket+".") {
		a.path += "/" + p.Bucket
	}
	return a, nil
}

// checkBucket follows
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html as far as it matters for addresses.
func checkBucket(name string) error {
	if len(name) < 3 || len(name) > 63 {
		return fmt.Errorf("%q is no bucket: its name has 3 to 63 characters", name)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && (c < 'A' || c > 'Z') {
			return fmt.Errorf("%q is no bucket: its name has letters, digits, dots and hyphens only", name)
		}
	}
	return nil
}

func target(scheme, host string) *llm.Target {
	addr := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		port := "443"
		if scheme == "http" {
			port = "80"
		}
		addr = net.JoinHostPort(host, port)
	}
	return &llm.Target{Scheme: scheme, Host: host, Addr: addr}
}

// Target is the server of the bucket.
func (a *API) Target() *llm.Target { return a.target }

// Object implements blob.API.
func (a *API) Object(name string) string { return a.path + "/" + name }

// List implements blob.API.
func (a *API) List(prefix, page string) string {
	path := a.path
	if path == "" {
		path = "/"
	}
	return blob.BucketList(path, prefix, page)
}

// Listed implements blob.API.
func (a *API) Listed(body []byte) ([]string, string, error) { return blob.BucketListed(body) }

// Prepare implements blob.API. The hash of the body is signed
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
func (a *API) Prepare(c *llm.Call) {
	h := sha256.New()
	for _, p := range c.Body {
		h.Write(p) // never fails
	}
	c.Header = append(c.Header, llm.Field{Name: []byte("X-Amz-Content-Sha256"), Value: []byte(hex.EncodeToString(h.Sum(nil)))})
}

// Missing implements blob.API: buckets are made by those who pay for them.
func (a *API) Missing() *llm.Call { return nil }
