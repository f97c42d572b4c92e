package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	slackgo "github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
)

// pace holds each method to its tier, per minute: https://docs.slack.dev/apis/web-api/rate-limits. What one process does
// not know of, a 429 tells.
type pace struct {
	mu     sync.Mutex
	limits map[string]*rate.Limiter
}

// perMinute is how often a method is called; chat.postMessage has its own limit per channel, which the outbox keeps.
func perMinute(method string) int {
	switch method {
	case "chat.update", "conversations.history":
		return 50
	case "chat.postEphemeral":
		return 100
	}
	return 300
}

// wait returns a handlers.Later where the method is called too often.
func (p *pace) wait(method string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limits == nil {
		p.limits = map[string]*rate.Limiter{}
	}
	l, ok := p.limits[method]
	if !ok {
		n := perMinute(method)
		l = rate.NewLimiter(rate.Limit(n)/60, n/2)
		p.limits[method] = l
	}
	r := l.Reserve()
	if d := r.Delay(); d > 0 {
		r.Cancel()
		return handlers.Later{After: d}
	}
	return nil
}

// Pace is Slack's limit of a channel: one message per second, and short bursts
// (https://docs.slack.dev/reference/methods/chat.postMessage). What only one person sees has no such limit, nor have
// edits: of those only so many go to the whole workspace.
func (s *Slack) Pace(at flow.Place, edit bool) handlers.Pace {
	if edit || at.Person != "" && at.Channel != "" && !isDirect(at.Channel) {
		return handlers.Pace{}
	}
	return handlers.Pace{Every: time.Second, Burst: 4}
}

// ref is Slack's name of a message, as the outbox keeps it: channel and ts.
func ref(channel, ts string) string { return channel + "/" + ts }

func parseRef(s string) (channel, ts string) {
	channel, ts, _ = strings.Cut(s, "/")
	return channel, ts
}

// Send posts or edits one message. Its errors are the outbox's: a handlers.Later, handlers.ErrGone, ErrThreadGone, ErrRefused, or
// anything else, where the outcome is unknown.
func (s *Slack) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	ref, err := s.send(ctx, p, to)
	if errors.Is(err, errNotLetIn) {
		zerolog.Ctx(ctx).Error().Err(err).Msg("nothing reaches Slack until that is mended")
	}
	return ref, err
}

func (s *Slack) send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	switch {
	case p.Place.Person != "" && (p.Place.Channel == "" || isDirect(p.Place.Channel)):
		channel, err := s.directWith(ctx, p.Place)
		if err != nil {
			return "", classify(err)
		}
		if p.Place.Channel != "" && p.Place.Channel != channel { // a conversation of two people, in which one typed /outage
			return s.whisper(ctx, p, to)
		}
		return s.post(ctx, p, to, channel)
	case p.Place.Person != "":
		return s.whisper(ctx, p, to)
	}
	outside, err := s.directory.Outside(ctx, p.Place.Channel)
	if err != nil {
		return "", fmt.Errorf("whether the channel is shared outside: %w: %w", err, handlers.Later{After: failedFor, Away: true})
	}
	if outside {
		if p.Card.Outside == "" {
			return to.Ref, nil // nothing of it is for people of other organisations
		}
		p.Card, p.Mention = card.Card{Title: p.Card.Outside, Drill: p.Card.Drill}, nil
	}
	return s.post(ctx, p, to, p.Place.Channel)
}

// directWith is the channel of a person's direct messages with the bot.
func (s *Slack) directWith(ctx context.Context, p flow.Place) (string, error) {
	if known, ok := s.direct.Load(p.Person); ok {
		return known.(string), nil //nolint:forcetypeassert // only strings are stored
	}
	c, _, _, err := s.api.OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{userID(p.Person)}})
	if err != nil {
		return "", err
	}
	s.direct.Store(p.Person, c.ID)
	return c.ID, nil
}

// userID is the id in an account.
func userID(account string) string { return strings.TrimPrefix(account, Platform+":") }

