package flow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"switchback/bot/card"
	"switchback/bot/change"
)

const (
	holdFor  = 15 * time.Minute // how long somebody may be at an item without an answer
	takeMost = 3                // items that one press takes, where there are many
)

// handVerb reports whether a verb is about guided steps: those who may click, and those who were asked, may press it.
func handVerb(v string) bool {
	return slices.Contains([]string{
		"claim", "give-back", "as-listed", "differ", "differ-send", "saved", "other", "other-send", "not-admin", "no-login",
		"ask-someone", "ask-someone-send", "copy", "copied", "seen", "seen-send", "correct", "correct-send", "checked",
		"instead", "instead-send",
	}, v)
}

// screens lists the platform's screens with guided steps that still have something to do, in the order of the steps.
func (s *stepping) screens() []string {
	var out []string
	for _, st := range s.r.Steps {
		if st.Way == change.Guided && !slices.Contains(out, s.screen(st)) {
			out = append(out, s.screen(st))
		}
	}
	return out
}

func (s *stepping) screen(st change.Step) string { return s.e.Desk.Guide[st.Key].Screen }

// on lists the guided steps of one screen that fit.
func (s *stepping) on(screen string, fits func(change.Step) bool) []change.Step {
	var out []change.Step
	for _, st := range s.r.Steps {
		if st.Way == change.Guided && s.screen(st) == screen && fits(st) {
			out = append(out, st)
		}
	}
	return out
}

func free(st change.Step) bool { return st.ByHand() && st.Holder == nil }

func heldBy(id string) func(change.Step) bool {
	return func(st change.Step) bool { return st.ByHand() && st.Holder != nil && st.Holder.ID == id }
}

// resting reports whether nobody can log in: then no card asks for a click.
func (s *stepping) resting() bool {
	return slices.ContainsFunc(s.e.Desk.Open, func(o Outage) bool {
		return o.Channel == "login" && o.ID != s.o.ID && o.Ended == nil && o.Asking.Works == ""
	})
}

// hands shows the board of each screen, and what each person has to do next. Whoever has nothing left to do there, for
// whatever reason, is told so once: no card goes on asking for a click.
func (s *stepping) hands() {
	before := s.o.Told.Hands
	s.o.Told.Hands = nil
	for _, screen := range s.screens() {
		s.askToLook(screen)
		s.post("board/"+screen, s.thread(), s.board(screen))
		var people []change.Holder
		for _, st := range s.on(screen, change.Step.ByHand) {
			if st.Holder != nil && !slices.ContainsFunc(people, func(h change.Holder) bool { return h.ID == st.Holder.ID }) {
				people = append(people, *st.Holder)
			}
		}
		for _, h := range people {
			s.o.Told.Hands = append(s.o.Told.Hands, Busy{h, screen})
			s.post("hands/"+screen+"/"+h.ID, s.placeOf(h.ID, screen), s.handCard(screen, h))
		}
	}
	for _, was := range before {
		if !slices.ContainsFunc(s.o.Told.Hands, func(b Busy) bool { return b.Who.ID == was.Who.ID && b.Screen == was.Screen }) {
			s.post("hands/"+was.Screen+"/"+was.Who.ID, s.placeOf(was.Who.ID, was.Screen), s.handCard(was.Screen, was.Who))
		}
	}
}

// placeOf is the thread, or a direct message for somebody who was asked.
func (s *stepping) placeOf(id, screen string) Place {
	for _, h := range s.o.Helpers {
		if h.Who.ID == id && h.Screen == screen {
			platform, _, _ := strings.Cut(h.Who.Account, ":")
			return Place{Platform: platform, Person: h.Who.Account}
		}
	}
	return s.thread()
}

func (s *stepping) handButton(verb, screen, label string, style card.Style, opens bool) card.Button {
	return card.Button{Label: card.Shorten(label, card.MaxLabel), Style: style, Opens: opens, Action: Action{Outage: s.o.ID, Verb: verb, State: asIs, Arg: screen}.Encode()}
}

