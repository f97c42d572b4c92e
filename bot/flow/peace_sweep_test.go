package flow_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/gladly"
	"switchback/handlers/flags"
	"switchback/store"
)

// acmes is what people practise on: a number to click, and an app whose page asks.
func acmes() (gladly.Organisation, []flags.Target) {
	menu := "Main menu"
	return gladly.Organisation{Numbers: []gladly.Number{{Number: "+16505550101", Name: "Orders", IVR: &menu}}},
		[]flags.Target{{Kind: flags.Chat, ID: "page", Label: "Page"}}
}

// practising lets people practise on that over a store.
func (n *night) practising(c *flow.Config) {
	org, targets := acmes()
	kept := store.NewFlags(n.bug.under(stoppable{n.file, n.stops}))
	c.Policy.Surfaces, c.Alone = []string{"terminal"}, true
	c.Platforms["gladly"] = gladly.NewPlatform(org)
	c.Drills = change.Platforms{gladly.DrillName: gladly.NewDrill(org), flags.DrillName: flags.NewDrill(targets, kept)}
}

// outlives lets time pass with all that it brings, restarting what stops.
func (n *night) outlives(steps int, each time.Duration) error {
	for range steps {
		time.Sleep(each)
		_, err := n.worker.Step(n.t.Context())
		if err == nil {
			err = n.worker.Settle(n.t.Context())
		}
		if n.stopped() {
			err = n.restart()
		}
		if err != nil && !errors.Is(err, errStopped) {
			return err
		}
	}
	return nil
}

// drills are two of them: one on a flag that nobody asks for, one on clicks that are read and not saved.
func drills() map[string][]string {
	return map[string][]string{
		"chat late":    {"Close Page", "Restore…", "Put everything back"},
		"voice agents": {"Show me the clicks", "I click", "All as listed", "Seen; nothing", "Restore…", "Put everything back", "I click", "Seen; nothing", "Keep"},
	}
}

// A drill that is killed anywhere ends in its result, told once, and leaves nothing behind but what somebody kept.
func TestCrashSweepOfDrills(t *testing.T) {
	stride := 9
	if os.Getenv("PROOF") != "" {
		stride = 1
	}
	for words, labels := range drills() {
		for m, mode := range modes() {
			t.Run(words+", stopped "+mode, func(t *testing.T) {
				for at, reached := 1+m, true; reached && !t.Failed(); at += stride {
					synctest.Test(t, func(t *testing.T) {
						n := newNight(t, &stops{at: at, mode: mode})
						defer n.end()
						n.tune = n.practising
						n.start()
						if err := n.drill(words, labels); err != nil {
							t.Errorf("call %d: %v", at, err)
						}
						for _, wrong := range n.nothingStays(words == "voice agents") {
							t.Errorf("call %d: %s", at, wrong)
						}
						reached = n.stops.at == -1
					})
				}
			})
		}
	}
}

