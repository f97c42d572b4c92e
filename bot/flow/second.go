package flow

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// aloneAfter is how long a walk's owner waits for a second person before they may go on alone, with a reason.
const aloneAfter = 5 * time.Minute

// Second is the question to a second person, where the organisation wants four eyes on a change. An answer counts for
// the preview that the question shows, for ten minutes; the values are read again all the same.
type Second struct {
	N     int       `json:"n"`              // counts the questions of a walk: each is a message of its own
	First time.Time `json:"first,omitzero"` // since when somebody is looked for; zero: the last question was answered
	Title string    `json:"title"`          // of what is to be changed
	At    []Place   `json:"at"`             // where it stands
	By    string    `json:"by,omitzero"`    // who agreed …
	Alone string    `json:"alone,omitzero"` // … or why its owner went on alone
	Said  string    `json:"said,omitzero"`  // how the last question ended, in words; never empty for one that is over
}

// settled reports whether the change may go on.
func (q *Second) settled() bool { return q != nil && (q.By != "" || q.Alone != "") }

func (q *Second) message(w Walk) string { return "second:" + w.ID + "/" + strconv.Itoa(q.N) }

// approves reports whether somebody may be the second person.
func (p Policy) approves(who Person) bool {
	if len(p.Approvers) == 0 {
		return who.Responder
	}
	return slices.Contains(p.Approvers, who.ID)
}

func (p Policy) approvers() []string {
	if len(p.Approvers) == 0 {
		return p.responders()
	}
	return p.Approvers
}

// same reports whether two accounts are one person: of one entry, or with one e-mail address.
func (p Policy) same(a, b Person) bool {
	mail := p.email(a)
	return a.ID == b.ID || mail != "" && strings.EqualFold(mail, p.email(b))
}

func (p Policy) email(who Person) string {
	for _, s := range p.People {
		if who.Email == "" && s.Name == who.ID {
			return s.Email
		}
	}
	return who.Email
}

// askSecond puts the question where everybody of the outage reads it, with every setting before → after.
func (s *walking) askSecond() {
	n := s.node()
	q := Second{N: 1, First: s.e.At, Title: n.Title, At: s.secondPlaces()}
	if old := s.w.Second; old != nil {
		q.N, q.Said = old.N+1, old.Said
		if !old.First.IsZero() {
			q.First = old.First
		}
	}
	s.w.Second, s.w.Stage, s.w.ShownAt = &q, Seconding, s.e.At
	s.do(Audit{What: "second asked", Data: map[string]string{"question": strconv.Itoa(q.N)}})
	s.awaitSecond()
	steps, part := readable(s.w.Plan), 0
	for len(steps) > card.MaxFacts { // of each setting it must be seen what becomes of it
		part++
		for _, at := range q.At {
			s.do(Show{Message: q.message(s.w) + "/" + strconv.Itoa(part), Place: at, Card: card.Card{
				Title: "To be changed, part " + strconv.Itoa(part), Facts: planFacts(steps[:card.MaxFacts]),
			}})
		}
		steps = steps[card.MaxFacts:]
	}
	for _, at := range q.At {
		s.do(Show{Message: q.message(s.w), Place: at, Mention: s.others(), Card: secondCard(s.policy, s.w, n, steps, s.e)})
	}
}

// others are those who may be the second person of this walk.
func (s *walking) others() []string {
	return slices.DeleteFunc(slices.Clone(s.policy.approvers()), func(name string) bool {
		return s.policy.same(Person{ID: name}, s.w.By)
	})
}

// secondPlaces is the outage's home, or its thread where there is one already. Where people of other organisations read
// along everywhere, each of those who may agree is asked directly.
func (s *walking) secondPlaces() []Place {
	for _, o := range s.e.Desk.Open {
		if o.ID == s.w.Join && !s.e.Desk.Outside[o.Home.Lane()] {
			p := o.Home
			p.Thread = HomeMessage + o.ID
			return []Place{p}
		}
	}
	if p, ok := s.policy.homeOf(s.node().Channel, s.w.Place, s.e.Desk); ok {
		return []Place{p}
	}
	var out []Place
	for _, name := range s.others() {
		if who, ok := s.policy.Named(name, s.w.Place.Platform); ok && who.Account != "" {
			out = append(out, Place{Platform: s.w.Place.Platform, Person: who.Account})
		}
	}
	return out
}

