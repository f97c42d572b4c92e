package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/handlers"
	"switchback/handlers/teams"
	"switchback/handlers/teams/teamstest"
	"switchback/handlers/terminal"
	"switchback/store"
)

// Every transcript is told on Microsoft Teams too, as on Slack. What one person alone may see stands in their chat with
// the bot.
func TestTranscriptsOnTeams(t *testing.T) {
	onPlatform(t, onTeams, nil)
}

// onTeams puts a tenant between those who type and the bot.
func onTeams(s *stage) { s.front = newTeamsFront(s.t, &s.out) }

// teamsFront is a tenant that stands in for the terminal, as slackFront.
type teamsFront struct {
	backstage
	teams   *teamstest.Teams
	adapter *teams.Teams
	added   bool              // the app, to the team
	waiting chan struct{}     // holds one: who waits for all the others
	offered map[string]string // by message: where the cards are that offered a form

	mu    sync.Mutex
	heard chan<- heard // takes what the bot answers to the next event
}

// heard is what the bot answered to an event.
type heard struct {
	event string
	reply flow.Reply
	err   error
}

const (
	teamsAPI     = "http://127.0.0.1:1"
	teamsBot     = "http://127.0.0.1:2/api/messages"
	teamsGeneral = "19:general@thread.tacv2"
)

func newTeamsFront(t *testing.T, out *bytes.Buffer) *teamsFront {
	t.Helper()
	f := &teamsFront{backstage: backstage{t: t, out: out}, waiting: make(chan struct{}, 1), offered: map[string]string{}}
	f.teams = teamstest.New(teamstest.Config{BaseURL: teamsAPI, NoRateLimits: true, Client: sim.Local(f)})
	t.Cleanup(f.teams.Close)
	for _, name := range []string{"general", "support", "voice", "drills"} {
		f.teams.AddGroup(teamstest.Group{ID: teamsID("#" + name), Name: name, Kind: teamstest.Channel, Team: teamsGeneral})
	}
	f.teams.Connect(teamsBot)
	return f
}

// teamsID is the id of a channel.
func teamsID(channel string) string { return "19:" + channel[1:] + "@thread.tacv2" }

// people gives everybody and every channel of a document an account of Teams'.
func (f *teamsFront) people(o organisation) organisation {
	o.People, o.Channels = slices.Clone(o.People), slices.Clone(o.Channels)
	for i, p := range o.People {
		o.People[i].Teams, o.People[i].Terminal = f.member(p.Name, p.Zone, false).Object, ""
	}
	if o.Drills.Terminal != "" {
		o.Drills.Teams, o.Drills.Terminal = teamsID(o.Drills.Terminal), ""
	}
	for i, r := range o.Channels {
		o.Channels[i].Teams, o.Channels[i].Terminal = teamsID(r.Terminal), ""
	}
	return o
}

// member is somebody by name. A guest is in no channel, for the bot says little where guests read, but has the app, and old
// copies of what stands in channels.
func (f *teamsFront) member(name, zone string, guest bool) teamstest.User {
	if u, ok := f.teams.User(name); ok {
		return u
	}
	// People are told in the order of their accounts: here too in that of their names.
	object := fmt.Sprintf("0b1ec700-0000-4000-8000-%012.12s", fmt.Sprintf("%x%012d", name, 0))
	u := f.teams.AddUser(teamstest.User{Name: name, Object: object, Zone: zone, Guest: guest})
	if guest {
		f.teams.Chat(name)
	}
	for _, c := range []string{"general", "support", "voice", "drills"} {
		if !guest {
			f.teams.SetGroup(c, func(g *teamstest.Group) { g.Members = append(g.Members, u.ID) })
		}
	}
	return u
}

func (f *teamsFront) open(ctx context.Context, s session) (*terminal.Terminal, *handlers.Worker, error) {
	org := f.people(s.Org)
	f.adapter = f.start(org, s.Store)
	if !f.added {
		f.added = true
		if err := f.teams.Install(ctx, org.People[0].Name, "general"); err != nil {
			return nil, nil, err
		}
	}
	return f.backstage.open(ctx, s, org, teams.Platform, f.adapter.Directory(), f)
}