// board is the work list of one screen, for everybody in the thread.
func (s *stepping) board(screen string) card.Card {
	all := s.on(screen, func(st change.Step) bool { return st.State != change.Left })
	todo := s.on(screen, change.Step.ByHand)
	open := s.on(screen, free)
	c := card.Card{Tone: card.Warning, Title: fmt.Sprintf("%s: %d of %d still to do by hand", screen, len(todo), len(all))}
	if len(todo) == 0 {
		c.Tone, c.Title = card.Done, screen+": nothing left to do by hand"
	}
	c.Facts = facts(all, func(st change.Step) card.Fact {
		f := stepFact(st)
		switch {
		case st.ByHand() && st.Before == nil && st.State == change.Planned:
			f.Before, f.Note = "to be noted in Gladly", "free"
		case st.ByHand():
			f.Note = map[bool]string{false: "free", true: "free, to be put back"}[st.Back]
		}
		if st.State == change.Unknown {
			f.Note = "look first: somebody may have clicked"
		}
		if st.Holder != nil {
			f.Note = st.Holder.Name + " is at it since " + card.Clock(st.Holder.Since)
		}
		return f
	})
	if s.resting() {
		c.Text = append(c.Text, "Nobody can log in to Gladly right now, so this waits. Do not try to click.")
		return c
	}
	if len(open) == 0 {
		return c
	}
	label := "I click: take all " + strconv.Itoa(len(open))
	if len(open) == 1 {
		label = "I click"
	}
	if len(open) > takeMost && s.perItem(open) {
		label = "I click: take the next " + strconv.Itoa(takeMost)
	}
	c.Buttons = []card.Button{
		s.handButton("claim", screen, label, card.Plain, false),
		s.handButton("ask-someone", screen, "Ask someone…", card.Plain, true),
	}
	if len(notedSteps(all)) > 0 {
		c.Buttons = append(c.Buttons, s.handButton("correct", screen, "Mend a noted value…", card.Plain, true))
	}
	return c
}

// perItem reports whether each step is saved on its own: numbers are, a Glad App's page has one Save.
func (s *stepping) perItem(steps []change.Step) bool {
	return slices.ContainsFunc(steps, func(st change.Step) bool { return st.Target != steps[0].Target })
}

// handCard is what one person has to do next on one screen: look, note, click.
func (s *stepping) handCard(screen string, h change.Holder) card.Card {
	mine := s.on(screen, heldBy(h.ID))
	pick := func(states ...change.State) []change.Step {
		return slices.DeleteFunc(slices.Clone(mine), func(st change.Step) bool { return !slices.Contains(states, st.State) })
	}
	c := card.Card{Title: h.Name + ", at " + screen}
	if s.resting() {
		c.Text = []string{"Nobody can log in to Gladly right now, so this waits. Do not try to click."}
		return c
	}
	out := []card.Button{
		s.handButton("no-login", screen, "I cannot log in", card.Plain, false),
		s.handButton("not-admin", screen, "I am no administrator", card.Plain, false),
		s.handButton("give-back", screen, "Give mine back", card.Plain, false),
	}
	if look := pick(change.Unknown); len(look) > 0 {
		st := look[0]
		c.Title = card.Shorten("Look first: what does Gladly show for "+stepName(st)+"?", card.MaxTitle)
		c.Text = []string{s.e.Desk.Guide[st.Key].Path}
		seen := func(arg, label string, opens bool) {
			c.Buttons = append(c.Buttons, card.Button{Label: card.Shorten(label, card.MaxLabel), Opens: opens, Action: Action{Outage: s.o.ID, Verb: "seen", Key: string(st.Key), State: asIs, Arg: arg}.Encode()})
		}
		seen("want", quoted(st.Want), false)
		if st.Before != nil {
			seen("before", quoted(st.Before.Value), false)
		}
		seen("other", "Something else…", true)
		c.Buttons = append(c.Buttons, out[2])
		return c
	}
	if note := pick(change.Planned); len(note) > 0 {
		c.Title = card.Shorten("Before you click: what does "+screen+" show?", card.MaxTitle)
		if s.o.Drill {
			c.Title = card.Shorten("Open "+screen+", read it, do NOT save. What does it show?", card.MaxTitle)
		}
		c.Text = []string{s.e.Desk.Guide[note[0].Key].Path + ". " + s.e.Desk.Guide[note[0].Key].Question}
		known := true
		for _, st := range note {
			f := card.Fact{Name: stepName(st), Before: "not known"}
			if st.Known != nil {
				f.Before, f.Note = quoted(*st.Known), sourceWord(st)
			}
			known = known && st.Known != nil
			c.Facts = append(c.Facts, f)
		}
		if known {
			c.Buttons = append(c.Buttons, withState(s.handButton("as-listed", screen, "All as listed", card.Primary, false), heldState(mine)))
		}
		label := "Some differ…"
		if !known {
			label = "Note the values…"
		}
		c.Buttons = append(append(c.Buttons, s.handButton("differ", screen, label, card.Plain, true)), out...)
		return c
	}
	click := slices.DeleteFunc(pick(change.Recorded, change.Intent, change.IsSet, change.RestoreIntent), s.waits)
	if which := slices.DeleteFunc(inDoubt(s.o, s.r), func(st change.Step) bool { return !st.Back || !heldBy(h.ID)(st) }); len(click) == 0 && len(which) > 0 {
		c = doubtCard(s.o, which)
		c.Title = card.Shorten(h.Name+", before you click: which should come back?", card.MaxTitle)
		c.Buttons = append(c.Buttons[:len(c.Buttons)-1], out[2]) // who cannot say gives it back
		return c
	}
	if waits := slices.DeleteFunc(slices.Clone(mine), func(st change.Step) bool { return !s.missing(st) }); len(click) == 0 && len(waits) > 0 {
		c.Title = card.Shorten(h.Name+", what "+screen+" shows is noted", card.MaxTitle)
		c.Text = []string{"The clicks come when “" + card.Shorten(plain(waits[0].Want.Text), 60) + "” is published: see the question in this thread."}
		c.Buttons = out
		return c
	}
	if len(click) == 0 {
		c := card.Card{Tone: card.Done, Title: h.Name + " has nothing left to do at " + screen}
		if len(s.on(screen, change.Step.ByHand)) > 0 {
			c.Tone, c.Title = card.Info, h.Name+" is at nothing in "+screen+" any more"
			c.Text = []string{"What is still to do there stands in the list."}
		}
		return c
	}
	g := s.e.Desk.Guide[click[0].Key]
	saved := "Saved"
	c.Title = card.Shorten(h.Name+", now click in "+screen, card.MaxTitle)
	if s.o.Drill {
		c.Title, saved = card.Shorten(h.Name+", look where you would click in "+screen+". Do NOT save", card.MaxTitle), "Seen; nothing was saved"
	}
	c.Text = []string{g.Path}
	if g.Warning != "" {
		c.Text = append(c.Text, g.Warning)
	}
	words := false
	for _, st := range click {
		g := s.e.Desk.Guide[st.Key]
		now, to := st.Want, st.Want
		if st.Back && st.Before != nil {
			to = st.Before.Value
		} else if st.Before != nil {
			now = st.Before.Value
		}
		c.Facts = append(c.Facts, card.Fact{Name: stepName(st), Before: quoted(now), After: quoted(to), Note: g.Click})
		for _, w := range g.Words {
			words = true
			c.Notes = append(c.Notes, "To copy, "+stepName(st)+": "+lengthOf(w)+", begins “"+card.Shorten(firstLine(plain(w)), 200)+"”. Compare after you put it in.")
		}
	}
	if !s.o.Drill && slices.ContainsFunc(click, toBlank) { // a drill chooses nothing in Gladly
		out = append([]card.Button{s.handButton("instead", screen, "Gladly will not clear it…", card.Plain, true)}, out...)
	}
	if words {
		out = append([]card.Button{s.handButton("copy", screen, "Copy the text…", card.Plain, true)}, out...)
	}
	c.Buttons = append([]card.Button{
		withState(s.handButton("saved", screen, saved, card.Primary, false), heldState(mine)),
		s.handButton("other", screen, "It shows something else…", card.Plain, true),
	}, out...)
	return c
}

