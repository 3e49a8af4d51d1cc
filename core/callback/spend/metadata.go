package spend

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// The metadata of a row is JSON of some five hundred bytes, most of which says what the record says anyway. So the caller
// pays for the rest of it only, which is written like a record, and whoever reads the record makes JSON of both. A record of
// a version before has the JSON, which begins with a brace and not with this byte.
const restVersion = 1

// flags of the rest.
const (
	restReply     = 1 << iota // there was an answer
	restEstimated             // its usage was counted here
	restFailure               // the call failed
)

// rest writes what metadata needs besides the record.
func rest(e *encoder, x *llm.Exchange, reply *llm.Reply, failure *llm.Error, u *llm.Usage) {
	p, flags := x.Principal, uint64(0)
	if reply != nil {
		flags |= restReply
		if reply.Estimated {
			flags |= restEstimated
		}
	}
	if failure != nil {
		flags |= restFailure
	}
	e.b = append(e.b, restVersion)
	e.uint(flags)
	e.text(p.KeyAlias)
	e.text(p.TeamName)
	again := x.AskedAnew()
	for _, n := range [...]int{x.Retries, x.Fallbacks, again, len(x.Earlier) - again} {
		e.uint(uint64(max(n, 0)))
	}
	e.int(u.Reasoning)
	e.uint(uint64(len(x.Applied)))
	for _, name := range x.Applied {
		e.text(name)
	}
	if failure != nil {
		e.uint(uint64(failure.HTTPStatus()))
		e.text(failure.Kind.String())
		e.text(failure.Message)
		e.text(failure.Provider)
	}
	e.bytes(ownMetadata(x))
}

// ownMetadata is what the caller wants to find in the record: x-litellm-spend-logs-metadata, or spend_logs_metadata of the
// request's metadata.
func ownMetadata(x *llm.Exchange) []byte {
	raw := x.Header.Get("x-litellm-spend-logs-metadata")
	if len(raw) == 0 && bytes.Contains(x.Controls.Metadata, []byte(`"spend_logs_metadata"`)) {
		var o llm.Object
		if o.Parse(x.Controls.Metadata) == nil {
			raw = o.Get("spend_logs_metadata")
		}
	}
	var o llm.Object
	if len(raw) == 0 || len(raw) > 16<<10 || o.Parse(raw) != nil || !json.Valid(raw) {
		return nil
	}
	return raw
}

// metadata makes SpendLogsMetadata of litellm/proxy/_types.py, as far as it is known here, of a record and the rest of it.
func metadata(e *store.SpendEntry, raw []byte) (store.JSON, error) {
	if len(raw) == 0 || raw[0] == restVersion && e.NoLog {
		return nil, nil
	}
	if raw[0] == '{' {
		return raw[:len(raw):len(raw)], nil
	}
	if raw[0] != restVersion {
		return nil, errRecord
	}
	l, d := &e.Log, decoder{b: raw[1:], text: string(raw)}
	flags := d.uint()
	m := member(append(make([]byte, 0, len(raw)+512), `{"status":`...))
	m = llm.AppendQuoted(m, string(l.Status))
	m.text("user_api_key", l.APIKey)
	m.text("user_api_key_alias", d.string())
	m.text("user_api_key_user_id", string(l.User))
	m.text("user_api_key_team_id", string(l.TeamID))
	m.text("user_api_key_team_alias", d.string())
	m.text("user_api_key_org_id", string(l.OrganizationID))
	m.text("requester_ip_address", string(l.RequesterIPAddress))
	m.count("attempted_retries", d.uint())
	m.count("attempted_fallbacks", d.uint())
	if n := d.uint(); n > 0 {
		m.count("asked_again", n)
	}
	if n := d.uint(); n > 0 {
		m.count("given_up_calls", n)
	}
	m.usage(e, d.int(), flags)
	m.guardrails(&d)
	if flags&restFailure != 0 {
		m.failure(&d)
	}
	if own := d.bytes(); len(own) > 0 {
		m = append(append(m, `,"spend_logs_metadata":`...), own...)
	}
	return store.JSON(append(m, '}')), d.err
}

// member appends members to a JSON object that has one already.
type member []byte

func (m *member) name(name string) {
	*m = append(append(append(*m, ',', '"'), name...), '"', ':')
}

// text leaves out what is empty.
func (m *member) text(name, value string) {
	if value != "" {
		m.name(name)
		*m = llm.AppendQuoted(*m, value)
	}
}

func (m *member) count(name string, n uint64) {
	m.name(name)
	*m = strconv.AppendUint(*m, n, 10)
}

func (m *member) usage(e *store.SpendEntry, reasoning int64, flags uint64) {
	if flags&restReply == 0 {
		return
	}
	*m = append(*m, `,"usage_object":{"prompt_tokens":`...)
	*m = strconv.AppendInt(*m, e.Log.PromptTokens, 10)
	number := func(name string, n int64) {
		m.name(name)
		*m = strconv.AppendInt(*m, n, 10)
	}
	number("completion_tokens", e.Log.CompletionTokens)
	number("total_tokens", e.Log.TotalTokens)
	number("cache_read_input_tokens", e.CacheReadTokens)
	number("cache_creation_input_tokens", e.CacheWriteTokens)
	number("reasoning_tokens", reasoning)
	if flags&restEstimated != 0 {
		*m = append(*m, `,"estimated":true`...)
	}
	*m = append(*m, '}')
}

func (m *member) guardrails(d *decoder) {
	for i, n := uint64(0), d.uint(); i < n && d.err == nil; i++ {
		if i == 0 {
			*m = append(*m, `,"applied_guardrails":[`...)
		} else {
			*m = append(*m, ',')
		}
		*m = llm.AppendQuoted(*m, d.string())
		if i == n-1 {
			*m = append(*m, ']')
		}
	}
}

func (m *member) failure(d *decoder) {
	*m = append(*m, `,"error_information":{"error_code":"`...)
	*m = strconv.AppendUint(*m, d.uint(), 10)
	*m = append(*m, `","error_class":`...)
	*m = llm.AppendQuoted(*m, d.string())
	m.text("error_message", d.string())
	m.text("llm_provider", d.string())
	*m = append(*m, '}')
}

// tagList is the list of tags in JSON.
func tagList(tags []string) store.JSON {
	if len(tags) == 0 {
		return store.JSON("[]")
	}
	b := store.JSON{'['}
	for i, t := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = llm.AppendQuoted(b, t)
	}
	return append(b, ']')
}
