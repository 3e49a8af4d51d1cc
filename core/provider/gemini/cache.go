package gemini

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Messages with a cache_control are kept by Google as a cachedContent, as with the reference
// (litellm/llms/vertex_ai/context_caching; https://ai.google.dev/gemini-api/docs/caching,
// https://ai.google.dev/api/caching). The first call makes it, and those that begin alike use it. What cannot be kept,
// because it is too short or the model has no cache, is sent as ever.

// kept are the cachedContents that were made for a deployment, by what they hold.
type kept struct {
	mu   sync.Mutex
	list map[[sha256.Size]byte]content
}

type content struct {
	name  string
	until time.Time
}

const (
	maxKept   = 1024
	minCached = 4096 // bytes: less than the 1,024 tokens that no model keeps
	defaultTo = time.Hour
	margin    = time.Minute // so that nothing expires on its way
)

func (k *kept) get(sum [sha256.Size]byte, now time.Time) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.list[sum]
	if !ok || !now.Before(c.until) {
		delete(k.list, sum)
		return ""
	}
	return c.name
}

func (k *kept) set(sum [sha256.Size]byte, name string, now time.Time, keep time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list == nil {
		k.list = map[[sha256.Size]byte]content{}
	}
	for old, c := range k.list {
		if len(k.list) >= maxKept || !now.Before(c.until) {
			delete(k.list, old)
		}
	}
	k.list[sum] = content{name, now.Add(keep - margin)}
}

func (k *kept) forget(sum [sha256.Size]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.list, sum)
}

// cached returns the body of the call, where plain is the whole request: if its beginning is to be cached, it is the
// rest, or what makes the cache, with the rest to follow.
func (n *encoder) cached(plain []byte) ([]byte, error) {
	end, keep := n.prefix()
	if end == 0 || n.o.whole || len(plain) < minCached || n.r.Get("cached_content") != nil || n.r.Get("cachedContent") != nil || n.t.Call == nil {
		return plain, nil
	}
	create, err := n.create(end, keep)
	if err != nil || len(create) < minCached {
		return plain, err
	}
	rest, err := n.rest(end)
	if err != nil {
		return nil, err
	}
	if keep == 0 {
		keep = defaultTo
	}
	p := &prepared{o: n.o, sum: sha256.Sum256(create), plain: plain, rest: rest, path: n.t.Call.Path, keep: keep}
	if name := n.o.kept.get(p.sum, n.o.now()); name != "" {
		n.t.Call.Next = p.used
		return p.body(name), nil
	}
	path, _, _ := strings.Cut(n.o.resource, "/publishers/")
	if !n.o.vertex {
		path = ""
	}
	n.t.Call.Path, n.t.Call.Next = []byte(n.t.Site.Root+path+"/cachedContents"), p.made
	return withName(create, p.sum), nil
}

// withName adds the name under which an operator sees a cache in Google's lists.
func withName(create []byte, sum [sha256.Size]byte) []byte {
	b := dialect.Resumed(create[:len(create)-1])
	return b.Key("displayName").Quote("sallyport-" + hex.EncodeToString(sum[:16])).Close('}').Bytes()
}

// prefix is how many messages are to be cached, and for how long if a message says so: all up to the end of the first
// ones in a row that have a cache_control. They must end with the user, and something must be left to be said.
func (n *encoder) prefix() (end int, keep time.Duration) {
	list := n.r.Messages
	for i := range list {
		mark := marked(&list[i])
		if mark == nil {
			if end > 0 {
				break
			}
			continue
		}
		end = i + 1
		if keep == 0 {
			keep = lasting(dialect.Get(mark, "ttl"))
		}
	}
	last := openai.RoleSystem
	for i := range end {
		if r := list[i].Role; r != openai.RoleSystem {
			last = r
		}
	}
	if last != openai.RoleSystem && last != openai.RoleUser {
		return 0, 0
	}
	for i := end; i < len(list); i++ {
		if list[i].Role != openai.RoleSystem {
			return end, keep
		}
	}
	return 0, 0
}