// lengthOf counts as people do who compare what they copied.
func lengthOf(text string) string {
	n := utf8.RuneCountInString(text)
	if lines := strings.Count(text, "\n") + 1; lines > 1 {
		return fmt.Sprintf("%d characters in %d lines", n, lines)
	}
	return fmt.Sprintf("%d characters", n)
}

// copyForm holds the texts that somebody has to put in, byte for byte, in fields to copy them from.
func (s *stepping) copyForm(screen string, mine []change.Step) card.Card {
	var inputs []card.Input
	for _, st := range mine {
		for _, w := range s.e.Desk.Guide[st.Key].Words {
			parts := card.Fields(w)
			for i, part := range parts {
				hint := lengthOf(w)
				if len(parts) > 1 {
					hint = fmt.Sprintf("part %d of %d: put them together without a line break; %s in all", i+1, len(parts), hint)
				}
				inputs = append(inputs, card.Input{ID: fmt.Sprintf("copy-%d", len(inputs)), Kind: card.Long, Label: card.Shorten(stepName(st), card.MaxLabel), Hint: hint, Value: part, Optional: true})
			}
		}
	}
	if len(inputs) > card.MaxInputs { // longer than any message of Gladly's
		inputs = inputs[:card.MaxInputs]
		inputs[card.MaxInputs-1].Hint = "this is not all of it: the rest stands in the copy in the thread"
	}
	return formCard("Copy the text: nothing is changed by it", "Close", Action{Outage: s.o.ID, Verb: "copied", State: asIs, Arg: screen}.Encode(), inputs...)
}

// sourceWord says whose word a known value is, where it is somebody's.
func sourceWord(st change.Step) string {
	if st.Source == nil {
		return ""
	}
	return "said " + st.Source.By + " " + card.Day(st.Source.At)
}

