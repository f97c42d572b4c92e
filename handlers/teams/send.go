package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
)

// outgoing is a message as it is sent. The library's own would carry a dozen fields with years of 1 in them.
type outgoing struct {
	Type        string       `json:"type"`
	Text        string       `json:"text,omitzero"`
	Summary     string       `json:"summary,omitzero"` // what a notification shows
	Attachments []attachment `json:"attachments,omitzero"`
}

type attachment struct {
	Type    string `json:"contentType"`
	Content any    `json:"content"`
}

const adaptiveType = "application/vnd.microsoft.card.adaptive"

func attach(c adaptive) attachment { return attachment{adaptiveType, c} }

// account is somebody in a conversation, or the bot.
type account struct {
	ID string `json:"id"`
}

// opening makes a conversation: with one person, or a thread of a channel.
// https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages
type opening struct {
	IsGroup bool      `json:"isGroup"`
	Bot     account   `json:"bot"`
	Members []account `json:"members,omitzero"`
	Tenant  string    `json:"tenantId"`
	Data    struct {
		Channel *account `json:"channel,omitzero"`
		Tenant  account  `json:"tenant"`
	} `json:"channelData"`
	Activity *outgoing `json:"activity,omitzero"`
}

func (t *Teams) opening() opening {
	o := opening{Bot: account{botID(t.config.App)}, Tenant: t.config.Tenant}
	o.Data.Tenant = account{t.config.Tenant}
	return o
}

// ref is Teams' name of a message, as the outbox keeps it: the conversation with its thread, and the activity.
func ref(conversation, activity string) string { return conversation + "|" + activity }

func parseRef(s string) (conversation, activity string) {
	at := strings.LastIndexByte(s, '|')
	if at < 0 {
		return s, ""
	}
	return s[:at], s[at+1:]
}

// bare is a conversation without its thread.
func bare(conversation string) string {
	conversation, _, _ = strings.Cut(conversation, ";messageid=")
	return conversation
}

// path is an address below a service's; each part is one segment, whatever is in it.
func path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/")
		b.WriteString(strings.NewReplacer(";", "%3B", ":", "%3A", "@", "%40").Replace(url.PathEscape(p)))
	}
	return b.String()
}

// Send posts or edits one message. Its errors are the outbox's: a handlers.Later, handlers.ErrGone, ErrThreadGone, ErrRefused,
// or anything else, where sending again is harmless.
//
// A new message has no key by which Microsoft would know it again, and no place where the bot could look for it. So one
// whose sending had no clear answer is not sent again, but refused: people are told that it may stand there or not, and
// its next version comes as a new message, which says that it counts.
func (t *Teams) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	c, err := t.target(ctx, p.Place)
	if err != nil {
		return "", err
	}
	if t.dead(c) {
		return "", fmt.Errorf("%w: %s", handlers.ErrGone, c.Gone)
	}
	outside := false
	if p.Place.Person == "" {
		if outside, err = t.directory.whoReads(ctx, p.Place.Channel); err != nil {
			return "", t.unread(ctx, c, err)
		}
	}
	if outside {
		if p.Card.Outside == "" {
			return to.Ref, nil // nothing of it is for people of other organisations
		}
		p.Card, p.Mention = card.Card{Title: p.Card.Outside, Drill: p.Card.Drill}, nil
	}
	if err := t.connector.pace.message(c.ID); err != nil {
		return "", err
	}
	sent, how := to.Ref, editing
	if to.Ref != "" {
		err = t.edit(ctx, c, p, to.Ref)
	} else {
		sent, how, err = t.post(ctx, c, t.doubts.marked(p), to)
	}
	t.doubts.became(p, err)
	if err := t.became(ctx, c, how, err); err != nil {
		return "", err
	}
	t.watched.tell(messageKey(p), p.Card)
	return sent, nil
}

// Find is asked about a new message whose sender died before it knew whether Teams took it. A bot cannot look for its
// messages in Teams. So it is sent again, and says so: nobody is left without it, and who sees two knows which one counts.
func (t *Teams) Find(_ context.Context, p flow.Post, _ handlers.Target) (string, bool, error) {
	t.doubts.add(p)
	return "", false, nil
}

