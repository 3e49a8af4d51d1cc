package plugintool_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTemplateMinors compares what the projects that are written for authors use of the SDKs with the minor version of the
// interface that their manifests ask for: an older gateway must say that it is too old, not let a caller in without limits.
func TestTemplateMinors(t *testing.T) {
	t.Parallel()
	since := map[string]int{
		"Retry(": 1, "Verdict::retry": 1,
		"AllLimits": 2, "ReadLimits": 2, "Expires": 2, "Blocked": 2, "TeamModels": 2, "Routes": 2, "Aliases": 2, "r.Media": 2, "r.media": 2,
		".Sealed": 3, ".sealed": 3, ".Kind ==": 3, ".kind ==": 3,
		"AccessGroups": 4, "access_groups": 4, "Permissions": 4, "permissions": 4, "RouterSettings": 4, "router_settings": 4,
	}
	manifests, err := filepath.Glob("templates/hook/*/manifest.json.txt")
	if err != nil || len(manifests) < 10 {
		t.Fatalf("%d manifests, error %v: the test would prove nothing", len(manifests), err)
	}
	for _, file := range manifests {
		var m struct {
			ABI struct {
				MinMinor int `json:"min_minor"`
			} `json:"abi"`
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		dir := os.DirFS(filepath.Dir(file))
		err = fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.Contains(path, ".go.") && !strings.Contains(path, ".rs.") {
				return err
			}
			source, err := fs.ReadFile(dir, path)
			for name, minor := range since {
				if minor > m.ABI.MinMinor && strings.Contains(string(source), name) {
					t.Errorf("%s uses %s of minor version %d, %s asks for %d", path, name, minor, file, m.ABI.MinMinor)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
