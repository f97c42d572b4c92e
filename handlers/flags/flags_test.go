package flags_test

import (
	"bytes"
	"context"
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
	shop       change.Key = "flag/chat/web-shop"
	orders     change.Key = "flag/voice/+16505550101"
	secret                = "ivr:right:horse"
	shopOrigin            = "https://shop.example.com"
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
		{Kind: flags.Chat, ID: "web-shop", Label: "Web shop", Message: `Write to <help@acme.example> & "wait"`, Origins: []string{shopOrigin, "https://m.example.com"}},
		{Kind: flags.Chat, ID: "help-centre", Label: "Help centre", Origins: []string{"*"}},
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

func endpoints(tb testing.TB, c flags.Config) *flags.Endpoints {
	tb.Helper()
	e, err := flags.NewEndpoints(c)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// site is the endpoints over HTTP, which know what the flags say when site begins.
type site struct {
	*flags.Endpoints
	url string
	log *log
}

func serve(t *testing.T, c flags.Config) *site {
	t.Helper()
	s := &site{Endpoints: endpoints(t, c), log: &log{}}
	logger := zerolog.New(s.log)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r.WithContext(logger.WithContext(r.Context())))
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.refresh(t)
	return s
}

func (s *site) refresh(t *testing.T) {
	t.Helper()
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatalf("Refresh: %v", err)
	}
}

