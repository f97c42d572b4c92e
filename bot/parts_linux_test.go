package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchback/bot/flow"
	slackstory "switchback/handlers/slack/slacktest/story"
	"switchback/handlers/teams/teamstest/story"
	"switchback/store/storetest"
)

// part is one part of all that has to work, and what a person sees of it when it alone is gone. Each sentence is played:
// the cells of a row one after the other, since what is changed has to be put back.
type part struct {
	name                  string
	list, change, restore string // what is seen
	play                  func(t *testing.T, list, change, restore cell)
}

// cell plays one cell of the table.
type cell func(func(t *testing.T))

// parts are the table. The README has it.
func parts() []part {
	return []part{
		{
			"Slack", "Teams has the list.", "Begun and confirmed in Teams; Slack's channel gets its message when Slack is back.",
			"Put back from Teams; Slack shows how it ended when it is back.", withoutSlack,
		},
		{
			"Teams", "Slack has the list.", "Begun and confirmed in Slack; Teams' channel gets its message when Teams is back.",
			"Put back from Slack; Teams shows how it ended when it is back.", withoutTeams,
		},
		{
			"the store", "“I cannot remember for you right now”, and where the values from before stand.",
			"“I cannot remember for you right now, so I change nothing”, and the steps to click by hand; when it is back, an offer to take over what was done.",
			"“I cannot remember …”: by hand or by `bot restore --live --capsule FILE` with the values from the thread; pressed again when it is back, it is put back.", withoutStore,
		},
		{
			"the platform", "What is open, from the bot's own memory.", "“I change nothing right now: the settings cannot be listed”, and the steps to click by hand.",
			"Each setting “cannot be read now … I try again”; where somebody says yes all the same, it is put back as soon as the platform answers.", withoutPlatform,
		},
		{
			"the status page", "What is open, and “Gladly's page cannot be read”, with its address.", "As always.",
			"As always, with “Gladly's page cannot be read” on the card that asks.", withoutPage,
		},
		{
			"one of two bots", "As always, by the other one.", "As always, by the other one; what the dead one had in hand follows within half a minute.",
			"As always, by the other one; what the dead one had in hand follows within half a minute.", withoutOne,
		},
	}
}

// The README has the table.
func TestReadmeParts(t *testing.T) {
	keepReadme(t, map[string]func(*testing.T) string{"parts": partTable})
}

func partTable(*testing.T) string {
	var rows [][]string
	for _, p := range parts() {
		rows = append(rows, []string{p.name, p.list, p.change, p.restore})
	}
	return table([]string{"gone", "to list", "to change", "to restore"}, rows...)
}

// Any one part is gone: each cell of the table is a test.
func TestAnyOnePartGone(t *testing.T) {
	for _, p := range parts() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			under := func(name string) cell { return func(f func(t *testing.T)) { t.Run(name, f) } }
			p.play(t, under("list"), under("change"), under("restore"))
		})
	}
}

// sets makes nothing of a kind pass, or all of it again.
func (k *deadly) sets(kind string, away bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away[kind] = away
}

// slackCloses closes chat in Slack, and returns its message there.
func (k *deadly) slackCloses() *slackstory.Message {
	k.t.Helper()
	k.ana.Types("#support", "/outage chat late")
	k.ana.Sees("Web shop", "open → closed").Press("Close Web shop now")
	k.customersSee("closed", func(now string) bool { return strings.HasPrefix(now, `200 OK {"open":false`) })
	return k.support.Shows("CHAT", "done", "Restore…")
}

// slackRestores puts chat back in Slack.
func (k *deadly) slackRestores(home *slackstory.Message, texts ...string) {
	k.t.Helper()
	home.As(k.sam).Press("Restore…")
	home.Thread().Shows(append(texts, "Put everything back now")...).As(k.sam).Press("Put everything back now")
	k.support.Shows("open again", "Restored")
	k.opens()
}

func (k *deadly) opens() {
	k.t.Helper()
	k.customersSee("open", func(now string) bool { return strings.Contains(now, `{"open":true`) })
}

// inTeams is the tenant as people see it.
func (k *deadly) inTeams(t *testing.T) *story.World {
	t.Helper()
	w := story.New(t, k.teams, k.bots[0].url)
	w.Within(2 * time.Minute)
	if err := k.teams.Install(t.Context(), "sam", "support"); err != nil {
		t.Fatal(err)
	}
	return w
}

func withoutSlack(t *testing.T, list, change, restore cell) {
	t.Helper()
	k := newDeadly(t, true, true, deadAt{})
	w := k.inTeams(t)
	k.sets(toSlack, true)
	ana, sam, support := w.Person("ana"), w.Person("sam"), w.Channel("support")
	change(func(t *testing.T) {
		t.Helper()
		ana.Says("support", "@Switchback outage chat late")
		ana.Alone("Web shop", "open → closed").Press("Close Web shop now")
		support.Shows("Web shop", "done", "Restore…")
		k.customersSee("closed", func(now string) bool { return strings.HasPrefix(now, `200 OK {"open":false`) })
	})
	list(func(t *testing.T) {
		t.Helper()
		ana.Says("", "outage status")
		ana.Alone("1 open")
	})
	restore(func(t *testing.T) {
		t.Helper()
		support.Shows("Web shop", "Restore…").As(sam).Press("Restore…")
		sam.Sees("Put everything back now").Press("Put everything back now")
		support.Shows("open again")
		k.opens()
		if os.Getenv("PROOF") != "" { // it is tried again ever more seldom
			k.sets(toSlack, false)
			k.support.Shows("open again", "Restored")
		}
	})
}

