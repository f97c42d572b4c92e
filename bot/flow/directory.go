package flow

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/change"
)

// askFor is how long a decision waits for what chat platforms say of people and channels: one that hangs must not keep it
// from those who are on another.
const askFor = 2 * time.Second

// Directory is what a chat platform knows of people and channels. Its answers may be some minutes old.
type Directory interface {
	// Account returns what is known of an account, by its id on the platform. An error means that it cannot be found
	// out now: then nobody is let in on a guess, and Restorer alone is of use, to who is proved to be a member elsewhere.
	Account(ctx context.Context, id string) (Account, error)
	// Groups reports whether groups of the platform make responders.
	Groups() bool
	// Outside reports whether people of other organisations read a channel. An error means that it cannot be found out now.
	Outside(ctx context.Context, channel string) (bool, error)
}

// elsewhereFor is how long the other chat platforms have to say what a person may do: somebody waits.
const elsewhereFor = 2 * time.Second

// Account is somebody as their chat platform knows them. The zero value may do nothing.
type Account struct {
	Name      string // as people see it, without @
	Zone      string // IANA; empty: not known
	Email     string // verified by the platform; empty: not known
	Member    bool   // a full, active member of the own organisation: no guest, not deactivated
	Responder bool   // in a group of responders
	Restorer  bool   // was in one within a day, as far as is known
	Unknown   string // why nobody knows which groups they are in; empty: it is known
}

// who looks up the person of an event. People who are named as responders need no look-up; what cannot be found out
// gives no rights, and says so in Unknown.
func (s *Service) who(ctx context.Context, claimed Person) Person {
	p := s.policy.Who(claimed.Account, claimed.Member)
	platform, id, _ := strings.Cut(p.Account, ":")
	d, ok := s.directories[platform]
	if !ok {
		return p
	}
	if !claimed.Member { // the platform proved that they belong elsewhere
		return Person{ID: p.Account, Account: p.Account, Name: p.Name}
	}
	if p.Responder {
		return p
	}
	named := p.ID != p.Account
	a, err := d.Account(ctx, id)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("account", p.Account).Msg("a person cannot be looked up")
		p.Member, p.Unknown = named, "people cannot be looked up right now"
		return p
	}
	if i := s.policy.byEmail(a.Email); !named && i >= 0 {
		p, named = s.policy.as(s.policy.People[i], p.Account), true
	}
	if !named {
		p.Name, p.Zone, p.Email = "@"+a.Name, a.Zone, a.Email
	}
	p.Member = a.Member
	p.Responder = a.Member && (p.Responder || a.Responder)
	p.Restorer, p.Unknown = a.Member && a.Restorer, a.Unknown
	if named && p.Member && !p.Responder {
		return s.byOtherAccounts(ctx, p)
	}
	return p
}

// byOtherAccounts adds what one of the people may do by the groups of other platforms: rights are the person's, not the
// account's. Only a full member has them, here and there.
func (s *Service) byOtherAccounts(ctx context.Context, p Person) Person {
	ctx, cancel := context.WithTimeout(ctx, elsewhereFor)
	defer cancel()
	here, _, _ := strings.Cut(p.Account, ":")
	for _, account := range s.policy.accounts(p.ID) {
		platform, id, _ := strings.Cut(account, ":")
		d, ok := s.directories[platform]
		if !ok || platform == here || !d.Groups() {
			continue
		}
		a, err := d.Account(ctx, id)
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Str("account", account).Msg("a person cannot be looked up")
			p.Restorer, p.Unknown = p.Restorer || a.Restorer, "people cannot be looked up right now"
			continue
		}
		if a.Member {
			p.Responder, p.Restorer, p.Unknown = p.Responder || a.Responder, p.Restorer || a.Restorer, cmp.Or(p.Unknown, a.Unknown)
		}
	}
	if p.Responder {
		p.Unknown = ""
	}
	return p
}

// email is the address of somebody; where the document has none, the one that their chat platform verified.
func (s *Service) email(ctx context.Context, p Person) string {
	known := s.policy.email(p)
	platform, id, _ := strings.Cut(p.Account, ":")
	if d, ok := s.directories[platform]; ok && known == "" {
		if a, err := d.Account(ctx, id); err == nil {
			known = a.Email
		}
	}
	return known
}

// gone are the ids of those with a part in an outage, or about to have one, who may not act here any more. Who cannot be looked up stays.
func (s *Service) gone(ctx context.Context, o Outage, r change.Record) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	out := map[string]bool{}
	if p := s.who(ctx, Person{Account: o.Owner.Account, Member: true}); p.Unknown == "" {
		out[o.Owner.ID] = !o.Drill && !p.Responder || s.deactivated(ctx, o.Owner.Account) // any member may drill
	}
	if out[o.Owner.ID] { // whoever is next may have left as well
		platform, _, _ := strings.Cut(o.Owner.Account, ":")
		for _, name := range append([]string{s.policy.Backup}, s.policy.Responders...) {
			if next, ok := s.policy.reached(name, platform); ok && next.ID != o.Owner.ID {
				out[next.ID] = s.deactivated(ctx, next.Account)
			}
		}
	}
	var busy []string
	for _, st := range r.Steps {
		if st.Holder != nil {
			busy = append(busy, st.Holder.ID)
		}
	}
	for _, m := range o.IVRs {
		if m.Maker != nil {
			busy = append(busy, m.Maker.ID)
		}
	}
	for _, id := range busy {
		out[id] = out[id] || s.holderGone(ctx, id)
	}
	return out
}

