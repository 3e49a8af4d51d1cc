package main

import (
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

// placeholders gives every value of a request a name, such as <EMAIL_1>.
type placeholders struct {
	names map[string]string // by the normal form of the value, behind its kind
	last  [kinds]int
	taken map[string]bool // what the caller wrote: nil if nothing
	id    []byte          // of the value that is looked up
}

// newPlaceholders looks for placeholders that the caller wrote: those names are not given to values.
func newPlaceholders(texts []sallyport.Text) *placeholders {
	n := &placeholders{names: map[string]string{}}
	for i := range texts {
		for s := texts[i].Text; ; {
			at := strings.IndexByte(s, '<')
			if at < 0 {
				break
			}
			s = s[at:]
			if end := strings.IndexByte(s[:min(len(s), 24)], '>'); end > 0 {
				if n.taken == nil {
					n.taken = map[string]bool{}
				}
				n.taken[s[:end+1]] = true
			}
			s = s[1:]
		}
	}
	return n
}

// of returns the placeholder of a value. The same value written in another way gets the same one.
func (n *placeholders) of(k kind, value string) string {
	n.id = appendNormal(append(n.id[:0], byte('a'+k)), k, value)
	if name, ok := n.names[string(n.id)]; ok {
		return name
	}
	name := ""
	for {
		n.last[k]++
		name = k.opening() + strconv.Itoa(n.last[k]) + ">"
		if !n.taken[name] {
			break
		}
	}
	n.names[string(n.id)] = name
	return name
}

// opening is how the placeholders of a kind begin.
func (k kind) opening() string {
	switch k {
	case email:
		return "<EMAIL_"
	case phone:
		return "<PHONE_"
	case card:
		return "<CARD_"
	case iban:
		return "<IBAN_"
	case ssn:
		return "<SSN_"
	case ip:
		return "<IP_"
	}
	return "<KEY_"
}

// replace returns the text with placeholders in the place of what was found.
func (n *placeholders) replace(s string, found []span) string {
	out, from := make([]byte, 0, len(s)+8*len(found)), 0
	for _, f := range found {
		out = append(out, s[from:f.start]...)
		out = append(out, n.of(f.kind, s[f.start:f.end])...)
		from = f.end
	}
	return string(append(out, s[from:]...))
}

// appendNormal appends the form in which two spellings of a value are the same.
func appendNormal(dst []byte, k kind, value string) []byte {
	for i := range len(value) {
		c := value[i]
		switch k {
		case key:
			dst = append(dst, c)
		case email, ip:
			dst = append(dst, upper(c))
		default:
			if digit(c) || letter(c) {
				dst = append(dst, upper(c))
			}
		}
	}
	return dst
}
