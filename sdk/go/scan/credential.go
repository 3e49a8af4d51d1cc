package scan

import (
	"math"
	"strings"
)

// Kind is a sort of credential that is known by its form.
type Kind uint8

// The kinds.
const (
	None Kind = iota
	AWSAccessKey
	AWSSecretKey
	GoogleKey
	GitHubToken
	GitLabToken
	SlackToken
	StripeKey
	OpenAIKey
	AnthropicKey
	VendorKey // of one of many other vendors
	PrivateKey
	JWT
	Kinds // how many there are
)

// String is the name in configurations and messages.
func (k Kind) String() string {
	switch k {
	case AWSAccessKey:
		return "aws_access_key"
	case AWSSecretKey:
		return "aws_secret_key"
	case GoogleKey:
		return "google_key"
	case GitHubToken:
		return "github_token"
	case GitLabToken:
		return "gitlab_token"
	case SlackToken:
		return "slack_token"
	case StripeKey:
		return "stripe_key"
	case OpenAIKey:
		return "openai_key"
	case AnthropicKey:
		return "anthropic_key"
	case VendorKey:
		return "vendor_key"
	case PrivateKey:
		return "private_key"
	case JWT:
		return "jwt"
	}
	return "none"
}

// Credential looks at the word around a place, as far as it does not reach back beyond from. It returns the credential
// that the word is, or belongs to, and where to look next: behind both. Every credential has eight bytes without a space
// in a row, so a scanner asks about these.
func Credential(s string, at, from int) (k Kind, start, end, next int) {
	first := at
	for first > from && WordByte(s[first-1]) {
		first--
	}
	last := at
	for last < len(s) && WordByte(s[last]) {
		last++
	}
	next = max(last, at+1)
	// A short word is none, unless something joins it to more. Most words end here.
	if last-first < 16 && (first == 0 || !joint(s[first-1])) && (last == len(s) || !joint(s[last])) || last-first < 3 {
		return None, 0, 0, next
	}
	if first > 0 && s[first-1] == '.' {
		first, last = behindDot(s, first, last)
	}
	start = first
	if k, end = token(s, first, last); k == None {
		k, start, end = long(s, first, last)
	}
	return k, start, end, max(next, end)
}

// WordByte reports whether a byte is part of tokens: an ASCII letter, a digit, an underscore or a hyphen.
func WordByte(c byte) bool {
	return c|0x20-'a' < 26 || c-'0' < 10 || c == '_' || c == '-'
}

// joint reports whether a byte joins words to a longer token.
func joint(c byte) bool { return c == '.' || c == '+' || c == '/' || c == '=' }

func base64Byte(c byte) bool { return WordByte(c) || c == '+' || c == '/' || c == '=' }

// behindDot moves a word that follows the short first part of a token to that part.
func behindDot(s string, start, end int) (from, to int) {
	for _, first := range [...]string{"SG", "hvs", "ya29"} {
		if at := start - 1 - len(first); at >= 0 && s[at:start-1] == first && (at == 0 || !WordByte(s[at-1])) {
			return at, start - 1
		}
	}
	return start, end
}

// token says what the word is by how it begins, and where the token ends.
func token(s string, start, end int) (Kind, int) {
	w := s[start:end]
	if strings.HasPrefix(w, "eyJ") {
		if last := webToken(s, start, end); last > 0 {
			return JWT, last
		}
		return None, 0
	}
	if strings.HasPrefix(w, "SG") || strings.HasPrefix(w, "hvs") || strings.HasPrefix(w, "ya29") {
		return dotted(s, start, end)
	}
	k, least := issuer(w)
	if k == None || len(w) < least || k != AWSAccessKey && !strings.ContainsAny(w, "0123456789") {
		return None, 0
	}
	if k == AWSAccessKey && strings.ToUpper(w) != w || k == OpenAIKey && wordy(w) {
		return None, 0
	}
	return k, end
}

