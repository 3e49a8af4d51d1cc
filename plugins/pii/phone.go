package main

import "strings"

// phoneAt returns how many groups the phone number has that begins with the first.
func phoneAt(s string, g []group) int {
	start := g[0].start
	if g[0].len() == 1 && s[start] == '0' || date(g) {
		return 0
	}
	after := byte('0') // the second digit
	if g[0].len() > 1 {
		after = s[start+1]
	}
	if start > 0 && s[start-1] == '+' && s[start] != '0' {
		return run(s, g, 8, 15)
	}
	if s[start] == '0' && after == '0' && g[0].len() > 2 && s[start+2] != '0' {
		return run(s, g, 10, 17) // 00 in place of the plus sign
	}
	if n := american(s, g); n > 0 {
		return n
	}
	if s[start] == '0' && after != '0' {
		if n := run(s, g, 9, 12); n > 1 {
			return n
		}
	}
	if n := run(s, g, 7, 15); n > 0 && before(s, start, "phone", "tel", "mobile", "mobil", "cell", "call", "fax", "whatsapp", "handy") {
		return n
	}
	return 0
}

// run returns the most groups that have least to most digits together.
func run(s string, g []group, least, most int) int {
	sum, best := 0, 0
	for n := range g {
		// A single digit is a trunk prefix in parentheses, or the area of Paris.
		if n > 1 && g[n].len() == 1 || n == 1 && g[n].len() == 1 && len(g) == 2 {
			break
		}
		if sum += g[n].len(); sum > most {
			break
		}
		if sum >= least && edge(s, g[n].end) {
			best = n + 1
		}
	}
	return best
}

// american returns the groups of a number of the North American plan: an area, an exchange, a line, perhaps a 1 in front.
func american(s string, g []group) int {
	n := 0
	if len(g) == 4 && g[0].len() == 1 && s[g[0].start] == '1' {
		n = 1
	}
	if len(g) < n+3 || g[n].len() != 3 || g[n+1].len() != 3 || g[n+2].len() != 4 {
		return 0
	}
	if s[g[n].start] < '2' || s[g[n+1].start] < '2' || !edge(s, g[n+2].end) {
		return 0
	}
	return n + 3
}

// date reports whether the groups begin with a day, a month and a year.
func date(g []group) bool {
	if len(g) < 3 {
		return false
	}
	return g[0].len() <= 2 && g[1].len() <= 2 && g[2].len() == 4 || g[0].len() == 4 && g[1].len() <= 2 && g[2].len() <= 2
}

// opened moves the start of a phone number back to its plus sign, and to a parenthesis that is closed within it.
func opened(s string, start, end int) int {
	if start > 0 && s[start-1] == '+' {
		start--
	}
	if start > 0 && s[start-1] == '(' && strings.IndexByte(s[start:end], ')') >= 0 {
		start--
	}
	if start > 0 && s[start-1] == '+' {
		start--
	}
	return start
}
