package flow_test

import (
	"context"
	"errors"
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

// directory is what a chat platform knows, as a test says it.
type directory struct {
	accounts map[string]flow.Account
	shared   map[string]bool
	unread   map[string]bool // channels of which it does not say who reads them
	away     bool
}

func (d *directory) Account(_ context.Context, id string) (flow.Account, error) {
	if d.away {
		return flow.Account{Restorer: d.accounts[id].Restorer}, errors.New("no answer")
	}
	return d.accounts[id], nil
}

func (*directory) Groups() bool { return true }

func (d *directory) Outside(_ context.Context, channel string) (bool, error) {
	if d.unread[channel] {
		return false, errors.New("no answer")
	}
	return d.shared[channel], nil
}

// with gives the night's bot a directory, and a policy in which the responders come from a group.
func (n *night) with(d *directory, edit func(*flow.Policy)) {
	n.t.Helper()
	p := policy()
	p.Responders, p.Groups = []string{"sam"}, []string{"support-oncall"}
	if edit != nil {
		edit(&p)
	}
	kept := store.Flow{Store: stoppable{n.file, n.stops}}
	n.service = flow.New(flow.Config{
		Store: kept, Policy: p, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop},
		Directories: map[string]flow.Directory{"terminal": d},
	})
	n.worker.Service = n.service
	n.worker.Outbox = handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": n.screen})
}

func (n *night) member(who string, what flow.What) {
	n.t.Helper()
	nth++
	e := n.event("m"+who+strings.Repeat("i", nth), who, what)
	e.By.Member = true
	if err := n.deliver(e); err != nil {
		n.t.Fatal(err)
	}
}

// Contract 5 and 11, R63 to R67: who may do what, as chat platforms know it.
func TestWhoMay(t *testing.T) {
	full := func(change func(*flow.Account)) flow.Account {
		a := flow.Account{Name: "pat", Member: true, Responder: true, Restorer: true}
		if change != nil {
			change(&a)
		}
		return a
	}
	chat := flow.Command{Words: []string{"chat", "late"}}
	for name, story := range map[string]func(n *night, d *directory){
		"a member of the group confirms": func(n *night, d *directory) {
			d.accounts["U1"] = full(nil)
			n.member("U1", chat)
			n.member("U1", flow.Press{Action: n.button("Close")})
			n.wants(3)
		},
		"another full member may walk, and is told whom to ask": func(n *night, d *directory) {
			d.accounts["U1"] = full(func(a *flow.Account) { a.Responder, a.Restorer = false, false })
			n.member("U1", chat)
			n.member("U1", flow.Press{Action: n.button("Close")})
			n.shows("Responders are @sam and @support-oncall; ask")
			n.wants(0)
		},
		"a guest": func(n *night, d *directory) {
			d.accounts["U1"] = full(func(a *flow.Account) { a.Member = false })
			n.member("U1", chat)
			if _, ok := n.screen.find("Close"); ok {
				n.t.Error("a guest sees a confirm card")
			}
		},
		"somebody of another organisation, even one named in the document": func(n *night, d *directory) {
			d.accounts["sam"] = full(nil)
			n.types("sam", "chat late") // the platform did not say that they belong here
			if _, ok := n.screen.find("Close"); ok {
				n.t.Error("somebody from outside sees a confirm card")
			}
		},
		"groups unknown: no change, and the restore goes on": func(n *night, d *directory) {
			d.accounts["U1"] = full(nil)
			n.member("U1", chat)
			n.member("U1", flow.Press{Action: n.button("Close")})
			n.wants(3)
			d.accounts["U1"] = full(func(a *flow.Account) { a.Responder, a.Unknown = false, "groups cannot be looked up right now" })
			n.member("U1", flow.Press{Action: n.button("One hour more")})
			n.shows("I cannot find out right now whether you are one of the responders")
			n.member("U1", flow.Press{Action: n.button("Restore…")})
			n.member("U1", flow.Press{Action: n.button("Put everything back")})
			n.wants(6)
		},
		"groups unknown: the owner restores": func(n *night, d *directory) {
			d.accounts["U1"] = full(nil)
			n.member("U1", chat)
			n.member("U1", flow.Press{Action: n.button("Close")})
			d.accounts["U1"] = full(func(a *flow.Account) {
				a.Responder, a.Restorer, a.Unknown = false, false, "groups cannot be looked up right now"
			})
			n.member("U1", flow.Press{Action: n.button("Restore…")})
			n.member("U1", flow.Press{Action: n.button("Put everything back")})
			n.wants(6)
		},
		"nobody can be looked up: people who are named need no look-up": func(n *night, d *directory) {
			d.away = true
			n.member("U1", chat)
			n.shows("I cannot find out right now who you are")
			n.member("sam", chat)
			n.member("sam", flow.Press{Action: n.button("Close")})
			n.wants(3)
		},
		"an owner who left the group loses the outage at the next timer": func(n *night, d *directory) {
			d.accounts["U1"], d.accounts["sam"] = full(nil), full(nil)
			n.member("U1", chat)
			n.member("U1", flow.Press{Action: n.button("Close")})
			d.accounts["U1"] = flow.Account{Name: "pat"}
			time.Sleep(4 * time.Hour)
			if err := n.worker.Settle(n.t.Context()); err != nil {
				n.t.Fatal(err)
			}
			n.shows("@pat can no longer act here; you look after")
		},
		"an owner of whom nobody knows anything now keeps it": func(n *night, d *directory) {
			d.accounts["U1"] = full(nil)
			n.member("U1", chat)
			n.member("U1", flow.Press{Action: n.button("Close")})
			d.away = true
			time.Sleep(4 * time.Hour)
			if err := n.worker.Settle(n.t.Context()); err != nil {
				n.t.Fatal(err)
			}
			n.shows("@pat looks after it")
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(n *night) {
				d := &directory{accounts: map[string]flow.Account{}}
				n.with(d, nil)
				story(n, d)
			})
		})
	}
}

