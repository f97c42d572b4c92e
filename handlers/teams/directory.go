package teams

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
	"switchback/handlers"
)

const (
	freshFor  = 5 * time.Minute  // how long what Teams said of people and channels is taken for true
	failedFor = 15 * time.Second // how long Teams is not asked again after it did not answer
	sharedFor = time.Hour        // how long the last word on who reads a conversation counts while there is none
	mostPages = 20               // of a channel's members; with more of them nobody knows who reads along
	pageSize  = 500
)

// directory is flow.Directory for one tenant: what Teams says, kept for some minutes.
type directory struct {
	teams *Teams
	now   func() time.Time

	members  cache[flow.Account]
	outside  cache[readers]
	channels cache[[]channelInfo]
}

// memberInfo is somebody in a conversation.
// https://learn.microsoft.com/microsoftteams/platform/bots/how-to/get-teams-context
type memberInfo struct {
	Name     string `json:"name"`
	Object   string `json:"aadObjectId"`
	ObjectID string `json:"objectId"` // in older answers
	UPN      string `json:"userPrincipalName"`
	Tenant   string `json:"tenantId"`
	Role     string `json:"userRole"`
}

// ours reports whether somebody is a full member of the tenant: none of another, and no guest.
func (m memberInfo) ours(tenant string) bool {
	return strings.EqualFold(m.Tenant, tenant) && m.Role == "user" && !strings.Contains(m.UPN, "#EXT#")
}

// Account looks somebody up, by their object in Entra, where they were seen.
//
// It has no Email: somebody is one of the people of the organisation document by their object id alone. What Teams says
// of mail proves nobody. A user principal name is a login, which needs no mailbox, changes with a marriage, and is given
// to somebody else when it is free; mail is a text that whoever administers accounts writes. An object id is never given
// twice.
func (d *directory) Account(ctx context.Context, id string) (flow.Account, error) {
	if !IsID(id) { // an account that Teams gave no object for: none of the organisation's
		return flow.Account{}, nil
	}
	return d.members.get(ctx, d.now, id, func(ctx context.Context) (flow.Account, error) { return d.ask(ctx, id) })
}

// Groups says no: in Teams somebody is a responder by name, or by a group of Slack.
func (d *directory) Groups() bool { return false }

func (d *directory) ask(ctx context.Context, id string) (flow.Account, error) {
	who, err := d.teams.whois(ctx, id)
	if err != nil {
		return flow.Account{}, err
	}
	err = errors.New("never seen in Teams")
	for _, in := range []string{who.Chat, who.In} {
		if in == "" {
			continue
		}
		var m memberInfo
		if err = d.teams.connector.pace.read(ctx, in); err != nil {
			return flow.Account{}, err
		}
		err = d.teams.connector.do(ctx, http.MethodGet, who.Service, "/v3/conversations"+path(in)+"/members"+path(who.ID), nil, &m)
		if err == nil && !strings.EqualFold(cmp.Or(m.Object, m.ObjectID), id) {
			err = errors.New("Teams named somebody else")
		}
		if err != nil {
			continue
		}
		return flow.Account{Name: orElse(plain(m.Name), id), Zone: who.Zone, Member: m.ours(d.teams.config.Tenant)}, nil
	}
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound {
		return flow.Account{}, nil
	}
	return flow.Account{}, err
}

// readers are those who read a conversation.
type readers struct {
	team    string
	outside bool // some are of other organisations
}

// errNoWord means that Teams will not say who reads a conversation, however often it is asked.
var errNoWord = errors.New("Teams does not say who reads there")

// Outside reports whether people of other organisations read a conversation: a channel is shared, or has guests. Where
// the bot is not any more counts as one: nothing can be done there.
func (d *directory) Outside(ctx context.Context, id string) (bool, error) {
	outside, err := d.whoReads(ctx, id)
	if never(err) {
		return true, nil
	}
	return outside, err
}

// whoReads asks who reads a conversation: an error means that Teams may say it later. What it said within the hour counts
// while it does not answer: it tells the bot when somebody comes.
func (d *directory) whoReads(ctx context.Context, id string) (outside bool, err error) {
	read, err := d.outside.get(ctx, d.now, id, func(ctx context.Context) (readers, error) { return d.readers(ctx, id) })
	switch last, ok := d.outside.since(id, d.now().Add(-sharedFor)); {
	case err == nil:
		return read.outside, nil
	case errors.Is(err, errNoWord):
		zerolog.Ctx(ctx).Warn().Err(err).Str("channel", id).Msg("it is treated as if people of other organisations read there")
		return true, nil
	case ok && !never(err):
		return last.outside, nil
	}
	return true, err
}

// never reports whether Teams refused for good: the bot is not there any more.
func never(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && (r.status == http.StatusForbidden || r.status == http.StatusNotFound || r.status == http.StatusGone)
}

