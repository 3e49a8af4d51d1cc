package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
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
	// Of the two settings each ends the tries before the call that holds the place does: the vendor never answers it.
	for _, env := range []string{"LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRIES=1", "LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRY_TIMEOUT=1"} {
		vendor := upstreamtest.New(t, upstreamtest.Hang())
		s := desk{t, apptest.Start(t, one(vendor), apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"), env))}
		key := s.key(`{"max_parallel_requests":1}`)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		go func() {
			if r, err := s.Open(ctx, http.MethodPost, chat, ask(""), as(key)); err == nil {
				_ = r.Body.Close()
			}
		}()
		eventually(t, func() bool { return len(vendor.Requests()) == 1 })
		s.want(s.chat(key), 429, "max_parallel_requests")
		if len(vendor.Requests()) != 1 {
			t.Errorf("%s: the refused request reached the vendor", env)
		}
	}
}

// The gaps between two looks for budgets to reset lie between the two settings, each at a moment of its own.
func TestRowResetGaps(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_budget_rescheduler_min_time: 1, proxy_budget_rescheduler_max_time: 2}\n", "LITELLM_LOG=DEBUG", "JSON_LOGS=true")
	looks := func() (at []time.Time) {
		for line := range strings.Lines(d.Log.String()) {
			var l struct {
				Message   string
				Timestamp time.Time
			}
			if json.Unmarshal([]byte(line), &l) == nil && l.Message == "looking for budgets to reset" {
				at = append(at, l.Timestamp)
			}
		}
		return at
	}
	eventually(t, func() bool { return len(looks()) > 7 })
	at := looks()
	most := time.Duration(0)
	for i, a := range at[1:] {
		gap := a.Sub(at[i])
		most = max(most, gap)
		if gap < 995*time.Millisecond {
			t.Errorf("two looks %v apart", gap)
		}
	}
	if most < 1100*time.Millisecond {
		t.Errorf("no two looks are more than %v apart: proxy_budget_rescheduler_max_time does not count", most)
	}
}

// A key whose row is taken out of the database by somebody else is trusted until its time is over, and no longer.
func TestRowCacheTTL(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t)
	brief := withDatabase(t, "general_settings: {master_key: sk-1234, user_api_key_cache_ttl: 2}\n", "DATABASE_URL="+db)
	long := withDatabase(t, "general_settings: {master_key: sk-1234, user_api_key_cache_ttl: 3600}\n", "DATABASE_URL="+db)
	key := brief.key(`{}`)
	brief.want(brief.chat(key), 200, "hello")
	eventually(t, func() bool { return long.chat(key).Status == 200 })
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if tag, err := conn.Exec(t.Context(), `DELETE FROM "LiteLLM_VerificationToken"`); err != nil || tag.RowsAffected() == 0 {
		t.Fatal(tag, err)
	}
	eventually(t, func() bool { return brief.chat(key).Status == 401 })
	long.want(long.chat(key), 200, "hello")
}

// While the database cannot be reached, model calls are let through or not, as the operator says; management fails.
func TestRowDatabaseAway(t *testing.T) {
	t.Parallel()
	f := func(allow string, status int) {
		t.Helper()
		db := storetest.StartPostgres(t)
		d := withDatabase(t, "general_settings: {master_key: sk-1234, proxy_batch_write_at: 1, allow_requests_on_db_unavailable: "+allow+"}\n", "DATABASE_URL="+db.Database(t))
		d.want(d.Get("/health/readiness"), 200, `"db":"connected"`)
		db.Stop()
		d.want(d.chat("sk-nobody-knows"), status, "")
		d.want(d.chat("sk-1234"), 200, "hello") // the master key needs no database
		if r := d.Get("/key/list"); r.Status != 503 {
			t.Errorf("management: %d %s", r.Status, r.Body)
		}
		// What was let through was recorded meanwhile.
		db.Start()
		calls := map[string]int{"true": 2, "false": 1}[allow]
		eventually(t, func() bool {
			r := d.Get("/spend/logs")
			return r.Status == 200 && strings.Count(r.Body, `"request_id"`) == calls
		})
	}
	f("true", 200)
	f("false", 503)
}
