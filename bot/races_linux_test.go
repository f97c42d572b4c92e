package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/store/storetest"
)

// said is a card as words.
func said(c card.Card) string {
	out := c.Title + "\n" + strings.Join(c.Text, "\n")
	for _, f := range c.Facts {
		out += "\n" + f.Name + " " + f.Note
	}
	return out
}

// Contract 3, with real processes: three replicas on one Redis get a thousand confirms of one plan at once, by three
// people. It happens once, and whoever came too late is told by whom.
func TestAThousandConfirms(t *testing.T) {
	presses := 90
	if os.Getenv("PROOF") != "" {
		presses = 1000
	}
	w := newTown(t, storetest.Redis(t))
	replicas := []*process{w.begin(false), w.begin(false), w.begin(false)}
	people := []string{"ana", "sam", "kim"}
	confirm := map[string]flow.Action{}
	for i, who := range people {
		replicas[i].does(w.event(who, flow.Command{Words: []string{"chat", "late"}}))
		confirm[who] = w.button(":"+who+" ", "Close")
	}
	var events [3][]flow.Event
	who := map[string]string{}
	for i := range presses {
		e := w.event(people[i%3], flow.Press{Action: confirm[people[i%3]]})
		who[e.ID] = people[i%3]
		events[i/3%3] = append(events[i/3%3], e) // everybody at every replica
	}
	for i, r := range replicas {
		go func() {
			for _, e := range events[i] {
				r.says(e)
			}
		}()
	}
	for i, r := range replicas {
		for range events[i] {
			if text := r.until("event-"); strings.Contains(text, "refused") {
				t.Error(text)
			}
		}
	}
	w.eventually("the end of it", func() bool {
		_, records := w.open()
		settled, err := w.kept.Settled(t.Context())
		return err == nil && settled && len(records) > 0 && !flow.Working(records[0])
	})
	open, _ := w.open()
	if len(open) != 1 {
		t.Fatalf("%d outages are open, want 1", len(open))
	}
	if got := w.writes(); len(got) != 4 {
		t.Errorf("the platform was written to %d times, want 4:\n%s", len(got), strings.Join(got, "\n"))
	}
	owner := open[0].Owner.Name
	told := 0
	for id, person := range who {
		var note, walk string
		for shown, c := range w.shown() {
			switch {
			case strings.HasSuffix(shown, " note:"+id):
				note = said(c)
			case strings.HasPrefix(shown, "terminal/terminal:"+person+" walk:"):
				walk += said(c) + "\n"
			}
		}
		if note != "" {
			told++
		}
		// A note may say only that the press was late; the person's own card beside it says the rest.
		if !strings.Contains(note+walk, owner) {
			t.Errorf("%s by %s was told %q, and the card says %q: neither says who was first (%s)", id, person, note, walk, owner)
		}
	}
	if want := presses - len(people); told < want {
		t.Errorf("%d late presses got an answer of their own, want %d at least", told, want)
	}
	for _, r := range replicas {
		r.ends()
	}
}

// Two outages want the same settings, at two replicas at the same moment: one gets them, and the other is told whose they
// are. The same branch twice: the second is offered to help.
func TestTwoOutagesWantTheSame(t *testing.T) {
	rounds := 10
	if os.Getenv("PROOF") != "" {
		rounds = 25
	}
	url := storetest.Redis(t)
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			w := newTown(t, url)
			a, b := w.begin(false), w.begin(false)
			a.does(w.event("ana", flow.Command{Words: []string{"chat", "late"}}))
			b.does(w.event("sam", flow.Command{Words: []string{"login"}}))
			one, two := w.button(":ana ", "Close"), w.button(":sam ", "Close")
			first, second := w.event("ana", flow.Press{Action: one}), w.event("sam", flow.Press{Action: two})
			a.says(first)
			b.says(second)
			a.until(first.ID)
			b.until(second.ID)
			w.eventually("the end of it", func() bool {
				_, records := w.open()
				settled, err := w.kept.Settled(t.Context())
				return err == nil && settled && len(records) > 0 && !flow.Working(records[0])
			})
			open, records := w.open()
			if len(open) != 1 {
				t.Fatalf("%d outages are open, want 1: both want the chat of Web shop", len(open))
			}
			loser := map[string]string{"@ana": ":sam ", "@sam": ":ana "}[open[0].Owner.Name]
			want := "This is being worked on already"
			found := false
			for id, c := range w.shown() {
				found = found || strings.Contains(id, loser) && strings.Contains(said(c), want) && strings.Contains(said(c), open[0].Owner.Name+" looks after it")
			}
			if !found {
				t.Errorf("nobody told %s: %s, %s looks after it", loser, want, open[0].Owner.Name)
			}
			if got := len(w.writes()); got != len(records[0].Steps) {
				t.Errorf("the platform was written to %d times, want %d", got, len(records[0].Steps))
			}
			b.does(w.event("kim", flow.Command{Words: []string{"chat", "late"}}))
			w.button(":kim ", "Add to it")

			b.does(w.event("ana", flow.Command{Words: []string{"restore"}}))
			b.does(w.event("ana", flow.Press{Action: w.button("restore", "Put everything back")}))
			w.eventually("everything to be back", func() bool {
				_, records := w.open()
				settled, err := w.kept.Settled(t.Context())
				return err == nil && settled && (len(records) == 0 || !flow.Working(records[0]) && !records[0].Open())
			})
			for _, o := range open { // a wait stays open until somebody says that it works again
				if left, _ := w.open(); len(left) > 0 {
					b.does(w.event("ana", flow.Press{Action: flow.Action{Outage: o.ID, Verb: "works"}}))
				}
			}
			a.ends()
			b.ends()
		})
	}
}
