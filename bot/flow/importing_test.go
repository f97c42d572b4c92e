package flow_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/store"
)

// lose forgets everything that the bot knew, and starts it over an empty folder.
func (n *night) lose() {
	n.t.Helper()
	n.service.Wait()
	if err := n.file.Close(); err != nil {
		n.t.Fatal(err)
	}
	n.dir = n.t.TempDir()
	n.screen.cards, n.screen.posts = map[string]card.Card{}, map[string]int{}
	n.start()
}

// copied writes down the only open outage.
func (n *night) copied() string {
	n.t.Helper()
	kept := store.Flow{Store: n.file}
	open, err := kept.Open(n.t.Context())
	if err != nil || len(open) != 1 {
		n.t.Fatalf("open outages: %v, %v", open, err)
	}
	_, r, err := kept.Outage(n.t.Context(), open[0].ID)
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.Join(flow.Capsule(open[0], r.Value, "L", 1), "\n")
}

// posted are the messages of the newest copy in the thread, as somebody pastes them.
func (n *night) posted() string {
	n.t.Helper()
	newest := -1
	parts := map[int]string{}
	for id, c := range n.screen.cards {
		_, rest, ok := strings.Cut(id, "/before/")
		var version, part int
		if k, err := fmt.Sscanf(rest, "%d/%d", &version, &part); !ok || k != 2 || err != nil || version < newest {
			continue
		}
		if version > newest {
			newest, parts = version, map[int]string{}
		}
		parts[part] = c.Title + "\n" + strings.Join(c.Text, "\n")
	}
	if newest < 0 {
		n.t.Fatalf("no copy of the values from before among %q", titles(n.screen.cards))
	}
	return strings.Join(slices.Collect(maps.Values(parts)), "\n")
}

func (n *night) imports(text string) error {
	n.t.Helper()
	o, r, _, err := flow.ReadCapsule(text)
	if err != nil {
		n.t.Fatal(err)
	}
	nth++
	e := n.event("i"+strings.Repeat("i", nth), "ana", flow.Stepped{})
	if err := n.service.Import(n.t.Context(), o, r, e); err != nil {
		return err
	}
	return n.worker.Settle(n.t.Context())
}

// The store is lost while chat is closed: what the thread still knows brings everything back, exactly once.
func TestImportAfterALoss(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.wants(3)
		text := n.copied()
		n.lose()
		time.Sleep(time.Hour)
		if err := n.imports(text); err != nil {
			t.Fatal(err)
		}
		n.wants(3) // nothing is changed by it
		if err := n.imports(text); err == nil || !strings.Contains(err.Error(), "on record here already") {
			t.Errorf("a second import = %v", err)
		}
		n.shows("I ask at")
		kept := store.Flow{Store: n.file}
		open, err := kept.Open(n.t.Context())
		if err != nil || len(open) != 1 {
			t.Fatalf("open outages: %v, %v", open, err)
		}
		if c := flow.ReadChain(n.logOf("outage:"+open[0].ID), open[0].Head); len(c.Problems) > 0 {
			t.Errorf("the audit chain after an import: %v", c.Problems)
		}
		time.Sleep(3 * time.Hour) // the deadline of old still counts
		if err := n.worker.Settle(n.t.Context()); err != nil {
			t.Fatal(err)
		}
		n.shows("Can it be restored?")
		n.types("ana", "restore")
		n.presses("ana", n.button("Put everything back"), nil)
		n.service.Wait()
		if err := n.worker.Settle(n.t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range n.verdict() {
			t.Error(wrong)
		}
		o, _, err := kept.Outage(n.t.Context(), open[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		c, err := flow.Report(n.t.Context(), policy(), kept, o.Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Facts {
			if !strings.Contains(f.Note, "(taken as set, from its copy") || !strings.Contains(f.Note, "after: ") {
				t.Errorf("the report says of %s: %q", f.Name, f.Note)
			}
		}
	})
}

func TestImportRefuses(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		text := n.copied()
		n.lose()
		n.shop.settings = newShop(n.stops).settings
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		err := n.imports(text)
		if err == nil || !strings.Contains(err.Error(), "which is open: restore that first") || !strings.Contains(err.Error(), "shop/") {
			t.Errorf("import while another outage holds the settings = %v, want its name and the setting's", err)
		}
		all, err := store.Flow{Store: n.file}.All(n.t.Context())
		if err != nil || len(all) != 1 {
			t.Errorf("outages = %v, %v; want the one from before", all, err)
		}
	})
}

func TestImportOfWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, &stops{at: -1})
		n.start()
		o, r := sample()
		for i := range r.Steps {
			r.Steps[i].State = change.Restored
		}
		e := n.event("over", "ana", flow.Stepped{})
		if err := n.service.Import(n.t.Context(), o, r, e); err == nil || !strings.Contains(err.Error(), "nothing to take back") {
			t.Errorf("Import = %v", err)
		}
		_ = n.file.Close()
	})
}

// Where the chat program of old is not set up, the outage goes to a place that is.
func TestImportFindsAHome(t *testing.T) {
	in(t, func(n *night) {
		o, r := sample()
		e := n.event("home", "ana", flow.Stepped{})
		if err := n.service.Import(n.t.Context(), o, r, e); err != nil {
			t.Fatal(err)
		}
		got, _, err := store.Flow{Store: n.file}.Outage(n.t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := (flow.Place{Platform: "terminal", Channel: "#support"}); got.Value.Home != want || got.Value.Owner.Account != "terminal:ana" {
			t.Errorf("home is %v, looked after by %v; want %v and terminal:ana", got.Value.Home, got.Value.Owner, want)
		}
		if want := o.Routed[1:]; !slices.Equal(got.Value.Routed, want) {
			t.Errorf("shown in %v too, want %v: nobody is on the other any more", got.Value.Routed, want)
		}
		if err := n.worker.Settle(n.t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// Contract 8: a flag is lost with the store that it lay in, and customers come through. After the import nobody is told
// that it is closed; it is closed again when a person says so, and everything comes back.
func TestImportOfAFlagThatWasLostToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, &stops{at: -1})
		n.page, n.tune = true, func(c *flow.Config) { c.Policy.ChatMessage = "Chat is down." }
		n.start()
		defer n.end()
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		read, until := n.service.Notice(t.Context(), pageFlag)
		text := n.copied()
		n.lose()
		if err := n.imports(text); err != nil {
			t.Fatal(err)
		}
		if now, at := n.service.Notice(t.Context(), pageFlag); read == "" || now != read || !at.Equal(until) {
			t.Errorf("visitors read %q until %s, want %q until %s as before", now, at, read, until)
		}
		n.shows("Page, chat shows again what was there before")
		for id, c := range n.screen.cards {
			if strings.Contains(id, flow.HomeMessage) && !strings.Contains(c.Title, "Page STILL OPEN") {
				t.Errorf("the outage's message says %q", c.Title)
			}
		}
		n.presses("ana", n.button("Set it all the same"), nil)
		flags := store.NewFlags(n.file)
		if now, err := flags.Get(t.Context(), pageFlag); now != "closed" || err != nil {
			t.Errorf("the flag is at %q, %v; want it closed again", now, err)
		}
		n.types("ana", "restore")
		n.presses("ana", n.button("Put everything back"), nil)
		if now, err := flags.Get(t.Context(), pageFlag); now != "open" || err != nil {
			t.Errorf("the flag is at %q, %v; want it as before", now, err)
		}
		for _, wrong := range n.verdict() {
			t.Error(wrong)
		}
	})
}

// What people said last of the value before is in the newest copy: a typo that was mended comes back mended, and nobody
// is asked again what was answered.
func TestImportKnowsWhatWasSaidLast(t *testing.T) {
	for name, tt := range map[string]struct {
		said   string
		mend   func(n *night, id string)
		before string
	}{
		"noted and mended": {"Snow dya", func(n *night, id string) {
			n.presses("sam", flow.Action{Outage: id, Verb: "correct-send", Key: "shop/two/hours", State: "*"}, map[string]string{"shop/two/hours": "Snow day"})
		}, "Snow day"},
		"as known from before": {"Snow dya", func(n *night, _ string) { n.presses("sam", n.button("09:00-17:00"), nil) }, "09:00-17:00"},
		"as noted":             {"Snow day", func(n *night, _ string) { n.presses("sam", n.button("Snow day"), nil) }, "Snow day"},
		"nobody answered yet":  {"Snow day", func(*night, string) {}, "Snow day"},
		"it was like this":     {"closed", func(*night, string) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(n *night) {
				n.shop.byHand = "two"
				n.types("ana", "chat late")
				n.presses("ana", n.button("Close"), nil)
				n.presses("ana", n.button("I click"), nil)
				note := n.button("Some differ")
				note.Verb += "-send"
				n.presses("ana", note, map[string]string{"shop/two/hours": tt.said})
				kept := store.Flow{Store: n.file}
				open, err := kept.Open(t.Context())
				if err != nil || len(open) != 1 {
					t.Fatalf("open outages: %v, %v", open, err)
				}
				tt.mend(n, open[0].ID)
				text := n.posted()
				if open := strings.Contains(text, "as a rule: 09:00-17:00 (nobody said yet what should come back)"); open != (name == "nobody answered yet" || tt.before == "") {
					t.Errorf("what people read of the other value:\n%s", text)
				}
				n.lose()
				if err := n.imports(text); err != nil {
					t.Fatal(err)
				}
				_, r, err := store.Flow{Store: n.file}.Outage(t.Context(), open[0].ID)
				if err != nil {
					t.Fatal(err)
				}
				st, ok := r.Value.Step("shop/two/hours")
				switch {
				case tt.before == "" && st.State != change.Adopted:
					t.Errorf("on record: %v, in state %q; want that somebody finds out what was there before", ok, st.State)
				case tt.before != "" && (st.Before == nil || st.Before.Value.Text != tt.before):
					t.Errorf("what will come back is %+v, want %q", st.Before, tt.before)
				}
				if open := name == "nobody answered yet"; st.Doubt != open {
					t.Errorf("asked again which should come back: %v, want %v", st.Doubt, open)
				}
			})
		})
	}
}

