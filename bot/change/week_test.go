package change

import (
	"strings"
	"testing"
	"time"
)

func TestWeekday(t *testing.T) {
	for i, d := range Weekdays() {
		day := time.Date(2026, 11, 23+i, 9, 0, 0, 0, time.UTC) // 23 November 2026 is a Monday
		if WeekdayOf(day) != d || d.Title() != day.Format("Monday") {
			t.Errorf("day %d is %q, in words %q; want %s", i, d, d.Title(), day.Weekday())
		}
	}
	for in, want := range map[string]string{
		"monday": "", "munday": `"munday" is not a weekday; did you mean "monday"?`, "payday-sale": `"payday-sale" is not a weekday`,
	} {
		var d Weekday
		switch err := d.UnmarshalText([]byte(in)); {
		case want == "" && (err != nil || string(d) != in):
			t.Errorf("%q reads as %q, %v", in, d, err)
		case want != "" && (err == nil || err.Error() != want || d != ""):
			t.Errorf("%q reads as %q, %v, want %s", in, d, err, want)
		}
	}
}

func TestParseHours(t *testing.T) {
	tests := map[string]Hours{
		"08:00-20:00": "08:00-20:00", "08:00–20:00": "08:00-20:00", " 00:00-24:00\n": "00:00-24:00", "Closed": Closed, "closed": Closed,
		"": "", "8:00-20:00": "", "08:00": "", "08:00-": "", "20:00-08:00": "", "08:00-08:00": "", "08:00-24:01": "", "24:00-24:00": "",
		"08:60-20:00": "", "08:00-20:00-21:00": "", "08:00 - 20:00": "", "open": "",
	}
	for in, want := range tests {
		got, err := ParseHours(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseHours(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzParseHours(f *testing.F) {
	for _, s := range []string{"08:00-20:00", "08:00–20:00", "closed", "00:00-24:00", "23:59-24:00", "24:00-00:00", "İ"} {
		f.Add(s)
	}
	midnight := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHours(s)
		if err != nil {
			if h != "" {
				t.Errorf("ParseHours(%q) = %q beside an error", s, h)
			}
			return
		}
		for _, again := range []string{string(h), h.Text()} {
			if got, err := ParseHours(again); got != h || err != nil {
				t.Errorf("ParseHours(%q) = %q, %v, want %q", again, got, err, h)
			}
		}
		open := 0
		for m := range 24 * 60 {
			if h.OpenAt(midnight.Add(time.Duration(m) * time.Minute)) {
				open++
			}
		}
		if (open == 0) != (h == Closed) {
			t.Errorf("%q is open for %d minutes", h, open)
		}
	})
}

func TestDates(t *testing.T) {
	tests := []struct {
		name        string
		zone        string
		from, until string
		want        string // days of the month
	}{
		{"the caller's midnight is not the company's", "America/Los_Angeles", "2026-11-25T22:00:00-05:00", "2026-11-26T02:00:00-05:00", "25"},
		{"until midnight itself: the next day has not begun", "America/Los_Angeles", "2026-11-25T22:00:00-08:00", "2026-11-26T00:00:00-08:00", "25"},
		{"a moment after midnight", "America/Los_Angeles", "2026-11-25T22:00:00-08:00", "2026-11-26T00:00:01-08:00", "25 26"},
		{"no time at all", "America/Los_Angeles", "2026-11-26T00:00:00-08:00", "2026-11-26T00:00:00-08:00", "26"},
		{"two weeks: no weekday comes twice", "America/Los_Angeles", "2026-11-25T09:00:00-08:00", "2026-12-09T09:00:00-08:00", "25 26 27 28 29 30 1"},
		{"the day of 25 hours", "America/Los_Angeles", "2026-11-01T00:30:00-07:00", "2026-11-01T23:30:00-08:00", "1"},
		{"over the day of 23 hours", "America/Los_Angeles", "2026-03-07T23:30:00-08:00", "2026-03-09T00:30:00-07:00", "7 8 9"},
		{"a day that begins at 01:00", "America/Santiago", "2026-09-05T22:00:00-04:00", "2026-09-06T01:30:00-03:00", "5 6"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			from, errFrom := time.Parse(time.RFC3339, test.from)
			until, errUntil := time.Parse(time.RFC3339, test.until)
			if errFrom != nil || errUntil != nil {
				t.Fatal(errFrom, errUntil)
			}
			var days []string
			for _, date := range Dates(from, until, zone) {
				days = append(days, date.Format("2"))
			}
			if got := strings.Join(days, " "); got != test.want {
				t.Errorf("Dates from %s until %s: %s, want %s", test.from, test.until, got, test.want)
			}
		})
	}
}
