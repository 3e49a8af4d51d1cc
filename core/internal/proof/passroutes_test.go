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
