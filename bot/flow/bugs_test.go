package flow_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/handlers/flags"
	"switchback/store"
)

// bug is a fault planted into what surrounds flow in these tests: the store under it, what it is handed, the policy. Flow
// itself has no such switches. A test that stays green with its bug would prove nothing.
type bug string

const (
	noBug          bug = ""
	countedTwice   bug = "a press counted twice"
	alwaysFresh    bug = "a confirm that ignores how old its preview is"
	lateAccepted   bug = "a late press on an old state accepted"
	anyRole        bug = "the role not checked at the press"
	baselineLate   bug = "the value before recorded after the click"
	noLock         bug = "the lock not taken"
	noCopy         bug = "the copy of the values from before not posted"
	workForgotten  bug = "the timer of work lost at the commit"
	remindersLost  bug = "the timers of reminders lost at the commit"
	outcomeGuessed bug = "an unknown outcome taken for done"

	// These only random histories are asked to find.
	oldReading    bug = "what was set taken for what is there"
	noIntent      bug = "a write not announced"
	beforeIsOurs  bug = "the outage's own value taken for the value before"
	questionLost  bug = "a question not posted"
	entryLost     bug = "an entry of the audit log lost"
	neverOld      bug = "a claim that never grows old"
	lockKept      bug = "a lock not given back"
	answerForAnew bug = "a commit asked for again with another nonce"
	accountsApart bug = "two accounts of one person taken for two people"
	drillWrites   bug = "a drill that sets what is real too"
)

// under is the store that flow's is made of.
func (b bug) under(s store.Store) store.Store {
	switch b {
	case countedTwice, workForgotten, remindersLost, entryLost, answerForAnew, neverOld:
		return badCommits{s, b}
	default:
		return s
	}
}

// over is flow's store.
func (b bug) over(s flow.Store) flow.Store {
	switch b {
	case alwaysFresh, baselineLate, noLock, noCopy, outcomeGuessed, noIntent, beforeIsOurs, questionLost, lockKept:
		return &badSaves{Store: s, bug: b, mu: &sync.Mutex{}, before: map[change.Key]*change.Baseline{}, intents: map[change.Key]bool{}}
	default:
		return s
	}
}

// beside is a platform.
func (b bug) beside(p change.Platform) change.Platform {
	if b == oldReading {
		return &badReads{Platform: p, set: map[change.Key]change.Value{}}
	}
	return p
}

// practice is a platform to practise on, which stands for a real one.
func (b bug) practice(p, real *flags.Platform) change.Platform {
	if b == drillWrites {
		return badDrills{p, real}
	}
	return p
}

type badDrills struct {
	*flags.Platform
	real *flags.Platform
}

func (p badDrills) Write(ctx context.Context, k change.Key, want, was change.Value) error {
	_ = p.real.Write(ctx, change.Key(strings.Replace(string(k), flags.DrillName, flags.Name, 1)), want, was)
	return p.Platform.Write(ctx, k, want, was)
}

// badReads is a platform that is read once after each write, and then no more.
type badReads struct {
	change.Platform
	mu  sync.Mutex
	set map[change.Key]change.Value
}

func (p *badReads) Read(ctx context.Context, k change.Key) (change.Value, error) {
	p.mu.Lock()
	v, ok := p.set[k]
	p.mu.Unlock()
	if ok {
		return v, nil
	}
	return p.Platform.Read(ctx, k)
}

func (p *badReads) Write(ctx context.Context, k change.Key, want, was change.Value) error {
	err := p.Platform.Write(ctx, k, want, was)
	if err == nil {
		p.mu.Lock()
		p.set[k] = want
		p.mu.Unlock()
	}
	return err
}

// lease is how long flow believes that a claim lasts.
func (b bug) lease(d time.Duration) time.Duration {
	if b == neverOld {
		return 1000 * time.Hour
	}
	return d
}

