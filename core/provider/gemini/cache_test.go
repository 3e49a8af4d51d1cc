package gemini

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"
)

func TestKept(t *testing.T) {
	t.Parallel()
	k, now := &kept{}, time.Unix(1_700_000_000, 0)
	sum := func(i int) [sha256.Size]byte { return sha256.Sum256([]byte(strconv.Itoa(i))) }
	for i := range 2 * maxKept {
		k.set(sum(i), strconv.Itoa(i), now, time.Hour)
	}
	if len(k.list) > maxKept {
		t.Errorf("%d are kept", len(k.list))
	}
	last := sum(2*maxKept - 1)
	if got := k.get(last, now.Add(time.Hour-2*margin)); got != strconv.Itoa(2*maxKept-1) {
		t.Errorf("got %q", got)
	}
	if got := k.get(last, now.Add(time.Hour)); got != "" {
		t.Errorf("an expired one is %q", got)
	}
	k.set(last, "x", now, time.Hour)
	if k.forget(last); k.get(last, now) != "" {
		t.Error("it was not forgotten")
	}
}

func TestLasting(t *testing.T) {
	t.Parallel()
	f := func(ttl string, want time.Duration) {
		t.Helper()
		if got := lasting([]byte(ttl)); got != want {
			t.Errorf("%s: %v, want %v", ttl, got, want)
		}
	}
	f(`"5m"`, 5*time.Minute)
	f(`"1h"`, time.Hour)
	f(`"3600s"`, time.Hour)
	f(`"10s"`, 0)
	f(`"99999h"`, 0)
	f(`"soon"`, 0)
	f(`5`, 0)
	f(``, 0)
}
