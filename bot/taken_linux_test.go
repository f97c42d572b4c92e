package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"switchback/bot/flow"
	"switchback/store/storetest"
)

// answered lets somebody confirm at one process, which is killed with -9 the moment it has said that the press is taken
// in. Another one has to do it. It says what is wrong in the end.
func (w *town) answered(tooSoon bool) (wrong string) {
	w.t.Helper()
	a, b := w.beginAs(replica{Takes: !tooSoon, TooSoon: tooSoon}), w.begin(false)
	defer b.ends()
	confirm := w.change(b, "ana")
	a.says(confirm)
	a.until("taken " + confirm.ID)
	a.kill()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		open, records := w.open()
		settled, err := w.kept.Settled(w.t.Context())
		if err == nil && settled && len(open) == 1 && !flow.Working(records[0]) && len(w.writes()) == 4 {
			return ""
		}
		if time.Now().After(end) || tooSoon && settled && len(open) == 0 {
			return fmt.Sprintf("%d outages are open, and the platform was written to %d times", len(open), len(w.writes()))
		}
	}
}

// Contract 1: what was answered is done, whatever becomes of the process that answered.
func TestAnsweredIsDone(t *testing.T) {
	t.Parallel()
	rounds := 1
	if os.Getenv("PROOF") != "" {
		rounds = 100
	}
	url := storetest.Redis(t)
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			if wrong := newTown(t, url).answered(false); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

func TestPlantedInTheAnswer(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	start := time.Now()
	for round := range 50 {
		if wrong := newTown(t, url).answered(true); wrong != "" {
			t.Logf("planted: a press is answered before it is in the inbox | TestAnsweredIsDone | kill %d | %v", round+1, time.Since(start).Round(time.Millisecond))
			return
		}
	}
	t.Error("nothing noticed the bug")
}
