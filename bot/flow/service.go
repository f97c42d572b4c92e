package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/incident"
	"switchback/bot/tree"
)

const (
	// ClaimFor is how long a claim of due work lasts: a dead process' work is taken over after it.
	ClaimFor = 30 * time.Second

	takeover = 5 * time.Second  // after which work that a process took in is taken over
	ioLimit  = 25 * time.Second // for one task with the platforms
	maxGoes  = 50               // at a decision that others keep overtaking
)

// Service takes events in, lets the deciding functions decide, saves what they say in one commit, and carries it out.
// It keeps nothing itself: stopped anywhere, another process goes on.
type Service struct {
	store       Store
	policy      Policy
	tree        tree.Tree
	playbook    []byte
	platforms   change.Platforms // of the real company
	drills      change.Platforms // to practise on
	every       change.Platforms // both
	engine      change.Engine
	directories map[string]Directory
	routing     incident.Routing
	pages       Pages
	alone       bool
	link        func(ctx context.Context, outage string) (string, error)
	wake        func()
	lease       time.Duration
	far         Store // the store itself, where store is that of one decision
	*memory
}

// memory is what a Service remembers for as long as it runs. Nothing is wrong without it.
type memory struct {
	running sync.WaitGroup
	offline waiting                  // who was given the way by hand
	lost    atomic.Bool              // the store has forgotten what it had
	old     sync.Map                 // playbook version → tree.Tree, for walks begun before it was edited
	open    atomic.Pointer[[]string] // the outages that were open when somebody looked last
	kept    atomic.Bool              // the playbook's bytes are in the store
}

// Config is what a Service needs. Wake is called when a timer may be due now; it may be nil.
type Config struct {
	Store       Store
	Policy      Policy
	Playbook    []byte // the bytes that Tree was parsed from
	Tree        tree.Tree
	Platforms   change.Platforms
	Drills      change.Platforms                                         // to practise on, under other names; nil: nobody can
	Directories map[string]Directory                                     // by chat platform; one without has only the people of the policy
	Routing     incident.Routing                                         // the status pages, and whom they concern
	Pages       Pages                                                    // reads them; nil: nobody does
	Alone       bool                                                     // no other process uses the store: reads of pages that nobody answered are begun again at once
	Link        func(ctx context.Context, outage string) (string, error) // to the page that shows an open outage; nil: there is none
	Wake        func()
	Lease       time.Duration // how long a claim lasts, extended by each save; 0 means ClaimFor
}

// New returns a Service. The policy gets its defaults.
func New(c Config) *Service {
	if c.Wake == nil {
		c.Wake = func() {}
	}
	if c.Lease == 0 {
		c.Lease = ClaimFor
	}
	every := maps.Clone(c.Drills)
	if every == nil {
		every = change.Platforms{}
	}
	maps.Copy(every, c.Platforms)
	return &Service{
		store: c.Store, far: c.Store, memory: &memory{}, policy: c.Policy.WithDefaults(), tree: c.Tree, playbook: c.Playbook,
		directories: c.Directories, routing: c.Routing, pages: c.Pages, alone: c.Alone, link: c.Link, platforms: c.Platforms, drills: c.Drills, every: every, engine: change.Engine{Platforms: every}, wake: c.Wake, lease: c.Lease,
	}
}

// Reply is what the surface that sent an event may show at once.
type Reply struct {
	Form  *card.Card // not nil: open this form for the person who pressed
	Shown []Post     // what the outbox is about to send: a surface may show it to the person before
}

// Accept takes an event in: when it returns without error, the event is safe, and goes on even if this process stops.
// An event that was taken in before is no error. The channel gives one Reply when the event has been decided; nobody
// needs to wait for it.
func (s *Service) Accept(ctx context.Context, e Event) (<-chan Reply, error) {
	done := make(chan Reply, 1)
	w := Work{ID: e.ID, Event: &e, After: e.At.Add(takeover)}
	err := s.store.Save(ctx, Save{Op: "in/" + e.ID, Work: []Work{w}})
	if errors.Is(err, ErrReplayed) {
		close(done)
		return done, nil
	}
	if err != nil {
		if errors.Is(err, ErrLost) {
			s.lost.Store(true)
		}
		return nil, fmt.Errorf("take in %s: %w", e.ID, err)
	}
	ctx = context.WithoutCancel(ctx)
	s.running.Go(func() {
		defer close(done)
		if reply, err := s.taken(ctx, e); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("event", e.ID).Msg("will be taken up again")
		} else {
			done <- reply
		}
	})
	return done, nil
}

