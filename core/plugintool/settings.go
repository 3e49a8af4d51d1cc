package plugintool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Config reads a plugin's config block from a file, as JSON or YAML.
func Config(file string) (map[string]any, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config any
	if err := yaml.Unmarshal(b, &config); err != nil {
		return nil, fmt.Errorf("%s: neither JSON nor YAML: %w", file, err)
	}
	settings, ok := config.(map[string]any)
	if !ok && config != nil {
		return nil, fmt.Errorf("%s: a plugin's config is a block of settings, such as {words: [secret]}, and this is none", file)
	}
	return settings, nil
}

// readModule reads a module's file, and says how one is made where there is none.
func readModule(file string) ([]byte, error) {
	module, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no such file: %s; sallyport plugin build makes one", file)
	}
	if info, e := os.Stat(file); e == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: sallyport plugin build %s makes a module of it", file, file)
	}
	if err == nil && !bytes.HasPrefix(module, []byte("\x00asm")) {
		err = fmt.Errorf("%s is not a WebAssembly module: sallyport plugin build makes one of a plugin's source", file)
	}
	return module, err
}

// Output is the module that Build writes unless it is told otherwise: named like the folder, and in it.
func Output(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(abs)+".wasm"), nil
}
