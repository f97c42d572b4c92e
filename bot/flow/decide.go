package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// subject is the document that an event speaks to; empty where only the words of a command can tell.
type subject struct {
	walk, outage, page string
	ready              bool // the monthly look at what is ready
}

func subjectOf(e Event) subject {
	switch what := e.What.(type) {
	case Press:
		page, _, _ := strings.Cut(what.Action.Incident, "/")
		return subject{walk: what.Action.Walk, outage: what.Action.Outage, page: page}
	case Stepped:
		return subject{outage: what.Outage}
	case PageSaid:
		return subject{outage: what.Outage}
	case Noticed:
		return subject{page: what.Page}
	case Look:
		return subject{page: what.Page}
	case PageRead:
		return subject{page: what.Page}
	case Took:
		return subject{page: what.Page}
	case Undelivered:
		return subject{outage: what.Outage}
	case Returned:
		return subject{outage: what.Outage}
	case Command, Catalogue, Readings, Due, Begun: // of a command only the words can tell; the others say it themselves
	}
	return subject{}
}

// batch collects what one decision changes. Version 0 documents without id are not part of it.
type batch struct {
	event  Event
	walk   *Doc[Walk]
	outage Doc[Outage]
	watch  Doc[Watch]
	record Doc[change.Record]
	before change.Record // the record as it was loaded
	moved  bool          // the record is another one now
	save   Save
	reply  Reply
	n      int // effects so far
	audit  []entry
}

// entry is one for the log of the walk, of the page, of what people said of peace time, or else of the outage.
type entry struct {
	ofWalk  bool
	ofPage  bool
	ofReady bool
	what    Audit
}

func newBatch(e Event) *batch { return &batch{event: e} }

func (b *batch) id() string {
	b.n++
	return fmt.Sprintf("%s/%03d", b.event.ID, b.n) // sorts as it was said
}

func (b *batch) post(s Show) {
	p := Post{ID: b.id(), Place: s.Place, Message: s.Message, Card: s.Card, Quiet: s.Quiet, Mention: s.Mention, Broadcast: s.Broadcast, Rings: s.Rings, Closes: s.Closes}
	if p.Place == private(b.event) {
		p.Reply = b.event.Reply
	}
	b.save.Posts = append(b.save.Posts, p)
}

// form opens a form on the surface that waits for it. Where none does any more, a card offers it, as it was filled in.
func (b *batch) form(f Form) {
	if b.event.Until.After(time.Now()) {
		b.reply.Form = &f.Card
		return
	}
	press, ok := b.event.What.(Press)
	if !ok {
		return
	}
	open := press.Action
	open.Verb, open.Arg = reopen, b.event.ID
	b.save.Draft = &Draft{ID: b.event.ID, By: b.event.By.ID, Card: f.Card}
	b.save.Timers = append(b.save.Timers, Timer{draftTimers + b.event.ID, b.event.At.Add(walkLife)})
	c := card.Card{Title: f.Card.Title, Text: []string{"Nothing was changed yet. What you typed is kept."}}
	for _, in := range f.Card.Form.Inputs {
		if in.Error != "" {
			c.Text = append(c.Text, in.Label+": "+in.Error)
		}
	}
	c.Buttons = []card.Button{{Label: "Open the form", Style: card.Primary, Opens: true, Action: open.Encode()}}
	b.post(Show{Message: "note:" + b.event.ID, Place: private(b.event), Card: c})
}

// reopen is the verb of a button that opens a form which came too late.
const reopen = "reopen"

// reopened opens a form that came too late, for the person it was meant for.
func (s *Service) reopened(ctx context.Context, b *batch, id string) error {
	d, err := s.store.Draft(ctx, id)
	if err != nil {
		return err
	}
	if d.Version == 0 || d.Value.By != b.event.By.ID {
		b.gone()
		return nil
	}
	b.form(Form{d.Value.Card})
	return nil
}

