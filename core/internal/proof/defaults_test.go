package proof

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// TestDefaults shows the settings that say what keys and users get who ask for nothing, and the most that they may ask for.
func TestDefaults(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", fmt.Sprintf("max_internal_user_budget: %v, internal_user_budget_duration: 30d, "+
		"default_internal_user_params: {models: [m], user_role: internal_user}, default_key_generate_params: {rpm_limit: 50, metadata: {of: default}}, "+
		"upperbound_key_generate_params: {rpm_limit: 60, duration: 7d}", 2*callCost), ""))
	user := post(t, s, "/user/new", object{"user_id": "ann", "auto_create_key": false})
	if b, _ := user["max_budget"].(float64); !near(b, 2*callCost) || user["budget_duration"] != "30d" || user["user_role"] != "internal_user" {
		t.Errorf("user %v", user)
	}
	made := post(t, s, "/key/generate", object{"user_id": "ann"})
	k, _ := made["key"].(string)
	if meta, _ := made["metadata"].(object); made["rpm_limit"] != 50.0 || meta["of"] != "default" || made["duration"] != "7d" {
		t.Errorf("key %v", made)
	}
	refused(t, s.Post(chatPath, body("other", ""), "Authorization: Bearer "+k), 401, "user_model_access_denied", "models=['m']")
	refused(t, exhaust(t, s, k, "", 2*callCost), 400, "budget_exceeded", "User=ann over budget")
	r := s.Post("/key/generate", `{"rpm_limit": 61}`)
	refused(t, r, 400, "bad_request_error", "rpm_limit is over max limit")
	if own := post(t, s, "/key/generate", object{"rpm_limit": 60}); own["rpm_limit"] != 60.0 {
		t.Errorf("key %v", own)
	}
}

// TestTeamAliases shows that a team's names for models stand for them, also for one that is not among its models otherwise
// (_model_in_team_aliases in litellm/proxy/auth/auth_checks.py): who names it lets the team use it.
func TestTeamAliases(t *testing.T) {
	t.Parallel()
	v := vendor(t)
	s := apptest.Start(t, settings(v, "", "", ""))
	team, _ := post(t, s, "/team/new", object{"models": []string{"m"}, "model_aliases": object{"mine": "m", "theirs": "other"}})["team_id"].(string)
	k := "Authorization: Bearer " + key(t, s, object{"team_id": team})
	for _, model := range []string{"mine", "theirs"} {
		ok(t, s.Post(chatPath, body(model, ""), k))
	}
	if got := v.Last(); !strings.Contains(string(got.Body), "gpt-4o") {
		t.Errorf("the vendor was asked for %s", got.Body)
	}
}
