package change

import "time"

// A guided step is done by a person: it is taken, its old value is noted, the clicks are shown, and the person says
// that it is saved. The same states as for the other ways, with a person's word in place of a reading: once the clicks
// were shown (Intent, RestoreIntent) and nobody has answered, the outcome is Unknown, and is looked at first.

// Take gives a free guided step to a person. A step that somebody else holds, or that has nothing left to do for a
// person, returns ErrMoved.
func Take(s Step, who Holder) (Step, error) {
	if s.Way != Guided || s.Holder != nil && s.Holder.ID != who.ID || !s.ByHand() {
		return s, ErrMoved
	}
	s.Holder = &who
	return s, nil
}

// ByHand reports whether a guided step has something left to do for a person.
func (s Step) ByHand() bool {
	switch s.State {
	case Planned, Recorded, Intent, Unknown, RestoreIntent:
		return true
	case IsSet:
		return s.Back
	default:
		return false
	}
}

// NoteBefore records what a person saw before the click. The outage's own value is never taken for it: such a step
// is adopted, and asked about again before the restore.
func NoteBefore(s Step, v Value, by string, at time.Time) (Step, error) {
	if s.Way != Guided || s.State != Planned || s.Before != nil {
		return s, ErrMoved
	}
	s.By, s.At = by, at
	if v.Equal(s.Want) {
		s.State, s.Now, s.Holder = Adopted, &v, nil
		return s, nil
	}
	s.State, s.Before = Recorded, &Baseline{Value: v, By: by, At: at}
	s.Doubt = s.Known != nil && !s.Known.Equal(v) && !s.Known.Equal(s.Want)
	return s, nil
}

// Choose says which value should come back, where the one that was noted is not the known one: it is one of these two.
func Choose(s Step, v Value, by string, at time.Time) (Step, error) {
	switch {
	case !s.Doubt || !s.Open() || s.Before == nil || s.Known == nil:
		return s, ErrMoved
	case v.Equal(s.Before.Value):
		s.Doubt = false
		return s, nil
	case v.Equal(*s.Known):
		return Correct(s, v, by, at)
	default:
		return s, ErrMoved
	}
}

// Correct replaces what a person noted, until it is restored. Both words stay. What the bot read itself is not
// corrected.
func Correct(s Step, v Value, by string, at time.Time) (Step, error) {
	if s.Before == nil || s.Before.By == ByAPI || !s.Open() || v.Equal(s.Want) {
		return s, ErrMoved
	}
	s.Noted = append(append([]Baseline{}, s.Noted...), *s.Before)
	s.Before, s.Doubt = &Baseline{Value: v, By: by, At: at}, false
	return s, nil
}

// Clicking says that the person is being shown the clicks: from here on the outcome is unknown until they answer.
func Clicking(s Step, at time.Time) (Step, error) {
	switch {
	case s.Way != Guided:
		return s, ErrMoved
	case s.State == Recorded && !s.Back:
		s.State = Intent
	case s.State == IsSet && s.Back:
		s.State = RestoreIntent
	case s.State == Intent || s.State == RestoreIntent:
		return s, nil
	default:
		return s, ErrMoved
	}
	s.At, s.Shown = at, true
	return s, nil
}

// Saved is a person's word that the clicks are done.
func Saved(s Step, by string, at time.Time) (Step, error) {
	switch {
	case s.Way != Guided:
		return s, ErrMoved
	case s.State == Intent:
		s.State, s.Set = IsSet, &s.Want
	case s.State == RestoreIntent:
		s.State = Restored
	default:
		return s, ErrMoved
	}
	s.By, s.At, s.Holder = by, at, nil
	return s, nil
}

// GiveBack frees a step that a person took. Where the clicks were shown, what the platform shows now is unknown.
func GiveBack(s Step, at time.Time) (Step, error) {
	if s.Holder == nil {
		return s, ErrMoved
	}
	s.Holder = nil
	if s.State == Intent || s.State == RestoreIntent || s.State == Recorded && s.Shown {
		s.State, s.At = Unknown, at
	}
	return s, nil
}

// Seen is what a person says the platform shows now, for a step whose outcome is unknown, or that somebody else may
// have changed. It goes on from there, or becomes a question.
func Seen(s Step, now Value, by string, at time.Time) (Step, error) {
	if s.Way != Guided || s.State != Unknown && s.State != RestoreIntent && s.State != Intent {
		return s, ErrMoved
	}
	s.By, s.At = by, at
	before := s.Before != nil && now.Equal(s.Before.Value)
	switch {
	case before && s.Back:
		s.State, s.Holder = Restored, nil
	case before:
		s.State = Recorded
	case now.Equal(s.Want) && s.Back:
		s.State, s.Set = IsSet, &s.Want // on its way back still
	case now.Equal(s.Want):
		s.State, s.Set, s.Holder = IsSet, &s.Want, nil
	default:
		s.State, s.Now, s.Holder = Conflict, &now, nil
	}
	return s, nil
}

// Instead is a person's word that the platform would not take the value from before, and what was chosen there: the
// step is left with that, by name.
func Instead(s Step, now Value, by, reason string, at time.Time) (Step, error) {
	if s.Way != Guided || s.State != RestoreIntent || now.Equal(s.Want) {
		return s, ErrMoved
	}
	s.State, s.Now, s.Reason, s.By, s.At, s.Holder = Left, &now, reason, by, at, nil
	return s, nil
}

// backByHand is a guided step of which somebody asked to put it back.
func backByHand(s Step, at time.Time) Step {
	switch s.State {
	case Planned:
		s.State, s.At, s.Holder, s.Spared = Restored, at, nil, true
	case Recorded, Intent, Failed, Conflict:
		if s.State == Recorded && !s.Shown { // nobody was sent to click
			s.State, s.At, s.Holder, s.Spared = Restored, at, nil, true
			break
		}
		s.State, s.Now, s.Reason, s.Holder, s.At = Unknown, nil, "", nil, at
	default: // Next sees that it is on its way back
	}
	return s
}

// TakenOver begins a guided step with a person's word that it was done by hand already, and with the value that they
// saw before it. The outage's own value is never taken for that one; without another the step is adopted, and asked
// about again.
func TakenOver(s Step, before *Value, by string, at time.Time) (Step, error) {
	if s.Way != Guided || s.State != Planned || s.Before != nil || s.Holder != nil {
		return s, ErrMoved
	}
	s.By, s.At = by, at
	if before == nil || before.Equal(s.Want) {
		s.State, s.Now = Adopted, &s.Want
		return s, nil
	}
	s.State, s.Set, s.Before = IsSet, &s.Want, &Baseline{Value: *before, By: by, At: at}
	return s, nil
}

// NameBefore says, during the outage, what was there before an adopted step. From then on it is put back like any other.
func NameBefore(s Step, v Value, by string, at time.Time) (Step, error) {
	if s.State != Adopted || s.Back || v.Equal(s.Want) || s.Now != nil && v.Equal(*s.Now) {
		return s, ErrMoved
	}
	s.State, s.By, s.At = IsSet, by, at
	s.Before, s.Set, s.Now = &Baseline{Value: v, By: by, At: at}, &s.Want, nil
	if s.Ours != nil { // what stands there is what an earlier outage left
		s.Set = s.Ours
	}
	return s, nil
}
