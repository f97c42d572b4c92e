package flow

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
)

// asIs is the state of an action that did not come from a card but from a command: it speaks of things as they are.
const asIs = "*"

// late reports whether a button was drawn for something that has moved on.
func late(a Action, now string) bool { return a.State != asIs && a.State != now }

// press decides about a button of an outage. Whoever lost a race is told what happened, and by whom.
func (s *stepping) press(p Press) {
	a := p.Action
	switch a.Verb { // for everybody in the organisation, at any time
	case "look":
		s.tell(homeCard(s.policy, s.o, s.r))
		return
	case "more":
		s.tell(moreCard(s.policy, s.o, s.r))
		return
	case "tell":
		c := tellCard(s.policy, s.o.Leaf, s.e.Desk.Open)
		c.Buttons = []card.Button{s.button("support", "", "Write to Gladly Support")}
		s.tell(c)
		return
	case "support":
		s.tell(supportCard(s.policy, s.o.Leaf, s.o.Since, s.e))
		return
	case "note":
		if a.Arg != "" {
			said := func(l Line) bool { return l.What == "note" && l.ID == s.e.By.ID && l.Text == plain(a.Arg) }
			if slices.ContainsFunc(s.o.Timeline, said) {
				s.tell(card.Card{Title: "That line stands in the timeline of " + s.o.ID + " already"})
				return
			}
			s.addNote(a.Arg)
			return
		}
		s.do(Form{Card: formCard("A line for the timeline", "Add", s.act("note-send", asIs, ""), card.Input{ID: "text", Kind: card.Long, Label: "What happened"})})
		return
	case "note-send":
		s.addNote(p.Fields["text"])
		return
	case "strike":
		s.strike(a.Arg)
		return
	case "todo":
		s.ticked(a.Arg)
		return
	case keepValues, forgetValues:
		s.keep(a)
		return
	}
	if s.e.By.ID == s.offered() && (a.Verb == "accept-handover" && s.e.By.Responder || a.Verb == "decline-handover") {
		s.handed(a.Verb == "accept-handover")
		return
	}
	if strings.HasPrefix(a.Verb, "ivr-") {
		s.menu(a)
		return
	}
	if strings.HasPrefix(a.Verb, "which") {
		s.which(a, p.Fields)
		return
	}
	if handVerb(a.Verb) {
		s.hand(a, p.Fields)
		return
	}
	// Who waits may say that it works again. What changes settings is a responder's, whoever the owner is.
	waits := s.e.By.ID == s.o.Owner.ID && !s.r.Open()
	if !s.e.By.Responder && !waits && (!putsBack(a.Verb) || !s.mayPutBack()) {
		s.refuse()
		return
	}
	if s.o.Ended != nil {
		if a.Verb == "again" && s.e.At.Sub(s.o.Ended.At) < againFor {
			s.do(Enter{At: s.o.Leaf.ID})
			return
		}
		s.tell(card.Card{Title: headline(s.o, s.r), Text: []string{"This outage is over: " + endWord(s.o) + ". Nothing was changed by your press."}})
		return
	}
	switch a.Verb {
	case "not-ours":
		s.notOurs(a.Key)
	case "still-down":
		s.stillDown(a.Key, a.State)
	case "restore", "putback", "some", "some-send":
		s.restore(a, p.Fields)
	case "retry", "leave-failed", "leave-failed-send":
		s.answerFailed(a, p.Fields)
	case "overwrite", "leave", "leave-send", "name", "name-send", "put-known", "name-later":
		s.answer(a, p.Fields)
	case "before", "before-send", "before-known", "before-later":
		s.before(a, p.Fields)
	case "extend":
		s.extend(a)
	case "since":
		s.do(Form{Card: formCard("Since when are customers hit?", "Save", s.act("since-send", asIs, ""),
			card.Input{ID: "since", Kind: card.Text, Label: "Since", Hint: "15:04 on your clock", Value: s.o.Since.In(s.e.By.Location(s.policy)).Format("15:04")})})
	case "since-send":
		s.setSince(p.Fields["since"])
	case "handover":
		if a.Arg != "" {
			s.offer(a.Arg)
			return
		}
		s.do(Form{Card: formCard("Hand over to whom?", "Ask them", s.act("handover-send", asIs, ""), card.Input{ID: "to", Kind: card.Text, Label: "Name", Hint: "@name"})})
	case "handover-send":
		s.offer(p.Fields["to"])
	case "nobody":
		s.do(Enter{At: "login"})
	case "take":
		s.take()
	case "abandon-sure":
		s.abandon(a.Arg, true)
	case "abandon":
		if a.Arg != "" {
			s.abandon(a.Arg, false)
			return
		}
		s.do(Form{Card: formCard("Give up the way back?", "Go on", s.act("abandon-send", asIs, ""), card.Input{ID: "reason", Kind: card.Text, Label: "Why is it left like this?"})})
	case "abandon-send":
		s.abandon(p.Fields["reason"], false)
	case "works", "still", "changed", "later":
		s.heard(a)
	case "next-day":
		// One day after the other: the button of a day that is long covered, or far away, moves nothing.
		if until, err := time.Parse(time.RFC3339, a.Arg); err == nil && until.Before(s.e.At.Add(2*24*time.Hour)) {
			s.do(Enter{Join: s.o.ID, At: s.o.Leaf.ID, Until: until})
		}
	case "add":
		s.do(Enter{Join: s.o.ID, At: s.o.Leaf.ID, Until: s.o.Deadline})
	case "accept-handover", "decline-handover":
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{s.o.Owner.Name + " looks after it."}})
	default:
		s.tell(homeCard(s.policy, s.o, s.r))
	}
}

