package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxPeriods bounds the number in a duration, so that no date is out of a time's range.
const maxPeriods = 1_000_000

// Period is a parsed duration of the management API: "30s", "5m", "12h", "30d", "1w", "1mo".
type Period struct {
	N    int
	Unit string // s, m, h, d, w or mo
}

// ParsePeriod reads a duration as the reference does (litellm/litellm_core_utils/duration_parser.py), but refuses what
// follows the unit instead of leaving it out.
func ParsePeriod(s string) (Period, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > maxPeriods || digits[0] == '+' {
		return Period{}, periodError(s)
	}
	switch unit := s[len(digits):]; unit {
	case "s", "m", "h", "d", "w", "mo":
		return Period{N: n, Unit: unit}, nil
	}
	return Period{}, periodError(s)
}

func periodError(s string) error {
	return fmt.Errorf("%q is no duration: write a number up to %d and s, m, h, d, w or mo, such as 30d or 1mo", s, maxPeriods)
}

// After is the time one period after t, as for the expiry of a key. A month ends on the same day of a later month, or on
// its last.
func (p Period) After(t time.Time) time.Time {
	switch p.Unit {
	case "mo":
		first := time.Date(t.Year(), t.Month()+time.Month(p.N), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
		last := first.AddDate(0, 1, -1).Day()
		return first.AddDate(0, 0, min(t.Day(), last)-1)
	case "w":
		return t.AddDate(0, 0, 7*p.N)
	case "d":
		return t.AddDate(0, 0, p.N)
	case "h":
		return t.Add(time.Duration(p.N) * time.Hour)
	case "m":
		return t.Add(time.Duration(p.N) * time.Minute)
	}
	return t.Add(time.Duration(p.N) * time.Second)
}

// NextReset is the end of the budget period that now lies in, as get_next_standardized_reset_time of the reference has
// it: 1d ends at midnight, 7d and 1w on Monday, 30d and 1mo on the first of the month, other days at the midnight so
// many days on, and hours, minutes and seconds at multiples of their number within the day, the hour and the minute.
// Midnight is that of zone. The result is later than now, in UTC; a period of nothing is an error.
func NextReset(duration string, now time.Time, zone *time.Location) (time.Time, error) {
	p, err := ParsePeriod(duration)
	if err != nil {
		return time.Time{}, err
	}
	if p.N == 0 {
		return time.Time{}, fmt.Errorf("%q: a budget's period cannot be empty", duration)
	}
	if zone == nil {
		zone = time.UTC
	}
	now = now.In(zone)
	next := p.next(now)
	if length := p.length(); length > 0 && (next.Sub(now) > length || !next.After(now)) {
		// Clocks are set back or forward in between: go on by the offset there is now.
		_, offset := now.Zone()
		next = p.next(now.In(time.FixedZone("", offset)))
	}
	return next.UTC(), nil
}

// length is the exact length of a period of hours, minutes or seconds; 0 for those of the calendar.
func (p Period) length() time.Duration {
	switch p.Unit {
	case "h":
		return time.Duration(p.N) * time.Hour
	case "m":
		return time.Duration(p.N) * time.Minute
	case "s":
		return time.Duration(p.N) * time.Second
	}
	return 0
}

func (p Period) next(now time.Time) time.Time {
	year, month, day := now.Date()
	zone := now.Location()
	at := func(hour, minute, second int) time.Time {
		return time.Date(year, month, day, hour, minute, second, 0, zone)
	}
	onward := func(from int) int { return from - from%p.N + p.N }
	switch {
	case p.Unit == "mo":
		return time.Date(year, month+time.Month(p.N), 1, 0, 0, 0, 0, zone)
	case p.Unit == "d" && p.N == 30:
		return time.Date(year, month+1, 1, 0, 0, 0, 0, zone)
	case p.Unit == "d" && p.N == 7, p.Unit == "w" && p.N == 1:
		return time.Date(year, month, day+7-(int(now.Weekday())+6)%7, 0, 0, 0, 0, zone)
	case p.Unit == "d":
		return time.Date(year, month, day+p.N, 0, 0, 0, 0, zone)
	case p.Unit == "w":
		return time.Date(year, month, day+7*p.N, 0, 0, 0, 0, zone)
	case p.Unit == "h":
		return at(onward(now.Hour()), 0, 0)
	case p.Unit == "m":
		return at(now.Hour(), onward(now.Minute()), 0)
	}
	return at(now.Hour(), now.Minute(), onward(now.Second()))
}
