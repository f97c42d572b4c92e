package flow_test

import (
	"context"
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

// fourEyes starts the bot anew for an organisation that wants a second person for each change.
func (n *night) fourEyes(more func(*flow.Policy)) {
	n.t.Helper()
	p := policy()
	p.FourEyes = true
	if more != nil {
		more(&p)
	}
	n.under(p)
}

// under starts the bot anew under another policy.
func (n *night) under(p flow.Policy) {
	n.t.Helper()
	n.service.Wait()
	kept := store.Flow{Store: stoppable{n.file, n.stops}}
	n.service = flow.New(flow.Config{Store: kept, Policy: p, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
	n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": n.screen})}
}

// later lets time pass, and what falls due happen.
func (n *night) later(d time.Duration) {
	n.t.Helper()
	time.Sleep(d)
	if err := n.worker.Settle(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

// Contract 11 and R67: where the organisation wants four eyes, a change needs a second person, who sees what is to be
// changed; a restore never does.
func TestFourEyes(t *testing.T) {
	// asked is a change that @ana has confirmed, and the yes of the second person.
	asked := func(n *night) flow.Action {
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.wants(0)
		return n.button("I agree")
	}
	for name, test := range map[string]struct {
		policy func(*flow.Policy)
		story  func(n *night)
	}{
		"a second person agrees, and it happens once; restoring needs nobody": {nil, func(n *night) {
			yes := asked(n)
			var facts []string
			for _, c := range n.screen.cards {
				if strings.Contains(c.Title, "needs a second person") {
					for _, f := range c.Facts {
						facts = append(facts, f.Name+": "+f.Before+" → "+f.After)
					}
				}
			}
			if got := strings.Join(facts, "; "); got != "One, hours: 08:00-20:00 → Closed; One, message: Hello! <b>& → Closed; Two, hours: 09:00-17:00 → Closed" {
				n.t.Errorf("the second person sees %q", got)
			}
			n.presses("sam", yes, nil)
			n.wants(3)
			n.presses("sam", yes, nil)
			n.wants(3)
			n.shows("@sam agreed at")
			n.shows("That question is no longer open")
			open, err := store.Flow{Store: n.file}.Open(n.t.Context())
			if err != nil || len(open) != 1 || open[0].Owner.ID != "ana" {
				n.t.Errorf("open = %+v, %v; want one of @ana's", open, err)
			}
			n.presses("ana", n.button("Restore…"), nil)
			n.presses("ana", n.button("Put everything back"), nil)
			n.wants(6)
		}},
		"not the one who asked": {nil, func(n *night) {
			n.presses("ana", asked(n), nil)
			n.shows("This needs somebody else")
			n.wants(0)
		}},
		"not another account of the one who asked": {func(p *flow.Policy) { p.People[0].Slack = "U1" }, func(n *night) {
			yes := asked(n)
			e := n.event("slack", "ana", flow.Press{Action: yes})
			e.By.Account = "slack:U1"
			if err := n.deliver(e); err != nil {
				n.t.Fatal(err)
			}
			n.wants(0)
		}},
		"not the same e-mail address under another name": {func(p *flow.Policy) { p.People[0].Email, p.People[1].Email = "a@acme.example", "A@acme.example" }, func(n *night) {
			n.presses("sam", asked(n), nil)
			n.shows("This needs somebody else")
			n.wants(0)
		}},
		"not somebody who may not": {nil, func(n *night) {
			n.presses("lee", asked(n), nil)
			n.shows("You cannot be the second person here")
			n.wants(0)
		}},
		"an approver need not be a responder, and a responder is no approver": {func(p *flow.Policy) { p.Approvers = []string{"lee"} }, func(n *night) {
			yes := asked(n)
			n.presses("sam", yes, nil)
			n.shows("You cannot be the second person here")
			n.wants(0)
			n.presses("lee", yes, nil)
			n.wants(3)
		}},
		"a yes counts for the values that it was shown with": {nil, func(n *night) {
			yes := asked(n)
			n.shop.settings["shop/one/hours"] = "10:00-12:00"
			n.presses("sam", yes, nil)
			n.shows("Changed since you looked: One, hours")
			n.shows("@sam agreed at")
			n.presses("ana", n.button("Close"), nil) // and needs a yes of its own
			n.wants(0)
			n.presses("sam", yes, nil)
			n.wants(0)
			n.presses("sam", n.button("I agree"), nil)
			n.wants(3)
		}},
		"a yes counts for ten minutes": {nil, func(n *night) {
			yes := asked(n)
			time.Sleep(10*time.Minute + time.Second)
			n.presses("sam", yes, nil)
			n.shows("That was shown more than ten minutes ago")
			n.wants(0)
		}},
		"a no is told, and asked again means asked anew": {nil, func(n *night) {
			yes := asked(n)
			n.presses("sam", n.button("No, not now"), nil)
			n.shows("@sam said no at")
			n.presses("sam", yes, nil)
			n.wants(0)
			n.presses("ana", n.button("Close"), nil)
			n.later(4 * time.Minute)
			if a, ok := n.screen.find("Go on alone"); ok {
				n.t.Errorf("after a no, %+v is offered within five minutes", a)
			}
		}},
		"alone before five minutes have passed": {nil, func(n *night) {
			asked(n)
			stop := n.button("Stop")
			stop.Verb = "alone-send"
			n.presses("ana", stop, map[string]string{"reason": "I want to"})
			n.wants(0)
		}},
		"alone after five minutes, with a reason that everybody sees": {nil, func(n *night) {
			yes := asked(n)
			n.later(5 * time.Minute)
			alone := n.button("Go on alone")
			alone.Verb = "alone-send"
			n.presses("ana", alone, map[string]string{"reason": " "})
			n.wants(0)
			n.presses("ana", alone, map[string]string{"reason": "the shop floods us"})
			n.wants(3)
			n.presses("sam", yes, nil)
			n.shows("@ana went on alone at")
			n.wants(3)
			seen := false
			for id, c := range n.screen.cards {
				seen = seen || strings.Contains(id, "home:") && strings.Contains(strings.Join(c.Notes, "\n"), "without a second person: the shop floods us")
			}
			if !seen {
				n.t.Error("the outage's message does not say that @ana went on alone, and why")
			}
		}},
		"alone by somebody else": {nil, func(n *night) {
			asked(n)
			n.later(5 * time.Minute)
			alone := n.button("Go on alone")
			alone.Verb = "alone-send"
			n.presses("sam", alone, map[string]string{"reason": "for you"})
			n.wants(0)
		}},
		"nobody for ten minutes: the values are shown anew, and the five minutes are over": {nil, func(n *night) {
			asked(n)
			n.later(5 * time.Minute)
			n.later(5 * time.Minute)
			n.shows("Nobody answered within ten minutes")
			n.presses("ana", n.button("Close"), nil)
			n.button("Go on alone")
			n.wants(0)
		}},
		"withdrawn by whoever asked": {nil, func(n *night) {
			yes := asked(n)
			n.presses("ana", n.button("Stop"), nil)
			n.shows("@ana withdrew it")
			n.presses("sam", yes, nil)
			n.wants(0)
		}},
		"the one who asked is no responder any more": {nil, func(n *night) {
			yes := asked(n)
			n.fourEyes(func(p *flow.Policy) { p.Responders, p.Approvers = []string{"sam"}, []string{"sam", "lee"} })
			n.presses("sam", yes, nil)
			n.wants(0)
			n.shows("@ana is no longer one of the responders")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(n *night) {
				n.fourEyes(test.policy)
				test.story(n)
			})
		})
	}
}

// The same, as a chat platform's directory knows people and channels.
func TestFourEyesByDirectory(t *testing.T) {
	four := func(p *flow.Policy) { p.FourEyes = true }
	full := flow.Account{Name: "pat", Email: "pat@acme.example", Member: true, Responder: true}
	for name, story := range map[string]func(n *night, d *directory){
		"one verified e-mail address is one person": func(n *night, d *directory) {
			d.accounts["U1"], d.accounts["U2"], d.accounts["U3"] = full, full, full
			other := full
			other.Email = "kay@acme.example"
			d.accounts["U3"] = other
			n.member("U1", flow.Command{Words: []string{"chat", "late"}})
			n.member("U1", flow.Press{Action: n.button("Close")})
			yes := n.button("I agree")
			n.member("U2", flow.Press{Action: yes})
			n.shows("This needs somebody else")
			n.wants(0)
			n.member("U3", flow.Press{Action: yes})
			n.wants(3)
		},
		"one verified e-mail address is one person, whatever the document calls them": func(n *night, d *directory) {
			sam := d.accounts["sam"]
			sam.Email = "Pat@acme.example"
			d.accounts["U1"], d.accounts["sam"] = full, sam
			n.member("U1", flow.Command{Words: []string{"chat", "late"}})
			n.member("U1", flow.Press{Action: n.button("Close")})
			n.member("sam", flow.Press{Action: n.button("I agree")})
			n.shows("This needs somebody else")
			n.wants(0)
		},
		"nobody is asked where another organisation reads along": func(n *night, d *directory) {
			d.accounts["U1"], d.shared["#support"] = full, true
			n.member("U1", flow.Command{Words: []string{"chat", "late"}})
			n.member("U1", flow.Press{Action: n.button("Close")})
			for id, c := range n.screen.cards {
				if strings.HasPrefix(id, "terminal/#support ") {
					n.t.Errorf("shown to everybody: %s: %q", id, c.Title)
				}
			}
			n.member("sam", flow.Press{Action: n.button("I agree")})
			n.wants(3)
		},
		"whose rights cannot be looked up": func(n *night, d *directory) {
			d.accounts["U1"] = full
			n.member("U1", flow.Command{Words: []string{"chat", "late"}})
			n.member("U1", flow.Press{Action: n.button("Close")})
			yes := n.button("I agree")
			d.away = true
			n.member("sam", flow.Press{Action: yes}) // named in the document, but of @pat nobody knows
			n.wants(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(n *night) {
				d := &directory{accounts: map[string]flow.Account{"sam": {Name: "sam", Member: true}}, shared: map[string]bool{}}
				n.with(d, four)
				story(n, d)
			})
		})
	}
}

// Of two second persons in the same moment one counts.
func TestTwoAgreeAtOnce(t *testing.T) {
	in(t, func(n *night) {
		n.fourEyes(func(p *flow.Policy) { p.Approvers = []string{"sam", "lee"} })
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		yes := n.button("I agree")
		for _, who := range []string{"sam", "lee"} {
			done, err := n.service.Accept(n.t.Context(), n.event("yes-"+who, who, flow.Press{Action: yes}))
			if err != nil {
				n.t.Fatal(err)
			}
			defer func() { <-done }()
		}
		n.later(0)
		n.wants(3)
		n.shows("That question is no longer open")
	})
}

// Two people confirm the same clicks in the same moment: nothing is read before a yes for them counts, and still one
// outage begins, and the other is told.
func TestTwoConfirmTheSameClicksAtOnce(t *testing.T) {
	in(t, func(n *night) {
		n.service = flow.New(flow.Config{
			Store: store.Flow{Store: stoppable{n.file, n.stops}}, Policy: policy(), Playbook: tree.Builtin(), Tree: builtin(n.t),
			Platforms: change.Platforms{"shop": byHand{n.shop}},
		})
		n.worker.Service = n.service
		n.types("ana", "chat late")
		n.types("sam", "chat late")
		var waits []<-chan flow.Reply
		for id, c := range n.screen.cards {
			for _, who := range []string{"ana", "sam"} {
				a, err := flow.DecodeAction(append(c.Buttons, card.Button{})[0].Action)
				if err != nil || !strings.HasPrefix(id, "terminal/terminal:"+who) {
					continue
				}
				done, err := n.service.Accept(n.t.Context(), n.event("yes-"+who, who, flow.Press{Action: a}))
				if err != nil {
					n.t.Fatal(err)
				}
				waits = append(waits, done)
			}
		}
		for _, done := range waits {
			<-done
		}
		n.later(0)
		open, err := store.Flow{Store: n.file}.Open(n.t.Context())
		if err != nil || len(open) != 1 || len(waits) != 2 {
			n.t.Errorf("%d presses opened %d outages (%v), want 2 and 1", len(waits), len(open), err)
		}
		n.shows("This is being worked on already")
	})
}

// byHand is the shop where people do what an API does elsewhere.
type byHand struct{ *shop }

func (p byHand) Resources(ctx context.Context) ([]change.Resource, error) {
	all, err := p.shop.Resources(ctx)
	for i := range all {
		all[i].Way = change.Guided
	}
	return all, err
}

func (p byHand) Guide(k change.Key, _ change.Value) change.Guide {
	return change.Guide{Screen: "Settings > Shop", Path: "Settings > Shop > " + string(k)}
}