// refuse says to the person of the event that it is not theirs to do, and has it on record.
func (s *stepping) refuse() {
	s.do(Audit{What: "refused"})
	s.tell(refuseCard(s.policy, s.e.By))
}

func (s *stepping) act(verb, state, arg string) string {
	return Action{Outage: s.o.ID, Verb: verb, State: state, Arg: arg}.Encode()
}

func (s *stepping) restore(a Action, fields map[string]string) {
	phase := s.r.Phase()
	if phase == change.Nothing {
		s.tell(card.Card{Title: "Nothing was changed, so there is nothing to put back", Buttons: []card.Button{s.button("works", asIs, "It works again: close it")}})
		return
	}
	var keys []change.Key
	var open []change.Key
	for _, st := range s.r.Steps {
		if !st.Open() || st.Back {
			continue
		}
		open = append(open, st.Key)
		if slices.Contains(strings.Split(fields["targets"], "\n"), st.Target) {
			keys = append(keys, st.Key)
		}
	}
	if len(open) == 0 {
		l := s.last("restore")
		s.tell(card.Card{Tone: card.Working, Title: headline(s.o, s.r), Text: []string{l.By + " asked for that at " + card.Clock(l.At) + ". You need not do anything."}})
		return
	}
	switch a.Verb {
	case "restore":
		s.preview(open)
	case "putback":
		list, when, _ := strings.Cut(a.State, "/")
		sec, err := strconv.ParseInt(when, 10, 64)
		shown, _, _ := strings.Cut(restoreState(s.r, s.e.At), "/")
		if err != nil || list != shown || s.e.At.Sub(time.Unix(sec, 0)) > freshFor {
			s.tell(card.Card{Title: "That list is old", Text: []string{"Nothing was put back. The present one comes in the thread."}})
			s.preview(open)
			return
		}
		s.note("restore", "everything is put back, asked by %s", s.e.By.Name)
		s.do(Restore{By: s.e.By.Name})
		s.unlist("put everything back")
	case "some":
		s.do(Form{Card: formCard("What should be put back?", "Put back", s.act("some-send", asIs, ""), card.Input{ID: "targets", Kind: card.Many, Label: "Which", Options: s.targets()})})
	case "some-send":
		if len(keys) == 0 {
			s.tell(card.Card{Title: "Nothing was chosen, so nothing was put back"})
			return
		}
		s.note("restore", "%s is put back, asked by %s", strings.ReplaceAll(fields["targets"], "\n", ", "), s.e.By.Name)
		s.do(Restore{Keys: keys, By: s.e.By.Name})
		s.unlist("put some of it back")
	}
}

