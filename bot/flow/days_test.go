package flow_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/flow"
	"switchback/store"
)

// changes are those of the clocks in Los Angeles.
func changes() map[string]time.Time {
	return map[string]time.Time{
		"spring": time.Date(2000, time.April, 2, 10, 0, 0, 0, time.UTC),
		"autumn": time.Date(2000, time.October, 29, 9, 0, 0, 0, time.UTC),
	}
}

// Contract 6, over 60 days of outages and 100 restarts, once for each change of the clocks: no change is open without an
// owner, a deadline and its reminder, none is past its deadline unless somebody was told, and nobody is reminded of one
// that is over. The gate has 6 days.
func TestSixtyDays(t *testing.T) {
	days, restarts := 6, 10
	switch {
	case os.Getenv("PROOF") != "":
		days, restarts = 60, 100
	case testing.Short(): // with the race detector
		days, restarts = 2, 4
	}
	for name, change := range changes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, dir := time.Now(), t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w := history{Company: 3, Start: 0, Replicas: 2}.stage(t, noBug, func() store.Store {
					f, err := store.OpenVolatile(dir)
					if err != nil {
						t.Fatal(err)
					}
					return f
				})
				time.Sleep(time.Until(change.AddDate(0, 0, -days/2)))
				w.live(days, restarts)
				w.finale()
				for _, wrong := range w.wrong {
					t.Error(wrong)
				}
				all, err := w.kept().All(t.Context())
				if err != nil || len(all) < days/4 || w.reminders < days/4 {
					t.Errorf("there were %d outages (%v) and %d reminders: too few to show anything", len(all), err, w.reminders)
				}
				t.Logf("%s: %d days, %d restarts, %d outages, %d events, %d reminders, %d writes", name, days, restarts, len(all), w.nth, w.reminders, w.writes)
				if err := w.file.Close(); err != nil {
					t.Error(err)
				}
			})
			t.Logf("took %v", time.Since(begun).Round(time.Second/10))
		})
	}
}

// live is so many days, hour by hour. Some of them bring an outage, and some of those last.
func (w *stage) live(days, restarts int) {
	draw := rand.New(rand.NewPCG(1, uint64(days)))
	hours := days * 24
	for h := range hours {
		if draw.IntN(hours) < restarts { // all of it ends, at a call of its own
			for _, r := range w.replicas {
				r.mu.Lock()
				r.at, r.mode = 1+draw.IntN(4), interruptions()[draw.IntN(2)]
				r.mu.Unlock()
			}
			w.happens(happening{"type", draw.IntN(3), 4})
			for range 8 { // whoever was not at work yet
				w.pump()
			}
			w.restart()
		}
		switch draw.IntN(12) {
		case 0:
			w.happens(happening{"type", 0, draw.IntN(2)})
			w.first(folk()[0], func(a flow.Action) bool { return a.Verb == "confirm" })
		case 1:
			w.bringBack()
			w.answerMost()
		}
		for range draw.IntN(4) {
			what := []string{"press", "press", "press", "press", "type", "again", "old", "edit", "fault", "cut", "lose"}[draw.IntN(11)]
			w.happens(happening{what, draw.IntN(3), draw.IntN(8)})
		}
		w.passes(time.Hour - time.Duration(draw.IntN(120))*time.Second)
		w.along()
		w.reminded(h)
	}
}

// answerMost answers the questions that are open.
func (w *stage) answerMost() {
	open := w.outages()
	for _, id := range sorted(open) {
		for _, st := range open[id].r.Steps {
			if question(st) != "" {
				w.answer(id, st)
			}
		}
	}
	w.bringBack()
}

// reminded wants that of each change past its deadline somebody was told.
func (w *stage) reminded(hour int) {
	for id, h := range w.outages() {
		if !h.r.Open() || time.Since(h.o.Deadline) < 20*time.Minute {
			continue
		}
		told := false
		w.mu.Lock()
		for _, c := range w.screen {
			told = told || strings.HasPrefix(c.message, fmt.Sprintf("%s/deadline/%d/", id, h.o.Deadline.Unix()))
		}
		next := w.timers["outage/"+id+"/ladder"]
		w.mu.Unlock()
		if !told {
			w.breach("hour %d: nobody was told that %s is past its deadline %v", hour, id, h.o.Deadline)
		}
		if time.Until(next) > 4*24*time.Hour { // over a long weekend
			w.breach("hour %d: of %s, past its deadline, somebody is told at %v only", hour, id, next)
		}
	}
}