// decide loads, decides and saves, again while others overtake it, and then carries out what has to be done at once.
func (s *Service) decide(ctx context.Context, e Event, to subject, done Doc[Work], c *Claim, at *Service) (Reply, error) {
	for range maxGoes {
		if at == nil {
			var err error
			if at, err = s.near(ctx, e, to, ""); err != nil {
				return Reply{}, err
			}
		}
		b := newBatch(e)
		if done.Version != 0 {
			b.save.Done = &done
		}
		if c != nil {
			b.save.Lease = &Lease{Timer: c.ID, Token: c.Token}
			b.save.Timers = append(b.save.Timers, Timer{ID: c.ID}) // what follows may set it again
		}
		err := at.whole(ctx, b, to)
		if err == nil {
			err = at.store.Save(ctx, b.save)
		}
		at = nil // what was at hand is old now
		switch {
		case errors.Is(err, ErrNewer) && e.By.Account == "": // nobody waits: it is left to a process that knows the document
			return Reply{}, fmt.Errorf("%s: %w", e.ID, err)
		case hopeless(err):
			return Reply{}, s.setAside(ctx, b, err)
		case errors.Is(err, ErrConflict):
			if done.Version != 0 { // did somebody else do this very work?
				if now, err := s.store.Work(ctx, done.Value.ID); err != nil || now.Version != done.Version {
					return Reply{}, err
				}
			}
			continue
		case errors.Is(err, ErrFenced):
			return Reply{}, nil
		case err != nil:
			return Reply{}, fmt.Errorf("save %s: %w", e.ID, err)
		}
		if b.save.Playbook != nil {
			s.kept.Store(true)
		}
		s.after(ctx, b)
		b.reply.Shown = b.save.Posts
		return b.reply, nil
	}
	return Reply{}, fmt.Errorf("decide %s: %w", e.ID, ErrConflict)
}

// errUndecided means that no decision could be made, and that trying again is of no use.
var errUndecided = errors.New("cannot be decided")

// hopeless reports whether trying again is of no use. Everything else may be the store, and passes.
func hopeless(err error) bool {
	return errors.Is(err, errUndecided) || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrNewer) || errors.Is(err, ErrInvalid) ||
		errors.Is(err, change.ErrHeld) || errors.Is(err, change.ErrMoved)
}

// whole decides and completes the save. A panic is an event that cannot be decided: it must not take the others down.
func (s *Service) whole(ctx context.Context, b *batch, to subject) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", errUndecided, p, debug.Stack())
		}
	}()
	if err := s.once(ctx, b, to); err != nil {
		return err
	}
	return s.seal(ctx, b)
}

// setAside takes an event that cannot be decided off the store, so that it does not come back for ever. Its person is
// told; the log has the reason.
func (s *Service) setAside(ctx context.Context, b *batch, cause error) error {
	zerolog.Ctx(ctx).Error().Err(cause).Str("event", b.event.ID).Msg("set aside: it cannot be decided")
	aside := Save{Done: b.save.Done, Lease: b.save.Lease}
	if b.save.Lease != nil {
		aside.Timers = []Timer{{ID: b.save.Lease.Timer}}
	}
	told := aside
	if b.event.By.Account != "" {
		text := "The operator's log has the reason."
		switch {
		case errors.Is(cause, ErrNewer):
			text = "A newer version of me looks after it now. Please do it again in a moment: it will be there to answer."
		case errors.Is(cause, change.ErrHeld):
			text = b.outage.Value.ID + ", which " + b.outage.Value.Owner.Name + " looks after, is already changing one of these settings to something else."
		}
		told.Posts = []Post{{
			ID: b.event.ID + "/aside", Place: private(b.event), Message: "note:" + b.event.ID,
			Card: card.Card{Tone: card.Trouble, Title: "That could not be done, and nothing was changed by it", Text: []string{text, "Type /outage to look again."}},
		}}
	}
	err := s.store.Save(ctx, told)
	if errors.Is(err, ErrInvalid) { // not even that
		err = s.store.Save(ctx, aside)
	}
	s.wake()
	return err
}

// after goes on at once with what the saved decision asks for; timers serve only a crash.
func (s *Service) after(ctx context.Context, b *batch) {
	for _, w := range b.save.Work {
		if w.Drive != "" {
			continue // under a lease: the worker claims it
		}
		s.running.Go(func() {
			if err := s.work(ctx, w.ID, nil); err != nil {
				zerolog.Ctx(ctx).Error().Err(err).Str("work", w.ID).Msg("will be taken up again")
			}
		})
	}
	s.wake()
}

