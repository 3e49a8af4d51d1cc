package store

import (
	"encoding/json"
	"time"
)

// Text is a nullable text column: the empty text is NULL in the database and null in JSON.
type Text string

// MarshalJSON writes null for the empty text.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON reads null as the empty text.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s *string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*t = ""
	if s != nil {
		*t = Text(*s)
	}
	return nil
}

// List is a column of texts. A nil list is an empty one, in the database as in JSON.
type List []string

// MarshalJSON writes [] for a nil list.
func (l List) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(l))
}

// JSON is a column of JSON. A nil value is NULL where the column may be, and the column's default where it may not.
type JSON = json.RawMessage

// Ptr returns a pointer to a copy of v, for columns that may be NULL.
func Ptr[T any](v T) *T { return &v }

// Clean brings a time to what the database keeps: UTC, in milliseconds.
func Clean(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
