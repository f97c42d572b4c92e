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

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/handlers"
	"switchback/handlers/slack"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/terminal"
)

// Every transcript is told on Slack too: what is typed there goes through a workspace to the bot, and each card comes
// back through it. Only then it is printed, and must be the same to the letter, but for the ids of outages.
func TestTranscriptsOnSlack(t *testing.T) {
	onPlatform(t, onSlack, map[string]string{
		"night8": "what the bot could not take in Slack sends again, by its own clock",
	})
}

// onSlack puts a workspace between those who type and the bot.
func onSlack(s *stage) { s.front = newSlackFront(s.t, &s.out) }

// slackFront is a workspace that stands in for the terminal. What the terminal would hand to the bot is typed and pressed
// in Slack, and what the bot sends to Slack is printed once Slack shows it.
type slackFront struct {
	backstage
	slack   *slacktest.Slack
	adapter *slack.Slack

	mu      sync.Mutex
	replies map[string]flow.Reply // by event
	last    string                // the event that came last
}

const (
	slackAPI = "http://127.0.0.1:1"
	slackBot = "http://127.0.0.1:2"
)

func newSlackFront(t *testing.T, out *bytes.Buffer) *slackFront {
	t.Helper()
	f := &slackFront{backstage: backstage{t: t, out: out}, replies: map[string]flow.Reply{}}
	f.slack = slacktest.New(slacktest.Config{BaseURL: slackAPI, NoRateLimits: true, Client: sim.Local(f)})
	t.Cleanup(f.slack.Close)
	for _, channel := range []string{"#support", "#voice", "#drills"} {
		f.slack.AddChannel(slacktest.Channel{ID: slackID(channel), Name: channel[1:], Members: []string{slacktest.BotUser}})
	}
	f.slack.Connect(slacktest.At(slackBot))
	return f
}

// slackID is the id of a channel, or of the person of that name.
func slackID(name string) string {
	if channel, ok := strings.CutPrefix(name, "#"); ok {
		return "C0" + strings.ToUpper(channel)
	}
	return "U0" + strings.ToUpper(name)
}

// people gives everybody and every channel of a document an account of Slack's.
func (f *slackFront) people(o organisation) organisation {
	o.People, o.Channels = slices.Clone(o.People), slices.Clone(o.Channels)
	for i, p := range o.People {
		o.People[i].Slack, o.People[i].Terminal = slackID(p.Name), ""
		f.member(p.Name, p.Zone)
	}
	if o.Drills.Terminal != "" {
		o.Drills.Slack, o.Drills.Terminal = slackID(o.Drills.Terminal), ""
	}
	for i, r := range o.Channels {
		o.Channels[i].Slack, o.Channels[i].Terminal = slackID(r.Terminal), ""
	}
	return o
}

func (f *slackFront) member(name, zone string) string {
	id := slackID(name)
	if _, ok := f.slack.User(id); ok {
		return id
	}
	// Who is not among the people is a guest: to the bot, somebody from outside.
	f.slack.AddUser(slacktest.User{ID: id, Name: name, Zone: zone, Guest: zone == "?"})
	for _, c := range f.slack.Channels() {
		f.slack.ChangeChannel(c.ID, func(c *slacktest.Channel) { c.Members = append(c.Members, id) })
	}
	return id
}

func (f *slackFront) open(ctx context.Context, s session) (*terminal.Terminal, *handlers.Worker, error) {
	org := f.people(s.Org)
	f.adapter = f.start()
	return f.backstage.open(ctx, s, org, slack.Platform, f.adapter.Directory(), f)
}

