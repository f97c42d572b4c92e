package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// mode is when, around one call, the world stops.
type mode string

const (
	before     mode = "before"           // the call never happens
	after      mode = "after"            // the call happens, its answer arrives, then nothing more
	unanswered mode = "after-unanswered" // the call happens, its answer is lost
)

var errStopped = errors.New("the world has stopped")

// bug is a fault planted into the test's own journal or platform. The engine has no such switches: a sweep that stays
// green with a bug would prove nothing.
type bug string

const (
	noBug          bug = ""
	noWriteAhead   bug = "no write-ahead"
	baselineTwice  bug = "baseline recorded twice"
	currentTrusted bug = "current value trusted"
	byElimination  bug = "restored by elimination"
)

// world is a platform, a journal, and the point at which everything stops.
type world struct {
	t        *testing.T
	settings map[Key]string
	original map[Key]string
	record   Record // what is durable
	late     *Step  // noWriteAhead: acknowledged, not durable
	bug      bug
	calls    int
	stopAt   int
	mode     mode
	stopped  bool
	writes   map[Key]int
	refuse   map[Key]bool
	edit     map[int]func(*world) // somebody else's hands, before the n-th call
	breach   []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, settings: map[Key]string{}, original: map[Key]string{}, writes: map[Key]int{}, refuse: map[Key]bool{}, edit: map[int]func(*world){}}
	for i := range 3 {
		k := key(i)
		w.settings[k], w.original[k] = fmt.Sprintf("normal %d", i), fmt.Sprintf("normal %d", i)
	}
	return w
}

func key(i int) Key { return Key(fmt.Sprintf("test/r%d", i)) }

func text(s string) Value { return Value{Raw: []byte(s), Text: s} }

// call runs one call at which the world may stop.
func (w *world) call(f func() error) error {
	if w.stopped {
		return errStopped
	}
	w.calls++
	if e := w.edit[w.calls]; e != nil {
		e(w)
	}
	if w.calls != w.stopAt {
		return f()
	}
	w.stopped = true
	if w.mode == before {
		return errStopped
	}
	err := f()
	if w.mode == unanswered {
		return errStopped
	}
	return err
}

func (w *world) restart() { w.stopped, w.stopAt, w.late = false, -1, nil }

// The platform.

func (w *world) Resources(context.Context) ([]Resource, error) { return nil, nil }
func (w *world) Plan(Request) ([]Step, error)                  { return nil, nil }
func (w *world) Guide(Key, Value) Guide                        { return Guide{} }

func (w *world) Read(_ context.Context, k Key) (v Value, err error) {
	err = w.call(func() error { v = text(w.settings[k]); return nil })
	if s, ok := w.record.Step(k); ok && w.bug == currentTrusted && s.Back && w.settings[k] != w.original[k] {
		v = s.Want // what was set is taken for what is there
	}
	return v, err
}

func (w *world) Write(_ context.Context, k Key, want, _ Value) error {
	return w.call(func() error {
		if w.refuse[k] {
			return fmt.Errorf("no: %w", ErrRefused)
		}
		s, _ := w.record.Step(k)
		if s.Before == nil || string(s.Before.Value.Raw) != w.original[k] {
			w.breach = append(w.breach, fmt.Sprintf("%s written with the value before not on record", k))
		}
		if s.State != Intent && s.State != RestoreIntent {
			w.breach = append(w.breach, fmt.Sprintf("%s written in state %s: no intent on record", k, s.State))
		}
		if now := w.settings[k]; now != w.original[k] && now != string(s.Want.Raw) && (s.Allow == nil || now != s.Allow.Text) {
			w.breach = append(w.breach, fmt.Sprintf("%s: %q was overwritten without a word", k, now))
		}
		w.settings[k] = string(want.Raw)
		w.writes[k]++
		return nil
	})
}

// The journal.