// heldState names what a person holds, and how far it is: an answer counts for that alone.
func heldState(mine []change.Step) string {
	var b strings.Builder
	for _, st := range mine {
		b.WriteString(string(st.Key) + string(st.State) + nanos(st.Holder.Since) + "\n")
	}
	return shortID("", b.String())
}

// withState makes a button late once what it was drawn for has moved on.
func withState(b card.Button, state string) card.Button {
	if a, err := DecodeAction(b.Action); err == nil {
		a.State = state
		b.Action = a.Encode()
	}
	return b
}

// may reports whether the person may do guided steps of a screen.
func (s *stepping) may(screen string) bool { return s.clicks(screen) || s.helps(screen) }

// clicks reports whether the person may do the guided steps of a screen without being asked. Who was a responder when
// that was last known may put back, and nothing else.
func (s *stepping) clicks(screen string) bool {
	by := s.e.By
	forward := slices.ContainsFunc(s.on(screen, change.Step.ByHand), func(st change.Step) bool { return !st.Back })
	return by.Responder || by.Admin || by.Restorer && !forward || by.Unknown != "" && by.ID == s.o.Owner.ID
}

// helps reports whether the person was asked to click in a screen. That answers for its items, and asks nobody else.
func (s *stepping) helps(screen string) bool {
	return slices.ContainsFunc(s.o.Helpers, func(h Helper) bool { return h.Who.ID == s.e.By.ID && h.Screen == screen })
}

// apply does something to a step, now and in the record that is saved. It reports whether the step still was there.
func (s *stepping) apply(k change.Key, f func(change.Step) (change.Step, error)) bool {
	r, err := s.r.With(k, f)
	if err != nil {
		return false
	}
	s.r = r
	s.do(Hand{k, f})
	return true
}

// hand decides about a press on a guided step.
func (s *stepping) hand(a Action, fields map[string]string) {
	screen := a.Arg
	if st, ok := s.r.Step(change.Key(a.Key)); ok {
		screen = s.screen(st)
	}
	by, at := s.e.By, s.e.At
	mine := s.on(screen, heldBy(by.ID))
	switch {
	case !s.may(screen), strings.HasPrefix(a.Verb, "ask-someone") && !s.clicks(screen):
		s.refuse()
		return
	case a.Verb == "checked":
		s.checked(screen, a)
		return
	case s.o.Ended != nil:
		s.tell(card.Card{Title: headline(s.o, s.r), Text: []string{"This outage is over: " + endWord(s.o) + ". Nothing was changed by your press."}})
		return
	case a.Verb == "correct" || a.Verb == "correct-send":
		s.correct(a, fields)
		return
	case s.resting() && a.Verb != "give-back":
		s.tell(card.Card{Title: "Nobody can log in to Gladly right now", Text: []string{"This waits until somebody can. Nothing was noted."}})
		return
	case a.Verb == "claim":
		s.claim(screen)
		return
	case a.Verb == "ask-someone":
		s.do(Form{Card: formCard("Who should click in "+screen+"?", "Ask them", Action{Outage: s.o.ID, Verb: "ask-someone-send", State: asIs, Arg: screen}.Encode(), card.Input{ID: "to", Kind: card.Text, Label: "Name", Hint: "@name"})})
		return
	case a.Verb == "ask-someone-send":
		s.askSomeone(screen, fields["to"])
		return
	case len(mine) == 0:
		s.tell(card.Card{Title: "You are not at anything on " + screen + " any more", Text: []string{"Nothing was noted. The list in the thread shows who is at what."}, Buttons: []card.Button{s.button("look", "", "Look")}})
		return
	}
	if (a.Verb == "as-listed" || a.Verb == "saved") && a.State != heldState(mine) {
		s.tell(card.Card{Title: "That card has moved on", Text: []string{"Nothing was noted by your press. Your card in the thread shows what is next."}})
		return
	}
	switch a.Verb {
	case "copy":
		s.do(Form{Card: s.copyForm(screen, mine)})
	case "copied":
		s.tell(card.Card{Title: "Copying changed nothing", Text: []string{"When it stands in " + screen + " and is saved there, press Saved."}})
	case "as-listed":
		for _, st := range mine {
			if st.State == change.Planned && st.Known != nil {
				s.noted(st, *st.Known)
			}
		}
		s.clicking(screen)
	case "differ":
		s.do(Form{Card: s.valuesForm(screen, "differ-send", mine, change.Planned)})
	case "differ-send":
		for _, st := range mine {
			if text := fields[string(st.Key)]; text != "" && st.State == change.Planned { // empty says nothing; Blank is a value
				s.noted(st, s.value(st.Key, text))
			}
		}
		s.clicking(screen)
	case "saved":
		s.saved(screen, mine)
	case "other":
		s.do(Form{Card: s.valuesForm(screen, "other-send", mine, change.Intent, change.RestoreIntent)})
	case "other-send":
		for _, st := range mine {
			if text := fields[string(st.Key)]; text != "" {
				s.seen(st, s.value(st.Key, text))
			}
		}
		s.clicking(screen)
	case "instead", "instead-send":
		switch {
		case s.o.Drill: // it leaves nothing behind
			s.tell(card.Card{Title: "This is a drill: nothing is chosen in Gladly", Text: []string{"Nothing was noted."}})
		case a.Verb == "instead":
			s.askInstead(screen, mine)
		default:
			s.instead(screen, mine, fields)
		}
	case "seen", "seen-send":
		s.look(a, fields)
	case "give-back", "not-admin", "no-login":
		for _, st := range mine {
			s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.GiveBack(st, at) })
		}
		s.note("gave back", "%s gave back %s", by.Name, names(mine))
		if a.Verb == "no-login" {
			s.post("no-login/"+s.e.ID, s.thread(), card.Card{
				Title: by.Name + " cannot log in to Gladly. Can anybody?",
				Text:  []string{"If somebody can, they take it from the list. If nobody can, that is an outage of its own, and all clicks rest."},
				Buttons: []card.Button{
					{Label: "Nobody can log in", Action: Action{Outage: s.o.ID, Verb: "nobody", State: asIs}.Encode()},
					s.button("look", "", "Somebody can: look"),
				},
			})
		}
	}
}