// doubts are the messages that may stand there, though nobody knows as what.
type doubts struct {
	mu   sync.Mutex
	keys map[string]bool // by the message's key
}

func (d *doubts) add(p flow.Post) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keys == nil || len(d.keys) >= mostKept {
		d.keys = map[string]bool{}
	}
	d.keys[messageKey(p)] = true
}

// marked is a message as it is posted: one that may be there already says so, until it is edited.
func (d *doubts) marked(p flow.Post) flow.Post {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keys[messageKey(p)] {
		p.Card.Notes = append(slices.Clone(p.Card.Notes), "I was interrupted while I wrote this. If it stands here twice, this one counts.")
	}
	return p
}

// became notes how a send went.
func (d *doubts) became(p flow.Post, err error) {
	if unclear(err) {
		d.add(p)
	}
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.keys, messageKey(p))
	}
}

// unclear reports whether Teams may have done what it was asked, or not.
func unclear(err error) bool {
	r, refused := errors.AsType[*refusal](err)
	return errors.Is(err, errUnclear) || refused && r.status/100 == 5 && r.status != http.StatusServiceUnavailable
}

// unread is what becomes of a message while nobody knows who would read it: neither may everybody read it, nor may it be
// lost.
func (t *Teams) unread(ctx context.Context, c conversation, err error) error {
	if never(err) {
		return t.became(ctx, c, posting, err)
	}
	if later, ok := errors.AsType[handlers.Later](err); ok {
		return later
	}
	return fmt.Errorf("who reads there is not known: %w: %w", err, handlers.Later{After: failedFor, Away: true})
}

// messageKey names one of our messages in what a press brings back.
func messageKey(p flow.Post) string { return hashed(p.Place.Lane(), p.Message) }

// sending is what was tried.
type sending int

const (
	posting sending = iota
	replying
	editing
	opens // a chat with somebody, which is the same one each time
)

// became says what an error means for the outbox, and notes what it says of a conversation. What stands beside the
// outbox's word for it is shown to people.
func (t *Teams) became(ctx context.Context, c conversation, how sending, err error) error {
	r, refused := errors.AsType[*refusal](err)
	_, later := errors.AsType[handlers.Later](err)
	switch {
	case err == nil:
		if c.Gone != "" {
			t.mark(ctx, c, "")
		}
		return nil
	case later:
		return err
	case unclear(err):
		if how == posting || how == replying {
			zerolog.Ctx(ctx).Error().Err(err).Str("channel", c.ID).Msg("a message may have arrived or not; it is not sent again")
			return fmt.Errorf("%w: Teams gave no clear answer, so it may stand there or not", handlers.ErrRefused)
		}
		if how == opens { // the message itself was not sent
			return fmt.Errorf("%w: %w", err, handlers.Later{After: failedFor, Away: true})
		}
		return err
	case !refused, r.status == http.StatusServiceUnavailable, r.status == http.StatusUnauthorized: // nothing was taken
		return fmt.Errorf("%w: %w", err, handlers.Later{After: failedFor, Away: true})
	case r.status == http.StatusTooManyRequests, r.status == http.StatusPreconditionFailed:
		return handlers.Later{After: pause(r.after)}
	case r.status == http.StatusNotFound && how == editing && r.code != notInRoster:
		return fmt.Errorf("%w: it was deleted in Teams", handlers.ErrGone)
	case r.status == http.StatusNotFound && how == replying && r.code != notInRoster:
		return fmt.Errorf("%w: it was deleted in Teams", handlers.ErrThreadGone)
	case r.status == http.StatusForbidden, r.status == http.StatusNotFound, r.status == http.StatusGone:
		why := "the bot was removed there, or blocked (" + orElse(r.code, fmt.Sprint(r.status)) + ")"
		zerolog.Ctx(ctx).Error().Err(err).Str("channel", c.ID).Msg("Teams takes nothing for this conversation")
		t.mark(ctx, c, why)
		return fmt.Errorf("%w: %s", handlers.ErrGone, why)
	case r.status == http.StatusRequestEntityTooLarge, r.status == http.StatusBadRequest:
		zerolog.Ctx(ctx).Error().Err(err).Str("channel", c.ID).Msg("Teams does not draw a card, not even in few words")
		return fmt.Errorf("%w: Teams does not draw it (%s)", handlers.ErrRefused, orElse(r.code, fmt.Sprint(r.status)))
	}
	return err
}

