package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// healthRoutes serve what there is to know about the health of deployments and of the systems that records go to. Paths,
// fields and errors are those of the reference (litellm/proxy/health_endpoints/_health_endpoints.py). The history is
// served by the management API.
type healthRoutes struct{ a *App }

type healthRoute struct {
	method string
	who    audience
	serve  func(a *App, r *http.Request) (any, error)
}

// audience is who may call a route.
type audience uint8

const (
	forAll     audience = iota // everybody with a key
	forViewers                 // administrators, also those who may only look
	forAdmins
)

func (m healthRoutes) table() map[string]healthRoute {
	return map[string]healthRoute{
		"/health":                 {http.MethodGet, forAll, (*App).serveHealth},
		"/health/shared-status":   {http.MethodGet, forViewers, (*App).sharedStatus},
		"/health/services":        {http.MethodGet, forAdmins, (*App).checkService},
		"/health/test_connection": {http.MethodPost, forAdmins, (*App).testConnection},
	}
}

// Serves implements listener.Manager.
func (m healthRoutes) Serves(path string) (ok, open bool) {
	_, ok = m.table()[path]
	return ok, false
}

// ServeHTTP implements listener.Manager.
func (m healthRoutes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := m.table()[r.URL.Path]
	w.Header().Set("Content-Type", "application/json")
	if r.Method != h.method {
		w.Header().Set("Allow", h.method)
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, `{"detail":"Method Not Allowed"}`) // to memory
		return
	}
	var v any
	err := h.who.admit(r)
	if err == nil {
		v, err = h.serve(m.a, r)
	}
	var refused *detailError
	var e *llm.Error
	switch {
	case errors.As(err, &refused):
		w.WriteHeader(refused.status)
		v = map[string]any{"detail": refused.detail}
	case errors.As(err, &e):
		w.WriteHeader(e.HTTPStatus())
		_, _ = w.Write(openai.AppendError(nil, e)) // to memory
		return
	case err != nil:
		m.a.log.Error("a request failed", "path", r.URL.Path, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		v = map[string]any{"detail": map[string]string{"error": "Internal server error: see the log."}}
	}
	_ = json.NewEncoder(w).Encode(v) // to memory
}

// admit refuses callers whose role is not enough, in the words of the reference (litellm/proxy/auth/route_checks.py).
func (who audience) admit(r *http.Request) error {
	p := llm.PrincipalFrom(r.Context())
	if p == nil {
		return nil // a gateway without keys: everybody is an administrator
	}
	switch {
	case who == forAll, p.Role == llm.RoleProxyAdmin, who == forViewers && p.Role == llm.RoleProxyAdminViewer:
		return nil
	case p.Role == llm.RoleProxyAdminViewer:
		return &llm.Error{
			Op: "app.health", Kind: llm.KindAuth, Status: http.StatusForbidden, Type: "auth_error", Param: "None",
			Message: "user not allowed to access this route, role= proxy_admin_viewer. Trying to access: " + r.URL.Path,
		}
	}
	role, user := string(p.Role), p.UserID
	if role == "" {
		role = "None"
	}
	if user == "" {
		user = "None"
	}
	return &llm.Error{
		Op: "app.health", Kind: llm.KindAuth, Type: "auth_error", Param: "None", Code: "401",
		Message: "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. " +
			"Route=" + r.URL.Path + ". Your role=" + role + ". Your user_id=" + user,
	}
}

// seesAll reports whether the caller may know where deployments are.
func seesAll(p *llm.Principal) bool {
	return p == nil || p.Role == llm.RoleProxyAdmin || p.Role == llm.RoleProxyAdminViewer
}

// serveHealth serves GET /health, with ?model= and ?model_id=. While checks run in the background it only tells what they
// found; else it checks the deployments that the caller may use.
func (a *App) serveHealth(r *http.Request) (any, error) {
	l, p := a.current.Load(), llm.PrincipalFrom(r.Context())
	q := r.URL.Query()
	list, err := l.selected(p, q.Get("model"), q.Get("model_id"))
	if err != nil {
		return nil, err
	}
	if l.cfg.GeneralSettings.BackgroundHealthChecks {
		known := make([]healthResult, 0, len(list))
		for _, one := range list {
			if res, ok := a.checks.latest(one.d.ID); ok {
				known = append(known, res)
			}
		}
		return l.healthReport(list, known, p), nil
	}
	results := a.checks.all(r.Context(), list, l.healthRoom())
	if err := r.Context().Err(); err != nil {
		return nil, llm.AsError(err)
	}
	if db := a.db.Load(); db != nil {
		kept := slices.Clone(results)
		for i := range kept {
			if p != nil && p.UserID != "" {
				kept[i].By = p.UserID
			}
		}
		if err := a.checks.save(context.WithoutCancel(r.Context()), db, kept); err != nil {
			a.log.Warn("results of health checks were not kept", "error", err)
		}
	}
	return l.healthReport(list, results, p), nil
}

