package flow_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/incident"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/store"
)

// hooked is a shop in which something happens while a setting is read.
type hooked struct {
	*shop
	during func()
}

func (h *hooked) Read(ctx context.Context, k change.Key) (change.Value, error) {
	if do := h.during; do != nil {
		h.during = nil
		do()
	}
	return h.shop.Read(ctx, k)
}

// overPlatform starts the bot anew over another platform, where four eyes are wanted.
func (n *night) overPlatform(p change.Platform) {
	n.t.Helper()
	org := policy()
	org.FourEyes = true
	kept := store.Flow{Store: stoppable{n.file, n.stops}}
	n.service = flow.New(flow.Config{Store: kept, Policy: org, Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": p}})
	n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": n.screen})}
}

// walk is a walk as it is now.
func (n *night) walk(id string) flow.Walk {
	n.t.Helper()
	w, err := store.Flow{Store: n.file}.Walk(n.t.Context(), id)
	if err != nil {
		n.t.Fatal(err)
	}
	return w.Value
}

// current is an action of a walk's present turn.
func (n *night) current(id, verb, arg string) flow.Action {
	n.t.Helper()
	return flow.Action{Walk: id, Verb: verb, State: strconv.Itoa(n.walk(id).Turn), Arg: arg}
}

// agreedWhile has ana press something in her walk while the settings are read once more after sam's yes. It returns the
// confirm that sam agreed to; nothing was set.
func (n *night) agreedWhile(verb string) flow.Action {
	n.t.Helper()
	shop := &hooked{shop: n.shop}
	n.overPlatform(shop)
	n.types("ana", "chat late")
	confirm := n.button("Close")
	n.presses("ana", confirm, nil)
	shop.during = func() {
		done, err := n.service.Accept(n.t.Context(), n.event(verb, "ana", flow.Press{Action: flow.Action{Walk: confirm.Walk, Verb: verb}}))
		if err != nil {
			n.t.Error(err)
			return
		}
		<-done
	}
	n.presses("sam", n.button("I agree"), nil)
	n.wants(0)
	return confirm
}

// Contract 3 and 11: a second person's yes counts for the check that follows it. Whoever leaves the branch while the
// settings are read once more has used it up, and looks for somebody anew.
func TestAYesIsUsedUp(t *testing.T) {
	in(t, func(n *night) {
		confirm := n.agreedWhile("menu")
		n.presses("ana", n.button("Chat"), nil)
		n.presses("ana", n.button("Customers cannot"), nil)
		n.presses("ana", n.current(confirm.Walk, "confirm", ""), nil)
		n.wants(0)
		if w := n.walk(confirm.Walk); w.Stage != flow.Seconding {
			t.Errorf("the walk is %s; want that a second person is asked anew", w.Stage)
		}
	})
}

// R67: five minutes without a second person count for what they were asked about.
func TestAloneForSomethingElse(t *testing.T) {
	in(t, func(n *night) {
		n.fourEyes(nil)
		n.types("ana", "chat late")
		confirm := n.button("Close")
		n.presses("ana", confirm, nil)
		n.later(6 * time.Minute)
		n.presses("ana", flow.Action{Walk: confirm.Walk, Verb: "menu"}, nil)
		n.presses("ana", n.button("Chat"), nil)
		n.presses("ana", n.button("Customers cannot"), nil)
		n.presses("ana", n.current(confirm.Walk, "confirm", ""), nil)
		n.presses("ana", n.current(confirm.Walk, "alone-send", ""), map[string]string{"reason": "I waited before"})
		n.wants(0)
	})
}

// slowPage takes ten seconds to say that nothing is reported.
type slowPage struct{}

func (slowPage) Read(context.Context, string, []string) (incident.Reading, error) {
	began := time.Now()
	time.Sleep(10 * time.Second)
	return incident.Reading{PageID: "pg", At: began}, nil
}

// What is read is as old as the question, not as new as the answer.
func TestAReadingIsAsOldAsItsQuestion(t *testing.T) {
	in(t, func(n *night) {
		n.tune = func(c *flow.Config) {
			c.Routing, c.Pages = incident.Routing{Pages: []incident.Page{{ID: "gladly", URL: "https://status.example.com"}}}, slowPage{}
		}
		if err := n.restart(); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		if err := n.service.Watch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := n.worker.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w, err := store.Flow{Store: n.file}.Watches(t.Context(), []string{"gladly"})
		if err != nil || !w[0].Value.Read.Equal(asked) {
			t.Errorf("the page was read at %v, %v; want %v, when it was asked", w[0].Value.Read, err, asked)
		}
	})
}

// Contract 8: who looks again at what was written, and hears the answer when it was put back meanwhile, does not say that
// the outage's value is there again.
func TestALookThatWasOvertaken(t *testing.T) {
	asked := time.Date(2026, 11, 25, 10, 11, 0, 0, time.UTC)
	open, closed := change.Value{Raw: []byte("open"), Text: "open"}, change.Value{Raw: []byte("closed"), Text: "closed"}
	st := change.Step{Key: "shop/one/hours", Action: change.CloseChat, Target: "one", Label: "Shop", Way: change.Auto, Want: closed, Before: &change.Baseline{Value: open, By: change.ByAPI}, Set: &closed, State: change.Restored, Back: true}
	for back, want := range map[time.Duration]bool{5 * time.Second: false, -time.Minute: true} {
		st.At = asked.Add(back)
		e := flow.Event{ID: "e1", At: asked.Add(10 * time.Second), What: flow.Readings{For: "settle", At: asked, Values: map[change.Key]change.Value{st.Key: closed}}}
		_, out, err := flow.StepOutage(policy().WithDefaults(), flow.Outage{ID: "chat-1", Channel: "chat"}, change.Record{Steps: []change.Step{st}}, e)
		if err != nil {
			t.Fatal(err)
		}
		told := slices.ContainsFunc(out, func(e flow.Effect) bool {
			show, ok := e.(flow.Show)
			return ok && strings.Contains(show.Card.Title, "now shows: closed")
		})
		if told != want {
			t.Errorf("put back %v after the question: somebody is told %v, want %v", back, told, want)
		}
	}
}

// What the platforms answer about a branch that was left is not shown for the one that came after it.
func TestAnAnswerThatComesTooLate(t *testing.T) {
	p, tr := policy(), builtin(t)
	at := time.Date(2026, 11, 25, 2, 10, 0, 0, time.UTC)
	e := flow.Event{ID: "e1", At: at, By: flow.Person{ID: "ana", Account: "terminal:ana", Member: true, Responder: true}, Place: flow.Place{Platform: "terminal"}, What: flow.Command{}}
	path, unknown := tr.Find(tr.Start(), []string{"chat", "late"})
	if len(unknown) > 0 {
		t.Fatalf("unknown: %q", unknown)
	}
	step := func(w flow.Walk, what flow.What) (flow.Walk, []flow.Effect) {
		e.What = what
		next, out, err := flow.StepWalk(p, tr, w, e)
		if err != nil {
			t.Fatal(err)
		}
		return next, out
	}
	w, _ := step(flow.NewWalk(tr, path, e), flow.Command{})
	old := w.Asked
	w, _ = step(w, flow.Press{Action: flow.Action{Walk: w.ID, Verb: "menu"}})
	w.Path, _ = tr.Find(tr.Start(), []string{"voice", "agent"})
	w, _ = step(w, flow.Command{})
	res := change.Resource{Key: "shop/one/hours", Action: change.CloseChat, Target: "one", Way: change.Guided}
	phones := change.Resource{Key: "shop/1/ivr", Action: change.PhonesToVoicemail, Target: "1", Way: change.Guided}
	late := flow.Catalogue{Asked: old, Resources: []change.Resource{res, phones}, Plan: []change.Step{{Key: res.Key, Target: "one", Way: change.Guided}}}
	next, out := step(w, late)
	if len(out) != 0 || next.Plan != nil {
		t.Errorf("%s shows %+v", next.Path, next.Plan)
	}
}

// Contract 11: a form of one screen mends no value of another, whatever its fields say.
func TestAHelperMendsOnlyTheirScreen(t *testing.T) {
	o, r := sample()
	i := slices.IndexFunc(r.Steps, func(st change.Step) bool { return st.Before != nil && st.Before.By != change.ByAPI && st.Open() })
	if i < 0 {
		t.Fatal("the sample has no value that somebody noted")
	}
	st := r.Steps[i]
	helper := flow.Person{ID: "lee", Account: "terminal:lee", Name: "@lee", Member: true}
	o.Ended, o.Helpers = nil, []flow.Helper{{Who: helper, Screen: "Another screen"}}
	e := flow.Event{
		ID: "e1", At: time.Date(2026, 11, 25, 2, 10, 0, 0, time.UTC), By: helper, Place: flow.Place{Platform: "terminal"},
		What: flow.Press{
			Action: flow.Action{Outage: o.ID, Verb: "correct-send", State: "*", Arg: "Another screen"},
			Fields: map[string]string{"which": string(st.Key), "value": "something else"},
		},
		Desk: flow.Desk{Guide: map[change.Key]change.Guide{st.Key: {Screen: "Its own screen"}}},
	}
	_, out, err := flow.StepOutage(policy(), o, r, e)
	if err != nil {
		t.Fatal(err)
	}
	for _, effect := range out {
		if h, ok := effect.(flow.Hand); ok {
			t.Errorf("%s was mended", h.Key)
		}
	}
}

// Contract 11: who was asked to take over, and may not act here any more, does not.
func TestAnOfferToSomebodyWhoLeft(t *testing.T) {
	o, r := sample()
	was := flow.Person{ID: "lee", Account: "terminal:lee", Name: "@lee", Member: true, Responder: true}
	o.Ended, o.Offered = nil, &was
	e := flow.Event{ID: "e1", At: time.Now(), By: was, Place: flow.Place{Platform: "terminal"}, What: flow.Press{Action: flow.Action{Outage: o.ID, Verb: "accept-handover"}}}
	e.By.Responder = false
	next, _, err := flow.StepOutage(policy(), o, r, e)
	if err != nil || next.Owner.ID != o.Owner.ID {
		t.Errorf("the owner is %s (%v), want %s", next.Owner.ID, err, o.Owner.ID)
	}
}

// R65: whoever takes over from somebody who left has not left as well.
func TestTheNextOwnerIsHere(t *testing.T) {
	in(t, func(n *night) {
		d := &directory{accounts: map[string]flow.Account{"ana": {Name: "ana", Member: true}, "sam": {Name: "sam", Member: true}, "lee": {Name: "lee", Member: true}}, shared: map[string]bool{}}
		n.with(d, func(p *flow.Policy) { p.Responders, p.Backup = []string{"ana", "sam", "lee"}, "sam" })
		n.member("ana", flow.Command{Words: []string{"chat", "late"}})
		n.member("ana", flow.Press{Action: n.button("Close")})
		d.accounts["ana"], d.accounts["sam"] = flow.Account{}, flow.Account{}
		n.later(5 * time.Hour)
		open, err := store.Flow{Store: n.file}.Open(t.Context())
		if err != nil || len(open) != 1 || open[0].Owner.ID != "lee" {
			t.Errorf("%+v (%v) is open, want one that @lee looks after", open, err)
		}
	})
}

// R64 and contract 6: of a home that became shared nothing that is said in the same moment is left there.
func TestAReminderAfterTheHomeWasShared(t *testing.T) {
	in(t, func(n *night) {
		d := &directory{accounts: map[string]flow.Account{"sam": {Name: "sam", Member: true}}, shared: map[string]bool{}}
		n.with(d, func(p *flow.Policy) { p.Inside.Terminal = "#inside" })
		n.member("sam", flow.Command{Words: []string{"chat", "late"}})
		n.member("sam", flow.Press{Action: n.button("Close")})
		before := len(n.shown("#support"))
		d.shared["#support"] = true
		n.later(5 * time.Hour) // the deadline, and more
		if got := n.shown("#support"); len(got) != before {
			t.Errorf("in the shared channel stand %q", got)
		}
		if got := n.shown("#inside"); !slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, "deadline/") }) {
			t.Errorf("in the inside channel stand %q, want the reminder", got)
		}
	})
}

