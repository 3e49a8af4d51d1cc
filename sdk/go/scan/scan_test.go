package scan_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/sdk/go/scan"
)

func words(t testing.TB, list ...scan.Word) *scan.Words {
	t.Helper()
	m, err := scan.NewWords(list)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFind(t *testing.T) {
	t.Parallel()
	finds := func(text, want string, list ...scan.Word) {
		t.Helper()
		got := ""
		if n, start, end, ok := words(t, list...).Find(text, 0); ok {
			got = fmt.Sprintf("%d %s", n, text[start:end])
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	whole := func(text string) scan.Word { return scan.Word{Text: text, Whole: true} }
	finds("a Cat sat", "0 Cat", whole("cat"))
	finds("a category", "", whole("cat"))
	finds("a category", "0 cat", scan.Word{Text: "cat"})
	finds("the  CAT\n sat", "1 CAT\n sat", whole("dog"), whole("cat sat"))
	finds("a Cat", "", scan.Word{Text: "cat", Exact: true})
	finds("cat  sat", "", scan.Word{Text: "cat sat", Verbatim: true})
	finds("grüße aus ZÜRICH", "0 ZÜRICH", whole("zürich"))
	finds("\u212aelvin", "0 \u212aelvin", whole("kelvin"))
	finds("!!", "0 !!", scan.Word{Text: "!!", Whole: true})
	finds("first of the list: abcd", "0 abc", scan.Word{Text: "abc"}, scan.Word{Text: "abcd"})
	finds("", "", whole("x"))
	finds("text", "")
}

// TestPair looks for words with one pair of first letters, or one letter, at every place of texts that are longer than what
// is looked at in one step.
func TestPair(t *testing.T) {
	t.Parallel()
	check := func(list ...scan.Word) {
		t.Helper()
		m := words(t, list...)
		for n := range 200 {
			for _, tail := range []string{"", " b", "-ba", strings.Repeat(" a", 60)} {
				text := strings.Repeat("b", n) + " bAD" + tail
				if _, start, end, ok := m.Find(text, 0); !ok || start != n+1 || end != n+4 {
					t.Fatalf("%d bytes in front, %q behind: got %d to %d, %v", n, tail, start, end, ok)
				}
				if _, _, _, ok := m.Find(strings.Repeat("b", n)+" b d"+tail, 0); ok {
					t.Fatalf("%d bytes in front, %q behind: there is nothing to find", n, tail)
				}
			}
		}
	}
	check(scan.Word{Text: "bad", Whole: true})
	check(scan.Word{Text: "BAD"}, scan.Word{Text: "ban"})
	check(scan.Word{Text: "bad"}, scan.Word{Text: "bée"})
}

func TestReplace(t *testing.T) {
	t.Parallel()
	m := words(t, scan.Word{Text: "one", Whole: true}, scan.Word{Text: "two words", Whole: true})
	if got, found := m.Replace("One, none; two  words and one", "#"); !found || got != "#, none; # and #" {
		t.Errorf("got %q", got)
	}
	if got, found := m.Replace("nothing", "#"); found || got != "nothing" {
		t.Errorf("got %q", got)
	}
}

func TestWordMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(want string, index int, list ...scan.Word) {
		t.Helper()
		_, err := scan.NewWords(list)
		var wrong *scan.WordError
		if !errors.As(err, &wrong) || wrong.Index != index || !strings.Contains(wrong.Error(), want) {
			t.Errorf("got %v", err)
		}
	}
	mistake("not UTF-8", 1, scan.Word{Text: "ok"}, scan.Word{Text: "\xff"})
	mistake("empty", 0, scan.Word{Text: " \t"})
	mistake("more than 20000", 20000, make([]scan.Word, 20_001)...)
}

// TestLongList looks for the words of a list that is too long for the tables: what is found is the same.
func TestLongList(t *testing.T) {
	t.Parallel()
	var list []scan.Word
	for i := range 10_000 {
		list = append(list, scan.Word{Text: fmt.Sprintf("word%04dx", i), Whole: i%2 == 0})
	}
	m := words(t, list...)
	var got []int
	m.All("word0007x, word0007xy, word0008x, word0008xy", func(n, _, _ int) { got = append(got, n) })
	if !slices.Equal(got, []int{7, 7, 8}) {
		t.Errorf("got %v", got)
	}
}

// FuzzWords compares the matcher with expressions that say the same, beside other words and without.
func FuzzWords(f *testing.F) {
	f.Add("two words", "this has TWO  words, no more", uint8(0))
	f.Add("é1", "É1 e\u0301", uint8(1))
	f.Add("kx", "\u212aX kX and Long enough for blocks of eight bytes kx", uint8(2))
	f.Add("a b", "A\tb", uint8(3))
	f.Fuzz(func(t *testing.T, text, s string, how uint8) {
		w := scan.Word{Text: text, Whole: how&1 != 0, Exact: how&2 != 0, Verbatim: how&4 != 0}
		list := []scan.Word{w}
		if how&8 != 0 {
			list = append(list, scan.Word{Text: "zzzzz", Whole: true}, scan.Word{Text: "yyyyyyy", Whole: true}, scan.Word{Text: "é", Whole: true})
		}
		m, err := scan.NewWords(list)
		if err != nil || strings.ContainsRune(text, '\ufffd') {
			return
		}
		parts := []string{text}
		if !w.Verbatim {
			parts = strings.Fields(text)
		}
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		expr := strings.Join(parts, `(?:[\s\v\x85\x{a0}]|\pZ)+`)
		if !w.Exact {
			expr = "(?i:" + expr + ")"
		}
		re, err := regexp.Compile("^(?:" + expr + ")")
		if err != nil {
			return
		}
		var want, got [][2]int
		for at := range s {
			loc := re.FindStringIndex(s[at:])
			if loc != nil && (!w.Whole || scan.Boundary(s, at) && scan.Boundary(s, at+loc[1])) {
				want = append(want, [2]int{at, at + loc[1]})
			}
		}
		m.All(s, func(n, start, end int) {
			if n == 0 {
				got = append(got, [2]int{start, end})
			}
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%+v in %q: found %v, want %v", w, s, got, want)
		}
		if n, start, end, ok := m.Find(s, 0); ok != (len(want) > 0) && len(list) == 1 || ok && n == 0 && !slices.Contains(want, [2]int{start, end}) {
			t.Fatalf("%+v in %q: first %d to %d, want one of %v", w, s, start, end, want)
		}
	})
}

// TestCredential shows a credential of each kind, and what only looks like one.
func TestCredential(t *testing.T) {
	t.Parallel()
	const run = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
	finds := func(want scan.Kind, credential, before, behind string) {
		t.Helper()
		s := before + credential + behind
		for at := 0; at < len(s); {
			if !scan.WordByte(s[at]) {
				at++
				continue
			}
			k, start, end, next := scan.Credential(s, at, at)
			if next <= at {
				t.Fatalf("%q: no progress at %d", s, at)
			}
			if k != scan.None {
				if k != want || s[start:end] != credential {
					t.Errorf("%q: found %v %q", s, k, s[start:end])
				}
				return
			}
			at = next
		}
		if want != scan.None {
			t.Errorf("%q: nothing found, want %v", s, want)
		}
	}
	finds(scan.AWSAccessKey, "AKIAIOSFODNN7EXAMPLE", "key ", ".")
	finds(scan.AWSSecretKey, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = ", "\n")
	finds(scan.GoogleKey, "AIzaSyA1234567890abcdefghijklmnopqrstuv", "", "")
	finds(scan.GitHubToken, "ghp_"+run[:36], "(", ")")
	finds(scan.GitLabToken, "glpat-"+run[:20], "", " ")
	finds(scan.SlackToken, "xoxb-123456789012-"+run[:12], "", "")
	finds(scan.StripeKey, "sk_live_"+run[:24], "'", "'")
	finds(scan.OpenAIKey, "sk-"+run, "Bearer ", "")
	finds(scan.AnthropicKey, "sk-ant-api03-"+run, "", "")
	finds(scan.VendorKey, "hf_"+run[:34], "", "")
	finds(scan.PrivateKey, "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA"+run+"\n-----END RSA PRIVATE KEY-----", "x ", " y")
	finds(scan.JWT, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9", "", "")

	finds(scan.None, "", "sk-learn-0-24-release is a library", "")
	finds(scan.None, "", "pk_live_"+run+" is published on purpose", "")
	finds(scan.None, "", "the quick brown fox", "")
	finds(scan.None, "", "AKIAIOSFODNN7example", "")
}

// FuzzCredential gives it foreign bytes: what it finds is inside the text, and it always goes on.
func FuzzCredential(f *testing.F) {
	f.Add("sk-ant-api03-abcdefghijk1234567890 SG.a.b", 3)
	f.Add("-----BEGIN PRIVATE KEY-----\n", 20)
	f.Fuzz(func(t *testing.T, s string, at int) {
		if at < 0 || at >= len(s) {
			return
		}
		k, start, end, next := scan.Credential(s, at, 0)
		if next <= at || k != scan.None && (start < 0 || start >= end || end > len(s)) {
			t.Fatalf("%q at %d: %v from %d to %d, next %d", s, at, k, start, end, next)
		}
	})
}
