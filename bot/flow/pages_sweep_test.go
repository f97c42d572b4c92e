package flow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/bot/incident"
)

// said is a page that says what it is told to, and stops with the world.
type said struct {
	stops *stops
	now   []incident.Snapshot
}

func (p *said) Read(context.Context, string, []string) (r incident.Reading, err error) {
	err = p.stops.call(func() error {
		r = incident.Reading{At: time.Now(), PageID: "pg", Incidents: slices.Clone(p.now)}
		return nil
	})
	return r, err
}

// tell changes what the page says, and sends a notification of it until it is taken in, as pages do.
func (p *said) tell(n *night, status, text string) error {
	s := incident.Snapshot{Page: "gladly", ID: "x1", Name: "Chat is late", Impact: "minor", Created: time.Now(), Components: []incident.Component{{ID: "c1", Name: "Chat", Status: "degraded_performance"}}}
	if len(p.now) > 0 {
		s = p.now[0]
	}
	s.Via, s.At, s.Status, s.Edited = incident.ByRead, time.Now(), status, time.Now()
	s.Updates = append(slices.Clone(s.Updates), incident.Update{ID: fmt.Sprint("u", len(s.Updates)), Status: status, Text: text, Created: time.Now()})
	p.now = []incident.Snapshot{s.Clean()}
	for range 3 {
		s.Via = incident.ByHook
		err := n.service.Hear(n.t.Context(), "gladly", incident.Notice{At: time.Now(), PageID: "pg", Incident: &s})
		if err == nil {
			err = n.worker.Settle(n.t.Context())
		}
		if err == nil && !n.stopped() {
			break
		}
		if err := n.restart(); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	return nil
}

func (n *night) stopped() bool {
	n.stops.mu.Lock()
	defer n.stops.mu.Unlock()
	return n.stops.stopped
}

// The world stops at every call between a notification and its post, before it, after it, and after it with its answer
// lost: after a restart each message says what the page says, and each update stands in the thread once.
func TestSweepPages(t *testing.T) {
	for _, mode := range modes() {
		for at := 1; ; at++ {
			over := false
			synctest.Test(t, func(t *testing.T) { over = sweepPage(t, mode, at) })
			if over || t.Failed() {
				break
			}
		}
	}
}

// sweepPage plays it with one stop. It reports whether the stop came after all that was to be done.
func sweepPage(t *testing.T, mode string, at int) (over bool) {
	t.Helper()
	n := newNight(t, &stops{at: at, mode: mode})
	defer n.end()
	page := &said{stops: n.stops}
	n.tune = func(c *flow.Config) {
		c.Routing = incident.Routing{Pages: []incident.Page{{ID: "gladly", Name: "Gladly", URL: "https://gladly.statuspage.io", Components: []incident.Part{{Name: "Chat", For: []string{"chat"}}}}}}
		c.Pages, c.Alone, c.Policy.Surfaces = page, true, []string{"terminal"}
	}
	n.start()
	for range 2 {
		if err := errors.Join(n.service.Watch(t.Context()), n.worker.Settle(t.Context())); err == nil && !n.stopped() {
			break
		}
		if err := n.restart(); err != nil {
			t.Fatalf("%s %d: %v", mode, at, err)
		}
	}
	for _, step := range [][2]string{{"investigating", "Looking."}, {"identified", "Found it."}, {"resolved", "Fixed."}} {
		if err := page.tell(n, step[0], step[1]); err != nil {
			t.Fatalf("%s %d: %v", mode, at, err)
		}
	}
	for range 4 { // what was interrupted is taken up by its timers
		time.Sleep(time.Minute)
		err := n.worker.Settle(t.Context())
		if n.stopped() {
			err = n.restart()
		}
		if err != nil {
			t.Fatalf("%s %d: %v", mode, at, err)
		}
	}
	root := card.Card{}
	var thread []string
	for id, c := range n.screen.cards {
		switch _, message, _ := strings.Cut(id, " "); {
		case message == "incident:gladly/x1":
			root = c
		case strings.HasPrefix(message, "incident:gladly/x1/u/"):
			thread = append(thread, strings.Join(c.Text, " "))
		case strings.HasPrefix(message, "incident:gladly/x1/earlier"), strings.HasPrefix(message, "page:"):
			t.Errorf("%s %d: %s", mode, at, message)
		}
	}
	if text := strings.Join(root.Text, " "); !strings.Contains(text, "Over: resolved") || !strings.Contains(text, "Fixed.") {
		t.Errorf("%s %d: the message says %q", mode, at, root.Text)
	}
	for _, want := range []string{"Looking.", "Found it.", "Fixed."} {
		if k := strings.Count(strings.Join(thread, "\n"), want); k != 1 {
			t.Errorf("%s %d: %q stands %d times in the thread: %q", mode, at, want, k, thread)
		}
	}
	n.stops.mu.Lock()
	defer n.stops.mu.Unlock()
	return n.stops.at > 0 && n.stops.calls < n.stops.at
}
