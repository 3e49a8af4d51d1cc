package store_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/store"
)

type exactBase struct {
	Shared string `json:"shared"`
}

type exactInner struct {
	Name store.Text `json:"name"`
	Deep *struct {
		Key json.RawMessage `json:"key"`
	} `json:"deep"`
}

type exactOuter struct {
	exactBase
	Plain  string
	Hidden string                  `json:"-"`
	List   []exactInner            `json:"list"`
	ByName map[string][]exactInner `json:"by_name"`
	One    *exactInner             `json:"one"`
	Free   map[string]any          `json:"free"`
	Raw    json.RawMessage         `json:"raw"`
}

// TestDecodeExact shows that names count as they are written, at every depth, and only where there are names.
func TestDecodeExact(t *testing.T) {
	t.Parallel()
	f := func(exactly, other string) {
		t.Helper()
		var want, got exactOuter
		if err := json.Unmarshal([]byte(exactly), &want); err != nil {
			t.Fatal(err)
		}
		if err := store.DecodeExact([]byte(other), &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v, want %+v", other, got, want)
		}
	}
	f(`{"shared":"a"}`, `{"shared":"a","Shared":"b","SHARED":"c","\u017fhared":"d"}`)
	f(`{"Plain":"a"}`, ` {"Plain":"a","plain":"b","Hidden":"c","hidden":"d","-":"e"}`)
	f(`{"list":[{"name":"a"},{"name":"b"}]}`, `{"list":[{"name":"a","Name":"x"},{"NAME":"y","name":"b"}],"List":[]}`)
	f(`{"one":{"deep":{"key":1}}}`, `{"one":{"deep":{"key":1,"Key":2,"\u212aey":3},"Deep":null}}`)
	f(`{"by_name":{"Name":[{"name":"a"}]}}`, `{"by_name":{"Name":[{"name":"a","Name":"b"}]}}`)
	f(`{"free":{"Name":1,"name":2},"raw":{"Name":1}}`, `{"free":{"Name":1,"name":2},"raw":{"Name":1},"Raw":2}`)
	f(`{"shared":"b"}`, `{"shared":"a","shared":"b"}`)
	f(`{"one":null,"list":null}`, `{"one":null,"list":null,"One":{"name":"a"}}`)

	var got exactOuter
	for _, bad := range []string{`{"list":[{"name":1}],"List":2}`, `{"list":`, ``, `[]`, `{"one":[]}`} {
		if err := store.DecodeExact([]byte(bad), &got); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
	err := store.DecodeExact([]byte(`{"Shared":1,"list":[{"Name":2,"name":3}]}`), &got)
	if err == nil || !strings.Contains(err.Error(), "list.name") {
		t.Errorf("the error names another place: %v", err)
	}
}
