package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchback/handlers/teams/teamstest"
	"switchback/handlers/teams/teamstest/story"
)

// These tests run bot serve as a process of its own in front of a tenant of Teams, as those in slack_serve_test.go do in
// front of a workspace of Slack.

// serve starts the bot; vars say where it keeps everything.
func (n *twoNight) serve(vars ...string) *served {
	n.t.Helper()
	p, err := n.tryServe(vars...)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

func (n *twoNight) tryServe(vars ...string) (*served, error) {
	env := []string{
		"CONFIG_YAML=" + n.doc, "TEAMS_APP_ID=" + n.env.TeamsApp, "TEAMS_APP_PASSWORD=" + n.env.TeamsPassword.Reveal(), "TEAMS_TENANT_ID=" + n.env.TeamsTenant,
		"TEAMS_OPENID_URL=" + n.env.TeamsOpenID, "TEAMS_TOKEN_URL=" + n.env.TeamsTokens, "TEAMS_SERVICE_HOSTS=" + n.env.TeamsHosts[0],
	}
	if n.in != nil {
		env = append(env, "SLACK_BOT_TOKEN="+n.env.SlackToken.Reveal(), "SLACK_SIGNING_SECRET="+n.env.SlackSigningSecret.Reveal(),
			"SLACK_API_URL="+n.env.SlackAPI, "SLACK_RESPONSE_HOSTS="+n.env.SlackHosts[0])
	}
	return tryServe(n.t, append(env, vars...)...)
}

// killedInTeams is a night in Teams with a bot that is killed.
type killedInTeams struct {
	*twoNight
	*reborn
	twice int // what people did once more, because the bot died before it answered
}

// killedInTeamsAt starts such a night. Where at is negative, nothing happens.
func killedInTeamsAt(t *testing.T, at int, before bool, vars ...string) *killedInTeams {
	t.Helper()
	s := newStrait(t)
	n := acmeInTeams(t, teamstest.Config{BaseURL: s.URL, Repeat: true, NoRateLimits: true}, false)
	k := &killedInTeams{twoNight: n, reborn: &reborn{
		strait: s, anew: func() (*served, error) { return n.tryServe(vars...) },
		connect: func(url string) { n.teams.Connect(url + "/api/messages") }, running: make(chan struct{}),
	}}
	s.to, s.at, s.before, s.happen = k.teams, at, before, k.again
	k.bot = k.serve(vars...)
	close(k.running)
	k.look(k.bot.url)
	k.Within(time.Minute)
	return k
}

// does does something as people do: where Teams says that it did not work, once more when the bot is there again.
func (k *killedInTeams) does(what string, do func() (teamstest.Delivery, error)) {
	k.t.Helper()
	for range 2 {
		if d, err := do(); err == nil && d.OK() {
			return
		}
		k.twice++
		k.await()
	}
	k.t.Fatalf("%s: not taken in, twice (%v)", what, k.fails)
}

func (k *killedInTeams) press(m *story.Message, label string) {
	k.t.Helper()
	k.does("press "+label, func() (teamstest.Delivery, error) { return m.TryPress(label) })
}

// night1 goes from the first word to the end of the restore. Nobody does anything twice whose first time was taken in.
func (k *killedInTeams) night1() {
	k.t.Helper()
	k.does("add the app", func() (teamstest.Delivery, error) {
		return teamstest.Delivery{Status: http.StatusOK}, k.teams.Install(k.t.Context(), "sam", "general")
	})
	k.sam.Alone("/outage")
	k.does("say", func() (teamstest.Delivery, error) {
		return k.teams.Say(k.t.Context(), "ana", "support", "", "@Switchback outage chat late")
	})
	k.press(k.ana.Alone("Web shop", "open → closed"), "Close Web shop now")
	k.ana.Sees("What was there before")
	k.press(k.support.Shows("Web shop", "Restore…").As(k.sam), "Restore…")
	k.press(k.sam.Sees("Put everything back now"), "Put everything back now")
	k.support.Shows("open again", "Restored")
	k.ana.Alone("open again", "by @sam")
}

// messages are those of the bot.
func (k *killedInTeams) messages() []teamstest.Message {
	var out []teamstest.Message
	for _, where := range []string{"support", "general", k.teams.Chat("ana").ID, k.teams.Chat("sam").ID} {
		for _, m := range k.teams.Messages(where, "") {
			if m.From == k.teams.BotID() {
				out = append(out, m)
			}
		}
	}
	return out
}

// Contract 1 in Teams: killed with -9 at any of its calls to Microsoft, before it or after it and unanswered, and started
// again, it loses nothing and puts everything back. Whoever was answered does nothing again. A message whose sender was
// killed may stand there twice, for a bot cannot look for its messages; then the later one says that it counts.
func TestServeInTeamsKilledAtEachCall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clean := killedInTeamsAt(t, -1, false, "DATA_DIR="+dir)
	clean.night1()
	clean.finish()
	calls, usual := clean.strait.calls, len(clean.messages())
	if len(calls) < 12 {
		t.Fatalf("only %d calls: %q", len(calls), calls)
	}
	step := 7 // an odd one: before this call, after that
	if os.Getenv("PROOF") != "" {
		step = 1
	}
	for n := 1; n < 2*len(calls); n += step {
		at, before := n/2, n%2 == 0
		t.Run(fmt.Sprintf("%d %s, before=%v", at, inShort(calls[at]), before), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := killedInTeamsAt(t, at, before, "DATA_DIR="+dir)
			k.night1()
			k.finish()
			if got, marked := len(k.messages()), k.marked(); got < usual || got > usual+marked+k.twice {
				t.Errorf("%d messages of which %d say that they may stand there twice, with %d things done twice, want %d:\n%s", got, marked, k.twice, usual, k.everything())
			}
			if out := outages(t, dir); out != "Nothing is open.\n" {
				t.Errorf("bot outages afterwards: %s", out)
			}
			out, err := bot(t, "audit", "verify", "--data", dir).CombinedOutput()
			if err != nil {
				t.Errorf("bot audit verify: %v\n%s", err, out)
			}
		})
	}
}