// notInRoster is the code of a refusal where the bot is not in a conversation any more.
const notInRoster = "BotNotInConversationRoster"

// target is the conversation of a place. What one person alone may see goes to their chat with the bot: Teams shows
// nothing in a channel to one person only (but for an answer to a press, which take.go gives).
func (t *Teams) target(ctx context.Context, p flow.Place) (conversation, error) {
	if p.Person == "" {
		return t.at(ctx, p.Channel)
	}
	id := strings.TrimPrefix(p.Person, Platform+":")
	who, err := t.whois(ctx, id)
	if err != nil {
		return conversation{}, err
	}
	if who.Chat == "" {
		if who.Chat, err = t.chatWith(ctx, id, who); err != nil {
			return conversation{}, err
		}
	}
	return t.at(ctx, who.Chat)
}

// chatWith opens the chat with somebody, which is the same one each time.
func (t *Teams) chatWith(ctx context.Context, id string, who person) (string, error) {
	if err := t.connector.pace.message(who.ID); err != nil {
		return "", err
	}
	o := t.opening()
	o.Members = []account{{who.ID}}
	var opened struct {
		ID string `json:"id"`
	}
	err := t.became(ctx, conversation{ID: who.Chat}, opens, t.connector.do(ctx, http.MethodPost, who.Service, "/v3/conversations", o, &opened))
	if err != nil {
		return "", err
	}
	err = t.conversations.change(ctx, opened.ID, func(conversation) conversation {
		return conversation{ID: opened.ID, Kind: personal, Service: who.Service, Tenant: t.config.Tenant}
	})
	if err == nil {
		err = t.people.change(ctx, id, func(p person) person {
			who.Chat, who.In, who.Zone = opened.ID, p.In, p.Zone
			return who
		})
	}
	return opened.ID, err
}

// draw is a message with its mentions, by ids from the organisation document.
func (t *Teams) draw(p flow.Post) outgoing {
	var who []mention
	for _, name := range p.Mention {
		who = append(who, mention{name, t.config.Mention(name)})
	}
	return outgoing{Type: "message", Summary: summary(p.Card), Attachments: []attachment{attach(message(p.Card, messageKey(p), who...))}}
}

// tooBig is the same in few words, for the case that Teams draws the line elsewhere.
func (t *Teams) tooBig(ctx context.Context, p flow.Post, err error) (flow.Post, bool) {
	r, ok := errors.AsType[*refusal](err)
	if !ok || r.status != http.StatusRequestEntityTooLarge && r.status != http.StatusBadRequest {
		return p, false
	}
	zerolog.Ctx(ctx).Error().Err(err).Str("message", p.Message).Msg("Teams does not draw it; sent in few words")
	p.Card = card.Card{
		Tone: p.Card.Tone, Drill: p.Card.Drill, Title: p.Card.Title, Buttons: p.Card.Buttons,
		Text: []string{"The rest does not fit into a message here."},
	}
	return p, true
}

func (t *Teams) edit(ctx context.Context, c conversation, p flow.Post, ref string) error {
	at, id := parseRef(ref)
	send := func(p flow.Post) error {
		return t.connector.do(ctx, http.MethodPut, c.Service, "/v3/conversations"+path(at)+"/activities"+path(id), t.draw(p), nil)
	}
	err := send(p)
	if smaller, ok := t.tooBig(ctx, p, err); ok {
		err = send(smaller)
	}
	return err
}

