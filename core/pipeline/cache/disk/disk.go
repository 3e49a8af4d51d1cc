// Package disk keeps cached answers in a folder, a file each, up to a number of bytes. A file is written under another name
// and then renamed, so that one which is there is whole, also after a crash; several processes may share a folder.
package disk

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

const (
	// DefaultSize is how many bytes a Store holds if nothing is said.
	DefaultSize = 1 << 30

	suffix   = ".answer"
	partial  = ".part"
	magic    = "SPD1"
	headSize = len(magic) + 8 + 4 // magic, end of life, length of the key
	fileCost = 4096               // what a file takes at least
	maxKey   = 1 << 10
	maxValue = 256 << 20
	stale    = time.Hour // a part file this old was left by a crash
)

// Store implements cache.Store.
type Store struct {
	dir  string
	size int64

	mu     sync.Mutex
	files  map[string]*list.Element // by name
	recent *list.List               // of *file, most recently used first
	used   int64
}

var _ cache.Store = (*Store)(nil)

// file is what is known of one file.
type file struct {
	name string
	size int64
}

// Open makes a store in a folder, which is made if it is missing. Size is in bytes; 0 takes DefaultSize. What other
// programs have in the folder stays as it is.
func Open(dir string, size int64) (*Store, error) {
	if size <= 0 {
		size = DefaultSize
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("disk cache: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("disk cache: %w", err)
	}
	s := &Store{dir: dir, size: size, files: map[string]*list.Element{}, recent: list.New()}
	if err := s.scan(); err != nil {
		return nil, fmt.Errorf("disk cache: %w", err)
	}
	probe, err := os.CreateTemp(dir, "*"+partial)
	if err != nil {
		return nil, fmt.Errorf("disk cache: the folder cannot be written to: %w", err)
	}
	return s, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// scan finds what is there, and removes what a crash left behind.
func (s *Store) scan() error {
	return s.each(func(name string, info fs.FileInfo) {
		if strings.HasSuffix(name, partial) {
			if time.Since(info.ModTime()) > stale {
				_ = os.Remove(filepath.Join(s.dir, name))
			}
			return
		}
		s.note(name, info.Size())
	})
}

// each calls f for every file of the cache.
func (s *Store) each(f func(name string, info fs.FileInfo)) error {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			if strings.HasSuffix(folder.Name(), partial) {
				call(f, folder.Name(), folder)
			}
			continue
		}
		if len(folder.Name()) != 2 || !isHex(folder.Name()) {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.dir, folder.Name()))
		if err != nil {
			return err
		}
		for _, e := range files {
			hash, ours := strings.CutSuffix(e.Name(), suffix)
			if ours && len(hash) == 2*sha256.Size && isHex(hash) || strings.HasSuffix(e.Name(), partial) {
				call(f, filepath.Join(folder.Name(), e.Name()), e)
			}
		}
	}
	return nil
}

func call(f func(string, fs.FileInfo), name string, e fs.DirEntry) {
	if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
		f(name, info)
	}
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// nameOf is where the value under a key is. Keys are anything, so their hash is the name.
func nameOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	h := hex.EncodeToString(sum[:])
	return filepath.Join(h[:2], h+suffix)
}

func cost(size int64) int64 { return max(size, fileCost) }

// note says that a file was written or used, and forgets the least used ones if there are too many.
func (s *Store) note(name string, size int64) {
	s.mu.Lock()
	if e := s.files[name]; e != nil {
		f := e.Value.(*file)
		if size >= 0 {
			s.used += cost(size) - cost(f.size)
			f.size = size
		}
		s.recent.MoveToFront(e)
	} else if size >= 0 {
		s.files[name] = s.recent.PushFront(&file{name, size})
		s.used += cost(size)
	}
	var gone []string
	for s.used > s.size && s.recent.Len() > 1 {
		f := s.recent.Back().Value.(*file)
		gone = append(gone, f.name)
		s.drop(f.name)
	}
	s.mu.Unlock()
	for _, name := range gone {
		_ = os.Remove(filepath.Join(s.dir, name))
	}
}

// drop forgets a file. s.mu is held.
func (s *Store) drop(name string) {
	if e := s.files[name]; e != nil {
		s.used -= cost(e.Value.(*file).size)
		s.recent.Remove(e)
		delete(s.files, name)
	}
}

