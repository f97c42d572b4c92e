package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
	"switchback/handlers/slack/slacktest/story"
)

// These tests run bot serve as a process of its own, set up by environment variables alone, in front of a workspace.

// served is such a process.
type served struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string
	over chan struct{} // closed at its end
	err  error         // how it ended
}

// serve starts the bot for acme; vars say where it keeps everything, and what else is different.
func (n *slackNight) serve(vars ...string) *served {
	n.t.Helper()
	p, err := n.tryServe(vars...)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

var servesOn = regexp.MustCompile(`on (http://[0-9.:]+)\.`)

func (n *slackNight) tryServe(vars ...string) (*served, error) {
	return tryServe(n.t, append([]string{
		"CONFIG_YAML=" + acme, "SLACK_BOT_TOKEN=" + n.env.SlackToken.Reveal(), "SLACK_SIGNING_SECRET=" + n.env.SlackSigningSecret.Reveal(),
		"SLACK_API_URL=" + n.slack.APIURL(), "SLACK_RESPONSE_HOSTS=" + strings.TrimPrefix(n.slack.URL(), "http://"),
	}, vars...)...)
}

func tryServe(tb testing.TB, vars ...string) (*served, error) {
	tb.Helper()
	cmd := exec.Command(os.Args[0], "serve") // ended below: its output ends when it does
	cmd.Env = append(append(os.Environ(), asBot+"=1", "LISTEN_ADDR=127.0.0.1:0"), vars...)
	cmd.Stderr = tb.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &served{t: tb, cmd: cmd, over: make(chan struct{})}
	tb.Cleanup(func() { p.kill() })
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		p.err = cmd.Wait()
		close(p.over)
	}()
	m := servesOn.FindStringSubmatch(line)
	if m == nil {
		return nil, fmt.Errorf("bot serve says %q: %w", line, errors.Join(errors.New("no address"), err))
	}
	p.url = m[1]
	return p, nil
}

// kill is kill -9. A second time it does nothing.
func (p *served) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.over
}

// terminate is how every platform ends a program, and returns how long that took.
func (p *served) terminate() time.Duration {
	p.t.Helper()
	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if <-p.over; p.err != nil {
		p.t.Errorf("after SIGTERM it ended with %v", p.err)
	}
	return time.Since(start)
}

// strait lies between the bot and a chat platform. Before or after one of the bot's calls something happens.
type strait struct {
	*httptest.Server
	mu     sync.Mutex
	to     http.Handler
	calls  []string
	at     int // the call
	before bool
	happen func() // nil: nothing
	doing  sync.WaitGroup
}

func newStrait(t *testing.T) *strait {
	t.Helper()
	s := &strait{at: -1}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *strait) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	n, to := len(s.calls), s.to
	s.calls = append(s.calls, r.URL.Path)
	happen := s.happen
	if n != s.at || happen == nil {
		s.mu.Unlock()
		to.ServeHTTP(w, r)
		return
	}
	s.doing.Add(1)
	s.mu.Unlock()
	defer s.doing.Done()
	if !s.before {
		to.ServeHTTP(httptest.NewRecorder(), r) // it was done, and nobody learns of it
	}
	happen()
	panic(http.ErrAbortHandler)
}

// reborn is a bot that is killed at one of its calls, and started again at once.
type reborn struct {
	strait  *strait
	anew    func() (*served, error) // starts another one
	connect func(url string)        // tells the chat platform where the bot is now

	mu      sync.Mutex
	bot     *served
	running chan struct{} // closed while it runs
	fails   error         // why it could not be started again
}

// again kills the bot and starts another one.
func (r *reborn) again() {
	r.mu.Lock()
	old := r.bot
	r.running = make(chan struct{})
	running := r.running
	r.mu.Unlock()
	old.kill()
	go func() {
		p, err := r.anew()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.fails = err; err == nil {
			r.bot = p
			r.connect(p.url)
		}
		close(running)
	}()
}

// await returns when the bot runs, or could not be started again.
func (r *reborn) await() {
	r.mu.Lock()
	running := r.running
	r.mu.Unlock()
	<-running
}

