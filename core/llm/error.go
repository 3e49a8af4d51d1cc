package llm

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Kind says what sort of failure an Error is. It decides whether the router tries again and which status the caller
// sees. The classes are those that clients of the reference system know.
type Kind uint8

// The kinds. The comment gives the status when the error carries none of its own.
const (
	KindInternal       Kind = iota // 500 a fault of the gateway, or of a vendor that answered with an unclassified 5xx
	KindBadRequest                 // 400
	KindContextWindow              // 400 the prompt is longer than the model takes
	KindContentPolicy              // 400 the vendor refused the content
	KindAuthentication             // 401 the vendor refused our key
	KindPermission                 // 403
	KindNotFound                   // 404
	KindTimeout                    // 408
	KindUnprocessable              // 422
	KindRateLimit                  // 429
	KindConnection                 // 500 the vendor could not be reached, or broke off
	KindBadGateway                 // 502
	KindUnavailable                // 503
	KindAuth                       // 401 the gateway refused the caller
	KindRejected                   // 400 a guardrail refused the request
	KindInvalid                    // 400 the gateway cannot use the request
	KindTooLarge                   // 400 the request or the answer is over a configured size
	KindNoDeployment               // 429 every deployment of the group is out of use
	KindCanceled                   // 499 the caller left
)

// String is the name of the kind as plugins see it.
func (k Kind) String() string {
	names := [...]string{
		KindInternal: "internal", KindBadRequest: "bad_request", KindContextWindow: "context_window",
		KindContentPolicy: "content_policy", KindAuthentication: "authentication", KindPermission: "permission",
		KindNotFound: "not_found", KindTimeout: "timeout", KindUnprocessable: "unprocessable", KindRateLimit: "rate_limit",
		KindConnection: "connection", KindBadGateway: "bad_gateway", KindUnavailable: "unavailable", KindAuth: "auth",
		KindRejected: "rejected", KindInvalid: "invalid", KindTooLarge: "too_large", KindNoDeployment: "no_deployment",
		KindCanceled: "canceled",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return names[KindInternal]
}

// Status is the HTTP status of the kind.
func (k Kind) Status() int {
	switch k {
	case KindBadRequest, KindContextWindow, KindContentPolicy, KindRejected, KindInvalid, KindTooLarge:
		return 400
	case KindAuthentication, KindAuth:
		return 401
	case KindPermission:
		return 403
	case KindNotFound:
		return 404
	case KindTimeout:
		return 408
	case KindUnprocessable:
		return 422
	case KindRateLimit, KindNoDeployment:
		return 429
	case KindBadGateway:
		return 502
	case KindUnavailable:
		return 503
	case KindCanceled:
		return 499
	}
	return 500
}

// Vendor reports whether errors of the kind come from a vendor's answer rather than from the gateway's own decision.
func (k Kind) Vendor() bool { return k <= KindUnavailable }

// Error is the one error type of the gateway. Message is for the caller; Err is the cause, for operators.
type Error struct {
	Op   string // what was attempted, in the form "package.Function"
	Kind Kind
	Err  error

	Message    string        // what the caller reads; never holds a key or a prompt. Empty: derived from Kind.
	Status     int           // HTTP status; 0 takes the kind's own
	Type       string        // "type" of the error envelope; empty is null
	Param      string        // "param" of the envelope; empty is null
	Code       string        // "code" of the envelope; empty is the status
	Provider   string        // the vendor that answered, if one did
	RetryAfter time.Duration // how long the vendor asked to wait; 0 unknown
	Header     Header        // vendor's headers to pass on to the caller; owned, not borrowed
	Own        []Pair        // further header lines of the gateway's own, names in lower case
}

// Error describes the failure for a log.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = "status " + strconv.Itoa(e.HTTPStatus())
	}
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus is the status the caller sees.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Kind.Status()
}

// Is reports whether target is an *Error of the same kind, so that errors.Is(err, &Error{Kind: k}) asks for a kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Message == "" && t.Err == nil
}

// AsError returns err as an *Error. Anything else becomes KindCanceled for a cancelled context, KindTimeout for an
// expired one, and KindInternal otherwise, with a message that gives nothing away. A nil err gives nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Kind: KindCanceled, Err: err, Message: "The client closed the request."}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: KindTimeout, Err: err, Message: "Request timed out."}
	}
	return &Error{Kind: KindInternal, Err: err, Message: "Internal server error."}
}
