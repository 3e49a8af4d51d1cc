package main

import "regexp/syntax"

const (
	leastLiteral = 3  // letters: shorter ones are in every text
	mostLiterals = 50 // of an alternation
)

// required returns texts of which every match of an expression holds one, in some case, or nil if it finds none.
func required(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	set := literals(re.Simplify())
	if shortest(set) < leastLiteral || len(set) > mostLiterals {
		return nil
	}
	return set
}

func literals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCapture, syntax.OpPlus:
		return literals(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literals(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if set := literals(sub); shortest(set) > shortest(best) {
				best = set
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			set := literals(sub)
			if len(set) == 0 {
				return nil
			}
			all = append(all, set...)
		}
		return all
	}
	return nil
}

// shortest is the length of the shortest of some texts, 0 if there is none.
func shortest(set []string) int {
	if len(set) == 0 {
		return 0
	}
	n := len([]rune(set[0]))
	for _, s := range set[1:] {
		n = min(n, len([]rune(s)))
	}
	return n
}