// tell tells the store who asked, as the end of Run does.
func (s *site) tell(t *testing.T) {
	t.Helper()
	over, stop := context.WithCancel(t.Context())
	stop()
	s.Run(over)
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

// ask makes a request; auth is "user:password", empty for none. A page's request has an origin.
func ask(t *testing.T, method, url, auth, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user, password, ok := strings.Cut(auth, ":"); ok {
		r.SetBasicAuth(user, password)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
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

// visit asks as a page of the web shop does.
func visit(t *testing.T, url string) reply {
	t.Helper()
	return ask(t, "GET", url+"/flags/chat/web-shop", "", "", "Origin", shopOrigin)
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
	bot := serve(t, flags.Config{Targets: targets(), Store: s})
	check := func(when, want string) {
		t.Helper()
		if got := visit(t, bot.url).body; got != want {
			t.Errorf("%s a page gets %s, want %s", when, got, want)
		}
	}
	asked := func(want int) {
		t.Helper()
		bot.tell(t)
		last, in5min, total, err := p.Asked(t.Context(), shop)
		if ago := time.Since(last); err != nil || in5min != want || total != want || want > 0 && ago > time.Minute || last.IsZero() != (want == 0) {
			t.Errorf("Asked = last %v, %d in 5 min, %d, %v, want %d", last, in5min, total, err, want)
		}
	}
	const isOpen = `{"open":true,"message":"","until":null}`
	const isClosed = `{"open":false,"message":"Write to <help@acme.example> & \"wait\"","until":null}`
	asked(0)
	check("in peace time", isOpen)
	write(t, p, shop, closed, open)
	bot.refresh(t)
	check("in the outage", isClosed)
	asked(2)

	stopped, stop := context.WithCancel(t.Context())
	stop()
	s.Run(stopped) // the shutdown writes what was counted
	end()
	s, _ = openStore(t, dir)
	p = flags.New(targets(), s)
	bot = serve(t, flags.Config{Targets: targets(), Store: s})
	asked(2)
	check("after a restart", isClosed)
	write(t, p, shop, open, closed)
	bot.refresh(t)
	check("when restored", isOpen)
	asked(4)
}

func TestNotice(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	p := flags.New(targets(), s)
	write(t, p, shop, closed, open)
	write(t, p, "flag/chat/help-centre", closed, open)
	write(t, p, orders, voicemail, normal)
	text := "Call us."
	bot := serve(t, flags.Config{Targets: targets(), Store: s, Secret: secret, Notice: func(_ context.Context, k change.Key) (string, time.Time) {
		if k == shop {
			return text, time.Date(2026, 11, 26, 6, 10, 0, 5, time.FixedZone("", -8*3600))
		}
		return "", time.Time{}
	}})
	check := func(all map[string]string) {
		t.Helper()
		for path, want := range all {
			if got := ask(t, "GET", bot.url+path, secret, "").body; got != want {
				t.Errorf("GET %s = %s, want %s", path, got, want)
			}
		}
	}
	check(map[string]string{
		"/flags/chat/web-shop":               `{"open":false,"message":"Call us.","until":"2026-11-26T14:10:00Z"}`,
		"/flags/chat/help-centre":            `{"open":false,"message":"Chat is not available at the moment. Please try again later.","until":null}`,
		"/flags/voice?number=%2B16505550101": `{"state":"voicemail","message":"Please leave a message."}`,
	})
	text = "Write to us." // edited in the outage
	bot.refresh(t)
	check(map[string]string{"/flags/chat/web-shop": `{"open":false,"message":"Write to us.","until":"2026-11-26T14:10:00Z"}`})
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
	bot := serve(t, flags.Config{Targets: targets(), Store: s, Secret: secret})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, test.method, bot.url+test.path, test.auth, test.body, "Origin", shopOrigin)
			if got.status != test.status || got.body != test.want {
				t.Errorf("%s %s = %d %s\nwant %d %s", test.method, test.path, got.status, got.body, test.status, test.want)
			}
			age := "no-store" // a menu asks for each call, and trouble is over soon
			if got.body == isClosed {
				age = "max-age=5"
			}
			for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": age} {
				if got := got.header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
	if got := bot.log.String(); strings.Contains(got, "horse") || strings.Count(got, "\n") != 2 {
		t.Errorf("want one line about targets and one about credentials, none with the password:\n%s", got)
	}
	// Only those who got an answer are counted.
	bot.tell(t)
	for k, want := range map[change.Key]int{shop: 1, orders: 3, "flag/chat/help-centre": 0} {
		if _, _, total, err := s.Asked(t.Context(), k); err != nil || total != want {
			t.Errorf("%s was asked for %d times, error %v, want %d", k, total, err, want)
		}
	}
}

// A page of another origin gets the answer, cannot read it, and so its visitors can chat.
func TestOrigins(t *testing.T) {
	const shopFlag, helpFlag = "/flags/chat/web-shop", "/flags/chat/help-centre"
	tests := []struct {
		name, method, path string
		headers            []string
		status             int
		origin, vary       string
		counted            bool
	}{
		{"the shop's page", "GET", shopFlag, []string{"Origin", shopOrigin}, 200, shopOrigin, "Origin", true},
		{"its pages for phones", "GET", shopFlag, []string{"Origin", "https://m.example.com"}, 200, "https://m.example.com", "Origin", true},
		{"another origin", "GET", shopFlag, []string{"Origin", "https://evil.example"}, 200, "", "Origin", false},
		{"a name that begins like it", "GET", shopFlag, []string{"Origin", shopOrigin + ".evil.example"}, 200, "", "Origin", false},
		{"the shop without encryption", "GET", shopFlag, []string{"Origin", "http://shop.example.com"}, 200, "", "Origin", false},
		{"a page in a sandbox", "GET", shopFlag, []string{"Origin", "null"}, 200, "", "Origin", false},
		{"a page of the bot's own host", "GET", shopFlag, []string{"Sec-Fetch-Site", "same-origin"}, 200, "", "Origin", true},
		{"a monitor", "GET", shopFlag, nil, 200, "", "Origin", false},
		{"any page, where all may ask", "GET", helpFlag, []string{"Origin", "https://evil.example"}, 200, "*", "", true},
		{"a phone's app, where all may ask", "GET", helpFlag, nil, 200, "*", "", true},
		{"a look without a body", "HEAD", shopFlag, []string{"Origin", shopOrigin}, 200, shopOrigin, "Origin", false},
		{"a browser that asks first", "OPTIONS", shopFlag, []string{"Origin", shopOrigin}, 204, shopOrigin, "Origin", false},
		{"another origin asks first", "OPTIONS", shopFlag, []string{"Origin", "https://evil.example"}, 204, "", "Origin", false},
		{"an app nobody has", "GET", "/flags/chat/kiosk", []string{"Origin", shopOrigin}, 404, "", "", false},
		{"voice, which is not for pages", "GET", "/flags/voice?number=%2B16505550101", []string{"Origin", shopOrigin}, 200, "", "", false},
		{"the script, which is for all", "GET", "/flags/chat.js", []string{"Origin", "https://evil.example"}, 200, "*", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, _ := openStore(t, t.TempDir())
			bot := serve(t, flags.Config{Targets: targets(), Store: s, Secret: secret})
			resp := ask(t, test.method, bot.url+test.path, secret, "", test.headers...)
			bot.tell(t)
			asked := 0
			for _, k := range []change.Key{shop, "flag/chat/help-centre"} {
				_, _, n, err := s.Asked(t.Context(), k)
				if err != nil {
					t.Fatal(err)
				}
				asked += n
			}
			got := []any{resp.status, resp.header.Get("Access-Control-Allow-Origin"), resp.header.Get("Vary"), asked == 1}
			if diff := cmp.Diff([]any{test.status, test.origin, test.vary, test.counted}, got); diff != "" {
				t.Errorf("status, origin, vary, counted (-want +got):\n%s", diff)
			}
			if methods := resp.header.Get("Access-Control-Allow-Methods"); (methods == "GET") != (test.method == "OPTIONS" && test.origin != "") {
				t.Errorf("methods %q are allowed", methods)
			}
			if h := resp.header.Get("Access-Control-Allow-Headers") + resp.header.Get("Access-Control-Allow-Credentials"); h != "" {
				t.Errorf("headers or credentials are allowed: %q", h)
			}
		})
	}
}

// What a browser has already is not sent again, until it is another answer.
func TestNotModified(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	bot := serve(t, flags.Config{Targets: targets(), Store: s})
	again := func(tag string) reply {
		return ask(t, "GET", bot.url+"/flags/chat/web-shop", "", "", "Origin", shopOrigin, "If-None-Match", tag)
	}
	tag := visit(t, bot.url).header.Get("Etag")
	for _, tags := range []string{tag, "W/" + tag, `"other", ` + tag} {
		got := again(tags)
		if got.status != http.StatusNotModified || got.body != "" || got.header.Get("Access-Control-Allow-Origin") != shopOrigin {
			t.Errorf("If-None-Match %s = %d %q %v, want 304", tags, got.status, got.body, got.header)
		}
	}
	write(t, flags.New(targets(), s), shop, closed, open)
	bot.refresh(t)
	if got := again(tag); got.status != http.StatusOK || got.header.Get("Etag") == tag {
		t.Errorf("If-None-Match of an old answer = %d, tag %s, want 200 and another tag", got.status, got.header.Get("Etag"))
	}
	bot.tell(t)
	if _, _, total, _ := s.Asked(t.Context(), shop); total != 5 {
		t.Errorf("asked for %d times, want 5: who has the answer already asked, too", total)
	}
}

func TestSecret(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	for _, bad := range []string{"horse", "horse:", ":horse", ":", "ivr:horse,", "ivr:horse,horse"} {
		_, err := flags.NewEndpoints(flags.Config{Targets: targets(), Store: s, Secret: config.Secret(bad)})
		if err == nil || strings.Contains(err.Error(), "horse") {
			t.Errorf("NewEndpoints with secret %q = %v, want an error that does not tell it", bad, err)
		}
	}
	const path = "/flags/voice?number=%2B16505550101"
	tests := []struct {
		name, secret, basic, key string
		want                     int
	}{
		{"none is set, none is sent", "", "", "", 401},
		{"none is set, an empty one is sent", "", ":", ":", 401},
		{"none is set, half a one is sent", "", "ivr:", "", 401},
		{"Basic", "ivr:new", "ivr:new", "", 200},
		{"in a header", "ivr:new", "", "ivr:new", 200},
		{"in both", "ivr:new", "ivr:new", "ivr:new", 200},
		{"a wrong one in the header", "ivr:new", "", "ivr:old", 401},
		{"a wrong Basic is not mended by the header", "ivr:new", "ivr:old", "ivr:new", 401},
		{"the old one, while both count", "ivr:new, ivr:old", "ivr:old", "", 200},
		{"the new one, while both count", "ivr:new, ivr:old", "", "ivr:new", 200},
		{"both at once is neither", "ivr:new,ivr:old", "ivr:new,ivr:old", "", 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bot := serve(t, flags.Config{Targets: targets(), Store: s, Secret: config.Secret(test.secret)})
			var headers []string
			if test.key != "" {
				headers = []string{flags.KeyHeader, test.key}
			}
			if got := ask(t, "GET", bot.url+path, test.basic, "", headers...); got.status != test.want {
				t.Errorf("status %d, want %d", got.status, test.want)
			}
			if strings.Contains(bot.log.String(), "old") {
				t.Errorf("the log tells it: %s", bot.log)
			}
		})
	}
}
