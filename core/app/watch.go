package app

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watch notices when one of a set of files has new content. It watches their folders, because editors and Kubernetes
// replace a file instead of writing into it, and compares content, because they also touch files that stay the same.
type watch struct {
	fs      *fsnotify.Watcher
	folders map[string]bool
	files   map[string][sha256.Size]byte
}

func newWatch() (*watch, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	return &watch{fs: fs, folders: map[string]bool{}}, nil
}

// events delivers a value for every change that may concern the files. A nil watch delivers none.
func (w *watch) events() <-chan fsnotify.Event {
	if w == nil {
		return nil
	}
	return w.fs.Events
}

// mark takes the files as they are now. It is called before they are read, so that a change while they are read is
// seen as one.
func (w *watch) mark() {
	for f := range w.files {
		w.files[f] = digest(f)
	}
}

// set makes files the set to watch. Those that were in it stay as they were marked.
func (w *watch) set(files []string) {
	old := w.files
	w.files = make(map[string][sha256.Size]byte, len(files))
	for _, f := range files {
		sum, ok := old[f]
		if !ok {
			sum = digest(f)
		}
		w.files[f] = sum
		dir := filepath.Dir(f)
		if !w.folders[dir] && w.fs.Add(dir) == nil {
			w.folders[dir] = true
		}
	}
}

// stale reports whether a file differs from when it was marked.
func (w *watch) stale() bool {
	for f, old := range w.files {
		if digest(f) != old {
			return true
		}
	}
	return false
}

// digest of a file; zero if it cannot be read.
func digest(path string) [sha256.Size]byte {
	b, err := os.ReadFile(path)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(b)
}

// Close stops watching.
func (w *watch) Close() { _ = w.fs.Close() }