// unlist has the lists say who asked for it, and when: they ask no more. What was noted wrongly can still be mended.
func (s *stepping) unlist(what string) {
	c := card.Card{Title: s.e.By.Name + " asked at " + card.Clock(s.e.At) + " to " + what, Text: []string{"How it goes stands in the outage's message."}}
	if len(notedSteps(s.r.Steps)) > 0 {
		c.Buttons = []card.Button{mendButton(s.o)}
	}
	for _, name := range s.o.Told.Lists {
		s.closes(name, s.thread(), c)
	}
	s.o.Told.Lists = nil
}

func mendButton(o Outage) card.Button {
	return card.Button{Label: "One was noted wrongly: mend it…", Opens: true, Action: Action{Outage: o.ID, Verb: "correct", State: asIs}.Encode()}
}

// preview shows what a restore would put back, with what can be read now.
func (s *stepping) preview(open []change.Key) {
	var steps []change.Step
	for _, k := range open {
		st, _ := s.r.Step(k)
		steps = append(steps, st)
	}
	if can := readableKeys(steps); len(can) > 0 {
		s.do(Read{For: "restore", Keys: can})
		return
	}
	s.readings(Readings{For: "restore", By: s.e.By})
}

func (s *stepping) targets() []card.Option {
	var out []card.Option
	for _, st := range s.r.Steps {
		o := card.Option{Value: st.Target, Label: card.Shorten(st.Label, card.MaxLabel)}
		if st.Open() && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// answer takes what a person says about one step.
func (s *stepping) answer(a Action, fields map[string]string) {
	st, ok := s.r.Step(change.Key(a.Key))
	if !ok || string(st.State)+"/"+strconv.FormatBool(st.Back) != a.State {
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{stepName(st) + ": " + stepWord(st) + by(st) + ". Nothing was changed by your press."}})
		return
	}
	resume := Resume{Key: st.Key, Seen: st.State}
	if a.Verb == "name-send" && strings.TrimSpace(fields["value"]) == "" { // nothing was said: find out later
		a.Verb = "name-later"
	}
	switch a.Verb {
	case "put-known":
		if st.Known == nil {
			return
		}
		resume.Answer, resume.Value = change.Name, *st.Known
		s.note("name", "%s: the value before was %q, says %s", stepName(st), st.Known.Text, s.e.By.Name)
	case "name-later":
		s.note("later", "%s: what was there before is to be found out, says %s", stepName(st), s.e.By.Name)
		s.tell(card.Card{Title: "I ask again with each reminder", Text: []string{stepName(st) + " stays as it is until somebody says what should come back."}})
		return
	case "overwrite":
		if a.Arg != fingerprint(st) {
			s.tell(card.Card{Title: stepName(st) + " has changed again", Text: []string{"It now shows: " + st.Now.Text}})
			return
		}
		resume.Answer = change.Overwrite
		s.note("overwrite", "%s: %q may be overwritten, says %s", stepName(st), st.Now.Text, s.e.By.Name)
	case "leave":
		s.do(Form{Card: formCard("Leave "+stepName(st)+" as it is?", "Leave it", Action{Outage: s.o.ID, Verb: "leave-send", Key: a.Key, State: a.State}.Encode(),
			card.Input{ID: "reason", Kind: card.Text, Label: "Why", Value: "it is right as it is"})})
		return
	case "leave-send":
		resume.Answer, resume.Reason = change.Leave, plain(strings.TrimSpace(fields["reason"]))
		if resume.Reason == "" {
			s.tell(card.Card{Title: "Please say why it is left as it is", Text: []string{"Nothing was changed."}})
			return
		}
		s.note("leave", "%s is left as it is: %s, says %s", stepName(st), resume.Reason, s.e.By.Name)
	case "name":
		s.do(Form{Card: formCard("What should "+stepName(st)+" be set to?", "Put this back", Action{Outage: s.o.ID, Verb: "name-send", Key: a.Key, State: a.State}.Encode(),
			card.Input{ID: "value", Kind: card.Long, Label: "The value before the outage, as the platform writes it"})})
		return
	case "name-send":
		v := s.value(st.Key, fields["value"])
		if v.Equal(st.Want) {
			s.tell(card.Card{Title: "That is the outage's own value", Text: []string{"It is never taken for the value before. If it is right as it is, choose to leave it."}})
			return
		}
		resume.Answer, resume.Value = change.Name, v
		s.note("name", "%s: the value before was %q, says %s", stepName(st), v.Text, s.e.By.Name)
	}
	s.do(resume)
}

