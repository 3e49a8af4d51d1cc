// Package blob keeps cached answers as objects of a cloud's storage, one each, over HTTP. What a cloud's API is like is said
// by the packages below it.
package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

// API is what the API of a storage is like. It is immutable.
type API interface {
	// Object is the path, and query if need be, of an object.
	Object(name string) string
	// List is the path and query of the list of objects whose names begin with a prefix, from a page on; "" is the first.
	List(prefix, page string) string
	// Listed reads such a list: the names, and the next page or "".
	Listed(body []byte) (names []string, next string, err error)
	// Prepare adds what calls need besides, before they are signed.
	Prepare(c *llm.Call)
	// Missing is called when an object could not be written because what is to hold it is not there. It returns the call
	// that makes it, or nil if that is not for a cache to do.
	Missing() *llm.Call
}

// Settings of a Store. API and Target are required.
type Settings struct {
	Name   string // of the storage, for errors
	API    API
	Target *llm.Target
	Signer llm.Signer   // nil if calls need none
	Client *http.Client // nil is http.DefaultClient
	Prefix string       // of the names of objects
}

// Store implements cache.Store.
type Store struct{ s Settings }

var _ cache.Store = (*Store)(nil)

// New makes a store. It does no I/O.
func New(s Settings) *Store {
	if s.Client == nil {
		s.Client = http.DefaultClient
	}
	if s.Prefix != "" && !strings.HasSuffix(s.Prefix, "/") {
		s.Prefix += "/"
	}
	return &Store{s}
}

// CheckPrefix says what is wrong with a prefix. Signatures differ on anything but plain characters.
func CheckPrefix(prefix string) error {
	for _, c := range []byte(prefix) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("/_-.", rune(c)) {
			return fmt.Errorf("%q is no prefix of objects: write letters, digits, slashes, and the characters - . _", prefix)
		}
	}
	if strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "//") || strings.Contains(prefix, "..") {
		return fmt.Errorf("%q is no prefix of objects: it must not begin with a slash, nor have two side by side, nor two dots", prefix)
	}
	return nil
}

const (
	suffix   = ".answer"
	magic    = "SPB1"
	headSize = len(magic) + 8 + 4 // magic, end of life, length of the key
	maxBody  = 256 << 20
	maxError = 4 << 10
	removers = 8
)

// name is what the object of a key is called. Keys are anything, so it is their hash.
func (s *Store) name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return s.s.Prefix + hex.EncodeToString(sum[:]) + suffix
}

// ours reports whether an object has such a name.
func (s *Store) ours(name string) bool {
	hash, ok := strings.CutPrefix(name, s.s.Prefix)
	if !ok {
		return false
	}
	if hash, ok = strings.CutSuffix(hash, suffix); !ok || len(hash) != 2*sha256.Size {
		return false
	}
	_, err := hex.DecodeString(hash)
	return err == nil
}

// statusError is an answer that says no.
type statusError struct {
	name   string
	status int
	text   string
}

// Error describes the answer. Its text is the storage's own, without what was asked.
func (e *statusError) Error() string {
	return fmt.Sprintf("%s answered with status %d %s", e.name, e.status, e.text)
}

// call makes a call and reads what comes back.
func (s *Store) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	c := &llm.Call{Target: s.s.Target, Method: method, Path: []byte(path)}
	if body != nil {
		c.Body = [][]byte{body}
	}
	return s.send(ctx, c)
}

func (s *Store) send(ctx context.Context, c *llm.Call) ([]byte, error) {
	s.s.API.Prepare(c)
	if s.s.Signer != nil {
		if err := s.s.Signer.Sign(ctx, c); err != nil {
			return nil, fmt.Errorf("%s: %w", s.s.Name, err)
		}
	}
	body := bytes.Join(c.Body, nil)
	r, err := http.NewRequestWithContext(ctx, c.Method, c.Target.Scheme+"://"+c.Target.Host, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.s.Name, err)
	}
	path, query, _ := strings.Cut(string(c.Path), "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("%s: the path of an object: %w", s.s.Name, err)
	}
	r.URL = &url.URL{Scheme: c.Target.Scheme, Host: c.Target.Host, Path: plain, RawPath: path, RawQuery: query}
	r.ContentLength = int64(len(body))
	for _, f := range c.Header {
		r.Header.Add(string(f.Name), string(f.Value))
	}
	resp, err := s.s.Client.Do(r)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) { // its text has the query, which may be a credential
			err = at.Err
		}
		return nil, fmt.Errorf("%s: %w", s.s.Name, err)
	}
	defer resp.Body.Close()
	return s.read(resp)
}

