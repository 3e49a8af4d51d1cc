package main

import (
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

// maxState is how many bytes the gateway keeps between two hooks.
const maxState = 16 << 10

// placeholders gives every value of a request a name, such as <EMAIL_1>.
type placeholders struct {
	names map[string]string // by the normal form of the value, behind its kind
	last  [kinds]int
	taken map[string]bool // what the caller wrote: nil if nothing
	id    []byte          // of the value that is looked up
	state []byte          // records that tell the names and values to the hook that sees the answer
	left  int             // values for which there was no room in state
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
	if size := len(n.state) + 2*abi.HeaderSize + len(name) + len(value); size > maxState {
		n.left++
	} else {
		n.state = abi.AppendText(abi.AppendText(n.state, abi.TagKey, name), abi.TagText, value)
	}
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

// restore returns the text with values in the place of the placeholders that state names.
func restore(s string, state []byte) (restored string, found bool) {
	at := strings.IndexByte(s, '<')
	if at < 0 {
		return s, false
	}
	values := map[string]string{}
	name, r := "", abi.Reader{Rest: state}
	for r.Next() {
		if r.Tag == abi.TagKey {
			name = string(r.Value)
		} else {
			values[name] = string(r.Value)
		}
	}
	out, from := []byte(nil), 0
	for at < len(s) {
		end := strings.IndexByte(s[at:min(len(s), at+24)], '>')
		value, ok := "", false
		if end > 0 {
			value, ok = values[s[at:at+end+1]]
		}
		if ok {
			out = append(append(out, s[from:at]...), value...)
			at += end
			from = at + 1
		}
		next := strings.IndexByte(s[at+1:], '<')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	if from == 0 {
		return s, false
	}
	return string(append(out, s[from:]...)), true
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