// once decides one event on what the store holds now.
func (s *Service) once(ctx context.Context, b *batch, to subject) error {
	e := &b.event
	if e.By.Account != "" {
		if e.By = s.who(ctx, e.By); !e.By.Member {
			b.post(Show{Message: "note:" + e.ID, Place: private(*e), Card: stranger(s.policy, e.By)})
			return nil
		}
	}
	if p, ok := e.What.(Press); ok && p.Action.Verb == begin {
		e.What = Command{Words: strings.Fields(p.Action.Arg)}
	}
	desk, err := s.desk(ctx, *e)
	if err != nil {
		return err
	}
	e.Desk = desk
	if err := s.inThread(ctx, e); err != nil {
		return err
	}
	if p, ok := e.What.(Press); ok && p.Action.Verb == reopen {
		return s.reopened(ctx, b, p.Action.Arg)
	}
	if p, ok := e.What.(Press); ok && p.Action.Verb == readyVerb {
		s.ready(ctx, b, p.Action, p.Fields)
		return nil
	}
	if u, ok := e.What.(Undelivered); ok && u.Outage == "" {
		s.unreached(ctx, b, u)
		return nil
	}
	switch {
	case to.ready:
		return s.monthly(ctx, b)
	case to.walk != "":
		return s.onWalk(ctx, b, to.walk)
	case to.outage != "":
		return s.onOutage(ctx, b, to.outage)
	case to.page != "":
		return s.onPage(ctx, b, to.page)
	}
	cmd, ok := e.What.(Command)
	if !ok {
		return fmt.Errorf("%w: event %s speaks to nothing", errUndecided, e.ID)
	}
	return s.command(ctx, b, cmd)
}

// inThread finds the outage in whose thread something was typed: it is the one that is meant.
func (s *Service) inThread(ctx context.Context, e *Event) error {
	if _, typed := e.What.(Command); !typed || e.Place.In == "" {
		return nil
	}
	shared := e.Place
	shared.Person = ""
	var err error
	e.Place.Thread, err = s.store.MessageAt(ctx, shared.Lane(), e.Place.In)
	return err
}

// desk lays out what the decision needs to see.
func (s *Service) desk(ctx context.Context, e Event) (Desk, error) {
	var d Desk
	var err error
	if err = s.opened(ctx, s.store, &d); err != nil {
		return d, err
	}
	d.Works, d.Why = s.store.Healthy(ctx)
	if d.Pages, err = s.sights(ctx); err != nil {
		return d, err
	}
	var asked []change.Key
	switch what := e.What.(type) {
	case Command:
		id, err := s.store.Current(ctx, e.By.ID)
		if err != nil {
			return d, err
		}
		if id != "" {
			w, err := s.store.Walk(ctx, id)
			if err != nil {
				return d, err
			}
			if w.Version != 0 && w.Value.Stage != Over {
				d.Walk = &w.Value
			}
		}
		if len(what.Words) > 0 && slices.Contains([]string{"history", "ready", "report"}, strings.ToLower(what.Words[0])) {
			d.Past, err = s.store.All(ctx)
		}
		return d, err
	case Press:
		if what.Action.Verb == readyVerb {
			d.Past, err = s.store.All(ctx)
		}
		return d, err
	case Catalogue:
		asked = keys(what.Plan)
		err = s.held(ctx, &d, asked)
	case Readings: // who holds them is asked with the walk, which has the settings that people click too
		asked = slices.Collect(maps.Keys(what.Values))
	case Due, Begun, Stepped, Noticed, Look, PageRead, PageSaid, Took, Undelivered, Returned:
	}
	if err == nil && len(asked) > 0 {
		d.Left, err = s.store.Left(ctx, asked)
	}
	return d, err
}

// opened lays out what is open.
func (s *Service) opened(ctx context.Context, from Store, d *Desk) error {
	open, err := from.Open(ctx)
	if err != nil {
		return fmt.Errorf("list open outages: %w", err)
	}
	d.apart(open)
	return nil
}

