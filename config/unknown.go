package config

import (
	"fmt"
	"strings"
)

// maxSuggestLength keeps comparing hostile keys with every known one cheap.
const maxSuggestLength = 100

// unknown reports a key that the schema does not have.
func (k *checker) unknown(e *entry, sn *schemaNode, path string) {
	policy := UnknownTypo
	if sn.setting != nil {
		policy = sn.setting.Unknown
	}
	path, section := join(path, e.key), path
	anchors := section == "" && isAnchorKey(e.key)
	loose := policy == UnknownKeep || policy == UnknownDefault || anchors
	k.remember(e.val, !loose || secretName(e.key))
	k.inside(e.val, path)
	entry := Entry{
		Path: path, File: e.pos.File, Line: e.pos.Line, Status: "unknown",
		Value: display(e.val, isTextNode(e.val) && (policy != UnknownKeep || secretName(e.key))),
	}
	if anchors {
		entry.Status, entry.Message = "", "not a section: kept for its anchors"
		k.rep.add(entry)
		return
	}
	if e.val.missing {
		k.missingVariable(e.val, &Setting{}, path, e.pos, "the setting counts as absent")
	}
	k.dropMissing(e.val, path, &Setting{})
	if policy == UnknownKeep {
		entry.Status = InEffect.String()
		k.rep.add(entry)
		return
	}
	typo, hint := k.hint(e.key, sn, section, policy)
	entry.Suggestion = hint
	entry.Severity, entry.Message = Warning, "unknown setting: it has no effect"
	switch {
	case policy == UnknownDefault:
		entry.Message = "not a setting of a deployment: sent to the provider as a default parameter of every request"
	case policy == UnknownError, policy == UnknownTypo && typo:
		entry.Severity, entry.Message = Error, "unknown setting"
	}
	k.rep.add(entry)
}

// isTextNode keeps the text of an unknown key out of the report: it may be a
// secret under a misspelt name.
func isTextNode(n *node) bool {
	_, ok := n.scalar.(string)
	return ok || n.kind != scalarKind
}

// isAnchorKey recognises the names under which YAML files keep what is only
// there to be referred to.
func isAnchorKey(key string) bool {
	return strings.HasPrefix(key, "x-") || strings.HasPrefix(key, "_") || strings.HasPrefix(key, ".")
}

// hint finds the key that was meant: one of the same object that is close, or
// the same key in another section. typo says that the mistake is certain
// enough to stop the start.
func (k *checker) hint(key string, sn *schemaNode, path string, policy Unknown) (typo bool, hint string) {
	if len(key) > maxSuggestLength {
		return false, ""
	}
	homes := k.homes[key]
	if len(homes) > 0 && !strings.ContainsAny(path, ".[") {
		return true, fmt.Sprintf("%q belongs to %s: move it there", key, strings.Join(homes, " or "))
	}
	if near := nearest(key, sn.names, 2); near != "" {
		return true, fmt.Sprintf("did you mean %q?", near)
	}
	if policy == UnknownError {
		if near := nearest(key, sn.names, len(key)/2); near != "" {
			return false, fmt.Sprintf("the nearest setting is %q; sallyport knows no other of this kind, so remove it", near)
		}
	}
	return false, ""
}