// shown are the messages of a channel.
func (n *night) shown(channel string) []string {
	var out []string
	for id := range n.screen.cards {
		if m, ok := strings.CutPrefix(id, "terminal/"+channel+" "); ok {
			out = append(out, m)
		}
	}
	return out
}

// broken is a shop whose answers nobody foresaw.
type broken struct{ *shop }

func (broken) Resources(context.Context) ([]change.Resource, error) {
	panic("an answer nobody foresaw")
}

// Contract test 1: an answer that nobody foresaw takes no process down, and the person gets the way by hand.
func TestAPlatformThatPanics(t *testing.T) {
	in(t, func(n *night) {
		n.overPlatform(broken{n.shop})
		n.types("ana", "chat late")
		n.shows("listing the settings went wrong")
	})
}

// Contract 11: anybody of the organisation may wait, and nobody turns somebody else's outage into another one by it.
func TestJoiningIsNoWayIn(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		kept := store.Flow{Store: n.file}
		open, err := kept.Open(t.Context())
		if err != nil || len(open) != 1 {
			t.Fatalf("%d are open (%v)", len(open), err)
		}
		n.types("lee", "sms reply")
		id := n.button("We wait").Walk
		for _, other := range []string{open[0].ID, "nowhere/at\nall"} {
			n.presses("lee", n.current(id, "join", other), nil)
			n.presses("lee", n.current(id, "accept", ""), nil)
		}
		open, err = kept.Open(t.Context())
		for _, o := range open {
			if strings.Contains(o.ID, "/") || o.Owner.ID == "ana" && o.Leaf.Channel != "chat" {
				t.Errorf("%q is a %s outage of %s (%v)", o.ID, o.Leaf.Channel, o.Owner.ID, err)
			}
		}
	})
}

