package flow_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/store"
)

// in plays a night in fake time; nothing stops unless the test says so.
func in(t *testing.T, story func(n *night)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, &stops{at: -1})
		n.start()
		story(n)
		n.service.Wait()
		if err := n.file.Close(); err != nil {
			t.Error(err)
		}
	})
}

var nth int // numbers the events of a test

// types and presses deliver an event of their own each time.
func (n *night) types(who, words string) {
	n.t.Helper()
	nth++
	if err := n.deliver(n.event(fmt.Sprintf("t%d", nth), who, flow.Command{Words: strings.Fields(words)})); err != nil {
		n.t.Fatal(err)
	}
}

func (n *night) presses(who string, a flow.Action, fields map[string]string) {
	n.t.Helper()
	nth++
	if err := n.deliver(n.event(fmt.Sprintf("p%d", nth), who, flow.Press{Action: a, Fields: fields})); err != nil {
		n.t.Fatal(err)
	}
}

func (n *night) button(label string) flow.Action {
	n.t.Helper()
	a, ok := n.screen.find(label)
	if !ok {
		n.t.Fatalf("no button %q on %q", label, titles(n.screen.cards))
	}
	return a
}

// shows wants a card with this text.
func (n *night) shows(text string) {
	n.t.Helper()
	for _, c := range n.screen.cards {
		if strings.Contains(c.Title+"\n"+strings.Join(c.Text, "\n"), text) {
			return
		}
	}
	n.t.Errorf("no card says %q; there are %q", text, titles(n.screen.cards))
}

func (n *night) written() int {
	sum := 0
	for _, w := range n.shop.writes {
		sum += w
	}
	return sum
}

// wants checks how many writes the platform got.
func (n *night) wants(writes int) {
	n.t.Helper()
	if got := n.written(); got != writes {
		n.t.Errorf("%d settings were written, want %d", got, writes)
	}
}

