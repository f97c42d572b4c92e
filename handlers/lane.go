package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
)

// lane is one run over a lane.
type lane struct {
	outbox  *Outbox
	name    string
	hold    time.Duration // for how long it is taken, as claims are
	sending flow.Doc[flow.Sending]
	saved   flow.Sending // as the store has it
	held    time.Time    // when it was taken; zero: not yet

	edits map[string]bool // reminders that stand there already: what waits of them rings nowhere, and is never late
}

// errLate means that too much of the hold has passed to send anything.
var errLate = errors.New("the lane may be somebody else's by now")

func (l *lane) run(stop, ctx context.Context, c flow.Claim) (time.Time, error) {
	var err error
	if l.sending, err = l.outbox.posts.Sending(ctx, l.name); err != nil {
		return time.Time{}, err
	}
	l.saved = l.sending.Value
	if until := l.sending.Value.Until; time.Now().Before(until) { // whoever has it rings once more if more came
		return until, l.outbox.posts.Rest(ctx, flow.Rest{Claim: c, At: until})
	}
	for {
		waiting, err := l.outbox.waiting(ctx, l.name)
		if err != nil {
			return time.Time{}, err
		}
		if late, ok := l.overdue(waiting); ok {
			if err := l.late(ctx, late, waiting); err != nil {
				return time.Time{}, err
			}
			continue
		}
		m, at, err := l.next(ctx, waiting)
		if err != nil {
			return time.Time{}, err
		}
		if len(waiting) == 0 || at.After(time.Now()) || stop.Err() != nil {
			at = l.look(at, waiting)
			return at, l.rest(ctx, flow.Rest{Claim: c, At: at})
		}
		if err := l.send(ctx, m); err != nil {
			return time.Time{}, err
		}
	}
}

// newest says of each message that waits which of its versions is the newest.
func newest(waiting []flow.Doc[flow.Post]) map[string]flow.Post {
	out := map[string]flow.Post{}
	for _, p := range waiting {
		out[p.Value.Message] = p.Value
	}
	return out
}

// overdue is a reminder that has waited too long.
func (l *lane) overdue(waiting []flow.Doc[flow.Post]) (string, bool) {
	for name, p := range newest(waiting) {
		if p.Rings && !l.edits[name] && time.Since(p.At) >= ringsFor {
			return name, true
		}
	}
	return "", false
}

// late takes a reminder off the lane that did not arrive in time, and says so: it is given in another way. Where it
// stands there already, only as it was before, it waits for its turn like any other.
func (l *lane) late(ctx context.Context, name string, waiting []flow.Doc[flow.Post]) error {
	m, err := l.message(ctx, name, waiting)
	switch {
	case err != nil:
		return err
	case m.to.Ref != "":
		if l.edits == nil {
			l.edits = map[string]bool{}
		}
		l.edits[name] = true
		return nil
	}
	zerolog.Ctx(ctx).Warn().Str("lane", l.name).Str("message", name).Msg("a reminder did not arrive in time")
	return l.drop(ctx, m, flow.Undelivered{Late: true})
}

// next is what is sent next, and when it may be; zero where nothing waits.
func (l *lane) next(ctx context.Context, waiting []flow.Doc[flow.Post]) (message, time.Time, error) {
	if len(waiting) == 0 {
		return message{}, time.Time{}, nil
	}
	at := time.Now()
	if after := l.sending.Value.After; after.After(at) {
		return message{}, after, nil
	}
	m, err := l.first(ctx, waiting)
	if err != nil {
		return message{}, time.Time{}, err
	}
	if pace := m.pace(); pace.Every > 0 {
		if free := l.sending.Value.Paid.Add(-time.Duration(max(pace.Burst, 1)-1) * pace.Every); free.After(at) {
			at = free
		}
	}
	return m, at, nil
}

// look is when somebody has to look at the lane again: when it is due, or when a reminder is late.
func (l *lane) look(due time.Time, waiting []flow.Doc[flow.Post]) time.Time {
	for name, p := range newest(waiting) {
		if late := p.At.Add(ringsFor); p.Rings && !l.edits[name] && late.Before(due) {
			due = late
		}
	}
	return due
}

// rest gives the lane back.
func (l *lane) rest(ctx context.Context, r flow.Rest) error {
	if l.held.IsZero() {
		return l.outbox.posts.Rest(ctx, r)
	}
	return l.save(ctx, flow.Turn{Rest: &r})
}