// Contract 11 and R63: an owner who is known to be no responder any more takes and attests nothing.
func TestAnOwnerWhoLeftTheGroup(t *testing.T) {
	o, r := sample()
	i := slices.IndexFunc(r.Steps, func(st change.Step) bool { return st.Before != nil && st.Before.By != change.ByAPI && st.Open() })
	if i < 0 {
		t.Fatal("the sample has no value that somebody noted")
	}
	st := r.Steps[i]
	o.Ended = nil
	by := o.Owner
	by.Responder, by.Restorer, by.Admin, by.Unknown = false, false, false, ""
	e := flow.Event{
		ID: "e1", At: time.Date(2026, 11, 25, 2, 10, 0, 0, time.UTC), By: by, Place: flow.Place{Platform: "terminal"},
		What: flow.Press{
			Action: flow.Action{Outage: o.ID, Verb: "correct-send", Key: string(st.Key), State: "*"},
			Fields: map[string]string{string(st.Key): "something else"},
		},
		Desk: flow.Desk{Guide: map[change.Key]change.Guide{st.Key: {Screen: "Its screen"}}},
	}
	_, out, err := flow.StepOutage(policy(), o, r, e)
	if err != nil {
		t.Fatal(err)
	}
	for _, effect := range out {
		if h, ok := effect.(flow.Hand); ok {
			t.Errorf("%s was mended", h.Key)
		}
	}
}