// claim takes the next free items. Whoever still is at some finishes those, or gives them back, first: a second press
// takes no more. Items that wait for somebody else keep nobody from the next.
func (s *stepping) claim(screen string) {
	if mine := slices.DeleteFunc(s.on(screen, heldBy(s.e.By.ID)), s.waits); len(mine) > 0 {
		s.tell(card.Card{Title: "You are at " + card.Shorten(names(mine), 80) + " already", Text: []string{"Your card in the thread shows what is next. Nothing more was taken."}})
		return
	}
	open := s.on(screen, free)
	if len(open) == 0 {
		s.tell(card.Card{Title: "Nothing is free on " + screen, Text: []string{"The list in the thread shows who is at what."}})
		return
	}
	if len(open) > takeMost && s.perItem(open) {
		open = open[:takeMost]
	}
	who := change.Holder{ID: s.e.By.ID, Name: s.e.By.Name, Since: s.e.At}
	for _, st := range open {
		s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Take(st, who) })
	}
	s.note("claim", "%s is at %s", s.e.By.Name, names(open))
	s.do(Remind{handsTimer, s.e.At.Add(holdFor)})
	s.clicking(screen)
}

func (s *stepping) noted(st change.Step, v change.Value) {
	by, at := s.e.By.Name, s.e.At
	if s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.NoteBefore(st, v, by, at) }) {
		s.note("noted", "%s: before %q, says %s", stepName(st), v.Text, by)
	}
}

// clicking says, once nothing is left to look at or to note, that the person is being shown the clicks.
func (s *stepping) clicking(screen string) {
	mine := s.on(screen, heldBy(s.e.By.ID))
	at := s.e.At
	if slices.ContainsFunc(mine, func(st change.Step) bool { return st.State == change.Planned || st.State == change.Unknown }) {
		return
	}
	for _, st := range mine {
		if !s.waits(st) {
			s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Clicking(st, at) })
		}
	}
	s.do(Remind{handsTimer, at.Add(holdFor)})
}

func (s *stepping) saved(screen string, mine []change.Step) {
	by, at := s.e.By.Name, s.e.At
	var done []change.Step
	for _, st := range mine {
		if s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Saved(st, by, at) }) {
			done = append(done, st)
		}
	}
	if len(done) == 0 {
		s.tell(card.Card{Title: "There was nothing to save yet", Text: []string{"Please note first what " + screen + " shows."}})
		return
	}
	if s.o.Drill {
		s.note("saved", "%s: seen, and nothing saved, says %s", names(done), by)
		return
	}
	s.note("saved", "%s: saved, says %s", names(done), by)
}

// askToLook asks once per screen and direction, when its clicks are done, what a customer meets there now.
func (s *stepping) askToLook(screen string) {
	done := s.on(screen, func(st change.Step) bool {
		return st.State == change.IsSet || st.State == change.Restored && st.Set != nil
	})
	asked := func(st change.Step) bool { return st.ByHand() || st.State == change.Conflict }
	if len(done) == 0 || len(s.on(screen, asked)) > 0 {
		return
	}
	name := s.checkName(done[0])
	check := s.e.Desk.Guide[done[0].Key].Check
	if check == "" || slices.Contains(s.o.Told.Looks, name) {
		return
	}
	s.o.Told.Looks = append(slices.Clone(s.o.Told.Looks), name)
	s.post(name, s.thread(), s.checkCard(done[0], check, "Look at it as a customer does. It is kept with the outage."))
}

