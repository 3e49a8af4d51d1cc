package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"strings"
)

// publicKey reads a PEM block "PUBLIC KEY" (RFC 5280, SubjectPublicKeyInfo). Package crypto/x509, which could do it, makes
// the module three times as large and slow to start.
func publicKey(pem string) (any, error) {
	const begin, end = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
	_, rest, ok := strings.Cut(pem, begin)
	body, _, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return nil, errors.New(`it must be a block "BEGIN PUBLIC KEY"; of a certificate, "openssl x509 -pubkey -noout" makes one`)
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return nil, errors.New("the block is not base64")
	}
	if k := keyInfo(der); k != nil {
		return k, nil
	}
	return nil, errors.New("the key must be an RSA key, one on the curve P-256 or P-384, or an Ed25519 key")
}

// keyInfo reads a SubjectPublicKeyInfo, and returns nil if it is none that is known.
func keyInfo(der []byte) any {
	var (
		oidRSA     = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}
		oidEC      = []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}
		oidP256    = []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
		oidP384    = []byte{0x2b, 0x81, 0x04, 0x00, 0x22}
		oidEd25519 = []byte{0x2b, 0x65, 0x70}
	)
	const sequence, integer, bits, oid = 0x30, 0x02, 0x03, 0x06
	info, rest := element(der, sequence)
	algorithm, after := element(info, sequence)
	id, parameters := element(algorithm, oid)
	data, _ := element(after, bits)
	if len(rest) > 0 || len(data) < 2 || data[0] != 0 {
		return nil
	}
	data = data[1:]
	switch {
	case bytes.Equal(id, oidRSA):
		numbers, _ := element(data, sequence)
		n, left := element(numbers, integer)
		e, _ := element(left, integer)
		return rsaKey(bytes.TrimLeft(n, "\x00"), bytes.TrimLeft(e, "\x00"))
	case bytes.Equal(id, oidEd25519) && len(data) == ed25519.PublicKeySize:
		return ed25519.PublicKey(data)
	case bytes.Equal(id, oidEC) && data[0] == 4:
		name, _ := element(parameters, oid)
		half := len(data) / 2
		switch {
		case bytes.Equal(name, oidP256):
			return point(elliptic.P256(), data[1:half+1], data[half+1:])
		case bytes.Equal(name, oidP384):
			return point(elliptic.P384(), data[1:half+1], data[half+1:])
		}
	}
	return nil
}

// element returns the content of the DER element with a tag that b begins with, and what follows it; nil if there is none.
func element(b []byte, tag byte) (content, rest []byte) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		bytes := n - 0x80
		if bytes < 1 || bytes > 2 || len(b) < 2+bytes {
			return nil, nil
		}
		n = 0
		for _, x := range b[2 : 2+bytes] {
			n = n<<8 | int(x)
		}
		head += bytes
	}
	if len(b) < head+n {
		return nil, nil
	}
	return b[head : head+n], b[head+n:]
}