// marked is how many messages were posted that say that they may stand there twice.
func (k *killedInTeams) marked() int {
	n := 0
	for _, c := range k.teams.Calls() {
		if c.Method == http.MethodPost && strings.Contains(c.Body, "If it stands here twice, this one counts.") {
			n++
		}
	}
	return n
}

func (k *killedInTeams) everything() string {
	var out []string
	for _, m := range k.messages() {
		out = append(out, m.Group+"\n"+teamstest.TextOf(m.Card, ""))
	}
	return strings.Join(out, "\n·\n")
}

// inShort is a call without what stands in each.
func inShort(path string) string {
	return strings.NewReplacer("/emea/v3/", "", teamsSupport, "support").Replace(path)
}

// Told to end while many speak to it, it takes in no more, ends within 25 s, and whoever was answered gets their card, from
// the next process if need be.
func TestServeInTeamsEndsUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := acmeInTeams(t, teamstest.Config{NoRateLimits: true}, false)
	p := n.serve("DATA_DIR=" + dir)
	n.look(p.url)
	n.Within(time.Minute)
	const people, each = 12, 6 // more at once would wait for Microsoft's pace
	taken := make([]atomic.Int64, people)
	begun := make(chan struct{})
	var speaking sync.WaitGroup
	for i := range people {
		name := fmt.Sprint("agent", i)
		n.teams.AddUser(teamstest.User{Name: name})
		speaking.Go(func() {
			for k := range each {
				d, err := n.teams.Say(t.Context(), name, "", "", "outage status")
				if err != nil {
					t.Error(err)
				}
				if d.OK() {
					taken[i].Add(1)
				}
				if i == 0 && k == 2 {
					close(begun)
				}
			}
		})
	}
	<-begun
	took := p.terminate()
	speaking.Wait()
	if took > 25*time.Second {
		t.Errorf("it ended after %v", took)
	}
	n.teams.Connect(n.serve("DATA_DIR="+dir).url + "/api/messages")
	all := int64(0)
	for i := range people {
		shown := func() (count int64) {
			for _, m := range n.teams.Messages(n.teams.Chat(fmt.Sprint("agent", i)).ID, "") {
				if m.From == n.teams.BotID() {
					count++
				}
			}
			return count
		}
		end := time.After(time.Minute)
		for changed := n.teams.Changed(); shown() < taken[i].Load(); changed = n.teams.Changed() {
			select {
			case <-changed:
			case <-end:
				t.Fatalf("agent%d was answered %d times, and %d cards came", i, taken[i].Load(), shown())
			}
		}
		all += taken[i].Load()
	}
	t.Logf("%d taken in; it ended after %v", all, took)
}
