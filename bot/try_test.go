package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/try"
	"switchback/handlers/slack"
)

var picture = flag.Bool("picture", false, "draw the README's picture anew")

// playground starts bot try with real processes, and returns the address of its page.
func playground(t *testing.T) string {
	t.Helper()
	return playgroundIn(t, t.TempDir())
}

func playgroundIn(t *testing.T, dir string) string {
	t.Helper()
	manifest, err := slack.Manifest("https://bot.acme.example", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := try.Run(ctx, try.Config{Command: []string{os.Args[0], "serve"}, Env: []string{asBot + "=1"}, Manifest: manifest, Data: dir, Out: in})
		_ = in.Close()
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("bot try ended with %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("bot try printed no address")
	}
	address := regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text())
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return address
}

// tab is somebody who looks at the page.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // it is the tab, to chromedp
	url string

	limit time.Duration // for what must come

	mu      sync.Mutex
	console []string
	foreign []string
}

// chromium starts a Chromium that can reach this machine alone. Where there is none the test is skipped, and fails with
// CI=true.
func chromium(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing (apt-get install chromium)")
		}
		t.Skip("chromium is missing (apt-get install chromium): what it would show is not tested")
	}
	var said bytes.Buffer
	ctx, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.CombinedOutput(&said),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-extensions", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v\n%s", program, err, said.String())
	}
	return ctx
}

// open opens the playground's page.
func open(t *testing.T, url string) *tab {
	t.Helper()
	ctx := chromium(t)
	b := &tab{t: t, ctx: ctx, url: url, limit: time.Minute}
	err := chromedp.Listen(ctx, func(ev any) {
		if r, ok := ev.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(r.Request.URL, url+"/") {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.foreign = append(b.foreign, r.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleWarning {
				b.mu.Lock()
				b.console = append(b.console, m.String())
				b.mu.Unlock()
			}
		}
	}()
	b.does(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"/"))
	b.until(`document.body.dataset.ready && document.querySelector('#bot-state').dataset.state === 'up'`)
	return b
}

func (b *tab) does(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, 30*time.Second)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v; the page shows\n%s", err, b.text())
	}
}

// until waits for a condition on the page.
func (b *tab) until(condition string) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, b.limit)
	defer stop()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		switch {
		case ok:
			return
		case ctx.Err() != nil:
			b.t.Fatalf("%s never became true; the page shows\n%s", condition, b.text())
		case err != nil:
			b.t.Fatalf("wait for %s: %v", condition, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // a real browser: nothing tells of its changes
		}
	}
}

func (b *tab) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.console) > 0 {
		return "errors: " + strings.Join(b.console, "\n")
	}
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// shows waits until a part of the page shows a text.
func (b *tab) shows(part, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, part, text))
}

// newest is the last button that begins with a label and can be pressed; in JavaScript.
func newest(part, label string) string {
	return fmt.Sprintf(`Array.from(document.querySelectorAll(%q)).filter(b => b.textContent.trim().startsWith(%q) && !b.disabled && b.getClientRects().length).pop()`, part+" button", label)
}

// presses presses a button by the keyboard, as those do who have no mouse.
func (b *tab) presses(part, label string) {
	b.t.Helper()
	b.until(newest(part, label))
	b.until(fmt.Sprintf(`(%[1]s.focus(), document.activeElement === %[1]s)`, newest(part, label)))
	b.does(chromedp.KeyEvent("\r"))
}

// confirms presses a button that asks once more, and says yes.
func (b *tab) confirms(label, yes string) {
	b.t.Helper()
	b.presses("#log", label)
	b.until(`document.querySelector('#sure').open`)
	b.presses("#sure", yes)
	b.until(`!document.querySelector('#sure').open`)
}

func (b *tab) types(text string) {
	b.t.Helper()
	b.does(chromedp.Focus("#text"), chromedp.KeyEvent(text+"\r"))
}

