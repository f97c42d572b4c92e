package flow_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/handlers/flags"
	"switchback/store"
)

var errStopped = errors.New("the world has stopped")

// stops is the point at which everything stops: at the n-th call, before it, after it, or after it with its answer lost.
type stops struct {
	mu      sync.Mutex
	calls   int
	at      int
	mode    string
	stopped bool
}

func modes() []string { return []string{"before", "after", "after, unanswered"} }

func (s *stops) call(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errStopped
	}
	s.calls++
	if s.calls != s.at {
		return f()
	}
	s.stopped = true
	if s.mode == "before" {
		return errStopped
	}
	if err := f(); s.mode != "after, unanswered" {
		return err
	}
	return errStopped
}

// stoppable is a store whose commits count as calls. Reads fail once the world has stopped.
type stoppable struct {
	store.Store
	stops *stops
}

func (s stoppable) Commit(ctx context.Context, c store.Commit) (n uint64, err error) {
	err = s.stops.call(func() error { n, err = s.Store.Commit(ctx, c); return err })
	return n, err
}

func (s stoppable) Get(ctx context.Context, keys ...string) ([]store.Doc, error) {
	if s.dead() {
		return nil, errStopped
	}
	return s.Store.Get(ctx, keys...)
}

func (s stoppable) List(ctx context.Context, prefix string) ([]string, error) {
	if s.dead() {
		return nil, errStopped
	}
	return s.Store.List(ctx, prefix)
}

func (s stoppable) Claim(ctx context.Context, d time.Duration, n int) ([]store.Claim, error) {
	if s.dead() {
		return nil, errStopped
	}
	return s.Store.Claim(ctx, d, n)
}

func (s stoppable) Glance(ctx context.Context, keys []string, prefix string, guess []string) (store.Glance, error) {
	if s.dead() {
		return store.Glance{}, errStopped
	}
	if r, ok := s.Store.(*store.Redis); ok {
		return r.Glance(ctx, keys, prefix, guess)
	}
	return store.Glance{}, errors.ErrUnsupported
}

func (s stoppable) dead() bool {
	s.stops.mu.Lock()
	defer s.stops.mu.Unlock()
	return s.stops.stopped
}

// shop is a platform with two apps, and counts what is written. Before each write it lets somebody look.
type shop struct {
	*stops
	settings map[change.Key]string
	writes   map[change.Key]int
	byHand   string // the target that only a person can set; "": none
	trace    func(what string, k change.Key)
}

func newShop(s *stops) *shop {
	return &shop{stops: s, writes: map[change.Key]int{}, trace: func(string, change.Key) {}, settings: map[change.Key]string{
		"shop/one/hours": "08:00-20:00", "shop/one/message": "Hello! <b>&", "shop/two/hours": "09:00-17:00",
	}}
}

func (p *shop) Resources(context.Context) ([]change.Resource, error) {
	out := []change.Resource{
		{Key: "shop/one/hours", Action: change.CloseChat, Target: "one", Label: "One", Name: "hours", Way: change.Auto},
		{Key: "shop/one/message", Action: change.CloseChat, Target: "one", Label: "One", Name: "message", Way: change.Auto},
		{Key: "shop/two/hours", Action: change.CloseChat, Target: "two", Label: "Two", Name: "hours", Way: change.Auto},
	}
	for i, r := range out {
		if r.Target == p.byHand {
			out[i].Way = change.Guided
			out[i].Known = &change.Value{Raw: []byte(newShop(nil).settings[r.Key]), Text: newShop(nil).settings[r.Key]}
		}
	}
	return out, nil
}

func (p *shop) Plan(r change.Request) ([]change.Step, error) {
	var out []change.Step
	for _, res := range r.Resources {
		if res.Key.Platform() != "shop" || !strings.Contains(strings.Join(r.Targets, " "), res.Target) {
			continue
		}
		v := change.Value{Raw: []byte("closed"), Text: "Closed"}
		out = append(out, change.Step{Key: res.Key, Target: res.Target, Label: res.Label, Name: res.Name, Way: res.Way, Known: res.Known, Want: v, State: change.Planned})
	}
	return out, nil
}

