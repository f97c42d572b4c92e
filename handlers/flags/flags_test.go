package flags_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/handlers/flags"
	"switchback/store"
)

const (
	shop   change.Key = "flag/chat/web-shop"
	orders change.Key = "flag/voice/+16505550101"
	secret            = "ivr:right:horse"
)

var (
	open      = change.Value{Raw: []byte("open"), Text: "open"}
	closed    = change.Value{Raw: []byte("closed"), Text: "closed"}
	normal    = change.Value{Raw: []byte("normal"), Text: "usual menu"}
	voicemail = change.Value{Raw: []byte("voicemail"), Text: "voicemail"}

	_ change.Platform = (*flags.Platform)(nil)
)

func targets() []flags.Target {
	return []flags.Target{
		{Kind: flags.Chat, ID: "web-shop", Label: "Web shop", Message: `Write to <help@acme.example> & "wait"`},
		{Kind: flags.Chat, ID: "help-centre", Label: "Help centre"},
		{Kind: flags.Voice, ID: "+16505550101", Label: "+1 650 555 0101 Orders", Message: "Please leave a message."},
	}
}

func openStore(tb testing.TB, dir string) (*store.Flags, func()) {
	tb.Helper()
	f, err := store.OpenVolatile(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return store.NewFlags(f), func() {
		if err := f.Close(); err != nil {
			tb.Fatal(err)
		}
	}
}

func handler(tb testing.TB, e flags.Endpoints) http.Handler {
	tb.Helper()
	h, err := flags.Handler(e)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// serve serves s over HTTP, and returns the address and what is logged.
func serve(t *testing.T, e flags.Endpoints) (string, *log) {
	t.Helper()
	lines := &log{}
	h := handler(t, e)
	logger := zerolog.New(lines)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(logger.WithContext(r.Context())))
	}))
	t.Cleanup(server.Close)
	return server.URL, lines
}

type log struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

type reply struct {
	status int
	header http.Header
	body   string
}

// ask makes a request; auth is "user:password", empty for none.
func ask(t *testing.T, method, url, auth, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user, password, ok := strings.Cut(auth, ":"); ok {
		r.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSuffix(string(data), "\n")}
}

func write(t *testing.T, p *flags.Platform, k change.Key, want, was change.Value) {
	t.Helper()
	if err := p.Write(t.Context(), k, want, was); err != nil {
		t.Fatalf("Write %s: %v", k, err)
	}
}

// A night from the page's side: open, closed, closed after a restart of the bot, open again.
func TestFlagIsAnsweredAndKept(t *testing.T) {
	dir := t.TempDir()
	s, end := openStore(t, dir)
	p := flags.New(targets(), s)
	url, _ := serve(t, flags.Endpoints{Targets: targets(), Store: s})
	check := func(when, url, want string) {
		t.Helper()
		if got := ask(t, "GET", url+"/flags/chat/web-shop", "", "").body; got != want {
			t.Errorf("%s a page gets %s, want %s", when, got, want)
		}
	}
	asked := func(p *flags.Platform, want int) {
		t.Helper()
		last, in5min, total, err := p.Asked(t.Context(), shop)
		if ago := time.Since(last); err != nil || in5min != want || total != want || want > 0 && ago > time.Minute || last.IsZero() != (want == 0) {
			t.Errorf("Asked = last %v, %d in 5 min, %d, %v, want %d", last, in5min, total, err, want)
		}
	}
	const isOpen = `{"open":true,"message":"","until":null}`
	const isClosed = `{"open":false,"message":"Write to <help@acme.example> & \"wait\"","until":null}`
	asked(p, 0)
	check("in peace time", url, isOpen)
	write(t, p, shop, closed, open)
	check("in the outage", url, isClosed)
	asked(p, 2)

	stopped, stop := context.WithCancel(t.Context())
	stop()
	s.Run(stopped) // the shutdown writes what was counted
	end()
	s, _ = openStore(t, dir)
	p = flags.New(targets(), s)
	url, _ = serve(t, flags.Endpoints{Targets: targets(), Store: s})
	asked(p, 2)
	check("after a restart", url, isClosed)
	write(t, p, shop, open, closed)
	check("when restored", url, isOpen)
	asked(p, 4)
}

