package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
	"switchback/handlers/teams/teamstest"
	"switchback/store/storetest"
)

// block is what the README tells people to run in a shell.
type block struct{ heading, text string }

func blocks(t *testing.T) []block {
	t.Helper()
	var out []block
	heading, in := "", ""
	for line := range strings.Lines(readReadme(t)) {
		bare := strings.TrimSpace(line)
		switch {
		case in != "" && bare == "```":
			in = ""
		case in == "sh":
			last := &out[len(out)-1]
			last.text += strings.TrimPrefix(line, "   ")
		case in != "":
		case strings.HasPrefix(bare, "```"):
			if in = strings.TrimPrefix(bare, "```") + " "; in == "sh " {
				in, out = "sh", append(out, block{heading: heading})
			}
		case strings.HasPrefix(line, "#"):
			heading = strings.Trim(bare, "# ")
		}
	}
	return out
}

// reader is somebody who follows the README from its beginning to its end, in a folder of a clean clone.
type reader struct {
	t      *testing.T
	dir    string
	env    []string
	filled map[string]string // what the README leaves to its reader
}

// Every shell block of the README is run, in order, by somebody who has what it asks for: here, stand-ins for Slack and
// Teams, and a real Redis.
func TestReadmeBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs all that the README says")
	}
	s := slacktest.New(slacktest.Config{})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	m := teamstest.New(teamstest.Config{})
	if err := m.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	r := clone(t)
	r.env = append(r.env,
		"SLACK_API_URL="+s.APIURL(), "SLACK_RESPONSE_HOSTS="+strings.TrimPrefix(s.URL(), "http://"),
		"TEAMS_OPENID_URL="+m.OpenIDURL(), "TEAMS_TOKEN_URL="+m.TokenURL(), "TEAMS_SERVICE_HOSTS="+m.Host())
	r.filled = map[string]string{
		"rediss://redis.example.com": storetest.Redis(t), "PORT=8080": "LISTEN_ADDR=127.0.0.1:0",
		"SLACK_BOT_TOKEN=xoxb-…": "SLACK_BOT_TOKEN=" + s.Config().BotToken, "SLACK_SIGNING_SECRET=…": "SLACK_SIGNING_SECRET=" + s.Config().SigningSecret,
		"TEAMS_APP_ID=…": "TEAMS_APP_ID=" + m.Config().App, "TEAMS_APP_PASSWORD=…": "TEAMS_APP_PASSWORD=" + m.Config().Password, "TEAMS_TENANT_ID=…": "TEAMS_TENANT_ID=" + m.Config().Tenant,
	}
	for _, b := range blocks(t) {
		r.follow(b)
	}
}

// clone is a folder that looks like the repository, in which `go run ./bot` and bin/bot are the program of this test.
func clone(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir()}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(here, filepath.Join(r.dir, "bot")); err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf("exec env %s=1 %s \"$@\"\n", asBot, os.Args[0])
	for name, text := range map[string]string{
		"bin/bot":  program,
		"tools/go": "[ \"$1 $2\" = 'run ./bot' ] || { echo \"go $*: only ./bot is run here\" >&2; exit 1; }\nshift 2\n" + program,
	} {
		file := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing leaves this machine: the example document names Gladly's own status page.
	r.env = append(os.Environ(), "HTTPS_PROXY=http://127.0.0.1:1", "PATH="+filepath.Join(r.dir, "tools")+":"+os.Getenv("PATH"), "HOME="+r.dir, "XDG_CONFIG_HOME="+filepath.Join(r.dir, "config"))
	return r
}

// follow does what a block says. What goes on until it is ended is left running, as a reader would.
func (r *reader) follow(b block) {
	r.t.Helper()
	typed, said := "", ""
	switch {
	case strings.HasPrefix(b.text, "# test\n"): // that is what runs this
		return
	case b.text == "go run ./bot chat\n":
		typed, said = r.session(b.heading), "as before"
	case strings.Contains(b.text, "restore --live ID"):
		r.begins()
		typed, said = "yes\n", "as before"
	case strings.Contains(b.text, "import"):
		r.begins()
		typed, said = "yes\n", "as before"
	}
	text := b.text
	for from, to := range r.filled {
		text = strings.ReplaceAll(text, from, to)
	}
	if regexp.MustCompile(`…|example\.com|\bID\b`).MatchString(regexp.MustCompile(`#.*`).ReplaceAllString(text, "")) {
		r.t.Fatalf("under %q nobody knows what to fill in:\n%s", b.heading, text)
	}
	if strings.Contains(text, "bot serve") || strings.Contains(text, "bot try") {
		r.filled["https://bot.example.com"] = r.leave(b.heading, text)
		return
	}
	cmd := r.shell(text)
	cmd.Stdin = strings.NewReader(typed)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), said) {
		r.t.Errorf("under %q:\n%s%v, having said, without %q:\n%s", b.heading, text, err, said, out)
	}
}

func (r *reader) shell(text string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

// leave starts what goes on, waits until it says where it is, and ends it at the end of the test as Ctrl-C does.
func (r *reader) leave(heading, text string) string {
	r.t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", text)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = r.dir, r.env, &syscall.SysProcAttr{Setpgid: true}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		if err := cmd.Wait(); err != nil {
			r.t.Errorf("under %q: it ended with %v, having logged:\n%s", heading, err, errs.String())
		}
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	at := regexp.MustCompile(`http://[0-9.:]+[0-9]`).FindString(line)
	if at == "" {
		r.t.Fatalf("under %q it says %q, %v", heading, line, err)
	}
	return at
}

// session is what the README says to type: what follows >, up to what it means.
func (r *reader) session(heading string) string {
	r.t.Helper()
	_, after, _ := strings.Cut(readReadme(r.t), "# "+heading+"\n")
	var typed strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^> (.+?) {2,}\S`).FindAllStringSubmatch(after, -1) {
		typed.WriteString(m[1] + "\n")
	}
	if typed.Len() == 0 {
		r.t.Errorf("under %q there is nothing to type", heading)
	}
	return typed.String()
}

// begins lets an outage be open, and the copy of its values from before at hand.
func (r *reader) begins() {
	r.t.Helper()
	cmd := r.shell("go run ./bot chat --live --fresh >/dev/null && go run ./bot outages --live --json && cp config/switchback/*/before-*.txt .")
	cmd.Stdin = strings.NewReader("/outage chat late\n1\n1\n")
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatal(err)
	}
	copies, err := filepath.Glob(filepath.Join(r.dir, "before-*.txt"))
	if err != nil || len(copies) == 0 {
		r.t.Fatalf("there is no copy of the values from before: %v", err)
	}
	var open []struct{ Outage struct{ ID string } }
	if err := json.Unmarshal(out, &open); err != nil || len(open) != 1 {
		r.t.Fatalf("bot outages --json says %s, %v", out, err)
	}
	r.filled["restore --live ID"] = "restore --live " + open[0].Outage.ID
	r.filled["before-chat-….txt"] = "before-" + open[0].Outage.ID + ".txt"
}