// awaitSecond shows the owner how things stand, and comes back when that changes.
func (s *walking) awaitSecond() {
	n, q := s.node(), s.w.Second
	where := "a direct message"
	if len(q.At) > 0 && q.At[0].Channel != "" {
		where = card.Channel(q.At[0].Channel)
	}
	alone, end := q.First.Add(aloneAfter), s.w.ShownAt.Add(freshFor)
	s.show(func() card.Card {
		c := card.Card{
			Tone: card.Working, Title: card.Shorten("A second person is asked: "+n.Title, card.MaxTitle),
			Text: []string{"Nothing is changed yet. " + cmp.Or(list(at(s.others())), "Nobody") + " may agree, in " + where + "."},
		}
		if s.e.At.Before(alone) {
			c.Text = append(c.Text, "If nobody does, you may go on alone from "+card.Clock(alone)+" on.")
		} else {
			c.Text = append(c.Text, "Nobody did for "+words(s.e.At.Sub(q.First))+". You may go on alone; your reason is shown to everybody.")
			c.Buttons = append(c.Buttons, card.Button{Label: "Go on alone…", Opens: true, Action: s.w.action("alone", "")})
		}
		c.Buttons = append(c.Buttons, card.Button{Label: "Stop", Action: s.w.action("cancel", "")})
		return c
	})
	next := end
	if s.e.At.Before(alone) {
		next = alone
	}
	s.do(Remind{secondTimer, next})
}

// secondCard asks the second person. Its answers count for this question alone.
func secondCard(p Policy, w Walk, n tree.Node, steps []change.Step, e Event) card.Card {
	q := w.Second
	do := func(verb string) string {
		return Action{Walk: w.ID, Verb: verb, State: strconv.Itoa(q.N)}.Encode()
	}
	all := readable(w.Plan)
	c := card.Card{
		Tone: card.Warning, Title: card.Shorten(w.By.Name+" wants to change this and needs a second person: "+n.Title, card.MaxTitle),
		Facts: planFacts(steps),
		Notes: []string{
			"Who notices: " + n.Affects + ". Put back when somebody says so; asked at " + soon(w.until(p, e.At), e.At) + ".",
			"Your yes counts for exactly these values, until " + card.Clock(w.ShownAt.Add(freshFor)) + ". They are read once more before anything is set.",
		},
	}
	c.Text = append(c.Text, carefulWord(e)...)
	for _, st := range all { // texts too long for their line
		if whole := card.Shorten("Customers will read: “"+st.Want.Text+"”", card.MaxText); quoted(st.Want) != st.Want.Text && !slices.Contains(c.Text, whole) {
			c.Text = append(c.Text, whole)
		}
		if st.Before != nil && quoted(st.Before.Value) != st.Before.Value.Text {
			c.Text = append(c.Text, card.Shorten(stepName(st)+" now: “"+st.Before.Value.Text+"”", card.MaxText))
		}
	}
	c.Buttons = []card.Button{
		{
			Label: "I agree: go on", Style: card.Danger, Action: do("second-yes"),
			Sure: &card.Sure{Title: card.Shorten(doLabel(all)+"?", card.MaxTitle), Text: "You are the second person. Your name is kept with it.", Yes: "Yes, I agree", No: "No"},
		},
		{Label: "No, not now", Action: do("second-no")},
	}
	return c
}

// second takes the answer of whoever pressed.
func (s *walking) second(a Action) {
	q := s.w.Second
	if q == nil || s.w.Stage != Seconding || a.State != strconv.Itoa(q.N) {
		c := card.Card{Title: "That question is no longer open", Text: []string{"Nothing was changed by your press."}}
		if q != nil && q.Said != "" {
			c.Text = append([]string{q.Said}, c.Text...)
		}
		if s.w.Outage != "" {
			c.Buttons = []card.Button{{Label: "Look", Action: Action{Outage: s.w.Outage, Verb: "look"}.Encode()}}
		}
		s.tell(c)
		return
	}
	switch {
	case s.policy.same(s.e.By, s.e.Desk.Asker):
		s.tell(card.Card{Title: "This needs somebody else", Text: []string{"You asked for it yourself. Nothing was changed by your press."}})
	case !s.policy.approves(s.e.By):
		s.tell(card.Card{Tone: card.Warning, Title: "You cannot be the second person here", Text: []string{"That may be " + list(at(s.policy.approvers())) + ". Nothing was changed by your press."}})
	case a.Verb == "second-no":
		q := *q
		q.First, q.Said = time.Time{}, s.e.By.Name+" said no at "+card.Clock(s.e.At)+"."
		s.w.Second = &q
		s.w.Card++ // an edited message rings nowhere
		s.preview(q.Said + " Nothing was done.")
	case !s.e.Desk.Works:
		s.tell(byHandCard(s.node(), s.e.Desk.Why))
	case s.e.At.Sub(s.w.ShownAt) > freshFor:
		s.lapse()
	case !s.e.Desk.Asker.Responder:
		q := *q
		q.Said = s.w.By.Name + " may no longer confirm it, and nothing was changed."
		s.w.Second = &q
		s.end("its owner may no longer confirm", card.Card{Tone: card.Warning, Title: s.w.By.Name + " is no longer one of the responders", Text: []string{"Nothing was changed. Somebody else can begin it anew: /outage"}})
	default:
		q := *q
		q.By, q.Said = s.e.By.Name, s.e.By.Name+" agreed at "+card.Clock(s.e.At)+"."
		s.w.Second = &q
		s.check()
	}
}