// held says who holds settings. Whose outage began since the open ones were listed is looked up again: a person is told
// of it by name.
func (s *Service) held(ctx context.Context, d *Desk, asked []change.Key) error {
	var err error
	if d.Held, err = s.store.Holders(ctx, asked); err != nil {
		return err
	}
	for _, id := range d.Held {
		if slices.ContainsFunc(d.Open, func(o Outage) bool { return o.ID == id }) || slices.ContainsFunc(d.Drills, func(o Outage) bool { return o.ID == id }) {
			continue
		}
		if err = s.opened(ctx, s.far, d); err != nil {
			return err
		}
		d.Held, err = s.far.Holders(ctx, asked) // it may have ended by now
		return err
	}
	return nil
}

// gone answers a press on something that is no longer kept.
func (b *batch) gone() {
	if b.event.By.Account == "" {
		return
	}
	b.post(Show{Message: "note:" + b.event.ID, Place: private(b.event), Card: card.Card{
		Title: "This card is too old", Text: []string{"Nothing was changed. Type /outage to see what is open."},
	}})
}

func (s *Service) onWalk(ctx context.Context, b *batch, id string) error {
	w, err := s.store.Walk(ctx, id)
	if err != nil {
		return fmt.Errorf("load walk %s: %w", id, err)
	}
	if w.Version == 0 {
		b.gone()
		return nil
	}
	t, err := s.treeOf(ctx, w.Value.Playbook)
	if err != nil {
		return err
	}
	b.walk = &w
	p, pressed := b.event.What.(Press)
	_, read := b.event.What.(Readings)
	if w.Value.Stage != Over && len(w.Value.Plan) > 0 && (read || pressed && (p.Action.Verb == "done-send" || len(readableKeys(w.Value.Plan)) == 0)) {
		// What a person clicks is not read again before a yes counts, so nothing else would show that somebody else began it.
		if err = s.held(ctx, &b.event.Desk, keys(w.Value.Plan)); err != nil {
			return err
		}
	}
	return s.stepWalk(ctx, b, t)
}

// treeOf returns the playbook of a version: a walk goes on with the one that it began with.
func (s *Service) treeOf(ctx context.Context, version string) (tree.Tree, error) {
	if version == s.tree.Version() {
		return s.tree, nil
	}
	if t, ok := s.old.Load(version); ok {
		return t.(tree.Tree), nil //nolint:forcetypeassert // only trees are stored
	}
	data, err := s.store.Playbook(ctx, version)
	if err != nil {
		return tree.Tree{}, err
	}
	t, err := tree.Parse("playbook "+version, data, change.Actions())
	if err != nil {
		return tree.Tree{}, fmt.Errorf("playbook %s: %w: %w", version, ErrUnreadable, err)
	}
	s.old.Store(version, t)
	return t, nil
}

