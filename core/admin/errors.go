package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// detail is one complaint of the reference's framework about a request (FastAPI, HTTPValidationError).
type detail struct {
	Loc  []any  `json:"loc"`
	Msg  string `json:"msg"`
	Type string `json:"type"`
}

// unprocessable is a request whose members have the wrong types or are missing.
type unprocessable struct{ details []detail }

func (u unprocessable) Error() string {
	at := ""
	for _, part := range u.details[0].Loc {
		at += fmt.Sprint(part, ".")
	}
	return strings.TrimSuffix(at, ".") + ": " + u.details[0].Msg
}

// missing is the complaint about a member that must be there.
func missing(names ...string) error {
	u := unprocessable{}
	for _, n := range names {
		u.details = append(u.details, detail{Loc: []any{"body", n}, Msg: "Field required", Type: "missing"})
	}
	return u
}

// missingQuery is the complaint about a parameter of the URL that must be there.
func missingQuery(name string) error {
	return unprocessable{[]detail{{Loc: []any{"query", name}, Msg: "Field required", Type: "missing"}}}
}

// The types of errors are those of the reference (ProxyErrorTypes in litellm/proxy/_types.py).
func problem(status int, kind, param, msg string) error {
	return &llm.Error{Op: "admin", Kind: llm.KindInvalid, Status: status, Type: kind, Param: param, Message: msg}
}

func badRequest(param, msg string) error {
	return problem(http.StatusBadRequest, "bad_request_error", param, msg)
}

func notFound(param, msg string) error {
	return problem(http.StatusNotFound, "not_found_error", param, msg)
}

func forbidden(msg string) error {
	return &llm.Error{Op: "admin", Kind: llm.KindAuth, Status: http.StatusForbidden, Type: "auth_error", Param: "None", Message: msg}
}

// form is how the reference writes an error of a route's handler.
type form uint8

const (
	envelope   form = iota // {"error": {...}}: the handler, or authentication before it, makes a ProxyException
	detailed               // {"detail": {"error": text}}: it raises an HTTPException, which its framework writes
	detailText             // {"detail": text}
)

// form of a route's errors (litellm/proxy/management_endpoints: budget_management_endpoints.py, organization_endpoints.py,
// team_endpoints.py, internal_user_endpoints.py, tag_management_endpoints.py, common_daily_activity.py;
// litellm/proxy/spend_tracking/spend_management_endpoints.py). Handlers that catch what they raise answer with an envelope.
func (r *route) form() form {
	switch r.path {
	case "/budget/new", "/budget/update", "/budget/info", "/budget/settings", "/budget/list", "/budget/delete",
		"/organization/new", "/organization/update", "/organization/delete", "/organization/info", "/organization/list",
		"/team/update", "/team/delete", "/team/block", "/team/unblock", "/team/list", "/v2/team/list", "/team/available",
		"/team/member_add", "/team/bulk_member_add", "/team/member_delete", "/team/member_update", "/team/model/add",
		"/team/model/delete", "/team/permissions_list", "/team/permissions_update", "/user/delete",
		"/user/daily/activity", "/user/daily/activity/aggregated", "/team/daily/activity", "/tag/daily/activity",
		"/organization/daily/activity", "/customer/daily/activity", "/end_user/daily/activity", "/agent/daily/activity",
		"/global/activity", "/global/activity/model", "/global/spend/report":
		return detailed
	case "/tag/new", "/tag/update", "/tag/info", "/tag/list", "/tag/delete":
		return detailText
	}
	return envelope
}

// detail is an error in the words of the reference's framework; nil if the reference writes it in an envelope on every route:
// it names a type of its own there, or is no fault of the caller.
func (f form) detail(e *llm.Error) any {
	switch e.Type {
	case "bad_request_error", "not_found_error", "auth_error":
	default:
		return nil
	}
	switch f {
	case detailed:
		return map[string]any{"detail": map[string]string{"error": e.Message}}
	case detailText:
		return map[string]any{"detail": e.Message}
	}
	return nil
}

// fail answers with an error. What went wrong inside is logged and not told.
func (a *API) fail(w http.ResponseWriter, c *call, err error, f form) {
	var u unprocessable
	if errors.As(err, &u) {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]any{"detail": u.details})
		return
	}
	e := asError(err)
	if e.HTTPStatus() >= 500 {
		a.Logger.Error("a management call failed", "path", c.r.URL.Path, "error", err.Error())
	}
	if d := f.detail(e); d != nil {
		writeJSON(w, e.HTTPStatus(), d)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(openai.AppendError(nil, e))
}

func asError(err error) *llm.Error {
	var e *llm.Error
	var u unprocessable
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &u): // of one of many in a request
		return &llm.Error{Op: "admin", Kind: llm.KindInvalid, Status: http.StatusUnprocessableEntity, Type: "bad_request_error", Message: u.Error()}
	case errors.Is(err, store.ErrNotFound):
		return asError(notFound("", "There is no such entry in the database."))
	case errors.Is(err, store.ErrUnavailable):
		return &llm.Error{
			Op: "admin", Kind: llm.KindUnavailable, Err: err, Type: "no_db_connection",
			Message: "The database cannot be reached. Try again shortly.",
		}
	}
	return &llm.Error{
		Op: "admin", Kind: llm.KindInternal, Err: err, Type: "internal_server_error", Message: "Internal Server Error.",
	}
}
