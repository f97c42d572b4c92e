package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/flow"
	"switchback/store/storetest"
)

// pause stops a process as a suspended machine does, and returns when it stands still.
func (w *town) pause(p *process) {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		w.t.Error(err)
	}
	w.eventually("the process to stand still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		_, state, _ := strings.Cut(string(stat), ") ")
		return err != nil || strings.HasPrefix(state, "T")
	})
}

// wake lets it go on, and returns when it has done what it was in the middle of.
func (w *town) wake(p *process) {
	w.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		w.t.Fatal(err)
	}
	p.types("ping")
	p.until("pong")
}

// pausedAt makes the process stand still when the platform has done its n-th call from now on, before it gets the answer.
func (w *town) pausedAt(n int, p *process) chan bool {
	stopped := make(chan bool)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.at, w.stop = 0, n, func() { w.pause(p); close(stopped) }
	return stopped
}

// versions is what is on record of all outages, by version.
func (w *town) versions() map[string]uint64 {
	w.t.Helper()
	out := map[string]uint64{}
	for _, prefix := range []string{"outage:", "change:", "lock:", "left:"} {
		names, err := w.kept.Store.List(w.t.Context(), prefix)
		if err != nil {
			w.t.Fatal(err)
		}
		docs, err := w.kept.Store.Get(w.t.Context(), names...)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range docs {
			out[d.Key] = d.Version
		}
	}
	return out
}

// done waits until nothing is left that the past caused, and every setting of the open outages is set, or no longer held.
func (w *town) done(back bool) {
	w.t.Helper()
	w.eventually("the end of it", func() bool {
		open, records := w.open()
		settled, err := w.kept.Settled(w.t.Context())
		if back {
			return err == nil && settled && len(open) == 0
		}
		return err == nil && settled && len(open) == 1 && !flow.Working(records[0])
	})
}

// settings are what the platform shows.
func (w *town) settings() string {
	answer := httptest.NewRecorder()
	w.company.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/v1/settings", nil))
	return answer.Body.String()
}

// change is the confirm of an outage, which somebody has looked at.
func (w *town) change(p *process, who string) flow.Event {
	p.does(w.event(who, flow.Command{Words: []string{"chat", "late"}}))
	return w.event(who, flow.Press{Action: w.button(":"+who+" ", "Close")})
}

// restore is the yes to putting everything back.
func (w *town) restore(p *process, who string) flow.Event {
	p.does(w.event(who, flow.Command{Words: []string{"restore"}}))
	return w.event(who, flow.Press{Action: w.button("restore", "Put everything back")})
}

// Contract 3: a process is stopped in the middle of a change, with the answer of one call to the platform on its way to
// it; another finishes the change and restores everything. Or it is stopped in the middle of the restore; the other
// finishes that, and begins the next outage. Woken up, the first one writes nothing: not to the platform, not to the store.
func TestPausedInTheMiddle(t *testing.T) {
	points := []int{5, 6} // the engine's first read, and its first write: 4 reads for the confirm come before
	back := []int{1, 2}
	if os.Getenv("PROOF") != "" {
		points, back = nil, nil
		for n := range 12 {
			points, back = append(points, n+5), append(back, n+1)
		}
	}
	url := storetest.Redis(t)
	for _, n := range points {
		t.Run(fmt.Sprintf("change, call %d", n), func(t *testing.T) {
			w := newTown(t, url)
			if wrong := w.pausedChange(n, false); wrong != "" {
				t.Error(wrong)
			}
		})
	}
	for _, n := range back {
		t.Run(fmt.Sprintf("restore, call %d", n), func(t *testing.T) {
			w := newTown(t, url)
			if wrong := w.pausedRestore(n, false); wrong != "" {
				t.Error(wrong)
			}
		})
	}
	t.Run("planted: the age of the lease is not looked at", func(t *testing.T) {
		for name, play := range map[string]func(w *town) string{
			"change":  func(w *town) string { return w.pausedChange(5, true) },
			"restore": func(w *town) string { return w.pausedRestore(1, true) },
		} {
			start := time.Now()
			if wrong := play(newTown(t, url)); wrong == "" {
				t.Errorf("%s: nothing noticed the bug", name)
			} else {
				t.Logf("planted: a %s by a claim whose age is not looked at | TestPausedInTheMiddle | 1 pause | %v", name, time.Since(start).Round(time.Millisecond))
			}
		}
	})
}

func (w *town) pausedChange(n int, neverOld bool) string {
	w.t.Helper()
	before := w.settings()
	a := w.begin(neverOld)
	confirm := w.change(a, "ana")
	stopped := w.pausedAt(n, a)
	a.says(confirm)
	<-stopped
	b := w.begin(false)
	w.done(false)
	b.does(w.restore(b, "sam"))
	w.done(true)
	return w.wakes(a, b, before)
}

func (w *town) pausedRestore(n int, neverOld bool) string {
	w.t.Helper()
	a := w.begin(neverOld)
	a.does(w.change(a, "ana"))
	w.done(false)
	during := w.settings()
	restore := w.restore(a, "ana")
	stopped := w.pausedAt(n, a)
	a.says(restore)
	<-stopped
	b := w.begin(false)
	w.done(true)
	b.does(w.change(b, "sam"))
	w.done(false)
	return w.wakes(a, b, during)
}

// wakes lets the first process go on after the second one is done, and says what is not as it was then.
func (w *town) wakes(a, b *process, want string) string {
	w.t.Helper()
	writes, versions := w.writes(), w.versions()
	w.wake(a)
	var wrong []string
	if late := w.writes()[len(writes):]; len(late) > 0 {
		wrong = append(wrong, fmt.Sprintf("written to the platform late: %q", late))
	}
	if diff := cmp.Diff(versions, w.versions()); diff != "" {
		wrong = append(wrong, "written to the store late (-before +after):\n"+diff)
	}
	if diff := cmp.Diff(want, w.settings()); diff != "" {
		wrong = append(wrong, "settings (-want +got):\n"+diff)
	}
	if n := len(writes); n%4 != 0 {
		wrong = append(wrong, fmt.Sprintf("%d writes for 4 settings: %q", n, writes))
	}
	a.ends()
	b.ends()
	return strings.Join(wrong, "\n")
}