func withoutTeams(t *testing.T, list, change, restore cell) {
	t.Helper()
	k := newDeadly(t, true, true, deadAt{})
	w := k.inTeams(t)
	k.teams.Away()
	var home *slackstory.Message
	change(func(*testing.T) { home = k.slackCloses() })
	list(func(*testing.T) {
		k.ana.Types("#support", "/outage status")
		k.ana.Alone("1 open")
	})
	restore(func(t *testing.T) {
		t.Helper()
		k.slackRestores(home)
		if os.Getenv("PROOF") != "" {
			if err := k.teams.Back(); err != nil {
				t.Fatal(err)
			}
			w.Channel("support").Shows("open again")
		}
	})
}

func withoutStore(t *testing.T, list, change, restore cell) {
	t.Helper()
	k := newDeadly(t, true, false, deadAt{})
	change(func(*testing.T) {
		k.redis.Kill()
		k.ana.Types("#support", "/outage chat late")
		k.ana.Alone("I cannot remember for you right now, so I change nothing", "By hand", "Chat Unavailable")
		k.opens()
		k.redis.Start(k.t)
		k.ana.Alone("I can remember for you again", "/outage chat late")
	})
	home := k.slackCloses()
	capsule := home.Thread().Shows("What was there before")
	k.redis.Kill()
	list(func(*testing.T) {
		k.ana.Types("#support", "/outage status")
		k.ana.Alone("I cannot remember for you right now", "What was there before")
	})
	restore(func(t *testing.T) {
		t.Helper()
		home.As(k.sam).Press("Restore…")
		k.sam.Alone("I cannot remember for you right now", "bot restore --live --capsule FILE")
		file := filepath.Join(t.TempDir(), "before.txt")
		if err := os.WriteFile(file, []byte(capsule.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := bot(t, "restore", "--live", "--capsule", file, "--data", t.TempDir()).CombinedOutput()
		if !strings.Contains(string(out), "Web shop") {
			t.Errorf("bot restore --capsule with the values from the thread: %v\n%s", err, out)
		}
		k.redis.Start(k.t)
		k.press(home, k.sam, "Restore…", "Put everything back now")
		k.press(home.Thread().Shows("Put everything back now"), k.sam, "Put everything back now", "open again", "Restored")
		k.opens()
	})
}

func withoutPage(t *testing.T, list, change, restore cell) {
	t.Helper()
	k := newDeadly(t, true, false, deadAt{}, toPage)
	var home *slackstory.Message
	change(func(*testing.T) { home = k.slackCloses() })
	list(func(*testing.T) {
		k.ana.Types("#support", "/outage status")
		k.ana.Alone("1 open", "Gladly's page cannot be read", "Please look at http://")
	})
	restore(func(*testing.T) { k.slackRestores(home, "Gladly's page cannot be read") })
}

func withoutOne(t *testing.T, list, change, restore cell) {
	t.Helper()
	k := newDeadly(t, true, false, deadAt{})
	k.bots[0].kill()
	k.bots = k.bots[1:]
	k.look(k.bots[0].url)
	k.Within(2 * time.Minute)
	var home *slackstory.Message
	change(func(*testing.T) { home = k.slackCloses() })
	list(func(*testing.T) {
		k.ana.Types("#support", "/outage status")
		k.ana.Alone("1 open")
	})
	restore(func(*testing.T) { k.slackRestores(home) })
}

// withoutPlatform is played on the practice company, which the bot sets by its API.
func withoutPlatform(t *testing.T, list, change, restore cell) {
	t.Helper()
	w := newTown(t, storetest.Redis(t))
	p := w.begin(false)
	defer p.ends()
	before := w.settings()
	away := func(yes bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.away = yes
	}
	sees := func(what string) {
		w.eventually("a card that says "+what, func() bool {
			for _, c := range w.shown() {
				if strings.Contains(said(c), what) {
					return true
				}
			}
			return false
		})
	}
	change(func(*testing.T) {
		away(true)
		p.does(w.event("ana", flow.Command{Words: []string{"chat", "late"}}))
		sees("I change nothing right now: the settings cannot be listed")
		sees("By hand, and write down each value that you find")
		away(false)
	})
	p.does(w.change(p, "ana"))
	w.done(false)
	during := w.settings()
	away(true)
	list(func(*testing.T) {
		p.does(w.event("ana", flow.Command{Words: []string{"status"}}))
		sees("1 open")
	})
	restore(func(t *testing.T) {
		t.Helper()
		yes := w.restore(p, "ana")
		sees("cannot be read now")
		p.does(yes)
		if now := w.settings(); now != during {
			t.Errorf("something was changed: %s", now)
		}
		away(false)
		w.done(true)
		if now := w.settings(); now != before {
			t.Errorf("settings are %s, and were %s", now, before)
		}
	})
}
