package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"switchback/bot/change"
)

// drivePrefix begins the ids of work that changes settings: it is done under a lease only.
const drivePrefix = "drive-"

// drive lets the engine work on the record of an outage until only people's tasks are left.
func (s *Service) drive(ctx context.Context, id string, c Claim) error {
	j := &journal{service: s, outage: id, lease: Lease{Timer: c.ID, Token: c.Token, Extend: s.lease}, since: c.Leased}
	if ok, why := s.store.Healthy(ctx); ok && why != "" {
		j.careful = true
	}
	again, err := s.engine.Run(ctx, j, j.fresh)
	if err == nil && again == 0 && j.waits {
		again = copyPoll
	}
	switch {
	case errors.Is(err, ErrFenced):
		return nil // somebody else has it
	case errors.Is(err, change.ErrLeaseOld):
		return nil // its timer falls due, and it is read again
	case err != nil:
		return fmt.Errorf("drive %s: %w", id, err)
	case again > 0:
		err = s.store.Save(ctx, Save{Lease: &Lease{Timer: c.ID, Token: c.Token}, Timers: []Timer{{c.ID, time.Now().Add(again)}}})
	default:
		err = j.finish(ctx)
	}
	if errors.Is(err, ErrFenced) {
		return nil
	}
	return err
}

// journal keeps the record of one outage for the engine. Each step that it saves tells the outage in the same commit.
type journal struct {
	service *Service
	outage  string
	lease   Lease
	since   time.Time // when what began the lease, or moved its end last, was asked of the store
	done    bool      // the last step took the work off the store
	careful bool      // nothing is set before the copy of the values from before has arrived
	waits   bool      // and it has not
}

// fresh looks at both clocks: the monotonic one stands still while a virtual machine is suspended.
func (j *journal) fresh() bool {
	now := time.Now()
	return now.Sub(j.since) < j.lease.Extend/2 && now.Round(0).Sub(j.since.Round(0)) < j.lease.Extend/2
}

func (j *journal) Load(ctx context.Context) (change.Record, error) {
	o, r, err := j.service.store.Outage(ctx, j.outage)
	if err != nil || !j.careful || len(waitsForCopy(r.Value)) == 0 {
		return r.Value, err
	}
	arrived, err := j.service.arrived(ctx, o.Value)
	if j.waits = !arrived; arrived || err != nil {
		return r.Value, err
	}
	held := waitsForCopy(r.Value) // what is under way already, and every way back, goes on
	r.Value.Steps = slices.DeleteFunc(slices.Clone(r.Value.Steps), func(st change.Step) bool { return slices.Contains(held, st.Key) })
	return r.Value, nil
}

func (j *journal) Advance(ctx context.Context, k change.Key, f func(change.Step) (change.Step, error)) (change.Step, error) {
	for range maxGoes {
		o, r, err := j.service.store.Outage(ctx, j.outage)
		if err != nil {
			return change.Step{}, err
		}
		next, err := r.Value.With(k, f)
		if err != nil {
			return change.Step{}, err
		}
		b := newBatch(Event{ID: fmt.Sprintf("step/%s/%d", j.outage, r.Version), At: time.Now(), What: Stepped{Outage: j.outage}})
		if b.event.Desk, err = j.service.desk(ctx, b.event); err != nil {
			return change.Step{}, err
		}
		b.save.Lease = &j.lease
		b.outage, b.record, b.before = o, r, r.Value
		b.record.Value, b.moved = next, true
		if err := j.service.stepOutage(ctx, b, b.event); err != nil {
			return change.Step{}, err
		}
		if err := j.service.seal(ctx, b); err != nil {
			return change.Step{}, err
		}
		if !engineWork(next) {
			w, err := j.service.store.Work(ctx, drivePrefix+j.outage)
			if err != nil {
				return change.Step{}, err
			}
			b.save.Done = &w
			b.save.Lease = &Lease{Timer: j.lease.Timer, Token: j.lease.Token}
		}
		asked := time.Now() // not when the answer is here: a process may be stopped before it reads it
		err = j.service.store.Save(ctx, b.save)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return change.Step{}, err
		}
		j.since = asked
		j.done = b.save.Done != nil
		j.service.after(ctx, b)
		s, _ := b.record.Value.Step(k)
		return s, nil
	}
	return change.Step{}, fmt.Errorf("advance %s: %w", k, ErrConflict)
}

// finish takes the work off the store where no step did: nothing was left for the engine.
func (j *journal) finish(ctx context.Context) error {
	if j.done {
		return nil
	}
	mine := Lease{Timer: j.lease.Timer, Token: j.lease.Token}
	w, err := j.service.store.Work(ctx, drivePrefix+j.outage)
	if err != nil {
		return err
	}
	_, r, err := j.service.store.Outage(ctx, j.outage)
	if err != nil {
		return err
	}
	err = ErrConflict
	if !engineWork(r.Value) {
		if w.Version == 0 {
			return j.service.store.Save(ctx, Save{Lease: &mine, Timers: []Timer{{ID: mine.Timer}}})
		}
		err = j.service.store.Save(ctx, Save{Lease: &mine, Record: &r, Done: &w})
	}
	if errors.Is(err, ErrConflict) { // something was added meanwhile
		err = j.service.store.Save(ctx, Save{Lease: &mine, Timers: []Timer{{mine.Timer, time.Now()}}})
		j.service.wake()
	}
	return err
}

// engineWork reports whether the engine has something to do.
func engineWork(r change.Record) bool {
	for _, t := range change.Next(r) {
		if s, _ := r.Step(t.Key); t.Do != change.DoAsk && s.Way != change.Guided {
			return true
		}
	}
	return false
}
