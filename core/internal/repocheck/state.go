package repocheck

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// constantMark begins the comment that allows a package variable. The reason
// follows it: why a constant will not do, and what keeps the value from changing.
const constantMark = "//repocheck:constant"

// CheckState reports init functions and package variables, for they are state
// that no caller sees or can replace. Allowed are
//   - error sentinels, embedded files and interface assertions,
//   - tables that the package never writes to: byte strings, maps, slices and
//     arrays, regular expressions and replacers given in full,
//   - a sync.Pool, which only ever holds what nobody needs,
//   - what carries constantMark with a reason.
func CheckState(tree Tree) []string {
	var problems []string
	for _, p := range tree.Packages {
		writes := writesOf(p)
		for _, file := range p.Files {
			if file.Test() {
				continue
			}
			for _, decl := range file.Syntax.Decls {
				problems = append(problems, checkDecl(file, decl, writes)...)
			}
		}
	}
	return problems
}

func checkDecl(file File, decl ast.Decl, writes map[string]string) []string {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv == nil && decl.Name.Name == "init" {
			return []string{file.at(decl.Pos()) + ": init function: build the value in core/app and hand it in"}
		}
	case *ast.GenDecl:
		if decl.Tok != token.VAR {
			return nil
		}
		var problems []string
		for _, spec := range decl.Specs {
			if spec, ok := spec.(*ast.ValueSpec); ok {
				problems = append(problems, checkVars(file, decl.Doc, spec, writes)...)
			}
		}
		return problems
	}
	return nil
}

func checkVars(file File, group *ast.CommentGroup, spec *ast.ValueSpec, writes map[string]string) []string {
	if reason, marked := directive(constantMark, group, spec.Doc, spec.Comment); marked {
		if reason == "" {
			return []string{fmt.Sprintf("%s: %s needs a reason after it", file.at(spec.Pos()), constantMark)}
		}
		return nil
	}
	if _, embedded := directive("//go:embed", group, spec.Doc); embedded {
		return nil
	}
	var problems []string
	for i, name := range spec.Names {
		var value ast.Expr
		if i < len(spec.Values) {
			value = spec.Values[i]
		}
		where := file.at(name.Pos())
		switch {
		case name.Name == "_", sentinel(name.Name, value), instanceOf(value, "sync", "Pool"):
		case !table(value):
			problems = append(problems, fmt.Sprintf(
				"%s: package variable %s: make it a constant, a function or a field, or say after %s why it cannot be and what keeps it from changing",
				where, name.Name, constantMark))
		case writes[name.Name] != "":
			problems = append(problems, fmt.Sprintf(
				"%s: package variable %s is written at %s: make it a field, or name the other thing differently",
				where, name.Name, writes[name.Name]))
		}
	}
	return problems
}

func directive(name string, groups ...*ast.CommentGroup) (rest string, found bool) {
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			if rest, found := strings.CutPrefix(comment.Text, name); found {
				return strings.TrimSpace(rest), true
			}
		}
	}
	return "", false
}

// sentinel says whether a variable is an error that callers compare with.
func sentinel(name string, value ast.Expr) bool {
	return (strings.HasPrefix(name, "Err") || strings.HasPrefix(name, "err")) &&
		(calls(value, "errors", "New") || calls(value, "fmt", "Errorf"))
}

// table says whether a value is given in full where it stands.
func table(value ast.Expr) bool {
	switch value := value.(type) {
	case *ast.CompositeLit:
		switch value.Type.(type) {
		case *ast.ArrayType, *ast.MapType:
			return true
		}
	case *ast.CallExpr:
		_, conversion := value.Fun.(*ast.ArrayType)
		return conversion || calls(value, "regexp", "MustCompile") || calls(value, "strings", "NewReplacer")
	}
	return false
}

func calls(value ast.Expr, pkg, name string) bool {
	call, ok := value.(*ast.CallExpr)
	return ok && qualified(call.Fun, pkg, name)
}

func instanceOf(value ast.Expr, pkg, name string) bool {
	literal, ok := value.(*ast.CompositeLit)
	return ok && qualified(literal.Type, pkg, name)
}

func qualified(expr ast.Expr, pkg, name string) bool {
	selector, ok := expr.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	qualifier, ok := selector.X.(*ast.Ident)
	return ok && qualifier.Name == pkg && selector.Sel.Name == name
}

// writesOf returns where each name is first written in a package: assigned, also
// in a part, its address taken, or given to a builtin that writes. Names are not
// resolved, so a local variable of the same name counts too.
func writesOf(p Package) map[string]string {
	writes := map[string]string{}
	for _, file := range p.Files {
		if file.Test() {
			continue
		}
		note := func(target ast.Expr) {
			if name := root(target); name != "" && writes[name] == "" {
				writes[name] = file.at(target.Pos())
			}
		}
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.AssignStmt:
				if node.Tok != token.DEFINE {
					for _, target := range node.Lhs {
						note(target)
					}
				}
			case *ast.IncDecStmt:
				note(node.X)
			case *ast.UnaryExpr:
				if node.Op == token.AND {
					note(node.X)
				}
			case *ast.CallExpr:
				if builtin, ok := node.Fun.(*ast.Ident); ok && len(node.Args) > 0 {
					switch builtin.Name {
					case "clear", "copy", "delete":
						note(node.Args[0])
					}
				}
			}
			return true
		})
	}
	return writes
}

// root returns the variable of which an expression is a part, "" when it is of none.
func root(expr ast.Expr) string {
	for {
		switch e := expr.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.IndexExpr:
			expr = e.X
		case *ast.SliceExpr:
			expr = e.X
		case *ast.SelectorExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		default:
			return ""
		}
	}
}