// answerFailed takes what a person says about all steps that did not work.
func (s *stepping) answerFailed(a Action, fields map[string]string) {
	steps := failed(s.r, a.Arg == "true")
	if len(steps) == 0 || failedState(steps) != a.State {
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{headline(s.o, s.r), "Nothing was changed by your press."}})
		return
	}
	resume := Resume{Seen: change.Failed, Answer: change.Retry}
	switch a.Verb {
	case "leave-failed":
		s.do(Form{Card: formCard("Leave them as they are?", "Leave them", Action{Outage: s.o.ID, Verb: "leave-failed-send", State: a.State, Arg: a.Arg}.Encode(),
			card.Input{ID: "reason", Kind: card.Text, Label: "Why"})})
		return
	case "leave-failed-send":
		resume.Answer, resume.Reason = change.Leave, plain(strings.TrimSpace(fields["reason"]))
		if resume.Reason == "" {
			s.tell(card.Card{Title: "Please say why they are left as they are", Text: []string{"Nothing was changed."}})
			return
		}
		s.note("leave", "%s: left as they are: %s, says %s", names(steps), resume.Reason, s.e.By.Name)
	default:
		s.note("retry", "%s: try again, says %s", names(steps), s.e.By.Name)
	}
	for _, st := range steps {
		resume.Key = st.Key
		s.do(resume)
	}
}

func (s *stepping) extend(a Action) {
	now := s.o.Deadline
	if now.IsZero() {
		s.tell(card.Card{Title: "Nothing was changed, so there is no deadline", Text: []string{"I ask at " + card.Clock(s.o.Asking.Next) + "."}})
		return
	}
	if late(a, strconv.FormatInt(now.Unix(), 10)) {
		l := s.last("extend")
		s.tell(card.Card{Title: "The time was moved already", Text: []string{l.By + " moved it at " + card.Clock(l.At) + ": I ask at " + card.Day(now) + "."}})
		return
	}
	from := now
	if s.e.At.After(from) {
		from = s.e.At
	}
	to := from.Add(time.Hour)
	if a.Arg == "open" {
		to = s.policy.NextOpening(from)
	} else if d, err := time.ParseDuration(a.Arg); err == nil && extendable(a.Arg) {
		to = from.Add(d)
	}
	s.deadline(to)
	s.afterHours()
	s.note("extend", "extended to %s by %s", card.Day(to), s.e.By.Name)
	s.midnight()
}

func (s *stepping) setSince(text string) {
	at, err := clockTime(text, s.e.At, s.e.By.Location(s.policy))
	if err != nil {
		s.tell(card.Card{Title: "Nothing was changed", Text: []string{err.Error()}})
		return
	}
	s.note("since", "customers are hit since %s (before: %s)", card.Day(at), card.Day(s.o.Since))
	s.o.Since = at
}

func (s *stepping) addNote(text string) {
	if strings.TrimSpace(text) == "" {
		s.tell(card.Card{Title: "There was no text, so nothing was added"})
		return
	}
	s.note("note", "%s", card.Shorten(plain(text), 1000))
	strike := card.Button{Label: "Strike it", Action: s.act("strike", asIs, strconv.Itoa(len(s.o.Timeline)-1))}
	s.tell(card.Card{Tone: card.Done, Title: "Added to the timeline of " + s.o.ID, Buttons: []card.Button{strike}})
}