// Contract 8: the copy was written before the click. After the import nobody is told that it was done: somebody looks
// first. Whatever they find there, the restore brings back what was there before.
func TestImportOfAClickThatNobodySpokeOf(t *testing.T) {
	for name, tt := range map[string]struct {
		there string // on the platform, when the store is lost
		looks func(n *night)
		back  string // what is pressed when it shows again what was there before
	}{
		"as before": {"09:00-17:00", func(n *night) {
			n.presses("sam", n.button("09:00-17:00"), nil)
			n.shop.settings["shop/two/hours"] = "closed"
			n.presses("sam", n.button("Saved"), nil)
		}, "Saved"},
		"the outage's value": {"closed", func(n *night) {
			seen := n.button("09:00-17:00")
			seen.Arg = "want"
			n.presses("sam", seen, nil)
		}, "Saved"},
		"something else, set all the same": {"Snow day", func(n *night) {
			send := n.button("Something else")
			send.Verb = "seen-send"
			n.presses("sam", send, map[string]string{"shop/two/hours": "Snow day"})
			n.presses("ana", n.button("Set it all the same"), nil)
		}, "09:00-17:00"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(n *night) {
				n.shop.byHand = "two"
				n.types("ana", "chat late")
				n.presses("ana", n.button("Close"), nil)
				n.presses("ana", n.button("I click"), nil)
				n.presses("ana", n.button("All as listed"), nil)
				text := n.posted()
				n.lose()
				n.shop.settings["shop/two/hours"] = tt.there
				if err := n.imports(text); err != nil {
					t.Fatal(err)
				}
				for id, c := range n.screen.cards {
					if strings.Contains(id, flow.HomeMessage) && strings.Contains(c.Title, "Two CLOSED") {
						t.Errorf("the outage's message says %q", c.Title)
					}
				}
				n.presses("sam", n.button("I click"), nil)
				tt.looks(n)
				n.types("sam", "restore")
				n.presses("sam", n.button("Put everything back"), nil)
				n.presses("sam", n.button("I click"), nil)
				n.shop.settings["shop/two/hours"] = "09:00-17:00"
				n.presses("sam", n.button(tt.back), nil)
				for _, wrong := range n.verdict() {
					t.Error(wrong)
				}
			})
		})
	}
}
