package change

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Schema is the version of Record as it is stored. The previous one must stay readable.
const Schema = 1

var (
	// ErrHeld means that the resource already belongs to this record with another wanted value.
	ErrHeld = errors.New("already being changed to something else")
	// ErrMoved means that the step is no longer in the state that the caller saw.
	ErrMoved = errors.New("the step has moved on")
)

// Step returns the step for k, and whether there is one.
func (r Record) Step(k Key) (Step, bool) {
	i := r.index(k)
	if i < 0 {
		return Step{}, false
	}
	return r.Steps[i], true
}

func (r Record) index(k Key) int {
	for i := range r.Steps { // a Step is large: slices.IndexFunc would copy each
		if r.Steps[i].Key == k {
			return i
		}
	}
	return -1
}

// With returns r with f applied to the step of k. The receiver is left as it was. An error of f is returned as it is.
func (r Record) With(k Key, f func(Step) (Step, error)) (Record, error) {
	i := r.index(k)
	if i < 0 {
		return r, fmt.Errorf("step %s: %w", k, ErrMoved)
	}
	s, err := f(r.Steps[i])
	if err != nil {
		return r, err
	}
	r.Steps = slices.Clone(r.Steps)
	r.Steps[i] = s
	return r, nil
}

// Open reports whether the step still holds its resource.
func (s Step) Open() bool { return s.State != Restored && s.State != Left }

// Open reports whether the record still holds a resource.
func (r Record) Open() bool { return slices.ContainsFunc(r.Steps, Step.Open) }

// Begin adds confirmed steps, whose values were just read, to the record. The first baseline wins: a resource that the
// record already holds keeps what was recorded, and an outage value is never taken for the value before. A step that
// ended earlier begins again with a fresh baseline.
func (r Record) Begin(steps []Step, at time.Time) (Record, error) {
	r.Schema = max(r.Schema, Schema)
	r.Steps = slices.Clone(r.Steps)
	for _, s := range steps {
		s.At = at
		switch {
		case s.Way == Guided: // only a person can see what is there; it is asked for right before the click
			s.State, s.Before = Planned, nil
		case s.Before == nil:
			return r, fmt.Errorf("begin %s: no value before", s.Key)
		case s.Before.Value.Equal(s.Want), s.Ours != nil && s.Before.Value.Equal(*s.Ours):
			s.State, s.Now, s.Before = Adopted, &s.Before.Value, nil
		default:
			s.State = Recorded
		}
		i := r.index(s.Key)
		switch {
		case i < 0:
			r.Steps = append(r.Steps, s)
		case !r.Steps[i].Open():
			r.Steps[i] = s
		case !r.Steps[i].Want.Equal(s.Want):
			return r, fmt.Errorf("%s: %w", s.Key, ErrHeld)
		}
	}
	return r, nil
}

// PutBack asks for steps to be restored; no keys means all. It decides nothing about values: the engine compares
// before it writes, whatever the state a step is in.
func (r Record) PutBack(keys []Key, by string, at time.Time) Record {
	r.Steps = slices.Clone(r.Steps)
	for i, s := range r.Steps {
		if !s.Open() || s.Back || len(keys) > 0 && !slices.Contains(keys, s.Key) {
			continue
		}
		s.Back, s.Tries, s.By, s.Allow = true, 0, by, nil
		if s.Way == Guided {
			r.Steps[i] = backByHand(s, at)
			continue
		}
		switch s.State {
		case Planned, Recorded: // never touched
			s.State, s.At, s.Spared = Restored, at, true
		case Unknown:
		case Failed, Conflict: // the outcome of the attempt to set it is unknown until it is read again
			s.State, s.Now, s.Reason = Intent, nil, ""
		default: // Next sees that it is on its way back
		}
		r.Steps[i] = s
	}
	return r
}

// Answer is what a person says about one step that cannot go on by itself.
type Answer string

