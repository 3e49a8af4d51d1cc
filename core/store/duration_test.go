package store_test

import (
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func TestNextReset(t *testing.T) {
	t.Parallel()
	zones := map[string]*time.Location{"": nil}
	for _, name := range []string{"UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip("no time zones are installed")
		}
		zones[name] = zone
	}
	// Monday noon, some seconds and milliseconds in.
	const monday = "2026-02-16T12:30:15.123Z"
	check := func(duration, now, zone, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		next, err := store.NextReset(duration, at, zones[zone])
		if err != nil || next.Format(time.RFC3339Nano) != want {
			t.Errorf("%s after %s in %q: %s, %v; want %s", duration, now, zone, next.Format(time.RFC3339Nano), err, want)
		}
	}
	check("1d", monday, "", "2026-02-17T00:00:00Z")
	check("1d", "2026-02-16T00:00:00Z", "", "2026-02-17T00:00:00Z")
	check("1d", monday, "Asia/Kolkata", "2026-02-16T18:30:00Z")
	check("7d", monday, "", "2026-02-23T00:00:00Z")
	check("1w", monday, "", "2026-02-23T00:00:00Z")
	check("7d", "2026-02-22T23:59:59Z", "", "2026-02-23T00:00:00Z")
	check("2w", monday, "", "2026-03-02T00:00:00Z")
	check("3d", monday, "", "2026-02-19T00:00:00Z")
	check("30d", monday, "", "2026-03-01T00:00:00Z")
	check("1mo", "2026-12-31T23:59:59Z", "", "2027-01-01T00:00:00Z")
	check("3mo", monday, "", "2026-05-01T00:00:00Z")
	check("1h", monday, "", "2026-02-16T13:00:00Z")
	check("5h", monday, "", "2026-02-16T15:00:00Z")
	check("12h", "2026-02-16T12:00:00Z", "", "2026-02-17T00:00:00Z")
	check("30h", monday, "", "2026-02-17T06:00:00Z")
	check("1m", monday, "", "2026-02-16T12:31:00Z")
	check("45m", monday, "", "2026-02-16T12:45:00Z")
	check("90m", monday, "", "2026-02-16T13:30:00Z")
	check("30s", monday, "", "2026-02-16T12:30:30Z")
	check("15s", "2026-02-16T23:59:45Z", "", "2026-02-17T00:00:00Z")
	// The day on which clocks go forward, and the hour that comes twice.
	check("1d", "2026-03-08T05:30:00Z", "America/New_York", "2026-03-09T04:00:00Z")
	check("1h", "2026-11-01T05:30:00Z", "America/New_York", "2026-11-01T06:00:00Z")
	check("1h", "2026-11-01T06:30:00Z", "America/New_York", "2026-11-01T07:00:00Z")
	check("30m", "2026-04-04T15:10:00Z", "Australia/Lord_Howe", "2026-04-04T15:30:00Z")

	for _, duration := range []string{"", "d", "1", "1y", "-1d", "+1d", "0d", "1.5h", " 1d", "1d ", "1dd", "9999999999d", "none"} {
		if next, err := store.NextReset(duration, time.Now(), nil); err == nil {
			t.Errorf("%q was taken: %s", duration, next)
		}
	}
}

func TestPeriodAfter(t *testing.T) {
	t.Parallel()
	check := func(duration, from, want string) {
		t.Helper()
		p, err := store.ParsePeriod(duration)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		if after := p.After(at).Format(time.RFC3339); after != want {
			t.Errorf("%s after %s: %s, want %s", duration, from, after, want)
		}
	}
	check("1mo", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z")
	check("13mo", "2026-01-31T10:00:00Z", "2027-02-28T10:00:00Z")
	check("30d", "2026-01-31T10:00:00Z", "2026-03-02T10:00:00Z")
	check("1w", "2026-01-31T10:00:00Z", "2026-02-07T10:00:00Z")
	check("12h", "2026-01-31T22:00:00Z", "2026-02-01T10:00:00Z")
	check("5m", "2026-01-31T10:00:00Z", "2026-01-31T10:05:00Z")
	check("0s", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z")
}

func FuzzNextReset(f *testing.F) {
	for _, seed := range []string{"1d", "30d", "1mo", "0s", "7w", "x", "999999h"} {
		f.Add(seed, int64(1771245015), int32(3600))
	}
	f.Fuzz(func(t *testing.T, duration string, unix int64, offset int32) {
		now := time.Unix(unix%(1<<36), 0)
		next, err := store.NextReset(duration, now, time.FixedZone("", int(offset%86400)))
		if err == nil && !next.After(now) {
			t.Errorf("%q: %s is not after %s", duration, next, now)
		}
	})
}
