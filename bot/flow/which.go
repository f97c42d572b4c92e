package flow

import (
	"slices"
	"strings"

	"switchback/bot/card"
	"switchback/bot/change"
)

// This file is for what people note before they click, where it is not the value known from peace time: a colleague may
// have changed it since, or it is a typo. What was noted is on record; which of the two should come back is asked at
// once, with each reminder, and before the clicks of the restore.

// inDoubt are the open steps of which nobody has said yet which value should come back. A drill puts nothing back.
func inDoubt(o Outage, r change.Record) []change.Step {
	if o.Drill {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Steps), func(st change.Step) bool {
		return !st.Doubt || !st.Open() || st.Before == nil || st.Known == nil
	})
}

// waits reports whether nobody is shown the clicks of a step yet: its phone menu is not published, or it is on its way
// back and nobody knows to what.
func (s *stepping) waits(st change.Step) bool {
	return s.missing(st) || st.Back && slices.ContainsFunc(inDoubt(s.o, s.r), func(d change.Step) bool { return d.Key == st.Key })
}

// whichState names what was asked: an answer counts for that alone.
func whichState(steps []change.Step) string {
	if len(steps) == 0 {
		return ""
	}
	var b strings.Builder
	for _, st := range steps {
		b.WriteString(string(st.Key) + nanos(st.Before.At) + "\n")
	}
	return shortID("", b.String())
}

// askWhich asks in the thread, once for each set of steps, and says when all is known.
func (s *stepping) askWhich() {
	steps := inDoubt(s.o, s.r)
	state := whichState(steps)
	if s.o.Told.Which == state {
		return
	}
	s.o.Told.Which = state
	if len(steps) == 0 {
		s.closes("which", s.thread(), card.Card{Title: "Which value should come back: nothing is open here any more", Text: []string{headline(s.o, s.r)}})
		return
	}
	s.post("which", s.thread(), doubtCard(s.o, steps))
}

// twoWords says what a step shows, and what was known.
func twoWords(st change.Step) string {
	text := "Gladly showed " + quoted(st.Before.Value) + " (" + st.Before.By + "), known from before is " + quoted(*st.Known)
	if word := sourceWord(st); word != "" {
		text += " (" + word + ")"
	}
	return text
}

func doubtCard(o Outage, steps []change.Step) card.Card {
	c := card.Card{
		Tone: card.Warning, Title: "Which should come back?",
		Text: []string{"What was noted is not what was known from before. It may be a typo, or somebody changed it since. I ask again with each reminder, and before the restore."},
	}
	if len(steps) == 1 {
		c.Title = card.Shorten("Which should come back for "+stepName(steps[0])+"?", card.MaxTitle)
	}
	c.Facts = facts(steps, func(st change.Step) card.Fact { return card.Fact{Note: twoWords(st)} })
	state := whichState(steps)
	btn := func(verb, label string) card.Button {
		return card.Button{Label: card.Shorten(label, card.MaxLabel), Action: Action{Outage: o.ID, Verb: verb, State: state}.Encode()}
	}
	known, noted := quoted(*steps[0].Known), quoted(steps[0].Before.Value)
	if known == noted || slices.ContainsFunc(steps, func(st change.Step) bool { return quoted(*st.Known) != known || quoted(st.Before.Value) != noted }) {
		known, noted = "As known from before", "As noted now"
	}
	c.Buttons = []card.Button{btn("which-known", known), btn("which-noted", noted)}
	if len(steps) > 1 {
		c.Buttons = append(c.Buttons, whichOneByOne(o, steps))
	}
	c.Buttons = append(c.Buttons, btn("which-later", "Find out later"))
	return c
}

// whichOneByOne opens a form with one question for each step.
func whichOneByOne(o Outage, steps []change.Step) card.Button {
	return card.Button{Label: "Say which should come back…", Opens: true, Action: Action{Outage: o.ID, Verb: "which", State: whichState(steps)}.Encode()}
}