func (s *stepping) strike(arg string) {
	i, err := strconv.Atoi(arg)
	if err != nil || i < 0 || i >= len(s.o.Timeline) || s.o.Timeline[i].What != "note" || s.o.Timeline[i].Struck != "" {
		s.tell(card.Card{Title: "There is no such line to strike"})
		return
	}
	if !s.e.By.Responder && s.o.Timeline[i].ID != s.e.By.ID {
		s.refuse()
		return
	}
	s.o.Timeline = slices.Clone(s.o.Timeline)
	s.o.Timeline[i].Struck = s.e.By.Name
	s.note("strike", "struck: %q", s.o.Timeline[i].Text)
}

func (s *stepping) ticked(id string) {
	i := slices.IndexFunc(s.o.Todos, func(t Todo) bool { return t.ID == id })
	switch {
	case i < 0:
		s.tell(homeCard(s.policy, s.o, s.r))
	case s.o.Todos[i].By != "":
		s.tell(card.Card{Title: "Done already", Text: []string{s.o.Todos[i].By + " ticked it at " + card.Day(s.o.Todos[i].At) + "."}})
	default:
		s.o.Todos = slices.Clone(s.o.Todos)
		s.o.Todos[i].By, s.o.Todos[i].At = s.e.By.Name, s.e.At
		s.note("todo", "done: %s", s.o.Todos[i].Text)
	}
}

func (s *stepping) offered() string {
	if s.o.Offered == nil {
		return ""
	}
	return s.o.Offered.ID
}

// offer asks somebody to take over; the owner stays until they accept.
func (s *stepping) offer(name string) {
	who, ok := s.person(name)
	platform, _, _ := strings.Cut(who.Account, ":")
	switch {
	case !ok:
		s.tell(card.Card{Title: "I do not know " + plain(name) + " here", Text: []string{"Responders are " + list(at(s.policy.responders())) + ". " + s.o.Owner.Name + " still looks after it."}})
	case !who.Responder:
		s.tell(card.Card{Title: who.Name + " is not one of the responders", Text: []string{"Responders are " + list(at(s.policy.responders())) + "."}})
	case who.ID == s.o.Owner.ID:
		s.tell(card.Card{Title: who.Name + " looks after it already"})
	default:
		s.o.Offered = &who
		s.note("offer", "%s asks %s to take over", s.e.By.Name, who.Name)
		place := Place{Platform: platform, Person: who.Account}
		s.post("handover/"+s.e.ID, place, card.Card{
			Title:   s.e.By.Name + " asks you to look after an outage",
			Text:    []string{headline(s.o, s.r), whenWord(s.policy, s.o)},
			Buttons: []card.Button{s.button("accept-handover", "", "I look after it"), s.button("decline-handover", "", "I cannot"), s.button("look", "", "Look")},
		})
	}
}

func (s *stepping) handed(yes bool) {
	to := *s.o.Offered
	s.o.Offered = nil
	if !yes {
		s.note("declined", "%s cannot take over; %s stays the owner", to.Name, s.o.Owner.Name)
		s.post("declined/"+s.e.ID, s.owner(), card.Card{Title: to.Name + " cannot take over", Text: []string{"You still look after " + s.o.ID + "."}})
		return
	}
	s.own(s.e.By)
}

func (s *stepping) take() {
	if s.e.By.ID == s.o.Owner.ID {
		s.tell(card.Card{Title: "You look after it already"})
		return
	}
	s.own(s.e.By)
}

func (s *stepping) own(who Person) {
	old, place := s.o.Owner, s.owner()
	s.o.Owner, s.o.Offered = who, nil
	s.note("owner", "%s looks after it now (before: %s)", who.Name, old.Name)
	s.post("taken/"+s.e.ID, place, card.Card{Title: who.Name + " looks after " + s.o.ID + " now", Text: []string{"Since " + card.Clock(s.e.At) + ". Nothing left for you."}})
	s.tell(card.Card{Tone: card.Done, Title: "You look after it now", Text: []string{headline(s.o, s.r), whenWord(s.policy, s.o)}})
}

