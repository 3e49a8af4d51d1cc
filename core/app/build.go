package app

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/price/tokens"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/passthrough"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// loaded is one configuration made into a gateway's snapshot.
type loaded struct {
	api         atomic.Pointer[managementAPI] // made when it is first asked for
	custom      map[string]provider.Provider  // vendors that plugins speak for
	vault       *store.Vault                  // encrypts with the salt key; nil without one
	stored      [32]byte                      // hash of what of it came from the database
	cfg         *config.Config
	snapshot    *gateway.Snapshot
	router      *router.Router
	deployments []*llm.Deployment
	plugins     []*plugin
	admin       adminPlugins
	prices      prices
	tokens      *tokens.Counter
	cache       *answerCache // nil without one
	checks      []*probe     // of deployments, in their order
	services    map[string]serviceCheck
	vendorOf    func(compat.Vendor) provider.Provider
}

// builder makes a loaded. Mistakes are collected, so that one attempt shows them all.
type builder struct {
	*App
	cfg      *config.Config
	mistakes mistakes
	sinks    sinks
	bound    []*llm.Deployment // those of model_list

	clientNetworks []netip.Prefix // see own
	prices         prices
	custom         map[string]provider.Provider // vendors that plugins speak for
	ring           *keyring                     // nil without a database

	accessGroups map[string][]string // model groups by access group
	fullNames    map[string]string   // model groups by "vendor/model" of a deployment
	vendors      sync.Map            // of provider.Provider by name; wildcards add to it while requests are served
}

// mistakes are what keeps a configuration from being used, each with its setting.
type mistakes []mistake

type mistake struct {
	where, setting string
	err            error
}

func (b *builder) mistake(setting string, err error) {
	b.mistakes = append(b.mistakes, mistake{b.cfg.Where(setting), setting, err})
}

// Error has a line for each mistake.
func (m mistakes) Error() string {
	var b strings.Builder
	b.WriteString("the configuration cannot be used:")
	for _, e := range m {
		fmt.Fprintf(&b, "\n\t%s: %s: %v", e.where, e.setting, e.err)
	}
	return b.String()
}

// build assembles everything a configuration describes. Nothing of it is in use when build fails.
func (a *App) build(ctx context.Context, cfg *config.Config) (*loaded, error) {
	b := &builder{App: a, cfg: cfg}
	out := &loaded{cfg: cfg, vault: vaultOf(cfg), vendorOf: b.vendor, tokens: b.counter()}
	b.startPrices(ctx)
	b.adminPlugins(ctx, out)
	b.customProviders(ctx, out)
	out.custom = b.custom
	out.deployments = b.deployments()
	out.deployments = append(out.deployments, b.inferred(out.deployments)...)
	b.bound = out.deployments
	b.clientNetworks = b.networks()
	out.prices = b.prices
	network := b.network()
	b.indexModels(out.deployments)
	b.checkBudgets()
	b.checkKept()
	out.checks = b.probes(out)
	out.router = b.router(out, slices.Concat(b.healthFilters(), b.routeFilters(ctx, out)))
	hooks := slices.Concat(b.limits(out), b.prompts(ctx, out), b.guardrails(ctx, out), b.callbacks(ctx, out))
	hooks = append(hooks, b.cache(out, hooks)...)
	authenticator := b.gate(ctx, b.auth(ctx, out))
	callbacks, stopRecorder := b.recorder()
	journal := b.spendRecorder()
	out.services = b.services(callbacks)
	out.snapshot = &gateway.Snapshot{
		KeyHeader: cfg.GeneralSettings.LiteLLMKeyHeaderName,
		Auth:      authenticator,
		Pipeline:  pipeline.NewChain(hooks...),
		Router:    out.router,
		Recorder:  joinRecorders(callbacks, journal),
		Keep:      max(b.sinks.keep(), journal.Keep()),
		Measure:   measurer(out.tokens),
		Edge:      b.edge(),
		Forward:   b.forward(),
		Own:       b.own,
		OwnAlways: b.dynamicKeys(),
		Failed:    a.callFailed,
		// Not on the goroutine that gave the snapshot up: that may be a caller's, and a slow sink takes its time.
		Close: func() {
			a.closing.Go(func() {
				stopRecorder() // plugins are among those who get records
				out.cache.close()
				out.closePlugins(a)
			})
		},
	}
	b.patience(out.snapshot)
	if len(b.mistakes) > 0 {
		out.snapshot.Close()
		return nil, b.mistakes
	}
	a.keys.Store(b.ring)
	a.use(network)
	if cfg.GeneralSettings.MasterKey == "" && !out.hasAuthPlugin() {
		a.log.Warn("NO MASTER KEY IS SET: everybody who reaches this gateway may use every model and is an administrator",
			"fix", "set general_settings.master_key or LITELLM_MASTER_KEY")
	}
	return out, nil
}