// Contract 3 and 11: what does not count changes nothing, and the person is told.
func TestPressesThatDoNotCount(t *testing.T) {
	for name, story := range map[string]func(n *night){
		"a confirm of a preview that is older than ten minutes": func(n *night) {
			n.types("ana", "chat late")
			confirm := n.button("Close")
			time.Sleep(10*time.Minute + time.Second)
			n.presses("ana", confirm, nil)
			n.shows("You looked more than ten minutes ago")
			n.wants(0)
			n.presses("ana", n.button("Close"), nil)
			n.wants(3)
		},
		"a look at an old preview does not make it a new one": func(n *night) {
			n.types("ana", "chat late")
			confirm := n.button("Close")
			time.Sleep(9 * time.Minute)
			n.presses("ana", flow.Action{Walk: confirm.Walk, Verb: "continue"}, nil)
			time.Sleep(2 * time.Minute)
			var confirms []flow.Action
			for _, c := range n.screen.cards {
				for _, b := range c.Buttons {
					if a, err := flow.DecodeAction(b.Action); err == nil && a.Verb == "confirm" {
						confirms = append(confirms, a)
					}
				}
			}
			for _, a := range confirms {
				n.presses("ana", a, nil)
			}
			n.wants(0)
		},
		"a confirm after the value has changed": func(n *night) {
			n.types("ana", "chat late")
			confirm := n.button("Close")
			n.shop.settings["shop/one/hours"] = "10:00-12:00"
			n.presses("ana", confirm, nil)
			n.shows("Changed since you looked: One, hours")
			n.wants(0)
		},
		"a confirm of what somebody else confirmed meanwhile": func(n *night) {
			confirm := n.previews("ana", "sam")
			n.presses("ana", confirm["ana"], nil)
			n.presses("sam", confirm["sam"], nil) // the values have changed, too: that is not what sam has to know
			n.shows("@ana looks after it")
			n.shows("This is being worked on already")
			n.wants(3)
		},
		"the same confirm again": func(n *night) {
			n.types("ana", "chat late")
			confirm := n.button("Close")
			n.presses("ana", confirm, nil)
			n.presses("ana", confirm, nil)
			n.shows("Confirmed already, by @ana")
			n.wants(3)
		},
		"a button of an earlier turn": func(n *night) {
			n.types("ana", "chat")
			first := n.button("Customers cannot start")
			n.presses("ana", first, nil)
			n.presses("ana", first, nil)
			n.shows("That button is from an earlier step")
			n.presses("ana", n.button("Close"), nil) // the card of now has not become old by that
			n.wants(3)
		},
		"a confirm by somebody who is no responder": func(n *night) {
			n.types("lee", "chat late")
			n.presses("lee", n.button("Close"), nil)
			n.shows("You are not one of the responders")
			n.wants(0)
		},
		"somebody else's card": func(n *night) {
			n.types("ana", "chat late")
			n.presses("sam", n.button("Close"), nil)
			n.shows("This is @ana's card")
			n.wants(0)
		},
		"a stranger": func(n *night) {
			n.types("ana", "chat late")
			n.presses("mallory", n.button("Close"), nil)
			n.shows("This belongs to acme's support team. Your account cannot use it.")
			n.wants(0)
		},
		"a restore by somebody who may not": func(n *night) {
			n.types("ana", "chat late")
			n.presses("ana", n.button("Close"), nil)
			n.types("ana", "restore")
			n.presses("lee", n.button("Put everything back"), nil)
			n.shows("You are not one of the responders")
			n.wants(3)
		},
		"the same extension twice": func(n *night) {
			n.types("ana", "chat late")
			n.presses("ana", n.button("Close"), nil)
			more := n.button("One hour more")
			n.presses("ana", more, nil)
			n.presses("sam", more, nil)
			n.shows("@ana moved it at")
			open, err := store.Flow{Store: n.file}.Open(n.t.Context())
			if err != nil || len(open) != 1 || open[0].Deadline.Sub(open[0].Began) != 5*time.Hour {
				n.t.Errorf("open = %+v, %v; want one with a deadline after 5 h", open, err)
			}
		},
		"a press on an outage that is over": func(n *night) {
			n.types("ana", "chat late")
			n.presses("ana", n.button("Close"), nil)
			restore := n.button("Restore…")
			n.presses("ana", restore, nil)
			n.presses("ana", n.button("Put everything back"), nil)
			n.presses("sam", restore, nil)
			n.shows("This outage is over")
			n.wants(6)
		},
		"a card that is no longer kept": func(n *night) {
			n.presses("ana", flow.Action{Walk: "w0", Verb: "confirm", State: "1"}, nil)
			n.shows("This card is too old")
		},
		"a button that this program does not know": func(n *night) {
			n.types("ana", "chat late")
			a := n.button("Close")
			a.Verb = "no-such-verb"
			n.presses("ana", a, nil)
			n.wants(0)
		},
	} {
		t.Run(name, func(t *testing.T) { in(t, story) })
	}
}

// Contract 8: what somebody else set is neither closed nor open again, as far as the bot knows.
func TestTheHeadlineOfWhatSomebodyElseSet(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.shop.settings["shop/two/hours"] = "10:00-12:00"
		n.types("ana", "restore")
		n.presses("ana", n.button("Put everything back"), nil)
		n.shows("One open again · Two NOT KNOWN YET, open or closed")
	})
}

// Two people confirm the same at the same moment: one change, and the other is told by whom.
func TestTwoConfirmAtOnce(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		anas := n.button("Close")
		n.types("sam", "chat late")
		var sams flow.Action
		for id, c := range n.screen.cards {
			if strings.HasPrefix(id, "terminal/terminal:sam") && len(c.Buttons) > 0 {
				sams, _ = flow.DecodeAction(c.Buttons[0].Action)
			}
		}
		one, err := n.service.Accept(n.t.Context(), n.event("one", "ana", flow.Press{Action: anas}))
		if err != nil {
			n.t.Fatal(err)
		}
		two, err := n.service.Accept(n.t.Context(), n.event("two", "sam", flow.Press{Action: sams}))
		if err != nil {
			n.t.Fatal(err)
		}
		<-one
		<-two
		if err := n.worker.Settle(n.t.Context()); err != nil {
			n.t.Fatal(err)
		}
		n.wants(3)
		n.shows("This is being worked on already")
		open, err := store.Flow{Store: n.file}.Open(n.t.Context())
		if err != nil || len(open) != 1 {
			n.t.Errorf("%d outages are open (%v), want 1", len(open), err)
		}
	})
}

