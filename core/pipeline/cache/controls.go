package cache

import (
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// controls are what a request says about caching (litellm/types/caching.py, DynamicCacheControl).
type controls struct {
	noCache   bool          // the answer must be new
	noStore   bool          // the answer must not be kept
	use       bool          // the request wants the cache where it is off by default
	ttl       time.Duration // of what is kept; 0 says nothing
	maxAge    time.Duration // of an answer that is taken; -1 says nothing
	namespace string        // "" says nothing
	off       bool          // caching: false
	given     bool          // the body says something
}

// maxNamespace is how long a namespace may be.
const maxNamespace = 128

// read takes what the request says. A control of the wrong type is an *llm.Error that names it.
func (c *controls) read(x *llm.Exchange) error {
	*c = controls{maxAge: -1}
	body := &x.Body
	if x.Native.Raw() != nil {
		body = &x.Native
	}
	c.header(x)
	if v := body.Get("caching"); given(v) {
		c.given, c.off = true, string(v) == "false"
	}
	if v := body.Get("ttl"); given(v) {
		c.given = true
		if err := seconds(&c.ttl, "ttl", v); err != nil {
			return err
		}
	}
	raw := body.Get("cache")
	if !given(raw) {
		return nil
	}
	c.given = true
	var o llm.Object
	if raw[0] != '{' || o.Parse(raw) != nil {
		return wrong("cache", "must be an object such as {\"no-cache\": true}")
	}
	for _, m := range o.Members() {
		if err := c.member(string(o.Key(m)), o.Value(m)); err != nil {
			return err
		}
	}
	return nil
}

// header takes what the header says; the body counts more.
func (c *controls) header(x *llm.Exchange) {
	if ttl, ok := sharedMaxAge(x.Header.Get("Cache-Control")); ok {
		c.ttl = ttl
	}
}

func (c *controls) member(key string, value []byte) error {
	if !given(value) {
		return nil
	}
	name := "cache." + key
	switch key {
	case "no-cache":
		return flag(&c.noCache, name, value)
	case "no-store":
		return flag(&c.noStore, name, value)
	case "use-cache":
		return flag(&c.use, name, value)
	case "ttl":
		return seconds(&c.ttl, name, value)
	case "s-maxage", "s-max-age":
		c.maxAge = 0
		return seconds(&c.maxAge, name, value)
	case "namespace":
		s, ok := llm.Text(value)
		if !ok || len(s) > maxNamespace || strings.ContainsFunc(string(s), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return wrong(name, "must be a text of at most "+strconv.Itoa(maxNamespace)+" plain characters")
		}
		c.namespace = string(s)
	}
	return nil
}

func given(v []byte) bool { return len(v) > 0 && string(v) != "null" }

func flag(dst *bool, name string, value []byte) error {
	switch string(value) {
	case "true":
		*dst = true
	case "false":
		*dst = false
	default:
		return wrong(name, "must be true or false")
	}
	return nil
}

const maxTTL = 10 * 365 * 24 * time.Hour

// seconds reads a number of seconds, also as a text.
func seconds(dst *time.Duration, name string, value []byte) error {
	if s, ok := llm.Text(value); ok {
		value = s
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(f >= 0) || f > maxTTL.Seconds() {
		return wrong(name, "must be a number of seconds")
	}
	*dst = time.Duration(f * float64(time.Second))
	return nil
}

// sharedMaxAge is s-maxage of a Cache-Control header, the one directive that the reference reads: there it is how long
// the answer is kept (litellm/proxy/litellm_pre_call_utils.py).
func sharedMaxAge(header []byte) (time.Duration, bool) {
	if len(header) == 0 {
		return 0, false
	}
	for part := range strings.SplitSeq(string(header), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "s-maxage") {
			continue
		}
		var d time.Duration
		if seconds(&d, "", []byte(value)) == nil && d > 0 {
			return d, true
		}
	}
	return 0, false
}

func wrong(name, problem string) error {
	return &llm.Error{
		Op: "cache.controls", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
		Message: "Invalid request: `" + name + "` " + problem + ".",
	}
}
