package slacktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"switchback/handlers/slack/slacktest"
)

// connect runs slack-go's client of Socket Mode until the test ends. answer is the payload of each ack; a nil channel
// of answers acks nothing.
func connect(t *testing.T, s *slacktest.Slack, answer func(socketmode.Event) (ack bool, payload any)) {
	t.Helper()
	c := socketmode.New(client(s))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.RunContext(ctx)
	}()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for {
			select {
			case e := <-c.Events:
				if e.Request == nil || e.Request.EnvelopeID == "" {
					continue
				}
				if ack, payload := answer(e); ack {
					if payload == nil {
						_ = c.Ack(*e.Request)
					} else {
						_ = c.Ack(*e.Request, payload)
					}
				}
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
		<-drained
	})
}

func TestSocketMode(t *testing.T) {
	s := acme(t, slacktest.Config{AnswerWithin: 5 * time.Second, EventRetries: []time.Duration{0}})
	s.ConnectSocket()
	ctx := t.Context()

	d, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage")
	if err != nil || d.Err != slacktest.Failed {
		t.Errorf("with nobody connected = %+v, %v, want %s", d, err, slacktest.Failed)
	}

	skipped := false
	connect(t, s, func(e socketmode.Event) (bool, any) {
		switch in := e.Data.(type) {
		case slack.SlashCommand:
			return true, map[string]any{"text": "You typed " + in.Text}
		case slackevents.EventsAPIEvent:
			if !skipped { // the first one is lost
				skipped = true
				return false, nil
			}
		}
		return true, nil
	})
	until(t, s, "connected", func() bool { return s.Sockets() == 1 })
	if d, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage chat"); err != nil || !d.OK() {
		t.Fatalf("command = %+v, %v", d, err)
	}
	seen := s.Visible("U0ANA")
	if got := seen[len(seen)-1]; got.Text != "You typed chat" || got.Only != "U0ANA" {
		t.Errorf("@ana sees %+v, want the answer in the ack", got)
	}
	if d, err := s.Shortcut(ctx, "U0ANA", "report"); err != nil || !d.OK() {
		t.Errorf("shortcut = %+v, %v", d, err)
	}

	lost, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if d := s.Tell(lost, "U0ANA", map[string]any{"type": "app_home_opened", "user": "U0ANA"}); d.OK() {
		t.Errorf("an event that nobody acked = %+v", d)
	}
	until(t, s, "sent again", func() bool {
		all := s.Deliveries()
		last := all[len(all)-1]
		return last.Attempt == 1 && last.OK()
	})

	s.Disconnect("warning")
	until(t, s, "connected again", func() bool { return s.Sockets() == 1 })
	if d, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage"); err != nil || !d.OK() {
		t.Errorf("after a new connection = %+v, %v", d, err)
	}
	s.Drop()
	until(t, s, "connected after a cut", func() bool { return s.Sockets() == 1 && len(s.Calls("apps.connections.open")) == 3 })
	if d, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage"); err != nil || !d.OK() {
		t.Errorf("after a cut = %+v, %v", d, err)
	}
}
