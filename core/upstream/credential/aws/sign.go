package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/textproto"
	"net/url"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

// signer signs the calls of a deployment. Every call is signed anew, as a signature is over the body and the time.
type signer struct {
	cache           *credential.Cache[sdk.Credentials]
	service, region string
	now             func() time.Time
	sign            *v4.Signer
}

func newV4() *v4.Signer { return v4.NewSigner() }

// Sign implements llm.Signer. It signs host, length, type and the lines of Amazon's own that the call has; other lines may
// be changed by proxies. The query is put into the form that was signed.
func (s *signer) Sign(ctx context.Context, c *llm.Call) error {
	credentials, err := s.cache.Get(ctx)
	if err != nil {
		return llm.AsError(err)
	}
	path, query, _ := bytes.Cut(c.Path, []byte("?"))
	r := http.Request{
		Method: c.Method, Host: c.Target.Host, Header: signed(c), ContentLength: int64(c.Size()),
		// The path is escaped already: as Opaque it stays as it is.
		URL: &url.URL{Scheme: c.Target.Scheme, Host: c.Target.Host, Opaque: "//" + c.Target.Host + string(path), RawQuery: string(query)},
	}
	if err := s.sign.SignHTTP(ctx, credentials, &r, hash(c.Body), s.service, s.region, s.now()); err != nil {
		return &llm.Error{Op: "aws.Sign", Kind: llm.KindAuthentication, Provider: "aws", Message: "The call cannot be signed.", Err: err}
	}
	if r.URL.RawQuery != string(query) {
		c.Path = append(append(append([]byte(nil), path...), '?'), r.URL.RawQuery...)
	}
	for _, name := range [...]string{"X-Amz-Date", "X-Amz-Security-Token", "Authorization"} {
		if v := r.Header.Get(name); v != "" {
			c.Header = append(c.Header, llm.Field{Name: []byte(name), Value: []byte(v)})
		}
	}
	return nil
}

// hash is the hash of the body, whose pieces stay apart.
func hash(pieces [][]byte) string {
	h := sha256.New()
	for _, p := range pieces {
		h.Write(p) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// signed are the header lines to sign.
func signed(c *llm.Call) http.Header {
	h := http.Header{}
	for rest := c.Head; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			add(h, name, bytes.TrimSpace(value))
		}
	}
	for _, f := range c.Header {
		add(h, f.Name, f.Value)
	}
	return h
}

func add(h http.Header, name, value []byte) {
	key := textproto.CanonicalMIMEHeaderKey(string(name))
	if key == "Content-Type" || len(key) > 6 && key[:6] == "X-Amz-" {
		h[key] = append(h[key], string(value))
	}
}
