package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// logs reads GET /spend/logs.
func (d desk) logs() string {
	d.Helper()
	r := d.Get("/spend/logs")
	wantStatus(d.T, r, 200, "[")
	return r.Body
}

// spent is what a key has spent, as the management API tells it.
func (d desk) spent(key string) float64 {
	d.Helper()
	var info struct {
		Info struct{ Spend float64 } `json:"info"`
	}
	r := d.Get("/key/info?key=" + key)
	if err := json.Unmarshal([]byte(r.Body), &info); err != nil {
		d.Fatalf("%v: %s", err, r.Body)
	}
	return info.Info.Spend
}

func TestRowDisableSpendLogs(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1, disable_spend_logs: true}\n")
	key := d.key(`{}`)
	d.want(d.chat(key), 200, "hello")
	eventually(t, func() bool { return d.spent(key) > 0 })
	if l := d.logs(); l != "[]" {
		t.Errorf("rows were written: %s", l)
	}
}

func TestRowStorePrompts(t *testing.T) {
	t.Parallel()
	f := func(on, want string) {
		t.Helper()
		d := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1, store_prompts_in_spend_logs: "+on+"}\n")
		d.want(d.Post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"PURPLE"}]}`), 200, "hello")
		eventually(t, func() bool { return d.logs() != "[]" })
		var rows []struct {
			ID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(d.logs()), &rows); err != nil {
			t.Fatal(err)
		}
		r := d.Get("/spend/logs/ui/" + rows[0].ID)
		d.want(r, 200, want)
		if on == "false" && strings.Contains(r.Body, "PURPLE") {
			t.Errorf("the prompt was stored: %s", r.Body)
		}
	}
	f("true", "PURPLE")
	f("false", `"messages":{}`)
}

func TestRowMasterKeyHash(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1, disable_adding_master_key_hash_to_db: true}\n")
	d.want(d.chat("sk-1234"), 200, "hello")
	eventually(t, func() bool { return strings.Contains(d.logs(), `"api_key":"litellm_proxy_master_key"`) })
}

func TestRowBatchWriteAt(t *testing.T) {
	t.Parallel()
	soon := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1}\n")
	late := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 300}\n")
	late.want(late.chat("sk-1234"), 200, "hello")
	soon.want(soon.chat("sk-1234"), 200, "hello")
	eventually(t, func() bool { return soon.logs() != "[]" })
	if l := late.logs(); l != "[]" {
		t.Errorf("the row was written before its time: %s", l)
	}
}

func TestRowEndUserTracking(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1}\nlitellm_settings: {disable_end_user_cost_tracking: true}\n")
	d.want(d.chat("sk-1234", `,"user":"u1"`), 200, "hello")
	eventually(t, func() bool { return d.logs() != "[]" })
	if l := d.logs(); strings.Contains(l, `"end_user":"u1"`) {
		t.Errorf("the customer was recorded: %s", l)
	}
}

// Rows go to a collecting server instead of the database, again and again until it takes them; totals are kept.
func TestRowSpendLogsURL(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got, refusals := 0, 1
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		var rows []map[string]any
		if r.URL.Path != "/spend/update" || json.Unmarshal(body, &rows) != nil {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		if refusals > 0 {
			refusals--
			http.Error(w, "later", http.StatusInternalServerError)
			return
		}
		got += len(rows)
	}))
	defer collector.Close()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1}\n", "SPEND_LOGS_URL="+collector.URL)
	key := d.key(`{}`)
	for range 3 {
		d.want(d.chat(key), 200, "hello")
	}
	eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return got == 3 })
	eventually(t, func() bool { return d.spent(key) > 0 })
	if l := d.logs(); l != "[]" {
		t.Errorf("rows were written to the database: %s", l)
	}
}

// A budget's period ends when the scheduled job says so, unless the job is turned off.
func TestRowResetBudget(t *testing.T) {
	t.Parallel()
	const settings = "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1, proxy_budget_rescheduler_min_time: 1, proxy_budget_rescheduler_max_time: 1, disable_reset_budget: "
	on := withDatabase(t, settings+"false}\n")
	off := withDatabase(t, settings+"true}\n")
	keyOn, keyOff := on.key(`{"budget_duration":"3s","max_budget":5}`), off.key(`{"budget_duration":"3s","max_budget":5}`)
	on.want(on.chat(keyOn), 200, "hello")
	off.want(off.chat(keyOff), 200, "hello")
	eventually(t, func() bool { return off.spent(keyOff) > 0 })
	eventually(t, func() bool { return on.logs() != "[]" && on.spent(keyOn) == 0 })
	if off.spent(keyOff) == 0 {
		t.Error("the job ran although it is turned off")
	}
}

func TestRowGlobalParallel(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, global_max_parallel_requests: 3, disable_retry_on_max_parallel_request_limit_error: true}\n")
	codes := d.together(5, "sk-1234", `,"mock_delay":1`)
	if codes[200] != 3 || codes[429] != 2 {
		t.Errorf("statuses: %v", codes)
	}
}

// together sends requests at the same time and counts the statuses.
func (d desk) together(n int, key, more string) map[int]int {
	var mu sync.Mutex
	codes := map[int]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			r := d.chat(key, more)
			mu.Lock()
			defer mu.Unlock()
			codes[r.Status]++
		})
	}
	wg.Wait()
	return codes
}

// A request that is refused because too many are open is tried again for a short while, unless that is turned off.
func TestRowParallelRetry(t *testing.T) {
	t.Parallel()
	patient := withDatabase(t, "general_settings: {master_key: sk-1234}\n")
	key := patient.key(`{"max_parallel_requests":1}`)
	if codes := patient.together(2, key, `,"mock_delay":1`); codes[200] != 2 {
		t.Errorf("with patience: %v", codes)
	}
	hasty := withDatabase(t, "general_settings: {master_key: sk-1234, disable_retry_on_max_parallel_request_limit_error: true}\n")
	key = hasty.key(`{"max_parallel_requests":1}`)
	if codes := hasty.together(2, key, `,"mock_delay":1`); codes[200] != 1 || codes[429] != 1 {
		t.Errorf("without: %v", codes)
	}
	short := withDatabase(t, "general_settings: {master_key: sk-1234}\n", "LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRIES=2", "LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRY_TIMEOUT=1")
	key = short.key(`{"max_parallel_requests":1}`)
	began := time.Now()
	if codes := short.together(2, key, `,"mock_delay":5`); codes[429] != 1 || time.Since(began) < time.Second/10 {
		t.Errorf("with two tries: %v", codes)
	}
}

func TestRowCacheTTL(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, user_api_key_cache_ttl: 2}\n")
	key := d.key(`{}`)
	d.want(d.chat(key), 200, "hello")
	d.want(d.Post("/key/delete", `{"keys":["`+key+`"]}`), 200, "deleted")
	eventually(t, func() bool { return d.chat(key).Status == 401 })
}

// While the database cannot be reached, model calls are let through or not, as the operator says; management fails.
func TestRowDatabaseAway(t *testing.T) {
	t.Parallel()
	f := func(allow string, status int) {
		t.Helper()
		db := storetest.StartPostgres(t)
		d := withDatabase(t, "general_settings: {master_key: sk-1234, allow_requests_on_db_unavailable: "+allow+"}\n", "DATABASE_URL="+db.Database(t))
		d.want(d.Get("/health/readiness"), 200, `"db":"connected"`)
		db.Stop()
		d.want(d.chat("sk-nobody-knows"), status, "")
		d.want(d.chat("sk-1234"), 200, "hello") // the master key needs no database
		if r := d.Get("/key/list"); r.Status != 503 {
			t.Errorf("management: %d %s", r.Status, r.Body)
		}
	}
	f("true", 200)
	f("false", 503)
}
