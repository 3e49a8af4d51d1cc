package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// batchVendor stores files and runs batches, as https://platform.openai.com/docs/api-reference/batch has it. Its batches
// end when ended is set.
func batchVendor(t *testing.T, name string, ended *atomic.Bool) *ut.Vendor {
	t.Helper()
	batch := func(status, output string) ut.Answer {
		return ut.JSON(200, fmt.Sprintf(`{"id":"batch_%[1]s","object":"batch","status":"%[2]s","input_file_id":"file-%[1]s","output_file_id":%[3]s,"request_counts":{"total":2}}`, name, status, output))
	}
	return ut.New(t, func(c *ut.Conn) {
		switch q := c.Request; {
		case q.Path == "/v1/files/file-out/content":
			ut.Whole(200, "application/octet-stream", `{"custom_id":"1","response":{"status_code":200,"body":{"model":"`+name+`","usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}}}`+"\n"+
				`{"custom_id":"2","response":{"status_code":200,"body":{"model":"`+name+`","usage":{"prompt_tokens":50,"completion_tokens":20,"total_tokens":70}}}}`+"\n"+
				`{"custom_id":"3","response":null,"error":{"code":"batch_expired"}}`+"\n")(c)
		case q.Method == "DELETE":
			ut.JSON(200, `{"id":"x","object":"file","deleted":true}`)(c)
		case strings.HasSuffix(q.Path, "/cancel"):
			batch("cancelling", "null")(c)
		case strings.HasPrefix(q.Path, "/v1/batches") && ended.Load():
			batch("completed", `"file-out"`)(c)
		case strings.HasPrefix(q.Path, "/v1/batches"):
			batch("validating", "null")(c)
		default:
			ut.JSON(200, `{"id":"file-`+name+`","object":"file","bytes":9,"filename":"a.jsonl","purpose":"batch","status":"processed"}`)(c)
		}
	})
}

// A file for several models is uploaded to each with its own name for the model, and has one id. A batch of it runs at
// one of them, belongs to who began it, and is paid for when it has ended.
func TestManagedBatches(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	one, two := batchVendor(t, "one", &ended), batchVendor(t, "two", &ended)
	database := "DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "s.db")
	yaml := fmt.Sprintf(`
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-a, api_base: "%s/v1", api_key: k, input_cost_per_token: 0.01, output_cost_per_token: 0.1}}
  - {model_name: b, litellm_params: {model: openai/gpt-b, api_base: "%s/v1", api_key: k, input_cost_per_token: 0.01, output_cost_per_token: 0.1}}
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234, proxy_batch_polling_interval: 0.2, proxy_batch_write_at: 1}
`, one.URL, two.URL)
	d := desk{t, apptest.Start(t, yaml, apptest.Env(database))}
	ann, bob := d.userKey(`{"user_id":"ann"}`), d.userKey(`{"user_id":"bob"}`)
	form := "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; name=\"target_model_names\"\r\n\r\na, b\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n%s\r\n--b--\r\n"
	const multipart = "Content-Type: multipart/form-data; boundary=b"
	lines := `{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"any","messages":[]}}`
	upload := func(lines, key string) *apptest.Response {
		return d.Post("/v1/files", fmt.Sprintf(form, lines), multipart, as(key))
	}

	d.want(upload("nonsense", ann), 400, "Line 1 of the file is no JSON object")
	made := upload(lines, ann)
	d.want(made, 200, `"object":"file"`)
	file := member(t, made, "id")
	for _, v := range []struct {
		*ut.Vendor
		model string
	}{{one, "gpt-a"}, {two, "gpt-b"}} {
		got := string(v.Last().Body)
		if !strings.Contains(got, `"body":{"model":"`+v.model+`","messages":[]}`) || strings.Contains(got, "target_model_names") {
			t.Errorf("%s got %s", v.model, got)
		}
	}
	d.want(d.Get("/v1/files/"+file, as(ann)), 200, `"id":"`+file+`"`)
	d.want(d.Get("/v1/files/"+file, as(bob)), 403, "User bob does not have access to the file")
	create := `{"input_file_id":"` + file + `","endpoint":"/v1/chat/completions","completion_window":"24h","model":"b"}`
	d.want(d.Post("/v1/batches", create, as(bob)), 403, "User bob does not have access to the ")
	began := d.Post("/v1/batches", create, as(ann))
	batch := member(t, began, "id")
	if member(t, began, "input_file_id") != file {
		t.Errorf("%s", began.Body)
	}
	d.want(d.Get("/v1/batches/"+batch, as(bob)), 403, "User bob does not have access to the object")
	d.want(d.Post("/v1/batches/"+batch+"/cancel", "", as(bob)), 403, "User bob does not have access to the ")
	d.want(d.Get("/v1/batches/"+batch, as(ann)), 200, `"status":"validating"`)

	ended.Store(true)
	done := d.Get("/v1/batches/"+batch, as(ann))
	d.want(done, 200, `"status":"completed"`)
	output := member(t, done, "output_file_id")
	if again := member(t, d.Get("/v1/batches/"+batch, as(ann)), "output_file_id"); again != output || output == "file-out" {
		t.Errorf("the output is %s and then %s", output, again)
	}
	d.want(d.Get("/v1/files/"+output+"/content", as(ann)), 200, `"custom_id":"2"`)
	d.want(d.Get("/v1/files/"+output+"/content", as(bob)), 403, "User bob does not have access to the ")

	// 150 and 30 tokens at half the price, as for all batches, paid by who began it.
	const want = (150*0.01 + 30*0.1) / 2
	for end := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		var info struct {
			Info struct{ Spend float64 } `json:"info"`
		}
		if err := json.Unmarshal([]byte(d.Get("/key/info", as(ann)).Body), &info); err == nil && closeTo(info.Info.Spend, want) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the key has spent %v", info.Info.Spend)
		}
	}
	d.want(d.Do("DELETE", "/v1/files/"+file, "", as(bob)), 403, "User bob does not have access to the ")
	d.want(d.Do("DELETE", "/v1/files/"+file, "", as(ann)), 200, `"deleted":true`)
	for _, v := range []*ut.Vendor{one, two} {
		if !slices.ContainsFunc(v.Requests(), func(q ut.Request) bool { return q.Method == "DELETE" }) {
			t.Error("a copy was not deleted")
		}
	}
	d.want(d.Get("/v1/files/"+file, as(ann)), 404, "There is no file with the id")
	if got := d.Get("/spend/logs?api_key="+ann, as(apptest.MasterKey)); strings.Count(got.Body, "aretrieve_batch") == 0 {
		t.Errorf("spend logs: %s", got.Body)
	}
	d.want(d.Post("/v1/files", fmt.Sprintf(strings.Replace(form, "a, b", "a, none", 1), lines), multipart, as(ann)), 400, "none")
}
