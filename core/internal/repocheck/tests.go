package repocheck

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// CheckTests reports the tests that a Markdown file names in backquotes, or config/STATUS.tsv in its last column, and that are
// not there: TestName, TestName/part, or core/gateway.TestName for that of one folder.
func CheckTests(tree Tree) []string {
	folders := map[string][]string{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z]\w*)\(`)
	for _, text := range tree.Texts {
		if !strings.HasSuffix(text.Path, "_test.go") || strings.Contains("/"+text.Path, "/testdata/") {
			continue
		}
		for _, m := range function.FindAllStringSubmatch(text.Body, -1) {
			folders[m[1]] = append(folders[m[1]], path.Dir(text.Path))
		}
	}
	name := `(?:([a-z][a-z0-9_/-]*)\.)?((?:Test|Fuzz|Benchmark)[A-Z]\w*)(?:/[^` + "`" + `\t\n]*)?`
	quoted, column := regexp.MustCompile("`"+name+"`"), regexp.MustCompile(`(?m)\t`+name+`$`)
	var problems []string
	for _, text := range tree.Texts {
		named := quoted
		switch {
		case text.Path == "config/STATUS.tsv":
			named = column
		case path.Ext(text.Path) != ".md":
			continue
		}
		for _, m := range named.FindAllStringSubmatch(text.Body, -1) {
			if dirs := folders[m[2]]; len(dirs) == 0 || m[1] != "" && !slices.Contains(dirs, m[1]) {
				problems = append(problems, fmt.Sprintf("%s: there is no test %s", text.Path, strings.Trim(m[0], "`\t")))
			}
		}
	}
	return problems
}