// finish lets the bot end by itself, after the last of what happens.
func (r *reborn) finish() {
	r.strait.mu.Lock()
	r.strait.happen = nil
	r.strait.mu.Unlock()
	r.strait.doing.Wait()
	r.await()
	r.bot.terminate()
}

// killed is a night in Slack with such a bot.
type killed struct {
	*slackNight
	*reborn
}

// killedAt starts such a night. Where at is negative, nothing happens.
func killedAt(t *testing.T, at int, before bool, vars ...string) *killed {
	t.Helper()
	s := newStrait(t)
	n := acmeInSlack(t, slacktest.Config{BaseURL: s.URL, NoRateLimits: true})
	k := &killed{n, &reborn{
		strait: s, anew: func() (*served, error) { return n.tryServe(vars...) },
		connect: func(url string) { n.slack.Connect(slacktest.At(url)) }, running: make(chan struct{}),
	}}
	s.to, s.at, s.before, s.happen = k.slack, at, before, k.again
	k.bot = k.serve(vars...)
	close(k.running)
	k.look(k.bot.url)
	k.Within(time.Minute)
	return k
}

// does does something as people do: where Slack says that it did not work, once more when the bot is there again.
func (k *killed) does(what string, do func() slacktest.Delivery) {
	k.t.Helper()
	for range 2 {
		if d := do(); d.OK() {
			return
		}
		k.await()
	}
	k.t.Fatalf("%s: not taken in, twice (%v)", what, k.fails)
}

func (k *killed) press(m *story.Message, label string) {
	k.t.Helper()
	k.does("press "+label, func() slacktest.Delivery { return m.TryPress(label) })
}

// night1 goes from the first word to the end of the restore. Nobody does anything twice whose first time was taken in.
func (k *killed) night1() {
	k.t.Helper()
	k.does("type", func() slacktest.Delivery { return k.ana.TryTypes("#support", "/outage chat late") })
	k.press(k.ana.Sees("Web shop", "open → closed"), "Close Web shop now")
	home := k.support.Shows("Web shop", "Restore…")
	home.Thread().Shows("What was there before")
	k.press(home.As(k.sam), "Restore…")
	k.press(home.Thread().Shows("Put everything back now").As(k.sam), "Put everything back now")
	k.support.Shows("open again", "Restored")
	k.once()
}

// once wants each message that stays exactly once, and what one person alone sees at most twice: whether such a one
// arrived nobody can find out, and without it they would not know where they stand.
func (n *slackNight) once() {
	n.t.Helper()
	times := map[string]int{}
	for _, m := range n.slack.Messages("") {
		if m.User != slacktest.BotUser {
			continue
		}
		text := strings.Join(n.slack.Lines(m, m.Only), "\n")
		if m.Only == "" {
			payload, _ := m.Metadata["event_payload"].(map[string]any)
			text = fmt.Sprint(payload["message"])
		}
		times[m.Channel+" "+m.Only+" "+text]++
		if c := times[m.Channel+" "+m.Only+" "+text]; c > 1 && m.Only == "" || c > 2 {
			n.t.Errorf("%d times in %s:\n%s", c, m.Channel, strings.Join(n.slack.Lines(m, m.Only), "\n"))
		}
	}
}

// Contract 1: killed with -9 at any of its calls to Slack, before it or after it and unanswered, and started again, it
// shows each card once, and puts everything back. Whoever was answered 200 does nothing again.
func TestServeKilledAtEachCall(t *testing.T) {
	dir := t.TempDir()
	clean := killedAt(t, -1, false, "DATA_DIR="+dir)
	clean.night1()
	calls := clean.strait.calls
	clean.finish()
	if len(calls) < 8 {
		t.Fatalf("only %d calls: %q", len(calls), calls)
	}
	step := 5 // an odd one: before this call, after that
	if os.Getenv("PROOF") != "" {
		step = 1
	}
	for n := 0; n < 2*len(calls); n += step {
		at, before := n/2, n%2 == 0
		name := fmt.Sprintf("%d %s, before=%v", at, strings.TrimPrefix(calls[at], "/api/"), before)
		if strings.HasPrefix(calls[at], "/commands/") || strings.HasPrefix(calls[at], "/actions/") {
			name = fmt.Sprintf("%d response_url, before=%v", at, before)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := killedAt(t, at, before, "DATA_DIR="+dir)
			k.night1()
			k.finish()
			if out := outages(t, dir); out != "Nothing is open.\n" {
				t.Errorf("bot outages afterwards: %s", out)
			}
			out, err := bot(t, "audit", "verify", "--data", dir).CombinedOutput()
			if err != nil {
				t.Errorf("bot audit verify: %v\n%s", err, out)
			}
		})
	}
}

