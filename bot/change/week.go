package change

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"switchback/bot/config"
)

// This file is for settings that are kept per weekday, such as the hours of a chat.

// Weekday is a day of the week in lower case: "monday".
type Weekday string

// Weekdays are the seven, from Monday.
func Weekdays() []Weekday {
	return []Weekday{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
}

// WeekdayOf returns the day of t in t's own zone.
func WeekdayOf(t time.Time) Weekday { return Weekday(strings.ToLower(t.Weekday().String())) }

// Title returns the day as people write it: "Monday".
func (d Weekday) Title() string {
	if d == "" {
		return ""
	}
	return strings.ToUpper(string(d[:1])) + string(d[1:])
}

// UnmarshalText reads a weekday. Its error names the one that was probably meant.
func (d *Weekday) UnmarshalText(text []byte) error {
	var known []string
	for _, w := range Weekdays() {
		if string(text) == string(w) {
			*d = w
			return nil
		}
		known = append(known, string(w))
	}
	if s := config.Suggest(string(text), known); s != "" {
		return fmt.Errorf("%q is not a weekday; did you mean %q?", text, s)
	}
	return fmt.Errorf("%q is not a weekday", text)
}

// Hours are when something is open on a weekday: "08:00-20:00", or Closed. The end is the first minute after; "24:00"
// is midnight.
type Hours string

// Closed are the hours of a day without any.
const Closed Hours = "closed"

var span = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)-([01]\d:[0-5]\d|2[0-3]:[0-5]\d|24:00)$`)

// ParseHours reads hours as people write them: with a dash of either kind, and Closed in any case.
func ParseHours(s string) (Hours, error) {
	h := strings.ToLower(strings.TrimSpace(strings.ReplaceAll(s, "–", "-")))
	if Hours(h) == Closed {
		return Closed, nil
	}
	// As text the times compare as they do as times.
	if start, end, _ := strings.Cut(h, "-"); !span.MatchString(h) || start >= end {
		return "", fmt.Errorf("want hours such as 08:00-20:00, or closed, got %q", s)
	}
	return Hours(h), nil
}

// UnmarshalText is ParseHours.
func (h *Hours) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHours(string(text))
	return err
}

// Text returns the hours for people: "08:00–20:00" or "Closed".
func (h Hours) Text() string {
	if h == Closed {
		return "Closed"
	}
	return strings.Replace(string(h), "-", "–", 1)
}

// Value returns the hours as what a setting is set to.
func (h Hours) Value() Value { return Value{Raw: []byte(h), Text: h.Text()} }

// OpenAt reports whether the time of day of t, in t's own zone, lies within the hours.
func (h Hours) OpenAt(t time.Time) bool {
	start, end, ok := strings.Cut(string(h), "-")
	now := t.Format("15:04")
	return ok && start <= now && now < end
}

// Dates lists the calendar days in zone from that of from to the last one that begins before until: at most seven,
// because then the weekdays repeat. The dates are noons in UTC, where every day has one: a day in zone may have 23 or
// 25 hours, and some have no midnight.
func Dates(from, until time.Time, zone *time.Location) []time.Time {
	noon := func(t time.Time) time.Time {
		y, m, d := t.In(zone).Date()
		return time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
	}
	last := noon(until.Add(-1))
	out := []time.Time{noon(from)}
	for len(out) < len(Weekdays()) && out[len(out)-1].Before(last) {
		out = append(out, out[len(out)-1].AddDate(0, 0, 1))
	}
	return out
}
