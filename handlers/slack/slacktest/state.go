package slacktest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// User is a person or a bot.
type User struct {
	ID       string
	Name     string // the handle, without @
	RealName string
	Email    string
	Team     string // empty: this workspace; another one: an external person of a shared channel
	Zone     string // empty: America/Los_Angeles
	Locale   string // empty: en-US

	Guest       bool // may only see the channels they are in
	SingleGuest bool // a guest of one channel
	Deactivated bool
	Bot         bool
	TwelveHours bool // reads 2:10 PM where others read 14:10
}

// Channel is a channel or a direct conversation with the bot.
type Channel struct {
	ID       string
	Name     string // without #; empty for a direct conversation
	Private  bool
	Archived bool
	Shared   bool     // with another organisation
	With     string   // of a direct conversation: the person
	Members  []string // user ids
}

// Group is a user group.
type Group struct {
	ID       string
	Handle   string // without @
	Name     string
	Disabled bool
	Members  []string // user ids
}

// Block is a block of Block Kit, decoded from JSON.
type Block = map[string]any

// Message is a message as it is now. Its blocks must not be changed.
type Message struct {
	Channel   string
	TS        string
	Thread    string // ts of the message whose thread it is in
	Broadcast bool   // in a thread, and shown in the channel too
	User      string
	Only      string // not empty: ephemeral, and this user alone sees it
	Text      string
	Blocks    []Block
	Metadata  map[string]any
	Files     []File
	At        time.Time
	Edited    time.Time // of the last change; zero: none
}

// File is a file under a message.
type File struct {
	ID, Name, Title string
	Content         []byte
}

// View is a form (modal) or a home tab as it is now.
type View struct {
	ID       string
	Type     string // modal, home
	User     string
	Hash     string
	Callback string
	External string
	Private  string // private_metadata
	Title    string
	Submit   string
	Close    string
	Blocks   []Block
	Values   map[string]map[string]any // by block id and action id, as Slack sends them
	Errors   map[string]string         // by block id
	Trouble  string                    // what Slack says when the app did not answer
	Open     bool

	root, previous string
	tellClose      bool
	raw            map[string]any
}

// AddUser adds a person. An empty id or name is filled in from the other.
func (s *Slack) AddUser(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.ID = cmp.Or(u.ID, "U0"+strings.ToUpper(u.Name))
	u.Name = cmp.Or(u.Name, strings.ToLower(u.ID))
	u.RealName = cmp.Or(u.RealName, u.Name)
	u.Team = cmp.Or(u.Team, s.config.TeamID)
	u.Zone = cmp.Or(u.Zone, "America/Los_Angeles")
	u.Locale = cmp.Or(u.Locale, "en-US")
	s.users = append(s.users, &u)
	s.touch()
	return u
}

// AddChannel adds a channel. The bot is in it only if it is among the members.
func (s *Slack) AddChannel(c Channel) Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ID = cmp.Or(c.ID, "C0"+strings.ToUpper(strings.ReplaceAll(c.Name, "-", "")))
	c.Members = slices.Clone(c.Members)
	s.channels = append(s.channels, &c)
	s.touch()
	return c
}

// AddGroup adds a user group.
func (s *Slack) AddGroup(g Group) Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.ID = cmp.Or(g.ID, "S0"+strings.ToUpper(strings.ReplaceAll(g.Handle, "-", "")))
	g.Name = cmp.Or(g.Name, g.Handle)
	g.Members = slices.Clone(g.Members)
	s.groups = append(s.groups, &g)
	s.touch()
	return g
}

// ChangeUser changes a person, and reports whether there is one of that id. The app is told of nothing: see Tell.
func (s *Slack) ChangeUser(id string, change func(*User)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(id)
	if u == nil {
		return false
	}
	change(u)
	s.touch()
	return true
}

// ChangeChannel changes a channel, and reports whether there is one of that id.
func (s *Slack) ChangeChannel(id string, change func(*Channel)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(id)
	if c == nil {
		return false
	}
	changed := *c
	changed.Members = slices.Clone(c.Members)
	change(&changed)
	*c = changed
	s.touch()
	return true
}

// ChangeGroup changes a user group, and reports whether there is one of that id.
func (s *Slack) ChangeGroup(id string, change func(*Group)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		if g.ID == id {
			changed := *g
			changed.Members = slices.Clone(g.Members)
			change(&changed)
			*g = changed
			s.touch()
			return true
		}
	}
	return false
}

// SetToken makes the bot's token answer with an error: token_expired, token_revoked, account_inactive, invalid_auth.
// An empty one makes it work again.
func (s *Slack) SetToken(trouble string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = trouble
}

// SetScopes changes what the app may do.
func (s *Slack) SetScopes(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scopes = scopes
}

// SetHome turns the home tab on or off.
func (s *Slack) SetHome(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.homeOff = !on
}

// Users returns everybody.
func (s *Slack) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return values(s.users)
}

// Channels returns all channels and direct conversations.
func (s *Slack) Channels() []Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return values(s.channels)
}

// Groups returns the user groups.
func (s *Slack) Groups() []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return values(s.groups)
}