// askToTry asks once per direction for each kind of flag what a customer meets, when pages or phone menus have asked for
// all of them: before that it is known that nobody notices.
func (s *stepping) askToTry() {
	type kind struct {
		first change.Step
		wait  bool
	}
	var screens []string
	kinds := map[string]kind{}
	for _, st := range s.r.Steps {
		asked, screen := s.o.asked[st.Key], s.screen(st)
		if st.Way != change.Flag || s.o.Drill || screen == "" || st.State == change.Left {
			continue
		}
		k, seen := kinds[screen]
		if !seen {
			screens, k.first = append(screens, screen), st
		}
		done := st.State == change.IsSet && !st.Back && asked.Last.After(st.At) || st.State == change.Restored && st.Set != nil
		k.wait = k.wait || !done
		kinds[screen] = k
	}
	for _, screen := range screens {
		k := kinds[screen]
		name, check := s.checkName(k.first), s.e.Desk.Guide[k.first.Key].Check
		if k.wait || check == "" || slices.Contains(s.o.Told.Looks, name) {
			continue
		}
		s.o.Told.Looks = append(slices.Clone(s.o.Told.Looks), name)
		text := "Look at it as a customer does. It is kept with the outage."
		if k.first.Action == change.CloseChat {
			text = "Look at it as a customer does, on a page that you load anew. It is kept with the outage."
		}
		s.post(name, s.thread(), s.checkCard(k.first, check, text))
	}
}

// checkName is the message that asks what a customer meets, of a screen and a direction.
func (s *stepping) checkName(st change.Step) string {
	return "check/" + s.screen(st) + "/" + strconv.FormatBool(st.Back)
}

func (s *stepping) checkCard(st change.Step, title, text string) card.Card {
	c := card.Card{Title: card.Shorten(title, card.MaxTitle), Text: []string{text}}
	for _, said := range [][2]string{{"yes", "Yes"}, {"no", "No"}, {"unchecked", "Could not check"}} {
		c.Buttons = append(c.Buttons, card.Button{Label: said[1], Action: Action{Outage: s.o.ID, Verb: "checked", Key: string(st.Key), State: strconv.FormatBool(st.Back), Arg: said[0]}.Encode()})
	}
	return c
}

// checked keeps what somebody met as a customer; No opens the item again.
func (s *stepping) checked(screen string, a Action) {
	by, at := s.e.By.Name, s.e.At
	switch st, ok := s.r.Step(change.Key(a.Key)); {
	case !ok || st.Way == change.Auto || !slices.Contains([]string{"yes", "no", "unchecked"}, a.Arg):
		s.tell(homeCard(s.policy, s.o, s.r))
		return
	case late(a, strconv.FormatBool(st.Back)): // asked in the outage, and on its way back since: that is another question
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{"It was about the outage, and " + stepName(st) + " goes back since. Nothing was noted by your press."}})
		return
	}
	s.apply(change.Key(a.Key), func(st change.Step) (change.Step, error) {
		st.Checks = append(slices.Clone(st.Checks), change.Check{By: by, At: at, Back: st.Back, Said: a.Arg})
		if a.Arg == "no" && st.State == change.IsSet && st.Way == change.Guided {
			st.State, st.At = change.Unknown, at
		}
		return st, nil
	})
	s.note("checked", "%s as a customer: %s, says %s", screen, a.Arg, by)
	st, _ := s.r.Step(change.Key(a.Key))
	if a.Arg == "no" && st.Way == change.Flag && st.Open() { // the bot did its part: somebody has to find out why
		c := s.checkCard(st, s.e.Desk.Guide[st.Key].Check, by+" looked at "+card.Clock(at)+": no. Whoever had the page open, or was in the menu already, is not reached. Else see whether it still asks the bot, or add it by hand in Gladly. Press again when you have looked again.")
		c.Tone = card.Warning
		c.Buttons = append(c.Buttons, s.button("add", asIs, "Add it by hand…"))
		s.post(s.checkName(st), s.thread(), c)
		return
	}
	s.closes(s.checkName(st), s.thread(), card.Card{Title: screen + ", as a customer: " + a.Arg, Text: []string{"Said " + by + " at " + card.Clock(at) + "."}})
}

func (s *stepping) seen(st change.Step, v change.Value) {
	by, at := s.e.By.Name, s.e.At
	if s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Seen(st, v, by, at) }) {
		s.note("seen", "%s shows %q, says %s", stepName(st), v.Text, by)
	}
}

