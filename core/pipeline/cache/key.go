package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Scope is who shares answers.
type Scope string

// The scopes. A request that has no team, or no user and so on, shares with its own key only.
const (
	ScopeAll          Scope = "all"
	ScopeOrganization Scope = "organization"
	ScopeTeam         Scope = "team"
	ScopeUser         Scope = "user"
	ScopeKey          Scope = "key"
	ScopeEndUser      Scope = "end_user"
)

// ParseScope reads the name of a scope; "" is ScopeTeam.
func ParseScope(s string) (Scope, error) {
	switch Scope(s) {
	case "":
		return ScopeTeam, nil
	case ScopeAll, ScopeOrganization, ScopeTeam, ScopeUser, ScopeKey, ScopeEndUser:
		return Scope(s), nil
	}
	return "", fmt.Errorf("%q is no scope: write all, organization, team, user, key or end_user", s)
}

// of names the circle of those who share answers with the exchange. Circles of different kinds have different names.
func (s Scope) of(x *llm.Exchange) (kind, id string) {
	p := x.Principal
	if s == ScopeAll || p == nil {
		return "", ""
	}
	switch s {
	case ScopeOrganization:
		id = p.OrgID
	case ScopeTeam:
		id = p.TeamID
	case ScopeUser:
		id = p.UserID
	case ScopeEndUser:
		id = x.EndUser
	}
	if id != "" {
		return string(s), id
	}
	if p.KeyHash != "" {
		return string(ScopeKey), p.KeyHash
	}
	return string(ScopeUser), p.UserID
}

// keyer makes keys. It is pooled.
type keyer struct {
	canon
	order []llm.Member
}

// maxKeyer is the size from which a buffer is not kept.
const maxKeyer = 1 << 20

func newKeyers() *sync.Pool { return &sync.Pool{New: func() any { return new(keyer) }} }

func (k *keyer) reset() {
	if cap(k.out) > maxKeyer || cap(k.swap) > maxKeyer {
		*k = keyer{}
	}
	k.out, k.swap, k.list = k.out[:0], k.swap[:0], k.list[:0]
}

// field appends a text so that it cannot be taken for a part of its neighbours.
func (k *keyer) field(s string) {
	k.out = binary.AppendUvarint(k.out, uint64(len(s)))
	k.out = append(k.out, s...)
}

// keyVersion changes when what is hashed changes its meaning.
const keyVersion = "sallyport answer 1"

// prompts are the members that a semantic cache compares by meaning.
func prompts(key []byte) bool {
	switch string(key) {
	case "messages", "prompt", "input", "contents":
		return true
	}
	return false
}

// write appends everything that changes an answer: who shares it, model, operation, dialect, and all members of the request
// but those that are for the gateway or say who asks. Members that nobody here knows count. without leaves members out.
func (k *keyer) write(h *Hook, x *llm.Exchange, without func([]byte) bool) {
	k.members(k.head(h, x), without)
	k.files(x)
}

// head appends all that counts beside the body, and returns the body that counts: as it came, or as hooks have made it.
func (k *keyer) head(h *Hook, x *llm.Exchange) *llm.Object {
	k.field(keyVersion)
	kind, id := h.s.Scope.of(x)
	k.field(kind)
	k.field(id)
	k.field(h.s.group(x.Model))
	k.field(x.Op.String())
	body, dialect := &x.Body, llm.DialectOpenAI
	if x.Dialect != llm.DialectOpenAI && !x.Edited() {
		body, dialect = &x.Native, x.Dialect
	}
	k.out = append(k.out, byte(dialect))
	if streamCounts(x) {
		k.out = append(k.out, 's')
	}
	k.headers(x)
	if h.s.ByTags {
		for _, t := range x.Tags {
			k.field(t)
		}
	}
	k.field(x.Region)
	k.out = append(k.out, 0)
	return body
}

