package store

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/crypto/nacl/secretbox"
)

// Vault encrypts what must not lie in the database in plain: keys of providers, mostly. The form is the reference's
// (litellm/proxy/common_utils/encrypt_decrypt_utils.py): URL-safe base64 of a nonce and an XSalsa20-Poly1305 box, the
// key of which is the SHA-256 of LITELLM_SALT_KEY or, without it, of the master key.
type Vault struct {
	secret string
	key    [32]byte
}

// NewVault returns a vault for a salt key. An empty one gives nil, which neither encrypts nor decrypts.
func NewVault(secret string) *Vault {
	if secret == "" {
		return nil
	}
	return &Vault{secret: secret, key: sha256.Sum256([]byte(secret))}
}

const (
	nonceSize = 24
	// gcmV2 and gcmV3 begin what later versions of the reference write: base64 of a nonce of 12 bytes and an AES-256-GCM
	// box, the key being the SHA-256 or the HKDF-SHA256 of the salt key.
	gcmV2, gcmV3 = "v2:gcm:", "v3:gcm:"
	hkdfInfo     = "litellm-at-rest-v3"
)

// Encrypt encrypts a text.
func (v *Vault) Encrypt(text string) string {
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return v.seal(text, &nonce)
}

func (v *Vault) seal(text string, nonce *[nonceSize]byte) string {
	return base64.URLEncoding.EncodeToString(secretbox.Seal(nonce[:], []byte(text), nonce, &v.key))
}

// Decrypt reads what Encrypt or a version of the reference wrote. A text that cannot be encrypted, because it is no
// base64 or too short, is returned as it is: the reference leaves such texts, too. What looks encrypted and does not
// open is ErrSecret.
func (v *Vault) Decrypt(text string) (string, error) {
	if sealed, ok := cutGCM(text); ok {
		return v.openGCM(text, sealed)
	}
	sealed, err := base64.URLEncoding.DecodeString(text)
	if err != nil {
		sealed, _ = base64.StdEncoding.DecodeString(text) // the alphabet of early versions; nothing if it is none
	}
	if len(sealed) < nonceSize+secretbox.Overhead {
		return text, nil
	}
	if v == nil {
		return "", v.fail()
	}
	plain, ok := secretbox.Open(nil, sealed[nonceSize:], (*[nonceSize]byte)(sealed), &v.key)
	if !ok {
		return "", v.fail()
	}
	return string(plain), nil
}

func cutGCM(text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, gcmV3); ok {
		return rest, true
	}
	return strings.CutPrefix(text, gcmV2)
}

func (v *Vault) openGCM(text, sealed string) (string, error) {
	if v == nil {
		return "", v.fail()
	}
	key := v.key[:]
	if strings.HasPrefix(text, gcmV3) {
		derived, err := hkdf.Key(sha256.New, []byte(v.secret), nil, hkdfInfo, len(v.key))
		if err != nil {
			return "", fmt.Errorf("derive the key of %s values: %w", gcmV3, err)
		}
		key = derived
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	raw, err := base64.URLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < box.NonceSize() {
		return "", v.fail()
	}
	plain, err := box.Open(nil, raw[:box.NonceSize()], raw[box.NonceSize():], nil)
	if err != nil {
		return "", v.fail()
	}
	return string(plain), nil
}

func (v *Vault) fail() error {
	if v == nil {
		return fmt.Errorf("%w: set LITELLM_SALT_KEY (or the master key) to what it was when the value was stored", ErrSecret)
	}
	return fmt.Errorf("%w: LITELLM_SALT_KEY (or the master key, if that is not set) is not what it was when the value was stored",
		ErrSecret)
}

// EncryptTexts encrypts the texts among the members of a JSON object, as the reference does with litellm_params,
// credential values and environment variables. Numbers, lists and objects stay as they are, and so does what is no
// object.
func (v *Vault) EncryptTexts(object JSON) (JSON, error) {
	if v == nil {
		return object, nil
	}
	return mapTexts(object, func(_, text string) (string, error) { return v.Encrypt(text), nil })
}

// DecryptTexts undoes EncryptTexts. An error names the member, and not its value.
func (v *Vault) DecryptTexts(object JSON) (JSON, error) {
	return mapTexts(object, func(member, text string) (string, error) {
		plain, err := v.Decrypt(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", member, err)
		}
		return plain, nil
	})
}

func mapTexts(object JSON, change func(member, text string) (string, error)) (JSON, error) {
	if trimmed := bytes.TrimLeft(object, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return object, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fmt.Errorf("a JSON object: %w", err)
	}
	for name, raw := range members {
		if len(raw) == 0 || raw[0] != '"' {
			continue
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		changed, err := change(name, text)
		if err != nil {
			return nil, err
		}
		encoded, err := json.Marshal(changed)
		if err != nil {
			return nil, err
		}
		members[name] = encoded
	}
	return json.Marshal(members)
}
