package flow

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/config"
)

// verbs are the words after /outage that are no words of the playbook.
func verbs() []string {
	return []string{"status", "restore", "extend", "handover", "take", "abandon", "note", "history", "report", "ready", "drill", "page", "help"}
}

// command decides what typed words mean. There is an answer to everything.
func (s *Service) command(ctx context.Context, b *batch, c Command) error {
	s.freshen(b)
	e := b.event
	say := func(c card.Card) { b.post(Show{Message: "note:" + b.id(), Place: private(e), Card: c}) }
	if len(c.Words) == 0 {
		if open := e.Desk.shown(e.By.ID); len(open) > 0 {
			say(withPages(statusCard(s.policy, open), s.policy, e))
		}
		if w := e.Desk.Walk; w != nil {
			say(s.continueCard(ctx, *w))
			return nil
		}
		return s.newWalk(ctx, b, nil, Enter{})
	}
	verb, rest := strings.ToLower(c.Words[0]), c.Words[1:]
	switch verb {
	case "help", "hi", "hello", "hey":
		say(helpCard())
		return nil
	case "status":
		say(withPages(statusCard(s.policy, e.Desk.shown(e.By.ID)), s.policy, e))
		if w := e.Desk.Walk; w != nil {
			say(s.continueCard(ctx, *w))
		}
		return nil
	case "ready":
		s.ready(ctx, b, Action{Verb: readyVerb, Arg: strings.ToLower(strings.Join(rest, " "))}, nil)
		return nil
	case "drill":
		return s.drill(ctx, b, rest, say)
	case "report":
		s.report(ctx, b, rest, say)
		return nil
	case "history":
		say(historyCard(s.policy, e, rest))
		return nil
	case "page":
		say(s.pageCard(ctx, e.Desk.shown(e.By.ID)))
		return nil
	}
	if slices.Contains(verbs(), verb) {
		return s.verb(ctx, b, verb, rest, say)
	}
	path, unknown := s.tree.Find(s.tree.Start(), c.Words)
	if len(unknown) > 0 {
		word := unknown[0]
		known := s.tree.Words(path[len(path)-1])
		if len(path) == 1 {
			known = append(known, verbs()...)
		}
		hint := "Please choose."
		if did := config.Suggest(strings.ToLower(word), known); did != "" {
			hint = "Did you mean: /outage " + strings.Join(append(slices.Clone(c.Words[:len(c.Words)-len(unknown)]), did), " ") + "?"
		}
		say(card.Card{Title: fmt.Sprintf("I do not know %q here", card.Shorten(plain(word), 40)), Text: []string{hint}})
	}
	return s.newWalk(ctx, b, path, Enter{})
}

// verb applies a word like restore to the outage that is meant.
func (s *Service) verb(ctx context.Context, b *batch, verb string, rest []string, say func(card.Card)) error {
	if verb == "restore" && len(rest) == 1 && strings.EqualFold(rest[0], "all") {
		for _, o := range b.event.Desk.Open { // each is an event of its own: one that fails does not hold up the others
			e := b.event
			e.ID, e.What = b.id()+"/"+o.ID, Press{Action: Action{Outage: o.ID, Verb: verb, State: asIs}}
			b.save.Work = append(b.save.Work, Work{ID: e.ID, Event: &e, After: e.At.Add(takeover)})
		}
		say(statusCard(s.policy, b.event.Desk.Open))
		return nil
	}
	o, rest, others, over := which(b.event, verb, rest)
	if o == nil && over != "" {
		say(card.Card{Title: over + " is not open", Text: []string{"Nothing was changed. /outage status shows what is open, /outage history what was."}})
		return nil
	}
	if o == nil {
		say(whichCard(verb, strings.Join(rest, " "), others))
		return nil
	}
	text := strings.Join(rest, " ")
	p := Press{Action: Action{Outage: o.ID, Verb: verb, State: asIs}}
	switch verb {
	case "extend":
		p.Action.Arg = text
		if text == "" {
			p.Action.Arg = "1h"
		}
		if !extendable(p.Action.Arg) {
			say(card.Card{Title: fmt.Sprintf("I do not know the time %q", card.Shorten(plain(text), 40)), Text: []string{"For example: /outage extend 1h, /outage extend 90m, /outage extend open"}})
			return nil
		}
	case "handover", "abandon":
		p.Action.Arg = text
	case "note":
		if text != "" {
			p.Action.Verb, p.Fields = "note-send", map[string]string{"text": text}
		}
	}
	e := b.event
	b.event.What = p
	err := s.onOutage(ctx, b, o.ID)
	b.event.What = e.What
	return err
}

// extendable reports whether a deadline can be moved by what was typed.
func extendable(arg string) bool {
	d, err := time.ParseDuration(arg)
	return arg == "open" || err == nil && d > 0 && d <= 7*24*time.Hour
}