// A playbook edited during a walk: the walk goes on with the one it began with, a new one begins with the new.
func TestPlaybookEditedDuringAWalk(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat")
		chat := n.button("Customers cannot start")
		edited := strings.ReplaceAll(string(tree.Builtin()), "label: Customers cannot start a chat, or chats reach agents late", "label: Chat is broken")
		tr, err := tree.Parse("playbook.yaml", []byte(edited), change.Actions())
		if err != nil {
			n.t.Fatal(err)
		}
		kept := store.Flow{Store: stoppable{n.file, n.stops}}
		n.service.Wait()
		n.service = flow.New(flow.Config{Store: kept, Policy: policy(), Playbook: []byte(edited), Tree: tr, Platforms: change.Platforms{"shop": n.shop}})
		n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": n.screen})}
		n.presses("ana", chat, nil)
		n.button("Close")
		n.screen.cards = map[string]card.Card{}
		n.types("ana", "chat")
		n.button("Chat is broken")
	})
}

// Contract 5 and 11: without a responder in the document everything can be walked, nothing can be changed, and the
// card names the line to add.
func TestNoResponders(t *testing.T) {
	in(t, func(n *night) {
		p := policy()
		p.Responders = nil
		kept := store.Flow{Store: stoppable{n.file, n.stops}}
		n.service = flow.New(flow.Config{Store: kept, Policy: p, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
		n.worker.Service = n.service
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.shows("responders: [ana]")
		n.wants(0)
	})
}

// Contract 5: hard to change, easy to put back, and never without the way by hand.
func TestStoreUnsafe(t *testing.T) {
	in(t, func(n *night) {
		unsafe := store.Flow{Store: sick{stoppable{n.file, n.stops}}}
		safe := n.service
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.wants(3)
		n.service = flow.New(flow.Config{Store: unsafe, Policy: policy(), Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
		n.worker.Service = n.service
		n.types("ana", "voice agents")
		n.types("ana", "restore")
		n.presses("ana", n.button("Put everything back"), nil)
		n.wants(6)
		n.screen.cards = map[string]card.Card{}
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.shows("I change nothing right now: I cannot remember for you safely: the disk is a toy.")
		n.shows("Settings > Glad App")
		n.wants(6)
		safe.Wait()
	})
}

// sick is a store whose health forbids changes.
type sick struct{ store.Store }

func (sick) Health(context.Context) (store.Health, error) {
	return store.Health{Changes: false, Warnings: []string{"the disk is a toy"}}, nil
}

// An event that cannot be decided must not come back for ever, nor keep the bot from starting: it is set aside, and its
// person is told.
func TestWhatCannotBeDecidedIsSetAside(t *testing.T) {
	for name, spoil := range map[string]func(n *night){
		"an outage that is not readable": func(n *night) {
			n.types("ana", "chat late")
			n.presses("ana", n.button("Close"), nil)
			n.spoil("outage:", `{"owner":"a new form"}`)
			n.presses("ana", n.button("One hour more"), nil)
			n.shows("That could not be done, and nothing was changed by it")
		},
		"a walk that is not readable": func(n *night) {
			n.types("ana", "chat late")
			confirm := n.button("Close")
			n.spoil("walk:", `{"path":7}`)
			n.presses("ana", confirm, nil)
			n.shows("That could not be done, and nothing was changed by it")
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(n *night) {
				spoil(n)
				if err := n.restart(); err != nil {
					n.t.Fatalf("start after it: %v", err)
				}
				n.types("sam", "status")
				if left, err := n.file.List(n.t.Context(), "in:"); len(left) > 0 || err != nil {
					n.t.Errorf("still in the inbox: %v, %v", left, err)
				}
			})
		})
	}
}

// spoil overwrites the documents of a prefix.
func (n *night) spoil(prefix, with string) {
	n.t.Helper()
	names, err := n.file.List(n.t.Context(), prefix)
	if err != nil || len(names) == 0 {
		n.t.Fatalf("List %s = %v, %v", prefix, names, err)
	}
	docs, err := n.file.Get(n.t.Context(), names...)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, d := range docs {
		c := store.Commit{Checks: []store.Check{{Key: d.Key, Version: d.Version}}, Puts: []store.Put{{Key: d.Key, Data: []byte(with)}}}
		if _, err := n.file.Commit(n.t.Context(), c); err != nil {
			n.t.Fatal(err)
		}
	}
}

// Contract 3: a yes that lay in the inbox while the process was away for hours has no effect any more.
func TestAnOldYesFromTheInbox(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		confirm := n.button("Close")
		for at := 1; at < 4; at++ {
			n.stops.mu.Lock()
			n.stops.calls, n.stops.at, n.stops.mode = 0, at, "after"
			n.stops.mu.Unlock()
			_ = n.deliver(n.event(fmt.Sprintf("old%d", at), "ana", flow.Press{Action: confirm}))
			time.Sleep(9 * time.Hour)
			if err := n.restart(); err != nil {
				n.t.Fatal(err)
			}
			n.wants(0)
			confirm = n.button("Close")
		}
	})
}

