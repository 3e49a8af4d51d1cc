package repocheck

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// CheckComments reports every package that has not exactly one package comment.
// A folder with nothing but tests needs none.
func CheckComments(tree Tree) []string {
	var problems []string
	for _, p := range tree.Packages {
		var with []string
		code := 0
		for _, file := range p.Files {
			if file.Test() {
				continue
			}
			code++
			text := file.Syntax.Doc.Text()
			if text == "" {
				continue
			}
			with = append(with, file.Path)
			name := file.Syntax.Name.Name
			if name != "main" && !strings.HasPrefix(text, "Package "+name+" ") {
				problems = append(problems, fmt.Sprintf("%s: the package comment begins with \"Package %s\"", file.Path, name))
			}
		}
		switch {
		case code == 0 || len(with) == 1:
		case len(with) == 0:
			problems = append(problems, p.Dir+": no package comment: say in one file what the package is for")
		default:
			problems = append(problems, fmt.Sprintf("%s: package comments in %s: keep one", p.Dir, strings.Join(with, ", ")))
		}
	}
	return problems
}

// constantMark begins the comment that allows a package variable. The reason
// follows it: why a constant will not do, and what keeps the value from changing.
const constantMark = "//repocheck:constant"

// CheckState reports init functions and package variables, for they are state
// that no caller sees or can replace. Allowed are error sentinels, embedded
// files, interface assertions and what carries constantMark with a reason.
func CheckState(tree Tree) []string {
	var problems []string
	for _, p := range tree.Packages {
		for _, file := range p.Files {
			if file.Test() {
				continue
			}
			for _, decl := range file.Syntax.Decls {
				problems = append(problems, checkDecl(p, file, decl)...)
			}
		}
	}
	return problems
}

func checkDecl(p Package, file File, decl ast.Decl) []string {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv == nil && decl.Name.Name == "init" && !reactor(p, file) {
			return []string{file.at(decl.Pos()) + ": init function: build the value in core/app and hand it in"}
		}
	case *ast.GenDecl:
		if decl.Tok == token.VAR {
			return checkVars(file, decl)
		}
	}
	return nil
}

// reactor says whether the file is the main package of a plugin. The runtime of
// a WebAssembly reactor runs init and never main, so hooks are registered there.
func reactor(p Package, file File) bool {
	return file.Syntax.Name.Name == "main" && (isBelow(p.Dir, "plugins") || isBelow(p.Dir, "examples"))
}

func checkVars(file File, decl *ast.GenDecl) []string {
	var problems []string
	for _, spec := range decl.Specs {
		spec, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		reason, marked := constantReason(decl.Doc, spec.Doc, spec.Comment)
		if marked && reason == "" {
			problems = append(problems, fmt.Sprintf("%s: %s needs a reason after it", file.at(spec.Pos()), constantMark))
		}
		if marked || embedded(decl.Doc, spec.Doc) {
			continue
		}
		for i, name := range spec.Names {
			if name.Name == "_" || i < len(spec.Values) && sentinel(name.Name, spec.Values[i]) {
				continue
			}
			problems = append(problems, fmt.Sprintf(
				"%s: package variable %s: make it a constant, a function with a switch or a field; a table that never changes takes %q before it",
				file.at(name.Pos()), name.Name, constantMark+" <why>"))
		}
	}
	return problems
}

func constantReason(groups ...*ast.CommentGroup) (reason string, marked bool) {
	return directive(constantMark, groups...)
}

func embedded(groups ...*ast.CommentGroup) bool {
	_, ok := directive("//go:embed", groups...)
	return ok
}

func directive(name string, groups ...*ast.CommentGroup) (rest string, ok bool) {
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			if rest, ok := strings.CutPrefix(comment.Text, name); ok {
				return strings.TrimSpace(rest), true
			}
		}
	}
	return "", false
}

// sentinel says whether a variable is an error that callers compare with.
func sentinel(name string, value ast.Expr) bool {
	if !strings.HasPrefix(name, "Err") && !strings.HasPrefix(name, "err") {
		return false
	}
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := fun.X.(*ast.Ident)
	return ok && (pkg.Name == "errors" && fun.Sel.Name == "New" || pkg.Name == "fmt" && fun.Sel.Name == "Errorf")
}
