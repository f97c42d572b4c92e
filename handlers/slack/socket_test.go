package slack_test

import (
	"context"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/slack"
	"switchback/handlers/slack/slacktest"
)

// beginSocket is begin over Socket Mode.
func beginSocket(t *testing.T) *world {
	t.Helper()
	w := begin(t, func(c *slack.Config) { c.AppToken, c.SigningSecrets = "app", nil }, slacktest.Config{AppToken: "app", EventRetries: []time.Duration{0}})
	w.ConnectSocket()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.adapter.Connect(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the connection ended with %v", err)
		}
	})
	w.connected()
	return w
}

// connected waits for a connection.
func (w *world) connected() {
	w.t.Helper()
	for end := time.After(30 * time.Second); ; {
		changed := w.Changed()
		if w.Sockets() > 0 {
			return
		}
		select {
		case <-changed:
		case <-end:
			w.t.Fatal("nobody is connected")
		}
	}
}

// The connection is renewed when Slack asks for it and when it breaks, and a bug in the handling of one request is
// nothing to the others: its person is told by Slack, and an event is sent again.
func TestSocketMode(t *testing.T) {
	w := beginSocket(t)
	types := func(text string) slacktest.Delivery {
		t.Helper()
		d, err := w.Command(t.Context(), ana, support, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := types("/outage one"); !d.OK() {
		t.Errorf("%+v", d)
	}
	w.Disconnect("refresh_requested")
	w.connected()
	if d := types("/outage two"); !d.OK() {
		t.Errorf("after Slack asked to connect anew: %+v", d)
	}
	w.Drop()
	w.connected()
	if d := types("/outage three"); !d.OK() {
		t.Errorf("after the line broke: %+v", d)
	}
	w.desk.set(func(d *desk) { d.panics = true })
	if d := types("/outage four"); d.Err != slacktest.TimedOut {
		t.Errorf("in a bug: %+v, want no answer", d)
	}
	w.desk.set(func(d *desk) { d.panics = true })
	if _, _, err := w.Say(t.Context(), ana, support, "", "@switchback five"); err != nil {
		t.Fatal(err)
	}
	if d := types("/outage six"); !d.OK() {
		t.Errorf("after a bug: %+v", d)
	}
	want := []string{"one", "two", "three", "five", "six"}
	for end := time.After(30 * time.Second); len(w.desk.got()) < len(want); {
		select {
		case <-w.Changed():
		case <-end:
			t.Fatalf("taken in: %+v, want %q", w.desk.got(), want)
		}
	}
	seen := map[string]bool{}
	for _, e := range w.desk.got() {
		seen[e.What.(flow.Command).Words[0]] = true
	}
	for _, word := range want {
		if !seen[word] {
			t.Errorf("not taken in: %s", word)
		}
	}
}

// What slack-go does not know, in a message of another app, does not lose the shortcut that somebody started on it.
func TestSocketModeUnknownElements(t *testing.T) {
	w := beginSocket(t)
	m := slacktest.Message{Channel: support, TS: "1.000001", User: "U0KIM", Text: "Card declines since 02:00", Blocks: []slacktest.Block{
		{"type": "actions", "block_id": "b", "elements": []any{map[string]any{"type": "hologram", "action_id": "a"}}},
		{"type": "input", "block_id": "c", "element": map[string]any{"type": "mind_reader", "action_id": "a"}},
	}}
	d, err := w.ShortcutOn(t.Context(), ana, m, "timeline")
	if err != nil || !d.OK() {
		t.Fatalf("%+v, %v", d, err)
	}
	got := w.desk.got()
	if len(got) != 1 || len(got[0].What.(flow.Command).Words) != 5 || got[0].Place.In == "" {
		t.Errorf("taken in: %+v, want a note in the thread of the message", got)
	}
}

// What the bot had in hand when it was told to end is answered before it goes.
func TestSocketModeAnswersBeforeItGoes(t *testing.T) {
	w := begin(t, func(c *slack.Config) { c.AppToken, c.SigningSecrets = config.Secret("app"), nil }, slacktest.Config{AppToken: "app"})
	w.ConnectSocket()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.adapter.Connect(ctx) }()
	w.connected()
	w.desk.set(func(d *desk) { d.during = stop })
	if d, err := w.Command(t.Context(), ana, support, "/outage"); err != nil || !d.OK() {
		t.Errorf("%+v, %v", d, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
