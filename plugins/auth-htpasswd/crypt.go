package main

import (
	"crypto/md5" //nolint:gosec // what the format is made of
	stdhash "hash"
)

// shaCrypt is the scheme of "Unix crypt using SHA-256 and SHA-512" (Ulrich Drepper, 2007), without its prefix.
func shaCrypt(newHash func() stdhash.Hash, password, salt string, rounds int) string {
	h, pw, s := newHash(), []byte(password), []byte(salt)
	sum := func(parts ...[]byte) []byte {
		h.Reset()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	b := sum(pw, s, pw)
	h.Reset()
	h.Write(pw)
	h.Write(s)
	h.Write(repeated(b, len(pw)))
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write(b)
		} else {
			h.Write(pw)
		}
	}
	a := h.Sum(nil)
	h.Reset()
	for range len(pw) {
		h.Write(pw)
	}
	p := repeated(h.Sum(nil), len(pw))
	h.Reset()
	for range 16 + int(a[0]) {
		h.Write(s)
	}
	mix := mixer{h: h, p: p, s: repeated(h.Sum(nil), len(s)), sum: a}
	for i := range rounds {
		mix.round(i)
	}
	if len(mix.sum) == 32 {
		return encode256(mix.sum)
	}
	return encode512(mix.sum)
}

// mixer repeats the step that all crypt schemes here have in common.
type mixer struct {
	h         stdhash.Hash
	p, s, sum []byte
}

func (m *mixer) round(i int) {
	m.h.Reset()
	first, last := m.sum, m.p
	if i&1 != 0 {
		first, last = m.p, m.sum
	}
	m.h.Write(first)
	if i%3 != 0 {
		m.h.Write(m.s)
	}
	if i%7 != 0 {
		m.h.Write(m.p)
	}
	m.h.Write(last)
	m.sum = m.h.Sum(m.sum[:0])
}

// repeated returns n bytes of b, over and over.
func repeated(b []byte, n int) []byte {
	out := make([]byte, 0, n+len(b))
	for len(out) < n {
		out = append(out, b...)
	}
	return out[:n]
}

// md5Crypt is Apache's variant of the MD5 scheme of FreeBSD, without its prefix.
func md5Crypt(password, salt string) string {
	h, pw, s := md5.New(), []byte(password), []byte(salt) //nolint:gosec // what the format is made of
	h.Write(pw)
	h.Write(s)
	h.Write(pw)
	b := h.Sum(nil)
	h.Reset()
	h.Write(pw)
	h.Write([]byte("$apr1$"))
	h.Write(s)
	h.Write(repeated(b, len(pw)))
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write([]byte{0})
		} else {
			h.Write(pw[:1])
		}
	}
	mix := mixer{h: h, p: pw, s: s, sum: h.Sum(nil)}
	for i := range 1000 {
		mix.round(i)
	}
	d := mix.sum
	var out []byte
	for i := range 5 {
		last := i + 12
		if last == 16 {
			last = 5
		}
		out = digits(out, d[i], d[i+6], d[last], 4)
	}
	return string(digits(out, 0, 0, d[11], 2))
}

// digits appends n digits of base 64, the lowest first, of a number of three bytes.
func digits(dst []byte, high, middle, low byte, n int) []byte {
	const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	v := uint(high)<<16 | uint(middle)<<8 | uint(low)
	for range n {
		dst = append(dst, alphabet[v&63])
		v >>= 6
	}
	return dst
}

// encode256 writes a sum in the order of the scheme: three bytes at a time, 10 apart, each group turned by one.
func encode256(d []byte) string {
	var out []byte
	for i, a, b, c := 0, 0, 10, 20; i < 10; i++ {
		out = digits(out, d[a], d[b], d[c], 4)
		a, b, c = c+1, a+1, b+1
	}
	return string(digits(out, 0, d[31], d[30], 3))
}

// encode512 writes a sum in the order of the scheme: three bytes at a time, 21 apart, each group turned by one.
func encode512(d []byte) string {
	var out []byte
	for i, a, b, c := 0, 0, 21, 42; i < 21; i++ {
		out = digits(out, d[a], d[b], d[c], 4)
		a, b, c = b+1, c+1, a+1
	}
	return string(digits(out, 0, 0, d[63], 2))
}
