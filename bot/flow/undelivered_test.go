package flow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/store"
)

// line is a chat platform that may be away, or have no such place any more. It writes down what is sent to it.
type line struct {
	name string
	away bool
	gone string // a lane
	got  []string
	n    *night
}

func (l *line) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	switch {
	case l.away:
		return "", errors.New("nobody answers")
	case l.gone == p.Place.Lane():
		return "", fmt.Errorf("is_archived: %w", handlers.ErrGone)
	}
	where := p.Place.Channel + p.Place.Person
	if p.Place.Thread != "" {
		where += ", thread"
	}
	l.got = append(l.got, strings.TrimSpace(where+": "+p.Card.Title+" "+strings.Join(p.Card.Text, " ")))
	return l.n.screen.Send(ctx, p, to)
}

// two is a night on two chat platforms: ana begins on Slack, and sam is on Teams too.
func two(n *night, surfaces ...string) (slack, teams *line) {
	p := policy()
	p.People = []flow.Someone{{Name: "ana", Slack: "ANA", Teams: "t-ana"}, {Name: "sam", Slack: "SAM", Teams: "t-sam"}}
	p.Channels = []flow.Route{{Slack: "#support", Teams: "19:support"}}
	p.Surfaces, p.Backup = surfaces, "sam"
	if !slices.Contains(surfaces, "teams") {
		p.People, p.Channels = []flow.Someone{{Name: "ana", Slack: "ANA"}, {Name: "sam", Slack: "SAM"}}, []flow.Route{{Slack: "#support"}}
	}
	kept := store.Flow{Store: n.file}
	n.service = flow.New(flow.Config{Store: kept, Policy: p, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
	slack, teams = &line{name: "slack", n: n}, &line{name: "teams", n: n}
	n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"slack": slack, "teams": teams})}
	return slack, teams
}

// by delivers an event of somebody on one of the platforms.
func (n *night) by(account, channel string, what flow.What) {
	n.t.Helper()
	nth++
	platform, _, _ := strings.Cut(account, ":")
	e := flow.Event{
		ID: fmt.Sprintf("b%d", nth), At: time.Now(), By: flow.Person{Account: account}, What: what,
		Place: flow.Place{Platform: platform, Channel: channel},
	}
	done, err := n.service.Accept(n.t.Context(), e)
	if err != nil {
		n.t.Fatal(err)
	}
	<-done
	n.passes(5 * time.Second)
}

// passes lets time pass.
func (n *night) passes(d time.Duration) {
	n.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		for {
			n.service.Wait()
			done, err := n.worker.Step(n.t.Context())
			if err != nil {
				n.t.Fatal(err)
			}
			if done == 0 {
				break
			}
		}
	}
}

func (n *night) closesChat() {
	n.t.Helper()
	n.by("slack:ANA", "#support", flow.Command{Words: []string{"chat", "late"}})
	n.by("slack:ANA", "#support", flow.Press{Action: n.button("Close")})
	n.wants(3)
}

// took takes what a platform was sent so far.
func (l *line) took() []string {
	got := l.got
	l.got = nil
	return got
}

func has(got []string, text string) int {
	return slices.IndexFunc(got, func(s string) bool { return strings.Contains(s, text) })
}

// R12: a reminder that does not arrive within two minutes was not given: it goes to the same person on the other
// platform, and to those of the next rung; and to its place as soon as that can be reached, as it is then.
func TestR12AReminderThatDoesNotArrive(t *testing.T) {
	in(t, func(n *night) {
		slack, teams := two(n, "slack", "teams")
		n.closesChat()
		n.passes(3*time.Hour + 44*time.Minute)
		slack.took()
		teams.took()
		slack.away = true
		n.passes(2 * time.Minute)
		if got := teams.took(); has(got, "I ask at") >= 0 {
			t.Errorf("before two minutes have passed Teams got %q", got)
		}
		n.passes(2 * time.Minute)
		if got := teams.took(); has(got, "teams:t-ana: ") < 0 || has(got, "I ask at") < 0 {
			t.Errorf("after two minutes Teams got %q, want the reminder to ana", got)
		}
		slack.away = false
		n.passes(2 * time.Minute)
		got, rings := slack.took(), 0
		for _, line := range got {
			if strings.HasPrefix(line, "slack:ANA: ") && strings.Contains(line, "I ask at") {
				rings++
			}
		}
		if rings != 1 || has(got, "#support, thread: ") < 0 {
			t.Errorf("back again Slack got %q, want one reminder to ana, and one in the thread", got)
		}
		if lines := n.timeline("undelivered"); len(lines) != 1 || lines[0] != "@ana (Slack) was not reached within two minutes" {
			t.Errorf("the timeline says %q, want one line", lines)
		}
		n.passes(time.Hour)
		if has(slack.took(), "Can it be restored?") < 0 {
			t.Error("the next rung was not given at its time")
		}
	})
}

