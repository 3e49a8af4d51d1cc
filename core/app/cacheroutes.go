package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// cacheRoutes let administrators look at the cache of answers and empty it. Paths and fields are those of the reference
// (litellm/proxy/caching_routes.py, management_endpoints/cache_settings_endpoints.py).
type cacheRoutes struct{ a *App }

type cacheHandler struct {
	changes bool // only administrators may, not those who look
	serve   func(*http.Request) (any, error)
}

func (m cacheRoutes) table(path string) map[string]cacheHandler {
	switch path {
	case "/cache/ping":
		return map[string]cacheHandler{http.MethodGet: {serve: m.ping}}
	case "/cache/delete":
		return map[string]cacheHandler{http.MethodPost: {changes: true, serve: m.remove}}
	case "/cache/flushall":
		return map[string]cacheHandler{http.MethodPost: {changes: true, serve: m.flush}}
	case "/cache/redis/info":
		return map[string]cacheHandler{http.MethodGet: {serve: m.redisInfo}}
	case "/cache/settings":
		return map[string]cacheHandler{http.MethodGet: {serve: m.settings}, http.MethodPost: {changes: true, serve: m.change}}
	case "/cache/settings/test":
		return map[string]cacheHandler{http.MethodPost: {changes: true, serve: m.try}}
	}
	return nil
}

// Serves implements listener.Manager.
func (m cacheRoutes) Serves(path string) (ok, open bool) { return m.table(path) != nil, false }

// ServeHTTP implements listener.Manager.
func (m cacheRoutes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, err := m.serve(r)
	status, body := http.StatusOK, []byte(nil)
	if err != nil {
		e := llm.AsError(err)
		status, body = e.HTTPStatus(), openai.AppendError(nil, e)
	} else if body, err = json.Marshal(v); err != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // to memory
}

func (m cacheRoutes) serve(r *http.Request) (any, error) {
	h, ok := m.table(r.URL.Path)[r.Method]
	if !ok {
		return nil, cacheError(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	role := llm.Role("")
	if p := llm.PrincipalFrom(r.Context()); p != nil {
		role = p.Role
	}
	if role != llm.RoleProxyAdmin && (h.changes || role != llm.RoleProxyAdminViewer) {
		return nil, &llm.Error{
			Op: "app.cache", Kind: llm.KindAuth, Status: http.StatusForbidden, Type: "auth_error",
			Message: "Only proxy admins may look at the cache and change it. Your role=" + string(role),
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), cacheRoutePatience)
	defer cancel()
	return h.serve(r.WithContext(ctx))
}

const cacheRoutePatience = 15 * time.Second

func cacheError(status int, format string, args ...any) *llm.Error {
	kind := llm.KindUnavailable
	if status < 500 {
		kind = llm.KindInvalid
	}
	return &llm.Error{Op: "app.cache", Kind: kind, Status: status, Type: "None", Param: "None", Message: fmt.Sprintf(format, args...)}
}

// cache is the one in use.
func (m cacheRoutes) cache() (*answerCache, error) {
	if c := m.a.current.Load().cache; c != nil {
		return c, nil
	}
	return nil, cacheError(http.StatusServiceUnavailable, "Cache not initialized. Set litellm_settings.cache to true.")
}

// ping writes and reads an entry.
func (m cacheRoutes) ping(r *http.Request) (any, error) {
	c, err := m.cache()
	if err == nil {
		err = c.hook.Ping(r.Context())
	}
	params, _ := json.Marshal(m.shown())
	if err != nil {
		e := cacheError(http.StatusServiceUnavailable, "Service Unhealthy (%v). Cache parameters: %s", err, params)
		e.Type, e.Param = "cache_ping_error", "cache_ping"
		return nil, e
	}
	return map[string]any{
		"status": "healthy", "cache_type": c.kind, "ping_response": true, "set_cache_response": "success",
		"litellm_cache_params": string(params), "health_check_cache_params": map[string]any{"place": c.stores.place},
	}, nil
}

// shown is cache_params without secrets.
func (m cacheRoutes) shown() map[string]any {
	lite, _ := m.a.settings().Shown("litellm_settings").(map[string]any)
	params, _ := lite["cache_params"].(map[string]any)
	if params == nil {
		params = map[string]any{}
	}
	return params
}

func (m cacheRoutes) body(r *http.Request, v any) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxCacheBody+1))
	if err != nil || len(raw) > maxCacheBody {
		return cacheError(http.StatusBadRequest, "The body cannot be read, or is longer than 1 MB.")
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return cacheError(http.StatusBadRequest, "Invalid JSON payload: %v", err)
	}
	return nil
}

