package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers"
)

// What is refused, whoever signed it.
var (
	errOtherTeam = errors.New("it comes from another workspace")
	errNotNow    = errors.New("it cannot be told now whose workspace this is")
)

// take takes in what was decoded, and returns what Slack gets as an answer; nil is an empty one. When it returns
// without error, the event is safe.
func (s *Slack) take(ctx context.Context, in incoming) (any, error) {
	if in.kind == kindIgnored || in.kind == kindClosed {
		return nil, nil
	}
	w, err := s.workspace(ctx)
	switch {
	case in.isEnterpriseInstall || errors.Is(err, errOrganisation):
		zerolog.Ctx(ctx).Error().Str("user", in.user).Msg("refused: the app is installed for a whole organisation; install it in the one workspace whose people use it")
		return s.refuse(ctx, in, "This app is installed for a whole organisation. It works only where it is installed in one workspace; please ask whoever looks after it."), nil
	case err != nil:
		return nil, errors.Join(errNotNow, err)
	case in.team != w.team:
		return nil, errOtherTeam
	}
	log := zerolog.Ctx(ctx).With().Str("user", in.user).Str("channel", in.channel).Str("event", in.eventID()).Logger()
	ctx = log.WithContext(ctx)
	switch in.kind {
	case kindHome:
		s.background(ctx, func(ctx context.Context) { s.showHome(ctx, w, in) })
		return nil, nil
	case kindShared, kindUnshared:
		s.directory.forget(in.channel)
		return nil, nil
	case kindPersonChanged:
		s.directory.forget(in.user)
		return nil, nil
	case kindGroupChanged:
		s.directory.forget(in.group)
		return nil, nil
	case kindUninstalled, kindRevoked:
		log.Error().Str("kind", string(in.kind)).Msg("Slack took the bot's rights away")
		return nil, nil
	case kindRateLimited:
		log.Warn().Msg("Slack holds events back: there are too many")
		return nil, nil
	case kindArchived, kindLeft:
		s.directory.forget(in.channel)
		log.Error().Str("kind", string(in.kind)).Msg("a channel was archived, or the bot was removed from it: what the organisation document sends there does not arrive any more")
		return nil, nil
	case kindIgnored, kindClosed, kindChallenge:
		return nil, nil
	case kindDirect:
		s.direct.Store(Platform+":"+in.user, in.channel)
	case kindCommand, kindMention, kindPress, kindForm, kindReport, kindTimeline, kindStart:
	}
	e, ok := s.event(ctx, w, in)
	if !ok { // a link that is drawn as a button, say
		return nil, nil
	}
	return s.accept(ctx, in, e)
}

// event is what came in, for flow. False means that there is nothing to do.
func (s *Slack) event(ctx context.Context, w workspace, in incoming) (flow.Event, bool) {
	now := time.Now()
	e := flow.Event{
		ID: in.eventID(), At: now,
		By:    flow.Person{Account: Platform + ":" + in.user, Member: s.belongs(ctx, w, in)},
		Place: flow.Place{Platform: Platform, Channel: in.channel},
	}
	if root := cmp.Or(in.thread, map[bool]string{true: in.messageTS}[in.kind == kindTimeline || in.kind == kindStart]); root != "" {
		e.Place.In = ref(in.channel, root)
	}
	if lent(in.responseURL.Reveal(), s.config.ResponseHosts) {
		e.Reply = &flow.Capability{URL: in.responseURL.Reveal(), Ends: now.Add(lentFor)}
		if in.ephemeral {
			e.Reply.Message = in.pressed
		}
	}
	if in.trigger != "" {
		e.Until = now.Add(triggerFor)
	}
	switch in.kind {
	case kindCommand, kindMention, kindDirect:
		e.What = flow.Command{Words: accounts(in.words)}
	case kindReport, kindStart:
		e.What = flow.Command{}
	case kindTimeline:
		e.What = flow.Command{Words: append([]string{"note"}, strings.Fields(in.text)...)}
	case kindPress, kindForm:
		a, err := flow.DecodeAction(in.action)
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("pressed, and not understood")
			return e, false
		}
		press := flow.Press{Action: a}
		if in.kind == kindForm {
			press.Fields, e.Until = in.values, now.Add(formFor)
			var m meta
			if json.Unmarshal([]byte(in.meta), &m) == nil {
				e.Place = m.Place
			}
			e.Reply = s.forms.take(in.viewID)
		}
		e.What = press
	default:
		return e, false
	}
	return e, true
}