// stepWalk lets the walk of the batch decide and takes its effects in.
func (s *Service) stepWalk(ctx context.Context, b *batch, t tree.Tree) error {
	if s.policy.FourEyes && !b.walk.Value.Drill {
		n, _ := t.Node(b.walk.Value.at())
		b.event.Desk.Asker = s.who(ctx, Person{Account: b.walk.Value.By.Account, Member: true})
		if p, ok := b.event.What.(Press); ok && p.Action.Verb == "second-yes" {
			b.event.By.Email, b.event.Desk.Asker.Email = s.email(ctx, b.event.By), s.email(ctx, b.event.Desk.Asker)
		}
		o := Outage{Channel: n.Channel, Home: b.walk.Value.Place}
		for _, open := range b.event.Desk.Open {
			if open.ID == b.walk.Value.Join {
				o.Routed = []Place{open.Home}
			}
		}
		b.event.Desk.Outside, b.event.Desk.Unread = s.outside(ctx, o, b.event)
	}
	b.event.Desk.Asked = s.asked(ctx, b.walk.Value.Plan)
	next, effects, err := StepWalk(s.policy, t, b.walk.Value, b.event)
	if err != nil {
		return fmt.Errorf("%w: %w", errUndecided, err)
	}
	b.walk.Value = next
	b.save.Walk = b.walk
	b.save.Playbook = s.playbookOf(next)
	if !next.Drill && (next.Stage == Over || len(next.Path) > 1) { // a drill is nothing to come back to
		b.save.Current = &Current{Person: next.By.ID, Walk: next.ID}
		if next.Stage == Over {
			b.save.Current.Walk = ""
		}
	}
	for _, effect := range effects {
		switch f := effect.(type) {
		case Show:
			b.post(f)
		case Form:
			b.form(f)
		case List:
			b.task(Task{Walk: next.ID, By: b.event.By, Place: b.event.Place, List: &f})
		case Read:
			b.task(Task{Walk: next.ID, By: b.event.By, Place: b.event.Place, Read: &f})
		case Remind:
			b.save.Timers = append(b.save.Timers, Timer{walkTimers + next.ID + "/" + f.Timer, f.At})
		case Audit:
			b.audit = append(b.audit, entry{ofWalk: true, what: f})
		case Start:
			if err := s.start(ctx, b, t, f); err != nil {
				return err
			}
		case Restore, Resume, Enter, Hand, Know, Nudge, Consult, Say, Forget, Point:
			return fmt.Errorf("%w: walk %s: %T is no effect of a walk", errUndecided, next.ID, f)
		}
	}
	return nil
}

func (s *Service) playbookOf(w Walk) []byte {
	if w.Playbook == s.tree.Version() && !s.kept.Load() {
		return s.playbook
	}
	return nil
}

func (b *batch) task(t Task) {
	t.Reply = b.event.Reply
	b.save.Work = append(b.save.Work, Work{ID: b.id(), Task: &t, After: b.event.At.Add(takeover)})
}

// start makes an outage of a confirmed walk, or adds to the one that it joins.
func (s *Service) start(ctx context.Context, b *batch, t tree.Tree, f Start) error {
	w := &b.walk.Value
	if err := s.load(ctx, b, w.Outage); err != nil {
		return err
	}
	leaf, _ := t.Node(w.at())
	if b.outage.Version != 0 && b.outage.Value.Drill != w.Drill {
		return fmt.Errorf("%w: walk %s: a drill and an outage are kept apart", errUndecided, w.ID)
	}
	if b.outage.Value.Ended != nil { // it ended while somebody was adding to it
		w.Outage, w.Join = shortID(leaf.Channel+"-", w.ID), ""
		if err := s.load(ctx, b, w.Outage); err != nil {
			return err
		}
	}
	r, err := b.record.Value.Begin(f.Steps, b.event.At)
	if err != nil {
		return err
	}
	r.Outage = w.Outage
	var taken []change.Key
	for _, st := range f.Steps {
		text, ok := f.Taken[st.Key]
		if !ok {
			continue
		}
		var before *change.Value
		if p, err := s.every.For(st.Key); err == nil && text != "" {
			before = new(valueOf(p.Guide(st.Key, st.Want), text))
		}
		next, err := r.With(st.Key, func(st change.Step) (change.Step, error) {
			return change.TakenOver(st, before, w.By.Name, b.event.At)
		})
		if err != nil { // somebody is at it already: it stays as it is
			continue
		}
		r, taken = next, append(taken, st.Key)
	}
	b.record.Value, b.moved = r, len(f.Steps) > 0
	var todos []Todo
	for _, id := range leaf.After {
		n, _ := t.Node(id)
		todos = append(todos, Todo{ID: id, Text: n.Title})
	}
	e := b.event
	e.By, e.What = w.By, Begun{Walk: *w, Leaf: leaf, Todos: todos, Steps: f.Steps, Taken: taken}
	return s.stepOutage(ctx, b, e)
}

func (s *Service) load(ctx context.Context, b *batch, id string) error {
	var err error
	b.outage, b.record, err = s.store.Outage(ctx, id)
	if err != nil {
		return fmt.Errorf("load outage %s: %w", id, err)
	}
	b.before = b.record.Value
	return nil
}

func (s *Service) onOutage(ctx context.Context, b *batch, id string) error {
	if err := s.load(ctx, b, id); err != nil {
		return err
	}
	if b.outage.Version == 0 {
		b.gone()
		return nil
	}
	return s.stepOutage(ctx, b, b.event)
}

