package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asBot makes the test binary run as the bot: the tests below kill real processes, and need no build step for it.
const asBot = "SWITCHBACK_TEST_AS_BOT"

func TestMain(m *testing.M) {
	if os.Getenv(asReplica) != "" {
		if err := runReplica(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "replica:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(asBot) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a running bot chat.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func bot(tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute) // one that hangs shows what it said so far
	tb.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asBot+"=1")
	return cmd
}

func chat(t *testing.T, dir string) *process {
	t.Helper()
	return begin(t, bot(t, "chat", "--data", dir))
}

// begin starts a process that is typed to.
func begin(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{t, cmd, in, bufio.NewReader(out)}
}

func (p *process) types(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(p.in, l+"\n"); err != nil {
			p.t.Fatalf("type %q: %v", l, err)
		}
	}
}

// until reads what is shown until a text comes.
func (p *process) until(text string) string {
	p.t.Helper()
	var b strings.Builder
	for {
		line, err := p.out.ReadString('\n')
		b.WriteString(line)
		if strings.Contains(line, text) {
			return b.String()
		}
		if err != nil {
			p.t.Fatalf("%v before %q came; shown was:\n%s", err, text, b.String())
		}
	}
}

// kill is kill -9: nothing gets a chance to tidy up.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, p.out)
	_ = p.cmd.Wait()
}

// ends closes the input and wants exit status 0.
func (p *process) ends() string {
	p.t.Helper()
	_ = p.in.Close()
	rest, _ := io.ReadAll(p.out)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("end of input: %v", err)
	}
	return string(rest)
}

func settings(t *testing.T, dir string) string {
	t.Helper()
	p := chat(t, dir)
	p.types("/company settings")
	text := p.ends()
	from := strings.Index(text, "  voice/")
	to := strings.LastIndex(text, "\n>")
	if from < 0 || to < from {
		t.Fatalf("no settings in:\n%s", text)
	}
	return text[from:to]
}

// The bot in a terminal is killed in the middle of a change, and in the middle of the restore:
// started again, it says where things stand, and what was there before comes back exactly.
func TestKilledInTheMiddle(t *testing.T) {
	rounds := 6
	if os.Getenv("PROOF") != "" {
		rounds = 100
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before := settings(t, dir)
			pause := time.Duration(round) * 7 * time.Millisecond

			p := chat(t, dir)
			p.types("/outage chat late", "1")
			p.until("Yes, do it")
			p.types("1")
			if round%2 == 0 {
				p.until("CHAT –") // the home card; the settings come now, or have come
			}
			time.Sleep(pause)
			p.kill()

			p = chat(t, dir)
			p.types("/outage status", "/company")
			text := p.ends()
			if !strings.Contains(text, "1 open") { // killed before the press was taken in
				if strings.Contains(text, "Chat is down") || settings(t, dir) != before {
					t.Fatalf("something was changed, and nothing is open:\n%s", text)
				}
				return
			}
			if strings.Count(text, "visitors cannot chat and read: Chat is down") != 2 {
				t.Errorf("chat was not closed after the restart:\n%s", text)
			}

			p = chat(t, dir)
			p.types("/outage restore")
			p.until("Put everything back now")
			p.types("1")
			p.until("Yes, put it back")
			p.types("1")
			time.Sleep(pause)
			p.kill()

			p = chat(t, dir)
			p.until("Type /outage")
			if rest := p.ends(); strings.Contains(rest, "1 open") {
				p = chat(t, dir) // killed before the press was taken in
				p.until("1 open")
				p.types("/outage restore", "1", "1")
				p.ends()
			}
			if diff := cmp.Diff(before, settings(t, dir)); diff != "" {
				t.Errorf("settings after the night (-before +after):\n%s", diff)
			}
			out, err := bot(t, "outages", "--data", dir).Output()
			if err != nil || string(out) != "Nothing is open.\n" {
				t.Errorf("bot outages = %q, %v", out, err)
			}
		})
	}
}

func TestASecondProcessOnOneFolder(t *testing.T) {
	dir := t.TempDir()
	p := chat(t, dir)
	p.until("Type /outage")
	p.types("/outage chat late", "1", "1", "/company")
	p.until("visitors cannot chat")
	out, err := bot(t, "chat", "--data", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "store.db") {
		t.Errorf("a second bot chat = %v, %s; want an error that names the file", err, out)
	}
	out, err = bot(t, "outages", "--data", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `before: "08:00-20:00"`) {
		t.Errorf("bot outages beside the running bot = %v:\n%s", err, out)
	}
	p.ends()
}