// The answers.
const (
	Retry     Answer = "retry"     // Failed: try again
	Overwrite Answer = "overwrite" // Conflict: the value found in the way may be overwritten
	Leave     Answer = "leave"     // leave it as it is now, by name
	Name      Answer = "name"      // Adopted, or no baseline: the value that should come back
)

// Tell applies a person's answer to one step. seen is the state that the step was in when the person was asked. It
// returns ErrMoved if the step has moved on, or the answer does not fit it. value is used by Name only, reason by Leave.
func (r Record) Tell(k Key, seen State, a Answer, value Value, by, reason string, at time.Time) (Record, error) {
	return r.With(k, func(s Step) (Step, error) {
		onItsWay, back := Intent, RestoreIntent
		if s.Way == Guided { // somebody has to take it; until then nobody is being shown any clicks
			onItsWay, back, s.Set = Recorded, IsSet, &s.Want
		}
		if s.Back {
			onItsWay = back
		}
		switch {
		case s.State != seen:
			return s, ErrMoved
		case a == Retry && s.State == Failed:
			s.State, s.Tries, s.Reason = onItsWay, 0, ""
		case a == Overwrite && s.State == Conflict && s.Now != nil && (!s.Back || s.Before != nil):
			s.State, s.Tries, s.Allow, s.Now, s.Reason = onItsWay, 0, s.Now, nil, ""
		case a == Leave && s.Open():
			s.State, s.Reason = Left, reason
		case a == Name && (s.Before == nil || s.Before.By != ByAPI) && (s.State == Adopted || s.State == Conflict || s.State == Failed && s.Back):
			if s.Before != nil { // mistyped: both words stay
				s.Noted = append(slices.Clone(s.Noted), *s.Before)
			}
			s.Before, s.Doubt = &Baseline{Value: value, By: by, At: at}, false
			s.State, s.Back, s.Tries, s.Reason = back, true, 0, ""
			s.Allow, s.Now = s.Now, nil
		default:
			return s, ErrMoved
		}
		s.By, s.At = by, at
		return s, nil
	})
}

// Do is what a task asks for.
type Do string

// The things to do. Set and PutBack are the engine's, Ask a person's.
const (
	DoSet     Do = "set"
	DoPutBack Do = "put back"
	DoAsk     Do = "ask"
)

// Task is something left to do for a record.
type Task struct {
	Key Key
	Do  Do
}

// Next lists what is left to do, in the order of the steps. It treats the ways alike: only who carries a task out
// differs.
func Next(r Record) []Task {
	var out []Task
	for _, s := range r.Steps {
		switch {
		case s.State == Failed, s.State == Conflict, s.State == Unknown, s.State == Adopted && s.Back:
			out = append(out, Task{s.Key, DoAsk})
		case s.State == Planned && s.Way == Guided:
			out = append(out, Task{s.Key, DoSet})
		case s.State == RestoreIntent, s.Back && (s.State == Intent || s.State == IsSet):
			out = append(out, Task{s.Key, DoPutBack})
		case s.State == Recorded, s.State == Intent:
			out = append(out, Task{s.Key, DoSet})
		}
	}
	return out
}

// Phase is the state of the whole change. It is derived, never stored.
type Phase string

// The phases.
const (
	Nothing   Phase = "nothing"   // no steps: nothing was changed
	Changing  Phase = "changing"  // steps are being set
	Changed   Phase = "changed"   // all that could be set is set
	Restoring Phase = "restoring" // steps are being put back
	Asking    Phase = "asking"    // at least one step waits for a person, none for the engine
	Ended     Phase = "ended"     // every step is restored, or left by name
)

// Phase derives where the record stands.
func (r Record) Phase() Phase {
	if len(r.Steps) == 0 {
		return Nothing
	}
	var set, back, ask bool
	for _, t := range Next(r) {
		set, back, ask = set || t.Do == DoSet, back || t.Do == DoPutBack, ask || t.Do == DoAsk
	}
	switch {
	case back:
		return Restoring
	case set:
		return Changing
	case ask:
		return Asking
	case !r.Open():
		return Ended
	}
	return Changed
}