// stepOutage lets the outage of the batch decide and takes its effects in. What a person says about steps changes the
// record in the same commit, and is told like any other progress.
func (s *Service) stepOutage(ctx context.Context, b *batch, e Event) error {
	e.Desk.Named = s.named(ctx, e)
	var gone map[string]bool
	var asked sync.WaitGroup
	if _, ok := e.What.(Due); ok {
		asked.Go(func() { gone = s.gone(ctx, b.outage.Value, b.record.Value) })
	}
	e.Desk.Outside, e.Desk.Unread = s.outside(ctx, b.outage.Value, e)
	asked.Wait()
	e.Desk.Gone = gone
	if n, ok := s.tree.Node("voicemail-only"); ok {
		e.Desk.HowTo = n.Text
	}
	e.Desk.Guide, e.Desk.Asked = s.guides(b.record.Value), s.asked(ctx, b.record.Value.Steps)
	if p, ok := e.What.(Press); ok && p.Action.Verb == keepValues {
		var read []change.Key
		for _, st := range wordsRead(b.record.Value) {
			read = append(read, realKey(st.Key))
		}
		var err error
		if e.Desk.Said, err = s.store.Words(ctx, read); err != nil {
			return err
		}
	}
	next, effects, err := StepOutage(s.policy, b.outage.Value, b.record.Value, e)
	if err != nil {
		return fmt.Errorf("%w: %w", errUndecided, err)
	}
	b.outage.Value = next
	b.save.Outage = &b.outage
	moved := false
	for _, effect := range effects {
		switch f := effect.(type) {
		case Show:
			b.post(f)
		case Form:
			b.form(f)
		case Read:
			b.task(Task{Outage: next.ID, By: e.By, Place: e.Place, Read: &f})
		case Remind:
			b.save.Timers = append(b.save.Timers, Timer{outageTimers + next.ID + "/" + f.Timer, f.At})
		case Audit:
			b.audit = append(b.audit, entry{what: f})
		case Restore:
			b.record.Value = b.record.Value.PutBack(f.Keys, f.By, e.At)
			b.moved, moved = true, true
		case Resume:
			r, err := b.record.Value.Tell(f.Key, f.Seen, f.Answer, f.Value, e.By.Name, f.Reason, e.At)
			if err != nil {
				return fmt.Errorf("outage %s: %w", next.ID, err)
			}
			b.record.Value, b.moved, moved = r, true, true
		case Hand:
			r, err := b.record.Value.With(f.Key, f.Apply)
			if err != nil {
				return fmt.Errorf("outage %s: %w", next.ID, err)
			}
			b.record.Value, b.moved, moved = r, true, true
		case Know:
			b.learn(f.Key, f.Word)
		case Nudge:
			for _, o := range slices.Concat(e.Desk.Open, e.Desk.Drills) {
				if o.ID != next.ID && (o.Drill || !next.Drill) { // a drill moves nothing real
					n := Event{ID: b.id() + "/" + o.ID, At: e.At, What: Stepped{Outage: o.ID}}
					b.save.Work = append(b.save.Work, Work{ID: n.ID, Event: &n, After: e.At.Add(takeover)})
				}
			}
		case Enter:
			f.Drill = next.Drill
			if err := s.newWalk(ctx, b, s.tree.Path(f.At), f); err != nil {
				return err
			}
		case Point:
			b.send(Took{Page: f.Page, ID: f.ID, Outage: next.ID}, e.At)
		case List, Start, Consult, Say, Forget:
			return fmt.Errorf("%w: outage %s: %T is no effect of an outage", errUndecided, next.ID, f)
		}
	}
	if moved {
		told := e
		told.What = Stepped{Outage: next.ID}
		return s.stepOutage(ctx, b, told)
	}
	return nil
}

// asker is a platform whose settings have an effect only where somebody asks for them.
type asker interface {
	Asked(ctx context.Context, k change.Key) (last time.Time, in5min, total int, err error)
}

