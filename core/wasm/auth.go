package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// AuthMode is custom_auth_settings.mode of the configuration.
type AuthMode string

// The modes. In ModeOn the plugin alone decides: a caller it passes on is refused. In ModeAuto a caller it passes on is
// left to the next authenticator; one it refuses is refused, for a plugin, unlike a Python function, can say both. In
// ModeOff the plugin is not asked.
const (
	ModeOn   AuthMode = "on"
	ModeOff  AuthMode = "off"
	ModeAuto AuthMode = "auto"
)

// Authenticator presents the plugin's auth hook as an authenticator. The empty mode is ModeOn.
//
// A principal's KeyHash is the hash of the credential, whatever the plugin says. When the plugin failed, the caller is
// refused with an error of kind llm.KindAuth that names the plugin and nothing else; only with FailOpen and
// ModeAuto is the next authenticator asked instead. Nobody is let in because a plugin failed.
func (p *Plugin) Authenticator(mode AuthMode) (auth.Authenticator, error) {
	switch mode {
	case "":
		mode = ModeOn
	case ModeOn, ModeOff, ModeAuto:
	default:
		return nil, fmt.Errorf("custom auth mode %q: it is on, off or auto", string(mode))
	}
	return &authenticator{p, mode, p.manifest.needs()}, nil
}

type authenticator struct {
	p     *Plugin
	mode  AuthMode
	needs needs
}

// Authenticate implements auth.Authenticator.
func (a *authenticator) Authenticate(ctx context.Context, x *llm.Exchange, c auth.Credential) (*llm.Principal, error) {
	if a.mode == ModeOff {
		return nil, nil
	}
	in, err := a.p.pool.get(ctx)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	in.segments = in.segments[:0]
	in.view = appendAuth(in.view[:0], x, c, &a.needs)
	res, err := a.ask(in, x)
	if err == nil || errors.Is(err, ErrSize) || errors.Is(err, ErrVerdict) {
		a.p.pool.put(in)
	} else {
		a.p.pool.discard(in)
	}
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return a.decide(ctx, c, &res)
}

func (a *authenticator) ask(in *instance, x *llm.Exchange) (res result, err error) {
	if len(in.view) > a.p.limits.maxView() {
		return res, ErrSize
	}
	out, err := in.call(abi.HookAuth, in.view, x)
	if out == nil || err != nil {
		return res, err
	}
	said, err := readResult(out, 0)
	if err != nil {
		return res, err
	}
	res = *said
	switch {
	case res.verdict == abi.VerdictReject && res.status != 401 && res.status != 403:
		return res, broken("the auth hook refuses with status %d, it must be 401 or 403", res.status)
	case res.verdict == abi.VerdictEdit, res.verdict == abi.VerdictRespond:
		return res, broken("verdict %d of the auth hook", res.verdict)
	}
	return res, nil
}

func (a *authenticator) decide(ctx context.Context, c auth.Credential, res *result) (*llm.Principal, error) {
	switch res.verdict {
	case abi.VerdictAllow:
		if len(c.Key) > 0 {
			sum := sha256.Sum256(c.Key)
			res.principal.KeyHash = hex.EncodeToString(sum[:])
		}
		if err := bind(res.principal); err != nil {
			return nil, a.failed(ctx, err)
		}
		return res.principal, nil
	case abi.VerdictReject:
		return nil, refusal(res.status, res.reason)
	}
	if a.mode == ModeAuto {
		return nil, nil
	}
	return nil, refusal(401, "")
}

func refusal(status int, message string) error {
	return &llm.Error{
		Op: "wasm.Authenticator", Kind: llm.KindAuth, Status: status, Type: "auth_error", Param: "None",
		Message: "Authentication Error, " + otherwise(message, "the credential was not accepted."),
	}
}

func (a *authenticator) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return llm.AsError(err)
	}
	if a.p.onError == FailOpen && a.mode == ModeAuto {
		a.p.log.Warn("the auth plugin failed and the next authenticator was asked (on_error is fail_open)", "error", err)
		return nil
	}
	// As in the reference, where an exception in custom_auth is a 401 (litellm/proxy/auth/auth_exception_handler.py).
	e := &llm.Error{
		Op: "wasm.Authenticator", Kind: llm.KindAuth, Err: err, Type: "auth_error", Param: "None",
		Message: "Authentication Error, plugin " + a.p.name + " failed.",
	}
	if errors.Is(err, ErrBusy) {
		e.Status, e.Message = 503, "Authentication Error, plugin "+a.p.name+" is overloaded, try again later."
	}
	return e
}
