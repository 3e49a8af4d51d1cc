package listener

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Ownership says how ids are bound to who may use them. The zero value binds none: without a key to encrypt with, the
// reference binds none either.
type Ownership struct {
	Vault *store.Vault // reads and writes the ids of responses
	Off   bool         // general_settings.disable_responses_id_security: new ids are not bound, and anybody may use those that are

	OnlyOwn bool // ids of vendors' that were not made here are the administrator's alone (SALLYPORT_UNKNOWN_IDS)
}

// owner is who something belongs to. A user and a team both have to be the same; a key counts if there is neither.
type owner struct{ user, team, key string }

// ownerOf is who asks. The administrator's user stands for everybody whose key names no user, so it names nobody.
func ownerOf(x *llm.Exchange) (o owner) {
	p := x.Principal
	if p == nil {
		return owner{}
	}
	if o.team = p.TeamID; p.UserID != llm.AdminUserID {
		o.user = p.UserID
	}
	if o.user == "" && o.team == "" {
		o.key = p.KeyHash
	}
	return o
}

// admits says why a principal may not use what belongs to o; nil if it may. The words are those of the reference
// (litellm/proxy/hooks/responses_id_security.py).
func (o owner) admits(p *llm.Principal, what string) error {
	if p == nil || p.Role == llm.RoleProxyAdmin {
		return nil
	}
	whose := ""
	switch {
	case o.user != "" && o.user != p.UserID:
		whose = "user"
	case o.team != "" && o.team != p.TeamID:
		whose = "team"
	case o.key != "" && o.key != p.KeyHash:
		whose = "key"
	default:
		return nil
	}
	message := "Forbidden. The " + what + " id is not associated with the " + whose
	if whose != "key" {
		message += ", who this key belongs to"
	} else {
		message += " of this request"
	}
	if what == "response" {
		message += ". To disable this security feature, set general_settings::disable_responses_id_security to True in the config.yaml file"
	}
	return &llm.Error{Op: "listener.admits", Kind: llm.KindPermission, Message: message + "."}
}

// The text inside of an id that is bound to an owner, as the reference writes it (litellm/types/utils.py, SpecialEnums).
// The key is this gateway's addition.
const (
	boundID   = "litellm_proxy:responses_api:response_id:"
	boundUser = ";user_id:"
	boundTeam = ";team_id:"
	boundKey  = ";key:"
	respID    = "resp_"
)

// bind implements llm.Exchange.Stamp for responses: it hides the id, and who may use it, in what only this gateway reads.
// A request that names the response already has its id.
func (s *Server) bind(x *llm.Exchange, dst, id []byte) []byte {
	if x.Named != "" {
		return append(dst, x.Named...)
	}
	own := s.ownership()
	if own.Off || own.Vault == nil || strings.ContainsRune(string(id), ';') {
		return append(dst, id...)
	}
	o := ownerOf(x)
	text := boundID + string(id) + boundUser + boundName().Replace(o.user) + boundTeam + boundName().Replace(o.team)
	if o.key != "" {
		text += boundKey + o.key
	}
	return append(append(dst, respID...), own.Vault.EncryptSame(text)...)
}

// boundName and plainName keep a name from being read as two.
func boundName() *strings.Replacer { return strings.NewReplacer("%", "%25", ";", "%3B") }
func plainName() *strings.Replacer { return strings.NewReplacer("%25", "%", "%3B", ";") }

// unbind reads an id that bind, or the reference, made. ok is false for any other, which belongs to nobody.
func (s *Server) unbind(id string) (plain string, o owner, ok bool) {
	vault := s.ownership().Vault
	sealed, ours := strings.CutPrefix(id, respID)
	if vault == nil || !ours || len(id) > maxBoundID {
		return id, owner{}, false
	}
	if _, open := responses.ParseID(id); open {
		return id, owner{}, false
	}
	text, err := vault.Decrypt(sealed)
	if err != nil {
		return id, owner{}, false
	}
	return parseBound(text, id)
}

const maxBoundID = 8 << 10

// parseBound reads the text inside of a bound id.
func parseBound(text, id string) (plain string, o owner, ok bool) {
	rest, found := strings.CutPrefix(text, boundID)
	if !found {
		return id, owner{}, false
	}
	plain, rest, found = strings.Cut(rest, boundUser)
	if !found || plain == "" {
		return id, owner{}, false
	}
	o.user, rest, _ = strings.Cut(rest, boundTeam)
	o.team, o.key, _ = strings.Cut(rest, boundKey)
	o.user, o.team = plainName().Replace(o.user), plainName().Replace(o.team)
	return plain, o, true
}

// admit has whoever asks be one of those who may use what belongs to whose.
func (s *Server) admit(x *llm.Exchange, whose owner) {
	if !s.ownership().Off {
		x.Admit = func(x *llm.Exchange) error { return whose.admits(x.Principal, "response") }
	}
}

func (s *Server) ownership() Ownership {
	if s.Settings.Ownership == nil {
		return Ownership{}
	}
	return s.Settings.Ownership()
}