// Recover takes up what a stopped process had taken in. It is harmless while others work.
func (s *Service) Recover(ctx context.Context) error {
	ids, err := s.store.Pending(ctx)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	for _, id := range ids {
		if strings.HasPrefix(id, drivePrefix) { // needs a lease: its timer is due
			continue
		}
		if w, err := s.store.Work(ctx, id); !s.alone && err == nil && w.Value.Task != nil && w.Value.Task.Page != "" {
			continue // somebody may be reading: one read at a time, its timer takes it over
		}
		if err := s.work(ctx, id, nil); err != nil { // its timer brings it back; the others go on
			zerolog.Ctx(ctx).Error().Err(err).Str("work", id).Msg("will be taken up again")
		}
	}
	return nil
}

// Wait returns when all that this process took in has been decided or given up.
func (s *Service) Wait() { s.running.Wait() }

// Due carries out a timer that was claimed. Timers of others are not touched, and reported as false.
func (s *Service) Due(ctx context.Context, c Claim) (bool, error) {
	if id, ok := strings.CutPrefix(c.ID, workTimers); ok {
		if outage, ok := strings.CutPrefix(id, drivePrefix); ok {
			return true, s.drive(ctx, outage, c)
		}
		return true, s.work(ctx, id, &c)
	}
	if id, ok := strings.CutPrefix(c.ID, draftTimers); ok {
		return true, s.store.Save(ctx, Save{Lease: &Lease{Timer: c.ID, Token: c.Token}, Timers: []Timer{{ID: c.ID}}, Dropped: id})
	}
	kind, doc, name := splitTimer(c.ID)
	if !slices.Contains([]string{walkTimers, outageTimers, pageTimers, readyTimers}, kind) {
		return false, nil
	}
	e := Event{ID: fmt.Sprintf("%s@%d", c.ID, c.At.UnixMilli()), At: time.Now(), What: Due{Timer: name}}
	to := subject{walk: doc}
	switch kind {
	case outageTimers:
		to = subject{outage: doc}
	case pageTimers:
		to = subject{page: doc}
	case readyTimers:
		to = subject{ready: true}
	}
	_, err := s.decide(ctx, e, to, Doc[Work]{}, &c, nil)
	return true, err
}

// work does one piece of work for which no surface waits, and what follows from it at once. c is the claim of its timer;
// nil: it was not claimed. A timer that outlived its work is removed.
func (s *Service) work(ctx context.Context, id string, c *Claim) error {
	w, err := s.store.Work(ctx, id)
	if err != nil {
		return fmt.Errorf("load work %s: %w", id, err)
	}
	_, err = s.carryOut(ctx, id, w, c, time.Time{}, nil)
	return err
}

// taken does the work of an event that this process has just taken in: what it will look at is known already.
func (s *Service) taken(ctx context.Context, e Event) (Reply, error) {
	at, err := s.near(ctx, e, subjectOf(e), e.ID)
	if err != nil {
		return Reply{}, err
	}
	w, err := at.store.Work(ctx, e.ID)
	if err != nil {
		return Reply{}, fmt.Errorf("load work %s: %w", e.ID, err)
	}
	return s.carryOut(ctx, e.ID, w, nil, e.Until, at)
}

// near is the Service for one decision: its store has at hand what the decision will look at.
func (s *Service) near(ctx context.Context, e Event, to subject, work string) (*Service, error) {
	a := Ahead{Work: work, Walk: to.walk, Outage: to.outage}
	if e.By.Account != "" {
		a.Person = s.policy.Who(e.By.Account, e.By.Member).ID
	}
	if s.pages != nil {
		for _, p := range s.routing.Pages {
			a.Pages = append(a.Pages, p.ID)
		}
	}
	var open []string
	if last := s.open.Load(); last != nil {
		open = *last
	}
	st, open, err := s.far.Near(ctx, a, open)
	if err != nil {
		return nil, fmt.Errorf("look into the store: %w", err)
	}
	s.open.Store(&open)
	at := *s
	at.store = st
	return &at, nil
}

// carryOut does a piece of work. A surface waits until then to open a form; zero: none does. at is the Service for its
// first decision; nil: one is made.
func (s *Service) carryOut(ctx context.Context, id string, w Doc[Work], c *Claim, until time.Time, at *Service) (Reply, error) {
	switch {
	case w.Version == 0:
		if c == nil {
			return Reply{}, nil
		}
		return Reply{}, s.store.Save(ctx, Save{Lease: &Lease{Timer: c.ID, Token: c.Token}, Timers: []Timer{{ID: c.ID}}})
	case w.Value.Task != nil:
		e := s.find(ctx, id, *w.Value.Task)
		return s.decide(ctx, e, subject{walk: w.Value.Task.Walk, outage: w.Value.Task.Outage, page: w.Value.Task.Page}, w, nil, nil)
	case w.Value.Event != nil:
		e := *w.Value.Event
		e.Until = until
		return s.decide(ctx, e, subjectOf(e), w, nil, at)
	}
	return Reply{}, fmt.Errorf("work %s says nothing", id)
}

