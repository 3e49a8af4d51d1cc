package app_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

func TestTransformRequest(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, one(v, "temperature: 0.5", "extra_headers: {X-Secret: s3cret}"))
	const path = "/utils/transform_request"
	f := func(body string, status int, want ...string) {
		t.Helper()
		r := s.Post(path, body)
		if r.Status != status {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
		for _, w := range want {
			if !strings.Contains(r.Body, w) {
				t.Errorf("%s: %s, want %s", body, r.Body, w)
			}
		}
		if strings.Contains(r.Body, "sk-upstream") || strings.Contains(r.Body, "s3cret") {
			t.Errorf("%s: a secret in %s", body, r.Body)
		}
	}
	f(`{"call_type":"completion","request_body":{"model":"m","messages":[],"tags":["a"]}}`, 200,
		`"raw_request_api_base":"`+v.URL+`/v1/chat/completions"`, `"raw_request_body":{"model":"gpt-4o-mini","messages":[],"temperature":0.5}`, `"Authorization":"*****"`, `"Content-Type":"application/json"`)
	f(`{"call_type":"aembedding","request_body":{"model":"m","input":"x"}}`, 200, `/v1/embeddings"`)
	f(`{"call_type":"rerank","request_body":{"model":"m"}}`, 200, `"error":`, "does not offer rerank")
	f(`{"call_type":"completion","request_body":{"model":"m","mock_response":"x"}}`, 200, "answered by the gateway itself")
	f(`{"call_type":"nonsense","request_body":{}}`, 400, "call_type")
	f(`{"call_type":"completion","request_body":{"model":"nobody"}}`, 400, "Invalid model name")
	f(`{"call_type":"completion","request_body":[]}`, 400, "not a JSON object")
	if r := s.Post(path, `{"call_type":"completion","request_body":{"model":"m"}}`, "Authorization:"); r.Status != 401 {
		t.Errorf("without a key: %d", r.Status)
	}
	if len(v.Requests()) != 0 {
		t.Error("something was sent")
	}
}
