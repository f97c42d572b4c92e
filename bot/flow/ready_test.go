package flow

import (
	"testing"
	"time"

	"switchback/bot/change"
)

func TestOpenBetween(t *testing.T) {
	la, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	on := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, la) }
	week := Opening{}
	for _, d := range weekdays()[:5] {
		week[d] = Span{From: 9 * 60, To: 17 * 60}
	}
	week["saturday"] = Span{From: 0, To: 24 * 60}
	tests := []struct {
		name     string
		opening  Opening
		from, to time.Time
		want     time.Duration
	}{
		{"always open", nil, on(23, 1, 0), on(24, 3, 0), 26 * time.Hour},
		{"within a day", week, on(23, 10, 0), on(23, 10, 30), 30 * time.Minute},
		{"nothing at night", week, on(23, 18, 0), on(24, 8, 0), 0},
		{"from the middle of one day to the middle of the next", week, on(23, 16, 0), on(24, 10, 0), 2 * time.Hour},
		{"over a weekend that is open on one day", week, on(27, 16, 0), on(30, 10, 0), (1 + 24 + 1) * time.Hour},
		{"three working days are 24 hours", week, on(23, 17, 0), on(26, 17, 0), 24 * time.Hour},
		{"closed all the time", Opening{"monday": Span{}}, on(1, 0, 0), on(30, 0, 0), 0},
		{"nothing backwards", week, on(24, 10, 0), on(23, 10, 0), 0},
		// On 1 November 2026 clocks go back at two: that Sunday has 25 hours.
		{"a day with 25 hours", Opening{"sunday": Span{From: 0, To: 24 * 60}}, on(1, 0, 0), on(2, 0, 0), 25 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := Policy{Zone: "America/Los_Angeles", Opening: test.opening}
			if got := p.OpenBetween(test.from, test.to); got != test.want {
				t.Errorf("OpenBetween(%v, %v) = %v, want %v", test.from, test.to, got, test.want)
			}
		})
	}
}

func TestSilent(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	p := Policy{Zone: "UTC", Opening: Opening{"wednesday": Span{From: 0, To: 24 * 60}, "thursday": Span{From: 0, To: 24 * 60}}}
	for name, test := range map[string]struct {
		asked Asked
		want  bool
	}{
		"just asked":             {Asked{Last: now.Add(-time.Minute)}, false},
		"23 open hours ago":      {Asked{Last: now.Add(-23 * time.Hour)}, false},
		"24 open hours ago":      {Asked{Last: now.Add(-24 * time.Hour)}, true},
		"never":                  {Asked{}, true},
		"cannot be found out":    {Asked{Unknown: true}, false},
		"a year ago, mostly off": {Asked{Last: now.AddDate(-1, 0, 0)}, true},
	} {
		if got := p.silent(test.asked, now); got != test.want {
			t.Errorf("%s: silent = %v, want %v", name, got, test.want)
		}
	}
}

// R13, R16: what a field gives back is the known value, byte for byte, though its line ends or the space around it were
// lost on the way; another message is never taken for it.
func TestWhatAFieldGivesBack(t *testing.T) {
	v := func(s string) change.Value { return change.Value{Raw: []byte(s), Text: s} }
	const message = "We're closed.\r\nSee <b>help.example.com</b> & write to us, or call, or come by some day. \n"
	g := change.Guide{Choices: []change.Value{v(message), v("Main menu"), {Text: "Blank"}}}
	for text, want := range map[string]string{
		message: message,
		"We're closed.\nSee <b>help.example.com</b> & write to us, or call, or come by some day.": message,
		"we're closed.\nSee <b>help.example.com</b> & write to us, or call, or come by some day.": "we're closed.\nSee <b>help.example.com</b> & write to us, or call, or come by some day.",
		" main menu": "Main menu", "Main  menu": "Main  menu", "blank": "", "Snow day ": "Snow day ",
	} {
		if got := string(valueOf(g, text).Raw); got != want {
			t.Errorf("%q is taken for %q, want %q", text, got, want)
		}
	}
}