// fits wants nothing that is wider than the page.
func (b *tab) fits(width int64) {
	b.t.Helper()
	b.does(chromedp.EmulateViewport(width, 900))
	b.until(fmt.Sprintf(`innerWidth === %d`, width))
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`[...(document.documentElement.scrollWidth > innerWidth ? ['the page'] : []),
		...Array.from(document.querySelectorAll('body *')).filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className)]`))
	if err != nil || len(wide) > 0 {
		b.t.Errorf("at %d wide these are too wide: %q, %v", width, wide, err)
	}
}

// passes wants axe to find nothing, in light and dark.
func (b *tab) passes(where string) {
	b.t.Helper()
	axe, err := os.ReadFile("../.ci/try/node_modules/axe-core/axe.min.js")
	if err != nil {
		if os.Getenv("CI") == "true" {
			b.t.Fatalf("axe-core is missing: npm ci --prefix .ci/try (%v)", err)
		}
		b.t.Log("axe-core is missing (npm ci --prefix .ci/try): the page is not judged by it")
		return
	}
	for _, scheme := range []string{"dark", "light"} {
		b.wears(scheme)
		if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](string(axe)+"; true")); err != nil {
			b.t.Fatal(err)
		}
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](
			`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ' ' + n.target + ': ' + n.failureSummary)))`, chromedp.EvalAwaitPromise))
		if err != nil {
			b.t.Fatal(err)
		}
		for _, f := range found {
			b.t.Errorf("axe, %s, %s: %s", where, scheme, f)
		}
	}
}