// toBlank reports whether a step is on its way back to a setting that was blank: not every screen of the platform lets
// people clear it again.
func toBlank(st change.Step) bool {
	return st.Back && st.Before != nil && len(st.Before.Value.Raw) == 0
}

func (s *stepping) askInstead(screen string, mine []change.Step) {
	var inputs []card.Input
	for _, st := range mine {
		if toBlank(st) && st.State == change.RestoreIntent && len(inputs) < card.MaxInputs {
			in := valueInput(st, "")
			in.Hint = "what you chose instead; empty: it could be cleared"
			inputs = append(inputs, in)
		}
	}
	if len(inputs) == 0 {
		s.tell(card.Card{Title: "Nothing of yours has to be cleared there any more", Text: []string{"Nothing was noted."}})
		return
	}
	s.do(Form{Card: formCard("It was blank before. What did you choose instead?", "Leave it like this", Action{Outage: s.o.ID, Verb: "instead-send", State: asIs, Arg: screen}.Encode(), inputs...)})
}

// instead leaves what Gladly would not clear, item by item, with what was chosen for it.
func (s *stepping) instead(screen string, mine []change.Step, fields map[string]string) {
	by, at := s.e.By.Name, s.e.At
	for _, st := range mine {
		text := fields[string(st.Key)]
		if text == "" || !toBlank(st) {
			continue
		}
		v := s.value(st.Key, text)
		reason := "Gladly would not clear it; it shows " + quoted(v) + " instead, chosen by " + by
		if len(v.Raw) == 0 || !s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Instead(st, v, by, reason, at) }) {
			s.tell(card.Card{Title: "That is no other value for " + card.Shorten(stepName(st), 80), Text: []string{"Blank and the outage's own value are not. Nothing was noted for it."}})
			continue
		}
		s.note("leave", "%s is left by name: %s", stepName(st), reason)
		s.do(Know{realKey(st.Key), change.Word{Value: v, By: by, At: at, Listed: listedOf(st)}})
	}
	s.clicking(screen)
}

// listedOf is what the organisation document said of a step's setting.
func listedOf(st change.Step) *change.Value {
	if st.Source != nil {
		return st.Source.Listed
	}
	return st.Known
}

// look takes what a person saw for a step whose outcome was unknown.
func (s *stepping) look(a Action, fields map[string]string) {
	st, ok := s.r.Step(change.Key(a.Key))
	if !ok || st.State != change.Unknown {
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{stepName(st) + ": " + stepWord(st) + by(st) + "."}})
		return
	}
	if st.Holder == nil || st.Holder.ID != s.e.By.ID {
		s.tell(card.Card{Title: "Somebody else looks at " + stepName(st), Text: []string{"Nothing was noted. The list in the thread shows who."}})
		return
	}
	if a.Verb == "seen-send" && fields[string(st.Key)] == "" {
		s.tell(card.Card{Title: "Please say what it shows", Text: []string{"If it is blank there, type Blank. Nothing was noted."}})
		return
	}
	switch {
	case a.Verb == "seen-send":
		s.seen(st, s.value(st.Key, fields[string(st.Key)]))
	case a.Arg == "want":
		s.seen(st, st.Want)
	case a.Arg == "before" && st.Before != nil:
		s.seen(st, st.Before.Value)
	default:
		s.do(Form{Card: formCard("What does Gladly show for "+stepName(st)+"?", "Note it", Action{Outage: s.o.ID, Verb: "seen-send", Key: a.Key, State: asIs}.Encode(), valueInput(st, ""))})
		return
	}
	s.clicking(s.screen(st))
}

// notedSteps are the open steps whose value before is a person's word.
func notedSteps(steps []change.Step) []change.Step {
	var out []change.Step
	for _, st := range steps {
		if st.Open() && st.Before != nil && st.Before.By != change.ByAPI {
			out = append(out, st)
		}
	}
	return out
}

// mendForm asks which of the noted values is wrong, and what is right.
func (s *stepping) mendForm(screen string) card.Card {
	which := card.Input{ID: "which", Kind: card.Choice, Label: "Which one"}
	for _, st := range notedSteps(s.r.Steps) {
		if screen == "" || s.screen(st) == screen {
			which.Options = append(which.Options, card.Option{Value: string(st.Key), Label: card.Shorten(stepName(st)+": "+quoted(st.Before.Value), card.MaxLabel)})
		}
	}
	right := card.Input{ID: "value", Kind: card.Text, Label: "What it was before the outage", Hint: "As Gladly shows it. If it was blank, type Blank."}
	if slices.ContainsFunc(notedSteps(s.r.Steps), func(st change.Step) bool { return valueInput(st, "").Kind == card.Long }) {
		right.Kind = card.Long
	}
	action := Action{Outage: s.o.ID, Verb: "correct-send", State: asIs, Arg: screen}.Encode()
	return formCard("Mend a value that somebody noted", "Mend it", action, which, right)
}

