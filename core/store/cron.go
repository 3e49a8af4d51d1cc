package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cron is a schedule in cron's form: minute, hour, day of the month, month and day of the week, each "*", a number, a
// range, a list of these, or one of them with a step behind "/". Months and days of the week may be written with three
// letters, and 7 is Sunday, too. If both days are restricted one of them is enough, as crontab(5) says. The zero value
// never comes.
type Cron struct {
	minutes, hours, days, months, weekdays uint64 // bits
	eitherDay                              bool
}

// cronField is a field of a schedule.
type cronField struct {
	name      string
	low, high int
	words     string // three letters each, beginning with low
}

// ParseCron reads a schedule.
func ParseCron(text string) (c Cron, err error) {
	fields := strings.Fields(text)
	if len(fields) != 5 {
		return c, fmt.Errorf("a schedule has five fields, minute, hour, day, month and day of the week, such as %q; this one has %d", "0 3 * * *", len(fields))
	}
	for i, f := range []struct {
		cronField
		bits *uint64
	}{
		{cronField{"minute", 0, 59, ""}, &c.minutes}, {cronField{"hour", 0, 23, ""}, &c.hours}, {cronField{"day", 1, 31, ""}, &c.days},
		{cronField{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"}, &c.months},
		{cronField{"day of the week", 0, 7, "sunmontuewedthufrisat"}, &c.weekdays},
	} {
		if *f.bits, err = f.parse(fields[i]); err != nil {
			return Cron{}, fmt.Errorf("%s of a schedule: %w", f.name, err)
		}
	}
	c.weekdays |= c.weekdays >> 7 // 7 is Sunday
	c.eitherDay = !strings.HasPrefix(fields[2], "*") && !strings.HasPrefix(fields[4], "*")
	if c.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Cron{}, errors.New("there is no such day in any month")
	}
	return c, nil
}

func (f cronField) parse(text string) (bits uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, every, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(every); err != nil || step < 1 {
				return 0, fmt.Errorf("%.20q is no step", every)
			}
		}
		low, high := f.low, f.high
		if span != "*" {
			first, last, isRange := strings.Cut(span, "-")
			if low, err = f.number(first); err != nil {
				return 0, err
			}
			switch {
			case isRange:
				if high, err = f.number(last); err != nil {
					return 0, err
				}
			case !stepped:
				high = low
			}
		}
		if low > high {
			return 0, fmt.Errorf("%.20q ends before it begins", span)
		}
		for n := low; n <= high; n += step {
			bits |= 1 << n
		}
	}
	return bits, nil
}

func (f cronField) number(text string) (int, error) {
	if at := strings.Index(f.words, strings.ToLower(text)); len(text) == 3 && at >= 0 && at%3 == 0 {
		return f.low + at/3, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.low || n > f.high {
		return 0, fmt.Errorf("%.20q is no number from %d to %d", text, f.low, f.high)
	}
	return n, nil
}

// Next is the first minute of the schedule after a moment, in its time zone; zero if none comes in eight years.
func (c Cron) Next(after time.Time) time.Time {
	has := func(bits uint64, n int) bool { return bits&(1<<n) != 0 }
	t := after.Truncate(time.Minute).Add(time.Minute)
	for end := after.AddDate(8, 0, 1); t.Before(end); {
		switch {
		case !has(c.months, int(t.Month())):
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, t.Location())
		case !c.day(t):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, t.Location())
		case !has(c.hours, t.Hour()):
			t = t.Truncate(time.Minute).Add(time.Duration(60-t.Minute()) * time.Minute)
		case !has(c.minutes, t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

func (c Cron) day(t time.Time) bool {
	day, weekday := c.days&(1<<t.Day()) != 0, c.weekdays&(1<<int(t.Weekday())) != 0
	if c.eitherDay {
		return day || weekday
	}
	return day && weekday
}
