package flow

import (
	"context"
	"fmt"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
)

// This file is for a store that may lose what it acknowledged, and that somebody answers for: then the copy of the values
// from before is in the outage's thread before the bot sets anything. It waits for that without end, because the copy
// may be all that knows the way back; putting back never waits.

const (
	copyPoll = time.Second      // how often it is looked whether the copy has arrived
	copyFor  = 30 * time.Second // after which the owner is told that it has not
)

// Copy is a copy of the values from before: messages of one place.
type Copy struct {
	Lane    string `json:"lane"`
	Version uint64 `json:"version"` // of the record that it was made of
	Parts   int    `json:"parts"`
}

func (c Copy) message(outage string, part int) string {
	return fmt.Sprintf("%s/before/%d/%d", outage, c.Version, part)
}

// waitsForCopy are the steps that the bot is about to begin to set.
func waitsForCopy(r change.Record) []change.Key {
	var out []change.Key
	for _, st := range r.Steps {
		if st.Way != change.Guided && st.State == change.Recorded && !st.Back {
			out = append(out, st.Key)
		}
	}
	return out
}

// arrived reports whether every part of the newest copy was delivered: a part that was dropped was not.
func (s *Service) arrived(ctx context.Context, o Outage) (bool, error) {
	if o.Copy == nil {
		return false, nil
	}
	for i := range o.Copy.Parts {
		sent, err := s.store.Sent(ctx, o.Copy.Lane, o.Copy.message(o.ID, i))
		if err != nil || sent.Value.Ref == "" { // dropped, gone, or not for those who read along there
			return false, err
		}
	}
	return true, nil
}

// carefulWord stands on every card with which a change is confirmed.
func carefulWord(e Event) []string {
	if !e.Desk.Works || e.Desk.Why == "" {
		return nil
	}
	return []string{"Careful: what I remember may get lost (" + e.Desk.Why + "). Somebody answers for that. So a copy of the values from before goes to the thread first, and the bot sets nothing before it has arrived there."}
}

// noCopy tells the owner that nothing is set because the copy has not arrived.
func (s *stepping) noCopy() {
	if len(waitsForCopy(s.r)) == 0 {
		return
	}
	s.note("no copy", "the copy of the values from before has not arrived; the bot sets nothing until it does")
	s.post("copy", s.owner(), card.Card{
		Tone: card.Trouble, Title: "Nothing is set yet: the copy of the values from before has not arrived",
		Text: []string{
			headline(s.o, s.r),
			"It goes to the thread of the outage, and I go on as soon as it is there. If it takes too long, change it by hand, and note each value before.",
		},
		Buttons: []card.Button{s.button("look", "", "Look"), {Label: "Restore…", Action: s.act("restore", asIs, "")}},
	})
}
