package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/handlers"
	"switchback/handlers/slack"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/terminal"
	"switchback/store"
)

// Every transcript is told on Slack too: what is typed there goes through a workspace to the bot, and each card comes
// back through it. Only then it is printed, and must be the same to the letter, but for the ids of outages.
func TestTranscriptsOnSlack(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(want), "= store away") {
				t.Skip("what the bot could not take in Slack sends again, by its own clock")
			}
			var got []byte
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want), onSlack) })
			if diff := cmp.Diff(anonymous(string(want)), anonymous(string(got))); diff != "" {
				t.Errorf("%s on Slack (-terminal +Slack):\n%s", file, diff)
			}
		})
	}
}

var outageIDs = regexp.MustCompile(`\b(voice|chat|sms|social|email|login)-[0-9a-v]{8}\b`)

// byName gives the channels of a workspace their names.
func byName(s string) string {
	return channelIDs.ReplaceAllStringFunc(s, func(id string) string { return "#" + strings.ToLower(id[2:]) })
}

var channelIDs = regexp.MustCompile(`\bC0[A-Z]+\b`)

// anonymous numbers the ids of outages in the order in which they are first named: they come from the ids of events,
// which Slack draws anew each time.
func anonymous(s string) string {
	var seen []string
	return outageIDs.ReplaceAllStringFunc(byName(s), func(id string) string {
		if !slices.Contains(seen, id) {
			seen = append(seen, id)
		}
		return fmt.Sprintf("outage %d", slices.Index(seen, id)+1)
	})
}

// onSlack puts a workspace between those who type and the bot.
func onSlack(s *stage) { s.front = newFront(s.t, &s.out) }

// front is a workspace that stands in for the terminal. What the terminal would hand to the bot is typed and pressed in
// Slack, and what the bot sends to Slack is printed once Slack shows it.
type front struct {
	t       *testing.T
	slack   *slacktest.Slack
	adapter *slack.Slack
	service *flow.Service
	term    *terminal.Terminal
	out     *bytes.Buffer // what was printed so far

	mu      sync.Mutex
	replies map[string]flow.Reply // by event
	last    string                // the event that came last
	form    *card.Form            // that was opened last
}

const (
	slackAPI = "http://127.0.0.1:1"
	slackBot = "http://127.0.0.1:2"
)

func newFront(t *testing.T, out *bytes.Buffer) *front {
	t.Helper()
	f := &front{t: t, out: out, replies: map[string]flow.Reply{}}
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
func (f *front) people(o organisation) organisation {
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

func (f *front) member(name, zone string) string {
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

// open is session.open with Slack in between.
func (f *front) open(ctx context.Context, s session) (*terminal.Terminal, *handlers.Worker, error) {
	kept, typed, me := store.Flow{Store: s.Store}, s.Org, s.me()
	s.Org = f.people(s.Org)
	f.adapter = f.start()
	c := s.flow(kept, slack.Platform)
	c.Directories = map[string]flow.Directory{slack.Platform: f.adapter.Directory()}
	f.service = flow.New(c)
	worker := &handlers.Worker{Timers: kept, Service: f.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{slack.Platform: f})}
	f.term = terminal.New(terminal.Config{
		Out: s.Out, Session: s.Name, Me: me, Channel: "#support", Extras: s.Extras, Flow: f,
		Zone:   func(account string) *time.Location { return typed.Who(account, false).Location(typed.Policy) },
		Settle: worker.Settle,
		Tick:   func(ctx context.Context) error { _, err := worker.Step(ctx); return err },
	})
	if err := f.service.Recover(ctx); err != nil {
		return nil, nil, err
	}
	if err := f.service.Watch(ctx); err != nil {
		return nil, nil, err
	}
	if err := worker.Settle(ctx); err != nil {
		return nil, nil, err
	}
	open, err := kept.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	walk, err := kept.Current(ctx, me)
	if err == nil && (len(open) > 0 || walk != "") {
		err = f.term.Begin(ctx)
	}
	return f.term, worker, err
}

func (f *front) start() *slack.Slack {
	f.t.Helper()
	a, err := slack.New(slack.Config{
		SigningSecrets: []config.Secret{config.Secret(f.slack.Config().SigningSecret)}, Token: config.Secret(f.slack.Config().BotToken),
		API: f.slack.APIURL(), ResponseHosts: []string{strings.TrimPrefix(slackAPI, "http://")}, Client: sim.Local(f.slack), Flow: heard{f},
		Mention: func(name string) (string, bool) { return slackID(name), false }, Log: zerolog.Nop(),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// ServeHTTP is where Slack finds the bot.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handlers.Routes{Slack: f.adapter}.Handler().ServeHTTP(w, r)
}

// heard is the bot's flow, and remembers what it answered.
type heard struct{ *front }

func (h heard) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
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

func (h heard) Offline(ctx context.Context, e flow.Event) card.Card { return h.service.Offline(ctx, e) }

func (h heard) Overview(ctx context.Context, by flow.Person) []card.Card {
	return h.service.Overview(ctx, by)
}

// Accept does in Slack what somebody did at the terminal.
func (f *front) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
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

// ids replaces the ids of outages in what was typed by the one that such an outage has here.
func (f *front) ids(typed string) string {
	return outageIDs.ReplaceAllStringFunc(typed, func(id string) string {
		kind, _, _ := strings.Cut(id, "-")
		for _, shown := range outageIDs.FindAllString(f.out.String(), -1) {
			if strings.HasPrefix(shown, kind) {
				return shown
			}
		}
		return id
	})
}

// find is the newest message that somebody sees with the button of this action.
func (f *front) find(user, action string) (slacktest.Message, string, error) {
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
func (f *front) submit(ctx context.Context, user string, fields map[string]string) (slacktest.Delivery, error) {
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

// Offline is the service's.
func (f *front) Offline(ctx context.Context, e flow.Event) card.Card {
	return f.service.Offline(ctx, e)
}

// Send sends to Slack, and prints what Slack shows.
func (f *front) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	ref, err := f.adapter.Send(ctx, p, to)
	if _, later := errors.AsType[handlers.Later](err); err != nil && !later {
		f.t.Errorf("%s to %+v: %v", p.Message, p.Place, err)
	}
	if err != nil {
		return ref, err
	}
	f.shows(p)
	shown := p
	shown.Place.Platform, shown.Place.Channel = terminal.Platform, "#"+strings.ToLower(strings.TrimPrefix(p.Place.Channel, "C0"))
	if p.Place.Person != "" {
		shown.Place.Person = terminal.Platform + ":" + strings.ToLower(strings.TrimPrefix(p.Place.Person, slack.Platform+":U0"))
	}
	_, err = f.term.Send(ctx, shown, to)
	return ref, err
}

// shows wants the card in Slack, where its reader looks.
func (f *front) shows(p flow.Post) {
	f.t.Helper()
	reader := slacktest.BotUser
	messages := f.slack.Messages(p.Place.Channel)
	if p.Place.Person != "" {
		reader = strings.TrimPrefix(p.Place.Person, slack.Platform+":")
		messages = f.slack.Visible(reader)
	}
	title, _, _ := strings.Cut(strings.Split(p.Card.Title, "\x02")[0], "\n")
	for _, m := range messages {
		if strings.Contains(strings.Join(f.slack.Lines(m, reader), "\n"), title) {
			return
		}
	}
	f.t.Errorf("Slack does not show %q to %s in %q", title, reader, p.Place.Channel)
}
