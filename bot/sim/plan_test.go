package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func resources(org Organisation) []change.Resource {
	var out []change.Resource
	for _, s := range org.settings() {
		out = append(out, s.resource)
	}
	return out
}

func TestPlanCloseChat(t *testing.T) {
	tests := []struct {
		name        string
		zone        string
		from, until string
		want        string // days in order; the message comes after the first
	}{
		{"within a day", "America/Los_Angeles", "2026-11-25T09:00:00-08:00", "2026-11-25T13:00:00-08:00", "Wed 25 Nov, message"},
		{"over midnight", "America/Los_Angeles", "2026-11-25T23:10:00-08:00", "2026-11-26T03:10:00-08:00", "Wed 25 Nov, message, Thu 26 Nov"},
		{"the responder's midnight is not the company's", "America/Los_Angeles", "2026-11-25T22:00:00-05:00", "2026-11-26T02:00:00-05:00", "Wed 25 Nov, message"},
		{"until midnight itself: the next day has not begun", "America/Los_Angeles", "2026-11-25T22:00:00-08:00", "2026-11-26T00:00:00-08:00", "Wed 25 Nov, message"},
		{"a moment after midnight", "America/Los_Angeles", "2026-11-25T22:00:00-08:00", "2026-11-26T00:00:01-08:00", "Wed 25 Nov, message, Thu 26 Nov"},
		{"no time at all", "America/Los_Angeles", "2026-11-26T00:00:00-08:00", "2026-11-26T00:00:00-08:00", "Thu 26 Nov, message"},
		// The hours might have been changed by hand, so that the weekend is not closed at all.
		{"a weekend that is closed anyway", "America/Los_Angeles", "2026-11-28T22:00:00-08:00", "2026-11-29T10:00:00-08:00", "Sat 28 Nov, message, Sun 29 Nov"},
		{
			"a week: the same weekday does not come twice", "America/Los_Angeles", "2026-11-25T09:00:00-08:00", "2026-12-03T09:00:00-08:00",
			"Wed 25 Nov, message, Thu 26 Nov, Fri 27 Nov, Sat 28 Nov, Sun 29 Nov, Mon 30 Nov, Tue 1 Dec",
		},
		// 1 November 2026 has 25 hours in Los Angeles: 24 hours after its first hour it is the same day.
		{"the day of 25 hours", "America/Los_Angeles", "2026-11-01T00:30:00-07:00", "2026-11-02T01:00:00-08:00", "Sun 1 Nov, message, Mon 2 Nov"},
		{"within the day of 25 hours", "America/Los_Angeles", "2026-11-01T00:30:00-07:00", "2026-11-01T23:30:00-08:00", "Sun 1 Nov, message"},
		// 8 March 2026 has 23 hours: 24 hours after 23:30 of the 7th it is the 9th.
		{"over the day of 23 hours", "America/Los_Angeles", "2026-03-07T23:30:00-08:00", "2026-03-09T00:30:00-07:00", "Sat 7 Mar, message, Sun 8 Mar, Mon 9 Mar"},
		// In Santiago 6 September 2026 begins at 01:00.
		{"a day without midnight", "America/Santiago", "2026-09-05T22:00:00-04:00", "2026-09-06T01:30:00-03:00", "Sat 5 Sep, message, Sun 6 Sep"},
	}
	p := NewPlatform(Practice(), "", nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			steps, err := p.Plan(change.Request{
				Action: change.CloseChat, Targets: []string{"web-shop"}, Zone: zone(t, test.zone), Resources: resources(Practice()),
				From: at(t, test.from), Until: at(t, test.until),
			})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range steps {
				names = append(names, s.Name)
				day, _ := time.Parse(time.DateOnly, s.Day)
				if _, d := kindOf(s.Key); d != "" && d != change.WeekdayOf(day) {
					t.Errorf("%s is for %s", s.Key, s.Day)
				}
			}
			if got := strings.Join(names, ", "); got != test.want {
				t.Errorf("Plan from %s until %s:\n got %s\nwant %s", test.from, test.until, got, test.want)
			}
		})
	}
}