func (b *tab) wears(scheme string) {
	b.t.Helper()
	b.does(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// shot draws what is seen.
func (b *tab) shot(file string) {
	b.t.Helper()
	data, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

const shop, help = `.window[data-key="web-shop"]`, `.window[data-key="help-centre"]`

// The tour, step by step, by the keyboard: from an incident on the page to everything as it was, with the bot killed in
// between, and Help centre closed by a person.
func TestTryTour(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	b := open(t, playground(t))
	b.passes("at the beginning")
	b.shows(shop, "Chat with us")
	b.shows(help, "Chat with us")

	b.shows("#tour", "1 of 6")
	b.presses("#tour", "Open the incident")
	b.shows("#log", "Chat is slow")

	b.shows("#tour", "2 of 6")
	b.types("/outage chat late")
	b.shows("#log", "only you see this")

	b.shows("#tour", "3 of 6")
	b.confirms("Close Web shop now", "Yes, do it")
	b.shows(shop, "Chat is down at the moment")
	b.shows("#log", "Help centre STILL OPEN")

	b.shows("#tour", "4 of 6")
	if *picture {
		b.limit = 3 * time.Minute // the card looks again after one
		b.shows("#log", "Web shop CLOSED")
		b.draw()
	}
	b.presses(".bot", "Kill the bot")
	b.shows(".bot", "not running")
	b.shows(shop, "Chat with us") // customers are let through

	b.shows("#tour", "5 of 6")
	b.presses(".bot", "Start it again")
	b.shows(shop, "Chat is down at the moment")

	// Whoever stands on a button stays there while what is around it is drawn anew.
	b.until(`(window.stood = ` + newest("#log", "Restore…") + `) && (stood.focus(), document.activeElement === stood)`)
	b.until(`(Array.from(document.querySelectorAll('#incidents button')).find(b => b.textContent === 'It gets worse').click(), true)`)
	b.until(`!stood.isConnected && document.activeElement.textContent === stood.textContent`)

	// Help centre, by a person.
	b.shows("#tour", "6 of 6")
	b.presses("#log", "I click")
	b.presses("#log", "All as listed")
	b.shows("#log", "Tick Closed next to")
	days := regexp.MustCompile(`Tick Closed next to (\w+)\.`).FindAllStringSubmatch(b.text(), -1)
	b.presses("#log", "Copy the text…")
	b.until(`document.querySelector('#form').open`)
	b.passes("with a form")
	message := b.value(`document.querySelector('#form textarea, #form input').value`)
	b.presses("#form", "Cancel")
	b.until(`!document.querySelector('#form').open`)
	b.save(days, true, message)
	b.presses("#log", "Saved")
	b.shows("#log", "Web shop and Help centre CLOSED")
	b.shows(help, "Chat is down at the moment")

	// Everything back, from Teams.
	b.presses("#teams-log", "Restore…")
	b.presses("#teams-log", "Put everything back now")
	b.presses("#teams-log", "Yes, put it back")
	b.shows(shop, "Chat with us")
	b.shows("#tour", "That was the tour")

	// And back again, by the same person.
	b.presses("#log", "I click")
	b.shows("#log", "Untick Closed next to")
	b.presses("#log", "Copy the text…")
	b.until(`document.querySelector('#form').open`)
	before := b.value(`document.querySelector('#form textarea, #form input').value`)
	b.presses("#form", "Cancel")
	b.until(`!document.querySelector('#form').open`)
	b.save(days, false, before)
	b.presses("#log", "Saved")
	b.shows("#log", "as before")
	b.shows(help, "Chat with us")
	b.passes("in the end")
	for _, width := range []int64{360, 800, 1280} {
		b.fits(width)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.console)+len(b.foreign) > 0 {
		t.Errorf("the console says %q, and these were asked for elsewhere: %q", b.console, b.foreign)
	}
}

// What the tour leaves out: the Home tab, phones, the dialogs of Teams, and reminders.
func TestTryElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	b := open(t, playground(t))
	b.presses("#channels", "Home tab")
	b.shows("#log", "You may confirm a change")
	b.presses("#log", "Report an outage")
	b.presses("#channels", "Direct messages")
	b.shows("#log", "What is affected?")

	b.presses("#channels", "#voice")
	b.shows("#calls li:first-child", "Press 1 to order")
	b.types("/outage voice agents")
	b.confirms("Send 1 number to voicemail", "Yes, do it")
	b.shows("#calls li:first-child", "Then a voicemail")
	b.shows("#calls li:last-child", "Then an agent")

	b.presses("#teams-channels", "voice")
	b.presses("#teams-log", "Hand over…")
	b.until(`document.querySelector('#teams-form').open`)
	b.passes("with a dialog of Teams")
	b.until(`(document.querySelector('#teams-form input').focus(), document.activeElement.tagName === 'INPUT')`)
	b.does(chromedp.KeyEvent("@sam"))
	b.presses("#teams-form", "Ask them")
	b.until(`!document.querySelector('#teams-form').open`)
	b.until(`(document.querySelector('#me').value = 'U0SAM', document.querySelector('#me').dispatchEvent(new Event('change')), true)`)
	b.until(`!document.querySelector('#log').innerText.includes('only you see this')`) // what ana alone saw is gone
	b.presses("#teams-channels", "Chat with Switchback")
	b.presses("#teams-log", "I look after it")
	b.presses("#teams-channels", "voice")
	b.shows("#teams-log", "@sam looks after it")

	if os.Getenv("PROOF") != "" { // the first reminder comes after two minutes, a minute before the deadline
		b.limit = 4 * time.Minute
		b.presses("#teams-channels", "Chat with Switchback")
		b.shows("#teams-log", "One hour more")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.console)+len(b.foreign) > 0 {
		t.Errorf("the console says %q, and these were asked for elsewhere: %q", b.console, b.foreign)
	}
}

// value is what an expression in JavaScript says.
func (b *tab) value(expression string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// save is what a Gladly administrator clicks on the page of Help centre.
func (b *tab) save(days [][]string, closed bool, message string) {
	b.t.Helper()
	const screen = `#screens [data-key="help-centre"]`
	b.until(fmt.Sprintf(`document.querySelector('%s details').open = true`, screen))
	for _, d := range days {
		b.until(fmt.Sprintf(`(document.querySelector('%s [data-day=%s] [name=closed]').checked = %v, true)`, screen, strings.ToLower(d[1]), closed))
	}
	b.until(fmt.Sprintf(`(document.querySelector('%s textarea').value = %q, true)`, screen, message))
	b.presses(screen, "Save")
}

// What Slack does not take, and what the bot does not answer in time, is shown as Slack would refuse it.
func TestTryRefusals(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("a browser takes its time, and Linux says when a process has stopped")
	}
	b := open(t, playground(t))
	var pid int
	if _, err := fmt.Sscanf(b.value(`document.querySelector('#bot-state').textContent`), "The bot runs: process %d", &pid); err != nil {
		t.Fatal(err)
	}
	bot, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := bot.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for { // it stops a little later
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(stat, []byte(") T ")) {
			break
		}
	}
	b.types("/outage help")
	b.shows("#log .bad", `failed with the error "operation_timeout"`)
	if err := bot.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.types("/outage help")
	b.shows("#log .only:not(.bad)", "/outage restore")
	b.presses(".bot", "Kill the bot")
	b.shows(".bot", "not running")
	b.types("/outage help")
	b.shows("#log", `failed with the error "dispatch_failed"`)
	b.shows("#wire .bad", "the bot is not there")
}

// Whenever the bot is killed: what somebody presses as soon as it runs again is answered, sooner than what a dead process
// had claimed would be free by itself.
func TestTryPressAfterKill(t *testing.T) {
	rounds := 5
	if os.Getenv("PROOF") != "" {
		rounds = 60
	}
	for range rounds {
		p := watch(t, playground(t), "U0ANA")
		p.does("say", map[string]string{"text": "/outage chat late", "channel": "C0SUPPORT"})
		p.presses("Close Web shop now")
		time.Sleep(rand.N(200 * time.Millisecond)) // anywhere in what that causes
		p.does("kill", nil)
		p.does("start", nil)
		p.presses("I click")
		p.shows("All as listed")
	}
}

// player is somebody who uses the playground without a browser.
type player struct {
	t       *testing.T
	url, as string

	mu    sync.Mutex
	parts map[string]json.RawMessage // of the page, as they were told last
	news  chan struct{}
}

type shownMessage struct {
	Channel, TS string
	Blocks      []struct {
		ID       string `json:"block_id"`
		Elements []struct {
			Type string
			ID   string `json:"action_id"`
			Text json.RawMessage
		}
	}
}

func watch(t *testing.T, url, as string) *player {
	t.Helper()
	p := &player{t: t, url: url, as: as, parts: map[string]json.RawMessage{}, news: make(chan struct{}, 1)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events?as="+as, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	go func() {
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			p.mu.Lock()
			err := json.Unmarshal([]byte(data), &p.parts)
			p.mu.Unlock()
			if err != nil {
				t.Errorf("the page is told %s: %v", data, err)
			}
			select {
			case p.news <- struct{}{}:
			default:
			}
		}
	}()
	p.until("a bot that runs", func() bool { return strings.Contains(string(p.part("bot")), `"state":"up"`) })
	return p
}

func (p *player) part(name string) json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parts[name]
}

