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

// fail answers with an error. What went wrong inside is logged and not told.
func (a *API) fail(w http.ResponseWriter, c *call, err error) {
	var u unprocessable
	if errors.As(err, &u) {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]any{"detail": u.details})
		return
	}
	e := asError(err)
	if e.HTTPStatus() >= 500 {
		a.Logger.Error("a management call failed", "path", c.r.URL.Path, "error", err.Error())
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
