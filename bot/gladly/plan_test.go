package gladly

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
)

// company has one target of each kind: known, unknown and blank values, and ways that are not ours.
func company() Organisation {
	return Organisation{
		Numbers: []Number{
			{Number: "+16505550101", Name: "Orders", IVR: new("Main menu")},
			{Number: "+16505550102", Name: "Returns", IVR: new("")},
			{Number: "+442079460103", IVR: nil, Voicemail: "Voicemail English", Way: change.Guided},
			{Number: "+16505550104", Name: "Press", IVR: new("Press menu"), Way: change.Flag},
		},
		Apps: []App{
			{
				ID: "help-centre", Name: "Help centre", Site: "help.example.com", Outage: "Chat is down. Write to help@example.com.",
				Message: new("We're closed. See <b>help.example.com</b> & more.\n"),
				Hours: map[change.Weekday]change.Hours{
					"monday": "08:00-20:00", "tuesday": "08:00-20:00", "wednesday": "08:00-20:00", "thursday": "08:00-22:00",
					"saturday": change.Closed, "sunday": change.Closed,
				},
			},
			{ID: "kiosk"},
			{ID: "web-shop", Name: "Web shop", Way: change.Flag},
		},
	}
}

func catalogue(t *testing.T, o Organisation) []change.Resource {
	t.Helper()
	all, err := NewPlatform(o).Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPlanDays(t *testing.T) {
	const la = "America/Los_Angeles"
	tests := []struct {
		name        string
		zone        string
		from, until string
		want        string
	}{
		{"within a day", la, "2026-11-25T09:00:00-08:00", "2026-11-25T13:00:00-08:00", "Wed 25 Nov, message"},
		{"over midnight", la, "2026-11-25T23:10:00-08:00", "2026-11-26T03:10:00-08:00", "Wed 25 Nov, Thu 26 Nov, message"},
		{"the responder's midnight is not the company's", la, "2026-11-25T22:00:00-05:00", "2026-11-26T02:00:00-05:00", "Wed 25 Nov, message"},
		{"until midnight itself: the next day has not begun", la, "2026-11-25T22:00:00-08:00", "2026-11-26T00:00:00-08:00", "Wed 25 Nov, message"},
		{"a moment after midnight", la, "2026-11-25T22:00:00-08:00", "2026-11-26T00:00:01-08:00", "Wed 25 Nov, Thu 26 Nov, message"},
		{"a day whose hours nobody wrote down", la, "2026-11-27T09:00:00-08:00", "2026-11-27T13:00:00-08:00", "Fri 27 Nov, message"},
		{"into a weekend that is closed anyway", la, "2026-11-27T22:00:00-08:00", "2026-11-29T10:00:00-08:00", "Fri 27 Nov, message"},
		{"over it", la, "2026-11-27T22:00:00-08:00", "2026-11-30T10:00:00-08:00", "Fri 27 Nov, Mon 30 Nov, message"},
		{"within it: visitors are told all the same", la, "2026-11-28T09:00:00-08:00", "2026-11-29T10:00:00-08:00", "message"},
		{
			"a week: the same weekday does not come twice", la, "2026-11-25T09:00:00-08:00", "2026-12-09T09:00:00-08:00",
			"Wed 25 Nov, Thu 26 Nov, Fri 27 Nov, Mon 30 Nov, Tue 1 Dec, message",
		},
		// 2 November 2026 is a Monday; the day before has 25 hours, and is closed anyway.
		{"over the day of 25 hours", la, "2026-10-31T23:30:00-07:00", "2026-11-02T00:30:00-08:00", "Mon 2 Nov, message"},
		// 8 March 2026 has 23 hours: 48 hours after 23:30 of the 6th it is past the 8th.
		{"over the day of 23 hours", la, "2026-03-06T23:30:00-08:00", "2026-03-09T00:30:00-07:00", "Fri 6 Mar, Mon 9 Mar, message"},
		// In Cairo Friday 24 April 2026 begins at 01:00.
		{"a day without midnight", "Africa/Cairo", "2026-04-23T22:00:00+02:00", "2026-04-24T01:30:00+03:00", "Thu 23 Apr, Fri 24 Apr, message"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := NewPlatform(company()).Plan(change.Request{
				Action: change.CloseChat, Targets: []string{"help-centre"}, Zone: zone, Resources: catalogue(t, company()),
				From: at(t, test.from), Until: at(t, test.until),
			})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range steps {
				names = append(names, s.Name)
				if s.Day == "" {
					continue
				}
				day, err := time.Parse(time.DateOnly, s.Day)
				if err != nil || s.Key != hoursKey("help-centre", change.WeekdayOf(day)) || s.Name != day.Format("Mon 2 Jan") {
					t.Errorf("step %s %q is for %s", s.Key, s.Name, s.Day)
				}
			}
			if got := strings.Join(names, ", "); got != test.want {
				t.Errorf("Plan from %s until %s:\n got %s\nwant %s", test.from, test.until, got, test.want)
			}
		})
	}
}

