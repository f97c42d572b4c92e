package flow_test

import (
	"strconv"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
)

// menuMade is an outage that first needs a phone menu, which somebody is to make.
type menuMade struct {
	t       *testing.T
	o       flow.Outage
	r       change.Record
	buttons map[string]flow.Action // the newest, by verb
	timers  map[string]time.Time
	n       int // minutes
	resting bool
}

// at is the time of the n-th minute.
func (m *menuMade) at(n int) time.Time { return time.Date(2026, 11, 25, 2, n, 0, 0, time.UTC) }

// until lets it become a minute before a time, so that what happens next happens then.
func (m *menuMade) until(at time.Time) { m.n = int(at.Sub(m.at(0)).Minutes()) - 1 }

func newMenuMade(t *testing.T) *menuMade {
	t.Helper()
	menu := change.Value{Raw: []byte("Voicemail Only"), Text: "Voicemail Only"}
	m := &menuMade{
		t: t, o: flow.Outage{ID: "voice-1", Channel: "voice", Owner: flow.Person{ID: "ana", Account: "terminal:ana", Name: "@ana"}, IVRs: []flow.IVR{{Name: menu.Text}}},
		r:       change.Record{Outage: "voice-1", Steps: []change.Step{{Key: "shop/1/ivr", Action: change.PhonesToVoicemail, Way: change.Guided, State: change.Planned, Want: menu}}},
		buttons: map[string]flow.Action{}, timers: map[string]time.Time{},
	}
	m.does("ana", flow.Stepped{Outage: m.o.ID})
	return m
}

// does lets something happen, a minute after what happened before.
func (m *menuMade) does(who string, what flow.What, gone ...string) {
	m.t.Helper()
	m.n++
	e := flow.Event{
		ID: "e" + strconv.Itoa(m.n), At: m.at(m.n), What: what, Place: flow.Place{Platform: "terminal", Channel: "#support"},
		By: flow.Person{ID: who, Account: "terminal:" + who, Name: "@" + who, Member: true, Responder: true}, Desk: flow.Desk{Gone: map[string]bool{}},
	}
	for _, id := range gone {
		e.Desk.Gone[id] = true
	}
	if m.resting {
		e.Desk.Open = []flow.Outage{{ID: "login-1", Channel: "login"}}
	}
	if _, ok := what.(flow.Due); ok {
		e.By = flow.Person{}
	}
	var out []flow.Effect
	var err error
	if m.o, out, err = flow.StepOutage(policy().WithDefaults(), m.o, m.r, e); err != nil {
		m.t.Fatal(err)
	}
	for _, effect := range out {
		if remind, ok := effect.(flow.Remind); ok {
			m.timers[remind.Timer] = remind.At
		}
		show, _ := effect.(flow.Show)
		for _, b := range show.Card.Buttons {
			if a, err := flow.DecodeAction(b.Action); err == nil {
				m.buttons[a.Verb] = a
			}
		}
	}
}

func (m *menuMade) presses(who, verb string) {
	m.t.Helper()
	m.does(who, flow.Press{Action: m.buttons[verb]})
}

// maker wants that somebody, or nobody, makes it.
func (m *menuMade) maker(want string) {
	m.t.Helper()
	got := ""
	if by := m.o.IVRs[0].Maker; by != nil {
		got = by.ID
	}
	if got != want {
		m.t.Errorf("it is made by %q, want %q", got, want)
	}
}

// Contract 3: who gives the making of a phone menu back does so once. The same press, late, takes it from nobody else.
func TestAMenuIsGivenBackOnce(t *testing.T) {
	m := newMenuMade(t)
	m.presses("ana", "ivr-make")
	free := m.buttons["ivr-free"]
	m.presses("ana", "ivr-free")
	m.presses("sam", "ivr-make")
	m.does("ana", flow.Press{Action: free})
	m.maker("sam")
	m.presses("sam", "ivr-free")
	m.maker("")
}

