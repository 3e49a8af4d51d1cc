package main

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// scheme is a way to hash passwords.
type scheme uint8

const (
	_ scheme = iota
	sha256Crypt
	sha512Crypt
	apr1
	pbkdf2SHA256
	pbkdf2SHA512
	saltedSHA256
)

// hash is a password as the configuration holds it.
type hash struct {
	scheme scheme
	rounds int
	salt   string
	sum    string // as text for the crypt schemes, as bytes for the others
}

// Rounds are bounded: an entry that takes longer than the gateway lets a call take would lock its user out.
const (
	minRounds = 1000
	maxRounds = 200_000
)

func parseHash(s string) (hash, error) {
	switch {
	case strings.HasPrefix(s, "$5$"):
		return parseCrypt(sha256Crypt, s[3:], 43)
	case strings.HasPrefix(s, "$6$"):
		return parseCrypt(sha512Crypt, s[3:], 86)
	case strings.HasPrefix(s, "$apr1$"):
		salt, sum, ok := strings.Cut(s[6:], "$")
		if !ok || len(salt) > 8 || len(sum) != 22 {
			return hash{}, errors.New("the hash is cut off or has something behind it")
		}
		return hash{apr1, 1000, salt, sum}, nil
	case strings.HasPrefix(s, "{PBKDF2-SHA256}"):
		return parsePBKDF2(pbkdf2SHA256, s[len("{PBKDF2-SHA256}"):], sha256.Size)
	case strings.HasPrefix(s, "{PBKDF2-SHA512}"):
		return parsePBKDF2(pbkdf2SHA512, s[len("{PBKDF2-SHA512}"):], sha512.Size)
	case strings.HasPrefix(s, "{SSHA256}"):
		b, err := base64.StdEncoding.DecodeString(s[len("{SSHA256}"):])
		if err != nil || len(b) < sha256.Size+8 {
			return hash{}, errors.New("behind {SSHA256} comes base64 of the hash and a salt of at least 8 bytes")
		}
		return hash{saltedSHA256, 1, string(b[sha256.Size:]), string(b[:sha256.Size])}, nil
	case strings.HasPrefix(s, "$2"):
		return hash{}, errors.New("bcrypt is not supported: make the entry with \"openssl passwd -6\"")
	}
	return hash{}, errors.New("the hash is of no supported kind (a password as it is, or {SHA}, is not): make the entry with \"openssl passwd -6\"")
}

// parseCrypt reads what follows the number of a SHA-crypt hash.
func parseCrypt(kind scheme, s string, size int) (hash, error) {
	h := hash{scheme: kind, rounds: 5000}
	if rest, ok := strings.CutPrefix(s, "rounds="); ok {
		var number string
		number, s, _ = strings.Cut(rest, "$")
		var err error
		if h.rounds, err = rounds(number); err != nil {
			return hash{}, err
		}
	}
	var ok bool
	if h.salt, h.sum, ok = strings.Cut(s, "$"); !ok || len(h.salt) > 16 || len(h.sum) != size {
		return hash{}, errors.New("the hash is cut off or has something behind it")
	}
	return h, nil
}

// parsePBKDF2 reads rounds, salt and hash in the form that OpenLDAP has: base64 without padding and with dots for plus signs.
func parsePBKDF2(kind scheme, s string, size int) (hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 3 {
		return hash{}, errors.New("a PBKDF2 hash is rounds, salt and hash, with $ between them")
	}
	n, err := rounds(parts[0])
	if err != nil {
		return hash{}, err
	}
	salt, err1 := adapted(parts[1])
	sum, err2 := adapted(parts[2])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(sum) != size {
		return hash{}, errors.New("salt or hash are not base64, or too short")
	}
	return hash{kind, n, string(salt), string(sum)}, nil
}

func adapted(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(s, ".", "+"), "="))
}

func rounds(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < minRounds || n > maxRounds {
		return 0, errors.New("the number of rounds must be " + strconv.Itoa(minRounds) + " to " + strconv.Itoa(maxRounds))
	}
	return n, nil
}

// cost compares the time that hashes take, roughly.
func (h hash) cost() int {
	switch h.scheme {
	case sha512Crypt, pbkdf2SHA512:
		return 2 * h.rounds
	}
	return h.rounds
}

// verify reports whether the password is the right one. It takes the same time for every password of the same length.
func (h hash) verify(password string) bool {
	var sum string
	switch h.scheme {
	case sha256Crypt:
		sum = shaCrypt(sha256.New, password, h.salt, h.rounds)
	case sha512Crypt:
		sum = shaCrypt(sha512.New, password, h.salt, h.rounds)
	case apr1:
		sum = md5Crypt(password, h.salt)
	case saltedSHA256:
		b := sha256.Sum256([]byte(password + h.salt))
		sum = string(b[:])
	case pbkdf2SHA256:
		b, _ := pbkdf2.Key(sha256.New, password, []byte(h.salt), h.rounds, len(h.sum)) // an error leaves b empty, which is wrong
		sum = string(b)
	case pbkdf2SHA512:
		b, _ := pbkdf2.Key(sha512.New, password, []byte(h.salt), h.rounds, len(h.sum))
		sum = string(b)
	}
	return len(sum) > 0 && subtle.ConstantTimeCompare([]byte(sum), []byte(h.sum)) == 1
}
