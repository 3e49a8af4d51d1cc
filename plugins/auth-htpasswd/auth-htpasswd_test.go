package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

const (
	password = "correct horse"
	long     = "pässword-that-is-longer-than-sixty-four-bytes-0123456789-0123456789-0123456789"
)

// TestHashes checks entries that openssl passwd and Python's hashlib made.
func TestHashes(t *testing.T) {
	t.Parallel()
	right := func(entry, password string) {
		t.Helper()
		h, err := parseHash(entry)
		if err != nil || !h.verify(password) {
			t.Errorf("%s: not the hash of %q, error %v", entry, password, err)
			return
		}
		for _, other := range []string{"", password + "x", password[:len(password)-1], strings.ToUpper(password)} {
			if h.verify(other) {
				t.Errorf("%s: %q is right, too", entry, other)
			}
		}
	}
	right("$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/", password)
	right("$6$0123456789abcdef$89IImBgKvRmEb0FX./ruzHhVpB1UKGR3dHUHRsp0.KBee9MlJjuSXiq2d.RYWvxICX93PsXQ/S.RQDwCVcvZm1", long)
	right("$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC", password)
	right("$5$0123456789abcdef$Tgv0/f9UlEVeLkKPeiZaUgBjYo.U5xIMBZz1Rx4INu/", long)
	right("$apr1$saltstri$3M7Faf5EXu1biGL6p4ueM1", password)
	right("$apr1$01234567$zEveHKbgo7w7iK22egmo5/", long)
	right("{PBKDF2-SHA256}10000$MDEyMzQ1Njc4OWFiY2RlZg$TI2grtvV1HW5nz2rBY4tctlrmOj5bZs0dw9j8NHpRRc", password)
	right("{SSHA256}TycnyLJ5QhE2eprQH+cZDi318lzhJ/29M/zKKptu2m4wMTIzNDU2Nzg5YWJjZGVm", password)
}

func TestRounds(t *testing.T) {
	t.Parallel()
	h, err := parseHash("$5$rounds=1000$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC")
	if err != nil || h.rounds != 1000 || h.salt != "saltstring" || h.verify(password) {
		t.Errorf("got %+v, %v", h, err)
	}
}

