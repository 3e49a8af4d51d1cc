package repocheck_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/internal/repocheck"
)

// TestConfigExamples loads every configuration that a README shows and every one
// in examples, and starts a gateway with it. An example with a setting that does
// nothing is worse than none, so a warning fails too.
func TestConfigExamples(t *testing.T) {
	t.Parallel()
	top := root(t)
	for _, block := range repocheck.Configs(repository(t)) {
		t.Run(fmt.Sprintf("%s:%d", block.Path, block.Line), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(top, filepath.FromSlash(block.Path))
			// Empty lines before it make the lines in messages those of the README.
			body := strings.Repeat("\n", block.Line-1) + block.Body
			_, report, err := config.Parse(path, []byte(body), config.Options{Dir: t.TempDir(), Environ: variables(body)})
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range report.Entries {
				if entry.Severity != config.Info {
					t.Error(entry.OneLine())
				}
			}
			if plugin := missingPlugin(path, body); plugin != "" {
				if filepath.Ext(path) != ".md" && os.Getenv("CI") == "true" {
					t.Fatalf("no %s: run make plugins", plugin)
				}
				t.Skipf("loaded but not started: no %s", plugin)
			}
			boot(t, path, body)
		})
	}
}

// boot starts a gateway with a configuration and asks whether it lives.
func boot(t *testing.T, path, body string) {
	t.Helper()
	var gateway *apptest.Server
	if filepath.Ext(path) == ".md" {
		gateway = apptest.Start(t, body, apptest.Env(variables(body)...))
	} else {
		gateway = apptest.StartFile(t, path, apptest.Env(variables(body)...))
	}
	response, err := http.Get(gateway.URL + "/health/liveliness")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("/health/liveliness answers %s", response.Status)
	}
}

// missingPlugin returns a plugin that a configuration names and that is not there.
// Of what a README shows that is any plugin: its paths are those of a reader's folder.
func missingPlugin(path, body string) string {
	for _, file := range regexp.MustCompile(`[^\s"'\[,]+\.wasm`).FindAllString(body, -1) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), file)); err != nil || filepath.Ext(path) == ".md" {
			return file
		}
	}
	return ""
}

// variables gives every environment variable that a configuration refers to a value:
// an address where the name says that it is one. A part of a configuration need not
// set the master key.
func variables(body string) []string {
	environ := []string{"LITELLM_MASTER_KEY=sk-example"}
	for _, match := range regexp.MustCompile(`os\.environ/(\w+)`).FindAllStringSubmatch(body, -1) {
		value := "example-value"
		if strings.Contains(match[1], "URL") || strings.Contains(match[1], "BASE") {
			value = "http://127.0.0.1:9"
		}
		environ = append(environ, match[1]+"="+value)
	}
	return environ
}
