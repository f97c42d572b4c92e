package flow

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
)

// overviewMost is how many outages stand on an overview with all that belongs to them.
const overviewMost = 5

// Notice is what customers should read while a setting is changed, and when people look at it again: by its outage.
func (s *Service) Notice(ctx context.Context, k change.Key) (text string, until time.Time) {
	held, err := s.store.Holders(ctx, []change.Key{k})
	if err != nil || held[k] == "" {
		return "", time.Time{}
	}
	o, _, err := s.store.Outage(ctx, held[k])
	if err != nil {
		return "", time.Time{}
	}
	return o.Value.Message, o.Value.Deadline
}

// Overview is what somebody sees without asking for anything: what is open, and what they may do. It changes nothing.
func (s *Service) Overview(ctx context.Context, by Person) []card.Card {
	by = s.who(ctx, by)
	if !by.Member {
		return []card.Card{stranger(s.policy, by)}
	}
	open, err := s.store.Open(ctx)
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Msg("no overview")
		return []card.Card{{Tone: card.Trouble, Title: "I cannot remember for you right now", Text: []string{"What is open cannot be shown. Please try again in a minute."}}}
	}
	var d Desk
	d.apart(open)
	open = d.shown(by.ID)
	may := "You may look and practise. Confirming and restoring is for " + list(at(s.policy.responders())) + "."
	if by.Responder {
		may = "You may confirm a change, restore, extend and take over."
	}
	first := card.Card{
		Title: "Nothing is open", Text: []string{may},
		Buttons: []card.Button{{Label: "Report an outage", Style: card.Primary, Action: Begin()}, {Label: "Ready for an outage?", Action: Action{Verb: readyVerb, Arg: "again"}.Encode()}},
	}
	if len(open) > 0 {
		first.Title = statusCard(s.policy, open).Title
	}
	out := []card.Card{first}
	for i, o := range open {
		if i == overviewMost {
			return append(out, statusCard(s.policy, open[i:]))
		}
		if _, r, err := s.store.Outage(ctx, o.ID); err == nil {
			o.now, o.asked = time.Now().In(s.policy.Location()), s.asked(ctx, r.Value.Steps)
			c := homeCard(s.policy, o, r.Value)
			c.Text = append(c.Text, "Everything about it is in "+card.Channel(o.Home.Channel)+".")
			out = append(out, c)
		}
	}
	return out
}
