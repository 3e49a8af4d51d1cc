package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// Host holds what plugins have in common and what outlives a reload: the key-value store, the metrics, and the plugins
// themselves. It is safe for concurrent use.
type Host struct {
	store   Store
	metrics *telemetry.Metrics
	desc    *descriptions

	mu    sync.Mutex
	live  map[string]*Plugin // by identity
	stats map[string]*stats  // by name
}

// NewHost makes a host. A nil store is a MemoryStore; with nil metrics the plugins' metrics are kept and not shown. It
// is an error if another host has its metrics there already.
func NewHost(store Store, metrics *telemetry.Metrics) (*Host, error) {
	h := &Host{store: store, metrics: metrics, desc: newDescriptions(), live: map[string]*Plugin{}, stats: map[string]*stats{}}
	if h.store == nil {
		h.store = NewMemoryStore()
	}
	if h.metrics == nil {
		h.metrics = telemetry.NewMetrics()
	}
	there, err := telemetry.Register(h.metrics, h)
	switch {
	case err != nil:
		return nil, err
	case there != h:
		return nil, errors.New("wasm: the metrics belong to another host")
	}
	return h, nil
}

// UseStore replaces the store. It is called before the first Load.
func (h *Host) UseStore(s Store) { h.store = s }

// Load loads a plugin as the function Load does. If one is loaded already from a file of the same content with the same
// settings, that one is returned, with its warm instances; it must be closed as often as it was loaded.
func (h *Host) Load(ctx context.Context, s Settings) (*Plugin, error) {
	module, err := readModule(s.Path)
	if err == nil {
		err = checkPin(module, s.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", s.Path, err)
	}
	id := identity(module, &s)
	if p := h.share(id); p != nil {
		return p, nil
	}
	p, err := load(ctx, s, module, h)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", s.Path, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.id, p.users = id, 1
	if _, there := h.live[id]; id != "" && !there {
		h.live[id] = p
	}
	return p, nil
}

// share returns a plugin that is loaded, for one more user.
func (h *Host) share(id string) *Plugin {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.live[id]
	if p != nil {
		p.users++
	}
	return p
}

// leave counts a user out and reports whether it was the last.
func (h *Host) leave(p *Plugin) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.users--
	if p.users > 0 {
		return false
	}
	if h.live[p.id] == p {
		delete(h.live, p.id)
	}
	return true
}

// counts returns the statistics of a plugin's name.
func (h *Host) counts(name string) *stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats[name]
	if s == nil {
		s = &stats{kept: map[string]guestMetric{}}
		h.stats[name] = s
	}
	return s
}

// identity is what makes two plugins the same: the module and every setting. It is empty for settings that cannot be
// compared.
func identity(module []byte, s *Settings) string {
	if s.Transport != nil || s.Trace != nil {
		return ""
	}
	secrets := make(map[string]string, len(s.Grants.Secrets))
	for _, name := range s.Grants.Secrets {
		if s.Secret != nil {
			secrets[name], _ = s.Secret(name)
		}
	}
	text, err := json.Marshal([]any{
		s.Name, s.SHA256, s.Config, s.Limits, s.Grants, secrets, s.OnError, s.CacheDir, s.NoCache, s.LogPerSec, s.Secrets, s.Stderr,
		fmt.Sprintf("%p", s.Logger),
	})
	if err != nil {
		return ""
	}
	sum := sha256.New()
	sum.Write(text)
	sum.Write([]byte{0})
	sum.Write(module)
	return hex.EncodeToString(sum.Sum(nil))
}
