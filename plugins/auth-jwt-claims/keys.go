package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

const (
	maxKeys   = 100
	minSecret = 32 // bytes, RFC 7518 section 3.2
	minRSA    = 2048
)

func algorithms() []string {
	return []string{
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
	}
}

// readKeys reads the settings keys, jwks and jwks_json. Messages never hold a key.
func readKeys(c *sallyport.Config) ([]key, error) {
	var keys []key
	for _, b := range c.Blocks("keys") {
		k, err := readKey(b)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	sets := map[string]any{"jwks": nil}
	if m := c.Map("jwks"); m != nil {
		sets["jwks"] = m
	}
	if text := c.String("jwks_json", ""); text != "" {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return nil, errors.New(`setting "jwks_json" is not a JSON object`)
		}
		sets["jwks_json"] = m
	}
	for name, set := range sets {
		if set == nil {
			continue
		}
		more, err := keySet(set.(map[string]any))
		if err != nil {
			return nil, errors.New("setting " + strconv.Quote(name) + ": " + err.Error())
		}
		keys = append(keys, more...)
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, errors.New(`settings "keys", "jwks" and "jwks_json" must name 1 to ` + strconv.Itoa(maxKeys) + " keys for signatures together")
	}
	return keys, nil
}

// readKey reads an entry of keys: a PEM public key, or a secret.
func readKey(c *sallyport.Config) (key, error) {
	k := key{id: c.String("kid", ""), alg: c.String("alg", ""), secret: []byte(c.String("secret", ""))}
	pem := c.String("pem", "")
	var err error
	switch {
	case !slices.Contains(algorithms(), k.alg):
		return k, errors.New("setting " + strconv.Quote(c.Path("alg")) + " must be one of " + strings.Join(algorithms(), ", "))
	case (len(k.secret) > 0) == (pem != ""):
		return k, errors.New("setting " + strconv.Quote(c.Path("pem")) + `: give either "pem" or "secret"`)
	case pem != "":
		if k.public, err = publicKey(pem); err != nil {
			return k, errors.New("setting " + strconv.Quote(c.Path("pem")) + ": " + err.Error())
		}
	}
	if err := k.fits(); err != nil {
		return k, errors.New("setting " + strconv.Quote(c.Path("alg")) + ": " + err.Error())
	}
	return k, nil
}

// fits reports whether the key is one for its algorithm, and strong enough.
func (k *key) fits() error {
	kind := ""
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA || public.N.BitLen() > 8192 || public.E < 3 || public.E&1 == 0 {
			return errors.New("an RSA key must have 2048 to 8192 bits and an odd exponent")
		}
		kind = "RS256, RS384, RS512, PS256, PS384, PS512"
	case *ecdsa.PublicKey:
		kind = "ES256"
		if public.Curve == elliptic.P384() {
			kind = "ES384"
		}
	case ed25519.PublicKey:
		kind = "EdDSA"
	default:
		if len(k.secret) < minSecret {
			return errors.New("a secret must have at least " + strconv.Itoa(minSecret) + " bytes")
		}
		kind = "HS256, HS384, HS512"
	}
	if !strings.Contains(kind, k.alg) || k.alg == "" {
		return errors.New(strconv.Quote(k.alg) + " does not fit the key, which is for " + kind)
	}
	return nil
}

// keySet reads a JSON Web Key Set (RFC 7517). Keys for other uses than signatures are left out.
func keySet(set map[string]any) ([]key, error) {
	list, ok := set["keys"].([]any)
	if !ok {
		return nil, errors.New(`a key set is an object with a list "keys"`)
	}
	var keys []key
	for i, item := range list {
		m, _ := item.(map[string]any)
		member := func(name string) string { s, _ := m[name].(string); return s }
		if member("use") == "enc" {
			continue
		}
		k, err := webKey(member)
		if err == nil {
			err = k.fits()
		}
		if err != nil {
			return nil, errors.New("keys[" + strconv.Itoa(i) + "]: " + err.Error())
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func webKey(member func(string) string) (key, error) {
	k := key{id: member("kid"), alg: member("alg")}
	number := func(name string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(member(name), "="))
		if err != nil {
			return nil
		}
		return b
	}
	otherwise := ""
	switch kty, crv := member("kty"), member("crv"); {
	case kty == "RSA":
		k.public, otherwise = rsaKey(number("n"), number("e")), "RS256"
	case kty == "EC" && crv == "P-256":
		k.public, otherwise = point(elliptic.P256(), number("x"), number("y")), "ES256"
	case kty == "EC" && crv == "P-384":
		k.public, otherwise = point(elliptic.P384(), number("x"), number("y")), "ES384"
	case kty == "OKP" && crv == "Ed25519":
		if x := number("x"); len(x) == ed25519.PublicKeySize {
			k.public = ed25519.PublicKey(x)
		}
		otherwise = "EdDSA"
	case kty == "oct":
		k.secret, otherwise = number("k"), "HS256"
	default:
		return k, errors.New("kty must be RSA, EC with crv P-256 or P-384, OKP with crv Ed25519, or oct")
	}
	if k.public == nil && k.secret == nil {
		return k, errors.New("its numbers are missing or wrong")
	}
	if k.alg == "" {
		k.alg = otherwise
	}
	return k, nil
}

// rsaKey returns a *rsa.PublicKey, or nil.
func rsaKey(n, e []byte) any {
	if len(n) == 0 || len(n) > 1024 || len(e) == 0 || len(e) > 4 {
		return nil
	}
	exponent := 0
	for _, b := range e {
		exponent = exponent<<8 | int(b)
	}
	if exponent < 0 || exponent > 1<<31-1 {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent}
}

// point returns a *ecdsa.PublicKey, or nil if the point is not on the curve.
func point(curve elliptic.Curve, x, y []byte) any {
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil
	}
	return public
}