// R64: the work is never shown where people of other organisations read along, also where a channel becomes shared later.
func TestSharedChannels(t *testing.T) {
	d := &directory{accounts: map[string]flow.Account{}, shared: map[string]bool{"#shared": true}}
	route := func(p *flow.Policy) {
		p.Channels, p.Inside = []flow.Route{{Terminal: "#shared"}}, flow.Route{Terminal: "#inside"}
	}
	in(t, func(n *night) {
		n.with(d, route)
		n.member("sam", flow.Command{Words: []string{"chat", "late"}})
		n.member("sam", flow.Press{Action: n.button("Close")})
		n.wants(3)
		n.keepsInside("#shared")
	})
	in(t, func(n *night) {
		d.shared = map[string]bool{}
		n.with(d, route)
		n.member("sam", flow.Command{Words: []string{"chat", "late"}})
		n.member("sam", flow.Press{Action: n.button("Close")})
		d.shared["#shared"] = true
		before := len(n.in("#shared"))
		n.member("sam", flow.Press{Action: n.button("One hour more")})
		n.member("sam", flow.Press{Action: n.button("Restore…")})
		if got := n.in("#shared"); len(got) != before {
			t.Errorf("messages in the channel that became shared: %v, want the %d from before", got, before)
		}
		if _, ok := n.in("#inside")["home"]; !ok {
			t.Error("the outage did not move to the inside channel")
		}
	})
}

// in are the cards of a channel by the first word of their message.
func (n *night) in(channel string) map[string]card.Card {
	out := map[string]card.Card{}
	for id, c := range n.screen.cards {
		if message, ok := strings.CutPrefix(id, "terminal/"+channel+" "); ok {
			kind, _, _ := strings.Cut(message, ":")
			out[kind] = c
		}
	}
	return out
}

// keepsInside wants one message in a shared channel, with something to show there, and the work elsewhere.
func (n *night) keepsInside(shared string) {
	n.t.Helper()
	all := n.in(shared)
	if c := all["home"]; len(all) != 1 || !strings.HasPrefix(c.Outside, "CHAT – being worked on since") {
		n.t.Errorf("in %s: %+v; want the outage's message alone, with a word for outsiders", shared, all)
	}
	if len(n.in("#inside")) == 0 {
		n.t.Error("nothing is in the inside channel")
	}
}

// A form that its surface no longer waits for is offered by a card, as it was filled in, and to its person alone.
func TestAFormThatComesTooLate(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		change := n.button("Change…")
		n.presses("ana", change, nil)
		n.shows("Nothing was changed yet. What you typed is kept.")
		send := change
		send.Verb = "inputs"
		n.presses("ana", send, map[string]string{"targets": "", "message": "<b>Closed</b> & sorry"})
		n.shows("Which: choose at least one")
		e := n.event("open", "ana", flow.Press{Action: n.late("Which: choose")})
		e.Until = time.Now().Add(time.Second)
		replies, err := n.service.Accept(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		r := <-replies
		if r.Form == nil {
			t.Fatal("no form came")
		}
		for _, in := range r.Form.Form.Inputs {
			if in.ID == "targets" && in.Error == "" {
				t.Errorf("the form has lost its errors: %+v", r.Form.Form)
			}
		}
		e = n.event("open-sam", "sam", flow.Press{Action: n.late("Which: choose")})
		e.Until = time.Now().Add(time.Second)
		replies, err = n.service.Accept(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if r := <-replies; r.Form != nil {
			t.Error("somebody else opened the form")
		}
	})
}

// late is the button that opens a form, on the card that says this.
func (n *night) late(text string) flow.Action {
	n.t.Helper()
	for _, c := range n.screen.cards {
		if strings.Contains(strings.Join(c.Text, "\n"), text) {
			a, err := flow.DecodeAction(c.Buttons[0].Action)
			if err != nil {
				n.t.Fatal(err)
			}
			return a
		}
	}
	n.t.Fatalf("no card says %q", text)
	return flow.Action{}
}
