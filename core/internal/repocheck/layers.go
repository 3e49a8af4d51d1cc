package repocheck

import (
	"fmt"
	"path"
	"strings"
)

// layers is the table of core/README.md, lowest first. "x/*" is everything
// below x, at any depth, and not x itself.
func layers() [][]string {
	return [][]string{
		0: {"core/llm", "core/rawio", "config", "config/*", "sdk", "sdk/abi", "core/telemetry", "core/telemetry/*"},
		1: {"core/dialect", "core/dialect/*", "core/price", "core/price/*", "core/upstream", "core/upstream/*", "core/meter", "core/toolchain", "sdk/go", "sdk/go/*", "sdk/dump"},
		2: {"core/auth", "core/pipeline", "core/router", "core/provider", "core/store", "core/callback"},
		3: {
			"core/auth/*", "core/pipeline/*", "core/router/*", "core/provider/*", "core/store/*", "core/callback/*",
			"core/wasm", "core/gateway", "plugins/*",
		},
		4: {"core/listener", "core/admin", "core/admin/*", "sdk/plugintest", "sdk/rust", "sdk/tck", "sdk/tck/*"},
		5: {"core/app", "core/plugintool"},
		6: {"core/inprocess"},
		7: {"core/cmd/*", "core/apptest", "core/internal/*", "examples/*"},
	}
}

// layerOf returns the layer of a folder. An entry for the folder itself wins
// over one for what is below its parent.
func layerOf(dir string) (int, bool) {
	below, found := 0, false
	for number, entries := range layers() {
		for _, entry := range entries {
			if entry == dir {
				return number, true
			}
			if parent, ok := strings.CutSuffix(entry, "/*"); ok && isBelow(dir, parent) {
				below, found = number, true
			}
		}
	}
	return below, found
}

func isBelow(dir, parent string) bool { return strings.HasPrefix(dir, parent+"/") }

// testHelper says whether a package exists to be imported by tests.
func testHelper(dir string) bool {
	return dir == "sdk/tck" || strings.HasSuffix(path.Base(dir), "test")
}

// CheckLayers reports every folder that the layer table does not know and every
// import that points upwards or at a neighbour. A package may import lower
// layers and its own parents; a test may also import test helpers.
func CheckLayers(tree Tree) []string {
	var problems []string
	for _, p := range tree.Packages {
		from, known := layerOf(p.Dir)
		if !known {
			problems = append(problems, fmt.Sprintf(
				"%s: in no layer: add it to layers() in core/internal/repocheck/layers.go and to the table in core/README.md", p.Dir))
			continue
		}
		for _, file := range p.Files {
			for _, imported := range file.Imports {
				dir, ours := strings.CutPrefix(imported, module+"/")
				if !ours {
					continue
				}
				if problem := checkImport(p.Dir, from, file, dir); problem != "" {
					problems = append(problems, file.Path+": "+problem)
				}
			}
		}
	}
	return problems
}

func checkImport(importer string, from int, file File, imported string) string {
	if file.Test() && (imported == importer || testHelper(imported)) {
		return ""
	}
	// A plugin is tested in the host that runs it.
	if file.Test() && isBelow(importer, "plugins") && imported == "core/wasm" {
		return ""
	}
	if testHelper(imported) && !testHelper(importer) && from < len(layers())-1 {
		return fmt.Sprintf("imports %s, which is for tests", imported)
	}
	to, known := layerOf(imported)
	switch {
	case !known:
		return fmt.Sprintf("imports %s, which is in no layer: see layers() in core/internal/repocheck/layers.go", imported)
	case isBelow(importer, imported), to < from:
		return ""
	case isBelow(imported, importer):
		return fmt.Sprintf("imports its own child %s: hand it in from core/app, or move what both need into the parent", imported)
	case to == from:
		return fmt.Sprintf("imports its neighbour %s (both layer %d): move what both need to a lower layer, or join them in core/app",
			imported, from)
	}
	return fmt.Sprintf("imports upwards: %s is layer %d and this is layer %d: declare an interface here and let core/app fill it",
		imported, to, from)
}

// wall keeps modules out of all but a few folders.
type wall struct {
	modules []string
	// inside are the folders, with all below them, that may import the modules.
	inside []string
	// tests are folders whose test files may too; "" is every folder.
	tests []string
	why   string
}

func walls() []wall {
	return []wall{
		{
			modules: []string{"github.com/valyala/fasthttp", "github.com/fasthttp/router"},
			inside:  []string{"core/listener", "core/upstream", "core/app", "core/internal/bench"},
			tests:   []string{""},
			why:     "only the listener, the upstream and their assembly know the HTTP library",
		},
		{
			modules: []string{"github.com/tetratelabs/wazero"},
			inside:  []string{"core/wasm"},
			tests:   []string{"core/meter"},
			why:     "only core/wasm knows the WebAssembly runtime",
		},
	}
}

func (w wall) allows(p Package, file File) bool {
	for _, dir := range w.inside {
		if p.Dir == dir || isBelow(p.Dir, dir) {
			return true
		}
	}
	for _, dir := range w.tests {
		if file.Test() && (dir == "" || p.Dir == dir || isBelow(p.Dir, dir)) {
			return true
		}
	}
	return false
}

// CheckWalls reports imports of a module from where it is not wanted. Package
// llm is inside a wall of its own: it imports the standard library only.
func CheckWalls(tree Tree) []string {
	var problems []string
	for _, p := range tree.Packages {
		for _, file := range p.Files {
			for _, imported := range file.Imports {
				for _, w := range walls() {
					if imports(imported, w.modules) && !w.allows(p, file) {
						problems = append(problems, fmt.Sprintf("%s: imports %s: %s", file.Path, imported, w.why))
					}
				}
				if p.Dir == "core/llm" && !file.Test() && strings.Contains(imported, ".") {
					problems = append(problems, fmt.Sprintf("%s: imports %s: llm uses the standard library only", file.Path, imported))
				}
			}
		}
	}
	return problems
}

func imports(imported string, modules []string) bool {
	for _, m := range modules {
		if imported == m || isBelow(imported, m) {
			return true
		}
	}
	return false
}
