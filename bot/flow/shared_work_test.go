package flow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
)

// sharing is an outage in which six numbers of one screen are still to be clicked.
type sharing struct {
	o    flow.Outage
	r    change.Record
	desk flow.Desk
	at   time.Time
}

func sixNumbers() *sharing {
	o, _ := sample()
	s := &sharing{o: o, r: change.Record{Schema: change.Schema, Outage: o.ID}, at: o.Began.Add(time.Minute), desk: flow.Desk{Guide: map[change.Key]change.Guide{}}}
	for i := range 6 {
		st := change.Step{
			Key: change.Key(fmt.Sprintf("gladly/voice/%d/initial-ivr", i)), Action: change.PhonesToVoicemail, Target: fmt.Sprint(i), Label: fmt.Sprint("…0", i), Name: "Initial IVR",
			Way: change.Guided, State: change.Planned, Want: text("Voicemail Only"),
		}
		s.r.Steps = append(s.r.Steps, st)
		s.desk.Guide[st.Key] = change.Guide{Screen: "Settings > Voice"}
	}
	return s
}

// presses says what the press shows that person, and keeps what it changes.
func (s *sharing) presses(t *testing.T, by flow.Person, a flow.Action, fields map[string]string) string {
	t.Helper()
	s.at = s.at.Add(time.Second)
	a.Outage, a.State = s.o.ID, "*"
	place := flow.Place{Platform: "terminal", Person: by.Account}
	o, out, err := flow.StepOutage(policy(), s.o, s.r, flow.Event{ID: s.at.String(), At: s.at, By: by, Place: place, What: flow.Press{Action: a, Fields: fields}, Desk: s.desk})
	if err != nil {
		t.Fatal(err)
	}
	s.o = o
	var shown []string
	for _, effect := range out {
		if h, ok := effect.(flow.Hand); ok {
			if s.r, err = s.r.With(h.Key, h.Apply); err != nil {
				t.Fatal(err)
			}
		}
		if c, ok := effect.(flow.Show); ok && strings.HasPrefix(c.Message, "note:") {
			shown = append(shown, c.Card.Title)
		}
		if f, ok := effect.(flow.Form); ok {
			shown = append(shown, f.Card.Title)
		}
	}
	return strings.Join(shown, "; ")
}

func (s *sharing) heldBy(id string) int {
	return len(slices.DeleteFunc(slices.Clone(s.r.Steps), func(st change.Step) bool { return st.Holder == nil || st.Holder.ID != id }))
}

func (s *sharing) notes() int {
	return len(slices.DeleteFunc(slices.Clone(s.o.Timeline), func(l flow.Line) bool { return l.What != "note" || l.Struck != "" }))
}

// Contract 2 and 11, for work that people share: a second press takes no more and adds no more, and each does what they may.
func TestSharedWork(t *testing.T) {
	ana := flow.Person{ID: "ana", Account: "terminal:ana", Name: "@ana", Member: true, Responder: true}
	lee := flow.Person{ID: "lee", Account: "terminal:lee", Name: "@lee", Member: true}
	const refused = "You are not one of the responders"
	screen := func(verb string) flow.Action { return flow.Action{Verb: verb, Arg: "Settings > Voice"} }

	t.Run("the next three, pressed twice, are three", func(t *testing.T) {
		s := sixNumbers()
		s.presses(t, ana, screen("claim"), nil)
		if got := s.presses(t, ana, screen("claim"), nil); !strings.Contains(got, "already") || s.heldBy("ana") != 3 {
			t.Errorf("she holds %d, and is told %q", s.heldBy("ana"), got)
		}
	})
	t.Run("who was asked to click asks nobody else", func(t *testing.T) {
		s := sixNumbers()
		s.o.Helpers = []flow.Helper{{Who: lee, Screen: "Settings > Voice"}}
		for _, verb := range []string{"ask-someone", "ask-someone-send"} {
			if got := s.presses(t, lee, screen(verb), map[string]string{"to": "@sam"}); got != refused || len(s.o.Helpers) != 1 {
				t.Errorf("%s: %q, and %d are asked", verb, got, len(s.o.Helpers))
			}
		}
		s.presses(t, lee, screen("claim"), nil)
		if s.heldBy("lee") != 3 {
			t.Errorf("the helper holds %d", s.heldBy("lee"))
		}
	})
	t.Run("who may only put back clicks nothing of the change", func(t *testing.T) {
		s, was := sixNumbers(), lee
		was.Restorer = true
		if got := s.presses(t, was, screen("claim"), nil); got != refused {
			t.Errorf("%q", got)
		}
		for i := range s.r.Steps {
			s.r.Steps[i].State, s.r.Steps[i].Back = change.IsSet, true
		}
		if s.presses(t, was, screen("claim"), nil); s.heldBy("lee") != 3 {
			t.Errorf("of the restore they hold %d", s.heldBy("lee"))
		}
	})
	t.Run("a line from a button is added once, and struck by whoever wrote it or a responder", func(t *testing.T) {
		s := sixNumbers()
		line := flow.Action{Verb: "note", Arg: "the carrier is looking"}
		s.presses(t, ana, line, nil)
		if got := s.presses(t, ana, line, nil); !strings.Contains(got, "already") || s.notes() != 1 {
			t.Errorf("%d lines, and %q", s.notes(), got)
		}
		strike := flow.Action{Verb: "strike", Arg: "0"}
		if got := s.presses(t, lee, strike, nil); got != refused || s.notes() != 1 {
			t.Errorf("somebody else's line: %q, and %d lines", got, s.notes())
		}
		alike := lee
		alike.Name = ana.Name // accounts may be called anything
		if got := s.presses(t, alike, strike, nil); got != refused || s.notes() != 1 {
			t.Errorf("the line of somebody of the same name: %q, and %d lines", got, s.notes())
		}
		if s.presses(t, ana, strike, nil); s.notes() != 0 {
			t.Error("her own line was not struck")
		}
	})
	t.Run("a day far away is not closed by a forged button", func(t *testing.T) {
		s := sixNumbers()
		for i := range s.r.Steps {
			s.r.Steps[i].State = change.IsSet
		}
		e := flow.Event{ID: "forged", At: s.at, By: ana, Place: flow.Place{Platform: "terminal"}, Desk: s.desk, What: flow.Press{
			Action: flow.Action{Outage: s.o.ID, Verb: "next-day", State: "*", Arg: s.at.AddDate(9, 0, 0).Format(time.RFC3339)},
		}}
		if _, out, err := flow.StepOutage(policy(), s.o, s.r, e); err != nil || slices.ContainsFunc(out, func(x flow.Effect) bool { _, ok := x.(flow.Enter); return ok }) {
			t.Errorf("it is: %v %v", out, err)
		}
	})
}
