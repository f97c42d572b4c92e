package flags_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"switchback/bot/gladly/gladlytest"
	"switchback/handlers/flags"
)

// The hosts that the browser knows; all of them are one server of the test.
const (
	shopHost  = "shop.example.com"   // the company's pages
	otherHost = "other.example.com"  // somebody else's pages
	botHost   = "bot.example.com"    // the bot
	slowHost  = "slow.example.com"   // the bot: it sends the script, and never an answer
	mutedHost = "muted.example.com"  // the bot: it sends the script, and then nothing is there
	downHost  = "down.example.com"   // the bot: nothing is there at all
	brokeHost = "broken.example.com" // the bot: what it sends is no answer
	freshHost = "fresh.example.com"  // the bot: it has not read its flags yet
	cdnHost   = "cdn.gladly.com"     // Gladly's loader
)

// hostile is a notice that would be noticed if anything of it became HTML.
const hostile = `Write to <help@acme.example> <img src=x onerror="hacked=1"><script>hacked=1</script> & "wait" ☎`

// visitCase is a page that somebody visits.
type visitCase struct {
	name   string
	host   string // of the page; empty: shopHost
	bot    string // empty: botHost
	app    string
	start  string // how the page starts Gladly
	body   string // what else is in it
	data   string // further attributes of the script
	readme bool   // what the README says, instead of the script and the place
	policy string // Content-Security-Policy; the nonce is n0nce
	closed bool   // what the visitor should meet
	notice string // selector of the place where the notice should be; empty: none on the page
}

const (
	withStub   = `<script nonce="n0nce">STUB</script><script nonce="n0nce">Gladly.init({appId: "acme-shop"}).then(function () { ready = true; })</script>`
	withLoader = `<script src="https://cdn.gladly.com/chat-sdk/widget.js"></script><script nonce="n0nce">Gladly.init({appId: "acme-shop"}).then(function () { ready = true; })</script>`
	withConfig = `<script nonce="n0nce">gladlyConfig = {appId: "acme-shop"}; ready = gladlyConfig.appId === "acme-shop"</script><script async src="https://cdn.gladly.com/chat-sdk/widget.js"></script>`
	withVar    = `<script nonce="n0nce">var gladlyConfig = {appId: "acme-shop"}; ready = true</script><script src="https://cdn.gladly.com/chat-sdk/widget.js"></script>`

	place  = `<p id="chat-notice" role="status"></p>`
	button = `<button id="custom-gladly-chat-button" class="shown">Talk to us</button>`

	strict = "default-src 'none'; script-src 'nonce-n0nce' https://bot.example.com https://cdn.gladly.com 'self'; connect-src https://bot.example.com; base-uri 'none'"
	// Trusted types on top, where the page needs no stub: Gladly's own makes a script element.
	strictest = strict + "; require-trusted-types-for 'script'; trusted-types 'none'"
)

