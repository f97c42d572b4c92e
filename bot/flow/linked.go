package flow

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/incident"
	"switchback/bot/tree"
)

// endedFor is how long after the page's end a wait is ended that nobody answers about.
const endedFor = 12 * time.Hour

// Link is an incident that an outage is linked to.
type Link struct {
	Page    string    `json:"page"`
	ID      string    `json:"id"`
	Whose   string    `json:"whose"` // the page's name
	Name    string    `json:"name"`
	State   string    `json:"state,omitzero"`
	Since   time.Time `json:"since"`
	N       int       `json:"n,omitzero"` // what of it was told
	Ended   time.Time `json:"ended,omitzero"`
	Gone    bool      `json:"gone,omitzero"`     // the page took it down
	Asked   string    `json:"asked,omitzero"`    // the message that asks whether it works again; "" none is open
	Later   bool      `json:"later,omitzero"`    // its end is asked about when the others are over too
	NotOurs string    `json:"not_ours,omitzero"` // who said so
}

func (l Link) key() string { return l.Page + "/" + l.ID }

// PageSaid tells an outage what a page said about an incident that claims its branch.
type PageSaid struct {
	Outage string          `json:"outage"`
	Page   string          `json:"page"`
	Name   string          `json:"name"` // whose page
	Brief  Brief           `json:"brief"`
	N      int             `json:"n"` // the case's count: what comes late is known by it
	Kinds  []incident.Kind `json:"kinds,omitzero"`
	Text   string          `json:"text,omitzero"` // the newest update, in short
}

// Point tells an incident that an outage it is linked to has begun, ended, or let it go.
type Point struct{ Page, ID string }

// linkOpen links an outage that begins to what the pages report for its branch, and to the incident that it was
// started from.
func (s *stepping) linkOpen(from string) {
	if s.o.Drill {
		return
	}
	for _, sight := range s.e.Desk.Pages {
		for _, b := range sight.Watch.Briefs {
			key := sight.Page.ID + "/" + b.ID
			if key != from && !b.claims(s.o.Channel) || b.Phase == incident.Over || s.link(key) >= 0 {
				continue
			}
			s.addLink(PageSaid{Page: sight.Page.ID, Name: sight.Page.Name, Brief: b})
		}
	}
}

func (s *stepping) link(key string) int {
	return slices.IndexFunc(s.o.Links, func(l Link) bool { return l.key() == key })
}

func (s *stepping) addLink(p PageSaid) {
	b := p.Brief
	s.o.Links = append(slices.Clone(s.o.Links), Link{Page: p.Page, ID: b.ID, Whose: p.Name, Name: b.Name, State: b.State, Since: b.Since, N: p.N})
	s.note("page", "%s page: %s, since %s%s", possessive(p.Name), b.Name, card.Clock(b.Since), orDot(p.Text))
	s.do(Point{p.Page, b.ID})
}

func orDot(text string) string {
	if text == "" {
		return ""
	}
	return ". " + text
}

// pageSaid follows an incident: one that appears later is linked by one line, its end only asks.
func (s *stepping) pageSaid(p PageSaid) {
	b := p.Brief
	i := s.link(p.Page + "/" + b.ID)
	if i < 0 {
		if s.o.Ended != nil || b.Phase != incident.Ongoing || b.NotUs {
			return
		}
		s.addLink(p)
		l := s.o.Links[len(s.o.Links)-1]
		s.post("link/"+l.key(), s.thread(), card.Card{
			Title: card.Shorten(possessive(p.Name)+" page now reports this: "+b.Name, card.MaxTitle),
			Text:  []string{capitalised(cmp.Or(incident.Words(b.State), "open")) + ", since " + card.Clock(b.Since) + "; linked to this outage."}, Buttons: []card.Button{s.linkButton(l, "not-ours", "", "Not ours")},
		})
		return
	}
	l := s.o.Links[i]
	if p.N <= l.N || l.NotOurs != "" {
		return
	}
	was := l.Ended
	l.N, l.Name, l.State, l.Gone, l.Ended = p.N, b.Name, b.State, b.Gone, time.Time{}
	if b.Phase == incident.Over {
		l.Ended = b.Ended
	}
	s.o.Links = slices.Clone(s.o.Links)
	s.o.Links[i] = l
	if p.Text != "" {
		s.note("page", "%s page: %s", possessive(p.Name), p.Text)
	}
	s.changed = true
	switch {
	case was.IsZero() && !l.Ended.IsZero() && s.o.Ended == nil:
		s.note("page", "%s: %s", saysOver(l), l.Name)
		s.pageEnded(i)
	case l.Ended.IsZero() && (!was.IsZero() || s.o.Ended != nil && slices.Contains(p.Kinds, incident.Reopened)): // who was first to end it never heard the page's end
		s.pageAgain(i)
	}
}

