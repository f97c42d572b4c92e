// Package story tells what people do in a Slack to practise against, and what they see, as a test reads it:
//
//	w := story.New(t, slack, botURL)
//	ana := w.Person("ana")
//	ana.Types("#support", "/outage chat late")
//	ana.Sees("Chat arrives late").Press("Close Web shop now")
//	w.Channel("#support").Shows("Web shop CLOSED")
//
// What must come is waited for, up to a generous limit; a failure says what is there instead. What somebody does fails
// the test if the bot does not answer it well, except where a method's name begins with Try.
package story

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
)

// World is one workspace in one test.
type World struct {
	t     testing.TB
	slack *slacktest.Slack
	limit time.Duration
}

// New returns the world of a workspace whose app is at that URL, on the usual paths. An empty URL leaves the workspace
// as it is connected.
func New(tb testing.TB, slack *slacktest.Slack, botURL string) *World {
	tb.Helper()
	if botURL != "" {
		slack.Connect(slacktest.At(botURL))
	}
	return &World{t: tb, slack: slack, limit: 20 * time.Second}
}

// Within sets how long something that must come may take.
func (w *World) Within(d time.Duration) *World {
	w.limit = d
	return w
}

// until waits for a condition. what says what was waited for, got what is there instead.
func (w *World) until(what string, got func() string, holds func() bool) {
	w.t.Helper()
	over := time.NewTimer(w.limit)
	defer over.Stop()
	for {
		changed := w.slack.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-over.C:
			w.t.Fatalf("%s: not within %v. There is\n%s\n%s", what, w.limit, indent(got()), w.lately())
		}
	}
}

// lately tells of the last things between Slack and bot, for a failure.
func (w *World) lately() string {
	var b strings.Builder
	deliveries := w.slack.Deliveries()
	b.WriteString("To the bot, lately:\n")
	for _, d := range deliveries[max(0, len(deliveries)-5):] {
		fmt.Fprintf(&b, "  %s by %s: %d %s in %v %s\n", d.Kind, d.User, d.Status, d.Err, d.Took.Round(time.Millisecond), d.Answer)
	}
	calls := w.slack.Calls("")
	b.WriteString("From the bot, lately:\n")
	for _, c := range calls[max(0, len(calls)-8):] {
		fmt.Fprintf(&b, "  %s: %d %s\n", c.Method, c.Status, c.Error)
	}
	return b.String()
}

func (w *World) answered(d slacktest.Delivery, err error, what string) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	if !d.OK() {
		w.t.Fatalf("%s: the bot answered %d %s after %v: %s", what, d.Status, d.Err, d.Took, d.Answer)
	}
}

// Channel is a channel as a test looks at it.
type Channel struct {
	world *World
	id    string
	name  string
}

// Channel returns the channel of that name.
func (w *World) Channel(name string) *Channel {
	w.t.Helper()
	c, ok := w.slack.Channel(name)
	if !ok {
		w.t.Fatalf("there is no channel %q", name)
	}
	return &Channel{w, c.ID, name}
}

// ID returns the channel's id.
func (c *Channel) ID() string { return c.id }

// Shows waits for a message that everybody in the channel sees, with these texts in this order, and returns the newest
// such. Replies in threads do not count unless they are shown in the channel too.
func (c *Channel) Shows(texts ...string) *Message {
	c.world.t.Helper()
	return c.world.find(c.name+" shows", texts, c.messages)
}

// Count returns how many messages in the channel hold a text.
func (c *Channel) Count(text string) int {
	n := 0
	for _, m := range c.messages() {
		if m.Has(text) {
			n++
		}
	}
	return n
}

// Hides fails the test if a message in the channel holds the text. It looks once: wait for something else first.
func (c *Channel) Hides(text string) {
	c.world.t.Helper()
	if n := c.Count(text); n > 0 {
		c.world.t.Errorf("%s shows %q in %d messages, want none:\n%s", c.name, text, n, indent(list(c.messages())))
	}
}

func (c *Channel) messages() []*Message {
	var out []*Message
	for _, m := range c.world.slack.Messages(c.id) {
		if m.Only == "" && (m.Thread == "" || m.Broadcast) {
			out = append(out, &Message{c.world, nil, m})
		}
	}
	return out
}

// Thread is the thread of one message.
type Thread struct {
	world  *World
	parent *Message
}

// Thread waits for a message with these texts and returns its thread.
func (c *Channel) Thread(texts ...string) *Thread {
	c.world.t.Helper()
	return c.Shows(texts...).Thread()
}

// Shows waits for a reply with these texts in this order, and returns the newest such.
func (t *Thread) Shows(texts ...string) *Message {
	t.world.t.Helper()
	return t.world.find("the thread of "+t.parent.first()+" shows", texts, t.messages)
}

// Count returns how many replies hold a text.
func (t *Thread) Count(text string) int {
	n := 0
	for _, m := range t.messages() {
		if m.Has(text) {
			n++
		}
	}
	return n
}

func (t *Thread) messages() []*Message {
	var out []*Message
	for _, m := range t.world.slack.Messages(t.parent.m.Channel) {
		if m.Only == "" && m.Thread == t.parent.root() {
			out = append(out, &Message{t.world, nil, m})
		}
	}
	return out
}

// find waits for the newest message with these texts.
func (w *World) find(who string, texts []string, from func() []*Message) *Message {
	w.t.Helper()
	var found *Message
	w.until(fmt.Sprintf("%s %q", who, texts), func() string { return list(from()) }, func() bool {
		for _, m := range slices.Backward(from()) {
			if m.Has(texts...) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func list(messages []*Message) string {
	var parts []string
	for _, m := range messages[max(0, len(messages)-12):] {
		parts = append(parts, m.String())
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "\n·\n")
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }
