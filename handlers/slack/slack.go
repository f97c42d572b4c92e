// Package slack is Slack as a chat platform: what people type and press there becomes events, and what flow says
// becomes messages, forms and the Home tab. It translates, and decides nothing.
//
// The pure half has no clock and calls nobody: message, modal and home (render.go, form.go) draw cards; decode and
// decodeSocket (decode.go) read what Slack sends; Manifest (manifest.go) is the app as Slack is told of it. What message
// was given as id comes back with a press as incoming.pressed; what modal was given as meta comes back with the form as
// incoming.meta. Beside it, http.go and socket.go take requests in, take.go makes events of them, client.go sends, and
// directory.go looks people, groups and channels up.
package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
)

// Platform is the name of this chat platform in places and accounts.
const Platform = "slack"

const (
	callFor     = 10 * time.Second        // one call of Slack's API
	takeInFor   = 1500 * time.Millisecond // to take an event in; Slack gives up after 3 s
	lookFor     = time.Second             // to find out where somebody belongs, before Slack has its answer
	offlineFor  = time.Second             // to say what to do by hand
	formFor     = 2 * time.Second         // to decide on a form that was sent
	triggerFor  = 2500 * time.Millisecond // to open a form: its trigger lives 3 s
	lentFor     = 29 * time.Minute        // how long a response_url is used: Slack takes it for 30 min
	refusedFor  = 30 * time.Second        // between attempts where Slack takes nothing from us
	workspaceIn = 30 * time.Second        // between attempts to find out whose token it is
)

// Flow is what Slack needs of flow.Service.
type Flow interface {
	Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error)
	// Offline is what to do by hand when an event could not be taken in.
	Offline(ctx context.Context, e flow.Event) card.Card
	// Overview is what is open, and what the person may do.
	Overview(ctx context.Context, by flow.Person) []card.Card
}

// Config is what a Slack needs.
type Config struct {
	Organisation   Organisation
	SigningSecrets []config.Secret // the first is the current one; several while one is being replaced
	Token          config.Secret   // the bot's
	AppToken       config.Secret   // for Socket Mode; empty: requests come over HTTP
	API            string          // empty: Slack's own
	ResponseHosts  []string        // where a response_url may lead; empty: Slack's own
	Client         *http.Client    // nil: a plain one
	Mention        func(name string) (id string, group bool)
	Flow           Flow
	Log            zerolog.Logger
}

// Slack is one workspace.
type Slack struct {
	config    Config
	api       *slackgo.Client
	web       *http.Client
	directory *directory
	pace      pace
	identity  identity
	direct    sync.Map // person's id → the channel of their direct messages with the bot
	forms     lendings
	running   sync.WaitGroup
}

// New returns a Slack. Nothing is asked of Slack yet, which may be away.
func New(c Config) (*Slack, error) {
	c.API = cmp.Or(c.API, defaultAPI)
	if !strings.HasSuffix(c.API, "/") {
		c.API += "/"
	}
	if err := checkURL("SLACK_API_URL", c.API); err != nil {
		return nil, err
	}
	if len(c.ResponseHosts) == 0 {
		c.ResponseHosts = strings.Split(defaultHosts, ",")
	}
	if c.Token == "" {
		return nil, errors.New("Slack needs the bot's token (SLACK_BOT_TOKEN)")
	}
	if c.AppToken == "" && !slices.ContainsFunc(c.SigningSecrets, func(s config.Secret) bool { return s != "" }) {
		return nil, errors.New("Slack needs the signing secret (SLACK_SIGNING_SECRET), or an app token (SLACK_APP_TOKEN) for Socket Mode")
	}
	if c.Mention == nil {
		c.Mention = func(string) (string, bool) { return "", false }
	}
	web := http.Client{}
	if c.Client != nil {
		web = *c.Client
	}
	web.Timeout = callFor
	web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &Slack{config: c, web: &web}
	options := []slackgo.Option{slackgo.OptionHTTPClient(s.web), slackgo.OptionAPIURL(c.API)}
	if c.AppToken != "" {
		options = append(options, slackgo.OptionAppLevelToken(c.AppToken.Reveal()))
	}
	s.api = slackgo.New(c.Token.Reveal(), options...)
	s.directory = &directory{api: s.api, team: s.workspace, groups: c.Organisation.Responders, now: time.Now}
	return s, nil
}

// Directory is what Slack knows of people and channels.
func (s *Slack) Directory() flow.Directory { return s.directory }

// Wait returns when all that was begun for somebody who waited is done.
func (s *Slack) Wait() { s.running.Wait() }

// workspace is where the bot is installed.
type workspace struct {
	team, enterprise string
}

// has reports whether somebody belongs to the workspace, of a larger organisation perhaps.
func (w workspace) has(u slackgo.User) bool {
	return u.TeamID == w.team || slices.Contains(u.Enterprise.Teams, w.team)
}

// identity remembers the workspace once it is known.
type identity struct {
	mu    sync.Mutex
	known workspace
	tried time.Time
	err   error
}

// errOrganisation means that the app is installed for a whole organisation.
var errOrganisation = errors.New("the app is installed for a whole organisation; install it in the one workspace whose people use it")

// ofOrganisation reports whether a token is of such an app: it belongs to no workspace, and Slack names the organisation,
// E…, or nothing in its place.
func ofOrganisation(answer *slackgo.AuthTestResponse) bool {
	return answer.TeamID == "" || answer.TeamID == answer.EnterpriseID
}

// workspace is the one that the organisation document names, else the one of the token: Slack is asked once.
func (s *Slack) workspace(ctx context.Context) (workspace, error) {
	if named := s.config.Organisation.Team; named != "" {
		return workspace{team: named}, nil
	}
	s.identity.mu.Lock()
	defer s.identity.mu.Unlock()
	if s.identity.known.team != "" {
		return s.identity.known, nil
	}
	if s.identity.err != nil && time.Since(s.identity.tried) < workspaceIn {
		return workspace{}, s.identity.err
	}
	// Somebody waits, and the next ones behind them: one who gives up meanwhile does not spoil it for them.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeInFor)
	defer cancel()
	answer, err := s.api.AuthTestContext(ctx)
	s.identity.tried, s.identity.err = time.Now(), err
	if err != nil {
		s.identity.err = fmt.Errorf("find out whose Slack token it is: %w", err)
		return workspace{}, s.identity.err
	}
	w := workspace{team: answer.TeamID, enterprise: answer.EnterpriseID}
	if ofOrganisation(answer) {
		s.identity.err = errOrganisation
		return workspace{}, errOrganisation
	}
	s.identity.known = w
	return w, nil
}
