package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
)

var (
	// ErrGone means that a place, or the message that was to be edited, does not exist any more or is closed to us. A message
	// that is gone is posted anew; of a place that is gone people are told.
	ErrGone = errors.New("gone")
	// ErrThreadGone means that the message is gone whose thread it is: it is posted anew, and the thread goes on there.
	ErrThreadGone = errors.New("the thread is gone")
	// ErrRefused means that the platform will never take this card: sending it again is of no use.
	ErrRefused = errors.New("refused")
)

// Later means that the platform wants to be asked again after a while, and has taken nothing.
type Later struct {
	After time.Duration
	Away  bool // it does not work at all now
}

func (l Later) Error() string { return fmt.Sprintf("asked to come back in %v", l.After) }

// Sender sends to one chat platform. Its error is a Later, ErrGone, ErrThreadGone, ErrRefused, or anything else: then
// the outcome is unknown, and the platform may be away. What the error says beside such a word is shown to people.
// A Sender may be a Finder and a Pacer too.
type Sender interface {
	Send(ctx context.Context, p flow.Post, to Target) (ref string, err error)
}

// Finder is a Sender that can look for a new message whose sending had an unknown outcome. Only what it does not find
// is sent again.
//
// ErrGone means that it will never be known: then it is not sent again either, and its outage is told.
type Finder interface {
	Find(ctx context.Context, p flow.Post, to Target) (ref string, found bool, err error)
}

// Pacer is a Sender whose platform takes only so many messages at a place, or so many edits of them.
type Pacer interface {
	Pace(at flow.Place, edit bool) Pace
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
	// Lane returns what waits for one place, in the order in which it became known. What waits never changes: known, from
	// an earlier look, is not read again.
	Lane(ctx context.Context, lane string, known []flow.Doc[flow.Post]) ([]flow.Doc[flow.Post], error)
	Sending(ctx context.Context, lane string) (flow.Doc[flow.Sending], error)
	Sent(ctx context.Context, lane, message string) (flow.Doc[flow.Sent], error)
	// Away returns since when no send to a platform worked; version 0 means that the last one did.
	Away(ctx context.Context, platform string) (flow.Doc[flow.Away], error)
	// SetAway keeps that, or that it works again where Since is zero, with what follows from it. It returns ErrConflict
	// where somebody else noticed it too.
	SetAway(ctx context.Context, platform string, d flow.Doc[flow.Away], work []flow.Work) error
	// All returns the outages, ended ones too.
	All(ctx context.Context) ([]flow.Outage, error)
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

	mu    sync.Mutex
	known map[string][]flow.Doc[flow.Post] // what waited in each lane when it was last looked at
}

// NewOutbox returns an outbox over the senders of each chat platform, by its name.
func NewOutbox(posts Posts, senders map[string]Sender) *Outbox {
	return &Outbox{posts: posts, senders: senders, known: map[string][]flow.Doc[flow.Post]{}}
}

// waiting is what waits in a lane now. A lane is looked at for each bell, also while it may not send yet.
func (o *Outbox) waiting(ctx context.Context, lane string) ([]flow.Doc[flow.Post], error) {
	o.mu.Lock()
	known := o.known[lane]
	o.mu.Unlock()
	now, err := o.posts.Lane(ctx, lane, known)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known[lane] = now; len(now) == 0 {
		delete(o.known, lane)
	}
	return now, nil
}

// forget has the next look at a lane read everything.
func (o *Outbox) forget(lane string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.known, lane)
}

const (
	unclear     = 5 * time.Second  // to wait after a send whose outcome is unknown …
	unclearMost = 40 * time.Second // … and longer each time, up to this
	ringsFor    = 2 * time.Minute  // in which a reminder has to arrive
	longAway    = 5 * time.Minute  // after which people are told what happened while a platform was away
	anewAgain   = time.Hour        // in which a thread is not begun anew once more
)

// Run sends what waits in the lane of a claimed timer. It returns when the lane falls due again; zero means that
// nothing waits. When ctx ends, the message in hand is finished and the rest left to whoever comes next.
func (o *Outbox) Run(ctx context.Context, c flow.Claim) (time.Time, error) {
	working := context.WithoutCancel(ctx)
	l := lane{outbox: o, name: strings.TrimPrefix(c.ID, flow.LaneTimers), hold: c.For}
	at, err := l.run(ctx, working, c)
	switch {
	case errors.Is(err, flow.ErrConflict):
		o.forget(l.name)
		zerolog.Ctx(ctx).Warn().Str("lane", l.name).Msg("somebody else sends here now")
		return time.Time{}, nil
	case err != nil && !l.held.IsZero(): // nobody has to wait until the hold is over
		at = time.Now().Add(time.Second)
		if again := l.rest(working, flow.Rest{Claim: c, At: at}); again == nil || errors.Is(again, flow.ErrConflict) {
			zerolog.Ctx(ctx).Warn().Err(err).Str("lane", l.name).Msg("will be taken up again")
			return at, nil
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("lane %s: %w", l.name, err)
	}
	return at, nil
}

// pace is the pace of a message: an edit where it has been sent before.
func (m message) pace() Pace {
	if p, ok := m.sender.(Pacer); ok {
		return p.Pace(m.post.Place, m.to.Ref != "")
	}
	return Pace{}
}
