package repocheck_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/internal/repocheck"
)

// TestConfigExamples loads every configuration that a README shows and every one
// in examples. An example with a setting that does nothing is worse than none, so
// a warning fails too.
func TestConfigExamples(t *testing.T) {
	t.Parallel()
	top := root(t)
	for _, block := range repocheck.Configs(repository(t)) {
		t.Run(fmt.Sprintf("%s:%d", block.Path, block.Line), func(t *testing.T) {
			t.Parallel()
			// Empty lines before it make the lines in messages those of the README.
			body := strings.Repeat("\n", block.Line-1) + block.Body
			_, report, err := config.Parse(filepath.Join(top, filepath.FromSlash(block.Path)), []byte(body), config.Options{
				Dir:     t.TempDir(),
				Environ: variables(body),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range report.Entries {
				if entry.Severity != config.Info {
					t.Error(entry.OneLine())
				}
			}
		})
	}
}

// variables gives every environment variable that a configuration refers to a value:
// an address where the name says that it is one.
func variables(body string) []string {
	environ := []string{}
	for _, match := range regexp.MustCompile(`os\.environ/(\w+)`).FindAllStringSubmatch(body, -1) {
		value := "example-value"
		if strings.Contains(match[1], "URL") || strings.Contains(match[1], "BASE") {
			value = "http://127.0.0.1:9"
		}
		environ = append(environ, match[1]+"="+value)
	}
	return environ
}