var someone = regexp.MustCompile(`^<@([UW][A-Z0-9]+)(?:\|[^>]*)?>$`)

// accounts gives people who are mentioned as flow knows them: by their accounts.
func accounts(words []string) []string {
	out := slices.Clone(words)
	for i, w := range out {
		if m := someone.FindStringSubmatch(w); m != nil {
			out[i] = Platform + ":" + m[1]
		}
	}
	return out
}

// belongs reports whether the person is of the own organisation: Slack Connect lets others press buttons.
func (s *Slack) belongs(ctx context.Context, w workspace, in incoming) bool {
	if in.userTeam == "" || in.userTeam == w.team {
		return true
	}
	if w.enterprise == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	u, err := s.directory.user(ctx, in.user)
	return err != nil || w.has(u) // where it is not known, who they are is asked again before anything is decided
}

// meta goes with a form and comes back with it.
type meta struct {
	Place flow.Place `json:"place"`
}

func (s *Slack) accept(ctx context.Context, in incoming, e flow.Event) (any, error) {
	taking, cancel := context.WithTimeout(ctx, takeInFor)
	defer cancel()
	replies, err := s.config.Flow.Accept(taking, e)
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Msg("not taken in; the person is told what to do by hand")
		return s.offline(ctx, in, e), nil
	}
	if in.kind == kindForm {
		return s.answerForm(ctx, in, e, replies)
	}
	if trigger := in.trigger; trigger != "" {
		s.background(ctx, func(ctx context.Context) { s.open(ctx, e, trigger, replies) })
	}
	return nil, nil
}

// offline tells a person at once that nothing was started, and what to do by hand.
func (s *Slack) offline(ctx context.Context, in incoming, e flow.Event) any {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), offlineFor)
	defer cancel()
	c := s.config.Flow.Offline(ctx, e)
	text, blocks := message(c, "")
	m := slackgo.WebhookMessage{Text: text, Blocks: &slackgo.Blocks{BlockSet: blocks}, ResponseType: slackgo.ResponseTypeEphemeral}
	switch {
	case in.kind == kindCommand:
		return m
	case in.kind == kindForm: // it stays open, with all that was typed
		if len(in.blocks) == 0 {
			return nil
		}
		sorry := "Not taken in: I cannot remember for you right now. What you typed is still here; please try again in a minute."
		return slackgo.NewErrorsViewSubmissionResponse(map[string]string{in.blocks[0]: sorry})
	case e.Reply != nil:
		s.background(ctx, func(ctx context.Context) {
			if err := s.respond(ctx, e.Reply.URL, m); err != nil {
				zerolog.Ctx(ctx).Error().Err(err).Msg("the person could not be told that nothing was taken in")
			}
		})
		return nil
	}
	s.background(ctx, func(ctx context.Context) {
		place := e.Place
		place.Person = e.By.Account
		if _, err := s.Send(ctx, flow.Post{ID: e.ID, Message: "away:" + e.ID, Place: place, Card: c}, handlers.Target{}); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Msg("the person could not be told that nothing was taken in")
		}
	})
	return nil
}

// answerForm waits a little for what becomes of a form. Where that takes longer, it closes, and a card offers it again
// if something was wrong.
func (s *Slack) answerForm(ctx context.Context, in incoming, e flow.Event, replies <-chan flow.Reply) (any, error) {
	wait := time.NewTimer(time.Until(e.Until))
	defer wait.Stop()
	select {
	case r := <-replies:
		if r.Form == nil {
			return slackgo.NewClearViewSubmissionResponse(), nil
		}
		if errs := fieldErrors(*r.Form); s.drawn(errs, in) {
			s.forms.put(in.viewID, e.Reply)
			return slackgo.NewErrorsViewSubmissionResponse(errs), nil
		}
		view, err := s.view(*r.Form, e.Place)
		if err != nil {
			return nil, err
		}
		s.forms.put(in.viewID, e.Reply)
		return slackgo.NewUpdateViewSubmissionResponse(&view), nil
	case <-wait.C:
		s.background(ctx, func(ctx context.Context) {
			if r, ok := reply(ctx, replies); ok && r.Form != nil {
				s.offer(ctx, e)
			}
		})
		return slackgo.NewClearViewSubmissionResponse(), nil
	case <-ctx.Done():
		return nil, nil
	}
}