// Contract 8: what was read in a drill is not called kept where somebody has said something newer, which stays.
func TestADrillKeepsNothingOverANewerWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, &stops{at: -1})
		defer n.end()
		n.tune = n.practising
		n.start()
		labels := drills()["voice agents"]
		if err := n.drill("voice agents", labels[:len(labels)-1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		const number change.Key = "gladly/voice/+16505550101/initial-ivr"
		kept := store.Flow{Store: n.file}
		newer := change.Word{Value: change.Value{Raw: []byte("Snow day"), Text: "Snow day"}, By: "@sam", At: time.Now()}
		if err := kept.Save(t.Context(), flow.Save{Words: map[change.Key]change.Word{number: newer}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		n.presses("ana", n.button("Keep"), nil)
		n.shows("Not kept, because of a newer word: +1 650 555 0101 Orders, Initial IVR (Snow day, said @sam")
		said, err := kept.Words(t.Context(), []change.Key{number})
		if got := said[number].Value.Text; got != "Snow day" || err != nil {
			t.Errorf("said is %q, %v; want the newer word", got, err)
		}
		all, err := kept.All(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("outages: %v, %v", all, err)
		}
		if last := all[0].Timeline[len(all[0].Timeline)-1]; last.What != "kept" || last.Text != all[0].Told.Kept {
			t.Errorf("the timeline says %q, want %q", last.Text, all[0].Told.Kept)
		}
		if log, err := kept.Log(t.Context(), "ready:all"); len(log) > 0 || err != nil {
			t.Errorf("the log of what people said has %s, %v; want nothing of what was not kept", log, err)
		}
	})
}

func (n *night) drill(words string, labels []string) error {
	if err := n.surely(n.event("d0", "ana", flow.Command{Words: append([]string{"drill"}, strings.Fields(words)...)})); err != nil {
		return err
	}
	for i, label := range labels {
		action, ok := n.screen.find(label)
		if !ok {
			return fmt.Errorf("no button %q on any card: %q", label, titles(n.screen.cards))
		}
		if err := n.surely(n.event(fmt.Sprintf("d%d", i+1), "ana", flow.Press{Action: action})); err != nil {
			return err
		}
	}
	return n.outlives(6, time.Minute)
}

// nothingStays lists what is left of a drill that should not be.
func (n *night) nothingStays(kept bool) []string {
	var out []string
	results := 0
	for id := range n.screen.posts { // a platform that cannot be asked may show one message twice; it is one
		if strings.HasSuffix(id, "/result") {
			results++
		}
		if strings.HasPrefix(id, "terminal/#") {
			out = append(out, "others were told: "+id)
		}
	}
	if results != 1 {
		out = append(out, fmt.Sprintf("the result was told %d times, want once", results))
	}
	ctx := n.t.Context()
	all, err := store.Flow{Store: n.file}.All(ctx)
	if err != nil || len(all) != 1 || all[0].Ended == nil || !all[0].Drill {
		out = append(out, fmt.Sprintf("drills = %+v (%v), want one that ended", all, err))
	}
	for _, prefix := range []string{"lock:", "left:", "said:", "said:drill", "flag:flag/"} {
		keys, err := n.file.List(ctx, prefix)
		if err != nil || len(keys) > 0 && (prefix != "said:" || !kept) {
			out = append(out, fmt.Sprintf("%s stays: %v (%v)", prefix, keys, err))
		}
	}
	words, err := store.Flow{Store: n.file}.Words(ctx, []change.Key{"gladly/voice/+16505550101/initial-ivr"})
	if w := words["gladly/voice/+16505550101/initial-ivr"]; err != nil || kept && (w.Value.Text != "Main menu" || w.By != "@ana") {
		out = append(out, fmt.Sprintf("kept is %+v (%v), want what @ana read", w, err))
	}
	up, err := store.Flow{Store: n.file}.Upkeep(ctx)
	if err != nil {
		return append(out, err.Error())
	}
	entries, err := store.Flow{Store: n.file}.Log(ctx, "ready:all")
	if err != nil {
		return append(out, err.Error())
	}
	return append(out, flow.ReadChain(entries, up.Value.Head).Problems...)
}

// A month after its start somebody is reminded once of what is not ready, and a month later again, wherever the process
// is killed meanwhile.
func TestCrashSweepOfTheMonthlyReminder(t *testing.T) {
	for _, mode := range modes() {
		for at, reached := 1, true; reached && !t.Failed(); at++ {
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, &stops{at: at, mode: mode})
				defer n.end()
				n.tune = n.practising
				n.start()
				for n.service.Watch(t.Context()) != nil {
					if err := n.restart(); err != nil {
						t.Fatalf("call %d: %v", at, err)
					}
				}
				for month := 1; month <= 2; month++ {
					if err := n.outlives(32, 24*time.Hour); err != nil {
						t.Fatalf("stopped %s %d: %v", mode, at, err)
					}
					if got := n.screen.reminders(); got != month {
						t.Errorf("stopped %s call %d: after %d months %d reminders: %q", mode, at, month, got, titles(n.screen.cards))
					}
				}
				reached = n.stops.at == -1
			})
		}
	}
}

// R50: a reminder whose timer was lost is given when somebody looks again, once; the next comes a month later.
func TestTheMonthlyReminderOutlivesItsTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, &stops{at: -1})
		defer n.end()
		n.tune = n.practising
		n.start()
		looks := func(days, want int) {
			t.Helper()
			if err := n.service.Watch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := n.outlives(days, 24*time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := n.screen.reminders(); got != want {
				t.Errorf("on %s there were %d reminders, want %d", time.Now().Format(time.DateOnly), got, want)
			}
		}
		looks(1, 0)
		if _, err := n.file.Commit(t.Context(), store.Commit{Timers: []store.Timer{{ID: "ready/all/monthly"}}}); err != nil {
			t.Fatal(err)
		}
		looks(32, 0)
		looks(2, 1)
		looks(27, 1)
		looks(3, 2)
	})
}

// reminders counts the monthly ones.
func (s *screen) reminders() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := 0
	for id := range s.posts {
		if _, message, _ := strings.Cut(id, " "); strings.HasPrefix(message, "ready/") {
			out++
		}
	}
	return out
}

// Two processes over one store: each press of a drill comes to both and counts once, and one of them reminds.
func TestTwoProcessesDrillAndRemindOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stops{at: -1}
		one := newNight(t, s)
		one.tune = one.practising
		one.start()
		defer one.end()
		two := nightOn(t, s, func(*testing.T) store.Store { return one.file })
		two.screen = one.screen
		two.tune = two.practising
		two.start()
		defer two.service.Wait()
		both := func(do func(n *night) error) {
			t.Helper()
			var work sync.WaitGroup
			for _, n := range []*night{one, two} {
				work.Go(func() {
					if err := do(n); err != nil {
						t.Error(err)
					}
				})
			}
			work.Wait()
		}
		both(func(n *night) error { return n.service.Watch(t.Context()) })
		deliver := func(e flow.Event) { both(func(n *night) error { return n.deliver(e) }) }
		deliver(one.event("d0", "ana", flow.Command{Words: []string{"drill", "voice", "agents"}}))
		for i, label := range drills()["voice agents"] {
			action, ok := one.screen.find(label)
			if !ok {
				t.Fatalf("no button %q on any card: %q", label, titles(one.screen.cards))
			}
			deliver(one.event(fmt.Sprintf("d%d", i+1), "ana", flow.Press{Action: action}))
		}
		for _, wrong := range one.nothingStays(true) {
			t.Error(wrong)
		}
		for month := 1; month <= 2; month++ {
			both(func(n *night) error { return n.outlives(32, 24*time.Hour) })
			if got := one.screen.reminders(); got != month {
				t.Errorf("after %d months %d reminders", month, got)
			}
		}
	})
}