// selected are the probes of the deployments that are asked for and that the caller may use.
func (l *loaded) selected(p *llm.Principal, model, id string) ([]*probe, error) {
	var out []*probe
	for _, one := range l.checks {
		d := one.d
		if id != "" && d.ID != id || id == "" && model != "" && d.Group != model && d.Written != model && d.ID != model {
			continue
		}
		if seesAll(p) || p.May(d.Group) {
			out = append(out, one)
		}
	}
	if id != "" && len(out) == 0 {
		return nil, &detailError{http.StatusNotFound, map[string]string{"error": "Model with ID " + id + " not found"}}
	}
	return out, nil
}

// healthReport is the answer of GET /health.
type healthReport struct {
	Healthy        []map[string]any `json:"healthy_endpoints"`
	Unhealthy      []map[string]any `json:"unhealthy_endpoints"`
	HealthyCount   int              `json:"healthy_count"`
	UnhealthyCount int              `json:"unhealthy_count"`
}

func (l *loaded) healthReport(list []*probe, results []healthResult, p *llm.Principal) healthReport {
	out := healthReport{Healthy: []map[string]any{}, Unhealthy: []map[string]any{}}
	details := l.cfg.GeneralSettings.HealthCheckDetails
	for _, r := range results {
		i := slices.IndexFunc(list, func(one *probe) bool { return one.d.ID == r.ID })
		if i < 0 {
			continue
		}
		e := map[string]any{"model": list[i].d.Written}
		if details == nil || *details {
			e = list[i].shown(seesAll(p))
			for name, v := range r.Limits {
				e[name] = v
			}
			if r.Error != "" {
				e["error"] = r.Error
			}
			e["checked_at"], e["response_time_ms"] = r.At.Format(time.RFC3339), float64(r.Took.Microseconds())/1000
		}
		if r.Healthy {
			out.Healthy = append(out.Healthy, e)
		} else {
			out.Unhealthy = append(out.Unhealthy, e)
		}
	}
	out.HealthyCount, out.UnhealthyCount = len(out.Healthy), len(out.Unhealthy)
	return out
}

// shown is what a report says of a deployment: no secret, and addresses to administrators only
// (HEALTH_DISPLAY_PARAMS in litellm/proxy/health_check.py).
func (p *probe) shown(all bool) map[string]any {
	d := p.d
	e := map[string]any{"model": d.Written, "model_group": d.Group, "model_id": d.ID, "custom_llm_provider": d.Provider, "mode": p.mode}
	if p.call != nil && p.call != d {
		e["health_check_model"] = p.call.Written
	}
	if base, ok := d.Info["base_model"]; ok {
		e["base_model"] = base
	}
	if d.RPM > 0 {
		e["rpm"] = d.RPM
	}
	if d.TPM > 0 {
		e["tpm"] = d.TPM
	}
	for _, name := range []string{"aws_region_name", "region_name", "watsonx_region_name", "vertex_project", "vertex_location"} {
		if v := d.Setting(name); v != "" {
			e[name] = v
		}
	}
	if all {
		for name, v := range map[string]string{
			"api_base": d.Base, "api_version": d.APIVersion, "aws_bedrock_runtime_endpoint": d.Setting("aws_bedrock_runtime_endpoint"),
		} {
			if v != "" {
				e[name] = v
			}
		}
	}
	return e
}

// sharedStatus serves GET /health/shared-status: how replicas share their checks.
func (a *App) sharedStatus(r *http.Request) (any, error) {
	l := a.current.Load()
	g := l.cfg.GeneralSettings
	s := a.checks.share(l.cfg)
	if s == nil || !g.UseSharedHealthCheck && !g.BackgroundHealthChecks {
		message := "Shared health check is not enabled"
		if g.UseSharedHealthCheck {
			message = "Redis is not configured, and there is no database: each replica makes its own checks"
		}
		return map[string]any{"shared_health_check_enabled": g.UseSharedHealthCheck, "redis_available": a.checks.redis != nil, "message": message}, nil
	}
	list, err := s.read(r.Context(), time.Time{})
	status := map[string]any{"pod_id": a.replica, "shared_through": s.kind(), "cache_available": err == nil && len(list) > 0}
	var last time.Time
	for _, one := range list {
		if one.At.After(last) {
			last, status["last_checked_by"] = one.At, one.By
		}
	}
	if !last.IsZero() {
		status["cache_age_seconds"] = time.Since(last).Seconds()
	}
	if rs, ok := s.(redisShare); ok {
		who, lockErr := rs.holder(r.Context())
		err = errors.Join(err, lockErr)
		status["lock_in_progress"], status["lock_owner"] = who != "", who
	}
	if err != nil {
		a.log.Warn("the state of shared health checks is not known", "error", err)
		status["error"] = "it cannot be read at present: see the log"
	}
	return map[string]any{"shared_health_check_enabled": true, "redis_available": a.checks.redis != nil, "status": status}, nil
}