// R12 with nothing but one platform: the present reminder waits for it, and never more than one.
func TestR12WithOnePlatformOnly(t *testing.T) {
	in(t, func(n *night) {
		slack, _ := two(n, "slack")
		n.closesChat()
		slack.took()
		n.passes(3*time.Hour + 40*time.Minute)
		slack.away = true
		n.passes(3 * time.Hour)
		slack.away = false
		slack.took()
		n.passes(3 * time.Minute)
		got, reminders := slack.took(), map[string]int{}
		for _, line := range got {
			if strings.Contains(line, "The time ran out") || strings.Contains(line, "I ask at") && strings.Contains(line, "whether it can be restored") {
				where, _, _ := strings.Cut(line, ": ")
				reminders[where]++
			}
		}
		if len(reminders) == 0 {
			t.Errorf("got %q, want the present reminder", got)
		}
		for where, times := range reminders {
			if times > 1 {
				t.Errorf("%s got %d reminders at once: %q", where, times, got)
			}
		}
	})
}

// R60: after a longer absence the outage's message as it is now comes first, then one line of what happened; no old
// reminder, and no question that was answered elsewhere.
func TestR60AfterAnAbsence(t *testing.T) {
	in(t, func(n *night) {
		slack, teams := two(n, "slack", "teams")
		n.closesChat()
		n.passes(3*time.Hour + 30*time.Minute)
		slack.away = true
		n.passes(20 * time.Minute) // the first reminder falls into it
		n.by("teams:t-sam", "19:support", flow.Press{Action: n.button("One hour more")})
		n.by("teams:t-sam", "19:support", flow.Command{Words: []string{"note", "the", "carrier", "was", "called"}})
		n.passes(20 * time.Minute)
		if has(teams.took(), "Added to the timeline") < 0 {
			t.Error("Teams did not work meanwhile")
		}
		slack.took()
		slack.away = false
		n.passes(2 * time.Minute)
		got := slack.took()
		line := has(got, "Slack was away")
		if line < 1 || !strings.HasPrefix(got[0], "#support: CHAT") || has(got[1:line], "#support, thread: ") >= 0 && !strings.HasPrefix(got[line], "#support, thread: ") {
			t.Fatalf("got %q, want the outage's message first, then what happened", got)
		}
		for _, want := range []string{"extended to", "by @sam", "the carrier was called"} {
			if !strings.Contains(got[line], want) {
				t.Errorf("the line is %q, want %q in it", got[line], want)
			}
		}
		if has(got, "whether it can be restored") >= 0 {
			t.Errorf("got %q, with an old reminder", got)
		}
		if n := strings.Count(strings.Join(got, "\n"), "Slack was away"); n != 1 {
			t.Errorf("%d lines about the absence, want 1: %q", n, got)
		}
		n.passes(10 * time.Minute)
		if got := slack.took(); has(got, "was away") >= 0 {
			t.Errorf("said again: %q", got)
		}
	})
}

// A short absence is nobody's business.
func TestR60ShortAbsence(t *testing.T) {
	in(t, func(n *night) {
		slack, _ := two(n, "slack")
		n.closesChat()
		slack.away = true
		n.by("slack:ANA", "#support", flow.Command{Words: []string{"note", "one"}})
		n.passes(3 * time.Minute)
		slack.away = false
		slack.took()
		n.passes(10 * time.Minute)
		if got := slack.took(); has(got, "was away") >= 0 || len(got) == 0 {
			t.Errorf("got %q", got)
		}
	})
}

