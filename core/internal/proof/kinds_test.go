package proof

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestEveryCall shows that each call leaves one row, however it went: whole, streamed, from the cache, failed, passed through, and
// left by its caller in the middle; and that the key has spent their sum.
func TestEveryCall(t *testing.T) {
	t.Parallel()
	f := func(name string, database ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := vendor(t)
			env := append([]string{"SALLYPORT_STATE_DIR=" + t.TempDir(), "OPENAI_API_KEY=sk-up", "OPENAI_API_BASE=" + v.URL + "/v1"}, database...)
			s := apptest.Start(t, settings(v, "proxy_batch_write_at: 1", "cache: true, cache_params: {type: local}", "num_retries: 0, disable_cooldowns: true"),
				apptest.Env(env...))
			everyCall(t, s, v)
		})
	}
	f("sqlite")
	f("postgres", "DATABASE_URL="+storetest.Postgres(t))
}

func everyCall(t *testing.T, s *apptest.Server, v *ut.Vendor) {
	k := key(t, s, object{"max_budget": 1000})
	caller := "Authorization: Bearer " + k
	ok(t, chat(s, k, ""))
	ok(t, chat(s, k, "")) // from the cache
	const text = `{"id":"1","object":"chat.completion.chunk","model":"x","choices":[{"index":0,"delta":{"content":"one two three"},"finish_reason":null}]}`
	v.Script(ut.SSE(text, `{"id":"1","object":"chat.completion.chunk","model":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`, "[DONE]"))
	ok(t, chat(s, k, `,"stream":true,"seed":3`))
	v.Script(ut.JSON(500, `{"error":{"message":"no"}}`))
	if r := chat(s, k, `,"seed":1`); r.Status != 500 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	v.Script(ut.JSON(200, ut.Completion("gpt-4o-mini", "hello", 10, 20)))
	ok(t, s.Post("/openai/v1/chat/completions", `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}`, caller))

	stream := ut.NewStream()
	v.Script(stream.Answer)
	go func() {
		<-stream.Started()
		stream.Play(func(c *ut.Conn) { c.Write(ut.StreamHead()); c.Write(ut.Chunk("data: " + text + "\n\n")) })
	}()
	ctx, leave := context.WithCancel(t.Context())
	r, err := s.Open(ctx, "POST", chatPath, body("m", `,"stream":true,"seed":2`), caller)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	leave()
	_ = r.Body.Close()
	<-stream.Left()
	wantRows(t, s, k)
}

// wantRows checks the rows of everyCall.
func wantRows(t *testing.T, s *apptest.Server, k string) {
	t.Helper()
	type row struct {
		ID       string `json:"request_id"`
		Status   string
		Spend    float64
		CacheHit string `json:"cache_hit"`
		Type     string `json:"call_type"`
		Tokens   int    `json:"total_tokens"`
	}
	var rows []row
	eventually(t, "there are six rows", func() bool {
		return json.Unmarshal([]byte(s.Get("/spend/logs?api_key="+k).Body), &rows) == nil && len(rows) == 6
	})
	sum, ids, kinds := 0.0, map[string]bool{}, map[string]int{}
	for _, r := range rows {
		sum, ids[r.ID] = sum+r.Spend, true
		switch {
		case r.Status == "failure" && r.Spend == 0:
			kinds["failed"]++
		case r.CacheHit == "True" && r.Spend == 0:
			kinds["cached"]++
		case r.Type == "pass_through_endpoint" && r.Spend > 0 && r.Spend < callCost:
			kinds["passed"]++
		case near(r.Spend, callCost) && r.Tokens == 30:
			kinds["whole"]++
		case r.Spend > 0 && r.Spend < callCost && r.Tokens > 0 && r.Tokens < 30:
			kinds["left"]++
		default:
			t.Errorf("row %+v", r)
		}
	}
	if kinds["failed"] != 1 || kinds["cached"] != 1 || kinds["passed"] != 1 || kinds["whole"] != 2 || kinds["left"] != 1 || len(ids) != 6 {
		t.Errorf("rows %+v", rows)
	}
	if got := spent(t, s, k); !near(got, sum) {
		t.Errorf("the key has spent %v, the rows %v", got, sum)
	}
}
