package plugintool

import (
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

// Hooks returns the hooks that a project in the language can begin with.
func Hooks(lang toolchain.Language) []string {
	entries, err := fs.ReadDir(templates, path.Join("templates", string(lang)))
	if err != nil {
		return nil
	}
	var hooks []string
	for _, e := range entries {
		if e.Name() != "common" {
			hooks = append(hooks, e.Name())
		}
	}
	return hooks
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
	for _, part := range []string{n.Hook, "common"} {
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
	hooks := Hooks(n.Lang)
	if hooks == nil {
		return fmt.Errorf("there is no SDK for the language %q: it is go or rust", n.Lang)
	}
	if !slices.Contains(hooks, n.Hook) {
		return fmt.Errorf("there is no %s project for the hook %q: there is one for %s", n.Lang, n.Hook, strings.Join(hooks, ", "))
	}
	return nil
}

// write copies a folder of templates.
func (n *NewProject) write(part string) (files []string, err error) {
	root := path.Join("templates", string(n.Lang), part)
	replace := strings.NewReplacer("__name__", n.Name, "__crate__", strings.ReplaceAll(n.Name, "-", "_"), "__hook__", n.Hook, "__go__", GoVersion)
	err = fs.WalkDir(templates, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(templates, name)
		if err != nil {
			return err
		}
		file := strings.TrimSuffix(strings.TrimPrefix(name, root+"/"), ".txt")
		if file == "gitignore" { // a file of that name would count here, too
			file = "." + file
		}
		files = append(files, file)
		return n.put(file, []byte(replace.Replace(string(body))))
	})
	return files, err
}

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
