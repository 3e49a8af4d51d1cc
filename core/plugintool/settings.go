package plugintool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sallyport-ai/sallyport/core/wasm"
	"go.yaml.in/yaml/v3"
)

// Config reads a plugin's config block from a file, as JSON or YAML.
func Config(file string) (map[string]any, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config map[string]any
	if err := yaml.Unmarshal(b, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return config, nil
}

// GrantAsked gives the settings every capability that the module's manifest asks for, with secrets from the
// environment. Where the manifest leaves the hosts to the operator, http names them.
func GrantAsked(s *wasm.Settings, http []string) error {
	module, err := os.ReadFile(s.Path)
	if err != nil {
		return err
	}
	m, err := wasm.ReadManifest(module)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	for _, c := range []wasm.Caps{m.Caps, m.Optional} {
		s.Grants.HTTP = append(s.Grants.HTTP, slices.DeleteFunc(slices.Clone(c.HTTP), func(h string) bool { return h == "*" })...)
		s.Grants.Secrets = append(s.Grants.Secrets, c.Secrets...)
		s.Grants.KV = s.Grants.KV || c.KV
		s.Grants.Metrics = s.Grants.Metrics || c.Metrics
		s.Grants.Prompts = s.Grants.Prompts || c.Prompts
	}
	s.Grants.HTTP = append(s.Grants.HTTP, http...)
	s.Secret = os.LookupEnv
	return nil
}

// Output is the module that Build writes unless it is told otherwise: named like the folder, and in it.
func Output(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(abs)+".wasm"), nil
}