func (p *shop) Read(_ context.Context, k change.Key) (v change.Value, err error) {
	err = p.call(func() error {
		p.trace("read", k)
		v = change.Value{Raw: []byte(p.settings[k]), Text: p.settings[k]}
		return nil
	})
	return v, err
}

func (p *shop) Write(_ context.Context, k change.Key, want, _ change.Value) error {
	return p.call(func() error {
		p.trace("write", k)
		p.settings[k] = string(want.Raw)
		p.writes[k]++
		return nil
	})
}

func (p *shop) Guide(change.Key, change.Value) change.Guide {
	return change.Guide{Screen: "Settings > Two", Path: "Settings > Two > Hours", Question: "What does it show?", Click: "Select it. Click Save."}
}

// screen is a chat platform: it keeps each message as it was shown last, and counts first posts.
type screen struct {
	*stops
	cards map[string]card.Card
	posts map[string]int
	look  func(card.Card) // before it is shown; may be nil
}

func (s *screen) Send(_ context.Context, p flow.Post, to handlers.Target) (string, error) {
	id := p.Place.Lane() + " " + p.Message
	err := s.call(func() error {
		if s.look != nil {
			s.look(p.Card)
		}
		s.cards[id] = p.Card
		if to.Ref == "" {
			s.posts[id]++
		}
		return nil
	})
	return id, err
}

// find returns the action of the first button whose label begins with one of the words.
func (s *screen) find(label string) (flow.Action, bool) {
	for _, c := range s.cards {
		for _, b := range c.Buttons {
			if strings.HasPrefix(b.Label, label) {
				a, err := flow.DecodeAction(b.Action)
				return a, err == nil
			}
		}
	}
	return flow.Action{}, false
}

// night is a whole bot that can be stopped and started again over the same folder.
type night struct {
	t       *testing.T
	dir     string
	stops   *stops
	shop    *shop
	screen  *screen
	open    func(t *testing.T) store.Store // each start
	lease   time.Duration
	page    bool               // a page asks the bot, too
	bug     bug                // planted
	tune    func(*flow.Config) // may be nil
	mu      sync.Mutex
	breach  []string              // what was done before what must come first
	trace   []string              // of each setting: commits and calls, in their order
	last    map[change.Key]string // the state of each setting in trace
	file    store.Store
	service *flow.Service
	worker  *handlers.Worker
}

