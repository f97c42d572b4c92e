package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
)

// Store keeps what the bot learns of conversations and people, by keys of its own.
type Store interface {
	// Learnt returns what is kept under a key; version 0 means nothing.
	Learnt(ctx context.Context, key string) (data []byte, version uint64, err error)
	// Learn keeps data under a key that is still at this version; nil forgets it. It returns flow.ErrConflict where
	// somebody else was quicker.
	Learn(ctx context.Context, key string, version uint64, data []byte) error
	// AllLearnt lists the keys that begin so.
	AllLearnt(ctx context.Context, prefix string) ([]string, error)
}

// Kinds of conversations, as Teams names them.
const (
	personal  = "personal"
	groupChat = "groupChat"
	channel   = "channel"
)

// conversation is one in which the bot is. It is security data: the bot's token goes to Service. A stored one whose
// Tenant or Service does not fit any more counts for nothing.
type conversation struct {
	ID      string `json:"id"` // without the thread
	Kind    string `json:"kind"`
	Service string `json:"service"`
	Tenant  string `json:"tenant"`
	Team    string `json:"team,omitzero"`
	Gone    string `json:"gone,omitzero"`    // why Teams took nothing for it last; empty: it does
	GoneAt  int64  `json:"gone_at,omitzero"` // in seconds
}

// person is somebody as Teams names them, by their object in Entra.
type person struct {
	ID      string `json:"id"`            // 29:…
	Chat    string `json:"chat,omitzero"` // with the bot alone
	In      string `json:"in,omitzero"`   // a conversation they spoke in
	Service string `json:"service"`
	Tenant  string `json:"tenant"`
	Zone    string `json:"zone,omitzero"`
}

const (
	conversationKey = "conversation/"
	personKey       = "person/"
	maxName         = 400 // bytes of an id that is kept
)

// shelf keeps things of one kind in the store, and what was asked for in memory for some minutes: another process may
// have learnt more.
type shelf[T comparable] struct {
	store  Store
	prefix string
	now    func() time.Time

	mu   sync.Mutex
	kept map[string]shelved[T]
}

type shelved[T comparable] struct {
	value   T
	version uint64
	at      time.Time
}

const (
	shelfFresh = 5 * time.Minute
	mostKept   = 20_000
)

// get returns what is kept; the zero value where there is nothing.
func (s *shelf[T]) get(ctx context.Context, id string) (T, error) {
	v, err := s.load(ctx, id, false)
	return v.value, err
}

func (s *shelf[T]) load(ctx context.Context, id string, anew bool) (shelved[T], error) {
	var out shelved[T]
	if id == "" || len(id) > maxName {
		return out, fmt.Errorf("%.60q is no name", id)
	}
	s.mu.Lock()
	v, ok := s.kept[id]
	s.mu.Unlock()
	if ok && !anew && s.now().Sub(v.at) < shelfFresh {
		return v, nil
	}
	data, version, err := s.store.Learnt(ctx, s.prefix+id)
	if err != nil {
		return out, err
	}
	if version != 0 {
		if err := json.Unmarshal(data, &out.value); err != nil {
			return out, fmt.Errorf("%s%s: %w", s.prefix, id, err)
		}
	}
	out.version, out.at = version, s.now()
	s.put(id, out)
	return out, nil
}