func visitCases() []visitCase {
	return []visitCase{
		{name: "open", app: "open", start: withStub, body: place},
		{name: "open, the loader at once", app: "open", start: withLoader, body: place},
		{name: "open, started by a config", app: "open", start: withConfig, body: place},
		{name: "open, started by a config in a var", app: "open", start: withVar, body: place},
		{name: "open, with the page's own button", app: "open", start: withStub, body: place + button},
		{name: "open, under a strict policy", app: "open", start: withStub, body: place, policy: strict},
		{name: "open, under the strictest policy", app: "open", start: withLoader, body: place, policy: strictest},
		{name: "closed", app: "shut", start: withStub, body: place, closed: true, notice: "#chat-notice"},
		{name: "closed, the loader at once", app: "shut", start: withLoader, body: place, closed: true, notice: "#chat-notice"},
		{name: "closed, started by a config", app: "shut", start: withConfig, body: place, closed: true, notice: "#chat-notice"},
		{name: "closed, started by a config in a var", app: "shut", start: withVar, body: place, closed: true, notice: "#chat-notice"},
		{name: "closed, with the page's own button", app: "shut", start: withStub, body: place + button, closed: true, notice: "#chat-notice"},
		{
			name: "closed, with a button and a place by other names", app: "shut", start: withStub, closed: true, notice: ".hint",
			data: `data-button=".talk" data-notice=".hint"`, body: `<div class="hint" hidden></div><a class="talk">Talk to us</a>`,
		},
		{name: "closed, without a place for the notice", app: "shut", start: withStub, closed: true},
		{name: "closed, under a strict policy", app: "shut", start: withStub, body: button, policy: strict, closed: true},
		{name: "closed, under the strictest policy", app: "shut", start: withLoader, body: place + button, policy: strictest, closed: true, notice: "#chat-notice"},
		{name: "closed, and the script is there twice", app: "shut", start: `<script src="SCRIPT" data-app="APP"></script>` + withStub, body: place, closed: true, notice: "#chat-notice"},

		{name: "closed, with the two lines of the README", readme: true, app: "shut", start: withStub, body: button, closed: true, notice: "#chat-notice"},

		{name: "our side is slow", bot: slowHost, app: "shut", start: withStub, body: place + button},
		{name: "our side is slow, started by a config", bot: slowHost, app: "shut", start: withConfig, body: place},
		{name: "our side went away", bot: mutedHost, app: "shut", start: withStub, body: place},
		{name: "our side is down", bot: downHost, app: "shut", start: withStub, body: place + button},
		{name: "our side talks nonsense", bot: brokeHost, app: "shut", start: withStub, body: place},
		{name: "our side does not know yet", bot: freshHost, app: "shut", start: withStub, body: place},
		{name: "another origin", host: otherHost, app: "shut", start: withStub, body: place + button},
		{name: "an app nobody has", app: "kiosk", start: withStub, body: place},
		{name: "the policy forbids to ask", app: "shut", start: withStub, body: place, policy: strings.Replace(strict, "connect-src https://bot.example.com", "connect-src 'none'", 1)},
		{name: "the policy forbids the script", app: "shut", start: withStub, body: place, policy: strings.Replace(strict, "https://bot.example.com https://cdn.gladly.com 'self'", "https://cdn.gladly.com", 1)},
	}
}

// readmeLines are the two lines that the README tells people to put into their pages.
func readmeLines(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "```html\n")
	lines, _, ok := strings.Cut(after, "```")
	if !ok || strings.Count(lines, "\n") != 2 {
		t.Fatalf("the README has no two lines for a page: %q", lines)
	}
	return strings.Replace(lines, "/flags/chat/web-shop", "/flags/chat/shut", 1)
}

// page is the case's page, with the script at that address.
func (c visitCase) page(script, app, readme string) string {
	lines := `<script src="SCRIPT" data-app="APP" ` + c.data + `></script>`
	if c.readme {
		lines = readme
	}
	in := strings.NewReplacer("STUB", string(gladlytest.Stub()), "SCRIPT", script, "APP", app)
	return in.Replace(`<!doctype html><html lang="en"><head><title>shop</title>
<script nonce="n0nce">ready = false; violations = []; errors = [];
document.addEventListener('securitypolicyviolation', function (e) { violations.push(e.blockedURI) });
addEventListener('unhandledrejection', function (e) { errors.push(String(e.reason)) });
addEventListener('error', function (e) { if (e.message) errors.push(e.message) });</script>
` + lines + c.start + `</head><body><h1>Shop</h1>` + c.body + `</body></html>`)
}