// alone takes the owner's reason to go on without a second person.
func (s *walking) alone(a Action, reason string) {
	reason = card.Shorten(plain(strings.TrimSpace(reason)), 200)
	switch {
	case s.w.Stage != Seconding || s.e.At.Before(s.w.Second.First.Add(aloneAfter)):
		s.again()
	case a.Verb == "alone":
		s.do(Form{Card: formCard("Go on without a second person?", "Go on alone", s.w.action("alone-send", ""), card.Input{ID: "reason", Kind: card.Text, Label: "Why can it not wait? Everybody reads this"})})
	case reason == "":
		s.tell(card.Card{Title: "Please say why it cannot wait", Text: []string{"Everybody reads it. Nothing was changed."}})
	case !s.e.By.Responder:
		s.tell(refuseCard(s.policy, s.e.By))
	case !s.e.Desk.Works:
		s.tell(byHandCard(s.node(), s.e.Desk.Why))
	case s.e.At.Sub(s.w.ShownAt) > freshFor:
		s.lapse()
	default:
		q := *s.w.Second
		q.Alone, q.Said = reason, s.w.By.Name+" went on alone at "+card.Clock(s.e.At)+": "+reason
		s.w.Second = &q
		s.check()
	}
}

// secondDue comes back to the question: its owner may go on alone, or it has become too old.
func (s *walking) secondDue() {
	if s.w.Stage != Seconding {
		return
	}
	if s.e.At.Before(s.w.ShownAt.Add(freshFor)) {
		s.w.Card++
		s.awaitSecond()
		return
	}
	s.lapse()
}

// lapse closes a question that shows values of more than ten minutes ago, and shows its owner those of now.
func (s *walking) lapse() {
	q := *s.w.Second
	q.Said = "Nobody answered within ten minutes, and nothing was changed."
	s.w.Second = &q
	s.w.Card++
	if s.e.By.Account != "" {
		s.tell(card.Card{Title: "That was shown more than ten minutes ago", Text: []string{"Nothing was changed. " + s.w.By.Name + " is shown the settings as they are now, and can ask again."}})
	}
	s.enter()
}

// unsettle takes back what was agreed: it was agreed for something else.
func (s *walking) unsettle(why string) {
	if !s.w.Second.settled() {
		return
	}
	q := *s.w.Second
	q.Said += " But " + why + ", so nothing was done."
	q.By, q.Alone = "", ""
	s.w.Second = &q
	s.closeSecond()
}

// closeSecond shows how the question ended, in place of its buttons.
func (s *walking) closeSecond() {
	q := s.w.Second
	for _, at := range q.At {
		s.do(Show{Message: q.message(s.w), Place: at, Card: card.Card{
			Title: card.Shorten(s.w.By.Name+" asked for a second person: "+q.Title, card.MaxTitle), Text: []string{q.Said},
		}, Closes: true})
	}
	s.do(Remind{Timer: secondTimer})
}

// leftSecond closes the question when a decision left it behind; a yes counts for that one check, and never for another.
func (s *walking) leftSecond(before Walk) {
	if q := s.w.Second; q != nil && !slices.Equal(before.Path, s.w.Path) { // who was looked for was looked for something else
		q := *q
		q.First = time.Time{}
		s.w.Second = &q
	}
	if s.w.Stage != Checking && s.w.Outage == "" {
		s.unsettle("its owner went on to something else")
	}
	q := s.w.Second
	if before.Stage != Seconding || s.w.Stage == Seconding || q == nil {
		return
	}
	if before.Second.Said == q.Said { // nobody answered it
		q := *q
		q.Said = s.e.By.Name + " withdrew it at " + card.Clock(s.e.At) + ", and nothing was changed."
		if s.e.By.Name == "" {
			q.Said = "It is over, and nothing was changed."
		}
		s.w.Second = &q
	}
	s.closeSecond()
}