func (f *slackFront) start() *slack.Slack {
	f.t.Helper()
	a, err := slack.New(slack.Config{
		SigningSecrets: []config.Secret{config.Secret(f.slack.Config().SigningSecret)}, Token: config.Secret(f.slack.Config().BotToken),
		API: f.slack.APIURL(), ResponseHosts: []string{strings.TrimPrefix(slackAPI, "http://")}, Client: sim.Local(f.slack), Flow: slackHeard{f},
		Mention: func(name string) (string, bool) { return slackID(name), false }, Log: zerolog.Nop(),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// ServeHTTP is where Slack finds the bot.
func (f *slackFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handlers.Routes{Slack: f.adapter}.Handler().ServeHTTP(w, r)
}

// slackHeard is the bot's flow, and remembers what it answered.
type slackHeard struct{ *slackFront }

func (h slackHeard) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
	replies, err := h.service.Accept(ctx, e)
	if err != nil {
		return nil, err
	}
	r := <-replies
	h.mu.Lock()
	h.replies[e.ID], h.last = r, e.ID
	h.mu.Unlock()
	done := make(chan flow.Reply, 1)
	done <- r
	return done, nil
}

func (h slackHeard) Offline(ctx context.Context, e flow.Event) card.Card {
	return h.service.Offline(ctx, e)
}

func (h slackHeard) Overview(ctx context.Context, by flow.Person) []card.Card {
	return h.service.Overview(ctx, by)
}

// Accept does in Slack what somebody did at the terminal.
func (f *slackFront) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
	user := f.member(strings.TrimPrefix(e.By.Account, terminal.Platform+":"), "?")
	f.mu.Lock()
	f.last = ""
	f.mu.Unlock()
	var d slacktest.Delivery
	var err error
	command, typed := e.What.(flow.Command)
	press, _ := e.What.(flow.Press)
	switch {
	case typed:
		d, err = f.slack.Command(ctx, user, slackID("#support"), strings.TrimSpace("/outage "+f.ids(strings.Join(command.Words, " "))))
	case press.Fields != nil:
		d, err = f.submit(ctx, user, press.Fields)
	default:
		var m slacktest.Message
		var label string
		if m, label, err = f.find(user, press.Action.Encode()); err == nil {
			d, err = f.slack.Press(ctx, user, m, label)
		}
	}
	if err == nil && !d.OK() {
		err = errors.New(d.Err)
	}
	if err != nil {
		return nil, err
	}
	f.adapter.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	done := make(chan flow.Reply, 1)
	r := f.replies[f.last]
	if _, open := f.slack.Form(user); r.Form != nil && !open {
		f.t.Errorf("the form %q did not open in Slack", r.Form.Title)
	}
	if r.Form != nil {
		f.form = r.Form.Form
	}
	done <- r
	return done, nil
}

// find is the newest message that somebody sees with the button of this action.
func (f *slackFront) find(user, action string) (slacktest.Message, string, error) {
	for _, m := range slices.Backward(f.slack.Visible(user)) {
		for _, b := range m.Blocks {
			elements, _ := b["elements"].([]any)
			for _, e := range elements {
				e, _ := e.(map[string]any)
				if e["value"] == action {
					text, _ := e["text"].(map[string]any)
					return m, fmt.Sprint(text["text"]), nil
				}
			}
		}
	}
	return slacktest.Message{}, "", errors.New("no message that the person sees in Slack has this button")
}

// submit fills in the form that is open, and sends it.
func (f *slackFront) submit(ctx context.Context, user string, fields map[string]string) (slacktest.Delivery, error) {
	for _, in := range f.form.Inputs {
		value, given := fields[in.ID]
		if !given {
			continue
		}
		if len(in.Options) > 0 {
			var labels []string
			for _, o := range in.Options {
				if slices.Contains(strings.Split(value, "\n"), o.Value) {
					labels = append(labels, o.Label)
				}
			}
			value = strings.Join(labels, "\n")
		}
		if err := f.slack.Fill(user, in.Label, value); err != nil {
			return slacktest.Delivery{}, err
		}
	}
	return f.slack.Submit(ctx, user)
}

// Send sends to Slack, and prints what Slack shows.
func (f *slackFront) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	ref, err := f.adapter.Send(ctx, p, to)
	if _, later := errors.AsType[handlers.Later](err); err != nil && !later {
		f.t.Errorf("%s to %+v: %v", p.Message, p.Place, err)
	}
	if err != nil {
		return ref, err
	}
	f.shows(p)
	person := strings.ToLower(strings.TrimPrefix(p.Place.Person, slack.Platform+":U0"))
	return ref, f.prints(ctx, p, to, "#"+strings.ToLower(strings.TrimPrefix(p.Place.Channel, "C0")), person)
}

// shows wants the card in Slack, where its reader looks.
func (f *slackFront) shows(p flow.Post) {
	f.t.Helper()
	reader := slacktest.BotUser
	messages := f.slack.Messages(p.Place.Channel)
	if p.Place.Person != "" {
		reader = strings.TrimPrefix(p.Place.Person, slack.Platform+":")
		messages = f.slack.Visible(reader)
	}
	title := titled(p.Card)
	for _, m := range messages {
		if strings.Contains(strings.Join(f.slack.Lines(m, reader), "\n"), title) {
			return
		}
	}
	f.t.Errorf("Slack does not show %q to %s in %q", title, reader, p.Place.Channel)
}
