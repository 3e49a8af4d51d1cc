package proof

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestLimits shows each kind of limit: how many calls pass, and who refused in the error and its headers.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	limited := func(t *testing.T, k, more, whose, what string, passes int) *apptest.Response {
		t.Helper()
		for i := range passes {
			if r := chat(s, k, more); r.Status != 200 {
				t.Fatalf("call %d: %d %s", i+1, r.Status, r.Body)
			}
		}
		r := chat(s, k, more)
		refused(t, r, 429, "None", "Rate limit exceeded for "+whose)
		refused(t, r, 429, "None", "Limit type: "+what)
		wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
		if err != nil || wait < 1 || wait > 61 || r.Header.Get("Rate_limit_type") != what || !strings.HasSuffix(r.Header.Get("Reset_at"), " UTC") {
			t.Errorf("headers %v", r.Header)
		}
		return r
	}
	t.Run("key requests", func(t *testing.T) {
		k := key(t, s, object{"rpm_limit": 3})
		r := chat(s, k, "")
		ok(t, r)
		if r.Header.Get("X-Ratelimit-Api_key-Remaining-Requests") != "2" || r.Header.Get("X-Ratelimit-Api_key-Limit-Requests") != "3" || r.Header.Get("X-Litellm-Key-Rpm-Limit") != "3" {
			t.Errorf("headers %v", r.Header)
		}
		limited(t, k, "", "api_key: ", "requests", 2)
	})
	t.Run("key tokens", func(t *testing.T) {
		k := key(t, s, object{"tpm_limit": 60})
		limited(t, k, "", "api_key: ", "tokens", 2)
	})
	t.Run("none at all", func(t *testing.T) {
		k := key(t, s, object{"rpm_limit": 0})
		refused(t, chat(s, k, ""), 429, "None", "Current limit: 0")
	})
	t.Run("team", func(t *testing.T) {
		team, _ := post(t, s, "/team/new", object{"rpm_limit": 2})["team_id"].(string)
		limited(t, key(t, s, object{"team_id": team}), "", "team: "+team, "requests", 2)
	})
	t.Run("user", func(t *testing.T) {
		post(t, s, "/user/new", object{"user_id": "ann", "rpm_limit": 2, "auto_create_key": false})
		limited(t, key(t, s, object{"user_id": "ann"}), "", "user: ann", "requests", 2)
	})
	t.Run("organization", func(t *testing.T) {
		org, _ := post(t, s, "/organization/new", object{"organization_alias": "O", "rpm_limit": 2})["organization_id"].(string)
		team, _ := post(t, s, "/team/new", object{"organization_id": org})["team_id"].(string)
		limited(t, key(t, s, object{"team_id": team}), "", "organization: "+org, "requests", 2)
	})
	t.Run("customer", func(t *testing.T) {
		post(t, s, "/customer/new", object{"user_id": "cust", "rpm_limit": 2})
		limited(t, key(t, s, object{}), `,"user":"cust"`, "end_user: cust", "requests", 2)
	})
	t.Run("model per key", func(t *testing.T) {
		k := key(t, s, object{"model_rpm_limit": object{"m": 2}})
		limited(t, k, "", "model_per_key: ", "requests", 2)
		ok(t, s.Post(chatPath, body("other", ""), "Authorization: Bearer "+k))
	})
	t.Run("model per team", func(t *testing.T) {
		team, _ := post(t, s, "/team/new", object{"model_tpm_limit": object{"m": 60}})["team_id"].(string)
		limited(t, key(t, s, object{"team_id": team}), "", "model_per_team: "+team+":m", "tokens", 2)
	})
}

// hanging is a vendor that answers when it is told to.
func hanging(t testing.TB) (v *ut.Vendor, release func()) {
	t.Helper()
	gate := make(chan struct{})
	var once sync.Once
	release = func() { once.Do(func() { close(gate) }) }
	answer := ut.JSON(200, ut.Completion("m", "hello", 10, 20))
	return ut.New(t, func(c *ut.Conn) {
		<-gate
		answer(c)
	}), release
}