func TestPlanSteps(t *testing.T) {
	org := Practice()
	org.Numbers[2].Voicemail = "Repairs voicemail"
	org.Apps[1].Outage = "Chat is down. Write to help@example.com."
	elsewhere := change.Resource{Key: "flag/chat/kiosk", Action: change.CloseChat, Target: "kiosk"}
	tests := []struct {
		name    string
		request change.Request
		want    []string // key = text
	}{
		{"all numbers, each to its own voicemail", change.Request{Action: change.PhonesToVoicemail}, []string{
			"sim/voice/+16505550101/initial-ivr = Voicemail Only",
			"sim/voice/+16505550102/initial-ivr = Voicemail Only",
			"sim/voice/+16505550103/initial-ivr = Repairs voicemail",
			"sim/voice/+16505550104/initial-ivr = Voicemail Only",
		}},
		{
			"one number, to what was asked for",
			change.Request{Action: change.PhonesToVoicemail, Targets: []string{"+16505550103"}, Inputs: map[string]string{"ivr": "Snow day"}},
			[]string{"sim/voice/+16505550103/initial-ivr = Snow day"},
		},
		{"all apps, each with its own text", change.Request{Action: change.CloseChat}, []string{
			"sim/chat/web-shop/hours/wednesday = Closed",
			"sim/chat/web-shop/unavailable-message = " + defaultMessage,
			"sim/chat/help-centre/hours/wednesday = Closed",
			"sim/chat/help-centre/unavailable-message = Chat is down. Write to help@example.com.",
		}},
		{
			"the text that was given",
			change.Request{Action: change.CloseChat, Targets: []string{"help-centre"}, Inputs: map[string]string{"message": "Call us <b>now</b> & here"}},
			[]string{"sim/chat/help-centre/hours/wednesday = Closed", "sim/chat/help-centre/unavailable-message = Call us <b>now</b> & here"},
		},
		{"what is another platform's", change.Request{Action: change.CloseChat, Targets: []string{"kiosk"}}, nil},
	}
	p := NewPlatform(org, "", nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := test.request
			r.Zone, r.Resources = time.UTC, append(resources(org), elsewhere)
			r.From, r.Until = at(t, "2026-11-25T09:00:00Z"), at(t, "2026-11-25T13:00:00Z")
			steps, err := p.Plan(r)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range steps {
				got = append(got, fmt.Sprintf("%s = %s", s.Key, s.Want.Text))
				if s.State != change.Planned || s.Way != change.Auto || s.Action != r.Action {
					t.Errorf("step %+v", s)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	from := at(t, "2026-11-25T09:00:00Z")
	ok := change.Request{Action: change.CloseChat, From: from, Until: from, Zone: time.UTC, Resources: resources(Practice())}
	tests := []struct {
		name string
		with func(*change.Request)
		want string
	}{
		{"an action nobody knows", func(r *change.Request) { r.Action = "close-shop" }, `unknown action "close-shop"`},
		{"a target nobody knows", func(r *change.Request) { r.Targets = []string{"web-shop", "webshop"} }, `no such target "webshop"`},
		{"a number as an app", func(r *change.Request) { r.Targets = []string{"+16505550101"} }, `no such target "+16505550101"`},
		{"an end before the beginning", func(r *change.Request) { r.Until = from.Add(-1) }, "it would end before it begins"},
		{"no zone", func(r *change.Request) { r.Zone = nil }, "no time zone"},
		{"a setting that is gone", func(r *change.Request) { r.Resources = r.Resources[:6] }, "the company has no setting sim/chat/web-shop/hours/wednesday"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := ok
			test.with(&r)
			steps, err := NewPlatform(Practice(), "", nil).Plan(r)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Plan = %v, error %v, want %q", steps, err, test.want)
			}
		})
	}
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
