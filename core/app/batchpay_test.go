package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// spends waits until a key has spent so much.
func (d desk) spends(key string, want float64) {
	d.Helper()
	for end := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		var info struct {
			Info struct{ Spend float64 } `json:"info"`
		}
		if err := json.Unmarshal([]byte(d.Get("/key/info", as(key)).Body), &info); err == nil && closeTo(info.Info.Spend, want) {
			return
		}
		if time.Now().After(end) {
			d.Fatalf("the key has spent %v, want %v", info.Info.Spend, want)
		}
	}
}

// A file cannot be deleted before what its batch costs is known, which is looked up at once. The batch is paid for once.
func TestFileOfUnpaidBatch(t *testing.T) {
	t.Parallel()
	f := func(name, fields, ask, model string, env ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ended atomic.Bool
			v := batchVendor(t, "gpt-4o-mini", &ended)
			yaml := fmt.Sprintf(`
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-a, api_base: "%[1]s/v1", api_key: k, input_cost_per_token: 0.01, output_cost_per_token: 0.1}}
general_settings: {master_key: sk-1234, proxy_batch_write_at: 1}
`, v.URL)
			env = append(env, "OPENAI_API_KEY=k", "OPENAI_BASE_URL="+v.URL+"/v1", "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"))
			d := desk{t, apptest.Start(t, yaml, apptest.Env(env...))}
			ann := d.userKey(`{"user_id":"ann"}`)
			body, contentType := formOf(t, []byte(`{"custom_id":"1","body":{"model":"a"}}`+"\n"), strings.Fields("purpose=batch "+fields)...)
			file := member(t, d.Post("/v1/files", body, contentType, as(ann)), "id")
			made := d.Post("/v1/batches", `{"input_file_id":"`+file+`","endpoint":"/v1/chat/completions","completion_window":"24h"`+ask+`}`, as(ann))
			batch := member(t, made, "id")
			d.want(d.Do("DELETE", "/v1/files/"+file, "", as(ann)), 400, "Cannot delete file")
			ended.Store(true)
			// The vendor is asked again: the batch has ended, and its cost is recorded before the file goes.
			d.want(d.Do("DELETE", "/v1/files/"+file, "", as(ann)), 200, `"deleted":true`)
			want := (150*0.01 + 30*0.1) / 2
			if model == "" {
				// The batch ran at the vendor's account, so the answers' own model counts.
				want = (150*0.15e-6 + 30*0.6e-6) / 2
			}
			d.spends(ann, want)
			d.want(d.Get("/v1/batches/"+batch, as(ann)), 200, `"status":"completed"`)
			d.want(d.Do("DELETE", "/v1/files/file-out", "", as(ann)), 200, `"deleted":true`)
			d.spends(ann, want)
		})
	}
	f("several deployments", "target_model_names=a", "", "a")
	f("a model group", "model=a", "", "a")
	f("the vendor's own id", "", "", "")
	f("with Redis", "target_model_names=a", "", "a", "REDIS_URL="+storetest.Redis(t).URL())
}
