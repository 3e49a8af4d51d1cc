package router

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Affinity says which requests go to the deployment that served the one before them. It yields to everything that leaves
// a deployment out: cooldowns, filters, tags, places.
type Affinity struct {
	Prompts   bool          // with the same cached beginning of a prompt, as long as the vendor keeps it
	Sessions  bool          // of the same session
	Keys      bool          // of the same virtual key
	Encrypted bool          // with reasoning that only one can read: these go nowhere else
	TTL       time.Duration // of sessions and keys, from their latest request; 0 takes an hour
}

const defaultAffinity = time.Hour

func (a *Affinity) on() bool { return a.Prompts || a.Sessions || a.Keys }

// bonds are the keys by which one request is bound to a deployment. The zero value is ready, and can be used again.
type bonds struct {
	found      bool
	session    Key
	user       Key
	hasSession bool
	hasUser    bool
	prompt     prefix
	text       []byte    // scratch
	hash       hash.Hash // scratch; nil until there is a prompt with marks
	sum        [sha256.Size]byte
}

// forget makes bonds ready for another request, or another group.
func (b *bonds) forget() {
	b.found, b.hasSession, b.hasUser = false, false, false
	b.prompt.ends, b.prompt.marks = b.prompt.ends[:0], b.prompt.marks[:0]
}

// find works out what the request is bound by in a group.
func (b *bonds) find(x *llm.Exchange, g *group, a *Affinity) {
	if b.found {
		return
	}
	b.found = true
	if a.Sessions {
		if id := sessionOf(x); len(id) > 0 {
			b.begin("session", g.name)
			b.text = append(b.text, id...)
			b.session, b.hasSession = b.key(), true
		}
	}
	if a.Keys && x.Principal != nil && x.Principal.KeyHash != "" {
		b.begin("key", g.name)
		b.text = append(b.text, x.Principal.KeyHash...)
		b.user, b.hasUser = b.key(), true
	}
	if a.Prompts && x.Op == llm.OpChat {
		b.prefix(body(x), g.name)
	}
}

// begin keeps the keys of different kinds and groups apart.
func (b *bonds) begin(kind, group string) {
	b.text = append(append(append(append(b.text[:0], kind...), 0), group...), 0)
}

func (b *bonds) key() Key {
	b.sum = sha256.Sum256(b.text)
	return Key(b.sum[:len(Key{})])
}

// sessionOf is the session that a request belongs to: metadata.session_id, litellm_session_id, or the header
// x-litellm-session-id (litellm/proxy/litellm_pre_call_utils.py).
func sessionOf(x *llm.Exchange) []byte {
	if x.Controls.Metadata != nil {
		if id, ok := llm.Text(dialect.Get(x.Controls.Metadata, "session_id")); ok && len(id) > 0 {
			return id
		}
	}
	if x.Controls.Given {
		if id, ok := llm.Text(body(x).Get("litellm_session_id")); ok && len(id) > 0 {
			return id
		}
	}
	return x.Header.Get("x-litellm-session-id")
}

// bound is the member of p.list that the request is bound to, or -1.
func (p *Plan) bound(now time.Time) int {
	a := &p.r.s.Affinity
	b := &p.bonds
	b.find(p.x, p.group, a)
	nano := now.UnixNano()
	if b.hasSession {
		if at := p.pinned(b.session, nano); at >= 0 {
			return at
		}
	}
	for i := len(b.prompt.ends) - 1; i >= 0; i-- {
		if at := p.pinned(b.prompt.ends[i], nano); at >= 0 {
			return at
		}
	}
	if b.hasUser {
		return p.pinned(b.user, nano)
	}
	return -1
}

// pinned is the member of p.list that a key leads to, or -1. What nobody here knows is asked of the other replicas, for
// the next time.
func (p *Plan) pinned(k Key, now int64) int {
	s := &p.r.s
	id := s.States.pins.get(k, now)
	if id == "" {
		if s.Shared != nil {
			s.Shared.Ask(k)
		}
		return -1
	}
	for _, i := range p.list {
		if m := &p.group.members[i]; m.d.ID == id && m.room() {
			return i
		}
	}
	return -1
}

// bind leads the requests that follow to the deployment that answers this one.
func (p *Plan) bind(id string, now time.Time) {
	b, a := &p.bonds, &p.r.s.Affinity
	if !b.found {
		b.find(p.x, p.group, a)
	}
	ttl := a.TTL
	if ttl <= 0 {
		ttl = defaultAffinity
	}
	if b.hasSession {
		p.pin(b.session, id, now, ttl)
	}
	if b.hasUser {
		p.pin(b.user, id, now, ttl)
	}
	for _, m := range b.prompt.marks {
		p.pin(m.key, id, now, m.ttl)
	}
}

func (p *Plan) pin(k Key, id string, now time.Time, ttl time.Duration) {
	s := &p.r.s
	if s.States.pins.set(k, id, now.UnixNano(), ttl) && s.Shared != nil {
		s.Shared.Pin(k, id, ttl)
	}
}

