// Package qdranttest is a Qdrant for tests, in the process.
package qdranttest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is a Qdrant as its API reference describes it (https://api.qdrant.tech/api-reference): collections, their index, and
// points that are upserted, queried and deleted with the filters match and range. What the reference does not allow is 400.
type Server struct {
	*httptest.Server
	t       testing.TB
	name    string
	key     string
	mu      sync.Mutex
	calls   []string
	created map[string]any
	points  map[string]point
}

type point struct {
	ID      string         `json:"id"`
	Vector  []float64      `json:"vector"`
	Payload map[string]any `json:"payload"`
}

type condition struct {
	Key   string `json:"key"`
	Match *struct {
		Value any   `json:"value"`
		Any   []any `json:"any"`
	} `json:"match"`
	Range *struct {
		GT float64 `json:"gt"`
	} `json:"range"`
}

func (c condition) holds(payload map[string]any) bool {
	v := payload[c.Key]
	if c.Match != nil && c.Match.Any != nil {
		return slices.Contains(c.Match.Any, v)
	}
	if c.Match != nil {
		return v == c.Match.Value
	}
	f, ok := v.(float64)
	return ok && f > c.Range.GT
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	if r.Header.Get("api-key") != s.key {
		s.t.Errorf("%s: api-key %q", r.URL.Path, r.Header.Get("api-key"))
	}
	fail := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status":{"error":%q},"time":0.0001}`, text)
	}
	reply := func(v any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"result": v, "status": "ok", "time": 0.0001})
	}
	var body struct {
		Vectors json.RawMessage `json:"vectors"`
		Points  []point         `json:"points"`
		Query   []float64       `json:"query"`
		Limit   int             `json:"limit"`
		Score   float64         `json:"score_threshold"`
		Field   string          `json:"field_name"`
		Filter  struct {
			Must []condition `json:"must"`
		} `json:"filter"`
	}
	raw := map[string]any{}
	if r.Body != nil && r.Method != http.MethodGet {
		var b json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&b); err == nil {
			_ = json.Unmarshal(b, &raw)
			if err := json.Unmarshal(b, &body); err != nil {
				fail(400, err.Error())
				return
			}
		}
	}
	action := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/collections/"+s.name)
	if s.created == nil && action != "GET /exists" && action != "PUT " {
		fail(404, "Not found: Collection `"+s.name+"` doesn't exist!")
		return
	}
	switch action {
	case "GET /exists":
		reply(map[string]bool{"exists": s.created != nil})
	case "PUT ":
		s.created, s.points = raw, map[string]point{}
		reply(true)
	case "PUT /index":
		reply(map[string]any{"operation_id": 0, "status": "completed"})
	case "PUT /points":
		for _, p := range body.Points {
			if len(p.ID) != 36 {
				fail(400, "value "+p.ID+" is not a valid point ID")
				return
			}
			s.points[p.ID] = p
		}
		reply(map[string]any{"operation_id": 1, "status": "completed"})
	case "POST /points/delete":
		for id, p := range s.points {
			if s.all(body.Filter.Must, p) {
				delete(s.points, id)
			}
		}
		reply(map[string]any{"operation_id": 2, "status": "completed"})
	case "POST /points/query":
		reply(map[string]any{"points": s.query(body.Query, body.Score, body.Limit, body.Filter.Must)})
	default:
		fail(404, "no such path")
	}
}

func (s *Server) all(must []condition, p point) bool {
	for _, c := range must {
		if !c.holds(p.Payload) {
			return false
		}
	}
	return true
}

func (s *Server) query(q []float64, threshold float64, limit int, must []condition) []map[string]any {
	found := []map[string]any{}
	for _, p := range s.points {
		if len(p.Vector) != len(q) || !s.all(must, p) {
			continue
		}
		var ab, aa, bb float64
		for i := range q {
			ab, aa, bb = ab+q[i]*p.Vector[i], aa+q[i]*q[i], bb+p.Vector[i]*p.Vector[i]
		}
		if score := ab / math.Sqrt(aa*bb); score >= threshold {
			found = append(found, map[string]any{"id": p.ID, "version": 1, "score": score, "payload": p.Payload})
		}
	}
	slices.SortFunc(found, func(a, b map[string]any) int {
		if a["score"].(float64) > b["score"].(float64) {
			return -1
		}
		return 1
	})
	return found[:min(limit, len(found))]
}

// New starts a server that stops with the test, for one collection, which is not there yet, and callers with the key.
func New(t testing.TB, collection, key string) *Server {
	s := &Server{t: t, name: collection, key: key}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// Calls are the method and path of each call so far.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Created is what the collection was created with; nil if it was not.
func (s *Server) Created() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created
}
