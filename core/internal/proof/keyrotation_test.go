package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// TestKeyRotation has two replicas rotate the same keys, and shows that each is rotated once, that everything else of a
// key stays, and that its holder gets a new secret with the old one.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	var replicas []*apptest.Server
	for range 2 {
		replicas = append(replicas, apptest.Start(t, settings(vendor(t), "proxy_batch_write_at: 1", "store_audit_logs: true", ""),
			apptest.Env("DATABASE_URL="+database, "SALLYPORT_STATE_DIR="+t.TempDir(), "LITELLM_KEY_ROTATION_ENABLED=true",
				"LITELLM_KEY_ROTATION_CHECK_INTERVAL_SECONDS=0.2", "LITELLM_KEY_ROTATION_GRACE_PERIOD=1h")))
	}
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	s := replicas[0]
	post(t, s, "/user/new", object{"user_id": "holder", "user_role": "internal_user"})
	rotating := object{"user_id": "holder", "auto_rotate": true, "rotation_interval": "30d", "max_budget": 10, "key_alias": "rotates"}
	k := key(t, s, rotating)
	ok(t, chat(s, k, ""))
	sum := sha256.Sum256([]byte(k))
	hash := hex.EncodeToString(sum[:])
	eventually(t, "what was spent is written", func() bool {
		return info(t, s, hash)["spend"] != 0.0
	})
	spend := info(t, s, hash)["spend"]
	due := func(where string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), `UPDATE "LiteLLM_VerificationToken" SET key_rotation_at = NOW() - INTERVAL '1 minute' WHERE `+where); err != nil {
			t.Fatal(err)
		}
	}
	row := func(alias string) (token string, count int, next, last *time.Time) {
		t.Helper()
		err := conn.QueryRow(t.Context(), `SELECT token, COALESCE(rotation_count, 0), key_rotation_at, last_rotation_at FROM "LiteLLM_VerificationToken" WHERE key_alias = $1`,
			alias).Scan(&token, &count, &next, &last)
		if err != nil {
			t.Fatal(err)
		}
		return token, count, next, last
	}
	due(`key_alias = 'rotates'`)
	eventually(t, "the key is rotated", func() bool { _, n, _, _ := row("rotates"); return n > 0 })

	// More looks of both replicas: a key that became due later was rotated, and the first was not rotated again.
	key(t, s, object{"auto_rotate": true, "rotation_interval": "30d", "key_alias": "later"})
	for want := 1; want <= 3; want++ {
		due(`key_alias = 'later'`)
		eventually(t, "the later key is rotated", func() bool { _, n, _, _ := row("later"); return n == want })
	}
	token, n, next, last := row("rotates")
	if n != 1 || token == hash || last == nil || next == nil || next.Before(time.Now().AddDate(0, 0, 29)) {
		t.Errorf("rotated %d times, same hash %t, last %v, next %v", n, token == hash, last, next)
	}
	if got := info(t, s, token); got["spend"] != spend || got["max_budget"] != 10.0 || got["key_alias"] != "rotates" {
		t.Errorf("after the rotation: %v, spent %v before", got, spend)
	}
	var audits int
	var until time.Time
	if err := conn.QueryRow(t.Context(), `SELECT COUNT(*) FROM "LiteLLM_AuditLog" WHERE action = 'rotated' AND object_id = $1 AND changed_by = 'litellm_internal_jobs'`, hash).Scan(&audits); err != nil || audits != 1 {
		t.Errorf("%d audit rows: %v", audits, err)
	}
	if err := conn.QueryRow(t.Context(), `SELECT revoke_at FROM "LiteLLM_DeprecatedVerificationToken" WHERE token = $1`, hash).Scan(&until); err != nil || until.Before(time.Now().Add(50*time.Minute)) {
		t.Errorf("the old secret ends at %v: %v", until, err)
	}
	for _, r := range replicas {
		ok(t, chat(r, k, ""))
	}
	r := s.Post("/key/regenerate", `{}`, "Authorization: Bearer "+k)
	ok(t, r)
	var made struct{ Key string }
	if err := json.Unmarshal([]byte(r.Body), &made); err != nil {
		t.Fatal(err)
	}
	for _, r := range replicas {
		ok(t, chat(r, made.Key, ""))
		ok(t, chat(r, k, ""))
	}
}

// info is a key as the management API shows it.
func info(t *testing.T, s *apptest.Server, hash string) object {
	t.Helper()
	out, _ := call(t, s, "GET", "/key/info?key="+hash, nil)["info"].(object)
	return out
}
