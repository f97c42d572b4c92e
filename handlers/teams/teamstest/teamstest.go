// Package teamstest is a Microsoft Teams to practise against: the tenant of one organisation and people of others,
// teams with channels, group chats, messages with Adaptive Cards, dialogs; the Bot Connector that a bot calls, the
// endpoint where it gets its token, and the issuer whose keys sign what Teams sends to it.
//
// It keeps state and is as strict as Microsoft: a token is of one tenant and ends, a conversation that the bot was
// removed from takes nothing, rates and sizes have their limits, a card may have nothing that Teams does not draw. Where
// Microsoft's behaviour is not published, the stricter reading counts. What somebody sees after a press stands on their
// own device, and everybody else sees it when the message is edited.
//
// A Teams listens on a loopback port by itself. What people do (Say, Press, Submit, …) is sent to the bot as signed
// activities, and returns when the bot has answered or Teams would have given up. It uses nothing of the bot's.
package teamstest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is what a tenant and the bot in it are made of. Every field may be left out.
type Config struct {
	App      string // the bot's id
	Password string
	Tenant   string

	// BaseURL is where the bot finds this Teams when it does not listen by itself.
	BaseURL string

	Now          func() time.Time // nil: time.Now
	Client       *http.Client     // sends to the bot; nil: a plain one
	AnswerWithin time.Duration    // how long Teams waits for the bot; 0: 10 s
	Repeat       bool             // send an activity that had no answer in time once more
	NoRateLimits bool
	TokenLife    time.Duration // 0: one hour
}

// Teams is one tenant.
type Teams struct {
	config  Config
	client  *http.Client
	routes  *http.ServeMux
	back    http.Handler // see Forward; nil: nothing is forwarded
	stop    context.CancelFunc
	stopped context.Context //nolint:containedctx // ends what goes on between requests
	running sync.WaitGroup

	mu        sync.Mutex
	changed   chan struct{} // closed at the next change
	base      string
	server    *http.Server
	bots      []string // its messaging endpoints; each gets its turn
	turn      int
	lastID    int
	signers   []*signer
	issuerOff bool
	tokens    map[string]time.Time // the bot's, and when they end
	users     []*User
	groups    []*Group
	messages  []*Message
	dialogs   map[string]*Dialog // by user
	sends     map[string][]time.Time
	faults    []Fault
	calls     []Call
	delivered []Delivery
	counts    map[string]int
}

// User is somebody, of this tenant or another.
type User struct {
	ID     string // 29:…; made up if left out
	Object string // in Entra; made up if left out
	Name   string
	UPN    string
	Tenant string // the own one if left out
	Guest  bool
	Zone   string
	Gone   bool // deactivated
}

// Kinds of conversations.
const (
	Personal  = "personal"
	GroupChat = "groupChat"
	Channel   = "channel"
)

// Group is a conversation: a channel of a team, a group chat, or a chat with the bot.
type Group struct {
	ID      string
	Name    string // as tests name it
	Kind    string
	Team    string   // of a channel
	Type    string   // of a channel: standard, private, shared
	Members []string // ids of users
	Bot     bool     // the app is installed there
	Blocked bool     // somebody blocked the bot
}

// Message is what stands in a conversation.
type Message struct {
	ID      string
	Group   string
	Root    string // the message whose thread it is in; its own id for the first of a thread, "" in chats
	From    string // the id of a user, or the bot's
	Text    string
	Summary string
	Card    map[string]any
	Edits   int
	views   map[string]map[string]any // what an answer to a press put in the card's place on one person's devices
}

// Dialog is a form open on somebody's screen.
type Dialog struct {
	Title   string
	Card    map[string]any
	Values  map[string]string // by input
	Message Message           // whose button opened it
	Words   string            // it only says something
}

