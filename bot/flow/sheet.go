package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
)

// Sheet is an open outage for people who reach no chat: what its message says there, and each setting from before in
// full, with the way to it. Times are the organisation's.
type Sheet struct {
	ID    string
	Drill bool
	Title string
	Text  []string
	Rows  []SheetRow
	Todos []string
	Notes []string
}

// SheetRow is one setting of a sheet.
type SheetRow struct {
	Name   string // whose, and which
	State  string // what became of it, in people's words
	Open   bool   // it has to be put back
	Before string // the value from before, byte for byte; empty where Known is false
	Known  bool
	From   string // on whose word, and when
	Set    string // what the outage sets
	Path   string // where a person finds it; empty: the bot sets it
	Click  string // what to do there to put it back
}

// Sheets returns the open outages, oldest first. It changes nothing, and needs nothing but the store.
func (s *Service) Sheets(ctx context.Context) ([]Sheet, error) {
	open, err := s.store.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("sheets: %w", err)
	}
	var out []Sheet
	for _, o := range open {
		doc, r, err := s.store.Outage(ctx, o.ID)
		switch {
		case errors.Is(err, ErrUnreadable): // one that cannot be read must not hide the others
			zerolog.Ctx(ctx).Error().Err(err).Str("outage", o.ID).Msg("its settings are not on the page")
			out = append(out, Sheet{ID: o.ID, Drill: o.Drill, Title: capital(o.Channel) + " – " + o.Leaf.Title, Text: []string{
				"What it changed CANNOT BE READ here. The values from before are in the outage's thread, as a copy.",
			}})
			continue
		case err != nil && !errors.Is(err, ErrNewer): // what a newer version wrote may be looked at
			return nil, fmt.Errorf("sheets: %w", err)
		}
		if o = doc.Value; o.Ended != nil { // meanwhile
			continue
		}
		o.now, o.asked = time.Now().In(s.policy.Location()), s.asked(ctx, r.Value.Steps)
		c := homeCard(s.policy, o, r.Value)
		sheet := Sheet{ID: o.ID, Drill: o.Drill, Title: s.spoken(c.Title)}
		for _, t := range c.Text {
			sheet.Text = append(sheet.Text, s.spoken(t))
		}
		for _, n := range c.Notes {
			sheet.Notes = append(sheet.Notes, s.spoken(n))
		}
		for _, st := range r.Value.Steps {
			sheet.Rows = append(sheet.Rows, s.sheetRow(st))
		}
		for _, t := range o.Todos {
			if t.By == "" {
				sheet.Todos = append(sheet.Todos, s.spoken(t.Text))
			}
		}
		out = append(out, sheet)
	}
	return out, nil
}

// spoken is a text of a card with its times in the organisation's zone.
func (s *Service) spoken(text string) string {
	text = card.Channels(text, func(string) string { return "its channel" })
	return card.Times(text, func(t time.Time, withDate bool) string {
		return t.In(s.policy.Location()).Format(map[bool]string{true: "Mon 2 Jan 15:04", false: "15:04"}[withDate])
	})
}

func (s *Service) sheetRow(st change.Step) SheetRow {
	row := SheetRow{Name: stepName(st), State: s.spoken(stepWord(st) + by(st)), Open: st.Open(), Set: st.Want.Text}
	if st.Before == nil {
		return row
	}
	row.Known, row.Before = true, string(st.Before.Value.Raw)
	row.From = "noted by " + st.Before.By
	if st.Before.By == change.ByAPI {
		row.From = "read by the bot"
	}
	row.From += s.spoken(", " + card.Day(st.Before.At))
	if st.Doubt && st.Open() && st.Known != nil {
		row.From += "; known from before is " + quoted(*st.Known) + ", and nobody said yet which should come back"
	}
	if p, err := s.every.For(st.Key); err == nil && st.Way == change.Guided {
		g := p.Guide(st.Key, st.Before.Value)
		row.Path, row.Click = g.Path, g.Click
	}
	return row
}

// pageCard tells somebody where the page of each open outage is. link is nil where the bot has none.
func (s *Service) pageCard(ctx context.Context, open []Outage) card.Card {
	switch {
	case s.link == nil:
		return card.Card{Title: "There is no page here", Text: []string{"It comes with PUBLIC_URL in the environment of the bot: whoever runs it knows. Where the bot runs, " + s.policy.command("outages") + " prints the same."}}
	case len(open) == 0:
		return card.Card{Tone: card.Done, Title: "Nothing is open, so there is no page", Text: []string{"During an outage this gives a link that works without any chat."}}
	}
	c := card.Card{Title: "To read without any chat", Text: []string{"Open it now, and keep it open or print it: the values from before, and the way to each setting."}}
	for _, o := range open {
		at, err := s.link(ctx, o.ID)
		if err != nil {
			return card.Card{Tone: card.Trouble, Title: "I cannot make a link right now", Text: []string{"The store does not answer. The values from before are in the outage's thread, too."}}
		}
		c.Facts = append(c.Facts, card.Fact{Name: o.ID, Note: at})
	}
	c.Notes = []string{"Who has a link can read that outage until it is over, and change nothing."}
	return c
}
