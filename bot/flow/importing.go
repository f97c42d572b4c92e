package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// Import makes an outage of what ReadCapsule returned, in the name of whom the event names: open, with its settings taken as set and
// locked, so that it can be restored like any other; a restore compares first. Of what a person was to click, and had
// not called done when the capsule was written, it is asked what it shows. It changes no setting. Nothing is imported,
// and the error says why in words, where the outage is in the store already, where another open outage holds one of the
// settings, and where everything was put back before the capsule was written.
func (s *Service) Import(ctx context.Context, o Outage, r change.Record, e Event) error {
	if !r.Open() {
		return fmt.Errorf("%s: every setting was put back, or left by name, when this was written: there is nothing to take back", o.ID)
	}
	e.What = Stepped{}
	b := newBatch(e)
	b.event.By = s.policy.Who(e.By.Account, e.By.Member)
	var err error
	if b.event.Desk, err = s.desk(ctx, b.event); err != nil {
		return err
	}
	if err := s.load(ctx, b, o.ID); err != nil {
		return err
	}
	if b.outage.Version != 0 {
		return fmt.Errorf("%s is on record here already: nothing was taken from the text", o.ID)
	}
	if err := s.unheld(ctx, r); err != nil {
		return err
	}
	if !s.policy.knows(o.Home.Platform) { // nobody would be told
		o.Home = s.policy.Home(o.Channel, e.Place.Platform)
		if o.Home.Channel == "" {
			o.Home.Channel = e.Place.Channel
		}
	}
	o.Routed = slices.DeleteFunc(slices.Clone(o.Routed), func(p Place) bool { return p == o.Home || !s.policy.knows(p.Platform) })
	if platform, _, _ := strings.Cut(o.Owner.Account, ":"); !s.policy.knows(platform) {
		o.Owner = b.event.By
	}
	if o.Playbook == s.tree.Version() {
		if n, ok := s.tree.Node(o.Leaf.ID); ok {
			o.Leaf = n
		}
	}
	r.Steps = slices.Clone(r.Steps)
	for i, st := range r.Steps {
		if !st.Open() || st.State == change.Adopted {
			continue
		}
		r.Steps[i].State, r.Steps[i].At = change.IsSet, e.At
		if st.Way == change.Guided && st.State != change.IsSet { // the copy is written before the click, which may be done
			r.Steps[i].State, r.Steps[i].Shown = change.Unknown, true
		} else if st.Set == nil { // it does not say so where that is what it was to become
			r.Steps[i].Set = new(st.Want)
		}
		s.forgotten(ctx, &r.Steps[i])
	}
	o.Asking = Asking{Heard: e.At}
	step := stepping{policy: s.policy, o: o, r: r, e: b.event}
	step.note("import", "taken back from its copy by %s, with %s", b.event.By.Name, card.Shorten(names(openSteps(r)), 1000))
	step.deadline(o.Deadline)
	if o.Leaf.Kind == tree.Wait {
		step.ask(e.At)
	}
	for _, effect := range step.out {
		switch f := effect.(type) { //nolint:gochecksumtype // what the calls above can cause
		case Remind:
			b.save.Timers = append(b.save.Timers, Timer{outageTimers + o.ID + "/" + f.Timer, f.At})
		case Audit:
			f.Data["head"] = o.Head // its chain goes on from there
			b.audit = append(b.audit, entry{what: f})
		}
	}
	b.outage.Value, b.record.Value, b.moved = step.o, r, true
	if err := s.stepOutage(ctx, b, b.event); err != nil {
		return err
	}
	if err := s.seal(ctx, b); err != nil {
		return err
	}
	b.save.Op = "import/" + e.ID
	err = s.store.Save(ctx, b.save)
	if errors.Is(err, ErrConflict) {
		return fmt.Errorf("somebody else took it back, or changed one of the settings, in the same moment; look with %s: %w", s.policy.command("outages"), err)
	}
	return err
}

// forgotten looks whether a flag of ours is still set: it lay in the same store, and is lost with it. Customers come
// through then, and somebody is asked whether it should be set again.
func (s *Service) forgotten(ctx context.Context, st *change.Step) {
	p, err := s.every.For(st.Key)
	if err != nil || st.Way != change.Flag {
		return
	}
	if now, err := p.Read(ctx, st.Key); err == nil && !now.Equal(st.Want) {
		st.State, st.Now = change.Conflict, &now
	}
}

// unheld returns an error that names a setting which an open outage holds.
func (s *Service) unheld(ctx context.Context, r change.Record) error {
	open := openSteps(r)
	held, err := s.store.Holders(ctx, keys(open))
	if err != nil {
		return err
	}
	for _, st := range open {
		if by, ok := held[st.Key]; ok {
			return fmt.Errorf("%s (%s) belongs to %s, which is open: restore that first, or give it up by name", stepName(st), st.Key, by)
		}
	}
	return nil
}

func openSteps(r change.Record) []change.Step {
	return slices.DeleteFunc(slices.Clone(r.Steps), func(st change.Step) bool { return !st.Open() })
}

// knows reports whether the organisation has people or channels on a chat platform.
func (p Policy) knows(platform string) bool {
	for _, r := range p.Channels {
		if (map[string]string{"slack": r.Slack, "teams": r.Teams, "terminal": r.Terminal})[platform] != "" {
			return true
		}
	}
	return slices.ContainsFunc(p.People, func(who Someone) bool {
		return slices.ContainsFunc(who.accounts(), func(a string) bool { return strings.HasPrefix(a, platform+":") })
	})
}
