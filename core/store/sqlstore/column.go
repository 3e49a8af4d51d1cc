package sqlstore

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// Kind is the type of a column.
type Kind uint8

// The kinds.
const (
	KindText Kind = iota
	KindInt
	KindFloat
	KindBool
	KindTime
	KindList
	KindJSON
)

// Column is one column of a table, as a struct's db tag describes it; see package store.
type Column struct {
	Name    string
	Kind    Kind
	Null    bool // may be NULL
	Small   bool // an integer of 32 bits
	Serial  bool // numbered by the database
	List    bool // JSON whose default is []
	Counter bool
	Once    bool
	Secret  bool
	UUID    bool
	Key     bool // part of the primary key
	index   []int
}

// columnsOf reads the db tags of a struct. The primary key of an embedded struct is none of the whole.
func columnsOf(t reflect.Type) []Column {
	var columns []Column
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			for _, c := range columnsOf(field.Type) {
				c.index = append([]int{i}, c.index...)
				c.Key, c.UUID, c.Serial = false, false, false
				columns = append(columns, c)
			}
			continue
		}
		if tag, ok := field.Tag.Lookup("db"); ok {
			columns = append(columns, columnOf(field.Type, tag, i))
		}
	}
	return columns
}

func columnOf(t reflect.Type, tag string, i int) Column {
	flags := strings.Split(tag, ",")
	has := func(flag string) bool { return slices.Contains(flags[1:], flag) }
	c := Column{
		Name: flags[0], Key: has("pk"), UUID: has("uuid"), Serial: has("serial"), Small: has("int4"),
		Null: has("null"), List: has("list"), Counter: has("counter"), Once: has("once"), Secret: has("secret"),
		index: []int{i},
	}
	if t.Kind() == reflect.Pointer {
		c.Null = true
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		c.Kind = KindTime
	case t == reflect.TypeFor[store.List]():
		c.Kind, c.Null = KindList, true
	case t == reflect.TypeFor[store.JSON]():
		c.Kind = KindJSON
	case t == reflect.TypeFor[store.Text]():
		c.Null = true
	case t.Kind() == reflect.Int64:
		c.Kind = KindInt
	case t.Kind() == reflect.Float64:
		c.Kind = KindFloat
	case t.Kind() == reflect.Bool:
		c.Kind = KindBool
	}
	return c
}

// codec carries values to and from a database.
type codec struct{ millis, arrays bool }

// arg makes the value of a column a parameter.
func (k codec) arg(c *Column, v any) (any, error) {
	value := reflect.ValueOf(v)
	for value.IsValid() && value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil, nil
		}
		value = value.Elem()
	}
	if !value.IsValid() {
		return nil, nil
	}
	switch c.Kind {
	case KindText:
		if value.Kind() == reflect.String {
			return textArg(c, value.String()), nil
		}
	case KindInt:
		if value.CanInt() {
			return intArg(c, value.Int())
		}
	case KindFloat:
		if value.CanFloat() {
			return finite(value.Float()), nil
		}
		if value.CanInt() {
			return float64(value.Int()), nil
		}
	case KindBool:
		if value.Kind() == reflect.Bool {
			return value.Bool(), nil
		}
	case KindTime:
		if t, ok := value.Interface().(time.Time); ok {
			return k.time(t), nil
		}
	case KindList:
		switch list := value.Interface().(type) {
		case store.List:
			return k.list(list), nil
		case []string:
			return k.list(list), nil
		}
	case KindJSON:
		if raw, ok := value.Interface().(store.JSON); ok {
			return jsonArg(c, raw), nil
		}
	}
	return nil, fmt.Errorf("column %s cannot hold a %s", c.Name, value.Type())
}

func textArg(c *Column, s string) any {
	if s == "" && c.Null {
		return nil
	}
	return cleanText(s)
}

func intArg(c *Column, n int64) (any, error) {
	if c.Small && (n > math.MaxInt32 || n < math.MinInt32) {
		return nil, fmt.Errorf("%s: %d is out of range: the largest number is %d", c.Name, n, math.MaxInt32)
	}
	return n, nil
}

func (k codec) time(t time.Time) any {
	if k.millis {
		return t.UnixMilli()
	}
	return store.Clean(t)
}

func (k codec) list(list []string) any {
	clean := make([]string, len(list))
	for i, s := range list {
		clean[i] = cleanText(s)
	}
	if k.arrays {
		return clean
	}
	encoded, _ := json.Marshal(clean) // texts always encode
	return string(encoded)
}

func jsonArg(c *Column, raw store.JSON) any {
	switch {
	case len(raw) > 0 && (c.Null || string(raw) != "null"):
		return string(cleanJSON(raw))
	case c.Null:
		return nil
	case c.List:
		return "[]"
	}
	return "{}"
}

// cell is where a column of a row is read to.
type cell struct {
	text  *string
	num   *int64
	float *float64
	yes   *bool
	at    *time.Time
	list  []string
	raw   []byte
}

func (k codec) target(kind Kind, c *cell) any {
	switch kind {
	case KindInt:
		return &c.num
	case KindFloat:
		return &c.float
	case KindBool:
		return &c.yes
	case KindTime:
		if k.millis {
			return &c.num
		}
		return &c.at
	case KindList:
		if k.arrays {
			return &c.list
		}
		return &c.raw
	case KindJSON:
		return &c.raw
	}
	return &c.text
}

// set puts what was read into a field. NULL is the field's zero value.
func (k codec) set(c *Column, from *cell, field reflect.Value) error {
	switch c.Kind {
	case KindText:
		setTo(field, from.text)
	case KindInt:
		setTo(field, from.num)
	case KindFloat:
		setTo(field, from.float)
	case KindBool:
		setTo(field, from.yes)
	case KindTime:
		if k.millis && from.num != nil {
			from.at = store.Ptr(time.UnixMilli(*from.num))
		}
		if from.at != nil {
			from.at = store.Ptr(from.at.UTC())
		}
		setTo(field, from.at)
	case KindList:
		if !k.arrays && len(from.raw) > 0 {
			if err := json.Unmarshal(from.raw, &from.list); err != nil {
				return fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
		field.Set(reflect.ValueOf(store.List(from.list)))
	case KindJSON:
		field.Set(reflect.ValueOf(store.JSON(from.raw)))
	}
	return nil
}

func setTo[T any](field reflect.Value, value *T) {
	switch {
	case value == nil:
		field.SetZero()
	case field.Kind() == reflect.Pointer:
		field.Set(reflect.ValueOf(value))
	default:
		field.Set(reflect.ValueOf(*value).Convert(field.Type()))
	}
}