// A question that was answered while its platform was away is not asked any more.
func TestR60DropsWhatWasAnswered(t *testing.T) {
	in(t, func(n *night) {
		slack, _ := two(n, "slack", "teams")
		n.by("slack:ANA", "#support", flow.Command{Words: []string{"sms", "reply"}})
		n.by("slack:ANA", "#support", flow.Press{Action: n.button("We wait")})
		slack.away = true
		n.passes(33 * time.Minute) // asked, not reached, asked on Teams
		n.by("teams:t-ana", "19:support", flow.Press{Action: n.button("Still broken")})
		n.passes(time.Minute)
		slack.took()
		slack.away = false
		n.passes(5 * time.Minute)
		for _, line := range slack.took() {
			if strings.HasPrefix(line, "slack:ANA: ") {
				t.Errorf("ana was sent %q", line)
			}
		}
	})
}

// A channel that was archived is told to the owner directly, once an hour at most; everything else goes on.
func TestAnArchivedChannelIsReported(t *testing.T) {
	in(t, func(n *night) {
		slack, _ := two(n, "slack")
		n.closesChat()
		slack.took()
		slack.gone = "slack/#support"
		for range 5 {
			n.by("slack:SAM", "#other", flow.Command{Words: []string{"note", "something"}})
			n.passes(5 * time.Minute)
		}
		told := 0
		for _, line := range slack.took() {
			if strings.HasPrefix(line, "slack:ANA: ") && strings.Contains(line, "cannot be reached") && strings.Contains(line, "is_archived") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("ana was told %d times, want once", told)
		}
		if lines := n.timeline("undelivered"); len(lines) != 1 {
			t.Errorf("the timeline says %q, want one line", lines)
		}
	})
}

// timeline is what the timeline of the only open outage has of one kind.
func (n *night) timeline(what string) []string {
	n.t.Helper()
	open, err := store.Flow{Store: n.file}.Open(n.t.Context())
	if err != nil || len(open) != 1 {
		n.t.Fatalf("open = %d, %v", len(open), err)
	}
	var lines []string
	for _, l := range open[0].Timeline {
		if l.What == what {
			lines = append(lines, l.Text)
		}
	}
	return lines
}

// What status pages say, and the monthly reminder, are of no outage: that they do not arrive is told directly, once per
// place and day.
func TestUndeliveredOfNoOutage(t *testing.T) {
	in(t, func(n *night) {
		slack, _ := two(n, "slack")
		posts := 0
		post := func(message string, at flow.Place) []string {
			n.t.Helper()
			posts++
			id := fmt.Sprint("post", posts)
			p := flow.Post{ID: id, Place: at, Message: message, Card: card.Card{Title: id}}
			if err := (store.Flow{Store: n.file}).Save(n.t.Context(), flow.Save{Op: id, Posts: []flow.Post{p}}); err != nil {
				n.t.Fatal(err)
			}
			n.passes(5 * time.Second)
			return slack.took()
		}
		channel := flow.Place{Platform: "slack", Channel: "#support"}
		slack.gone = channel.Lane()
		got := post("incident:gladly/42", channel)
		slices.Sort(got)
		if len(got) != 2 || has(got, "slack:ANA: ") != 0 || has(got[1:], "cannot be reached What status pages say is posted there, and does not arrive: is_archived.") != 0 {
			n.t.Errorf("an incident in a channel that is archived: %q", got)
		}
		if got := append(post("incident:gladly/43", channel), post("page:gladly/failing/1", channel)...); len(got) != 0 {
			n.t.Errorf("more on the same day: %q", got)
		}
		if got := post("note:1", channel); len(got) != 0 {
			n.t.Errorf("an answer to somebody: %q", got)
		}
		n.passes(24 * time.Hour)
		if got := post("incident:gladly/44", channel); len(got) != 2 {
			n.t.Errorf("on the next day: %q", got)
		}
		sam := flow.Place{Platform: "slack", Person: "slack:SAM"}
		slack.gone = sam.Lane()
		if got := post("ready/1", sam); len(got) != 1 || has(got, "slack:ANA: @sam (Slack) cannot be reached The monthly reminder") != 0 {
			n.t.Errorf("a reminder for somebody who cannot be reached: %q", got)
		}
	})
}
