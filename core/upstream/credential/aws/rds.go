package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// tokenLife is how long a database accepts a token for a new connection. Amazon takes no other value.
const tokenLife = 15 * time.Minute

// DatabaseToken returns a function that makes a password for a role of a PostgreSQL server on Amazon RDS, in place of one
// that is kept: a signed address without its scheme, good for a quarter of an hour
// (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html). Making one costs a signature, so
// each connection gets its own. The address is host:port, as the server is called by. A region that the options do not
// have is read from it.
func (s *Source) DatabaseToken(o Options, address, role string) (func(ctx context.Context) (string, error), error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.New("the database's address must be host:port")
	}
	if o.Region == "" {
		o.Region = regionOf(host)
	}
	if o.Region == "" {
		return nil, errors.New("AWS_REGION_NAME is not set, and the database's host does not tell its region")
	}
	if role == "" {
		return nil, errors.New("the database's address names no user to make a token for")
	}
	cache, sign := s.cache(o), newV4()
	return func(ctx context.Context) (string, error) {
		credentials, err := cache.Get(ctx)
		if err != nil {
			return "", llm.AsError(err)
		}
		query := url.Values{"Action": {"connect"}, "DBUser": {role}, "X-Amz-Expires": {strconv.Itoa(int(tokenLife.Seconds()))}}
		target := url.URL{Scheme: "https", Host: address, Path: "/", RawQuery: query.Encode()}
		r := &http.Request{Method: http.MethodGet, URL: &target, Host: address, Header: http.Header{}}
		nothing := sha256.Sum256(nil)
		signed, _, err := sign.PresignHTTP(ctx, credentials, r, hex.EncodeToString(nothing[:]), "rds-db", o.Region, s.s.Now())
		if err != nil {
			return "", &llm.Error{Op: "aws.DatabaseToken", Kind: llm.KindAuthentication, Provider: "aws", Message: "The token cannot be signed.", Err: err}
		}
		return strings.TrimPrefix(signed, "https://"), nil
	}, nil
}

// regionOf reads the region from a host's name: name.id.region.rds.amazonaws.com.
func regionOf(host string) string {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for i := 1; i+1 < len(labels); i++ {
		if labels[i] == "rds" && labels[i+1] == "amazonaws" {
			return labels[i-1]
		}
	}
	return ""
}
