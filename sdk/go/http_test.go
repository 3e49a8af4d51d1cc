package sallyport

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

func TestHTTPRecords(t *testing.T) {
	t.Parallel()
	r := HTTPRequest{
		Method: "POST", URL: "https://a.com/", Headers: []HTTPHeader{{"A", "b"}}, Body: []byte("body"),
		Timeout: time.Microsecond, MaxBytes: 5, Redirects: -1,
	}
	want := abi.AppendText(nil, abi.TagHTTPMethod, "POST")
	want = abi.AppendText(want, abi.TagURL, "https://a.com/")
	want, mark := abi.Open(want, abi.TagHeader)
	want = abi.Close(abi.AppendText(abi.AppendText(want, abi.TagKey, "A"), abi.TagText, "b"), mark)
	want = abi.AppendText(want, abi.TagBody, "body")
	want = abi.AppendNumber(abi.AppendNumber(want, abi.TagTimeout, 1), abi.TagMaxBytes, 5)
	want = abi.AppendNumber(want, abi.TagRedirects, 0)
	if diff := cmp.Diff(want, r.encode(nil)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	answer := abi.AppendText(abi.AppendNumber(nil, abi.TagStatus, 201), abi.TagURL, "u")
	answer, mark = abi.Open(answer, abi.TagHeader)
	answer = abi.Close(abi.AppendText(abi.AppendText(answer, abi.TagKey, "X-A"), abi.TagText, "b"), mark)
	got, err := decodeHTTP(abi.AppendText(answer, abi.TagBody, "text"))
	if err != nil || got.Status != 201 || got.URL != "u" || got.Header("x-a") != "b" || string(got.Body) != "text" || got.Header("none") != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = decodeHTTP(abi.AppendText(abi.AppendText(nil, abi.TagCause, abi.CauseTimeout), abi.TagReason, "late"))
	var failed *HTTPError
	if !errors.As(err, &failed) || failed.Cause != abi.CauseTimeout || err.Error() != "http: timeout: late" {
		t.Errorf("got %v", err)
	}
	if _, err := decodeHTTP([]byte{1, 2}); err == nil {
		t.Error("cut off records are an answer")
	}
}

// What a Fake does not have is as if it was not granted. No t.Parallel: a fake is there for everybody.
func TestFake(t *testing.T) {
	if _, err := HTTP(&HTTPRequest{URL: "https://a.com"}); err == nil {
		t.Error("a request without a grant")
	}
	if _, _, err := KVGet("k"); err == nil {
		t.Error("a store without a grant")
	}
	var counted float64
	restore := (&Fake{
		HTTP: func(r *HTTPRequest) (*HTTPResponse, error) {
			if r.URL == "bad" {
				return nil, errors.New("bad")
			}
			return &HTTPResponse{Status: 200, Body: []byte(r.URL)}, nil
		},
		Secrets: map[string]string{"A": "b"}, KV: map[string][]byte{},
		Metric: func(kind int32, _ string, v float64) { counted += v + float64(kind) },
	}).Use()
	defer restore()
	list, errs := HTTPAll(&HTTPRequest{URL: "1"}, &HTTPRequest{URL: "bad"}, &HTTPRequest{URL: "2"})
	if string(list[0].Body) != "1" || errs[1] == nil || list[1] != nil || string(list[2].Body) != "2" {
		t.Errorf("got %v, %v", list, errs)
	}
	if v, ok := Secret("A"); v != "b" || !ok {
		t.Errorf("got %q", v)
	}
	if n, err := KVAdd("n", 2, time.Minute); n != 2 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := KVAdd("n", -5, 0); n != -3 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if err := KVSet("s", []byte("x"), 0); err != nil {
		t.Error(err)
	}
	if _, err := KVAdd("s", 1, 0); err == nil {
		t.Error("a text was added to")
	}
	if v, ok, err := KVGet("s"); string(v) != "x" || !ok || err != nil {
		t.Errorf("got %q %v %v", v, ok, err)
	}
	if err := errors.Join(KVDelete("s"), KVDelete("s")); err != nil {
		t.Error(err)
	}
	if _, ok, err := KVGet("s"); ok || err != nil {
		t.Errorf("got %v %v", ok, err)
	}
	if !Count("a", 1) || !Gauge("b", 2) || !Observe("c", 3) || counted != 9 {
		t.Errorf("counted %v", counted)
	}
}

// FuzzDecodeHTTP reads foreign answers.
func FuzzDecodeHTTP(f *testing.F) {
	f.Add(abi.AppendText(abi.AppendNumber(nil, abi.TagStatus, 200), abi.TagBody, "x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeHTTP(b); (r == nil) == (err == nil) {
			t.Errorf("got %v and %v", r, err)
		}
	})
}
