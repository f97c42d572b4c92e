package flow

import (
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
)

// Working reports whether the engine has something left to do for a record.
func Working(r change.Record) bool { return engineWork(r) }

// DriveTimer is the timer by which the engine gets to work on an outage.
func DriveTimer(outage string) string { return WorkTimer(drivePrefix + outage) }

// PutBack is the button that puts everything back that is not on its way yet. It counts for what was shown at that time:
// for ten minutes, and as long as nothing is added.
func PutBack(o Outage, r change.Record, shown time.Time) Action {
	return Action{Outage: o.ID, Verb: "putback", State: restoreState(r, shown)}
}

// Questions are the cards of all that keeps a record from going on and that somebody can answer who sees the cards
// alone. What only a person on the platform's own screens can say is not among them.
func Questions(o Outage, r change.Record) []card.Card {
	var out []card.Card
	for _, t := range change.Next(r) {
		st, _ := r.Step(t.Key)
		if t.Do == change.DoAsk && st.Way != change.Guided && st.State != change.Failed {
			out = append(out, stepCard(o, st))
		}
	}
	for _, back := range []bool{false, true} {
		if steps := failed(r, back); len(steps) > 0 {
			out = append(out, failedCard(o, steps, back))
		}
	}
	return out
}
