// Package awstest plays Amazon's side of a signed call in tests: it checks signatures, by an implementation of its own, and
// scripts the token service.
package awstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Signed is a request as a server got it.
type Signed struct {
	Method string
	Path   string // the request target, with the query
	Host   string
	Header http.Header
	Body   []byte
}

// Verify checks the signature of a request by the steps of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. secrets are the secret keys
// by access key. It returns the scope of the credential without the key: date/region/service/aws4_request.
func Verify(r Signed, secrets map[string]string) (key, scope string, err error) {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return "", "", errors.New("the request is not signed")
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(auth, ", ") {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = value
	}
	key, scope, _ = strings.Cut(fields["Credential"], "/")
	secret, known := secrets[key]
	if !known {
		return key, scope, fmt.Errorf("the access key %q is not known", key)
	}
	names := strings.Split(fields["SignedHeaders"], ";")
	for _, must := range []string{"host", "x-amz-date"} {
		if !slices.Contains(names, must) {
			return key, scope, fmt.Errorf("the line %s is not signed", must)
		}
	}
	for name := range r.Header {
		if l := strings.ToLower(name); strings.HasPrefix(l, "x-amz-") && !slices.Contains(names, l) {
			return key, scope, fmt.Errorf("the line %s is not signed", l)
		}
	}
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, sum(canonical(r, names))}, "\n")
	parts := strings.Split(scope, "/")
	mac := []byte("AWS4" + secret)
	for _, p := range append(parts, text) {
		h := hmac.New(sha256.New, mac)
		h.Write([]byte(p))
		mac = h.Sum(nil)
	}
	if hex.EncodeToString(mac) != fields["Signature"] {
		return key, scope, errors.New("the signature does not match")
	}
	return key, scope, nil
}

func canonical(r Signed, names []string) string {
	path, query, _ := strings.Cut(r.Path, "?")
	var lines []string
	for _, n := range names {
		v := r.Header.Get(n)
		if n == "host" {
			v = r.Host
		}
		lines = append(lines, n+":"+strings.Join(strings.Fields(v), " ")+"\n")
	}
	return strings.Join([]string{
		r.Method, escape(path, "/"), canonicalQuery(query), strings.Join(lines, ""), strings.Join(names, ";"), sum(string(r.Body)),
	}, "\n")
}

func canonicalQuery(query string) string {
	var pairs []string
	for p := range strings.SplitSeq(query, "&") {
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		pairs = append(pairs, escape(decode(name), "")+"="+escape(decode(value), ""))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// decode undoes percent encoding; a plus stays one.
func decode(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

// escape encodes all but the unreserved characters and those of keep.
func escape(s, keep string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// STS is a token service. It gives a role the access key "AK-" and the name of the role, with the secret "SK-" and the
// session token "ST-" and the same.
type STS struct {
	URL string

	mu     sync.Mutex
	calls  []url.Values
	auth   []Signed
	life   time.Duration
	refuse string
}

// NewSTS starts a token service that stops at the end of the test. Its sessions last an hour.
func NewSTS(t testing.TB) *STS {
	s := &STS{life: time.Hour}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Calls are the parameters of the calls so far.
func (s *STS) Calls() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Signed are the calls as they came.
func (s *STS) Signed() []Signed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.auth)
}

// Life sets how long the sessions to come last.
func (s *STS) Life(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = d
}

// Refuse makes the service refuse with an error code from now on, or no longer if it is empty.
func (s *STS) Refuse(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = code
}

func (s *STS) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, form)
	s.auth = append(s.auth, Signed{Method: r.Method, Path: r.RequestURI, Host: r.Host, Header: r.Header, Body: body})
	refuse, life := s.refuse, s.life
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	if refuse != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code>`+
			`<Message>not for you</Message></Error><RequestId>r1</RequestId></ErrorResponse>`, refuse)
		return
	}
	action, role := form.Get("Action"), form.Get("RoleArn")
	name := role[strings.LastIndexByte(role, '/')+1:]
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials>`+
		`<AccessKeyId>AK-%[2]s</AccessKeyId><SecretAccessKey>SK-%[2]s</SecretAccessKey><SessionToken>ST-%[2]s</SessionToken>`+
		`<Expiration>%[3]s</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/%[2]s/s</Arn>`+
		`<AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser></%[1]sResult></%[1]sResponse>`,
		action, name, time.Now().Add(life).UTC().Format(time.RFC3339))
}
