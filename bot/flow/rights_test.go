package flow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/store"
)

// onBoth is a night on Slack, where a group makes responders, and on Teams.
func onBoth(t *testing.T, people []flow.Someone, story func(n *night, slack, teams *directory)) {
	t.Helper()
	in(t, func(n *night) {
		p := policy()
		p.People, p.Responders, p.Groups, p.Backup = people, []string{"ana", "kim"}, []string{"support-oncall"}, "kim"
		p.Channels, p.Surfaces = []flow.Route{{Slack: "#support", Teams: "19:support"}}, []string{"slack", "teams"}
		slack, teams := &directory{accounts: map[string]flow.Account{}}, &directory{accounts: map[string]flow.Account{}}
		kept := store.Flow{Store: n.file}
		n.service = flow.New(flow.Config{
			Store: kept, Policy: p, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop},
			Directories: map[string]flow.Directory{"slack": slack, "teams": teams},
		})
		n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"slack": n.screen, "teams": n.screen})}
		story(n, slack, teams)
	})
}

// as delivers an event of somebody of the own organisation on one of the platforms.
func (n *night) as(account string, what flow.What) {
	n.t.Helper()
	nth++
	platform, _, _ := strings.Cut(account, ":")
	e := flow.Event{
		ID: fmt.Sprintf("a%d", nth), At: time.Now(), By: flow.Person{Account: account, Member: true}, What: what,
		Place: flow.Place{Platform: platform, Channel: map[string]string{"slack": "#support", "teams": "19:support"}[platform]},
	}
	if err := n.deliver(e); err != nil {
		n.t.Fatal(err)
	}
}

// rings lets a timer come, and all that it causes.
func (n *night) rings(after time.Duration) {
	n.t.Helper()
	time.Sleep(after)
	if err := n.worker.Settle(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

// R65: whoever is next takes over on the platform where they have an account.
func TestNextOnAnotherPlatform(t *testing.T) {
	people := []flow.Someone{{Name: "sam", Slack: "SAM"}, {Name: "kim", Teams: "t-kim"}, {Name: "ana", Teams: "t-ana"}}
	onBoth(t, people, func(n *night, slack, teams *directory) {
		slack.accounts["SAM"] = flow.Account{Member: true, Responder: true}
		teams.accounts["t-ana"] = flow.Account{Member: true} // kim has left
		n.as("slack:SAM", flow.Command{Words: []string{"chat", "late"}})
		n.as("slack:SAM", flow.Press{Action: n.button("Close")})
		n.wants(3)
		slack.accounts["SAM"] = flow.Account{Member: true}
		n.rings(4 * time.Hour)
		n.shows("@sam can no longer act here; you look after")
		n.as("teams:t-ana", flow.Command{Words: []string{"status"}})
		n.shows("@ana looks after it")
	})
}