// town is the server behind all hosts.
func town(t *testing.T) *httptest.Server {
	t.Helper()
	s, _ := openStore(t, t.TempDir())
	apps := []flags.Target{
		{Kind: flags.Chat, ID: "open", Origins: []string{"https://" + shopHost}},
		{Kind: flags.Chat, ID: "shut", Message: hostile, Origins: []string{"https://" + shopHost}},
	}
	write(t, flags.New(apps, s), "flag/chat/shut", closed, open)
	bot := endpoints(t, flags.Config{Targets: apps, Store: s})
	if err := bot.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	pages := map[string]visitCase{}
	for i, c := range visitCases() {
		pages[fmt.Sprint(i)] = c
	}
	over, readme := t.Context(), readmeLines(t)
	shop := http.NewServeMux()
	for path, file := range map[string]string{"/chat.js": "page/chat.js", "/chat-asks.js": "page/chat.min.js"} { // copies
		shop.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	shop.HandleFunc("/{copy}/{case}", func(w http.ResponseWriter, r *http.Request) {
		c := pages[r.PathValue("case")]
		if c.bot == "" {
			c.bot = botHost
		}
		if c.policy != "" {
			w.Header().Set("Content-Security-Policy", c.policy)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		script, app := "https://"+c.bot+"/flags/chat.js", c.app
		if r.PathValue("copy") == "source" { // as a page does that has a copy of its own
			script, app = "/chat.js", "https://"+c.bot+"/flags/chat/"+c.app
		}
		_, _ = io.WriteString(w, c.page(html.EscapeString(script), html.EscapeString(app), readme))
	})
	hang := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over.Done():
		}
	}
	gone := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	after := func(answer http.HandlerFunc) http.HandlerFunc { // the script is sent, and then
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, ".js") {
				bot.ServeHTTP(w, r)
				return
			}
			answer(w, r)
		}
	}
	hosts := map[string]http.Handler{
		shopHost: shop, otherHost: shop, botHost: bot, freshHost: endpoints(t, flags.Config{Targets: apps, Store: s}), slowHost: after(hang), mutedHost: after(gone), downHost: http.HandlerFunc(gone),
		brokeHost: after(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			_, _ = io.WriteString(w, `{"open": "no", "message": "closed"}`)
		}),
		cdnHost: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(gladlytest.Widget())
		}),
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := hosts[r.Host]; ok {
			h.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// browser starts a Chromium that knows no host but those of the server. Where there is none the test is skipped, and
// fails with CI=true.
func browser(t *testing.T, server *httptest.Server) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing (apt-get install chromium)")
		}
		t.Skip("chromium is missing (apt-get install chromium): the page's script is not tested")
	}
	var said bytes.Buffer
	ctx, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.IgnoreCertErrors, chromedp.CombinedOutput(&said),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-extensions", true),
		chromedp.Flag("host-resolver-rules", "MAP * "+server.Listener.Addr().String()),
	)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v\n%s", program, err, said.String())
	}
	return ctx
}

// met is what the page of a case has come to.
type met struct {
	Inits      []string `json:"inits"`      // appIds with which Gladly began
	Ready      bool     `json:"ready"`      // what waited for Gladly.init went on
	Notice     string   `json:"notice"`     // its text
	Children   int      `json:"children"`   // elements in it
	Role       string   `json:"role"`       // of its element
	Buttons    int      `json:"buttons"`    // that can be seen
	Locked     bool     `json:"locked"`     // window.Gladly is not what the page left there
	Sheets     int      `json:"sheets"`     // that were added
	Kept       string   `json:"kept"`       // cookies and storage
	Hacked     bool     `json:"hacked"`     // HTML of the notice came to life
	Violations []string `json:"violations"` // of the page's policy
	Errors     []string `json:"errors"`
}

const look = `(function () {
	var box = document.querySelector(%q) || document.querySelector('[role=status]');
	var now = Object.getOwnPropertyDescriptor(window, 'Gladly') || {};
	return {
		inits: window.standin ? standin.inits : [], ready: ready, notice: box ? box.textContent : '',
		children: box ? box.children.length : 0, role: box ? box.getAttribute('role') || '' : '',
		buttons: Array.from(document.querySelectorAll('#gladly-launcher, #custom-gladly-chat-button, .talk')).filter(function (b) { return b.getClientRects().length }).length,
		locked: !!now.get, sheets: document.adoptedStyleSheets.length,
		kept: document.cookie + localStorage.length + sessionStorage.length, hacked: 'hacked' in window,
		violations: violations, errors: errors,
	};
})()`

