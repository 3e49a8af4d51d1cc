package repocheck

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// CheckMachines reports what is true on one machine only: paths into somebody's
// folders, and hosts of package registries, which a mirror's user cannot reach.
func CheckMachines(tree Tree) []string {
	machinePath := regexp.MustCompile("(^|[\\s\"'`=:(,\\[])/(root|work|home)/")
	var problems []string
	for _, text := range tree.Texts {
		number := 0
		for line := range strings.Lines(text.Body) {
			number++
			where := fmt.Sprintf("%s:%d: ", text.Path, number)
			if found := machinePath.FindString(line); found != "" {
				problems = append(problems, where+"path of a machine: "+strings.TrimSpace(found))
			}
			for _, host := range registryHosts() {
				if strings.Contains(line, host) {
					problems = append(problems, where+"host of a package registry: "+host)
				}
			}
			if problem := lockedSource(path.Base(text.Path), line); problem != "" {
				problems = append(problems, where+problem)
			}
		}
	}
	return problems
}

// registryHosts are put together here so that this file passes its own rule.
func registryHosts() []string {
	hosts := []string{
		"registry npmjs org", "registry yarnpkg com",
		"pypi org", "files pythonhosted org",
		"proxy golang org", "sum golang org", "goproxy io",
		"index crates io", "static crates io",
		"deb debian org", "archive ubuntu com",
	}
	for i, host := range hosts {
		hosts[i] = strings.ReplaceAll(host, " ", ".")
	}
	return hosts
}

// lockedSource finds settings that tie a dependency list to one registry.
func lockedSource(file, line string) string {
	line = strings.TrimSpace(line)
	switch {
	case file == "package-lock.json" && strings.HasPrefix(line, `"resolved": "http`):
		return "lock file with a registry's address: npm config set omit-lockfile-registry-resolved true, and make it again"
	case file == ".npmrc" && strings.Contains(line, "registry="):
		return "registry setting: it belongs to the machine"
	case strings.HasSuffix(file, "requirements.txt") && (strings.HasPrefix(line, "-i ") || strings.Contains(line, "index-url")):
		return "index setting: it belongs to the machine"
	}
	return ""
}

// CheckReadmes reports the plugins and examples that do not say what they are.
func CheckReadmes(tree Tree) []string {
	with, all := map[string]bool{}, []string{}
	for _, text := range tree.Texts {
		parts := strings.Split(text.Path, "/")
		if len(parts) < 3 || parts[0] != "plugins" && parts[0] != "examples" {
			continue
		}
		dir := parts[0] + "/" + parts[1]
		if _, seen := with[dir]; !seen {
			with[dir] = false
			all = append(all, dir)
		}
		if text.Path == dir+"/README.md" {
			with[dir] = true
		}
	}
	var problems []string
	for _, dir := range all {
		if !with[dir] {
			problems = append(problems, dir+": no README.md")
		}
	}
	return problems
}

// Block is a configuration as a reader finds it: in a fenced block of a Markdown
// file, or in a file of its own in examples.
type Block struct {
	Path string
	// Line is the number of the first line of Body in the file.
	Line int
	Body string
}

// Configs returns the yaml blocks of Markdown files, and the yaml files of
// examples, that have a model_list.
func Configs(tree Tree) []Block {
	var found []Block
	for _, text := range tree.Texts {
		var blocks []Block
		switch path.Ext(text.Path) {
		case ".md":
			blocks = yamlBlocks(text)
		case ".yaml", ".yml":
			if isBelow(text.Path, "examples") {
				blocks = []Block{{Path: text.Path, Line: 1, Body: text.Body}}
			}
		}
		for _, block := range blocks {
			if strings.HasPrefix(block.Body, "model_list:") || strings.Contains(block.Body, "\nmodel_list:") {
				found = append(found, block)
			}
		}
	}
	return found
}

// yamlBlocks cuts out the blocks between ```yaml and ```. A fence may be
// indented, as it is in a list; its indent is then taken off the block.
func yamlBlocks(text Text) []Block {
	var blocks []Block
	var block *Block
	number, indent := 0, ""
	for line := range strings.Lines(text.Body) {
		number++
		fence := strings.TrimSpace(line)
		switch {
		case block == nil && (fence == "```yaml" || fence == "```yml"):
			indent, _, _ = strings.Cut(line, "`")
			block = &Block{Path: text.Path, Line: number + 1}
		case block != nil && fence == "```":
			blocks = append(blocks, *block)
			block = nil
		case block != nil:
			block.Body += strings.TrimPrefix(line, indent)
		}
	}
	return blocks
}
