package teams

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
)

const (
	freshFor  = 5 * time.Minute  // how long what Teams said of people and channels is taken for true
	failedFor = 15 * time.Second // how long Teams is not asked again after it did not answer
	mostPages = 20               // of a channel's members; with more of them nobody knows who reads along
	pageSize  = 500
)

// directory is flow.Directory for one tenant: what Teams says, kept for some minutes.
type directory struct {
	teams *Teams
	now   func() time.Time

	members  cache[flow.Account]
	outside  cache[bool]
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
func (d *directory) Account(ctx context.Context, id string) (flow.Account, error) {
	if !IsID(id) { // an account that Teams gave no object for: none of the organisation's
		return flow.Account{}, nil
	}
	return d.members.get(ctx, d.now(), id, func(ctx context.Context) (flow.Account, error) { return d.ask(ctx, id) })
}

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
		if err = d.teams.connector.pace.read(in); err != nil {
			return flow.Account{}, err
		}
		err = d.teams.connector.do(ctx, http.MethodGet, who.Service, "/v3/conversations"+path(in)+"/members"+path(who.ID), nil, &m)
		if err == nil && !strings.EqualFold(cmp.Or(m.Object, m.ObjectID), id) {
			err = errors.New("Teams named somebody else")
		}
		if err != nil {
			continue
		}
		a := flow.Account{Name: orElse(plain(m.Name), id), Zone: who.Zone, Member: m.ours(d.teams.config.Tenant)}
		if a.Member {
			a.Email = m.UPN // its domain is one that the tenant has proved
		}
		return a, nil
	}
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound {
		return flow.Account{}, nil
	}
	return flow.Account{}, err
}

// Outside reports whether people of other organisations read a conversation: a channel is shared, or has guests. What
// cannot be found out counts as yes.
func (d *directory) Outside(ctx context.Context, id string) bool {
	outside, err := d.whoReads(ctx, id)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("channel", id).Msg("whether people of other organisations read a channel is not known; it is treated as if")
	}
	return outside || err != nil
}

// whoReads is Outside with the reason for which it is not known.
func (d *directory) whoReads(ctx context.Context, id string) (outside bool, err error) {
	return d.outside.get(ctx, d.now(), id, func(ctx context.Context) (bool, error) { return d.askOutside(ctx, id) })
}

func (d *directory) askOutside(ctx context.Context, id string) (bool, error) {
	c, err := d.teams.at(ctx, id)
	if err != nil {
		return true, err
	}
	if c.Kind == personal {
		return false, nil
	}
	if c.Kind == channel {
		info, err := d.channel(ctx, c)
		if err != nil {
			return true, err
		}
		if info.Type == "shared" {
			return true, nil
		}
	}
	next := ""
	for range mostPages {
		var page struct {
			Members []memberInfo `json:"members"`
			Next    string       `json:"continuationToken"`
		}
		if err := d.teams.connector.pace.read(id); err != nil {
			return true, err
		}
		query := url.Values{"pageSize": {"500"}}
		if next != "" {
			query.Set("continuationToken", next)
		}
		if err := d.teams.connector.do(ctx, http.MethodGet, c.Service, "/v3/conversations"+path(id)+"/pagedmembers?"+query.Encode(), nil, &page); err != nil {
			return true, err
		}
		if slices.ContainsFunc(page.Members, func(m memberInfo) bool { return !m.ours(d.teams.config.Tenant) }) {
			return true, nil
		}
		if next = page.Next; next == "" {
			return len(page.Members) == 0, nil
		}
	}
	return true, errors.New("too many people to look at")
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
	err := errors.New("a channel of a team that the bot is not in")
	for _, team := range teams {
		var all []channelInfo
		all, failed := d.channels.get(ctx, d.now(), team, func(ctx context.Context) ([]channelInfo, error) {
			var out struct {
				Conversations []channelInfo `json:"conversations"`
			}
			if err := d.teams.connector.pace.read(team); err != nil {
				return nil, err
			}
			err := d.teams.connector.do(ctx, http.MethodGet, c.Service, "/v3/teams"+path(team)+"/conversations", nil, &out)
			return out.Conversations, err
		})
		if failed != nil {
			err = failed
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

// forget drops what is known of a conversation, its team and its people: Teams said that something has changed.
func (d *directory) forget(in incoming) {
	d.outside.clear()
	d.members.clear()
	d.channels.drop(in.team)
}

// cache keeps what was asked for. While Teams does not answer it is not asked at each turn.
type cache[T any] struct {
	mu   sync.Mutex
	kept map[string]kept[T]
}

type kept[T any] struct {
	value T
	err   error
	at    time.Time
}

func (c *cache[T]) get(ctx context.Context, now time.Time, key string, ask func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	k, ok := c.kept[key]
	c.mu.Unlock()
	age := now.Sub(k.at)
	if ok && (k.err == nil && age < freshFor || k.err != nil && age < failedFor) {
		return k.value, k.err
	}
	value, err := ask(ctx)
	if err != nil && ctx.Err() != nil { // it was not Teams that gave up
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= mostKept {
		c.kept = map[string]kept[T]{}
	}
	c.kept[key] = kept[T]{value, err, now}
	return value, err
}

func (c *cache[T]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, key)
}

func (c *cache[T]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = nil
}
