// Package admin is the management API: keys, teams, users, budgets, models and what was spent. Paths, fields and errors
// are those of the reference system (litellm/proxy/management_endpoints and spend_tracking). It is an http.Handler over
// a store; who asks is in the request's context, see llm.PrincipalFrom.
package admin

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Settings configure an API. Store is required.
type Settings struct {
	Store  store.Store
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now
	Policy Policy
}

// API serves the management routes. It is safe for concurrent use.
type API struct {
	Settings
	mux    *http.ServeMux
	routes []route
	paths  map[string]bool // patterns without wildcards, for Serves
}

// route is one entry of the table.
type route struct {
	method, path string
	who          roles // who may call it at all; the handler may refuse more
	handle       handler
}

// handler answers a call: with a value that is written as JSON, or an error.
type handler func(c *call) (any, error)

// New makes the API.
func New(s Settings) *API {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	a := &API{Settings: s, mux: http.NewServeMux(), paths: map[string]bool{}}
	a.routes = a.table()
	for i := range a.routes {
		r := &a.routes[i]
		a.paths[r.path] = true
		a.mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, q *http.Request) { a.serve(w, q, r) })
	}
	return a
}

// table is every route.
func (a *API) table() []route {
	var all []route
	for _, list := range [][]route{a.keyRoutes(), a.teamRoutes(), a.userRoutes(),
		a.customerRoutes(), a.budgetRoutes(), a.organizationRoutes(),
		a.modelRoutes(), a.credentialRoutes(), a.spendRoutes(), a.activityRoutes(), a.configRoutes(),
		a.accessGroupRoutes(), a.otherRoutes(), a.healthRoutes()} {
		all = append(all, list...)
	}
	return all
}

// Serves reports whether a path is one of the API's. None is open to callers without a key.
func (a *API) Serves(path string) (ok, open bool) {
	if a.paths[path] {
		return true, false
	}
	// Only patterns with wildcards are left, and these are few.
	for i := range a.routes {
		if p := a.routes[i].path; strings.Contains(p, "{") && matches(p, path) {
			return true, false
		}
	}
	return false, false
}

// Routes lists method and path of every route, in the form of http.ServeMux patterns.
func (a *API) Routes() []string {
	out := make([]string, 0, len(a.routes))
	for i := range a.routes {
		out = append(out, a.routes[i].method+" "+a.routes[i].path)
	}
	return out
}

// matches reports whether a path fits a pattern of http.ServeMux.
func matches(pattern, path string) bool {
	for pattern != "" {
		part, rest, _ := strings.Cut(strings.TrimPrefix(pattern, "/"), "/")
		if strings.HasSuffix(part, "...}") {
			return true
		}
		have, next, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if have == "" || !strings.HasPrefix(part, "{") && part != have {
			return false
		}
		if rest == "" {
			return !more
		}
		pattern, path = rest, next
	}
	return false
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *API) serve(w http.ResponseWriter, r *http.Request, to *route) {
	c := &call{a: a, r: r, route: to, who: llm.PrincipalFrom(r.Context())}
	if c.who != nil && c.who.Role == "" && c.who.UserID != "" {
		// A key without a role is no person: it has what is its own, and nothing of its user's.
		key := *c.who
		key.UserID, c.who = "", &key
	}
	if err := c.admitted(); err != nil {
		a.fail(w, c, err, envelope)
		return
	}
	v, err := to.handle(c)
	if err != nil {
		a.fail(w, c, err, to.form())
		return
	}
	writeJSON(w, http.StatusOK, v)
}
