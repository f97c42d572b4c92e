// Package slacktest is a Slack to practise against: one workspace with people, channels, messages, forms and home
// tabs, the Web API that an app calls, and the signed requests that Slack sends to an app.
//
// It keeps state and is as strict as Slack: sizes are checked with Slack's own errors, a trigger works once and for
// three seconds, a response_url five times within half an hour, and nobody reaches an ephemeral message by chat.update.
// Where Slack's behaviour is not published, the stricter reading counts.
//
// A Slack is an http.Handler, and it can listen on a loopback port by itself; both serve the Web API under /api/. What
// people do (Command, Press, Submit, Say, …) is sent to the app over HTTP or, in Socket Mode, over its WebSocket, and
// returns when the app has answered or Slack would have given up.
package slacktest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config is what a workspace and the app in it are made of. Every field may be left out.
type Config struct {
	SigningSecret string
	BotToken      string // xoxb-…
	AppToken      string // xapp-…, for Socket Mode

	TeamID   string
	Domain   string   // of the workspace
	Scopes   []string // that the app was given; nil: Scopes()
	Commands []string // that the app has; nil: /outage
	Events   []string // that the app subscribed to, such as message.im; nil: all
	OrgWide  bool     // the app is installed for a whole organisation

	// BaseURL is where the app finds this Slack when it does not listen by itself.
	BaseURL string

	Now          func() time.Time // nil: time.Now
	Client       *http.Client     // sends to the app; nil: a plain one
	AnswerWithin time.Duration    // how long Slack waits for the app; 0: 3 s
	EventRetries []time.Duration  // before each further delivery of an event; nil: at once, 1 min, 5 min
	PingEvery    time.Duration    // on a WebSocket; 0: 5 s

	NoRateLimits bool
	Burst        int // messages that a channel takes at once before it is one a second; 0: 5
}

// Scopes returns the scopes that an app has unless its Config says otherwise.
func Scopes() []string {
	return []string{
		"commands", "chat:write", "chat:write.public", "app_mentions:read", "channels:read", "groups:read", "im:read",
		"channels:history", "groups:history", "im:history", "im:write", "usergroups:read", "users:read", "users:read.email", "files:write",
		"metadata.message:read",
	}
}

// App is where the app takes what Slack sends, over HTTP.
type App struct {
	CommandURL     string
	InteractionURL string
	EventURL       string
}

// At returns where an app at that URL takes requests unless it says otherwise.
func At(url string) App {
	url = strings.TrimSuffix(url, "/") + "/slack/"
	return App{CommandURL: url + "commands", InteractionURL: url + "interactions", EventURL: url + "events"}
}

// Slack is one workspace.
type Slack struct {
	config Config
	client *http.Client
	routes *http.ServeMux

	stop    context.CancelFunc
	stopped context.Context //nolint:containedctx // ends what goes on between requests: retries and sockets
	running sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed at the next change
	base     string
	listener net.Listener
	server   *http.Server
	apps     []App
	turn     int // whose of them it is
	socket   bool

	token     string // how things stand with the bot's token; empty: it works
	scopes    []string
	homeOff   bool
	limited   bool
	lastTS    int64 // microseconds
	lastID    int
	users     []*User
	channels  []*Channel
	groups    []*Group
	messages  []*Message
	modals    map[string][]*View // by user, the newest on top
	homes     map[string]*View   // by user
	viewed    map[string]*View   // by id, the closed ones too
	triggers  map[string]*trigger
	answers   map[string]*answerURL
	files     map[string]*file
	faults    []Fault
	buckets   map[string]*bucket
	calls     []Call
	delivered []Delivery
	sockets   socketState
}

// BotUser and BotID are who the app is in the workspace, AppID which app it is, Slackbot who tells people that a
// command failed.
const (
	BotUser  = "U0SWITCHBK"
	BotID    = "B0SWITCHBK"
	AppID    = "A0SWITCHBK"
	Slackbot = "USLACKBOT"
)

