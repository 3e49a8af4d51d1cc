// Package repocheck holds the rules of this repository that no compiler and no
// linter checks: which way imports point, one package comment each, no hidden
// package state, documentation that loads. Its tests run the rules over the
// whole tree and, with made-up trees, over themselves.
package repocheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/sallyport-ai/sallyport"

// Tree is the repository as the rules see it.
type Tree struct {
	// Packages are the folders with Go files of the root module, by path.
	Packages []Package
	// Texts are all files without NUL bytes, Go files included, by path.
	Texts []Text
}

// Package is one folder with Go files.
type Package struct {
	// Dir is the slash path from the root of the repository.
	Dir   string
	Files []File
}

// File is one parsed Go file.
type File struct {
	Path    string
	Imports []string
	Syntax  *ast.File
	fset    *token.FileSet
}

// Test says whether the go command compiles the file only for tests.
func (f File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

func (f File) at(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", f.Path, f.fset.Position(pos).Line)
}

// Text is one file that people read.
type Text struct {
	Path string
	Body string
}

// Read parses the tree at root, which is the folder of go.mod. It reads what is
// there and not what is committed, so that a result cached by the go command
// becomes stale when a file changes; what .gitignore names is left out.
func Read(root fs.FS) (Tree, error) {
	var tree Tree
	packages := map[string]*Package{}
	nested := map[string]bool{}
	fset := token.NewFileSet()

	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if ignored(entry.Name()) {
				return fs.SkipDir
			}
			if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil && name != "." {
				nested[name] = true
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		body, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(body, 0) >= 0 {
			return nil
		}
		tree.Texts = append(tree.Texts, Text{Path: name, Body: string(body)})
		if path.Ext(name) != ".go" || inModule(nested, name) || strings.Contains("/"+name, "/testdata/") {
			return nil
		}
		file, err := parse(fset, name, body)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &Package{Dir: dir}
		}
		packages[dir].Files = append(packages[dir].Files, file)
		return nil
	})
	if err != nil {
		return Tree{}, err
	}
	for _, p := range packages {
		tree.Packages = append(tree.Packages, *p)
	}
	slices.SortFunc(tree.Packages, func(a, b Package) int { return strings.Compare(a.Dir, b.Dir) })
	return tree, nil
}

func ignored(dir string) bool {
	switch dir {
	case ".git", "bin", ".cache", "node_modules", ".venv", "target", "__pycache__":
		return true
	}
	return false
}

// inModule says whether one of the folders that hold a go.mod is above name.
func inModule(modules map[string]bool, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if modules[dir] {
			return true
		}
	}
	return false
}

func parse(fset *token.FileSet, name string, body []byte) (File, error) {
	syntax, err := parser.ParseFile(fset, name, body, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	file := File{Path: name, Syntax: syntax, fset: fset}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", file.at(spec.Pos()), err)
		}
		file.Imports = append(file.Imports, imported)
	}
	return file, nil
}
