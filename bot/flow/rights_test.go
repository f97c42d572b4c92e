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

// groupless is a chat platform that has no groups of responders, as Teams.
type groupless struct{ *directory }

func (groupless) Groups() bool { return false }

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
			Directories: map[string]flow.Directory{"slack": slack, "teams": groupless{teams}},
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

// Rights are the person's: who is a responder by a group of Slack is one in Teams too, where the document names both accounts.
func TestRightsOnAnotherPlatform(t *testing.T) {
	people := []flow.Someone{{Name: "sam", Slack: "SAM", Teams: "t-sam"}, {Name: "lee", Slack: "LEE", Teams: "t-lee"}, {Name: "kim", Teams: "t-kim"}, {Name: "ana", Slack: "ANA"}}
	late := flow.Command{Words: []string{"chat", "late"}}
	member, oncall := flow.Account{Member: true}, flow.Account{Member: true, Responder: true, Restorer: true}
	for name, story := range map[string]func(n *night, slack, teams *directory){
		"a responder by a group of Slack confirms in Teams, and stays one": func(n *night, slack, teams *directory) {
			n.as("teams:t-sam", late)
			n.as("teams:t-sam", flow.Press{Action: n.button("Close")})
			n.wants(3)
			n.rings(4 * time.Hour)
			n.shows("@sam looks after it")
		},
		"with Slack away their own outage is put back from Teams, and nothing new is changed": func(n *night, slack, teams *directory) {
			n.as("slack:SAM", late)
			n.as("slack:SAM", flow.Press{Action: n.button("Close")})
			slack.away = true
			n.as("teams:t-sam", flow.Press{Action: n.button("One hour more")})
			n.shows("I cannot find out right now whether you are one of the responders")
			n.as("teams:t-lee", flow.Press{Action: n.button("Restore…")})
			if _, ok := n.screen.find("Put everything back"); ok {
				n.t.Error("somebody who is not the owner, and of whom nothing is known, may restore")
			}
			n.as("teams:t-sam", flow.Press{Action: n.button("Restore…")})
			n.as("teams:t-sam", flow.Press{Action: n.button("Put everything back")})
			n.wants(6)
		},
		"the last known members of a group that cannot be asked restore from Teams": func(n *night, slack, teams *directory) {
			n.as("slack:SAM", late)
			n.as("slack:SAM", flow.Press{Action: n.button("Close")})
			slack.accounts["LEE"] = flow.Account{Member: true, Restorer: true, Unknown: "groups cannot be looked up right now"}
			n.as("teams:t-lee", flow.Press{Action: n.button("Restore…")})
			n.as("teams:t-lee", flow.Press{Action: n.button("Put everything back")})
			n.wants(6)
		},
		"so they do while nobody there can be looked up": func(n *night, slack, teams *directory) {
			n.as("slack:SAM", late)
			n.as("slack:SAM", flow.Press{Action: n.button("Close")})
			slack.away, slack.accounts["LEE"] = true, oncall
			n.as("teams:t-lee", flow.Press{Action: n.button("Restore…")})
			n.as("teams:t-lee", flow.Press{Action: n.button("Put everything back")})
			n.wants(6)
		},
		"a guest in Teams": func(n *night, slack, teams *directory) {
			teams.accounts["t-sam"] = flow.Account{}
			n.as("teams:t-sam", late)
			if _, ok := n.screen.find("Close"); ok {
				n.t.Error("a guest sees a confirm card")
			}
		},
		"a guest in Slack has no rights from there": func(n *night, slack, teams *directory) {
			slack.accounts["SAM"] = flow.Account{Responder: true, Restorer: true}
			n.as("teams:t-sam", late)
			n.as("teams:t-sam", flow.Press{Action: n.button("Close")})
			n.shows("You are not one of the responders")
			n.wants(0)
		},
		"an account in Teams that nobody can look up leaves nothing open in Slack: there are no groups": func(n *night, slack, teams *directory) {
			teams.away = true
			n.as("slack:LEE", late)
			n.as("slack:LEE", flow.Press{Action: n.button("Close")})
			n.shows("You are not one of the responders")
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, people, func(n *night, slack, teams *directory) {
				slack.accounts["SAM"], slack.accounts["LEE"] = oncall, member
				teams.accounts["t-sam"], teams.accounts["t-lee"] = member, member
				story(n, slack, teams)
			})
		})
	}
}
