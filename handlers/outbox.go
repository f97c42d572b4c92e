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

// ErrGone means that a place or a message does not exist any more: sending again is of no use.
var ErrGone = errors.New("the place is gone")

// Later means that the platform wants to be asked again after a while, and has taken nothing.
type Later struct{ After time.Duration }

func (l Later) Error() string { return fmt.Sprintf("asked to come back in %v", l.After) }

// Sender sends to one chat platform. Its error is a Later, ErrGone, or anything else: then the outcome is unknown. It may be a
// Finder and a Pacer too.
type Sender interface {
	Send(ctx context.Context, p flow.Post, to Target) (ref string, err error)
}

// Finder is a Sender that can look for a new message whose sending had an unknown outcome. Only what it does not find
// is sent again.
type Finder interface {
	Find(ctx context.Context, p flow.Post, to Target) (ref string, found bool, err error)
}

// Pacer is a Sender whose platform takes only so many messages at a place.
type Pacer interface {
	Pace(at flow.Place) Pace
}

// Pace is one message Every so often, of which the first Burst may come at once. The zero value is no limit.
type Pace struct {
	Every time.Duration
	Burst int
}

// Target is what a Sender needs to know beside the place.
type Target struct {
	Ref    string    // the message to edit; "" means a new one
	Thread string    // the message whose thread it is; "" means none
	Tried  time.Time // for a Finder: when it was sent
}

// Posts is what the outbox keeps in the store.
type Posts interface {
	// Lane returns what waits for one place, in the order in which it became known.
	Lane(ctx context.Context, lane string) ([]flow.Doc[flow.Post], error)
	Sending(ctx context.Context, lane string) (flow.Doc[flow.Sending], error)
	Sent(ctx context.Context, lane, message string) (flow.Doc[flow.Sent], error)
	// Turn saves what was sent, and who sends on. It returns the version of the lane's Sending, and ErrConflict where
	// somebody else has taken the lane.
	Turn(ctx context.Context, t flow.Turn) (uint64, error)
	// Rest ends the claim of a lane that somebody else sends, or where nothing waits.
	Rest(ctx context.Context, r flow.Rest) error
}

// Outbox is the one durable sender for all chat platforms: a lane per place, in order. Of several versions of one
// message that wait, only the newest is sent.
//
// A lane's timer is only the bell: a new post rings it, whoever claims it. The right to send is the lane's Sending
// document, which says until when it is taken. Each save of the sender extends that, at the version of its last save: a process that
// was paused for longer finds that it has lost the lane, and one send may have been under way when it was paused.
type Outbox struct {
	posts   Posts
	senders map[string]Sender
}

// NewOutbox returns an outbox over the senders of each chat platform, by its name.
func NewOutbox(posts Posts, senders map[string]Sender) *Outbox {
	return &Outbox{posts: posts, senders: senders}
}

// unclear is how long the outbox waits after a send whose outcome is unknown, and longer each time up to unclearMost.
const (
	unclear     = 5 * time.Second
	unclearMost = 40 * time.Second
)

// Run sends what waits in the lane of a claimed timer. It returns when the lane falls due again; zero means that
// nothing waits. When ctx ends, the message in hand is finished and the rest left to whoever comes next.
func (o *Outbox) Run(ctx context.Context, c flow.Claim) (time.Time, error) {
	working := context.WithoutCancel(ctx)
	l := lane{outbox: o, name: strings.TrimPrefix(c.ID, flow.LaneTimers), hold: c.For}
	at, err := l.run(ctx, working, c)
	switch {
	case errors.Is(err, flow.ErrConflict), errors.Is(err, errLate):
		zerolog.Ctx(ctx).Warn().Str("lane", l.name).Msg("somebody else sends here now")
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("lane %s: %w", l.name, err)
	}
	return at, nil
}

// lane is one run over a lane.
type lane struct {
	outbox  *Outbox
	name    string
	hold    time.Duration // for how long it is taken, as claims are
	sending flow.Doc[flow.Sending]
	held    time.Time // when it was taken; zero: not yet
}

// errLate means that too much of the hold has passed to send anything.
var errLate = errors.New("the lane may be somebody else's by now")

func (l *lane) run(stop, ctx context.Context, c flow.Claim) (time.Time, error) {
	var err error
	if l.sending, err = l.outbox.posts.Sending(ctx, l.name); err != nil {
		return time.Time{}, err
	}
	if until := l.sending.Value.Until; time.Now().Before(until) { // whoever has it rings once more if more came
		return until, l.outbox.posts.Rest(ctx, flow.Rest{Claim: c, At: until})
	}
	for {
		waiting, err := l.outbox.posts.Lane(ctx, l.name)
		if err != nil {
			return time.Time{}, err
		}
		at := l.due(waiting)
		if len(waiting) == 0 || at.After(time.Now()) || stop.Err() != nil {
			return at, l.rest(ctx, flow.Rest{Claim: c, At: at})
		}
		if err := l.next(ctx, waiting); err != nil {
			return time.Time{}, err
		}
	}
}

// due is when the first of what waits may be sent; zero where nothing does.
func (l *lane) due(waiting []flow.Doc[flow.Post]) time.Time {
	if len(waiting) == 0 {
		return time.Time{}
	}
	at := time.Now()
	if after := l.sending.Value.After; after.After(at) {
		at = after
	}
	if pace := l.outbox.pace(waiting[0].Value.Place); pace.Every > 0 {
		if free := l.sending.Value.Paid.Add(-time.Duration(max(pace.Burst, 1)-1) * pace.Every); free.After(at) {
			at = free
		}
	}
	return at
}

