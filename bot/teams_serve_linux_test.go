package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
	"switchback/handlers/teams/teamstest"
	"switchback/store/storetest"
)

// One confirm, on the person's screens of Slack and of Teams, pressed a hundred times at once, at two processes on one
// Redis: it happens once, and each of the others is told so, and by whom.
func TestServeAHundredConfirmsOnTwoPlatforms(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	n := acmeInTeams(t, teamstest.Config{NoRateLimits: true, Repeat: true}, true)
	a, b := n.serve("REDIS_URL="+url), n.serve("REDIS_URL="+url)
	n.look(a.url)
	n.Within(time.Minute)
	n.slack.Within(time.Minute)
	if err := n.teams.Install(t.Context(), "sam", "general"); err != nil {
		t.Fatal(err)
	}
	n.slack.Person("ana").Types("#support", "/outage chat late")
	inSlack := n.slack.Person("ana").Sees("Web shop", "open → closed")
	n.ana.Says("", "outage")
	n.ana.Alone("You were in the middle of").Press("Continue")
	inTeams := n.ana.Alone("Web shop", "open → closed")
	n.teams.Connect(a.url+"/api/messages", b.url+"/api/messages")
	n.in.Connect(slacktest.At(a.url), slacktest.At(b.url))
	var presses sync.WaitGroup
	var told atomic.Int64
	for i := range 100 {
		presses.Go(func() {
			if i%2 == 0 {
				d, err := n.teams.Press(t.Context(), "ana", inTeams.Raw(), "Close Web shop now")
				if err != nil || !d.OK() {
					t.Errorf("a press in Teams: %d, %v", d.Status, err)
				}
				if by := fmt.Sprint(d.Answer["value"]); strings.Contains(by, "Confirmed a moment ago, by @ana") || strings.Contains(by, "Confirmed already, by @ana") {
					told.Add(1)
				}
				return
			}
			d, err := n.in.Press(t.Context(), "U0ANA", inSlack.Raw(), "Close Web shop now")
			if err != nil || !d.OK() {
				t.Errorf("a press in Slack: %+v, %v", d, err)
			}
		})
	}
	presses.Wait()
	if got := told.Load(); got != 49 {
		t.Errorf("%d of those in Teams were told by whom it was confirmed, want 49 of 50", got)
	}
	home, inOther := n.support.Shows("Web shop", "Restore…"), n.slack.Channel("#support")
	inOther.Shows("Web shop", "Restore…")
	// Slack's card is from before it went on in Teams: who was quicker than the confirm is told that.
	polite := func() int {
		count := 0
		for _, m := range n.in.Visible("U0ANA") {
			text := strings.Join(n.in.Lines(m, "U0ANA"), "\n")
			if m.Only == "U0ANA" && (strings.Contains(text, ", by @ana") || strings.Contains(text, "You have gone on in Teams since then")) {
				count++
			}
		}
		return count
	}
	end := time.After(time.Minute)
	for changed := n.in.Changed(); polite() < 50; changed = n.in.Changed() {
		select {
		case <-changed:
		case <-end:
			t.Fatalf("%d polite answers in Slack, want 50", polite())
		}
	}
	for where, got := range map[string]int{"Teams": n.support.Count("Restore…"), "Slack": inOther.Count("Restore…")} {
		if got != 1 {
			t.Errorf("%d outages are shown in %s, want 1", got, where)
		}
	}
	a.terminate() // the other one goes on alone
	n.teams.Connect(b.url + "/api/messages")
	home.As(n.sam).Press("Restore…")
	n.sam.Sees("Put everything back now").Press("Put everything back now")
	n.support.Shows("open again", "Restored")
	inOther.Shows("open again", "Restored")
}