// asked is who asked for the flags of some steps.
func (s *Service) asked(ctx context.Context, steps []change.Step) map[change.Key]Asked {
	out := map[change.Key]Asked{}
	for _, st := range steps {
		if p, err := s.every.For(st.Key); err == nil && st.Way == change.Flag {
			out[st.Key] = askedOf(ctx, p, st.Key)
		}
	}
	return out
}

// askedOf is who asked for one flag; a platform that does not count knows of nobody.
func askedOf(ctx context.Context, p change.Platform, k change.Key) Asked {
	a, ok := p.(asker)
	if !ok {
		return Asked{Unknown: true}
	}
	last, n, _, err := a.Asked(ctx, k)
	return Asked{Last: last, In5Min: n, Unknown: err != nil}
}

// guides is what people need for the guided steps of a record, and what they may look at as customers for its flags.
func (s *Service) guides(r change.Record) map[change.Key]change.Guide {
	out := map[change.Key]change.Guide{}
	for _, st := range r.Steps {
		if st.Way == change.Auto {
			continue
		}
		want := st.Want
		if st.Back && st.Before != nil {
			want = st.Before.Value
		}
		if p, err := s.every.For(st.Key); err == nil {
			out[st.Key] = p.Guide(st.Key, want)
		}
	}
	return out
}

// newWalk begins a walk within the batch.
func (s *Service) newWalk(ctx context.Context, b *batch, path []string, f Enter) error {
	if b.walk != nil {
		return fmt.Errorf("%w: event %s: a second walk", errUndecided, b.event.ID)
	}
	if len(f.Words) > 0 {
		path, _ = s.tree.Find(s.tree.Start(), f.Words)
	}
	if len(path) == 0 {
		path = []string{s.tree.Start()}
	}
	w := NewWalk(s.tree, path, b.event)
	w.Join, w.Joined, w.Drill = f.Join, f.Join != "", f.Drill
	if f.Join != "" {
		w.Inputs.Since = b.outage.Value.Since
	}
	w.Inputs.Until = f.Until
	if w.Incident = f.Incident; !f.Since.IsZero() && f.Since.Before(b.event.At) {
		w.Inputs.Since = f.Since
	}
	b.walk = &Doc[Walk]{Value: w}
	e := b.event
	b.event.What = Command{}
	err := s.stepWalk(ctx, b, s.tree)
	b.event = e
	return err
}

// seal completes the save with what follows from the documents: locks, engine work, the audit chain.
func (s *Service) seal(ctx context.Context, b *batch) error {
	if b.moved {
		r := b.record.Value
		b.save.Record = &b.record
		for _, st := range r.Steps {
			old, had := b.before.Step(st.Key)
			if w, ok := change.Taught(old, st); ok && !b.outage.Value.Drill {
				b.learn(st.Key, w)
			}
			switch held := had && old.Open(); {
			case st.Open() && !held:
				b.save.Lock = append(b.save.Lock, st.Key)
			case !st.Open() && held:
				b.save.Free = append(b.save.Free, st.Key)
				if b.outage.Value.Drill { // it leaves nothing behind
					break
				}
				if b.save.Left == nil {
					b.save.Left = map[change.Key]*change.LeftBehind{}
				}
				b.save.Left[st.Key] = leftBehind(st)
			}
		}
		if engineWork(r) && !engineWork(b.before) {
			w, err := s.store.Work(ctx, drivePrefix+r.Outage)
			if err != nil {
				return err
			}
			if w.Version == 0 {
				b.save.Work = append(b.save.Work, Work{ID: drivePrefix + r.Outage, Drive: r.Outage, After: b.event.At})
			}
		}
	}
	for _, a := range b.audit {
		if err := b.log(a); err != nil {
			return err
		}
	}
	if err := s.logWords(ctx, b); err != nil {
		return err
	}
	return s.copyOut(ctx, b)
}

