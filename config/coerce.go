package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// coerce checks that a value has one of the types and converts what LiteLLM
// converts: text that came from an environment variable to numbers and
// booleans, YAML 1.1's yes and no to booleans, dates and versions to the text
// as written. It returns "" or what was found instead.
func coerce(n *node, t Type) string {
	if t&TypeAny != 0 {
		return ""
	}
	switch n.kind {
	case listKind:
		return coerceList(n, t)
	case mapKind:
		if t&TypeObject != 0 {
			return ""
		}
		return describe(n)
	}
	if t&TypeText != 0 && n.scalar != nil {
		n.scalar = n.text
		return ""
	}
	return coerceScalar(n, t)
}

func coerceList(n *node, t Type) string {
	switch {
	case t&TypeList != 0:
		return ""
	case t&TypeStrings != 0:
		for i, item := range n.items {
			if item.missing {
				continue
			}
			if item.kind != scalarKind || coerceScalar(item, TypeString) != "" {
				return fmt.Sprintf("%s as item %d", describe(item), i+1)
			}
		}
		return ""
	case t&TypeObjects != 0:
		for i, item := range n.items {
			if item.kind != mapKind {
				return fmt.Sprintf("%s as item %d", describe(item), i+1)
			}
		}
		return ""
	}
	return describe(n)
}

func coerceScalar(n *node, t Type) string {
	text, isText := n.scalar.(string)
	convert := isText && n.variable != ""
	plain := isText && !n.quoted
	if t&TypeBool != 0 {
		if _, ok := n.scalar.(bool); ok {
			return ""
		}
		// use_x_forwarded_for is documented as text; so is "true" here.
		if b, err := parseBool(text); err == nil && (convert || t&TypeString != 0 || plain && isYAML11Bool(text)) {
			n.scalar = b
			return ""
		}
	}
	if t&(TypeInt|TypeNumber|TypeSeconds) != 0 {
		value := n.scalar
		if convert || isText && t&TypeString != 0 {
			if f, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
				value = f
			}
		}
		if done, why := coerceNumber(n, value, t); done {
			return why
		}
	}
	if isText && t&TypeString != 0 {
		return ""
	}
	return describe(n)
}

// isYAML11Bool reports whether PyYAML, and so LiteLLM, reads a plain word as
// a boolean where YAML 1.2 does not.
func isYAML11Bool(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "no", "on", "off":
		return true
	}
	return false
}

func coerceNumber(n *node, value any, t Type) (done bool, why string) {
	var f float64
	switch v := value.(type) {
	case int:
		f = float64(v)
	case float64:
		f = v
	default:
		return false, ""
	}
	if f < 0 {
		return true, "a negative number"
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return true, "a number out of range"
	}
	if t&(TypeNumber|TypeSeconds) != 0 {
		n.scalar = f
		return true, ""
	}
	if f != math.Trunc(f) || f > 1<<53 {
		return true, "a number with a fraction or out of range"
	}
	n.scalar = int(f)
	return true, ""
}

// describe names the type of a value without showing it.
func describe(n *node) string {
	switch n.kind {
	case listKind:
		return "a list"
	case mapKind:
		return "an object"
	}
	switch n.scalar.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case int:
		return "an integer"
	case float64:
		return "a number"
	}
	return "a string"
}

func withArticle(words string) string {
	if strings.ContainsRune("aeiou", rune(words[0])) {
		return "an " + words
	}
	return "a " + words
}

// typeFix says how to write a value of the expected type.
func typeFix(n *node, t Type) string {
	text, isText := n.scalar.(string)
	_, boolErr := parseBool(text)
	_, numErr := strconv.ParseFloat(text, 64)
	switch {
	case n.kind == scalarKind && n.scalar != nil && !isText && t&(TypeString|TypeBool) == TypeString:
		return "put quotes around it"
	case isText && n.variable == "" && t&TypeBool != 0 && boolErr == nil,
		isText && n.variable == "" && t&(TypeInt|TypeNumber|TypeSeconds) != 0 && numErr == nil:
		return "remove the quotes"
	case n.kind == scalarKind && t&(TypeStrings|TypeList) != 0 && t&TypeString == 0:
		return "write it as a list: [value]"
	}
	return ""
}

// display shows a value in a report: a reference as it was written, secrets
// masked, long and nested values shortened.
func display(n *node, secret bool) string {
	switch {
	case n.variable != "":
		return referencePrefix + n.variable
	case n.kind == mapKind:
		return "{" + plural(len(n.entries), "key") + "}"
	case n.kind == listKind && (secret || !allScalars(n)):
		return "[" + plural(len(n.items), "item") + "]"
	case n.kind == listKind:
		var parts []string
		for _, item := range n.items {
			parts = append(parts, display(item, false))
		}
		return shorten("[" + strings.Join(parts, ", ") + "]")
	case n.scalar == nil:
		return "null"
	case secret && n.text == "":
		return `""`
	case secret:
		return mask
	}
	return shorten(maskURL(n.text))
}

func allScalars(n *node) bool {
	for _, item := range n.items {
		if item.kind != scalarKind {
			return false
		}
	}
	return true
}

const maxShown = 60

func shorten(s string) string {
	r := []rune(s)
	if len(r) <= maxShown {
		return s
	}
	return string(r[:maxShown-3]) + "..."
}

// urlLogin finds the user and password in an address, urlQuery what follows
// its path.
var (
	urlLogin = regexp.MustCompile(`://[^/?#]*@`)
	urlQuery = regexp.MustCompile(`(://[^?#]*[?#]).*`)
)

// maskURL hides the login and the query of an address, where keys are put.
func maskURL(s string) string {
	s = urlLogin.ReplaceAllString(s, "://"+mask+"@")
	return urlQuery.ReplaceAllString(s, "${1}"+mask)
}

// secretWord finds names whose values are secrets, for keys that the schema
// does not know.
var secretWord = regexp.MustCompile(`(?i)(key|token|secret|passw|credential|auth|cookie|dsn|webhook)`)

func secretName(key string) bool { return secretWord.MatchString(key) }

// nearest returns the candidate that is at most limit letters away from key,
// or "". Short keys allow fewer, so that "n" does not mean "id".
func nearest(key string, candidates []string, limit int) string {
	best, bestAt := "", min(limit, len(key)/3)+1
	for _, c := range candidates {
		if d := levenshtein.Distance(strings.ToLower(key), strings.ToLower(c), nil); d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}
