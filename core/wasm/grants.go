package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Grants are the capabilities that the operator gives a plugin. The zero value gives none. A plugin has a capability
// if its manifest asks for it and the operator grants it.
type Grants struct {
	// HTTP lists where the plugin may send requests: "https://api.example.com", "http://localhost:5002",
	// "https://*.example.com" for all names below, "https://api.example.com/v1" for paths below that one.
	HTTP []string
	// Networks are addresses and networks besides the public ones that a granted host's name may stand for, such as
	// "10.0.0.0/8". A host that HTTP gives as an address, or as localhost, needs none.
	Networks []string
	// KV gives the plugin the key-value store.
	KV bool
	// Secrets names the secrets that the plugin may read; Settings.Secret has their values.
	Secrets []string
	// Metrics lets the plugin write to the gateway's metrics.
	Metrics bool
	// Prompts lets hooks that are no guardrail, such as auth, see what callers write.
	Prompts bool
}

// Caps are the capabilities that a manifest asks for.
type Caps struct {
	// HTTP lists hosts as Grants.HTTP does; "*" stands for whichever the operator names.
	HTTP    []string `json:"http"`
	KV      bool     `json:"kv"`
	Secrets []string `json:"secrets"`
	Metrics bool     `json:"metrics"`
	Prompts bool     `json:"prompts"`
}

// check refuses a manifest's capabilities that cannot be meant.
func (c *Caps) check(member string) error {
	for _, s := range c.HTTP {
		if _, err := parseOrigin(s); err != nil && s != "*" {
			return fmt.Errorf("manifest: %s.http: %w", member, err)
		}
	}
	for _, s := range c.Secrets {
		if !validSecretName(s) {
			return fmt.Errorf("manifest: %s.secrets: %q is not the name of an environment variable", member, s)
		}
	}
	return nil
}

func validSecretName(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// origin is a place on the network: scheme, host, port, and the beginning of the path.
type origin struct {
	scheme, host, port, path string
	below                    bool // any name below host
}

// parseOrigin reads what Grants.HTTP holds.
func parseOrigin(s string) (o origin, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return o, fmt.Errorf("%q is not of the form https://host, https://host:port or https://host/path", s)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return o, fmt.Errorf("%q: user, query and fragment have no place here", s)
	}
	o = originOf(u)
	o.path = strings.TrimSuffix(u.EscapedPath(), "/")
	if rest, ok := strings.CutPrefix(o.host, "*."); ok {
		o.host, o.below = rest, true
	}
	if strings.Contains(o.host, "*") || o.below && !strings.Contains(o.host, ".") {
		return o, fmt.Errorf("%q: a star can only stand before a domain, as in https://*.example.com", s)
	}
	if !plainHost(o.host) {
		return o, fmt.Errorf("%q: the host is not a name or address in ASCII", s)
	}
	return o, nil
}

