package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
	"switchback/handlers/teams/teamstest"
	"switchback/store/storetest"
)

// One confirm, on the person's screens of Slack and of Teams, pressed a hundred times at once (a few, in the gate), at two
// processes on one Redis: it happens once, and each of the others is told so, and by whom.
func TestServeAHundredConfirmsOnTwoPlatforms(t *testing.T) {
	t.Parallel()
	presses := 20
	if os.Getenv("PROOF") != "" {
		presses = 100
	}
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
	var all sync.WaitGroup
	for i := range presses {
		all.Go(func() {
			if i%2 == 0 {
				d, err := n.teams.Press(t.Context(), "ana", inTeams.Raw(), "Close Web shop now")
				if err != nil || !d.OK() {
					t.Errorf("a press in Teams: %d, %v", d.Status, err)
				}
				return
			}
			d, err := n.in.Press(t.Context(), "U0ANA", inSlack.Raw(), "Close Web shop now")
			if err != nil || !d.OK() {
				t.Errorf("a press in Slack: %+v, %v", d, err)
			}
		})
	}
	all.Wait()
	until := func(what string, changed func() <-chan struct{}, count func() int, want int) {
		t.Helper()
		end := time.After(4 * time.Minute) // Microsoft takes a message every two seconds
		for c := changed(); count() < want; c = changed() {
			select {
			case <-c:
			case <-end:
				t.Fatalf("%d %s, want %d", count(), what, want)
			}
		}
	}
	until("are told in Teams by whom it was confirmed", n.teams.Changed, func() int {
		return len(slices.DeleteFunc(n.teams.Visible("ana"), func(m teamstest.Message) bool {
			text := fmt.Sprint(m)
			return !strings.Contains(text, "Confirmed a moment ago, by @ana") && !strings.Contains(text, "Confirmed already, by @ana")
		}))
	}, presses/2-1)
	home, inOther := n.support.Shows("Web shop", "Restore…"), n.slack.Channel("#support")
	inOther.Shows("Web shop", "Restore…")
	// Slack's card is from before it went on in Teams: who was quicker than the confirm is told that.
	until("polite answers in Slack", n.in.Changed, func() int {
		count := 0
		for _, m := range n.in.Visible("U0ANA") {
			text := strings.Join(n.in.Lines(m, "U0ANA"), "\n")
			if m.Only == "U0ANA" && (strings.Contains(text, ", by @ana") || strings.Contains(text, "You have gone on in Teams since then")) {
				count++
			}
		}
		return count
	}, presses/2)
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

// Two processes share a Redis, and one of them is killed with -9 at a call to Microsoft: the other one goes on, nothing is
// lost, and what may stand there twice says so. What a dead process had in hand is free after half a minute.
func TestServeInTeamsOneOfTwoKilled(t *testing.T) {
	if os.Getenv("PROOF") == "" {
		t.Skip("what a dead process had in hand is free after half a minute, each time: in the long run")
	}
	for at := 4; at < 18; at += 2 {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			url := storetest.Redis(t)
			s := newStrait(t)
			n := acmeInTeams(t, teamstest.Config{BaseURL: s.URL, Repeat: true, NoRateLimits: true}, false)
			s.to = n.teams
			a, b := n.serve("REDIS_URL="+url), n.serve("REDIS_URL="+url)
			bots := []string{a.url + "/api/messages", b.url + "/api/messages"}
			k := &killedInTeams{twoNight: n, reborn: &reborn{strait: s, running: make(chan struct{})}}
			close(k.running)
			k.look(a.url)
			k.Within(2 * time.Minute)
			n.teams.Connect(bots...)
			s.mu.Lock()
			s.at, s.before, s.happen = at, at%4 == 0, func() { // whoever made the call: both are tried, one is alive
				victim, other := a, bots[1:]
				if at%3 == 0 {
					victim, other = b, bots[:1]
				}
				victim.kill()
				n.teams.Connect(other...)
			}
			s.mu.Unlock()
			k.night1()
			if got, marked := n.support.Count("What was there before")+n.support.Count("Restored"), k.marked(); got < 2 || got > 2+marked {
				t.Errorf("%d messages of the outage, of which %d say that they may stand there twice:\n%s", got, marked, k.everything())
			}
		})
	}
}
