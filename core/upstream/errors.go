package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/sallyport-ai/sallyport/core/llm"
)

const (
	opDo   = "upstream.Do"
	opRead = "upstream.Read"
)

// phase is what a trip was about to do.
type phase uint8

const (
	phaseConnect phase = iota
	phaseWrite
	phaseHeader
	phaseBody
)

// tlsError marks a failure of a TLS handshake.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "TLS handshake: " + e.err.Error() }

func (e *tlsError) Unwrap() error { return e.err }

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// fault makes the error of a failed call. The messages name the host as the operator configured it and nothing that
// was sent or received.
func (t *trip) fault(at phase, err error) *llm.Error {
	op := opDo
	if at == phaseBody {
		op = opRead
	}
	if cause := t.ctx.Err(); cause != nil && (t.isAborted() || at == phaseConnect) {
		return gone(op, cause)
	}
	if isTimeout(err) {
		return &llm.Error{Op: op, Kind: llm.KindTimeout, Err: err, Message: "Request timed out: " + t.late(at)}
	}
	return &llm.Error{Op: op, Kind: llm.KindConnection, Err: err, Message: "Connection error: " + t.broken(at, err)}
}

// gone is the error for a call that nobody waits for any more.
func gone(op string, cause error) *llm.Error {
	e := *llm.AsError(cause)
	e.Op, e.Err = op, cause
	if !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) && e.Kind == llm.KindInternal {
		e.Kind, e.Message = llm.KindCanceled, "The request was canceled."
	}
	return &e
}

func (t *trip) late(at phase) string {
	host := t.pool.name
	switch at {
	case phaseConnect:
		return "no connection to " + host + " within the time allowed."
	case phaseWrite:
		return host + " did not take the request within the time allowed."
	case phaseHeader:
		return host + " did not answer within the time allowed."
	}
	return host + " stopped sending in the middle of its answer."
}

func (t *trip) broken(at phase, err error) string {
	host := t.pool.name
	var dns *net.DNSError
	switch {
	case isTLS(err):
		return "no secure connection to " + host + "."
	case errors.As(err, &dns):
		return "the name of " + host + " could not be resolved."
	case errors.Is(err, syscall.ECONNREFUSED):
		return host + " refused the connection."
	case at == phaseConnect:
		return "cannot connect to " + host + "."
	case at == phaseBody:
		return host + " broke off in the middle of its answer."
	}
	return host + " closed the connection before it answered."
}

func isTLS(err error) bool {
	var (
		handshake *tlsError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		cert      *tls.CertificateVerificationError
		host      x509.HostnameError
	)
	return errors.As(err, &handshake) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &cert) || errors.As(err, &host)
}

// bodyFault makes the error of a failed read.
func (t *trip) bodyFault(err error) *llm.Error {
	var framing framingError
	if errors.As(err, &framing) {
		return &llm.Error{
			Op: opRead, Kind: llm.KindBadGateway, Err: err,
			Message: "Invalid answer from " + t.pool.name + ": the body is malformed.",
		}
	}
	if err == errStopped { //nolint:errorlint // made by nap, never wrapped
		return &llm.Error{Op: opRead, Kind: llm.KindCanceled, Err: err}
	}
	if err == errCut { //nolint:errorlint // made by cut, never wrapped
		err = io.ErrUnexpectedEOF
	}
	return t.fault(phaseBody, err)
}

// garbage is the error for an answer that is not HTTP.
func (t *trip) garbage(why string) *llm.Error {
	return &llm.Error{
		Op: opDo, Kind: llm.KindBadGateway, Err: errors.New("the answer is not valid HTTP: " + why),
		Message: "Invalid answer from " + t.pool.name + ".",
	}
}

// busy is the error of a target with all the connections it may have.
func (t *trip) busy(err error) *llm.Error {
	return &llm.Error{
		Op: opDo, Kind: llm.KindUnavailable, Err: err,
		Message: "Too many connections to " + t.pool.name + ": all of them are in use.",
	}
}

func invalid(message string) *llm.Error {
	return &llm.Error{Op: opDo, Kind: llm.KindInvalid, Message: message}
}

func quote(s string) string { return strconv.Quote(s) }
