package slacktest_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
)

// nodeDir is where Slack's own clients are; "npm ci" there installs them.
const nodeDir = "../../../.ci/slack"

// node starts the bot on Slack's own clients and returns its first line. The test fails if it finds fault with anything.
func node(t *testing.T, s *slacktest.Slack, mode string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("judged by Slack's own clients in the long run only")
	}
	missing := ""
	program, err := exec.LookPath("node")
	if err != nil {
		missing = "node"
	} else if _, err := os.Stat(filepath.Join(nodeDir, "node_modules", "@slack", "bolt")); err != nil {
		missing = "Slack's packages: cd .ci/slack && npm ci"
	}
	if missing != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: " + missing)
		}
		t.Skip("not judged by Slack's own clients, missing: " + missing)
	}
	c := s.Config()
	cmd := exec.Command(program, "clients.mjs", mode) // ends with its standard input
	cmd.Dir = nodeDir
	cmd.Env = append(os.Environ(), "SLACK_API_URL="+s.APIURL(), "SLACK_BOT_TOKEN="+c.BotToken, "SLACK_APP_TOKEN="+c.AppToken, "SLACK_SIGNING_SECRET="+c.SigningSecret)
	var wrong strings.Builder
	cmd.Stderr = &wrong
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node clients.mjs %s: %v\n%s", mode, err, wrong.String())
		}
	})
	if line == "" {
		t.FailNow()
	}
	return strings.TrimSpace(line)
}

// newest returns what the newest message that a person sees says.
func newest(s *slacktest.Slack, user string) string {
	all := s.Visible(user)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].Text
}

// taken returns a check that what was done was possible, and answered well.
func taken(t *testing.T) func(slacktest.Delivery, error) {
	t.Helper()
	return func(d slacktest.Delivery, err error) {
		t.Helper()
		if err != nil || !d.OK() {
			t.Fatalf("%+v, %v", d, err)
		}
	}
}

func TestAsSlacksOwnClientsSeeIt(t *testing.T) {
	s := acme(t, slacktest.Config{Burst: 100, AnswerWithin: 20 * time.Second})
	port := node(t, s, "http")
	s.Connect(slacktest.At("http://127.0.0.1:" + port))
	ctx, done := t.Context(), taken(t)
	said := func(want string) {
		t.Helper()
		until(t, s, want, func() bool { return newest(s, "U0ANA") == want })
	}

	if d, passed := s.Verify(ctx); !passed {
		t.Errorf("handshake = %+v", d)
	}
	if d := s.Send(ctx, slacktest.Request{URL: s.App().CommandURL, Body: "command=%2Foutage", Secret: "other"}); d.Status != 401 {
		t.Errorf("badly signed = %d, want 401", d.Status)
	}
	done(s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage chat & mail"))
	said("typed: chat &amp; mail")
	all := s.Visible("U0ANA")
	card := all[len(all)-1]
	done(s.Press(ctx, "U0ANA", card, "Form…"))
	until(t, s, "a form", func() bool { _, open := s.Form("U0ANA"); return open })
	if err := s.Fill("U0ANA", "What visitors read", "no"); err != nil {
		t.Fatal(err)
	}
	done(s.Submit(ctx, "U0ANA"))
	if v, _ := s.Form("U0ANA"); v.Errors["said"] != "Say yes." {
		t.Errorf("the form is %+v, want the error beside its field", v)
	}
	if err := s.Fill("U0ANA", "What visitors read", "yes"); err != nil {
		t.Fatal(err)
	}
	done(s.Submit(ctx, "U0ANA"))
	said("submitted: yes")
	done(s.Press(ctx, "U0ANA", card, "Form…"))
	until(t, s, "a form", func() bool { _, open := s.Form("U0ANA"); return open })
	done(s.CloseForm(ctx, "U0ANA"))
	said("closed")
	done(s.Press(ctx, "U0ANA", card, "Go"))
	until(t, s, "the card replaced", func() bool { m, _ := s.Message(card.Channel, card.TS); return m.Text == "pressed: v1" })

	done(s.Shortcut(ctx, "U0ANA", "report"))
	said("shortcut: shortcut")
	m, d, err := s.Say(ctx, "U0ANA", "C0SUPPORT", "", "@switchback help")
	done(d, err)
	said("mentioned")
	done(s.ShortcutOn(ctx, "U0ANA", m, "timeline"))
	said("shortcut: message_action on <@" + slacktest.BotUser + "> help")
	_, d, err = s.Say(ctx, "U0ANA", s.Direct("U0ANA").ID, "", "hello")
	done(d, err)
	said("hello to you")
	done(s.OpenHome(ctx, "U0ANA"), nil)
	until(t, s, "a home tab", func() bool {
		v, _ := s.Home("U0ANA")
		return strings.Join(s.ViewLines(v, "U0ANA"), "") == "from Bolt"
	})
}

func TestSocketModeAsSlacksOwnClientSeesIt(t *testing.T) {
	s := acme(t, slacktest.Config{AnswerWithin: 20 * time.Second})
	s.ConnectSocket()
	node(t, s, "socket")
	ctx, done := t.Context(), taken(t)
	done(s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage chat"))
	if got := newest(s, "U0ANA"); got != "over the socket: chat" {
		t.Errorf("@ana reads %q", got)
	}
	done(s.Shortcut(ctx, "U0ANA", "report"))
	done(s.OpenHome(ctx, "U0ANA"), nil)
	s.Disconnect("refresh_requested")
	until(t, s, "connected again", func() bool { return s.Sockets() == 1 })
	done(s.OpenHome(ctx, "U0ANA"), nil)
}