// post posts a message that stays, or edits it.
func (s *Slack) post(ctx context.Context, p flow.Post, to handlers.Target, channel string) (string, error) {
	text, blocks := s.draw(p)
	options := []slackgo.MsgOption{
		slackgo.MsgOptionText(text, false), slackgo.MsgOptionBlocks(blocks...), slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl(),
		slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"message": hashed(p.Place.Lane(), p.Message)}}),
	}
	if to.Ref != "" {
		at, ts := parseRef(to.Ref)
		if err := s.pace.wait("chat.update"); err != nil {
			return "", err
		}
		_, _, _, err := s.api.UpdateMessageContext(ctx, at, ts, options...)
		if refused(err) {
			zerolog.Ctx(ctx).Error().Err(err).Str("message", p.Message).Strs("why", why(err)).Msg("Slack does not draw it; sent as plain text")
			_, _, _, err = s.api.UpdateMessageContext(ctx, at, ts, append(options, slackgo.MsgOptionBlocks())...)
		}
		return to.Ref, classify(err)
	}
	if to.Thread != "" {
		_, ts := parseRef(to.Thread)
		options = append(options, slackgo.MsgOptionTS(ts))
		if p.Broadcast {
			options = append(options, slackgo.MsgOptionBroadcast())
		}
	} else if isDirect(p.Place.Channel) {
		options = append(options, inThread(p.Place)...)
	}
	at, ts, err := s.api.PostMessageContext(ctx, channel, options...)
	if refused(err) {
		zerolog.Ctx(ctx).Error().Err(err).Str("message", p.Message).Strs("why", why(err)).Msg("Slack does not draw it; sent as plain text")
		at, ts, err = s.api.PostMessageContext(ctx, channel, append(options, slackgo.MsgOptionBlocks())...)
	}
	if err != nil {
		return "", classify(err)
	}
	return ref(at, ts), nil
}

const metadataType = "switchback_message"

// draw is a card with its mentions: they alone are markup, and made of ids from the organisation document.
func (s *Slack) draw(p flow.Post) (string, []slackgo.Block) {
	text, blocks := message(p.Card, hashed(p.Message))
	var who []slackgo.RichTextSectionElement
	var words []string
	for _, name := range p.Mention {
		id, group := s.config.Mention(name)
		switch {
		case id == "":
			who = append(who, slackgo.NewRichTextSectionTextElement("@"+name+" ", nil))
			words = append(words, "@"+name)
			continue
		case group:
			who = append(who, slackgo.NewRichTextSectionUserGroupElement(id))
			words = append(words, "<!subteam^"+id+">")
		default:
			who = append(who, slackgo.NewRichTextSectionUserElement(id, nil))
			words = append(words, "<@"+id+">")
		}
		who = append(who, slackgo.NewRichTextSectionTextElement(" ", nil))
	}
	if len(who) == 0 {
		return text, blocks
	}
	mention := slackgo.NewRichTextBlock("", slackgo.NewRichTextSection(who...))
	return strings.Join(words, " ") + " " + text, append([]slackgo.Block{mention}, blocks...)
}

// whisper shows a message to one person in a channel. Slack keeps no such message: it is replaced only by the way of
// answering that a press on it lent, else a new one is shown.
func (s *Slack) whisper(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	if at, _ := parseRef(to.Ref); isDirect(at) && at != p.Place.Channel { // it could not be shown in the channel
		return s.post(ctx, p, to, at)
	}
	text, blocks := s.draw(p)
	if r := p.Reply; r != nil && time.Now().Before(r.Ends) && lent(r.URL, s.config.ResponseHosts) {
		_, thread := parseRef(p.Place.In)
		replace := to.Ref != "" && r.Message == hashed(p.Message)
		err := s.respond(ctx, r.URL, slackgo.WebhookMessage{
			Text: text, Blocks: &slackgo.Blocks{BlockSet: blocks}, ResponseType: slackgo.ResponseTypeEphemeral, ReplaceOriginal: replace,
			ThreadTimestamp: thread,
		})
		if err == nil {
			return ref(p.Place.Channel, ""), nil
		}
		zerolog.Ctx(ctx).Info().Err(err).Msg("the way of answering that was lent does not work; sent another way")
	}
	if err := s.pace.wait("chat.postEphemeral"); err != nil {
		return "", err
	}
	options := append(inThread(p.Place), slackgo.MsgOptionText(text, false), slackgo.MsgOptionBlocks(blocks...))
	ts, err := s.api.PostEphemeralContext(ctx, p.Place.Channel, userID(p.Place.Person), options...)
	if refused(err) {
		ts, err = s.api.PostEphemeralContext(ctx, p.Place.Channel, userID(p.Place.Person), append(options, slackgo.MsgOptionBlocks())...)
	}
	if isOneOf(err, "not_in_channel", "channel_not_found", "user_not_in_channel", "is_archived", "restricted_action") { // then directly
		channel, err := s.directWith(ctx, flow.Place{Person: p.Place.Person})
		if err != nil {
			return "", classify(err)
		}
		return s.post(ctx, p, handlers.Target{}, channel)
	}
	return ref(p.Place.Channel, ts), classify(err)
}

// inThread answers in the thread that somebody wrote in.
func inThread(p flow.Place) []slackgo.MsgOption {
	if p.In == "" {
		return nil
	}
	_, ts := parseRef(p.In)
	return []slackgo.MsgOption{slackgo.MsgOptionTS(ts)}
}

// errLent means that a lent way of answering is used up or too old.
var errLent = errors.New("used up or too old")