// R61: while the store is away nothing is changed, and the person still gets that branch of the playbook, with a list
// to fill in.
func TestStoreAway(t *testing.T) {
	in(t, func(n *night) {
		n.stops.mu.Lock()
		n.stops.stopped = true
		n.stops.mu.Unlock()
		e := n.event("away", "ana", flow.Command{Words: []string{"chat", "late"}})
		if _, err := n.service.Accept(n.t.Context(), e); err == nil {
			n.t.Fatal("Accept says that it is safe while the store is away")
		}
		c := n.service.Offline(n.t.Context(), e)
		text := c.Title + "\n" + strings.Join(c.Text, "\n")
		for _, want := range []string{"I cannot remember for you right now, so I change nothing", "Settings > Glad App", "Write the old values here"} {
			if !strings.Contains(text, want) {
				n.t.Errorf("the card does not say %q:\n%s", want, text)
			}
		}
		if diff := cmp.Diff([]card.Fact{{Name: "One", Note: "hours ____, message ____"}, {Name: "Two", Note: "hours ____"}}, c.Facts); diff != "" {
			n.t.Errorf("list to fill in (-want +got):\n%s", diff)
		}
		if len(c.Buttons) > 0 || len(c.Problems()) > 0 {
			n.t.Errorf("buttons %v, problems %v; want none", c.Buttons, c.Problems())
		}
		n.wants(0)
		if c := n.service.Offline(n.t.Context(), n.event("away", "pat", flow.Command{Words: []string{"chat", "late"}})); !strings.Contains(c.Title, "Your account cannot use it") {
			n.t.Errorf("somebody from outside reads %+v", c)
		}
		if err := n.restart(); err != nil {
			n.t.Fatal(err)
		}
		n.types("ana", "chat late")
		n.button("Close")
	})
}

// R65: whoever may no longer act here loses the outage at the next timer; the one who stands in looks after it, and the
// one who left is refused by name.
func TestAnOwnerWhoLeft(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.service.Wait()
		p := policy()
		p.Responders, p.Backup = []string{"sam"}, "sam"
		n.service = flow.New(flow.Config{Store: store.Flow{Store: n.file}, Policy: p, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
		n.worker.Service = n.service
		time.Sleep(4 * time.Hour)
		if err := n.worker.Settle(n.t.Context()); err != nil {
			n.t.Fatal(err)
		}
		n.shows("@ana can no longer act here; you look after")
		n.presses("ana", n.button("Restore…"), nil)
		n.shows("You are not one of the responders")
		n.wants(3)
		n.types("sam", "restore")
		n.presses("sam", n.button("Put everything back"), nil)
		n.wants(6)
	})
}

// R12: from the third rung of the ladder on a pager rings too, once for each rung.
func TestPagerFromTheThirdRung(t *testing.T) {
	in(t, func(n *night) {
		p := policy()
		p.Escalate = true
		kept := store.Flow{Store: n.file}
		n.service = flow.New(flow.Config{Store: kept, Policy: p, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
		n.worker.Service = n.service
		n.worker.Outbox = handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": n.screen, flow.PagerPlatform: n.screen})
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		for _, wait := range []struct {
			d    time.Duration
			want int
		}{{4 * time.Hour, 0}, {20 * time.Minute, 1}, {time.Hour, 2}} {
			for range int(wait.d / time.Minute) {
				time.Sleep(time.Minute)
				if err := n.worker.Settle(n.t.Context()); err != nil {
					n.t.Fatal(err)
				}
			}
			rings := 0
			for id := range n.screen.posts {
				if strings.HasPrefix(id, "pager/") {
					rings++
				}
			}
			if rings != wait.want {
				n.t.Errorf("%v later the pager has rung %d times, want %d", wait.d, rings, wait.want)
			}
		}
	})
}
