package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

const secret = "a-secret-of-at-least-thirty-two-bytes"

var encode = base64.RawURLEncoding.EncodeToString

// signers makes a private key of each kind.
type signers struct {
	rsa        *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}

func newSigners(t testing.TB) *signers {
	t.Helper()
	s := &signers{}
	var errs [4]error
	s.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	s.p256, errs[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.p384, errs[2] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, s.ed, errs[3] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return s
}

func pemOf(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// token signs claims. The header may hold anything.
func (s *signers) token(t testing.TB, alg string, header, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"alg": alg, "typ": "JWT"}
	maps.Copy(all, header)
	head, err1 := json.Marshal(all)
	body, err2 := json.Marshal(claims)
	signed := encode(head) + "." + encode(body)
	_, id := hashOf(alg)
	h := id.New()
	h.Write([]byte(signed))
	sum := h.Sum(nil)
	var signature []byte
	var err3 error
	switch {
	case alg == "EdDSA":
		signature = ed25519.Sign(s.ed, []byte(signed))
	case alg[:2] == "RS":
		signature, err3 = rsa.SignPKCS1v15(rand.Reader, s.rsa, id, sum)
	case alg[:2] == "PS":
		signature, err3 = rsa.SignPSS(rand.Reader, s.rsa, id, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case alg == "ES256":
		signature = raw(t, s.p256, sum, 32)
	case alg == "ES384":
		signature = raw(t, s.p384, sum, 48)
	default:
		signature = mac(alg, secret, signed)
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(signature)
}

func raw(t testing.TB, k *ecdsa.PrivateKey, sum []byte, size int) []byte {
	r, s, err := ecdsa.Sign(rand.Reader, k, sum)
	if err != nil {
		t.Fatal(err)
	}
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

func mac(alg, secret, signed string) []byte {
	newHash, _ := hashOf(alg)
	m := hmac.New(newHash, []byte(secret))
	m.Write([]byte(signed))
	return m.Sum(nil)
}

func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func claimsOf(more map[string]any) map[string]any {
	all := map[string]any{"sub": "u1", "exp": in(time.Hour), "aud": "gateway", "iss": "https://idp.example"}
	maps.Copy(all, more)
	return all
}

func hmacConfig(more map[string]any) map[string]any {
	all := map[string]any{"keys": []any{map[string]any{"alg": "HS256", "secret": secret}}, "audience": "gateway"}
	maps.Copy(all, more)
	return all
}

// asker builds the plugin and returns a function that says which user a token is, or why it is refused.
func asker(t testing.TB, config map[string]any) func(token string) string {
	t.Helper()
	hooks, err := sallyport.Build(config, New)
	if err != nil {
		t.Fatal(err)
	}
	return func(token string) string {
		v := hooks.Auth(&sallyport.AuthRequest{Credential: token})
		if p := v.Principal(); p != nil {
			return p.UserID
		}
		_, message := v.Refused()
		return strings.TrimPrefix(message, "the token is not valid: ")
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	keys := map[string]any{}
	for _, alg := range algorithms() {
		k := map[string]any{"alg": alg, "kid": alg}
		switch alg[:2] {
		case "HS":
			k["secret"] = secret
		case "RS", "PS":
			k["pem"] = pemOf(t, &s.rsa.PublicKey)
		case "Ed":
			k["pem"] = pemOf(t, s.ed.Public())
		default:
			k["pem"] = pemOf(t, &s.p256.PublicKey)
			if alg == "ES384" {
				k["pem"] = pemOf(t, &s.p384.PublicKey)
			}
		}
		keys[alg] = k
		ask := asker(t, map[string]any{"keys": []any{k}, "audience": "gateway"})
		good := s.token(t, alg, nil, claimsOf(nil))
		if got := ask(good); got != "u1" {
			t.Errorf("%s: %s", alg, got)
		}
		if got := ask(s.token(t, alg, map[string]any{"kid": alg}, claimsOf(nil))); got != "u1" {
			t.Errorf("%s with its key's name: %s", alg, got)
		}
		if got := ask(s.token(t, alg, map[string]any{"kid": "other"}, claimsOf(nil))); got != "its key is not known." {
			t.Errorf("%s with another key's name: %s", alg, got)
		}
		signed, signature, _ := cut(good)
		for _, bad := range []string{"", "AAAA", encode(make([]byte, 64)), signature[:len(signature)-4], "B" + signature[1:] + "AAAA"} {
			if got := ask(signed + "." + bad); got != "its signature is wrong." {
				t.Errorf("%s, signature %q: %s", alg, bad, got)
			}
		}
	}
	// A token for one algorithm is never checked with the key of another.
	for _, alg := range algorithms() {
		for _, other := range algorithms() {
			if other == alg {
				continue
			}
			ask := asker(t, map[string]any{"keys": []any{keys[other]}, "audience": "gateway"})
			if got := ask(s.token(t, alg, nil, claimsOf(nil))); got != "its key is not known." {
				t.Errorf("a token with %s, a key for %s: %s", alg, other, got)
			}
		}
	}
}

func cut(token string) (signed, signature string, ok bool) {
	at := strings.LastIndexByte(token, '.')
	return token[:at], token[at+1:], true
}

// TestConfusion tries what is known against libraries that trust the header.
func TestConfusion(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	public := pemOf(t, &s.rsa.PublicKey)
	ask := asker(t, map[string]any{"keys": []any{map[string]any{"alg": "RS256", "pem": public}}, "audience": "gateway"})
	refused := func(why, token string) {
		t.Helper()
		if got := ask(token); got != why {
			t.Errorf("got %q, want %q", got, why)
		}
	}
	body, err := json.Marshal(claimsOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(header string) string { return encode([]byte(header)) + "." + encode(body) }
	for _, key := range []string{public, strings.TrimSpace(public), string(x509.MarshalPKCS1PublicKey(&s.rsa.PublicKey))} {
		text := signed(`{"alg":"HS256"}`)
		refused("its key is not known.", text+"."+encode(mac("HS256", key, text)))
	}
	refused("its key is not known.", signed(`{"alg":"none"}`)+".")
	refused("its key is not known.", signed(`{"alg":"None"}`)+"."+encode([]byte("x")))
	refused("its key is not known.", signed(`{"typ":"JWT"}`)+".")
	refused("it is not well formed.", signed(`{"alg":["RS256"]}`)+".")
	refused("it is not well formed.", encode([]byte(`{"alg":"RS256"`))+"."+encode(body)+".")
	refused("its signature is wrong.", signed(`{"alg":"RS256"}`)+".")
	refused("it needs an extension that is not supported.", s.token(t, "RS256", map[string]any{"crit": []any{"b64"}, "b64": false}, claimsOf(nil)))

	// A token's own key is not looked at.
	other := newSigners(t)
	jwk := map[string]any{"kty": "RSA", "n": encode(other.rsa.N.Bytes()), "e": "AQAB"}
	refused("its signature is wrong.", other.token(t, "RS256", map[string]any{"jwk": jwk, "jku": "https://x.example"}, claimsOf(nil)))

	// The same signature over other claims.
	good := s.token(t, "RS256", nil, claimsOf(nil))
	parts := strings.Split(good, ".")
	forged, err := json.Marshal(claimsOf(map[string]any{"sub": "admin"}))
	if err != nil {
		t.Fatal(err)
	}
	refused("its signature is wrong.", parts[0]+"."+encode(forged)+"."+parts[2])
}

func TestClaims(t *testing.T) {
	t.Parallel()
	s := &signers{}
	is := func(want string, config, claims map[string]any) {
		t.Helper()
		all := claimsOf(nil)
		for name, v := range claims {
			if all[name] = v; v == nil {
				delete(all, name)
			}
		}
		ask := asker(t, hmacConfig(config))
		for range 2 { // the second time from memory
			if got := ask(s.token(t, "HS256", nil, all)); got != want {
				t.Errorf("config %v, claims %v: got %q, want %q", config, claims, got, want)
			}
		}
	}
	is("u1", nil, nil)
	is("it has expired.", nil, map[string]any{"exp": in(-time.Minute)})
	is("u1", nil, map[string]any{"exp": in(-10 * time.Second)})
	is("it has expired.", map[string]any{"leeway_seconds": 0}, map[string]any{"exp": in(-10 * time.Second)})
	is("it is not valid yet.", nil, map[string]any{"nbf": in(time.Minute)})
	is("u1", nil, map[string]any{"nbf": in(10 * time.Second)})
	is("it does not expire.", nil, map[string]any{"exp": nil})
	is("u1", map[string]any{"require_exp": false}, map[string]any{"exp": nil})
	is("its times are not numbers.", nil, map[string]any{"exp": "tomorrow"})
	is("its times are not numbers.", nil, map[string]any{"nbf": 1e300})
	is("it has expired.", map[string]any{"max_age_seconds": 60}, map[string]any{"iat": in(-5 * time.Minute)})
	is("u1", map[string]any{"max_age_seconds": 600}, map[string]any{"iat": in(-5 * time.Minute)})
	is("its times are not numbers.", map[string]any{"max_age_seconds": 600}, nil)

	is("it is meant for somebody else.", nil, map[string]any{"aud": "other"})
	is("it is meant for somebody else.", nil, map[string]any{"aud": nil})
	is("u1", nil, map[string]any{"aud": []any{"other", "gateway"}})
	is("u1", map[string]any{"audience": []any{}}, map[string]any{"aud": "other"})
	is("its issuer is not known.", map[string]any{"issuer": []any{"https://a", "https://b"}}, nil)
	is("u1", map[string]any{"issuer": "https://idp.example"}, nil)
	is("u1", map[string]any{"required_claims": map[string]any{"hd": "corp", "groups": "staff"}}, map[string]any{"hd": "corp", "groups": []any{"a", "staff"}})
	is("a claim does not have the value it must have.", map[string]any{"required_claims": map[string]any{"hd": "corp"}}, nil)

	is("it does not say who the user is.", nil, map[string]any{"sub": nil})
	is("it does not say who the user is.", nil, map[string]any{"sub": map[string]any{}})
	is("42", map[string]any{"user_id_claim": "user.id"}, map[string]any{"user": map[string]any{"id": 42}})
	is("a claim does not have the value it must have.", map[string]any{"models_claim": "models"}, map[string]any{"models": []any{}})
}

func TestMapping(t *testing.T) {
	t.Parallel()
	hooks, err := sallyport.Build(hmacConfig(map[string]any{
		"user_id_claim": "preferred_username", "team_id_claim": "teams.0", "team_alias_claim": "teams.1", "org_id_claim": `https://x\.example/org`,
		"key_alias_claim": "jti", "end_user_claim": "act.sub", "models_claim": "scope", "role_claim": "realm.roles",
		"role_map": map[string]any{"ops": "proxy_admin_viewer", "staff": "internal_user"}, "default_role": "customer",
		"metadata_claims": []any{"plan", "missing"},
	}), New)
	if err != nil {
		t.Fatal(err)
	}
	s := &signers{}
	token := s.token(t, "HS256", nil, claimsOf(map[string]any{
		"preferred_username": "ann", "email": "ann@example.com", "teams": []any{"t1", "Blue"}, "https://x.example/org": "o1", "jti": "j",
		"act": map[string]any{"sub": "e"}, "scope": "gpt-4o claude-*", "realm": map[string]any{"roles": []any{"staff", "ops"}}, "plan": map[string]any{"tier": 2},
	}))
	got := hooks.Auth(&sallyport.AuthRequest{Credential: token}).Principal()
	want := &sallyport.Principal{
		Caller: sallyport.Caller{
			KeyAlias: "j", UserID: "ann", UserEmail: "ann@example.com", TeamID: "t1", TeamAlias: "Blue", OrgID: "o1", EndUser: "e", Role: "proxy_admin_viewer",
		},
		Models: []string{"gpt-4o", "claude-*"}, Metadata: map[string]any{"plan": map[string]any{"tier": 2.0}},
		Counter: `jwt "https://idp.example" ann`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	token = s.token(t, "HS256", nil, claimsOf(map[string]any{"preferred_username": "bob", "realm": "x", "teams": map[string]any{}}))
	if got = hooks.Auth(&sallyport.AuthRequest{Credential: token}).Principal(); got == nil || got.Role != "customer" || got.TeamID != "" || got.Models != nil {
		t.Errorf("without the claims: got %+v", got)
	}
}

// Limits come from the configuration and, where a token has them, from its claims.
func TestLimits(t *testing.T) {
	t.Parallel()
	config := map[string]any{
		"team_id_claim": "team",
		"limits":        map[string]any{"rpm_limit": 60, "max_budget": 5, "budget_duration": "1d", "team_rpm_limit": 600, "organization_rpm_limit": 7},
		"limit_claims":  map[string]any{"rpm_limit": "quota.rpm", "max_budget": "quota.budget", "model_tpm_limit": "quota.models"},
	}
	s := &signers{}
	f := func(claims map[string]any, want sallyport.AllLimits) {
		t.Helper()
		hooks, err := sallyport.Build(hmacConfig(config), New)
		if err != nil {
			t.Fatal(err)
		}
		p := hooks.Auth(&sallyport.AuthRequest{Credential: s.token(t, "HS256", nil, claimsOf(claims))}).Principal()
		if p == nil {
			t.Fatalf("%v: refused", claims)
		}
		if diff := cmp.Diff(want, p.Limits); diff != "" {
			t.Errorf("%v: -want +got\n%s", claims, diff)
		}
	}
	key := func(rpm int64, budget float64) sallyport.Limits {
		return sallyport.Limits{RPM: sallyport.AtMost(rpm), MaxBudget: sallyport.Dollars(budget), BudgetDuration: "1d"}
	}
	f(nil, sallyport.AllLimits{Key: key(60, 5)})
	f(map[string]any{"team": "blue", "quota": map[string]any{"rpm": 2, "budget": 0, "models": map[string]any{"gpt-4o": 100}}}, sallyport.AllLimits{
		Key: key(2, 0), Team: sallyport.Limits{RPM: sallyport.AtMost(600)},
		KeyModels: map[string]sallyport.Limits{"gpt-4o": {TPM: sallyport.AtMost(100)}},
	})
	for _, quota := range []any{
		map[string]any{"rpm": -1}, map[string]any{"rpm": "2"}, map[string]any{"budget": -0.5}, map[string]any{"models": 7},
	} {
		if got := asker(t, hmacConfig(config))(s.token(t, "HS256", nil, claimsOf(map[string]any{"quota": quota}))); got != "a claim that holds a limit is malformed." {
			t.Errorf("%v: got %q", quota, got)
		}
	}
}

// TestMemory lets a remembered token expire.
func TestMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ask := asker(t, hmacConfig(nil))
		s := &signers{}
		token := s.token(t, "HS256", nil, claimsOf(map[string]any{"exp": in(time.Minute)}))
		is := func(want string) {
			t.Helper()
			if got := ask(token); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		is("u1")
		time.Sleep(80 * time.Second)
		is("u1")
		time.Sleep(20 * time.Second)
		is("it has expired.")
		is("it has expired.")
	})
	k := &tokens{known: map[[sha256.Size]byte]*grant{}}
	for i := range 3 * maxKnown {
		k.remember([sha256.Size]byte{byte(i), byte(i >> 8)}, &grant{})
	}
	if len(k.known) > maxKnown {
		t.Errorf("%d tokens are remembered", len(k.known))
	}
}

func TestPassingOn(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	ask := func(config map[string]any, token string) sallyport.AuthVerdict {
		hooks, err := sallyport.Build(config, New)
		if err != nil {
			t.Fatal(err)
		}
		return hooks.Auth(&sallyport.AuthRequest{Credential: token})
	}
	for _, key := range []string{"", "sk-1234", "a.b.c", "eyJ.x", "eyJ" + strings.Repeat("x", maxToken) + ".y.z"} {
		if v := ask(hmacConfig(nil), key); v != sallyport.Pass() {
			t.Errorf("%.20q: got %+v", key, v)
		}
	}
	open := hmacConfig(map[string]any{"refuse_unknown": false, "issuer": "https://idp.example"})
	if v := ask(open, s.token(t, "RS256", nil, claimsOf(nil))); v != sallyport.Pass() {
		t.Errorf("another algorithm: got %+v", v)
	}
	if v := ask(open, s.token(t, "HS256", nil, claimsOf(map[string]any{"iss": "other"}))); v != sallyport.Pass() {
		t.Errorf("another issuer: got %+v", v)
	}
	if status, _ := ask(open, s.token(t, "HS256", nil, claimsOf(map[string]any{"exp": 1}))).Refused(); status != 401 {
		t.Errorf("expired: status %d", status)
	}
}

func TestKeySets(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	jwk := func(members ...string) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(members); i += 2 {
			m[members[i]] = members[i+1]
		}
		return m
	}
	point := func(k *ecdsa.PrivateKey) (x, y string) {
		b, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return encode(b[1 : len(b)/2+1]), encode(b[len(b)/2+1:])
	}
	x1, y1 := point(s.p256)
	x2, y2 := point(s.p384)
	set := map[string]any{"keys": []any{
		jwk("kty", "RSA", "kid", "r", "use", "sig", "n", encode(s.rsa.N.Bytes()), "e", "AQAB"),
		jwk("kty", "RSA", "kid", "enc", "use", "enc", "n", "x"),
		jwk("kty", "EC", "crv", "P-256", "kid", "e", "x", x1, "y", y1),
		jwk("kty", "EC", "crv", "P-384", "x", x2, "y", y2),
		jwk("kty", "OKP", "crv", "Ed25519", "x", encode(s.ed.Public().(ed25519.PublicKey))),
		jwk("kty", "oct", "k", encode([]byte(secret))),
	}}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range []map[string]any{{"jwks": set, "audience": "gateway"}, {"jwks_json": string(text), "audience": "gateway"}} {
		ask := asker(t, config)
		for _, alg := range []string{"RS256", "ES256", "ES384", "EdDSA", "HS256"} {
			if got := ask(s.token(t, alg, nil, claimsOf(nil))); got != "u1" {
				t.Errorf("%s: %s", alg, got)
			}
		}
		if got := ask(s.token(t, "RS512", nil, claimsOf(nil))); got != "its key is not known." {
			t.Errorf("RS512: %s", got)
		}
	}

	mistake := func(want string, key map[string]any) {
		t.Helper()
		_, err := sallyport.Build(map[string]any{"audience": "a", "jwks": map[string]any{"keys": []any{key}}}, New)
		if err == nil || !strings.Contains(err.Error(), `"jwks": keys[0]: `+want) {
			t.Errorf("%v: got %v, want %q", key, err, want)
		}
	}
	mistake("kty must be", jwk("kty", "EC", "crv", "secp256k1", "x", x1, "y", y1))
	mistake("its numbers are missing", jwk("kty", "EC", "crv", "P-256", "x", x1, "y", x1))
	mistake("its numbers are missing", jwk("kty", "RSA", "n", "%%", "e", "AQAB"))
	mistake(`"HS256" does not fit the key`, jwk("kty", "RSA", "alg", "HS256", "n", encode(s.rsa.N.Bytes()), "e", "AQAB"))
	mistake("an RSA key must have 2048", jwk("kty", "RSA", "n", encode(big.NewInt(1<<62).Bytes()), "e", "AQAB"))
	mistake("a secret must have at least 32", jwk("kty", "oct", "k", "AAAA"))
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	mistake := func(want string, config map[string]any) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "a-secret") {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	key := func(members map[string]any) map[string]any {
		return map[string]any{"audience": "a", "keys": []any{members}}
	}
	mistake("must name 1 to 100 keys", map[string]any{"audience": "a"})
	mistake(`"keys[0].alg" must be one of HS256`, key(map[string]any{"alg": "none", "secret": secret}))
	mistake(`give either "pem" or "secret"`, key(map[string]any{"alg": "HS256"}))
	mistake(`at least 32 bytes`, key(map[string]any{"alg": "HS256", "secret": "a-secret"}))
	mistake(`"RS256" does not fit the key`, key(map[string]any{"alg": "RS256", "secret": secret}))
	mistake(`"HS256" does not fit the key`, key(map[string]any{"alg": "HS256", "pem": pemOf(t, &s.rsa.PublicKey)}))
	mistake(`"ES384" does not fit the key`, key(map[string]any{"alg": "ES384", "pem": pemOf(t, &s.p256.PublicKey)}))
	mistake(`"BEGIN PUBLIC KEY"`, key(map[string]any{"alg": "RS256", "pem": "-----BEGIN CERTIFICATE-----"}))
	mistake(`not base64`, key(map[string]any{"alg": "RS256", "pem": "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----"}))
	mistake(`must be an RSA key`, key(map[string]any{"alg": "RS256", "pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}))
	mistake(`"jwks_json" is not a JSON`, map[string]any{"audience": "a", "jwks_json": "{"})
	mistake(`"jwks": a key set is`, map[string]any{"audience": "a", "jwks": map[string]any{}})
	mistake(`"audience" is missing`, hmacConfig(map[string]any{"audience": nil}))
	mistake(`"leeway_seconds" must be 0`, hmacConfig(map[string]any{"leeway_seconds": 9999}))
	mistake(`"required_claims.a" must be text`, hmacConfig(map[string]any{"required_claims": map[string]any{"a": 1}}))
	mistake(`"default_role" is "king"`, hmacConfig(map[string]any{"default_role": "king"}))
	mistake(`"role_map.a" must be one of`, hmacConfig(map[string]any{"role_claim": "r", "role_map": map[string]any{"a": "king"}}))
	mistake(`go together`, hmacConfig(map[string]any{"role_claim": "r"}))
	mistake(`"limits" is wrong: limit "rpm" is not known`, hmacConfig(map[string]any{"limits": map[string]any{"rpm": 1}}))
	mistake(`"limit_claims.rpm": there is no limit`, hmacConfig(map[string]any{"limit_claims": map[string]any{"rpm": "a"}}))
	mistake(`"limit_claims.rpm_limit" must name a claim`, hmacConfig(map[string]any{"limit_claims": map[string]any{"rpm_limit": 1}}))
	mistake(`unknown setting "user_claim"`, hmacConfig(map[string]any{"user_claim": "r"}))
}

// FuzzToken gives the verifier foreign tokens, and signed ones with foreign claims.
func FuzzToken(f *testing.F) {
	f.Add(`{"alg":"HS256"}`, `{"sub":"u","exp":9999999999,"aud":["gateway"]}`, "")
	f.Add(`{"alg":"HS256","kid":"x"}`, `{"sub":{"a":[1]},"exp":1e400,"aud":7}`, "x.y")
	hooks, err := sallyport.Build(hmacConfig(map[string]any{"models_claim": "m", "role_claim": "a.0.b", "role_map": map[string]any{"x": "customer"}}), New)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, head, body, tail string) {
		hooks.Auth(&sallyport.AuthRequest{Credential: "eyJ" + head + "." + body + "." + tail})
		signed := encode([]byte(head)) + "." + encode([]byte(body))
		v := hooks.Auth(&sallyport.AuthRequest{Credential: signed + "." + encode(mac("HS256", secret, signed))})
		if p := v.Principal(); p != nil && p.UserID == "" {
			t.Fatalf("%s: a principal without a user", body)
		}
	})
}

// FuzzKey reads foreign DER.
func FuzzKey(f *testing.F) {
	s := newSigners(f)
	for _, k := range []any{&s.rsa.PublicKey, &s.p256.PublicKey, s.ed.Public()} {
		block, _ := pem.Decode([]byte(pemOf(f, k)))
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		k := key{alg: "RS256", public: keyInfo(der)}
		if k.fits() == nil {
			k.verify([]byte("x"), make([]byte, 256))
		}
	})
}

// TestModule runs the finished module in the gateway's host, with its limits.
func TestModule(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "."), Config: map[string]any{
		"audience": "gateway", "keys": []any{map[string]any{"alg": "RS256", "pem": pemOf(t, &s.rsa.PublicKey)}},
		"role_claim": "roles", "role_map": map[string]any{"ops": "proxy_admin"}, "models_claim": "models",
		"limits": map[string]any{"max_budget": 5}, "limit_claims": map[string]any{"model_rpm_limit": "rpm"},
	}})
	token := s.token(t, "RS256", nil, claimsOf(map[string]any{"roles": []any{"ops"}, "models": []any{"gpt-4o"}, "rpm": map[string]any{"gpt-4o": 7}}))
	got, err := p.Auth(t, wasm.ModeOn, token)
	if err != nil || got == nil || got.UserID != "u1" || got.Role != llm.RoleProxyAdmin || len(got.Models) != 1 {
		t.Errorf("got %+v, error %v", got, err)
	}
	whole, model := plugintest.Limit(got, abi.LimitOfKey, ""), plugintest.Limit(got, abi.LimitOfKey, "gpt-4o")
	if whole == nil || whole.Budget.Max != 5 || model == nil || model.RPM != 7 {
		t.Errorf("limits %+v", got.Allowances)
	}
	next, err := p.Auth(t, wasm.ModeOn, s.token(t, "RS256", nil, claimsOf(map[string]any{"jti": "next", "models": []any{"gpt-4o"}})))
	if err != nil || next.CountAs != got.CountAs || next.KeyHash == got.KeyHash {
		t.Errorf("the next token of the same user is counted apart: %+v, %v", next, err)
	}
	var e *llm.Error
	if _, err := p.Auth(t, wasm.ModeAuto, token+"AAAA"); !errors.As(err, &e) || e.HTTPStatus() != 401 || !strings.Contains(e.Message, "its signature is wrong") {
		t.Errorf("a wrong signature: %v", err)
	}
	if got, err := p.Auth(t, wasm.ModeAuto, "sk-another"); got != nil || err != nil {
		t.Errorf("another kind of key: got %v, %v, want no opinion", got, err)
	}
}

// BenchmarkAuth measures a remembered token, and the first time of each kind.
func BenchmarkAuth(b *testing.B) {
	path, s := plugintest.Build(b, "."), newSigners(b)
	bench := func(name string, remember bool, k map[string]any) {
		b.Run(name, func(b *testing.B) {
			p := plugintest.Load(b, wasm.Settings{Path: path, Config: map[string]any{"audience": "gateway", "remember": remember, "keys": []any{k}}})
			token := s.token(b, k["alg"].(string), nil, claimsOf(nil))
			for b.Loop() {
				if _, err := p.Auth(b, wasm.ModeOn, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	rs := map[string]any{"alg": "RS256", "pem": pemOf(b, &s.rsa.PublicKey)}
	bench("remembered", true, rs)
	bench("RS256", false, rs)
	bench("ES256", false, map[string]any{"alg": "ES256", "pem": pemOf(b, &s.p256.PublicKey)})
	bench("ES384", false, map[string]any{"alg": "ES384", "pem": pemOf(b, &s.p384.PublicKey)})
	bench("EdDSA", false, map[string]any{"alg": "EdDSA", "pem": pemOf(b, s.ed.Public())})
	bench("HS256", false, map[string]any{"alg": "HS256", "secret": secret})
}
