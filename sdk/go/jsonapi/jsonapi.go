// Package jsonapi calls services that speak JSON over HTTP from the hooks of a plugin. It is built on encoding/json, which
// takes some 150 microseconds for 2 KB in a guest: little beside the wait for an answer, much for a hook that makes no call.
//
// It is made for guardrails, which must not take a strange answer for a good one: whatever is not a 200 with JSON in it is an
// error. Errors go to the operator's log, so they name the service and never repeat what was sent or answered, since
// services repeat the prompt in their messages.
package jsonapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

// atOnce is how many calls All has under way: the gateway holds at most 64 open for a hook.
const atOnce = 32

// Service is where calls go.
type Service struct {
	Name    string // in errors, such as "presidio analyzer"
	Base    string // absolute URL without a slash at its end
	Headers []sallyport.HTTPHeader
	Timeout time.Duration // of one call; 0 is as long as the hook may take
}

// Call is one call of a service: a POST of Body to Base and Path, whose answer is decoded into Into.
type Call struct {
	Path string
	Body any
	Into any
}

// Do makes a call and waits for it.
func (s *Service) Do(c Call) error { return s.All(c) }

// All makes calls, many at the same time. It returns the first error in the order of the calls.
func (s *Service) All(calls ...Call) error {
	for len(calls) > 0 {
		n := min(len(calls), atOnce)
		if err := s.some(calls[:n]); err != nil {
			return err
		}
		calls = calls[n:]
	}
	return nil
}

func (s *Service) some(calls []Call) error {
	reqs := make([]*sallyport.HTTPRequest, len(calls))
	for i, c := range calls {
		body, err := Marshal(c.Body)
		if err != nil {
			return s.fail("the request cannot be written: " + err.Error())
		}
		reqs[i] = s.Request(c.Path, body)
	}
	answers, errs := sallyport.HTTPAll(reqs...)
	for i, c := range calls {
		if err := s.Read(answers[i], errs[i], c.Into); err != nil {
			return err
		}
	}
	return nil
}

// Request makes a POST of a JSON body. Redirects are not followed: a body would get lost on the way.
func (s *Service) Request(path string, body []byte) *sallyport.HTTPRequest {
	headers := append([]sallyport.HTTPHeader{
		{Name: "Content-Type", Value: "application/json"}, {Name: "Accept", Value: "application/json"},
	}, s.Headers...)
	return &sallyport.HTTPRequest{
		Method: "POST", URL: s.Base + path, Headers: headers, Body: body, Timeout: s.Timeout, Redirects: -1, MaxBytes: 8 << 20,
	}
}

// Read decodes what sallyport.HTTP returned.
func (s *Service) Read(res *sallyport.HTTPResponse, err error, into any) error {
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	switch {
	case res.Status == 401 || res.Status == 403:
		return s.fail(fmt.Sprintf("status %d: it does not accept the credentials", res.Status))
	case res.Status == 429:
		return s.fail("status 429: too many requests, or the quota is used up")
	case res.Status >= 300 && res.Status < 400:
		return s.fail(fmt.Sprintf("status %d: it answers from another place; set the address it names", res.Status))
	case res.Status != 200:
		return s.fail(fmt.Sprintf("status %d", res.Status))
	}
	if err := json.Unmarshal(res.Body, into); err != nil {
		// What encoding/json says may hold a value of the answer.
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return s.fail("the answer has another form than expected at " + orRoot(kind.Field))
		}
		return s.fail("the answer is not JSON")
	}
	return nil
}

func orRoot(field string) string {
	if field == "" {
		return "its root"
	}
	return `"` + field + `"`
}

// Odd is the error of an answer that is JSON and says something unexpected. The text must not hold values of the answer.
func (s *Service) Odd(text string) error { return s.fail("the answer " + text) }

func (s *Service) fail(text string) error { return errors.New(s.Name + ": " + text) }

// Marshal writes JSON without the escapes for HTML that encoding/json adds. Bytes that are not UTF-8 become U+FFFD, one for
// each byte.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// New makes a service from the config block: the address from the setting key, else from the secret of that name, else
// from otherwise; and timeout_ms. An address without a scheme gets http://, as services in the same private network are
// written.
func New(c *sallyport.Config, name, key, secret, otherwise string) (*Service, error) {
	s := &Service{Name: name, Base: Setting(c, key, secret)}
	if s.Base == "" {
		s.Base = otherwise
	}
	if s.Base == "" {
		return s, errors.New("setting " + quote(c, key) + " is missing: set the address of " + name + ", or grant the secret " + secret)
	}
	if !strings.Contains(s.Base, "://") {
		s.Base = "http://" + s.Base
	}
	if !strings.HasPrefix(s.Base, "http://") && !strings.HasPrefix(s.Base, "https://") {
		return s, errors.New("setting " + quote(c, key) + " must be an address that begins with https:// or http://")
	}
	s.Base = strings.TrimRight(s.Base, "/")
	ms := c.Int("timeout_ms", 0)
	if ms < 0 || c.Has("timeout_ms") && ms == 0 {
		return s, errors.New("setting " + quote(c, "timeout_ms") + " must be above 0")
	}
	s.Timeout = time.Duration(ms) * time.Millisecond
	return s, nil
}

func quote(c *sallyport.Config, key string) string { return `"` + c.Path(key) + `"` }

// Setting returns the setting key, or else the secret of that name, or else "".
func Setting(c *sallyport.Config, key, secret string) string {
	if v := c.String(key, ""); v != "" {
		return v
	}
	if secret == "" {
		return ""
	}
	v, _ := sallyport.Secret(secret)
	return v
}

// Key adds the key of a service as a bearer token: the setting key, or else the secret of that name. A key that is
// required and missing is an error that says how to give it.
func (s *Service) Key(c *sallyport.Config, key, secret string, required bool) error {
	v := Setting(c, key, secret)
	if v == "" && required {
		return errors.New("setting " + quote(c, key) + " is missing: set it, or grant the secret " + secret + " (grants.secrets)")
	}
	if strings.ContainsAny(v, "\r\n\x00") {
		return errors.New("setting " + quote(c, key) + ": the key holds a line break")
	}
	if v != "" {
		s.Headers = append(s.Headers, sallyport.HTTPHeader{Name: "Authorization", Value: "Bearer " + v})
	}
	return nil
}

// Span is a part of a text, in characters (code points), as Python and most services count: Start is included, End is not.
type Span struct{ Start, End int }

// Bytes turns spans of characters into spans of bytes of the text, in place. It reports false if one of them is not within
// the text. Spans may be in any order.
func Bytes(text string, spans []Span) bool {
	at := make([]int, 0, len(text)+1) // where each character begins
	for i := range text {
		at = append(at, i)
	}
	at = append(at, len(text))
	for i, s := range spans {
		if s.Start < 0 || s.End < s.Start || s.End >= len(at) {
			return false
		}
		spans[i] = Span{at[s.Start], at[s.End]}
	}
	return true
}
