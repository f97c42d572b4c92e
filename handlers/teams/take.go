package teams

import (
	"context"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
)

// invoked is the answer to an Action.Execute. Its status stands within; that of HTTP is always 200.
// https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/universal-actions-for-adaptive-cards/work-with-universal-actions-for-adaptive-cards
type invoked struct {
	Status int    `json:"statusCode"`
	Type   string `json:"type"`
	Value  any    `json:"value"`
}

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func showing(c adaptive) invoked { return invoked{200, adaptiveType, c} }
func saying(s string) invoked {
	return invoked{200, "application/vnd.microsoft.activity.message", shorten(unmarked(s), maxSentence)}
}

// take takes in what was decoded, and returns what Teams gets as an answer; nil is an empty one. When it returns, the
// event is safe, or the person is told that it is not.
func (t *Teams) take(ctx context.Context, in incoming) any {
	log := zerolog.Ctx(ctx).With().Str("user", in.object).Str("channel", in.channel).Str("event", in.id).Logger()
	ctx = log.WithContext(ctx)
	taking, cancel := context.WithTimeout(ctx, takeInFor)
	defer cancel()
	switch in.kind {
	case kindIgnored:
		return nil
	case kindRemoved:
		log.Info().Msg("removed from a conversation")
		t.directory.forget(in)
		t.forget(taking, in)
		return nil
	case kindAdded:
		t.directory.forget(in)
		if in.team != "" {
			t.revive(taking, in)
		}
	case kindChanged:
		t.directory.forget(in)
	case kindSaid, kindPress, kindSubmit, kindOpen, kindForm:
	}
	t.learn(taking, in)
	e, ok := t.event(ctx, in)
	if !ok {
		return refusal400(in)
	}
	if e.What == nil {
		return nil
	}
	seen, end := t.watched.begin(in.message)
	replies, err := t.config.Flow.Accept(taking, e)
	if err != nil {
		end()
		log.Error().Err(err).Msg("not taken in; the person is told what to do by hand")
		return t.offline(ctx, in, e)
	}
	defer end()
	switch in.kind {
	case kindPress:
		return t.answerPress(ctx, in, e, replies, seen)
	case kindOpen, kindForm:
		return t.answerForm(ctx, in, e, replies)
	case kindSubmit:
		t.background(ctx, func(ctx context.Context) { t.offer(ctx, e, replies) })
	default: // nobody waits
	}
	return nil
}

// refusal400 answers an action that is none of ours.
func refusal400(in incoming) any {
	const sorry = "This card is not one of mine any more. Type outage to look again."
	switch in.kind {
	case kindPress:
		return invoked{400, "application/vnd.microsoft.error", failure{"BadRequest", sorry}}
	case kindOpen, kindForm:
		return words(sorry)
	default:
		return nil
	}
}

// event is what came in, for flow. False means that it was not understood; an event without a What is nothing to do.
func (t *Teams) event(ctx context.Context, in incoming) (flow.Event, bool) {
	now := t.config.Now()
	e := flow.Event{
		ID: in.id, At: now, Place: flow.Place{Platform: Platform, Channel: in.channel, In: in.thread},
		By: flow.Person{Account: Platform + ":" + in.user},
	}
	if in.object != "" {
		e.By.Account = Platform + ":" + in.object
		e.By.Member = in.tenant == "" || strings.EqualFold(in.tenant, t.config.Tenant)
	}
	switch in.kind {
	case kindSaid:
		e.What = flow.Command{Words: in.words}
	case kindAdded: // whoever added it learns what it is for, once
		if !in.upgrade && in.object != "" {
			e.What = flow.Command{Words: []string{"help"}}
		}
	case kindPress, kindSubmit, kindOpen, kindForm:
		a, err := flow.DecodeAction(in.action)
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("pressed, and not understood")
			return e, false
		}
		press := flow.Press{Action: a}
		if in.kind == kindForm {
			press.Fields = in.values
		}
		if in.kind == kindOpen || in.kind == kindForm {
			e.Until = now.Add(pressFor)
		}
		e.What = press
	case kindChanged, kindRemoved, kindIgnored:
	}
	return e, true
}