func TestNotice(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	p := flags.New(targets(), s)
	write(t, p, shop, closed, open)
	write(t, p, "flag/chat/help-centre", closed, open)
	write(t, p, orders, voicemail, normal)
	url, _ := serve(t, flags.Endpoints{Targets: targets(), Store: s, Secret: secret, Notice: func(_ context.Context, k change.Key) (string, time.Time) {
		if k == shop {
			return "Call us.", time.Date(2026, 11, 26, 6, 10, 0, 5, time.FixedZone("", -8*3600))
		}
		return "", time.Time{}
	}})
	for path, want := range map[string]string{
		"/flags/chat/web-shop":               `{"open":false,"message":"Call us.","until":"2026-11-26T14:10:00Z"}`,
		"/flags/chat/help-centre":            `{"open":false,"message":"Chat is not available at the moment. Please try again later.","until":null}`,
		"/flags/voice?number=%2B16505550101": `{"state":"voicemail","message":"Please leave a message."}`,
	} {
		if got := ask(t, "GET", url+path, secret, "").body; got != want {
			t.Errorf("GET %s = %s, want %s", path, got, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	const (
		notFound     = `{"open":true,"message":"","until":null,"error":"not found"}`
		isClosed     = `{"open":false,"message":"Write to <help@acme.example> & \"wait\"","until":null}`
		toVoicemail  = `{"state":"voicemail","message":"Please leave a message."}`
		unauthorized = `{"state":"normal","message":"","error":"unauthorized"}`
		noNumber     = `{"state":"normal","message":"","error":"not found"}`
		notJSON      = `{"state":"normal","message":"","error":"want JSON such as {\"number\": \"+16505550101\"}"}`
	)
	tests := []struct {
		name, method, path, auth, body string
		status                         int
		want                           string
	}{
		{"chat", "GET", "/flags/chat/web-shop", "", "", 200, isClosed},
		{"an app nobody has", "GET", "/flags/chat/kiosk", "", "", 404, notFound},
		{"a number as an app", "GET", "/flags/chat/+16505550101", "", "", 404, notFound},
		{"a drill's key", "GET", "/flags/drill/chat/web-shop", "", "", 404, notFound},
		{"a drill's key, smuggled in", "GET", "/flags/chat/..%2F..%2Fdrill%2Fchat%2Fweb-shop", "", "", 404, notFound},
		{"no app", "GET", "/flags/chat/", "", "", 404, notFound},
		{"chat is not set from outside", "POST", "/flags/chat/web-shop", "", "{}", 405, `{"open":true,"message":"","until":null,"error":"method not allowed"}`},

		{"number in the URL", "GET", "/flags/voice?number=%2B16505550101", secret, "", 200, toVoicemail},
		{"plus sign as it is, which means a space", "GET", "/flags/voice?number=+16505550101", secret, "", 200, toVoicemail},
		{"number in the body", "POST", "/flags/voice", secret, `{"number": "+16505550101", "call": 7}`, 200, toVoicemail},
		{"a number nobody has", "GET", "/flags/voice?number=%2B16505550109", secret, "", 404, noNumber},
		{"an app as a number", "GET", "/flags/voice?number=web-shop", secret, "", 404, noNumber},
		{"no number", "POST", "/flags/voice", secret, `{}`, 404, noNumber},
		{"no JSON", "POST", "/flags/voice", secret, `number=+16505550101`, 400, notJSON},
		{"a body without end", "POST", "/flags/voice", secret, `{"number": "` + strings.Repeat("1", 5000), 413, `{"state":"normal","message":"","error":"the body is too large"}`},
		{"another method", "PUT", "/flags/voice", secret, `{}`, 405, `{"state":"normal","message":"","error":"method not allowed"}`},
		{"no credentials", "GET", "/flags/voice?number=%2B16505550101", "", "", 401, unauthorized},
		{"a wrong password", "POST", "/flags/voice", "ivr:right", `{"number": "+16505550101"}`, 401, unauthorized},
		{"a wrong user", "GET", "/flags/voice?number=%2B16505550101", "web:right:horse", "", 401, unauthorized},
		{"refused before the number is looked at", "GET", "/flags/voice?number=web-shop", "ivr:", "", 401, unauthorized},
	}
	s, _ := openStore(t, t.TempDir())
	write(t, flags.New(targets(), s), shop, closed, open)
	write(t, flags.New(targets(), s), orders, voicemail, normal)
	url, lines := serve(t, flags.Endpoints{Targets: targets(), Store: s, Secret: secret})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, test.method, url+test.path, test.auth, test.body)
			if got.status != test.status || got.body != test.want {
				t.Errorf("%s %s = %d %s\nwant %d %s", test.method, test.path, got.status, got.body, test.status, test.want)
			}
			for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"} {
				if got := got.header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
	if got := lines.String(); strings.Contains(got, "horse") || strings.Count(got, "\n") != 2 {
		t.Errorf("want one line about targets and one about credentials, none with the password:\n%s", got)
	}
	// Only those who got an answer are counted.
	for k, want := range map[change.Key]int{shop: 1, orders: 3, "flag/chat/help-centre": 0} {
		if _, _, total, err := s.Asked(t.Context(), k); err != nil || total != want {
			t.Errorf("%s was asked for %d times, error %v, want %d", k, total, err, want)
		}
	}
}

func TestAnyOriginMayReadChat(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	url, _ := serve(t, flags.Endpoints{Targets: targets(), Store: s, Secret: secret})
	tests := []struct {
		name, method, path string
		status             int
		origin, methods    string
	}{
		{"an answer", "GET", "/flags/chat/web-shop", 200, "*", ""},
		{"an error", "GET", "/flags/chat/kiosk", 404, "*", ""},
		{"a browser that asks first", "OPTIONS", "/flags/chat/web-shop", 204, "*", "GET"},
		{"voice, which is not for pages", "GET", "/flags/voice?number=%2B16505550101", 200, "", ""},
		{"voice, asked first", "OPTIONS", "/flags/voice", 405, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := ask(t, test.method, url+test.path, secret, "")
			got := []any{resp.status, resp.header.Get("Access-Control-Allow-Origin"), resp.header.Get("Access-Control-Allow-Methods")}
			if diff := cmp.Diff([]any{test.status, test.origin, test.methods}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if h := resp.header.Get("Access-Control-Allow-Headers") + resp.header.Get("Access-Control-Allow-Credentials"); h != "" {
				t.Errorf("headers or credentials are allowed: %q", h)
			}
		})
	}
}

func TestSecret(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	for _, bad := range []string{"horse", "horse:", ":horse", ":"} {
		_, err := flags.Handler(flags.Endpoints{Targets: targets(), Store: s, Secret: config.Secret(bad)})
		if err == nil || strings.Contains(err.Error(), "horse") {
			t.Errorf("Handler with secret %q = %v, want an error that does not tell it", bad, err)
		}
	}
	url, _ := serve(t, flags.Endpoints{Targets: targets(), Store: s})
	for _, auth := range []string{"", ":", "ivr:", ":ivr"} {
		if got := ask(t, "GET", url+"/flags/voice?number=%2B16505550101", auth, ""); got.status != 401 {
			t.Errorf("without a secret, %q gets %d, want 401", auth, got.status)
		}
	}
}

// away is a store that does not answer.
type away struct{ flags.Store }

func (away) Get(context.Context, change.Key) (string, error) {
	return "", errors.New("connection refused")
}

func TestStoreAwayLetsCustomersThrough(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	write(t, flags.New(targets(), s), shop, closed, open)
	url, lines := serve(t, flags.Endpoints{Targets: targets(), Store: away{s}, Secret: secret})
	for range 20 {
		for path, want := range map[string]string{
			"/flags/chat/web-shop":               `{"open":true,"message":"","until":null,"error":"not known at the moment"}`,
			"/flags/voice?number=%2B16505550101": `{"state":"normal","message":"","error":"not known at the moment"}`,
		} {
			if got := ask(t, "GET", url+path, secret, ""); got.status != 503 || got.body != want {
				t.Fatalf("GET %s = %d %s, want 503 %s", path, got.status, got.body, want)
			}
		}
	}
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "connection refused") {
		t.Errorf("want one line for 40 questions:\n%s", got)
	}
	if _, _, total, _ := s.Asked(t.Context(), shop); total != 0 {
		t.Errorf("%d questions without an answer are counted", total)
	}
}