// Contract 8: where a second person agreed and the owner stops while the settings are read once more, nobody goes on
// reading that it was agreed, and no more.
func TestStoppedAfterTheYes(t *testing.T) {
	in(t, func(n *night) {
		n.agreedWhile("cancel")
		n.shows("so nothing was done")
	})
}

// Contract 3: what a person clicks may have gone to another outage since the preview, although all that the bot reads is
// free. The confirm loses, and is told so.
func TestTheClicksWentToSomebodyElse(t *testing.T) {
	in(t, func(n *night) {
		n.shop.byHand = "two"
		n.types("ana", "chat late")
		confirm := n.button("Close")
		n.types("sam", "chat late")
		var sams flow.Action
		for id, c := range n.screen.cards {
			for _, b := range c.Buttons {
				if a, err := flow.DecodeAction(b.Action); err == nil && a.Verb == "confirm" && strings.Contains(id, "sam") {
					sams = a
				} else if err == nil && a.Verb == "confirm" {
					confirm = a
				}
			}
		}
		n.presses("sam", n.current(sams.Walk, "inputs", ""), map[string]string{"targets": "two"})
		n.presses("sam", n.current(sams.Walk, "confirm", ""), nil)
		n.presses("ana", confirm, nil)
		n.wants(0)
		n.shows("This is being worked on already")
	})
}

// Contract 3: two people open the card of the same wait, and both accept it. There is one outage; the second one is shown it.
func TestAWaitThatSomebodyElseAccepted(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "sms reply")
		anas := n.button("We wait")
		n.types("sam", "sms reply")
		for _, c := range n.screen.cards {
			for _, b := range c.Buttons {
				if a, err := flow.DecodeAction(b.Action); err == nil && a.Verb == anas.Verb && a.Walk != anas.Walk {
					n.presses("sam", a, nil)
				}
			}
		}
		n.presses("ana", anas, nil)
		n.shows("This is being worked on already")
		if open, err := n.file.List(t.Context(), "open:"); err != nil || len(open) != 1 {
			t.Errorf("%d outages are open (%v), want one", len(open), err)
		}
	})
}

// R30: whether people can log in says whether others may be sent to click; also where an outage became that one, or
// another one.
func TestAnOutageThatTurnsIntoALogin(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 11, 0, 0, time.UTC)
	for from, want := range map[string]bool{"sms": true, "login": false} {
		_, out, err := flow.StepOutage(policy().WithDefaults(), flow.Outage{ID: "sms-1", Channel: from, Leaf: tree.Node{ID: "sms-out", Kind: tree.Wait, Channel: from}}, change.Record{}, flow.Event{
			ID: "e1", At: at, What: flow.Begun{Walk: flow.Walk{Outage: "sms-1"}, Leaf: tree.Node{ID: "login", Kind: tree.Wait, Channel: "login", Again: &tree.Again{}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if nudged := slices.Contains(out, flow.Effect(flow.Nudge{})); nudged != want {
			t.Errorf("from %s to login: the others look again %v, want %v", from, nudged, want)
		}
	}
}