// abandon gives up the way back, once the person has seen what that means and said yes.
func (s *stepping) abandon(reason string, sure bool) {
	reason = card.Shorten(plain(strings.TrimSpace(reason)), 80)
	if reason == "" {
		s.tell(card.Card{Title: "Please say why it is left like this", Text: []string{"For example: /outage abandon " + s.o.ID + " the shop moved to another tool"}})
		return
	}
	if !sure {
		c := card.Card{
			Tone: card.Warning, Title: "Give up the way back of " + s.o.ID + "?",
			Text:  []string{headline(s.o, s.r) + ". It stays like this, and I ask no more. Reason: " + reason},
			Facts: facts(s.r.Steps, stepFact),
			Buttons: []card.Button{
				{Label: "Yes, leave everything as it is now", Action: s.act("abandon-sure", asIs, reason)},
				s.button("look", "", "No"),
			},
		}
		s.tell(c)
		return
	}
	if s.o.Drill {
		s.endDrill("given up by " + s.e.By.Name + ", " + reason)
		return
	}
	for _, st := range s.r.Steps {
		busy := st.Way != change.Guided || st.Holder != nil
		if busy && (st.State == change.Intent || st.State == change.RestoreIntent) {
			s.tell(card.Card{Title: "A setting is being changed right now", Text: []string{stepName(st) + ": " + stepWord(st) + ". Please try again when that is over."}})
			return
		}
	}
	for _, st := range s.r.Steps {
		if st.Open() {
			s.do(Resume{Key: st.Key, Seen: st.State, Answer: change.Leave, Reason: reason})
		}
	}
	s.finish("abandoned", s.e.By.Name, reason)
}

// heard takes the answer to a wait's question.
func (s *stepping) heard(a Action) {
	q := s.o.Asking
	if s.o.Leaf.Again == nil {
		s.tell(homeCard(s.policy, s.o, s.r))
		return
	}
	if a.Verb == "still" && (!q.Open || late(a, strconv.Itoa(q.N))) {
		l := s.last("still")
		s.tell(card.Card{Title: "Answered already", Text: []string{l.By + " said at " + card.Clock(l.At) + ": still broken. I ask again at " + card.Clock(q.Next) + "."}})
		return
	}
	if a.Verb == "later" && late(a, strconv.FormatInt(q.Next.Unix(), 10)) {
		s.tell(card.Card{Title: "Moved already", Text: []string{"I ask again at " + card.Clock(q.Next) + "."}})
		return
	}
	switch a.Verb {
	case "works":
		s.answered("Works again, said " + s.e.By.Name + ".")
		s.note("works", "works again, says %s", s.e.By.Name)
		if s.r.Open() {
			s.o.Asking.Works = s.e.By.Name
			s.do(Nudge{}) // who can log in can click
			s.preview(openKeys(s.r))
			return
		}
		s.finish("works", s.e.By.Name, "")
	case "still":
		s.answered("Still broken, said " + s.e.By.Name + " at " + card.Clock(s.e.At) + ". I ask again at " + card.Clock(q.Next) + ".")
		s.note("still", "still broken, says %s", s.e.By.Name)
	case "changed":
		s.answered("It has changed, said " + s.e.By.Name + ".")
		s.note("changed", "it has changed, says %s", s.e.By.Name)
		s.do(Enter{Join: s.o.ID, At: "start"})
	case "later":
		s.answered("Ask me later, said " + s.e.By.Name + ".")
		s.o.Asking.Next = s.e.At.Add(2 * time.Hour)
		s.note("later", "asked again at %s, as %s wishes", card.Clock(s.o.Asking.Next), s.e.By.Name)
		s.do(Remind{questionTimer, s.o.Asking.Next})
	}
}

func openKeys(r change.Record) []change.Key {
	var out []change.Key
	for _, st := range r.Steps {
		if st.Open() {
			out = append(out, st.Key)
		}
	}
	return out
}
