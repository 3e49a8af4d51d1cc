// Package qdrant finds answers to similar prompts in a collection of Qdrant, over its REST API
// (https://api.qdrant.tech/api-reference).
package qdrant

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

// Settings of a Store. Base and Collection are required.
type Settings struct {
	Base         string // address of the server
	Key          string // sent as api-key
	Collection   string
	Quantization string       // of a collection that is made: binary (also if empty), scalar or product
	Client       *http.Client // nil is http.DefaultClient
}

// Store implements cache.Semantic. The collection is made with the first vector, whose length it takes, unless it is there.
type Store struct {
	s    Settings
	base string

	mu    sync.Mutex
	ready bool // the collection is there
}

var _ cache.Semantic = (*Store)(nil)

const (
	owner      = "sallyport"
	maxAnswer  = 64 << 20
	maxError   = 4 << 10
	forever    = int64(1) << 52 // milliseconds, of entries without an end; a number that JSON can hold
	oversample = 3
	quantile   = 0.99
)

// New makes a store. It does no I/O.
func New(s Settings) (*Store, error) {
	u, err := url.Parse(s.Base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the address of Qdrant must be one such as http://localhost:6333")
	}
	if s.Collection == "" {
		return nil, errors.New("no collection is named")
	}
	if _, err := quantization(s.Quantization); err != nil {
		return nil, err
	}
	if s.Client == nil {
		s.Client = http.DefaultClient
	}
	return &Store{s: s, base: strings.TrimRight(s.Base, "/") + "/collections/" + url.PathEscape(s.Collection)}, nil
}

type object = map[string]any

// quantization is how vectors are compressed (https://qdrant.tech/documentation/guides/quantization/), with the values of the
// reference (litellm/caching/qdrant_semantic_cache.py).
func quantization(kind string) (object, error) {
	switch kind {
	case "", "binary":
		return object{"binary": object{"always_ram": false}}, nil
	case "scalar":
		return object{"scalar": object{"type": "int8", "quantile": quantile, "always_ram": false}}, nil
	case "product":
		return object{"product": object{"compression": "x16", "always_ram": false}}, nil
	}
	return nil, fmt.Errorf("%q is no way to compress vectors: write binary, scalar or product", kind)
}

// statusError is an answer that says no.
type statusError struct {
	status int
	text   string
}

// Error describes the answer.
func (e *statusError) Error() string {
	return fmt.Sprintf("qdrant answered with status %d: %s", e.status, e.text)
}

// call makes a call and decodes result into out, if it is not nil.
func (s *Store) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("qdrant: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.base+path, body)
	if err != nil {
		return fmt.Errorf("qdrant: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if s.s.Key != "" {
		r.Header.Set("api-key", s.s.Key)
	}
	resp, err := s.s.Client.Do(r)
	if err != nil {
		return fmt.Errorf("qdrant: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return &statusError{resp.StatusCode, reason(resp.Body)}
	}
	if out == nil {
		return nil
	}
	answer := struct {
		Result any `json:"result"`
	}{out}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return fmt.Errorf("qdrant: the answer cannot be read: %w", err)
	}
	return nil
}

// reason is what the server says went wrong.
func reason(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, maxError))
	var v struct {
		Status struct {
			Error string `json:"error"`
		} `json:"status"`
	}
	if json.Unmarshal(text, &v) == nil && v.Status.Error != "" {
		return v.Status.Error
	}
	return "no reason is given"
}

func missing(err error) bool {
	var e *statusError
	return errors.As(err, &e) && e.status == http.StatusNotFound
}

// Exists asks whether the collection is there.
func (s *Store) Exists(ctx context.Context) (bool, error) {
	var v struct {
		Exists bool `json:"exists"`
	}
	err := s.call(ctx, http.MethodGet, "/exists", nil, &v)
	if err == nil && v.Exists {
		s.mu.Lock()
		s.ready = true
		s.mu.Unlock()
	}
	return v.Exists, err
}

