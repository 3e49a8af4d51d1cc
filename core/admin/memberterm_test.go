package admin_test

import (
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/admin"
)

// TestMemberTerm shows that people's keys of a team live no longer than team_member_key_duration, however they ask.
func TestMemberTerm(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	m.post("/user/new", `{"user_id":"ann","auto_create_key":false}`).ok()
	m.post("/team/new", `{"team_id":"t","team_member_key_duration":"7d","members_with_roles":[{"role":"admin","user_id":"ann"}]}`).ok()
	m.post("/team/update", `{"team_id":"t","team_member_key_duration":"soon"}`).refused(400, "bad_request_error", "team_member_key_duration")
	ann := d.user("ann")
	lives := func(r reply, days float64) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, r.text("expires"))
		if left := time.Until(at).Hours() / 24; err != nil || left < days-0.1 || left > days+0.1 {
			t.Errorf("%v days left, want %v: %v", left, days, err)
		}
	}
	made := ann.post("/key/generate", `{"team_id":"t"}`).ok().want("duration", "7d")
	lives(made, 7)
	lives(ann.post("/key/generate", `{"team_id":"t","duration":"90d"}`).ok().want("duration", "7d"), 7)
	lives(ann.post("/key/generate", `{"team_id":"t","duration":"-1"}`).ok(), 7)
	lives(ann.post("/key/generate", `{"team_id":"t","duration":"2d"}`).ok().want("duration", "2d"), 2)
	lives(m.post("/key/generate", `{"team_id":"t","user_id":"ann"}`).ok(), 7)
	m.post("/key/service-account/generate", `{"team_id":"t"}`).ok().want("expires", nil)
	ann.post("/key/generate", `{}`).ok().want("expires", nil)

	key := map[string]any{"key": made.text("key"), "duration": "90d"}
	lives(ann.post("/key/update", key).ok(), 7)
	lives(m.post("/key/update", key).ok(), 90)
	lives(ann.post("/key/regenerate", key).ok(), 7)
	own := ann.post("/key/generate", `{}`).ok().text("key")
	lives(ann.post("/key/update", map[string]any{"key": own, "team_id": "t"}).ok(), 7)
}
