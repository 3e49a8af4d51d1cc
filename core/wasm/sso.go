package wasm

import (
	"context"
	"math"
	"net/url"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// SSOAnswer is what a hook for signing in decided. Without user and redirect the gateway does what it does without the
// plugin.
type SSOAnswer struct {
	User     *SSOUser
	Redirect string // https, or http to the machine itself
}

// SSOUser is somebody who signs in. It follows SSOUserDefinedValues of the reference.
type SSOUser struct {
	*llm.Principal          // UserID is set
	MaxBudget      *float64 // US dollars; nil is none
	BudgetDuration string   // such as "30d"
}

// SSOBegin asks the plugin's sso_begin hook about a request of somebody who wants to sign in. It stands for
// custom_ui_sso_sign_in_handler of the reference: a proxy in front of the gateway may have found out already who that
// is. The view has the headers that the manifest needs. Nobody is signed in because a plugin failed: that is an
// *llm.Error of kind llm.KindInternal, whatever Settings.OnError says. A refusal is one of kind llm.KindAuth.
func (p *Plugin) SSOBegin(ctx context.Context, x *llm.Exchange) (SSOAnswer, error) {
	return p.sso(ctx, abi.HookSSOBegin, x, func(dst []byte) ([]byte, error) {
		dst = appendText(dst, abi.TagQuery, x.Query)
		n := p.manifest.needs()
		for i := range x.Header {
			if f := &x.Header[i]; n.headers || n.wants(f.Name) {
				dst = appendHeader(dst, f.Name, f.Value)
			}
		}
		return dst, nil
	})
}

// SSOCallback asks the plugin's sso_callback hook to make a user of what the identity provider said. It stands for
// custom_sso of the reference. Errors are those of SSOBegin.
func (p *Plugin) SSOCallback(ctx context.Context, x *llm.Exchange, claims map[string]any) (SSOAnswer, error) {
	return p.sso(ctx, abi.HookSSOCallback, x, func(dst []byte) ([]byte, error) {
		return abi.AppendMap(dst, abi.TagParams, claims)
	})
}

func (p *Plugin) sso(ctx context.Context, hook abi.Hook, x *llm.Exchange, more func([]byte) ([]byte, error)) (a SSOAnswer, err error) {
	err = p.use(ctx, func(in *instance) (err error) {
		if in.view, err = more(appendExchange(in.view[:0], x)); err != nil {
			return invalid(err.Error())
		}
		if len(in.view) > p.limits.maxView() {
			return ErrSize
		}
		out, err := in.call(hook, in.view, x)
		if out == nil || err != nil {
			return err
		}
		a, err = readSSO(out, hook)
		return err
	})
	if err == nil || isRefusal(err) {
		return a, err
	}
	return SSOAnswer{}, p.internal("wasm.SSO", "Authentication Error, plugin "+p.name+" failed.", err)
}

func readSSO(out []byte, hook abi.Hook) (a SSOAnswer, err error) {
	var h head
	r := abi.Reader{Rest: out}
	for r.Next() {
		switch r.Tag {
		case abi.TagURL:
			a.Redirect = string(r.Value)
		case abi.TagPrincipal:
			if a.User, err = readUser(r.Value); err != nil {
				return SSOAnswer{}, err
			}
		default:
			h.read(&r)
		}
	}
	verdict, err := h.end(&r)
	if err != nil {
		return SSOAnswer{}, err
	}
	switch {
	case verdict == abi.VerdictContinue:
		return SSOAnswer{}, nil
	case verdict == abi.VerdictReject && (h.status == 401 || h.status == 403):
		return SSOAnswer{}, refusal(h.status, h.reason)
	case verdict == abi.VerdictAllow && a.User != nil && a.User.UserID != "":
		return SSOAnswer{User: a.User}, nil
	case verdict == abi.VerdictAllow:
		return SSOAnswer{}, broken("somebody is signed in without a user id")
	case verdict == abi.VerdictRespond && hook == abi.HookSSOBegin && goodRedirect(a.Redirect):
		return SSOAnswer{Redirect: a.Redirect}, nil
	case verdict == abi.VerdictRespond:
		return SSOAnswer{}, broken("a redirect to %q", clean([]byte(a.Redirect)))
	}
	return SSOAnswer{}, broken("verdict %d with status %d of the hook %s", verdict, h.status, hook)
}

// readUser reads a user: the records of a principal, and the budget.
func readUser(value []byte) (*SSOUser, error) {
	u := &SSOUser{}
	r := abi.Reader{Rest: value}
	for r.Next() {
		switch r.Tag {
		case abi.TagMaxBudget:
			f := math.Float64frombits(r.Number())
			if !(f >= 0) || math.IsInf(f, 0) {
				return nil, broken("max_budget is %v", f)
			}
			u.MaxBudget = &f
		case abi.TagBudgetDuration:
			u.BudgetDuration = string(r.Value)
		}
	}
	if r.Err != nil {
		return nil, broken("user: %v", r.Err)
	}
	var err error
	u.Principal, err = readPrincipal(abi.Reader{Rest: value})
	return u, err
}

// goodRedirect accepts absolute addresses only, encrypted unless they stay on the machine.
func goodRedirect(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return u.Scheme == "http" || u.Scheme == "https"
	}
	return u.Scheme == "https"
}
