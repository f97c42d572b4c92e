package change

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// Platforms are the places where settings live, by the first word of their keys.
type Platforms map[string]Platform

// For returns the platform of k.
func (p Platforms) For(k Key) (Platform, error) {
	if one, ok := p[k.Platform()]; ok {
		return one, nil
	}
	return nil, fmt.Errorf("no platform for %s", k)
}

// Journal keeps the record of one outage. Each Advance is durable before it returns.
type Journal interface {
	// Load returns the record as it is now.
	Load(ctx context.Context) (Record, error)
	// Advance applies f to the newest state of one step and saves what it returns, all or nothing, under the lease of
	// the caller. An error of f is returned as it is and nothing is saved.
	Advance(ctx context.Context, k Key, f func(Step) (Step, error)) (Step, error)
}

// ErrLeaseOld means that so much of the lease has passed that somebody else may own the work before a write ends.
var ErrLeaseOld = errors.New("the lease is too old to write to a platform")

// maxTries is how often the engine goes at a step without a clear answer before it asks a person.
const maxTries = 4

// pause is how long the engine waits before it goes at a step again.
func pause(tries int) time.Duration {
	return []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second}[min(tries, maxTries-1)]
}

// Engine carries out what a record says. It keeps nothing itself: stopped anywhere, another one goes on.
type Engine struct {
	Platforms Platforms
}

// Run works on the steps of a record until only people's tasks are left. fresh is asked right before each write to a
// platform. It returns after how long it wants to be run again; zero means that nothing is left for it. One step that
// fails, or was changed by somebody else, never stops the others.
func (e Engine) Run(ctx context.Context, j Journal, fresh func() bool) (time.Duration, error) {
	later := map[Key]time.Duration{}
	for {
		r, err := j.Load(ctx)
		if err != nil {
			return 0, fmt.Errorf("load the record: %w", err)
		}
		step, do := first(r, later)
		if do == "" {
			break
		}
		task := attempt{engine: e, journal: j, fresh: fresh, step: step}
		if do == DoSet {
			err = task.set(ctx)
		} else {
			err = task.putBack(ctx)
		}
		switch {
		case errors.Is(err, ErrMoved): // a person decided something meanwhile: look again
		case err != nil:
			return 0, fmt.Errorf("%s %s: %w", do, step.Key, err)
		case task.wait > 0:
			later[step.Key] = task.wait
		}
	}
	var soonest time.Duration
	for _, d := range later {
		if soonest == 0 || d < soonest {
			soonest = d
		}
	}
	return soonest, nil
}

func first(r Record, later map[Key]time.Duration) (Step, Do) {
	for _, t := range Next(r) {
		if _, waits := later[t.Key]; waits || t.Do == DoAsk {
			continue
		}
		s, _ := r.Step(t.Key)
		if s.Way == Guided {
			continue
		}
		return s, t.Do
	}
	return Step{}, ""
}

// attempt is one go at one step.
type attempt struct {
	engine  Engine
	journal Journal
	fresh   func() bool
	step    Step          // as it was saved last
	wait    time.Duration // not zero: try again after it
}

func (a *attempt) set(ctx context.Context) error {
	if err := a.save(ctx, Intent, func(s *Step) bool {
		return !s.Back && (s.State == Recorded || s.State == Intent)
	}); err != nil {
		return err
	}
	return a.write(ctx, IsSet, a.step.Want, a.step.Before.Value)
}

func (a *attempt) putBack(ctx context.Context) error {
	if a.step.Before == nil { // never restore by elimination
		return a.to(ctx, Conflict, func(s *Step) { s.Reason = "the value before is not on record" })
	}
	if err := a.save(ctx, RestoreIntent, func(s *Step) bool {
		return s.Back && (s.State == Intent || s.State == IsSet || s.State == RestoreIntent)
	}); err != nil {
		return err
	}
	ours := a.step.Want
	if a.step.Set != nil {
		ours = *a.step.Set
	}
	return a.write(ctx, Restored, a.step.Before.Value, ours)
}

// write brings the resource from one value to another, whatever an earlier attempt did: it reads first, compares, and
// reads back.
func (a *attempt) write(ctx context.Context, done State, to, from Value) error {
	p, err := a.engine.Platforms.For(a.step.Key)
	if err != nil {
		return a.to(ctx, Failed, func(s *Step) { s.Reason = err.Error() })
	}
	now, err := p.Read(ctx, a.step.Key)
	if err != nil {
		return a.missed(ctx, err)
	}
	allowed := a.step.Allow != nil && now.Equal(*a.step.Allow)
	switch {
	case now.Equal(to): // an earlier attempt got through
		return a.done(ctx, done, now)
	case !now.Equal(from) && !allowed:
		return a.to(ctx, Conflict, func(s *Step) { s.Now = &now })
	}
	if !a.fresh() {
		return ErrLeaseOld
	}
	if err := p.Write(ctx, a.step.Key, to, now); errors.Is(err, ErrRefused) {
		return a.to(ctx, Failed, func(s *Step) { s.Reason = err.Error() })
	} else if err != nil {
		return a.missed(ctx, err)
	}
	back, err := p.Read(ctx, a.step.Key)
	switch {
	case err != nil:
		return a.missed(ctx, err)
	case back.Equal(to):
		return a.done(ctx, done, back)
	case back.Equal(now):
		return a.missed(ctx, errors.New("the platform said yes, but the value is the old one"))
	}
	return a.to(ctx, Conflict, func(s *Step) { s.Now = &back })
}

func (a *attempt) done(ctx context.Context, state State, v Value) error {
	return a.to(ctx, state, func(s *Step) {
		if state == IsSet {
			s.Set = &v
		}
	})
}

// missed notes an attempt whose outcome is not known. The next one reads first; after a few a person is asked.
func (a *attempt) missed(ctx context.Context, cause error) error {
	if ctx.Err() != nil { // shutting down: the step stays as it is
		return ctx.Err()
	}
	zerolog.Ctx(ctx).Warn().Err(cause).Str("key", string(a.step.Key)).Int("tries", a.step.Tries+1).Msg("no clear answer from the platform")
	state := a.step.State
	if a.step.Tries+1 >= maxTries {
		state = Failed
	}
	if err := a.to(ctx, state, func(s *Step) { s.Tries++; s.Reason = cause.Error() }); err != nil {
		return err
	}
	if state != Failed {
		a.wait = pause(a.step.Tries)
	}
	return nil
}

// to saves a new state for the step, if it still is where this attempt left it. A restore that was asked for
// meanwhile is kept.
func (a *attempt) to(ctx context.Context, state State, more func(*Step)) error {
	from := a.step.State
	s, err := a.journal.Advance(ctx, a.step.Key, func(s Step) (Step, error) {
		if s.State != from {
			return s, ErrMoved
		}
		s.Now = nil
		if state != from {
			s.Tries, s.Reason, s.Allow = 0, "", nil
		}
		s.State, s.At = state, time.Now()
		more(&s)
		return s, nil
	})
	if err == nil {
		a.step = s
	}
	return err
}

// save announces what is about to happen. A step that was announced before is saved all the same: that makes sure of
// the lease, and renews it, before anything is written.
func (a *attempt) save(ctx context.Context, state State, fits func(*Step) bool) error {
	s, err := a.journal.Advance(ctx, a.step.Key, func(s Step) (Step, error) {
		if !fits(&s) {
			return s, ErrMoved
		}
		if s.State != state {
			s.State, s.At = state, time.Now()
		}
		return s, nil
	})
	if err == nil {
		a.step = s
	}
	return err
}
