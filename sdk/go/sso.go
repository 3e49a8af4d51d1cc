package sallyport

import (
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// SSORequest is what the hooks for signing in see. In sso_begin somebody wants to sign in: Headers and Query are those
// of the request. In sso_callback the identity provider has answered: Claims is what it said, such as "sub" and "email".
type SSORequest struct {
	ID       string
	Method   string
	Path     string
	ClientIP string
	Query    string
	Claims   map[string]any

	headers []header
}

// NewSSORequest makes a request for tests.
func NewSSORequest(claims map[string]any, headers map[string]string) *SSORequest {
	r := &SSORequest{Claims: claims}
	for name, value := range headers {
		r.headers = append(r.headers, header{name, value})
	}
	return r
}

// Header returns a header of the request, if the manifest needs it.
func (r *SSORequest) Header(name string) (value string, ok bool) {
	for _, h := range r.headers {
		if strings.EqualFold(h.name, name) {
			return h.value, true
		}
	}
	return "", false
}

// Claim returns a claim that is a text, and else "".
func (r *SSORequest) Claim(name string) string {
	s, _ := r.Claims[name].(string)
	return s
}

// User is somebody who signs in.
type User struct {
	ID             string
	Email          string
	Role           string // such as "internal_user"
	TeamID         string
	Models         []string
	MaxBudget      *float64 // US dollars; nil is none
	BudgetDuration string   // such as "30d"
	Metadata       map[string]any
}

// SSOVerdict is what a hook for signing in decided.
type SSOVerdict struct {
	kind    abi.Verdict
	status  int
	message string
	user    *User
}

// SSODefault leaves it to the gateway: it sends the person to the identity provider, or makes a user of the claims.
func SSODefault() SSOVerdict { return SSOVerdict{} }

// SignIn signs the person in as u.
func SignIn(u *User) SSOVerdict { return SSOVerdict{kind: abi.VerdictAllow, user: u} }

// Redirect sends the person to a URL; only sso_begin can.
func Redirect(url string) SSOVerdict { return SSOVerdict{kind: abi.VerdictRespond, message: url} }

// RefuseSSO turns the person away with status 401 or 403 and a message.
func RefuseSSO(status int, message string) SSOVerdict {
	return SSOVerdict{kind: abi.VerdictReject, status: status, message: message}
}

// FailSSO says that the hook could not do its work. Nobody is signed in then.
func FailSSO(err error) SSOVerdict { return SSOVerdict{kind: abi.VerdictFail, message: err.Error()} }

// User returns who is signed in, or nil.
func (v SSOVerdict) User() *User { return v.user }

func (v SSOVerdict) encode(dst []byte) []byte {
	switch v.kind {
	case abi.VerdictContinue:
		return dst
	case abi.VerdictAllow:
		return v.user.encode(dst)
	case abi.VerdictRespond:
		dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(v.kind))
		return abi.AppendText(dst, abi.TagURL, v.message)
	}
	return appendVerdict(dst, v.kind, v.status, v.message)
}

func (u *User) encode(dst []byte) []byte {
	if u == nil {
		return appendVerdict(dst, abi.VerdictFail, 0, "the plugin signed in a nil user")
	}
	start := len(dst)
	dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictAllow))
	dst, mark := abi.Open(dst, abi.TagPrincipal)
	dst = appendField(dst, abi.TagUserID, u.ID)
	dst = appendField(dst, abi.TagUserEmail, u.Email)
	dst = appendField(dst, abi.TagRole, u.Role)
	dst = appendField(dst, abi.TagTeamID, u.TeamID)
	for _, m := range u.Models {
		dst = abi.AppendText(dst, abi.TagAllowedModel, m)
	}
	if u.MaxBudget != nil {
		dst = appendDouble(dst, abi.TagMaxBudget, *u.MaxBudget)
	}
	dst = appendField(dst, abi.TagBudgetDuration, u.BudgetDuration)
	if len(u.Metadata) > 0 {
		out, err := abi.AppendMap(dst, abi.TagMetadata, u.Metadata)
		if err != nil {
			return appendVerdict(dst[:start], abi.VerdictFail, 0, err.Error())
		}
		dst = out
	}
	return abi.Close(dst, mark)
}

func (r *SSORequest) decode(view []byte) error {
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagRequestID:
			r.ID = text(v.Value)
		case abi.TagMethod:
			r.Method = text(v.Value)
		case abi.TagPath:
			r.Path = text(v.Value)
		case abi.TagClientIP:
			r.ClientIP = text(v.Value)
		case abi.TagQuery:
			r.Query = text(v.Value)
		case abi.TagParams:
			r.Claims = readMap(&v)
		case abi.TagHeader:
			r.headers = append(r.headers, readHeader(v.Inside()))
		default:
			v.Unknown()
		}
	}
	return v.Err
}

func readHeader(in abi.Reader) (h header) {
	for in.Next() {
		switch in.Tag {
		case abi.TagKey:
			h.name = text(in.Value)
		case abi.TagText:
			h.value = text(in.Value)
		}
	}
	return h
}