// New returns a tenant with nobody in it but the bot.
func New(c Config) *Teams {
	if c.App == "" {
		c.App = "b07b07b0-0000-4000-8000-000000000b07"
	}
	if c.Password == "" {
		c.Password = "Abc8Q~" + random()
	}
	if c.Tenant == "" {
		c.Tenant = "7e4a4700-0000-4000-8000-0000000000ac"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AnswerWithin == 0 {
		c.AnswerWithin = 10 * time.Second
	}
	if c.TokenLife == 0 {
		c.TokenLife = time.Hour
	}
	t := &Teams{
		config: c, base: strings.TrimSuffix(c.BaseURL, "/"), client: &http.Client{}, changed: make(chan struct{}), tokens: map[string]time.Time{}, dialogs: map[string]*Dialog{},
		sends: map[string][]time.Time{}, counts: map[string]int{}, signers: []*signer{newSigner(2048, "msteams")},
	}
	if c.Client != nil {
		t.client = c.Client
	}
	t.stopped, t.stop = context.WithCancel(context.Background())
	t.routes = t.handler()
	return t
}

// ServeHTTP serves the connector, the token endpoint and the issuer.
func (t *Teams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	back := t.back
	t.mu.Unlock()
	if back != nil && strings.HasPrefix(r.URL.Path, forwardPath) {
		back.ServeHTTP(w, r)
		return
	}
	t.routes.ServeHTTP(w, r)
}

// Listen serves on a free loopback port until Close.
func (t *Teams) Listen() error { return t.listen("127.0.0.1:0") }

func (t *Teams) listen(address string) error {
	l, err := (&net.ListenConfig{}).Listen(t.stopped, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen as Teams: %w", err)
	}
	server := &http.Server{Handler: t, ReadHeaderTimeout: 10 * time.Second}
	t.mu.Lock()
	t.server, t.base = server, "http://"+l.Addr().String()
	t.mu.Unlock()
	t.running.Go(func() { _ = server.Serve(l) })
	return nil
}

// Away takes it off the network until Back: connections are cut and new ones refused.
func (t *Teams) Away() {
	t.mu.Lock()
	server := t.server
	t.server = nil
	t.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

// Back ends Away, on the same port.
func (t *Teams) Back() error { return t.listen(t.Host()) }

// Close ends everything that goes on.
func (t *Teams) Close() {
	t.stop()
	t.Away()
	t.running.Wait()
}

// Config returns the configuration, defaults filled in.
func (t *Teams) Config() Config { return t.config }

// URL is where this Teams is, Host the same without http://.
func (t *Teams) URL() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.base
}

// Host is the host and port.
func (t *Teams) Host() string { return strings.TrimPrefix(t.URL(), "http://") }

// OpenIDURL is the issuer's metadata, TokenURL where the bot gets its token, ServiceURL the connector.
func (t *Teams) OpenIDURL() string { return t.URL() + openIDPath }

// TokenURL is the token endpoint of the own tenant.
func (t *Teams) TokenURL() string { return t.URL() + "/" + t.config.Tenant + "/oauth2/v2.0/token" }

// ServiceURL is what activities name as their service.
func (t *Teams) ServiceURL() string { return t.URL() + "/emea/" }

// BotID is the bot in conversations.
func (t *Teams) BotID() string { return "28:" + t.config.App }

// Connect says where the bot takes activities. If it runs several times, each gets its turn, as behind a load balancer.
func (t *Teams) Connect(endpoints ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bots = endpoints
}

// Changed returns a channel that is closed at the next change of anything that can be read.
func (t *Teams) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// touch tells of a change; t.mu is held.
func (t *Teams) touch() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// id returns a new number as ids here are made of; t.mu is held.
func (t *Teams) id() string {
	t.lastID++
	return fmt.Sprintf("17640000%05d", t.lastID)
}

// AddUser adds somebody, with what was left out made up.
func (t *Teams) AddUser(u User) User {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastID++
	if u.Object == "" {
		u.Object = fmt.Sprintf("0b1ec700-0000-4000-8000-%012d", t.lastID)
	}
	if u.ID == "" {
		u.ID = "29:1" + random()
	}
	if u.Tenant == "" {
		u.Tenant = t.config.Tenant
	}
	if u.UPN == "" {
		u.UPN = u.Name + "@acme.example"
	}
	t.users = append(t.users, &u)
	return u
}

// AddGroup adds a channel or a group chat; the bot is in it if Bot is set, and nobody tells it so.
func (t *Teams) AddGroup(g Group) Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.Type == "" && g.Kind == Channel {
		g.Type = "standard"
	}
	t.groups = append(t.groups, &g)
	return g
}

// SetUser changes somebody. Nothing else may be asked of t within change.
func (t *Teams) SetUser(name string, change func(*User)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t.user(name))
}

// SetGroup changes a conversation, as SetUser.
func (t *Teams) SetGroup(name string, change func(*Group)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t.group(name))
}

// User returns somebody by name, id or object.
func (t *Teams) User(name string) (User, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.user(name); u != nil {
		return *u, true
	}
	return User{}, false
}

func (t *Teams) user(name string) *User {
	i := slices.IndexFunc(t.users, func(u *User) bool { return u.Name == name || u.ID == name || u.Object == name })
	if i < 0 {
		return nil
	}
	return t.users[i]
}

// Group returns a conversation by name or id.
func (t *Teams) Group(name string) (Group, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.group(name); g != nil {
		return *g, true
	}
	return Group{}, false
}

func (t *Teams) group(name string) *Group {
	i := slices.IndexFunc(t.groups, func(g *Group) bool { return g.Name == name || g.ID == name })
	if i < 0 {
		return nil
	}
	return t.groups[i]
}

// Chat is somebody's chat with the bot, which may have nothing in it yet.
func (t *Teams) Chat(user string) Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	return *t.chat(t.user(user))
}

func (t *Teams) chat(u *User) *Group {
	id := "a:1" + u.Object
	if g := t.group(id); g != nil {
		return g
	}
	g := &Group{ID: id, Kind: Personal, Members: []string{u.ID}, Bot: true}
	t.groups = append(t.groups, g)
	return g
}

// Messages returns what stands in a conversation, oldest first, as somebody sees it; with "" as everybody does.
func (t *Teams) Messages(group, user string) []Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.group(group)
	if g == nil {
		return nil
	}
	var out []Message
	for _, m := range t.messages {
		if m.Group == g.ID {
			out = append(out, t.seen(m, user))
		}
	}
	return out
}

func (t *Teams) seen(m *Message, user string) Message {
	out := *m
	if u := t.user(user); u != nil {
		if v, ok := m.views[u.ID]; ok {
			out.Card = v
		}
	}
	return out
}

// Visible returns all that somebody can see, oldest first.
func (t *Teams) Visible(user string) []Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.user(user)
	if u == nil {
		return nil
	}
	var out []Message
	for _, m := range t.messages {
		if g := t.group(m.Group); g != nil && slices.Contains(g.Members, u.ID) {
			out = append(out, t.seen(m, user))
		}
	}
	return out
}

// Dialog returns the dialog that is open on somebody's screen.
func (t *Teams) Dialog(user string) (Dialog, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.dialogs[t.user(user).ID]
	if d == nil {
		return Dialog{}, false
	}
	return *d, true
}

// Reload loads somebody's Teams anew: what answers to presses showed is gone, and messages are as everybody sees them.
func (t *Teams) Reload(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.user(user).ID
	for _, m := range t.messages {
		delete(m.views, id)
	}
	delete(t.dialogs, id)
}
