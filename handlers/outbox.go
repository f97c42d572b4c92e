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

// Later means that the platform wants to be asked again after a while.
type Later struct{ After time.Duration }

func (l Later) Error() string { return fmt.Sprintf("asked to come back in %v", l.After) }

// Sender sends to one chat platform. Its error is a Later, ErrGone, or anything else: then the outcome is unknown.
type Sender interface {
	Send(ctx context.Context, p flow.Post, to Target) (ref string, err error)
}

// Target is what a Sender needs to know beside the place.
type Target struct {
	Ref    string // the message to edit; "" means a new one
	Thread string // the message whose thread it is; "" means none
}

// Posts is what the outbox keeps in the store.
type Posts interface {
	// Lane returns what waits for one place, in the order in which it became known.
	Lane(ctx context.Context, lane string) ([]flow.Doc[flow.Post], error)
	Sent(ctx context.Context, lane, message string) (flow.Doc[flow.Sent], error)
	// Delivered takes posts off the lane and keeps where the message went. A nil sent means that it went nowhere.
	Delivered(ctx context.Context, lane, message string, posts []flow.Doc[flow.Post], sent *flow.Doc[flow.Sent]) error
	// Rest ends a claim on a lane: its timer is set to at, or removed where at is zero and nothing came meanwhile.
	Rest(ctx context.Context, c flow.Claim, at time.Time) error
}

// Outbox is the one durable sender for all chat platforms: a lane per place, in order. Of several versions of one
// message that wait, only the newest is sent.
type Outbox struct {
	posts   Posts
	senders map[string]Sender
}

// NewOutbox returns an outbox over the senders of each chat platform, by its name.
func NewOutbox(posts Posts, senders map[string]Sender) *Outbox {
	return &Outbox{posts: posts, senders: senders}
}

// unclear is how long the outbox waits after a send whose outcome is unknown.
const unclear = 5 * time.Second

// Run sends what waits in the lane of a claimed timer.
func (o *Outbox) Run(ctx context.Context, c flow.Claim) error {
	lane := strings.TrimPrefix(c.ID, flow.LaneTimers)
	for {
		waiting, err := o.posts.Lane(ctx, lane)
		if err != nil {
			return fmt.Errorf("lane %s: %w", lane, err)
		}
		if len(waiting) == 0 {
			return o.posts.Rest(ctx, c, time.Time{})
		}
		err = o.first(ctx, lane, waiting)
		var later Later
		switch {
		case errors.As(err, &later):
			return o.posts.Rest(ctx, c, time.Now().Add(later.After))
		case err != nil:
			zerolog.Ctx(ctx).Warn().Err(err).Str("lane", lane).Msg("not sent, will be tried again")
			return o.posts.Rest(ctx, c, time.Now().Add(unclear))
		}
	}
}

// first sends the message that waits longest, as it is now.
func (o *Outbox) first(ctx context.Context, lane string, waiting []flow.Doc[flow.Post]) error {
	message := waiting[0].Value.Message
	var same []flow.Doc[flow.Post]
	for _, p := range waiting {
		if p.Value.Message == message {
			same = append(same, p)
		}
	}
	post := same[len(same)-1].Value
	sender, ok := o.senders[post.Place.Platform]
	if !ok { // of a platform that is not set up any more: it would wait for ever
		zerolog.Ctx(ctx).Error().Str("lane", lane).Str("message", message).Msg("dropped: no such chat platform is set up")
		return o.posts.Delivered(ctx, lane, message, same, nil)
	}
	sent, err := o.posts.Sent(ctx, lane, message)
	if err != nil {
		return err
	}
	to := Target{Ref: sent.Value.Ref}
	if post.Place.Thread != "" {
		parent, err := o.posts.Sent(ctx, lane, post.Place.Thread)
		if err != nil {
			return err
		}
		to.Thread = parent.Value.Ref
	}
	hash, err := hashOf(post)
	if err != nil {
		return err
	}
	if sent.Version != 0 && sent.Value.Card == hash {
		return o.posts.Delivered(ctx, lane, message, same, nil)
	}
	ref, err := sender.Send(ctx, post, to)
	if errors.Is(err, ErrGone) {
		zerolog.Ctx(ctx).Error().Err(err).Str("lane", lane).Str("message", message).Msg("could not be delivered")
		return o.posts.Delivered(ctx, lane, message, same, nil)
	}
	if err != nil {
		return err
	}
	sent.Value = flow.Sent{Ref: ref, Card: hash}
	return o.posts.Delivered(ctx, lane, message, same, &sent)
}

func hashOf(p flow.Post) (string, error) {
	data, err := json.Marshal(p.Card)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), err
}