// streamCounts reports whether a stream is another answer than a whole one, because neither can be made of the other.
func streamCounts(x *llm.Exchange) bool {
	return x.Streamed && (x.Op == llm.OpTranscription || x.Op == llm.OpTranslation)
}

// headers adds the lines of the request that choose what a vendor does, and those that hooks send along.
func (k *keyer) headers(x *llm.Exchange) {
	for _, name := range [...]string{"anthropic-beta", "openai-beta"} {
		if v := x.Header.Get(name); len(v) > 0 {
			k.field(name)
			k.field(string(v))
		}
	}
	for i := range x.Added {
		k.field(string(x.Added[i].Name))
		k.field(string(x.Added[i].Value))
	}
	k.out = append(k.out, 0)
}

func (k *keyer) members(o *llm.Object, without func([]byte) bool) {
	k.order = append(k.order[:0], o.Members()...)
	slices.SortFunc(k.order, func(a, b llm.Member) int { return bytes.Compare(o.Key(a), o.Key(b)) })
	for _, m := range k.order {
		key := o.Key(m)
		if silent(key) || without != nil && without(key) {
			continue
		}
		if v := o.Value(m); string(v) != "null" {
			k.out = append(append(append(k.out, '"'), key...), '"', ':')
			k.value(v)
		}
	}
}

// files adds the files of a form, by their content.
func (k *keyer) files(x *llm.Exchange) {
	for _, p := range x.Form.Parts() {
		if p.File {
			k.field(p.Name)
			sum := sha256.Sum256(x.Form.Value(p))
			k.out = append(k.out, sum[:]...)
		}
	}
}

// sum is the hash of what was written.
func (k *keyer) sum() [32]byte { return sha256.Sum256(k.out) }

// keyOf is the key of an entry as stores and callers know it.
func keyOf(namespace string, sum *[32]byte) string {
	b := make([]byte, 0, len(namespace)+1+2*len(sum))
	if namespace != "" {
		b = append(append(b, namespace...), ':')
	}
	return string(hex.AppendEncode(b, sum[:]))
}

// silent reports whether a member of a request does not change the answer: it says who asks, how the answer is sent, or
// something to the gateway.
func silent(key []byte) bool {
	switch string(key) {
	case "model", "stream", "stream_options", "user", "metadata", "litellm_metadata", "safety_identifier", "prompt_cache_key",
		"prompt_cache_retention":
		return true
	case "cache", "caching", "caching_groups", "cache_key", "preset_cache_key", "ttl", "tags", "guardrails", "guardrail_config",
		"disable_global_guardrails", "policies", "num_retries", "max_retries", "timeout", "request_timeout", "stream_timeout",
		"force_timeout", "fallbacks", "disable_fallbacks", "max_fallbacks", "context_window_fallback_dict", "retry_policy",
		"retry_strategy", "cooldown_time", "fastest_response", "priority":
		return true
	case "no-log", "no_log", "verbose", "litellm_call_id", "litellm_trace_id", "litellm_session_id", "success_callback",
		"failure_callback", "callbacks", "service_callback", "turn_off_message_logging", "litellm_request_debug":
		return true
	}
	return false
}

// foreign reports whether a member sends the request somewhere else than the operator would, or makes an answer up. What
// comes back is for nobody else. So is an answer that belongs to a conversation which goes on, or that is not there yet.
func foreign(key, value []byte) bool {
	if string(value) == "null" {
		return false
	}
	switch string(key) {
	case "api_key", "api_base", "base_url", "api_version", "custom_llm_provider", "organization", "user_config",
		"litellm_credential_name", "model_list", "azure_ad_token", "vertex_credentials", "vertex_project",
		"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_bedrock_runtime_endpoint",
		"mock_response", "mock_timeout", "mock_delay", "mock_tool_calls", "conversation":
		return true
	case "background":
		return string(value) == "true"
	}
	return strings.HasPrefix(string(key), "mock_testing_")
}
