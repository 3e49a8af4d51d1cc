// Package semantic finds answers to similar prompts in memory, without a server: an index of vectors for each scope, and a way
// to make vectors of texts that needs no model.
package semantic

import (
	"container/list"
	"context"
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

const (
	// DefaultSize is how many bytes an Index holds if nothing is said.
	DefaultSize = 128 << 20

	words     = 4 // of a signature
	planes    = 64 * words
	overhead  = 320 // bytes that an entry takes besides vector and value
	maxVector = 16_384
	seed      = 0x5a11
)

// Index implements cache.Semantic. A vector is kept in a byte for each dimension, and as a signature: on which side of 256
// planes it lies. The angle between two vectors shows in how many of these they are on different sides
// (M. Charikar, Similarity Estimation Techniques from Rounding Algorithms, 2002), so a search compares signatures, 32 bytes
// each, and then measures those few that can be close enough. It is exact but for vectors that differ in far more planes
// than their angle makes likely: one in a million.
type Index struct {
	size int64

	mu     sync.RWMutex
	scopes map[string]*scope
	ids    map[id]*item
	order  *list.List // of *item, oldest first; those that were found get another turn
	used   int64

	turns sync.Map // of *turn by the length of vectors
}

var _ cache.Semantic = (*Index)(nil)

type id struct{ scope, name string }

type signature [words]uint64

// scope is what may be found together: signatures side by side, which a search runs through.
type scope struct {
	signatures []signature
	items      []*item
}

type item struct {
	id     id
	at     int // in its scope
	vector []int8
	norm   float32 // length of vector
	value  []byte
	until  time.Time
	found  atomic.Bool
	place  *list.Element
}

// New makes an index of a size in bytes; 0 takes DefaultSize.
func New(size int64) *Index {
	if size <= 0 {
		size = DefaultSize
	}
	return &Index{size: size, scopes: map[string]*scope{}, ids: map[id]*item{}, order: list.New()}
}

var errVector = errors.New("semantic: the vector is empty, too long, or has a value that is no number")

// turn is a rotation at random of vectors of one length: signs are changed at random and the vector is transformed after
// Hadamard, twice (N. Ailon, B. Chazelle, The Fast Johnson-Lindenstrauss Transform, 2009). The signs of what comes out tell on
// which sides of as many planes the vector lies, at the cost of sorting it rather than of a multiplication for each plane.
type turn struct{ first, second []float32 }

func (x *Index) turnOf(n int) *turn {
	if t, ok := x.turns.Load(n); ok {
		return t.(*turn)
	}
	size := planes
	for size < n {
		size *= 2
	}
	rnd := rand.New(rand.NewPCG(seed, uint64(n)))
	signs := func() []float32 {
		list := make([]float32, size)
		for i := range list {
			list[i] = float32(rnd.Uint64()&2) - 1
		}
		return list
	}
	t, _ := x.turns.LoadOrStore(n, &turn{signs(), signs()})
	return t.(*turn)
}

// sign makes the signature of a vector.
func (t *turn) sign(v []int8) (s signature) {
	sums := make([]float32, len(t.first))
	for i, f := range v {
		sums[i] = float32(f) * t.first[i]
	}
	hadamard(sums)
	for i := range sums {
		sums[i] *= t.second[i]
	}
	hadamard(sums)
	for i, sum := range sums[:planes] {
		if sum > 0 {
			s[i/64] |= 1 << (i % 64)
		}
	}
	return s
}

// hadamard transforms v, whose length is a power of two, in place.
func hadamard(v []float32) {
	for h := 1; h < len(v); h *= 2 {
		for i := 0; i < len(v); i += 2 * h {
			a, b := v[i:i+h], v[i+h:i+2*h]
			b = b[:len(a)]
			for k := range a {
				a[k], b[k] = a[k]+b[k], a[k]-b[k]
			}
		}
	}
}

// quantize keeps a vector in a byte for each dimension. ok is false if there is no direction in it.
func quantize(v []float32) (q []int8, norm float32, ok bool) {
	if len(v) == 0 || len(v) > maxVector {
		return nil, 0, false
	}
	var most float32
	for _, f := range v {
		if a := float32(math.Abs(float64(f))); a > most {
			most = a
		} else if a != a {
			return nil, 0, false
		}
	}
	if most == 0 || math.IsInf(float64(most), 0) {
		return nil, 0, false
	}
	q = make([]int8, len(v))
	var sum float64
	for i, f := range v {
		q[i] = int8(math.Round(float64(f / most * 127)))
		sum += float64(q[i]) * float64(q[i])
	}
	return q, float32(math.Sqrt(sum)), sum > 0
}

func dot(a, b []int8) (sum int32) {
	b = b[:len(a)]
	for i, f := range a {
		sum += int32(f) * int32(b[i])
	}
	return sum
}

// reach is in how many planes a vector may differ that is as similar as atLeast: what is likely, and five times its spread.
func reach(atLeast float64) int {
	p := math.Acos(max(-1, min(1, atLeast))) / math.Pi
	return int(math.Ceil(planes*p + 5*math.Sqrt(planes*p*(1-p)) + 1))
}

// Nearest implements cache.Semantic.
func (x *Index) Nearest(ctx context.Context, name string, vector []float32, atLeast float64, buf []byte) ([]byte, float64, error) {
	if err := ctx.Err(); err != nil {
		return buf, 0, err
	}
	q, norm, ok := quantize(vector)
	if !ok {
		return buf, 0, cache.ErrMiss
	}
	s := x.turnOf(len(q)).sign(q)
	x.mu.RLock()
	defer x.mu.RUnlock()
	there := x.scopes[name]
	if there == nil {
		return buf, 0, cache.ErrMiss
	}
	best, most := x.search(there, s, q, norm, atLeast)
	if best == nil {
		return buf, 0, cache.ErrMiss
	}
	best.found.Store(true)
	return append(buf, best.value...), most, nil
}

// search finds the closest item. x.mu is held.
func (x *Index) search(in *scope, s signature, q []int8, norm float32, atLeast float64) (best *item, most float64) {
	now, far := time.Now(), reach(atLeast)
	for i := range in.signatures {
		o := &in.signatures[i]
		n := bits.OnesCount64(s[0]^o[0]) + bits.OnesCount64(s[1]^o[1]) + bits.OnesCount64(s[2]^o[2]) + bits.OnesCount64(s[3]^o[3])
		if n > far {
			continue
		}
		it := in.items[i]
		if len(it.vector) != len(q) || !it.until.IsZero() && !now.Before(it.until) {
			continue
		}
		if cos := float64(dot(q, it.vector)) / (float64(norm) * float64(it.norm)); cos >= atLeast && (best == nil || cos > most) {
			best, most = it, cos
			far = min(far, reach(cos))
		}
	}
	return best, most
}

func (it *item) cost() int64 {
	return int64(len(it.vector)+len(it.value)+len(it.id.scope)+len(it.id.name)) + overhead
}

// Add implements cache.Semantic.
func (x *Index) Add(ctx context.Context, name, key string, vector []float32, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q, norm, ok := quantize(vector)
	if !ok {
		return errVector
	}
	it := &item{id: id{name, key}, vector: q, norm: norm, value: append([]byte(nil), value...)}
	if ttl > 0 {
		it.until = time.Now().Add(ttl)
	}
	if it.cost() > x.size/8 {
		return errors.New("semantic: the entry is longer than an eighth of the cache")
	}
	s := x.turnOf(len(q)).sign(q)
	x.mu.Lock()
	defer x.mu.Unlock()
	if old := x.ids[it.id]; old != nil {
		x.remove(old)
	}
	x.insert(it, s)
	x.evict()
	return nil
}

// insert adds an item. x.mu is held.
func (x *Index) insert(it *item, s signature) {
	in := x.scopes[it.id.scope]
	if in == nil {
		in = &scope{}
		x.scopes[it.id.scope] = in
	}
	it.at = len(in.items)
	in.items = append(in.items, it)
	in.signatures = append(in.signatures, s)
	it.place = x.order.PushBack(it)
	x.ids[it.id] = it
	x.used += it.cost()
}

// remove takes an item out: the last one of its scope takes its place. x.mu is held.
func (x *Index) remove(it *item) {
	in := x.scopes[it.id.scope]
	last := len(in.items) - 1
	moved := in.items[last]
	in.items[it.at], in.signatures[it.at] = moved, in.signatures[last]
	moved.at = it.at
	in.items[last] = nil
	in.items, in.signatures = in.items[:last], in.signatures[:last]
	if last == 0 {
		delete(x.scopes, it.id.scope)
	}
	x.order.Remove(it.place)
	delete(x.ids, it.id)
	x.used -= it.cost()
}

// evict makes room: the oldest items go, but those that were found since stay for another turn. x.mu is held.
func (x *Index) evict() {
	now := time.Now()
	for x.used > x.size && x.order.Len() > 1 {
		it := x.order.Front().Value.(*item)
		over := !it.until.IsZero() && !now.Before(it.until)
		if it.found.Swap(false) && !over {
			x.order.MoveToBack(it.place)
			continue
		}
		x.remove(it)
	}
}

// Len is how many entries there are.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.ids)
}

// Delete implements cache.Semantic. It looks at all entries: nobody does it for each request.
func (x *Index) Delete(_ context.Context, ids ...string) (n int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, it := range x.ids {
		if slices.Contains(ids, it.id.name) {
			x.remove(it)
			n++
		}
	}
	return n, nil
}

// Flush implements cache.Semantic.
func (x *Index) Flush(context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.scopes, x.ids, x.used = map[string]*scope{}, map[id]*item{}, 0
	x.order.Init()
	return nil
}

// Ping implements cache.Semantic.
func (x *Index) Ping(context.Context) error { return nil }

// Close implements cache.Semantic.
func (x *Index) Close() error { return nil }
