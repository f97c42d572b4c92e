package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/slack/slacktest/story"
	"switchback/store"
)

// night is a workspace with the people of acme, and a bot that serves it: real HTTP, real signatures, a real store.
type slackNight struct {
	*story.World
	t     testing.TB
	slack *slacktest.Slack
	env   environment
	stop  func() error
	url   string
	edit  func(*organisation)
	quiet bool // nothing is logged
	store store.Store

	ana, sam, kim, lee *story.Person
	support            *story.Channel
}

const acme = `organisation:
  name: acme
  zone: America/Los_Angeles
  people:
    - {name: ana, slack: U0ANA, zone: America/New_York, gladly_admin: true}
    - {name: sam, slack: U0SAM, gladly_admin: true}
    - {name: kim, slack: U0KIM}
    - {name: lee, slack: U0LEE}
  responders: [ana, sam, kim]
  backup: sam
  channels: [{slack: C0SUPPORT}]
  slack: {responders: [{id: S0ONCALL, name: support-oncall}]}
  ways: [{channel: email, text: write to help@acme.example}]
  chat_message: "Chat is down at the moment. You can {ways}."
  support_form_url: https://help.example.com/form
  numbers:
    - {number: "+16505550101", name: Orders, ivr: Main menu, way: flag}
    - {number: "+16505550102", name: Returns, ivr: Main menu}
  apps:
    - {id: web-shop, name: Web shop, way: flag, origins: ["https://shop.example.com"], hours: {monday: 08:00-20:00, tuesday: 08:00-20:00, wednesday: 08:00-20:00, thursday: 08:00-20:00, friday: 08:00-20:00, saturday: 08:00-20:00, sunday: 08:00-20:00}, message: "Hello!"}
`

// acmeInSlack is a workspace that listens on a port of its own, with acme's people in it, and nobody serves it yet.
func acmeInSlack(tb testing.TB, c slacktest.Config) *slackNight {
	tb.Helper()
	s := slacktest.New(c)
	if c.BaseURL == "" {
		if err := s.Listen(); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(s.Close)
	for id, name := range map[string]string{"U0ANA": "ana", "U0SAM": "sam", "U0KIM": "kim", "U0LEE": "lee", "U0PAT": "pat"} {
		s.AddUser(slacktest.User{ID: id, Name: name, Zone: map[string]string{"ana": "America/New_York"}[name]})
	}
	s.AddChannel(slacktest.Channel{ID: "C0SUPPORT", Name: "support", Members: []string{"U0ANA", "U0SAM", "U0KIM", "U0LEE", "U0PAT", slacktest.BotUser}})
	s.AddGroup(slacktest.Group{ID: "S0ONCALL", Handle: "support-oncall"})
	return &slackNight{t: tb, slack: s, env: environment{
		DataDir: tb.TempDir(), SlackToken: config.Secret(s.Config().BotToken), SlackSigningSecret: config.Secret(s.Config().SigningSecret),
		FlagsSecret: "ivr:open-sesame", SlackAPI: s.APIURL(), SlackHosts: []string{strings.TrimPrefix(s.URL(), "http://")},
	}}
}

// inSlack starts a workspace and a bot that serves it.
func inSlack(tb testing.TB) *slackNight {
	tb.Helper()
	n := acmeInSlack(tb, slacktest.Config{})
	n.start()
	tb.Cleanup(func() { n.end() })
	n.look(n.url)
	return n
}

// look is the world as people see it.
func (n *slackNight) look(url string) {
	n.World = story.New(n.t, n.slack, url)
	n.ana, n.sam, n.kim, n.lee = n.Person("ana"), n.Person("sam"), n.Person("kim"), n.Person("lee")
	n.support = n.Channel("support")
}

// start begins to serve, as bot serve does; after end it is another process over the same store.
func (n *slackNight) start() {
	n.t.Helper()
	org, problems := parseOrganisation("acme.yaml", []byte(acme))
	if err := problems.Err(); err != nil {
		n.t.Fatal(err)
	}
	if n.edit != nil {
		n.edit(&org)
	}
	st, err := n.env.open(n.t.Context(), n.env.DataDir)
	if err != nil {
		n.t.Fatal(err)
	}
	n.store = st
	log := zerolog.New(zerolog.NewTestWriter(n.t))
	if n.quiet {
		log = zerolog.Nop()
	}
	server, err := newServer(n.env, org, st, log)
	if err != nil {
		n.t.Fatal(err)
	}
	tr, playbook, err := loadPlaybook("")
	if err != nil {
		n.t.Fatal(err)
	}
	server.start(flow.Config{Policy: server.org.Policy, Tree: tr, Playbook: playbook})
	address := "127.0.0.1:0"
	if n.url != "" { // the same place as before
		address = strings.TrimPrefix(n.url, "http://")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		n.t.Fatal(err)
	}
	n.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.run(ctx, l) }()
	n.stop = func() error {
		cancel()
		err := <-done
		return firstError(err, st.Close())
	}
}

func (n *slackNight) end() {
	if n.stop == nil {
		return
	}
	if err := n.stop(); err != nil && !errors.Is(err, handlers.ErrCut) { // that is allowed, on a machine with much to do
		n.t.Errorf("the bot ended with %v", err)
	}
	n.stop = nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// The whole way: typed, confirmed in two presses, and put back.
func TestSlackFromCommandToRestore(t *testing.T) {
	n := inSlack(t)
	n.ana.Types("#support", "/outage chat late")
	confirm := n.ana.Sees("Web shop", "open → closed")
	confirm.Press("Close Web shop now")
	home := n.support.Shows("Web shop", "Restore…")
	home.As(n.sam).Press("Restore…")
	n.support.Thread("Web shop").Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	n.support.Shows("open again")
}

// Begun on the phone, ended on the laptop: what only the person saw is gone with the phone, and is there again for the
// asking. What was confirmed is in the channel, for every device.
func TestSlackBegunOnThePhoneEndedOnTheLaptop(t *testing.T) {
	n := inSlack(t)
	n.ana.Types("#support", "/outage chat late")
	phone := n.ana.Sees("Web shop", "open → closed")
	n.ana.Reloads()
	n.ana.Types("#support", "/outage")
	n.ana.Alone("You were in the middle of", "Continue").Press("Continue")
	n.ana.Alone("Web shop", "open → closed").Press("Close Web shop now")
	home := n.support.Shows("Web shop", "Restore…")
	phone.TryPress("Close Web shop now") // the phone was in a pocket, and still shows it
	n.ana.Alone("by @ana")
	n.ana.Reloads()
	home.As(n.ana).Press("Restore…")
	home.Thread().Shows("Put everything back now").As(n.ana).Press("Put everything back now")
	n.support.Shows("open again", "Restored")
	if got := n.support.Count("Web shop"); got != 1 {
		t.Errorf("%d messages about it in the channel, want 1", got)
	}
}
