package main

// ipv4 returns the end of the dotted address that begins at a place, or 0.
func ipv4(s string, at int) int {
	for part := range 4 {
		n, start := 0, at
		for at < len(s) && digit(s[at]) && at-start < 4 {
			n = n*10 + int(s[at]-'0')
			at++
		}
		if at == start || at-start > 3 || n > 255 || at-start > 1 && s[start] == '0' {
			return 0
		}
		if part < 3 {
			if at == len(s) || s[at] != '.' {
				return 0
			}
			at++
		}
	}
	if !edge(s, at) || at+1 < len(s) && s[at] == '.' && digit(s[at+1]) {
		return 0
	}
	return at
}

// colon looks at an IPv6 address around a colon.
func (f *finder) colon(s string, at int) {
	if last := len(f.spans) - 1; last >= 0 && f.spans[last].kind == ip && at < f.spans[last].end {
		return
	}
	start := at
	for start > 0 && at-start < 6 && (hexDigit(s[start-1]) || s[start-1] == ':') {
		start--
	}
	if start > 0 && wordByte(s[start-1]) {
		return
	}
	if end := ipv6(s, start); end > 0 {
		f.add(ip, start, end)
	}
}

// ipv6 returns the end of the address that begins at a place, or 0. What could be a name in a program, such as
// "dead::beef", is none: there is a digit in it, or it has all groups.
func ipv6(s string, start int) int {
	at, groups, gap, digits := start, 0, false, false
	for {
		from := at
		for at < len(s) && hexDigit(s[at]) && at-from < 5 {
			digits = digits || digit(s[at])
			at++
		}
		if at-from > 4 {
			return 0
		}
		if at < len(s) && s[at] == '.' && groups > 0 && at > from && at+1 < len(s) && digit(s[at+1]) {
			end := ipv4(s, from)
			if end == 0 || groups+2 > 8 || !gap && groups+2 != 8 {
				return 0
			}
			return end
		}
		if at > from {
			groups++
		}
		if at == len(s) || s[at] != ':' || groups == 8 {
			break
		}
		switch next := at + 1; {
		case next < len(s) && s[next] == ':':
			if gap || at == from && at != start {
				return 0
			}
			gap = true
			at += 2
			if at == len(s) || !hexDigit(s[at]) {
				return finish(s, at, groups, gap, digits)
			}
		case at == from:
			return 0
		case next == len(s) || !hexDigit(s[next]):
			return finish(s, at, groups, gap, digits)
		default:
			at++
		}
	}
	return finish(s, at, groups, gap, digits)
}

func finish(s string, at, groups int, gap, digits bool) int {
	switch {
	case at < len(s) && wordByte(s[at]),
		gap && groups > 7, !gap && groups != 8,
		!digits && groups < 8:
		return 0
	}
	return at
}

func hexDigit(c byte) bool { return digit(c) || c|0x20-'a' < 6 }
