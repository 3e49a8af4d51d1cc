package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files, REFERENCE.md and STATUS.tsv anew")

// testEnviron is the environment of every golden file.
func testEnviron() []string {
	return []string{
		"MY_MASTER=sk-not-to-be-shown", "OFFICE=10.1.0.0/16",
		"OPENAI_API_KEY=not-to-be-shown",
	}
}

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s is stale; run go generate ./config or go test -update (-want +got):\n%s", file, d)
	}
}

// TestReports compares the report of every file below testdata with the text
// beside it. Files in testdata/mistakes are named for their mistake.
func TestReports(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			cfg, rep, err := Load(Options{Path: filepath.ToSlash(file), Dir: t.TempDir(), Environ: testEnviron()})
			var out bytes.Buffer
			if err := rep.WriteText(&out, false); err != nil {
				t.Fatal(err)
			}
			if (err != nil) != (rep.Count(Error) > 0) || (cfg == nil) != (err != nil) {
				t.Errorf("config %v, error %v, but %d mistakes in the report", cfg != nil, err, rep.Count(Error))
			}
			if strings.Contains(file, "/good/") && err != nil {
				t.Error(err)
			}
			if err := rep.WriteJSON(&out); err != nil {
				t.Fatal(err)
			}
			text, _, _ := strings.Cut(out.String(), "{\n  \"entries\"")
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", []byte(text))
			for _, secret := range []string{"not-to-be-shown", "nor-this-one"} {
				if strings.Contains(out.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the report shows a secret:\n%s", out.String())
				}
			}
		})
	}
}

// TestReference fails when REFERENCE.md does not match the schema.
func TestReference(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "REFERENCE.md", b.Bytes())
}
