package app

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// pluginRoutes tell administrators which plugins run, and load them again.
type pluginRoutes struct{ a *App }

const (
	pathPlugins       = "/plugins"
	pathPluginsReload = "/plugins/reload"
)

// Serves implements listener.Manager.
func (m pluginRoutes) Serves(path string) (ok, open bool) {
	return path == pathPlugins || path == pathPluginsReload, false
}

// pluginView is a plugin as GET /plugins shows it.
type pluginView struct {
	Name      string   `json:"name"`
	Use       string   `json:"use"`
	File      string   `json:"file"`
	Version   string   `json:"version"`
	SHA256    string   `json:"sha256"`
	Hooks     []string `json:"hooks"`
	State     string   `json:"state"`
	Instances int64    `json:"instances"`
	Memory    int64    `json:"memory_bytes"`
	Calls     uint64   `json:"calls"`
	Failures  uint64   `json:"failures"`
}

// ServeHTTP implements listener.Manager.
func (m pluginRoutes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, err := m.serve(r)
	status, body := http.StatusOK, []byte(nil)
	if err != nil {
		status, body = err.HTTPStatus(), openai.AppendError(nil, err)
	} else if body, _ = json.Marshal(v); body == nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (m pluginRoutes) serve(r *http.Request) (any, *llm.Error) {
	fail := func(status int, message string) *llm.Error {
		return &llm.Error{Op: "app.plugins", Kind: llm.KindAuth, Status: status, Type: "auth_error", Message: message}
	}
	role := llm.Role("")
	if p := llm.PrincipalFrom(r.Context()); p != nil {
		role = p.Role
	}
	reload := r.URL.Path == pathPluginsReload
	switch {
	case role != llm.RoleProxyAdmin && (reload || role != llm.RoleProxyAdminViewer):
		return nil, fail(http.StatusForbidden, "Only administrators may see and reload plugins.")
	case !reload && r.Method != http.MethodGet, reload && r.Method != http.MethodPost:
		return nil, fail(http.StatusMethodNotAllowed, "Method Not Allowed")
	case reload:
		if err := m.a.Reload(context.WithoutCancel(r.Context())); err != nil {
			m.a.log.Error("plugins were not reloaded; the former ones stay in use", "error", err)
			return nil, &llm.Error{
				Op: "app.plugins", Kind: llm.KindInvalid, Err: err, Type: "bad_request_error",
				Message: "The plugins were not reloaded, and the former ones stay in use: " + err.Error(),
			}
		}
	}
	list := []pluginView{}
	for _, p := range m.a.current.Load().plugins {
		s := p.Status()
		list = append(list, pluginView{
			s.Name, p.use, p.path, s.Version, s.SHA256, s.Hooks, s.State, s.Instances, s.Memory, s.Calls, s.Failures,
		})
	}
	return map[string]any{"plugins": list}, nil
}