// save takes the lane, or goes on having it, and records what comes with it. What could not be saved is forgotten: above
// all, what was sent stays something that was tried, and is looked for.
func (l *lane) save(ctx context.Context, t flow.Turn) error {
	ctx, cancel := context.WithTimeout(ctx, l.third())
	defer cancel()
	now := time.Now()
	l.sending.Value.Until = time.Time{}
	if t.Rest == nil {
		l.sending.Value.Until = now.Add(l.hold)
	}
	t.Lane, t.Sending = l.name, l.sending
	version, err := l.outbox.posts.Turn(ctx, t)
	if err != nil {
		l.sending.Value = l.saved
		return err
	}
	l.sending.Version, l.saved, l.held = version, l.sending.Value, now
	return nil
}

// third is how long a send may take, and how long after the last save it may begin. A third of the hold is left for
// clocks that differ.
func (l *lane) third() time.Duration { return l.hold / 3 }

// fresh looks at both clocks: the monotonic one stands still while a virtual machine is suspended.
func (l *lane) fresh() bool {
	now := time.Now()
	return !l.held.IsZero() && now.Sub(l.held) < l.third() && now.Round(0).Sub(l.held.Round(0)) < l.third()
}

// take makes sure that the lane is ours for as long as a send takes; record says that something has to be written down
// before.
func (l *lane) take(ctx context.Context, record bool) error {
	if record || !l.fresh() {
		if err := l.save(ctx, flow.Turn{}); err != nil {
			return err
		}
		if !l.fresh() { // that took so long that somebody else may have it
			return errLate
		}
	}
	return nil
}

// message is what waits of one message.
type message struct {
	name   string
	sender Sender
	posts  []flow.Doc[flow.Post] // all its versions; none: it is posted anew because its thread goes on
	post   flow.Post             // the newest
	hash   string
	sent   flow.Doc[flow.Sent]
	to     Target
	parent flow.Doc[flow.Sent] // of the message whose thread it is
}

// message reads what is known of a message.
func (l *lane) message(ctx context.Context, name string, waiting []flow.Doc[flow.Post]) (message, error) {
	m := message{name: name}
	for _, p := range waiting {
		if p.Value.Message == name {
			m.posts, m.post = append(m.posts, p), p.Value
		}
	}
	var err error
	if m.sent, err = l.outbox.posts.Sent(ctx, l.name, name); err != nil {
		return m, err
	}
	if len(m.posts) == 0 && m.sent.Value.Root != nil {
		at := waiting[0].Value.Place
		at.Thread, at.In = "", ""
		m.post = flow.Post{ID: "anew/" + waiting[0].Value.ID, Place: at, Message: name, Card: *m.sent.Value.Root, Quiet: true}
	}
	m.sender = l.outbox.senders[m.post.Place.Platform]
	m.to.Ref = m.sent.Value.Ref
	if m.hash, err = hashOf(m.post); err != nil {
		return m, err
	}
	if m.post.Place.Thread != "" {
		if m.parent, err = l.outbox.posts.Sent(ctx, l.name, m.post.Place.Thread); err != nil {
			return m, err
		}
		m.to.Thread = m.parent.Value.Ref
	}
	return m, nil
}

// send sends one message as it is now.
func (l *lane) send(ctx context.Context, m message) error {
	tried := l.sending.Value.Tried
	switch finder, finds := m.sender.(Finder); {
	case m.sender == nil: // of a platform that is not set up any more: it would wait for ever
		zerolog.Ctx(ctx).Error().Str("lane", l.name).Str("message", m.name).Msg("dropped: no such chat platform is set up")
		return l.drop(ctx, m, flow.Undelivered{Why: "no such chat platform is set up any more"})
	case m.sent.Value.Card == m.hash: // it shows that already
		return l.done(ctx, m, nil)
	case finds && tried != nil:
		return l.find(ctx, finder, m)
	case m.to.Ref == "" && m.post.Closes: // nobody ever saw it open
		return l.done(ctx, m, nil)
	case finds && m.to.Ref == "":
		l.sending.Value.Tried = &flow.Tried{Message: m.name, Card: m.hash, At: time.Now()}
	}
	if err := l.take(ctx, l.sending.Value.Tried != nil); err != nil {
		return err
	}
	l.pay(m.pace())
	ref, err := m.send(ctx, l.third())
	switch {
	case err == nil:
		return l.arrived(ctx, m, ref)
	case errors.Is(err, ErrThreadGone) && m.post.Place.Thread != "":
		return l.anew(ctx, m)
	case errors.Is(err, ErrGone) && m.to.Ref != "":
		delete(l.edits, m.name)
		return l.set(ctx, m.name, m.sent, flow.Sent{Root: m.sent.Value.Root}) // it is posted anew
	case errors.Is(err, ErrGone), errors.Is(err, ErrThreadGone), errors.Is(err, ErrRefused):
		zerolog.Ctx(ctx).Error().Err(err).Str("lane", l.name).Str("message", m.name).Msg("cannot be delivered")
		return l.drop(ctx, m, flow.Undelivered{Why: why(err)})
	}
	return l.failed(ctx, m, err)
}