// correct replaces what a person noted; both words stay.
func (s *stepping) correct(a Action, fields map[string]string) {
	if a.Verb == "correct" && a.Key == "" && len(notedSteps(s.r.Steps)) > 0 {
		s.do(Form{Card: s.mendForm(a.Arg)})
		return
	}
	if a.Key == "" {
		a.Key = fields["which"]
		fields = map[string]string{a.Key: fields["value"]}
	}
	st, ok := s.r.Step(change.Key(a.Key))
	if !ok || st.Before == nil {
		s.tell(homeCard(s.policy, s.o, s.r))
		return
	}
	if !s.may(s.screen(st)) { // the form named a setting of another screen
		s.tell(refuseCard(s.policy, s.e.By))
		return
	}
	if a.Verb == "correct" {
		s.do(Form{Card: formCard("What was "+stepName(st)+" before the outage?", "Correct it", Action{Outage: s.o.ID, Verb: "correct-send", Key: a.Key, State: asIs}.Encode(), valueInput(st, st.Before.Value.Text))})
		return
	}
	if fields[string(st.Key)] == "" {
		s.tell(card.Card{Title: "Please say what it was", Text: []string{"If it was blank, type Blank. Nothing was noted."}})
		return
	}
	v, by, at, old := s.value(st.Key, fields[string(st.Key)]), s.e.By.Name, s.e.At, st.Before.Value.Text
	if !s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Correct(st, v, by, at) }) {
		s.tell(card.Card{Title: "That cannot be corrected", Text: []string{"The bot read it itself, or it is restored already, or it is the outage's own value."}})
		return
	}
	s.note("corrected", "%s: before %q, noted as %q before, says %s", stepName(st), v.Text, old, by)
	if st.Doubt { // that was the answer
		s.waited([]change.Step{st})
	}
}

// valuesForm asks for the value of each item that a person holds, filled in with what is known.
func (s *stepping) valuesForm(screen, verb string, mine []change.Step, states ...change.State) card.Card {
	var inputs []card.Input
	for _, st := range mine {
		if slices.Contains(states, st.State) && len(inputs) < card.MaxInputs {
			now := ""
			if st.Known != nil && st.State == change.Planned {
				now = st.Known.Text
			}
			inputs = append(inputs, valueInput(st, now))
		}
	}
	return formCard("What does "+screen+" show?", "Note it", Action{Outage: s.o.ID, Verb: verb, State: asIs, Arg: screen}.Encode(), inputs...)
}

// value reads what a person typed: one of the choices in their words, else the words as they are.
func (s *stepping) value(k change.Key, text string) change.Value {
	return valueOf(s.e.Desk.Guide[k], text)
}

// askSomeone asks a person by name to do the clicks of a screen; they may answer for those alone.
func (s *stepping) askSomeone(screen, name string) {
	who, ok := s.person(name)
	platform, _, _ := strings.Cut(who.Account, ":")
	if !ok {
		s.tell(card.Card{Title: "I do not know " + card.Shorten(plain(name), 40) + " here", Text: []string{"Nobody was asked."}})
		return
	}
	s.o.Helpers = append(slices.Clone(s.o.Helpers), Helper{who, screen})
	s.note("asked", "%s asks %s to click in %s", s.e.By.Name, who.Name, screen)
	c := s.board(screen)
	c.Title = s.e.By.Name + " asks you to click in " + screen
	c.Buttons = slices.DeleteFunc(c.Buttons, func(b card.Button) bool { // who was asked asks nobody else
		a, err := DecodeAction(b.Action)
		return err == nil && a.Verb == "ask-someone"
	})
	s.post("asked/"+s.e.ID, Place{Platform: platform, Person: who.Account}, c)
}

// timeOut frees what somebody took and has not answered for.
func (s *stepping) timeOut() {
	var next time.Time
	at := s.e.At
	for _, st := range s.r.Steps {
		if st.Holder == nil {
			continue
		}
		last := st.Holder.Since
		if st.At.After(last) {
			last = st.At
		}
		if end := last.Add(holdFor); end.After(at) {
			if next.IsZero() || end.Before(next) {
				next = end
			}
			continue
		}
		who := st.Holder.Name
		s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.GiveBack(st, at) })
		s.note("timed out", "%s: %s did not answer; it is free again", stepName(st), who)
	}
	if !next.IsZero() {
		s.do(Remind{handsTimer, next})
	}
}