// late is a press on an old card as it comes in.
func (b bug) late(w *stage, a flow.Action) flow.Action {
	if b != lateAccepted {
		return a
	}
	for _, c := range w.screen {
		for _, button := range c.card.Buttons {
			if now, err := flow.DecodeAction(button.Action); err == nil && now.Verb == a.Verb && now.Outage == a.Outage && now.Arg == a.Arg {
				return now
			}
		}
	}
	return a
}

func (b bug) policy(p flow.Policy) flow.Policy {
	if b == anyRole {
		p.Responders = append(slices.Clone(p.Responders), "lee")
	}
	if b == accountsApart {
		p.People[0].Slack = ""
		p.People, p.Responders = append(p.People, flow.Someone{Name: "ana.b", Slack: "U1"}), append(slices.Clone(p.Responders), "ana.b")
	}
	return p
}

// pressed is a press as it comes in.
func (b bug) pressed(n *night, a flow.Action) flow.Action {
	if b == lateAccepted {
		for _, c := range n.screen.cards {
			for _, button := range c.Buttons {
				if now, err := flow.DecodeAction(button.Action); err == nil && now.Verb == a.Verb && now.Outage == a.Outage && now.Arg == a.Arg {
					return now
				}
			}
		}
	}
	return a
}

type badCommits struct {
	store.Store
	bug bug
}

func (s badCommits) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if s.bug == countedTwice {
		c.Op, c.Nonce, c.OpLife = "", "", 0
	}
	if s.bug == answerForAnew && c.Op != "" {
		c.Nonce = store.NewNonce()
	}
	if s.bug == neverOld && c.Lease != nil && c.Lease.Extend > 0 {
		l := *c.Lease
		l.Extend = flow.ClaimFor
		c.Lease = &l
	}
	if s.bug == entryLost && len(c.Audit) > 1 {
		c.Audit = c.Audit[1:]
	}
	lost := map[bug]string{workForgotten: "work/", remindersLost: "outage/"}[s.bug]
	c.Timers = slices.DeleteFunc(slices.Clone(c.Timers), func(t store.Timer) bool {
		return lost != "" && !t.At.IsZero() && strings.HasPrefix(t.ID, lost)
	})
	return s.Store.Commit(ctx, c)
}

type badSaves struct {
	flow.Store
	bug     bug
	mu      *sync.Mutex
	before  map[change.Key]*change.Baseline // not in the store yet
	intents map[change.Key]bool             // nor these
}

func (s *badSaves) Near(ctx context.Context, a flow.Ahead, open []string) (flow.Store, []string, error) {
	near, open, err := s.Store.Near(ctx, a, open)
	return &badSaves{Store: near, bug: s.bug, mu: s.mu, before: s.before, intents: s.intents}, open, err
}

func (s *badSaves) Walk(ctx context.Context, id string) (flow.Doc[flow.Walk], error) {
	w, err := s.Store.Walk(ctx, id)
	if s.bug == alwaysFresh {
		w.Value.ShownAt = time.Now()
	}
	return w, err
}

