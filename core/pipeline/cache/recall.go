package cache

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// recall holds the keys of requests that were answered from the store, by the bytes that they came in. Whoever sends the
// same again byte for byte, as programs do, needs no canonical form and no SHA-256, which take most of the time of a hit in
// memory. A key is given only after all bytes that it stands for were compared, so the hash that finds them need not be
// one that nobody can forge. It is safe for concurrent use.
type recall struct {
	seed  maphash.Seed
	slots [recallSlots]atomic.Pointer[recalled]
	bytes atomic.Int64
}

// recalled is one request and its key. It is not changed.
type recalled struct {
	head, body []byte // see keyer.head
	sum        [32]byte
	namespace  string
	key        string
}

const (
	recallSlots = 2048
	recallBytes = 8 << 20   // of all requests together; from there it begins anew
	recallMost  = 128 << 10 // of one request
)

func newRecall() *recall { return &recall{seed: maphash.MakeSeed()} }

func (r *recall) slot(head, body []byte) *atomic.Pointer[recalled] {
	h := maphash.Bytes(r.seed, head) * 31
	h += maphash.Bytes(r.seed, body)
	return &r.slots[h%recallSlots]
}

// find returns what is known of a request, or nil.
func (r *recall) find(head, body []byte) *recalled {
	if len(body) > recallMost {
		return nil
	}
	k := r.slot(head, body).Load()
	if k == nil || !bytes.Equal(k.head, head) || !bytes.Equal(k.body, body) {
		return nil
	}
	return k
}

// add keeps a copy of the request, in place of the one that has its slot.
func (r *recall) add(head, body []byte, sum [32]byte, namespace, key string) {
	if len(body) > recallMost {
		return
	}
	size := int64(len(head) + len(body) + len(key))
	if r.bytes.Add(size) > recallBytes {
		r.clear()
		r.bytes.Add(size)
	}
	both := append(append(make([]byte, 0, len(head)+len(body)), head...), body...)
	n := len(head)
	r.slot(head, body).Store(&recalled{both[:n:n], both[n:], sum, namespace, key})
}

// clear forgets all requests.
func (r *recall) clear() {
	r.bytes.Store(0)
	for i := range r.slots {
		r.slots[i].Store(nil)
	}
}

// simple reports whether the key of a request depends on nothing but its head and the bytes of its body: it is no form with
// files, and the body that controls are read from is the one that counts.
func simple(x *llm.Exchange, body *llm.Object) bool {
	return len(x.Form.Parts()) == 0 && (body == &x.Native || x.Native.Raw() == nil)
}

// remember keeps the key of a request that was answered from the store and says nothing about caching.
func (u *use) remember(x *llm.Exchange) {
	if u.recalled || !u.plain {
		return
	}
	h := u.h
	k := h.keyers.Get().(*keyer)
	defer h.keyers.Put(k)
	k.reset()
	if body := k.head(h, x); simple(x, body) {
		h.recall.add(k.out, body.Raw(), u.sum, u.namespace, u.key)
	}
}
