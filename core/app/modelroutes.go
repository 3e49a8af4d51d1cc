package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
	"github.com/sallyport-ai/sallyport/core/price/tokens"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

// managers asks one after another who serves a path.
type managers []listener.Manager

// Serves implements listener.Manager.
func (m managers) Serves(path string) (ok, open bool) {
	for _, one := range m {
		if ok, open := one.Serves(path); ok {
			return ok, open
		}
	}
	return false, false
}

// ServeHTTP implements listener.Manager.
func (m managers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, one := range m {
		if ok, _ := one.Serves(r.URL.Path); ok {
			one.ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

// modelRoutes tells callers about models: what they cost, hold and can do, and how many tokens a text has. A caller sees
// the models it may use. Paths, fields and errors are those of the reference (litellm/proxy/proxy_server.py).
type modelRoutes struct{ a *App }

// publicCostMap is open to everybody: it holds nothing of the operator's but his cost map.
const publicCostMap = "/public/litellm_model_cost_map"

// Serves implements listener.Manager.
func (m modelRoutes) Serves(path string) (ok, open bool) {
	_, ok = m.table()[path]
	return ok, path == publicCostMap
}

type modelHandler struct {
	method string
	serve  func(l *loaded, r *http.Request) (any, error)
}

func (m modelRoutes) table() map[string]modelHandler {
	return map[string]modelHandler{
		"/model/info":                    {http.MethodGet, modelInfo},
		"/v1/model/info":                 {http.MethodGet, modelInfo},
		"/v2/model/info":                 {http.MethodGet, modelPage},
		"/model_group/info":              {http.MethodGet, modelGroups},
		"/utils/token_counter":           {http.MethodPost, countTokens},
		"/utils/supported_openai_params": {http.MethodGet, supportedParams},
		"/reload/model_cost_map":         {http.MethodPost, m.reloadPrices},
		publicCostMap:                    {http.MethodGet, costMapOf},
	}
}

// detailError is an error in the form of the reference's web framework.
type detailError struct {
	status int
	detail any
}

func (e *detailError) Error() string { return fmt.Sprint(e.detail) }

func refuse(format string, args ...any) error {
	return &detailError{http.StatusBadRequest, map[string]string{"error": fmt.Sprintf(format, args...)}}
}

// ServeHTTP implements listener.Manager.
func (m modelRoutes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := m.table()[r.URL.Path]
	w.Header().Set("Content-Type", "application/json")
	if r.Method != h.method {
		w.Header().Set("Allow", h.method)
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, `{"detail":"Method Not Allowed"}`) // to memory
		return
	}
	v, err := h.serve(m.a.current.Load(), r)
	var refused *detailError
	if errors.As(err, &refused) {
		w.WriteHeader(refused.status)
		v = map[string]any{"detail": refused.detail}
	}
	_ = json.NewEncoder(w).Encode(v) // to memory
}

// modelInfo serves GET /model/info: every deployment, or the one with litellm_model_id.
func modelInfo(l *loaded, r *http.Request) (any, error) {
	entries := l.modelEntries(llm.PrincipalFrom(r.Context()))
	if id := r.URL.Query().Get("litellm_model_id"); id != "" {
		i := slices.IndexFunc(entries, func(e modelEntry) bool { return e.Info["id"] == id })
		if i < 0 {
			return nil, refuse("Model id = %s not found on litellm proxy", id)
		}
		entries = entries[i : i+1]
	}
	return map[string]any{"data": entries}, nil
}

// modelPage serves GET /v2/model/info: deployments by pages, with filters.
func modelPage(l *loaded, r *http.Request) (any, error) {
	q := r.URL.Query()
	page, err := positive(q.Get("page"), 1)
	if err != nil {
		return nil, invalid("page", err)
	}
	size, err := positive(q.Get("size"), 50)
	if err != nil {
		return nil, invalid("size", err)
	}
	entries := l.modelEntries(llm.PrincipalFrom(r.Context()))
	search := strings.ToLower(q.Get("search"))
	entries = slices.DeleteFunc(entries, func(e modelEntry) bool {
		return q.Get("model") != "" && e.Name != q.Get("model") || q.Get("modelId") != "" && e.Info["id"] != q.Get("modelId") ||
			!strings.Contains(strings.ToLower(e.Name), search)
	})
	sortEntries(entries, q.Get("sortBy"), strings.EqualFold(q.Get("sortOrder"), "desc"))
	total := len(entries)
	from := min((page-1)*size, total)
	return map[string]any{
		"data": entries[from:min(from+size, total)], "total_count": total, "current_page": page,
		"total_pages": (total + size - 1) / size, "size": size,
	}, nil
}

// sortEntries sorts as the reference does (litellm/proxy/proxy_server.py, _sort_models): what has no date and no price comes
// last both ways, and another name than these leaves the order as it is.
func sortEntries(entries []modelEntry, by string, down bool) {
	var compare func(a, b modelEntry) (n int, last bool) // last: n is the same both ways
	switch by {
	case "model_name":
		compare = func(a, b modelEntry) (int, bool) {
			return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), false
		}
	case "status":
		compare = func(a, b modelEntry) (int, bool) {
			return cmp.Compare(oneIf(a.Info["db_model"] == true), oneIf(b.Info["db_model"] == true)), false
		}
	case "created_at", "updated_at", "costs":
		compare = func(a, b modelEntry) (int, bool) {
			x, y := a.rank(by), b.rank(by)
			if x == 0 || y == 0 {
				return cmp.Compare(oneIf(x == 0), oneIf(y == 0)), true
			}
			return cmp.Compare(x, y), false
		}
	default:
		return
	}
	slices.SortStableFunc(entries, func(a, b modelEntry) int {
		n, last := compare(a, b)
		if down && !last {
			return -n
		}
		return n
	})
}

// oneIf is 1 for what is so: it comes after what is not.
func oneIf(is bool) int {
	if is {
		return 1
	}
	return 0
}

// rank is a date in seconds, or the price of a token of both ways; 0 if there is none.
func (e modelEntry) rank(by string) float64 {
	if by == "costs" {
		in, _ := figure(e.Info["input_cost_per_token"])
		out, _ := figure(e.Info["output_cost_per_token"])
		return in + out
	}
	s, _ := e.Info[by].(string)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return float64(t.UnixNano()) / 1e9
		}
	}
	return 0
}