func (o *Outbox) pace(at flow.Place) Pace {
	if p, ok := o.senders[at.Platform].(Pacer); ok {
		return p.Pace(at)
	}
	return Pace{}
}

// rest gives the lane back.
func (l *lane) rest(ctx context.Context, r flow.Rest) error {
	if l.held.IsZero() {
		return l.outbox.posts.Rest(ctx, r)
	}
	return l.save(ctx, flow.Turn{Rest: &r})
}

// save takes the lane, or goes on having it, and records what comes with it.
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
	if err == nil {
		l.sending.Version, l.held = version, now
	}
	return err
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
	sender Sender
	posts  []flow.Doc[flow.Post] // all its versions
	post   flow.Post             // the newest
	hash   string
	sent   flow.Doc[flow.Sent]
	to     Target
}

// next sends the message that waits longest, as it is now. What may have arrived comes first.
func (l *lane) next(ctx context.Context, waiting []flow.Doc[flow.Post]) error {
	name, tried := waiting[0].Value.Message, l.sending.Value.Tried
	if tried != nil {
		name = tried.Message
	}
	m, err := l.message(ctx, name, waiting)
	switch {
	case err != nil:
		return err
	case m.sender == nil: // of a platform that is not set up any more: it would wait for ever
		zerolog.Ctx(ctx).Error().Str("lane", l.name).Str("message", name).Msg("dropped: no such chat platform is set up")
		return l.done(ctx, m, nil)
	case m.sent.Version != 0 && m.sent.Value.Card == m.hash: // it shows that already
		return l.done(ctx, m, nil)
	}
	finder, finds := m.sender.(Finder)
	if finds && tried != nil {
		return l.find(ctx, finder, m)
	}
	if finds && m.to.Ref == "" {
		l.sending.Value.Tried = &flow.Tried{Message: name, Card: m.hash, At: time.Now()}
	}
	if err := l.take(ctx, l.sending.Value.Tried != nil); err != nil {
		return err
	}
	l.pay(m.post.Place)
	ref, err := m.send(ctx, l.third())
	switch {
	case errors.Is(err, ErrGone):
		zerolog.Ctx(ctx).Error().Err(err).Str("lane", l.name).Str("message", name).Msg("could not be delivered")
		return l.done(ctx, m, nil)
	case err != nil:
		l.failed(ctx, err)
		return nil
	}
	return l.done(ctx, m, &flow.Sent{Ref: ref, Card: m.hash})
}

func (l *lane) message(ctx context.Context, name string, waiting []flow.Doc[flow.Post]) (message, error) {
	var m message
	for _, p := range waiting {
		if p.Value.Message == name {
			m.posts, m.post = append(m.posts, p), p.Value
		}
	}
	if len(m.posts) == 0 {
		return m, fmt.Errorf("message %s may have arrived, and does not wait any more", name)
	}
	var err error
	if m.hash, err = hashOf(m.post); err != nil {
		return m, err
	}
	m.sender = l.outbox.senders[m.post.Place.Platform]
	if m.sent, err = l.outbox.posts.Sent(ctx, l.name, name); err != nil {
		return m, err
	}
	m.to.Ref = m.sent.Value.Ref
	if m.post.Place.Thread != "" {
		parent, err := l.outbox.posts.Sent(ctx, l.name, m.post.Place.Thread)
		if err != nil {
			return m, err
		}
		m.to.Thread = parent.Value.Ref
	}
	return m, nil
}

func (m message) send(ctx context.Context, most time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return m.sender.Send(ctx, m.post, m.to)
}

// done takes a message off the lane. A nil sent means that it went nowhere.
func (l *lane) done(ctx context.Context, m message, sent *flow.Sent) error {
	l.sending.Value.Tried, l.sending.Value.Failed = nil, 0
	t := flow.Turn{Done: m.posts, Message: m.post.Message}
	if sent != nil {
		t.Sent = &flow.Doc[flow.Sent]{Version: m.sent.Version, Value: *sent}
	}
	return l.save(ctx, t)
}

// failed sets when to try again.
func (l *lane) failed(ctx context.Context, err error) {
	s := &l.sending.Value
	if later, ok := errors.AsType[Later](err); ok {
		s.Tried, s.After = nil, time.Now().Add(later.After)
		return
	}
	zerolog.Ctx(ctx).Warn().Err(err).Str("lane", l.name).Msg("not sent, will be tried again")
	s.After = time.Now().Add(min(unclear<<min(s.Failed, 10), unclearMost))
	s.Failed++
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
	if err != nil {
		l.failed(ctx, err)
		l.sending.Value.Tried = &tried // still nobody knows
		return nil
	}
	l.sending.Value.Tried = nil
	t := flow.Turn{Message: tried.Message}
	if found {
		t.Sent = &flow.Doc[flow.Sent]{Version: m.sent.Version, Value: flow.Sent{Ref: ref, Card: tried.Card}}
	}
	return l.save(ctx, t)
}

// pay counts a send against the pace of a place.
func (l *lane) pay(at flow.Place) {
	if pace := l.outbox.pace(at); pace.Every > 0 {
		paid := l.sending.Value.Paid
		if now := time.Now(); paid.Before(now) {
			paid = now
		}
		l.sending.Value.Paid = paid.Add(pace.Every)
	}
}

func hashOf(p flow.Post) (string, error) {
	data, err := json.Marshal(p.Card)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), err
}