// testConnection serves POST /health/test_connection: it calls a model that need not be part of the configuration. What
// the request leaves out is taken from the deployment of that name, if there is one.
func (a *App) testConnection(r *http.Request) (any, error) {
	var body struct {
		Mode   string         `json:"mode"`
		Params map[string]any `json:"litellm_params"`
		Info   map[string]any `json:"model_info"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body); err != nil {
		return nil, refuse("the body is not a JSON object with litellm_params: %v", err)
	}
	model, _ := body.Params["model"].(string)
	if model == "" {
		return nil, &detailError{http.StatusUnprocessableEntity, []map[string]any{{"type": "missing", "loc": []string{"body", "litellm_params", "model"}, "msg": "Field required"}}}
	}
	if body.Info == nil {
		body.Info = map[string]any{}
	}
	if body.Mode != "" {
		body.Info["mode"] = body.Mode
	}
	p, err := a.adHoc(model, body.Params, body.Info)
	if err != nil {
		return nil, refuse("Failed to test connection: %v", err)
	}
	res := p.run(r.Context(), a)
	out := p.shown(true)
	maps.DeleteFunc(out, func(name string, _ any) bool { return name == "model_id" || name == "model_group" })
	for name, v := range res.Limits {
		out[name] = v
	}
	if !res.Healthy {
		out["error"] = res.Error
		return map[string]any{"status": "error", "result": out}, nil
	}
	out["response_time_ms"] = float64(res.Took.Microseconds()) / 1000
	return map[string]any{"status": "success", "result": out}, nil
}

// adHoc makes a probe of parameters as a model_list entry has them.
func (a *App) adHoc(model string, params, info map[string]any) (*probe, error) {
	l := a.current.Load()
	for i := range l.cfg.ModelList {
		m := &l.cfg.ModelList[i]
		if m.ModelName != model && m.LiteLLMParams.Model != model {
			continue
		}
		if m.ModelName == model {
			params = maps.Clone(params)
			params["model"] = m.LiteLLMParams.Model
		}
		fillIn(params, &m.LiteLLMParams)
		break
	}
	info = maps.Clone(info)
	info["id"] = "test-connection-" + llm.NewID(time.Now()).String()
	p, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	i, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	return a.trial(storedModel{"test_model", p, i})
}

// fillIn adds to the parameters of a request what it left out. Keys go to the address that they are for, and to no other.
func fillIn(params map[string]any, p *config.LiteLLMParams) {
	if base, given := params["api_base"]; given && base != p.APIBase {
		return
	}
	known := maps.Clone(p.Other)
	if known == nil {
		known = map[string]any{}
	}
	for name, v := range map[string]string{
		"api_key": p.APIKey.Reveal(), "api_base": p.APIBase, "api_version": p.APIVersion,
		"litellm_credential_name": p.CredentialName, "custom_llm_provider": p.CustomLLMProvider,
	} {
		if v != "" {
			known[name] = v
		}
	}
	for name, v := range known {
		if s, ok := v.(config.Secret); ok {
			v = s.Reveal()
		}
		if _, given := params[name]; !given {
			params[name] = v
		}
	}
}

// trial makes a probe of one more model, that is in no list.
func (a *App) trial(m storedModel) (*probe, error) {
	doc, err := (&storedSettings{Models: []storedModel{m}}).document()
	if err != nil {
		return nil, err
	}
	cfg, err := a.readWith(doc, true)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n\t", " "))
	}
	now := a.current.Load()
	b := &builder{App: a, cfg: cfg, custom: now.custom}
	b.startPrices(context.Background())
	last := &cfg.ModelList[len(cfg.ModelList)-1]
	org := ""
	if len(last.LiteLLMParams.Organization) > 0 {
		org = last.LiteLLMParams.Organization[0]
	}
	d, err := b.deployment(last, org)
	if err != nil {
		return nil, err
	}
	return b.probe(&loaded{cfg: cfg, prices: b.prices}, d, last), nil
}
