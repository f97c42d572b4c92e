package story

import (
	"fmt"
	"strings"
	"sync"

	"switchback/handlers/slack/slacktest"
)

// Message is a message as it was when somebody looked at it. It does not change: pressed later, it is pressed as on a
// device that has not heard of what came after.
type Message struct {
	world *World
	by    *Person // who looks at it; nil: nobody in particular
	m     slacktest.Message
}

// Raw returns the message as the workspace has it.
func (m *Message) Raw() slacktest.Message { return m.m }

// As returns the message in somebody's eyes.
func (m *Message) As(p *Person) *Message { return &Message{m.world, p, m.m} }

// Now returns the message as it is now; the test fails if it is gone.
func (m *Message) Now() *Message {
	m.world.t.Helper()
	now, ok := m.world.slack.Message(m.m.Channel, m.m.TS)
	if !ok {
		m.world.t.Fatalf("the message %s is gone", m.first())
	}
	return &Message{m.world, m.by, now}
}

// Lines returns what the message shows.
func (m *Message) Lines() []string { return m.world.slack.Lines(m.m, m.reader()) }

// String returns what the message shows.
func (m *Message) String() string { return strings.Join(m.Lines(), "\n") }

// Notice returns the text that notifications and screen readers have of the message.
func (m *Message) Notice() string { return m.world.slack.TextOf(m.m, m.reader()) }

// Has reports whether the message holds these texts in this order.
func (m *Message) Has(texts ...string) bool { return has(m.String(), texts) }

func has(s string, texts []string) bool {
	for _, text := range texts {
		_, rest, found := strings.Cut(s, text)
		if !found {
			return false
		}
		s = rest
	}
	return true
}

// Shows waits until the message has become one with these texts in this order, and returns it as it is then.
func (m *Message) Shows(texts ...string) *Message {
	m.world.t.Helper()
	var now *Message
	m.world.until(fmt.Sprintf("the message %s shows %q", m.first(), texts), func() string {
		if raw, ok := m.world.slack.Message(m.m.Channel, m.m.TS); ok {
			return (&Message{m.world, m.by, raw}).String()
		}
		return "it no longer"
	}, func() bool {
		raw, ok := m.world.slack.Message(m.m.Channel, m.m.TS)
		now = &Message{m.world, m.by, raw}
		return ok && now.Has(texts...)
	})
	return now
}

// Gone waits until the message is no longer there.
func (m *Message) Gone() {
	m.world.t.Helper()
	m.world.until(fmt.Sprintf("the message %s is gone", m.first()), func() string { return m.String() }, func() bool {
		_, there := m.world.slack.Message(m.m.Channel, m.m.TS)
		return !there
	})
}

// Thread returns the thread that the message is in or begins.
func (m *Message) Thread() *Thread { return &Thread{m.world, m} }

// Press presses a button, or chooses an option of a menu, and says yes to the dialog if there is one.
func (m *Message) Press(label string) slacktest.Delivery {
	m.world.t.Helper()
	d, err := m.press(label)
	m.world.answered(d, err, fmt.Sprintf("press %q", label))
	return d
}

// TryPress presses, whatever the bot answers.
func (m *Message) TryPress(label string) slacktest.Delivery {
	m.world.t.Helper()
	d, err := m.press(label)
	if err != nil {
		m.world.t.Fatalf("press %q: %v", label, err)
	}
	return d
}

// PressTwice presses twice at the same time, as an impatient thumb does.
func (m *Message) PressTwice(label string) {
	m.world.t.Helper()
	var both sync.WaitGroup
	var answers [2]slacktest.Delivery
	var errs [2]error
	for i := range answers {
		both.Go(func() { answers[i], errs[i] = m.press(label) })
	}
	both.Wait()
	for i := range answers {
		m.world.answered(answers[i], errs[i], fmt.Sprintf("press %q twice", label))
	}
}

func (m *Message) press(label string) (slacktest.Delivery, error) {
	if m.by == nil {
		return slacktest.Delivery{}, fmt.Errorf("nobody looks at the message: use As")
	}
	m.by.mark()
	return m.world.slack.Press(m.world.t.Context(), m.by.id, m.m, label)
}

// Dismiss presses a button and says no to the dialog, which must come. It returns what the dialog asked.
func (m *Message) Dismiss(label string) slacktest.Dialog {
	m.world.t.Helper()
	dialog, asks, err := m.world.slack.Asks(m.m, label)
	if err != nil || !asks {
		m.world.t.Fatalf("dismiss %q: no dialog (%v)", label, err)
	}
	return dialog
}

// Asks reports whether a press on a button asks once more.
func (m *Message) Asks(label string) bool {
	m.world.t.Helper()
	_, asks, err := m.world.slack.Asks(m.m, label)
	if err != nil {
		m.world.t.Fatalf("press %q: %v", label, err)
	}
	return asks
}

// Shortcut starts a shortcut on the message.
func (m *Message) Shortcut(callback string) {
	m.world.t.Helper()
	if m.by == nil {
		m.world.t.Fatal("nobody looks at the message: use As")
	}
	m.by.mark()
	d, err := m.world.slack.ShortcutOn(m.world.t.Context(), m.by.id, m.m, callback)
	m.world.answered(d, err, "shortcut "+callback)
}

func (m *Message) reader() string {
	if m.by == nil {
		return ""
	}
	return m.by.id
}

// root is the ts of the message that the thread hangs on.
func (m *Message) root() string {
	if m.m.Thread != "" {
		return m.m.Thread
	}
	return m.m.TS
}

func (m *Message) first() string {
	if lines := m.Lines(); len(lines) > 0 {
		return fmt.Sprintf("%q", lines[0])
	}
	return m.m.TS
}
