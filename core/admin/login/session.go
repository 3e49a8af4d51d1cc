package login

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

const (
	ticketCookie  = "sallyport_login" // of a login under way
	sessionCookie = "token"           // of the reference
	ticketLife    = 10 * time.Minute
)

// ticket is a login under way. It travels in a sealed cookie of the browser, so that any replica can end the login, and
// nobody else's browser can.
type ticket struct {
	ID       string    `json:"i"`
	Provider string    `json:"p"`
	State    string    `json:"s"`
	Verifier string    `json:"v,omitempty"` // of PKCE, RFC 7636
	End      time.Time `json:"e"`
}

// sealer encrypts tickets.
type sealer struct{ aead cipher.AEAD }

func newSealer(master string) (*sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(master), nil, "sallyport login ticket", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{aead}, err
}

func (s *sealer) seal(t *ticket) (string, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, raw, nil)), nil
}

var errSeal = errors.New("login: not a ticket of this gateway")

func (s *sealer) open(text string) (*ticket, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errSeal
	}
	plain, err := s.aead.Open(nil, nil, raw, nil)
	if err != nil {
		return nil, errSeal
	}
	t := &ticket{}
	if err := json.Unmarshal(plain, t); err != nil {
		return nil, errSeal
	}
	return t, nil
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// token makes the cookie's content. Its fields are those of the reference (ReturnedUITokenObject in
// litellm/types/proxy/ui_sso.py); the user interface reads them, so it is signed and not encrypted.
func (d *Desk) token(u *store.User, role llm.Role, key, method string) (string, error) {
	header := d.KeyHeader
	if header == "" {
		header = "Authorization"
	}
	now := d.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"user_id": u.UserID, "key": key, "user_email": nullable(string(u.UserEmail)), "user_role": string(role), "login_method": method,
		"premium_user": true, "auth_header_name": header, "disabled_non_admin_personal_key_creation": d.TeamsOnly,
		"server_root_path": d.RootPath, "iat": now.Unix(), "exp": now.Add(d.Life).Unix(),
	}).SignedString([]byte(d.MasterKey))
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Memory is what outlives a configuration: how often each address tried, and which tickets were used. It is safe for
// concurrent use.
type Memory struct {
	mu    sync.Mutex
	tries map[netip.Prefix]*tries
	spent map[string]time.Time // ends of tickets
	swept time.Time
}

// NewMemory makes an empty Memory.
func NewMemory() *Memory {
	return &Memory{tries: map[netip.Prefix]*tries{}, spent: map[string]time.Time{}}
}

// tries are those of one address, as a bucket that fills with time.
type tries struct {
	left  float64
	since time.Time
}

const (
	burst      = 20          // tries at once
	perSecond  = 20.0 / 60   // tries that come back
	maxTracked = 1 << 16     // addresses; beyond it all others share one bucket
	sweepEvery = time.Minute // forgets what does not matter any more
)

// admit counts a try and reports whether it may go on.
func (m *Memory) admit(address string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	from := networkOf(address)
	t := m.tries[from]
	if t == nil && len(m.tries) >= maxTracked {
		from = netip.Prefix{}
		t = m.tries[from]
	}
	if t == nil {
		t = &tries{burst, now}
		m.tries[from] = t
	}
	t.left = min(burst, t.left+max(0, now.Sub(t.since).Seconds())*perSecond)
	t.since = now
	if t.left < 1 {
		return false
	}
	t.left--
	return true
}

// networkOf is who an address belongs to: one of IPv4, or a network of IPv6, of which everybody has many addresses.
func networkOf(address string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// spend marks a ticket as used, and reports whether it was not.
func (m *Memory) spend(id string, end, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	if _, used := m.spent[id]; used {
		return false
	}
	m.spent[id] = end
	return true
}

func (m *Memory) sweep(now time.Time) {
	if now.Sub(m.swept) < sweepEvery {
		return
	}
	m.swept = now
	for id, end := range m.spent {
		if now.After(end) {
			delete(m.spent, id)
		}
	}
	for from, t := range m.tries {
		if now.Sub(t.since).Seconds()*perSecond >= burst {
			delete(m.tries, from)
		}
	}
}
