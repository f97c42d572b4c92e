package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchback/handlers"
	"switchback/handlers/slack/slacktest"
)

// With each single part broken, the line of that part says so and what to do, and no other line fails.
func TestDoctor(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(n *slackNight)
		part  string // that fails; "" is none
		text  string
		state handlers.State
	}{
		"all is well":      {func(*slackNight) {}, "", "", handlers.OK},
		"a wrong token":    {func(n *slackNight) { n.slack.SetToken("invalid_auth") }, "Slack", "token does not work", handlers.Fail},
		"a missing secret": {func(n *slackNight) { n.env.SlackSigningSecret = "" }, "environment", "SLACK_SIGNING_SECRET", handlers.Fail},
		"Slack is away":    {func(n *slackNight) { n.slack.Away() }, "Slack", "does not work", handlers.Fail},
		"an archived channel": {func(n *slackNight) {
			n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Archived = true })
		}, "Slack channel C0SUPPORT", "archived", handlers.Fail},
		"a shared channel": {func(n *slackNight) {
			n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Shared = true })
		}, "Slack channel C0SUPPORT", "shared with another organisation", handlers.Warn},
		"somebody left":     {func(n *slackNight) { n.slack.ChangeUser("U0ANA", func(u *slacktest.User) { u.Deactivated = true }) }, "Slack account of @ana", "deactivated", handlers.Fail},
		"an unknown group":  {func(n *slackNight) { n.env.ConfigYAML = strings.ReplaceAll(n.env.ConfigYAML, "S0ONCALL", "S0GONE") }, "Slack group @support-oncall", "cannot be looked up", handlers.Fail},
		"a broken document": {func(n *slackNight) { n.env.ConfigYAML += "  nonsense: 1\n" }, "organisation", "nonsense", handlers.Fail},
		"a broken playbook": {func(n *slackNight) {
			n.env.PlaybookFile = filepath.Join(n.t.TempDir(), "p.yaml")
			if err := os.WriteFile(n.env.PlaybookFile, []byte("nodes: {}"), 0o600); err != nil {
				n.t.Fatal(err)
			}
		}, "playbook", "", handlers.Fail},
		"a store that cannot be opened": {func(n *slackNight) {
			n.end()
			n.env.DataDir = filepath.Join(n.t.TempDir(), "file")
			if err := os.WriteFile(n.env.DataDir, nil, 0o600); err != nil {
				n.t.Fatal(err)
			}
		}, "store", "", handlers.Fail},
		"nobody answers for pages": {func(n *slackNight) { n.end() }, "page of Web shop", "no answer", handlers.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			n := inSlack(t)
			n.slack.ChangeGroup("S0ONCALL", func(g *slacktest.Group) { g.Members = []string{"U0ANA", "U0SAM"} })
			n.env.ConfigYAML, n.env.PublicURL = acme, n.url
			tt.spoil(n)
			found := examine(t.Context(), n.env)
			said := false
			for _, f := range found {
				bad := f.Part == tt.part && strings.Contains(f.Text, tt.text)
				said = said || bad && f.State == tt.state && f.Next != ""
				unasked := tt.part == "page of Web shop" && strings.HasPrefix(f.Part, "phone menu") || tt.part == "store" && strings.Contains(f.Text, "no answer")
				if f.State == handlers.Fail && !bad && !unasked {
					t.Errorf("also fails: %+v", f)
				}
				if strings.Contains(f.Text+f.Next, n.slack.Config().BotToken) || strings.Contains(f.Text+f.Next, n.env.FlagsSecret.Reveal()) {
					t.Errorf("a secret is in %+v", f)
				}
			}
			if tt.part != "" && !said {
				t.Errorf("no line says that %s is broken: %+v", tt.part, found)
			}
		})
	}
}
