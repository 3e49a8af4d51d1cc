package abi

import (
	"errors"
	"math"
	"slices"
)

// AppendMap appends a nested record with the members of m in the order of their keys. The values are those that
// decoding JSON or YAML gives: nil, string, bool, integers, floats, []string, []any and map[string]any. Anything else
// is an error that names the key.
func AppendMap(dst []byte, tag Tag, m map[string]any) ([]byte, error) {
	return appendMap(dst, tag, m, 0)
}

func appendMap(dst []byte, tag Tag, m map[string]any, depth int) ([]byte, error) {
	if depth == MaxDepth {
		return dst, ErrDeep
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst, mark := Open(dst, tag)
	for _, k := range keys {
		var err error
		if dst, err = appendValue(AppendText(dst, TagKey, k), m[k], depth+1); err != nil {
			return dst, keyError(k, err)
		}
	}
	return Close(dst, mark), nil
}

func keyError(key string, err error) error {
	if errors.Is(err, errKind) {
		return errors.New("abi: the value of " + key + " is neither text, number, boolean, list nor map with text keys")
	}
	return err
}

// errKind asks the caller, who knows the key, for the message.
var errKind = errors.New("abi: a value of a kind that cannot be sent")

func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return AppendText(dst, TagNull, ""), nil
	case string:
		return AppendText(dst, TagStr, v), nil
	case bool:
		n := uint64(0)
		if v {
			n = 1
		}
		return AppendNumber(dst, TagBool, n), nil
	case []any:
		return appendList(dst, v, depth)
	case []string:
		return appendList(dst, v, depth)
	case map[string]any:
		return appendMap(dst, TagMap, v, depth)
	}
	return appendNumeric(dst, v)
}

func appendNumeric(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int:
		return AppendNumber(dst, TagInt, uint64(v)), nil
	case int64:
		return AppendNumber(dst, TagInt, uint64(v)), nil
	case int32:
		return AppendNumber(dst, TagInt, uint64(int64(v))), nil
	case uint32:
		return AppendNumber(dst, TagInt, uint64(v)), nil
	case uint64:
		if v > math.MaxInt64 {
			return AppendNumber(dst, TagFloat, math.Float64bits(float64(v))), nil
		}
		return AppendNumber(dst, TagInt, v), nil
	case float64:
		return AppendNumber(dst, TagFloat, math.Float64bits(v)), nil
	case float32:
		return AppendNumber(dst, TagFloat, math.Float64bits(float64(v))), nil
	}
	return dst, errKind
}

func appendList[T any](dst []byte, list []T, depth int) ([]byte, error) {
	if depth == MaxDepth {
		return dst, ErrDeep
	}
	dst, mark := Open(dst, TagList)
	for _, v := range list {
		var err error
		if dst, err = appendValue(dst, v, depth+1); err != nil {
			return dst, err
		}
	}
	return Close(dst, mark), nil
}

// Map reads what AppendMap wrote: b is the value of its record. Integers come back as int64, lists as []any. The
// strings are copies.
func Map(b []byte) (map[string]any, error) { return readMap(b, 0) }

func readMap(b []byte, depth int) (map[string]any, error) {
	if depth == MaxDepth {
		return nil, ErrDeep
	}
	m := map[string]any{}
	r := Reader{Rest: b}
	for r.Next() {
		if r.Tag != TagKey {
			return nil, ErrValue
		}
		key := string(r.Value)
		if _, twice := m[key]; twice || !r.Next() {
			return nil, ErrValue
		}
		v, err := readValue(&r, depth+1)
		if err != nil {
			return nil, err
		}
		m[key] = v
	}
	return m, r.Err
}

func readValue(r *Reader, depth int) (any, error) {
	switch r.Tag {
	case TagStr:
		return string(r.Value), nil
	case TagNull:
		return nil, nil
	case TagInt:
		n := r.Number()
		return int64(n), r.Err
	case TagFloat:
		n := r.Number()
		return math.Float64frombits(n), r.Err
	case TagBool:
		n := r.Number()
		return n == 1, r.Err
	case TagMap:
		return readMap(r.Value, depth)
	case TagList:
		return readList(r.Value, depth)
	}
	return nil, ErrValue
}

func readList(b []byte, depth int) ([]any, error) {
	if depth == MaxDepth {
		return nil, ErrDeep
	}
	list := []any{}
	r := Reader{Rest: b}
	for r.Next() {
		v, err := readValue(&r, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, r.Err
}
