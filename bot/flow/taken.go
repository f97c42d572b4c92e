package flow

import (
	"slices"
	"strings"

	"switchback/bot/card"
	"switchback/bot/change"
)

// This file is for what was done before the bot knew of it: by hand while it could not remember, or by somebody before
// the outage began. The value before is somebody's word then, or not known yet: "find out later" is an answer, and the
// question comes back with each reminder and before the restore.

// takeOver takes the word of whoever pressed that clicks of the plan were done by hand already. It sets nothing, so it
// needs no second person.
func (s *walking) takeOver(a Action, fields map[string]string) {
	clicks := slices.DeleteFunc(slices.Clone(s.w.Plan), func(st change.Step) bool { return st.Way != change.Guided })
	switch {
	case s.w.Stage != Preview || len(clicks) == 0:
		s.again()
		return
	case a.Verb == "done":
		s.do(Form{Card: s.takeOverForm(clicks)})
		return
	case !s.e.By.Responder:
		s.tell(refuseCard(s.policy, s.e.By))
		return
	case !s.e.Desk.Works:
		s.tell(byHandCard(s.node(), s.e.Desk.Why))
		return
	}
	if which, ok := fields["which"]; ok {
		chosen := strings.Split(which, "\n")
		clicks = slices.DeleteFunc(clicks, func(st change.Step) bool { return !slices.Contains(chosen, st.Target) })
	}
	if len(clicks) == 0 {
		s.tell(card.Card{Title: "Nothing was chosen, so nothing was noted"})
		return
	}
	s.w.Plan = clicks
	if id := s.holder(clicks); id != "" {
		s.heldBy(id)
		return
	}
	taken := map[change.Key]string{}
	for _, st := range clicks {
		taken[st.Key] = fields[string(st.Key)]
	}
	s.begin(Start{Steps: clicks, Taken: taken})
}

// takeOverForm asks which clicks were done, and what was there before. What it has no room for is asked later.
func (s *walking) takeOverForm(clicks []change.Step) card.Card {
	var inputs []card.Input
	var targets []card.Option
	var all []string
	for _, st := range clicks {
		if o := (card.Option{Value: st.Target, Label: card.Shorten(st.Label, card.MaxLabel)}); !slices.Contains(targets, o) {
			targets, all = append(targets, o), append(all, st.Target)
		}
	}
	if len(targets) > 1 {
		inputs = append(inputs, card.Input{ID: "which", Kind: card.Many, Label: "What was set by hand already?", Options: targets, Value: strings.Join(all, "\n")})
	}
	return formCard("What was there before you changed it?", "Take it over", s.w.action("done-send", ""), beforeInputs(inputs, clicks)...)
}

// beforeInputs adds a field for the value before each step, as many as there is room for.
func beforeInputs(to []card.Input, steps []change.Step) []card.Input {
	for _, st := range steps {
		if len(to) == card.MaxInputs {
			break
		}
		in := valueInput(st, "")
		in.Hint = "empty: find out later"
		if st.Known != nil {
			in.Hint = "known from before: " + quoted(*st.Known) + "; " + in.Hint
		}
		to = append(to, in)
	}
	return to
}

// valueInput is a field for what a setting shows.
func valueInput(st change.Step, now string) card.Input {
	kind := card.Text
	if strings.Contains(st.Want.Text, " ") && len(st.Want.Text) > 40 {
		kind = card.Long
	}
	return card.Input{ID: string(st.Key), Kind: kind, Label: card.Shorten(stepName(st), card.MaxLabel), Value: now, Optional: true}
}

// valueOf reads what a person typed: one of the choices in their words, else the words as they are. A field may give a
// long text back with other line ends, or without the space around it; that is the same text all the same. Names may be
// typed in small letters.
func valueOf(g change.Guide, text string) change.Value {
	bare := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	for _, v := range g.Choices {
		if bare(text) == bare(v.Text) {
			return v
		}
	}
	for _, v := range g.Choices {
		if strings.EqualFold(bare(text), v.Text) && len(v.Text) <= longName {
			return v
		}
	}
	return change.Value{Raw: []byte(text), Text: plain(text)}
}

// longName is the longest text, in bytes, that is taken for a name and not for a message.
const longName = 60

// unnamed are the steps that had the outage's value before us, and of which nobody has said yet what was there before.
func unnamed(r change.Record) []change.Step {
	return slices.DeleteFunc(slices.Clone(r.Steps), func(st change.Step) bool { return st.State != change.Adopted || st.Back })
}