// until waits, but not for as long as work of a dead process stays claimed.
func (p *player) until(what string, is func() bool) {
	p.t.Helper()
	for over := time.After(flow.ClaimFor / 2); !is(); {
		select {
		case <-p.news:
		case <-over:
			p.t.Fatalf("%s never came; Slack shows\n%s", what, p.part("slack"))
		}
	}
}

func (p *player) does(what string, in map[string]string) {
	p.t.Helper()
	if in == nil {
		in = map[string]string{}
	}
	in["as"] = p.as
	body, err := json.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.Post(p.url+"/do/"+what, "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s %s = %d, %s", what, body, resp.StatusCode, said)
	}
}

// shows waits for a button, and returns what presses the newest that begins so.
func (p *player) shows(label string) (press map[string]string) {
	p.t.Helper()
	p.until("a button "+label, func() bool {
		press = p.button(label)
		return press != nil
	})
	return press
}

func (p *player) presses(label string) {
	p.t.Helper()
	p.does("press", p.shows(label))
}

func (p *player) button(label string) map[string]string {
	var slack struct{ Messages []shownMessage }
	if err := json.Unmarshal(p.part("slack"), &slack); err != nil {
		return nil // nothing came yet
	}
	for _, m := range slices.Backward(slack.Messages) {
		for _, b := range m.Blocks {
			for _, e := range b.Elements {
				var text struct{ Text string }
				if e.Type == "button" && json.Unmarshal(e.Text, &text) == nil && strings.HasPrefix(text.Text, label) {
					return map[string]string{"channel": m.Channel, "ts": m.TS, "block": b.ID, "action": e.ID}
				}
			}
		}
	}
	return nil
}

