package main

import "strings"

// group is a run of digits in a number that is written in groups.
type group struct {
	start, end int
}

const maxGroups = 24

func (g group) len() int { return g.end - g.start }

// digits looks at a number that begins at a place, or at the word that the digit is in.
func (f *finder) digits(s string, at int) {
	if at > 0 && wordByte(s[at-1]) {
		f.inWord(s, at)
		return
	}
	if f.want[ip] {
		if end := ipv4(s, at); end > 0 && (at == 0 || s[at-1] != '.') {
			f.add(ip, at, end)
			f.done = end
			return
		}
	}
	n := f.groups(s, at)
	if n > 1 || f.group[0].len() > 6 {
		f.number(s, n)
		return
	}
	if f.done < len(s) && wordByte(s[f.done]) && f.want[key] {
		f.word(s, at)
	}
}

// inWord looks at a digit that follows a letter: an account number, or a key.
func (f *finder) inWord(s string, at int) {
	if f.want[iban] && at >= 2 && letter(s[at-1]) && letter(s[at-2]) && edge(s, at-2) {
		if end := account(s, at-2); end > 0 {
			f.add(iban, at-2, end)
			f.done = end
			return
		}
	}
	if f.want[key] {
		f.word(s, at)
		return
	}
	for f.done = at; f.done < len(s) && wordByte(s[f.done]); {
		f.done++
	}
}

// groups splits a number with separators into groups, and returns how many there are. It sets done behind them.
func (f *finder) groups(s string, at int) int {
	n := 0
	for n < maxGroups {
		g := group{start: at}
		for at < len(s) && digit(s[at]) {
			at++
		}
		g.end = at
		f.group[n] = g
		n++
		f.done = at
		for at < len(s) && at-g.end < 3 && separator(s[at]) {
			at++
		}
		if at == g.end || at == len(s) || !digit(s[at]) {
			return n
		}
	}
	f.done = f.group[maxGroups/2].start // a number may begin in the last groups and go on behind them
	return n
}

func separator(c byte) bool {
	switch c {
	case ' ', '-', '.', '(', ')', '/', 0xa0:
		return true
	}
	return false
}

// number tries what the groups can be, from each of them on.
func (f *finder) number(s string, n int) {
	all := f.group[:n]
	for i := 0; i < n; {
		used, k := f.at(s, all, i)
		if used == 0 {
			i++
			continue
		}
		start, last := all[i].start, all[i+used-1].end
		if k == phone {
			start = opened(s, start, last)
		}
		f.add(k, start, last)
		f.done = max(f.done, last)
		i += used
	}
}

// at tries what begins with group i, and returns how many groups it has.
func (f *finder) at(s string, all []group, i int) (used int, k kind) {
	rest := all[i:]
	if !edge(s, rest[0].start) {
		return 0, 0
	}
	if f.want[card] && (rest[0].start == 0 || s[rest[0].start-1] != '+') {
		if used = cardAt(s, rest); used > 0 {
			return used, card
		}
	}
	if f.want[ssn] {
		if used = ssnAt(s, rest); used > 0 {
			return used, ssn
		}
	}
	if f.want[phone] && (i == 0 || s[all[i-1].end] != '.' || rest[0].len() > 1) {
		if used = phoneAt(s, rest); used > 0 {
			return used, phone
		}
	}
	return 0, 0
}

// cardAt returns how many groups the card number has that begins with the first.
func cardAt(s string, g []group) int {
	sum := 0
	for n := range g {
		if n > 0 && (!plainSeparator(s, g[n-1], g[n]) || g[0].len() != 4 || g[n].len() < 3 || g[n].len() > 6) {
			return 0
		}
		if sum += g[n].len(); sum > 19 {
			return 0
		}
		if sum < 13 || !edge(s, g[n].end) || n > 0 && n < 2 || n+1 < len(g) && sum < 16 && g[n+1].len() == 4 && plainSeparator(s, g[n], g[n+1]) {
			continue
		}
		if issued(s[g[0].start:]) && luhn(s[g[0].start:g[n].end]) {
			return n + 1
		}
	}
	return 0
}

// plainSeparator reports whether one space or hyphen stands between two groups.
func plainSeparator(s string, a, b group) bool {
	return b.start == a.end+1 && (s[a.end] == ' ' || s[a.end] == '-')
}

