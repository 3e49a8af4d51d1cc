package plugintool

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/toolchain"
	"github.com/sallyport-ai/sallyport/sdk"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// The names end in .txt, so that neither the compiler nor a rule of this repository takes them for its own files.
//
//go:embed templates
var templates embed.FS

// NewProject describes a plugin project to make.
type NewProject struct {
	Name string             // of the plugin and of its folder: lower case letters, digits and hyphens
	Lang toolchain.Language // empty is Go
	Hook string             // empty is request
	Dir  string             // the folder to make; empty is Name
}

// Hooks returns what a project can begin with: a hook by its name in manifests, or "sso" and "stream", which are two hooks
// each.
func Hooks() []string {
	entries, err := fs.ReadDir(templates, "templates/hook")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// project returns the project that has a hook.
func project(hook string) string {
	switch hook = strings.ReplaceAll(hook, "-", "_"); hook {
	case abi.HookSSOBegin.String(), abi.HookSSOCallback.String():
		return "sso"
	case abi.HookStreamChunk.String(), abi.HookStreamEnd.String():
		return "stream"
	}
	return hook
}

// Example returns an Input for a hook: that of the project which begins with it.
func Example(hook string) ([]byte, error) {
	dir := path.Join("templates/hook", project(hook))
	if b, err := templates.ReadFile(path.Join(dir, "input.json.txt")); err == nil {
		return bytes.ReplaceAll(b, []byte("__name__"), []byte("my-vendor")), nil
	}
	for _, member := range []string{"request", "response"} {
		if b, err := templates.ReadFile(path.Join(dir, member+".json.txt")); err == nil {
			b = bytes.ReplaceAll(bytes.TrimSpace(b), []byte("\n"), []byte("\n  "))
			return fmt.Appendf(nil, "{\n  %q: %s\n}\n", member, b), nil
		}
	}
	return nil, fmt.Errorf("there is no hook %q: there are %s", hook, strings.Join(Hooks(), ", "))
}

// Create writes the project with the SDK's source in it, so that it builds without a network. It returns the folder
// and the names of the author's files. It changes nothing that exists.
func (n NewProject) Create() (dir string, files []string, err error) {
	if err := n.check(); err != nil {
		return "", nil, err
	}
	if entries, err := os.ReadDir(n.Dir); err == nil && len(entries) > 0 {
		return "", nil, fmt.Errorf("%s exists and is not empty: name another folder with --dir", n.Dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	for _, part := range []string{"hook/" + n.Hook, string(n.Lang)} {
		made, err := n.write(part)
		if err != nil {
			return "", nil, err
		}
		files = append(files, made...)
	}
	slices.Sort(files)
	return n.Dir, files, n.writeSDK()
}

func (n *NewProject) check() error {
	if !regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`).MatchString(n.Name) || len(n.Name) > 64 {
		return fmt.Errorf("the name %q: a plugin's name is made of lower case letters, digits and hyphens, such as no-secrets", n.Name)
	}
	if n.Lang == "" {
		n.Lang = toolchain.Go
	}
	if n.Hook == "" {
		n.Hook = "request"
	}
	if n.Dir == "" {
		n.Dir = n.Name
	}
	if n.Lang != toolchain.Go && n.Lang != toolchain.Rust {
		return fmt.Errorf("there is no SDK for the language %q: it is go or rust", n.Lang)
	}
	if n.Hook = project(n.Hook); !slices.Contains(Hooks(), n.Hook) {
		return fmt.Errorf("there is no project for the hook %q: there is one for %s", n.Hook, strings.Join(Hooks(), ", "))
	}
	return nil
}

// write copies a folder of templates, as far as it is for the language.
func (n *NewProject) write(part string) (files []string, err error) {
	entries, err := fs.ReadDir(templates, path.Join("templates", part))
	if err != nil {
		return nil, err
	}
	test := "go test ./..."
	if n.Lang == toolchain.Rust {
		test = "cargo test"
	}
	replace := strings.NewReplacer("__name__", n.Name, "__go__", GoVersion, "__test__", test, "__more__", moreToKnow)
	for _, e := range entries {
		body, err := fs.ReadFile(templates, path.Join("templates", part, e.Name()))
		if err != nil {
			return nil, err
		}
		file := strings.TrimSuffix(e.Name(), ".txt")
		switch {
		case strings.HasSuffix(file, ".go") && n.Lang != toolchain.Go, strings.HasSuffix(file, ".rs") && n.Lang != toolchain.Rust:
			continue
		case strings.HasSuffix(file, ".rs"):
			file = "src/" + file
		case file == "gitignore": // a file of that name would count here, too
			file = "." + file
		}
		files = append(files, file)
		if err := n.put(file, []byte(replace.Replace(string(body)))); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// moreToKnow is the end of each project's README.
const moreToKnow = "`manifest.json` says which hooks the plugin has and what it wants to see. The folder `sallyport` holds the SDK, so nothing\n" +
	"is downloaded."

// GoVersion is the oldest version of Go that the SDK is compiled and tested with.
const GoVersion = "1.26.0"

// Module is the path of this repository's module, which a Go project replaces by its folder "sallyport".
const Module = "github.com/sallyport-ai/sallyport"

// writeSDK puts the SDK into the folder "sallyport" of the project.
func (n *NewProject) writeSDK() error {
	source, at, below := sdk.Rust(), "sallyport", "rust"
	if n.Lang == toolchain.Go {
		source, at, below = sdk.Go(), "sallyport/sdk", "."
		mod := "// The SDK for plugins, as the gateway's command had it. Remove the replace line of ../go.mod to use a published one.\n" +
			"module " + Module + "\n\ngo " + GoVersion + "\n"
		if err := n.put("sallyport/go.mod", []byte(mod)); err != nil {
			return err
		}
	}
	return fs.WalkDir(source, below, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || sdk.Test(name) {
			return err
		}
		body, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		// The crate's own tests stay behind, so a workspace with the project in it must not look for them.
		body = bytes.Replace(body, []byte("#[cfg(test)]\nmod tests;\n"), nil, 1)
		return n.put(path.Join(at, strings.TrimPrefix(name, below+"/")), body)
	})
}

func (n *NewProject) put(name string, body []byte) error {
	file := filepath.Join(n.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, body, 0o644)
}