// outageID is what the id of an outage looks like.
var outageID = regexp.MustCompile(`^(?i)(voice|chat|sms|social|email|login)-[0-9a-v]{8}$`)

// which finds the outage that is meant: named, or of this thread, or the only one. One that was named and is not open
// is over: another one is never meant instead.
func which(e Event, verb string, rest []string) (o *Outage, left []string, others []Outage, over string) {
	all, meant := slices.Concat(e.Desk.Open, e.Desk.Drills), e.Desk.Open
	if len(meant) == 0 { // a drill is meant only where nothing is really open
		meant = e.Desk.mine(e.By.ID)
	}
	if len(rest) > 0 {
		for i, o := range all {
			if strings.EqualFold(o.ID, rest[0]) {
				return &all[i], rest[1:], nil, ""
			}
		}
		var same []int // of the channel that is named; a note may begin with any word
		for i, o := range meant {
			if strings.EqualFold(o.Channel, rest[0]) && verb != "note" {
				same = append(same, i)
			}
		}
		if len(same) == 1 {
			return &meant[same[0]], rest[1:], nil, ""
		}
		if outageID.MatchString(rest[0]) {
			return nil, rest, nil, rest[0]
		}
	}
	for i, o := range all {
		if e.Place.Thread != "" && e.Place.Thread == HomeMessage+o.ID {
			return &all[i], rest, nil, ""
		}
	}
	if id, ok := strings.CutPrefix(e.Place.Thread, HomeMessage); ok {
		return nil, rest, nil, id
	}
	if len(meant) == 1 {
		return &meant[0], rest, nil, ""
	}
	return nil, rest, meant, ""
}

// noteInButton is how many bytes of a note a button carries: with all else it must stay under card.MaxAction.
const noteInButton = 240

func whichCard(verb, text string, open []Outage) card.Card {
	if verb == "extend" && text == "" {
		text = "1h"
	}
	if len(open) == 0 {
		return card.Card{Tone: card.Done, Title: "Nothing is open", Text: []string{"/outage history shows what was."}}
	}
	c := card.Card{Title: "Which one?", Notes: []string{"Or type: /outage " + verb + " and its name, such as " + open[0].ID + "."}}
	if verb == "restore" {
		c.Notes = append(c.Notes, "Or all: /outage restore all. Each shows first what would be put back.")
	}
	if verb == "note" && len(text) > noteInButton {
		c.Text = append(c.Text, "Copy your line, choose, and paste it:", plain(card.Shorten(text, card.MaxText)))
		text = ""
	} else if verb != "note" {
		text = card.Shorten(text, 80)
	}
	for _, o := range open[:min(len(open), card.MaxButtons)] {
		state := asIs
		if verb == "extend" { // the same button pressed again is late
			state = strconv.FormatInt(o.Deadline.Unix(), 10)
		}
		c.Buttons = append(c.Buttons, card.Button{
			Label:  card.Shorten(capital(o.Channel)+" – "+o.Leaf.Title+" ("+o.ID+")", card.MaxLabel),
			Action: Action{Outage: o.ID, Verb: verb, State: state, Arg: text}.Encode(),
			Opens:  verb == "note" && text == "",
		})
	}
	return c
}

func (s *Service) continueCard(ctx context.Context, w Walk) card.Card {
	where := w.at()
	if t, err := s.treeOf(ctx, w.Playbook); err == nil {
		if n, ok := t.Node(where); ok {
			where = cmp.Or(n.Title, n.Text)
		}
	}
	return card.Card{
		Title: "You were in the middle of: " + card.Shorten(where, 100), Text: []string{"Since " + card.Day(w.Last) + ". Nothing was changed yet."},
		Buttons: []card.Button{
			{Label: "Continue", Style: card.Primary, Action: Action{Walk: w.ID, Verb: "continue"}.Encode()},
			{Label: "Something else…", Action: Action{Walk: w.ID, Verb: "menu"}.Encode()},
			{Label: "Forget it", Action: Action{Walk: w.ID, Verb: "cancel"}.Encode()},
		},
	}
}

// withPages adds what the status pages say.
func withPages(c card.Card, p Policy, e Event) card.Card {
	if len(e.Desk.Pages) > 0 {
		c.Notes = append(c.Notes, pageLines(p, e.Desk.Pages, "", e.At)...)
	}
	return c
}