func config(t testing.TB) map[string]any {
	t.Helper()
	text, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func basic(pair string) sallyport.AuthRequest {
	encoded := base64.StdEncoding.EncodeToString([]byte(pair))
	return sallyport.AuthRequest{Credential: encoded, Raw: "Basic " + encoded}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	for _, remember := range []bool{true, false} {
		c := config(t)
		c["remember"] = remember
		hooks, err := sallyport.Build(c, New)
		if err != nil {
			t.Fatal(err)
		}
		is := func(a sallyport.AuthRequest, user string, status int) {
			t.Helper()
			for range 2 { // the second time from memory
				v := hooks.Auth(&a)
				got := ""
				if p := v.Principal(); p != nil {
					got = p.UserID
				}
				if s, _ := v.Refused(); got != user || s != status {
					t.Errorf("%q: user %q status %d, want %q %d", a.Raw, got, s, user, status)
				}
			}
		}
		is(basic("ann:"+password), "ann", 0)
		is(basic("bob:"+password), "u-2", 0)
		is(basic("eve:"+password), "", 403)
		is(basic("ann:wrong"), "", 401)
		is(basic("ann:"), "", 401)
		is(basic("nobody:"+password), "", 401)
		is(basic("bob:"+password+":"), "", 401)
		is(basic("no colon"), "", 401)
		is(basic("ann:"+strings.Repeat("x", maxPassword)), "", 401)
		is(sallyport.AuthRequest{Raw: "Basic !!", Credential: "!!"}, "", 0)
		is(sallyport.AuthRequest{Raw: "Bearer sk-1", Credential: "sk-1"}, "", 0)
		is(sallyport.AuthRequest{Raw: "Bearer ann:" + password, Credential: "ann:" + password}, "", 0)
		is(sallyport.AuthRequest{}, "", 0)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := config(t)
	c["bearer"], c["refuse_unknown"] = true, false
	hooks, err := sallyport.Build(c, New)
	if err != nil {
		t.Fatal(err)
	}
	if p := hooks.Auth(&sallyport.AuthRequest{Raw: "Bearer ann:" + password, Credential: "ann:" + password}).Principal(); p == nil || p.UserID != "ann" {
		t.Errorf("bearer: got %+v", p)
	}
	wrong := basic("ann:wrong")
	if v := hooks.Auth(&wrong); v != sallyport.Pass() {
		t.Errorf("refuse_unknown off: got %+v", v)
	}
}

// TestMemory holds what is remembered to its bound.
func TestMemory(t *testing.T) {
	t.Parallel()
	p := &passwords{known: map[[32]byte]string{}}
	for i := range 3 * maxKnown {
		p.remember([32]byte{byte(i), byte(i >> 8)}, "n")
	}
	if len(p.known) > maxKnown {
		t.Errorf("%d entries", len(p.known))
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(want string, user map[string]any) {
		t.Helper()
		c := map[string]any{}
		if user != nil {
			c["users"] = []any{user}
		}
		_, err := sallyport.Build(c, New)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v: got %v, want %q", user, err, want)
		}
	}
	entry := func(hash string) map[string]any { return map[string]any{"entry": "ann:" + hash} }
	mistake(`"users" must list 1`, nil)
	mistake(`"users[0].entry" must be a name`, map[string]any{"user_id": "x"})
	mistake(`"users[0].entry" must be a name`, map[string]any{"entry": "s3cret"})
	mistake(`bcrypt is not supported`, entry("$2y$05$s3cret"))
	mistake(`of no supported kind`, entry("s3cret"))
	mistake(`of no supported kind`, entry("{SHA}s3cret"))
	mistake(`cut off`, entry("$6$salt"))
	mistake(`cut off`, entry("$apr1$salt$s3cret"))
	mistake(`rounds must be 1000 to 200000`, entry("$6$rounds=999999$salt$s3cret"))
	mistake(`with $ between`, entry("{PBKDF2-SHA256}1000$s3cret"))
	mistake(`not base64`, entry("{PBKDF2-SHA256}1000$s3cret$s3cret"))
	mistake(`at least 8 bytes`, entry("{SSHA256}s3cret"))
	mistake(`it is one of proxy_admin`, map[string]any{"entry": "ann:$apr1$saltstri$3M7Faf5EXu1biGL6p4ueM1", "role": "king"})
	mistake(`unknown setting "users[0].usr"`, map[string]any{"entry": "ann:$apr1$saltstri$3M7Faf5EXu1biGL6p4ueM1", "usr": "x"})
	twice := config(t)
	twice["users"] = append(twice["users"].([]any), twice["users"].([]any)[0])
	if _, err := sallyport.Build(twice, New); err == nil || !strings.Contains(err.Error(), `"ann" is listed twice`) {
		t.Errorf("twice: %v", err)
	}
}

// FuzzHash reads foreign entries and checks passwords with what is one.
func FuzzHash(f *testing.F) {
	for _, s := range []string{"$6$a$b", "$5$rounds=1000$s$x", "$apr1$", "{SSHA256}AA==", "{PBKDF2-SHA512}1000$a$b", "$2b$"} {
		f.Add(s, "password")
	}
	f.Fuzz(func(t *testing.T, s, password string) {
		if h, err := parseHash(s); err == nil && h.rounds <= 1000 && len(password) < maxPassword {
			h.verify(password)
		}
	})
}

// TestModule runs the finished module in the gateway's host, with its limits.
func TestModule(t *testing.T) {
	t.Parallel()
	c := config(t)
	c["bearer"] = true // plugintest sends bearer credentials
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "."), Config: c})
	got, err := p.Auth(t, wasm.ModeOn, "ann:"+password)
	want := &llm.Principal{
		KeyAlias: "ann", UserID: "ann", Email: "ann@example.com", TeamID: "blue", Role: llm.RoleInternalUser,
		Models: []string{"gpt-4o"}, Metadata: map[string]any{"tier": 2.0},
	}
	if got != nil {
		want.KeyHash, want.CountAs = got.KeyHash, got.KeyHash
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, -want +got\n%s", err, diff)
	}
	refused := func(key string, status int) {
		t.Helper()
		var e *llm.Error
		if _, err := p.Auth(t, wasm.ModeAuto, key); !errors.As(err, &e) || e.HTTPStatus() != status {
			t.Errorf("got %v, want status %d", err, status)
		}
	}
	refused("ann:wrong", 401)
	refused("eve:"+password, 403)
	if got, err := p.Auth(t, wasm.ModeAuto, "sk-another"); got != nil || err != nil {
		t.Errorf("another kind of key: got %v, %v, want no opinion", got, err)
	}
}

// BenchmarkAuth measures a password that is remembered, and the first time of each kind of entry.
func BenchmarkAuth(b *testing.B) {
	path := plugintest.Build(b, ".")
	bench := func(name, hash string, remember bool) {
		b.Run(name, func(b *testing.B) {
			p := plugintest.Load(b, wasm.Settings{Path: path, Config: map[string]any{
				"bearer": true, "remember": remember, "users": []any{map[string]any{"entry": "ann:" + hash}},
			}})
			for b.Loop() {
				if _, err := p.Auth(b, wasm.ModeOn, "ann:"+password); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	const sha512Entry = "$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/"
	bench("remembered", sha512Entry, true)
	bench("sha512", sha512Entry, false)
	bench("sha256", "$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC", false)
	bench("apr1", "$apr1$saltstri$3M7Faf5EXu1biGL6p4ueM1", false)
	bench("pbkdf2", "{PBKDF2-SHA256}10000$MDEyMzQ1Njc4OWFiY2RlZg$TI2grtvV1HW5nz2rBY4tctlrmOj5bZs0dw9j8NHpRRc", false)
	bench("ssha256", "{SSHA256}TycnyLJ5QhE2eprQH+cZDi318lzhJ/29M/zKKptu2m4wMTIzNDU2Nzg5YWJjZGVm", false)
}