// Told to end while many type, it takes in no more, ends within 25 s, and whoever was answered gets their card, from the
// next process if need be.
func TestServeEndsUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := acmeInSlack(t, slacktest.Config{NoRateLimits: true})
	p := n.serve("DATA_DIR=" + dir)
	n.look(p.url)
	n.Within(time.Minute)
	var taken atomic.Int64
	var people sync.WaitGroup
	begun, over := make(chan struct{}), make(chan struct{})
	for i := range 8 {
		people.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-over:
					return
				default:
				}
				d, err := n.slack.Command(t.Context(), "U0ANA", n.support.ID(), "/outage status")
				if err != nil {
					t.Error(err)
					return
				}
				if d.OK() {
					taken.Add(1)
				}
				if i == 0 && k == 4 {
					close(begun)
				}
			}
		})
	}
	<-begun
	took := p.terminate()
	close(over)
	people.Wait()
	if took > 25*time.Second {
		t.Errorf("it ended after %v", took)
	}
	n.serve("DATA_DIR=" + dir)
	shown := func() (count int64) {
		for _, m := range n.slack.Visible("U0ANA") {
			if m.Only == "U0ANA" && m.User == slacktest.BotUser {
				count++
			}
		}
		return count
	}
	end := time.After(time.Minute)
	for changed := n.slack.Changed(); shown() < taken.Load(); changed = n.slack.Changed() {
		select {
		case <-changed:
		case <-end:
			t.Fatalf("%d were answered, and %d cards came", taken.Load(), shown())
		}
	}
	t.Logf("%d taken in; it ended after %v", taken.Load(), took)
}

// What is wrong with the surroundings is told at once and all of it, without the value of anything.
func TestServeSaysAllThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	playbook := dir + "/playbook.yaml"
	if err := os.WriteFile(playbook, []byte("nodes: [1]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := bot(t, "serve")
	cmd.Env = append(cmd.Env, "SLACK_BOT_TOKEN=xoxb-secret", "SLACK_SIGNING_SECRET=", "CONFIG_YAML=organisation: {nam: acme}", "FLAGS_SECRET=nocolon",
		"PLAYBOOK_FILE="+playbook, "PORT=1", "LISTEN_ADDR=127.0.0.1:0", "ESCALATE_URL=ftp://switchback:secret@example.com")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("it started")
	}
	for _, want := range []string{"DATA_DIR", "REDIS_URL", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "nam", "FLAGS_SECRET", "playbook.yaml:1", "LISTEN_ADDR and PORT", "ESCALATE_URL"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("not told: %s", want)
		}
	}
	if strings.Contains(string(out), "xoxb") || strings.Contains(string(out), "nocolon") || strings.Contains(string(out), "secret@") {
		t.Error("a secret is told")
	}
	if t.Failed() {
		t.Logf("it says\n%s", out)
	}
}

// One folder is for one process.
func TestServeOnABusyFolder(t *testing.T) {
	dir := t.TempDir()
	n := acmeInSlack(t, slacktest.Config{})
	n.serve("DATA_DIR=" + dir)
	cmd := bot(t, "serve")
	cmd.Env = append(cmd.Env, "DATA_DIR="+dir, "LISTEN_ADDR=127.0.0.1:0")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another Switchback uses DATA_DIR") {
		t.Errorf("a second one on the same folder: %v, %s", err, out)
	}
}
