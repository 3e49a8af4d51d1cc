package repocheck_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/internal/repocheck"
)

const module = "github.com/sallyport-ai/sallyport/"

// tree reads the files of a txtar archive.
func tree(t *testing.T, archive string) repocheck.Tree {
	t.Helper()
	files := fstest.MapFS{}
	for _, file := range txtar.Parse([]byte(archive)).Files {
		files[file.Name] = &fstest.MapFile{Data: file.Data}
	}
	read, err := repocheck.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// expect compares problems with what each one must contain, in order.
func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i, problem := range got {
		if i >= len(want) || !strings.Contains(problem, want[i]) {
			t.Errorf("unexpected problem: %s", problem)
		}
	}
	if len(got) < len(want) {
		t.Errorf("got %d problems, want %q", len(got), want)
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	// imports checks one file that imports one package of this module.
	imports := func(file, imported string, want ...string) {
		t.Helper()
		archive := "-- " + file + " --\npackage p\n\nimport _ \"" + module + imported + "\"\n"
		expect(t, repocheck.CheckLayers(tree(t, archive)), want...)
	}

	imports("core/gateway/x.go", "core/llm")
	imports("core/gateway/x.go", "core/pipeline")
	imports("core/gateway/x.go", "core/pipeline/budget", "neighbour core/pipeline/budget (both layer 3)")
	imports("core/gateway/x.go", "core/listener", "upwards: core/listener is layer 4 and this is layer 3")
	imports("core/app/x.go", "core/gateway")
	imports("core/app/x.go", "core/auth/masterkey")
	imports("core/cmd/sallyport/main.go", "core/app")
	imports("core/app/x.go", "core/cmd/sallyport", "upwards")

	imports("core/auth/masterkey/x.go", "core/auth")
	imports("core/auth/x.go", "core/auth/masterkey", "its own child core/auth/masterkey")
	imports("core/auth/virtualkey/x.go", "core/auth/masterkey", "neighbour")
	imports("core/router/x.go", "core/auth", "neighbour")
	imports("core/dialect/openai/x.go", "core/dialect")
	imports("core/dialect/openai/x.go", "core/dialect/anthropic", "neighbour")
	imports("core/upstream/sse/x.go", "core/llm")
	imports("core/llm/x.go", "config", "neighbour")
	imports("config/x.go", "core/llm", "neighbour")

	imports("plugins/pii/main.go", "sdk/go")
	imports("plugins/pii/main.go", "core/wasm", "neighbour")
	imports("plugins/pii/pii_test.go", "sdk/plugintest")
	imports("plugins/pii/pii_test.go", "core/wasm")
	imports("plugins/pii/pii_test.go", "core/gateway", "neighbour")
	imports("plugins/pii/main.go", "sdk/plugintest", "is for tests")

	imports("core/provider/openai/x_test.go", "core/provider/providertest")
	imports("core/provider/openai/x.go", "core/provider/providertest", "is for tests")
	imports("core/gateway/x_test.go", "core/apptest")
	imports("core/gateway/x_test.go", "core/upstream/upstreamtest")
	imports("core/gateway/x_test.go", "core/gateway")
	imports("core/gateway/x_test.go", "core/listener", "upwards")
	imports("core/apptest/x.go", "core/upstream/upstreamtest")
	imports("examples/demo/main.go", "core/upstream/upstreamtest")

	imports("core/mystery/x.go", "core/llm", "core/mystery: in no layer: add it to layers()")
	imports("core/app/x.go", "core/mystery", "core/mystery, which is in no layer")
	imports("corerouter/x.go", "core/llm", "in no layer")
}

func TestWalls(t *testing.T) {
	t.Parallel()
	imports := func(file, imported string, want ...string) {
		t.Helper()
		archive := "-- " + file + " --\npackage p\n\nimport _ \"" + imported + "\"\n"
		expect(t, repocheck.CheckWalls(tree(t, archive)), want...)
	}

	imports("core/listener/x.go", "github.com/valyala/fasthttp")
	imports("core/upstream/sse/x.go", "github.com/valyala/fasthttp/fasthttputil")
	imports("core/gateway/x.go", "github.com/valyala/fasthttp", "core/gateway/x.go: imports github.com/valyala/fasthttp")
	imports("core/gateway/x_test.go", "github.com/valyala/fasthttp")
	imports("core/admin/x.go", "github.com/fasthttp/router", "only the listener")
	imports("core/gateway/x.go", "github.com/valyala/fasthttpish")

	imports("core/wasm/x.go", "github.com/tetratelabs/wazero")
	imports("core/app/x.go", "github.com/tetratelabs/wazero/api", "only core/wasm")
	imports("core/meter/x.go", "github.com/tetratelabs/wazero", "only core/wasm")
	imports("core/meter/x_test.go", "github.com/tetratelabs/wazero")
	imports("core/app/x_test.go", "github.com/tetratelabs/wazero", "only core/wasm")

	imports("core/llm/x.go", "net/http")
	imports("core/llm/x.go", "golang.org/x/net/http2", "standard library only")
	imports("core/llm/x_test.go", "github.com/google/go-cmp/cmp")
}

func TestComments(t *testing.T) {
	t.Parallel()
	check := func(archive string, want ...string) {
		t.Helper()
		expect(t, repocheck.CheckComments(tree(t, archive)), want...)
	}

	check("-- core/llm/a.go --\n// Package llm names things.\npackage llm\n-- core/llm/b.go --\npackage llm\n")
	check("-- core/llm/a.go --\npackage llm\n", "core/llm: no package comment")
	check("-- core/llm/a.go --\n// Package llm is one.\npackage llm\n-- core/llm/b.go --\n// Package llm is two.\npackage llm\n",
		"core/llm/a.go, core/llm/b.go: keep one")
	check("-- core/llm/a.go --\n// The nouns.\npackage llm\n", `begins with "Package llm"`)
	check("-- core/llm/a.go --\n//go:build linux\n\npackage llm\n", "no package comment")
	check("-- core/cmd/x/main.go --\n// Command x runs.\npackage main\n")
	check("-- core/llm/a_test.go --\npackage llm\n")
}

func TestState(t *testing.T) {
	t.Parallel()
	file := func(name, body string, want ...string) {
		t.Helper()
		expect(t, repocheck.CheckState(tree(t, "-- "+name+" --\n"+body)), want...)
	}
	check := func(body string, want ...string) {
		t.Helper()
		file("core/llm/a.go", "package llm\n"+body+"\n", want...)
	}

	check("const a = 1")
	check("var errGone = errors.New(`gone`)")
	check("var ErrGone, ErrLate = errors.New(`gone`), fmt.Errorf(`late`)")
	check("var _ io.Reader = (*T)(nil)")
	check("//go:embed page.html\nvar page []byte")
	check("var (\n\t//go:embed page.html\n\tpage []byte\n)")
	check("var (\n\ta = f() //repocheck:constant an example\n\tb = f()\n)", "core/llm/a.go:4: package variable b")
	check("//repocheck:constant\nvar a = f()", "needs a reason")
	check("var errCount int", "package variable errCount")
	check("var errOther = newError()", "package variable errOther")
	check("var gone = errors.New(`gone`)", "package variable gone")
	check("var a, b = 1, T{}", "package variable a", "package variable b")

	check("var pool = sync.Pool{New: f}")
	check("var a = []byte(`{`)\nvar b = []string{`x`}\nvar c = map[string]int{}\nvar d = [2]int{1, 2}")
	check("var a = regexp.MustCompile(`x`)\nvar b = strings.NewReplacer(`a`, `b`)")
	check("var a = map[string]int{}\nfunc f() int { a := 1; return a }")
	written := func(how string) {
		t.Helper()
		check("var a = map[string]int{}\nfunc f() { "+how+" }", "package variable a is written at core/llm/a.go:3")
	}
	written("a = nil")
	written("a[`x`] = 1")
	written("a[`x`]++")
	written("delete(a, `x`)")
	written("clear(a)")
	written("g(&a)")
	written("a[1:][0].b = 2")
	written("copy((a)[1:], nil)")

	check("func init() {}", "core/llm/a.go:2: init function")
	check("func (T) init() {}\nfunc initial() { var local int; _ = local }")

	file("core/llm/a_test.go", "package llm\nvar cache int\nfunc init() {}\n")
	file("plugins/pii/main.go", "package main\nvar _ = sallyport.Register(manifest, New)\n")
	file("plugins/pii/main.go", "package main\nfunc init() {}\n", "init function")
	file("core/cmd/x/main.go", "package main\nfunc init() {}\n", "init function")
}

func TestMachines(t *testing.T) {
	t.Parallel()
	check := func(file, line string, want ...string) {
		t.Helper()
		expect(t, repocheck.CheckMachines(tree(t, "-- "+file+" --\nfirst\n"+line+"\n")), want...)
	}
	// Slashes are "|" and dots "," here, so that this file passes too.
	plain := strings.NewReplacer("|", "/", ",", ".").Replace

	check("README.md", plain("cd |root|src"), "README.md:2: path of a machine: "+plain("|root|"))
	check("README.md", plain("path=|home|me|x"), "path of a machine")
	check("README.md", plain("https:||example,com|home|x and a|work|b"))
	check("README.md", plain("see https:||pypi,org|project|openai"), "host of a package registry: "+plain("pypi,org"))
	check("Cargo.lock", plain(`source = "registry+https:||github,com|rust-lang|crates,io-index"`))
	check("package-lock.json", `  "resolved": "https://mirror.example/openai.tgz",`, "lock file with a registry's address")
	check("requirements.txt", "--extra-index-url https://mirror.example", "index setting")
	check(".npmrc", "registry=https://mirror.example", "registry setting")
	check("page.bin", "\x00"+plain("|root|"))
}

func TestReadmes(t *testing.T) {
	t.Parallel()
	check := func(archive string, want ...string) {
		t.Helper()
		expect(t, repocheck.CheckReadmes(tree(t, archive)), want...)
	}

	check("-- plugins/pii/README.md --\n-- plugins/pii/main.go --\npackage main\n-- plugins/README.md --\n")
	check("-- plugins/pii/main.go --\npackage main\n", "plugins/pii: no README.md")
	check("-- examples/demo/config.yaml --\n-- examples/demo/x/README.md --\n", "examples/demo: no README.md")
}

func TestNamedTests(t *testing.T) {
	t.Parallel()
	check := func(archive string, want ...string) {
		t.Helper()
		expect(t, repocheck.CheckTests(tree(t, strings.ReplaceAll(archive, "~", "`"))), want...)
	}

	const code = "-- core/a/a_test.go --\npackage a\n\nfunc TestOne(t *testing.T) {}\n"
	check(code + "-- README.md --\n~TestOne~, ~TestOne/some part~, ~core/a.TestOne~, ~go test -run TestTwo~, TestTwo\n")
	check(code+"-- README.md --\n~TestTwo~, ~core/b.TestOne~\n", "README.md: there is no test TestTwo", "README.md: there is no test core/b.TestOne")
	check(code+"-- config/STATUS.tsv --\na\tb\tin effect\tcore/a.TestOne/x\na\tc\tin effect\tcore/a.TestTwo\n",
		"config/STATUS.tsv: there is no test core/a.TestTwo")
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	got := repocheck.Configs(tree(t, strings.ReplaceAll(`-- README.md --
Text.
~~~yaml
model_list:
  - model_name: a
~~~
~~~yaml
other: true
~~~
~~~
model_list: []
~~~
1. In a list:
   ~~~yaml
   # The least.
   model_list: []
   ~~~
-- examples/demo/config.yaml --
# One model.
model_list: []
-- examples/demo/other.yaml --
services: []
-- core/llm/testdata/config.yaml --
model_list: []
-- notes.txt --
~~~yaml
model_list: []
~~~
`, "~~~", "```")))
	want := []repocheck.Block{
		{Path: "README.md", Line: 3, Body: "model_list:\n  - model_name: a\n"},
		{Path: "README.md", Line: 14, Body: "# The least.\nmodel_list: []\n"},
		{Path: "examples/demo/config.yaml", Line: 1, Body: "# One model.\nmodel_list: []\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config blocks (-want +got):\n%s", diff)
	}
}

// Out-of-tree modules and what no build makes are not of this module.
func TestReadSkips(t *testing.T) {
	t.Parallel()
	got := tree(t, `-- go.mod --
-- examples/out/go.mod --
-- examples/out/main.go --
package main
-- core/llm/testdata/x.go --
package broken
-- node_modules/p/x.go --
not go
-- core/llm/llm.go --
package llm
`)
	if len(got.Packages) != 1 || got.Packages[0].Dir != "core/llm" {
		t.Errorf("got packages %v, want core/llm only", got.Packages)
	}
}