// statusCard lists what is open, the oldest first.
func statusCard(p Policy, open []Outage) card.Card {
	if len(open) == 0 {
		return card.Card{Tone: card.Done, Title: "Nothing is open"}
	}
	drills := 0
	for _, o := range open {
		if o.Drill {
			drills++
		}
	}
	c := card.Card{Tone: card.Warning, Title: fmt.Sprintf("%d open", len(open)-drills)}
	switch {
	case drills == len(open):
		c.Tone, c.Title = card.Done, "Nothing is open but a drill"
	case drills > 0:
		c.Title += ", and a drill"
	}
	for i, o := range open {
		if i == card.MaxFacts-1 && len(open) > card.MaxFacts {
			c.Facts = append(c.Facts, card.Fact{Name: fmt.Sprintf("and %d more", len(open)-i)})
			break
		}
		c.Facts = append(c.Facts, card.Fact{Name: drillMark(o) + capital(o.Channel) + " – " + o.Leaf.Title, Note: "since " + card.Day(o.Began) + ". " + whenWord(p, o) + " (" + o.ID + ")"})
		if i < card.MaxButtons {
			c.Buttons = append(c.Buttons, card.Button{Label: card.Shorten("Look: "+capital(o.Channel)+" "+o.ID, card.MaxLabel), Action: Action{Outage: o.ID, Verb: "look"}.Encode()})
		}
	}
	return c
}

// drillMark stands before a drill among others.
func drillMark(o Outage) string {
	if o.Drill {
		return "DRILL "
	}
	return ""
}

func helpCard() card.Card {
	return card.Card{
		Title: "What you can say",
		Facts: []card.Fact{
			{Name: "/outage", Note: "the menu, what is open, and where you were"},
			{Name: "/outage chat late", Note: "goes straight there; so do voice, sms, social, email, login"},
			{Name: "/outage status", Note: "what is open"},
			{Name: "/outage restore", Note: "put back what was there before; restore all: of everything that is open"},
			{Name: "/outage extend 1h", Note: "ask later; also: extend open"},
			{Name: "/outage handover @name", Note: "ask somebody to look after it; take: do it yourself"},
			{Name: "/outage note …", Note: "a line for the timeline"},
			{Name: "/outage abandon … why", Note: "give up the way back, by name, with a reason"},
			{Name: "/outage history 12 Nov", Note: "what happened on a day"},
			{Name: "/outage report 12 Nov", Note: "what was set, when, and on whose word; also: report and its name"},
			{Name: "/outage drill chat late", Note: "practise it: nothing is saved, and nobody else is told"},
			{Name: "/outage page", Note: "a link that works when no chat does: the values from before, to read and to print"},
			{Name: "/outage ready", Note: "what an outage needs, and whether it is there"},
		},
		Notes: []string{"Nothing is changed before you have seen every setting before → after and said yes."},
	}
}

// historyCard answers for a day, or lists the last outages.
func historyCard(p Policy, e Event, words []string) card.Card {
	day := strings.Join(words, " ")
	c, past := card.Card{Title: "What happened"}, e.Desk.Past
	if day != "" {
		from, ok := dayOf(day, e.At.In(p.Location()))
		if !ok {
			return card.Card{Title: fmt.Sprintf("I do not know the day %q", card.Shorten(plain(day), 40)), Text: []string{"For example: /outage history 12 Nov, /outage history 2026-11-12, /outage history today"}}
		}
		past = onDay(past, from, e.At)
		c.Title += " on " + from.Format("Mon 2 Jan 2006")
	}
	for _, o := range slices.Backward(past) {
		how := "open"
		if o.Ended != nil {
			how = endWord(o)
		}
		if len(c.Facts) < card.MaxFacts {
			c.Facts = append(c.Facts, card.Fact{Name: drillMark(o) + capital(o.Channel) + " – " + o.Leaf.Title, Note: card.Day(o.Began) + ", " + o.Owner.Name + ". " + how + " (" + o.ID + ")"})
		}
		if len(c.Buttons) < card.MaxButtons {
			c.Buttons = append(c.Buttons, card.Button{Label: card.Shorten("Report: "+drillMark(o)+capital(o.Channel)+" "+o.ID, card.MaxLabel), Action: Begin("report", o.ID)})
		}
	}
	if len(c.Facts) == 0 {
		c.Text = []string{"Nothing is on record."}
	}
	return c
}

// dayOf reads "12 Nov", "12 Nov 2026", "2026-11-12", "today" or "yesterday"; a day without a year is the last such day.
func dayOf(s string, now time.Time) (time.Time, bool) {
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch strings.ToLower(s) {
	case "today":
		return today, true
	case "yesterday":
		return today.AddDate(0, 0, -1), true
	}
	for _, layout := range []string{time.DateOnly, "2 Jan 2006", "2 January 2006"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, true
		}
	}
	for _, layout := range []string{"2 Jan", "2 January", "Jan 2"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			t = t.AddDate(now.Year(), 0, 0)
			if t.After(today) {
				t = t.AddDate(-1, 0, 0)
			}
			return t, true
		}
	}
	return time.Time{}, false
}