// logWords puts what people said of peace time into a log of its own: an outage relies on it, perhaps much later, and
// only the newest word is kept beside the setting.
func (s *Service) logWords(ctx context.Context, b *batch) error {
	if len(b.save.Words) == 0 {
		return nil
	}
	if b.save.Upkeep == nil {
		up, err := s.store.Upkeep(ctx)
		if err != nil {
			return err
		}
		up.Value.Schema = max(up.Value.Schema, upkeepSchema)
		b.save.Upkeep = &up
	}
	for _, k := range slices.Sorted(maps.Keys(b.save.Words)) {
		w := b.save.Words[k]
		data := map[string]string{"setting": string(k), "value": w.Value.Text, "by": w.By}
		if id := b.outage.Value.ID; id != "" {
			data["outage"] = id
		}
		if err := b.log(entry{ofReady: true, what: Audit{What: "said", Data: data}}); err != nil {
			return err
		}
	}
	return nil
}

// copyOut puts a copy of the values from before into the outage's thread, whenever one was recorded or corrected, or
// somebody said which of two should come back, or that it was like this already: in the commit that records it, so
// before anything is set. It is made last, when the head of the audit chain is final.
func (s *Service) copyOut(ctx context.Context, b *batch) error {
	known := func(st change.Step) string {
		switch {
		case st.Before != nil:
			return strconv.FormatBool(st.Doubt) + string(st.Before.Value.Raw) + nanos(st.Before.At)
		case st.State == change.Adopted:
			return string(change.Adopted)
		}
		return ""
	}
	if b.outage.Value.Drill || !slices.ContainsFunc(b.record.Value.Steps, func(st change.Step) bool {
		old, _ := b.before.Step(st.Key)
		return known(st) != "" && known(st) != known(old)
	}) {
		return nil
	}
	lineage, counter, err := s.store.Origin(ctx)
	if err != nil {
		return err
	}
	o := b.outage.Value
	place := o.Home
	place.Thread = HomeMessage + o.ID
	cards := CapsuleCards(o, b.record.Value, lineage, counter)
	b.outage.Value.Copy = &Copy{Lane: place.Lane(), Version: b.record.Version, Parts: len(cards)}
	for i, c := range cards {
		c.Keep = true
		for _, at := range append([]Place{place}, o.elsewhere()...) {
			b.post(Show{Message: b.outage.Value.Copy.message(o.ID, i), Place: at, Card: c, Quiet: true})
		}
	}
	return nil
}

// learn keeps what somebody said of a setting in peace time.
func (b *batch) learn(k change.Key, w change.Word) {
	if b.save.Words == nil {
		b.save.Words = map[change.Key]change.Word{}
	}
	b.save.Words[k] = w
}

// leftBehind is what a step that ended leaves on the platform, if it is not what was there before.
func leftBehind(st change.Step) *change.LeftBehind {
	switch {
	case st.State == change.Restored || st.Set == nil && st.Tries == 0 && st.Now == nil:
		return nil
	case st.Now != nil:
		return &change.LeftBehind{Value: *st.Now, Before: st.Before}
	}
	return &change.LeftBehind{Value: st.Want, Before: st.Before}
}

// line is one entry of the audit log. Each carries the hash of the one before it in the same log: an edit shows. It
// does not stop a forger who can rewrite the whole log.
type line struct {
	Prev  string            `json:"prev"`
	At    time.Time         `json:"at"`
	Event string            `json:"event"`
	By    string            `json:"by,omitzero"`   // the account
	Name  string            `json:"name,omitzero"` // as people saw it then
	What  string            `json:"what"`
	Data  map[string]string `json:"data,omitzero"`
}

func (b *batch) log(a entry) error {
	head, name := &b.outage.Value.Head, "outage:"+b.outage.Value.ID
	if a.ofWalk {
		head, name = &b.walk.Value.Head, "walk:"+b.walk.Value.ID
	}
	if a.ofPage {
		head, name = &b.watch.Value.Head, "page:"+b.watch.Value.Page
	}
	if a.ofReady {
		head, name = &b.save.Upkeep.Value.Head, "ready:"+readyName
	}
	data, err := json.Marshal(line{*head, b.event.At, b.event.ID, b.event.By.Account, b.event.By.Name, a.what.What, a.what.Data})
	if err != nil {
		return fmt.Errorf("audit %s: %w", name, err)
	}
	*head = hashOf(data)
	b.save.Audit = append(b.save.Audit, Entry{Log: name, Data: data})
	return nil
}