// marked is the cache_control of a message, or nil.
func marked(m *openai.ChatMessage) []byte {
	mark := m.Cache
	for i := range m.Parts {
		if m.Parts[i].Cache != nil {
			mark = m.Parts[i].Cache
		}
	}
	if string(dialect.Get(mark, "type")) != `"ephemeral"` {
		return nil
	}
	return mark
}

// lasting reads a time such as 5m, 1h or 3600s.
func lasting(raw []byte) time.Duration {
	s, ok := llm.Text(raw)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(string(s))
	if err != nil || d < 2*margin || d > 30*24*time.Hour {
		return 0
	}
	return d
}

// create is the cachedContent (https://ai.google.dev/api/caching#CachedContent).
func (n *encoder) create(end int, keep time.Duration) ([]byte, error) {
	c := &encoder{t: n.t, r: n.r, o: n.o, b: dialect.Build(nil)}
	model := "models/" + n.o.model
	if n.o.vertex {
		_, project, _ := strings.Cut(n.t.Site.Root, "/projects/")
		model = "projects/" + project + n.o.resource + n.o.model
	}
	c.b.Open('{').Key("model").Quote(model)
	talk := false
	for i := range end {
		talk = talk || n.r.Messages[i].Role != openai.RoleSystem
	}
	if talk {
		if err := c.between(0, end); err != nil {
			return nil, err
		}
	}
	for _, write := range [...]func(*encoder) error{(*encoder).system, (*encoder).tools, (*encoder).toolConfig} {
		if err := write(c); err != nil {
			return nil, err
		}
	}
	if keep > 0 {
		c.b.Key("ttl").Quote(strconv.FormatInt(int64(keep/time.Second), 10) + "s")
	}
	return c.b.Close('}').Bytes(), nil
}

// rest is the request without what is cached, and without its last bracket.
func (n *encoder) rest(from int) ([]byte, error) {
	c := &encoder{t: n.t, r: n.r, o: n.o, b: dialect.Build(nil)}
	c.b.Open('{')
	if err := c.between(from, len(n.r.Messages)); err != nil {
		return nil, err
	}
	for _, write := range [...]func(*encoder) error{(*encoder).config, (*encoder).others} {
		if err := write(c); err != nil {
			return nil, err
		}
	}
	return c.b.Bytes(), nil
}

// prepared is a request of which the beginning is cached.
type prepared struct {
	o           *own
	sum         [sha256.Size]byte
	plain, rest []byte
	path        []byte // of the request itself
	keep        time.Duration
}

// body is the rest of the request behind the cache.
func (p *prepared) body(name string) []byte {
	b := dialect.Resumed(append(make([]byte, 0, len(p.rest)+len(name)+32), p.rest...))
	return b.Key("cachedContent").Quote(name).Close('}').Bytes()
}

// made goes on after the cache was made, or refused.
func (p *prepared) made(status int, body []byte, c *llm.Call) (time.Duration, bool, error) {
	c.Path = p.path
	name, ok := llm.Text(dialect.Get(body, "name"))
	if status >= 300 || !ok || len(name) == 0 {
		c.Body = [][]byte{p.plain}
		return 0, true, nil
	}
	p.o.kept.set(p.sum, string(name), p.o.now(), p.keep)
	c.Body, c.Next = [][]byte{p.body(string(name))}, p.used
	return 0, true, nil
}

// used sends the whole request if the cache is gone. Google says so with one of several statuses.
func (p *prepared) used(status int, body []byte, c *llm.Call) (time.Duration, bool, error) {
	if status < 400 || status >= 500 || !strings.Contains(strings.ToLower(string(body[:min(len(body), 4096)])), "cachedcontent") &&
		!strings.Contains(strings.ToLower(string(body[:min(len(body), 4096)])), "cached content") {
		return 0, false, nil
	}
	p.o.kept.forget(p.sum)
	c.Body = [][]byte{p.plain}
	return 0, true, nil
}
