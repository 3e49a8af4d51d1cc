package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// call is one request of the API.
type call struct {
	a     *API
	r     *http.Request
	route *route
	who   *llm.Principal
	sent  map[string]json.RawMessage // members of the body, for those who must know what was given at all

	plugin map[string]any // members of the metadata that the operator's plugin set, by name
	update bool           // the call changes a row that exists
}

func (c *call) ctx() context.Context { return c.r.Context() }

// maxBody is how long a request may be.
const maxBody = 4 << 20

// body decodes the request into v. A member of the wrong type is answered like the reference's framework does it: 422
// with the place and the type that was expected. Unknown members are ignored, as there.
func (c *call) body(v any) error { return c.bodyVia(v, nil) }

// bodyVia is body with a step that may change the members before they are decoded.
func (c *call) bodyVia(v any, change func(map[string]any) (map[string]any, error)) error {
	raw, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	if err != nil {
		return badRequest("", "The body cannot be read.")
	}
	if len(raw) > maxBody {
		return &llm.Error{Op: "admin.body", Kind: llm.KindTooLarge, Status: http.StatusRequestEntityTooLarge, Message: "The body is longer than 4 MB."}
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = []byte("{}")
	}
	if err := json.Unmarshal(raw, &c.sent); err != nil || c.sent == nil {
		return unprocessable{[]detail{{Loc: []any{"body"}, Msg: "JSON decode error: an object was expected", Type: "json_invalid"}}}
	}
	if raw, err = c.exact(raw); err != nil {
		return err
	}
	if change != nil {
		if raw, err = c.changed(raw, change); err != nil {
			return err
		}
	}
	if err := store.DecodeExact(raw, v); err != nil {
		return undecodable(err)
	}
	return nil
}

// exact drops members that are another's name but for the case of letters: encoding/json would take them for it, and what is
// checked by name would not see them. All names but two are lower case ASCII, so others are unknown, and ignored like these.
func (c *call) exact(raw []byte) ([]byte, error) {
	n := len(c.sent)
	maps.DeleteFunc(c.sent, func(name string, _ json.RawMessage) bool {
		return name != "startTime" && name != "endTime" && strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 || r >= 'A' && r <= 'Z' })
	})
	if len(c.sent) == n {
		return raw, nil
	}
	return json.Marshal(c.sent)
}

// bodyFrom is body for a part of a request.
func (c *call) bodyFrom(m map[string]any, v any) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &c.sent); err != nil {
		return undecodable(err)
	}
	if raw, err = c.exact(raw); err != nil {
		return err
	}
	if err := store.DecodeExact(raw, v); err != nil {
		return undecodable(err)
	}
	return nil
}

func (c *call) changed(raw []byte, change func(map[string]any) (map[string]any, error)) ([]byte, error) {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, undecodable(err)
	}
	m, err := change(m)
	if err != nil {
		return nil, err
	}
	if raw, err = json.Marshal(m); err != nil {
		return nil, err
	}
	clear(c.sent)
	return raw, json.Unmarshal(raw, &c.sent)
}

// given reports whether the body has the member, be it null.
func (c *call) given(name string) bool {
	_, ok := c.sent[name]
	return ok
}

func undecodable(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		loc := []any{"body"}
		for part := range strings.SplitSeq(wrong.Field, ".") {
			if part != "" && part != "limits" && part != "keyParams" { // no members, but structs that hold some
				loc = append(loc, part)
			}
		}
		return unprocessable{[]detail{{Loc: loc, Msg: "Input should be a valid " + typeName(wrong.Type) + ", got " + wrong.Value, Type: typeName(wrong.Type) + "_type"}}}
	}
	return unprocessable{[]detail{{Loc: []any{"body"}, Msg: err.Error(), Type: "value_error"}}}
}

func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float64, reflect.Float32:
		return "number"
	case reflect.Slice, reflect.Array:
		return "list"
	case reflect.Map, reflect.Struct:
		return "dictionary"
	}
	return "integer"
}

// query returns a parameter of the URL.
func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// flag returns a parameter that is true or false.
func (c *call) flag(name string, otherwise bool) (bool, error) {
	s := c.query(name)
	switch strings.ToLower(s) {
	case "":
		return otherwise, nil
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, badQuery(name, "Input should be a valid boolean, unable to interpret input", "bool_parsing")
}

// number returns a parameter that is a whole number within bounds.
func (c *call) number(name string, otherwise, low, high int) (int, error) {
	s := c.query(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	switch {
	case err != nil:
		return 0, badQuery(name, "Input should be a valid integer, unable to parse string as an integer", "int_parsing")
	case n < low:
		return 0, badQuery(name, fmt.Sprintf("Input should be greater than or equal to %d", low), "greater_than_equal")
	case n > high:
		return 0, badQuery(name, fmt.Sprintf("Input should be less than or equal to %d", high), "less_than_equal")
	}
	return n, nil
}

// date returns a parameter of the form 2006-01-02, or with a time behind it.
func (c *call) date(name string) (time.Time, error) {
	s := c.query(name)
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
			return t, nil
		}
	}
	return time.Time{}, badRequest(name, "`"+name+"` must be a date such as 2026-01-31.")
}

func badQuery(name, msg, kind string) error {
	return unprocessable{[]detail{{Loc: []any{"query", name}, Msg: msg, Type: kind}}}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"detail":"Internal Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
