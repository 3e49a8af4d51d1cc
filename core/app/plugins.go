package app

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/masterkey"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// plugin is a loaded WebAssembly module and what it is used for.
type plugin struct {
	*wasm.Plugin
	path string
	use  string // for people: "guardrail keyword-guard, pre_call"
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

// load loads a plugin and notes what it is used for.
func (b *builder) load(ctx context.Context, out *loaded, name, path, use string, o config.PluginOptions) (*wasm.Plugin, error) {
	p, err := b.host.Load(ctx, wasm.Settings{
		Name: name, Path: b.file(path), SHA256: o.SHA256, Config: o.Config, Limits: limits(o.Limits),
		OnError: onError(o.OnError), Logger: b.log, Secrets: b.keyHeaders(),
		Grants: grants(o.Grants), Secret: b.cfg.Env().Lookup,
	})
	if err != nil {
		return nil, err
	}
	out.plugins = append(out.plugins, &plugin{Plugin: p, path: b.file(path), use: use})
	if p.Has(abi.HookTick) {
		every := time.Duration(0)
		if o.TickSeconds != nil {
			every = o.TickSeconds.Duration()
		}
		return p, p.StartTicks(every)
	}
	if o.TickSeconds != nil {
		return p, errors.New("tick_seconds is set, and the plugin has no tick hook")
	}
	return p, nil
}

// keyHeaders are the headers, besides the usual ones, that carry callers' keys.
func (b *builder) keyHeaders() []string {
	if name := b.cfg.GeneralSettings.LiteLLMKeyHeaderName; name != "" {
		return []string{name}
	}
	return nil
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
	if l.Instances != nil {
		w.Instances = *l.Instances
	}
	return w
}

func grants(g config.Grants) wasm.Grants {
	return wasm.Grants{HTTP: g.HTTP, Networks: g.Networks, KV: g.KV, Secrets: g.Secrets, Metrics: g.Metrics, Prompts: g.Prompts}
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
	keys := b.virtualKeys(ctx)
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
			chain = append(chain, b.named(a))
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
	if keys != nil {
		chain = append(chain, keys)
	}
	return auth.NewChain(g.LiteLLMKeyHeaderName, chain...)
}

func (b *builder) customAuth(ctx context.Context, out *loaded) auth.Authenticator {
	const setting = "general_settings.custom_auth"
	g := b.cfg.GeneralSettings
	p, err := b.load(ctx, out, "custom_auth", g.CustomAuth, "custom_auth", g.CustomAuthSettings.PluginOptions)
	if err != nil {
		b.mistake(setting, err)
		return nil
	}
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
	return slices.ContainsFunc(l.plugins, func(p *plugin) bool { return p.Has(abi.HookAuth) })
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
