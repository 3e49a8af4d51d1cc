package repocheck

import (
	"fmt"
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
