package sqlstore

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/store"
)

func TestCleanJSON(t *testing.T) {
	t.Parallel()
	check := func(raw, want string) {
		t.Helper()
		if got := string(cleanJSON(store.JSON(raw))); got != want {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
	check(`{"a": 1.10, "b": "\n"}`, `{"a": 1.10, "b": "\n"}`)
	check(`"\u0041\\u0000"`, `"A\\u0000"`)
	check(`"a\u0000b"`, `"ab"`)
	check(`"\ud800"`, `"`+"\uFFFD"+`"`)
	check(`"\ud83d\ude00"`, `"😀"`)
	check(`{"\u0000k": [12345678901234567890, "\u0000"]}`, `{"k":[12345678901234567890,""]}`)
	check("\"\xff\"", `"`+"\uFFFD"+`"`)
	check(`{"half`, `"{\"half"`)
	check(`no`, `"no"`)
	check(`"\u00e9"`, `"é"`)
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, want string
		most       int
	}{{"abc", "abc", 3}, {"abc", "ab", 2}, {"é", "", 1}, {"aé", "a", 2}, {"", "", 0}} {
		if got := clip(c.text, c.most); got != c.want {
			t.Errorf("%q to %d: %q", c.text, c.most, got)
		}
	}
}

func FuzzCleanJSON(f *testing.F) {
	for _, seed := range []string{`{"a":"\u0000"}`, `"\ud800\udc00"`, `[1e999,-0]`, "\xff", `{"\u0000":1,"":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		clean := cleanJSON(raw)
		if !json.Valid(clean) || !utf8.Valid(clean) {
			t.Fatalf("%q became %q", raw, clean)
		}
		var value any
		decoder := json.NewDecoder(strings.NewReader(string(clean)))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if hasZero(value) {
			t.Errorf("%q still has a zero: %q", raw, clean)
		}
		if text := label(string(raw)); len(text) > maxLabel || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			t.Errorf("%q became the label %q", raw, text)
		}
	})
}

func hasZero(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, "\x00")
	case []any:
		for _, item := range v {
			if hasZero(item) {
				return true
			}
		}
	case map[string]any:
		for name, item := range v {
			if strings.Contains(name, "\x00") || hasZero(item) {
				return true
			}
		}
	}
	return false
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor(&store.SpendLog{RequestID: "chatcmpl-1", StartTime: time.UnixMilli(1771245015123)}))
	f.Add("")
	f.Add("////")
	f.Fuzz(func(t *testing.T, text string) {
		at, id, err := parseCursor(text)
		if err != nil {
			return
		}
		again, same, err := parseCursor(cursor(&store.SpendLog{RequestID: id, StartTime: at}))
		if err != nil || !again.Equal(at) || same != id {
			t.Errorf("%q: %s %q became %s %q, %v", text, at, id, again, same, err)
		}
	})
}

// TestColumns checks every table: each column has a kind that its Go type can be, the key comes first, and names fit.
func TestColumns(t *testing.T) {
	t.Parallel()
	s := newShapes()
	names := map[string]string{}
	for _, d := range s.definitions(true, `"metadata"`) {
		if len(d.shape.keys) == 0 {
			t.Errorf("%s has no key", d.name)
		}
		if !d.columns[0].Key {
			t.Errorf("%s: the first column is %s, which is not of the key", d.name, d.columns[0].Name)
		}
		for _, i := range d.indexes {
			name := d.indexName(i)
			if len(name) > maxName {
				t.Errorf("index name %s is too long", name)
			}
			if other, ok := names[name]; ok {
				t.Errorf("%s and %s have an index %s", other, d.name, name)
			}
			names[name] = d.name
			for _, column := range i.columns {
				if _, err := d.find(column); err != nil && !strings.HasPrefix(d.name, "LiteLLM_Daily") {
					t.Errorf("index %s: %v", name, err)
				}
			}
		}
	}
}

func TestArg(t *testing.T) {
	t.Parallel()
	type row struct {
		Small *int64  `db:"small,int4"`
		Text  string  `db:"text"`
		Float float64 `db:"float"`
	}
	columns := columnsOf(reflect.TypeFor[row]())
	k := codec{millis: true}
	for _, c := range []struct {
		column int
		value  any
		want   any
		fails  string
	}{
		{0, store.Ptr(int64(5)), int64(5), ""}, {0, (*int64)(nil), nil, ""}, {0, int64(1) << 31, nil, "small"}, {0, "x", nil, "small"},
		{1, store.Text("x\x00"), "x", ""}, {1, "", "", ""}, {1, 5, nil, "text"}, {2, 5, 5.0, ""}, {2, true, nil, "float"}, {1, nil, nil, ""},
	} {
		got, err := k.arg(&columns[c.column], c.value)
		if c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) || c.fails == "" && (err != nil || got != c.want) {
			t.Errorf("%s of %v: %v, %v", columns[c.column].Name, c.value, got, err)
		}
	}
}

// TestLogArgs holds the quick encoding of a call against the general one.
func TestLogArgs(t *testing.T) {
	t.Parallel()
	s := newShapes()
	at := time.UnixMilli(1771245015123).UTC()
	full := store.SpendLog{CompletionStartTime: &at, StartTime: at, EndTime: at, Spend: 0.5, TotalTokens: 3, PromptTokens: 1, CompletionTokens: 2}
	value := reflect.ValueOf(&full).Elem()
	for i := range value.NumField() {
		field := value.Field(i)
		switch {
		case field.Kind() == reflect.String:
			field.SetString(value.Type().Field(i).Name)
		case field.Type() == reflect.TypeFor[store.JSON]():
			field.Set(reflect.ValueOf(store.JSON(`{"name":"` + value.Type().Field(i).Name + `"}`)))
		}
	}
	for _, log := range []store.SpendLog{full, {}} {
		for _, k := range []codec{{millis: true}, {arrays: true}} {
			want, err := (&Store{codec: k}).args(s.logs.all(), reflect.ValueOf(&log).Elem())
			if err != nil {
				t.Fatal(err)
			}
			if got := k.appendLog(nil, log.RequestID, &log); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		}
	}
}
