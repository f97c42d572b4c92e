package flow

import (
	"context"
	"slices"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// Offline is what a person gets when an event could not be taken in, because the store is away: nothing is started, and
// that branch of the playbook says what to do by hand. It has no buttons, for they would lead nowhere.
func (s *Service) Offline(ctx context.Context, e Event) card.Card {
	c := card.Card{
		Tone: card.Trouble, Title: "I cannot remember for you right now, so I change nothing",
		Text: []string{"What you typed or pressed was not taken in. Try again in a minute. Meanwhile, by hand:"},
	}
	words, ok := e.What.(Command)
	if !ok {
		c.Text = append(c.Text, "What was set before is on record: bot outages shows it where the store can be reached, else the copy in the outage's thread.")
		return c
	}
	path, _ := s.tree.Find(s.tree.Start(), words.Words)
	n, ok := s.tree.Node(path[len(path)-1])
	if !ok || n.Kind == tree.Ask {
		c.Text = append(c.Text, "Name what is broken, such as /outage chat late, and you get that part of the playbook. bot tree --text prints all of it.")
		return c
	}
	by := byHandCard(n, "")
	c.Text = append(append(c.Text, n.Title+"."), by.Text[1:]...)
	if blanks := s.blanks(ctx, n.Action); len(blanks) > 0 {
		c.Text = append(c.Text, "Write the old values here as an answer, so that somebody finds them:")
		c.Facts = blanks
	}
	return c
}

// blanks is a list to fill in: every number, or every app with what is set on it.
func (s *Service) blanks(ctx context.Context, action string) []card.Fact {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var out []card.Fact
	for _, name := range sortedNames(s.platforms) {
		all, err := s.platforms[name].Resources(ctx)
		if err != nil {
			continue // the list is a help, not the point
		}
		for _, r := range all {
			if r.Action != action || r.Way == change.Flag {
				continue
			}
			i := slices.IndexFunc(out, func(f card.Fact) bool { return f.Name == r.Label })
			if i < 0 {
				out = append(out, card.Fact{Name: r.Label})
				i = len(out) - 1
			}
			out[i].Note = strings.TrimPrefix(out[i].Note+", "+r.Name+" ____", ", ")
		}
	}
	return out[:min(len(out), card.MaxFacts)]
}
