package sallyport

import (
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// The key-value store belongs to the plugin's name in the gateway's configuration. All instances share it, it outlives
// a reload, and it needs caps.kv in the manifest and grants.kv in the configuration. Keys have at most 1 KB, values
// 1 MB.

// KVGet returns a value; ok is false if there is none.
func KVGet(key string) (value []byte, ok bool, err error) {
	value, code := kvGet(key)
	if code == abi.ErrNotFound {
		return nil, false, nil
	}
	return value, code == 0, kvError(code)
}

// KVSet stores a value until ttl is over; 0 is for ever.
func KVSet(key string, value []byte, ttl time.Duration) error {
	return kvError(kvSet(key, value, milliseconds(ttl)))
}

// KVAdd adds delta to a number and returns the sum. It is exact, however many instances add at the same time. A number
// that is not there is 0, and expires after ttl, 0 being never; one that is there keeps its time. That makes a counter
// of a time window.
func KVAdd(key string, delta int64, ttl time.Duration) (sum int64, err error) {
	sum, code := kvAdd(key, delta, milliseconds(ttl))
	return sum, kvError(code)
}

// KVDelete removes a value, if there is one.
func KVDelete(key string) error {
	if code := kvDelete(key); code != abi.ErrNotFound {
		return kvError(code)
	}
	return nil
}

func milliseconds(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return uint64(max(1, d.Milliseconds()))
}

func kvError(code int32) error {
	switch code {
	case 0:
		return nil
	case abi.ErrForbidden:
		return errorString("kv: the store is not granted, or the manifest does not ask for it (caps.kv)")
	case abi.ErrLimit:
		return errorString("kv: the value is too large, or the store is full")
	case abi.ErrArgument:
		return errorString("kv: the key is empty or too long, or the value is not a number")
	}
	return errorString("kv: the store failed")
}

// Count adds to a counter in the gateway's metrics, sallyport_guest_NAME_total. A name has small letters, digits and
// underscores; a plugin can use 64. It needs caps.metrics in the manifest and grants.metrics in the configuration;
// without them, or with a name of another form, nothing happens and ok is false.
func Count(name string, by float64) (ok bool) { return metric(abi.MetricCounter, name, by) == 0 }

// Gauge sets a value in the gateway's metrics, sallyport_guest_NAME, as Count does.
func Gauge(name string, value float64) (ok bool) { return metric(abi.MetricGauge, name, value) == 0 }

// Observe adds a value, usually a number of seconds, to a histogram in the gateway's metrics, sallyport_guest_NAME, as
// Count does.
func Observe(name string, value float64) (ok bool) {
	return metric(abi.MetricHistogram, name, value) == 0
}
