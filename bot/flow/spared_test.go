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
			r.Steps[0].State = change.Restored // where it was set: by whoever put it back
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