// answerPress waits a little for how the card that was pressed looks then. A card that is about to change again is no
// answer: it might come after the one that follows it.
func (t *Teams) answerPress(ctx context.Context, in incoming, e flow.Event, replies <-chan flow.Reply, seen func() (*card.Card, <-chan struct{})) any {
	wait := time.NewTimer(pressFor)
	defer wait.Stop()
	var shown *card.Card
	var said string
	for {
		sent, changed := seen()
		if sent != nil {
			shown = sent
		}
		if shown != nil && !passing(*shown) {
			return showing(message(*shown, in.message))
		}
		select {
		case r, ok := <-replies:
			replies = nil
			if !ok { // it came twice
				return saying("I have that already.")
			}
			if r.Form != nil { // the button was not drawn as one that opens a form
				t.background(ctx, func(ctx context.Context) { t.again(ctx, e) })
				return saying("The form follows in your chat with me.")
			}
			for _, p := range r.Shown {
				switch {
				case in.message != "" && messageKey(p) == in.message:
					shown = &p.Card
				case p.Place.Person == e.By.Account:
					said = sentence(p.Card)
				}
			}
			if shown == nil {
				return saying(orElse(said, "Taken in. What follows stands in the thread or in your chat with me."))
			}
		case <-changed:
		case <-wait.C:
			return saying("I am on it. This card changes in a moment.")
		case <-ctx.Done():
			return nil
		}
	}
}

// passing reports whether a card only says that something is under way.
func passing(c card.Card) bool { return c.Tone == card.Working && len(c.Buttons) == 0 }

// answerForm waits a little for the form that a press opens, or for what was wrong with one that was sent. Where that
// takes longer, it closes, and a card offers it.
func (t *Teams) answerForm(ctx context.Context, in incoming, e flow.Event, replies <-chan flow.Reply) any {
	wait := time.NewTimer(e.Until.Sub(t.config.Now()))
	defer wait.Stop()
	select {
	case r, ok := <-replies:
		switch {
		case r.Form != nil:
			return dialogOf(*r.Form, in.message)
		case in.kind == kindForm:
			return nil // it closes
		case !ok:
			return words("I have that already.")
		}
		said := "There is nothing to fill in any more."
		for _, p := range r.Shown {
			if p.Place.Person == e.By.Account {
				said = sentence(p.Card)
			}
		}
		return words(said)
	case <-wait.C:
		if in.kind == kindForm {
			return words("Taken in. What becomes of it follows as a card.")
		}
		return words("This takes a moment. The form follows in your chat with me.")
	case <-ctx.Done():
		return nil
	}
}

// offer has a form offered by a card, where a press has no way to open one.
func (t *Teams) offer(ctx context.Context, e flow.Event, replies <-chan flow.Reply) {
	if r := <-replies; r.Form != nil {
		t.again(ctx, e)
	}
}

// again takes a press in once more, as one that nobody waits for: a card offers its form.
func (t *Teams) again(ctx context.Context, e flow.Event) {
	e.ID, e.Until = e.ID+"/late", time.Time{}
	if _, err := t.config.Flow.Accept(ctx, e); err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Msg("a form could not be offered")
	}
}

// forEverybody is what of the way by hand everybody in a conversation may read: where people of other organisations do,
// nothing, and where that is not known, not what the organisation has.
func (t *Teams) forEverybody(ctx context.Context, conversation string, c card.Card) card.Card {
	ctx, cancel := context.WithTimeout(ctx, offlineFor)
	defer cancel()
	switch outside, err := t.directory.whoReads(ctx, conversation); {
	case err != nil:
		c.Facts = nil
	case outside:
		c = card.Card{Tone: c.Tone, Title: c.Title, Text: []string{"Ask me again in your chat with me: there I say what to do by hand."}}
	}
	return c
}

// offline tells a person at once that nothing was started, and what to do by hand. The outbox is away too.
func (t *Teams) offline(ctx context.Context, in incoming, e flow.Event) any {
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), offlineFor)
	defer cancel()
	c := t.config.Flow.Offline(asking, e)
	if in.kind == kindForm || in.kind == kindOpen {
		return words("Nothing was taken in: I cannot remember for you right now. Please try again in a minute. " + sentence(c))
	}
	t.background(ctx, func(ctx context.Context) {
		// Where it was said: the store, which knows the person's chat, is away.
		if in.conversationKind != personal {
			c = t.forEverybody(ctx, in.channel, c)
		}
		where := conversation{ID: in.channel, Kind: in.conversationKind, Service: in.service}
		p := flow.Post{ID: e.ID, Message: "away:" + e.ID, Place: e.Place, Card: c}
		if _, _, err := t.post(ctx, where, p, handlers.Target{Thread: in.thread}); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Msg("the person could not be told that nothing was taken in")
		}
	})
	if in.kind == kindPress {
		return saying("Nothing was taken in: I cannot remember for you right now. What to do by hand follows.")
	}
	return nil
}
