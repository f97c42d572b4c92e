package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Duration is a span of time in a document: "30m", "1h30m", "2d". It is Go's syntax, and whole days of 24 hours before
// the rest. It is never negative.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 32)
	var span time.Duration
	if err == nil && (rest != "" || !found) {
		span, err = time.ParseDuration(rest)
	}
	switch {
	case err != nil, strings.ContainsAny(s, "+-"), strings.HasSuffix(s, "0"): // Go takes a bare 0
		return fmt.Errorf("want a duration such as 30m, 1h30m or 2d, got %q", s)
	case n > uint64(math.MaxInt64/day) || span > math.MaxInt64-time.Duration(n)*day:
		return fmt.Errorf("the duration %q is too long", s)
	}
	*d = Duration(time.Duration(n)*day + span)
	return nil
}

// String writes the duration as a person would: "30m", not "30m0s".
func (d Duration) String() string {
	days, rest := time.Duration(d)/day, time.Duration(d)%day
	s := rest.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	switch {
	case days == 0:
		return s
	case rest == 0:
		s = ""
	}
	return strconv.FormatInt(int64(days), 10) + "d" + s
}

// MarshalText returns what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
