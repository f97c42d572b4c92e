package story

import (
	"fmt"
	"strings"

	"switchback/handlers/slack/slacktest"
)

// Form is the form that lies on top for a person, or the bot's home tab.
type Form struct {
	world *World
	by    *Person
	view  slacktest.View
}

// Form waits until a form with these texts lies on top for the person.
func (p *Person) Form(texts ...string) *Form {
	p.world.t.Helper()
	f := &Form{world: p.world, by: p}
	p.world.until(fmt.Sprintf("%s has a form %q", p.name, texts), func() string {
		v, open := p.world.slack.Form(p.id)
		if !open {
			return "no form, but\n" + list(p.visible())
		}
		return strings.Join(p.world.slack.ViewLines(v, p.id), "\n")
	}, func() bool {
		var open bool
		f.view, open = p.world.slack.Form(p.id)
		return open && f.Has(texts...)
	})
	return f
}

// NoForm fails the test if the person has a form open. It looks once.
func (p *Person) NoForm() {
	p.world.t.Helper()
	if v, open := p.world.slack.Form(p.id); open {
		p.world.t.Errorf("%s has a form open, want none:\n%s", p.name, indent(strings.Join(p.world.slack.ViewLines(v, p.id), "\n")))
	}
}

// Home opens the bot's home tab and waits until it shows these texts in this order.
func (p *Person) Home(texts ...string) *Form {
	p.world.t.Helper()
	p.mark()
	if d := p.world.slack.OpenHome(p.world.t.Context(), p.id); !d.OK() {
		p.world.t.Fatalf("%s opens the home tab: %d %s", p.name, d.Status, d.Err)
	}
	f := &Form{world: p.world, by: p}
	p.world.until(fmt.Sprintf("%s's home tab shows %q", p.name, texts), func() string {
		v, _ := p.world.slack.Home(p.id)
		return strings.Join(p.world.slack.ViewLines(v, p.id), "\n")
	}, func() bool {
		var there bool
		f.view, there = p.world.slack.Home(p.id)
		return there && f.Has(texts...)
	})
	return f
}

// Raw returns the form as it was when it was looked at.
func (f *Form) Raw() slacktest.View { return f.view }

// Lines returns what the form shows.
func (f *Form) Lines() []string { return f.world.slack.ViewLines(f.view, f.by.id) }

// String returns what the form shows.
func (f *Form) String() string { return strings.Join(f.Lines(), "\n") }

// Has reports whether the form holds these texts in this order.
func (f *Form) Has(texts ...string) bool { return has(f.String(), texts) }

// Fill fills in a field by its label. For a menu the text is the label of an option, for several choices one a line.
func (f *Form) Fill(field, text string) *Form {
	f.world.t.Helper()
	if err := f.world.slack.Fill(f.by.id, field, text); err != nil {
		f.world.t.Fatalf("fill in: %v", err)
	}
	return f
}

// Value returns what a field holds now, by its label.
func (f *Form) Value(field string) string {
	f.world.t.Helper()
	v, ok := f.world.slack.View(f.view.ID)
	if !ok {
		f.world.t.Fatalf("the form %q is gone", f.view.Title)
	}
	value, ok := f.world.slack.Value(v, field)
	if !ok {
		f.world.t.Fatalf("the form has no field %q:\n%s", field, indent(f.String()))
	}
	return value
}

// Submit sends the form and returns the errors by the labels of their fields; none if it was taken.
func (f *Form) Submit() map[string]string {
	f.world.t.Helper()
	f.by.mark()
	d, err := f.world.slack.Submit(f.world.t.Context(), f.by.id)
	if d.Kind != "" || err != nil {
		f.world.answered(d, err, "submit")
	}
	v, _ := f.world.slack.View(f.view.ID)
	if v.Trouble != "" {
		f.world.t.Fatalf("submit: Slack says %q of the answer %s", v.Trouble, d.Answer)
	}
	return f.world.slack.ErrorsOf(v)
}

// TrySubmit sends the form, whatever the bot answers.
func (f *Form) TrySubmit() slacktest.Delivery {
	f.world.t.Helper()
	f.by.mark()
	d, err := f.world.slack.Submit(f.world.t.Context(), f.by.id)
	if err != nil {
		f.world.t.Fatalf("submit: %v", err)
	}
	return d
}

// Press presses a button in the form or home tab.
func (f *Form) Press(label string) slacktest.Delivery {
	f.world.t.Helper()
	f.by.mark()
	d, err := f.world.slack.PressIn(f.world.t.Context(), f.by.id, f.view, label)
	f.world.answered(d, err, fmt.Sprintf("press %q", label))
	return d
}

// Close closes the form without sending it.
func (f *Form) Close() {
	f.world.t.Helper()
	if _, err := f.world.slack.CloseForm(f.world.t.Context(), f.by.id); err != nil {
		f.world.t.Fatalf("close the form: %v", err)
	}
}