// find asks the platforms what a task wants to know. What cannot be found out is part of the answer, and so is when
// it was asked. The event is as old as the answer: a process that was away meanwhile is noticed.
func (s *Service) find(ctx context.Context, id string, t Task) Event {
	ctx, cancel := context.WithTimeout(ctx, ioLimit)
	defer cancel()
	e := Event{ID: id, By: t.By, Place: t.Place, Reply: t.Reply}
	switch {
	case t.Page != "":
		e.What = PageRead{Page: t.Page, Why: "reading it went wrong"}
		surely(ctx, func() { e.What = s.readPage(ctx, t) })
	case t.List != nil:
		c := Catalogue{Error: "listing the settings went wrong; the operator's log has the reason"}
		surely(ctx, func() { c = s.list(ctx, *t.List) })
		c.Asked = t.List.Asked
		e.What = c
	default:
		e.What = s.read(ctx, t)
	}
	e.At = time.Now()
	return e
}

// surely does what may meet anything from outside. A panic is logged, and never takes the process down: the work lies in
// the store, and would take the next one down as well.
func surely(ctx context.Context, do func()) {
	defer func() {
		if p := recover(); p != nil {
			zerolog.Ctx(ctx).Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("set aside")
		}
	}()
	do()
}

func (s *Service) list(ctx context.Context, l List) Catalogue {
	var c Catalogue
	platforms := s.platforms
	if l.Drill {
		platforms = s.drills
	}
	for _, name := range slices.Sorted(maps.Keys(platforms)) {
		p := platforms[name]
		all, err := p.Resources(ctx)
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Str("platform", name).Msg("settings cannot be listed")
			return Catalogue{Error: "the settings cannot be listed (" + err.Error() + ")"}
		}
		all, said := s.known(ctx, all)
		c.Resources = append(c.Resources, all...)
		for _, action := range l.Actions {
			mine := l.Targets[:0:0]
			for _, r := range all {
				if r.Action == action && (len(l.Targets) == 0 || slices.Contains(l.Targets, r.Target)) {
					mine = append(mine, r.Target)
				}
			}
			if len(mine) == 0 {
				continue
			}
			steps, err := p.Plan(change.Request{
				Action: action, Targets: mine, ByHand: l.ByHand, Inputs: l.Inputs, From: l.From, Until: l.Until,
				Zone: s.policy.Location(), Resources: all,
			})
			if err != nil {
				return Catalogue{Error: "no plan can be made (" + err.Error() + ")"}
			}
			for i, st := range steps {
				steps[i].Action = action
				if w, ok := said[st.Key]; ok {
					steps[i].Source = &w
				}
			}
			c.Plan = append(c.Plan, steps...)
		}
	}
	if !l.Drill { // nobody is sent to it
		c.Menus = s.unpublished(ctx, menusOf(c.Plan))
	}
	return c
}

// unpublished are those phone menus of which nobody ever said that they are published. Where that cannot be found out,
// it is asked.
func (s *Service) unpublished(ctx context.Context, menus []string) []string {
	keys := make([]change.Key, len(menus))
	for i, m := range menus {
		keys[i] = ivrKey(m)
	}
	said, err := s.store.Words(ctx, keys)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("what people said of phone menus cannot be read")
	}
	return slices.DeleteFunc(menus, func(m string) bool { return saidPublished(said, m) })
}

// known puts what people said of peace time since in place of what the organisation document says, and returns their
// words. Known values are a help: where they cannot be had, the document's are offered.
func (s *Service) known(ctx context.Context, all []change.Resource) ([]change.Resource, map[change.Key]change.Word) {
	var keys []change.Key
	for _, r := range all {
		if r.Way == change.Guided {
			keys = append(keys, realKey(r.Key))
		}
	}
	words, err := s.store.Words(ctx, keys)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("what people said of peace time cannot be read")
		return all, nil
	}
	all = slices.Clone(all)
	said := map[change.Key]change.Word{}
	for i, r := range all {
		if w, ok := words[realKey(r.Key)]; ok && r.Way == change.Guided && w.Newer(r.Known) {
			all[i].Known, said[r.Key] = &w.Value, w
		}
	}
	return all, said
}

// realKey is the setting that people look at: in a drill too.
func realKey(k change.Key) change.Key {
	if known, ok := k.Real(); ok {
		return known
	}
	return k
}

func (s *Service) read(ctx context.Context, t Task) Readings {
	r := Readings{For: t.Read.For, At: time.Now(), Asked: t.Read.Asked, By: t.By, Place: t.Place, Values: map[change.Key]change.Value{}, Errors: map[change.Key]string{}}
	for _, k := range t.Read.Keys {
		p, err := s.every.For(k)
		if err == nil {
			var v change.Value
			err = errors.New("reading it went wrong")
			surely(ctx, func() { v, err = p.Read(ctx, k) })
			if err == nil {
				r.Values[k] = v
				continue
			}
		}
		zerolog.Ctx(ctx).Warn().Err(err).Str("key", string(k)).Msg("cannot be read")
		r.Errors[k] = err.Error()
	}
	return r
}
