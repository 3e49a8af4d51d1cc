package login

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// FuzzTicket shows that no cookie but the gateway's own is taken for a login under way.
func FuzzTicket(f *testing.F) {
	mine, err := newSealer("sk-master")
	if err != nil {
		f.Fatal(err)
	}
	other, err := newSealer("sk-other")
	if err != nil {
		f.Fatal(err)
	}
	text, err := other.seal(&ticket{ID: "i", State: "s"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := mine.open(text); err == nil {
			t.Errorf("%q is the ticket %+v", text, got)
		}
	})
}

func TestTicket(t *testing.T) {
	t.Parallel()
	s, err := newSealer("sk-master")
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.seal(&ticket{ID: "i", State: "s", Verifier: "v"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.open(text); err != nil || got.ID != "i" || got.State != "s" || got.Verifier != "v" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// An address has a number of tries, and gets them back with time; a network of IPv6 counts as one address.
func TestAdmit(t *testing.T) {
	t.Parallel()
	m, now := NewMemory(), time.Unix(1_000_000, 0)
	f := func(address string, want bool) {
		t.Helper()
		if got := m.admit(address, now); got != want {
			t.Errorf("%s is admitted: %v", address, got)
		}
	}
	for i := range burst {
		f("10.0.0.1", true)
		f(fmt.Sprintf("2001:db8::%d", i), true)
	}
	f("10.0.0.1", false)
	f("::ffff:10.0.0.1", false)
	f("2001:db8::ffff", false)
	f("10.0.0.2", true)
	now = now.Add(3 * time.Second)
	f("10.0.0.1", true)
	f("10.0.0.1", false)
	now = now.Add(time.Hour)
	f("10.0.0.3", true)
	if len(m.tries) != 1 {
		t.Errorf("%d addresses are remembered", len(m.tries))
	}
	if networkOf("no address") != (netip.Prefix{}) {
		t.Error("what is no address has a network")
	}
}

// A ticket is good once, and forgotten when it is over.
func TestSpend(t *testing.T) {
	t.Parallel()
	m, now := NewMemory(), time.Unix(1_000_000, 0)
	if !m.spend("a", now.Add(time.Minute), now) || m.spend("a", now.Add(time.Minute), now) {
		t.Error("a ticket is not good exactly once")
	}
	m.spend("b", now.Add(time.Hour), now.Add(5*time.Minute))
	if len(m.spent) != 1 {
		t.Errorf("%d tickets are remembered", len(m.spent))
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	claims := map[string]any{"id": 77.0, "https://x.com/mail": "a", "o": map[string]any{"p": "deep"}, "n": nil}
	f := func(path, want string) {
		t.Helper()
		if got := claim(claims, path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	f("id", "77")
	f("https://x.com/mail", "a")
	f("o.p", "deep")
	f("o.p.q", "")
	f("n,id", "77")
	f("", "")
}
