package flow

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// Offline is what a person gets when an event could not be taken in, because the store is away: nothing is started, and
// that branch of the playbook says what to do by hand. It has no buttons, for they would lead nowhere. People from
// outside learn no more than ever.
func (s *Service) Offline(ctx context.Context, e Event) card.Card {
	who := s.who(ctx, e.By)
	if !who.Member && who.Unknown == "" {
		return stranger(s.policy, who)
	}
	c := card.Card{
		Tone: card.Trouble, Title: "I cannot remember for you right now, so I change nothing",
		Text: []string{"What you typed or pressed was not taken in. Try again in a minute. Meanwhile, by hand:"},
	}
	lost := s.lost.Load()
	if lost {
		c.Text[0] = "My store has lost what it knew, so what you typed or pressed was not taken in. I begin anew: try again in a minute. " +
			"What was open I may not know then: an engineer brings it back with " + s.policy.command("import", "FILE") + ". Meanwhile, by hand:"
	}
	words, ok := e.What.(Command)
	if !ok || len(words.Words) > 0 && slices.Contains(aboutOpen(), strings.ToLower(words.Words[0])) {
		c.Text = append(c.Text,
			"What was there before stands in the outage's thread, in the messages “What was there before …”. It can be put back by hand from there.",
			"Or by the command "+s.policy.command("restore", "--capsule FILE")+", from any shell, with these messages in FILE (bot restore --help).")
		if !lost {
			c.Text[2] += " Nothing that is on record is lost."
		}
		return c
	}
	path, _ := s.tree.Find(s.tree.Start(), words.Words)
	n, ok := s.tree.Node(path[len(path)-1])
	if !ok || n.Kind == tree.Ask {
		c.Text = append(c.Text, "Name what is broken, such as /outage chat late, and you get that part of the playbook. bot tree --text prints all of it.")
		return c
	}
	if n.Kind == tree.Change {
		s.offline.add(e)
	}
	c.Text = append(append(c.Text, n.Title+"."), byHandCard(n, "").Text[1:]...)
	if n.Kind == tree.Change {
		c.Text = append(c.Text, "When I answer again, type it once more and press “It is done already: take it over…”.")
	}
	if !who.Member { // perhaps a guest: the playbook is no secret, the organisation's numbers are
		return c
	}
	if blanks := s.blanks(ctx, n.Action); len(blanks) > 0 {
		c.Text = append(c.Text, "Write the old values here as an answer, so that somebody finds them:")
		c.Facts = blanks
	}
	return c
}

// aboutOpen are the words that speak of what is open.
func aboutOpen() []string {
	return []string{"restore", "status", "extend", "handover", "take", "abandon"}
}

// waiting are those who asked for a change while the store was away. It is kept in memory only: there was nothing else.
type waiting struct {
	mu     sync.Mutex
	events []Event
}

const waitingMost = 50

func (w *waiting) add(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) < waitingMost && !slices.ContainsFunc(w.events, func(have Event) bool { return have.By.Account == e.By.Account }) {
		w.events = append(w.events, e)
	}
}

func (w *waiting) take() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.events
	w.events = nil
	return out
}

// Back offers those who were given the way by hand to take over what they did, once the store answers again. It costs
// nothing where nobody was.
func (s *Service) Back(ctx context.Context) {
	for _, e := range s.offline.take() {
		if err := s.back(ctx, e); err != nil {
			s.offline.add(e)
		}
	}
}

func (s *Service) back(ctx context.Context, e Event) error {
	if e.By = s.who(ctx, e.By); !e.By.Member {
		return nil
	}
	words, _ := e.What.(Command)
	err := s.store.Save(ctx, Save{Op: "back/" + e.ID, Posts: []Post{{
		ID: e.ID + "/back", Place: private(e), Message: "back:" + e.ID, Card: card.Card{
			Title:   "I can remember for you again",
			Text:    []string{"At " + card.Clock(e.At) + " you asked for /outage " + strings.Join(words.Words, " ") + ", and I could change nothing. If somebody did it by hand since, I can take it over, so that it is put back later."},
			Buttons: []card.Button{{Label: "Show me where it stands", Style: card.Primary, Action: Begin(words.Words...)}},
		},
	}}})
	if errors.Is(err, ErrReplayed) {
		return nil
	}
	return err
}

// blanks is a list to fill in: every number, or every app with what is set on it.
func (s *Service) blanks(ctx context.Context, action string) []card.Fact {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var out []card.Fact
	for _, name := range slices.Sorted(maps.Keys(s.platforms)) {
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