// post sends a new message: to a thread, as a new post of a channel, or to a chat, which has no threads. What everybody
// in a channel is to see is a post of its own there, and a line in its thread says so: nobody is shown the replies of a
// thread that they have no part in.
func (t *Teams) post(ctx context.Context, c conversation, p flow.Post, to handlers.Target) (string, sending, error) {
	thread, root := parseRef(to.Thread)
	threaded := c.Kind == channel && root != "" && bare(thread) == c.ID
	how, in, send := posting, c.ID, t.postIn
	switch {
	case threaded && !p.Broadcast:
		how, in = replying, thread
	case c.Kind == channel:
		send = t.postRoot
	}
	sent, err := send(ctx, c, in, t.draw(p))
	if smaller, ok := t.tooBig(ctx, p, err); ok {
		sent, err = send(ctx, c, in, t.draw(smaller))
	}
	if err == nil && threaded && p.Broadcast {
		line := flow.Post{Place: p.Place, Message: p.Message + "/line", Card: card.Card{Title: p.Card.Title, Notes: []string{"Said in the channel."}, Drill: p.Card.Drill}}
		if _, err := t.postIn(ctx, c, thread, t.draw(line)); err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Str("channel", c.ID).Msg("a thread lacks the line that says what stands in its channel")
		}
	}
	return sent, how, err
}

// postRoot begins a thread of a channel.
func (t *Teams) postRoot(ctx context.Context, c conversation, _ string, a outgoing) (string, error) {
	var sent struct {
		ID       string `json:"id"`
		Activity string `json:"activityId"`
	}
	o := t.opening()
	o.IsGroup, o.Data.Channel, o.Activity = true, &account{c.ID}, &a
	if err := t.connector.do(ctx, http.MethodPost, c.Service, "/v3/conversations", o, &sent); err != nil {
		return "", err
	}
	if sent.Activity == "" {
		_, sent.Activity, _ = strings.Cut(sent.ID, ";messageid=")
	}
	return named(c.ID+";messageid="+sent.Activity, sent.Activity)
}

// postIn goes on in a thread, or in a chat.
func (t *Teams) postIn(ctx context.Context, c conversation, in string, a outgoing) (string, error) {
	var sent struct {
		ID string `json:"id"`
	}
	if err := t.connector.do(ctx, http.MethodPost, c.Service, "/v3/conversations"+path(in)+"/activities", a, &sent); err != nil {
		return "", err
	}
	return named(in, sent.ID)
}

// named is the name of a message that was sent.
func named(conversation, id string) (string, error) {
	if id == "" {
		return "", fmt.Errorf("%w: its answer has no id", errUnclear)
	}
	return ref(conversation, id), nil
}

// watch tells those who wait for it how a message looks now: what answers a press must not be older than what
// everybody sees.
type watch struct {
	mu   sync.Mutex
	kept map[string]*watched // by the message's key, while somebody waits
}

type watched struct {
	waiting int
	card    *card.Card // nil: nothing was sent since
	changed chan struct{}
}

// begin is called before anything can be sent; end when nobody waits any more.
func (w *watch) begin(key string) (seen func() (*card.Card, <-chan struct{}), end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept == nil {
		w.kept = map[string]*watched{}
	}
	one, ok := w.kept[key]
	if !ok {
		one = &watched{changed: make(chan struct{})}
		w.kept[key] = one
	}
	one.waiting++
	seen = func() (*card.Card, <-chan struct{}) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return one.card, one.changed
	}
	return seen, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if one.waiting--; one.waiting == 0 {
			delete(w.kept, key)
		}
	}
}

func (w *watch) tell(key string, c card.Card) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one, ok := w.kept[key]; ok {
		one.card = &c
		close(one.changed)
		one.changed = make(chan struct{})
	}
}

// Pace is what the outbox keeps to for all processes together. To Teams an edit is one more operation of its conversation.
func (t *Teams) Pace(flow.Place, bool) handlers.Pace {
	return handlers.Pace{Every: messageEvery, Burst: messageBurst}
}
