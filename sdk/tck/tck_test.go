package tck_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/dump"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
	"github.com/sallyport-ai/sallyport/sdk/tck"
)

var update = flag.Bool("update", false, "write the golden files anew, with what the Go guest returns")

func TestGo(t *testing.T) {
	t.Parallel()
	if n := tck.Run(t, plugintest.Build(t, "guests/go")); n != allHooks {
		t.Errorf("%d hooks were run, want %d", n, allHooks)
	}
}

func TestRust(t *testing.T) {
	t.Parallel()
	if n := tck.Run(t, plugintest.Build(t, "guests/rust")); n != allHooks {
		t.Errorf("%d hooks were run, want %d", n, allHooks)
	}
}

const allHooks = 15

// TestGolden compares the golden views with the ones that views_test.go builds. Bytes that change break every plugin
// there is, so -update is for new cases.
func TestGolden(t *testing.T) {
	t.Parallel()
	if *update {
		write(t)
		return
	}
	cases, err := tck.Cases()
	if err != nil {
		t.Fatal(err)
	}
	built := views(t)
	if len(cases) != len(built) {
		t.Errorf("%d golden cases, %d are built: run go test ./sdk/tck -count=1 -run Golden -update", len(cases), len(built))
	}
	for _, c := range cases {
		i := find(built, c)
		if i < 0 || !bytes.Equal(built[i].View, c.View) {
			t.Errorf("the golden view of %s %s is not the one that is built", c.Hook, c.Name)
		}
	}
}

func find(list []tck.Case, c tck.Case) int {
	for i := range list {
		if list[i].Hook == c.Hook && list[i].Name == c.Name {
			return i
		}
	}
	return -1
}

// write makes the golden files.
func write(t *testing.T) {
	names, err := dump.TagNames()
	if err != nil {
		t.Fatal(err)
	}
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "guests/go")})
	probe, err := p.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	x := plugintest.Exchange(t, llm.OpChat, []byte(`{"model":"echo","a":{"b":"c"}}`))
	x.Header = append(x.Header, llm.Field{Name: []byte("X-Tck"), Value: []byte("h")})
	archives := map[abi.Hook]*txtar.Archive{}
	for _, c := range views(t) {
		out, err := probe.Call(t.Context(), c.Hook, c.View, x)
		if err != nil {
			t.Fatalf("%s %s: %v", c.Hook, c.Name, err)
		}
		a := archives[c.Hook]
		if a == nil {
			a = &txtar.Archive{Comment: fmt.Appendf(nil, "Views of the hook %s, and what the guest of an SDK returns for them.\n\n", c.Hook)}
			archives[c.Hook] = a
		}
		a.Files = append(a.Files,
			txtar.File{Name: c.Name + "/view", Data: []byte(dump.Format(c.View, names))},
			txtar.File{Name: c.Name + "/result", Data: []byte(dump.Format(out, names))})
	}
	for hook, a := range archives {
		if err := os.WriteFile(filepath.Join("testdata", hook.String()+".txtar"), txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