// newNight is a night over the file store, not yet started.
func newNight(t *testing.T, s *stops) *night {
	t.Helper()
	n := nightOn(t, s, nil)
	n.open = func(t *testing.T) store.Store {
		t.Helper()
		f, err := store.OpenVolatile(n.dir)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return n
}

// end closes what is open, if anything is.
func (n *night) end() {
	if n.file != nil {
		n.service.Wait()
		_ = n.file.Close()
	}
}

// nightOn is a night over any store, not yet started.
func nightOn(t *testing.T, s *stops, open func(t *testing.T) store.Store) *night {
	t.Helper()
	n := &night{t: t, last: map[change.Key]string{}, dir: t.TempDir(), open: open, stops: s, shop: newShop(s), screen: &screen{stops: s, cards: map[string]card.Card{}, posts: map[string]int{}}}
	n.shop.trace, n.screen.look = n.watch, n.watchCard
	return n
}

func policy() flow.Policy {
	return flow.Policy{
		Name: "acme", Zone: "America/Los_Angeles", Responders: []string{"ana", "sam"},
		People:   []flow.Someone{{Name: "ana", Terminal: "ana"}, {Name: "sam", Terminal: "sam"}, {Name: "lee", Terminal: "lee"}},
		Channels: []flow.Route{{Terminal: "#support"}},
	}
}

func builtin(t *testing.T) tree.Tree {
	t.Helper()
	tr, err := tree.Parse("playbook.yaml", tree.Builtin(), change.Actions())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (n *night) start() {
	n.t.Helper()
	n.file = n.open(n.t)
	under := n.bug.under(stoppable{n.file, n.stops})
	kept := store.Flow{Store: under}
	platforms := change.Platforms{"shop": n.shop}
	if n.page {
		platforms[flags.Name] = watchedFlags{flags.New([]flags.Target{{Kind: flags.Chat, ID: "page", Label: "Page"}}, store.NewFlags(under)), n}
	}
	c := flow.Config{
		Store: n.bug.over(tracing{kept, n}), Policy: n.bug.policy(policy()), Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: platforms, Lease: n.lease,
	}
	if n.tune != nil {
		n.tune(&c)
	}
	n.service = flow.New(c)
	n.worker = &handlers.Worker{Timers: kept, Service: n.service, Lease: n.lease, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": n.screen})}
}

// restart is what reality does after a crash: a new process over the same folder.
func (n *night) restart() error {
	n.service.Wait()
	if err := n.file.Close(); err != nil {
		n.t.Fatal(err)
	}
	n.stops.mu.Lock()
	n.stops.stopped, n.stops.at = false, -1
	n.stops.mu.Unlock()
	n.start()
	if err := n.service.Recover(n.t.Context()); err != nil {
		return err
	}
	return n.worker.Settle(n.t.Context())
}

func (n *night) event(id, who string, what flow.What) flow.Event {
	return flow.Event{
		ID: id, At: time.Now(), By: flow.Person{Account: "terminal:" + who},
		Place: flow.Place{Platform: "terminal", Channel: "#support"}, What: what,
	}
}

// deliver hands an event in and waits until all that it caused has settled.
func (n *night) deliver(e flow.Event) error {
	done, err := n.service.Accept(n.t.Context(), e)
	if err != nil {
		return err
	}
	<-done
	return n.worker.Settle(n.t.Context())
}

// outage plays a whole way, restarting whatever stops and delivering the same press again, as a chat platform does.
// Twice presses every button a second time, by two people.
func (n *night) outage(w way, twice bool) error {
	n.shop.byHand, n.page = w.byHand, w.page
	n.start()
	if err := n.surely(n.event("e0", "ana", flow.Command{Words: []string{"chat", "late"}})); err != nil {
		return err
	}
	for i, a := range w.acts {
		action, ok := n.screen.find(a.label)
		if !ok {
			return fmt.Errorf("no button %q on any card: %q", a.label, titles(n.screen.cards))
		}
		if a.clicks != "" { // a person's hands: once, whatever happens to the press that tells of it
			n.shop.settings["shop/two/hours"] = a.clicks
		}
		press := flow.Press{Action: action}
		if a.says != "" {
			press.Action.Verb += "-send"
			press.Fields = map[string]string{"shop/two/hours": a.says}
		}
		if err := n.surely(n.event(fmt.Sprintf("e%d", i+1), a.who, press)); err != nil {
			return err
		}
		if !twice {
			continue
		}
		for _, who := range []string{"ana", "sam"} {
			if err := n.surely(n.event(fmt.Sprintf("again%d-%s", i, who), who, press)); err != nil {
				return err
			}
		}
	}
	return nil
}

// surely delivers an event again, as a chat platform does, until it is taken in.
func (n *night) surely(e flow.Event) error {
	err := n.deliver(e)
	for errors.Is(err, errStopped) {
		if err = n.restart(); err == nil {
			err = n.deliver(e)
		}
	}
	return err
}

func titles(cards map[string]card.Card) []string {
	var out []string
	for _, c := range cards {
		out = append(out, c.Title)
	}
	return out
}

// verdict lists what is wrong at the end of the night.
func (n *night) verdict() []string {
	out := slices.Clone(n.breach)
	if want := newShop(n.stops).settings; !maps.Equal(want, n.shop.settings) {
		out = append(out, fmt.Sprintf("settings = %v, want %v", n.shop.settings, want))
	}
	for k, w := range n.shop.writes {
		if w != 2 {
			out = append(out, fmt.Sprintf("%s was written %d times, want once each way", k, w))
		}
	}
	if n.page {
		if v, err := store.NewFlags(n.file).Get(n.t.Context(), pageFlag); err != nil || v != "open" {
			out = append(out, fmt.Sprintf("the page's flag = %q, %v; want open", v, err))
		}
	}
	out = append(out, n.onRecord()...)
	ended, copied := false, false
	for id, c := range n.screen.cards {
		ended = ended || strings.Contains(id, "home:") && strings.Contains(c.Title, "open again")
		copied = copied || c.Keep
	}
	if !ended {
		out = append(out, fmt.Sprintf("the home message does not say that it is over: %q", titles(n.screen.cards)))
	}
	if !copied {
		out = append(out, "no copy of the values from before came into the thread")
	}
	return out
}

// onRecord lists what is wrong in the store: one outage that ended, told of once, with a whole audit log, which holds
// nothing any more.
func (n *night) onRecord() []string {
	var out []string
	all, err := store.Flow{Store: n.file}.All(n.t.Context())
	if err != nil || len(all) != 1 || all[0].Ended == nil {
		return append(out, fmt.Sprintf("outages = %d (%v), want one that ended; on record is %q", len(all), err, n.trace))
	}
	told := map[string]int{}
	for _, l := range all[0].Timeline {
		told[l.What]++
	}
	for _, what := range []string{"begun", "restore", "ended"} {
		if told[what] > 1 { // one that was taken back from its copy has forgotten how it began
			out = append(out, fmt.Sprintf("%q is told %d times, want once", what, told[what]))
		}
	}
	held, err := n.file.List(n.t.Context(), "lock:")
	if err != nil || len(held) > 0 {
		out = append(out, fmt.Sprintf("still held: %v (%v)", held, err))
	}
	entries, err := n.file.Audit(n.t.Context(), 0, 10_000)
	if err != nil {
		return append(out, err.Error())
	}
	var log [][]byte
	for _, e := range entries {
		if e.Log == "outage:"+all[0].ID {
			log = append(log, e.Data)
		}
	}
	return append(out, flow.ReadChain(log, all[0].Head).Problems...)
}

// The three tests that decide, over everything from the typed command to the restored setting, for all ways of setting
// it: killed anywhere, nothing is lost and the card says where things stand; each press delivered again, and pressed again
// by somebody else, happens once. The short run takes some of the points.
func TestCrashSweepOverTheWholeWay(t *testing.T) {
	for _, w := range ways() {
		for _, twice := range []bool{false, true} {
			for m, mode := range modes() {
				stride := w.stride
				switch {
				case os.Getenv("PROOF") != "":
					stride = 1
				case testing.Short(): // the race detector wants some of it, at fifteen times the price
					stride *= 4
				}
				t.Run(fmt.Sprintf("%s, stopped %s, pressed twice %v", w.name, mode, twice), func(t *testing.T) {
					points := 0
					for at, reached := 1+m%stride, true; reached; at += stride {
						synctest.Test(t, func(t *testing.T) {
							n := newNight(t, &stops{at: at, mode: mode})
							if err := n.outage(w, twice); err != nil {
								t.Errorf("call %d: %v", at, err)
							}
							for _, wrong := range n.verdict() {
								t.Errorf("call %d: %s", at, wrong)
							}
							reached = n.stops.at == -1
							n.end()
						})
						if reached {
							points++
						}
						if t.Failed() {
							return
						}
					}
					t.Logf("%d points", points)
				})
			}
		}
	}
}
