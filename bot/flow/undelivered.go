package flow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
)

// Undelivered says that a card of an outage did not arrive.
type Undelivered struct {
	Outage  string   `json:"outage"`
	Message string   `json:"message"`
	Place   Place    `json:"place"`
	Mention []string `json:"mention,omitzero"`
	Rings   bool     `json:"rings,omitzero"` // somebody counts on it
	Late    bool     `json:"late,omitzero"`  // two minutes passed; false: the place is gone, or takes no such card
	Why     string   `json:"why,omitzero"`
}

// Returned says that a chat platform works again that was away for a while.
type Returned struct {
	Outage   string    `json:"outage"`
	Platform string    `json:"platform"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
}

// toldAgain is how long nobody is told again that a place cannot be reached.
const toldAgain = time.Hour

// OutageOf is the outage that a message is of; "" means none.
func OutageOf(message string) string {
	if id, ok := strings.CutPrefix(message, HomeMessage); ok {
		return id
	}
	id, _, ok := strings.Cut(message, "/")
	if !ok || strings.Contains(id, ":") || strings.HasPrefix(message, readyMessage) {
		return ""
	}
	return id
}

// Missed reports whether somebody has to be told that a message did not arrive: one of an outage, of a status page, or
// of what is not ready. The rest answers somebody who is there.
func Missed(message string) bool {
	return OutageOf(message) != "" || strings.HasPrefix(message, readyMessage) || strings.HasPrefix(message, rootOf("")) || strings.HasPrefix(message, "page:")
}

// unreached tells people directly that what is of no outage did not arrive, once per place and day: of a channel, all
// who stand for it; of a person, the one who is next.
func (s *Service) unreached(ctx context.Context, b *batch, u Undelivered) {
	where := s.policy.placeWord(u.Place)
	c := card.Card{
		Tone: card.Warning, Title: where + " cannot be reached",
		Text: []string{
			"What status pages say is posted there, and does not arrive: " + u.Why + ". Until it does, nobody is told of incidents.",
			"Invite me there, or name another channel in the organisation document.",
		},
		Buttons: []card.Button{{Label: "Look", Action: Begin("status")}},
	}
	to := slices.DeleteFunc(s.standing(ctx), func(p Place) bool { return p.Lane() == u.Place.Lane() })
	if strings.HasPrefix(u.Message, readyMessage) {
		c.Text = []string{"The monthly reminder of what is not ready for an outage did not arrive there: " + u.Why + ".", "Name somebody else in the organisation document (ready_to:)."}
		c.Buttons = []card.Button{{Label: "What is not ready", Action: Begin("ready")}}
		to = to[:min(len(to), 1)]
	}
	if len(to) == 0 {
		zerolog.Ctx(ctx).Error().Str("message", u.Message).Msg("it did not arrive, and there is nobody to tell")
	}
	for _, p := range to { // a message that shows the same already is not sent again
		b.post(Show{Message: "unreached:" + u.Place.Lane() + "/" + b.event.At.UTC().Format(time.DateOnly), Place: p, Card: c})
	}
}

// awayName begins the name of the line that says what happened while a platform was away.
const awayName = "away/"

// Rank says what is sent first where messages have waited for long: how things are now, then what happened meanwhile,
// then the rest.
func Rank(message string) int {
	_, name, _ := strings.Cut(message, "/")
	switch {
	case strings.HasPrefix(message, HomeMessage):
		return 0
	case strings.HasPrefix(name, awayName):
		return 1
	}
	return 2
}

// ring shows something that somebody counts on.
func (s *stepping) ring(name string, at Place, c card.Card, mention []string) {
	c.Drill = s.o.Drill
	s.do(Show{Message: s.message(name), Place: at, Card: c, Mention: mention, Rings: true})
}

// closes shows how a message ended, where it was sent.
func (s *stepping) closes(name string, at Place, c card.Card) {
	c.Drill = s.o.Drill
	s.do(Show{Message: s.message(name), Place: at, Card: c, Closes: true})
}

// undelivered tells people that a card did not arrive, at most once per place and hour, and gives a reminder in
// another way.
func (s *stepping) undelivered(u Undelivered) {
	if s.o.Ended != nil {
		return
	}
	lane := u.Place.Lane()
	if at, told := s.o.Told.Lost[lane]; !told || s.e.At.Sub(at) >= toldAgain {
		lost := maps.Clone(s.o.Told.Lost)
		if lost == nil {
			lost = map[string]time.Time{}
		}
		lost[lane] = s.e.At
		s.o.Told.Lost = lost
		s.lost(u)
	}
	if u.Rings {
		s.notGiven(u)
	}
}

func (s *stepping) lost(u Undelivered) {
	where := s.placeWord(u.Place)
	if u.Late {
		s.note("undelivered", "%s was not reached within two minutes", where)
		return
	}
	s.note("undelivered", "%s cannot be reached: %s", where, u.Why)
	at := s.owner()
	if at.Lane() == u.Place.Lane() {
		at = s.thread()
	}
	s.post("undelivered/"+u.Place.Lane(), at, card.Card{
		Tone: card.Warning, Title: where + " cannot be reached",
		Text:    []string{"What belongs there about " + s.o.ID + " does not arrive: " + u.Why + ".", headline(s.o, s.r)},
		Buttons: []card.Button{s.button("look", "", "Look")},
	})
}

func (s *stepping) placeWord(p Place) string { return s.policy.placeWord(p) }

func (p Policy) placeWord(at Place) string {
	switch {
	case at.Platform == PagerPlatform:
		return "The pager"
	case at.Person != "":
		return p.Who(at.Person, true).Name + " (" + capitalised(at.Platform) + ")"
	}
	return card.Channel(at.Channel) + " (" + capitalised(at.Platform) + ")"
}

// notGiven gives a reminder or a question anew that did not arrive, as it is now; and the first time also to those of
// the next rung, and on the other chat platforms. One that has been overtaken is dropped.
func (s *stepping) notGiven(u Undelivered) {
	name := strings.TrimPrefix(u.Message, s.o.ID+"/")
	this := reminderName(s.o.Deadline, s.o.Rung-1)
	q := s.o.Asking
	var c card.Card
	switch {
	case strings.HasPrefix(name, this) && s.r.Open():
		c = deadlineCard(s.policy, s.o, s.r, s.e.At.Sub(s.o.Deadline), 0)
	case q.Open && (name == questionName(q.N) || name == threadName(q.N)):
		c, this = questionCard(s.o), questionName(q.N)
	default:
		return
	}
	if u.Late {
		s.ring(name, u.Place, c, u.Mention)
	}
	if s.o.Told.Hurried == this {
		return
	}
	s.o.Told.Hurried = this
	s.elsewhere(name, u, c)
	if this == questionName(q.N) {
		s.toThread()
		return
	}
	if next := s.o.Rung; next < len(s.policy.Ladder) {
		now, _, _ := strings.Cut(strings.TrimPrefix(name, this), "/")
		to := slices.DeleteFunc(s.audience(next), func(where string) bool {
			return where == now || slices.Contains(s.audience(next-1), where)
		})
		s.give(this, c, to, next >= pagerRung)
	}
}

// elsewhere gives a reminder on the other chat platforms to those whom it was for.
func (s *stepping) elsewhere(name string, u Undelivered, c card.Card) {
	who := slices.Clone(u.Mention)
	if u.Place.Person != "" {
		who = append(who, s.policy.Who(u.Place.Person, true).ID)
	}
	for _, platform := range s.policy.Surfaces {
		if platform == u.Place.Platform {
			continue
		}
		for _, n := range who {
			if p, ok := s.policy.Named(n, platform); ok && p.Account != "" {
				s.ring(name, Place{Platform: platform, Person: p.Account}, c, nil)
			}
		}
	}
	if u.Place.Person != "" {
		return
	}
	for _, p := range append([]Place{s.o.Home}, s.o.Routed...) {
		if p.Platform != u.Place.Platform && p.Channel != "" && !s.e.Desk.Outside[p.Lane()] {
			p.Thread = s.home()
			s.ring(name, p, c, u.Mention)
		}
	}
}

// returned shows how things are now, and sums up in one line what happened while a chat platform was away.
func (s *stepping) returned(r Returned) {
	var meanwhile []string
	for _, l := range s.o.Timeline {
		if !l.At.Before(r.From) && !l.At.After(r.To) && l.What != "undelivered" && l.Struck == "" {
			meanwhile = append(meanwhile, card.Shorten(l.Text, 200)+" ("+l.By+" "+card.Clock(l.At)+")")
		}
	}
	text := "Meanwhile: nothing."
	if n := len(meanwhile); n > 0 {
		if n > mostMeanwhile {
			meanwhile = append(meanwhile[:mostMeanwhile:mostMeanwhile], fmt.Sprintf("and %d more in the timeline", n-mostMeanwhile))
		}
		text = "Meanwhile: " + strings.Join(meanwhile, "; ") + "."
	}
	c := card.Card{Title: capitalised(r.Platform) + " was away " + card.Clock(r.From) + "–" + card.Clock(r.To), Text: []string{text}, Drill: s.o.Drill}
	for _, p := range append([]Place{s.o.Home}, s.o.Routed...) {
		if p.Platform == r.Platform && !s.e.Desk.Outside[p.Lane()] {
			p.Thread = s.home()
			s.do(Show{Message: s.message(awayName + fmt.Sprint(r.From.Unix())), Place: p, Card: c, Quiet: true})
			s.changed = true
		}
	}
}

const mostMeanwhile = 8
