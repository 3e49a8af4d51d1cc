package main

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

// source makes values of each kind, and texts around them, from a seed.
type source struct{ *rand.Rand }

func (r source) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}

func (r source) pick(list ...string) string { return list[r.IntN(len(list))] }

// checkDigit returns the last digit of a number by the algorithm of ISO/IEC 7812-1, annex B.
func checkDigit(number string) byte {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

func (r source) card() string {
	begin, n := "4", 16
	switch r.IntN(4) {
	case 0:
		begin, n = "5"+r.pick("1", "2", "3", "4", "5"), 16
	case 1:
		begin, n = r.pick("34", "37"), 15
	case 2:
		begin = "6011"
	}
	number := begin + r.digits(n-1-len(begin))
	return number + string(checkDigit(number))
}

// grouped writes a number in groups of four, as people do, or as it is.
func (r source) grouped(s string) string {
	separator := r.pick("", " ", "-")
	if separator == "" || len(s) != 16 {
		return s
	}
	return strings.Join([]string{s[:4], s[4:8], s[8:12], s[12:]}, separator)
}

// iban makes an account number; its check digits are those of ISO 13616: the number, with the country and 00 behind it and
// letters as numbers from 10, has the remainder 98 less the check digits by 97.
func (r source) iban() string {
	country, bank, n := "DE", "", 22
	switch r.IntN(4) {
	case 0:
		country, bank = "GB", r.pick("NWBK", "BARC", "MIDL")
	case 1:
		country, bank, n = "NL", r.pick("ABNA", "INGB"), 18
	case 2:
		country, n = "ES", 24
	}
	account := bank + r.digits(n-4-len(bank))
	return country + fmt.Sprintf("%02d", 98-remainder(account+country+"00")) + account
}

func remainder(s string) int64 {
	var b strings.Builder
	for _, c := range s {
		if c >= 'A' {
			fmt.Fprint(&b, c-'A'+10)
			continue
		}
		b.WriteRune(c)
	}
	n, _ := new(big.Int).SetString(b.String(), 10)
	return new(big.Int).Mod(n, big.NewInt(97)).Int64()
}

func (r source) spaced(s string) string {
	if r.IntN(2) == 0 {
		return s
	}
	var parts []string
	for ; len(s) > 4; s = s[4:] {
		parts = append(parts, s[:4])
	}
	return strings.Join(append(parts, s), " ")
}

func (r source) ssn() string {
	area := 1 + r.IntN(899)
	if area == 666 {
		area = 667
	}
	return fmt.Sprintf("%03d-%02d-%04d", area, 1+r.IntN(99), 1+r.IntN(9999))
}

func (r source) ip() string {
	if r.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{byte(1 + r.IntN(254)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))}).String()
	}
	var b [16]byte
	for i := range b {
		b[i] = byte(r.IntN(256))
	}
	b[0] = 0x20
	if r.IntN(2) == 0 {
		clear(b[4:12])
	}
	return netip.AddrFrom16(b).String()
}

func (r source) email() string {
	return r.pick("ann", "j.doe", "x_y", "first+tag") + fmt.Sprint(r.IntN(1000)) + "@" + r.pick("example.com", "mail.example.org", "a-b.co.uk")
}

func (r source) phone() string {
	return r.pick("+49 30 1", "+1 555 2", "+44 20 7", "+33 1 4") + r.digits(2) + " " + "2" + r.digits(3)
}

func (r source) key() string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, 40)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return r.pick("sk-", "ghp_", "hf_") + string(b[:35]) + "7x9Z1"
}

// value makes a value of a kind, and its placeholder.
func (r source) value() (k kind, value string) {
	switch k = kind(r.IntN(int(kinds))); k {
	case email:
		return k, r.email()
	case phone:
		return k, r.phone()
	case card:
		return k, r.grouped(r.card())
	case iban:
		return k, r.spaced(r.iban())
	case ssn:
		return k, r.ssn()
	case ip:
		return k, r.ip()
	}
	return key, r.key()
}

// TestPropertyMask makes values of each kind in texts: what is masked is the value, all of it and nothing else, and what is
// kept for the answer gives back the text as it was.
func TestPropertyMask(t *testing.T) {
	t.Parallel()
	hooks, err := sallyport.Build(map[string]any{"unmask": true}, New)
	if err != nil {
		t.Fatal(err)
	}
	r := source{rand.New(rand.NewPCG(1, 2))}
	for range 20_000 {
		k, value := r.value()
		front, behind := r.pick("", "it is ", "Write to me: ", "(", "\"", "siehe \u00fc "), r.pick("", ".", ", please", ")", "\"", " and so on", "\nnext")
		text := front + value + behind
		request := &sallyport.Request{Texts: []sallyport.Text{{Role: "user", Text: text}}}
		hooks.Request(request)
		want := front + k.opening() + "1>" + behind
		if got := request.Texts[0].Text; got != want {
			t.Fatalf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestPropertyRestore writes answers with placeholders, and puts the values back.
func TestPropertyRestore(t *testing.T) {
	t.Parallel()
	r := source{rand.New(rand.NewPCG(3, 4))}
	for range 5000 {
		names := newPlaceholders(nil)
		var masked, plain strings.Builder
		for range 1 + r.IntN(5) {
			k, value := r.value()
			words := r.pick("so ", "1 < 2, ", "<b>", "and ")
			masked.WriteString(words + names.of(k, value))
			plain.WriteString(words + value)
		}
		// Values that count as the same share a name, and the first gives the text, so the second time is compared.
		got, _ := restore(masked.String(), names.state)
		if len(names.names) > 0 && strings.Contains(got, "_1>") {
			t.Fatalf("%q became %q", masked.String(), got)
		}
		if len(names.names) == strings.Count(masked.String(), "_") && got != plain.String() {
			t.Fatalf("%q became %q, want %q", masked.String(), got, plain.String())
		}
	}
}

// TestPropertyChecksums alters a digit: no card and no account is left.
func TestPropertyChecksums(t *testing.T) {
	t.Parallel()
	r := source{rand.New(rand.NewPCG(5, 6))}
	wrong := func(k kind, value string, from int) {
		t.Helper()
		at := from + r.IntN(len(value)-from)
		for value[at]-'0' > 9 {
			at = from + r.IntN(len(value)-from)
		}
		b := []byte(value)
		b[at] = '0' + (b[at]-'0'+byte(1+r.IntN(9)))%10
		var f finder
		f.want[k] = true
		if found := f.find("no " + string(b) + " here"); len(found) > 0 {
			t.Fatalf("%s is taken for a %v, from %s", b, k, value)
		}
	}
	for range 20_000 {
		wrong(card, r.card(), 0)
		wrong(iban, r.iban(), 2)
	}
}