// User returns the person with that id or handle.
func (s *Slack) User(idOrName string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(idOrName, "@")
	for _, u := range s.users {
		if u.ID == idOrName || u.Name == name {
			return *u, true
		}
	}
	return User{}, false
}

// Channel returns the channel with that id or name.
func (s *Slack) Channel(idOrName string) (Channel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(idOrName, "#")
	for _, c := range s.channels {
		if c.ID == idOrName || (c.Name != "" && c.Name == name) {
			return *c, true
		}
	}
	return Channel{}, false
}

// Messages returns the messages of a channel, the ephemeral ones and the threads' too, the oldest first. An empty
// channel means all.
func (s *Slack) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.messages {
		if channel == "" || m.Channel == channel {
			out = append(out, *m)
		}
	}
	return out
}

// Visible returns what a person can see, the oldest first.
func (s *Slack) Visible(user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(user)
	var out []Message
	for _, m := range s.messages {
		if u != nil && s.sees(u, m) {
			out = append(out, *m)
		}
	}
	return out
}

// Message returns the message of that channel and timestamp.
func (s *Slack) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.message(channel, ts); m != nil {
		return *m, true
	}
	return Message{}, false
}

// Form returns the form that lies on top for a person.
func (s *Slack) Form(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stack := s.modals[user]; len(stack) > 0 {
		return *stack[len(stack)-1], true
	}
	return View{}, false
}

// View returns a form or home tab by its id, open or not.
func (s *Slack) View(id string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.viewed[id]; v != nil {
		return *v, true
	}
	return View{}, false
}

// Home returns a person's home tab.
func (s *Slack) Home(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.homes[user]; v != nil {
		return *v, true
	}
	return View{}, false
}

// Forget takes a person's ephemeral messages away, as a reload of Slack does.
func (s *Slack) Forget(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = slices.DeleteFunc(s.messages, func(m *Message) bool { return m.Only == user })
	s.touch()
}

func values[T any](list []*T) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = *v
	}
	return out
}

// What follows wants s.mu held.

func (s *Slack) user(id string) *User {
	for _, u := range s.users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

func (s *Slack) channel(id string) *Channel {
	for _, c := range s.channels {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (s *Slack) message(channel, ts string) *Message {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

// direct returns the direct conversation with a person; it is made when it is first needed.
func (s *Slack) direct(user string) *Channel {
	for _, c := range s.channels {
		if c.With == user {
			return c
		}
	}
	c := &Channel{ID: s.id("D"), Private: true, With: user, Members: []string{user, BotUser}}
	s.channels = append(s.channels, c)
	return c
}

func (c *Channel) has(user string) bool { return slices.Contains(c.Members, user) }

// sees reports whether a person can see a message: in their channels, and in public ones if they are no guests.
func (s *Slack) sees(u *User, m *Message) bool {
	if m.Only != "" {
		return m.Only == u.ID
	}
	c := s.channel(m.Channel)
	return c != nil && s.enters(u, c)
}

func (s *Slack) enters(u *User, c *Channel) bool {
	return c.has(u.ID) || (!c.Private && !u.Guest && !u.SingleGuest && u.Team == s.config.TeamID)
}

// put adds a message with a new timestamp.
func (s *Slack) put(m Message) *Message {
	m.TS, m.At = s.ts(), s.now()
	m.Blocks = s.fill(m.Blocks)
	s.messages = append(s.messages, &m)
	s.touch()
	return &m
}

// slackbot tells a person alone something.
func (s *Slack) slackbot(user, channel, text string) {
	s.put(Message{Channel: channel, User: Slackbot, Only: user, Text: text})
}

// fill gives blocks and their elements the ids that they lack, as Slack does.
func (s *Slack) fill(blocks []Block) []Block {
	out := make([]Block, len(blocks))
	for i, b := range blocks {
		b = clone(b)
		if b["block_id"] == nil || b["block_id"] == "" {
			b["block_id"] = s.id("b")
		}
		for _, key := range []string{"accessory", "element"} {
			if e, ok := b[key].(map[string]any); ok {
				b[key] = s.named(e)
			}
		}
		if list, ok := b["elements"].([]any); ok && (b["type"] == "actions" || b["type"] == "context_actions") {
			named := make([]any, len(list))
			for j, e := range list {
				named[j] = e
				if e, ok := e.(map[string]any); ok {
					named[j] = s.named(e)
				}
			}
			b["elements"] = named
		}
		out[i] = b
	}
	return out
}

func (s *Slack) named(e map[string]any) map[string]any {
	if e["type"] == "image" || (e["action_id"] != nil && e["action_id"] != "") {
		return e
	}
	e = clone(e)
	e["action_id"] = s.id("a")
	return e
}

func clone(m map[string]any) map[string]any {
	out := make(map[string]any, len(m)+1)
	maps.Copy(out, m)
	return out
}

// who says who somebody is, for a failure's text.
func (s *Slack) who(id string) string {
	if u := s.user(id); u != nil {
		return fmt.Sprintf("@%s", u.Name)
	}
	return id
}