// positive reads a number of a query.
func positive(s string, otherwise int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, errors.New("want a whole number from 1 to 1000000")
	}
	return n, nil
}

// invalid is an error of a parameter, in the form of the reference's validation.
func invalid(name string, err error) error {
	return &detailError{http.StatusUnprocessableEntity, []map[string]any{{"type": "value_error", "loc": []string{"query", name}, "msg": err.Error()}}}
}

// modelGroups serves GET /model_group/info.
func modelGroups(l *loaded, r *http.Request) (any, error) {
	names := l.router.Models(llm.PrincipalFrom(r.Context()))
	return map[string]any{"data": l.groupInfos(names, r.URL.Query().Get("model_group"))}, nil
}

// countTokens serves POST /utils/token_counter. Nothing is downloaded and no vendor is asked.
func countTokens(l *loaded, r *http.Request) (any, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, refuse("the body could not be read")
	}
	var body llm.Object
	if err := body.Parse(raw); err != nil {
		return nil, refuse("the body is not a JSON object: %v", err)
	}
	name, ok := llm.Text(body.Get("model"))
	if !ok {
		return nil, &detailError{http.StatusUnprocessableEntity, []map[string]any{{"type": "missing", "loc": []string{"body", "model"}, "msg": "Field required"}}}
	}
	used := l.vendorName(string(name), llm.PrincipalFrom(r.Context()))
	n, err := l.tokens.CountChat(used, raw)
	if err != nil {
		return nil, refuse("prompt or messages or contents must be provided: %v", err)
	}
	return map[string]any{
		"total_tokens": n, "request_model": string(name), "model_used": used, "tokenizer_type": "openai_tokenizer",
		"original_response": nil, "error": false, "error_message": nil, "status_code": nil,
	}, nil
}

// vendorName is the vendor's name for a model, as far as the caller may use it.
func (l *loaded) vendorName(name string, p *llm.Principal) string {
	if p != nil && !p.May(name) {
		return name
	}
	if list := l.members(name); len(list) > 0 && !strings.Contains(list[0].Model, "*") {
		return list[0].Model
	}
	return name
}

// supportedParams serves GET /utils/supported_openai_params for a model of the configuration, or a name as a configuration
// would have it.
func supportedParams(l *loaded, r *http.Request) (any, error) {
	model := r.URL.Query().Get("model")
	if model == "" {
		return nil, invalid("model", errors.New("Field required")) //nolint:staticcheck // the words of the reference
	}
	var d *llm.Deployment
	if list := l.members(model); len(list) > 0 {
		d = list[0]
	} else if v, name, err := compat.Resolve(model, "", ""); err == nil {
		d = &llm.Deployment{Provider: v.Name, Model: name}
	}
	if d == nil || d.Provider == "" {
		return nil, refuse("Could not map model=%s", model)
	}
	return map[string]any{"supported_openai_params": l.taken(d, llm.OpChat)}, nil
}

// reloadPrices serves POST /reload/model_cost_map: it loads the configuration again, and fetches the operator's cost map.
// It is for administrators.
func (m modelRoutes) reloadPrices(_ *loaded, r *http.Request) (any, error) {
	if p := llm.PrincipalFrom(r.Context()); p != nil && p.Role != llm.RoleProxyAdmin {
		return nil, &detailError{http.StatusForbidden, "Access denied. Admin role required. Current role: " + string(p.Role)}
	}
	m.a.costMap.expire()
	if err := m.a.Reload(r.Context()); err != nil {
		m.a.log.Warn("the prices could not be loaded again", "error", err.Error())
		return nil, &detailError{http.StatusInternalServerError, "Failed to reload model cost map: see the log"}
	}
	n := 0
	m.a.current.Load().prices.table.All(func(price.Entry) bool { n++; return true })
	return map[string]any{
		"message": fmt.Sprintf("Price data reloaded successfully! %d models updated.", n), "status": "success", "models_count": n,
		"timestamp": time.Now().UTC().Format(time.RFC3339),
	}, nil
}

// costMapOf serves the price table in the format of LiteLLM's cost map.
func costMapOf(l *loaded, _ *http.Request) (any, error) {
	out := map[string]json.RawMessage{}
	l.prices.table.All(func(e price.Entry) bool {
		out[e.Key()] = e.JSON()
		return true
	})
	return out, nil
}

// counter is the counter of tokens under a configuration. It stays the same over a reload, with the vocabularies it
// unpacked, as long as the directory does.
func (b *builder) counter() *tokens.Counter {
	dir := b.cfg.Variables.TiktokenCacheDir
	if last := b.current.Load(); last != nil && last.cfg.Variables.TiktokenCacheDir == dir {
		return last.tokens
	}
	c, err := tokens.New(dir)
	if err != nil {
		b.mistake("CUSTOM_TIKTOKEN_CACHE_DIR", err)
		return &tokens.Counter{}
	}
	return c
}
