package change

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scenarios are the worlds that the sweep stops at every call.
func scenarios() map[string]func(*world) {
	return map[string]func(*world){
		"all is well": func(*world) {},
		"somebody edits by hand during the outage": func(w *world) {
			w.edit[24] = func(w *world) { w.settings[key(1)] = "by hand" }
		},
		"the platform refuses one": func(w *world) { w.refuse[key(2)] = true },
		"one shows the outage's value before us": func(w *world) {
			w.settings[key(0)] = "outage"
			w.original[key(0)] = "outage"
		},
		"a value before is lost from the record": func(w *world) {
			w.edit[24] = func(w *world) {
				for i := range w.record.Steps {
					if w.record.Steps[i].Key != key(0) {
						continue
					}
					w.record.Steps[i].Before = nil
					if w.bug == byElimination { // "the others said normal, so this one was normal, too"
						other := w.record.Steps[1].Before
						w.record.Steps[i].Before = other
					}
				}
			}
		},
	}
}

// Contract 1, 2, 4 and 5: whatever crashes, each setting ends as it was, or in a question that names it.
func TestCrashSweep(t *testing.T) {
	for name, prepare := range scenarios() {
		t.Run(name, func(t *testing.T) {
			wrong, points := sweep(t, noBug, prepare)
			for _, w := range wrong {
				t.Error(w)
			}
			if points < 30 {
				t.Errorf("the world was stopped at %d points only", points)
			}
			t.Logf("%d points", points)
		})
	}
}

func TestPlantedBugsTurnTheSweepRed(t *testing.T) {
	for bug, scenario := range map[bug]string{
		noWriteAhead:   "all is well",
		baselineTwice:  "all is well",
		currentTrusted: "somebody edits by hand during the outage",
		byElimination:  "a value before is lost from the record",
	} {
		t.Run(string(bug), func(t *testing.T) {
			if wrong, points := sweep(t, bug, scenarios()[scenario]); len(wrong) == 0 {
				t.Errorf("the sweep over %d points did not notice", points)
			} else {
				t.Logf("seen %d times, first: %s", len(wrong), wrong[0])
			}
		})
	}
}

