package flags

import (
	"testing"
	"time"
)

// A machine that was suspended for longer than the last state counts lets customers through when it wakes, though its
// monotonic clock stood still.
func TestSuspendedForLongerThanTheStateCounts(t *testing.T) {
	e, err := NewEndpoints(Config{Targets: []Target{{Kind: Chat, ID: "shop"}}})
	if err != nil {
		t.Fatal(err)
	}
	f, now := e.chats["shop"], time.Now()
	f.now.Store(&said{at: now, wall: now.Round(0).Add(-9 * time.Minute), on: true})
	if _, ok := e.said(f); !ok || e.Health().LetThrough {
		t.Error("after nine minutes nothing is known any more")
	}
	f.now.Store(&said{at: now, wall: now.Round(0).Add(-time.Hour), on: true})
	if _, ok := e.said(f); ok || !e.Health().LetThrough {
		t.Error("after an hour asleep what was known before it is still answered")
	}
}