// plainHost reports whether a host has a single spelling, so that one that is granted is the one that is dialled.
func plainHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for i := range len(host) {
		c := host[i]
		if c != '.' && c != '-' && c != '_' && c != ':' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func originOf(u *url.URL) origin {
	o := origin{scheme: u.Scheme, host: strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port: u.Port()}
	if o.port == "" {
		o.port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if a, err := netip.ParseAddr(o.host); err == nil {
		o.host = a.Unmap().String()
	}
	return o
}

// covers reports whether everything that other allows is allowed by o.
func (o *origin) covers(other *origin) bool {
	if o.scheme != other.scheme || o.port != other.port || !o.coversPath(other.path) {
		return false
	}
	if o.below {
		return strings.HasSuffix(other.host, "."+o.host) || other.below && other.host == o.host
	}
	return o.host == other.host && !other.below
}

func (o *origin) coversPath(path string) bool {
	if o.path != "" && slippery(path) {
		return false
	}
	rest, ok := strings.CutPrefix(path, o.path)
	return ok && (rest == "" || rest[0] == '/' || o.path == "")
}

// slippery reports whether servers may disagree on what a path leads to.
func slippery(path string) bool {
	return strings.Contains(path, "..") || strings.Contains(path, "//") || strings.ContainsAny(path, `\;`) ||
		strings.Contains(strings.ToLower(path), "%2e") || strings.Contains(strings.ToLower(path), "%2f") ||
		strings.Contains(strings.ToLower(path), "%5c") || strings.Contains(path, "/./")
}

// covered reports whether one of the list covers other.
func covered(list []origin, other *origin) bool {
	return slices.ContainsFunc(list, func(o origin) bool { return o.covers(other) })
}

// rights are the capabilities in force: what is asked and granted.
type rights struct {
	asked, granted   []origin // a request must be within both; asked is nil for "*"
	http, kv         bool
	metrics, prompts bool
	addresses        addressCheck
	secrets          map[string]string
	masked           []string // values that never reach a log, longest first
}

// newRights compares what the manifest asks with what the operator grants. A capability that is asked and not granted
// is an error that shows what to write.
func newRights(m *Manifest, s *Settings) (r rights, err error) {
	g := &s.Grants
	if r.granted, err = parseOrigins(g.HTTP); err != nil {
		return r, err
	}
	if r.addresses, err = newAddressCheck(g.Networks); err != nil {
		return r, err
	}
	if missing := m.Caps.missing(g, r.granted); missing != nil {
		return r, fmt.Errorf("the plugin needs capabilities that it is not granted: write\n%s", strings.Join(missing, "\n"))
	}
	asked := m.Caps.with(&m.Optional)
	r.kv, r.metrics, r.prompts = asked.KV && g.KV, asked.Metrics && g.Metrics, g.Prompts
	if len(asked.HTTP) > 0 && len(r.granted) > 0 {
		r.http = true
		if !slices.Contains(asked.HTTP, "*") {
			r.asked, _ = parseOrigins(asked.HTTP) // checked with the manifest
		}
	}
	return r, r.readSecrets(&asked, s)
}

func parseOrigins(list []string) ([]origin, error) {
	var all []origin
	for i, s := range list {
		o, err := parseOrigin(s)
		if err != nil {
			return nil, fmt.Errorf("grants.http[%d]: %w", i, err)
		}
		all = append(all, o)
	}
	return all, nil
}

func newAddressCheck(networks []string) (addressCheck, error) {
	c := addressCheck{reserved: reserved()}
	for i, s := range networks {
		p, err := netip.ParsePrefix(s)
		if a, single := netip.ParseAddr(s); err != nil && single == nil {
			a = a.Unmap().WithZone("")
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return c, fmt.Errorf("grants.networks[%d]: %q is no address and no network such as 10.0.0.0/8", i, s)
		}
		c.granted = append(c.granted, p.Masked())
	}
	return c, nil
}

// with joins two sets of capabilities.
func (c *Caps) with(o *Caps) Caps {
	return Caps{
		HTTP: slices.Concat(c.HTTP, o.HTTP), Secrets: slices.Concat(c.Secrets, o.Secrets),
		KV: c.KV || o.KV, Metrics: c.Metrics || o.Metrics, Prompts: c.Prompts || o.Prompts,
	}
}

// missing returns the YAML that grants what is asked and not granted, or nil.
func (c *Caps) missing(g *Grants, granted []origin) []string {
	hosts, everywhere := []string(nil), false
	for _, s := range c.HTTP {
		if s == "*" {
			everywhere = true
			continue
		}
		if o, err := parseOrigin(s); err == nil && !covered(granted, &o) {
			hosts = append(hosts, s)
		}
	}
	var lines []string
	switch {
	case len(hosts) > 0:
		lines = append(lines, "    http: ["+strings.Join(quoted(slices.Concat(g.HTTP, hosts)), ", ")+"]")
	case everywhere && len(granted) == 0:
		lines = append(lines, `    http: ["https://THE-SERVICE"]  # where the plugin's config says its service is`)
	}
	secret := func(s string) bool { return !slices.Contains(g.Secrets, s) }
	if slices.ContainsFunc(c.Secrets, secret) {
		names := slices.Clone(g.Secrets)
		for _, s := range c.Secrets {
			if secret(s) {
				names = append(names, s)
			}
		}
		lines = append(lines, "    secrets: ["+strings.Join(names, ", ")+"]  # environment variables")
	}
	for _, b := range []struct {
		name           string
		asked, granted bool
	}{{"kv", c.KV, g.KV}, {"metrics", c.Metrics, g.Metrics}, {"prompts", c.Prompts, g.Prompts}} {
		if b.asked && !b.granted {
			lines = append(lines, "    "+b.name+": true")
		}
	}
	if lines == nil {
		return nil
	}
	return append([]string{"  grants:"}, lines...)
}

func quoted(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strconv.Quote(s))
	}
	return out
}