// first chooses what is sent next: what may have arrived; where messages have waited for long, how things are now;
// else what waits longest. Before a message in a thread that is gone comes the one whose thread it is.
func (l *lane) first(ctx context.Context, waiting []flow.Doc[flow.Post]) (message, error) {
	name := waiting[0].Value.Message
	if at := waiting[0].Value.At; !at.IsZero() && time.Since(at) > longAway {
		for _, p := range waiting {
			if flow.Rank(p.Value.Message) < flow.Rank(name) {
				name = p.Value.Message
			}
		}
	}
	if tried := l.sending.Value.Tried; tried != nil {
		name = tried.Message
	}
	m, err := l.message(ctx, name, waiting)
	if err == nil && l.sending.Value.Tried == nil && lost(m.parent.Value) {
		return l.message(ctx, m.post.Place.Thread, waiting)
	}
	return m, err
}

// lost reports whether a message was there and is gone, and can be posted anew.
func lost(s flow.Sent) bool { return s.Ref == "" && s.Card == "" && s.Root != nil }

func (m message) send(ctx context.Context, most time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return m.sender.Send(ctx, m.post, m.to)
}

// why is what an error says beside our own word for it.
func why(err error) string {
	text := err.Error()
	for _, word := range []error{ErrGone, ErrThreadGone, ErrRefused} {
		text = strings.TrimPrefix(strings.TrimSuffix(text, ": "+word.Error()), word.Error()+": ")
	}
	return text
}

// arrived writes down where a message went, as it is now.
func (l *lane) arrived(ctx context.Context, m message, ref string) error {
	sent := flow.Sent{Ref: ref, Card: m.hash, Anew: m.sent.Value.Anew}
	if ref != "" && m.post.Place.Thread == "" && m.post.Place.Person == "" {
		sent.Root = &m.post.Card
	}
	if err := l.done(ctx, m, &sent); err != nil {
		return err
	}
	return l.works(ctx, m.post.Place.Platform)
}

// done takes a message off the lane. A nil sent means that it went nowhere.
func (l *lane) done(ctx context.Context, m message, sent *flow.Sent) error {
	l.sending.Value.Tried, l.sending.Value.Failed = nil, 0
	t := flow.Turn{Done: m.posts, Message: m.name}
	if sent != nil {
		t.Sent = &flow.Doc[flow.Sent]{Version: m.sent.Version, Value: *sent}
	}
	return l.save(ctx, t)
}

// drop takes a message off the lane that does not arrive, and tells who has to know in the same save.
func (l *lane) drop(ctx context.Context, m message, u flow.Undelivered) error {
	if t := l.sending.Value.Tried; t != nil && t.Message == m.name {
		l.sending.Value.Tried = nil
	}
	t := flow.Turn{Done: m.posts, Message: m.name}
	if len(m.posts) == 0 { // it could not be posted anew: the thread goes on without it
		t.Sent = &flow.Doc[flow.Sent]{Version: m.sent.Version}
	}
	if u.Outage = flow.OutageOf(m.name); flow.Missed(m.name) && len(m.posts) > 0 {
		u.Message, u.Place, u.Mention, u.Rings = m.name, m.post.Place, m.post.Mention, m.post.Rings
		now := time.Now()
		e := flow.Event{ID: "undelivered/" + short([]byte(m.post.ID)), At: now, What: u} // ids must not grow with each repeat
		t.Work = []flow.Work{{ID: e.ID, Event: &e, After: now.Truncate(time.Millisecond)}}
	}
	return l.save(ctx, t)
}

// set writes down what became of a message, and leaves what waits of it on the lane.
func (l *lane) set(ctx context.Context, name string, was flow.Doc[flow.Sent], now flow.Sent) error {
	l.sending.Value.Tried = nil
	return l.save(ctx, flow.Turn{Message: name, Sent: &flow.Doc[flow.Sent]{Version: was.Version, Value: now}})
}

// anew begins a thread anew that is gone. One that is gone again soon goes on in the channel.
func (l *lane) anew(ctx context.Context, m message) error {
	now := flow.Sent{Root: m.parent.Value.Root, Anew: time.Now()}
	if time.Since(m.parent.Value.Anew) < anewAgain {
		now = flow.Sent{Anew: m.parent.Value.Anew}
	}
	return l.set(ctx, m.post.Place.Thread, m.parent, now)
}