// New returns a workspace with only the bot in it.
func New(c Config) *Slack {
	if c.SigningSecret == "" {
		c.SigningSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	}
	if c.BotToken == "" {
		c.BotToken = "xoxb-" + random()
	}
	if c.AppToken == "" {
		c.AppToken = "xapp-1-" + AppID + "-" + random()
	}
	if c.TeamID == "" {
		c.TeamID = "T0ACME"
	}
	if c.Domain == "" {
		c.Domain = "acme"
	}
	if c.Scopes == nil {
		c.Scopes = Scopes()
	}
	if c.Commands == nil {
		c.Commands = []string{"/outage"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AnswerWithin == 0 {
		c.AnswerWithin = 3 * time.Second
	}
	if c.EventRetries == nil {
		c.EventRetries = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	if c.PingEvery == 0 {
		c.PingEvery = 5 * time.Second
	}
	if c.Burst == 0 {
		c.Burst = 5
	}
	s := &Slack{
		config: c, client: &http.Client{}, changed: make(chan struct{}), base: strings.TrimSuffix(c.BaseURL, "/"),
		scopes: c.Scopes, limited: !c.NoRateLimits,
		modals: map[string][]*View{}, homes: map[string]*View{}, viewed: map[string]*View{},
		triggers: map[string]*trigger{}, answers: map[string]*answerURL{}, files: map[string]*file{}, buckets: map[string]*bucket{},
	}
	if c.Client != nil {
		s.client = c.Client
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	s.users = []*User{
		{ID: BotUser, Name: "switchback", RealName: "Switchback", Team: c.TeamID, Bot: true},
		{ID: Slackbot, Name: "slackbot", RealName: "Slackbot", Team: c.TeamID, Bot: true},
	}
	s.routes = s.handler()
	return s
}

func (s *Slack) handler() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("/api/{method}", s.call)
	m.HandleFunc("POST /commands/{team}/{id}/{key}", s.respond)
	m.HandleFunc("POST /actions/{team}/{id}/{key}", s.respond)
	m.HandleFunc("POST /upload/{id}", s.upload)
	m.HandleFunc("GET /link/", s.dial)
	return m
}

// ServeHTTP serves the Web API, the response_urls and the WebSockets.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Listen serves on a free loopback port until Close.
func (s *Slack) Listen() error {
	return s.listen("127.0.0.1:0")
}

func (s *Slack) listen(address string) error {
	l, err := (&net.ListenConfig{}).Listen(s.stopped, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen as Slack: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.mu.Lock()
	s.listener, s.server, s.base = l, server, "http://"+l.Addr().String()
	s.mu.Unlock()
	s.running.Go(func() { _ = server.Serve(l) })
	return nil
}

// Away takes a listening Slack off the network: connections are cut and new ones refused, until Back.
func (s *Slack) Away() {
	s.mu.Lock()
	server := s.server
	s.server = nil
	s.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
	s.closeSockets()
}

// Back ends Away, on the same port.
func (s *Slack) Back() error { return s.listen(strings.TrimPrefix(s.URL(), "http://")) }

// Close ends everything that goes on.
func (s *Slack) Close() {
	s.stop()
	s.Away()
	s.running.Wait()
}

// URL is where this Slack is.
func (s *Slack) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// APIURL is the base of the Web API, with the slash at its end that slack-go wants.
func (s *Slack) APIURL() string { return s.URL() + "/api/" }

// Config returns the configuration, defaults filled in.
func (s *Slack) Config() Config { return s.config }

// Connect says where the app takes requests over HTTP. If it runs several times, each gets its turn, as behind a load
// balancer.
func (s *Slack) Connect(apps ...App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps, s.socket = apps, false
}

// App returns where the app takes the next request over HTTP.
func (s *Slack) App() App {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.apps) == 0 {
		return App{}
	}
	return s.apps[s.turn%len(s.apps)]
}

// nextApp is App, and makes it the next one's turn.
func (s *Slack) nextApp() App {
	a := s.App()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	return a
}

// ConnectSocket makes everything go through Socket Mode.
func (s *Slack) ConnectSocket() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket = true
}

// Changed returns a channel that is closed at the next change of anything that can be read.
func (s *Slack) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// touch tells of a change; s.mu is held.
func (s *Slack) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Slack) now() time.Time { return s.config.Now() }

// ts returns a timestamp that no message has yet; s.mu is held.
func (s *Slack) ts() string {
	s.lastTS = max(s.lastTS+1, s.now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.lastTS/1e6, s.lastTS%1e6)
}

// id returns a new id that begins as ids of its kind do; s.mu is held.
func (s *Slack) id(kind string) string {
	s.lastID++
	return fmt.Sprintf("%s%06d", kind, s.lastID)
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