// readSecrets takes the values of the secrets that are asked and granted.
func (r *rights) readSecrets(asked *Caps, s *Settings) error {
	r.secrets = map[string]string{}
	var errs []error
	for i, name := range s.Grants.Secrets {
		if !validSecretName(name) { // it may be the secret itself, so it is not shown
			errs = append(errs, fmt.Errorf("grants.secrets[%d] is not the name of an environment variable: write the name, not os.environ/NAME or a value", i))
			continue
		}
		value, ok := "", false
		if s.Secret != nil {
			value, ok = s.Secret(name)
		}
		switch {
		case !ok && slices.Contains(asked.Secrets, name):
			errs = append(errs, fmt.Errorf("grants.secrets: the environment variable %s is not set", name))
		case ok && slices.Contains(asked.Secrets, name):
			r.secrets[name] = value
			if len(value) >= minMasked {
				r.masked = append(r.masked, value)
			}
		}
	}
	slices.SortFunc(r.masked, func(a, b string) int { return len(b) - len(a) })
	return errors.Join(errs...)
}

// minMasked is the length from which a secret is cut out of log lines; a shorter one would cut out ordinary words.
const minMasked = 6

// mask cuts the plugin's secrets out of a text for the log.
func (r *rights) mask(s string) string {
	for _, v := range r.masked {
		s = strings.ReplaceAll(s, v, "****")
	}
	return s
}

// blank overwrites the plugin's secrets in a result that says why it failed, since that goes to the log.
func (r *rights) blank(out []byte) {
	if len(r.masked) == 0 || decided(out) != abi.VerdictFail {
		return
	}
	for _, v := range r.masked {
		for rest := out; ; {
			at := bytes.Index(rest, []byte(v))
			if at < 0 {
				break
			}
			for i := range v {
				rest[at+i] = '*'
			}
			rest = rest[at+len(v):]
		}
	}
}

// decided returns the verdict in a result, without checking the rest of it.
func decided(out []byte) abi.Verdict {
	r := abi.Reader{Rest: out}
	for r.Next() {
		if r.Tag == abi.TagVerdict {
			return abi.Verdict(r.Number())
		}
	}
	return abi.VerdictContinue
}

// mayRead reports whether a hook may see what callers write. A guardrail may, it is its job; so may a hook that takes
// part in making the call. The others need Grants.Prompts.
func (p *Plugin) mayRead(hook abi.Hook) bool {
	switch hook {
	case abi.HookRequest, abi.HookModeration, abi.HookResponse, abi.HookStreamChunk, abi.HookStreamEnd, abi.HookFailure,
		abi.HookProvider, abi.HookPrompt:
		return true
	}
	return p.rights.prompts
}

// harmless reports whether a member of a request body holds no prompt, so that any hook may read it.
func harmless(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	switch top {
	case "model", "stream", "user", "metadata", "litellm_metadata", "tags", "guardrails", "n", "max_tokens",
		"max_completion_tokens", "temperature", "top_p", "service_tier", "store", "timeout", "priority", "safety_identifier":
		return true
	}
	return false
}
