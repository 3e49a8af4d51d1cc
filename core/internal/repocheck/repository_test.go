package repocheck_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-ai/sallyport/core/internal/repocheck"
)

// TestRepository runs every rule over this repository.
func TestRepository(t *testing.T) {
	t.Parallel()
	tree := repository(t)
	if len(tree.Packages) < 5 {
		t.Fatalf("found %d packages: the rules would prove nothing", len(tree.Packages))
	}
	rule := func(name string, check func(repocheck.Tree) []string) {
		t.Run(name, func(t *testing.T) {
			for _, problem := range check(tree) {
				t.Error(problem)
			}
		})
	}
	rule("layers", repocheck.CheckLayers)
	rule("walls", repocheck.CheckWalls)
	rule("package comments", repocheck.CheckComments)
	rule("no hidden state", repocheck.CheckState)
	rule("no machine", repocheck.CheckMachines)
	rule("readmes", repocheck.CheckReadmes)
	rule("tests that are named", repocheck.CheckTests)
}

func repository(t *testing.T) repocheck.Tree {
	t.Helper()
	tree, err := repocheck.Read(os.DirFS(root(t)))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// root is the folder of go.mod: the nearest one above the folder of this test.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
