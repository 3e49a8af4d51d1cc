package sallyport

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// AuthRequest is what the auth hook sees. It is valid during the call.
type AuthRequest struct {
	ID         string
	Method     string
	Path       string
	ClientIP   string
	Model      string // the model group asked for, where the route has one
	Credential string // the key presented, without "Bearer "; empty if there is none
	Raw        string // the credential header as it was sent

	headers []header
	more    More
}

type header struct{ name, value string }

// Header returns a header of the request; ok is false if it was not sent. Those that the manifest needs are at hand,
// others are asked of the gateway.
func (a *AuthRequest) Header(name string) (value string, ok bool) {
	for _, h := range a.headers {
		if strings.EqualFold(h.name, name) {
			return h.value, true
		}
	}
	b, ok := a.more.field(abi.FieldHeader, name)
	return text(b), ok
}

// Value asks the gateway for a value in the request body, as Request.Value does.
func (a *AuthRequest) Value(path string) (value string, ok bool) {
	b, ok := a.more.field(abi.FieldValue, path)
	return text(b), ok
}

// Principal is who a request acts for. A manifest whose plugin sets a field below TeamMetadata says "min_minor": 2; an older
// gateway refuses callers rather than letting them in without their limits.
type Principal struct {
	Caller                  // KeyHash is ignored: the gateway hashes the credential itself
	Models   []string       // model groups the principal may use; empty is all
	Metadata map[string]any // text, numbers, booleans, nil, []any and map[string]any

	TeamMetadata map[string]any // of the team; likewise

	Limits AllLimits
	// Counter names what the limits and budgets of the key, Limits.Key and KeyModels, are counted under. Without it that
	// is the credential: set it if credentials change while the person stays, as tokens do, or if the plugin takes the
	// credential from somewhere else than the gateway does.
	Counter string

	Expires       time.Time         // later requests are refused with status 401; zero is never
	Blocked       bool              // every request is refused with status 401, in the words for blocked keys
	TeamBlocked   bool              // likewise, in those for teams
	TeamModels    []string          // model groups the team may use; empty is all. Models has to allow them, too
	AllowedRoutes []string          // paths, patterns with a star at the end, or groups such as "llm_api_routes"; empty is all
	Aliases       map[string]string // model groups that are asked for in place of other names
	CacheControls []string          // cache controls that requests may set; empty is all
	Region        string            // where models must run, such as "eu"; empty is anywhere
	Tags          []string          // of every request
	Guardrails    []string          // that look at every request
	OrgAlias      string

	// Since minor version 4: a manifest whose plugin sets one of these says so.

	AccessGroups []string       // ids of stored access groups, whose models are added to Models if that has any
	Permissions  map[string]any // such as "get_spend_routes": true; a guardrail's name switches it on or off
	// RouterSettings take the place of the gateway's for requests that do not say themselves: num_retries, timeout,
	// fallbacks, context_window_fallbacks, content_policy_fallbacks. Another member fails the call.
	RouterSettings map[string]any
}

// AuthVerdict is what the auth hook decided.
type AuthVerdict struct {
	kind      abi.Verdict
	status    int
	message   string
	principal *Principal
}

// Pass says that the plugin does not know this kind of credential. In mode "auto" the gateway asks the next
// authenticator; in mode "on" it refuses the caller.
func Pass() AuthVerdict { return AuthVerdict{} }

// Allow lets the caller in as p, which is not changed and may be shared between calls.
func Allow(p *Principal) AuthVerdict { return AuthVerdict{kind: abi.VerdictAllow, principal: p} }

// Refuse turns the caller away with status 401 or 403 and a message, which must not repeat the credential.
func Refuse(status int, message string) AuthVerdict {
	return AuthVerdict{kind: abi.VerdictReject, status: status, message: message}
}

// FailAuth says that the hook could not do its work. The gateway then refuses the caller, unless the operator decided
// otherwise. The error goes to the operator's log and must not hold the credential.
func FailAuth(err error) AuthVerdict {
	return AuthVerdict{kind: abi.VerdictFail, message: err.Error()}
}

// Principal returns who was let in, or nil.
func (v AuthVerdict) Principal() *Principal { return v.principal }

// Refused returns the status and the message of a refusal; the status is 0 if the verdict is none.
func (v AuthVerdict) Refused() (status int, message string) {
	if v.kind != abi.VerdictReject {
		return 0, ""
	}
	return v.status, v.message
}

func (a *AuthRequest) decode(view []byte) error {
	*a = AuthRequest{headers: a.headers[:0]}
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagRequestID:
			a.ID = text(v.Value)
		case abi.TagMethod:
			a.Method = text(v.Value)
		case abi.TagPath:
			a.Path = text(v.Value)
		case abi.TagClientIP:
			a.ClientIP = text(v.Value)
		case abi.TagModel:
			a.Model = text(v.Value)
		case abi.TagCredential:
			a.Credential = text(v.Value)
		case abi.TagCredentialRaw:
			a.Raw = text(v.Value)
		case abi.TagHeader:
			a.header(&v)
		default:
			v.Unknown()
		}
	}
	return v.Err
}

func (a *AuthRequest) header(v *abi.Reader) {
	var h header
	in := v.Inside()
	for in.Next() {
		switch in.Tag {
		case abi.TagKey:
			h.name = text(in.Value)
		case abi.TagText:
			h.value = text(in.Value)
		}
	}
	a.headers = append(a.headers, h)
}

func (v AuthVerdict) encode(dst []byte) []byte {
	switch v.kind {
	case abi.VerdictContinue:
		return dst
	case abi.VerdictAllow:
		return v.principal.encode(dst)
	}
	return appendVerdict(dst, v.kind, v.status, v.message)
}

func (p *Principal) encode(dst []byte) []byte {
	if p == nil {
		return appendVerdict(dst, abi.VerdictFail, 0, "the plugin allowed a nil principal")
	}
	start := len(dst)
	dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictAllow))
	dst, mark := abi.Open(dst, abi.TagPrincipal)
	field := func(tag abi.Tag, s string) {
		if s != "" {
			dst = abi.AppendText(dst, tag, s)
		}
	}
	field(abi.TagKeyAlias, p.KeyAlias)
	field(abi.TagUserID, p.UserID)
	field(abi.TagUserEmail, p.UserEmail)
	field(abi.TagTeamID, p.TeamID)
	field(abi.TagTeamAlias, p.TeamAlias)
	field(abi.TagOrgID, p.OrgID)
	field(abi.TagEndUser, p.EndUser)
	field(abi.TagRole, p.Role)
	for _, m := range p.Models {
		dst = abi.AppendText(dst, abi.TagAllowedModel, m)
	}
	var err error
	if len(p.Metadata) > 0 {
		dst, err = abi.AppendMap(dst, abi.TagMetadata, p.Metadata)
	}
	if len(p.TeamMetadata) > 0 && err == nil {
		dst, err = abi.AppendMap(dst, abi.TagTeamMetadata, p.TeamMetadata)
	}
	if err == nil {
		dst, err = p.rest(p.restrictions(dst))
	}
	if err != nil {
		return appendVerdict(dst[:start], abi.VerdictFail, 0, err.Error())
	}
	return abi.Close(dst, mark)
}
