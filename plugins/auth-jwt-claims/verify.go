package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"math/big"
	"strings"
)

// What is wrong with a token. Callers read these.
var (
	errForm       = errors.New("it is not well formed")
	errUnknownKey = errors.New("its key is not known")
	errSignature  = errors.New("its signature is wrong")
	errCritical   = errors.New("it needs an extension that is not supported")
)

// key verifies signatures of one algorithm. A token's own algorithm selects among keys but never decides how a key is
// used: that is what keeps a public key from being taken for the secret of an HMAC.
type key struct {
	id     string
	alg    string
	secret []byte
	public any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// maxTries bounds the keys that are tried for a token that does not name its key.
const maxTries = 8

// verify checks the signature of a token and returns its claims.
func verify(token string, keys []key) (map[string]any, error) {
	signed := token[:strings.LastIndexByte(token, '.')]
	head, body, _ := strings.Cut(signed, ".")
	var header struct {
		Alg  string          `json:"alg"`
		Kid  string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(text, &header) != nil {
		return nil, errForm
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[len(signed)+1:])
	if err != nil {
		return nil, errForm
	}
	if header.Crit != nil {
		return nil, errCritical
	}
	tried, good := 0, false
	for i := range keys {
		k := &keys[i]
		if k.alg != header.Alg || header.Kid != "" && k.id != "" && k.id != header.Kid {
			continue
		}
		if tried++; tried > maxTries {
			break
		}
		if good = k.verify([]byte(signed), signature); good {
			break
		}
	}
	switch {
	case tried == 0:
		return nil, errUnknownKey
	case !good:
		return nil, errSignature
	}
	text, err = base64.RawURLEncoding.DecodeString(body)
	var claims map[string]any
	if err != nil || json.Unmarshal(text, &claims) != nil || claims == nil {
		return nil, errForm
	}
	return claims, nil
}

func (k *key) verify(signed, signature []byte) bool {
	newHash, id := hashOf(k.alg)
	if k.alg == "EdDSA" {
		public, ok := k.public.(ed25519.PublicKey)
		return ok && ed25519.Verify(public, signed, signature)
	}
	if k.alg[:2] == "HS" {
		m := hmac.New(newHash, k.secret)
		m.Write(signed)
		return hmac.Equal(m.Sum(nil), signature)
	}
	h := newHash()
	h.Write(signed)
	sum := h.Sum(nil)
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		if k.alg[:2] == "PS" {
			return rsa.VerifyPSS(public, id, sum, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, id, sum, signature) == nil
	case *ecdsa.PublicKey:
		size := (public.Curve.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(public, sum, r, s)
	}
	return false
}

func hashOf(alg string) (func() hash.Hash, crypto.Hash) {
	switch alg {
	case "HS384", "RS384", "PS384", "ES384":
		return sha512.New384, crypto.SHA384
	case "HS512", "RS512", "PS512":
		return sha512.New, crypto.SHA512
	}
	return sha256.New, crypto.SHA256
}