func (f *teamsFront) start(org organisation, st store.Store) *teams.Teams {
	f.t.Helper()
	c := f.teams.Config()
	a, err := teams.New(teams.Config{
		App: c.App, Password: config.Secret(c.Password), Tenant: c.Tenant, OpenID: f.teams.OpenIDURL(), Token: f.teams.TokenURL(), Hosts: []string{f.teams.Host()},
		Mention: org.teamsMention, Store: store.Learnt{Store: st, Platform: teams.Platform}, Flow: teamsHeard{f}, Log: zerolog.Nop(),
		Client: sim.Local(f.teams), Unpaced: true,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// ServeHTTP is where Teams finds the bot.
func (f *teamsFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handlers.Routes{Teams: f.adapter}.Handler().ServeHTTP(w, r)
}

// teamsHeard is the bot's flow, and tells what it answered. Before there is one, the app was added, and nobody asked.
type teamsHeard struct{ *teamsFront }

func (h teamsHeard) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
	done := make(chan flow.Reply, 1)
	if h.service == nil {
		close(done)
		return done, nil
	}
	h.mu.Lock()
	tell := h.heard
	h.heard = nil
	h.mu.Unlock()
	replies, err := h.service.Accept(ctx, e)
	var r flow.Reply
	if err == nil {
		r = <-replies
		done <- r
	}
	if tell != nil {
		tell <- heard{e.ID, r, err}
	}
	return done, err
}

// Accept does in Teams what somebody did at the terminal. A press gets its answer when its card looks as it will, which
// may be after the bot has sent more.
func (f *teamsFront) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
	user := f.member(strings.TrimPrefix(e.By.Account, terminal.Platform+":"), "", true)
	r, err := f.hears(func() (teamstest.Delivery, error) { return f.does(ctx, user, e) })
	if err != nil {
		return nil, err
	}
	if r.err != nil {
		f.offline(e)
		return nil, errors.New(strings.ReplaceAll(r.err.Error(), r.event, e.ID))
	}
	if offer := offered(r.reply); offer != nil { // words open no form in Teams, where only a press can
		if f.offered[offer.Message], err = f.adapter.Send(ctx, *offer, handlers.Target{}); err != nil {
			return nil, err
		}
		press := e
		press.What = flow.Press{Action: action(offer.Card.Buttons[0])}
		return f.Accept(ctx, press)
	}
	if _, open := f.teams.Dialog(user.Name); r.reply.Form != nil && !open {
		f.t.Errorf("the form %q did not open in Teams", r.reply.Form.Title)
	}
	if r.reply.Form != nil {
		f.form = r.reply.Form.Form
	}
	done := make(chan flow.Reply, 1)
	done <- r.reply
	return done, nil
}

// hears is what the bot answers to what somebody does.
func (f *teamsFront) hears(does func() (teamstest.Delivery, error)) (heard, error) {
	tell := make(chan heard, 1)
	f.mu.Lock()
	f.heard = tell
	f.mu.Unlock()
	failed := make(chan error, 1)
	go func() {
		d, err := does()
		if err == nil && !d.OK() {
			err = fmt.Errorf("the bot answered %d %s", d.Status, d.Raw)
		}
		if err != nil {
			failed <- err
		}
	}()
	select {
	case r := <-tell:
		f.rest()
		return r, nil
	case err := <-failed:
		return heard{}, err
	}
}

// offered is the card that offers a form; nil: there is none.
func offered(r flow.Reply) *flow.Post {
	for _, p := range r.Shown {
		if len(p.Card.Buttons) == 1 && action(p.Card.Buttons[0]).Verb == "reopen" {
			return &p
		}
	}
	return nil
}

func action(b card.Button) flow.Action {
	a, _ := flow.DecodeAction(b.Action)
	return a
}

// offline wants Teams to show, where somebody spoke, that nothing was taken in. The outbox is away too.
func (f *teamsFront) offline(e flow.Event) {
	f.t.Helper()
	f.adapter.Wait()
	if _, typed := e.What.(flow.Command); !typed {
		return
	}
	all := f.teams.Messages("support", "")
	if last := teamstest.TextOf(all[len(all)-1].Card, ""); !strings.Contains(last, "I cannot remember for you right now") {
		f.t.Errorf("Teams shows %q", last)
	}
}

// Offline is the service's, for whoever it is in Teams.
func (f *teamsFront) Offline(ctx context.Context, e flow.Event) card.Card {
	e.By = flow.Person{Account: teams.Platform + ":" + f.member(strings.TrimPrefix(e.By.Account, terminal.Platform+":"), "", true).Object, Member: true}
	e.Place.Platform = teams.Platform
	return f.service.Offline(ctx, e)
}

// rest returns when everybody else waits for something.
func (f *teamsFront) rest() {
	f.waiting <- struct{}{}
	synctest.Wait()
	<-f.waiting
}

func (f *teamsFront) does(ctx context.Context, user teamstest.User, e flow.Event) (teamstest.Delivery, error) {
	command, typed := e.What.(flow.Command)
	press, _ := e.What.(flow.Press)
	switch {
	case typed && user.Guest:
		return f.teams.Say(ctx, user.Name, "", "", f.ids("outage "+strings.Join(command.Words, " ")))
	case typed:
		return f.teams.Say(ctx, user.Name, "support", "", f.ids("@Switchback outage "+strings.Join(command.Words, " ")))
	case press.Fields != nil:
		return f.submit(ctx, user.Name, press.Fields)
	}
	m, label, err := f.find(user, press.Action.Encode())
	if err != nil {
		return teamstest.Delivery{}, err
	}
	return f.teams.Press(ctx, user.Name, m, label)
}

// find is the newest message that somebody sees with the button of this action.
func (f *teamsFront) find(user teamstest.User, action string) (teamstest.Message, string, error) {
	sees := f.teams.Visible(user.Name)
	if user.Guest {
		for _, c := range []string{"support", "voice", "drills"} {
			sees = append(sees, f.teams.Messages(c, "")...)
		}
	}
	for _, m := range slices.Backward(sees) {
		for _, b := range m.Actions() {
			if ours, _ := b.Data["switchback"].(map[string]any); ours["a"] == action {
				return m, b.Label, nil
			}
		}
	}
	return teamstest.Message{}, "", errors.New("no message that the person sees in Teams has this button")
}

// submit fills in the form that is open, and sends it.
func (f *teamsFront) submit(ctx context.Context, user string, fields map[string]string) (teamstest.Delivery, error) {
	d, _ := f.teams.Dialog(user)
	for _, in := range f.form.Inputs {
		value, given := fields[in.ID]
		if !given {
			continue
		}
		if len(in.Options) > 0 {
			shown := d.Choices(in.Label)
			if len(shown) != len(in.Options) {
				return teamstest.Delivery{}, fmt.Errorf("%q has %d options in Teams, not %d", in.Label, len(shown), len(in.Options))
			}
			var labels []string
			for i, o := range in.Options {
				if slices.Contains(strings.Split(value, "\n"), o.Value) {
					labels = append(labels, shown[i])
				}
			}
			value = strings.Join(labels, "\n")
		}
		if err := f.teams.Fill(user, in.Label, value); err != nil {
			return teamstest.Delivery{}, err
		}
	}
	return f.teams.Submit(ctx, user)
}

// Send sends to Teams, and prints what Teams shows.
func (f *teamsFront) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	if ref, ok := f.offered[p.Message]; ok {
		return ref, nil
	}
	ref, err := f.adapter.Send(ctx, p, to)
	if err != nil {
		f.t.Errorf("%s to %+v: %v", p.Message, p.Place, err)
		return ref, err
	}
	f.rest()
	who, _ := f.teams.User(strings.TrimPrefix(p.Place.Person, teams.Platform+":"))
	f.shows(p, who, to.Ref != "")
	return ref, f.prints(ctx, p, to, byName(p.Place.Channel), who.Name)
}

// shows wants the card in Teams, where its reader looks: in a chat, in a thread, or as a post of its own.
func (f *teamsFront) shows(p flow.Post, who teamstest.User, edited bool) {
	f.t.Helper()
	messages := f.teams.Messages(p.Place.Channel, "")
	if p.Place.Person != "" {
		messages = f.teams.Messages(f.teams.Chat(who.Name).ID, who.Name)
	}
	reply := p.Place.Thread != "" && !p.Broadcast
	for _, m := range messages {
		if strings.Contains(teamstest.TextOf(m.Card, who.Zone), titled(p.Card)) && (edited || p.Place.Person != "" || reply == (m.Root != m.ID)) {
			return
		}
	}
	f.t.Errorf("Teams does not show %q to %q in %q", titled(p.Card), who.Name, p.Place.Channel)
}