// drawn reports whether there are errors, and each beside a field that the person sees.
func (s *Slack) drawn(errs map[string]string, in incoming) bool {
	for block := range errs {
		if !slices.Contains(in.blocks, block) {
			return false
		}
	}
	return len(errs) > 0
}

func (s *Slack) view(c card.Card, place flow.Place) (slackgo.ModalViewRequest, error) {
	data, err := json.Marshal(meta{Place: place})
	if err != nil {
		return slackgo.ModalViewRequest{}, err
	}
	return modal(c, string(data))
}

// open opens the form that a press asked for. Where the trigger is gone by then, a card offers it.
func (s *Slack) open(ctx context.Context, e flow.Event, trigger config.Secret, replies <-chan flow.Reply) {
	r, ok := reply(ctx, replies) // decided too late, the form comes as a card already
	if !ok || r.Form == nil {
		return
	}
	view, err := s.view(*r.Form, e.Place)
	if err == nil {
		opening, cancel := context.WithTimeout(ctx, triggerFor)
		defer cancel()
		var opened *slackgo.ViewResponse
		if opened, err = s.api.OpenViewContext(opening, trigger.Reveal(), view); err == nil {
			s.forms.put(opened.ID, e.Reply)
			return
		}
	}
	zerolog.Ctx(ctx).Warn().Err(err).Strs("why", why(err)).Msg("a form could not be opened; a card offers it")
	s.offer(ctx, e)
}

// reply waits for what was decided.
func reply(ctx context.Context, replies <-chan flow.Reply) (flow.Reply, bool) {
	select {
	case r, ok := <-replies:
		return r, ok
	case <-ctx.Done():
		return flow.Reply{}, false
	}
}

// offer lets a card offer the form that nobody sees.
func (s *Slack) offer(ctx context.Context, e flow.Event) {
	e.ID, e.Until = e.ID+"/late", time.Time{}
	if _, err := s.config.Flow.Accept(ctx, e); err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Msg("a form could not be offered")
	}
}

// background does something for somebody who has their answer already.
func (s *Slack) background(ctx context.Context, do func(context.Context)) {
	ctx = context.WithoutCancel(ctx)
	s.running.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				zerolog.Ctx(ctx).Error().Interface("panic", p).Msg("set aside")
			}
		}()
		ctx, cancel := context.WithTimeout(ctx, callFor)
		defer cancel()
		do(ctx)
	})
}

// refuse says one sentence to the person alone.
func (s *Slack) refuse(ctx context.Context, in incoming, text string) any {
	m := slackgo.WebhookMessage{Text: text, ResponseType: slackgo.ResponseTypeEphemeral}
	switch in.kind {
	case kindCommand:
		return m
	case kindMention, kindDirect, kindPress, kindReport, kindTimeline, kindStart:
	default:
		return nil
	}
	s.background(ctx, func(ctx context.Context) {
		var err error
		if url := in.responseURL.Reveal(); lent(url, s.config.ResponseHosts) {
			err = s.respond(ctx, url, m)
		} else {
			_, _, err = s.api.PostMessageContext(ctx, in.user, slackgo.MsgOptionText(text, false))
		}
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("the person could not be told so")
		}
	})
	return nil
}

// lendings keeps the ways of answering while a form is open: what Slack sends with the form has none. They are lost
// with the process, and then a new message is shown instead of the old one being replaced.
type lendings struct {
	mu   sync.Mutex
	kept map[string]flow.Capability
}

func (l *lendings) put(view string, c *flow.Capability) {
	if c == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil {
		l.kept = map[string]flow.Capability{}
	}
	now := time.Now()
	for v, old := range l.kept {
		if now.After(old.Ends) {
			delete(l.kept, v)
		}
	}
	l.kept[view] = *c
}

func (l *lendings) take(view string) *flow.Capability {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.kept[view]
	if !ok {
		return nil
	}
	delete(l.kept, view)
	return &c
}
