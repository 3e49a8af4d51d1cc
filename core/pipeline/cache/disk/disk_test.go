package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/disk"
)

func open(t testing.TB, dir string, size int64) *disk.Store {
	t.Helper()
	s, err := disk.Open(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cachetest.Store(t, cachetest.Options{
		Keeps: true, Counts: true, Open: func(t testing.TB) cache.Store { return open(t, dir, 0) },
		Foreign: func(t testing.TB) func(testing.TB) {
			theirs := []string{"notes.txt", "0f/notes.txt", "0f/" + strings.Repeat("z", 64) + ".answer"}
			_ = os.MkdirAll(filepath.Join(dir, "0f"), 0o700)
			for _, name := range theirs {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("theirs"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return func(t testing.TB) {
				for _, name := range theirs {
					if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "theirs" {
						t.Errorf("%s: %q, %v", name, b, err)
					}
				}
			}
		},
	})
}

// answers are the files of the cache, and their bytes in sum.
func answers(t testing.TB, dir string) (names []string, size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".answer") {
			info, _ := e.Info()
			names, size = append(names, path), size+info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, size
}

// The least used entries go when the folder is full, also those of an earlier process.
func TestBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const size = 100_000
	s := open(t, dir, size)
	value := make([]byte, 9_000)
	for i := range 30 {
		if err := s.Set(t.Context(), fmt.Sprint(i), value, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "0", nil); err != nil {
			t.Fatalf("the entry that everybody asks for: %v", err)
		}
	}
	if names, n := answers(t, dir); n > size || len(names) < 8 {
		t.Errorf("%d files of %d bytes", len(names), n)
	}
	s = open(t, dir, 30_000)
	if err := s.Set(t.Context(), "next", value, 0); err != nil {
		t.Fatal(err)
	}
	if names, n := answers(t, dir); n > 30_000 || len(names) == 0 {
		t.Errorf("%d files of %d bytes after the size became less", len(names), n)
	}
	if err := s.Set(t.Context(), "huge", make([]byte, 40_000), 0); err == nil {
		t.Error("an entry that is longer than all was taken")
	}
}

// A file that somebody cut, changed or swapped is a miss, and gone afterwards.
func TestSpoilt(t *testing.T) {
	t.Parallel()
	spoil := func(name string, change func(b []byte) []byte) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, 0)
			if err := s.Set(t.Context(), "k", []byte("value"), time.Hour); err != nil {
				t.Fatal(err)
			}
			names, _ := answers(t, dir)
			b, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(names[0], change(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(t.Context(), "k", nil); !errors.Is(err, cache.ErrMiss) {
				t.Errorf("%q, %v; want a miss", got, err)
			}
			if names, _ := answers(t, dir); len(names) != 0 {
				t.Error("the file is still there")
			}
		})
	}
	spoil("empty", func([]byte) []byte { return nil })
	spoil("cut", func(b []byte) []byte { return b[:10] })
	spoil("another program's", func([]byte) []byte { return []byte(strings.Repeat("hello ", 20)) })
	spoil("an older version", func(b []byte) []byte { return append([]byte("SPD0"), b[4:]...) })
	spoil("another key", func(b []byte) []byte { b[16] = 'x'; return b })
	spoil("over", func(b []byte) []byte { copy(b[4:], "\x01\x00\x00\x00\x00\x00\x00\x00"); return b })
}

// What a crash left behind is cleared away, once it is old.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, 0)
	old, young := filepath.Join(dir, "1.part"), filepath.Join(dir, "2.part")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	open(t, dir, 0)
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old part is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("a part that somebody may be writing: %v", err)
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Open(file, 0); err == nil {
		t.Error("a file was taken for a folder")
	}
}