// readers asks Teams who reads a conversation.
func (d *directory) readers(ctx context.Context, id string) (readers, error) {
	c, err := d.teams.at(ctx, id)
	if err != nil || c.Kind == personal {
		return readers{}, err
	}
	out := readers{team: c.Team}
	if c.Kind == channel {
		info, err := d.channel(ctx, c)
		if err != nil {
			return out, err
		}
		if info.Type == "shared" {
			out.outside = true
			return out, nil
		}
	}
	next := ""
	for range mostPages {
		var page struct {
			Members []memberInfo `json:"members"`
			Next    string       `json:"continuationToken"`
		}
		if err := d.teams.connector.pace.read(ctx, id); err != nil {
			return out, err
		}
		query := url.Values{"pageSize": {"500"}}
		if next != "" {
			query.Set("continuationToken", next)
		}
		if err := d.teams.connector.do(ctx, http.MethodGet, c.Service, "/v3/conversations"+path(id)+"/pagedmembers?"+query.Encode(), nil, &page); err != nil {
			return out, err
		}
		if slices.ContainsFunc(page.Members, func(m memberInfo) bool { return !m.ours(d.teams.config.Tenant) }) {
			out.outside = true
			return out, nil
		}
		if next = page.Next; next == "" {
			out.outside = len(page.Members) == 0
			return out, nil
		}
	}
	return out, fmt.Errorf("%w: too many people", errNoWord)
}

// channelInfo is a channel of a team.
type channelInfo struct {
	ID   string `json:"id"`
	Type string `json:"type"` // standard, private, shared
}

// channel finds a channel among those of its team, which may be known only from another channel of it.
func (d *directory) channel(ctx context.Context, c conversation) (channelInfo, error) {
	teams := []string{c.Team}
	if c.Team == "" {
		ids, err := d.teams.conversations.all(ctx)
		if err != nil {
			return channelInfo{}, err
		}
		teams = nil
		for _, id := range ids {
			if other, err := d.teams.conversations.get(ctx, id); err == nil && other.Team != "" && !slices.Contains(teams, other.Team) {
				teams = append(teams, other.Team)
			}
		}
	}
	err := fmt.Errorf("%w: it is in no team that the bot is in", errNoWord)
	for _, team := range teams {
		var all []channelInfo
		all, failed := d.channels.get(ctx, d.now, team, func(ctx context.Context) ([]channelInfo, error) {
			var out struct {
				Conversations []channelInfo `json:"conversations"`
			}
			if err := d.teams.connector.pace.read(ctx, team); err != nil {
				return nil, err
			}
			err := d.teams.connector.do(ctx, http.MethodGet, c.Service, "/v3/teams"+path(team)+"/conversations", nil, &out)
			return out.Conversations, err
		})
		if failed != nil {
			if c.Team != "" || !never(failed) { // that the bot is gone from another team says nothing of this channel
				err = failed
			}
			continue
		}
		for _, info := range all {
			if info.ID == c.ID {
				return info, nil
			}
		}
	}
	return channelInfo{}, err
}

// forget drops what is known of a conversation and the channels of its team, and of people: Teams said that something
// has changed.
func (d *directory) forget(in incoming) {
	d.outside.drop(func(id string, r readers) bool { return id == in.channel || r.team == "" || r.team == in.team })
	d.members.drop(func(string, flow.Account) bool { return true })
	d.channels.drop(func(team string, _ []channelInfo) bool { return team == in.team })
}

// cache keeps what was asked for. While Teams does not answer it is not asked at each turn.
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

func (c *cache[T]) get(ctx context.Context, clock func() time.Time, key string, ask func(context.Context) (T, error)) (T, error) {
	now := clock()
	c.mu.Lock()
	k := c.kept[key]
	c.mu.Unlock()
	var none T
	switch err := ctx.Err(); {
	case !k.at.IsZero() && now.Sub(k.at) < freshFor:
		return k.value, nil
	case k.err != nil && now.Sub(k.failed) < failedFor:
		return none, k.err
	case err != nil: // there was no time to ask
		return none, err
	}
	value, err := ask(ctx)
	_, ours := errors.AsType[handlers.Later](err)
	switch {
	case err == nil:
		k = kept[T]{value: value, at: now}
	case ours, errors.Is(ctx.Err(), context.Canceled): // it was not Teams that did not answer
		return value, err
	default:
		k.failed, k.err = clock(), err // it may have taken long not to answer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= mostKept {
		c.kept = map[string]kept[T]{}
	}
	c.kept[key] = k
	return value, err
}

// since returns a value that is not older.
func (c *cache[T]) since(key string, at time.Time) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[key]
	return k.value, k.at.After(at)
}

func (c *cache[T]) drop(of func(key string, value T) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.kept, func(key string, k kept[T]) bool { return of(key, k.value) })
}
