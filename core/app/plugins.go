package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/masterkey"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/pipeline/guardrail"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// plugin is a loaded WebAssembly module and what it is used for.
type plugin struct {
	*wasm.Plugin
	path string
	use  string // for people: "guardrail keyword-guard, pre_call"
	auth bool
}

// file finds a plugin's file: paths are relative to the folder of the configuration.
func (b *builder) file(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if files := b.cfg.Files(); len(files) > 0 {
		return filepath.Join(filepath.Dir(files[0]), path)
	}
	return path
}

// guardrails loads the plugins of the guardrails section, in its order.
func (b *builder) guardrails(ctx context.Context, out *loaded) []pipeline.Hook {
	var hooks []pipeline.Hook
	for i, g := range b.cfg.Guardrails {
		setting := fmt.Sprintf("guardrails[%d].litellm_params.guardrail", i)
		if !slices.Contains(g.Params.Mode, "pre_call") {
			b.mistake(fmt.Sprintf("guardrails[%d].litellm_params.mode", i), fmt.Errorf("%v: only pre_call is served so far", g.Params.Mode))
			continue
		}
		p, err := wasm.Load(ctx, wasm.Settings{
			Name: g.Name, Path: b.file(g.Params.Guardrail), SHA256: g.Params.SHA256, Config: g.Params.Config,
			Limits: limits(g.Params.Limits), OnError: onError(g.Params.OnError), Logger: b.log,
		})
		if err != nil {
			b.mistake(setting, err)
			continue
		}
		out.plugins = append(out.plugins, &plugin{
			Plugin: p, path: b.file(g.Params.Guardrail), use: "guardrail " + g.Name + ", pre_call",
		})
		if !p.Has(abi.HookRequest) {
			b.mistake(setting, fmt.Errorf("the plugin %s has no request hook, so it cannot be a guardrail", p.Name()))
			continue
		}
		guard := guardrail.When(g.Name, g.Params.DefaultOn, p.Guard(g.Name, openai.TextReply))
		hooks = append(hooks, pipeline.Hook{Name: g.Name, Guard: true, Do: guard})
	}
	return hooks
}

func limits(l config.Limits) wasm.Limits {
	var w wasm.Limits
	if l.MemoryMB != nil {
		w.MemoryMB = *l.MemoryMB
	}
	if l.CPUMS != nil {
		w.CPU = time.Duration(*l.CPUMS) * time.Millisecond
	}
	if l.WallMS != nil {
		w.Wall = time.Duration(*l.WallMS) * time.Millisecond
	}
	return w
}

func onError(s string) wasm.OnError {
	if s == "fail_open" {
		return wasm.FailOpen
	}
	return wasm.FailClosed
}

// auth makes the chain that decides who a caller is: addresses first, then the operator's plugin, then keys.
func (b *builder) auth(ctx context.Context, out *loaded) auth.Authenticator {
	g := b.cfg.GeneralSettings
	var chain []auth.Authenticator
	if len(g.AllowedIPs) > 0 {
		ips, err := auth.NewAllowedIPs(g.AllowedIPs)
		if err != nil {
			b.mistake("general_settings.allowed_ips", err)
		} else {
			chain = append(chain, ips)
		}
	}
	if g.CustomAuth != "" && g.CustomAuthSettings.Mode != "off" {
		if a := b.customAuth(ctx, out); a != nil {
			chain = append(chain, a)
		}
	}
	if g.MasterKey != "" {
		master, err := masterkey.New(g.MasterKey.Reveal())
		if err != nil {
			b.mistake("general_settings.master_key", err)
		} else {
			chain = append(chain, master)
		}
	} else if !out.hasAuthPlugin() {
		chain = append(chain, masterkey.NewOpen())
	}
	return auth.NewChain(g.LiteLLMKeyHeaderName, chain...)
}

func (b *builder) customAuth(ctx context.Context, out *loaded) auth.Authenticator {
	const setting = "general_settings.custom_auth"
	g := b.cfg.GeneralSettings
	path := b.file(g.CustomAuth)
	p, err := wasm.Load(ctx, wasm.Settings{Name: "custom_auth", Path: path, Logger: b.log})
	if err != nil {
		b.mistake(setting, err)
		return nil
	}
	out.plugins = append(out.plugins, &plugin{Plugin: p, path: path, use: "custom_auth", auth: true})
	if !p.Has(abi.HookAuth) {
		b.mistake(setting, errors.New("the plugin has no auth hook"))
		return nil
	}
	a, err := p.Authenticator(wasm.AuthMode(g.CustomAuthSettings.Mode))
	if err != nil {
		b.mistake(setting, err)
		return nil
	}
	return a
}

func (l *loaded) hasAuthPlugin() bool {
	return slices.ContainsFunc(l.plugins, func(p *plugin) bool { return p.auth })
}

// closePlugins frees the plugins of a snapshot that nobody uses any more.
func (l *loaded) closePlugins(a *App) {
	for _, p := range l.plugins {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		if err := p.Close(ctx); err != nil {
			a.log.Warn("a replaced plugin did not close", "plugin", p.Name(), "error", err)
		}
		cancel()
	}
}

// watched are the files whose change means a reload: the configuration's and the plugins'.
func (a *App) watched() []string {
	l := a.current.Load()
	files := l.cfg.Files()
	for _, p := range l.plugins {
		files = append(files, p.path)
	}
	return files
}