// R18, R65: who said that they make a phone menu and does not answer, or may not act here any more, makes it no longer:
// everybody is asked again.
func TestAMenuIsTakenFromWhoIsAway(t *testing.T) {
	t.Run("asleep", func(t *testing.T) {
		m := newMenuMade(t)
		m.presses("ana", "ivr-make")
		due := m.timers["maker"]
		if due.IsZero() {
			t.Fatal("nobody looks whether it is made")
		}
		delete(m.buttons, "ivr-make")
		m.until(due.Add(-time.Minute))
		delete(m.timers, "maker")
		m.does("", flow.Due{Timer: "maker"}) // by a clock that is ahead
		m.maker("ana")
		if next := m.timers["maker"]; !next.Equal(due) {
			t.Errorf("the next look is at %v, want %v", next, due)
		}
		m.does("", flow.Due{Timer: "maker"})
		m.maker("")
		m.presses("sam", "ivr-make") // it was asked again
		m.maker("sam")
	})
	t.Run("gone", func(t *testing.T) {
		m := newMenuMade(t)
		m.presses("sam", "ivr-make")
		delete(m.buttons, "ivr-make")
		m.does("", flow.Due{Timer: "hands"}, "lee")
		m.maker("sam")
		m.does("", flow.Due{Timer: "hands"}, "sam")
		m.maker("")
		m.presses("ana", "ivr-make")
		m.maker("ana")
	})
}

// One timer serves all makers: each has the same time, however the others began and ended.
func TestEveryMakerHasTheirTime(t *testing.T) {
	m := newMenuMade(t)
	other := m.r.Steps[0]
	other.Key, other.Want = "shop/2/ivr", change.Value{Raw: []byte("Closed today"), Text: "Closed today"}
	m.r.Steps = append(m.r.Steps, other)
	m.o.IVRs = append(m.o.IVRs, flow.IVR{Name: other.Want.Text})
	begin := m.buttons["ivr-make"]
	m.does("ana", flow.Press{Action: begin})
	first := m.timers["maker"]
	m.n += 9
	begin.Arg = "1"
	m.does("sam", flow.Press{Action: begin})
	if next := m.timers["maker"]; !next.Equal(first) {
		t.Errorf("a second maker moves the look to %v, want it at %v", next, first)
	}
	m.until(first)
	m.does("", flow.Due{Timer: "maker"})
	m.maker("")
	second := m.timers["maker"]
	if m.o.IVRs[1].Maker == nil || !second.Equal(first.Add(10*time.Minute)) {
		t.Fatalf("the second is made by %v, until %v; want @sam, until 10 minutes after the first", m.o.IVRs[1].Maker, second)
	}
	m.until(second)
	m.does("", flow.Due{Timer: "maker"})
	if by := m.o.IVRs[1].Maker; by != nil {
		t.Errorf("the second is still made by %v", by)
	}
}

// Nobody is late with what nobody can do, with what is not needed any more, or with what they began under a version that
// did not say when.
func TestAMakerWhoIsNotLate(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(m *menuMade)
		again  bool // they have their time from then on
	}{
		"nobody can log in":   {func(m *menuMade) { m.resting = true }, true},
		"not needed any more": {func(m *menuMade) { m.r.Steps[0].Back = true; m.does("", flow.Stepped{Outage: m.o.ID}) }, false},
		"by an older version": {func(m *menuMade) { m.o.IVRs[0].Since = time.Time{} }, true},
		"not needed for a bit": {func(m *menuMade) {
			m.r.Steps[0].Back = true
			m.does("", flow.Stepped{Outage: m.o.ID})
			m.r.Steps[0].Back = false
			m.until(m.timers["maker"])
			m.does("", flow.Stepped{Outage: m.o.ID})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMenuMade(t)
			m.presses("ana", "ivr-make")
			due := m.timers["maker"]
			tt.before(m)
			lines := len(m.o.Timeline)
			m.until(due)
			delete(m.timers, "maker")
			m.does("", flow.Due{Timer: "maker"})
			m.maker("ana")
			if len(m.o.Timeline) != lines {
				t.Errorf("the timeline says %+v", m.o.Timeline[lines:])
			}
			next, again := m.timers["maker"]
			if again != tt.again {
				t.Fatalf("somebody looks again: %v, want %v", again, tt.again)
			}
			if again {
				m.resting = false
				m.until(next)
				m.does("", flow.Due{Timer: "maker"})
				m.maker("")
			}
		})
	}
}
