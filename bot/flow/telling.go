package flow

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/incident"
)

// common are the places for what concerns no branch for certain.
func (s *paging) common() []Place {
	var out []Place
	for _, platform := range s.policy.Surfaces {
		place := s.policy.Home("", platform)
		if c := s.page.Channel.On(platform); c != "" {
			place = Place{Platform: platform, Channel: c}
		}
		if place.Channel == "" && len(s.policy.Channels) > 0 {
			place = s.policy.Channels[0].on(platform)
		}
		if place.Channel != "" {
			out = append(out, place)
		}
	}
	return out
}

// withInside adds the own channel of a chat platform where people of other organisations read one of these: they see a
// title there, and whoever should press a button needs a place for it.
func (s *paging) withInside(places []Place) []Place {
	for _, p := range slices.Clone(places) {
		inside := s.policy.inside(p.Platform)
		if s.e.Desk.Outside[p.Lane()] && !s.e.Desk.Unread[p.Lane()] && inside.Channel != "" && !slices.Contains(places, inside) {
			places = append(places, inside)
		}
	}
	return places
}

// places are where an incident is shown: the channels of its branches, the common one for what is not on the map, and
// more by its severity.
func (s *paging) places(snap incident.Snapshot, m incident.Match) []Place {
	var out []Place
	add := func(p Place) {
		if p.Channel != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	for _, platform := range s.policy.Surfaces {
		for _, b := range m.Branches {
			add(s.policy.Home(b, platform))
		}
		for _, c := range s.page.Channels(snap, platform) {
			add(Place{Platform: platform, Channel: c})
		}
	}
	if len(m.Unmapped) > 0 || len(m.Branches) == 0 || m.Guess {
		for _, p := range s.common() {
			add(p)
		}
	}
	return s.withInside(out)
}

// tell saves an incident as it is now, and tells whoever it concerns what is new.
func (s *paging) tell(id string, now incident.Incident) {
	old := s.cases[id]
	over := now.Phase() == incident.Over
	h := incident.Happened(old.Incident, now)
	if len(h) == 0 && over && !s.redraw && old.Schema != 0 {
		return
	}
	c, snap := old, now.Now()
	c.Schema, c.Incident = max(c.Schema, watchSchema), now
	m := s.page.Match(snap, s.w.Components)
	has := func(k incident.Kind) bool {
		return slices.ContainsFunc(h, func(x incident.Happening) bool { return x.Kind == k })
	}
	if len(h) > 0 {
		c.N++
	}
	asleep := c.NotUs != nil
	if has(incident.Worsened) || has(incident.Reopened) {
		c.Worse++
		c.NotUs = nil
	}
	fresh := len(c.Places) == 0
	if shown := s.page.Posts(snap, m, s.e.At) && (!over || has(incident.Missed)); shown || !fresh {
		c.Places = slices.Clone(c.Places)
		for _, p := range s.places(snap, m) {
			if !slices.Contains(c.Places, p) {
				c.Places = append(c.Places, p)
			}
		}
	}
	s.spread(&c, m, h)
	grown := len(c.Places) > len(old.Places)
	s.brief(c, m)
	if len(h) > 0 || grown || len(c.Outages) != len(old.Outages) || s.redraw && !over {
		s.root(c)
	}
	if len(c.Places) > 0 {
		s.replies(&c, h, fresh, asleep && c.NotUs == nil)
	}
	s.log(id, c, h)
	if !reflect.DeepEqual(old, c) {
		s.changed[id] = c
	}
}

// root draws the incident's message in all its places.
func (s *paging) root(c Case) {
	for _, p := range c.Places {
		s.do(Show{Message: rootOf(s.key(c.Incident.ID)), Place: p, Card: caseCard(s.page, s.w, c, s.e.Desk.Open), Quiet: true})
	}
}

// replies puts what is new into the thread, in the order in which it became known. What got worse, what is over and
// what began again is told in the channel too, but where somebody said that it does not affect us.
func (s *paging) replies(c *Case, h []incident.Happening, fresh, woken bool) {
	snap := c.Incident.Now()
	var said []string
	for _, x := range h {
		if w := loudWord(x, *c); w != "" && !fresh && c.NotUs == nil && !snap.Maintenance() {
			said = append(said, w)
		}
	}
	var news []incident.Update
	for _, u := range snap.Updates {
		if _, told := c.Told[u.ID]; !told {
			news = append(news, u)
		}
	}
	c.Told = maps.Clone(c.Told)
	if c.Told == nil {
		c.Told = map[string]bool{}
	}
	if fresh && len(news) >= foldFrom {
		s.reply(*c, "earlier", earlierCard(news), false)
		for _, u := range news {
			c.Told[u.ID] = false
		}
		news = nil
	}
	var buttons []card.Button
	if woken {
		said = append(said, "You had said that it does not affect us. Is that still so?")
		buttons = caseButtons(s.page, s.w, *c, s.e.Desk.Open)
	}
	for i, u := range news {
		c.Told[u.ID] = true
		if u.Status == incident.Postmortem {
			continue // one line, below
		}
		r := updateCard(u)
		loud := len(said) > 0 && i == len(news)-1
		if loud {
			r.Text = slices.Concat(said[1:], []string{r.Title}, r.Text)
			r.Title, r.Buttons = aloud(s.page, snap, said[0]), buttons
			said = nil
		}
		s.reply(*c, "u/"+u.ID, r, loud)
	}
	if len(said) > 0 {
		s.reply(*c, "n/"+strconv.Itoa(c.N), card.Card{Title: aloud(s.page, snap, said[0]), Text: said[1:], Buttons: buttons}, true)
	}
	for _, x := range h {
		if x.Kind == incident.Rewritten && c.Told[x.Update.ID] && x.Update.Status != incident.Postmortem && !slices.ContainsFunc(news, func(u incident.Update) bool { return u.ID == x.Update.ID }) {
			r := updateCard(x.Update)
			r.Notes = append(r.Notes, "The page rewrote this "+card.Day(s.e.At)+".")
			s.reply(*c, "u/"+x.Update.ID, r, false)
		}
	}
	if reported := snap.State() == incident.Postmortem || !snap.Report.IsZero(); reported && !c.Reported {
		c.Reported = true
		if !fresh {
			s.reply(*c, "report", card.Card{Title: "The page published a report on it", Text: []string{snap.Link}}, false)
		}
	}
}

func (s *paging) reply(c Case, name string, what card.Card, loud bool) {
	root := rootOf(s.key(c.Incident.ID))
	for _, p := range c.Places {
		asked := c.Incident.Phase() == incident.Over && s.asks(c, p)
		p.Thread = root
		s.do(Show{Message: root + "/" + name, Place: p, Card: what, Quiet: !loud || !s.policy.IsOpen(s.e.At), Broadcast: loud && !asked})
	}
}

// asks reports whether an outage asks in this channel whether it works again: that is told once.
func (s *paging) asks(c Case, at Place) bool {
	return slices.ContainsFunc(linkedTo(s.key(c.Incident.ID), s.e.Desk.Open), func(o Outage) bool {
		others := slices.ContainsFunc(s.w.Briefs, func(b Brief) bool { return b.ID != c.Incident.ID && b.claims(o.Channel) })
		return o.Home == at && !o.Deadline.IsZero() && !others
	})
}

// spread tells the outages that it concerns.
func (s *paging) spread(c *Case, m incident.Match, h []incident.Happening) {
	b := s.briefOf(*c, m)
	said := PageSaid{Page: s.page.ID, Name: s.page.Name, Brief: b, N: c.N}
	for _, x := range h {
		said.Kinds = append(said.Kinds, x.Kind)
		if x.Kind == incident.Updated {
			said.Text = card.Shorten(capitalised(incident.Words(x.Update.Status))+": "+firstLine(x.Update.Text), 200)
		}
	}
	open := map[string]bool{}
	for _, o := range s.e.Desk.Open {
		open[o.ID] = true
		known := slices.Contains(c.Outages, o.ID)
		if !known && !o.Drill && b.claims(o.Channel) {
			c.Outages = append(slices.Clone(c.Outages), o.ID)
			s.do(Say{o.ID, said})
		} else if known && len(h) > 0 {
			s.do(Say{o.ID, said})
		}
	}
	if slices.Contains(said.Kinds, incident.Reopened) {
		for _, id := range c.Outages {
			if !open[id] {
				s.do(Say{id, said})
			}
		}
	}
}

// briefOf is a case in short. Its phase is the page's own word: a notification alone ends nothing, and begins nothing.
func (s *paging) briefOf(c Case, m incident.Match) Brief {
	i := c.Incident
	now := i.Now()
	b := Brief{
		ID: i.ID, Name: now.Name, State: now.State(), Phase: i.Phase(), Since: now.Since(), Ended: i.Ended(), Branches: m.Branches, Guess: m.Guess,
		Confirmed: i.Confirmed(), NotUs: c.NotUs != nil, Gone: i.Gone,
		Hidden: s.page.Left(now) || !m.Ours || now.Backfilled || now.Maintenance() && len(c.Places) == 0 && !s.page.Posts(now, m, s.e.At),
	}
	switch {
	case i.Confirmed() || i.Gone:
	case i.Said.ID == "":
		b.Phase, b.Ended = incident.Planned, time.Time{}
	default:
		b.Phase, b.Ended = i.Said.Phase(), i.Said.Ended()
	}
	if b.Hidden {
		b.Branches = nil
	}
	return b
}

func (s *paging) brief(c Case, m incident.Match) {
	b := s.briefOf(c, m)
	s.w.Briefs = slices.DeleteFunc(slices.Clone(s.w.Briefs), func(have Brief) bool { return have.ID == b.ID })
	s.w.Briefs = append(s.w.Briefs, b)
	slices.SortStableFunc(s.w.Briefs, func(a, b Brief) int { return a.Since.Compare(b.Since) })
}

// log writes down what was told, for the audit.
func (s *paging) log(id string, c Case, h []incident.Happening) {
	if len(c.Places) == 0 {
		return
	}
	for _, x := range h {
		switch x.Kind {
		case incident.Opened, incident.Began, incident.Missed, incident.Ended, incident.Reopened, incident.Withdrawn, incident.Worsened:
			s.do(Audit{What: "page " + string(x.Kind), Data: map[string]string{"incident": id, "text": c.Incident.Now().Name}})
		default:
		}
	}
}

// took draws an incident anew: an outage that it is linked to has begun, or ended. Where the incident was over before its
// page heard of the outage, the outage is told so now: nothing else would.
func (s *paging) took(t Took) {
	c, ok := s.cases[t.ID]
	if !ok {
		return
	}
	if !slices.Contains(c.Outages, t.Outage) {
		c.Outages = append(slices.Clone(c.Outages), t.Outage)
		s.changed[t.ID] = c
		if b := s.briefOf(c, s.page.Match(c.Incident.Now(), s.w.Components)); b.Phase == incident.Over {
			s.do(Say{t.Outage, PageSaid{Page: s.page.ID, Name: s.page.Name, Brief: b, N: c.N}})
		}
	}
	s.root(c)
}

// press decides about a button under an incident.
func (s *paging) press(a Action) {
	_, id, _ := strings.Cut(a.Incident, "/")
	c, ok := s.cases[id]
	if !ok {
		s.show("note:"+s.e.ID, card.Card{Title: "This card is too old", Text: []string{"Nothing was changed. Type /outage to see what is open."}})
		return
	}
	m := s.page.Match(c.Incident.Now(), s.w.Components)
	draw := func(what string) {
		c.N++
		s.changed[id] = c
		s.brief(c, m)
		s.do(Audit{What: what, Data: map[string]string{"incident": id, "text": c.Incident.Now().Name}})
		s.root(c)
	}
	switch a.Verb {
	case "start":
		s.do(Enter{Words: strings.Fields(a.Arg), Incident: a.Incident, Since: c.Incident.Now().Since()})
		return
	case "not-us", "us":
		if !s.e.By.Responder {
			s.show("note:"+s.e.ID, refuseCard(s.policy, s.e.By))
			return
		}
	default:
		s.show("note:"+s.e.ID, caseCard(s.page, s.w, c, s.e.Desk.Open))
		return
	}
	switch {
	case a.Verb == "us" && c.NotUs != nil:
		c.NotUs = nil
		s.spread(&c, m, nil)
		draw("affects us")
	case a.Verb == "not-us" && late(a, strconv.Itoa(c.Worse)):
		s.show("note:"+s.e.ID, card.Card{Title: "It has got worse since that card", Text: []string{"Nothing was noted. Its message shows how it is now."}})
	case a.Verb == "not-us" && c.NotUs == nil:
		c.NotUs = &Word{By: s.e.By.Name, At: s.e.At}
		draw("does not affect us")
	default: // somebody was quicker
		s.show("note:"+s.e.ID, caseCard(s.page, s.w, c, s.e.Desk.Open))
	}
}

// show shows something to the person of the event alone.
func (s *paging) show(message string, c card.Card) {
	s.do(Show{Message: message, Place: private(s.e), Card: c})
}