// router makes the router of the deployments.
func (b *builder) router(out *loaded, filters []router.Filter) *router.Router {
	lite, rs := b.cfg.LiteLLMSettings, b.cfg.RouterSettings
	s := router.Defaults()
	s.Deployments, s.States, s.Expand = out.deployments, b.states, b.expand
	s.Written = func(d *llm.Deployment) string { return d.Written }
	s.Vendor, s.Filters = b.knownVendor, filters
	s.Aliases = make(map[string]router.Alias, len(rs.ModelGroupAlias))
	for name, a := range rs.ModelGroupAlias {
		s.Aliases[name] = router.Alias{Group: a.Model, Hidden: a.Hidden}
	}
	s.Retries = first(s.Retries, rs.NumRetries, lite.NumRetries)
	s.MaxFallbacks = first(s.MaxFallbacks, rs.MaxFallbacks)
	s.RetryAfter = rs.RetryAfter.Duration()
	b.routing(&s)
	b.choosing(&s, out)
	if t := cmpPtr(rs.Timeout, lite.RequestTimeout); t != nil {
		s.Timeout = t.Duration()
	}
	if rs.StreamTimeout != nil {
		s.StreamTimeout = rs.StreamTimeout.Duration()
	}
	s.Fallbacks = b.fallbacks(rs.Fallbacks, lite.Fallbacks)
	s.DefaultFallbacks = rs.DefaultFallbacks
	if s.DefaultFallbacks == nil {
		s.DefaultFallbacks = lite.DefaultFallbacks
	}
	r, err := router.New(s)
	if err != nil {
		b.mistake("router_settings", err)
	}
	return r
}

// first returns the first value that is set, or else d.
func first(d int, values ...*int) int {
	for _, v := range values {
		if v != nil {
			return *v
		}
	}
	return d
}