func (s *Store) remove(name string) (there bool, err error) {
	s.mu.Lock()
	s.drop(name)
	s.mu.Unlock()
	err = os.Remove(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Get implements cache.Store. A file that is no entry is removed, and a miss.
func (s *Store) Get(ctx context.Context, key string, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return buf, err
	}
	name := nameOf(key)
	f, err := os.Open(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		s.mu.Lock()
		s.drop(name)
		s.mu.Unlock()
		return buf, cache.ErrMiss
	}
	if err != nil {
		return buf, fmt.Errorf("disk cache: %w", err)
	}
	defer f.Close()
	value, ok, err := read(f, key, buf)
	if err != nil {
		return buf, fmt.Errorf("disk cache: %w", err)
	}
	if !ok {
		_, err := s.remove(name)
		if err != nil {
			return buf, fmt.Errorf("disk cache: %w", err)
		}
		return buf, cache.ErrMiss
	}
	s.note(name, -1)
	return value, nil
}

// read appends the value in a file to buf. ok is false if the file is none of this key, or its time is over.
func read(f *os.File, key string, buf []byte) (value []byte, ok bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return buf, false, err
	}
	size := info.Size()
	if size < int64(headSize+len(key)) || size > maxValue+maxKey || !info.Mode().IsRegular() {
		return buf, false, nil
	}
	start := len(buf)
	buf = append(buf, make([]byte, size)...)
	n := 0
	for n < int(size) {
		m, err := f.Read(buf[start+n:])
		n += m
		if err != nil || m == 0 {
			break
		}
	}
	b := buf[start:]
	if n < int(size) || string(b[:len(magic)]) != magic {
		return buf[:start], false, nil
	}
	until, length := binary.LittleEndian.Uint64(b[len(magic):]), binary.LittleEndian.Uint32(b[len(magic)+8:])
	if int(length) != len(key) || string(b[headSize:headSize+len(key)]) != key || over(until) {
		return buf[:start], false, nil
	}
	return append(buf[:start], b[headSize+len(key):]...), true, nil
}

// over reports whether a time in milliseconds has passed; 0 never does.
func over(until uint64) bool { return until != 0 && uint64(time.Now().UnixMilli()) >= until }

var errTooLong = errors.New("disk cache: the entry is too long")

// Set implements cache.Store.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(value) > maxValue || len(key) > maxKey || int64(len(value)) > s.size {
		return errTooLong
	}
	var until uint64
	if ttl > 0 {
		until = uint64(time.Now().Add(ttl).UnixMilli())
	}
	head := make([]byte, headSize, headSize+len(key))
	copy(head, magic)
	binary.LittleEndian.PutUint64(head[len(magic):], until)
	binary.LittleEndian.PutUint32(head[len(magic)+8:], uint32(len(key)))
	name := nameOf(key)
	if err := s.write(name, append(head, key...), value); err != nil {
		if refused(err) {
			return fmt.Errorf("disk cache: %w: %w", cache.ErrRefused, err)
		}
		return fmt.Errorf("disk cache: %w", err)
	}
	s.note(name, int64(headSize+len(key)+len(value)))
	return nil
}

// refused reports whether the disk is full, or may not be written.
func refused(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// write puts a file in place at once.
func (s *Store) write(name string, pieces ...[]byte) error {
	path := filepath.Join(s.dir, name)
	f, err := os.CreateTemp(filepath.Dir(path), "*"+partial)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		f, err = os.CreateTemp(filepath.Dir(path), "*"+partial)
	}
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if _, err = f.Write(p); err != nil {
			break
		}
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Delete implements cache.Store.
func (s *Store) Delete(_ context.Context, keys ...string) (n int, err error) {
	for _, k := range keys {
		there, e := s.remove(nameOf(k))
		if there {
			n++
		}
		err = errors.Join(err, e)
	}
	return n, err
}

// Flush implements cache.Store. It also removes what other processes that share the folder have put there.
func (s *Store) Flush(context.Context) error {
	s.mu.Lock()
	s.files, s.used = map[string]*list.Element{}, 0
	s.recent.Init()
	s.mu.Unlock()
	var failed error
	err := s.each(func(name string, _ fs.FileInfo) {
		if strings.HasSuffix(name, partial) {
			return // somebody is writing it
		}
		if _, err := s.remove(name); err != nil {
			failed = err
		}
	})
	return errors.Join(err, failed)
}

const pingKey = "ping"

// Ping implements cache.Store.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Set(ctx, pingKey, []byte(pingKey), time.Second); err != nil {
		return err
	}
	_, err := s.Get(ctx, pingKey, nil)
	_, failed := s.Delete(ctx, pingKey)
	return errors.Join(err, failed)
}

// Close implements cache.Store.
func (s *Store) Close() error { return nil }
