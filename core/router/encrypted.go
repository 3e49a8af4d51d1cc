package router

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Reasoning that a vendor encrypts for callers who store their conversations themselves can be read only with the key
// that it was made with: another deployment refuses it. So the router remembers which deployment gave out which, and
// requests that bring it back go there, or to one with the same address and key
// (litellm/router_utils/pre_call_checks/encrypted_content_affinity_check.py, which writes the deployment into the
// content instead).

const (
	keptSecret = 24 * time.Hour
	maxSecrets = 64 // of one request or part that are looked at
)

var secretMark = []byte(`"encrypted_content"`)

// eachSecret calls f for the encrypted contents in a JSON text, until f returns false.
func eachSecret(b []byte, f func(secret []byte) bool) {
	for range maxSecrets {
		at := bytes.Index(b, secretMark)
		if at < 0 {
			return
		}
		b = bytes.TrimLeft(b[at+len(secretMark):], " \t\r\n")
		if len(b) == 0 || b[0] != ':' {
			continue
		}
		b = bytes.TrimLeft(b[1:], " \t\r\n")
		if len(b) == 0 || b[0] != '"' {
			continue
		}
		end := bytes.IndexByte(b[1:], '"')
		if end < 0 {
			return
		}
		secret := b[1 : end+1]
		b = b[end+2:]
		if len(secret) > 0 && !f(secret) {
			return
		}
	}
}

func secretKey(secret []byte) Key {
	h := sha256.Sum256(secret)
	return Key(h[:len(Key{})])
}

// Saw shows the plan a part of the answer that its deployment gives. It is not kept.
func (p *Plan) Saw(part []byte) {
	if !p.open || !p.r.s.Affinity.Encrypted || p.x.Dialect != llm.DialectResponses || len(part) == 0 {
		return
	}
	id := p.group.members[p.at].d.ID
	eachSecret(part, func(secret []byte) bool {
		p.pin(secretKey(secret), id, time.Now(), keptSecret)
		return true
	})
}

// origin is the member that can read what the request brings back encrypted, or -1 if nobody knows of any. An error says
// that there is one and it cannot be called now: others would refuse the request.
func (p *Plan) origin(now time.Time) (int, error) {
	if p.x.Dialect != llm.DialectResponses {
		return -1, nil
	}
	id := ""
	eachSecret(body(p.x).Get("input"), func(secret []byte) bool {
		k := secretKey(secret)
		if id = p.r.s.States.pins.get(k, now.UnixNano()); id == "" && p.r.s.Shared != nil {
			p.r.s.Shared.Ask(k)
		}
		return id == ""
	})
	if id == "" {
		return -1, nil
	}
	for i := range p.group.members {
		if p.group.members[i].d.ID == id && p.callable(i, now) {
			return i, nil
		}
	}
	if g := p.r.ids[id]; g != nil {
		from := g.members[0].d
		for _, i := range p.list {
			if d := p.group.members[i].d; d.Base == from.Base && d.APIKey == from.APIKey && d.Provider == from.Provider && d.Organization == from.Organization {
				return i, nil
			}
		}
		return -1, p.away(g.members[0].state, now)
	}
	return -1, &llm.Error{
		Op: "router.Next", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "input",
		Message: "The deployment that made the encrypted_content of this request is gone, and no other has its key. " +
			"Send the request without the items that hold it.",
	}
}

// callable reports whether a member is among the candidates, or was and may be tried again.
func (p *Plan) callable(i int, now time.Time) bool {
	for _, c := range p.list {
		if c == i {
			return true
		}
	}
	return p.tried[i] && !(p.cooling() && p.group.members[i].state.available(now.UnixNano()) == leftAlone)
}

func (p *Plan) away(st *state, now time.Time) error {
	e := &llm.Error{
		Op: "router.Next", Kind: llm.KindNoDeployment, Status: 503, Type: "None", Param: "None", Code: "503",
		Message: "The deployment that made the encrypted_content of this request is not available at the moment, and no other has its key.",
	}
	if until := st.until.Load(); until > now.UnixNano() {
		e.RetryAfter = max(time.Duration(until-now.UnixNano()).Round(time.Second), time.Second)
	}
	return e
}