// holderGone reports whether somebody who took clicks or makes a phone menu, a helper perhaps, left the organisation.
func (s *Service) holderGone(ctx context.Context, id string) bool {
	i := slices.IndexFunc(s.policy.People, func(p Someone) bool { return p.Name == id })
	if i < 0 {
		platform, _, _ := strings.Cut(id, ":")
		_, known := s.directories[platform]
		return !known || s.deactivated(ctx, id)
	}
	accounts := s.policy.People[i].accounts()
	return len(accounts) > 0 && !slices.ContainsFunc(accounts, func(a string) bool { return !s.deactivated(ctx, a) })
}

// deactivated reports whether a chat platform says that an account is none of a full, active member.
func (s *Service) deactivated(ctx context.Context, account string) bool {
	platform, id, _ := strings.Cut(account, ":")
	d, ok := s.directories[platform]
	if !ok {
		return false
	}
	a, err := d.Account(ctx, id)
	return err == nil && !a.Member
}

// outside lists, by lane, those of the places of an outage where people of other organisations read along. What cannot be
// found out now counts as such a place, and is among the unread too.
func (s *Service) outside(ctx context.Context, o Outage, e Event) (outside, unread map[string]bool) {
	channel, places := o.Channel, slices.Concat([]Place{o.Home}, o.Routed)
	if b, ok := e.What.(Begun); ok {
		channel = b.Leaf.Channel
		places = append(places, b.Walk.Place)
	}
	for platform := range s.directories {
		places = append(places, s.policy.routed(channel, platform)...)
		places = append(places, s.policy.inside(platform), s.policy.Drills.on(platform))
	}
	return s.readBy(ctx, places)
}

// readBy asks at once who reads each of these places.
func (s *Service) readBy(ctx context.Context, places []Place) (outside, unread map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	outside, unread = map[string]bool{}, map[string]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	asked := map[string]bool{}
	for _, p := range places {
		p.Person = ""
		d, ok := s.directories[p.Platform]
		lane := p.Lane()
		if !ok || p.Channel == "" || asked[lane] {
			continue
		}
		asked[lane] = true
		all.Go(func() {
			yes, err := d.Outside(ctx, p.Channel)
			if err != nil {
				zerolog.Ctx(ctx).Warn().Err(err).Str("channel", p.Channel).Msg("whether people of other organisations read a channel is not known; it is treated as if")
			}
			mu.Lock()
			defer mu.Unlock()
			outside[lane], unread[lane] = yes || err != nil, err != nil
		})
	}
	all.Wait()
	return outside, unread
}

// named looks up those whom a press names, so that a decision finds people who are in no document.
func (s *Service) named(ctx context.Context, e Event) map[string]Person {
	p, ok := e.What.(Press)
	if !ok {
		return nil
	}
	out := map[string]Person{}
	for _, name := range []string{p.Action.Arg, p.Fields["to"]} {
		name = strings.TrimPrefix(strings.TrimSpace(name), "@")
		if platform, _, ok := strings.Cut(name, ":"); ok && s.directories[platform] != nil {
			if who := s.who(ctx, Person{Account: name, Member: true}); who.Member {
				out[name] = who
			}
		}
	}
	return out
}

// person finds somebody by a name that was typed, with or without @, or by an account.
func (s *stepping) person(name string) (Person, bool) {
	name = strings.TrimPrefix(strings.TrimSpace(name), "@")
	if who, ok := s.e.Desk.Named[name]; ok {
		return who, true
	}
	platform, _, _ := strings.Cut(s.e.By.Account, ":")
	who, ok := s.policy.Named(name, platform)
	return who, ok && who.Account != ""
}

// mayPutBack reports whether the person may restore: changing is hard, putting back is easy. Where nobody knows who is
// in which group, its last known members and the owner are enough.
func (s *stepping) mayPutBack() bool {
	by := s.e.By
	return by.Responder || by.Restorer || by.Unknown != "" && by.ID == s.o.Owner.ID
}

// putsBack reports whether a verb belongs to a restore.
func putsBack(verb string) bool {
	return slices.Contains([]string{
		"restore", "putback", "some", "some-send", "overwrite", "leave", "leave-send", "name", "name-send", "put-known", "name-later",
		"retry", "leave-failed", "leave-failed-send",
	}, verb)
}
