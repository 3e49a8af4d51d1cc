package jsonapi_test

import (
	"strings"
	"testing"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

func service() *jsonapi.Service { return &jsonapi.Service{Name: "s", Base: "https://h"} }

func TestAll(t *testing.T) {
	var got []string
	fake := &sallyport.Fake{HTTP: func(r *sallyport.HTTPRequest) (*sallyport.HTTPResponse, error) {
		got = append(got, r.Method+" "+r.URL+" "+string(r.Body))
		return &sallyport.HTTPResponse{Status: 200, Body: r.Body}, nil
	}}
	defer fake.Use()()
	into := make([]string, 70)
	var calls []jsonapi.Call
	for i := range into {
		calls = append(calls, jsonapi.Call{Path: "/p", Body: "<&é\xff>", Into: &into[i]})
	}
	if err := service().All(calls...); err != nil {
		t.Fatal(err)
	}
	for i, v := range into {
		if v != "<&é\ufffd>" || got[i] != "POST https://h/p \"<&é\\ufffd>\"" && got[i] != "POST https://h/p \"<&é\ufffd>\"" {
			t.Fatalf("call %d: sent %s, got %q", i, got[i], v)
		}
	}
	if err := service().Do(jsonapi.Call{Body: func() {}}); err == nil {
		t.Error("a function became JSON")
	}
}

func TestNew(t *testing.T) {
	defer (&sallyport.Fake{Secrets: map[string]string{"BASE": "analyzer:3000/"}}).Use()()
	base := func(want string, values map[string]any, secret, otherwise string) {
		t.Helper()
		s, err := jsonapi.New(sallyport.NewConfig(values), "s", "base", secret, otherwise)
		got := s.Base
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%v: got %q, want %q", values, got, want)
		}
	}
	base("http://analyzer:3000", nil, "BASE", "")
	base("https://other", map[string]any{"base": "https://other//"}, "BASE", "")
	base("https://default/v1", nil, "", "https://default/v1")
	base(`setting "base" is missing: set the address of s, or grant the secret GONE`, nil, "GONE", "")
	base(`setting "base" must be an address that begins with https:// or http://`, map[string]any{"base": "file:///etc"}, "", "")
}

func TestBytes(t *testing.T) {
	t.Parallel()
	spans := []jsonapi.Span{{3, 5}, {0, 1}, {5, 5}}
	if !jsonapi.Bytes("é\xff世界x", spans) || spans[0] != (jsonapi.Span{6, 10}) || spans[1] != (jsonapi.Span{0, 2}) || spans[2] != (jsonapi.Span{10, 10}) {
		t.Errorf("got %v", spans)
	}
	for _, s := range []jsonapi.Span{{-1, 1}, {2, 1}, {0, 3}, {9, 9}} {
		if jsonapi.Bytes("ab", []jsonapi.Span{s}) {
			t.Errorf("%v is not within two characters", s)
		}
	}
}

// FuzzRead reads foreign answers. An error never holds what the service said.
func FuzzRead(f *testing.F) {
	f.Add(200, []byte(`{"a":"hunter2"}`))
	f.Add(500, []byte(`hunter2`))
	f.Add(200, []byte(`{"a":1,"hunter2":`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		var into struct {
			A *int `json:"a"`
		}
		err := service().Read(&sallyport.HTTPResponse{Status: status, Body: append([]byte("hunter2"), body...)}, nil, &into)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Fatalf("got %v", err)
		}
		if err := service().Read(&sallyport.HTTPResponse{Status: status, Body: body}, nil, &into); err == nil && status != 200 {
			t.Fatalf("status %d is taken for an answer", status)
		}
	})
}