func (s *shelf[T]) put(id string, v shelved[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= mostKept {
		s.kept = map[string]shelved[T]{}
	}
	s.kept[id] = v
}

// change keeps what to makes of what is kept; the zero value is forgotten. What stays as it is costs no commit.
func (s *shelf[T]) change(ctx context.Context, id string, to func(T) T) error {
	var none T
	for try := range 3 {
		v, err := s.load(ctx, id, try > 0)
		if err != nil {
			return err
		}
		next := to(v.value)
		if next == v.value {
			return nil
		}
		var data []byte
		if next != none {
			if data, err = json.Marshal(next); err != nil {
				return err
			}
		}
		err = s.store.Learn(ctx, s.prefix+id, v.version, data)
		if errors.Is(err, flow.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = s.load(ctx, id, true)
		return err
	}
	return flow.ErrConflict
}

// all are the ids of what is kept.
func (s *shelf[T]) all(ctx context.Context) ([]string, error) {
	keys, err := s.store.AllLearnt(ctx, s.prefix)
	for i, k := range keys {
		keys[i] = strings.TrimPrefix(k, s.prefix)
	}
	return keys, err
}

// learn keeps where something came from and by whom. What cannot be kept now is learnt the next time.
func (t *Teams) learn(ctx context.Context, in incoming) {
	err := t.conversations.change(ctx, in.channel, func(c conversation) conversation {
		return conversation{ID: in.channel, Kind: in.conversationKind, Service: in.service, Tenant: t.config.Tenant, Team: cmp.Or(in.team, c.Team)}
	})
	if in.object != "" {
		err = errors.Join(err, t.people.change(ctx, in.object, func(p person) person {
			p.ID, p.Service, p.Tenant, p.Zone = in.user, in.service, t.config.Tenant, cmp.Or(in.zone, p.Zone)
			switch {
			case in.conversationKind == personal:
				p.Chat = in.channel
			case p.Chat == "" || p.In == "": // else it would be written at every turn of a busy day
				p.In = in.channel
			}
			return p
		}))
	}
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("where this came from could not be kept")
	}
}

// forget drops a conversation that the bot was removed from; of a team, all its channels.
func (t *Teams) forget(ctx context.Context, in incoming) {
	ids := []string{in.channel}
	if in.team != "" {
		all, err := t.conversations.all(ctx)
		if err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Msg("the channels of a team could not be looked up; its messages will be refused")
		}
		for _, id := range all {
			if c, err := t.conversations.get(ctx, id); err == nil && c.Team == in.team && id != in.channel {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		err := t.conversations.change(ctx, id, func(conversation) conversation { return conversation{} })
		if err == nil && in.conversationKind == personal && in.object != "" {
			err = t.people.change(ctx, in.object, func(p person) person { p.Chat = ""; return p })
		}
		if err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("channel", id).Msg("a conversation that the bot was removed from could not be forgotten")
		}
	}
}

// at is where the bot may write in a conversation, looked at anew: what was kept under another configuration counts for
// nothing. Where it was never seen, the tenant's usual service is tried.
func (t *Teams) at(ctx context.Context, id string) (conversation, error) {
	c, err := t.conversations.get(ctx, id)
	if err != nil {
		return c, err
	}
	if c.Tenant != t.config.Tenant || t.connector.hosts.check(c.Service) != nil {
		c = conversation{ID: id, Kind: kindOf(id), Service: t.service(ctx), Tenant: t.config.Tenant}
	}
	return c, nil
}

// kindOf guesses what a conversation is that nobody has written in yet.
func kindOf(id string) string {
	switch {
	case strings.HasSuffix(id, "@thread.tacv2"), strings.HasSuffix(id, "@thread.skype"):
		return channel
	case strings.HasPrefix(id, "19:"):
		return groupChat
	}
	return personal
}

// service is where Teams was last, in this process or an earlier one, or else the one for everybody.
func (t *Teams) service(ctx context.Context) string {
	if last, ok := t.lastService.Load().(string); ok {
		return last
	}
	ids, err := t.conversations.all(ctx)
	if err != nil {
		return defaultService
	}
	for _, id := range ids {
		c, err := t.conversations.get(ctx, id)
		if err == nil && c.Tenant == t.config.Tenant && t.connector.hosts.check(c.Service) == nil {
			t.lastService.Store(c.Service)
			return c.Service
		}
	}
	return defaultService
}

// whois is somebody by their object in Entra, or by their id in Teams where they have none.
func (t *Teams) whois(ctx context.Context, id string) (person, error) {
	p, err := t.people.get(ctx, id)
	if err != nil {
		return p, err
	}
	if p.Tenant != t.config.Tenant || t.connector.hosts.check(p.Service) != nil {
		p = person{ID: id, Service: t.service(ctx), Tenant: t.config.Tenant}
	}
	return p, nil
}

const goneFor = time.Hour // how long Teams is not asked about a conversation that it refused

// dead reports whether Teams refused a conversation lately.
func (t *Teams) dead(c conversation) bool {
	return c.Gone != "" && t.config.Now().Sub(time.Unix(c.GoneAt, 0)) < goneFor
}

// mark notes why Teams takes nothing for a conversation, or takes it again. The bot may never have heard from it.
func (t *Teams) mark(ctx context.Context, at conversation, why string) {
	if at.ID == "" {
		return
	}
	err := t.conversations.change(ctx, at.ID, func(c conversation) conversation {
		switch {
		case why != "":
			c = at
			c.Gone, c.GoneAt = why, t.config.Now().Unix()
		case c.Gone != "":
			c.Gone, c.GoneAt = "", 0
		}
		return c
	})
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("channel", at.ID).Msg("what became of a conversation could not be kept")
	}
}

// revive has the channels of a team tried again that the app was added to, and those of whose team nothing is known.
func (t *Teams) revive(ctx context.Context, in incoming) {
	ids, err := t.conversations.all(ctx)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("channels that took nothing are tried again after a while only")
	}
	for _, id := range ids {
		if c, err := t.conversations.get(ctx, id); err == nil && c.Gone != "" && c.Kind == channel && (c.Team == "" || c.Team == in.team) {
			t.mark(ctx, c, "")
		}
	}
}

// Dead lists the conversations that Teams takes nothing for, and why: the bot was removed, or blocked.
func (t *Teams) Dead(ctx context.Context) (map[string]string, error) {
	ids, err := t.conversations.all(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, id := range ids {
		c, err := t.conversations.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if c.Gone != "" {
			out[id] = c.Gone
		}
	}
	return out, nil
}
