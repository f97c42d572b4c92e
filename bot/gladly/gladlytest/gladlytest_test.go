package gladlytest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/gladly/gladlytest"
)

func acme(t *testing.T) (*gladlytest.Gladly, *gladlytest.Admin) {
	t.Helper()
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	g := gladlytest.New(gladlytest.Setup{
		Zone: zone, Administrators: []string{"ana"},
		IVRs:    []gladlytest.IVR{{Name: "Main menu", Published: true, Says: "Press 1."}},
		Numbers: []gladlytest.Number{{Number: "+16505550101", InitialIVR: "Main menu", QueueIVR: "Main menu"}},
		Apps: []gladlytest.App{{
			ID: "shop", Unavailable: "Closed.",
			Hours: map[change.Weekday]gladlytest.Day{"wednesday": {From: "08:00", To: "20:00"}, "thursday": {Closed: true, From: "08:00", To: "20:00"}},
		}},
	})
	a, err := g.SignIn("ana")
	if err != nil {
		t.Fatal(err)
	}
	return g, a
}

// The way of the playbook: create, publish, select, and what callers hear at each point.
func TestVoicemailOnly(t *testing.T) {
	g, a := acme(t)
	heard := func(want gladlytest.Heard) {
		t.Helper()
		got, err := g.Call(t.Context(), "+16505550101")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("a caller hears, error %v (-want +got):\n%s", err, diff)
		}
	}
	choose := func(name string) error {
		return a.EditNumber("+16505550101", func(n *gladlytest.Number) { n.InitialIVR = name })
	}
	heard(gladlytest.Heard{IVR: "Main menu", Says: "Press 1.", Agent: true})
	if err := choose("Voicemail Only"); !errors.Is(err, gladlytest.ErrNotThere) {
		t.Errorf("selecting what does not exist = %v", err)
	}
	if err := a.CreateIVR(gladlytest.IVR{Name: "Voicemail Only", Says: "Leave a message.", Voicemail: true, Published: true}); err != nil {
		t.Fatal(err)
	}
	if err := choose("Voicemail Only"); !errors.Is(err, gladlytest.ErrNotThere) {
		t.Errorf("selecting what is not published = %v", err)
	}
	if err := a.PublishIVR("Voicemail Only", "new voicemail only message"); err != nil {
		t.Fatal(err)
	}
	if err := choose("Voicemail Only"); err != nil {
		t.Fatal(err)
	}
	heard(gladlytest.Heard{IVR: "Voicemail Only", Says: "Leave a message.", Voicemail: true})
	if diff := cmp.Diff([]gladlytest.Voicemail{{Number: "+16505550101", IVR: "Voicemail Only"}}, g.Voicemails()); diff != "" {
		t.Errorf("the default Voice inbox (-want +got):\n%s", diff)
	}
	if err := a.DeleteIVR("Voicemail Only"); err == nil {
		t.Error("an IVR that a number has can be deleted")
	}
	if err := choose(""); err != nil {
		t.Fatal(err)
	}
	heard(gladlytest.Heard{Agent: true})
	if _, err := g.SignIn("kim"); !errors.Is(err, gladlytest.ErrNotAdministrator) {
		t.Errorf("kim signs in = %v, want ErrNotAdministrator", err)
	}
}

// Hours are judged in the organisation's zone by the visitor's clock, and what closes a chat decides whether anybody
// reads the message.
func TestVisit(t *testing.T) {
	wednesday := time.Date(2026, 11, 25, 19, 0, 0, 0, time.UTC) // 11:00 there
	open, closed := gladlytest.Seen{Icon: true, Chat: true}, gladlytest.Seen{Icon: true, Message: "Closed."}
	tests := []struct {
		name string
		with func(*gladlytest.Gladly, *gladlytest.Admin) error
		at   time.Time
		want gladlytest.Seen
	}{
		{"within the hours", nil, wednesday, open},
		{"in the evening there, the next day in UTC", nil, wednesday.Add(8 * time.Hour), open},
		{"after the hours", nil, wednesday.Add(9 * time.Hour), closed},
		{"a closed day", nil, wednesday.AddDate(0, 0, 1), closed},
		{"no chats let in", func(_ *gladlytest.Gladly, a *gladlytest.Admin) error { return a.Throttle("shop", 0) }, wednesday, closed},
		{"nobody can log in", func(g *gladlytest.Gladly, _ *gladlytest.Admin) error { g.NobodyCanLogIn(true); return nil }, wednesday, closed},
		{"closed by hand, in one Save with the message", func(_ *gladlytest.Gladly, a *gladlytest.Admin) error {
			page, err := a.App("shop")
			if err != nil {
				return err
			}
			day := page.Hours["wednesday"]
			day.Closed = true
			page.Hours["wednesday"], page.Unavailable = day, "Write to us."
			return a.SaveApp(page)
		}, wednesday, gladlytest.Seen{Icon: true, Message: "Write to us."}},
		{"what is not saved is not there", func(_ *gladlytest.Gladly, a *gladlytest.Admin) error {
			page, err := a.App("shop")
			page.Hours["wednesday"] = gladlytest.Day{Closed: true}
			return err
		}, wednesday, open},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, a := acme(t)
			if test.with != nil {
				if err := test.with(g, a); err != nil {
					t.Fatal(err)
				}
			}
			got, err := g.Visit("shop", test.at)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("Visit, error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
