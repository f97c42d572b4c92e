// Package teams is Microsoft Teams as a chat platform: what people type and press there becomes events, and what flow
// says becomes Adaptive Cards. It translates, and decides nothing.
//
// The pure half, which has no clock and calls nobody: message (render.go) and dialog (form.go) draw cards, decode
// (decode.go) reads activities, and Package (manifest.go) is the app as Teams is told of it. Beside it, http.go takes
// requests in, whose tokens token.go and keys.go check, take.go makes events of them, send.go sends over client.go, and
// directory.go looks people and channels up. What the bot may write to is learnt, in places.go.
//
// The types, the adapter and the handlers are those of msbotbuilder-go. Its own check of tokens and its own client have
// holes, so both are ours, put in at the seams that it exports; core.NewBotAdapter, which would bring its own back, is
// never called.
package teams

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/infracloudio/msbotbuilder-go/core"
	"github.com/rs/zerolog"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
)

// Platform is the name of this chat platform in places and accounts.
const Platform = "teams"

const (
	takeInFor  = 1500 * time.Millisecond // to take an event in
	offlineFor = time.Second             // to say what to do by hand
	pressFor   = 2 * time.Second         // what somebody who presses waits for; Microsoft gives up after 10 s
)

// Flow is what Teams needs of flow.Service.
type Flow interface {
	Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error)
	// Offline is what to do by hand when an event could not be taken in.
	Offline(ctx context.Context, e flow.Event) card.Card
}

// Config is what a Teams needs.
type Config struct {
	App      string        // the application's id in Entra, which is the bot's
	Password config.Secret // a client secret of it
	Tenant   string        // the one whose people use the bot
	OpenID   string        // the metadata of the issuer of incoming tokens; empty: Microsoft's
	Token    string        // where the bot gets its own; empty: Microsoft's, of the tenant
	Hosts    []string      // where activities may come from and the token may go; empty: Microsoft's
	Mention  func(name string) (object string)
	Store    Store
	Flow     Flow
	Log      zerolog.Logger
	Now      func() time.Time // nil: time.Now
	Client   *http.Client     // nil: a plain one
	Unpaced  bool             // nothing is held back: there is no Microsoft behind Client
}

// Teams is one tenant.
type Teams struct {
	config        Config
	validator     *validator
	adapter       *core.BotFrameworkAdapter
	connector     *connector
	conversations shelf[conversation]
	people        shelf[person]
	lastService   atomic.Value // string
	directory     *directory
	watched       watch
	doubts        doubts
	running       sync.WaitGroup
}

// New returns a Teams. It reports all that is wrong with c at once; nothing is asked of Microsoft yet, which may be away.
func New(c Config) (*Teams, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	v := newValidator(c.App, c.Tenant, c.Hosts, newKeys(c))
	out := &connector{hosts: c.Hosts, web: c.client(callFor), pace: pace{off: c.Unpaced}, tokens: &tokens{web: c.client(callFor), config: clientcredentials.Config{
		ClientID: c.App, ClientSecret: c.Password.Reveal(), TokenURL: c.Token, Scopes: []string{scopeOf(v.keys.issuer)}, AuthStyle: oauth2.AuthStyleInParams,
	}}}
	t := &Teams{
		config: c, validator: v, connector: out,
		// The password stays out: the adapter has no use for it.
		adapter:       &core.BotFrameworkAdapter{AdapterSetting: core.AdapterSetting{AppID: c.App}, TokenValidator: v, Client: out},
		conversations: shelf[conversation]{store: c.Store, prefix: conversationKey, now: c.Now},
		people:        shelf[person]{store: c.Store, prefix: personKey, now: c.Now},
	}
	t.directory = &directory{teams: t, now: c.Now}
	return t, nil
}

// Directory is what Teams knows of people and channels.
func (t *Teams) Directory() flow.Directory { return t.directory }

// Wait returns when all that was begun for somebody who waited is done.
func (t *Teams) Wait() { t.running.Wait() }

// background does something for somebody who has their answer already.
func (t *Teams) background(ctx context.Context, do func(context.Context)) {
	ctx = context.WithoutCancel(ctx)
	t.running.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				zerolog.Ctx(ctx).Error().Interface("panic", p).Msg("set aside")
			}
		}()
		ctx, cancel := context.WithTimeout(ctx, callFor)
		defer cancel()
		do(ctx)
	})
}

var _ http.Handler = (*Teams)(nil)
