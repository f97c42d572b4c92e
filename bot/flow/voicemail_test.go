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
}

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
		ID: "e" + strconv.Itoa(m.n), At: time.Date(2026, 11, 25, 2, m.n, 0, 0, time.UTC), What: what, Place: flow.Place{Platform: "terminal", Channel: "#support"},
		By: flow.Person{ID: who, Account: "terminal:" + who, Name: "@" + who, Member: true, Responder: true}, Desk: flow.Desk{Gone: map[string]bool{}},
	}
	for _, id := range gone {
		e.Desk.Gone[id] = true
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
		m.n = int(due.Sub(time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)).Minutes()) - 2
		m.does("", flow.Due{Timer: "maker"})
		m.maker("ana")
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