func TestEachSettingIsWrittenOnceEachWay(t *testing.T) {
	w := newWorld(t)
	if err := w.outage(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[Key]int{key(0): 2, key(1): 2, key(2): 2}, w.writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if got := w.record.Phase(); got != Ended {
		t.Errorf("phase = %s, want %s", got, Ended)
	}
}

func TestAnOldLeaseWritesNothing(t *testing.T) {
	w := newWorld(t)
	if err := w.begin(); err != nil {
		t.Fatal(err)
	}
	e := Engine{Platforms: Platforms{"test": w}}
	_, err := e.Run(context.Background(), w, func() bool { return false })
	if !errors.Is(err, ErrLeaseOld) {
		t.Errorf("Run with an old lease = %v, want %v", err, ErrLeaseOld)
	}
	if len(w.writes) != 0 {
		t.Errorf("written all the same: %v", w.writes)
	}
}

func TestARestoreAskedForWhileAStepIsBeingSet(t *testing.T) {
	for n := 1; n < 30; n++ {
		w := newWorld(t)
		w.edit[n] = func(w *world) { w.record = w.record.PutBack(nil, "@sam", time.Unix(0, 0)) }
		if err := w.begin(); err != nil {
			t.Fatal(err)
		}
		if err := w.run(); err != nil {
			t.Fatalf("at call %d: %v", n, err)
		}
		if w.calls < n {
			return
		}
		if n > 4 { // begun: from here on there is something to put back
			if diff := cmp.Diff(w.original, w.settings); diff != "" {
				t.Errorf("restore at call %d (-want +got):\n%s", n, diff)
			}
		}
	}
}

func TestTell(t *testing.T) {
	at := time.Unix(1, 0)
	conflict := Step{Key: "k", State: Conflict, Want: text("outage"), Before: &Baseline{Value: text("normal"), By: ByAPI}, Now: new(text("by hand"))}
	back := conflict
	back.Back = true
	lost := Step{Key: "k", State: Conflict, Back: true, Want: text("outage")}
	adopted := Step{Key: "k", State: Adopted, Back: true, Want: text("outage"), Now: new(text("outage"))}
	for name, tc := range map[string]struct {
		step   Step
		seen   State
		answer Answer
		want   State
		err    error
	}{
		"set it all the same":                     {conflict, Conflict, Overwrite, Intent, nil},
		"put it back all the same":                {back, Conflict, Overwrite, RestoreIntent, nil},
		"keep what somebody set":                  {back, Conflict, Leave, Left, nil},
		"name the value before":                   {adopted, Adopted, Name, RestoreIntent, nil},
		"name what is lost from the record":       {lost, Conflict, Name, RestoreIntent, nil},
		"nothing to put back without a baseline":  {lost, Conflict, Overwrite, Conflict, ErrMoved},
		"a question that was answered meanwhile":  {conflict, Failed, Retry, Conflict, ErrMoved},
		"an answer that does not fit":             {conflict, Conflict, Retry, Conflict, ErrMoved},
		"what is restored cannot be left":         {Step{Key: "k", State: Restored}, Restored, Leave, Restored, ErrMoved},
		"a value before that is known stays so":   {conflict, Conflict, Name, Conflict, ErrMoved},
		"a mistyped value before is mended":       {Step{Key: "k", State: Failed, Back: true, Want: text("outage"), Before: &Baseline{Value: text("nromal"), By: "@ana"}}, Failed, Name, RestoreIntent, nil},
		"a failed step is tried again on its way": {Step{Key: "k", State: Failed, Back: true}, Failed, Retry, RestoreIntent, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Record{Steps: []Step{tc.step}}.Tell("k", tc.seen, tc.answer, text("Main menu"), "@ana", "because", at)
			if !errors.Is(err, tc.err) {
				t.Fatalf("Tell = %v, want %v", err, tc.err)
			}
			if got := r.Steps[0].State; got != tc.want {
				t.Errorf("state = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestBegin(t *testing.T) {
	step := func(before, want string) Step {
		return Step{Key: "k", Way: Auto, Want: text(want), Before: &Baseline{Value: text(before), By: ByAPI}}
	}
	begin := func(t *testing.T, r Record, s Step) Record {
		t.Helper()
		r, err := r.Begin([]Step{s}, time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	t.Run("the first baseline wins", func(t *testing.T) {
		r := begin(t, Record{}, step("normal", "outage"))
		r = begin(t, r, step("something else", "outage"))
		if got := r.Steps[0].Before.Value.Text; got != "normal" || len(r.Steps) != 1 {
			t.Errorf("before = %q in %d steps, want normal in 1", got, len(r.Steps))
		}
	})
	t.Run("the outage's value is never the value before", func(t *testing.T) {
		r := begin(t, Record{}, step("outage", "outage"))
		if r.Steps[0].State != Adopted || r.Steps[0].Before != nil {
			t.Errorf("step = %+v, want adopted without a value before", r.Steps[0])
		}
	})
	t.Run("held with another wanted value", func(t *testing.T) {
		r := begin(t, Record{}, step("normal", "outage"))
		if _, err := r.Begin([]Step{step("normal", "another")}, time.Unix(1, 0)); !errors.Is(err, ErrHeld) {
			t.Errorf("Begin = %v, want %v", err, ErrHeld)
		}
	})
	t.Run("again after the end, with a fresh baseline", func(t *testing.T) {
		r := begin(t, Record{}, step("normal", "outage"))
		r.Steps[0].State = Restored
		r = begin(t, r, step("new normal", "outage"))
		if got := r.Steps[0].Before.Value.Text; got != "new normal" {
			t.Errorf("before = %q, want the fresh one", got)
		}
	})
}
