//go:build !wasip1

package sallyport

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Fake stands in for the gateway's host functions in native tests. What is not set is as if it was not granted.
type Fake struct {
	HTTP    func(*HTTPRequest) (*HTTPResponse, error)
	Secrets map[string]string
	KV      map[string][]byte // the key-value store, without time
	// Metric sees what is counted; nil ignores it.
	Metric func(kind int32, name string, value float64)
}

// Use makes f answer host calls until restore is called. Tests that use it cannot run in parallel.
func (f *Fake) Use() (restore func()) {
	fakes.mu.Lock()
	defer fakes.mu.Unlock()
	old := fakes.now
	fakes.now = f
	return func() {
		fakes.mu.Lock()
		defer fakes.mu.Unlock()
		fakes.now = old
	}
}

//repocheck:constant host functions have no receiver in a guest, so natively what stands in for them has none either
var fakes struct {
	mu  sync.Mutex
	now *Fake
}

func fake() *Fake {
	fakes.mu.Lock()
	defer fakes.mu.Unlock()
	if fakes.now == nil {
		return &Fake{}
	}
	return fakes.now
}

// Pending is a request under way.
type Pending struct {
	response *HTTPResponse
	err      error
}

// StartHTTP sends a request without waiting for the answer. Natively the answer is there at once.
func StartHTTP(req *HTTPRequest) (*Pending, error) {
	f := fake()
	if f.HTTP == nil {
		return nil, refused(abi.ErrForbidden)
	}
	res, err := f.HTTP(req)
	return &Pending{res, err}, nil
}

// Wait returns the answer.
func (p *Pending) Wait() (*HTTPResponse, error) { return p.response, p.err }

// Secret returns a secret of the operator's by the name of its environment variable; ok is false if it is not granted.
func Secret(name string) (value string, ok bool) {
	value, ok = fake().Secrets[name]
	return value, ok
}

func kvGet(key string) ([]byte, int32) {
	f := fake()
	if f.KV == nil {
		return nil, abi.ErrForbidden
	}
	if v, ok := f.KV[key]; ok {
		return bytes.Clone(v), 0
	}
	return nil, abi.ErrNotFound
}

func kvSet(key string, value []byte, _ uint64) int32 {
	f := fake()
	if f.KV == nil {
		return abi.ErrForbidden
	}
	f.KV[key] = bytes.Clone(value)
	return 0
}

func kvAdd(key string, delta int64, ttl uint64) (int64, int32) {
	v, code := kvGet(key)
	if code == abi.ErrForbidden {
		return 0, code
	}
	n := int64(0)
	if code == 0 {
		var err error
		if n, err = strconv.ParseInt(string(v), 10, 64); err != nil {
			return 0, abi.ErrArgument
		}
	}
	return n + delta, kvSet(key, strconv.AppendInt(nil, n+delta, 10), ttl)
}

func kvDelete(key string) int32 {
	if _, code := kvGet(key); code != 0 {
		return code
	}
	delete(fake().KV, key)
	return 0
}

func metric(kind int32, name string, value float64) int32 {
	if f := fake(); f.Metric != nil {
		f.Metric(kind, name, value)
	}
	return 0
}
