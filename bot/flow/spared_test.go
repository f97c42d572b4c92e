package flow

import (
	"strings"
	"testing"
	"time"

	"switchback/bot/change"
)

// Contract 8: what was put back before anything was done to it is not called as before: nobody looked.
func TestWhatWasNeverTouchedIsNotCalledAsBefore(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 10, 0, 0, time.UTC)
	before := &change.Baseline{Value: change.Value{Raw: []byte("open"), Text: "open"}, By: change.ByAPI, At: at}
	closed := change.Value{Raw: []byte("closed"), Text: "closed"}
	for _, way := range []change.Way{change.Auto, change.Flag, change.Guided} {
		for touched, want := range map[bool]string{false: "never touched", true: "as before"} {
			st := change.Step{Key: "shop/one/chat", Action: change.CloseChat, Target: "one", Label: "Web shop", Name: "chat", Way: way, Want: closed, Before: before, State: change.Recorded}
			if touched {
				st.State, st.Set = change.IsSet, &closed
			}
			r := change.Record{Steps: []change.Step{st}}.PutBack(nil, "@ana", at)
			if touched { // by whoever put it back
				r.Steps[0].State = change.Restored
			}
			c := homeCard(Policy{}.WithDefaults(), Outage{ID: "chat-1", Channel: "chat", now: at}, r)
			if got := c.Facts[0].Note; !strings.Contains(got, want) || strings.Contains(got, "as before") != touched {
				t.Errorf("%s, touched %v: %q, want %q", way, touched, got, want)
			}
			if got := stepWord(r.Steps[0]); !strings.HasPrefix(got, want) {
				t.Errorf("%s, touched %v: its question ends with %q, want %q", way, touched, got, want)
			}
		}
	}
}

// A report says of no step that it was never touched, where nobody knows that.
func TestWhatAReportSaysOfWhatNobodySawSet(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 10, 0, 0, time.UTC)
	closed := change.Value{Raw: []byte("closed"), Text: "closed"}
	for name, tt := range map[string]struct {
		st         change.Step
		set, after string
	}{
		"put back before it was touched":           {change.Step{Way: change.Auto, State: change.Restored, Spared: true}, "never set", "never touched"},
		"a write without a clear answer, put back": {change.Step{Way: change.Auto, State: change.Restored}, "never seen set", "after: open (read back by the bot"},
		"a write without a clear answer":           {change.Step{Way: change.Auto, State: change.Failed, Tries: 3}, "never seen set", "not put back yet"},
		"clicks that nobody made":                  {change.Step{Way: change.Guided, State: change.Restored, Shown: true, By: "@sam"}, "never seen set", "after: open (seen by @sam"},
		"clicks that nobody was shown, of old":     {change.Step{Way: change.Guided, State: change.Restored}, "never set", "never touched"},
		"refused":                                  {change.Step{Way: change.Auto, State: change.Failed}, "never set", "not put back yet"},
	} {
		tt.st.Before, tt.st.Want = &change.Baseline{Value: change.Value{Raw: []byte("open"), Text: "open"}, By: change.ByAPI, At: at}, closed
		if got := (Policy{}).setWord(Outage{}, tt.st); got != tt.set {
			t.Errorf("%s: %q, want %q", name, got, tt.set)
		}
		if got := (Policy{}).afterWord(tt.st); !strings.HasPrefix(got, tt.after) {
			t.Errorf("%s: %q, want %q", name, got, tt.after)
		}
	}
}