// The page answers to nobody but itself, and asks for nothing from elsewhere.
func TestTryGuards(t *testing.T) {
	url := playground(t)
	for _, test := range []struct {
		name   string
		method string
		path   string
		host   string
		header [2]string
		want   int
	}{
		{"the page", http.MethodGet, "/", "", [2]string{}, http.StatusOK},
		{"by the other name of loopback", http.MethodGet, "/", "localhost" + url[strings.LastIndex(url, ":"):], [2]string{}, http.StatusOK},
		{"a name that was made to lead here", http.MethodGet, "/", "evil.example", [2]string{}, http.StatusForbidden},
		{"its own press", http.MethodPost, "/do/login", "", [2]string{"Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		{"the press of another page", http.MethodPost, "/do/kill", "", [2]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"the press of an old browser's other page", http.MethodPost, "/do/kill", "", [2]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"a link to a press", http.MethodGet, "/do/kill", "", [2]string{}, http.StatusMethodNotAllowed},
		{"somebody unknown", http.MethodGet, "/events?as=U0EVE", "", [2]string{}, http.StatusNotFound},
		{"a file of ours", http.MethodGet, "/page/main.js", "", [2]string{}, http.StatusOK},
		{"no file", http.MethodGet, "/page/..%2f..%2fmain.go", "", [2]string{}, http.StatusNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, url+test.path, strings.NewReader(`{"as": "U0ANA"}`))
			if err != nil {
				t.Fatal(err)
			}
			if r.Host = test.host; test.header[0] != "" {
				r.Header.Set(test.header[0], test.header[1])
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != test.want {
				t.Errorf("%s %s = %d, want %d", test.method, test.path, resp.StatusCode, test.want)
			}
			if got := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'self';") {
				t.Errorf("the policy is %q", got)
			}
		})
	}
	if err := try.Run(t.Context(), try.Config{Address: "0.0.0.0:0"}); err == nil {
		t.Error("bot try can listen for the whole network")
	}
}

// The playground's organisation passes the check that its readers are told to run, without a warning.
func TestTryOrganisation(t *testing.T) {
	dir := t.TempDir()
	_ = playgroundIn(t, dir)
	data, err := os.ReadFile(filepath.Join(dir, "organisation.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	o, problems := parseOrganisation("organisation.yaml", data)
	if len(problems) > 0 {
		t.Errorf("the document has problems: %v", problems)
	}
	if o.Deadline != config.Duration(3*time.Minute) {
		t.Errorf("the deadline is %v", o.Deadline)
	}
}

// draw draws the README's picture.
func (b *tab) draw() {
	b.t.Helper()
	b.wears("light")
	b.does(chromedp.EmulateViewport(1280, 1000))
	b.shows("#log", "Reply in thread")
	b.until(`(scrollTo(0, 0), document.activeElement.blur(), document.querySelector('#more').hidden || true)`)
	b.shot("try/testdata/playground.png")
}