// prefix is the beginnings of a prompt that a vendor may have cached. Anthropic caches what precedes each block with
// cache_control: tools, then system, then messages; it finds an entry at one of the twenty blocks before such a mark,
// and keeps it for five minutes, or an hour, from its latest use
// (https://platform.claude.com/docs/en/build-with-claude/prompt-caching). So a conversation that goes on is found by the
// marks of its former turns. What is hashed is the text of the blocks without the marks, which move from turn to turn.
type prefix struct {
	ends  []Key // of blocks, the last of them the last mark; a mark of a former request may be among them
	marks []mark
}

type mark struct {
	key Key
	ttl time.Duration
}

const (
	lookBack   = 20
	shortCache = 5 * time.Minute
	longCache  = time.Hour
	// minCached is how long a beginning must be to be cached: 1,024 tokens at about four bytes each
	// (DEFAULT_MINIMUM_PROMPT_CACHE_TOKEN_COUNT in litellm/constants.py).
	minCached = 4 * 1024
)

var cacheMark = []byte(`"cache_control"`)

// prefixReader walks the blocks of a prompt.
type prefixReader struct {
	b    *bonds
	size int
	ttl  time.Duration
	ends int // how many ends there were at the last mark
}

func (b *bonds) prefix(o *llm.Object, group string) {
	if !bytes.Contains(o.Raw(), cacheMark) {
		return
	}
	if b.hash == nil {
		b.hash = sha256.New()
	}
	b.hash.Reset()
	b.begin("prompt", group)
	_, _ = b.hash.Write(b.text)
	r := prefixReader{b: b, ttl: longCache}
	r.list(o.Get("tools"))
	r.content(o.Get("system"), nil)
	for messages := dialect.Array(o.Get("messages")); messages.Next(); {
		r.message(messages.Value())
	}
	p := &b.prompt
	p.ends = p.ends[:r.ends]
	if over := len(p.ends) - lookBack; over > 0 {
		p.ends = append(p.ends[:0], p.ends[over:]...)
	}
}

func (r *prefixReader) write(b []byte) {
	_, _ = r.b.hash.Write(b)
	r.size += len(b)
}

// list reads blocks, each of which may have a mark.
func (r *prefixReader) list(raw []byte) {
	for blocks := dialect.Array(raw); blocks.Next(); {
		r.block(blocks.Value())
	}
}

// content reads a text or a list of blocks. marked is the mark of the message that it is in, if that has one.
func (r *prefixReader) content(raw, marked []byte) {
	switch {
	case len(raw) == 0:
	case raw[0] == '[':
		r.list(raw)
		if marked != nil {
			r.end(marked)
		}
	default:
		r.write(raw)
		r.end(marked)
	}
}

// message reads a message.
func (r *prefixReader) message(raw []byte) {
	var said, marked []byte
	for m := dialect.Object(raw); m.Next(); {
		switch string(m.Key()) {
		case "content":
			said = m.Value()
		case "cache_control":
			marked = m.Value()
		default:
			r.write(m.Key())
			r.write(m.Value())
		}
	}
	r.content(said, marked)
}

// block reads one block or tool. One that is nothing but text counts as that text: callers write the same message as a
// text in one turn, and as a block where it has a mark in another.
func (r *prefixReader) block(raw []byte) {
	var marked, text []byte
	plain := true
	for m := dialect.Object(raw); m.Next(); {
		switch string(m.Key()) {
		case "cache_control":
			marked = m.Value()
		case "text":
			text = m.Value()
		case "type":
			kind, _ := llm.Text(m.Value())
			plain = plain && string(kind) == "text"
		default:
			plain = false
		}
	}
	if plain && text != nil {
		r.write(text)
		r.end(marked)
		return
	}
	for m := dialect.Object(raw); m.Next(); {
		if string(m.Key()) != "cache_control" {
			r.write(m.Key())
			r.write(m.Value())
		}
	}
	r.end(marked)
}

// end notes the end of a block, and whether the vendor caches up to there.
func (r *prefixReader) end(marked []byte) {
	cached := isEphemeral(marked)
	if cached && r.ttl > shortCache {
		if ttl, _ := llm.Text(dialect.Get(marked, "ttl")); string(ttl) != "1h" {
			r.ttl = shortCache // the shortest lifetime counts: what follows cannot outlive it
		}
	}
	if r.size < minCached {
		return
	}
	p := &r.b.prompt
	k := Key(r.b.hash.Sum(r.b.sum[:0])[:len(Key{})])
	p.ends = append(p.ends, k)
	if cached {
		r.ends = len(p.ends)
		p.marks = append(p.marks, mark{k, r.ttl})
	}
}

func isEphemeral(marked []byte) bool {
	if dialect.Null(marked) {
		return false
	}
	kind, _ := llm.Text(dialect.Get(marked, "type"))
	return string(kind) == "ephemeral"
}
