package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/bot/gladly/gladlytest"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/statuspage/statuspagetest"
)

// checkup is a night on which something is broken, and mended as bot doctor says.
type checkup struct {
	*slackNight
	dir    string // the bot's own
	page   *statuspagetest.Page
	gladly *httptest.Server
}

// edits changes the organisation document.
func (n *checkup) edits(from, to string) {
	n.t.Helper()
	if !strings.Contains(n.env.ConfigYAML, from) {
		n.t.Fatalf("there is no %q in the document", from)
	}
	n.env.ConfigYAML = strings.ReplaceAll(n.env.ConfigYAML, from, to)
}

func (n *checkup) adds(lines string) { n.env.ConfigYAML += lines }

// used has the bot keep something.
func (n *checkup) used() {
	n.t.Helper()
	n.ana.Types("#support", "/outage status")
	n.ana.Alone("Nothing is open")
}

// back is with the token of the own workspace.
func (n *checkup) back() {
	n.env.SlackAPI, n.env.SlackToken = n.slack.APIURL(), config.Secret(n.slack.Config().BotToken)
}

// file writes a file and names it.
func (n *checkup) file(name, text string) string {
	n.t.Helper()
	file := filepath.Join(n.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return file
}

// checks does what "bot check FILE" as the next step means: it names the place.
func (n *checkup) checks(file, place string) {
	n.t.Helper()
	if status, out, _ := calls(n.t.(*testing.T), "check", file); status != 1 || !strings.Contains(out, place) {
		n.t.Errorf("bot check = %d, %s; want 1 and %q", status, out, place)
	}
}

// ailment is one thing that is broken, what bot doctor says of it, and that next step.
type ailment[N any] struct {
	spoil func(n N)
	part  string // that is not well; "" is none
	text  string
	state handlers.State
	next  string
	mend  func(n N)
}

// cure breaks it: the line of that part says so and what to do, and no other line fails. When that was done, all is well.
func (a ailment[N]) cure(t *testing.T, n N, env *environment, secrets ...string) {
	t.Helper()
	a.spoil(n)
	said := false
	found := examine(t.Context(), *env)
	for _, f := range found {
		bad := f.Part == a.part && strings.Contains(f.Text, a.text)
		said = said || bad && f.State == a.state && strings.Contains(f.Next, a.next)
		unasked := strings.Contains(f.Text, "no answer") // where the bot does not run
		if f.State == handlers.Fail && !bad && !unasked {
			t.Errorf("also fails: %+v", f)
		}
		for _, secret := range secrets {
			if strings.Contains(f.Text+f.Next, secret) {
				t.Errorf("a secret is in %+v", f)
			}
		}
	}
	if a.part != "" && !said {
		t.Errorf("no line says that %s is broken, and to %s: %+v", a.part, a.next, found)
	}
	a.mend(n)
	for _, f := range examine(t.Context(), *env) {
		if f.State == handlers.Fail || f.Part == a.part && f.State != handlers.OK && a.part != "organisation" { // acme's warnings
			t.Errorf("the next step was done, and %s says %s: %s", f.Part, f.State, f.Text)
		}
	}
}

const (
	gladlyEmail = "bot@acme.example"
	gladlyToken = "t0ken-of-acme"
)

// With each single part broken, bot doctor says so and what to do, and that helps.
func TestDoctor(t *testing.T) {
	nothing := func(*checkup) {}
	for name, tt := range map[string]ailment[*checkup]{
		"all is well": {nothing, "", "", handlers.OK, "", nothing},
		"a wrong token": {
			func(n *checkup) { n.slack.SetToken("invalid_auth") }, "Slack", "token does not work", handlers.Fail,
			"copy the Bot User OAuth Token anew", func(n *checkup) { n.slack.SetToken("") },
		},
		"a missing secret": {
			func(n *checkup) { n.env.SlackSigningSecret = "" }, "environment", "SLACK_SIGNING_SECRET is missing (Basic Information", handlers.Fail,
			"set what is missing", func(n *checkup) { n.env.SlackSigningSecret = config.Secret(n.slack.Config().SigningSecret) },
		},
		"a token of another workspace": {
			func(n *checkup) {
				other := acmeInSlack(n.t, slacktest.Config{TeamID: "T0OTHER"})
				other.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Archived = true })
				n.edits("slack: {responders", "slack: {team: "+n.slack.Config().TeamID+", responders")
				n.env.SlackAPI, n.env.SlackToken = other.env.SlackAPI, other.env.SlackToken
			},
			"Slack", "the token belongs to T0OTHER, the organisation document names T", handlers.Fail, "correct slack.team, or SLACK_BOT_TOKEN", (*checkup).back,
		},
		"an app of a whole organisation": {
			func(n *checkup) {
				other := acmeInSlack(n.t, slacktest.Config{OrgWide: true})
				n.env.SlackAPI, n.env.SlackToken = other.env.SlackAPI, other.env.SlackToken
			},
			"Slack", "installed for a whole organisation", handlers.Fail, "copy the Bot User OAuth Token of that workspace", (*checkup).back,
		},
		"another token for Socket Mode": {
			func(n *checkup) {
				n.slack.ConnectSocket()
				n.env.SlackAppToken = "xapp-0ther"
			},
			"Slack Socket Mode", "no connection", handlers.Fail, "make an app-level token with connections:write",
			func(n *checkup) { n.env.SlackAppToken = config.Secret(n.slack.Config().AppToken) },
		},
		"a pager without a key": {
			func(n *checkup) { n.env.EscalateURL = "https://pager.example.com" }, "environment", "ESCALATE_URL", handlers.Fail,
			"missing or wrong", func(n *checkup) { n.env.EscalateURL = "https://switchback:key@pager.example.com" },
		},
		"an app from an older manifest": {
			func(n *checkup) {
				n.slack.SetScopes(slices.DeleteFunc(slacktest.Scopes(), func(s string) bool { return s == "im:write" })...)
			},
			"Slack", "may not im:write (write to a person directly", handlers.Fail, "bot manifest slack", func(n *checkup) { n.slack.SetScopes(slacktest.Scopes()...) },
		},
		"Slack is away": {
			func(n *checkup) { n.slack.Away() }, "Slack", "does not work", handlers.Fail, "can be reached from here", func(n *checkup) {
				if err := n.slack.Back(); err != nil {
					n.t.Fatal(err)
				}
			},
		},
		"an archived channel": {
			func(n *checkup) { n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Archived = true }) },
			"Slack channel C0SUPPORT", "archived", handlers.Fail, "name another channel", func(n *checkup) {
				n.slack.AddChannel(slacktest.Channel{ID: "C0OTHER", Name: "other", Members: []string{slacktest.BotUser}})
				n.edits("C0SUPPORT", "C0OTHER")
			},
		},
		"a shared channel": {
			func(n *checkup) { n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Shared = true }) },
			"Slack channel C0SUPPORT", "shared with another organisation", handlers.Warn, "inside: {slack: C…}", func(n *checkup) {
				n.slack.AddChannel(slacktest.Channel{ID: "C0INSIDE", Name: "inside", Members: []string{slacktest.BotUser}})
				n.adds("  inside: {slack: C0INSIDE}\n")
			},
		},
		"a shared channel for the work": {
			func(n *checkup) {
				n.slack.AddChannel(slacktest.Channel{ID: "C0INSIDE", Name: "inside", Members: []string{slacktest.BotUser}, Shared: true})
				n.adds("  inside: {slack: C0INSIDE}\n")
			},
			"Slack channel C0INSIDE", "shared with another organisation", handlers.Warn, "inside: {slack: C…}", func(n *checkup) {
				n.slack.AddChannel(slacktest.Channel{ID: "C0OURS", Name: "ours", Members: []string{slacktest.BotUser}})
				n.edits("C0INSIDE", "C0OURS")
			},
		},
		"no chat platform": {
			func(n *checkup) { n.env.SlackToken, n.env.SlackSigningSecret = "", "" }, "chat platforms", "none is set up", handlers.Warn, "“In Slack”", func(n *checkup) {
				n.env.SlackToken, n.env.SlackSigningSecret = config.Secret(n.slack.Config().BotToken), config.Secret(n.slack.Config().SigningSecret)
			},
		},
		"no page for nights without chat": {
			nothing, "page of what is open", "with Slack down nobody could read", handlers.Warn, "set PUBLIC_URL and OPS_PASSWORD", func(n *checkup) { n.env.OpsPassword = "long enough for a page" },
		},
		"a short password of that page": {
			func(n *checkup) { n.env.OpsPassword = "short" }, "page of what is open", "OPS_PASSWORD", handlers.Fail, "set a longer one", func(n *checkup) { n.env.OpsPassword = "long enough for a page" },
		},
		"a channel without the bot": {
			func(n *checkup) {
				n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Members = []string{"U0ANA"} })
			},
			"Slack channel C0SUPPORT", "is not in it", handlers.Warn, "/invite @switchback", func(n *checkup) {
				n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Members = append(c.Members, slacktest.BotUser) })
			},
		},
		"somebody left": {
			func(n *checkup) { n.slack.ChangeUser("U0ANA", func(u *slacktest.User) { u.Deactivated = true }) },
			"Slack account of @ana", "deactivated", handlers.Fail, "correct people", func(n *checkup) {
				n.slack.AddUser(slacktest.User{ID: "U0ANNE", Name: "anne"})
				n.edits("U0ANA", "U0ANNE")
			},
		},
		"a guest among the people": {
			func(n *checkup) { n.slack.ChangeUser("U0ANA", func(u *slacktest.User) { u.Guest = true }) },
			"Slack account of @ana", "is a guest", handlers.Fail, "correct people", func(n *checkup) {
				n.slack.AddUser(slacktest.User{ID: "U0ANNE", Name: "anne"})
				n.edits("U0ANA", "U0ANNE")
			},
		},
		"an unknown group": {
			func(n *checkup) { n.edits("S0ONCALL", "S0GONE") }, "Slack group @support-oncall", "cannot be looked up", handlers.Fail,
			"correct its id in slack.responders", func(n *checkup) { n.edits("S0GONE", "S0ONCALL") },
		},
		"a group of one": {
			func(n *checkup) {
				n.slack.ChangeGroup("S0ONCALL", func(g *slacktest.Group) { g.Members = []string{"U0ANA"} })
			},
			"Slack group @support-oncall", "1 member", handlers.Warn, "add a second person", func(n *checkup) {
				n.slack.ChangeGroup("S0ONCALL", func(g *slacktest.Group) { g.Members = append(g.Members, "U0SAM") })
			},
		},
		"a broken document": {
			func(n *checkup) { n.adds("  nonsense: 1\n") }, "organisation", "nonsense", handlers.Fail, "bot check FILE", func(n *checkup) {
				n.checks(n.file("o.yaml", n.env.ConfigYAML), "organisation.nonsense")
				n.edits("  nonsense: 1\n", "")
			},
		},
		"no document": {
			func(n *checkup) { n.env.ConfigYAML = "" }, "organisation", "nobody may confirm", handlers.Warn, "CONFIG_FILE=",
			func(n *checkup) { n.env.ConfigFile = n.file("organisation.yaml", acme) },
		},
		"a broken playbook": {
			func(n *checkup) { n.env.PlaybookFile = n.file("p.yaml", brokenPlaybook) }, "playbook", `no node "caht"`, handlers.Fail, "bot check FILE", func(n *checkup) {
				n.checks(n.env.PlaybookFile, "start.options.0.goto")
				n.env.PlaybookFile = n.file("p.yaml", string(tree.Builtin()))
			},
		},
		"a store that cannot be opened": {
			func(n *checkup) { n.end(); n.env.DataDir = n.file("file", "") }, "store", "", handlers.Fail, "whether REDIS_URL or DATA_DIR is right",
			func(n *checkup) {
				n.env.DataDir = n.t.TempDir()
				n.start()
				n.used()
			},
		},
		"another store than the bot's": {
			func(n *checkup) { n.used(); n.dir, n.env.DataDir = n.env.DataDir, n.t.TempDir() },
			"store", "nothing was ever kept here", handlers.Warn, "this is another store: correct DATA_DIR", func(n *checkup) { n.env.DataDir = n.dir },
		},
		"an outage past its time": {
			func(n *checkup) {
				n.end()
				n.edit = func(o *organisation) { o.Deadline = config.Duration(time.Millisecond) }
				n.start()
				n.ana.Types("#support", "/outage chat late")
				n.ana.Sees("open → closed").Press("Close Web shop now")
				n.support.Shows("Web shop", "Restore…")
			}, "outages", "1 past their time", handlers.Warn, "bot outages --live shows them; /outage restore puts back", func(n *checkup) {
				n.ana.Types("#support", "/outage restore")
				n.support.Thread("Web shop").Shows("Put everything back now").As(n.ana).Press("Put everything back now")
				n.support.Shows("open again")
			},
		},
		"nobody answers for pages": {
			func(n *checkup) { n.end() }, "page of Web shop", "no answer", handlers.Fail, "see whether bot serve runs", func(n *checkup) { n.start() },
		},
		"nobody knows where pages ask": {
			func(n *checkup) { n.env.PublicURL = "" }, "pages and phone menus that ask", "not tried", handlers.Warn, "set PUBLIC_URL", func(n *checkup) { n.env.PublicURL = n.url },
		},
		"a status page that does not answer": {
			func(n *checkup) { n.page.Break(statuspagetest.Trouble{Status: 503}) }, "status page gladly", "cannot be read", handlers.Fail, "can be reached from here",
			func(n *checkup) { n.page.Break(statuspagetest.Trouble{}) },
		},
		"another status page": {
			func(n *checkup) { n.page.Rename("0ther") }, "status page gladly", "another page", handlers.Fail, "correct pages",
			func(n *checkup) { n.edits("page_id: p4ge", "page_id: 0ther") },
		},
		"Gladly's token": {
			func(n *checkup) { n.env.GladlyToken = "0ther" }, "Gladly", "are not accepted", handlers.Fail, "correct GLADLY_API_EMAIL and GLADLY_API_TOKEN",
			func(n *checkup) { n.env.GladlyToken = gladlyToken },
		},
		"Gladly's address": {
			func(n *checkup) { n.env.GladlyURL = "acme" }, "Gladly", "", handlers.Fail, "correct GLADLY_API_URL", func(n *checkup) { n.env.GladlyURL = n.gladly.URL },
		},
		"another zone than Gladly's": {
			func(n *checkup) { n.edits("zone: America/Los_Angeles", "zone: Asia/Tokyo") }, "Gladly", "wrong weekday", handlers.Fail, "correct zone",
			func(n *checkup) { n.edits("zone: Asia/Tokyo", "zone: America/Los_Angeles") },
		},
		"Gladly is not asked": {
			func(n *checkup) { n.env.GladlyURL = ""; n.edits("way: flag, origins", "origins") }, "Gladly", "was not compared", handlers.Warn, "set GLADLY_API_URL",
			func(n *checkup) { n.env.GladlyURL = n.gladly.URL },
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := &checkup{slackNight: inSlack(t), page: statuspagetest.New("Gladly", "Chat")}
			n.page.Rename("p4ge")
			page := httptest.NewServer(n.page)
			defer page.Close()
			defer n.page.Close()
			zone, err := time.LoadLocation("America/Los_Angeles")
			if err != nil {
				t.Fatal(err)
			}
			n.gladly = httptest.NewServer(gladlytest.New(gladlytest.Setup{Zone: zone}).API(gladlytest.Credentials{Email: gladlyEmail, Token: gladlyToken}))
			defer n.gladly.Close()
			n.slack.ChangeGroup("S0ONCALL", func(g *slacktest.Group) { g.Members = []string{"U0ANA", "U0SAM"} })
			n.env.ConfigYAML, n.env.PublicURL = acme, n.url
			n.env.GladlyURL, n.env.GladlyEmail, n.env.GladlyToken = n.gladly.URL, gladlyEmail, gladlyToken
			n.adds("  pages: [{id: gladly, url: " + page.URL + ", page_id: p4ge, components: [{name: Chat, for: [chat]}]}]\n")

			tt.cure(t, n, &n.env, n.slack.Config().BotToken, n.env.FlagsSecret.Reveal(), gladlyToken)
		})
	}
}
