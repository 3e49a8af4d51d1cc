package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/store"
)

// TestRotationInterval shows which intervals a key may have, and that one which is no time does not rotate a key for ever.
func TestRotationInterval(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{GracePeriod: "1h"})
	m := d.master()
	key := m.post("/key/generate", `{"auto_rotate":true,"rotation_interval":"30d"}`).ok().want("rotation_interval", "30d").text("key")
	for interval, why := range map[string]string{
		"0d": "no time at all", "00s": "no time at all", "0mo": "no time at all", "soon": "is no duration", "d": "is no duration",
		"-1d": "is no duration", "1.5h": "is no duration", "30": "is no duration", "+1d": "is no duration", "1y": "is no duration", " 1d": "is no duration",
	} {
		set := map[string]any{"auto_rotate": true, "rotation_interval": interval}
		m.post("/key/generate", set).refused(400, "bad_request_error", why)
		set["key"] = key
		m.post("/key/update", set).refused(400, "bad_request_error", why)
		m.post("/key/regenerate", set).refused(400, "bad_request_error", why)
	}
	m.get("/key/info?key="+key).ok().want("info.rotation_interval", "30d", "info.auto_rotate", true)

	at := time.Now().Add(-time.Hour)
	for token, interval := range map[string]store.Text{"zero": "0d", "nonsense": "soon", "good": "1d"} {
		row := store.Key{Token: token, AutoRotate: store.Ptr(true), RotationInterval: interval, KeyRotationAt: &at}
		if err := d.store.Keys().Create(t.Context(), &row); err != nil {
			t.Fatal(err)
		}
	}
	n, err := d.api.RotateDue(t.Context())
	if n != 1 || err == nil || !strings.Contains(err.Error(), `key zero: its rotation_interval "0d"`) || !strings.Contains(err.Error(), "key nonsense") {
		t.Errorf("%d rotated: %v", n, err)
	}
	if n, _ := d.api.RotateDue(t.Context()); n != 0 {
		t.Errorf("%d rotated again", n)
	}
}

// TestRegenerateByOldSecret shows that a secret which is still good names its key, and to those who may change it only.
func TestRegenerateByOldSecret(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	for _, id := range []string{"ann", "bob"} {
		m.post("/user/new", map[string]any{"user_id": id, "auto_create_key": false}).ok()
	}
	first := m.post("/key/generate", `{"user_id":"ann","key_alias":"ann's"}`).ok().text("key")
	m.post("/key/regenerate", map[string]any{"key": first, "grace_period": "1h"}).ok()
	d.user("bob").post("/key/regenerate", map[string]any{"key": first}).refused(403, "auth_error", "not allowed")
	second := d.user("ann").post("/key/regenerate", map[string]any{"key": first, "grace_period": "1h"}).ok().want("key_alias", "ann's").text("key")
	third := m.post("/key/"+first+"/regenerate", `{}`).ok().want("key_alias", "ann's").text("key")
	m.post("/key/regenerate", map[string]any{"key": second}).refused(404, "not_found_error", "Key not found")
	m.post("/key/regenerate", map[string]any{"key": third, "new_key": first}).ok()
	m.post("/key/regenerate", map[string]any{"key": third}).refused(404, "not_found_error", "Key not found")
	m.post("/key/generate", map[string]any{"key": second}).refused(400, "bad_request_error", "")
}