// claims are the other incidents that the pages still report for the outage's branch.
func (s *stepping) claims(but string) []string {
	var out []string
	for _, sight := range s.e.Desk.Pages {
		for _, b := range sight.Watch.Briefs {
			key := sight.Page.ID + "/" + b.ID
			i := s.link(key)
			if key == but || i >= 0 && s.o.Links[i].NotOurs != "" || !b.claims(s.o.Channel) && (i < 0 || b.Phase != incident.Ongoing || b.NotUs) {
				continue
			}
			out = append(out, "“"+b.Name+"”")
		}
	}
	return out
}

// saysOver is how the end of an incident is told.
func saysOver(l Link) string {
	if l.Gone {
		return l.Whose + " took “" + l.Name + "” off its page " + card.Clock(l.Ended) + " and did not say that it is over"
	}
	return l.Whose + " says " + cmp.Or(incident.Words(l.State), "over") + " " + card.Clock(l.Ended)
}

// pageEnded asks whether it works again, once no other incident claims the branch. It changes nothing.
func (s *stepping) pageEnded(i int) {
	s.o.Links = slices.Clone(s.o.Links)
	for j := range s.o.Links {
		s.o.Links[j].Later = false // one question is enough for all
	}
	l := s.o.Links[i]
	if others := s.claims(l.key()); len(others) > 0 {
		s.o.Links[i].Later = true
		s.post("over/"+l.key()+"/"+strconv.Itoa(l.N), s.thread(), card.Card{
			Title: card.Shorten(saysOver(l)+": "+l.Name, card.MaxTitle), Text: []string{"The page still reports for " + branchName(s.o.Channel) + ": " + list(others) + ". I ask when that is over too."},
		})
		return
	}
	if s.o.Leaf.Kind == tree.Wait && s.o.Leaf.Again != nil && s.o.Asking.Works == "" {
		s.askNow(l)
		return
	}
	if ph := s.r.Phase(); !s.r.Open() || ph == change.Restoring {
		return
	}
	l.Asked = "over/" + l.key() + "/" + strconv.Itoa(l.N)
	s.o.Links[i] = l
	c := card.Card{
		Tone: card.Warning, Title: card.Shorten(saysOver(l)+". Does it work for you? Restore "+branchName(s.o.Channel)+"?", card.MaxTitle),
		Text:  []string{l.Name, "Nothing is put back by itself. What was there before:"},
		Facts: facts(openSteps(s.r), beforeFact),
		Buttons: []card.Button{
			{Label: "Restore…", Style: card.Primary, Action: s.act("restore", asIs, "")},
			s.linkButton(l, "still-down", strconv.Itoa(l.N), "Still down for us"),
			s.linkButton(l, "not-ours", "", "Not ours"),
		},
	}
	c.Drill = s.o.Drill
	s.do(Show{Message: s.message(l.Asked), Place: s.thread(), Card: c, Quiet: !s.policy.IsOpen(s.e.At), Broadcast: true})
}

func beforeFact(st change.Step) card.Fact {
	if st.Before == nil {
		return card.Fact{Note: stepWord(st)}
	}
	return card.Fact{Before: quoted(st.Want), After: quoted(st.Before.Value)}
}

// askNow asks the question of a wait at once, or, where nobody works, says in the thread what the page said and asks at
// opening.
func (s *stepping) askNow(l Link) {
	s.o.Asking.Said, s.o.Asking.Over = saysOver(l)+".", l.Ended
	if s.policy.IsOpen(s.e.At) {
		s.o.Asking.Next = s.e.At
		s.question()
		s.do(Remind{silentTimer, s.unconfirmedAt()}) // where the question was open already, too
		return
	}
	s.o.Asking.Next = s.policy.NextOpen(s.e.At)
	s.post("over/"+l.key()+"/"+strconv.Itoa(l.N), s.thread(), card.Card{
		Title: card.Shorten(saysOver(l)+": "+l.Name, card.MaxTitle), Text: []string{"I ask " + s.o.Owner.Name + " at " + card.Day(s.o.Asking.Next) + " whether it works again."},
		Buttons: []card.Button{{Label: "Works again", Style: card.Primary, Action: s.act("works", strconv.Itoa(s.o.Asking.N), "")}},
	})
	s.do(Remind{questionTimer, s.o.Asking.Next}, Remind{silentTimer, s.unconfirmedAt()})
	s.changed = true
}

// unconfirmedAt is when a wait ends that nobody answers about.
func (s *stepping) unconfirmedAt() time.Time {
	if s.o.Asking.Over.IsZero() {
		return s.e.At.Add(time.Duration(s.policy.EndUnconfirmedAt))
	}
	at := s.o.Asking.Over.Add(endedFor)
	if least := s.e.At.Add(time.Hour); at.Before(least) { // the page's end became known late
		at = least
	}
	if next := s.o.Asking.Next.Add(time.Hour); at.Before(next) { // it was asked at opening only
		at = next
	}
	return at
}

