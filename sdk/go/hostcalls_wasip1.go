package sallyport

import (
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

//go:wasmimport sallyport1 http_start
//go:noescape
func hostHTTPStart(request unsafe.Pointer, n uint32) int32

//go:wasmimport sallyport1 blob_wait
func hostBlobWait(handle, timeout int32) int32

//go:wasmimport sallyport1 blob_len
func hostBlobLen(handle int32) int32

//go:wasmimport sallyport1 blob_read
//go:noescape
func hostBlobRead(handle int32, offset uint32, buf unsafe.Pointer, n uint32) int32

//go:wasmimport sallyport1 blob_close
func hostBlobClose(handle int32) int32

//go:wasmimport sallyport1 secret
//go:noescape
func hostSecret(name string, buf unsafe.Pointer, n uint32) int32

//go:wasmimport sallyport1 kv_get
//go:noescape
func hostKVGet(key string, buf unsafe.Pointer, n uint32) int32

//go:wasmimport sallyport1 kv_set
//go:noescape
func hostKVSet(key string, value unsafe.Pointer, n uint32, ttl uint64) int32

//go:wasmimport sallyport1 kv_incr
//go:noescape
func hostKVIncr(key string, delta int64, ttl uint64, sum unsafe.Pointer) int32

//go:wasmimport sallyport1 kv_del
//go:noescape
func hostKVDel(key string) int32

//go:wasmimport sallyport1 metric
//go:noescape
func hostMetric(kind int32, name string, value float64) int32

// Pending is a request under way.
type Pending struct{ handle int32 }

// StartHTTP sends a request without waiting for the answer. Wait collects it, in the same call of the hook.
func StartHTTP(req *HTTPRequest) (*Pending, error) {
	b := req.encode(nil)
	handle := hostHTTPStart(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)))
	if handle < 0 {
		return nil, refused(handle)
	}
	return &Pending{handle}, nil
}

// Wait waits for the answer. It is called once.
func (p *Pending) Wait() (*HTTPResponse, error) {
	if hostBlobWait(p.handle, -1) == abi.ErrNotFound {
		return nil, errorString("sallyport: the request was begun in another call, or was collected before")
	}
	defer hostBlobClose(p.handle)
	n := hostBlobLen(p.handle)
	if n < 0 {
		return nil, &HTTPError{abi.CauseTimeout, "no answer in time"}
	}
	b := make([]byte, n)
	if hostBlobRead(p.handle, 0, unsafe.Pointer(unsafe.SliceData(b)), uint32(n)) != n {
		return nil, errorString("sallyport: the answer cannot be read")
	}
	return decodeHTTP(b)
}

// Secret returns a secret of the operator's by the name of its environment variable; ok is false if it is not granted.
// The manifest asks for it with caps.secrets. It must not be logged.
func Secret(name string) (value string, ok bool) {
	buf := make([]byte, 256)
	for {
		n := hostSecret(name, unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
		if n < 0 {
			return "", false
		}
		if int(n) <= len(buf) {
			return string(buf[:n]), true
		}
		buf = make([]byte, n)
	}
}

func kvGet(key string) ([]byte, int32) {
	buf := make([]byte, 256)
	for {
		n := hostKVGet(key, unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
		if n < 0 || int(n) <= len(buf) {
			return buf[:max(n, 0)], min(n, 0)
		}
		buf = make([]byte, n)
	}
}

func kvSet(key string, value []byte, ttl uint64) int32 {
	return hostKVSet(key, unsafe.Pointer(unsafe.SliceData(value)), uint32(len(value)), ttl)
}

func kvAdd(key string, delta int64, ttl uint64) (int64, int32) {
	var sum int64
	code := hostKVIncr(key, delta, ttl, unsafe.Pointer(&sum))
	return sum, code
}

func kvDelete(key string) int32 { return hostKVDel(key) }

func metric(kind int32, name string, value float64) int32 { return hostMetric(kind, name, value) }