func (s *badSaves) Outage(ctx context.Context, id string) (flow.Doc[flow.Outage], flow.Doc[change.Record], error) {
	o, r, err := s.Store.Outage(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Value.Steps = slices.Clone(r.Value.Steps)
	for i, st := range r.Value.Steps {
		if b := s.before[st.Key]; b != nil && st.Before == nil {
			r.Value.Steps[i].Before = b
		}
		if s.intents[st.Key] && st.State == change.Recorded {
			r.Value.Steps[i].State = change.Intent
		}
	}
	return o, r, err
}

func (s *badSaves) Save(ctx context.Context, what flow.Save) error {
	switch s.bug {
	case noLock:
		what.Lock = nil
	case lockKept:
		what.Free = nil
	case questionLost:
		what.Posts = slices.DeleteFunc(slices.Clone(what.Posts), func(p flow.Post) bool { return strings.Contains(p.Message, "/ask/") })
	case noCopy:
		what.Posts = slices.DeleteFunc(slices.Clone(what.Posts), func(p flow.Post) bool { return strings.Contains(p.Message, "/before/") })
	case baselineLate, outcomeGuessed, noIntent, beforeIsOurs:
		what = s.spoil(what)
	default:
	}
	return s.Store.Save(ctx, what)
}

// spoil changes the steps of what is saved.
func (s *badSaves) spoil(what flow.Save) flow.Save {
	if what.Record == nil {
		return what
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := *what.Record
	r.Value.Steps = slices.Clone(r.Value.Steps)
	for i, st := range r.Value.Steps {
		switch {
		case s.bug == baselineLate && (st.State == change.Recorded || st.State == change.Intent):
			s.before[st.Key], r.Value.Steps[i].Before = st.Before, nil
		case s.bug == noIntent && st.State == change.Intent && st.Way != change.Guided:
			s.intents[st.Key], r.Value.Steps[i].State = true, change.Recorded
		case s.bug == beforeIsOurs && st.State == change.Recorded && st.Before != nil:
			r.Value.Steps[i].Before = &change.Baseline{Value: st.Want, By: st.Before.By, At: st.Before.At}
		case s.bug == outcomeGuessed && st.State == change.Unknown && !st.Back:
			r.Value.Steps[i].State, r.Value.Steps[i].Set = change.IsSet, &st.Want
		}
	}
	what.Record = &r
	return what
}

// harness plays something with a bug planted, and lists what is wrong afterwards.
type harness func(n *night) []string

// sweeping is the crash sweep with large strides, until something is wrong.
func sweeping(t *testing.T, name string, b bug) []string {
	t.Helper()
	all := ways()
	w := all[slices.IndexFunc(all, func(w way) bool { return w.name == name })]
	var wrong []string
	for at, reached := 1, true; reached && wrong == nil; at += 13 {
		synctest.Test(t, func(t *testing.T) {
			n := newNight(t, &stops{at: at, mode: "after, unanswered"})
			n.bug = b
			if err := n.outage(w, true); err != nil {
				wrong = append(wrong, fmt.Sprintf("call %d: %v", at, err))
			}
			for _, v := range n.verdict() {
				wrong = append(wrong, fmt.Sprintf("call %d: %s", at, v))
			}
			reached = n.stops.at == -1
			n.end()
		})
	}
	return wrong
}

// once delivers the same event again, hours later.
func once(n *night) []string {
	n.types("ana", "chat late")
	n.presses("ana", n.button("Close"), nil)
	e := n.event("same", "ana", flow.Command{Words: []string{"note", "the carrier was called"}})
	for range 2 {
		if err := n.deliver(e); err != nil {
			return []string{err.Error()}
		}
	}
	open, err := store.Flow{Store: n.file}.Open(n.t.Context())
	if err != nil || len(open) != 1 {
		return []string{fmt.Sprintf("open = %d, %v", len(open), err)}
	}
	notes := 0
	for _, l := range open[0].Timeline {
		if l.What == "note" {
			notes++
		}
	}
	if notes != 1 {
		return []string{fmt.Sprintf("the note stands there %d times", notes)}
	}
	return nil
}

// unwritten wants that nothing was set.
func (n *night) unwritten() []string {
	if w := n.written(); w != 0 {
		return []string{fmt.Sprintf("%d settings were written", w)}
	}
	return nil
}

func oldConfirm(n *night) []string {
	n.types("ana", "chat late")
	confirm := n.button("Close")
	time.Sleep(11 * time.Minute)
	n.presses("ana", n.bug.pressed(n, confirm), nil)
	return n.unwritten()
}

func noResponder(n *night) []string {
	n.types("lee", "chat late")
	n.presses("lee", n.button("Close"), nil)
	return n.unwritten()
}

func extendedTwice(n *night) []string {
	n.types("ana", "chat late")
	n.presses("ana", n.button("Close"), nil)
	more := n.button("One hour more")
	n.presses("ana", n.bug.pressed(n, more), nil)
	n.presses("sam", n.bug.pressed(n, more), nil)
	open, err := store.Flow{Store: n.file}.Open(n.t.Context())
	if err != nil || len(open) != 1 || open[0].Deadline.Sub(open[0].Began) != 5*time.Hour {
		return []string{fmt.Sprintf("open = %+v, %v; want one with a deadline after 5 h", open, err)}
	}
	return nil
}

// previews are the confirms of several people who look at the same branch.
func (n *night) previews(people ...string) map[string]flow.Action {
	n.t.Helper()
	confirm := map[string]flow.Action{}
	for _, who := range people {
		n.types(who, "chat late")
		for id, c := range n.screen.cards {
			if strings.HasPrefix(id, "terminal/terminal:"+who) && len(c.Buttons) > 0 {
				confirm[who], _ = flow.DecodeAction(c.Buttons[0].Action)
			}
		}
	}
	return confirm
}

func confirmedByTwo(n *night) []string {
	for who, a := range n.previews("ana", "sam") {
		if _, err := n.service.Accept(n.t.Context(), n.event("by-"+who, who, flow.Press{Action: a})); err != nil {
			return []string{err.Error()}
		}
	}
	if err := n.worker.Settle(n.t.Context()); err != nil {
		return []string{err.Error()}
	}
	if open, err := (store.Flow{Store: n.file}).Open(n.t.Context()); err != nil || len(open) != 1 {
		return []string{fmt.Sprintf("%d outages are open (%v), want 1", len(open), err)}
	}
	return nil
}

func remindedAtTheDeadline(n *night) []string {
	n.types("ana", "chat late")
	n.presses("ana", n.button("Close"), nil)
	time.Sleep(4*time.Hour + time.Second)
	if err := n.worker.Settle(n.t.Context()); err != nil {
		return []string{err.Error()}
	}
	for _, c := range n.screen.cards {
		if text := strings.Join(c.Text, " "); strings.Contains(text, "Can it be restored?") || strings.Contains(text, "nobody decided") {
			return nil
		}
	}
	return []string{fmt.Sprintf("nobody was asked at the deadline: %q", titles(n.screen.cards))}
}

// Every bug turns its harness red, which is green without it.
func TestPlantedBugsTurnTheHarnessRed(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector finds nothing more in it")
	}
	for b, play := range map[bug]harness{
		countedTwice: once, alwaysFresh: oldConfirm, lateAccepted: extendedTwice, anyRole: noResponder, noLock: confirmedByTwo,
		remindersLost: remindedAtTheDeadline,
	} {
		t.Run(string(b), func(t *testing.T) {
			judge(t, func(t *testing.T, b bug) (wrong []string) {
				t.Helper()
				synctest.Test(t, func(t *testing.T) {
					n := newNight(t, &stops{at: -1})
					n.bug = b
					n.start()
					wrong = play(n)
					n.end()
				})
				return wrong
			}, b)
		})
	}
	for b, name := range map[bug]string{
		baselineLate: "the bot, a page and a person", noCopy: "the bot, a page and a person", workForgotten: "all by the bot",
		outcomeGuessed: "a person leaves after the click and before Saved",
	} {
		t.Run(string(b), func(t *testing.T) {
			judge(t, func(t *testing.T, b bug) []string { t.Helper(); return sweeping(t, name, b) }, b)
		})
	}
}

func judge(t *testing.T, play func(t *testing.T, b bug) []string, b bug) {
	t.Helper()
	if wrong := play(t, noBug); len(wrong) > 0 {
		t.Errorf("without the bug: %q", wrong)
	}
	wrong := play(t, b)
	if len(wrong) == 0 {
		t.Fatal("nothing noticed the bug")
	}
	t.Logf("first seen: %s", wrong[0])
}