// pageAgain tells that an incident which was over goes on; whoever put things back meanwhile is asked again.
func (s *stepping) pageAgain(i int) {
	l := s.o.Links[i]
	s.note("page", "%s page reports it again: %s", possessive(l.Whose), l.Name)
	s.unask(i, "The page reports it again.")
	c := card.Card{Tone: card.Warning, Title: card.Shorten(possessive(l.Whose)+" page reports it again: "+l.Name, card.MaxTitle)}
	loud := false
	if s.o.Ended != nil {
		c.Text = []string{headline(s.o, s.r), endWord(s.o) + ". Is it down again for you?"}
		if s.e.At.Sub(s.o.Ended.At) < againFor {
			c.Buttons = []card.Button{s.button("again", "", "Begin again"), s.button("look", "", "Look")}
		}
		loud = true
	} else if s.o.Asking.Over != (time.Time{}) {
		s.o.Asking.Said, s.o.Asking.Over = "", time.Time{}
		if s.o.Asking.Open {
			s.do(Remind{silentTimer, s.unconfirmedAt()})
		} else {
			s.do(Remind{Timer: silentTimer})
		}
	}
	c.Drill = s.o.Drill
	s.do(Show{Message: s.message("again/" + l.key() + "/" + strconv.Itoa(l.N)), Place: s.thread(), Card: c, Quiet: !s.policy.IsOpen(s.e.At), Broadcast: loud})
}

// unask takes the buttons of a question away that is answered.
func (s *stepping) unask(i int, answer string) {
	l := s.o.Links[i]
	if l.Asked == "" {
		return
	}
	s.do(Show{Message: s.message(l.Asked), Place: s.thread(), Quiet: true, Card: card.Card{
		Title: card.Shorten(l.Whose+"'s page: "+l.Name, card.MaxTitle), Text: []string{answer}, Drill: s.o.Drill,
	}})
	s.o.Links = slices.Clone(s.o.Links)
	s.o.Links[i].Asked = ""
}

func (s *stepping) unaskAll(answer string) {
	for i := range s.o.Links {
		s.unask(i, answer)
	}
}

// notOurs unlinks an incident.
func (s *stepping) notOurs(key string) {
	i := s.link(key)
	if i < 0 || s.o.Links[i].NotOurs != "" {
		s.tell(homeCard(s.policy, s.o, s.r))
		return
	}
	s.unask(i, "Not ours, said "+s.e.By.Name+".")
	s.o.Links = slices.Clone(s.o.Links)
	s.o.Links[i].NotOurs = s.e.By.Name
	l := s.o.Links[i]
	s.note("not ours", "%s page, %s: not ours, says %s", possessive(l.Whose), l.Name, s.e.By.Name)
	s.post("link/"+key, s.thread(), card.Card{
		Title: card.Shorten(possessive(l.Whose)+" page: "+l.Name, card.MaxTitle), Text: []string{"Not ours, says " + s.e.By.Name + " " + card.Clock(s.e.At) + ". It is not linked to this outage any more."},
	})
	s.do(Point{l.Page, l.ID})
	if i := slices.IndexFunc(s.o.Links, func(l Link) bool { return l.Later && !l.Ended.IsZero() && l.NotOurs == "" }); i >= 0 && s.o.Ended == nil {
		s.pageEnded(i)
	}
}

// stillDown starts the clock again after the page said that it is over.
func (s *stepping) stillDown(key, state string) {
	i := s.link(key)
	if i < 0 || s.o.Links[i].Asked == "" || strconv.Itoa(s.o.Links[i].N) != state {
		l := s.last("still down")
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{headline(s.o, s.r), l.By + " answered last, at " + card.Clock(l.At) + "."}})
		return
	}
	if at := s.e.At.Add(time.Duration(s.policy.Deadline)); at.After(s.o.Deadline) {
		s.deadline(at)
	} else {
		s.deadline(s.o.Deadline)
	}
	s.unaskAll("Still down for us, said " + s.e.By.Name + " at " + card.Clock(s.e.At) + ". I ask again at " + card.Day(s.o.Deadline) + ".")
	s.note("still down", "still down for us although the page says that it is over, says %s", s.e.By.Name)
	s.midnight()
}

func (s *stepping) linkButton(l Link, verb, state, label string) card.Button {
	return card.Button{Label: label, Action: Action{Outage: s.o.ID, Verb: verb, Key: l.key(), State: state}.Encode()}
}

// linkNotes are the lines about linked incidents on an outage's message.
func linkNotes(o Outage) []string {
	var out []string
	for _, l := range o.Links {
		if l.NotOurs != "" {
			continue
		}
		line := possessive(l.Whose) + " page: " + l.Name + ", since " + card.Clock(l.Since) + ": " + strings.TrimSuffix(cmp.Or(incident.Words(l.State), "open"), ".")
		if !l.Ended.IsZero() {
			line += " " + card.Clock(l.Ended)
		}
		out = append(out, card.Shorten(line, 300))
	}
	return out[:min(len(out), 5)]
}
