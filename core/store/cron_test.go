package store_test

import (
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func TestCron(t *testing.T) {
	t.Parallel()
	const layout = "2006-01-02 15:04"
	f := func(text, after, want string) {
		t.Helper()
		c, err := store.ParseCron(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		at, _ := time.Parse(layout, after)
		if got := c.Next(at).Format(layout); got != want {
			t.Errorf("%s after %s: %s, want %s", text, after, got, want)
		}
	}
	f("* * * * *", "2026-01-31 23:59", "2026-02-01 00:00")
	f("0 3 * * *", "2026-01-31 03:00", "2026-02-01 03:00")
	f("*/15 9-17 * * mon-fri", "2026-01-02 17:45", "2026-01-05 09:00") // a Friday
	f("5,35 * * * *", "2026-01-01 00:05", "2026-01-01 00:35")
	f("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00")
	f("0 0 1 * 7", "2026-01-01 00:00", "2026-01-04 00:00") // the first, or a Sunday
	f("0 0 * JAN,jul 0", "2026-02-01 00:00", "2026-07-05 00:00")
	f("10/20 * * * *", "2026-01-01 00:11", "2026-01-01 00:30")
	bad := func(text string) {
		t.Helper()
		if _, err := store.ParseCron(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	bad("")
	bad("@daily")
	bad("* * * *")
	bad("60 * * * *")
	bad("* 24 * * *")
	bad("* * 0 * *")
	bad("* * * foo *")
	bad("5-1 * * * *")
	bad("*/0 * * * *")
	bad("0 0 31 2 *")
	if !(store.Cron{}).Next(time.Now()).IsZero() {
		t.Error("no schedule comes")
	}
}

func FuzzParseCron(f *testing.F) {
	f.Add("*/15 9-17 1,15 jan-mar mon")
	f.Add("0 0 29 2 *")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := store.ParseCron(text)
		if err != nil {
			return
		}
		at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
		next := c.Next(at)
		if !next.After(at) || next.Second() != 0 {
			t.Errorf("%q after %v: %v", text, at, next)
		}
	})
}