// respond answers by a response_url. No error of it holds the address: whoever has that can write in the bot's name.
func (s *Slack) respond(ctx context.Context, url string, m slackgo.WebhookMessage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body)) //nolint:gosec // lent has checked its host
	if err != nil {
		return errLent
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := s.web.Do(req) //nolint:gosec // lent has checked its host
	if err != nil {
		return errors.New("no answer to what was sent by it")
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return errLent
	}
	return fmt.Errorf("answered with status %d", resp.StatusCode)
}

// Find looks for a message whose sending had no answer, among the newest of its place. Messages that only one person
// sees cannot be found.
func (s *Slack) Find(ctx context.Context, p flow.Post, to handlers.Target) (string, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	channel := p.Place.Channel
	if p.Place.Person != "" {
		if channel != "" && !isDirect(channel) {
			return "", false, nil
		}
		var err error
		if channel, err = s.directWith(ctx, p.Place); err != nil {
			return "", false, classify(err)
		}
		if p.Place.Channel != "" && p.Place.Channel != channel {
			return "", false, nil
		}
	}
	// What was sent is not older than that; clocks differ. Slack begins with the oldest then.
	oldest := fmt.Sprintf("%d.000000", to.Tried.Add(-time.Minute).Unix())
	if err := s.pace.wait("conversations.history"); err != nil {
		return "", false, err
	}
	var found []slackgo.Message
	var err error
	if to.Thread != "" {
		_, ts := parseRef(to.Thread)
		found, _, _, err = s.api.GetConversationRepliesContext(ctx, &slackgo.GetConversationRepliesParameters{ChannelID: channel, Timestamp: ts, Oldest: oldest, Limit: 200, IncludeAllMetadata: true})
	} else {
		var h *slackgo.GetConversationHistoryResponse
		if h, err = s.api.GetConversationHistoryContext(ctx, &slackgo.GetConversationHistoryParameters{ChannelID: channel, Oldest: oldest, Limit: 200, IncludeAllMetadata: true}); err == nil {
			found = h.Messages
		}
	}
	// A public channel is written to without being a member of it, and read by members alone. To join it would take a
	// further scope and show up in the channel, so the message is left as it is: told as unknown, and never sent twice.
	if isOneOf(err, "not_in_channel", "missing_scope") {
		return "", false, fmt.Errorf("%w: %w; invite the bot to the channel", handlers.ErrGone, err)
	}
	if err != nil {
		return "", false, classify(err)
	}
	want := hashed(p.Place.Lane(), p.Message)
	for _, m := range found {
		if m.Metadata.EventType == metadataType && m.Metadata.EventPayload["message"] == want {
			return ref(channel, m.Timestamp), true, nil
		}
	}
	return "", false, nil
}

// refused reports whether Slack does not take the blocks: once more without them, and never again with them.
func refused(err error) bool {
	return isOneOf(err, "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "invalid_arguments", "no_text")
}

// why is what Slack says about blocks that it does not take, as JSON pointers.
func why(err error) []string {
	answer, _ := errors.AsType[slackgo.SlackErrorResponse](err)
	return answer.ResponseMetadata.Messages
}

// classify says what an error of Slack means for the outbox.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if limited, ok := errors.AsType[*slackgo.RateLimitedError](err); ok {
		return handlers.Later{After: max(limited.RetryAfter, time.Second)}
	}
	switch {
	case isOneOf(err, "ratelimited", "rate_limited", "team_added_to_org", "accesslimited", "org_login_required"):
		return handlers.Later{After: refusedFor}
	case isOneOf(err, "internal_error", "fatal_error", "request_timeout", "service_unavailable"):
		return err // some of it may have been done, says Slack
	case isOneOf(err, "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope", "team_access_not_granted"):
		return fmt.Errorf("%w: %w: %w", errNotLetIn, err, handlers.Later{After: refusedFor, Away: true})
	case isOneOf(err, "channel_not_found", "not_in_channel", "is_archived", "user_not_found", "user_not_visible", "user_disabled", "cannot_dm_bot",
		"restricted_action", "message_not_found", "cant_update_message", "edit_window_closed", "is_inactive", "no_permission"):
		return fmt.Errorf("%w: %w", handlers.ErrGone, err)
	case isOneOf(err, "thread_not_found"):
		return fmt.Errorf("%w: %w", handlers.ErrThreadGone, err)
	case refused(err):
		return fmt.Errorf("%w: %w", handlers.ErrRefused, err)
	}
	if _, said := errors.AsType[slackgo.SlackErrorResponse](err); said { // for a reason that we do not know: it would stop all that comes after it
		return fmt.Errorf("%w: %w", handlers.ErrRefused, err)
	}
	return err
}

// errNotLetIn means that the bot's token does not work. Nothing was taken.
var errNotLetIn = errors.New("Slack does not let the bot in")
