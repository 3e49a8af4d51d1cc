package wasm

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
)

// openCache opens the folder of compiled modules, or returns nil with a warning: a plugin runs without, it only starts
// slower. What is in the folder is native code, so the folder must be ours alone.
func (p *Plugin) openCache(s Settings) wazero.CompilationCache {
	if s.NoCache {
		return nil
	}
	dir, err := cacheDir(s.CacheDir)
	if err == nil {
		var cache wazero.CompilationCache
		if cache, err = wazero.NewCompilationCacheWithDir(dir); err == nil {
			return cache
		}
	}
	p.log.Warn("compiled plugins are not cached, so that every start compiles them anew", "error", err)
	return nil
}

func cacheDir(dir string) (string, error) {
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "sallyport")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", &fs.PathError{Op: "open", Path: dir, Err: fs.ErrInvalid}
	}
	if !private(info) {
		return "", fmt.Errorf("%s belongs to somebody else or can be written by others: chmod 700 it or name another folder", dir)
	}
	return dir, nil
}