const maxCacheBody = 1 << 20

// remove deletes entries by the keys that answers name in x-litellm-cache-key.
func (m cacheRoutes) remove(r *http.Request) (any, error) {
	c, err := m.cache()
	if err != nil {
		return nil, err
	}
	var q struct {
		Keys []string `json:"keys"`
	}
	if err := m.body(r, &q); err != nil {
		return nil, err
	}
	if len(q.Keys) == 0 {
		return nil, cacheError(http.StatusBadRequest, `Name the entries: {"keys": ["..."]}, as answers have them in x-litellm-cache-key.`)
	}
	n, err := c.hook.Delete(r.Context(), q.Keys...)
	if err != nil {
		return nil, cacheError(http.StatusInternalServerError, "Cache Delete Failed(%v)", err)
	}
	out := map[string]any{"status": "success"}
	if n >= 0 {
		out["deleted"] = n
	}
	return out, nil
}

// flush removes every entry of the cache, and nothing else from where it is.
func (m cacheRoutes) flush(r *http.Request) (any, error) {
	c, err := m.cache()
	if err != nil {
		return nil, err
	}
	if err := c.hook.Flush(r.Context()); err != nil {
		return nil, cacheError(http.StatusServiceUnavailable, "Service Unhealthy (%v)", err)
	}
	return map[string]any{"status": "success"}, nil
}

// redisInfo is what Redis says of itself.
func (m cacheRoutes) redisInfo(r *http.Request) (any, error) {
	c, err := m.cache()
	if err != nil {
		return nil, err
	}
	if c.stores.redis == nil {
		return nil, cacheError(http.StatusServiceUnavailable, "Service Unhealthy (Cache type %s is not in Redis)", c.kind)
	}
	info, clients, err := c.stores.redis.Info(r.Context())
	if err != nil {
		return nil, cacheError(http.StatusServiceUnavailable, "Service Unhealthy (%v)", err)
	}
	list := []map[string]string{}
	for line := range strings.Lines(clients) {
		one := map[string]string{}
		for field := range strings.FieldsSeq(line) {
			if k, v, ok := strings.Cut(field, "="); ok {
				one[k] = v
			}
		}
		list = append(list, one)
	}
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !strings.HasPrefix(k, "#") {
			fields[k] = v
		}
	}
	return map[string]any{"num_clients": len(list), "clients": list, "info": fields}, nil
}

// settings lists what can be set, and what is.
func (m cacheRoutes) settings(*http.Request) (any, error) {
	const prefix = "litellm_settings.cache_params."
	now := m.shown()
	type field struct {
		Name        string `json:"field_name"`
		Type        string `json:"field_type"`
		Value       any    `json:"field_value"`
		Description string `json:"field_description"`
		Default     string `json:"field_default"`
	}
	fields := []field{}
	for _, s := range config.Settings() {
		if name, ok := strings.CutPrefix(s.Path, prefix); ok && s.Status == config.InEffect {
			fields = append(fields, field{name, s.Type.String(), now[name], s.Doc, s.Default})
		}
	}
	kind := ""
	if c := m.a.current.Load().cache; c != nil {
		kind = c.kind
	}
	return map[string]any{"fields": fields, "current_values": now, "cache_type": kind}, nil
}