// Visitors of all kinds of pages, in a real browser: with the script as it is sent, and with its source as a copy on the
// page's own host.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	ctx := browser(t, town(t))
	for _, from := range []string{"sent", "source"} {
		for i, c := range visitCases() {
			t.Run(from+": "+c.name, func(t *testing.T) { c.visit(ctx, t, fmt.Sprintf("%s/%d", from, i)) })
		}
	}
}

func (c visitCase) visit(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	host := c.host
	if host == "" {
		host = shopHost
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("https://"+host+"/"+path)); err != nil {
		t.Fatal(err)
	}
	c.until(ctx, t, `window.standin && standin.loaded && document.readyState === 'complete'`)
	place := c.notice
	if place == "" {
		place = "#chat-notice"
	}
	if c.closed {
		c.until(ctx, t, fmt.Sprintf(`(document.querySelector(%q) || document.querySelector('[role=status]') || {}).textContent`, place))
	} else {
		c.until(ctx, t, `standin.inits.length && ready`)
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[met](fmt.Sprintf(look, place)))
	if err != nil {
		t.Fatal(err)
	}
	want := met{Inits: []string{"acme-shop"}, Ready: true, Buttons: 1, Kept: "00", Violations: []string{}, Errors: []string{}}
	if strings.Contains(c.body, "chat-notice") {
		want.Role = "status"
	}
	if c.closed {
		want.Inits, want.Ready, want.Buttons, want.Locked, want.Sheets = []string{}, strings.Contains(c.start, "gladlyConfig"), 0, true, 1
		want.Notice, want.Role = hostile, "status"
	}
	if strings.Contains(c.policy, "connect-src 'none'") {
		want.Violations = []string{"https://bot.example.com/flags/chat/" + c.app}
	}
	if !strings.Contains(c.policy, "'self'") && c.policy != "" {
		want.Violations = []string{"https://bot.example.com/flags/chat.js"}
		if strings.HasPrefix(path, "source") {
			want.Violations = []string{"https://shop.example.com/chat.js"}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the visitor meets (-want +got):\n%s", diff)
	}
	c.listen(ctx, t)
}

// until waits for a condition on the page.
func (c visitCase) until(ctx context.Context, t *testing.T, condition string) {
	t.Helper()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		if err != nil {
			t.Fatalf("wait for %s: %v", condition, err)
		}
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s never became true", condition)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// listen checks what a screen reader finds: the notice in a place of which it speaks by itself, and no button that does
// nothing.
func (c visitCase) listen(ctx context.Context, t *testing.T) {
	t.Helper()
	nodes, err := chromedp.Run(ctx, func(ctx context.Context, tab *chromedp.Target) ([]*accessibility.Node, error) {
		r, err := cdp.Call(ctx, tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		return r.Nodes, err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	parents := map[accessibility.NodeID]string{}
	var notice, buttons int
	for _, n := range nodes {
		if !n.Ignored {
			parents[n.NodeID] = text(n.Role)
		}
	}
	for _, n := range nodes {
		switch {
		case n.Ignored:
		case text(n.Role) == "StaticText" && parents[n.ParentID] == "status" && strings.Contains(text(n.Name), "help@acme.example"):
			notice++
		case text(n.Role) == "button":
			buttons++
		}
	}
	if want := map[bool]int{true: 1}[c.closed]; notice != want || buttons != 1-want {
		t.Errorf("a screen reader finds %d notices and %d buttons, want %d and %d", notice, buttons, want, 1-want)
	}
}

// The script costs a page little, and may be cached, pinned and read.
func TestScript(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	bot := serve(t, flags.Config{Targets: targets(), Store: s})
	got := ask(t, "GET", bot.url+"/flags/chat.js", "", "", "Origin", "https://anywhere.example")
	if n := len(got.body); got.status != http.StatusOK || n > 2048 {
		t.Errorf("status %d, %d bytes, want at most 2048", got.status, n)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=300",
		"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "cookie", "Storage", "indexedDB"} {
		if strings.Contains(got.body, word) {
			t.Errorf("the script has %s in it", word)
		}
	}
	if got := ask(t, "POST", bot.url+"/flags/chat.js", "", "{}"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d, want 405", got.status)
	}
}
