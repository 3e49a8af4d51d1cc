package admin

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sallyport-ai/sallyport/core/store"
)

const memberTerm = "team_member_key_duration"

// checkMemberTerm refuses a team_member_key_duration that is no duration.
func (c *call) checkMemberTerm() error {
	var term *string
	if !c.given(memberTerm) {
		return nil
	}
	if json.Unmarshal(c.sent[memberTerm], &term) != nil {
		return unprocessable{[]detail{{Loc: []any{"body", memberTerm}, Msg: "Input should be a valid string", Type: "string_type"}}}
	}
	if value(term) == "" {
		return nil
	}
	if _, err := store.ParsePeriod(*term); err != nil {
		return badRequest(memberTerm, memberTerm+": "+err.Error())
	}
	return nil
}

// memberTerm ends a person's key when team_member_key_duration of its team is over, if it would not end sooner
// (add_team_member_key_duration of the reference). It counts from when the key is made or given a duration, or moved into
// the team. Administrators may give a key that exists a longer one.
func (p *keyParams) memberTerm(c *call, tx store.Store, k *store.Key, service bool) error {
	if service || k.TeamID == "" || k.UserID == "" || c.update && (c.admin() || !c.given("duration") && !c.given("team_id")) {
		return nil
	}
	team, err := tx.Teams().Get(c.ctx(), string(k.TeamID))
	if errors.Is(err, store.ErrNotFound) {
		return nil // the key of a team that was deleted
	}
	if err != nil || isNull(team.Metadata) {
		return err
	}
	var meta map[string]any
	if err := json.Unmarshal(team.Metadata, &meta); err != nil {
		return fmt.Errorf("admin: metadata of team %s is not an object: %w", team.TeamID, err)
	}
	term, _ := meta[memberTerm].(string)
	// A team without a term, or whose row is from before terms were checked, sets no end.
	if period, bad := store.ParsePeriod(term); bad == nil {
		end := store.Clean(period.After(c.a.Now()))
		if k.Expires == nil || k.Expires.After(end) {
			k.Expires, p.Duration = &end, &term
		}
	}
	return nil
}