// askBefore asks in the thread what was there before, once for each set of steps, and says when all is known.
func (s *stepping) askBefore() {
	steps := unnamed(s.r)
	state := unnamedState(steps)
	if s.o.Told.Unnamed == state {
		return
	}
	s.o.Told.Unnamed = state
	if len(steps) == 0 {
		s.post("before-us", s.thread(), card.Card{Title: "What was there before: nothing is open here any more", Text: []string{headline(s.o, s.r)}})
		return
	}
	s.post("before-us", s.thread(), beforeCard(s.o, steps))
}

func unnamedState(steps []change.Step) string {
	if len(steps) == 0 {
		return ""
	}
	var b strings.Builder
	for _, st := range steps {
		b.WriteString(string(st.Key) + "\n")
	}
	return shortID("", b.String())
}

func beforeCard(o Outage, steps []change.Step) card.Card {
	c := card.Card{
		Tone: card.Warning, Title: "What was there before?",
		Text: []string{"This was set already when I began, so I set nothing, and cannot put anything back until somebody says what it was. I ask again with each reminder, and before the restore."},
	}
	c.Facts = facts(steps, func(st change.Step) card.Fact {
		f := card.Fact{Before: "not known yet", After: quoted(st.Want)}
		if st.Known != nil {
			f.Note = "known from before: " + quoted(*st.Known)
			if word := sourceWord(st); word != "" {
				f.Note += " (" + word + ")"
			}
		}
		return f
	})
	c.Buttons = append(beforeButtons(o, steps), card.Button{Label: "Find out later", Action: Action{Outage: o.ID, Verb: "before-later", State: unnamedState(steps)}.Encode()})
	return c
}

// beforeButtons are the ways of saying what was there before.
func beforeButtons(o Outage, steps []change.Step) []card.Button {
	state := unnamedState(steps)
	say := card.Button{Label: "Say what was there before…", Opens: true, Action: Action{Outage: o.ID, Verb: "before", State: state}.Encode()}
	if slices.ContainsFunc(steps, func(st change.Step) bool { return st.Known == nil || st.Known.Equal(st.Want) }) {
		return []card.Button{say}
	}
	return []card.Button{{Label: "It was as known from before", Action: Action{Outage: o.ID, Verb: "before-known", State: state}.Encode()}, say}
}

// before takes what a person says was there before.
func (s *stepping) before(a Action, fields map[string]string) {
	steps := unnamed(s.r)
	if len(steps) == 0 || late(a, unnamedState(steps)) {
		l := s.last("before")
		c := card.Card{Title: "That question is no longer open", Text: []string{l.By + " answered at " + card.Clock(l.At) + ". Nothing was changed by your press."}}
		if len(steps) > 0 {
			c = beforeCard(s.o, steps)
			c.Text = append([]string{"The list has changed since; nothing was noted by your press."}, c.Text...)
		}
		s.tell(c)
		return
	}
	said := func(st change.Step, v change.Value) {
		by, at := s.e.By.Name, s.e.At
		if s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.NameBefore(st, v, by, at) }) {
			s.note("before", "%s: before %q, says %s", stepName(st), v.Text, by)
			return
		}
		s.tell(card.Card{Title: "That is the outage's own value", Text: []string{"It is never taken for the value before: " + stepName(st) + ". If it is right as it is, say so at the restore."}})
	}
	switch a.Verb {
	case "before":
		s.do(Form{Card: formCard("What was there before?", "Note it", s.act("before-send", a.State, ""), beforeInputs(nil, steps)...)})
	case "before-known":
		for _, st := range steps {
			if st.Known != nil {
				said(st, *st.Known)
			}
		}
	case "before-later":
		s.note("later", "what was there before is to be found out, says %s: %s", s.e.By.Name, card.Shorten(names(steps), 300))
		c := beforeCard(s.o, steps)
		c.Tone, c.Text, c.Buttons = card.Info, []string{"To be found out, says " + s.e.By.Name + " " + card.Clock(s.e.At) + ". I ask again with each reminder, and before the restore."}, beforeButtons(s.o, steps)
		s.post("before-us", s.thread(), c)
	case "before-send":
		for _, st := range steps {
			if text := fields[string(st.Key)]; text != "" { // empty: find out later
				said(st, valueOf(s.e.Desk.Guide[st.Key], text))
			}
		}
	}
}
