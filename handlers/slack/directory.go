package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/flow"
)

const (
	freshFor  = 5 * time.Minute  // how long what Slack said of people, groups and channels is taken for true
	failedFor = 15 * time.Second // how long Slack is not asked again after it did not answer
	sharedFor = time.Hour        // how long the last word on who reads a channel counts while there is none
	lastKnown = 24 * time.Hour   // how long the last known members of a group may restore
)

// directory is flow.Directory for one workspace: what Slack says, kept for some minutes.
type directory struct {
	api    *slackgo.Client
	team   func(context.Context) (workspace, error)
	groups []Group
	now    func() time.Time

	users    cache[slackgo.User]
	members  cache[[]string]
	channels cache[bool]
}

// Account looks somebody up.
func (d *directory) Account(ctx context.Context, id string) (flow.Account, error) {
	home, err := d.team(ctx)
	if err != nil {
		return flow.Account{}, err
	}
	user, err := d.user(ctx, id)
	if isOneOf(err, "user_not_found", "user_not_visible") {
		return flow.Account{}, nil
	}
	full := !user.Deleted && !user.IsRestricted && !user.IsUltraRestricted && !user.IsStranger && !user.IsBot && home.has(user)
	if err != nil {
		return flow.Account{Restorer: (user.ID == "" || full) && d.wasIn(id)}, err
	}
	a := flow.Account{
		Name: cmp.Or(user.Profile.DisplayName, user.Profile.RealName, user.RealName, user.Name, id), Zone: user.TZ, Member: full,
	}
	if user.IsEmailConfirmed {
		a.Email = user.Profile.Email
	}
	for _, g := range d.groups {
		now, fresh, err := d.members.get(ctx, d.now, g.ID, func(ctx context.Context) ([]string, error) {
			return d.api.GetUserGroupMembersContext(ctx, g.ID)
		})
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Str("group", g.Name).Msg("a user group cannot be looked up")
			a.Unknown = "the members of @" + g.Name + " cannot be looked up right now"
		}
		in := slices.Contains(now, id)
		a.Responder = a.Responder || in && fresh
		a.Restorer = a.Restorer || in
	}
	if a.Responder {
		a.Unknown = ""
	}
	return a, nil
}

// wasIn reports whether somebody was in a group of responders within a day, as far as is known without asking.
func (d *directory) wasIn(id string) bool {
	return slices.ContainsFunc(d.groups, func(g Group) bool {
		last, ok := d.members.since(g.ID, d.now().Add(-lastKnown))
		return ok && slices.Contains(last, id)
	})
}

// Groups reports whether there are user groups of responders.
func (d *directory) Groups() bool { return len(d.groups) > 0 }

func (d *directory) user(ctx context.Context, id string) (slackgo.User, error) {
	u, _, err := d.users.get(ctx, d.now, id, func(ctx context.Context) (slackgo.User, error) {
		u, err := d.api.GetUserInfoContext(ctx, id)
		if err != nil {
			return slackgo.User{}, fmt.Errorf("look up %s: %w", id, err)
		}
		return *u, nil
	})
	return u, err
}

// Outside reports whether people of other organisations read a channel. An error means that Slack may say it later. A
// channel that Slack tells the bot nothing about counts as shared. What Slack said within the hour counts while it does
// not answer: it tells the bot when a channel is shared.
func (d *directory) Outside(ctx context.Context, channel string) (bool, error) {
	if isDirect(channel) {
		return false, nil
	}
	shared, _, err := d.channels.get(ctx, d.now, channel, func(ctx context.Context) (bool, error) {
		c, err := d.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: channel})
		if err != nil {
			return true, err
		}
		return c.IsExtShared || c.IsPendingExtShared, nil
	})
	if isOneOf(err, "channel_not_found", "missing_scope") {
		zerolog.Ctx(ctx).Warn().Err(err).Str("channel", channel).Msg("Slack does not say whether a channel is shared outside; it is treated as if")
		return true, nil
	}
	if last, ok := d.channels.since(channel, d.now().Add(-sharedFor)); err != nil && ok {
		return last, nil
	}
	return shared, err
}

// forget drops what is known of somebody, of the groups, or of a channel: Slack said that it has changed.
func (d *directory) forget(id string) {
	d.users.drop(id)
	d.members.stale(id)
	d.channels.drop(id)
}

// isDirect reports whether a channel is a direct message with the bot.
func isDirect(channel string) bool { return len(channel) > 0 && channel[0] == 'D' }

// isOneOf reports whether Slack answered with one of these errors.
func isOneOf(err error, names ...string) bool {
	answer, ok := errors.AsType[slackgo.SlackErrorResponse](err)
	return ok && slices.Contains(names, answer.Err)
}

// cache keeps what was asked for. One that cannot be asked anew is given out with the error, for a day.
type cache[T any] struct {
	mu   sync.Mutex
	kept map[string]kept[T]
}

type kept[T any] struct {
	value  T
	at     time.Time // of the value; zero: there is none
	failed time.Time // when asking did not work last
	err    error
}

// get returns a value and whether it is fresh. With an error it may return one that is not older than a day.
func (c *cache[T]) get(ctx context.Context, clock func() time.Time, key string, ask func(context.Context) (T, error)) (T, bool, error) {
	now := clock()
	c.mu.Lock()
	k := c.kept[key]
	c.mu.Unlock()
	if !k.at.IsZero() && now.Sub(k.at) < freshFor {
		return k.value, true, nil
	}
	switch err := ctx.Err(); {
	case k.err != nil && now.Sub(k.failed) < failedFor:
	case err != nil: // there was no time to ask
		k.err = err
	default:
		if value, err := ask(ctx); err == nil {
			k = kept[T]{value: value, at: now}
		} else {
			k.failed, k.err = clock(), err // it may have taken long not to answer
		}
		c.mu.Lock()
		if c.kept == nil {
			c.kept = map[string]kept[T]{}
		}
		c.kept[key] = k
		c.mu.Unlock()
	}
	if k.at.IsZero() || now.Sub(k.at) >= lastKnown {
		var none T
		return none, false, k.err
	}
	return k.value, k.err == nil, k.err
}

// since returns a value that is not older.
func (c *cache[T]) since(key string, at time.Time) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[key]
	return k.value, k.at.After(at)
}

func (c *cache[T]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, key)
}

// stale has a value asked for anew the next time, and keeps it in case that fails.
func (c *cache[T]) stale(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.kept[key]; ok {
		k.at, k.err = k.at.Add(-freshFor), nil
		c.kept[key] = k
	}
}