// which takes what a person says should come back. Whoever was asked to click answers for those clicks.
func (s *stepping) which(a Action, fields map[string]string) {
	all := inDoubt(s.o, s.r)
	steps := slices.DeleteFunc(slices.Clone(all), func(st change.Step) bool { return !s.may(s.screen(st)) })
	by, at := s.e.By.Name, s.e.At
	switch {
	case len(all) == 0:
		text := "Nothing was changed by your press."
		if l := s.last("which"); l.What == "which" { // else the value was mended, or nothing is open any more
			text = l.By + " answered at " + card.Clock(l.At) + ". " + text
		}
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{text}})
		return
	case len(steps) == 0:
		s.refuse()
		return
	case !s.asksAbout(a.State, all):
		c := doubtCard(s.o, all)
		c.Text = append([]string{"The list has changed since; nothing was noted by your press."}, c.Text...)
		s.tell(c)
		return
	}
	if a.State != whichState(all) { // the card of somebody who is about to click
		steps = slices.DeleteFunc(steps, func(st change.Step) bool { return !st.Back || !heldBy(s.e.By.ID)(st) })
	}
	const known, noted = "known", "noted"
	said := func(st change.Step, which string) {
		v := st.Before.Value
		if which == known {
			v = *st.Known
		}
		if s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Choose(st, v, by, at) }) {
			s.note("which", "%s: %q should come back, says %s; %s", stepName(st), v.Text, by, twoWords(st))
		}
	}
	switch a.Verb {
	case "which":
		s.do(Form{Card: doubtForm(s.o, steps, a.State)})
		return
	case "which-known", "which-noted":
		for _, st := range steps {
			said(st, strings.TrimPrefix(a.Verb, "which-"))
		}
	case "which-later":
		s.note("later", "which value should come back is to be found out, says %s: %s", by, card.Shorten(names(steps), 300))
		c := doubtCard(s.o, all)
		c.Tone, c.Text, c.Buttons = card.Info, []string{"To be found out, says " + by + " " + card.Clock(at) + ". I ask again with each reminder, and before the restore."}, c.Buttons[:len(c.Buttons)-1]
		s.post("which", s.thread(), c)
		return
	case "which-send":
		for _, st := range steps {
			if w := fields[string(st.Key)]; w == known || w == noted {
				said(st, w)
			}
		}
	}
	s.waited(steps)
}

// waited shows whoever waited to know what should come back the clicks.
func (s *stepping) waited(steps []change.Step) {
	for _, st := range steps {
		if now, ok := s.r.Step(st.Key); ok && now.Back && now.State == change.IsSet && now.Holder != nil && !now.Doubt {
			s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Clicking(st, s.e.At) })
		}
	}
	s.do(Remind{handsTimer, s.e.At.Add(holdFor)})
}

// asksAbout reports whether a button was drawn for all that is in doubt now, or for what one person is about to put back.
func (s *stepping) asksAbout(state string, all []change.Step) bool {
	mine := slices.DeleteFunc(slices.Clone(all), func(st change.Step) bool { return !st.Back || !heldBy(s.e.By.ID)(st) })
	return state == asIs || state == whichState(all) || len(mine) > 0 && state == whichState(mine)
}

func doubtForm(o Outage, steps []change.Step, state string) card.Card {
	var inputs []card.Input
	for _, st := range steps[:min(len(steps), card.MaxInputs)] {
		inputs = append(inputs, card.Input{
			ID: string(st.Key), Kind: card.Choice, Label: card.Shorten(stepName(st), card.MaxLabel), Optional: true, Options: []card.Option{
				{Value: "known", Label: card.Shorten("known from before: "+quoted(*st.Known), card.MaxLabel)},
				{Value: "noted", Label: card.Shorten("noted now: "+quoted(st.Before.Value), card.MaxLabel)},
			},
		})
	}
	return formCard("Which should come back?", "Note it", Action{Outage: o.ID, Verb: "which-send", State: state}.Encode(), inputs...)
}
