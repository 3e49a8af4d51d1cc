package proof

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestPassRoutes shows that allowed_passthrough_routes of a key, or else of its team, holds it to those of the endpoints.
func TestPassRoutes(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{}`))
	s := apptest.Start(t, settings(v, "pass_through_endpoints: [{path: /one, target: "+v.URL+"/x, auth: true}, {path: /two, target: "+v.URL+"/y, auth: true}]", "", ""))
	f := func(params object, path string, allowed bool) {
		t.Helper()
		r := s.Post(path, `{}`, "Authorization: Bearer "+key(t, s, params))
		if allowed {
			ok(t, r)
			return
		}
		refused(t, r, 403, "auth_error", "Only allowed to call pass-through routes: ['/one']. Tried to call route: /two")
	}
	one := object{"allowed_passthrough_routes": []string{"/one"}}
	f(one, "/one", true)
	f(one, "/two", false)
	f(object{}, "/two", true)
	post(t, s, "/team/new", object{"team_id": "t", "allowed_passthrough_routes": []string{"/one"}})
	f(object{"team_id": "t"}, "/two", false)
	f(object{"team_id": "t", "allowed_passthrough_routes": []string{"/two"}}, "/two", true)
}

// TestDeniedPassRoutes shows that denied_passthrough_routes of a key, and of its team, keep it from what they name and what is
// below, also when that is allowed, and that administrators and calls of models are not concerned.
func TestDeniedPassRoutes(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "hello", 10, 20)))
	s := apptest.Start(t, settings(v, "pass_through_endpoints: [{path: /one, target: "+v.URL+"/x, auth: true, include_subpath: true}]", "", ""))
	post(t, s, "/team/new", object{"team_id": "t", "denied_passthrough_routes": []string{"/one/adm*"}})
	post(t, s, "/user/new", object{"user_id": "boss", "user_role": "proxy_admin"})
	secrets := map[string]string{
		"key":  key(t, s, object{"allowed_passthrough_routes": []string{"/one"}, "denied_passthrough_routes": []string{"/one/admin/", chatPath}}),
		"team": key(t, s, object{"team_id": "t", "denied_passthrough_routes": []string{"/one/public/x"}}),
		"boss": key(t, s, object{"user_id": "boss", "denied_passthrough_routes": []string{"/one"}}),
	}
	f := func(whose, path, entry string) {
		t.Helper()
		asked := len(v.Requests())
		r := s.Post(path, `{}`, "Authorization: Bearer "+secrets[whose])
		if entry == "" {
			ok(t, r)
			return
		}
		refused(t, r, 403, "auth_error", "Matched `"+entry+"` in `denied_passthrough_routes`")
		if len(v.Requests()) != asked {
			t.Errorf("%s got to the vendor", path)
		}
	}
	f("key", "/one/public", "")
	f("key", "/one/administrator", "")
	for _, path := range []string{"/one/admin", "/one/admin/", "/one/admin/users", "/one/admin%3F", "/one/admin%3Fx/users", "/one/admin%23", "/one/admin%2Fusers"} {
		f("key", path, "/one/admin/")
	}
	f("team", "/one/admin", "/one/adm*")
	f("team", "/one/adm-console/x", "/one/adm*")
	f("team", "/one/public/x/y", "/one/public/x")
	f("team", "/one/public", "")
	f("boss", "/one/admin", "")
	ok(t, chat(s, secrets["key"], ""))
	post(t, s, "/key/update", object{"key": secrets["key"], "denied_passthrough_routes": []string{}})
	f("key", "/one/admin", "")
}