// TestParallel shows how many requests of a key may be open, and that one more waits for a place.
func TestParallel(t *testing.T) {
	t.Parallel()
	t.Run("refused at once", func(t *testing.T) {
		t.Parallel()
		v, release := hanging(t)
		defer release()
		s := apptest.Start(t, settings(v, "disable_retry_on_max_parallel_request_limit_error: true", "", ""))
		k := key(t, s, object{"max_parallel_requests": 1})
		done := make(chan *apptest.Response, 1)
		go func() { done <- chat(s, k, "") }()
		eventually(t, "the first call is open", func() bool { return len(v.Requests()) == 1 })
		refused(t, chat(s, k, ""), 429, "None", "Limit type: max_parallel_requests. Current limit: 1")
		release()
		ok(t, <-done)
		ok(t, chat(s, k, ""))
	})
	t.Run("waits", func(t *testing.T) {
		t.Parallel()
		v, release := hanging(t)
		defer release()
		s := apptest.Start(t, settings(v, "", "", ""))
		k := key(t, s, object{"max_parallel_requests": 1})
		done := make(chan *apptest.Response, 2)
		go func() { done <- chat(s, k, "") }()
		eventually(t, "the first call is open", func() bool { return len(v.Requests()) == 1 })
		go func() { done <- chat(s, k, "") }()
		time.AfterFunc(300*time.Millisecond, release)
		ok(t, <-done)
		ok(t, <-done)
	})
	t.Run("tries as told", func(t *testing.T) {
		t.Parallel()
		v, release := hanging(t)
		defer release()
		s := apptest.Start(t, settings(v, "", "", ""), apptest.Env("LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRY_TIMEOUT=0.2"))
		k := key(t, s, object{"max_parallel_requests": 1})
		go func() {
			if r, err := s.Open(context.Background(), http.MethodPost, chatPath, body("m", ""), "Authorization: Bearer "+k); err == nil {
				r.Body.Close()
			}
		}()
		eventually(t, "the first call is open", func() bool { return len(v.Requests()) == 1 })
		refused(t, chat(s, k, ""), 429, "None", "max_parallel_requests")
	})
	t.Run("caller leaves", func(t *testing.T) {
		t.Parallel()
		v, release := hanging(t)
		defer release()
		s := apptest.Start(t, settings(v, "disable_retry_on_max_parallel_request_limit_error: true", "", ""))
		k := key(t, s, object{"max_parallel_requests": 1})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			r, err := s.Open(ctx, http.MethodPost, chatPath, body("m", ""), "Authorization: Bearer "+k)
			if err == nil {
				r.Body.Close()
			}
		}()
		eventually(t, "the first call is open", func() bool { return len(v.Requests()) == 1 })
		cancel()
		release()
		eventually(t, "its place is free", func() bool { return chat(s, k, "").Status == 200 })
	})
	t.Run("whole gateway", func(t *testing.T) {
		t.Parallel()
		v, release := hanging(t)
		defer release()
		s := apptest.Start(t, settings(v, "disable_retry_on_max_parallel_request_limit_error: true, global_max_parallel_requests: 3", "", ""))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { ok(t, chat(s, master, "")) })
		}
		eventually(t, "three calls are open", func() bool { return len(v.Requests()) == 3 })
		r := chat(s, master, "")
		if r.Status != 429 || !strings.Contains(strings.ToLower(r.Body), "max parallel request limit reached") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		release()
		wg.Wait()
	})
	t.Run("deployment", func(t *testing.T) {
		t.Parallel()
		var open, most atomic.Int64
		answer := ut.JSON(200, ut.Completion("m", "hello", 10, 20))
		v := ut.New(t, func(c *ut.Conn) {
			most.Store(max(most.Load(), open.Add(1)))
			time.Sleep(20 * time.Millisecond)
			open.Add(-1)
			answer(c)
		})
		s := apptest.Start(t, settings(v, "max_parallel_requests: 2", "", ""))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { ok(t, chat(s, master, "")) })
		}
		wg.Wait()
		if most.Load() > 2 {
			t.Errorf("%d calls were open at once", most.Load())
		}
	})
}