// wordy reports whether a text that begins like a key is made of short words and numbers, as in "sk-learn-0-24-release".
func wordy(w string) bool {
	longest, run := 0, 0
	for i := range len(w) {
		if run++; w[i] == '-' || w[i] == '_' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest < 12
}

// dotted knows the tokens that have dots in them.
func dotted(s string, start, end int) (Kind, int) {
	dots, first := 0, end
	for end < len(s) && (WordByte(s[end]) || s[end] == '.' && end+1 < len(s) && WordByte(s[end+1])) {
		if s[end] == '.' {
			dots++
		}
		end++
	}
	n := end - start
	switch w := s[start:first]; {
	case w == "SG" && dots == 2 && n >= 50, w == "hvs" && dots == 1 && n >= 28:
		return VendorKey, end
	case w == "ya29" && dots > 0 && n >= 30:
		return GoogleKey, end
	}
	return None, 0
}

// long looks at a long word that begins like no token: by what is around it, it is a secret all the same.
func long(s string, start, end int) (k Kind, from, to int) {
	if end-start == 24 && strings.Contains(s[max(0, start-50):start], "hooks.slack.com/services/") {
		return SlackToken, start, end
	}
	if end-start == 35 && start >= 8 && s[start-1] == ':' && decimal(s[start-8:start-1]) && s[start:start+2] == "AA" {
		return VendorKey, start, end // Telegram's bots
	}
	for start > 0 && end-start <= 64 && base64Byte(s[start-1]) && s[start-1] != '=' {
		start--
	}
	for end < len(s) && end-start <= 64 && base64Byte(s[end]) {
		end++
	}
	if end-start < 32 {
		return None, 0, 0
	}
	if from, to = pem(s, start, end); to > 0 {
		return PrivateKey, from, to
	}
	if end-start == 40 && Entropy(s[start:end]) > 4 && Mixed(s[start:end]) {
		near := strings.ToLower(s[max(0, start-60):start])
		if strings.Contains(near, "aws") || strings.Contains(near, "secret") {
			return AWSSecretKey, start, end
		}
	}
	return None, 0, 0
}

// pem returns the block of a private key that has a line of base64 from start to end, or 0, 0. A block that is not finished
// goes to the end of the text.
func pem(s string, start, end int) (from, to int) {
	const window = 160 // in front of the line: there may be headers
	first := max(0, start-window)
	front := s[first:start]
	at := strings.LastIndex(front, "PRIVATE KEY")
	begin := strings.LastIndex(front, "-----BEGIN ")
	if at < 0 || begin < 0 || begin > at {
		return 0, 0
	}
	to = strings.Index(s[end:], "-----END ")
	if to < 0 {
		return first + begin, len(s)
	}
	to += end + len("-----END ")
	if closing := strings.Index(s[to:min(len(s), to+60)], "-----"); closing >= 0 {
		to += closing + len("-----")
	}
	return first + begin, to
}

// webToken returns the end of a JSON Web Token whose header ends at a place, or 0.
func webToken(s string, start, end int) int {
	for part := range 2 {
		if end == len(s) || s[end] != '.' || end-start < 10 {
			return 0
		}
		start = end + 1
		for end = start; end < len(s) && WordByte(s[end]); {
			end++
		}
		if part == 0 && !strings.HasPrefix(s[start:], "eyJ") {
			return 0
		}
	}
	if end-start < 16 {
		return 0
	}
	return end
}

func decimal(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}

// Entropy is the information in a byte of s, in bits, by how often each occurs in s, which is not empty.
func Entropy(s string) float64 {
	var count [256]uint32
	for i := range len(s) {
		count[s[i]]++
	}
	sum := 0.0
	for _, n := range &count {
		if n > 1 {
			sum += float64(n) * math.Log2(float64(n))
		}
	}
	return math.Log2(float64(len(s))) - sum/float64(len(s))
}

// MixedCase reports whether s has letters of both cases.
func MixedCase(s string) bool { return strings.ToLower(s) != s && strings.ToUpper(s) != s }

// Mixed reports whether s has letters of both cases, and digits.
func Mixed(s string) bool { return MixedCase(s) && strings.ContainsAny(s, "0123456789") }