// sent reads the settings of a request. Secrets that came back masked, as they were shown, are those in use, as long as
// they would go to the same place; to another one they are not sent.
func (m cacheRoutes) sent(r *http.Request) (map[string]any, error) {
	var q struct {
		Settings map[string]any `json:"cache_settings"`
	}
	if err := m.body(r, &q); err != nil {
		return nil, err
	}
	if len(q.Settings) == 0 {
		return nil, cacheError(http.StatusBadRequest, `Give the settings: {"cache_settings": {"type": "redis", "host": "..."}}`)
	}
	p := m.a.settings().LiteLLMSettings.CacheParams
	secrets := map[string]string{
		"password": p.Password.Reveal(), "sentinel_password": p.SentinelPassword.Reveal(), "url": p.URL.Reveal(),
		"s3_aws_access_key_id": p.S3AccessKey.Reveal(), "s3_aws_secret_access_key": p.S3SecretKey.Reveal(),
		"s3_aws_session_token": p.S3SessionToken.Reveal(), "qdrant_api_key": p.QdrantAPIKey.Reveal(),
	}
	now := m.shown()
	place := []string{"host", "port", "redis_startup_nodes", "sentinel_nodes", "service_name", "s3_endpoint_url", "s3_bucket_name", "qdrant_api_base"}
	same := true
	for _, name := range place {
		same = same && fmt.Sprint(q.Settings[name]) == fmt.Sprint(now[name])
	}
	for name, value := range q.Settings {
		text, _ := value.(string)
		secret, known := secrets[name]
		if !known || text == "" || strings.Trim(text, "*") != "" && text != "***REDACTED***" {
			continue
		}
		if delete(q.Settings, name); same && secret != "" {
			q.Settings[name] = secret
		}
	}
	delete(q.Settings, "redis_type") // what a form is shown for; it is no setting
	return q.Settings, nil
}

// try opens a cache with the settings, writes an entry and reads it.
func (m cacheRoutes) try(r *http.Request) (any, error) {
	params, err := m.sent(r)
	if err != nil {
		return nil, err
	}
	if err := m.a.tryCache(r.Context(), params); err != nil {
		return map[string]any{"status": "failed", "message": "Cache connection test failed: " + err.Error(), "error": err.Error()}, nil //nolint:nilerr // the answer says so
	}
	return map[string]any{"status": "success", "message": "Cache connection test successful"}, nil
}

func (a *App) tryCache(ctx context.Context, params map[string]any) error {
	doc, err := json.Marshal(map[string]any{"litellm_settings": map[string]any{"cache": true, "cache_params": params}})
	if err != nil {
		return err
	}
	cfg, err := a.readWith(doc, true)
	if err != nil {
		return err
	}
	b := &builder{App: a, cfg: cfg}
	stores, err := b.openAnswers(cacheKind(cfg), a.current.Load().router)
	if err != nil {
		return err
	}
	err = stores.store.Ping(ctx)
	if err == nil && stores.similar != nil {
		err = stores.similar.Index.Ping(ctx)
	}
	return errors.Join(err, stores.close())
}

// change keeps the settings in the database and puts them into effect, as POST /config/update does.
func (m cacheRoutes) change(r *http.Request) (any, error) {
	params, err := m.sent(r)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(map[string]any{"litellm_settings": map[string]any{"cache": true, "cache_params": params}})
	if err != nil {
		return nil, err
	}
	update := r.Clone(r.Context())
	update.URL.Path, update.Method, update.Body, update.ContentLength = "/config/update", http.MethodPost, io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	w := &memoryWriter{header: http.Header{}}
	newManagement(m.a).ServeHTTP(w, update)
	if w.status >= http.StatusBadRequest {
		var e struct {
			Error struct{ Message string }
		}
		_ = json.Unmarshal(w.body.Bytes(), &e)
		return nil, cacheError(w.status, "The cache settings were not kept: %s", e.Error.Message)
	}
	return map[string]any{"message": "Cache settings updated successfully", "status": "success", "settings": m.shown()}, nil
}

// memoryWriter is an http.ResponseWriter that keeps what is written.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) WriteHeader(status int)      { w.status = status }
func (w *memoryWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
