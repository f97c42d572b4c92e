package flow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/store"
)

// counting is a store that counts commits.
type counting struct {
	store.Store
	n atomic.Int64
}

func (c *counting) Commit(ctx context.Context, what store.Commit) (uint64, error) {
	c.n.Add(1)
	return c.Store.Commit(ctx, what)
}

func (c *counting) Glance(ctx context.Context, keys []string, prefix string, guess []string) (store.Glance, error) {
	if r, ok := c.Store.(*store.Redis); ok {
		return r.Glance(ctx, keys, prefix, guess)
	}
	return store.Glance{}, errors.ErrUnsupported
}

// desk is a whole bot for benchmarks, over the file store as people run it: each commit waits for the disk.
type desk struct {
	b       *testing.B
	tree    tree.Tree
	store   *counting
	service *flow.Service
	worker  *handlers.Worker
	screen  *screen
	events  int
}

func newDesk(b *testing.B) *desk {
	b.Helper()
	file, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	return newDeskOn(b, file, nil)
}

// newDeskOn is a desk over any store, which it closes; without a platform, over the usual shop.
func newDeskOn(b *testing.B, st store.Store, p change.Platform) *desk {
	b.Helper()
	t, err := tree.Parse("playbook.yaml", tree.Builtin(), change.Actions())
	if err != nil {
		b.Fatal(err)
	}
	d := &desk{
		b: b, tree: t, store: &counting{Store: st},
		screen: &screen{stops: &stops{at: -1}, cards: map[string]card.Card{}, posts: map[string]int{}},
	}
	if p == nil {
		p = newShop(d.screen.stops)
	}
	kept := store.Flow{Store: d.store}
	d.service = flow.New(flow.Config{
		Store: kept, Policy: policy(), Playbook: tree.Builtin(), Tree: t, Platforms: change.Platforms{"shop": p},
	})
	d.worker = &handlers.Worker{Timers: kept, Service: d.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": d.screen})}
	b.Cleanup(func() {
		d.service.Wait()
		_ = st.Close()
	})
	return d
}

func (d *desk) event(what flow.What) flow.Event {
	d.events++
	return flow.Event{
		ID: fmt.Sprint("e", d.events), At: time.Now(), By: policy().Who("terminal:ana", false),
		Place: flow.Place{Platform: "terminal", Channel: "#support"}, What: what,
	}
}

// accept hands an event in and waits until its effects are safe.
func (d *desk) accept(what flow.What) {
	d.b.Helper()
	done, err := d.service.Accept(d.b.Context(), d.event(what))
	if err != nil {
		d.b.Fatal(err)
	}
	if _, ok := <-done; !ok {
		d.b.Fatal("the event was not decided")
	}
}

// show sends the cards that wait, while the clock stands still.
func (d *desk) show() {
	d.b.Helper()
	d.b.StopTimer()
	defer d.b.StartTimer()
	if err := d.worker.Settle(d.b.Context()); err != nil {
		d.b.Fatal(err)
	}
}

// button returns the action of a button on the screen.
func (d *desk) button(label string) flow.Action {
	d.b.Helper()
	a, ok := d.screen.find(label)
	if !ok {
		d.b.Fatalf("no button %q on any card: %q", label, titles(d.screen.cards))
	}
	return a
}

// BenchmarkStepWalk is one decision alone: a button of the first question is pressed.
func BenchmarkStepWalk(b *testing.B) {
	d := newDesk(b)
	p := policy().WithDefaults()
	begin := d.event(flow.Command{})
	w, effects, err := flow.StepWalk(p, d.tree, flow.NewWalk(d.tree, []string{d.tree.Start()}, begin), begin)
	if err != nil {
		b.Fatal(err)
	}
	i := slices.IndexFunc(effects, func(e flow.Effect) bool { _, ok := e.(flow.Show); return ok })
	if i < 0 {
		b.Fatalf("nothing is shown: %+v", effects)
	}
	a, err := flow.DecodeAction(effects[i].(flow.Show).Card.Buttons[1].Action)
	if err != nil {
		b.Fatal(err)
	}
	press := d.event(flow.Press{Action: a})
	for b.Loop() {
		next, _, err := flow.StepWalk(p, d.tree, w, press)
		if err != nil || len(next.Path) != 2 {
			b.Fatalf("StepWalk went to %q, %v", next.Path, err)
		}
	}
}

// BenchmarkPress is one press, from its arrival until its effects are safe: one commit takes it in, and one keeps what
// was decided.
func BenchmarkPress(b *testing.B) {
	d := newDesk(b)
	d.accept(flow.Command{})
	d.show()
	var presses, commits int64
	labels := []string{"Chat", "Back"} // down one question, and up again
	for b.Loop() {
		a, before := d.button(labels[presses%2]), d.store.n.Load()
		d.accept(flow.Press{Action: a})
		commits += d.store.n.Load() - before
		presses++
		d.show()
	}
	b.ReportMetric(float64(commits)/float64(presses), "commits/press")
	if commits > 2*presses {
		b.Errorf("%d presses took %d commits, want at most two each", presses, commits)
	}
}

// BenchmarkStatus500 is /outage status on the worst of all days.
func BenchmarkStatus500(b *testing.B) {
	d := newDesk(b)
	leaf, ok := d.tree.Node("sms-out")
	if !ok {
		b.Fatal("the playbook has no sms-out")
	}
	p := policy().WithDefaults()
	for i := range 500 {
		e := d.event(nil)
		w := flow.NewWalk(d.tree, d.tree.Path(leaf.ID), e)
		w.Outage = fmt.Sprintf("sms-%03d", i)
		e.What = flow.Begun{Walk: w, Leaf: leaf}
		o, _, err := flow.StepOutage(p, flow.Outage{}, change.Record{}, e)
		if err != nil {
			b.Fatal(err)
		}
		o.Timeline = slices.Repeat(o.Timeline, 20) // a long night
		if err := (store.Flow{Store: d.store}).Save(b.Context(), flow.Save{Outage: &flow.Doc[flow.Outage]{Value: o}}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		d.accept(flow.Command{Words: []string{"status"}})
		d.show()
	}
	if !slices.Contains(titles(d.screen.cards), "500 open") {
		b.Errorf("shown is %q, want 500 open", titles(d.screen.cards))
	}
}