// prepare makes the collection if it is not there.
func (s *Store) prepare(ctx context.Context, dimensions int) error {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	if ready {
		return nil
	}
	there, err := s.Exists(ctx)
	if err != nil || there {
		return err
	}
	compressed, err := quantization(s.s.Quantization)
	if err != nil {
		return err
	}
	err = s.call(ctx, http.MethodPut, "", object{
		"vectors": object{"size": dimensions, "distance": "Cosine"}, "quantization_config": compressed,
	}, nil)
	var said *statusError
	if errors.As(err, &said) && said.status == http.StatusConflict {
		err = nil // another replica was faster
	}
	if err != nil {
		return err
	}
	// Every search is within a scope, so that is worth an index.
	if err := s.call(ctx, http.MethodPut, "/index?wait=true", object{"field_name": "scope", "field_schema": "keyword"}, nil); err != nil {
		return err
	}
	s.mu.Lock()
	s.ready = true
	s.mu.Unlock()
	return nil
}

func is(key string, value any) object { return object{"key": key, "match": object{"value": value}} }

// Nearest implements cache.Semantic.
func (s *Store) Nearest(ctx context.Context, scope string, vector []float32, atLeast float64, buf []byte) ([]byte, float64, error) {
	if flat(vector) {
		return buf, 0, cache.ErrMiss
	}
	var v struct {
		Points []struct {
			Score   float64 `json:"score"`
			Payload struct {
				Scope string `json:"scope"`
				Entry string `json:"entry"`
			} `json:"payload"`
		} `json:"points"`
	}
	err := s.call(ctx, http.MethodPost, "/points/query", object{
		"query": vector, "limit": 1, "with_payload": true, "score_threshold": atLeast,
		"filter": object{"must": []object{is("scope", scope), {"key": "until", "range": object{"gt": time.Now().UnixMilli()}}}},
		"params": object{"quantization": object{"ignore": false, "rescore": true, "oversampling": oversample}},
	}, &v)
	if missing(err) { // the collection
		return buf, 0, cache.ErrMiss
	}
	if err != nil {
		return buf, 0, err
	}
	if len(v.Points) == 0 || v.Points[0].Score < atLeast || v.Points[0].Payload.Scope != scope {
		return buf, 0, cache.ErrMiss
	}
	entry, err := base64.StdEncoding.AppendDecode(buf, []byte(v.Points[0].Payload.Entry))
	if err != nil {
		return buf, 0, cache.ErrMiss // somebody else's
	}
	return entry, v.Points[0].Score, nil
}

// flat reports whether a vector has no direction.
func flat(v []float32) bool {
	for _, f := range v {
		if f != 0 {
			return false
		}
	}
	return true
}

// pointID is the UUID of an entry.
func pointID(scope, id string) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%d:%s%s", len(scope), scope, id)))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Add implements cache.Semantic.
func (s *Store) Add(ctx context.Context, scope, id string, vector []float32, value []byte, ttl time.Duration) error {
	if flat(vector) {
		return errors.New("qdrant: the vector has no direction")
	}
	if err := s.prepare(ctx, len(vector)); err != nil {
		return err
	}
	until := forever
	if ttl > 0 {
		until = time.Now().Add(ttl).UnixMilli()
	}
	err := s.call(ctx, http.MethodPut, "/points?wait=true", object{"points": []object{{
		"id": pointID(scope, id), "vector": vector,
		"payload": object{"scope": scope, "id": id, "until": until, "by": owner, "entry": base64.StdEncoding.EncodeToString(value)},
	}}}, nil)
	if missing(err) { // somebody removed the collection
		s.mu.Lock()
		s.ready = false
		s.mu.Unlock()
	}
	return err
}

// Delete implements cache.Semantic. Qdrant does not say how many there were.
func (s *Store) Delete(ctx context.Context, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	err := s.call(ctx, http.MethodPost, "/points/delete?wait=true", object{
		"filter": object{"must": []object{is("by", owner), {"key": "id", "match": object{"any": ids}}}},
	}, nil)
	if err != nil && !missing(err) {
		return 0, err
	}
	return -1, nil
}

// Flush implements cache.Semantic. Points of others stay.
func (s *Store) Flush(ctx context.Context) error {
	err := s.call(ctx, http.MethodPost, "/points/delete?wait=true", object{"filter": object{"must": []object{is("by", owner)}}}, nil)
	if missing(err) {
		return nil
	}
	return err
}

// Ping implements cache.Semantic.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Exists(ctx)
	return err
}

// Close implements cache.Semantic.
func (s *Store) Close() error { return nil }
