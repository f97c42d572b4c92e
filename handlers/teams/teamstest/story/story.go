// Package story tells what people do in a Teams to practise against, and what they see, as a test reads it:
//
//	w := story.New(t, teams, botURL)
//	ana := w.Person("ana")
//	ana.Says("support", "@Switchback outage chat late")
//	ana.Sees("Chat arrives late").Press("Close Web shop now")
//	w.Channel("support").Shows("Web shop CLOSED")
//
// What must come is waited for, up to a generous limit; a failure says what is there instead. What somebody does fails
// the test if the bot does not answer it well.
package story

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchback/handlers/teams/teamstest"
)

// World is one tenant in one test.
type World struct {
	t     testing.TB
	teams *teamstest.Teams
	limit time.Duration
}

// New returns the world of a tenant whose bot is at that URL, on the usual path.
func New(tb testing.TB, teams *teamstest.Teams, botURL string) *World {
	tb.Helper()
	teams.Connect(strings.TrimSuffix(botURL, "/") + "/api/messages")
	return &World{t: tb, teams: teams, limit: 20 * time.Second}
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
		changed := w.teams.Changed()
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

// lately tells of the last things between Teams and bot, for a failure.
func (w *World) lately() string {
	var b strings.Builder
	deliveries, calls := w.teams.Deliveries(), w.teams.Calls()
	b.WriteString("To the bot, lately:\n")
	for _, d := range deliveries[max(0, len(deliveries)-5):] {
		fmt.Fprintf(&b, "  %s %s: %d in %v %.300s\n", d.Type, d.Name, d.Status, d.Took.Round(time.Millisecond), d.Raw)
	}
	b.WriteString("From the bot, lately:\n")
	for _, c := range calls[max(0, len(calls)-8):] {
		fmt.Fprintf(&b, "  %s %s: %d %s\n", c.Method, c.Path, c.Status, c.Code)
	}
	return b.String()
}

// Person is somebody in the tenant.
type Person struct {
	world *World
	user  teamstest.User
}

// Person returns the person of that name.
func (w *World) Person(name string) *Person {
	w.t.Helper()
	u, ok := w.teams.User(name)
	if !ok {
		w.t.Fatalf("there is nobody called %q", name)
	}
	return &Person{w, u}
}

// Says writes into a channel or a group chat, where "@Switchback" mentions the bot, or to the bot alone if where is "".
func (p *Person) Says(where, text string) {
	p.world.t.Helper()
	p.say(where, "", text)
}

func (p *Person) say(where, root, text string) {
	p.world.t.Helper()
	d, err := p.world.teams.Say(p.world.t.Context(), p.user.Name, where, root, text)
	if err != nil || d.Type != "" && !d.OK() {
		p.world.t.Fatalf("%s says %q: the bot answered %d, %v", p.user.Name, text, d.Status, err)
	}
}

// Sees waits for a message that this person can see, with these texts in this order, and returns the newest such.
func (p *Person) Sees(texts ...string) *Message {
	p.world.t.Helper()
	return p.world.find(p.user.Name+" sees", texts, func() []*Message { return p.all(p.world.teams.Visible(p.user.Name)) })
}

// Alone waits as Sees does, for a message in the person's chat with the bot.
func (p *Person) Alone(texts ...string) *Message {
	p.world.t.Helper()
	return p.world.find(p.user.Name+" alone sees", texts, func() []*Message {
		return p.all(p.world.teams.Messages(p.world.teams.Chat(p.user.Name).ID, p.user.Name))
	})
}

func (p *Person) all(messages []teamstest.Message) []*Message {
	var out []*Message
	for _, m := range messages {
		out = append(out, &Message{p.world, p, m})
	}
	return out
}

// Channel is a conversation as a test looks at it: as everybody sees it.
type Channel struct {
	world *World
	id    string
	name  string
}

// Channel returns the channel or group chat of that name.
func (w *World) Channel(name string) *Channel {
	w.t.Helper()
	g, ok := w.teams.Group(name)
	if !ok {
		w.t.Fatalf("there is no %q", name)
	}
	return &Channel{w, g.ID, name}
}

// Shows waits for a message with these texts in this order, and returns the newest such. Replies do not count.
func (c *Channel) Shows(texts ...string) *Message {
	c.world.t.Helper()
	return c.world.find(c.name+" shows", texts, func() []*Message {
		return slices.DeleteFunc(c.messages(), func(m *Message) bool { return m.m.Root != "" && m.m.Root != m.m.ID })
	})
}

// Count returns how many messages and replies hold a text.
func (c *Channel) Count(text string) int {
	n := 0
	for _, m := range c.messages() {
		if m.Has(text) {
			n++
		}
	}
	return n
}

// Thread waits for a message with these texts, and returns its thread.
func (c *Channel) Thread(texts ...string) *Thread {
	c.world.t.Helper()
	return &Thread{c, c.Shows(texts...)}
}

func (c *Channel) messages() []*Message {
	var out []*Message
	for _, m := range c.world.teams.Messages(c.id, "") {
		out = append(out, &Message{c.world, nil, m})
	}
	return out
}

// Thread is the thread of one message.
type Thread struct {
	channel *Channel
	first   *Message
}

// Shows waits for a reply with these texts in this order, and returns the newest such.
func (t *Thread) Shows(texts ...string) *Message {
	t.channel.world.t.Helper()
	return t.channel.world.find("the thread of "+t.first.first()+" shows", texts, func() []*Message {
		return slices.DeleteFunc(t.channel.messages(), func(m *Message) bool { return m.m.Root != t.first.m.Root || m.m.ID == m.m.Root })
	})
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

// Message is a message as somebody sees it, or everybody.
type Message struct {
	world  *World
	person *Person // nil: everybody
	m      teamstest.Message
}

// String is what stands there.
func (m *Message) String() string {
	zone := ""
	if m.person != nil {
		zone = m.person.user.Zone
	}
	if m.m.Card == nil {
		return m.m.Text
	}
	return teamstest.TextOf(m.m.Card, zone)
}

func (m *Message) first() string {
	first, _, _ := strings.Cut(m.String(), "\n")
	return first
}

// Has reports whether these texts stand there, in this order.
func (m *Message) Has(texts ...string) bool {
	rest := m.String()
	for _, t := range texts {
		_, after, found := strings.Cut(rest, t)
		if !found {
			return false
		}
		rest = after
	}
	return true
}

// Raw is the message itself.
func (m *Message) Raw() teamstest.Message { return m.m }

// As is the message as this person sees it now.
func (m *Message) As(p *Person) *Message {
	m.world.t.Helper()
	for _, one := range m.world.teams.Messages(m.m.Group, p.user.Name) {
		if one.ID == m.m.ID {
			return &Message{m.world, p, one}
		}
	}
	m.world.t.Fatalf("%s does not see %q", p.user.Name, m.first())
	return nil
}

// Press presses the button of that label. A question that it unfolds is answered with yes.
func (m *Message) Press(label string) teamstest.Delivery {
	m.world.t.Helper()
	if m.person == nil {
		m.world.t.Fatalf("nobody presses %q: say who, by As", label)
	}
	d, err := m.world.teams.Press(m.world.t.Context(), m.person.user.Name, m.m, label)
	if err != nil || !d.OK() {
		m.world.t.Fatalf("%s presses %q: the bot answered %d, %v\n%s", m.person.user.Name, label, d.Status, err, indent(m.String()))
	}
	return d
}

// TryPress is Press that may not be answered.
func (m *Message) TryPress(label string) (teamstest.Delivery, error) {
	m.world.t.Helper()
	return m.world.teams.Press(m.world.t.Context(), m.person.user.Name, m.m, label)
}

// Opens presses a button that opens a form.
func (m *Message) Opens(label string) *Form {
	m.world.t.Helper()
	m.Press(label)
	d, ok := m.world.teams.Dialog(m.person.user.Name)
	if !ok || d.Card == nil {
		m.world.t.Fatalf("%q opens no form: %q", label, d.Words)
	}
	return &Form{m.person}
}

// Form is the dialog on somebody's screen.
type Form struct{ person *Person }

// String is what stands there.
func (f *Form) String() string {
	d, _ := f.person.world.teams.Dialog(f.person.user.Name)
	return teamstest.TextOf(d.Card, f.person.user.Zone)
}

// Fill puts text into the field of that label.
func (f *Form) Fill(label, text string) *Form {
	f.person.world.t.Helper()
	if err := f.person.world.teams.Fill(f.person.user.Name, label, text); err != nil {
		f.person.world.t.Fatal(err)
	}
	return f
}

// Submit sends it; it has to be taken.
func (f *Form) Submit() {
	f.person.world.t.Helper()
	f.send()
	if d, ok := f.person.world.teams.Dialog(f.person.user.Name); ok && d.Card != nil {
		f.person.world.t.Fatalf("the form was not taken:\n%s", indent(f.String()))
	}
}

// Refused sends it; it has to come back with this text.
func (f *Form) Refused(text string) *Form {
	f.person.world.t.Helper()
	f.send()
	if got := f.String(); !strings.Contains(got, text) {
		f.person.world.t.Fatalf("the form does not say %q:\n%s", text, indent(got))
	}
	return f
}

func (f *Form) send() {
	f.person.world.t.Helper()
	if d, err := f.person.world.teams.Submit(f.person.world.t.Context(), f.person.user.Name); err != nil || !d.OK() {
		f.person.world.t.Fatalf("%s sends a form: the bot answered %d, %v", f.person.user.Name, d.Status, err)
	}
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
