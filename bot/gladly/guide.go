package gladly

import (
	"fmt"
	"slices"

	"switchback/bot/change"
)

// Guide tells a person how to set k to want, in an outage and back again. It is empty for a key that is not in the
// catalogue.
func (p *Platform) Guide(k change.Key, want change.Value) change.Guide {
	for _, s := range p.settings() {
		switch {
		case s.Key != k:
		case s.app.ID == "":
			return p.ivrGuide(s, want)
		case s.day != "":
			return p.hoursGuide(s, want)
		default:
			return p.messageGuide(s, want)
		}
	}
	return change.Guide{}
}

func (p *Platform) ivrGuide(s setting, want change.Value) change.Guide {
	g := change.Guide{
		Screen:   p.org.Menus.Voice,
		Path:     fmt.Sprintf("%s > %s > Initial IVR", p.org.Menus.Voice, s.Label),
		Question: fmt.Sprintf("What does Initial IVR show for %s now?", s.Label),
		Click:    fmt.Sprintf("Move the mouse over %s and click to edit it. Under Initial IVR, select %q. Click Save.", s.Label, want.Text),
		Warning:  "DO NOT change the Queue IVR.",
		Check:    fmt.Sprintf("Call %s as a customer: do you hear what %q says?", s.Label, want.Text),
		Choices:  p.ivrs(s, want),
	}
	switch {
	case len(want.Raw) == 0:
		g.Click = fmt.Sprintf("Move the mouse over %s and click to edit it. Clear Initial IVR, so that it is blank. Click Save.", s.Label)
		g.Check = fmt.Sprintf("Call %s as a customer: do you get through without a menu?", s.Label)
	case string(want.Raw) == s.number.outageIVR():
		g.Check = fmt.Sprintf("Call %s as a customer: voicemail heard?", s.Label)
	}
	return g
}

func (p *Platform) hoursGuide(s setting, want change.Value) change.Guide {
	g := p.page(s, p.org.Menus.Hours)
	g.Path += " > " + s.day.Title()
	g.Question = fmt.Sprintf("What do the %s of %s show for %s now?", p.org.Menus.Hours, s.Label, s.day.Title())
	if h, err := change.ParseHours(string(want.Raw)); err == nil && h == change.Closed {
		g.Click = fmt.Sprintf("Tick Closed next to %s.", s.day.Title())
		g.Check = fmt.Sprintf("Open %s as a customer: is chat closed?", s.app.site())
	} else {
		g.Click = fmt.Sprintf("Untick Closed next to %s, and see that it shows %s.", s.day.Title(), want.Text)
		g.Check = fmt.Sprintf("Open %s as a customer, within its hours: can you start a chat?", s.app.site())
	}
	all := []change.Value{want, change.Closed.Value()}
	for _, d := range change.Weekdays() {
		if h, ok := s.app.Hours[d]; ok {
			all = append(all, h.Value())
		}
	}
	g.Choices = choices(s.Known, all...)
	return g
}

func (p *Platform) messageGuide(s setting, want change.Value) change.Guide {
	g := p.page(s, p.org.Menus.Message)
	g.Question = fmt.Sprintf("What does the %s message of %s say now? Copy it here before you change it.", p.org.Menus.Message, s.Label)
	g.Choices = choices(s.Known, want, written(""))
	if len(want.Raw) == 0 {
		g.Click = fmt.Sprintf("Empty the %s message.", p.org.Menus.Message)
		g.Check = fmt.Sprintf("Open %s as a customer, while chat is closed: is the message gone?", s.app.site())
		return g
	}
	g.Click = fmt.Sprintf("Replace the %s message with this text, every character of it.", p.org.Menus.Message)
	// Depending on the Glad App's set-up, closing hides the icon and the message with it.
	g.Check = fmt.Sprintf("Open %s as a customer, while chat is closed: do you see the message? Where the chat icon is hidden, nobody does.", s.app.site())
	g.Words = []string{string(want.Raw)}
	return g
}

// page is what all settings of a Glad App's one page have in common.
func (p *Platform) page(s setting, section string) change.Guide {
	screen := fmt.Sprintf("%s > %s > %s", p.org.Menus.GladApp, s.Label, p.org.Menus.Configure)
	return change.Guide{
		Screen:  screen,
		Path:    screen + " > " + section,
		Warning: "Leave everything else on this page as it is. One Save, at the end, keeps the days and the message.",
	}
}

// ivrs are what Initial IVR may show, most likely ones first; the other numbers' are the rest of those known.
func (p *Platform) ivrs(s setting, want change.Value) []change.Value {
	all := []change.Value{want, written("")}
	for _, n := range p.org.Numbers {
		if n.IVR != nil {
			all = append(all, written(*n.IVR))
		}
		all = append(all, written(n.outageIVR()))
	}
	return choices(s.Known, all...)
}

// choices are the known value and the others, none twice. What is wanted is among them: somebody may have set it
// before us.
func choices(known *change.Value, all ...change.Value) []change.Value {
	var out []change.Value
	if known != nil {
		out = append(out, *known)
	}
	for _, v := range all {
		if !slices.ContainsFunc(out, v.Equal) {
			out = append(out, v)
		}
	}
	return out
}