func (w *world) Load(context.Context) (r Record, err error) {
	err = w.call(func() error {
		r = w.record
		if w.late != nil {
			r, _ = r.With(w.late.Key, func(Step) (Step, error) { return *w.late, nil })
		}
		return nil
	})
	return r, err
}

func (w *world) Advance(_ context.Context, k Key, f func(Step) (Step, error)) (s Step, err error) {
	err = w.call(func() error {
		if w.late != nil {
			w.record, _ = w.record.With(w.late.Key, func(Step) (Step, error) { return *w.late, nil })
			w.late = nil
		}
		next, err := w.record.With(k, f)
		if err != nil {
			return err
		}
		s, _ = next.Step(k)
		if w.bug == noWriteAhead && s.State == Intent {
			w.late = &s
			return nil
		}
		w.record = next
		return nil
	})
	return s, err
}

// begin confirms the plan, as the press that is delivered again after a crash does.
func (w *world) begin() error {
	if len(w.record.Steps) > 0 && w.bug != baselineTwice {
		return nil // its op id says that it has happened
	}
	var steps []Step
	for i := range 3 {
		k := key(i)
		v, err := w.Read(context.Background(), k)
		if err != nil {
			return err
		}
		steps = append(steps, Step{Key: k, Way: Auto, Want: text("outage"), Before: &Baseline{Value: v, By: ByAPI}})
	}
	return w.call(func() error {
		r, err := w.record.Begin(steps, time.Unix(0, 0))
		if err != nil {
			return err
		}
		if w.bug == baselineTwice {
			for i, s := range r.Steps {
				if s.Before == nil {
					r.Steps[i].State = Recorded
				}
				r.Steps[i].Before = steps[i].Before
			}
		}
		w.record = r
		return nil
	})
}

func (w *world) run() error {
	e := Engine{Platforms: Platforms{"test": w}}
	for range 20 {
		again, err := e.Run(context.Background(), w, func() bool { return true })
		if err != nil || again == 0 {
			return err
		}
	}
	return errors.New("the engine does not come to an end")
}

func (w *world) putBack() error {
	return w.call(func() error { w.record = w.record.PutBack(nil, "@ana", time.Unix(0, 0)); return nil })
}

// outage is the whole way: confirm, change, restore.
func (w *world) outage() error {
	for _, f := range []func() error{w.begin, w.run, w.putBack, w.run} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// verdict lists what is wrong at the end: each resource must be as it was, or asked about.
func (w *world) verdict() []string {
	out := slices.Clone(w.breach)
	asked := map[Key]bool{}
	for _, t := range Next(w.record) {
		if t.Do != DoAsk {
			out = append(out, fmt.Sprintf("%s is left at %q", t.Key, t.Do))
		}
		asked[t.Key] = true
	}
	for k, want := range w.original {
		if got := w.settings[k]; got != want && !asked[k] {
			out = append(out, fmt.Sprintf("%s silently ended as %q, not %q", k, got, want))
		}
	}
	return out
}

// sweep stops the world at every call of the whole way, in each mode, and lets a restart finish it. It returns what
// went wrong, and how often the world was stopped.
func sweep(t *testing.T, b bug, prepare func(*world)) (wrong []string, points int) {
	t.Helper()
	for _, m := range []mode{before, after, unanswered} {
		for n := 1; ; n++ {
			w := newWorld(t)
			w.bug, w.stopAt, w.mode = b, n, m
			prepare(w)
			err := w.outage()
			reached := w.stopped
			for range 3 { // whatever is left is done by whoever comes next
				w.restart()
				if err = w.outage(); err == nil {
					break
				}
			}
			if err != nil {
				wrong = append(wrong, fmt.Sprintf("stopped %s call %d: %v", m, n, err))
			}
			for _, v := range w.verdict() {
				wrong = append(wrong, fmt.Sprintf("stopped %s call %d: %s", m, n, v))
			}
			if !reached {
				break
			}
			points++
		}
	}
	return wrong, points
}
