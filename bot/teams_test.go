package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/handlers/slack/slacktest"
	slackstory "switchback/handlers/slack/slacktest/story"
	"switchback/handlers/teams/teamstest"
	"switchback/handlers/teams/teamstest/story"
)

// twoNight is a company with a tenant of Teams, and a Slack workspace beside it where wanted, and a bot that serves both:
// real HTTP, real signatures, a real store.
type twoNight struct {
	*story.World
	t     testing.TB
	teams *teamstest.Teams
	slack *slackstory.World
	in    *slacktest.Slack
	env   environment
	url   string
	doc   string
	quiet bool // no log
	end   func()

	ana, sam *story.Person
	support  *story.Channel
}

const teamsSupport = "19:support@thread.tacv2"

// acmeInTeams is a tenant with acme's people in it; with Slack, also a workspace of the same people. Nobody serves them yet.
func acmeInTeams(tb testing.TB, c teamstest.Config, withSlack bool) *twoNight {
	tb.Helper()
	ms := teamstest.New(c)
	if c.BaseURL == "" {
		if err := ms.Listen(); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(ms.Close)
	ana := ms.AddUser(teamstest.User{Name: "ana", Zone: "America/New_York"})
	sam := ms.AddUser(teamstest.User{Name: "sam", Zone: "Europe/Berlin"})
	ms.AddUser(teamstest.User{Name: "lee"})
	ms.AddUser(teamstest.User{Name: "gus", Guest: true, Tenant: "0the40e0-0000-4000-8000-000000000001"})
	lee, _ := ms.User("lee")
	members := []string{ana.ID, sam.ID, lee.ID}
	const general = "19:general@thread.tacv2"
	ms.AddGroup(teamstest.Group{ID: general, Name: "general", Kind: teamstest.Channel, Team: general, Members: members})
	ms.AddGroup(teamstest.Group{ID: teamsSupport, Name: "support", Kind: teamstest.Channel, Team: general, Members: members})
	n := &twoNight{t: tb, teams: ms, env: environment{
		DataDir: tb.TempDir(), TeamsApp: ms.Config().App, TeamsPassword: config.Secret(ms.Config().Password), TeamsTenant: ms.Config().Tenant,
		TeamsOpenID: ms.OpenIDURL(), TeamsTokens: ms.TokenURL(), TeamsHosts: []string{ms.Host()},
	}}
	n.doc = strings.NewReplacer(
		"slack: U0ANA,", "slack: U0ANA, teams: "+strings.ToUpper(ana.Object)+",", "slack: U0SAM,", "slack: U0SAM, teams: "+sam.Object+",",
		"channels: [{slack: C0SUPPORT}]", `channels: [{slack: C0SUPPORT, teams: "`+teamsSupport+`"}]`,
	).Replace(acme)
	if withSlack {
		n.in = slacktest.New(slacktest.Config{NoRateLimits: c.NoRateLimits})
		if err := n.in.Listen(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(n.in.Close)
		for id, name := range map[string]string{"U0ANA": "ana", "U0SAM": "sam", "U0KIM": "kim"} {
			n.in.AddUser(slacktest.User{ID: id, Name: name})
		}
		n.in.AddChannel(slacktest.Channel{ID: "C0SUPPORT", Name: "support", Members: []string{"U0ANA", "U0SAM", "U0KIM", slacktest.BotUser}})
		n.in.AddGroup(slacktest.Group{ID: "S0ONCALL", Handle: "support-oncall"})
		n.env.SlackToken, n.env.SlackSigningSecret = config.Secret(n.in.Config().BotToken), config.Secret(n.in.Config().SigningSecret)
		n.env.SlackAPI, n.env.SlackHosts = n.in.APIURL(), []string{strings.TrimPrefix(n.in.URL(), "http://")}
	}
	return n
}

// inTeams is such a night with a bot that serves it.
func inTeams(t *testing.T, withSlack bool) *twoNight {
	t.Helper()
	n := acmeInTeams(t, teamstest.Config{Repeat: true}, withSlack)
	n.start(n.doc)
	t.Cleanup(func() { n.end() })
	n.look(n.url)
	if err := n.teams.Install(t.Context(), "sam", "general"); err != nil {
		t.Fatal(err)
	}
	return n
}

// look is the world as people see it.
func (n *twoNight) look(url string) {
	n.t.Helper()
	n.World = story.New(n.t, n.teams, url)
	if n.in != nil {
		n.slack = slackstory.New(n.t, n.in, url)
	}
	n.ana, n.sam, n.support = n.Person("ana"), n.Person("sam"), n.Channel("support")
}

func (n *twoNight) start(doc string) {
	n.t.Helper()
	org, problems := parseOrganisation("acme.yaml", []byte(doc))
	if err := problems.Err(); err != nil {
		n.t.Fatal(err)
	}
	st, err := n.env.open(n.t.Context(), n.env.DataDir)
	if err != nil {
		n.t.Fatal(err)
	}
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.run(ctx, l) }()
	n.end = sync.OnceFunc(func() {
		cancel()
		if err := firstError(<-done, st.Close()); err != nil {
			n.t.Errorf("the bot ended with %v", err)
		}
	})
}

// The whole way: said in a channel, shown to the person alone, confirmed, and put back by somebody else.
func TestTeamsFromWordsToRestore(t *testing.T) {
	n := inTeams(t, false)
	n.sam.Alone("/outage") // who added the app learns what it is for
	n.ana.Says("support", "@Switchback outage chat late")
	confirm := n.ana.Alone("Web shop", "open → closed")
	confirm.Press("Close Web shop now")
	home := n.support.Shows("Web shop", "Restore…")
	home.As(n.sam).Press("Restore…")
	n.support.Thread("Web shop").Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	n.support.Shows("open again")
	if got := n.support.Count("Close Web shop now"); got != 0 {
		t.Errorf("the channel shows the person's own card %d times", got)
	}
}

// A form: what is wrong stands beside its field, and what was typed comes back.
func TestTeamsForm(t *testing.T) {
	n := inTeams(t, false)
	n.ana.Says("", "outage chat late")
	form := n.ana.Sees("Web shop", "open → closed").Opens("Change…")
	form.Fill("Affecting customers since", "25:99").Refused("⚠").Fill("Affecting customers since", "00:00").Submit()
	n.ana.Sees("Web shop", "open → closed")
}

// Words are answered whatever they are; strangers get one neutral sentence.
func TestTeamsWords(t *testing.T) {
	n := inTeams(t, false)
	for _, words := range []string{"hi", "hello", "help"} {
		n.ana.Says("", words)
		n.ana.Alone("/outage")
	}
	n.ana.Says("", "outage chta")
	n.ana.Alone("Did you mean")
	guest, _ := n.teams.User("gus")
	n.teams.SetGroup("support", func(g *teamstest.Group) { g.Members = append(g.Members, guest.ID) })
	gus := n.Person("gus")
	gus.Says("support", "@Switchback outage chat late")
	gus.Alone("This belongs to acme")
}

// A login name proves nobody. Who was given one that a responder has as their address may look, and change nothing.
func TestTeamsLoginNameGivesNoRights(t *testing.T) {
	n := inTeams(t, false)
	n.end()
	n.start(strings.ReplaceAll(n.doc, "name: kim, slack: U0KIM", "name: kim, slack: U0KIM, email: kim@acme.example"))
	n.teams.Connect(n.url + "/api/messages")
	kim := n.teams.AddUser(teamstest.User{Name: "kim the second", UPN: "kim@acme.example"})
	n.teams.SetGroup("support", func(g *teamstest.Group) { g.Members = append(g.Members, kim.ID) })
	n.ana.Says("support", "@Switchback outage chat late")
	n.ana.Alone("Web shop", "open → closed").Press("Close Web shop now")
	second := n.Person("kim the second")
	n.support.Shows("Web shop", "Restore…").As(second).Press("Restore…")
	second.Sees("You are not one of the responders")
	n.support.Shows("Web shop", "Restore…").As(n.sam).Press("Restore…")
	n.support.Thread("Web shop").Shows("Put everything back now")
}

// Begun in Slack, it stands in Teams, is worked on and put back there; and the other way round.
func TestOneOutageTwoPlatforms(t *testing.T) {
	n := inTeams(t, true)
	slackSupport := n.slack.Channel("#support")

	n.slack.Person("ana").Types("#support", "/outage chat late")
	n.slack.Person("ana").Sees("Web shop", "open → closed").Press("Close Web shop now")
	slackSupport.Shows("Web shop", "closed", "Restore…")
	n.support.Shows("Web shop", "closed", "Restore…").As(n.sam).Press("Restore…")
	n.sam.Sees("Put everything back now").Press("Put everything back now")
	n.support.Shows("open again")
	slackSupport.Shows("open again")

	n.ana.Says("support", "@Switchback outage voice")
	n.ana.Alone("What happens")
	n.ana.Says("support", "@Switchback outage chat late")
	n.ana.Alone("Web shop", "open → closed").Press("Close Web shop now")
	n.support.Shows("Web shop", "closed", "Restore…")
	slackSupport.Shows("Web shop", "closed", "Restore…").As(n.slack.Person("sam")).Press("Restore…")
	n.slack.Person("sam").Sees("Put everything back now").Press("Put everything back now")
	slackSupport.Shows("open again")
	n.support.Shows("open again")
}

// Presses of the same button by two people, from two platforms, at once: it happens once, and everybody hears it.
func TestPressesOnTwoPlatforms(t *testing.T) {
	n := inTeams(t, true)
	n.ana.Says("support", "@Switchback outage chat late")
	n.ana.Alone("Web shop", "open → closed").Press("Close Web shop now")
	n.support.Shows("Web shop", "closed", "Restore…").As(n.sam).Press("Restore…")
	inTeams := n.sam.Sees("Put everything back now")
	n.slack.Channel("#support").Shows("Web shop", "closed", "Restore…").As(n.slack.Person("sam")).Press("Restore…")
	inSlack := n.slack.Person("sam").Sees("Put everything back now")
	var pressing sync.WaitGroup
	for i := range 100 {
		pressing.Go(func() {
			if i%2 == 0 {
				inTeams.Press("Put everything back now")
				return
			}
			inSlack.Press("Put everything back now")
		})
	}
	pressing.Wait()
	n.support.Shows("open again")
	n.slack.Channel("#support").Shows("open again")
	n.end()
	st, err := n.env.open(t.Context(), n.env.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	log, err := st.Audit(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, e := range log {
		did = append(did, string(e.Data))
	}
	if got := strings.Count(strings.Join(did, "\n"), `"what":"restore"`); got != 1 {
		t.Errorf("restored %d times:\n%s", got, fmt.Sprint(strings.Join(did, "\n")))
	}
}

// With each single part of Teams broken, bot doctor says so and what to do, and that helps.
func TestDoctorOfTeams(t *testing.T) {
	support := "Teams channel " + teamsSupport
	type night = *twoNight
	object := func(n night, name string) string { u, _ := n.teams.User(name); return u.Object }
	edits := func(n night, from, to string) { n.env.ConfigYAML = strings.ReplaceAll(n.env.ConfigYAML, from, to) }
	// adds is what an owner of a team does.
	adds := func(n night, group string) {
		n.t.Helper()
		if err := n.teams.Install(n.t.Context(), "sam", group); err != nil {
			n.t.Fatal(err)
		}
	}
	// channel makes a channel of the same team, for people of the tenant.
	channel := func(n night, id, name string) {
		g, _ := n.teams.Group("general")
		n.teams.AddGroup(teamstest.Group{ID: id, Name: name, Kind: teamstest.Channel, Team: g.Team, Members: g.Members, Bot: true})
	}
	guest := func(n night) {
		gus, _ := n.teams.User("gus")
		n.teams.SetGroup("support", func(g *teamstest.Group) { g.Members = append(g.Members, gus.ID) })
	}
	const inside = "19:inside@thread.tacv2"
	for name, tt := range map[string]ailment[night]{
		"all is well": {func(night) {}, "", "", handlers.OK, "", func(night) {}},
		"a missing tenant": {
			func(n night) { n.env.TeamsTenant = "" }, "environment", "TEAMS_TENANT_ID is missing", handlers.Fail, "set what is missing",
			func(n night) { n.env.TeamsTenant = n.teams.Config().Tenant },
		},
		"a name for the tenant": {
			func(n night) { n.env.TeamsTenant = "acme.example" }, "Teams", "TEAMS_TENANT_ID is not an id", handlers.Fail, "“In Microsoft Teams”",
			func(n night) { n.env.TeamsTenant = n.teams.Config().Tenant },
		},
		"a secret that ended": {
			func(n night) { n.env.TeamsPassword = "an0ther" }, "Teams", "no token", handlers.Fail, "make a new client secret",
			func(n night) { n.env.TeamsPassword = config.Secret(n.teams.Config().Password) },
		},
		"no keys": {
			func(n night) { n.teams.IssuerAway(true) }, "Teams", "signing keys", handlers.Fail, "can be reached from here", func(n night) { n.teams.IssuerAway(false) },
		},
		"a responder without an account": {
			func(n night) { edits(n, "teams: "+object(n, "sam")+",", "") }, "Teams accounts", "@sam", handlers.Warn, "add their object ids under people",
			func(n night) { edits(n, "slack: U0SAM,", "slack: U0SAM, teams: "+object(n, "sam")+",") },
		},
		"somebody left": {
			func(n night) { n.teams.SetUser("ana", func(u *teamstest.User) { u.Gone = true }) }, "Teams account of @ana", "no full member", handlers.Fail, "let somebody else take their place",
			func(n night) {
				anne := n.teams.AddUser(teamstest.User{Name: "anne"})
				n.teams.SetGroup("support", func(g *teamstest.Group) { g.Members = append(g.Members, anne.ID) })
				n.Person("anne").Says("support", "@Switchback outage status")
				n.Person("anne").Alone("Nothing")
				edits(n, strings.ToUpper(object(n, "ana")), anne.Object)
			},
		},
		"a channel with guests": {
			guest, support, "with guests", handlers.Warn, "inside: {teams: 19:…}", func(n night) {
				channel(n, inside, "inside")
				n.env.ConfigYAML += "  inside: {teams: \"" + inside + "\"}\n"
			},
		},
		"a channel with guests for the work": {
			func(n night) { guest(n); n.env.ConfigYAML += "  inside: {teams: \"" + teamsSupport + "\"}\n" },
			support, "with guests", handlers.Warn, "inside: {teams: 19:…}", func(n night) {
				channel(n, inside, "inside")
				edits(n, "inside: {teams: \""+teamsSupport, "inside: {teams: \""+inside)
			},
		},
		"a team that the bot was removed from": {
			func(n night) { n.teams.Uninstall(n.t.Context(), "sam", "support") }, support, "nobody knows who reads there", handlers.Fail, "add the app to its team, and mention the bot once",
			func(n night) {
				adds(n, "general")
				n.sam.Says("support", "@Switchback outage status")
				n.sam.Alone("Nothing")
			},
		},
		"a channel that took nothing": {
			func(n night) {
				n.ana.Says("", "outage chat late")
				confirm := n.ana.Alone("Web shop", "open → closed")
				n.teams.SetGroup("support", func(g *teamstest.Group) { g.Bot = false })
				confirm.Press("Close Web shop now")
				n.ana.Alone("the channel (Teams) cannot be reached")
			}, support, "removed there, or blocked", handlers.Fail, "add the app to its team again", func(n night) { adds(n, "general") },
		},
		"somebody blocked the bot": {
			func(n night) {
				n.teams.Fail(teamstest.Fault{Method: "POST", Path: "/v3/conversations/" + n.teams.Chat("ana").ID, Status: 403, Code: "MessageWritesBlocked", Times: 9})
				n.ana.Says("", "outage status")
				end, breath := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
				defer breath.Stop()
				for said := false; !said; { // it is kept after Teams has answered
					select {
					case <-breath.C:
					case <-end:
						n.t.Fatal("nobody wrote down that Teams takes nothing for @ana")
					}
					said = slices.ContainsFunc(examine(n.t.Context(), n.env), func(f handlers.Finding) bool { return strings.Contains(f.Text, "MessageWritesBlocked") })
				}
			},
			"Teams chat with @ana", "removed there, or blocked", handlers.Warn, "ask them to add the app again", func(n night) {
				n.teams.Heal()
				n.ana.Says("", "outage status")
				n.ana.Alone("Nothing")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := inTeams(t, false)
			n.ana.Says("support", "@Switchback outage status")
			n.ana.Alone("Nothing")
			n.env.ConfigYAML = strings.Replace(n.doc, "responders: [ana, sam, kim]", "responders: [ana, sam]", 1)
			tt.cure(t, n, &n.env, n.teams.Config().Password)
		})
	}
}