// failed sets when to try again. Where the outcome is unknown it remembers since when the platform may be away.
func (l *lane) failed(ctx context.Context, m message, err error) error {
	s := &l.sending.Value
	switch later, ok := errors.AsType[Later](err); {
	case ok && !later.Away:
		s.Tried, s.After = nil, time.Now().Add(later.After)
		return nil
	case ok:
		s.Tried, s.After = nil, time.Now().Add(later.After)
	default:
		s.After = time.Now().Add(min(unclear<<min(s.Failed, 10), unclearMost))
		s.Failed++
	}
	zerolog.Ctx(ctx).Warn().Err(err).Str("lane", l.name).Msg("not sent, will be tried again")
	away, err := l.outbox.posts.Away(ctx, m.post.Place.Platform)
	now := time.Now()
	if err != nil || now.Sub(away.Value.Last) < time.Minute {
		return err
	}
	if away.Value.Last = now; away.Version == 0 {
		away.Value.Since = now
	}
	return unlessNoticed(l.outbox.posts.SetAway(ctx, m.post.Place.Platform, away, nil))
}

// unlessNoticed is the error of SetAway, unless somebody else noticed the same.
func unlessNoticed(err error) error {
	if errors.Is(err, flow.ErrConflict) {
		return nil
	}
	return err
}

// works notices that a platform works again. After a longer absence it tells the outages, and gives them a moment: what
// they say about it comes before the rest.
func (l *lane) works(ctx context.Context, platform string) error {
	away, err := l.outbox.posts.Away(ctx, platform)
	if err != nil || away.Version == 0 {
		return err
	}
	from, to, now := away.Value.Since, away.Value.Last, time.Now()
	if now.Sub(to) < 3*time.Minute { // it was tried all the time
		to = now
	}
	var work []flow.Work
	if to.Sub(from) > longAway {
		all, err := l.outbox.posts.All(ctx)
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.Ended == nil || o.Ended.At.After(from) {
				e := flow.Event{
					ID: fmt.Sprintf("returned/%s/%d/%s", platform, from.UnixMilli(), o.ID), At: now,
					What: flow.Returned{Outage: o.ID, Platform: platform, From: from, To: to},
				}
				work = append(work, flow.Work{ID: e.ID, Event: &e, After: now.Truncate(time.Millisecond)})
			}
		}
		l.sending.Value.After = now.Add(time.Second)
	}
	away.Value = flow.Away{}
	return unlessNoticed(l.outbox.posts.SetAway(ctx, platform, away, work))
}

// find looks for a new message that may have arrived. Its newest version follows, as an edit or as it would have been.
func (l *lane) find(ctx context.Context, finder Finder, m message) error {
	if err := l.take(ctx, false); err != nil {
		return err
	}
	tried := *l.sending.Value.Tried
	m.to.Tried = tried.At
	look, cancel := context.WithTimeout(ctx, l.third())
	ref, found, err := finder.Find(look, m.post, m.to)
	cancel()
	never := errors.Is(err, ErrGone)
	switch {
	case never && tried.Card == m.hash: // once too few, and said so, rather than twice
		zerolog.Ctx(ctx).Error().Err(err).Str("lane", l.name).Str("message", m.name).Msg("nobody can tell whether it arrived; it is not sent again")
		return l.drop(ctx, m, flow.Undelivered{Why: "I cannot see whether it arrived (" + why(err) + ")"})
	case never, errors.Is(err, ErrThreadGone): // another version waits, or all of the thread is gone
		l.sending.Value.Tried = nil
		return l.save(ctx, flow.Turn{})
	case err != nil:
		err = l.failed(ctx, m, err)
		l.sending.Value.Tried = &tried // still nobody knows
		return err
	case !found:
		l.sending.Value.Tried = nil
		return l.save(ctx, flow.Turn{})
	case tried.Card != m.hash:
		now := m.sent.Value
		now.Ref, now.Card = ref, tried.Card
		return l.set(ctx, m.name, m.sent, now)
	}
	return l.arrived(ctx, m, ref)
}

// pay counts a send against the pace of its place.
func (l *lane) pay(pace Pace) {
	if pace.Every > 0 {
		paid := l.sending.Value.Paid
		if now := time.Now(); paid.Before(now) {
			paid = now
		}
		l.sending.Value.Paid = paid.Add(pace.Every)
	}
}

func hashOf(p flow.Post) (string, error) {
	data, err := json.Marshal(p.Card)
	return short(data), err
}

func short(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