// issued reports whether a card network gives out numbers that begin like this one.
func issued(s string) bool {
	n := 0
	for i := range 4 {
		n = n*10 + int(s[i]-'0')
	}
	switch {
	case n/1000 == 4, // Visa
		n >= 5000 && n <= 5999,   // Mastercard, Maestro
		n >= 2221 && n <= 2720,   // Mastercard
		n/100 == 34, n/100 == 37, // American Express
		n/1000 == 6,                                        // Discover, UnionPay, Maestro, RuPay
		n >= 3528 && n <= 3589,                             // JCB
		n/100 == 36, n/100 == 38, n/100 == 39, n/10 == 309, // Diners Club
		n >= 3000 && n <= 3059, n >= 2200 && n <= 2204: // Diners Club, Mir
		return true
	}
	return false
}

// luhn checks the sum of ISO/IEC 7812 over the digits of s.
func luhn(s string) bool {
	sum, double, zeros := 0, false, true
	for i := len(s) - 1; i >= 0; i-- {
		if !digit(s[i]) {
			continue
		}
		d := int(s[i] - '0')
		zeros = zeros && d == 0
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
	}
	return sum%10 == 0 && !zeros
}

// ssnAt returns how many groups the US social security number has that begins with the first.
func ssnAt(s string, g []group) int {
	switch {
	case len(g) >= 3 && g[0].len() == 3 && g[1].len() == 2 && g[2].len() == 4:
		if !plainSeparator(s, g[0], g[1]) || !plainSeparator(s, g[1], g[2]) || s[g[0].end] != s[g[1].end] || !edge(s, g[2].end) {
			return 0
		}
		if assigned(s[g[0].start:g[0].end], s[g[1].start:g[1].end], s[g[2].start:g[2].end]) {
			return 3
		}
	case g[0].len() == 9 && edge(s, g[0].end):
		n := s[g[0].start:g[0].end]
		if assigned(n[:3], n[3:5], n[5:]) && before(s, g[0].start, "ssn", "social security") {
			return 1
		}
	}
	return 0
}

// assigned leaves out numbers that are never given out.
func assigned(area, group, serial string) bool {
	return area != "000" && area != "666" && area[0] != '9' && group != "00" && serial != "0000"
}

// before reports whether one of the words stands shortly in front of a place.
func before(s string, at int, words ...string) bool {
	near := strings.ToLower(s[max(0, at-28):at])
	for _, w := range words {
		if strings.Contains(near, w) {
			return true
		}
	}
	return false
}

// account returns the end of the IBAN that begins at a place, or 0. Groups may be separated by single spaces.
func account(s string, at int) int {
	want := ibanLength(upper(s[at]), upper(s[at+1]))
	if want == 0 || at+want > len(s) || !digit(s[at+2]) || !digit(s[at+3]) {
		return 0
	}
	i, rest := at+4, 0
	for n := 4; n < want; i++ {
		if i == len(s) {
			return 0
		}
		c := upper(s[i])
		if c == ' ' && s[i-1] != ' ' {
			continue
		}
		if !digit(c) && !letter(c) {
			return 0
		}
		rest = push(rest, c)
		n++
	}
	for _, c := range [...]byte{upper(s[at]), upper(s[at+1]), s[at+2], s[at+3]} { // they count last: ISO 7064, mod 97-10
		rest = push(rest, c)
	}
	if rest != 1 || !edge(s, i) {
		return 0
	}
	return i
}

func push(rest int, c byte) int {
	if digit(c) {
		return (rest*10 + int(c-'0')) % 97
	}
	return (rest*100 + int(c-'A') + 10) % 97
}

// ibanLength is how many characters the account numbers of a country have, or 0: the registry of ISO 13616.
func ibanLength(a, b byte) int {
	switch string([]byte{a, b}) {
	case "NO":
		return 15
	case "BE":
		return 16
	case "DK", "FI", "FK", "FO", "GL", "NL", "SD":
		return 18
	case "MK", "SI":
		return 19
	case "AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK":
		return 20
	case "CH", "HR", "LI", "LV":
		return 21
	case "BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS", "VA":
		return 22
	case "AE", "GI", "IL", "IQ", "OM", "SO", "TL":
		return 23
	case "AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG":
		return 24
	case "LY", "PT", "ST":
		return 25
	case "IS", "TR":
		return 26
	case "BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM":
		return 27
	case "AL", "AZ", "BY", "CY", "DO", "GT", "HN", "HU", "LB", "NI", "PL", "SV":
		return 28
	case "BR", "EG", "PS", "QA", "UA":
		return 29
	case "JO", "KW", "MU", "YE":
		return 30
	case "MT", "SC":
		return 31
	case "LC":
		return 32
	case "RU":
		return 33
	}
	return 0
}