func (s *Store) read(resp *http.Response) ([]byte, error) {
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		return nil, &statusError{s.s.Name, resp.StatusCode, Code(text)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errors.New("the object is too long")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.s.Name, err)
	}
	return body, nil
}

// Code is the name of an error in the XML that storages answer with, or "". The rest may hold what was signed.
func Code(text []byte) string {
	_, rest, ok := bytes.Cut(text, []byte("<Code>"))
	name, _, closed := bytes.Cut(rest, []byte("</Code>"))
	if !ok || !closed || len(name) > 100 {
		return ""
	}
	return string(name)
}

func isMissing(err error) bool {
	var e *statusError
	return errors.As(err, &e) && e.status == http.StatusNotFound
}

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key string, buf []byte) ([]byte, error) {
	b, err := s.call(ctx, http.MethodGet, s.s.API.Object(s.name(key)), nil)
	if isMissing(err) {
		return buf, cache.ErrMiss
	}
	if err != nil {
		return buf, err
	}
	value, ok := unpack(b, key)
	if !ok {
		return buf, cache.ErrMiss
	}
	return append(buf, value...), nil
}

func pack(key string, value []byte, ttl time.Duration) []byte {
	b := make([]byte, headSize, headSize+len(key)+len(value))
	copy(b, magic)
	if ttl > 0 {
		binary.LittleEndian.PutUint64(b[len(magic):], uint64(time.Now().Add(ttl).UnixMilli()))
	}
	binary.LittleEndian.PutUint32(b[len(magic)+8:], uint32(len(key)))
	return append(append(b, key...), value...)
}

// unpack returns the value in an object. ok is false if it is none of this key, or its time is over.
func unpack(b []byte, key string) (value []byte, ok bool) {
	if len(b) < headSize+len(key) || string(b[:len(magic)]) != magic {
		return nil, false
	}
	until := binary.LittleEndian.Uint64(b[len(magic):])
	if until != 0 && uint64(time.Now().UnixMilli()) >= until || int(binary.LittleEndian.Uint32(b[len(magic)+8:])) != len(key) {
		return nil, false
	}
	if string(b[headSize:headSize+len(key)]) != key {
		return nil, false
	}
	return b[headSize+len(key):], true
}

// Set implements cache.Store. The end of an entry's life is in the object: rules of the bucket may remove it later.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	b := pack(key, value, ttl)
	_, err := s.call(ctx, http.MethodPut, s.s.API.Object(s.name(key)), b)
	if !isMissing(err) {
		return err
	}
	first := s.s.API.Missing()
	if first == nil {
		return err
	}
	if _, err := s.send(ctx, first); err != nil {
		return err
	}
	_, err = s.call(ctx, http.MethodPut, s.s.API.Object(s.name(key)), b)
	return err
}

// Delete implements cache.Store. Storages do not tell what was there.
func (s *Store) Delete(ctx context.Context, keys ...string) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = s.name(k)
	}
	return -1, s.remove(ctx, names)
}

// remove removes objects, some at a time.
func (s *Store) remove(ctx context.Context, names []string) error {
	var jobs sync.WaitGroup
	errs := make([]error, len(names))
	places := make(chan struct{}, removers)
	for i, name := range names {
		places <- struct{}{}
		jobs.Go(func() {
			defer func() { <-places }()
			if _, err := s.call(ctx, http.MethodDelete, s.s.API.Object(name), nil); !isMissing(err) {
				errs[i] = err
			}
		})
	}
	jobs.Wait()
	return errors.Join(errs...)
}

// Flush implements cache.Store.
func (s *Store) Flush(ctx context.Context) error {
	page := ""
	for {
		body, err := s.call(ctx, http.MethodGet, s.s.API.List(s.s.Prefix, page), nil)
		if isMissing(err) {
			return nil // there is nothing that could hold an object
		}
		if err != nil {
			return err
		}
		names, next, err := s.s.API.Listed(body)
		if err != nil {
			return fmt.Errorf("%s: the list of objects cannot be read: %w", s.s.Name, err)
		}
		var ours []string
		for _, name := range names {
			if s.ours(name) {
				ours = append(ours, name)
			}
		}
		if err := s.remove(ctx, ours); err != nil {
			return err
		}
		if page = next; page == "" {
			return nil
		}
	}
}

const pingKey = "ping"

// Ping implements cache.Store.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Set(ctx, pingKey, []byte(pingKey), time.Minute); err != nil {
		return err
	}
	if _, err := s.Get(ctx, pingKey, nil); err != nil {
		return err
	}
	_, err := s.Delete(ctx, pingKey)
	return err
}

// Close implements cache.Store.
func (s *Store) Close() error { return nil }