func cmpPtr[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// fallbacks joins the two places where fallbacks may stand; the first wins for a group that both name.
func (b *builder) fallbacks(lists ...config.Fallbacks) []router.Fallback {
	var out []router.Fallback
	seen := map[string]bool{}
	for _, list := range lists {
		for _, f := range list {
			if seen[f.Model] {
				continue
			}
			seen[f.Model] = true
			to := router.Fallback{Group: f.Model}
			for _, t := range f.Targets {
				to.Targets = append(to.Targets, router.Target{Group: t.Model, Params: pairs(t.Params)})
			}
			out = append(out, to)
		}
	}
	return out
}

// forward is which header lines of callers go on to vendors.
func (b *builder) forward() gateway.Forward {
	g := b.cfg.GeneralSettings
	f := gateway.Forward{Headers: g.ForwardClientHeaders, Org: g.ForwardOpenAIOrgID, KeyHeader: g.LiteLLMKeyHeaderName}
	for _, group := range b.cfg.LiteLLMSettings.ModelGroupSettings.ForwardClientHeaders {
		if f.Groups == nil {
			f.Groups = map[string]bool{}
		}
		f.Groups[group] = true
	}
	return f
}

// edge is what the listener needs of the configuration.
func (b *builder) edge() gateway.Edge {
	g := b.cfg.GeneralSettings
	e := gateway.Edge{TrustForwarded: g.UseXForwardedFor, MaxRequest: bytesOf(g.MaxRequestSizeMB), Pass: b.passThrough(), Resources: b.resources(), Stores: b.stores()}
	e.DefaultModel = given(map[llm.Operation]string{
		llm.OpChat: g.CompletionModel, llm.OpCompletion: g.CompletionModel, llm.OpModeration: g.ModerationModel,
	})
	e.ForceModel = given(map[llm.Operation]string{llm.OpEmbedding: g.EmbeddingModel, llm.OpImage: g.ImageGenerationModel})
	e.StreamCost = b.cfg.LiteLLMSettings.IncludeCostInStreamingUsage
	return e
}

// given leaves out what is empty. Nothing is nil, which costs a request nothing to look at.
func given(m map[llm.Operation]string) map[llm.Operation]string {
	maps.DeleteFunc(m, func(_ llm.Operation, model string) bool { return model == "" })
	if len(m) == 0 {
		return nil
	}
	return m
}

func bytesOf(mb *float64) int64 {
	if mb == nil {
		return 0
	}
	return int64(*mb * (1 << 20))
}

// passThrough makes the endpoints of the operator's own, the longest path first.
func (b *builder) passThrough() []gateway.Pass {
	var out []gateway.Pass
	for i, e := range b.cfg.GeneralSettings.PassThroughEndpoints {
		path := fmt.Sprintf("general_settings.pass_through_endpoints[%d]", i)
		if !strings.HasPrefix(e.Path, "/") || e.Path == "/" {
			b.mistake(path, fmt.Errorf("path %q must begin with a slash and be more than one", e.Path))
			continue
		}
		s := passthrough.Settings{
			Target: e.Target, Forward: e.ForwardHeaders, MergeQuery: e.MergeQueryParams,
			MaxResponse: bytesOf(b.cfg.GeneralSettings.MaxResponseSizeMB), Hide: b.keyHeaders(),
		}
		for _, k := range slices.Sorted(maps.Keys(e.Headers)) {
			s.Headers = append(s.Headers, llm.Pair{Name: k, Value: e.Headers[k].Reveal()})
		}
		for _, k := range slices.Sorted(maps.Keys(e.DefaultQueryParams)) {
			s.DefaultQuery = append(s.DefaultQuery, llm.Pair{Name: k, Value: e.DefaultQueryParams[k]})
		}
		guards, err := b.guardsOf(e.Guardrails)
		if err != nil {
			b.mistake(path+".guardrails", err)
			continue
		}
		if guards != nil {
			s.Guarded, s.Fields = true, guards.Fields
		}
		endpoint, err := passthrough.New(s)
		if err != nil {
			b.mistake(path, err)
			continue
		}
		d := &llm.Deployment{
			ID: "pass-through:" + e.Path, Group: e.Path, Provider: "pass_through", Model: e.Path, Base: e.Target,
			Open: !e.Auth, Bound: endpoint, Retries: -1,
		}
		if e.CostPerRequest != nil {
			d.Price = &llm.Price{Request: *e.CostPerRequest}
		}
		if !e.Auth {
			b.log.Warn("a pass-through endpoint is open to everybody", "path", e.Path, "fix", "set auth: true on it")
		}
		p := gateway.Pass{Path: strings.TrimSuffix(e.Path, "/"), Subpaths: e.IncludeSubpath, Deployment: d, Guards: guards}
		for _, m := range e.Methods {
			p.Methods = append(p.Methods, strings.ToUpper(m))
		}
		out = append(out, p)
	}
	out = append(out, b.vendorEndpoints(b.bound)...)
	slices.SortStableFunc(out, func(a, b gateway.Pass) int { return len(b.Path) - len(a.Path) })
	return out
}

// status is what the readiness check says.
func (a *App) status() listener.Status {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return listener.Status{LogLevel: telemetry.LevelName(a.level.Level()), Database: a.databaseState(ctx), Cache: a.cacheName()}
}

// closeWait is how long a replaced plugin may finish its calls.
const closeWait = 30 * time.Second
