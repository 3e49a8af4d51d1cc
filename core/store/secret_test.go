package store_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/sallyport-ai/sallyport/core/store"
)

// published makes a value by the construction that the reference publishes, step by step.
func published(salt, text string) string {
	key := sha256.Sum256([]byte(salt))
	nonce := [24]byte{1, 2, 3, 250, 251, 252}
	return base64.URLEncoding.EncodeToString(append(nonce[:], secretbox.Seal(nil, []byte(text), &nonce, &key)...))
}

// laterGCM makes a value as later versions of the reference do.
func laterGCM(t *testing.T, prefix, salt, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(salt))
	key := sum[:]
	if prefix == "v3:gcm:" {
		var err error
		if key, err = hkdf.Key(sha256.New, []byte(salt), nil, "litellm-at-rest-v3", 32); err != nil {
			t.Fatal(err)
		}
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("twelve bytes")
	return prefix + base64.URLEncoding.EncodeToString(box.Seal(nonce, nonce, []byte(text), nil))
}

func TestVault(t *testing.T) {
	t.Parallel()
	vault, other := store.NewVault("sk-salt"), store.NewVault("sk-other")
	reads := func(v *store.Vault, stored, want string) {
		t.Helper()
		if text, err := v.Decrypt(stored); err != nil || text != want {
			t.Errorf("%.40s: %q, %v; want %q", stored, text, err, want)
		}
	}
	refuses := func(v *store.Vault, stored string) {
		t.Helper()
		text, err := v.Decrypt(stored)
		if !errors.Is(err, store.ErrSecret) || !strings.Contains(err.Error(), "LITELLM_SALT_KEY") || text != "" {
			t.Errorf("%.40s: %q, %v", stored, text, err)
		}
	}
	for _, text := range []string{"", "sk-abc", strings.Repeat("é", 5000)} {
		sealed := vault.Encrypt(text)
		reads(vault, sealed, text)
		reads(vault, published("sk-salt", text), text)
		for _, prefix := range []string{"v2:gcm:", "v3:gcm:"} {
			reads(vault, laterGCM(t, prefix, "sk-salt", text), text)
			refuses(other, laterGCM(t, prefix, "sk-salt", text))
			refuses(nil, laterGCM(t, prefix, "sk-salt", text))
		}
		refuses(other, sealed)
		refuses(nil, sealed)
		if vault.Encrypt(text) == sealed {
			t.Error("two boxes are the same: the nonce repeats")
		}
	}
	// The alphabet of early versions.
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(published("sk-salt", "text"))
	reads(vault, standard, "text")
	// What is plainly not encrypted.
	for _, plain := range []string{"", "sk-plain", "https://api.openai.com/v1", "os.environ/OPENAI_API_KEY", "dGV4dA=="} {
		reads(vault, plain, plain)
		reads(nil, plain, plain)
	}
	refuses(vault, "v3:gcm:")
	refuses(vault, "v3:gcm:!!")
}

func TestVaultMembers(t *testing.T) {
	t.Parallel()
	vault := store.NewVault("salt")
	plain := store.JSON(`{"api_key":"k","rpm":10,"list":["x"],"nested":{"a":"b"},"none":null,"flag":true}`)
	sealed, err := vault.EncryptTexts(plain)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(sealed, &members); err != nil {
		t.Fatal(err)
	}
	if members["api_key"] == "k" || members["rpm"] != 10.0 || members["flag"] != true || members["none"] != nil {
		t.Errorf("sealed: %s", sealed)
	}
	opened, err := vault.DecryptTexts(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, opened, plain) {
		t.Errorf("opened: %s", opened)
	}
	_, err = store.NewVault("other").DecryptTexts(sealed)
	if !errors.Is(err, store.ErrSecret) || !strings.HasPrefix(err.Error(), "api_key: ") {
		t.Errorf("another salt: %v", err)
	}
	for _, text := range []string{``, `null`, `[1]`, `"text"`, `7`} {
		same, err := vault.EncryptTexts(store.JSON(text))
		if err != nil || string(same) != text {
			t.Errorf("%s: %s, %v", text, same, err)
		}
	}
	if _, err := vault.EncryptTexts(store.JSON(`{"half`)); err == nil {
		t.Error("half an object was taken")
	}
	if same, err := (*store.Vault)(nil).EncryptTexts(plain); err != nil || string(same) != string(plain) {
		t.Errorf("without a vault: %s, %v", same, err)
	}
}

func sameJSON(t *testing.T, a, b store.JSON) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		t.Fatalf("no JSON: %s or %s", a, b)
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

func FuzzDecrypt(f *testing.F) {
	vault := store.NewVault("salt")
	f.Add(vault.Encrypt("text"))
	f.Add("v3:gcm:AAAA")
	f.Add("v2:gcm:")
	f.Add("sk-plain")
	f.Fuzz(func(t *testing.T, stored string) {
		text, err := vault.Decrypt(stored)
		if err != nil && (text != "" || !errors.Is(err, store.ErrSecret)) {
			t.Errorf("%q, %v", text, err)
		}
		if text, err := vault.Decrypt(vault.Encrypt(stored)); err != nil || text != stored {
			t.Errorf("%q came back as %q, %v", stored, text, err)
		}
	})
}

func FuzzDecryptTexts(f *testing.F) {
	vault := store.NewVault("salt")
	f.Add(`{"a":"b","c":1}`)
	f.Add(`{"a":`)
	f.Fuzz(func(t *testing.T, object string) {
		_, _ = vault.DecryptTexts(store.JSON(object)) // errs or not, but does not panic
		sealed, err := vault.EncryptTexts(store.JSON(object))
		if err != nil {
			return
		}
		if _, err := vault.DecryptTexts(sealed); err != nil {
			t.Errorf("%s: %v", sealed, err)
		}
	})
}

func TestEncryptSame(t *testing.T) {
	t.Parallel()
	v := store.NewVault("salt")
	one, two, other := v.EncryptSame("a text"), v.EncryptSame("a text"), v.EncryptSame("another")
	if one != two || one == other || one == store.NewVault("pepper").EncryptSame("a text") {
		t.Errorf("%s %s %s", one, two, other)
	}
	if plain, err := v.Decrypt(one); plain != "a text" || err != nil {
		t.Errorf("%q, %v", plain, err)
	}
}
