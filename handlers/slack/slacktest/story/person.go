package story

import (
	"fmt"
	"strings"
	"sync"

	"switchback/handlers/slack/slacktest"
)

// Person is somebody in the workspace.
type Person struct {
	world *World
	id    string
	name  string

	mu    sync.Mutex      // people press from several places at once
	known map[string]bool // what was visible when this person last did something
}

// Person returns the person of that handle.
func (w *World) Person(name string) *Person {
	w.t.Helper()
	u, ok := w.slack.User(name)
	if !ok {
		w.t.Fatalf("there is no user %q", name)
	}
	p := &Person{world: w, id: u.ID, name: u.Name}
	p.mark()
	return p
}

// ID returns the person's id.
func (p *Person) ID() string { return p.id }

// mark remembers what is visible now.
func (p *Person) mark() {
	known := map[string]bool{}
	for _, m := range p.visible() {
		known[m.mark()] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = known
}

func (m *Message) mark() string { return m.m.Channel + m.m.TS + m.m.Edited.String() }

func (p *Person) visible() []*Message {
	var out []*Message
	for _, m := range p.world.slack.Visible(p.id) {
		out = append(out, &Message{p.world, p, m})
	}
	return out
}

// Types types into a channel, or into the direct conversation with the bot if where is empty: a slash command if it
// begins with a slash, else a message.
func (p *Person) Types(where, text string) slacktest.Delivery {
	p.world.t.Helper()
	d := p.TryTypes(where, text)
	if d.Kind != "" {
		p.world.answered(d, nil, fmt.Sprintf("%s types %q", p.name, text))
	}
	return d
}

// TryTypes types, whatever the bot answers.
func (p *Person) TryTypes(where, text string) slacktest.Delivery {
	p.world.t.Helper()
	p.mark()
	channel := p.where(where)
	var d slacktest.Delivery
	var err error
	if strings.HasPrefix(text, "/") {
		d, err = p.world.slack.Command(p.world.t.Context(), p.id, channel, text)
	} else {
		_, d, err = p.world.slack.Say(p.world.t.Context(), p.id, channel, "", text)
	}
	if err != nil {
		p.world.t.Fatalf("%s types %q: %v", p.name, text, err)
	}
	return d
}

// Replies writes a message into the thread of another.
func (p *Person) Replies(to *Message, text string) {
	p.world.t.Helper()
	p.mark()
	if _, d, err := p.world.slack.Say(p.world.t.Context(), p.id, to.m.Channel, to.root(), text); err != nil || (d.Kind != "" && !d.OK()) {
		p.world.t.Fatalf("%s replies %q: %v %s", p.name, text, err, d.Err)
	}
}

// Mentions writes to the bot by its name, in the thread of a message if there is one.
func (p *Person) Mentions(where string, thread *Message, text string) {
	p.world.t.Helper()
	bot, _ := p.world.slack.User(slacktest.BotUser)
	text = "@" + bot.Name + " " + text
	if thread != nil {
		p.Replies(thread, text)
		return
	}
	p.Types(where, text)
}

func (p *Person) where(name string) string {
	p.world.t.Helper()
	if name == "" {
		return p.world.slack.Direct(p.id).ID
	}
	return p.world.Channel(name).id
}

// Sees waits for a message that this person can see, with these texts in this order, and returns the newest such:
// in a channel, a thread, a direct conversation, or for this person alone.
func (p *Person) Sees(texts ...string) *Message {
	p.world.t.Helper()
	return p.world.find(p.name+" sees", texts, p.visible)
}

// Alone waits as Sees does, for a message that nobody else can see.
func (p *Person) Alone(texts ...string) *Message {
	p.world.t.Helper()
	return p.world.find(p.name+" alone sees", texts, func() []*Message {
		var out []*Message
		for _, m := range p.visible() {
			if c, ok := p.world.slack.Channel(m.m.Channel); m.m.Only != "" || (ok && c.With == p.id) {
				out = append(out, m)
			}
		}
		return out
	})
}

// SeesNothing fails the test if something from the bot has come or changed since this person last did something. It
// looks once: wait for something else first.
func (p *Person) SeesNothing() {
	p.world.t.Helper()
	p.mu.Lock()
	known := p.known
	p.mu.Unlock()
	for _, m := range p.visible() {
		if !known[m.mark()] && (m.m.User == slacktest.BotUser || m.m.User == slacktest.Slackbot) {
			p.world.t.Errorf("%s sees something new, want nothing:\n%s", p.name, indent(m.String()))
		}
	}
}

// Hides fails the test if something that this person can see holds the text. It looks once.
func (p *Person) Hides(text string) {
	p.world.t.Helper()
	for _, m := range p.visible() {
		if m.Has(text) {
			p.world.t.Errorf("%s sees %q, want it nowhere:\n%s", p.name, text, indent(m.String()))
		}
	}
}

// Reloads loads Slack anew: what was shown to this person alone is gone.
func (p *Person) Reloads() { p.world.slack.Forget(p.id) }

// Shortcut starts a global shortcut.
func (p *Person) Shortcut(callback string) {
	p.world.t.Helper()
	p.mark()
	d, err := p.world.slack.Shortcut(p.world.t.Context(), p.id, callback)
	p.world.answered(d, err, "shortcut "+callback)
}