func TestPlanSteps(t *testing.T) {
	tests := []struct {
		name    string
		request change.Request
		want    []string // key: known value, if any → wanted value
	}{
		{"all numbers, each to its own voicemail", change.Request{Action: change.PhonesToVoicemail}, []string{
			"gladly/voice/+16505550101/initial-ivr: Main menu → Voicemail Only",
			"gladly/voice/+16505550102/initial-ivr: Blank → Voicemail Only",
			"gladly/voice/+442079460103/initial-ivr: ? → Voicemail English",
		}},
		{
			"one number, to what was asked for",
			change.Request{Action: change.PhonesToVoicemail, Targets: []string{"+442079460103"}, Inputs: map[string]string{"ivr": "Snow day"}},
			[]string{"gladly/voice/+442079460103/initial-ivr: ? → Snow day"},
		},
		{"all apps, each with its own text, page by page", change.Request{Action: change.CloseChat}, []string{
			"gladly/chat/help-centre/hours/wednesday: 08:00–20:00 → Closed",
			"gladly/chat/help-centre/hours/thursday: 08:00–22:00 → Closed",
			"gladly/chat/help-centre/unavailable-message: We're closed. See <b>help.example.com</b> & more.\n → Chat is down. Write to help@example.com.",
			"gladly/chat/kiosk/hours/wednesday: ? → Closed",
			"gladly/chat/kiosk/hours/thursday: ? → Closed",
			"gladly/chat/kiosk/unavailable-message: ? → Chat is not available at the moment. Please try again later.",
		}},
		{
			"the text that was given, beside a target of another platform",
			change.Request{Action: change.CloseChat, Targets: []string{"kiosk", "web-shop"}, Inputs: map[string]string{"message": "Call <us> & wait"}},
			[]string{
				"gladly/chat/kiosk/hours/wednesday: ? → Closed",
				"gladly/chat/kiosk/hours/thursday: ? → Closed",
				"gladly/chat/kiosk/unavailable-message: ? → Call <us> & wait",
			},
		},
		{"only what is another platform's", change.Request{Action: change.CloseChat, Targets: []string{"web-shop"}}, nil},
	}
	p := NewPlatform(company())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := test.request
			flag := change.Resource{Key: "flag/chat/web-shop", Action: change.CloseChat, Target: "web-shop"}
			r.Zone, r.Resources = time.UTC, append(catalogue(t, company()), flag)
			r.From, r.Until = at(t, "2026-11-25T23:00:00Z"), at(t, "2026-11-26T03:00:00Z")
			steps, err := p.Plan(r)
			if err != nil {
				t.Fatal(err)
			}
			var got, screens []string
			for _, s := range steps {
				known := "?"
				if s.Known != nil {
					known = s.Known.Text
				}
				got = append(got, fmt.Sprintf("%s: %s → %s", s.Key, known, s.Want.Text))
				if s.State != change.Planned || s.Way != change.Guided || s.Action != r.Action || s.Before != nil {
					t.Errorf("step %+v", s)
				}
				screens = append(screens, p.Guide(s.Key, s.Want).Screen)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Plan (-want +got):\n%s", diff)
			}
			// A card shows the steps of one screen: each screen comes once.
			screens = slices.Compact(screens)
			if slices.Sort(screens); len(slices.Compact(slices.Clone(screens))) != len(screens) {
				t.Errorf("steps of one screen do not follow each other: %q", screens)
			}
		})
	}
}

// TestPlanBelievesTheCatalogue: what a restore or a drill found out since is in the request, not in the document.
func TestPlanBelievesTheCatalogue(t *testing.T) {
	r := change.Request{
		Action: change.CloseChat, Targets: []string{"kiosk"}, Zone: time.UTC, Resources: catalogue(t, company()),
		From: at(t, "2026-11-25T09:00:00Z"), Until: at(t, "2026-11-25T13:00:00Z"),
	}
	i := slices.IndexFunc(r.Resources, func(r change.Resource) bool { return r.Key == "gladly/chat/kiosk/hours/wednesday" })
	r.Resources[i].Known = new(change.Closed.Value())
	steps, err := NewPlatform(company()).Plan(r)
	if err != nil || len(steps) != 1 || steps[0].Name != "message" {
		t.Errorf("Plan of a day that is closed anyway = %+v, %v", steps, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	from := at(t, "2026-11-25T09:00:00Z")
	ok := change.Request{Action: change.CloseChat, From: from, Until: from, Zone: time.UTC, Resources: catalogue(t, company())}
	tests := []struct {
		name string
		with func(*change.Request)
		want string
	}{
		{"an action nobody knows", func(r *change.Request) { r.Action = "close-shop" }, `unknown action "close-shop"`},
		{"a target nobody knows", func(r *change.Request) { r.Targets = []string{"kiosk", "kisok"} }, `no such target "kisok"`},
		{"a number as an app", func(r *change.Request) { r.Targets = []string{"+16505550101"} }, `no such target "+16505550101"`},
		{"an end before the beginning", func(r *change.Request) { r.Until = from.Add(-1) }, "it would end before it begins"},
		{"no zone", func(r *change.Request) { r.Zone = nil }, "no time zone"},
		{"a setting that is gone", func(r *change.Request) {
			r.Resources = slices.DeleteFunc(slices.Clone(r.Resources), func(r change.Resource) bool { return r.Name == "Wednesday" })
		}, "the organisation has no setting gladly/chat/help-centre/hours/wednesday"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := ok
			test.with(&r)
			steps, err := NewPlatform(company()).Plan(r)
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
