package store

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// DecodeExact is json.Unmarshal but for names of members, which have to be written as the fields of v say, at every depth:
// json.Unmarshal also takes other letters' case for them, and a rule that looks at names would not see such a member. One
// with another name is left out. Duplicates are as json.Unmarshal has them: the last one counts.
func DecodeExact(raw []byte, v any) error {
	if out, changed := exact(raw, reflect.TypeOf(v)); changed {
		raw = out
	}
	return json.Unmarshal(raw, v)
}

// exact leaves out what t has no field for. What is no JSON, or of another type, stays for json.Unmarshal to refuse.
func exact(raw []byte, t reflect.Type) (out []byte, changed bool) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return raw, false
	}
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
	case t.Kind() == reflect.Struct && raw[0] == '{':
		return exactMembers(raw, fieldsOf(t, map[string]reflect.Type{}), nil)
	case t.Kind() == reflect.Map && raw[0] == '{' && nests(t.Elem()):
		return exactMembers(raw, nil, t.Elem())
	case (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && raw[0] == '[' && nests(t.Elem()):
		return exactEntries(raw, t.Elem())
	}
	return raw, false
}

// nests reports whether values of a type may have members with names that are known.
func nests(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Array:
		return true
	}
	return false
}

// exactMembers goes through an object with these fields, or with any names and values of one type.
func exactMembers(raw []byte, fields map[string]reflect.Type, each reflect.Type) (out []byte, changed bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return raw, false
	}
	for name, value := range all {
		t, known := fields[name]
		if each != nil {
			t, known = each, true
		}
		if !known {
			delete(all, name)
			changed = true
		} else if value, other := exact(value, t); other {
			all[name], changed = value, true
		}
	}
	return remade(raw, all, changed)
}

func exactEntries(raw []byte, t reflect.Type) (out []byte, changed bool) {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return raw, false
	}
	for i, entry := range all {
		if entry, other := exact(entry, t); other {
			all[i], changed = entry, true
		}
	}
	return remade(raw, all, changed)
}

func remade(raw []byte, all any, changed bool) ([]byte, bool) {
	if !changed {
		return raw, false
	}
	out, err := json.Marshal(all)
	if err != nil {
		return raw, false
	}
	return out, true
}

// fieldsOf are the names of a struct's members and their types. Those of embedded structs are its own.
func fieldsOf(t reflect.Type, fields map[string]reflect.Type) map[string]reflect.Type {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-":
		case name == "" && f.Anonymous && inner.Kind() == reflect.Struct:
			fieldsOf(inner, fields)
		case f.IsExported():
			if name == "" {
				name = f.Name
			}
			fields[name] = f.Type
		}
	}
	return fields
}
